r"""From near the end of the path to a solution of smallest norm: exactly, by two projections.

Let ``z >= 0`` solve ``A z = b`` and ``slack = 1 - A^T y >= 0``, with the gap ``g = sum slack z``.
If all products ``slack z`` are at least ``theta g / N`` and ``g`` is small enough, the support of
the solutions of smallest norm can be read off, and least squares finds one of these, and a dual
vector that proves it (``prop-two-projections``).
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from wnlib._checks import finite, last_axis, nonnegative_entries, positive
from wnlib._types import Bools, Floats
from wnlib.l1.certificates import ZERO
from wnlib.l1.linear_program import shortest
from wnlib.problems import Problem, check_problem

SEEN = 1e-6  # of entries, over the norm: HiGHS works to 1e-7
ROOM = 1e-9  # relative, of the smallest norm: what rounding must not make infeasible


def read_support(z: ArrayLike, slack: ArrayLike) -> Bools:
    """Return where ``z > slack max(z)``.

    Parameters
    ----------
    z, slack : array_like, shape (n_weights,)
        Not negative.

    Returns
    -------
    numpy.ndarray of bool, shape (n_weights,)
    """
    z, slack = nonnegative_entries("z", z, 1), nonnegative_entries("slack", slack, 1)
    return z > last_axis("slack", slack, len(z), "entry of z") * z.max()


def two_projections(problem: Problem, z: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    """Return the nearest ``z`` on the support, and the nearest ``y`` that is tight on it.

    Parameters
    ----------
    problem : Problem
    z : array_like, shape (n_weights,)
        A nonnegative solution, for signed problems the two signs apart.
    y : array_like, shape (n_measurements,)
        With ``A^T y <= 1``.

    Returns
    -------
    z, y : numpy.ndarray
        On the support ``S`` that :func:`read_support` reads, ``A_S z_S = b`` and ``A_S^T y = 1`` as
        nearly as can be; off it ``z`` is zero. Neither is made nonnegative or feasible.
    """
    A, b = check_problem(problem).network_matrix, problem.b
    z, y = nonnegative_entries("z", z, 1), finite("y", y, 1)
    on = read_support(z, np.maximum(1 - A.T @ y, 0.0))
    found, columns = np.zeros(len(z)), A[:, on]
    found[on] = z[on] + np.linalg.lstsq(columns, b - columns @ z[on])[0]
    return found, y + np.linalg.lstsq(columns.T, 1 - columns.T @ y)[0]


def termination_gap(
    problem: Problem, strict: tuple[Floats, Floats], largest: float, theta: float = 1.0
) -> float:
    """Return the gap from which on :func:`two_projections` are exact.

    With ``S`` the support of ``z``, ``zeta`` the least entry of ``z`` there, ``varsigma`` the least
    slack elsewhere, and ``a`` the norm of the longest column,

        theta / N * min(zeta^2 / largest, varsigma^2 largest, zeta varsigma / (a |A_S^+|)).

    Parameters
    ----------
    problem : Problem
    strict : (numpy.ndarray, numpy.ndarray)
        By :func:`strict_pair`: ``z`` and slack.
    largest : float
        The largest entry of the point to begin with.
    theta : float
        Its least product of entry and slack, over the mean of all.

    Returns
    -------
    float
    """
    A, (z, slack) = check_problem(problem).network_matrix, strict
    on, largest = z > 0, positive("largest", largest)
    zeta, varsigma = z[on].min(), slack[~on].min(initial=1.0)
    values = np.linalg.svd(A[:, on])[1]
    inverse = 1 / values[values > ZERO * values[0]].min()
    longest = np.linalg.norm(A, axis=0).max()
    least = min(zeta**2 / largest, varsigma**2 * largest, zeta * varsigma / (longest * inverse))
    return float(theta * least / A.shape[1])


def strict_pair(problem: Problem) -> tuple[Floats, Floats]:
    """Return a solution of smallest norm and the slack of a dual vector, strictly complementary.

    Exactly one of the two is positive in each entry (Goldman and Tucker): by as many linear
    programs as there are weights, and two. For small problems.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    z, slack : numpy.ndarray, shape (n_weights,)

    Raises
    ------
    ValueError
        If HiGHS does not find them.
    """
    A, b = check_problem(problem).network_matrix, problem.b
    corner = shortest(problem, np.ones(A.shape[1]))
    norm, farthest = corner.sum(), [corner]
    for c in -np.eye(A.shape[1]):
        found = linprog(c, A_ub=[np.ones(len(c))], b_ub=[norm * (1 + ROOM)], A_eq=A, b_eq=b)
        farthest.append(found.x if found.status == 0 else corner)
    reach = np.max(farthest, axis=0)
    on = reach > SEEN * norm
    z = np.where(on, np.mean(farthest, axis=0), 0.0)
    t = np.where(on, 0.0, 1.0)[:, None]  # maximize the least slack off the support
    program = linprog(
        np.append(np.zeros(len(b)), -1.0),
        A_ub=np.hstack([A.T, t])[~on],
        b_ub=np.ones(int((~on).sum())),
        A_eq=np.hstack([A.T, t])[on],
        b_eq=np.ones(int(on.sum())),
        bounds=[(None, None)] * len(b) + [(0, 1)],
    )
    if program.status != 0 or program.x[-1] <= 0:
        raise ValueError(f"no strictly complementary pair was found: {program.message}")
    return z, np.where(on, 0.0, 1 - A.T @ program.x[:-1])
