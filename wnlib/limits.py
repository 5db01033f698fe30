r"""The exact limits of both flows, without simulating.

**Plain flow.** Its limit is the point at ``s = 0`` of a path that Newton's method follows
(:mod:`wnlib.plain_limits`).

**Weight normalization.** Its limit is the limit of the plain flow from ``beta / rho``,
``beta = x0^L``, and ``rho`` depends on the limit only through its radius: one scalar equation in
``log rho``, with one root, solved on the same path. First, though, the flow must not stall
(:mod:`wnlib.stalling`).
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.optimize import brentq

from wnlib import stalling
from wnlib.flows import PlainFlow, WeightNormFlow, check_start
from wnlib.linear_program import min_l1
from wnlib.plain_limits import EPS, PlainLimits, StuckError, row_space
from wnlib.trajectories import Result, Status

LIMIT_RESIDUAL = 1e-12  # relative; what a converged limit must reach, unless rounding forbids it


@dataclass(frozen=True, eq=False, repr=False)
class Limit(Result):
    """The exact end of a flow.

    Attributes
    ----------
    log_rho : float or numpy.ndarray, shape (starts,)
        Logarithm of the magnification: the limit is that of the plain flow from ``x0^L / rho``.
        0 for the plain flow; for weight normalization NaN where it stalls, where Newton's
        method got stuck, and for ``b = 0``.
    n_steps : int or numpy.ndarray, shape (starts,)
        Newton steps.
    """

    log_rho: float | np.ndarray
    n_steps: int | np.ndarray


def limit(flow, problem, x0):
    """Compute where a flow ends, without simulating it.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    problem : Problem
    x0 : array_like, shape (n_weights,) or (starts, n_weights)
        Positive initial weights.

    Returns
    -------
    Limit
        CONVERGED: relative residual at most 1e-12, or as small as the weights' own rounding leaves
        it (see Notes). STALLED: the radius of the weight-normalized flow tends to zero; the weights
        returned are zero. MAX_STEPS: Newton's method got stuck, and the
        weights are those of some other start, or above the tolerance; or a budget of steps did not
        decide whether the flow stalls (see :func:`wnlib.stalls`), and the weights are its limit if
        it does not.

    Raises
    ------
    ValueError
        If no admissible ``z`` solves ``A z = b``, or for arguments out of their range.

    Notes
    -----
    From a large start the limit may be much larger than ``b``: ``z_plus`` and ``z_minus`` of a
    signed problem, say, of which ``A z`` cancels all but ``b``. No float ``x`` then has a smaller
    residual than ``depth * eps * |A| x^L``, and four times that counts as converged, up to 1e-3.

    For ``b = 0`` the sparsest solution, zero, is returned. The flow itself may end at another point
    of the kernel, if that holds a nonnegative vector; ``integrate`` follows it there.
    """
    x0 = check_start(flow, problem, x0)
    if not problem.b.any():
        return _zero_limit(flow, problem, x0)
    rows, rhs = row_space(problem)
    ends = [_limit_one(flow, problem, rows, rhs, start) for start in np.atleast_2d(x0)]
    weights, status, log_rho, n_steps = zip(*ends, strict=True)
    if any(s is not Status.CONVERGED for s in status):
        with suppress(RuntimeError):  # undecided by HiGHS too: the status says enough
            min_l1(problem)  # raises ValueError if the reason is that there is no solution at all
    if x0.ndim == 1:
        return Limit(flow, problem, x0, weights[0], status[0], log_rho[0], n_steps[0])
    status = np.array(status, dtype=object)
    return Limit(flow, problem, x0, np.array(weights), status, np.array(log_rho), np.array(n_steps))


def _zero_limit(flow, problem, x0):
    starts = x0.shape[:-1]
    status = np.empty(starts, dtype=object)
    status[...] = Status.CONVERGED  # np.full would make a plain string of it
    unknown = 0.0 if isinstance(flow, PlainFlow) else np.nan
    log_rho, n_steps = np.full(starts, unknown)[()], np.zeros(starts, dtype=int)[()]
    return Limit(flow, problem, x0, np.zeros_like(x0), status[()], log_rho, n_steps)


def _limit_one(flow, problem, rows, rhs, x0):
    """Return weights, status, ``log rho`` and the number of steps for one start."""
    stalls = stalling.vanishing(flow, problem, x0, stalling.MAX_STEPS)
    if stalls:
        return np.zeros_like(x0), Status.STALLED, np.nan, 0
    path, log_rho, stuck = PlainLimits(rows, rhs, x0, flow.depth), 0.0, False
    try:
        with np.errstate(all="ignore"):  # trial points may overshoot
            path.find_interior()
            if isinstance(flow, WeightNormFlow):
                log_rho = _log_rho(flow, path, x0)
            path.move_to(log_rho)
            path.project()
    except StuckError:
        stuck, log_rho = True, np.nan if isinstance(flow, WeightNormFlow) else 0.0
    x = np.zeros_like(x0)
    x[path.columns] = np.exp(path.log_z / flow.depth)
    undecided = stuck or stalls is None  # on the way, too, the residual is small
    status = Status.MAX_STEPS if undecided else _judge(flow, problem, x)
    return x, status, log_rho, path.n_steps


def _judge(flow, problem, x):
    """Return CONVERGED if the residual is within tolerance or rounding, else MAX_STEPS."""
    stacked = x**flow.depth
    sums = np.linalg.norm(np.abs(problem.network_matrix) @ stacked) / np.linalg.norm(problem.b)
    tolerance = max(LIMIT_RESIDUAL, min(4 * flow.depth * EPS * sums, 1e-3))
    residual = problem.residual(problem.readout(stacked))
    return Status.CONVERGED if residual <= tolerance else Status.MAX_STEPS


def _log_rho(flow, path, x0):
    """Solve ``s = log rho(z(s))`` along the path of plain limits."""
    L, ratio, R0 = flow.depth, flow.ratio, x0 @ x0

    @cache
    def excess(s):
        path.move_to(s)
        R = np.exp(2 / L * path.log_z).sum()
        return s - L / 2 * ((R - R0) / ratio - np.log(R / R0))

    here, value = path.s, excess(path.s)
    step = 1.0 if value < 0 else -1.0
    while True:
        there = here + step
        value_there = excess(there)
        if not np.isfinite(value_there):
            raise StuckError
        if value * value_there <= 0:
            return brentq(excess, here, there, xtol=1e-13, rtol=4 * EPS)
        here, value, step = there, value_there, 2 * step
