"""Claims on small ratios and long starts: where robustness ends."""

from dataclasses import replace

import numpy as np
from scipy.optimize import brentq, linprog

from wnlib.claims.common import (
    INEQUALITY,
    arrives,
    at_depth_two,
    at_larger_depth,
    distance_to_end,
    shape_weights,
)
from wnlib.claims.instances import Instance, hard_instance, random_problem
from wnlib.flows import PlainFlow, WeightNormFlow, squared_radius
from wnlib.l1.linear_program import shortest
from wnlib.ledger import Claim, Part
from wnlib.problems import Problem
from wnlib.roads.limit import limit
from wnlib.theory import bounds, potentials

VANISHING = (
    "a limit for vanishing ratios; no bound of the distance is derived. Over R*, these ratios are "
    "1e-3 at most; the threshold is twice the largest distance seen"
)


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


def _length_slack(instance, length):
    """Return how far from ``length`` the norm of the limit may be, depth 2."""
    v2 = instance.x0.min() ** 2 / np.sum(instance.x0**2)
    return np.sqrt(2 * instance.flow.ratio * length * np.log(1 / v2))


def _shrinks(instance, factor):
    """By how much the flow shrinks, over what its ratio allows; of a start longer by a factor."""
    L = instance.flow.depth
    R0, R = factor * np.sum(instance.x0**2), instance.run.radius**2
    y = _longer_solution(instance, 2 * R0)
    if R >= R0:
        return 0.0
    if L == 2:  # as |y|_1 > R0 there is a solution of norm R0
        return (R0 - R) / _length_slack(instance, R0)
    longer = squared_radius(y, L)
    reward = [potentials.reward_beyond(instance.flow, radius, R0) for radius in (R, longer)]
    return (reward[0] - reward[1]) / (shape_weights(instance) @ y)


def _across_the_end(rng):
    """Draw a start on either side of the end of the robust range, and a small ratio.

    Most problems have solutions of any length: signed ones, and those whose kernel has a
    nonnegative vector. One in ten fixes the sum of all entries, and the start is longer.
    """
    if rng.random() < 0.15:  # as _two_weights, from the end: nearly all of the slack is used
        first, log_ratio = 10 ** rng.uniform(-3.3, -2.7), rng.uniform(-4.3, -3.7)
        x0 = np.array([first, np.sqrt(1 - first**2)])
        return Instance(WeightNormFlow(2, 10**log_ratio), Problem([[1.0, 0.95]], [1.0]), x0)
    if rng.random() < 0.15:
        return _overruled(rng)
    few = bool(rng.random() < 0.1)
    signed = not few and bool(rng.random() < 0.5)
    kind = "few" if few else "gaussian" if signed else "nonnegative kernel"
    problem = random_problem(rng, kind, signed=signed)
    depth = 2.0 if few or rng.random() < 0.4 else float(rng.uniform(2.6, 4))
    x0 = np.exp(rng.uniform(-1.5, 1.5, problem.n_weights))  # else W is the l1 norm, nearly
    R = squared_radius(shortest(problem, (x0 / np.linalg.norm(x0)) ** (2 - depth)), depth)
    short = not few and rng.random() < 0.5
    share = rng.uniform(0.3, 0.95) if short else rng.uniform(1.05, 2)
    small = rng.uniform(-4, -3) if depth == 2 else rng.uniform(-3, -2)  # longer plateaus above
    flow = WeightNormFlow(depth, R * 10**small)
    return Instance(flow, problem, x0 * np.sqrt(share * R / np.sum(x0**2)))


def _overruled(rng):
    """Draw a short start on ``z_1 + a z_2 = 1``, a < 1, whose shape makes the second cheap."""
    L, a, small = float(rng.uniform(2.6, 4)), rng.uniform(0.5, 0.75), rng.uniform(-3, -2)
    R, x0 = a ** (-2 / L), np.array([1.0, rng.uniform(1.3, 1.6) * a ** (-1 / (L - 2))])
    x0 = x0 * np.sqrt(rng.uniform(0.2, 0.7) * R / np.sum(x0**2))
    return Instance(WeightNormFlow(L, R * 10**small), Problem([[1.0, a]], [1.0]), x0)


def _end_of_range(instance):
    """Return ``R*``, the squared length that the weights have at the minimizer of W."""
    z = shortest(instance.reached, shape_weights(instance))
    return squared_radius(z, instance.flow.depth)


def _end_of_l1(instance):
    """Return that at the minimizer of the l1 norm."""
    z = shortest(instance.reached, np.ones(len(instance.x0)))
    return squared_radius(z, instance.flow.depth)


def _off_length(instance, end):
    """Return by how much the run misses the longer one of the start and an end of the range."""
    length = max(end, np.sum(instance.x0**2))
    return abs(instance.run.radius**2 - length), length


def _off_length_over_slack(instance, factor):
    miss, length = _off_length(instance, factor * _end_of_range(instance))
    return miss / _length_slack(instance, length)


def _long_solution(instance):
    """Return a solution that is longer than the start, None if none is found.

    Of those with entries below a bound, the one of largest norm, or that halfway to the shortest.
    The bound is such that for L = 2 one is found if there is one.
    """
    A, b, L = instance.reached.network_matrix, instance.reached.b, instance.flow.depth
    R0, z = np.sum(instance.x0**2), shortest(instance.reached, np.ones(len(instance.x0)))
    most = 2 * max(R0 ** (L / 2), z.max())
    y = linprog(-np.ones(len(z)), A_eq=A, b_eq=b, bounds=(0, most)).x
    if y is None:
        return None
    y = np.maximum(y, 0)
    y = max(y, (y + z) / 2, key=lambda point: squared_radius(point, L))
    return y if squared_radius(y, L) > (1 + 1e-6) * R0 else None


def _reachable(instance):
    """Tell whether the run arrives, and some solution is as long as the start."""
    return arrives(instance) and _long_solution(instance) is not None


def _is_priced(instance):
    """Tell whether the same is true, and W has weights that a linear program can bear."""
    W = shape_weights(instance)
    return W.max() < 1e5 * W.min() and _reachable(instance)


def _is_long(instance):
    return _reachable(instance) and np.sum(instance.x0**2) > 1.04 * _end_of_range(instance)


def _least_price(instance, R):
    """Bound the least W of solutions of squared length R or more from below, depth > 2.

    ``|z|_{2/L}`` is concave and homogeneous: wherever ``g`` is its gradient, ``g @ z`` is not less.
    The gradient is taken where a flow from such a length ends; if it ended elsewhere, the bound
    would be worse, not wrong.
    """
    L, x0, problem = instance.flow.depth, instance.x0, instance.reached
    start = x0 * np.sqrt(R / np.sum(x0**2))
    near = limit(WeightNormFlow(L, 0.01 * R), problem, start).stacked
    near = np.maximum(near, 1e-5 * near.max())  # a program of coefficients of ordinary size
    g = (near / squared_radius(near, L) ** (L / 2)) ** (2 / L - 1)
    found = linprog(
        W := shape_weights(instance),
        A_ub=-g[None],
        b_ub=[-(R ** (L / 2))],
        A_eq=problem.network_matrix,
        b_eq=problem.b,
    )
    return W @ found.x if found.status == 0 else np.inf


def _length_range(instance):
    """Return what the statement allows for R, least and most, at depth > 2."""
    L, omega, R0 = instance.flow.depth, instance.flow.omega, np.sum(instance.x0**2)
    W, y = shape_weights(instance), _long_solution(instance)
    z = shortest(instance.reached, W)
    end, least, most = squared_radius(z, L), squared_radius(z, L), np.inf
    for R in (R0,) if 1.02 * end < R0 else end * np.array([1.01, 1.03, 1.1]):
        price = _least_price(instance, R)
        if price > (1 + 1e-6) * (W @ z):  # else it drowns in the tolerance of HiGHS
            slope = (price - W @ z) / (R ** (L / 2) - end ** (L / 2))
            most = min(most, max(R, R0 - np.log(slope) / omega))
    if 1.02 * end < R0:
        slope = (W @ y - price) / (squared_radius(y, L) ** (L / 2) - R0 ** (L / 2))
        least = max(least, R0 - max(0.0, np.log(slope)) / omega)
    return least, most


def _off_length_over_range(instance, end):
    """Return by how much the run misses the longer one of the start and an end, over its leave."""
    R, R0 = instance.run.radius**2, np.sum(instance.x0**2)
    least, most = _length_range(instance)
    length, right = max(end, R0), max(_end_of_range(instance), R0)
    tolerance = 1e-4 * right  # of the linear programs
    above, below = most - right + tolerance, right - least + tolerance
    return max((R - length) / above, (length - R) / below)


def _with_length(instance):
    """Return the limit of the plain flow where the length of the start is a measurement, too."""
    problem, x0 = instance.reached, instance.x0
    A = np.vstack([problem.network_matrix, np.ones(problem.n_weights)])
    measured = Problem(A, np.append(problem.b, np.sum(x0**2)))
    return limit(PlainFlow(2), measured, x0)


def _as_long(instance):
    """Return solutions as long as the start: on the way to a longer one, and beside the end."""
    L, R0 = instance.flow.depth, np.sum(instance.x0**2)
    z, end = shortest(instance.reached, shape_weights(instance)), instance.run.stacked
    found = [_as_far(z, _long_solution(instance) - z, L, R0)]
    if squared_radius(end, L) > R0:
        found.append(_as_far(z, end - z, L, R0))
    return found


def _as_far(z, direction, depth, R):
    """Return the point of a segment that has a squared radius."""
    share = brentq(lambda s: squared_radius(z + s * direction, depth) - R, 0, 1)
    return z + share * direction


def _gains(instance, solutions):
    """Return the excess of W at the run's end over that at others, over what length still pays."""
    R0 = np.sum(instance.x0**2)
    pays = potentials.reward_beyond(instance.flow, R0, R0)
    return max(shape_weights(instance) @ (instance.run.stacked - y) for y in solutions) / pays


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
                name="L > 2, used",
                kind="upper",
                measured="the same over 1/e of its bound",
                threshold=1 + 1e-6,
                reason=INEQUALITY,
                applies=at_larger_depth(_is_short),
                measure=lambda i: _over_small_ratio_bound(i, np.exp(-1)),
                twin="over 0.7/e of its bound",
                measure_twin=lambda i: _over_small_ratio_bound(i, 0.7 * np.exp(-1)),
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
        label="prop-crossover",
        statement="If some solution is as long as the start: as the ratio vanishes, the squared "
        "length of the limit tends to the larger one of R0 and R*, that of the minimizer of W, and "
        "it is near that by a bound. If R0 > R*, the limit is the cheapest solution as long as the "
        "start: for L = 2 that of least entropy, for L > 2 of least W.",
        sample=_across_the_end,
        parts=(
            Part(
                name="length, L = 2",
                kind="upper",
                measured="distance of R from max(R0, Q) over what the ratio allows",
                threshold=1 + 1e-6,
                reason=INEQUALITY,
                applies=at_depth_two(_reachable),
                measure=lambda i: _off_length_over_slack(i, 1.0),
                twin="the range ends at 2 Q",
                measure_twin=lambda i: _off_length_over_slack(i, 2.0),
            ),
            Part(
                name="long enough",
                kind="upper",
                measured="the same",
                threshold=1 + 1e-6,
                reason=INEQUALITY,
                applies=at_depth_two(_reachable),
                measure=lambda i: _off_length_over_slack(i, 1.0),
                twin="no solution need be as long as the start",
                measure_twin=lambda i: _off_length_over_slack(i, 1.0),
                twin_applies=at_depth_two(arrives),
            ),
            Part(
                name="length, L > 2",
                kind="upper",
                measured="distance of R from max(R0, R*) over what the ratio allows",
                threshold=1.0,
                reason="an inequality; 1e-4 R* are allowed for the linear programs",
                applies=at_larger_depth(_is_priced),
                measure=lambda i: _off_length_over_range(i, _end_of_range(i)),
                twin="R* of the l1 norm, whatever the shape of the start",
                measure_twin=lambda i: _off_length_over_range(i, _end_of_l1(i)),
            ),
            Part(
                name="which, L = 2",
                kind="exact",
                measured="relative distance of the run's end from the plain limit that has R0 as "
                "one more measurement",
                threshold=0.02,
                reason=VANISHING,
                applies=at_depth_two(_is_long),
                measure=lambda i: distance_to_end(i, _with_length(i)),
                twin="the plain limit from the same start",
                measure_twin=lambda i: distance_to_end(i, limit(PlainFlow(2), i.reached, i.x0)),
            ),
            Part(
                name="which, L > 2",
                kind="upper",
                measured="excess of W at the run's end over solutions as long as the start, over "
                "what more length pays",
                threshold=1 + 1e-6,
                reason=INEQUALITY,
                applies=at_larger_depth(_is_long),
                measure=lambda i: _gains(i, _as_long(i)),
                twin="over the minimizer of W, which is shorter",
                measure_twin=lambda i: _gains(i, [shortest(i.reached, shape_weights(i))]),
            ),
        ),
    ),
)
