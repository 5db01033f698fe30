"""Claims on rates that change in time."""

from dataclasses import replace

import numpy as np
from scipy.optimize import linprog

from wnlib.claims.common import INEQUALITY, at_depth_two, relative
from wnlib.claims.rho import plain_limit_from
from wnlib.claims.scheduled import (
    FadingRates,
    Pieces,
    PowerRates,
    between,
    ended,
    followed,
    long_start,
    power_or_opposed,
    scheduled,
)
from wnlib.flows import (
    PlainFlow,
    PowerFlow,
    ScheduledFlow,
    Warmup,
    WeightNormFlow,
    squared_radius,
)
from wnlib.ledger import Claim, Part
from wnlib.results import Status
from wnlib.roads._stalling import rules_out_stall
from wnlib.roads.integrate import integrate
from wnlib.roads.limit import limit
from wnlib.theory import bounds, invariants, schedules

FOREVER = 1e8  # time, for a frozen direction
STEPS = "logarithms of weights are integrated with a tolerance of 1e-8 a step, and read by cubics"


def _in_time(instance):
    """Tell whether the run came to its time with all weights in the range of floats."""
    run = instance.run
    return run.times[-1] == instance.t_end and run.weights.min() > 0


def _history(instance):
    """Return log rho by the integral over the run."""
    return schedules.log_rho(instance.run, instance.quadrature[1])


def _without_lengths(instance):
    """Leave out the -1/r of the integrand."""
    r = instance.run.radius_path
    return _history(instance) + instance.flow.depth * np.log(r[-1] / r[0])


def _moving_only(instance):
    """Integrate (r / ratio - 1 / r) r' over the times at which the length moves."""

    def while_moving(t, r):
        eta_r, eta_u = instance.flow.rates(t, r)
        return eta_r, eta_u if eta_r > 0 else 0.0

    flow = replace(instance.flow, rates=while_moving)
    return schedules.log_rho(replace(instance.run, flow=flow), instance.quadrature[1])


def _with_last_ratio(instance):
    """Return what a constant ratio would give, that at the end."""
    r = instance.run.radius_path
    return WeightNormFlow(instance.flow.depth, instance.ratio_at_end).log_rho(r[0], r[-1])


def _off(instance, log_rho):
    """Difference between a log rho and that fitted to the run, relative."""
    if instance.measured is None:
        return None
    value, accuracy = instance.measured
    return max(0.0, abs(value - log_rho(instance)) - accuracy) / (1 + abs(value))


def _from_plain(instance, problem, log_rho):
    """Distance between the end of the run and the plain limit from start / rho, relative."""
    end = plain_limit_from(instance, problem, log_rho)
    if end is None or end.status is not Status.CONVERGED:
        return None
    return relative(end.stacked - instance.run.stacked, instance.run.stacked)


def _stops(instance):
    """Tell whether the length stands still for a while and the direction does not."""
    rates = instance.flow.rates
    return isinstance(rates, Pieces) and (0.0, 1.0) in rates.values and _in_time(instance)


def _closed_form(instance, power):
    """Return log rho of a power, from the lengths at the ends of the run."""
    flow = PowerFlow(instance.flow.depth, power)
    return float(invariants.log_rho(flow, instance.x0, instance.run.weights))


def _power_limit(instance, power):
    """Distance between the end of the run and the limit of a power, relative."""
    end = limit(PowerFlow(instance.flow.depth, power), instance.reached, instance.x0)
    if end.status is not Status.CONVERGED:
        return None
    return relative(end.stacked - instance.run.stacked, instance.run.stacked)


def _off_plain(instance, rates):
    """Largest relative distance from the path of the plain flow, over all times."""
    L = instance.flow.depth
    plain = followed(instance, PlainFlow(L), instance.times)
    other = followed(instance, ScheduledFlow(L, rates), instance.times)
    if not plain.times[-1] == other.times[-1] == instance.t_end:
        return None
    return float(np.max(np.abs(other.path / plain.path - 1)))


def _vanishes(instance, flow):
    """Return 1 if the length of a flow has vanished, 0 if it has converged, else None."""
    run = integrate(
        flow,
        instance.problem,
        instance.x0,
        1e12,
        form="weights",
        residual_tol=1e-2,  # well below that of zero weights
        rtol=1e-5,
        max_steps=400,
    )
    if run.status is Status.CONVERGED:
        return 0.0
    gone = run.times[-1] == 1e12 and run.radius < 1e-3 * run.radius_path[0]
    return 1.0 if gone or run.status is Status.STALLED else None


def _constant_ratio(instance):
    """Return weight normalization whose constant ratio is that at the start."""
    power = instance.flow.rates.power
    return WeightNormFlow(instance.flow.depth, np.sum(instance.x0**2) / power)


def _off_scaled(instance, flow):
    """Largest relative distance, at the end of the warm-up, from the start scaled to its target."""
    i = instance
    run = integrate(flow, i.problem, i.x0, i.t_end, form="weights", rtol=1e-8, max_steps=1000)
    if run.times[-1] < i.t_end:
        return None
    scaled = i.x0 * np.sqrt(i.target / np.sum(i.x0**2))
    return float(np.max(np.abs(run.weights / scaled - 1)))


def _can_arrive(instance):
    """Tell whether a frozen direction comes near a positive length, in the time of `_frozen_end`.

    This takes a few times ``1 / (L r_1^{2L-2} |A v_0^L|^2)``.
    """
    i, L = instance, instance.flow.depth
    v = i.x0 / np.linalg.norm(i.x0)
    pull = np.linalg.norm(i.problem.A @ v**L)
    frozen = schedules.frozen_length(L, i.problem, i.x0)
    return i.flow.rates.until == i.t_end and L * frozen ** (L - 1) * pull**2 > 1e3 / FOREVER


def _off_frozen(instance, length):
    """Relative distance of a squared length from that in which a frozen direction ends."""
    i, flow = instance, ScheduledFlow(instance.flow.depth, Warmup(2 * FOREVER, 1.0))
    run = integrate(flow, i.problem, i.x0, FOREVER, form="weights", rtol=1e-8, max_steps=1000)
    return abs(run.radius**2 / length - 1) if run.times[-1] == FOREVER else None


def _is_ruled_out(instance):
    """Tell whether, at the release, the ratio is so small that the hypothesis excludes a stall."""
    i = instance
    return _is_long_cured(i) and rules_out_stall(_after(i), i.released, i.shortest)


def _stalls(run):
    """Return 1 for a stall, 0 for a run that has arrived, else None."""
    return {Status.STALLED: 1.0, Status.CONVERGED: 0.0}.get(run.status)


def _over_bound(instance, run):
    """Excess of the norm of a run's end over the bound from the length at release."""
    if run.status is not Status.CONVERGED:
        return None
    flow = WeightNormFlow(2, instance.flow.rates.ratio)
    z = instance.shortest
    allowed = bounds.small_ratio_bound(flow, instance.released, z)
    return (run.stacked.sum() - z.sum() * (1 + 1e-6)) / allowed


def _after(instance):
    """Return the flow after the warm-up."""
    return WeightNormFlow(instance.flow.depth, instance.flow.rates.ratio)


def _is_long(instance):
    """Tell whether a warm-up takes place from a start longer than the shortest solution."""
    Q = instance.shortest.sum()
    return bool(instance.flow.rates.until > 0 and np.sum(instance.x0**2) > Q)


def _is_long_cured(instance):
    """Tell whether the warm-up ends below the shortest norm, with some room."""
    return _is_long(instance) and np.sum(instance.released**2) < 0.98 * instance.shortest.sum()


def _is_beyond_cure(instance):
    """Tell whether every warm-up ends above the shortest norm, although solutions may be long."""
    i, Q = instance, instance.shortest.sum()
    frozen = schedules.frozen_length(i.flow.depth, i.problem, i.x0)
    if not (_is_long(i) and frozen > (1 + 1e-3) * Q):
        return False
    longest = linprog(-np.ones(len(i.x0)), A_eq=i.problem.A, b_eq=i.problem.b)
    return longest.status == 3 or -longest.fun > np.sum(i.released**2)  # 3: without bound


def _stays_long(instance, factor):
    """By how much the flow shrinks after the release, over what its ratio allows."""
    R, ratio = factor * np.sum(instance.released**2), instance.flow.rates.ratio
    if instance.end.status is not Status.CONVERGED:
        return None
    shape = instance.x0.min() ** 2 / np.sum(instance.x0**2)
    return (R - instance.end.radius**2) / np.sqrt(2 * ratio * R * np.log(1 / shape))


CLAIMS = (
    Claim(
        label="thm-schedules",
        statement="With any rates, weight normalization stands where the plain flow from "
        "start / rho ends; log rho = L log(r_0 / r) - L int eta_u <h, x^L> dt, the integral of "
        "L (r / ratio - 1 / r) r'.",
        sample=scheduled,
        parts=(
            Part(
                name="rho",
                kind="exact",
                measured="difference between log rho as fitted to the run and the integral, "
                "relative",
                threshold=2e-3,
                reason=STEPS + ", and the integral by a fixed set of times",
                applies=_in_time,
                measure=lambda i: _off(i, _history),
                twin="without -1/r",
                measure_twin=lambda i: _off(i, _without_lengths),
            ),
            Part(
                name="history",
                kind="exact",
                measured="the same",
                threshold=2e-3,
                reason=STEPS + ", and the integral by a fixed set of times",
                applies=_in_time,
                measure=lambda i: _off(i, _history),
                twin="the ratio at the end, throughout",
                measure_twin=lambda i: _off(i, _with_last_ratio),
            ),
            Part(
                name="stops",
                kind="exact",
                measured="the same, where the length stands still for a while",
                threshold=2e-3,
                reason=STEPS + ", and the integral by a fixed set of times",
                applies=_stops,
                measure=lambda i: _off(i, _history),
                twin="the integral over the times at which the length moves",
                measure_twin=lambda i: _off(i, _moving_only),
            ),
            Part(
                name="ends",
                kind="exact",
                measured="relative distance between the end of the run and the plain limit from "
                "start / rho, for the measurements that the run has reached",
                threshold=1e-3,
                reason=STEPS + ", and the integral by a fixed set of times",
                applies=_in_time,
                measure=lambda i: _from_plain(i, i.reached, _history(i)),
                twin="for the measurements b, although the rates have faded",
                measure_twin=lambda i: _from_plain(i, i.problem, _history(i)),
                twin_applies=lambda i: isinstance(i.flow.rates, FadingRates) and _in_time(i),
            ),
        ),
    ),
    Claim(
        label="prop-power-schedule",
        statement="With eta_r = 1/c and eta_u = 1/r^2, rho = (r_inf / r_0)^{L (c - 1)}; c = 1 is "
        "the plain flow; the flow converges and does not stall.",
        sample=power_or_opposed,
        parts=(
            Part(
                name="rho",
                kind="exact",
                measured="difference between log rho as fitted to the run and the closed form, "
                "relative",
                threshold=1e-4,
                reason=STEPS,
                applies=_in_time,
                measure=lambda i: _off(i, lambda i: _closed_form(i, i.flow.rates.power)),
                twin="L c log(r / r_0)",
                measure_twin=lambda i: _off(i, lambda i: _closed_form(i, 1 + i.flow.rates.power)),
            ),
            Part(
                name="c = 1",
                kind="exact",
                measured="largest relative distance from the path of the plain flow",
                threshold=1e-4,
                reason=STEPS,
                measure=lambda i: _off_plain(i, PowerRates(1.0)),
                twin="c = 1.1",
                measure_twin=lambda i: _off_plain(i, PowerRates(1.1)),
            ),
            Part(
                name="limit",
                kind="exact",
                measured="relative distance between the end of the run and the exact limit of that "
                "power, for the measurements that the run has reached",
                threshold=1e-4,
                reason=STEPS,
                applies=_in_time,
                measure=lambda i: _power_limit(i, i.flow.rates.power),
                twin="that of another power, c + 1/2",
                measure_twin=lambda i: _power_limit(i, 0.5 + i.flow.rates.power),
            ),
            Part(
                name="no stall",
                kind="exact",
                measured="1 if the length vanishes",
                threshold=0.0,
                reason="yes or no",
                measure=lambda i: _vanishes(i, i.flow),
                twin="with the ratio that it has at the start",
                measure_twin=lambda i: _vanishes(i, _constant_ratio(i)),
            ),
        ),
    ),
    Claim(
        label="prop-warm-up",
        statement="A warm-up, the direction frozen, scales the start, to any length on this side "
        "of the frozen one. L = 2: where that is below Q, so may the start be, and the bound for "
        "small ratios holds; where it is not, the limit stays long.",
        sample=lambda rng: between(rng) if rng.random() < 0.4 else long_start(rng),
        parts=(
            Part(
                name="rescaling",
                kind="exact",
                measured="largest relative distance, at the end of the warm-up, from the start "
                "scaled to its target",
                threshold=1e-5,
                reason=STEPS,
                applies=lambda i: i.flow.rates.until == i.t_end,
                measure=lambda i: _off_scaled(i, i.flow),
                twin="the direction free to move",
                measure_twin=lambda i: _off_scaled(i, WeightNormFlow(i.flow.depth, 1.0)),
            ),
            Part(
                name="frozen length",
                kind="exact",
                measured="relative distance of the squared length in which a frozen direction ends "
                "from R_1, where that is positive",
                threshold=1e-6,
                reason="the right side of the equation for the length vanishes there, to rounding",
                applies=_can_arrive,
                measure=lambda i: _off_frozen(
                    i, schedules.frozen_length(i.flow.depth, i.problem, i.x0)
                ),
                twin="from the length of the shortest solution",
                measure_twin=lambda i: _off_frozen(i, squared_radius(i.shortest, i.flow.depth)),
            ),
            Part(
                name="no stall",
                kind="exact",
                measured="1 if the flow stalls after the release",
                threshold=0.0,
                reason="yes or no",
                applies=at_depth_two(_is_ruled_out),
                measure=lambda i: _stalls(i.end),
                twin="released a million times shorter, too short for the ratio",
                measure_twin=lambda i: _stalls(ended(_after(i), i.problem, 1e-3 * i.released)),
                twin_applies=at_depth_two(_is_long_cured),
            ),
            Part(
                name="cure",
                kind="upper",
                measured="excess of the norm of the run's end / its bound from the target",
                threshold=1 + 1e-6,
                reason=INEQUALITY,
                applies=at_depth_two(_is_long_cured),
                measure=lambda i: _over_bound(i, i.end),
                twin="without the warm-up",
                measure_twin=lambda i: _over_bound(i, ended(_after(i), i.problem, i.x0)),
            ),
            Part(
                name="no cure",
                kind="upper",
                measured="by how much the length at release shrinks, over what the ratio allows",
                threshold=1 + 1e-6,
                reason=INEQUALITY,
                applies=_is_beyond_cure,
                measure=lambda i: _stays_long(i, 1.0),
                twin="from twice that length",
                measure_twin=lambda i: _stays_long(i, 2.0),
            ),
        ),
    ),
)
