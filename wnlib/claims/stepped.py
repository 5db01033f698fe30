"""Instances followed in steps, and what the claims on finite steps measure of them."""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from wnlib.claims.common import arrives, relative
from wnlib.claims.instances import Instance, random_depth, random_problem
from wnlib.flows import PlainFlow, WeightNormFlow, squared_radius
from wnlib.problems import Problem
from wnlib.results import Status
from wnlib.roads._gains import step_gain
from wnlib.roads.descend import descend
from wnlib.roads.integrate import integrate
from wnlib.roads.limit import limit
from wnlib.theory import invariants
from wnlib.theory.finite_steps import effective_start, largest_stable_step, leading_gain

SEVERAL = "an identity in exact arithmetic; rounding errors of some thousand steps"
VARYING = 0.55 + 0.45 * np.cos(np.arange(300))  # sizes of steps over the largest, not constant
CROSSING = 1.6  # largest y of a step that carries a weight through zero, and would enlarge a start
SHARES = (0.05, 0.9)  # of the largest stable step, of the steps drawn
TIME = 0.3  # for the drift: log of the factor by which the fastest weight would move from its start
RESOLVED = 0.01  # drift at the largest of these steps: below, its order shows
DOUBLINGS = 1 / 2 ** np.arange(7, 10)  # steps for the order of the drift

POSITIVE = Problem([[1.0, 0.5]], [1.0]), [0.72, 0.6]
WITH_ZERO = Problem([[1.0, 0.0], [1.0, 1.0]], [1.0, 1.0]), [1.0, 0.3]  # its solution is (1, 0)


@dataclass(frozen=True, eq=False)
class Descent(Instance):
    """An instance that is followed in steps, a share of the largest stable one at its limit."""

    share: float

    @cached_property
    def largest(self):
        """The largest stable step at the limit of the flow; NaN where there is none."""
        if self.limit.status is not Status.CONVERGED:
            return np.nan
        return largest_stable_step(self.flow, self.problem, self.limit.weights)

    @cached_property
    def run(self):
        """Gradient descent, with its gain summed up."""
        return self.descend(self.share * self.largest, 3000)

    @cached_property
    def logs(self):
        """Logarithms of the effective start, of the gain, and of what ``rho`` leaves of the start.

        Their sum is that of the start itself: ``log x_eff = log_scaled - gain``.
        """
        log_start = effective_start(self.run)
        return log_start, self.run.gain, log_start + self.run.gain

    @cached_property
    def over_time(self):
        """A fixed time, and runs over it in ever smaller steps; None if they do not resolve it.

        From a plateau weights may grow so fast that the largest of these steps is not small.
        """
        start = self.flow.state(self.x0)
        velocity = self.flow.velocity(self.problem, *start)
        t_end = TIME / np.abs(np.hstack(velocity) / np.hstack(start)).max()
        runs = [self.descend(share * t_end, round(1 / share)) for share in DOUBLINGS]
        made = all(run.status is Status.MAX_STEPS for run in runs)
        return t_end, runs if made and 1e-9 < invariants.drift(runs[0]) < RESOLVED else None

    def descend(self, step, n_steps):
        """Return the run of so many steps."""
        return descend(self.flow, self.problem, self.x0, step, n_steps, gain=True)

    def distance(self, log_start):
        """Distance of the limit of the plain flow from a start, to the run's end; None if unknown.

        The measurements are those that the run has reached.
        """
        if not (np.isfinite(log_start).all() and log_start.min() > -300):
            return None
        end = limit(PlainFlow(self.flow.depth), self.reached, np.exp(log_start))
        if end.status is not Status.CONVERGED:
            return None
        return relative(end.stacked - self.run.stacked, self.run.stacked)


def descent(rng, kind):
    """Draw an instance of a flow, of its class."""
    problem = random_problem(rng, "gaussian", signed=bool(rng.integers(2)))
    depth = float(rng.choice([2, 2.5, 3, 4])) if rng.integers(2) else min(random_depth(rng), 8)
    scale = np.max(np.abs(problem.signal)) ** (1 / depth) * rng.uniform(0.2, 0.9)
    x0 = scale * np.exp(rng.uniform(-0.7, 0.7, problem.n_weights))
    R = squared_radius(np.abs(problem.signal), depth)
    flow = kind(depth) if kind is PlainFlow else kind(depth, R * 10 ** rng.uniform(-1.3, 1))
    return Descent(flow, problem, x0, float(rng.uniform(*SHARES)))


def plain(rng):
    """Draw plain gradient descent."""
    return descent(rng, PlainFlow)


def weight_norm(rng):
    """Draw gradient descent with weight normalization."""
    return descent(rng, WeightNormFlow)


def either(rng):
    """Draw one of both."""
    return descent(rng, PlainFlow if rng.integers(2) else WeightNormFlow)


def stepped(instance):
    """Tell whether the run could be made: no step through zero, a share of a finite step."""
    return np.isfinite(instance.largest) and instance.run.status in (
        Status.CONVERGED,
        Status.MAX_STEPS,
    )


def at_end(instance):
    """Tell whether the run was made and converged."""
    return np.isfinite(instance.largest) and arrives(instance)


def early(instance):
    """Return the instance after a tenth of its steps."""
    other = replace(instance)
    steps = max(instance.run.n_steps // 10, 1)
    vars(other)["run"] = instance.descend(instance.share * instance.largest, steps)
    return other


def gain_with_zero(share):
    """Return the measure: what gains grow by in 200 steps, over that in the 100 before, depth 2.

    Towards the solution (1, 0), in a share of the largest stable step there.
    """

    def measure(instance):
        flow, (problem, z0) = PlainFlow(2), WITH_ZERO
        step = share(instance) * largest_stable_step(flow, problem, [1.0, 0.0])
        gains = [
            descend(flow, problem, np.sqrt(z0), step, n, gain=True).gain for n in (100, 200, 400)
        ]
        return ((gains[2] - gains[1]) / (gains[1] - gains[0])).max()

    return measure


def shrinkage(instance, x, step):
    """Return ``y = step h x^{L-2}``: a plain step multiplies the weights by ``1 - y``."""
    h = instance.flow.misfit(instance.problem, x) @ instance.problem.network_matrix
    return step * h * x ** (instance.flow.depth - 2)


def walk(instance, sizes):
    """Take plain steps of these sizes; return the instance there, and the logs of its start.

    For depth 2 also through zero, with ``|1 - y|`` in place of ``1 - y``; above, None of it there.
    """
    x, p, total = instance.x0, instance.flow.depth - 2, 0.0
    for size in sizes:
        y = shrinkage(instance, x, size)
        if (y < 1).all():
            total = total + step_gain(y, p) / x**p
        elif p > 0:
            return None
        else:
            total = total - np.log(np.abs(1 - y)) - y
        x = x * (1 - y)
    there = replace(instance)
    vars(there)["run"] = replace(instance.run, weights=np.abs(x))
    log_x0 = np.log(instance.x0)
    if p == 0:
        return there, log_x0 - total
    return there, log_x0 - np.log1p(p * total * instance.x0**p) / p


def varied(instance, *, evened=False):
    """Distance after steps of varying sizes; or with the start of steps of their mean size."""
    sizes = instance.share * instance.largest * VARYING
    taken, of_start = (walk(instance, each) for each in (sizes, np.full_like(sizes, sizes.mean())))
    if taken is None or of_start is None:
        return None
    return taken[0].distance(of_start[1] if evened else taken[1])


def through_zero(instance):
    """Walk on after a step that carries a weight through zero; None if no weight shrinks."""
    x = 3 * instance.x0
    h = shrinkage(instance, x, 1.0)  # for depth 2
    if h.max() <= 0:
        return None
    steps = np.append(CROSSING / h.max(), np.full(30, 0.05 / np.abs(h).max()))
    return walk(replace(instance, x0=x), steps)


def distance_through_zero(instance, *, gained=True):
    """Distance after such a walk from the limit from the effective start, or the true one."""
    walked = through_zero(instance)
    if walked is None:
        return None
    there, log_start = walked
    return there.distance(log_start if gained else np.log(there.x0))


def enlarged(instance):
    """By which largest factor, in logarithms, an effective start exceeds the true one."""
    walked = through_zero(instance)
    return None if walked is None else (walked[1] - np.log(walked[0].x0)).max()


def with_gain_of_depth_two(instance):
    """Return the logs of the start if the gain were summed by the formula of depth 2."""
    x, step, total = instance.x0, instance.share * instance.largest, 0.0
    for _ in range(instance.run.n_steps):
        y = shrinkage(instance, x, step)
        x, total = x * (1 - y), total + step_gain(y, 0.0)
    return np.log(instance.x0) - total


def with_rho_of_flow(instance):
    """Return the logs of the start if rho were that of the flow between the same lengths."""
    run = instance.run
    log_rho = invariants.log_rho(run.flow, run.initial, run.weights)
    return np.log(run.initial) - run.gain - log_rho / run.flow.depth


def without_norm(run):
    """Return ``log rho`` of a run without the growth of ``|u|``."""
    return run.log_rho - run.flow.depth * np.log(run.direction_norm[-1])


def gain_of_last(share):
    """Return the measure: what the gain grows by in 40 steps, over that in the 20 before.

    Of one weight, ``x^L = 1``, from 0.9, with a share of the largest stable step, which is 2/L.
    """

    def measure(instance):
        flow = PlainFlow(instance.flow.depth)
        step, problem = share(instance) * 2 / flow.depth, Problem([[1.0]], [1.0])
        gains = [
            descend(flow, problem, [0.9], step, n, gain=True, residual_tol=0.0).gain[0]
            for n in (20, 40, 80)
        ]
        return (gains[2] - gains[1]) / max(gains[1] - gains[0], 1e-12)

    return measure


def growth_of_rho(b):
    """Return the measure: what log rho moves in 80 steps, over what it moves in the 40 before.

    Of two weights and one measurement, ``b``.
    """

    def measure(instance):
        L = instance.flow.depth
        problem, x0 = Problem([[1.0, 0.5]], [b]), [0.9, 0.6]
        step = 0.1 * largest_stable_step(PlainFlow(L), Problem([[1.0, 0.5]], [1.0]), x0)
        logs = [
            descend(WeightNormFlow(L, 1.0), problem, x0, step, n, gain=True, residual_tol=0).log_rho
            for n in (40, 80, 160)
        ]
        return abs(logs[2] - logs[1]) / max(abs(logs[1] - logs[0]), 1e-12)

    return measure


def misfit_of_rho(instance, log_rho):
    """Difference of a ``log rho`` from that which regression finds from the effective direction."""
    x, problem = instance.run.weights, instance.problem
    start = instance.x0 * np.exp(-instance.run.gain)
    fitted = invariants.fitted_log_rho(instance.flow.depth, problem, start, x)
    spread = invariants.fitted_amplification(instance.flow.depth, problem, np.log(start), np.log(x))
    if not np.isfinite(fitted) or spread > 1e3:  # the regression itself is not accurate
        return None
    return abs(fitted - log_rho) / (1 + abs(fitted))


def growth_of_norm(instance, power):
    """Largest error of ``|u|^2`` after a step, if it grows by ``step^power |u'|^2``, relative."""
    step = instance.share * instance.largest
    run = descend(
        instance.flow, instance.problem, instance.x0, step, 10, times=step * np.arange(1, 11)
    )
    if run.n_steps < 10:
        return None
    squares = run.direction_norm**2
    u = run.direction_norm[:, None] * run.path / run.radius_path[:, None]
    pairs = zip(run.radius_path, u, strict=True)
    moved = [np.sum(instance.flow.velocity(instance.problem, *pair)[1] ** 2) for pair in pairs]
    if np.diff(squares).min() < 1e-8:  # the rounding of numbers near one
        return None
    return np.abs(np.diff(squares) / (step**power * np.array(moved[:-1])) - 1).max()


def off_order(order):
    """Return the measure: by how much the slope of the drift over the step differs."""

    def measure(instance):
        t_end, runs = instance.over_time
        if runs is None:
            return None
        drifts = [invariants.drift(run) for run in runs]
        return abs(np.polyfit(np.log(DOUBLINGS * t_end), np.log(drifts), 1)[0] - order)

    return measure


def off_leading(factor):
    """Return the measure: the gain over the step, extrapolated to none, over a formula for it."""

    def measure(instance):
        t_end, runs = instance.over_time
        if runs is None:
            return None
        over = [run.gain / (share * t_end) for run, share in zip(runs, DOUBLINGS, strict=True)]
        lines = [2 * b - a for a, b in pairwise(over)]
        last = (4 * lines[1] - lines[0]) / 3
        times = np.linspace(0, t_end, 401)[1:]
        flow = integrate(
            instance.flow, instance.problem, instance.x0, t_end, times=times, form="weights"
        )
        if len(flow.times) < 401:
            return None
        return relative(last - factor(instance) * leading_gain(flow), last)

    return measure


def threshold_over(factor):
    """Return the measure: log of the step at which a small residual grows, over a predicted one."""

    def measure(instance):
        x = instance.limit.weights
        predicted = instance.largest
        away = x * (1 + 1e-7 * np.cos(np.arange(len(x))))

        def grows(step):
            times = step * np.arange(50, 801, 50)
            path = descend(
                instance.flow, instance.problem, away, step, 800, times=times, residual_tol=0.0
            ).residual_path
            return path.max() > 1.01 * path[0] or len(path) < 17  # 1.01: rounding

        low, high = 0.8 * predicted, 1.25 * predicted
        if grows(low) or not grows(high):
            return np.inf
        for _ in range(7):
            middle = np.sqrt(low * high)
            low, high = (low, middle) if grows(middle) else (middle, high)
        return abs(np.log(np.sqrt(low * high) / (factor * predicted)))

    return measure


def at_positive(instance):
    """Tell whether the limit of the flow is well inside: then it is a fixed point to test."""
    found = instance.limit
    if found.status is not Status.CONVERGED:
        return False
    return bool(found.stacked.min() > 1e-3 * found.stacked.max() and found.log_rho < 30)


def from_doubling(problem, z0):
    """Return the measure: by how much the fall of ``log |e|`` does not double with the steps.

    Of the descent of two effective weights from ``z0``, with a share of the largest stable step.
    """

    def measure(instance):
        flow = instance.flow
        near = np.array(z0) ** (1 / flow.depth)
        # factors of 0.76 to 0.9 a step: neither too slow to see nor at rounding soon
        step = (0.05 + 0.07 * instance.share) * largest_stable_step(flow, problem, near)
        e = [descend(flow, problem, near, step, n, residual_tol=0.0).residual for n in (20, 40, 80)]
        return abs(np.log(e[2] / e[1]) / np.log(e[1] / e[0]) - 2)

    return measure
