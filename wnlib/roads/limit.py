r"""The exact limits of the flows that have a mirror form, without simulating.

**Plain flow.** Its limit is the point at ``s = 0`` of a path that Newton's method follows
(:mod:`wnlib.roads._plain_limits`).

**Weight normalization.** Its limit is the limit of the plain flow from ``beta / rho``,
``beta = x0^L``, and ``rho`` depends on the limit only through its radius: one scalar equation in
``log rho``, with one root, solved on the same path. That is where it ends unless it stalls
(:mod:`wnlib.roads._stalling`); with a ratio of rates ``r^2 / power`` it never does.

**Depth 2.** The limits of all flows minimize a smooth convex function of the multipliers, which is
solved first (:mod:`wnlib.roads._dual_limits`): ten times as fast, and it does not get stuck. The
path has the word where it sees more and is fast as well.

No limit is called converged without a certificate (:mod:`wnlib.roads._certificates`).
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from wnlib._threads import one_blas_thread
from wnlib.flows import Flow, PlainFlow, check_mirror, check_start
from wnlib.l1.linear_program import min_l1
from wnlib.problems import Problem
from wnlib.results import Limit, Status, unit_of_multipliers
from wnlib.roads import _stalling
from wnlib.roads._bases import EPS, StuckError
from wnlib.roads._certificates import relative_gap
from wnlib.roads._dual_limits import DualLimit, Measurements
from wnlib.roads._plain_limits import PlainLimits, in_units, spanning

LIMIT_RESIDUAL = 1e-12  # relative; what a converged limit must reach, unless rounding forbids it
LIMIT_GAP = 1e-14  # entries off by 1.4e-7 in the mean from a limit for measurements as near
LARGE = 1e6  # operations of a step along the path: a millisecond, and it takes a hundred
MAX_ROOT_STEPS = 200  # typical are 4 to 12
ROOT_ERROR = 1e-8  # relative, of the limit, by the error of log rho
LOG_RHO = 1e-9  # relative error of log rho, also where it hardly moves the limit
CANCELLED = 1e-6  # relative error of z_plus - z_minus by the rounding of both

RESIDUAL_FAULT = "the relative residual is {:.0e}"
CANCELLED_FAULT = "z_plus and z_minus are so large that rounding leaves an error of {:.0e} in z"
KERNEL_FAULT = "b = 0: zero is a solution, but the flow may end at another; integrate follows it"
GAP_FAULT = "the relative gap is {:.0e}: another point may be the limit"
ROOT_FAULT = "the error of log rho moves the limit by {:.0e} of its norm"


@one_blas_thread
def limit(flow: Flow, problem: Problem, x0: ArrayLike) -> Limit:
    """Compute where a flow ends, without simulating it.

    Parameters
    ----------
    flow : PlainFlow, WeightNormFlow or PowerFlow
    problem : Problem
    x0 : array_like, shape (n_weights,) or (starts, n_weights)
        Positive initial weights.

    Returns
    -------
    Limit
        CONVERGED: the weights solve ``A z = b`` to a relative residual of 1e-12, or as well as
        their own rounding allows (see Notes), and their ``gap`` is at most 1e-14: they are the
        limit, for measurements that differ by no more than rounding and 1.4e-7. STALLED: the radius
        of the weight-normalized flow tends to zero; the weights returned are zero. UNFINISHED: no
        certificate, and ``message`` says why; the weights are the best that was found.

    Raises
    ------
    ValueError
        If no admissible ``z`` solves ``A z = b``, or for arguments out of their range.
    TypeError
        For a flow without a mirror form.

    Notes
    -----
    From a large start the limit may be many times as large as ``b``. No float ``x`` then has a
    smaller residual than ``depth * eps * |A| x^L``, and four times that counts as converged, as
    long as the effective weights are right: where ``z_plus`` and ``z_minus`` of a signed problem
    cancel, they may not be.

    In a batch, each start begins at the limit of the one before, where that is near: the limits are
    those of the starts alone, but for rounding. At depth 2 entries of large problems
    (``n_measurements^2 n_weights > 1e6``) that are lost in the rounding of ``A z`` have no digits.

    For ``b = 0`` the sparsest solution, zero, is returned: CONVERGED if it is the only one. If the
    kernel holds a nonnegative vector the flow may end elsewhere; ``integrate`` follows it there.
    """
    check_mirror(flow)
    x0 = check_start(flow, problem, x0)
    if not problem.b.any():
        return _zero_limit(flow, problem, x0)
    given = _Given(problem)
    ends = [_limit_one(flow, given, start) for start in np.atleast_2d(x0)]
    if any(end.status is not Status.CONVERGED for end in ends):
        with suppress(RuntimeError):  # undecided by HiGHS too: the status says enough
            min_l1(problem)  # raises ValueError if the reason is that there is no solution at all
    if x0.ndim == 1:
        return Limit(flow, problem, x0, **vars(ends[0]))
    columns: dict[str, Any] = {
        name: np.array([getattr(end, name) for end in ends], dtype=kind)
        for name, kind in _End.KINDS.items()
    }
    return Limit(flow, problem, x0, **columns)


@dataclass
class _End:
    """What :class:`Limit` holds, of one start."""

    weights: np.ndarray
    status: Status
    log_rho: float
    n_steps: int
    gap: float
    multipliers: np.ndarray
    message: str = ""

    KINDS: ClassVar = {
        **dict.fromkeys(("weights", "log_rho", "gap", "multipliers"), float),
        **{"status": object, "n_steps": int, "message": object},
    }


def _zero_limit(flow, problem, x0):
    """Return zero, the limit for ``b = 0`` unless the kernel holds a nonnegative vector."""
    A = problem.network_matrix
    nonnegative = linprog(
        -np.ones(A.shape[1]), A_eq=A / np.abs(A).max(), b_eq=problem.b, bounds=(0, 1)
    )
    unique = nonnegative.status == 0 and nonnegative.x.max() < 1e-9
    starts = x0.shape[:-1]
    status, message = np.empty(starts, dtype=object), np.empty(starts, dtype=object)
    # not by np.full, which would make plain strings of them
    status[...] = Status.CONVERGED if unique else Status.UNFINISHED
    message[...] = "" if unique else KERNEL_FAULT
    return Limit(
        flow,
        problem,
        x0,
        weights=np.zeros_like(x0),
        status=status[()],
        log_rho=np.full(starts, 0.0 if flow.motion is PlainFlow else np.nan)[()],
        n_steps=np.zeros(starts, dtype=int)[()],
        gap=np.full(starts, np.nan)[()],
        multipliers=np.zeros((*starts, problem.n_measurements)),
        message=message[()],
    )


class _Given:
    """A problem, and what all starts share of it: made when the first one asks for it."""

    def __init__(self, problem):
        self.problem = problem
        self.units = in_units(problem)
        self.near = self.path = None  # to the last limit, where the next start may begin

    @property
    def large(self):
        """Whether a step along the path of the plain limits takes a millisecond."""
        M, N = self.problem.network_matrix.shape
        return M * M * N > LARGE

    @cached_property
    def measurements(self):
        return Measurements(*self.units, signed=self.problem.signed)

    @cached_property
    def basis(self):
        return spanning(*self.units[:2])


def _limit_one(flow, given, x0):
    """Return the end of the flow from one start."""
    problem = given.problem
    with np.errstate(all="ignore"):  # trial points may overshoot
        end, candidates = _found(flow, given, x0)
    patience = 10 if end.message else 1  # what is not certified anyway is worth less
    if any(_stalling.rules_out_stall(flow, x0, z) for z in candidates):
        stalls = False  # nearly always
    else:
        stalls = _stalling.vanishing(flow, problem, x0, _stalling.MAX_STEPS // patience)
    if stalls:
        nothing = np.full(problem.n_measurements, np.nan)
        return _End(np.zeros_like(x0), Status.STALLED, np.nan, end.n_steps, np.nan, nothing)
    if stalls is None:
        end.message = end.message or "whether the flow stalls is undecided; if not, this is its end"
    end.status = Status.UNFINISHED if end.message else Status.CONVERGED
    return end


def _found(flow, given, x0):
    """Return what :func:`_certified` does, by the road that is best for a problem.

    The path of the plain limits knows the smallest entries as well. Where it is fast it has the
    word unless all entries that can be seen are settled anyway, or it gets stuck.
    """
    found = _by_multipliers(flow, given, x0)
    if found and (given.large or given.near.settled):
        return found
    other = _by_path(flow, given, x0)
    return found if found and other[0].message else other


def _by_multipliers(flow, given, x0):
    """Return what :func:`_certified` does, for depth 2; None without a certificate."""
    if flow.depth != 2:
        return None
    path = DualLimit(given.measurements, flow, x0)
    try:
        path.solve(given.near)
    except LinAlgError:
        return None
    given.near = path
    log_rho, error = 0.0, 0.0
    if flow.motion is not PlainFlow:
        excess, rounding, slope, speed = _excess(flow, path, x0)
        log_rho, error = path.s, speed * (abs(excess) + rounding) / slope
        if not abs(excess) <= LOG_RHO * (1 + abs(log_rho)):
            return None
    end, candidates = _certified(flow, given.problem, path, log_rho, error, x0)
    return None if end.message else (end, candidates)


def _by_path(flow, given, x0):
    """Return what :func:`_certified` does, or where the path of the plain limits got stuck."""
    log_beta = flow.depth * np.log(x0)
    if path := given.path:
        given.path = False  # what does not pay once is not tried again
        with suppress(LinAlgError):
            path.begin_anew(log_beta)
            found = _certified(flow, given.problem, path, *_log_rho(flow, path, x0), x0)
            if not found[0].message:
                given.path = path
                return found
    path = PlainLimits(*given.units, given.basis, log_beta, flow.depth)
    try:
        path.find_interior()
        found = _certified(flow, given.problem, path, *_log_rho(flow, path, x0), x0)
    except LinAlgError as stuck:
        return _stuck(flow, given.problem, path, x0, str(stuck)), ()
    if given.path is None and not found[0].message:
        given.path = path
        path.max_steps = path.n_steps // 2  # from there to the next limit
    return found


def _weights(path, depth, x0):
    x = np.zeros_like(x0)
    x[path.columns] = path.weights(depth)
    return x


def _certified(flow, problem, path, log_rho, error, x0):
    """Return the end that the path is at, with what is wrong with it, if anything, in a message.

    And its ``x^L`` as a candidate of :func:`wnlib.roads._stalling.vanishing`, if it solves
    ``A z = b``: not to all digits of a small ``b``, but then there is a solution within its own
    rounding.
    """
    L, used, x = flow.depth, path.columns, _weights(path, flow.depth, x0)
    stacked, log_start = x**L, L * np.log(x0[used]) - log_rho
    # where the weights are zero as floats, the path knows more
    log_z = np.where(x[used] > 0, L * np.log(x[used]), path.scaled() + path.log_size)
    unit = unit_of_multipliers(L, log_start, log_z)
    multipliers = path.multipliers(log_start, log_z, unit)
    gap = relative_gap(problem.network_matrix[:, used], L, log_start, log_z, multipliers)
    effective = problem.readout(stacked)
    rounding = 4 * flow.depth * EPS  # of x^L, relative, and of as many products again
    sums = np.linalg.norm(np.abs(problem.network_matrix) @ stacked) / np.linalg.norm(problem.b)
    size = stacked.max()  # squares of z itself may leave the range of floats
    cancelled = rounding * np.linalg.norm(stacked / size) / np.linalg.norm(effective / size)
    residual, allowed = problem.residual(effective), max(LIMIT_RESIDUAL, rounding * sums)
    faults = [
        (residual, allowed, RESIDUAL_FAULT),
        (cancelled, CANCELLED, CANCELLED_FAULT),
        (gap, LIMIT_GAP, GAP_FAULT),
        (error, ROOT_ERROR, ROOT_FAULT),
    ]
    wrong = [text.format(value) for value, allowed, text in faults if not value <= allowed]
    end = _End(x, None, log_rho, path.n_steps, gap, multipliers, "; ".join(wrong))
    return end, (stacked,) if residual <= allowed else ()


def _stuck(flow, problem, path, x0, message):
    """Return where the path got stuck."""
    x, nothing = _weights(path, flow.depth, x0), np.full(problem.n_measurements, np.nan)
    x = np.where(np.isfinite(x), x, 0.0)
    log_rho = 0.0 if flow.motion is PlainFlow else np.nan
    return _End(x, None, log_rho, path.n_steps, np.nan, nothing, message)


def _log_rho(flow, path, x0):
    """Solve ``s = log rho(z(s))`` along the path of plain limits, and stay there.

    Returns ``s``, and by how much the limit moves, relative to its norm, within the error of ``s``.
    The left side minus the right increases, at a rate of at least ``min(1, R / ratio)``, or
    ``min(1, power)``: Newton's method, kept between bounds.
    """
    if flow.motion is PlainFlow:
        path.move_to(0.0)
        return 0.0, 0.0
    low, high, reach = -np.inf, np.inf, 1.0  # far away the slope says little
    for _ in range(MAX_ROOT_STEPS):
        s = path.s
        excess, rounding, slope, speed = _excess(flow, path, x0)
        low, high = (low, s) if excess >= 0 else (s, high)  # NaN: the radius is no float
        there = s - np.clip(excess / slope, -reach, reach)
        arrived = abs(excess) <= rounding < np.inf or there == s
        if not low < there < high:
            there = (low + high) / 2
        if arrived or (there in (low, high) and np.isfinite(there)):
            return s, speed * (abs(excess) + rounding) / slope
        if not np.isfinite(there):
            raise StuckError("the magnification leaves the range of floats")
        path.move_to(there)
        reach *= 4
    raise StuckError("the equation of the magnification is not solved")


def _excess(flow, path, x0):
    """Return ``s - log rho(z(s))``, its rounding, its slope, and ``|dz/ds| / |z|``, on the path."""
    L, r0, h = flow.depth, np.linalg.norm(x0), 1e-6  # h: about the cube root of EPS
    r = np.exp(path.log_radius(L))
    speed, dlog_r = path.speed(L)
    slope = 1 - flow.log_rho(r * (1 - h), r * (1 + h)) / (2 * h) * dlog_r
    terms = abs(path.s) + L * (abs(flow.log_kappa(r)) + abs(flow.log_kappa(r0)))
    return path.s - flow.log_rho(r0, r), 4 * EPS * terms, slope, speed
