"""Claims of the chapter on the plain flow."""

from dataclasses import replace

import numpy as np
from scipy.optimize import nnls

from wnlib.claims.common import (
    INEQUALITY,
    INTEGRATION,
    PROGRAM,
    ROUNDING,
    arrives,
    at_depth_two,
    at_larger_depth,
    distance_to_end,
    excess_over_bound,
    finished,
    misfits,
    others,
    plain,
    psi_rate,
    relative,
    shortest,
    tight_instance,
)
from wnlib.claims.instances import Instance, hard_instance, random_depth
from wnlib.flows import PlainFlow
from wnlib.ledger import Claim, Part
from wnlib.problems import Problem
from wnlib.results import Status, unit_of_multipliers
from wnlib.roads.limit import limit
from wnlib.theory import bounds, invariants


def _point(instance):
    """Matrix, residual, gradient ``h`` and ``x'`` at the start."""
    A, x = instance.problem.network_matrix, instance.x0
    e = A @ x**instance.flow.depth - instance.problem.b
    return A, e, A.T @ e, instance.flow.velocity(instance.problem, x)


def _effective_velocity(instance, power):
    """Discrepancy of ``d/dt x^L = -L z^power h``, relative."""
    L, x, (_, _, h, dx) = instance.flow.depth, instance.x0, _point(instance)
    dz = L * x ** (L - 1) * dx
    return relative(dz + L * x ** (L * power) * h, dz)


def _dissipation(instance, power):
    """Discrepancy between d/dt |e|^2/2 from the velocity and -L sum h^2 z^power, relative."""
    L, x, (A, e, h, dx) = instance.flow.depth, instance.x0, _point(instance)
    terms = e * (A @ (L * x ** (L - 1) * dx))
    formula = -L * np.sum(h**2 * x ** (L * power))
    return abs(terms.sum() - formula) / np.abs(terms).sum()


def rise(run, norm):
    """Return the largest rise of a norm of the residual over a step, over its first value."""
    e = np.linalg.norm(
        run.path**run.flow.depth @ run.problem.network_matrix.T - run.problem.b, norm, 1
    )
    return np.diff(e).max() / e[0]


def _mirror_velocity(instance, rate):
    """Discrepancy of ``d/dt psi(x^L) = -rate A^T e``, relative."""
    L, x, (_, _, h, dx) = instance.flow.depth, instance.x0, _point(instance)
    dpsi = 2 * dx / x if L == 2 else (L - 2) * x ** (1 - L) * dx
    return relative(dpsi + rate * h, dpsi)


def drift(run, flow):
    """Return the drift of a flow's invariant along a run, where its weights are floats.

    None if the mirror map itself hardly moves: at large depths its largest entry, that of the
    smallest weight, may hide all others.
    """
    floats = run.log_path.min(axis=1) > -300
    psi = invariants.mirror(run.flow, run.path[floats])
    if np.linalg.norm(psi - psi[0], axis=1).max() < 1e-2 * np.linalg.norm(psi[0]):
        return None
    return invariants.drift(replace(run, flow=flow, path=run.path[floats]))


def _target(instance):
    """Return a nonnegative point of least residual: a solution, if there is one."""
    return nnls(instance.problem.network_matrix, instance.problem.b)[0]


def _divergence(instance, z):
    """Largest divergence D(z, x^L) on the path after the start, over that at the start."""
    start, *path = invariants.divergence(z, instance.run.log_path, instance.flow.depth)
    return max(path) / start


def _size(instance, factor):
    """Largest size of x^L on the path over what the divergence at the start allows."""
    L, target, run = instance.flow.depth, _target(instance), instance.run
    start = invariants.divergence(target, run.log_path[0], L)
    R = np.sum(run.path**2, axis=-1).max()
    if L == 2:
        q = target.sum()
        return max(0.0, R - q - q * np.log(R / q)) / (factor * start)
    return (L / 2 - 1) * R / (factor * start + L / 2 * np.sum(target ** (2 / L)))


def _large_or_misfit(rng):
    """Draw a start mostly above the solution, and half of the time measurements without one."""
    drawn = hard_instance(rng, weight_norm=False, size=(-1, 3))
    if rng.integers(2):
        return drawn
    problem = drawn.problem
    b = problem.b + rng.normal(size=len(problem.b)) * np.linalg.norm(problem.b)
    return replace(drawn, problem=Problem(problem.A, b, None, problem.signed))


def _is_feasible(instance):
    return instance.problem.signal is not None


def _divergence_of_end(instance):
    """Divergence of the end of the run from the start."""
    run = instance.run
    return float(invariants.divergence(run.stacked, run.log_path[0], instance.flow.depth))


def _other_depth(instance):
    """Return the limit of a flow one layer deeper, from the same effective weights."""
    L = instance.flow.depth
    return limit(PlainFlow(L + 1), instance.reached, instance.x0 ** (L / (L + 1)))


def _least(instance, order):
    """Divergence of the end from the start less that of other solutions, relative; or reversed."""
    L, start = instance.flow.depth, np.log(instance.x0)
    least = _divergence_of_end(instance)
    gaps = [least / float(invariants.divergence(z, start, L)) - 1 for z in others(instance)]
    return max(order * np.array(gaps))


def _work(instance, rate):
    """Discrepancy of ``rate int <e, e - e(T)> dt = D(x(T)^L, x0^L)``, relative."""
    run = instance.run
    e = run.path**run.flow.depth @ run.problem.network_matrix.T - run.problem.b
    spent = rate * run.integral(np.sum(e * (e - e[-1]), axis=1))[-1]
    return abs(spent / _divergence_of_end(instance) - 1)


def _slowest(instance, factor):
    """Largest ``c_psi t |e|^2`` over a factor times the divergence that bounds it."""
    run = instance.run
    slowest = np.max(run.times * misfits(run) ** 2)
    return psi_rate(run.flow.depth) * slowest / (factor * _divergence_of_end(instance))


def _fading(instance, power):
    """Return ``t |e|^power`` at the end of the run over its largest value on the way."""
    run = instance.run
    product = run.times * misfits(run) ** power
    return product[-1] / product.max()


def _plain_or_equal(rng):
    """Draw an instance; one in four with two weights, on which the bound is nearly attained."""
    if rng.integers(4):
        return plain(rng)
    scale, ones = np.exp(rng.uniform(-3, 3)), np.ones(2)
    return Instance(PlainFlow(random_depth(rng)), Problem([ones], [scale]), ones)


def _log_dual(log_start, pull, depth):
    """Return ``log p`` with ``psi(p) = psi(start) + pull``; None if there is no such ``p``."""
    gamma = 1 - 2 / depth
    if depth == 2:
        return log_start + pull
    share = pull * np.exp(gamma * log_start)
    return log_start - np.log1p(-share) / gamma if share.max() < 1 else None


def _relative(gap, z, depth):
    """Return a gap in the unit in which it is a mean of ``delta^2 / 2``."""
    return gap / ((1 if depth == 2 else 1 - 2 / depth) * np.sum(z ** (2 / depth)))


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
    log_start = log_start + log_factor * np.linspace(0, 1, len(z))
    log_p = _log_dual(log_start, unit * (end.multipliers @ matrix), L)
    if log_p is None:
        return np.inf
    return _relative(float(invariants.divergence(z, log_p / L, L)), z, L)


def _another(instance, share):
    """Return a solution between the end of the run and the shortest one."""
    return instance.run.stacked + share * (others(instance)[1] - instance.run.stacked)


def _pythagoras(instance, share):
    """Discrepancy of ``D(z, p) = share D(z, end) + D(end, p)``, relative, for some multipliers."""
    L, log_start = instance.flow.depth, instance.flow.depth * np.log(instance.x0)
    rows = np.cos(np.arange(len(instance.problem.b)))
    pull = rows @ instance.problem.network_matrix
    largest = np.abs(pull * np.exp((1 - 2 / L) * log_start)).max()
    log_p = _log_dual(log_start, 0.5 * pull / largest, L) / L
    end, z = instance.run.stacked, _another(instance, 0.5)
    gap = invariants.divergence(z, log_p, L)
    parts = share * invariants.divergence(z, instance.run.log_path[-1], L)
    return abs(gap - parts - invariants.divergence(end, log_p, L)) / gap


def _distance(instance, factor):
    """Distance of a solution from the end of the run over a factor times its bound by the gap."""
    L, z, end = instance.flow.depth, _another(instance, 0.01), instance.run
    gap = _relative(float(invariants.divergence(z, end.log_path[-1], L)), z, L)
    power = 2 - 2 / L
    size = np.sum(z**power) ** (1 / power)
    s = np.sqrt(2 * gap * np.sum(z ** (2 / L)) / size ** (2 / L))
    return np.abs(z - end.stacked).sum() * (1 - s) / (s * factor * size) if s < 1 else 0.0


def _plain_or_tight(rng):
    if rng.integers(2):
        return tight_instance(rng)
    return hard_instance(rng, weight_norm=False, size=(-6, -1))


def _excess_applies(instance):
    Q = instance.reached_min_l1.norm
    return arrives(instance) and bounds.excess_hypothesis(instance.x0, Q, instance.flow.depth)


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


def _shape(instance):
    """Return the shape of the start as weights, the small number, and the shortest solution."""
    L, log_x0 = instance.flow.depth, np.log(instance.x0)
    top = log_x0.max()
    weights = np.exp((2 - L) * (log_x0 - top))
    return weights, top, shortest(instance.reached, weights)


def _shape_excess(instance, weighted):
    """Excess of the (weighted) norm of the end of the run over the smallest, relative."""
    weights, _, z = _shape(instance)
    if not weighted:
        weights = np.ones_like(z)
        z = shortest(instance.reached, weights)
    return weights @ instance.run.stacked / (weights @ z) - 1


def _entropy(instance, z):
    """Return ``sum z log(z / shape) - z``, the shape having a largest entry of 1."""
    log_x0 = np.log(instance.x0)
    shape = np.exp(2 * (log_x0 - log_x0.max()))
    return np.sum(z * np.log(np.where(z > 0, z, 1.0) / shape) - z)


def _logarithmic_excess(instance, factor):
    """Excess of the norm, times log(1/s), over a factor times the constant that bounds it."""
    _, top, z = _shape(instance)
    end = instance.run.stacked
    excess = end.sum() - z.sum() - 1e-7 * z.sum()  # what HiGHS may leave
    return -2 * top * excess / (factor * (_entropy(instance, z) - _entropy(instance, end)))


def _preference(instance, sign):
    """Return by how much a shortest solution is preferred to the end of the run, relative."""
    L, (_, _, z), end = instance.flow.depth, _shape(instance), instance.run.stacked
    if L == 2:
        return sign * (_entropy(instance, end) - _entropy(instance, z)) / z.sum()
    return sign * (np.sum(z ** (2 / L)) / np.sum(end ** (2 / L)) - 1)


CLAIMS = (
    Claim(
        label="prop-plain-descent",
        statement="Along the plain flow x^L moves by -L h_n z_n^{2-2/L}, and the loss falls at the "
        "rate L sum h_n^2 z_n^{2-2/L}: it never increases.",
        sample=plain,
        parts=(
            Part(
                name="velocity",
                kind="exact",
                measured="relative difference of the two velocities",
                threshold=1e-12,
                reason=ROUNDING,
                measure=lambda i: _effective_velocity(i, 2 - 2 / i.flow.depth),
                twin="the exponent is 2 - 1/L",
                measure_twin=lambda i: _effective_velocity(i, 2 - 1 / i.flow.depth),
            ),
            Part(
                name="rate",
                kind="exact",
                measured="difference of the two rates, relative to the terms of the sum",
                threshold=1e-12,
                reason=ROUNDING,
                measure=lambda i: _dissipation(i, 2 - 2 / i.flow.depth),
                twin="the exponent is 2 - 1/L",
                measure_twin=lambda i: _dissipation(i, 2 - 1 / i.flow.depth),
            ),
            Part(
                name="descent",
                kind="upper",
                measured="largest rise of |e| over a step of the run, over |e(0)|",
                threshold=1e-8,
                reason=INTEGRATION,
                applies=finished,
                measure=lambda i: rise(i.run, 2),
                twin="the largest entry of the residual never increases",
                measure_twin=lambda i: rise(i.run, np.inf),
            ),
        ),
    ),
    Claim(
        label="prop-plain-invariant",
        statement="The plain flow moves psi_L(x^L) by -c_psi A^T e, so the part of it in the "
        "kernel of A is constant.",
        sample=plain,
        parts=(
            Part(
                name="velocity",
                kind="exact",
                measured="relative difference of the two velocities",
                threshold=1e-11,
                reason=ROUNDING,
                measure=lambda i: _mirror_velocity(i, psi_rate(i.flow.depth)),
                twin="c_psi = L - 1",
                measure_twin=lambda i: _mirror_velocity(i, i.flow.depth - 1),
            ),
            Part(
                name="invariant",
                kind="exact",
                measured="share of the motion of psi that lies in the kernel, on the whole run",
                threshold=1e-6,
                reason=INTEGRATION,
                applies=finished,
                measure=lambda i: drift(i.run, i.flow),
                twin="psi of depth L + 1",
                measure_twin=lambda i: drift(i.run, PlainFlow(i.flow.depth + 1)),
            ),
        ),
    ),
    Claim(
        label="lem-plain-bounded",
        statement="D(z, x^L) never exceeds its first value, z any solution: so x^L is bounded; and "
        "it is where there is no solution.",
        sample=_large_or_misfit,
        parts=(
            Part(
                name="divergence",
                kind="upper",
                measured="largest divergence on the run / the first, for a solution",
                threshold=1 + 1e-7,
                reason=INTEGRATION,
                applies=lambda i: _is_feasible(i) and finished(i),
                measure=lambda i: _divergence(i, i.solution),
                twin="z need not be a solution: it is twice the start",
                measure_twin=lambda i: _divergence(i, 2 * i.x0**i.flow.depth),
            ),
            Part(
                name="size",
                kind="upper",
                measured="largest size on the run / what the first divergence allows",
                threshold=1 + 1e-9,
                reason=INEQUALITY,
                applies=lambda i: _is_feasible(i) and finished(i),
                measure=lambda i: _size(i, 1.0),
                twin="half of the first divergence bounds the size",
                measure_twin=lambda i: _size(i, 0.5),
            ),
            Part(
                name="no solution",
                kind="upper",
                measured="the same, for a nonnegative point of least residual",
                threshold=1 + 1e-7,
                reason=INTEGRATION,
                applies=lambda i: not _is_feasible(i) and i.run.n_steps > 1,
                measure=lambda i: max(_divergence(i, _target(i)), _size(i, 1.0)),
                twin="for any point: here twice the start",
                measure_twin=lambda i: _divergence(i, 2 * i.x0**i.flow.depth),
            ),
        ),
    ),
    Claim(
        label="thm-plain-limit",
        statement="The plain flow converges to the solution of least divergence from the start, "
        "D = c_psi int |e|^2 dt; c_psi t |e|^2 <= D at all times, and tends to 0.",
        sample=plain,
        parts=(
            Part(
                name="limit",
                kind="exact",
                measured="relative distance between the end of the run and that solution",
                threshold=1e-6,
                reason=INTEGRATION,
                applies=arrives,
                measure=lambda i: distance_to_end(i, i.reached_limit),
                twin="the mirror map of depth L + 1",
                measure_twin=lambda i: distance_to_end(i, _other_depth(i)),
            ),
            Part(
                name="least",
                kind="upper",
                measured="divergence of the end less that of other solutions, relative",
                threshold=1e-7,
                reason=INTEGRATION,
                applies=arrives,
                measure=lambda i: _least(i, 1),
                twin="the largest divergence",
                measure_twin=lambda i: _least(i, -1),
            ),
            Part(
                name="integral",
                kind="exact",
                measured="relative difference of c_psi int |e|^2 dt and D",
                threshold=1e-5,
                reason="Simpson's rule on the steps of the integration",
                applies=arrives,
                measure=lambda i: _work(i, psi_rate(i.flow.depth)),
                twin="c_psi = L - 1",
                measure_twin=lambda i: _work(i, i.flow.depth - 1),
            ),
            Part(
                name="rate",
                kind="upper",
                measured="largest c_psi t |e|^2 / D",
                threshold=1 + 1e-6,
                reason=INTEGRATION,
                applies=arrives,
                measure=lambda i: _slowest(i, 1.0),
                twin="D / 2",
                measure_twin=lambda i: _slowest(i, 0.5),
            ),
            Part(
                name="faster",
                kind="upper",
                measured="t |e|^2 at the end of the run over its largest value",
                threshold=0.1,
                reason="at the slowest like |e|^{2/L}: 0.025 at depth 10, where |e| = 1e-8 |b|",
                applies=arrives,
                measure=lambda i: _fading(i, 2),
                twin="t |e| tends to 0",
                measure_twin=lambda i: _fading(i, 1),
            ),
        ),
    ),
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
            Part(
                name="certified",
                kind="exact",
                measured="relative distance between the end of the run and the certified limit",
                threshold=1e-6,
                reason=INTEGRATION,
                applies=arrives,
                measure=lambda i: distance_to_end(i, i.reached_limit),
                twin="the mirror map of depth L + 1",
                measure_twin=lambda i: distance_to_end(i, _other_depth(i)),
            ),
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
        label="thm-plain-l1",
        statement="The l1 norm of the plain limit exceeds the smallest one at most by the factor "
        "1 + epsilon.",
        sample=_plain_or_tight,
        parts=tuple(
            Part(
                name=name,
                kind="upper",
                measured="relative excess of the l1 norm of the run's end / epsilon",
                threshold=1 + 1e-6,
                reason="an inequality; the surplus is the tolerance of HiGHS",
                applies=at_depth(_excess_applies),
                measure=excess_over_bound,
                twin="0.8 epsilon",
                measure_twin=lambda i: excess_over_bound(i) / 0.8,
            )
            for name, at_depth in (("L = 2", at_depth_two), ("L > 2", at_larger_depth))
        ),
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
                measure=lambda i: _shape_excess(i, True),
                twin="it minimizes the l1 norm, whatever the shape",
                measure_twin=lambda i: _shape_excess(i, False),
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
