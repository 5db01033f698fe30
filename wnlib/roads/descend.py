r"""Discrete time: gradient descent with a fixed step, any number of starts at once.

The starts are the rows of one array, so a step costs two matrix products and a few passes. Plain
descent and descent with weight normalization are then the same update of the rows,

    u <- u * (keep - h * u^{L-2}),      h = (rate * e) A,      e = c^L A u^L - b,

    plain:          x = u,    c = 1,        keep = 1,                     rate = step,
    weight norm.:   x = c u,  c = r / |u|,  keep = 1 + step * s / |u|^2,  rate = step * c^L,
                    r <- r - step * ratio * s / r,

where ``s = <A^T e, x^L> = <e, A x^L>``, known before the second product, is all that the radial
gradient ``s / r`` and the projection in ``grad_u = c (A^T e * x^{L-1} - (s / r^2) x)`` need.

The factors ``keep - h * u^{L-2}`` must be positive: where one is not, the step has carried a weight
through zero, which the flow never does. Two such steps leave no trace in the signs, so each step is
watched. With ``y = h * u^{L-2} / keep`` a step is ``u <- keep u (1 - y)``, and what it gains on the
flow depends on ``y``; it is summed up on demand (thm-effective-start). A flow of another motion is
followed start by start, as its ``velocity`` says.
"""

import warnings
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from wnlib._checks import count, finite, flag, positive, within
from wnlib._interrupts import are_interrupts_passed_on
from wnlib._threads import one_blas_thread
from wnlib._types import Bools, Floats
from wnlib.flows import Flow, PlainFlow, WeightNormFlow, check_start, vector_form
from wnlib.problems import Problem
from wnlib.results import Status, Trajectory
from wnlib.roads._gains import step_gain

CHECK_EVERY = 100  # steps: often enough to stop early, rarely enough to cost a few per cent
# The flow never increases the loss. Where the steps have multiplied it by 1/EPS, or lifted it that
# far above the loss of zero weights, rounding has erased what they started from.
GROWTH = np.finfo(float).eps ** -0.5  # of the residual, the root of the loss


@one_blas_thread
def descend(
    flow: Flow,
    problem: Problem,
    x0: ArrayLike,
    step: float,
    n_steps: int,
    *,
    times: ArrayLike | None = None,
    residual_tol: float = 1e-12,
    gain: bool = False,
) -> Trajectory:
    """Follow a flow from ``x0`` in ``n_steps`` explicit Euler steps: gradient descent.

    With weight normalization the steps move ``(r, u)``, both by the gradient at the old point, from
    ``|u| = 1``; ``u`` is never normalized again, so ``|u|`` grows from step to step.

    Parameters
    ----------
    flow : Flow
        Any but PlainFlow and WeightNormFlow is followed by its state, moved along its ``velocity``.
    problem : Problem
    x0 : array_like, shape (n_weights,) or (starts, n_weights)
        Positive initial weights; all starts are moved together.
    step : float
        Step size, of ``u`` for weight normalization; that of ``r`` is ``ratio * step``.
    n_steps : int
        Number of steps at most.
    times : array_like, optional
        Increasing times in (0, ``step * n_steps``] to record, rounded to whole steps; by default at
        most 60 logarithmically spaced ones. The start and the end are recorded besides.
    residual_tol : float
        A start whose relative residual is at most this is done, and costs nothing from there on.
    gain : bool
        Sum up how much the steps gain on the flow: :attr:`Trajectory.gain`, ``log_rho``.

    Returns
    -------
    Trajectory
        CONVERGED where the residual has reached ``residual_tol``; CROSSED_ZERO where a step has
        carried a weight through zero; DIVERGED where none has, but the residual or a weight has
        grown beyond bounds; STALLED where the radius of weight normalization has fallen a
        thousandfold, still falls, and the loss is that of zero weights; MAX_STEPS otherwise, or
        UNFINISHED if the run was interrupted. This is examined every 100 steps and at recorded
        times, and says what all steps since then did. A start that is done keeps the last good
        weights seen there, and its ``n_steps`` counts the steps up to them.

    Raises
    ------
    ValueError, TypeError
        For arguments out of their range.

    Warns
    -----
    UserWarning
        If interrupted (Ctrl-C): what was reached at the last check is returned, with the
        ``n_steps`` taken by then.
    """
    x0 = check_start(flow, problem, x0)
    step, n_steps = positive("step", step), count("n_steps", n_steps)
    residual_tol = within("residual_tol", residual_tol, 0, 1)
    due = _recording_steps(times, step, n_steps)
    kinds: dict[Any, Any] = {PlainFlow: _PlainRows, WeightNormFlow: _WeightNormRows}
    rows = kinds.get(flow.motion, _OtherRows)
    if flag("gain", gain) and rows is _OtherRows:
        raise TypeError(
            f"gain is known for the steps of PlainFlow and WeightNormFlow; {type(flow).__name__} "
            "moves in a way of its own: leave gain out"
        )
    with np.errstate(all="ignore"):  # what overflows is seen at the next check, and named
        starts = np.atleast_2d(x0)
        record = _Record(rows(flow, problem, step, starts), starts, residual_tol, gain)
        for k, is_due in _check_steps(due):
            try:
                record.rows.move(k - record.k)
            except KeyboardInterrupt:
                if are_interrupts_passed_on():
                    raise
                record.fault = f"interrupted at step {record.k} of {n_steps}"
                warnings.warn(record.fault, stacklevel=3)
                break
            record.check(k, is_due)
            if len(record.active) == 0:
                break
    return record.trajectory(flow, problem, x0, step)


def _recording_steps(times, step, n_steps):
    """Return the step numbers to record, as a sorted list from 0 to ``n_steps``."""
    if times is None:
        steps = np.geomspace(1, n_steps, 60)
    else:
        with np.errstate(over="ignore"):  # refused below
            steps = finite("times", times, 1) / step
        if steps[0] <= 0 or np.rint(steps[-1]) > n_steps or (np.diff(steps) <= 0).any():
            raise ValueError(f"times must increase within (0, step * n_steps = {step * n_steps:g}]")
    return np.union1d([0, n_steps], np.rint(steps).astype(int)).tolist()


def _check_steps(due):
    """Yield ``(k, is it to be recorded?)`` for every step at which to look."""
    for start, stop in pairwise(due):
        for k in range(start, stop, CHECK_EVERY):
            yield k, k == start
    yield due[-1], True


def _power(base, exponent, out):
    """Write ``base^exponent`` into ``out``, by products if ``exponent`` is a small integer."""
    if exponent not in range(1, 9):  # beyond, np.power costs no more
        return np.power(base, exponent, out=out)
    np.copyto(out, base)
    for _ in range(int(exponent) - 1):
        out *= base
    return out


class _PlainRows:
    """Rows ``u`` of weights ``x = u``, and the buffers of a step."""

    gains = None  # see `sum_gains`

    def __init__(self, flow, problem, step, u):
        self.flow, self.step, self.u, self.L = flow, step, u, flow.depth
        self.A, self.b = problem.network_matrix, problem.b
        self.keep(slice(None))

    def sum_gains(self):
        """Begin to sum up what the steps gain."""
        self.gains = _Gains(self.u.shape, self.L - 2)

    def keep(self, rows):
        """Drop all other rows, and allocate the buffers."""
        self.u = self.u[rows].copy()
        self.low, self.stacked, self.h = (np.empty_like(self.u) for _ in range(3))
        self.smallest = np.full_like(self.u, np.inf)  # factor since it was last looked at
        if self.gains:
            self.gains.choose(rows)
        self.product, self.e = (np.empty((len(self.u), len(self.b))) for _ in range(2))

    def powers(self):
        """Return ``u^{L-2}``, or None instead of ones, and ``u^L``."""
        stacked = np.multiply(self.u, self.u, out=self.stacked)
        if self.L == 2:
            return None, stacked
        low = _power(self.u, self.L - 2, out=self.low)
        return low, np.multiply(stacked, low, out=stacked)

    def products(self, stacked):
        """Return ``A x^L``, shape (rows, n_measurements), and what the step needs besides."""
        return (np.matmul(stacked, self.A.T, out=self.product),)

    def factors(self, e, product):
        """Return ``keep`` and ``rate`` of the update."""
        return 1.0, self.step

    def move(self, n_steps):
        """Take ``n_steps`` steps."""
        for _ in range(n_steps):
            low, stacked = self.powers()
            product, *more = self.products(stacked)
            e = np.subtract(product, self.b, out=self.e)
            keep, rate = self.factors(e, product, *more)
            e *= rate
            h = np.matmul(e, self.A, out=self.h)
            if low is not None:
                h *= low
            if self.gains:
                self.gains.add(h, keep)
            factor = np.subtract(keep, h, out=h)
            np.fmin(self.smallest, factor, out=self.smallest)
            self.u *= factor

    def crossed(self):
        """Tell which rows have crossed zero since the last call."""
        smallest = self.smallest.min(axis=1)
        self.smallest.fill(np.inf)
        return smallest <= 0

    def residual(self):
        """Return the relative residuals, shape (rows,)."""
        misfit = self.products(self.powers()[1])[0] - self.b
        return np.linalg.norm(misfit, axis=1) / (np.linalg.norm(self.b) or 1.0)

    def weights(self):
        return self.u

    def norm(self):
        return np.ones(len(self.u))


class _Gains:
    """What the steps of rows ``w``, ``w <- w (1 - y)``, have gained: ``gain = log(w_0 / w_eff)``.

    In logarithms, ``lead = log(w / w_eff)``, since powers of ``w`` may leave the range of floats.
    For weight normalization ``w`` is ``u`` over the product of all ``keep``, whose log is kept.
    """

    def __init__(self, shape, power):
        self.power, self.log_keep = power, np.zeros(shape[0])
        self.gain, self.lead = np.zeros(shape), np.zeros(shape)

    def choose(self, rows):
        self.gain, self.lead, self.log_keep = (
            each[rows].copy() for each in (self.gain, self.lead, self.log_keep)
        )

    def add(self, h, keep):
        """Add a step, whose factors are ``keep - h``; NaN from where a ``keep`` is negative."""
        y, p = h / keep, self.power
        if not np.isscalar(keep):
            self.log_keep += np.log(keep[:, 0])
        g = step_gain(y, p)
        if p > 0:
            g = np.log1p(p * np.exp(-p * self.lead) * g) / p
            self.lead += np.log1p(-y)
            self.lead += g
        self.gain += g


class _WeightNormRows(_PlainRows):
    """Rows of weights ``x = r u / |u|``."""

    def __init__(self, flow, problem, step, x0):
        self.r = np.linalg.norm(x0, axis=1, keepdims=True)
        super().__init__(flow, problem, step, x0 / self.r)

    def keep(self, rows):
        self.r = self.r[rows].copy()
        self.c_power, self.smallest_r = np.empty_like(self.r), self.r.copy()
        super().keep(rows)

    def products(self, stacked):
        norm2 = np.vecdot(self.u, self.u, keepdims=True)
        c_power = _power(self.r / np.sqrt(norm2), self.L, out=self.c_power)
        (product,) = super().products(stacked)
        return np.multiply(product, c_power, out=product), c_power, norm2

    def factors(self, e, product, c_power, norm2):
        s = self.step * np.vecdot(e, product, keepdims=True)
        self.r -= self.flow.ratio * s / self.r
        np.fmin(self.smallest_r, self.r, out=self.smallest_r)
        return 1 + s / norm2, self.step * c_power

    def crossed(self):
        negative = self.smallest_r[:, 0] <= 0
        return super().crossed() | negative

    def weights(self):
        return self.u * (self.r / self.norm()[:, None])

    def norm(self):
        return np.linalg.norm(self.u, axis=1)


class _OtherRows:
    """Starts of a flow that moves in a way of its own, one after the other."""

    gains = None

    def __init__(self, flow, problem, step, x0):
        self.flow, self.problem, self.step = flow, problem, step
        forms = [vector_form(flow, problem, x) for x in x0]
        self.state, self.velocity, self.x_of = zip(*forms, strict=True)
        self.keep(slice(None))

    def keep(self, rows):
        """Drop all other rows."""
        chosen = np.arange(len(self.state))[rows]
        lists = (self.state, self.velocity, self.x_of)
        self.state, self.velocity, self.x_of = ([each[i] for i in chosen] for each in lists)
        self.negative = np.zeros(len(chosen), bool)

    def move(self, n_steps):
        """Take ``n_steps`` steps."""
        for i, (velocity, x_of) in enumerate(zip(self.velocity, self.x_of, strict=True)):
            for _ in range(n_steps):
                self.state[i] = self.state[i] + self.step * velocity(self.state[i])
                self.negative[i] |= (x_of(self.state[i]) <= 0).any()

    def crossed(self):
        """Tell which rows have crossed zero since the last call."""
        negative, self.negative = self.negative, np.zeros_like(self.negative)
        return negative

    def residual(self):
        """Return the relative residuals, shape (rows,)."""
        return self.flow.residual(self.problem, self.weights())

    def weights(self):
        return np.array([x_of(state) for x_of, state in zip(self.x_of, self.state, strict=True)])

    def norm(self):
        return np.ones(len(self.state))


def vanishes(
    flow: Flow, residual: Floats, start: Floats, previous: Floats, radius: Floats
) -> Bools:
    """Tell whether a flow that has not converged is stalling, from its latest radii.

    The radius has fallen a thousandfold and still falls, the loss is that of zero weights up to one
    per cent, and not below it. (A loss far above that of zero weights is a large start shrinking;
    the plain flow never stalls.)
    """
    gone = (radius <= 1e-3 * start) & (radius <= previous)
    return flow.can_stall & gone & (residual >= 1) & (residual < 1.01)


class _Record:
    """The last good state of every start, and the path of these states."""

    def __init__(self, rows, x0, residual_tol, gain):
        self.rows, self.residual_tol, self.k = rows, residual_tol, 0
        self.active, self.n_steps = np.arange(len(x0)), np.zeros(len(x0), int)
        self.status = np.array([Status.MAX_STEPS] * len(x0), object)
        self.weights, self.residual, self.norm = x0.copy(), rows.residual(), rows.norm()
        self.bound = GROWTH * np.maximum(self.residual, 1)
        self.recorded, self.path, self.norm_path = [], [], []
        self.fault = ""  # what ended the run before its last step
        self.gain, self.log_keep = np.zeros_like(x0), np.zeros(len(x0))
        if gain:
            rows.sum_gains()

    def check(self, k, due):
        """Save the state of the active starts after ``k`` steps, and retire those that are done."""
        self.k, residual = k, self.rows.residual()
        x, norm, crossed = self.rows.weights(), self.rows.norm(), self.rows.crossed()
        small = (residual <= self.bound[self.active]) & np.isfinite(x.sum(axis=1) + norm)
        good = small & ~crossed
        converged = good & (residual <= self.residual_tol)
        saved = self.active[good]
        if k > 0:  # x0 is known without the rounding of r * (x0 / r)
            self.weights[saved], self.norm[saved] = x[good], norm[good]
            if gains := self.rows.gains:
                self.gain[saved], self.log_keep[saved] = gains.gain[good], gains.log_keep[good]
        self.residual[saved], self.n_steps[saved] = residual[good], k
        self.status[self.active[~good]] = Status.DIVERGED
        self.status[self.active[crossed]] = Status.CROSSED_ZERO
        self.status[self.active[converged]] = Status.CONVERGED
        if due and good.any():
            self.append(k)
        if (done := converged | ~good).any():
            self.active = self.active[~done]
            self.rows.keep(~done)

    def append(self, k):
        self.recorded.append(k)
        self.path.append(self.weights.copy())
        self.norm_path.append(self.norm.copy())

    def log_rho(self, flow, radius):
        """Return what weight normalization has magnified besides the gain, shape (starts,)."""
        if flow.motion is PlainFlow:
            return np.zeros(len(self.norm))
        # x = w (r prod(keep) / |u|): by how much that factor has fallen since it was r_0
        return flow.depth * (np.log(radius[0] / radius[-1] * self.norm) - self.log_keep)

    def trajectory(self, flow, problem, x0, step):
        """Close the record."""
        if self.recorded[-1] < self.n_steps.max():
            self.append(self.n_steps.max())
        path, norm_path = np.array(self.path), np.array(self.norm_path)
        radius = np.linalg.norm(path, axis=-1)
        going = self.status == Status.MAX_STEPS
        stalled = going & vanishes(flow, self.residual, radius[0], radius[-2:][0], radius[-1])
        self.status[stalled] = Status.STALLED
        message = np.full(len(going), "", object)
        if self.fault:
            self.status[going & ~stalled] = Status.UNFINISHED
            message[going & ~stalled] = self.fault
        one = 0 if x0.ndim == 1 else slice(None)
        return Trajectory(
            flow=flow,
            problem=problem,
            initial=x0,
            weights=self.weights[one],
            status=self.status[one],
            message=message[one],
            times=step * np.array(self.recorded),
            path=path[:, one],
            n_steps=self.n_steps[one],
            direction_norm=norm_path[:, one] if flow.motion is WeightNormFlow else None,
            gain=self.gain[one] if self.rows.gains else None,
            log_rho=self.log_rho(flow, radius)[one] if self.rows.gains else None,
        )
