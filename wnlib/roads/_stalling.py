r"""Whether weight normalization stalls: its radius tends to zero, and its loss to that of zero.

In the mirror coordinates ``m`` and their own clock the flow is the gradient flow of a convex
function ``G``, ``m' = -grad G = A x^L - b``, continued by ``x = 0`` where the squared radius, a
convex function of ``m``, is not positive. So ``|A x^L - b|`` never grows, errors do not grow, and
the flow stalls if and only if it enters the convex set ``K`` where the squared radius is not
positive.
"""

from contextlib import suppress

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import gammainc, gammaln, xlogy

from wnlib._checks import count, finite
from wnlib._threads import one_blas_thread
from wnlib.flows import Flow, WeightNormFlow, check_start, log_sum, normalizes, shift
from wnlib.l1.linear_program import min_l1
from wnlib.problems import Problem
from wnlib.roads._charts import EPS, Stepper, follow

MAX_STEPS = 5000  # of `limit`: a few seconds on a small problem; hardly a start needs a hundredth
# Errors of log w that a step may make: the first decides nearly all starts, the last is what
# rounding leaves of log w = 1e4.
TOLERANCES = (1e-2, 1e-5, 1e-9)
SLACK = 1e-6  # relative, of an inequality: a thousand times what linear programs leave of A z - b
NEWTON_RTOL = 1e-3  # Newton's method then ends at 0.03 of the tolerance of a step


@one_blas_thread
def stalls(flow: Flow, problem: Problem, x0: ArrayLike, *, max_steps: int = MAX_STEPS) -> bool:
    """Tell whether the radius of a weight-normalized flow tends to zero.

    Parameters
    ----------
    flow : PlainFlow, WeightNormFlow or PowerFlow
    problem : Problem
    x0 : array_like, shape (n_weights,)
        Positive initial weights (one start).
    max_steps : int
        Budget of integration steps.

    Returns
    -------
    bool

    Raises
    ------
    ValueError, TypeError
        For arguments out of their range.
    RuntimeError
        If ``max_steps`` steps do not decide, or rounding does not let them.
        :func:`wnlib.limit` names that, too.

    Notes
    -----
    Most starts are decided without a step: by :func:`certainly_stalls`, by ``|A x0^L - b| < |b|``,
    which only falls, because ``A^T b`` has no negative entry, or by :func:`rules_out_stall` with
    a solution of least norm. From the others the flow is followed in its mirror coordinates, with
    a bound on the sum of all errors, in steps ever finer until the error does not matter.
    """
    x0 = check_start(flow, problem, x0)
    if flow.motion is None:
        raise TypeError(
            f"{type(flow).__name__} moves in a way of its own, for which stalls has no theory: "
            "follow it by integrate(flow, problem, x0, t_end, form='weights')"
        )
    if x0.ndim != 1:
        raise ValueError("stalls decides for one start: call it once per row of x0")
    answer = vanishing(flow, problem, x0, count("max_steps", max_steps), _shortest(problem))
    if answer is None:
        raise RuntimeError(
            f"stalls is undecided: {max_steps} integration steps from x0, or rounding, leave it "
            "open. Follow the flow itself by integrate(flow, problem, x0, t_end)"
        )
    return answer


def _shortest(problem):
    """Yield the effective weights of least norm, if they are found: a linear program when asked."""
    with suppress(ValueError, RuntimeError):  # no solution, or none that HiGHS finds
        yield problem.split(min_l1(problem).z)


def vanishing(flow, problem, x0, max_steps, candidates=()):
    """Return what :func:`stalls` does for a checked start, and None if undecided.

    ``candidates`` are points of ``S`` to try in :func:`rules_out_stall`: the limit that the
    flow has unless it stalls is the best.
    """
    with np.errstate(all="ignore"):  # where the radius has vanished, and of trial points far off
        answer = _known(flow, problem, x0, candidates)
        followed = flow.motion is WeightNormFlow and not _hangs_on_rounding(flow, problem, x0)
        for tolerance in TOLERANCES:
            if answer is not None or max_steps <= 0 or not followed:
                break
            answer, n_steps = _enters(flow, problem, x0, tolerance, max_steps)
            max_steps -= n_steps
    return answer


def _known(flow, problem, x0, candidates):
    """Return what is known of a start without following the flow."""
    if not (flow.can_stall and problem.b.any()):
        return False  # the plain flow never does; for b = 0 a vanishing radius is convergence
    if flow.motion is not WeightNormFlow:
        return None
    if _beats_zero(flow, problem, x0) or _is_even(problem, x0) or _nothing_opposes(problem):
        return False
    if certainly_stalls(flow, problem, x0):
        return True
    if any(rules_out_stall(flow, x0, z) for z in candidates):
        return False
    return None


def _beats_zero(flow, problem, x0):
    """Tell whether ``|A x0^L - b| < |b|``, also where rounding hides it in the difference."""
    A, r = problem.network_matrix, np.linalg.norm(x0)
    v_power = (x0 / r) ** flow.depth  # x0^L itself need not be a float
    rest = 2 * problem.b - r**flow.depth * (A @ v_power)
    return (A @ v_power) @ rest > _rounding(flow, x0) * (np.abs(A) @ v_power) @ np.abs(rest)


def _rounding(flow, x):
    """Bound the relative rounding of ``<b, A v^L>``: a sum of so many powers."""
    return (8 + len(x) + 2 * flow.depth) * EPS


def _hangs_on_rounding(flow, problem, x0):
    """Tell whether rounding decides if a radius falls that falls as little as that.

    A relative imbalance ``delta`` of the pull makes a dip of about ``ratio * delta^2 / 2``.
    """
    A, r = problem.network_matrix, np.linalg.norm(x0)
    v_power, doubt = (x0 / r) ** flow.depth, 100 * _rounding(flow, x0)
    balance = problem.b @ (A @ v_power) / (np.abs(problem.b) @ (np.abs(A) @ v_power))
    return abs(balance) <= doubt and r**2 <= flow.ratio * (100 * doubt) ** 2


def _is_even(problem, x0):
    """Tell whether ``A x0^L = 0``, exactly: from there ``|A x^L - b| < |b|`` at once."""
    return problem.signed and not problem.readout(x0).any()


def _nothing_opposes(problem):
    """Tell whether a small radius grows, whatever the direction."""
    return (problem.network_matrix.T @ problem.b).min() >= 0


@np.errstate(all="ignore")  # of log 0 where z is zero
def rules_out_stall(flow: Flow, x0: ArrayLike, z: ArrayLike) -> bool:
    r"""Tell whether a point of ``S = {z >= 0 : A z = b}`` proves that the flow does not stall.

    Parameters
    ----------
    flow : PlainFlow, WeightNormFlow or PowerFlow
    x0 : array_like, shape (n_weights,)
        The start, positive.
    z : array_like, shape (n_weights,)
        Nonnegative effective weights that solve ``A z = b``, not all zero.

    Returns
    -------
    bool
        True is a proof; False says nothing.

    Raises
    ------
    ValueError, TypeError
        For arguments that are not as described; whether ``A z = b`` is not looked at.

    Notes
    -----
    With ``v = x/r``, ``R0 = |x0|^2``, ``q = sum z``, ``omega = (L-2)/(2 ratio)``, the functions

        L = 2:  V = -sum z log v + (r^2 - q)^2 / (4 ratio),
        L > 2:  V = e^{-omega r^2} sum z v^{-(L-2)} + omega int_0^{r^2} s^{L/2} e^{-omega s} ds

    fall along the flow (``V' = -r^L |A x^L - b|^2``, up to a positive factor). Where ``r = 0`` none
    of them is below ``-1/2 sum z log(z/q) + q^2/(4 ratio)``, or ``(sum z^{2/L})^{L/2}``. A start
    that is not above that does not get there:

        L = 2:  ratio KL(z/q | v0^2) <= R0 (1 - R0/(2 q)),
        L > 2:  V(x0) <= (sum z^{2/L})^{L/2}.
    """
    x0, z = finite("x0", x0, 1), finite("z", z, 1)
    if len(x0) != len(z):
        raise ValueError(f"z must have one entry for each of {len(x0)} weights; got {len(z)}")
    if not (x0 > 0).all():
        raise ValueError("x0 must be positive in each entry")
    if (z < 0).any() or not z.any():
        raise ValueError("z must be nonnegative and not zero: problem.split(z) has no signs")
    if not normalizes(flow):
        return not flow.can_stall
    L, R0 = flow.depth, x0 @ x0
    log_v = np.log(x0) - np.log(R0) / 2
    share = z / z.sum()
    if L == 2:
        divergence = np.sum(xlogy(share, share) - 2 * share * log_v)
        return bool(flow.ratio * divergence <= R0 * (1 - SLACK - R0 / (2 * z.sum())))
    # All divided by q = sum z, and in logarithms: v^{-(L-2)} and e^{-omega R0} leave the floats.
    on, omega = share > 0, flow.omega
    weighted = log_sum(np.log(share[on]) - (L - 2) * log_v[on]) - omega * R0
    a = L / 2 + 1  # where gammainc underflows, the integral does not matter
    integral = np.log(gammainc(a, omega * R0)) + gammaln(a) - L / 2 * np.log(omega)
    integral -= np.log(z.sum())
    size = L / 2 * log_sum(2 / L * np.log(share[on]))
    return bool(np.logaddexp(weighted, integral) <= size - SLACK)


def certainly_stalls(flow, problem, x):
    r"""Tell whether the radius is gone before the direction can turn.

    Parameters
    ----------
    flow : WeightNormFlow
    problem : Problem
    x : numpy.ndarray, shape (n_weights,)
        Positive weights.

    Returns
    -------
    bool
        True is a proof; False says nothing.

    Notes
    -----
    In the clock ``dC = r^L dt`` the pull outwards, ``-a = <A^T b, v^L>``, and the squared radius
    obey

        dR/dC <= -2 ratio a,      |da/dC| <= L max|A^T b| max|A^T e|,    e = A x^L - b,

    and ``max|A^T e|`` is at most the length ``|e|``, which only falls, times that of the longest
    column. So ``R`` reaches zero while ``a`` is still half of what it was, if

        R <= ratio a^2 / (2 L max|A^T b| max|A^T e|).
    """
    if flow.motion is not WeightNormFlow:
        return False
    A, b, L = problem.network_matrix, problem.b, flow.depth
    r = np.linalg.norm(x)
    v_power = (x / r) ** L
    # In units of the largest entries: products of A and b twice over may be no floats.
    unit_A, unit_b = np.abs(A).max(), np.abs(b).max()
    A, b = A / unit_A, b / unit_b
    size = max(r**L * (unit_A / unit_b), 1.0)
    against = -b @ (A @ v_power) - _rounding(flow, x) * np.abs(b) @ (np.abs(A) @ v_power)
    residual = size * np.linalg.norm(A @ v_power * (r**L * (unit_A / unit_b) / size) - b / size)
    turning = 2 * L * np.abs(b @ A).max() * np.linalg.norm(A, axis=0).max() * residual
    return bool(against > 0 and r**2 * turning <= flow.ratio * against**2)


def _enters(flow, problem, x0, share, max_steps):
    """Follow the flow: return whether its radius vanishes, None if in doubt, and the steps taken.

    The errors of all steps so far, which do not grow along a gradient flow of a convex function,
    are summed up in ``error``, in units of ``log w`` (for L > 2, where frames move, to leading
    order); the squared radius is known to twice the ratio of that. The answer is no once the true
    radius has grown: its slope has the sign of ``-<A x^L, A x^L - b>``, and where that is positive
    ``|A x^L - b| < |b|``. That holds as well where a large radius falls to its limit, in the end.
    A dip within a step is looked at where it is deepest.
    """
    r = np.linalg.norm(x0)
    first = _Frame(flow, problem, np.log(x0 / r), r**2)
    error, n_steps, doubt, before, lowest = 0.0, 0, False, first.inward(first.start), np.inf
    for frame, solver in follow(first, _solver, _tolerance(share * _scale(flow, r))):
        n_steps += 1
        state = solver.y
        error += _step_error(frame, solver)
        outwards, before = before, frame.inward(state)
        if before < 0 < outwards:
            state = _dip(frame, solver)
        margin = 2 * flow.ratio * error
        if state[-1] <= -margin:
            return True, n_steps
        doubt, lowest = doubt or state[-1] <= margin, min(lowest, state[-1] + margin)
        gain, grown = frame.gain(solver.y), _has_grown(solver.y[-1], margin, lowest)
        if n_steps == max_steps or (doubt and gain > 0):
            break
        if grown or _stays(frame, solver.y, gain, error):
            return (None if doubt else False), n_steps
    return None, n_steps


class _Frame:
    r"""Coordinates ``(m, R)`` of weight normalization, in the clock ``dC = r^L dt``.

    They are mirror coordinates that move along: with ``v = x/r``, an anchor ``(v_b, R_b)`` and
    ``omega = (L-2)/(2 ratio)``,

        v^{-(L-2)} = e^{omega (R - R_b)} v_b^{-(L-2)} + (L-2) A^T m     (L = 2:  log v = ...),
        m' = e - (L-2) (q e) m,    R' = -2 ratio (q e),    q = A v^L,  e = R^{L/2} q - b,

    and ``e = -b`` where ``R < 0``. Fixed coordinates move as ``e^{omega R}`` for
    L > 2, and would need steps as small as that.
    """

    def __init__(self, flow, problem, log_v, R):
        self.flow, self.problem, self.L, self.ratio = flow, problem, flow.depth, flow.ratio
        self.log_v, self.R = log_v, R
        self.A, self.b = problem.network_matrix, problem.b
        self.columns = np.linalg.norm(self.A, axis=0)
        self.start = np.append(np.zeros(len(self.b)), R)

    def moved(self, state):
        """Return what the formula above gives for ``log v``."""
        anchor, power = self.log_v - (state[-1] - self.R) / (2 * self.ratio), self.L - 2
        a = state[:-1] @ self.A
        if power == 0:
            return shift(anchor, a, power)
        # Two ways to write the sum of powers, neither of which overflows where it is taken.
        summed = -np.log(np.exp(-power * anchor) + power * a) / power
        return np.where(anchor < 0, shift(anchor, a, power), summed)

    def direction(self, state):
        """Return ``log v``, of length one also where errors of ``R`` are not those of ``m``."""
        log_v = self.moved(state)
        return log_v - log_sum(2 * log_v) / 2

    def holds(self, state):
        """Each state is one: where steps lead nowhere, the solver fails."""
        return True

    def worn(self, state):
        """One frame lasts: its coordinates stay of the size of their motion."""
        return False

    def parts(self, state):
        """Return ``v^L``, ``q``, ``R^{L/2}`` and ``e``."""
        stacked = np.exp(self.L * self.direction(state))
        q, size = self.A @ stacked, max(state[-1], 0.0) ** (self.L / 2)
        return stacked, q, size, size * q - self.b

    def inward(self, state):
        """Return ``<q, e>``, the speed at which the radius falls."""
        _, q, _, e = self.parts(state)
        return q @ e

    def gain(self, state):
        """Return ``|b|^2 - |e|^2``, also where rounding hides it in ``|e|``."""
        _, q, size, _ = self.parts(state)
        return size * q @ (2 * self.b - size * q)

    def velocity(self, t, state):
        """Return the velocity of ``(m, R)``, whatever the time ``t``."""
        _, q, _, e = self.parts(state)
        inward = q @ e
        return np.append(e - (self.L - 2) * inward * state[:-1], -2 * self.ratio * inward)

    def jacobian(self, t, state):
        """Return the derivative of :meth:`velocity`."""
        L, m, R = self.L, state[:-1], state[-1]
        stacked, q, size, e = self.parts(state)
        moved = self.moved(state)
        pull = np.exp((L - 2) * moved)
        anchor = np.exp((L - 2) * (moved - self.log_v + (R - self.R) / (2 * self.ratio)))
        dlog_v = -np.vstack([pull * self.A, anchor / (2 * self.ratio)]).T
        dlog_v -= np.exp(2 * self.direction(state)) @ dlog_v
        dq = L * self.A @ (stacked[:, None] * dlog_v)
        de = size * dq
        if R > 0:
            de[:, -1] += L / 2 * size / R * q
        dinward = e @ dq + q @ de
        dm = de - (L - 2) * np.outer(m, dinward)
        dm[:, :-1] -= (L - 2) * (q @ e) * np.eye(len(m))
        return np.vstack([dm, -2 * self.ratio * dinward])

    def unit(self, state):
        """Return the length by which ``m`` moves the log of some ``v`` by one."""
        return np.exp(-(np.log(self.columns) + (self.L - 2) * self.direction(state)).max())

    def rounding(self, state):
        """Bound the rounding error of ``e``."""
        stacked, _, size, _ = self.parts(state)
        return 4 * EPS * self.L * size * (self.columns @ stacked)


def _solver(frame, t, first_step):
    """Return a solver in the clock of a frame, whose first step is a short one."""
    return _stepper(frame, 0.0, frame.start, np.inf)


def _stepper(frame, t, state, t_end):
    speed = np.linalg.norm(frame.velocity(t, state)[:-1])
    first_step = min(0.1 * frame.unit(state) / speed, t_end - t)
    options = {"jac": frame.jacobian, "first_step": first_step, "rtol": NEWTON_RTOL}
    return Stepper(frame.velocity, t, state, t_end, **options)


def _scale(flow, r):
    """Return by how much ``log w`` moves where a radius vanishes, at most one."""
    return min(1.0, r**2 / flow.ratio)


def _tolerance(log_tolerance):
    """Return the tolerances of a step, for an error of ``log w``, and no less than rounding."""

    def tolerance(frame, solver):
        unit = frame.unit(solver.y)
        error = max(log_tolerance, solver.h_abs * frame.rounding(solver.y) / unit)
        return 0.0, np.append(np.full(len(frame.b), error * unit), 2 * frame.ratio * error)

    return tolerance


def _step_error(frame, solver):
    """Return the error of ``log w`` of one step, the sum of those of ``m`` and ``R``.

    Radau bounds the root mean square of errors by the tolerance, which is the same for all.
    """
    return 2 * np.sqrt(len(solver.atol)) * solver.atol[-1] / (2 * frame.ratio)


def _dip(frame, solver):
    """Return the state where the radius is smallest within the last step, which holds its dip.

    From a tiny start a single step may cross the dip, close to its beginning. Steps of their own
    lead there, as exact as all others.
    """
    path = solver.dense_output()

    def inward(t):  # the end of the path is the last state but for rounding
        return frame.inward(path(t) if t < solver.t else solver.y)

    # The radius is flat there, so a few digits of t do, of however small a t.
    t = brentq(inward, solver.t_old, solver.t, xtol=1e-300, rtol=1e-6, maxiter=2000)
    short = _stepper(frame, solver.t_old, solver.y_old, t)
    short.rtol, short.atol = solver.rtol, solver.atol
    while short.status == "running":
        short.step()
    return short.y


def _has_grown(R, margin, lowest):
    """Tell whether the true squared radius is above one that it had before, at most ``lowest``."""
    return R - margin > lowest


def _stays(frame, state, gain, error):
    """Tell whether ``|A x^L - b| < |b|`` holds on the true path, too, at a positive radius.

    At a time ``s`` after a point at a distance ``d`` of ``m``, the gradient of a convex function is
    ``|grad G|^2 <= |grad G(m)|^2 + (d/s)^2``. So the true path beats zero at the time ``s`` where
    the right side is ``|b|^2``, and does not come farther until then than ``|grad G| s``.
    """
    reach = error * (1 + np.linalg.norm(frame.parts(state)[-1]) / np.sqrt(gain))
    return state[-1] > 2 * frame.ratio * reach
