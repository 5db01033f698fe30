"""Claims on exact limits: certificates, and the scalar equation for rho."""

from dataclasses import replace

import numpy as np
from scipy.optimize import brentq

from wnlib.claims.common import (
    INTEGRATION,
    ROUNDING,
    arrives,
    at_depth_two,
    distance_to_end,
    others,
    plain,
    plain_limit_part,
    relative,
    weight_norm,
    without_measurement,
)
from wnlib.claims.instances import Instance, random_depth
from wnlib.claims.rho import (
    log_rho_of,
    magnified,
    magnified_to_solution,
    plain_limit_from,
    rho_part,
    rho_scale,
    stalls,
)
from wnlib.flows import PlainFlow
from wnlib.ledger import Claim, Part
from wnlib.problems import Problem
from wnlib.results import Status, unit_of_multipliers
from wnlib.theory import limits, potentials


def _plain_or_equal(rng):
    """Draw an instance; one in four with two weights, on which the bound is nearly attained."""
    if rng.integers(4):
        return plain(rng)
    scale, ones = np.exp(rng.uniform(-3, 3)), np.ones(2)
    return Instance(PlainFlow(random_depth(rng)), Problem([ones], [scale]), ones)


def _certified_gap(instance, log_factor):
    """Relative gap of the limit, by its weights and multipliers; of another start, if so asked.

    None where ``y = z^{-gamma}`` is a difference of numbers too large for it to be seen.
    """
    L, end = instance.flow.depth, instance.reached_limit
    if end.status is not Status.CONVERGED:
        return None
    used = end.stacked > 0
    z, log_start, gamma = end.stacked[used], L * np.log(instance.x0[used]), 1 - 2 / L
    unit = np.exp(unit_of_multipliers(L, log_start, np.log(z)))
    matrix = instance.problem.network_matrix[:, used]
    if gamma and np.max(z**gamma * (np.abs(end.multipliers) @ np.abs(matrix))) * unit > 1e7:
        return None
    pull = end.multipliers @ matrix
    log_start = log_start + log_factor * np.linspace(0, 1, len(z))
    return limits.relative_gap(L, z, limits.dual_point(L, log_start, unit * pull))


def _another(instance, share):
    """Return a solution between the end of the run and the shortest one."""
    return instance.run.stacked + share * (others(instance)[1] - instance.run.stacked)


def _pythagoras(instance, share, factor=1.0, tilt=0.0):
    """Discrepancy of ``D(z, p) = share D(z, end) + D(end, p)``, relative, for some multipliers.

    ``z`` is a solution times a factor, ``log p`` the point of these multipliers plus a tilt.
    """
    L, log_start = instance.flow.depth, instance.flow.depth * np.log(instance.x0)
    rows = np.cos(np.arange(len(instance.problem.b)))
    pull = rows @ instance.problem.network_matrix
    largest = np.abs(pull * np.exp((1 - 2 / L) * log_start)).max()
    log_p = limits.dual_point(L, log_start, 0.5 * pull / largest) / L
    log_p = log_p + tilt * np.linspace(0, 1, len(log_p))
    end, z = instance.run.stacked, factor * _another(instance, 0.5)
    gap = potentials.divergence(instance.flow, z, log_p)
    parts = share * potentials.divergence(instance.flow, z, instance.run.log_path[-1])
    return abs(gap - parts - potentials.divergence(instance.flow, end, log_p)) / gap


def _distance(instance, factor):
    """Distance of a solution from the end of the run over a factor times its bound by the gap.

    None where they are the same up to rounding.
    """
    L, z, end = instance.flow.depth, _another(instance, 0.01), instance.run
    if relative(z - end.stacked, z) < 1e-9:
        return None
    gap = limits.relative_gap(L, z, L * end.log_path[-1])
    within = limits.distance_within(L, z, gap) * z.sum()
    return np.abs(z - end.stacked).sum() / (factor * within)


def _from_half_way(instance):
    """Return the distance of a solution from the run's end, and its bound by the gap; relative.

    The point is that at half of the steps of the run: it has multipliers, as all on the way. The
    bound is its formula, also where it bounds nothing.
    """
    run = instance.run
    z = _another(instance, 0.1)
    gap = limits.relative_gap(run.flow.depth, z, run.flow.depth * run.log_path[len(run.times) // 2])
    formula = limits.distance_formula(run.flow.depth, z, gap)
    return np.abs(z - run.stacked).sum() / z.sum(), formula


def _is_near(instance):
    return arrives(instance) and _from_half_way(instance)[1] > 0


def _over_half_way(instance):
    """Return 1 plus the distance less its bound, over the size of that; None for a rounding."""
    distance, bound = _from_half_way(instance)
    if distance < 1e-9:
        return None
    return 1 + (distance - bound) / abs(bound)


def _plain_radii(instance, shifts):
    """Squared radii of the plain limits from start / e^s, at log rho + shifts, or None."""
    places = log_rho_of(instance) + np.asarray(shifts)
    ends = [plain_limit_from(instance, instance.problem, s) for s in places]
    if any(end is None or end.status is not Status.CONVERGED for end in ends):
        return None
    return np.array([end.radius**2 for end in ends])


def _radius_rises(instance, sign):
    """Largest relative rise of the squared radius of plain limits with s, or fall."""
    radii = _plain_radii(instance, [-3.0, -1.0, 1.0, 3.0])
    return None if radii is None else np.max(sign * np.diff(radii)) / radii[0]


def _root(instance, problem):
    """Return the root of the scalar equation, from plain limits alone; infinite if there is none.

    None if a plain limit is no float, or not found.
    """
    flow, r0 = instance.flow, np.linalg.norm(instance.x0)

    def miss(s):
        end = plain_limit_from(instance, problem, s)
        if end is None or end.status is not Status.CONVERGED:
            raise ArithmeticError(f"no plain limit at {s}")
        return s - float(flow.log_rho(r0, end.radius)) if end.radius else -np.inf

    s = log_rho_of(instance)
    try:
        low, high = (_beyond(miss, s, sign) for sign in (-1, 1))
        return (
            float(brentq(miss, low, high, xtol=1e-9)) if np.isfinite([low, high]).all() else np.inf
        )
    except ArithmeticError:
        return None


def _beyond(miss, s, sign):
    """Return a place below or above s where an increasing function has that sign, or infinity."""
    for step in 2.0 ** np.arange(8):
        if sign * miss(s + sign * step) > 0:
            return s + sign * step
    return np.inf


def _off_root(instance, problem):
    """Distance of the root from log rho of the two lengths, relative; infinite if there is none."""
    root = _root(instance, problem)
    return None if root is None else abs(root - log_rho_of(instance)) / rho_scale(instance)


def _off_root_without_measurement(instance):
    still = without_measurement(instance)
    return _off_root(still, still.problem)


def _slope(instance, least):
    """One less the slope of the scalar equation over a lower bound of it, by a difference."""
    step = 1e-3
    radii = _plain_radii(instance, [-step, 0.0, step])
    if radii is None:
        return None
    L, ratio = instance.flow.depth, instance.flow.ratio
    sides = L * instance.flow.log_kappa(np.sqrt(radii))
    slope = 1 - (sides[2] - sides[0]) / (2 * step)
    return 1 - slope / least(1.0, radii[1] / ratio)


TWO_PARTS = Part(
    name="two parts",
    kind="exact",
    measured="relative difference of D(z, p) and D(z, x_inf) + D(x_inf, p)",
    threshold=1e-6,
    reason=INTEGRATION,
    applies=arrives,
    measure=lambda i: _pythagoras(i, 1.0),
    twin="D(z, p) is D(x_inf, p)",
    measure_twin=lambda i: _pythagoras(i, 0.0),
)
LIMIT = Part(
    name="limit",
    kind="exact",
    measured="relative distance between the solution and the end of the run",
    threshold=1e-5,
    reason=INTEGRATION,
    applies=arrives,
    measure=lambda i: distance_to_end(i, i.reached_limit),
    twin="rho = 1",
    measure_twin=lambda i: magnified(i, 0.0),
)

CLAIMS = (
    Claim(
        label="prop-certified-limit",
        statement="For any multipliers, with p their point: D(z, p) is D(z, x_inf) + D(x_inf, p) "
        "for each solution z, so it bounds the distance of z from the limit.",
        sample=_plain_or_equal,
        parts=(
            Part(
                name="gap",
                kind="exact",
                measured="relative gap of the limit, by its weights and multipliers alone",
                threshold=1e-12,
                reason="rounding of the multipliers, where it is seen at all: delta < 1e-7",
                applies=arrives,
                measure=lambda i: _certified_gap(i, 0.0),
                twin="from a start that differs by up to 1 %",
                measure_twin=lambda i: _certified_gap(i, 0.01),
            ),
            plain_limit_part("certified", "the certified limit"),
            TWO_PARTS,
            replace(
                TWO_PARTS,
                name="a solution",
                twin="z need not be a solution: it is twice one",
                measure_twin=lambda i: _pythagoras(i, 1.0, factor=2.0),
            ),
            replace(
                TWO_PARTS,
                name="multipliers",
                twin="p need not have any: log p is tilted by up to 0.1",
                measure_twin=lambda i: _pythagoras(i, 1.0, tilt=0.1),
            ),
            Part(
                name="distance",
                kind="upper",
                measured="distance of a solution from the end of the run / what its gap allows",
                threshold=1 + 1e-4,
                reason="an inequality; the distance is 1 % of that of a shortest solution",
                applies=arrives,
                measure=lambda i: _distance(i, 1.0),
                twin="0.9 of that",
                measure_twin=lambda i: _distance(i, 0.9),
            ),
            Part(
                name="sigma below 1",
                kind="upper",
                measured="1 plus this distance less its bound by a point on the way, over the size "
                "of that",
                threshold=1 + 1e-4,
                reason="an inequality; the distance is 10 % of that of a shortest solution",
                applies=_is_near,
                measure=_over_half_way,
                twin="sigma may be larger, and the bound negative",
                measure_twin=_over_half_way,
                twin_applies=arrives,
            ),
        ),
    ),
    Claim(
        label="prop-wn-limit",
        statement="The radius of the plain limits falls with s; the limit of weight normalization "
        "is the plain limit from start / e^s at the only root of a scalar equation, "
        "of slope min(1, R / ratio) or more.",
        sample=weight_norm,
        parts=(
            Part(
                name="radius",
                kind="upper",
                measured="largest relative rise of R(s) with s",
                threshold=1e-9,
                reason=ROUNDING,
                applies=arrives,
                measure=lambda i: _radius_rises(i, 1),
                twin="R(s) never falls",
                measure_twin=lambda i: _radius_rises(i, -1),
            ),
            Part(
                name="slope",
                kind="lower",
                measured="shortfall of the slope at the root, relative",
                threshold=1e-4,
                reason="a difference quotient with step 1e-3",
                applies=arrives,
                measure=lambda i: _slope(i, min),
                twin="the larger of 1 and R / ratio",
                measure_twin=lambda i: _slope(i, max),
            ),
            LIMIT,
            replace(
                LIMIT,
                name="no stall",
                twin="also where it stalls",
                measure_twin=magnified_to_solution,
                twin_applies=stalls,
            ),
            Part(
                name="root",
                kind="exact",
                measured="distance of the root from log rho of the two lengths of the run, "
                "relative; infinite if there is none",
                threshold=1e-5,
                reason=INTEGRATION,
                applies=arrives,
                measure=lambda i: _off_root(i, i.reached),
                twin="b may be 0",
                measure_twin=_off_root_without_measurement,
                twin_applies=at_depth_two(arrives),
            ),
            rho_part(),
        ),
    ),
)
