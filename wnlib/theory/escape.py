r"""How long a small start waits, at each depth: ``prop-escape``.

While all weights are below a level ``X``, ``-h_n`` lies within ``(A^T b)_n -+ delta_n``, with
``delta_n = X^L sum_m |(A^T A)_nm|``. So the time until the first weight reaches ``X`` has bounds
on both sides. The smaller the level, the closer they are.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from wnlib._checks import positive, positive_entries
from wnlib._types import Floats
from wnlib.flows import WeightNormFlow, check_depth, check_weight_norm
from wnlib.problems import Problem, check_weights

LARGEST = 300.0  # logarithm of a power of a level: far from the end of floats


def escape_time_bounds(
    depth: float, problem: Problem, x0: ArrayLike, level: float
) -> tuple[float, float]:
    r"""Bound the time in which the plain flow lifts the first weight to a level.

    They are the least over ``n`` of ``(x0_n^{-(L-2)} - X^{-(L-2)}) / ((L - 2) f_n)``, for L = 2
    ``log(X / x0_n) / f_n``, of those ``n`` for which ``f_n = (A^T b)_n +- delta_n`` is positive.

    Parameters
    ----------
    depth : float
    problem : Problem
    x0 : array_like, shape (n_weights,)
        Positive initial weights, below the level.
    level : float
        The theory's X.

    Returns
    -------
    lower, upper : float
        The upper one is infinite if nothing is sure to grow up to there. The step times the number
        of steps of gradient descent, too, is at least the lower one.
    """
    x0, pull, delta = _inputs(problem, x0, level, check_depth(depth))
    waits = _wait(depth, x0, level)
    return _least(waits, pull + delta), _least(waits, pull - delta)


def normalized_escape_bound(
    flow: WeightNormFlow, problem: Problem, x0: ArrayLike, level: float
) -> float:
    r"""Bound the same time from below for weight normalization, in units where ``eta_u = 1``.

    It is ``(max(x0)^{-(L-2)} - X^{-(L-2)}) / ((L - 2) ratio max_n f_n)``.

    Parameters
    ----------
    flow : WeightNormFlow
    problem, x0, level
        As for :func:`escape_time_bounds`.

    Returns
    -------
    float
        NaN if ``N X^2`` exceeds the ratio.
    """
    L, ratio = check_weight_norm(flow).depth, flow.ratio
    x0, pull, delta = _inputs(problem, x0, level, L)
    if problem.n_weights * level**2 > ratio:
        return np.nan
    wait = _wait(L, x0.max(keepdims=True), level)
    return _least(wait, np.max(pull + delta, keepdims=True)) / ratio


def _inputs(
    problem: Problem, x0: ArrayLike, level: float, depth: float
) -> tuple[Floats, Floats, Floats]:
    """Return the checked start, ``A^T b`` and ``delta``."""
    x0 = positive_entries("x0", check_weights(problem, x0), 1)
    if not x0.max() < positive("level", level):
        raise ValueError(f"x0 must be below level={level:g}; its largest entry is {x0.max():g}")
    if depth * np.log(level) > LARGEST:
        raise ValueError(f"level must be smaller: {level:g}^{depth:g} is no float")
    A = problem.network_matrix
    return x0, A.T @ problem.b, level**depth * np.abs(A.T @ A).sum(axis=1)


def _wait(depth: float, x0: Floats, level: float) -> Floats:
    """Return by how much ``-x^{-(L-2)} / (L-2)``, for L = 2 ``log x``, must grow."""
    if depth == 2:
        return np.log(level / x0)
    return (x0 ** (2 - depth) - level ** (2 - depth)) / (depth - 2)


def _least(waits: Floats, speeds: Floats) -> Any:
    """Return the least quotient of those with a positive speed; infinity if there is none."""
    moving = speeds > 0
    return float(np.min(waits[moving] / speeds[moving], initial=np.inf))
