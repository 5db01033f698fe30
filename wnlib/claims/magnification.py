"""Claims of the chapter on magnification."""

from dataclasses import replace

import numpy as np

from wnlib import bounds, invariants
from wnlib.claims.claim import (
    ENDS,
    INEQUALITY,
    INTEGRATION,
    ROUNDING,
    Claim,
    always,
    converges,
    distance_to_end,
    excess_over_bound,
    tight_instance,
    weight_norm,
)
from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.instances import Instance, random_instance
from wnlib.integrate import integrate
from wnlib.limits import limit, min_l1


def _drift(instance, flow):
    return invariants.drift(replace(instance.path, flow=flow))


def _magnified(instance, log_rho):
    """Distance between the end of the flow and the plain limit from start / rho, relative."""
    L = instance.flow.depth
    smaller = instance.x0 * np.exp(-log_rho / L)
    return distance_to_end(instance, limit(PlainFlow(L), instance.problem, smaller))


def _measured_log_rho(instance):
    return invariants.log_rho(instance.flow, instance.x0, instance.end.weights)


def _log_rho_without_lengths(instance):
    """Leave out the factor (r_0 / r)^L."""
    growth = instance.end.radius / np.linalg.norm(instance.x0)
    return _measured_log_rho(instance) + instance.flow.depth * np.log(growth)


def _tight_weight_norm(rng):
    """Draw a practical start that weight normalization takes to a nearly tight plain limit.

    Half of the final squared radius R lies in the start, and the ratio is such that rho turns it
    into the tiny start of :func:`tight_instance`: R/2 = R - ratio log(R / |x_tiny|^2).
    """
    tight = tight_instance(rng)
    R = np.sum(tight.limit.weights**2)
    tiny = np.sum(tight.x0**2)
    ratio = R / 2 / np.log(R / tiny)
    flow = WeightNormFlow(tight.flow.depth, ratio)
    return Instance(flow, tight.problem, tight.x0 * np.sqrt(R / 2 / tiny))


def _corollary_applies(instance):
    if not converges(instance):
        return False
    Q, L = instance.min_l1.norm, instance.flow.depth
    return bounds.excess_hypothesis(instance.x0, Q, L, instance.limit.log_rho)


def _mean_criterion(instance, mean):
    """Difference between log rho of the radii and its form with a mean of them, relative."""
    flow, R0, R = instance.flow, np.sum(instance.x0**2), instance.limit.radius**2
    formula = flow.depth / 2 * (R - R0) * (1 / flow.ratio - 1 / mean(R0, R))
    log_rho = invariants.log_rho(flow, instance.x0, instance.limit.weights)
    return abs(formula - log_rho) / (flow.depth * abs(R - R0) / flow.ratio)


def _rho_bound(instance, inflation):
    """Bound minus log rho, relative to its largest term."""
    flow, Q = instance.flow, instance.min_l1.norm
    bound = bounds.log_rho_lower_bound(instance.x0, inflation * Q, flow.depth, flow.ratio)
    log_rho = instance.limit.log_rho
    return (bound - log_rho) / (1 + abs(bound) + abs(log_rho))


def _small_ratio(rng):
    """Draw a ratio below the squared radius of each solution."""
    drawn = weight_norm(rng)
    ratio = 0.05 * min_l1(drawn.problem).norm ** (2 / drawn.flow.depth)
    return replace(drawn, flow=WeightNormFlow(drawn.flow.depth, ratio))


def _any_side(rng):
    """Draw a start whose weights lean, half of the time, towards the columns that oppose b."""
    drawn = random_instance(rng, weight_norm=True)
    opposed = drawn.problem.network_matrix.T @ drawn.problem.b < 0
    larger = opposed if rng.integers(2) else ~opposed
    return replace(drawn, x0=drawn.x0 * np.where(larger, 0.5, 0.05))


def _headroom(instance):
    """Return ``|b| - |A x0^L - b|``."""
    problem, effective = instance.problem, instance.x0**instance.flow.depth
    misfit = np.linalg.norm(problem.network_matrix @ effective - problem.b)
    return np.linalg.norm(problem.b) - misfit


def _stall(instance):
    """Twice the residual reached; or the least r^L that is admissible over the least reached."""
    run = integrate(instance.flow, instance.problem, instance.x0, 1e12, residual_tol=1e-2)
    reached = run.radius_path.min() ** instance.flow.depth
    least = _headroom(instance) / np.linalg.norm(instance.problem.network_matrix, 2)
    return max(2 * run.residual, least / max(reached, 1e-300))


CLAIMS = (
    Claim(
        label="prop-wn-invariant",
        statement="The part of psi_L(kappa^L x^L) in the kernel of A is constant, "
        "kappa = e^{r^2/2ratio}/r.",
        kind="exact",
        measured="share of the motion of psi that lies in the kernel",
        threshold=1e-7,
        reason=INTEGRATION,
        sample=weight_norm,
        measure=lambda i: _drift(i, i.flow),
        twin="the invariant of the plain flow",
        measure_twin=lambda i: _drift(i, PlainFlow(i.flow.depth)),
    ),
    Claim(
        label="thm-magnification",
        statement="Weight normalization ends where the plain flow from start / rho ends; rho "
        "from the two radii.",
        kind="exact",
        measured="relative distance between the two ends",
        threshold=1e-6,
        reason=ENDS,
        sample=weight_norm,
        applies=converges,
        measure=lambda i: _magnified(i, _measured_log_rho(i)),
        twin="rho without the factor (r_0 / r)^L",
        measure_twin=lambda i: _magnified(i, _log_rho_without_lengths(i)),
    ),
    Claim(
        label="cor-wn-l1",
        statement="Theorem 2.1 holds for weight normalization with start / rho in place of the "
        "start.",
        kind="upper",
        measured="relative excess of the l1 norm / epsilon",
        threshold=1 + 1e-9,
        reason=INEQUALITY,
        sample=lambda rng: _tight_weight_norm(rng) if rng.integers(2) else weight_norm(rng),
        applies=_corollary_applies,
        measure=lambda i: excess_over_bound(i, i.limit.log_rho),
        twin="0.8 epsilon",
        measure_twin=lambda i: excess_over_bound(i, i.limit.log_rho) / 0.8,
    ),
    Claim(
        label="prop-logarithmic-mean",
        statement="log rho = (L/2) (R - R0) (1/ratio - 1/Lambda), Lambda the logarithmic mean of "
        "R0 and R.",
        kind="exact",
        measured="difference of the two, relative to the first term",
        threshold=1e-11,
        reason=ROUNDING,
        sample=weight_norm,
        applies=converges,
        measure=lambda i: _mean_criterion(i, invariants.logarithmic_mean),
        twin="the arithmetic mean",
        measure_twin=lambda i: _mean_criterion(i, lambda a, b: (a + b) / 2),
    ),
    Claim(
        label="prop-rho-bound",
        statement="log rho is at least its value at the squared radius max(ratio, Q^{2/L}).",
        kind="lower",
        measured="(bound - log rho) / (1 + |bound| + |log rho|)",
        threshold=1e-9,
        reason="equality is possible; the rest is the error of the limit and of the linear program",
        sample=lambda rng: _small_ratio(rng) if rng.integers(2) else weight_norm(rng),
        applies=converges,
        measure=lambda i: _rho_bound(i, 1.0),
        twin="1.1 Q in place of Q",
        measure_twin=lambda i: _rho_bound(i, 1.1),
    ),
    Claim(
        label="prop-wn-limit",
        statement="The limit of weight normalization solves one scalar equation for log rho on "
        "the plain limits.",
        kind="exact",
        measured="relative distance between the solution and the end of the integrated flow",
        threshold=1e-6,
        reason=ENDS,
        sample=weight_norm,
        applies=converges,
        measure=lambda i: distance_to_end(i, i.limit),
        twin="rho = 1",
        measure_twin=lambda i: _magnified(i, 0.0),
    ),
    Claim(
        label="prop-stall",
        statement="If |A x0^L - b| < |b|, weight normalization does not stall: "
        "r^L >= (|b| - |A x0^L - b|) / |A|.",
        kind="upper",
        measured="2 (relative residual reached), or the bound over the least r^L on the way",
        threshold=1.0,
        reason="a stalled flow stays at 2 or above, all others get below 0.02",
        sample=_any_side,
        applies=lambda i: _headroom(i) > 0,
        measure=_stall,
        twin="from any start",
        measure_twin=_stall,
        twin_applies=always,
    ),
)
