r"""Continuous time: follow a flow with an implicit Runge-Kutta method.

The *mirror* form moves ``m`` (``n_measurements`` numbers, see :mod:`wnlib.flows`): every invariant
of the flow holds by construction, to rounding, so where the residual vanishes the weights *are*
the limit. Three things keep it accurate over twelve decades of time: the anchor moves before the
powers ``w^{-(L-2)}``, which shrink by orders of magnitude, become differences of large numbers;
``m`` is expressed in the eigenbasis of ``A diag(x^{2L-2}) A^T``, where fast and slow motions are
separate coordinates; and the step control does not chase the rounding errors of ``A x^L - b``.

The *weights* form moves what is trained: ``x``, or ``(r, u)``. It knows nothing of mirror maps and
is the cross-check. (Not ``(r, v)``, ``v = u/|u|``: ``|v| = 1`` is unstable while ``r`` shrinks.)
"""

import warnings
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from wnlib._checks import count, finite, flag, positive, within
from wnlib._interrupts import are_interrupts_passed_on
from wnlib._threads import one_blas_thread
from wnlib.flows import Flow, check_mirror, check_start, vector_form
from wnlib.problems import Problem
from wnlib.results import Status, Trajectory
from wnlib.roads import _stalling
from wnlib.roads._charts import Chart, Stepper, follow

GONE = 1e-3  # share of the radius at which a certain stall ends: what comes is only less
CONVERGED_RESIDUAL = 1e-9  # relative; what a run to t_end must reach to be called converged


@one_blas_thread
def integrate(
    flow: Flow,
    problem: Problem,
    x0: ArrayLike,
    t_end: float,
    *,
    times: ArrayLike | None = None,
    form: Literal["mirror", "weights"] = "mirror",
    rtol: float = 1e-9,
    residual_tol: float = 0.0,
    max_steps: int = 50_000,
    average: bool = False,
) -> Trajectory:
    """Integrate a flow from ``x0`` up to time ``t_end``, in units where ``eta_u = 1``.

    Parameters
    ----------
    flow : Flow
        Without a mirror form, as :class:`~wnlib.flows.ScheduledFlow`, only in the weights form.
    problem : Problem
    x0 : array_like, shape (n_weights,)
        Positive initial weights: one start, since each takes steps and times of its own.
    t_end : float
    times : array_like, optional
        Increasing times in (0, t_end] to record; by default 60 logarithmically spaced ones. The
        start and the end are recorded besides.
    form : {"mirror", "weights"}
        Move the ``n_measurements`` mirror coordinates, or the trained weights themselves.
    rtol : float
        Relative tolerance of a step, in [1e-12, 1e-2).
    residual_tol : float
        Stop as soon as the relative residual is at most this; 0 goes on to ``t_end``. (``descend``
        stops at 1e-12 by default: its steps cost the same to the end, these grow.)
    max_steps : int
        Budget of integration steps.
    average : bool
        Record ``average`` and ``clock_path`` besides, by quadrature on each step: to about 100
        ``rtol``. Only for flows that have a mirror form, and thereby a clock.

    Returns
    -------
    Trajectory
        CONVERGED if the final relative residual is at most ``max(residual_tol, 1e-9)``; STALLED
        if it is certain that the radius tends to zero (:func:`wnlib.stalls`), however far it has
        come; UNFINISHED if the step control failed or the run was interrupted; MAX_STEPS otherwise,
        and ``message`` says at which time if that is not ``t_end``. From a tiny start and for
        depth > 2 the step control fails where the flow itself is fine: after a wait of
        ``|x0|^{-(L-2)}`` it moves within moments that floats cannot tell apart.

    Raises
    ------
    ValueError, TypeError
        For arguments out of their range.

    Warns
    -----
    UserWarning
        If interrupted (Ctrl-C): what was reached is returned.
    """
    x0 = check_start(flow, problem, x0)
    if x0.ndim != 1:
        raise ValueError("integrate follows one start: call it once per row of x0")
    t_end, max_steps = positive("t_end", t_end), count("max_steps", max_steps)
    rtol = within("rtol", rtol, 1e-12, 1e-2)
    residual_tol = within("residual_tol", residual_tol, 0, 1)
    if not isinstance(form, str) or form not in _FORMS:
        raise ValueError(f'form must be "mirror" or "weights"; got {form!r}')
    times = _recording_times(times, t_end)
    means = _Means(flow, x0) if flag("average", average) else None
    run = _Run(flow, problem, x0, t_end, residual_tol, max_steps, means)
    steps = _FORMS[form](flow, problem, x0, t_end, rtol)
    try:
        while not run.is_done():
            if (step := next(steps, None)) is None:
                run.fault = run.at_time("no step is small enough for rtol")
                break
            run.advance(times, *step)
    except KeyboardInterrupt:
        if are_interrupts_passed_on():
            raise
        run.fault = run.at_time("interrupted")
        warnings.warn(run.fault, stacklevel=2)
    return run.trajectory()


def _recording_times(times, t_end):
    if times is None:
        return np.geomspace(1e-6 * t_end, t_end, 60)
    times = finite("times", times, 1)
    if times[0] <= 0 or times[-1] > t_end or (np.diff(times) <= 0).any():
        raise ValueError("times must increase within (0, t_end]")
    return times


class _Run:
    """The path so far, and what its end says about the flow."""

    def __init__(self, flow, problem, x0, t_end, residual_tol, max_steps, means):
        self.flow, self.problem, self.t_end = flow, problem, t_end
        self.residual_tol, self.max_steps = residual_tol, max_steps
        self.recorded, self.path = [0.0], [x0]
        self.t, self.x, self.n_steps = 0.0, x0, 0
        self.residual = flow.residual(problem, x0)
        self.fault = ""  # what ended it before its time
        self.means = means

    def advance(self, times, t, weights_at):
        """Take note of a step to ``t``, and of the times to record on the way."""
        self.x = weights_at(t)
        due = times[(times > self.recorded[-1]) & (times <= t)]
        self.recorded.extend(due)
        self.path.extend(weights_at(s) for s in due)
        if self.means:
            self.means.advance(self.t, due, t, weights_at)
        self.t, self.n_steps = t, self.n_steps + 1
        self.residual = self.flow.residual(self.problem, self.x)

    def is_done(self):
        close_enough = self.residual <= self.residual_tol and self.residual_tol > 0
        gone = np.linalg.norm(self.x) < GONE * np.linalg.norm(self.path[0]) and self.stalls()
        return close_enough or gone or self.n_steps == self.max_steps or self.t >= self.t_end

    def at_time(self, what):
        return f"{what} at time {self.t:g} of {self.t_end:g}"

    def stalls(self):
        return _stalling.certainly_stalls(self.flow, self.problem, self.x)

    def verdict(self):
        """Return the status and the message."""
        if self.residual <= max(self.residual_tol, CONVERGED_RESIDUAL):
            return Status.CONVERGED, ""
        if self.stalls():
            return Status.STALLED, ""
        if self.fault:
            return Status.UNFINISHED, self.fault
        early = self.t < self.t_end
        return Status.MAX_STEPS, self.at_time("max_steps ran out") if early else ""

    def trajectory(self):
        if self.recorded[-1] < self.t:
            self.recorded.append(self.t)
            self.path.append(self.x)
        status, message = self.verdict()
        clock, average = self.means.until(len(self.recorded)) if self.means else (None, None)
        return Trajectory(
            flow=self.flow,
            problem=self.problem,
            initial=self.path[0],
            weights=self.x,
            status=status,
            message=message,
            times=np.array(self.recorded),
            path=np.array(self.path),
            n_steps=self.n_steps,
            average=average,
            clock_path=clock,
        )


class _Means:
    """Integrals of the clock, and of clock times effective weights, up to the recorded times.

    By Gauss' rule on what a step says between its ends: as the flow is smooth within a step, five
    points lose nothing that the step has not lost already.
    """

    nodes, shares = np.polynomial.legendre.leggauss(5)

    def __init__(self, flow, x0):
        self.flow, self.mirror, self.start = flow, check_mirror(flow), x0**flow.depth
        self.log_unit = self.log_lift(x0)
        self.total = np.zeros(1 + len(x0))
        self.recorded = [self.total]

    def log_lift(self, x):
        """Return the log of ``kappa(r) r``, the length of the lift of weights."""
        r = np.linalg.norm(x)
        return self.flow.log_kappa(r) + np.log(r)

    def rates(self, x):
        """Return the clock, in the unit of the lift at the start, and clock times ``x^L``."""
        r = np.linalg.norm(x)
        with np.errstate(divide="ignore"):  # weights that have vanished
            log_w = np.log(x / r) + self.log_lift(x) - self.log_unit
        return np.exp(self.mirror.weights(log_w, r**2)[1]) * np.append(1.0, x**self.flow.depth)

    def advance(self, t_old, due, t, weights_at):
        """Go on to ``t``, the end of a step, and take note at the times that are due."""
        for end in due:
            self.add(t_old, end, weights_at)
            self.recorded.append(self.total)
            t_old = end
        self.add(t_old, t, weights_at)

    def add(self, start, end, weights_at):
        """Add the integrals over a part of a step."""
        points = start + (end - start) * (1 + self.nodes) / 2
        rates = np.array([self.rates(weights_at(s)) for s in points])
        self.total = self.total + (end - start) / 2 * self.shares @ rates

    def until(self, n_times):
        """Return the integral of the clock and the means, at all recorded times and the end."""
        totals = np.array([*self.recorded, self.total][:n_times])
        clock = totals[:, 0]
        with np.errstate(invalid="ignore"):  # a clock below all floats tells no mean
            means = totals[1:, 1:] / clock[1:, None]
        return clock, np.vstack([self.start, means])


def _mirror_steps(flow, problem, x0, t_end, rtol):
    """Yield ``(t, weights_at)`` after each step; ``weights_at`` covers that step."""

    def solver_at(chart, t, first_step):
        return _stepper(chart, t, t_end, rtol, first_step, jac=chart.jacobian)

    def tolerance(chart, solver):
        share = rtol / chart.leverage(solver.y)
        rounding = chart.coordinate_rounding(solver.t, solver.y)
        return share, max(share * chart.unit(solver.y), rounding)

    chart = Chart(flow, problem, np.log(x0))
    return _readings(follow(chart, solver_at, tolerance))


class _Trained:
    """The trained weights as coordinates, all of them positive: what moves, in a row."""

    def __init__(self, start, velocity, weights):
        self.start, self.move, self.weights = start, velocity, weights

    def next(self, state):
        return _Trained(state, self.move, self.weights)

    def velocity(self, t, state):
        return self.move(state)

    def holds(self, state):
        """Tell whether the step has carried no weight through zero, within its tolerance."""
        return (self.weights(state) > 0).all()

    def worn(self, state):
        return False

    def reading(self, t, path, t_old, old, t_new, new):
        """Return the weights at a time within a step; positive as at its ends, where they are."""
        state = path(t)
        if not self.holds(state):  # cubics overshoot by the tolerance of a step
            share = (t - t_old) / (t_new - t_old)
            state = np.where(state > 0, state, old ** (1 - share) * new**share)
        return self.weights(state)


def _weights_steps(flow, problem, x0, t_end, rtol):
    """Yield ``(t, weights_at)`` after each step on the trained weights."""

    def solver_at(chart, t, first_step):
        return _stepper(chart, t, t_end, rtol, first_step)

    chart = _Trained(*vector_form(flow, problem, x0))
    tolerance = rtol * x0.min() / max(1.0, np.linalg.norm(x0))
    return _readings(follow(chart, solver_at, lambda *_: (rtol, tolerance)))


def _stepper(chart, t, t_end, rtol, first_step, **options):
    options |= {"rtol": rtol, "first_step": first_step}
    return Stepper(chart.velocity, t, chart.start, t_end, **options)


def _readings(steps):
    for chart, solver in steps:
        path, reading = solver.dense_output(), chart.reading
        ends = solver.t_old, solver.y_old, solver.t, solver.y
        yield solver.t, lambda t, path=path, reading=reading, ends=ends: reading(t, path, *ends)


_FORMS = {"mirror": _mirror_steps, "weights": _weights_steps}
