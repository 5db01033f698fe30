"""Claims on the sparsity of plain limits."""

from dataclasses import replace

import numpy as np

from wnlib.claims.common import (
    PROGRAM,
    arrives,
    at_depth_two,
    at_larger_depth,
    excess_over_bound,
    excess_parts,
    relative_excess,
    shape_weights,
    tight_instance,
)
from wnlib.claims.instances import Instance, hard_instance, near_tie, random_depth
from wnlib.flows import PlainFlow, squared_radius
from wnlib.l1.linear_program import shortest
from wnlib.ledger import Claim, Part
from wnlib.problems import Problem
from wnlib.theory import bounds, potentials


def _plain_or_tight(rng):
    if rng.integers(2):
        return tight_instance(rng)
    return hard_instance(rng, weight_norm=False, size=(-6, -1))


def _nearly_tied(rng):
    """Draw an instance; half of the time one on which the best bound is nearly attained."""
    if rng.integers(2):
        return _plain_or_tight(rng)
    N = int(rng.integers(2, 6))
    depth = 2.0 if rng.integers(2) else float(rng.uniform(2.2, 4))
    shape = np.sort(rng.uniform(0.2, 1, N)) if depth == 2 else np.ones(N)
    problem, x0 = near_tie(depth, shape, rng.uniform(50, 70) if depth == 2 else 35.0)
    return Instance(PlainFlow(depth), problem, x0)


def _over_best_bound(instance):
    """Relative excess of the l1 norm of the run's end over the bound with the best constants."""
    Q, depth = instance.reached_min_l1.norm, instance.flow.depth
    return relative_excess(instance) / bounds.best_excess_bound(depth, instance.x0, Q)


def _excess_applies(instance):
    Q = instance.reached_min_l1.norm
    return arrives(instance) and bounds.excess_hypothesis(instance.flow.depth, instance.x0, Q)


def _tiny_start(rng):
    """Draw a start of scale ``s = e^{-l}`` with an uneven shape; ties and near-ties more often."""
    depth = random_depth(rng)
    depth = depth if depth == 2 else max(depth, 2.15)  # nearer, so small a start is no float
    drawn = hard_instance(rng, weight_norm=False, depth=depth)
    N = drawn.problem.n_weights
    if rng.integers(2):
        A = np.exp(rng.uniform(-0.05, 0.05, (1, 2)))
        drawn = replace(drawn, problem=Problem(A, [1.0], [1 / A[0, 0], 0.0]))
        N = 2
    spread = 2 / max(1.0, depth - 2)
    log_scale = -40 / depth if depth == 2 else -40 / (depth - 2)
    return replace(drawn, x0=np.exp(log_scale + rng.uniform(-spread, spread, N)))


def _shape_excess(instance, weights):
    """Excess of a weighted norm of the end of the run over the smallest, relative."""
    return weights @ instance.run.stacked / (weights @ shortest(instance.reached, weights)) - 1


def _entropy(instance, z):
    """Return the divergence of ``z`` from the shape, of a largest entry of 1, at depth 2."""
    log_x0 = np.log(instance.x0)
    return potentials.divergence(PlainFlow(2), z, log_x0 - log_x0.max())


def _logarithmic_excess(instance, factor):
    """Excess of the norm, times log(1/s), over a factor times the constant that bounds it."""
    z, end = shortest(instance.reached, shape_weights(instance)), instance.run.stacked
    excess = end.sum() - z.sum() - 1e-7 * z.sum()  # what HiGHS may leave
    if excess <= 0:
        return 0.0
    log_scale = np.log(instance.x0.max())
    return -2 * log_scale * excess / (factor * (_entropy(instance, z) - _entropy(instance, end)))


def _preference(instance, sign):
    """Return by how much a shortest solution is preferred to the end of the run, relative."""
    L, end = instance.flow.depth, instance.run.stacked
    z = shortest(instance.reached, shape_weights(instance))
    if L == 2:
        return sign * (_entropy(instance, end) - _entropy(instance, z)) / z.sum()
    z = np.where(z > 1e-12 * z.max(), z, 0.0)  # rounding of HiGHS, of which powers make much
    return sign * (squared_radius(z, L) / squared_radius(end, L) - 1)


CLAIMS = (
    Claim(
        label="thm-plain-l1",
        statement="The l1 norm of the plain limit exceeds the smallest one at most by the factor "
        "1 + epsilon.",
        sample=_plain_or_tight,
        parts=excess_parts(_excess_applies, excess_over_bound),
    ),
    Claim(
        label="prop-plain-best",
        statement="The same with the constants w in place of log(beta_1 / beta_min), and C in "
        "place of (L/2) (N^gamma - 1); there are problems that come as near to it as one likes.",
        sample=_nearly_tied,
        parts=excess_parts(_excess_applies, _over_best_bound, "that bound", 0.9, "0.9 of it"),
    ),
    Claim(
        label="prop-plain-shape",
        statement="As the scale s of the start tends to 0, the limit minimizes "
        "sum z_n / x0_n^{L-2}, for L = 2 up to a constant / log(1/s), and among several such "
        "points the sum of -z_n^{2/L}, for L = 2 of z_n log(z_n / x0_n^2).",
        sample=_tiny_start,
        parts=(
            Part(
                name="L > 2",
                kind="upper",
                measured="relative excess of the weighted norm at s = e^{-40/(L-2)}",
                threshold=1e-6,
                reason=PROGRAM,
                applies=at_larger_depth(arrives),
                measure=lambda i: _shape_excess(i, shape_weights(i)),
                twin="it minimizes the l1 norm, whatever the shape",
                measure_twin=lambda i: _shape_excess(i, np.ones_like(i.x0)),
            ),
            Part(
                name="L = 2",
                kind="upper",
                measured="excess of the norm / the constant / log(1/s) that bounds it",
                threshold=1 + 1e-6,
                reason="an inequality; the surplus is the tolerance of HiGHS",
                applies=at_depth_two(arrives),
                measure=lambda i: _logarithmic_excess(i, 1.0),
                twin="half of the constant",
                measure_twin=lambda i: _logarithmic_excess(i, 0.5),
            ),
            Part(
                name="among several",
                kind="upper",
                measured="preference of a shortest solution to the end of the run, relative",
                threshold=1e-6,
                reason=PROGRAM,
                applies=arrives,
                measure=lambda i: _preference(i, 1),
                twin="the opposite preference",
                measure_twin=lambda i: _preference(i, -1),
            ),
        ),
    ),
)
