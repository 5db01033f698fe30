"""Claims on the potential of weight normalization, and on small ratios."""

from dataclasses import replace

import numpy as np

from wnlib.claims.common import (
    INEQUALITY,
    INTEGRATION,
    ROUNDING,
    arrives,
    at_depth_two,
    at_larger_depth,
    distance_to_end,
    others,
    shortest,
    weight_norm,
)
from wnlib.claims.instances import Instance, hard_instance
from wnlib.claims.magnification.rho import log_rho_of, magnified, rho_part
from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.ledger import Claim, Part
from wnlib.problems import Problem
from wnlib.results import Status
from wnlib.roads.limit import limit
from wnlib.theory import bounds


def _plain_radii(instance, shifts):
    """Squared radii of the plain limits from start / e^s, at log rho + shifts, or None."""
    L, log_rho, radii = instance.flow.depth, log_rho_of(instance), []
    for s in log_rho + np.asarray(shifts):
        with np.errstate(over="ignore", under="ignore"):
            start = instance.x0 * np.exp(-s / L)
        if not (start.min() > 1e-290 and start.max() < 1e100 ** (2 / L)):
            return None
        end = limit(PlainFlow(L), instance.problem, start)
        if end.status is not Status.CONVERGED:
            return None
        radii.append(end.radius**2)
    return np.array(radii)


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
    sides = L / 2 * (radii / ratio - np.log(radii))
    slope = 1 - (sides[2] - sides[0]) / (2 * step)
    return 1 - slope / least(1.0, radii[1] / ratio)


def _potential_gap(instance, length):
    """Largest value of ``Psi(end) - Psi(z)``, z another solution, relative to its terms."""
    end = instance.run.stacked
    return max(_potential_difference(instance, end, z, length) for z in others(instance))


def _potential_difference(instance, z, other, length):
    """Return ``Psi(z) - Psi(other)`` over its terms; those in the length times a number."""
    L, ratio, R0 = instance.flow.depth, instance.flow.ratio, np.sum(instance.x0**2)
    R = [np.sum(y ** (2 / L)) for y in (z, other)]
    if L == 2:
        shares = [np.where(y > 0, y, 1.0) / (y.sum() * instance.x0**2 / R0) for y in (z, other)]
        terms = [z @ np.log(shares[0]), -(other @ np.log(shares[1]))]
        terms += [length * (R[0] - R0) ** 2 / (2 * ratio), -length * (R[1] - R0) ** 2 / (2 * ratio)]
    else:
        least = min(R0, *R)  # in units of e^{-k least} nothing leaves the range of floats
        unit = np.exp(-(L - 2) / (2 * ratio) * (R0 - least))
        weights = _weights(instance)
        paid = [bounds.reward_beyond(radius, least, L, ratio) for radius in R]
        terms = [unit * (weights @ z), -unit * (weights @ other)]
        terms += [length * paid[0], -length * paid[1]]
    size = sum(np.abs(terms))
    return sum(terms) / size if size > 0 else 0.0


def _weights(instance):
    """Return ``v_0^{-(L-2)}``: ones for depth 2."""
    return (instance.x0 / np.linalg.norm(instance.x0)) ** (2 - instance.flow.depth)


def _small_ratio(rng):
    """Draw a start shorter than the shortest solution, or longer, or one that is nearly tight."""
    kind = rng.choice(["short", "two", "ray", "long"])
    if kind == "two":
        return _two_weights(rng)
    depth = 2.0 if rng.random() < 0.4 else float(rng.uniform(2.1, 4))
    if kind == "ray":
        return _nearly_a_ray(rng)
    drawn = hard_instance(
        rng, weight_norm=True, depth=depth, signed=True if kind == "long" else None
    )
    ratio = 10 ** rng.uniform(-2 if depth == 2 and kind != "long" else -1, 0.5)
    x0 = drawn.x0 ** (1 / max(1, depth - 1))  # weights v^{-(L-2)} that a linear program can bear
    drawn = replace(drawn, flow=WeightNormFlow(depth, ratio), x0=x0)
    R = np.sum(shortest(drawn.problem, _weights(drawn)) ** (2 / depth))
    if kind == "long":  # longest where the measurements pull down: it shrinks on the way
        pull = drawn.problem.network_matrix.T @ drawn.problem.b
        x0 = x0 * np.where(pull < 0, 3.0, 1.0)
    share = rng.uniform(1.2, 4) if kind == "long" else rng.uniform(0.05, 0.98)
    return replace(drawn, x0=x0 * np.sqrt(share * R / np.sum(x0**2)))


def _two_weights(rng):
    """Draw ``z_1 + 0.95 z_2 = 1`` and a start that attains more than half of the bound."""
    first, ratio = 10 ** rng.uniform(-3.3, -2.7), 10 ** rng.uniform(-2.4, -2.2)
    x0 = np.sqrt(0.1) * np.array([first, np.sqrt(1 - first**2)])
    return Instance(WeightNormFlow(2, ratio), Problem([[1.0, 0.95]], [1.0]), x0)


def _nearly_a_ray(rng):
    """Draw ``z_1 - c z_2 = d``, d small, and a start that attains the most that can be attained.

    Along the ray from (d, 0) the length ``|z|_{2/L}`` is nearly linear, and the excess is least far
    below the bound, 1/e of it at most, where ``R = ratio L / (L - 2)`` solves the equation for the
    minimum; the start has the radius that makes it do so.
    """
    L, ratio = float(rng.uniform(2.1, 3)), 10 ** rng.uniform(-1, 0)
    c, R = rng.uniform(0.5, 2), ratio * L / (L - 2)
    v = np.exp(rng.uniform(-0.3, 0.3, 2))
    v /= np.linalg.norm(v)
    cost = np.array([c, 1.0]) @ v ** (2 - L) / (c ** (2 / L) + 1) ** (L / 2)
    R0 = R + 2 * ratio / (L - 2) * np.log(cost)
    problem = Problem([[1.0, -c]], [1e-3 * R ** (L / 2)])
    return Instance(WeightNormFlow(L, ratio), problem, np.sqrt(R0) * v)


def _over_small_ratio_bound(instance, factor):
    """Excess of the (weighted) norm of the run's end over a factor times its bound."""
    weights = _weights(instance)
    z = shortest(instance.reached, weights)
    allowed = bounds.small_ratio_bound(instance.x0, z, instance.flow.depth, instance.flow.ratio)
    excess = weights @ (instance.run.stacked - z)
    # smaller bounds drown in the residual and in the tolerance of the linear program
    return (excess - 1e-6 * (weights @ z)) / (factor * allowed)


def _is_short(instance):
    """Tell whether the bound applies and its z* does not hang on a tolerance."""
    if not arrives(instance):
        return False
    weights = _weights(instance)
    Q = weights @ shortest(instance.reached, weights)
    return instance.flow.depth > 2 or np.sum(instance.x0**2) < (1 - 1e-3) * Q


def _entropy_share(instance, extreme):
    """Relative entropy of the shortest solution over the log of one over an extreme of v_0^2."""
    z, x0 = instance.stacked_min_l1, instance.x0
    on, R0 = z > 0, np.sum(instance.x0**2)
    entropy = z[on] / z.sum() @ np.log(z[on] / z.sum() * R0 / x0[on] ** 2)
    return entropy / np.log(R0 / extreme(x0**2))


def _longer_solution(instance, R):
    """Return a solution of squared radius R or more, if the problem is signed."""
    z, L = instance.solution, instance.flow.depth
    return z + (R / len(z)) ** (L / 2)  # both signs of an entry may grow together


def _shrinks(instance, factor):
    """By how much the flow shrinks, over what its ratio allows; of a start longer by a factor."""
    L, ratio = instance.flow.depth, instance.flow.ratio
    R0, R = factor * np.sum(instance.x0**2), instance.run.radius**2
    y = _longer_solution(instance, 2 * R0)
    if R >= R0:
        return 0.0
    if L == 2:  # as |y|_1 > R0 there is a solution of norm R0
        v2 = instance.x0.min() ** 2 / np.sum(instance.x0**2)
        return (R0 - R) / np.sqrt(2 * ratio * R0 * np.log(1 / v2))
    longer = np.sum(y ** (2 / L))
    rewards = bounds.reward_beyond(R, R0, L, ratio) - bounds.reward_beyond(longer, R0, L, ratio)
    return rewards / (_weights(instance) @ y)


CLAIMS = (
    Claim(
        label="prop-wn-limit",
        statement="The radius of the plain limits falls with s; the limit of weight normalization "
        "is the plain limit from start / e^s at the only root of a scalar equation, "
        "of slope min(1, R / ratio) or more, and minimizes Psi.",
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
            Part(
                name="potential",
                kind="upper",
                measured="excess of Psi at the end of the run over that of other solutions, "
                "relative to its terms",
                threshold=1e-6,
                reason="an inequality; the surplus is the tolerance of HiGHS",
                applies=arrives,
                measure=lambda i: _potential_gap(i, 1.0),
                twin="Psi without its term in the length",
                measure_twin=lambda i: _potential_gap(i, 0.0),
            ),
            rho_part(),
        ),
    ),
    Claim(
        label="prop-entropy-bound",
        statement="The excess of the (weighted) norm is at most Q ratio KL / (Q - R0), for L > 2 "
        "an integral; KL <= log(1 / min v_0^2). A start longer than the shortest solution, but "
        "not than all, hardly shrinks at small ratios.",
        sample=_small_ratio,
        parts=(
            Part(
                name="L = 2",
                kind="upper",
                measured="excess of the norm of the run's end / its bound",
                threshold=1 + 1e-6,
                reason=INEQUALITY,
                applies=at_depth_two(_is_short),
                measure=lambda i: _over_small_ratio_bound(i, 1.0),
                twin="half of the bound",
                measure_twin=lambda i: _over_small_ratio_bound(i, 0.5),
            ),
            Part(
                name="L > 2",
                kind="upper",
                measured="the same for the weighted norm",
                threshold=1 + 1e-6,
                reason=INEQUALITY,
                applies=at_larger_depth(_is_short),
                measure=lambda i: _over_small_ratio_bound(i, 1.0),
                twin="a quarter of the bound",
                measure_twin=lambda i: _over_small_ratio_bound(i, 0.25),
            ),
            Part(
                name="entropy",
                kind="upper",
                measured="KL / log(1 / min v_0^2)",
                threshold=1 + 1e-9,
                reason=INEQUALITY,
                measure=lambda i: _entropy_share(i, np.min),
                twin="log(1 / max v_0^2)",
                measure_twin=lambda i: _entropy_share(i, np.max),
            ),
            Part(
                name="long starts",
                kind="upper",
                measured="R0 - R over what the ratio allows; for L > 2 the reward for that length "
                "over the norm of a longer solution",
                threshold=1 + 1e-6,
                reason=INEQUALITY,
                applies=lambda i: i.problem.signed and arrives(i),
                measure=lambda i: _shrinks(i, 1.0),
                twin="from twice R0",
                measure_twin=lambda i: _shrinks(i, 2.0),
            ),
        ),
    ),
)
