"""Claims on small ratios, long starts and stalls."""

from dataclasses import replace

import numpy as np

from wnlib.claims.common import (
    INEQUALITY,
    INTEGRATION,
    any_side,
    arrives,
    at_depth_two,
    at_larger_depth,
    disagrees,
    finished,
    headroom,
    shape_weights,
)
from wnlib.claims.instances import Instance, hard_instance
from wnlib.flows import WeightNormFlow, squared_radius
from wnlib.l1.linear_program import shortest
from wnlib.ledger import Claim, Part
from wnlib.problems import Problem
from wnlib.results import Status
from wnlib.roads._stalling import rules_out_stall
from wnlib.theory import bounds, potentials


def _is_equal(instance):
    """Tell whether ``|A x0^L - b| = |b|`` up to rounding, not because ``A x0^L`` is tiny."""
    product = instance.flow.misfit(instance.problem, instance.x0) + instance.problem.b
    large = np.linalg.norm(product) > 0.1 * np.linalg.norm(instance.problem.b)
    return abs(headroom(instance)) < 1e-12 and large


def _shortest_length(instance, factor):
    """Return a factor times the bound of r^L over the least r^L on the run."""
    b, A = instance.problem.b, instance.problem.network_matrix
    least = factor * headroom(instance) * np.linalg.norm(b) / np.linalg.norm(A, 2)
    return least / instance.run.radius_path.min() ** instance.flow.depth


def _stalled(instance):
    return float(instance.run.status is Status.STALLED)


def _slant(instance):
    """Cosine of ``A^T b`` and ``v_0^L``: a short start shrinks if it is negative."""
    h, z = instance.problem.network_matrix.T @ instance.problem.b, instance.x0**instance.flow.depth
    return h @ z / np.linalg.norm(h) / np.linalg.norm(z)


def _is_small(instance):
    """Tell whether the direction has no time to turn: r_0 is small, and the slant is not."""
    L, x0, slant = instance.flow.depth, instance.x0, _slant(instance)
    h = np.abs(instance.problem.network_matrix.T @ instance.problem.b)
    R0, push = np.sum(x0**2), h @ x0**L
    turning = np.sum(x0**2) * (h * x0 ** (L - 2)).max() * R0 / (abs(slant) * push)
    return abs(slant) > 0.1 and turning < 1e-2 * instance.flow.ratio * abs(slant)


def _short_or_not(rng):
    """Draw a start on any side: small, of any size, or with a residual as large as b."""
    drawn = any_side(rng)
    kind = rng.choice(["small", "any", "equal", "alone"])
    if kind == "alone":  # of one weight, r^L is all that there is
        N, L = int(rng.integers(1, 4)), drawn.flow.depth
        problem = Problem(rng.uniform(0.5, 1.5, (1, N)), [1.0], None)
        return Instance(drawn.flow, problem, rng.uniform(0.1, 1, N) * 0.5 ** (1 / L))
    L, x0, problem = drawn.flow.depth, drawn.x0, drawn.problem
    if kind == "small":
        scale = 10 ** rng.uniform(-4, -2)
        return replace(drawn, x0=x0 * scale / np.linalg.norm(x0))
    if kind == "equal":
        product = problem.network_matrix @ x0**L
        if (work := product @ problem.b) > 0:
            return replace(drawn, x0=x0 * (2 * work / (product @ product)) ** (1 / L))
    return drawn


def _settles(run, values):
    """Return the motion after the length has fallen tenfold, over all motion."""
    late = int(np.argmax(run.radius_path < run.radius_path[0] / 10))
    moved = np.linalg.norm(values - values[0], axis=-1).max()
    return np.linalg.norm(values[late:] - values[late], axis=-1).max() / moved if moved else 0.0


def _directions(run):
    return run.path / run.radius_path[:, None]


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
    R = squared_radius(shortest(drawn.problem, shape_weights(drawn)), depth)
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
    flow = WeightNormFlow(L, ratio)
    problem = Problem([[1.0, -c]], [1e-3 * R ** (L / 2)])
    return Instance(flow, problem, np.sqrt(R + np.log(cost) / flow.omega) * v)


def _over_small_ratio_bound(instance, factor):
    """Excess of the (weighted) norm of the run's end over a factor times its bound."""
    weights = shape_weights(instance)
    z = shortest(instance.reached, weights)
    allowed = bounds.small_ratio_bound(instance.flow, instance.x0, z)
    excess = weights @ (instance.run.stacked - z)
    # smaller bounds drown in the residual and in the tolerance of the linear program
    return (excess - 1e-6 * (weights @ z)) / (factor * allowed)


def _is_short(instance):
    """Tell whether the bound applies and its z* does not hang on a tolerance."""
    if not arrives(instance):
        return False
    weights = shape_weights(instance)
    Q = weights @ shortest(instance.reached, weights)
    return instance.flow.depth > 2 or np.sum(instance.x0**2) < (1 - 1e-3) * Q


def _entropy_share(instance, extreme):
    """Relative entropy of the shortest solution over the log of one over an extreme of v_0^2."""
    x0 = instance.x0
    entropy = potentials.relative_entropy(instance.stacked_min_l1, x0)
    return entropy / np.log(np.sum(x0**2) / extreme(x0**2))


def _longer_solution(instance, R):
    """Return a solution of squared radius R or more, if the problem is signed."""
    z, L = instance.solution, instance.flow.depth
    return z + (R / len(z)) ** (L / 2)


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
    longer = squared_radius(y, L)
    reward = [potentials.reward_beyond(instance.flow, radius, R0) for radius in (R, longer)]
    return (reward[0] - reward[1]) / (shape_weights(instance) @ y)


def _is_ruled_out(instance, factor):
    """Tell whether a stall is ruled out a priori, for a factor times the ratio."""
    flow = WeightNormFlow(instance.flow.depth, factor * instance.flow.ratio)
    solutions = instance.solution, instance.stacked_min_l1
    return any(rules_out_stall(flow, instance.x0, z) for z in solutions)


def _near_the_edge(rng):
    """Draw a start and about the largest ratio for which a stall from there is ruled out."""
    drawn = any_side(rng)
    L, R = drawn.flow.depth, squared_radius(drawn.solution, drawn.flow.depth)
    drawn = replace(
        drawn, x0=drawn.x0 * np.sqrt(R * 10 ** rng.uniform(-1, 0) / np.sum(drawn.x0**2))
    )
    for ratio in np.geomspace(1e2, 1e-2, 40):
        if _is_ruled_out(replace(drawn, flow=WeightNormFlow(L, ratio)), 1.0):
            return replace(drawn, flow=WeightNormFlow(L, ratio * rng.choice([0.9, 2.0, 3.5])))
    return drawn


CLAIMS = (
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
    Claim(
        label="prop-stall",
        statement="If |A x0^L - b| <= |b|, weight normalization does not stall: "
        "r^L >= (|b| - |A x0^L - b|) / |A|. A short start stalls if <A^T b, v_0^L> < 0, with a "
        "direction that converges, and not if it is positive.",
        sample=_short_or_not,
        parts=(
            Part(
                name="length",
                kind="upper",
                measured="the bound over the least r^L on the run",
                threshold=1 + 1e-7,
                reason=INTEGRATION,
                applies=lambda i: headroom(i) > 1e-9,
                measure=lambda i: _shortest_length(i, 1.0),
                twin="twice the bound",
                measure_twin=lambda i: _shortest_length(i, 2.0),
            ),
            Part(
                name="no stall",
                kind="exact",
                measured="1 if the run stalls",
                threshold=0.0,
                reason="yes or no; equality up to rounding is among the instances",
                applies=lambda i: (headroom(i) > 1e-9 or _is_equal(i)) and finished(i),
                measure=_stalled,
                twin="from any start",
                measure_twin=_stalled,
                twin_applies=finished,
            ),
            Part(
                name="short starts",
                kind="exact",
                measured="1 if a short start with a negative product does not stall, or one with a "
                "positive product does",
                threshold=0.0,
                reason="yes or no",
                applies=lambda i: _is_small(i) and finished(i),
                measure=lambda i: disagrees(bool(_slant(i) < 0), i),
                twin="starts of any length",
                measure_twin=lambda i: disagrees(bool(_slant(i) < 0), i),
                twin_applies=finished,
            ),
            Part(
                name="direction",
                kind="upper",
                measured="motion of v after r has fallen tenfold, over all its motion, in a stall",
                threshold=0.2,
                reason="it slows down like r^2, from the time when r begins to fall",
                applies=lambda i: _is_small(i) and i.run.status is Status.STALLED,
                measure=lambda i: _settles(i.run, _directions(i.run)),
                twin="log r converges",
                measure_twin=lambda i: _settles(i.run, np.log(i.run.radius_path)[:, None]),
            ),
        ),
    ),
    Claim(
        label="prop-no-stall",
        statement="If D_Psi(z, start) is at most what it would be where the length vanishes, for "
        "some solution z, weight normalization does not stall.",
        sample=_near_the_edge,
        parts=(
            Part(
                name="no stall",
                kind="exact",
                measured="1 if the run stalls",
                threshold=0.0,
                reason="yes or no",
                applies=lambda i: _is_ruled_out(i, 1.0) and finished(i),
                measure=_stalled,
                twin="for a ratio four times as large",
                measure_twin=_stalled,
                twin_applies=lambda i: _is_ruled_out(i, 0.25) and finished(i),
            ),
        ),
    ),
)
