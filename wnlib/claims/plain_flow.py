"""Claims of the chapter on the plain flow."""

from dataclasses import replace

import numpy as np
from scipy.optimize import nnls

from wnlib.claims.common import (
    INEQUALITY,
    INTEGRATION,
    ROUNDING,
    arrives,
    at_depth_two,
    descent_part,
    drift,
    finished,
    misfit_at_start,
    others,
    plain,
    plain_limit_part,
    relative,
    with_one_weight,
    without_solution,
)
from wnlib.claims.instances import hard_instance
from wnlib.flows import PlainFlow, psi_rate, squared_radius
from wnlib.ledger import Claim, Part
from wnlib.problems import Problem
from wnlib.theory import potentials

SIMPSON = "Simpson's rule on the steps of the integration"


def _point(instance):
    """Residual, gradient ``h`` and ``x'`` at the start."""
    return *misfit_at_start(instance), instance.flow.velocity(instance.problem, instance.x0)


def _effective_velocity(instance, power):
    """Discrepancy of ``d/dt x^L = -L z^power h``, relative."""
    L, x, (_, h, dx) = instance.flow.depth, instance.x0, _point(instance)
    dz = L * x ** (L - 1) * dx
    return relative(dz + L * x ** (L * power) * h, dz)


def _lost(instance, power):
    """Discrepancy of ``int L sum h^2 z^power dt`` and what ``|e|^2/2`` loses on the run."""
    run, L = instance.run, instance.flow.depth
    h = run.flow.misfit(run.problem, run.path) @ run.problem.network_matrix
    lost = L * (run.loss_path[0] - run.loss_path[-1])
    return abs(run.integral(L * np.sum(h**2 * run.path ** (L * power), axis=1))[-1] / lost - 1)


def _mirror_velocity(instance, rate):
    """Discrepancy of ``d/dt psi(x^L) = -rate A^T e``, relative."""
    L, x, (_, h, dx) = instance.flow.depth, instance.x0, _point(instance)
    dpsi = 2 * dx / x if L == 2 else (L - 2) * x ** (1 - L) * dx
    return relative(dpsi + rate * h, dpsi)


def _target(instance):
    """Return a nonnegative point of least residual: a solution, if there is one."""
    return nnls(instance.problem.network_matrix, instance.problem.b)[0]


def _divergence(instance, z):
    """Largest divergence D(z, x^L) on the path after the start, over that at the start."""
    start, *path = potentials.divergence(instance.flow, z, instance.run.log_path)
    return max(path) / start


def _size(instance, factor):
    """Largest size of x^L on the path over what the divergence at the start allows."""
    L, target, run = instance.flow.depth, _target(instance), instance.run
    start = potentials.divergence(instance.flow, target, run.log_path[0])
    R = np.sum(run.path**2, axis=-1).max()
    if L == 2:
        q = target.sum()
        return max(0.0, R - q - q * np.log(R / q)) / (factor * start)
    return (L / 2 - 1) * R / (factor * start + L / 2 * squared_radius(target, L))


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
    return float(potentials.divergence(run.flow, run.stacked, run.log_path[0]))


def _least(instance, order):
    """Divergence of the end from the start less that of other solutions, relative; or reversed."""
    least, start = _divergence_of_end(instance), np.log(instance.x0)
    gaps = [least / potentials.divergence(instance.flow, z, start) - 1 for z in others(instance)]
    return max(order * np.array(gaps))


def _work(instance, rate):
    """Discrepancy of ``rate int <e, e - e(T)> dt = D(x(T)^L, x0^L)``, relative."""
    run = instance.run
    e = run.flow.misfit(run.problem, run.path)
    spent = rate * run.integral(np.sum(e * (e - e[-1]), axis=1))[-1]
    return abs(spent / _divergence_of_end(instance) - 1)


def _slowest(instance, factor):
    """Largest ``c_psi t |e|^2`` over a factor times the divergence that bounds it."""
    run = instance.run
    slowest = np.max(run.times * run.misfit_path**2)
    return psi_rate(run.flow.depth) * slowest / (factor * _divergence_of_end(instance))


def _fading(instance, power):
    """Return ``t |e|^power`` at the end of the run over its largest value on the way."""
    run = instance.run
    product = run.times * run.misfit_path**power
    return product[-1] / product.max()


FASTER = Part(
    name="faster",
    kind="upper",
    measured="t |e|^2 at the end of the run over its largest value",
    threshold=0.1,
    reason="at the slowest like |e|^{2/L}: 0.025 at depth 10, where |e| = 1e-8 |b|",
    applies=arrives,
    measure=lambda i: _fading(i, 2),
    twin="t |e| tends to 0",
    measure_twin=lambda i: _fading(i, 1),
)

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
                measured="relative difference of the integral of the rate over the run and what "
                "|e|^2/2 loses there",
                threshold=1e-5,
                reason=SIMPSON,
                applies=finished,
                measure=lambda i: _lost(i, 2 - 2 / i.flow.depth),
                twin="the exponent is 2 - 1/L",
                measure_twin=lambda i: _lost(i, 2 - 1 / i.flow.depth),
            ),
            descent_part(1e-8),
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
            plain_limit_part("limit", "that solution"),
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
                reason=SIMPSON,
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
            FASTER,
            replace(
                FASTER,
                name="a solution",
                twin="also where there is no solution",
                measure_twin=lambda i: _fading(without_solution(i), 2),
                twin_applies=at_depth_two(arrives),  # where it costs few steps
            ),
            replace(
                FASTER,
                name="a positive start",
                twin="all weights of the start but one vanish",
                measure_twin=lambda i: _fading(with_one_weight(i), 2),
                twin_applies=at_depth_two(arrives),
            ),
        ),
    ),
)
