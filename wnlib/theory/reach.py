"""How much more accurate than the plain flow weight normalization is: what decides about it."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from wnlib._types import Values
from wnlib.flows import WeightNormFlow
from wnlib.l1.certificates import MinL1
from wnlib.problems import Problem, check_problem

# The hypotheses of `obs-reach`, in units of the smallest l1 norm but for the slack.
LEAST_SLACK = 0.2
LEAST_CHOICE = 1.1  # the norm of some solution
LONGEST_START = 0.5  # its squared length
LARGEST_RATIO = 0.1


def longest_norm(problem: Problem) -> float:
    """Return the largest l1 norm of effective weights that solve ``A z = b``.

    Where it is the smallest one too, and :attr:`wnlib.MinL1.margin` is positive, there is no choice
    among solutions.

    Parameters
    ----------
    problem : Problem
        If signed, the two signs are apart.

    Returns
    -------
    float
        Infinite if norms have no bound, as for every signed problem; NaN if HiGHS cannot tell.
    """
    A = check_problem(problem).network_matrix / (unit := np.abs(problem.A).max())
    found = linprog(-np.ones(A.shape[1]), A_eq=A, b_eq=problem.b / unit)
    return {0: -found.fun if found.status == 0 else 0.0, 3: np.inf}.get(found.status, np.nan)


def slack(strictest: MinL1) -> float:
    """Return how far a dual vector stays below 1 off the support, at least.

    Parameters
    ----------
    strictest : MinL1
        As :meth:`wnlib.MinL1.strictest` returns it, the vector that stays farthest below.

    Returns
    -------
    float
        At most 1: where no slope off the support is positive, the vector says no more than that.
    """
    slope = strictest.problem.A.T @ strictest.dual
    slope = np.abs(slope) if strictest.problem.signed else slope
    return float(np.min(1 - slope[~strictest.support], initial=1.0))


def expected_log_factor(
    flow: WeightNormFlow, R0: ArrayLike, Q: ArrayLike, slack: ArrayLike
) -> Values:
    """Return about what ``log(error of GD / error of WN-GD)`` is in the limit, for depth 2.

    ``slack log rho``, with the magnification of a flow that ends at the length ``Q``: from a start
    that is smaller by ``rho``, entries off the support end smaller by about ``rho^slack``
    (``obs-reach``).

    Parameters
    ----------
    flow : WeightNormFlow
    R0, Q, slack : array_like
        Squared length of the start, smallest l1 norm, and :func:`slack`.

    Returns
    -------
    float, or numpy.ndarray of their common shape
    """
    return np.asarray(slack) * flow.log_rho(np.sqrt(R0), np.sqrt(Q))
