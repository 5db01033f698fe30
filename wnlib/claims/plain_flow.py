"""Claims of the chapter on the plain flow."""

from dataclasses import replace

import numpy as np

from wnlib import bounds, invariants
from wnlib.claims.claim import (
    ENDS,
    INEQUALITY,
    INTEGRATION,
    ROUNDING,
    Claim,
    distance_to_end,
    excess_over_bound,
    plain,
    shortest,
    solution,
    tight_instance,
)
from wnlib.flows import PlainFlow
from wnlib.limits import limit


def _dissipation(instance, power):
    """Discrepancy between d/dt |e|^2/2 from the velocity and -L sum h^2 z^power, relative."""
    problem, L, x = instance.problem, instance.flow.depth, instance.x0
    A, z = problem.network_matrix, x**L
    e = A @ z - problem.b
    rate = e @ (A @ (L * x ** (L - 1) * instance.flow.velocity(problem, x)))
    formula = -L * np.sum((A.T @ e) ** 2 * z**power)
    return abs(rate / formula - 1)


def _drift(instance, depth):
    return invariants.drift(replace(instance.path, flow=PlainFlow(depth)))


def bregman(z, stacked, depth):
    """Return the Bregman divergence ``D(z, stacked)`` of the plain potential, ``stacked > 0``."""
    if depth == 2:
        logs = np.log(np.where(z > 0, z, 1.0)) - np.log(stacked)
        return np.sum(z * logs - z + stacked, axis=-1)
    gamma = 1 - 2 / depth
    return np.sum(
        (depth / 2 - 1) * stacked ** (2 / depth)
        - depth / 2 * z ** (2 / depth)
        + z * stacked**-gamma,
        axis=-1,
    )


def _divergence(instance):
    """Largest divergence D(z, x^L) on the path after the start, over that at the start."""
    L, target = instance.flow.depth, solution(instance)
    start, *path = bregman(target, instance.path.path**L, L)
    return max(path) / start


def _size(instance, factor):
    """Largest size of x^L on the path over what the divergence at the start allows."""
    L, target = instance.flow.depth, solution(instance)
    start = bregman(target, instance.x0**L, L)
    stacked = instance.path.path**L
    if L == 2:
        q, p = target.sum(), stacked.sum(axis=-1).max()
        return max(0.0, p - q - q * np.log(p / q)) / (factor * start)
    bound = factor * start + L / 2 * np.sum(target ** (2 / L))
    return (L / 2 - 1) * np.sum(stacked ** (2 / L), axis=-1).max() / bound


def _huge_start(rng):
    """Draw a start far above the solution: all that the flow does is shrink."""
    drawn = plain(rng)
    return replace(drawn, x0=20 * drawn.x0)


def _limit(instance):
    """Distance of the limit from the end, or by how much the theorem's inequalities fail."""
    L, start = instance.flow.depth, instance.x0**instance.flow.depth
    divergence = bregman(instance.limit.stacked, start, L)
    least = divergence / bregman(solution(instance), start, L)
    path, c_psi = instance.path, 2 if L == 2 else L - 2
    slowest = np.max(c_psi * path.times * 2 * L * path.loss_path) / divergence
    return max(distance_to_end(instance, instance.limit), least - 1, slowest - 1)


def _other_depth(instance):
    """Return the limit of a flow one layer deeper, from the same effective weights."""
    L = instance.flow.depth
    return limit(PlainFlow(L + 1), instance.problem, instance.x0 ** (L / (L + 1)))


def _plain_or_tight(rng):
    if rng.integers(2):
        return tight_instance(rng)
    drawn = plain(rng)
    return replace(drawn, x0=0.1 * drawn.x0)


def _shape_excess(instance, power):
    """Excess of the weighted l1 norm of a tiny start's limit over the smallest weighted norm."""
    problem, shape, L = instance.problem, instance.x0, instance.flow.depth
    weights = shape ** (-power)
    z = shortest(problem, weights)
    smallest = weights @ z
    # (scale / size of the limit)^{L-2}, or (scale / size)^L for depth 2, is about e^{-40}
    log_scale = -40 / (L - 2 or L)
    tiny = limit(instance.flow, problem, shape * np.exp(log_scale))
    excess = weights @ tiny.stacked / smallest - 1
    if L > 2:
        return excess
    allowed = _entropy(z, shape**L) - _entropy(tiny.stacked, shape**L)
    return excess - allowed / smallest / 40


def _entropy(z, shape):
    """Return ``sum z log(z / shape) - z``."""
    return np.sum(z * np.log(np.where(z > 0, z, 1.0) / shape) - z)


def _uneven_start(rng):
    """Draw a start whose entries differ by factors up to e^4."""
    drawn = plain(rng)
    return replace(drawn, x0=drawn.x0**4)


CLAIMS = (
    Claim(
        label="prop-plain-descent",
        statement="Along the plain flow the loss falls at the rate L sum h_n^2 z_n^{2-2/L}.",
        kind="exact",
        measured="relative difference of the two rates",
        threshold=1e-12,
        reason=ROUNDING,
        sample=plain,
        measure=lambda i: _dissipation(i, 2 - 2 / i.flow.depth),
        twin="the exponent is 2 - 1/L",
        measure_twin=lambda i: _dissipation(i, 2 - 1 / i.flow.depth),
    ),
    Claim(
        label="prop-plain-invariant",
        statement="The part of psi_L(x^L) in the kernel of A is constant along the plain flow.",
        kind="exact",
        measured="share of the motion of psi that lies in the kernel",
        threshold=1e-7,
        reason=INTEGRATION,
        sample=plain,
        measure=lambda i: _drift(i, i.flow.depth),
        twin="psi of depth L + 1",
        measure_twin=lambda i: _drift(i, i.flow.depth + 1),
    ),
    Claim(
        label="lem-plain-bounded",
        statement="D(z, x^L) never exceeds its first value, z any solution: so x^L is bounded.",
        kind="upper",
        measured="largest divergence / the first; largest size / what the first one allows",
        threshold=1 + 1e-9,
        reason=INEQUALITY,
        sample=_huge_start,
        measure=lambda i: max(_divergence(i), _size(i, 1.0)),
        twin="half of the first divergence bounds the size",
        measure_twin=lambda i: _size(i, 0.5),
    ),
    Claim(
        label="thm-plain-limit",
        statement="The plain flow converges to the solution of least divergence from the start, "
        "D, and c t |e|^2 <= D at all times.",
        kind="exact",
        measured="relative distance between that solution and the end of the integrated flow, or "
        "violation of an inequality",
        threshold=1e-7,
        reason=ENDS,
        sample=plain,
        measure=_limit,
        twin="the mirror map of depth L + 1",
        measure_twin=lambda i: distance_to_end(i, _other_depth(i)),
    ),
    Claim(
        label="thm-plain-l1",
        statement="The l1 norm of the plain limit exceeds the smallest one at most by the factor "
        "1 + epsilon.",
        kind="upper",
        measured="relative excess of the l1 norm / epsilon",
        threshold=1 + 1e-9,
        reason=INEQUALITY,
        sample=_plain_or_tight,
        applies=lambda i: bounds.excess_hypothesis(i.x0, i.min_l1.norm, i.flow.depth),
        measure=excess_over_bound,
        twin="0.8 epsilon",
        measure_twin=lambda i: excess_over_bound(i) / 0.8,
    ),
    Claim(
        label="prop-plain-shape",
        statement="As the scale s of the start tends to 0, the limit minimizes "
        "sum z_n / x0_n^{L-2}, for L = 2 up to a constant / log(1/s).",
        kind="upper",
        measured="relative excess of the norm at log s = -40/(L-2); for L = 2 beyond the allowed",
        threshold=1e-7,
        reason="the feasibility tolerance of HiGHS",
        sample=_uneven_start,
        measure=lambda i: _shape_excess(i, i.flow.depth - 2),
        twin="it minimizes the l1 norm, whatever the shape",
        measure_twin=lambda i: _shape_excess(i, 0.0),
    ),
)
