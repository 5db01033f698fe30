"""How much more accurate than the plain flow weight normalization is: what decides about it."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from wnlib._types import Values
from wnlib.flows import WeightNormFlow, check_flow
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
        Infinite if norms have no bound, as for every signed problem; NaN if there is no solution,
        or HiGHS cannot tell.
    """
    A = check_problem(problem).network_matrix / (unit := np.abs(problem.A).max())
    found = linprog(-np.ones(A.shape[1]), A_eq=A, b_eq=problem.b / unit)
    if found.status == 3:  # unbounded
        return np.inf
    return -found.fun if found.status == 0 else np.nan


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
        Squared length of the start, smallest l1 norm, and the slack of its strictest certificate
        (:attr:`wnlib.MinL1.slack`).

    Returns
    -------
    float, or numpy.ndarray of their common shape
    """
    R0, Q = np.asarray(R0, dtype=float), np.asarray(Q, dtype=float)
    if not ((R0 > 0).all() and (Q > 0).all()):
        raise ValueError("R0 and Q must be positive in each entry")
    return np.asarray(slack) * check_flow(flow).log_rho(np.sqrt(R0), np.sqrt(Q))
