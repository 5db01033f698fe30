"""Claims on exact limits: certificates, and the scalar equation for rho."""

import numpy as np

from wnlib.claims.common import (
    INTEGRATION,
    ROUNDING,
    arrives,
    distance_to_end,
    others,
    plain,
    plain_limit_part,
    relative,
    weight_norm,
)
from wnlib.claims.instances import Instance, random_depth
from wnlib.claims.rho import log_rho_of, magnified, plain_limit_from, rho_part
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


def _pythagoras(instance, share):
    """Discrepancy of ``D(z, p) = share D(z, end) + D(end, p)``, relative, for some multipliers."""
    L, log_start = instance.flow.depth, instance.flow.depth * np.log(instance.x0)
    rows = np.cos(np.arange(len(instance.problem.b)))
    pull = rows @ instance.problem.network_matrix
    largest = np.abs(pull * np.exp((1 - 2 / L) * log_start)).max()
    log_p = limits.dual_point(L, log_start, 0.5 * pull / largest) / L
    end, z = instance.run.stacked, _another(instance, 0.5)
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
            Part(
                name="two parts",
                kind="exact",
                measured="relative difference of D(z, p) and D(z, x_inf) + D(x_inf, p)",
                threshold=1e-6,
                reason=INTEGRATION,
                applies=arrives,
                measure=lambda i: _pythagoras(i, 1.0),
                twin="D(z, p) is D(x_inf, p)",
                measure_twin=lambda i: _pythagoras(i, 0.0),
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
            Part(
                name="limit",
                kind="exact",
                measured="relative distance between the solution and the end of the run",
                threshold=1e-5,
                reason=INTEGRATION,
                applies=arrives,
                measure=lambda i: distance_to_end(i, i.reached_limit),
                twin="rho = 1",
                measure_twin=lambda i: magnified(i, 0.0),
            ),
            rho_part(),
        ),
    ),
)
