r"""The nonnegative Lasso, each entry with a penalty of its own, and how to tell its solution.

    min  |A z - b|^2 / 2 + sum_n penalty_n z_n   over   z >= 0.

If the problem is signed, ``z`` holds both signs, one after the other, and ``A`` stands for
``[A, -A]``: with equal penalties that is the usual Lasso.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import nnls

from wnlib._checks import last_axis, nonnegative_entries, positive_entries
from wnlib._types import Floats, Values
from wnlib.problems import Problem, check_problem


def correlations(problem: Problem, z: ArrayLike) -> Floats:
    """Return ``g = A^T (b - A z)``.

    Parameters
    ----------
    problem : Problem
    z : array_like, shape (..., n_weights)
        Nonnegative.

    Returns
    -------
    numpy.ndarray, shape (..., n_weights)
    """
    A = check_problem(problem).network_matrix
    return (problem.b - _weights(problem, z) @ A.T) @ A


def objective(problem: Problem, z: ArrayLike, penalty: ArrayLike) -> Values:
    """Return ``|A z - b|^2 / 2 + sum penalty z``.

    Parameters
    ----------
    problem : Problem
    z : array_like, shape (..., n_weights)
        Nonnegative.
    penalty : array_like, a number or shape (..., n_weights)
        Positive.

    Returns
    -------
    float or numpy.ndarray, shape (...)
    """
    z, penalty = _weights(problem, z), _penalties(problem, penalty, range(3))
    y = problem.b - z @ problem.network_matrix.T
    return np.vecdot(y, y) / 2 + np.sum(penalty * z, axis=-1)


def gap(problem: Problem, z: ArrayLike, penalty: ArrayLike) -> Values:
    r"""Return by how much the objective at ``z`` exceeds a lower bound of its minimum.

    The bound is the dual objective ``|b|^2 / 2 - |b - s y|^2 / 2`` at the residual
    ``y = b - A z``, shrunk by the largest ``s <= 1`` that makes it feasible,
    ``s A^T y <= penalty``. So ``|A (z - minimizer)|^2 / 2 <= gap``. With ``g = A^T y`` it is
    ``(1 - s)^2 |y|^2 / 2 + sum z (penalty - s g)``, two terms that are not negative.

    Parameters
    ----------
    problem, z, penalty
        As of :func:`objective`.

    Returns
    -------
    float or numpy.ndarray, shape (...)
        Not negative; 0 only for a minimizer.
    """
    z, penalty = _weights(problem, z), _penalties(problem, penalty, range(3))
    y, g = problem.b - z @ problem.network_matrix.T, correlations(problem, z)
    s = 1 / np.max(g / penalty, axis=-1, initial=1.0)
    return (1 - s) ** 2 * np.vecdot(y, y) / 2 + np.sum(z * (penalty - s[..., None] * g), axis=-1)


def lasso(problem: Problem, penalty: ArrayLike) -> Floats:
    r"""Solve the nonnegative Lasso.

    Its dual projects ``b`` on the polyhedron ``A^T y <= penalty``, and that is one problem of
    nonnegative least squares (Lawson and Hanson's least distance programming): for the ``w >= 0``
    that minimizes ``|A w|^2 + (1 - h w)^2``, ``h = A^T b - penalty``, the solution is
    ``w / (1 - h w)``. :func:`gap` says how accurate it is.

    Parameters
    ----------
    problem : Problem
    penalty : array_like, a number or shape (n_weights,)
        Positive.

    Returns
    -------
    numpy.ndarray, shape (n_weights,)
        Positive effective weights, the two signs apart if the problem is signed.
    """
    A = check_problem(problem).network_matrix
    h = A.T @ problem.b - _penalties(problem, penalty, (0, 1))
    unit = np.linalg.norm(problem.b) or 1.0  # else 1 - h w is a rounding error where b is large
    w, _ = nnls(np.vstack([A, h / unit]), np.append(np.zeros(len(A)), 1.0))
    return unit * w / (1 - h @ w / unit)


def _weights(problem: Problem, z: ArrayLike) -> Floats:
    z = nonnegative_entries("z", z, range(1, 4))
    return last_axis("z", z, check_problem(problem).n_weights, "weight")


def _penalties(problem: Problem, penalty: ArrayLike, ndim: Sequence[int]) -> Floats:
    penalty = positive_entries("penalty", penalty, ndim)
    return last_axis("penalty", penalty, problem.n_weights, "weight") if penalty.ndim else penalty
