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

The steps are written in NumPy, in :mod:`_rows`. Where Numba is installed (``wnlib[fast]``), long
runs of an integer depth, without ``gain``, take the same ones compiled, in :mod:`_kernels`.
"""

import warnings
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from wnlib._checks import count, finite, flag, positive, within
from wnlib._interrupts import are_interrupts_passed_on
from wnlib._threads import one_blas_thread
from wnlib._types import Bools, Floats
from wnlib.flows import Flow, PlainFlow, WeightNormFlow, check_start
from wnlib.problems import Problem
from wnlib.results import Status, Trajectory
from wnlib.roads._arrays import library, to_numpy
from wnlib.roads._rows import OtherRows, PlainRows, WeightNormRows

CHECK_EVERY = 100  # steps: often enough to stop early, rarely enough to cost a few per cent
# Steps are compiled where NumPy would need about half a second for them, in which Numba is loaded
# (the first time of all takes some seconds): so many products of a weight with an entry of A, the
# calls of a step being as dear as CALLS of them. The arguments alone decide, so that the same call
# has the same digits. 0 compiles all, infinity nothing.
ENOUGH, CALLS = 4e9, 75_000
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
        Positive initial weights; all starts are moved together. A tensor of PyTorch, or an array of
        another library of the array API standard, is followed in that library and on its device,
        where it needs array-api-compat; what is returned is NumPy's.
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
        Sum up how much the steps gain on the flow: :attr:`Trajectory.gain`, ``log_rho``. Such runs
        are not compiled, and take many times as long.

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
    ModuleNotFoundError
        Without array-api-compat where it is needed.

    Warns
    -----
    UserWarning
        If interrupted (Ctrl-C): what was reached at the last check is returned, with the
        ``n_steps`` taken by then.
    """
    xp = library(x0)
    x0 = check_start(flow, problem, x0 if xp is np else to_numpy(x0))
    step, n_steps = positive("step", step), count("n_steps", n_steps)
    residual_tol = within("residual_tol", residual_tol, 0, 1)
    due = _recording_steps(times, step, n_steps)
    starts = np.atleast_2d(x0)
    kind = _kind_of_rows(flow, problem, n_steps, len(starts), flag("gain", gain), xp)
    with np.errstate(all="ignore"):  # what overflows is seen at the next check, and named
        record = _Record(kind(flow, problem, step, starts, xp), starts, residual_tol, gain)
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


def _kind_of_rows(flow, problem, n_steps, starts, gain, xp):
    """Return what moves the weights: compiled where that exists and pays."""
    kinds = {PlainFlow: PlainRows, WeightNormFlow: WeightNormRows}
    kind = kinds.get(flow.motion, OtherRows)
    if gain and (kind is OtherRows or xp is not np):
        why = "x0 is no array of NumPy"
        if kind is OtherRows:
            why = f"{type(flow).__name__} moves in a way of its own"
        raise TypeError(
            f"gain is known for the steps of PlainFlow and WeightNormFlow in NumPy; {why}: "
            "leave gain out"
        )
    work = n_steps * (starts * problem.network_matrix.size + CALLS)
    if kind is OtherRows or gain or xp is not np or flow.depth % 1 or work < ENOUGH:
        return kind
    try:
        from wnlib.roads._kernels import COMPILED
    except (ImportError, RuntimeError):  # no Numba, or not for this NumPy; no place for its cache
        return kind
    return COMPILED[kind]


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
        _, self.norm, self.residual, _ = rows.look()
        self.weights, self.bound = x0.copy(), GROWTH * np.maximum(self.residual, 1)
        self.recorded, self.path, self.norm_path = [], [], []
        self.fault = ""  # what ended the run before its last step
        self.gain, self.log_keep = np.zeros_like(x0), np.zeros(len(x0))
        if gain:
            rows.sum_gains()

    def check(self, k, due):
        """Save the state of the active starts after ``k`` steps, and retire those that are done."""
        self.k, (x, norm, residual, crossed) = k, self.rows.look()
        good = (residual <= self.bound) & np.isfinite(x.sum(axis=1) + norm) & ~crossed
        saved = self.active[good]
        if k > 0:  # x0 is known without the rounding of r * (x0 / r)
            self.weights[saved], self.norm[saved] = x[good], norm[good]
            if gains := self.rows.gains:
                self.gain[saved], self.log_keep[saved] = gains.gain[good], gains.log_keep[good]
        self.residual[saved], self.n_steps[saved] = residual[good], k
        if due and good.any():
            self.append(k)
        going = good & (residual > self.residual_tol)
        if not going.all():
            self.status[self.active[~going]] = Status.CONVERGED
            self.status[self.active[~good]] = Status.DIVERGED
            self.status[self.active[crossed]] = Status.CROSSED_ZERO
            self.active, self.bound = self.active[going], self.bound[going]
            self.rows.keep(going)

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
