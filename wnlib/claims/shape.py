"""Claims on what the shape of a start selects."""

from dataclasses import replace

import numpy as np

from wnlib.claims.common import (
    INEQUALITY,
    PROGRAM,
    arrives,
    at_depth_two,
    at_larger_depth,
    shape_weights,
    tight_instance,
)
from wnlib.claims.instances import Instance, hard_instance, random_depth
from wnlib.flows import PlainFlow, WeightNormFlow, squared_radius
from wnlib.l1 import shape as l1_shape
from wnlib.l1.linear_program import min_l1, shortest
from wnlib.ledger import Claim, Part
from wnlib.problems import Problem
from wnlib.theory import potentials
from wnlib.theory import shape as theory_shape

VISIBLE = 1e-6  # of a weighted norm: less drowns in the residual and in the tolerance of HiGHS


def _tiny_start(rng):
    """Draw a start of scale ``s = e^{-l}`` with an uneven shape; ties and near-ties more often."""
    depth = random_depth(rng) if rng.integers(2) else rng.uniform(2.2, 6)
    depth = depth if depth == 2 else max(depth, 2.15)  # nearer, so small a start is no float
    drawn = hard_instance(rng, weight_norm=False, depth=depth)
    N = drawn.problem.n_weights
    if rng.integers(2):
        reach = 0.05 if depth == 2 else 2.0  # of columns that a shape can overrule
        A = np.exp(rng.uniform(-reach, reach, (1, 2)))
        drawn = replace(drawn, problem=Problem(A, [1.0], [1 / A[0, 0], 0.0]))
        N = 2
    spread = 2 / max(1.0, depth - 2)
    log_scale = -40 / depth if depth == 2 else -40 / (depth - 2)
    return replace(drawn, x0=np.exp(log_scale + rng.uniform(-spread, spread, N)))


def uneven_tie(depth, log_share, tau):
    """Return two weights, of depth > 2, whose end uses nearly all that the bound allows.

    In units in which both weigh one, ``y_1 + a y_2 = 1`` with ``a`` a little below 1, and the
    first starts so much lower that its share of the squared length hardly counts.

    Parameters
    ----------
    depth : float
    log_share : float
        Logarithm of that share; as it tends to minus infinity, the bound is attained.
    tau : float
        As in the bound: small.

    Returns
    -------
    Instance
    """
    gamma, m = 1 - 2 / depth, np.exp(log_share / 2)  # m: the share of the first in the end
    gain = (1 - m) ** -gamma - np.exp(gamma * log_share) * m**-gamma
    v = np.array([np.exp(log_share / 2), 1.0])
    row = v ** (2 - depth) * [1.0, 1 - tau * gain]  # W* = 1
    return Instance(PlainFlow(depth), Problem([row], [1.0]), tau ** (1 / (depth - 2)) * v)


def _nearly_tied(rng):
    return uneven_tie(rng.uniform(2.5, 4), rng.uniform(-45, -35), 10 ** rng.uniform(-4, -2.5))


def _vanishing_or_short(rng):
    kind = rng.choice(["vanishing", "short", "tight"], p=[0.5, 0.25, 0.25])
    if kind == "vanishing":
        return _tiny_start(rng)
    if kind == "short":
        return hard_instance(rng, weight_norm=False, size=(-5, -0.5))
    return tight_instance(rng) if rng.integers(2) else _nearly_tied(rng)


def _goal(instance):
    """Return the solution of smallest weighted norm, without what HiGHS leaves as rounding."""
    z = shortest(instance.reached, shape_weights(instance))
    return np.where(z > 1e-12 * z.max(), z, 0.0)


def _is_tiny(instance):
    """Tell whether the scale is about ``e^{-40}`` in the units of the weighted norm."""
    L = instance.flow.depth
    return arrives(instance) and np.log(instance.x0.max()) < -30 / (L if L == 2 else L - 2)


def _excess(instance, weights):
    """Excess of a weighted norm of the end of the run over the smallest, relative."""
    return weights @ instance.run.stacked / (weights @ shortest(instance.reached, weights)) - 1


def _is_short(instance):
    """Tell whether the bound applies, and is large enough to be seen."""
    return arrives(instance) and _bound(instance) > 3 * VISIBLE


def _bound(instance):
    L, x0 = instance.flow.depth, instance.x0
    return theory_shape.weighted_excess_bound(L, x0, _goal(instance))


def _over_bound(instance, factor):
    """Excess of the weighted norm over a factor times its bound."""
    return (_excess(instance, shape_weights(instance)) - VISIBLE) / (factor * _bound(instance))


def _entropy(instance, z):
    """Return the divergence of ``z`` from the shape, of a largest entry of 1, at depth 2."""
    log_x0 = np.log(instance.x0)
    return potentials.divergence(PlainFlow(2), z, log_x0 - log_x0.max())


def _preference(instance, sign):
    """Return by how much a shortest solution is preferred to the end of the run, relative."""
    L, end, z = instance.flow.depth, instance.run.stacked, _goal(instance)
    if L == 2:
        return sign * (_entropy(instance, end) - _entropy(instance, z)) / z.sum()
    return sign * (squared_radius(z, L) / squared_radius(end, L) - 1)


def _small_ratio(rng):
    """Draw a start of weight normalization, of depth > 2, mostly shorter than where it ends."""
    if (kind := rng.random()) < 0.15:
        return _large_ratio(rng)
    if kind < 0.4:
        return _two_weights(rng)
    depth = float(rng.uniform(2.1, 5))
    drawn = hard_instance(rng, weight_norm=True, depth=depth)
    x0 = drawn.x0 ** (1 / (depth - 1))  # weights v^{-(L-2)} that a linear program can bear
    if rng.random() < 0.2:  # as long as z*, or longer: then tau is below 1 for other reasons
        return _with_small_ratio(
            replace(drawn, x0=x0), rng.uniform(1.02, 1.3), rng.uniform(0.05, 0.6)
        )
    return _with_small_ratio(replace(drawn, x0=x0), rng.uniform(0.05, 0.9), rng.uniform(0.1, 12))


def _two_weights(rng):
    """Draw two weights on which up to half of the bound is attained."""
    L, v = float(rng.uniform(3.5, 5)), np.exp(rng.uniform(-0.7, 0.7, 2))
    A = (v / np.linalg.norm(v)) ** (2 - L) * [1.0, 1 - rng.uniform(0.1, 0.35)]
    problem = Problem([A], [1.0], [1 / A[0], 0.0])
    drawn = Instance(WeightNormFlow(L, 1.0), problem, v)
    return _with_small_ratio(drawn, rng.uniform(0.05, 0.5), rng.uniform(0.15, 2))


def _large_ratio(rng):
    """Draw many weights that are nearly as cheap as the first, and a ratio far above R*.

    Where they end is much longer than R*, and log rho, which falls up to the ratio, smaller there.
    """
    L, N = float(rng.uniform(5, 6)), int(rng.integers(8, 12))
    v = np.append(rng.uniform(0.28, 0.4), np.ones(N - 1))
    A = (v / np.linalg.norm(v)) ** (2 - L) * np.append(1.0, np.full(N - 1, rng.uniform(0.55, 0.7)))
    R = A[0] ** (-2 / L)
    x0 = v * np.sqrt(rng.uniform(0.7, 0.9) * R / np.sum(v**2))
    return Instance(WeightNormFlow(L, R * rng.uniform(20, 60)), Problem([A], [1.0]), x0)


def _with_small_ratio(drawn, share, exponent):
    """Return the instance with ``R0 = share R*`` and ``omega |R* - R0| = exponent``."""
    L, x0 = drawn.flow.depth, drawn.x0
    R = squared_radius(shortest(drawn.problem, shape_weights(drawn)), L)
    ratio = min((L - 2) * abs(1 - share) * R / (2 * exponent), R)
    x0 = x0 * np.sqrt(share * R / np.sum(x0**2))
    return replace(drawn, flow=WeightNormFlow(L, ratio), x0=x0)


def _over_small_ratio(instance, weights, factor=1.0):
    """Excess of a weighted norm of the run's end over a factor times its bound."""
    allowed = theory_shape.small_ratio_excess_bound(instance.flow, instance.x0, _goal(instance))
    if not allowed > 3 * VISIBLE:  # not applicable, or too little to be seen
        return None
    return (_excess(instance, weights) - VISIBLE) / (factor * allowed)


def _over_any_ratio(instance):
    """Return the excess over the bound, this taken for ratios above R*, too."""
    flow, r0, z = instance.flow, np.linalg.norm(instance.x0), _goal(instance)
    log_rho = float(flow.log_rho(r0, np.sqrt(squared_radius(z, flow.depth))))
    allowed = theory_shape.weighted_excess_bound(flow.depth, instance.x0, z, log_rho)
    return (_excess(instance, shape_weights(instance)) - VISIBLE) / allowed if allowed > 0 else None


def _length(instance, factor):
    """Squared length of the minimizer of the weighted norm over that of the end, times a factor."""
    L, end = instance.flow.depth, instance.run.stacked
    return factor * squared_radius(_goal(instance), L) / squared_radius(end, L)


def _tolerated(rng):
    """Draw a problem whose shortest solution tolerates uneven weights, and nearly the worst."""
    M = int(rng.integers(1, 6))
    N, full = M + int(rng.integers(1, 2 * M + 1)), bool(rng.integers(2))
    A = rng.normal(size=(M, N)) / np.sqrt(M)
    if M == 1:
        A = np.abs(A) + 0.1
    signal = np.zeros(N)
    signal[rng.choice(N, N if full else max(1, M // 2), replace=False)] = 1.0
    signal *= rng.uniform(0.5, 2, N)
    problem = Problem(A, A @ signal, signal, bool(rng.random() < 0.3))
    depth, best = float(rng.uniform(2.3, 5)), min_l1(problem)
    delta = np.array(_worst(best)) if rng.random() < 0.7 else rng.uniform(-1, 1, problem.n_weights)
    x0 = _start_of(depth, 1 + 0.9 * min(_tolerance(best), 0.99) * delta)
    return Instance(PlainFlow(depth), problem, x0)


def _worst(best):
    """Return the directions in which weights tempt most to leave the shortest solution."""
    A, on = best.problem.network_matrix, best.problem.split(best.z) > 1e-9 * best.z.max()
    dual = best.strictest().dual
    k = np.linalg.lstsq(A[:, on], A)[0]
    eps = (1 - A.T @ dual) / (1 + np.abs(k).sum(axis=0))
    n = np.argmin(np.where(on, np.inf, eps))
    delta = np.ones(A.shape[1])
    delta[on], delta[n] = np.where(k[:, n] < 0, -1, 1), -1
    return delta


def _start_of(depth, weights):
    """Return a tiny start whose shape makes these weights, at a depth above 2."""
    x = weights ** (-1 / (depth - 2))
    return np.exp(-18 / (depth - 2)) * x / x.max()


def _spread(weights):
    """Return ``(max - min) / (max + min)`` and the weights over the mean of the two."""
    middle = (weights.max() + weights.min()) / 2
    return np.ptp(weights) / 2 / middle, weights / middle


def _tolerance(found):
    H = l1_shape.tolerated_unevenness(found)
    return (H - 1) / (H + 1) if np.isfinite(H) else 1.0


def _is_tolerated(instance):
    """Tell whether the unevenness is below the tolerance, by some margin, and both are seen."""
    eps = _spread(shape_weights(instance))[0]
    return 1e-3 < eps < 0.95 * _tolerance(instance.min_l1)


def _scaled(instance, factor):
    """Return the weights, their unevenness magnified; None if they would not stay positive."""
    eps, weights = _spread(shape_weights(instance))
    return 1 + factor * (weights - 1) if factor * eps < 0.999 else None


def _advantage(instance, factor):
    """By how much another solution has a smaller weighted norm than the shortest one, relative."""
    if (weights := _scaled(instance, factor)) is None:
        return None
    norm = weights @ instance.stacked_min_l1
    return 1 - weights @ shortest(instance.problem, weights) / norm


def _end_of_start(instance, factor):
    """Relative excess of the l1 norm where trained weights of such a shape end."""
    if (weights := _scaled(instance, factor)) is None:
        return None
    made = replace(instance, x0=_start_of(instance.flow.depth, weights))
    return made.run.stacked.sum() / made.reached_min_l1.norm - 1 if arrives(made) else None


def _is_full(instance):
    """Tell whether the shortest solution has as many entries as there are measurements."""
    on = np.abs(instance.min_l1.z) > 1e-6 * np.abs(instance.min_l1.z).max()
    return on.sum() == instance.problem.n_measurements and _is_finite(instance)


def _is_finite(instance):
    """Tell whether the tolerance is neither none nor nearly all."""
    return 1e-3 < _tolerance(instance.min_l1) < 0.9


def _beyond(instance, factor):
    """Norm of another solution over that of the shortest, at a factor times the tolerance."""
    best, eps = instance.min_l1, _tolerance(instance.min_l1)
    weights = 1 + factor * eps * _worst(best)
    return weights @ shortest(instance.problem, weights) / (weights @ instance.stacked_min_l1)


CLAIMS = (
    Claim(
        label="prop-plain-shape",
        statement="As r0 tends to 0 the limit minimizes W(z) = sum z_n / v0_n^{L-2}, and among "
        "several such points the sum of -z_n^{2/L}, for L = 2 of z_n log(z_n / v0_n^2). The "
        "excess of W is at most (1 - theta) tau / (1 - tau) for L > 2, for L = 2 at most "
        "KL / log(Q / r0^2).",
        sample=_vanishing_or_short,
        parts=(
            Part(
                name="weighted norm",
                kind="upper",
                measured="relative excess of the weighted norm at s = e^{-40/(L-2)}",
                threshold=1e-6,
                reason=PROGRAM,
                applies=at_larger_depth(_is_tiny),
                measure=lambda i: _excess(i, shape_weights(i)),
                twin="it minimizes the l1 norm, whatever the shape",
                measure_twin=lambda i: _excess(i, np.ones_like(i.x0)),
            ),
            Part(
                name="exponent",
                kind="upper",
                measured="the same",
                threshold=1e-6,
                reason=PROGRAM,
                applies=at_larger_depth(_is_tiny),
                measure=lambda i: _excess(i, shape_weights(i)),
                twin="weights 1 / v0^{2(L-2)}",
                measure_twin=lambda i: _excess(i, shape_weights(i) ** 2),
            ),
            Part(
                name="among several",
                kind="upper",
                measured="preference of a shortest solution to the end of the run, relative",
                threshold=1e-6,
                reason=PROGRAM,
                applies=_is_tiny,
                measure=lambda i: _preference(i, 1),
                twin="the opposite preference",
                measure_twin=lambda i: _preference(i, -1),
            ),
            Part(
                name="rate, L > 2",
                kind="upper",
                measured="relative excess of the weighted norm / its bound",
                threshold=1 + 1e-6,
                reason=INEQUALITY,
                applies=at_larger_depth(_is_short),
                measure=lambda i: _over_bound(i, 1.0),
                twin="half of the bound",
                measure_twin=lambda i: _over_bound(i, 0.5),
            ),
            Part(
                name="rate, L = 2",
                kind="upper",
                measured="relative excess of the l1 norm / its bound",
                threshold=1 + 1e-6,
                reason=INEQUALITY,
                applies=at_depth_two(_is_short),
                measure=lambda i: _over_bound(i, 1.0),
                twin="half of the bound",
                measure_twin=lambda i: _over_bound(i, 0.5),
            ),
        ),
    ),
    Claim(
        label="prop-wn-shape",
        statement="For L > 2 the limit of weight normalization is at least as long as z*, of "
        "smallest W, and if tau < 1 and the ratio is at most R*, the relative excess of its W is "
        "at most (1 - theta) tau / (1 - tau), tau = (R*^{L/2} / W*)^gamma "
        "e^{-omega (R* - R0)}.",
        sample=_small_ratio,
        parts=(
            Part(
                name="length",
                kind="lower",
                measured="R* over R of the end of the run",
                threshold=1 + 1e-5,
                reason=PROGRAM,
                applies=arrives,
                measure=lambda i: _length(i, 1.0),
                twin="1.05 R*",
                measure_twin=lambda i: _length(i, 1.05),
            ),
            Part(
                name="weighted norm",
                kind="upper",
                measured="relative excess of the weighted norm / its bound",
                threshold=1 + 1e-6,
                reason=INEQUALITY,
                applies=arrives,
                measure=lambda i: _over_small_ratio(i, shape_weights(i)),
                twin="the l1 norm in place of the weighted one",
                measure_twin=lambda i: _over_small_ratio(i, np.ones_like(i.x0)),
            ),
            Part(
                name="constant",
                kind="upper",
                measured="the same",
                threshold=1 + 1e-6,
                reason=INEQUALITY,
                applies=arrives,
                measure=lambda i: _over_small_ratio(i, shape_weights(i)),
                twin="a quarter of the bound",
                measure_twin=lambda i: _over_small_ratio(i, shape_weights(i), 0.25),
            ),
            Part(
                name="ratio",
                kind="upper",
                measured="the same",
                threshold=1 + 1e-6,
                reason=INEQUALITY,
                applies=arrives,
                measure=lambda i: _over_small_ratio(i, shape_weights(i)),
                twin="for ratios above R*, too",
                measure_twin=_over_any_ratio,
            ),
        ),
    ),
    Claim(
        label="prop-shape-threshold",
        statement="The shortest solution minimizes all norms whose weights differ by less than "
        "the factor that its certificate tolerates, and tiny starts of such a shape lead to it. "
        "With as many entries as measurements, no larger factor is tolerated.",
        sample=_tolerated,
        parts=(
            Part(
                name="weights",
                kind="upper",
                measured="by how much another solution has a smaller weighted norm, relative",
                threshold=1e-7,
                reason=PROGRAM,
                applies=_is_tolerated,
                measure=lambda i: _advantage(i, 1.0),
                twin="twice the tolerance",
                measure_twin=lambda i: _advantage(i, 2.0),
            ),
            Part(
                name="starts",
                kind="upper",
                measured="relative excess of the l1 norm where trained weights end",
                threshold=1e-4,
                reason="the start has the scale e^{-18/(L-2)}: tau is about 1e-8",
                applies=_is_tolerated,
                measure=lambda i: _end_of_start(i, 1.0),
                twin="twice the tolerance",
                measure_twin=lambda i: _end_of_start(i, 2.0),
            ),
            Part(
                name="no more",
                kind="upper",
                measured="least weighted norm over that of the shortest solution, at 1.02 times "
                "the tolerance",
                threshold=1 - 1e-9,
                reason="there is a better one",
                applies=_is_full,
                measure=lambda i: _beyond(i, 1.02),
                twin="at 0.98 times the tolerance",
                measure_twin=lambda i: _beyond(i, 0.98),
            ),
            Part(
                name="as many entries",
                kind="upper",
                measured="the same",
                threshold=1 - 1e-9,
                reason="there is a better one",
                applies=_is_full,
                measure=lambda i: _beyond(i, 1.02),
                twin="with fewer entries than measurements, too",
                measure_twin=lambda i: _beyond(i, 1.02),
                twin_applies=_is_finite,
            ),
        ),
    ),
)
