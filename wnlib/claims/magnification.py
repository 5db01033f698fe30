"""Claims of the chapter on magnification."""

from dataclasses import replace

import numpy as np
from scipy.special import gamma, gammainc, gammaincc

from wnlib import bounds, invariants
from wnlib.claims.claim import (
    ENDS,
    INEQUALITY,
    INTEGRATION,
    Claim,
    always,
    converges,
    distance_to_end,
    excess_over_bound,
    shortest,
    solution,
    tight_instance,
    weight_norm,
)
from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.instances import Instance, random_instance
from wnlib.integrate import integrate
from wnlib.limits import limit
from wnlib.linear_program import min_l1
from wnlib.problems import Problem
from wnlib.trajectories import Status


def _drift(instance, flow):
    return invariants.drift(replace(instance.path, flow=flow))


def _lyapunov_rate(instance, radial):
    """Return V' of the Lyapunov function at the start over its rate in the book, less 1.

    ``V = sum z_n phi(v_n) + radial * (its part in r)``, differentiated by the chain rule at the
    velocity of the flow.
    """
    flow, problem, z = instance.flow, instance.problem, solution(instance)
    L, ratio, r = flow.depth, flow.ratio, np.linalg.norm(instance.x0)
    v = instance.x0 / r
    dr, dv = flow.velocity(problem, r, v)
    e = problem.network_matrix @ instance.x0**L - problem.b
    if L == 2:
        rate = -np.sum(z * dv / v) + radial * (r**2 - z.sum()) * r * dr / ratio
        return abs(rate / (r**2 * (e @ e)) + 1)
    # divided by (L-2) e^{-omega R}, which could underflow
    pull = np.sum(z * v ** (2 - L)) - radial * r**L
    rate = -np.sum(z * v ** (1 - L) * dv) - r * dr / ratio * pull
    return abs(rate / (r**L * (e @ e)) + 1)


def _dichotomy(instance):
    """Return 0 if the loss tends to zero, or else never falls below that of zero; 1 otherwise."""
    end = instance.end
    if end.status is Status.CONVERGED:
        return 0.0
    residuals = end.problem.residual(end.effective_path)
    return float(end.status is not Status.STALLED or residuals.min() < 1 - 1e-9)


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
    """Difference between log rho, fitted to the path, and the formula with a mean, relative."""
    flow, x0, x = instance.flow, instance.x0, instance.path.weights
    R0, R = x0 @ x0, x @ x
    formula = flow.depth / 2 * (R - R0) * (1 / flow.ratio - 1 / mean(R0, R))
    fitted = invariants.fitted_log_rho(instance.problem, flow.depth, x0, x)
    return abs(formula - fitted) / (flow.depth * abs(R - R0) / flow.ratio)


def _scalar_equation(instance):
    """Distance of the limit from the end, or by how much the two inequalities fail."""
    potential = _potential(instance, instance.limit.stacked)
    other = _potential(instance, solution(instance))
    slope, least = _rate(instance)
    too_high = (potential - other) / (abs(potential) + abs(other))
    return max(distance_to_end(instance, instance.limit), too_high, 1 - slope / least)


def _potential(instance, z):
    """Return Psi(z), which weight normalization minimizes over the solutions."""
    L, ratio, R0 = instance.flow.depth, instance.flow.ratio, np.sum(instance.x0**2)
    v0 = instance.x0 / np.sqrt(R0)
    if L == 2:
        entropy = np.sum(z * np.log(np.where(z > 0, z, 1.0) / (z.sum() * v0**2)))
        return entropy + (z.sum() - R0) ** 2 / (2 * ratio)
    k = (L - 2) / (2 * ratio)
    # the integral of e^{-k t^{2/L}} to |z|_{2/L}, by t = (tau / k)^{L/2}
    integral = gamma(L / 2 + 1) * k ** (-L / 2) * gammainc(L / 2, k * np.sum(z ** (2 / L)))
    return np.exp(-k * R0) * np.sum(z / v0 ** (L - 2)) - integral


def _rate(instance, h=1e-4):
    """Slope of the scalar equation at its root, by a difference quotient, and its lower bound."""
    flow, problem, x0 = instance.flow, instance.problem, instance.x0
    log_rho = instance.limit.log_rho

    def excess(s):
        end = limit(PlainFlow(flow.depth), problem, x0 * np.exp(-s / flow.depth))
        return s - invariants.log_rho(flow, x0, end.weights)

    slope = (excess(log_rho + h) - excess(log_rho - h)) / (2 * h)
    return slope, min(1.0, instance.limit.radius**2 / flow.ratio)


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


def _short_start(rng):
    """Draw a start shorter than the solutions of least (weighted) norm, and a ratio."""
    if rng.integers(2):
        return _two_weights(rng)
    drawn = random_instance(rng, weight_norm=True)
    R = np.sum(shortest(drawn.problem, _weights(drawn)) ** (2 / drawn.flow.depth))
    x0 = drawn.x0 * np.sqrt(rng.uniform(0.05, 0.98) * R / np.sum(drawn.x0**2))
    flow = WeightNormFlow(drawn.flow.depth, 10 ** rng.uniform(-2, 1))
    return replace(drawn, flow=flow, x0=x0)


def _two_weights(rng):
    """Draw ``z_1 + 0.95 z_2 = 1`` and a start that attains more than half of the bound."""
    first, ratio = 10 ** rng.uniform(-3.3, -2.7), 10 ** rng.uniform(-2.4, -2.2)
    x0 = np.sqrt(0.1) * np.array([first, np.sqrt(1 - first**2)])
    return Instance(WeightNormFlow(2, ratio), Problem([[1.0, 0.95]], [1.0]), x0)


def _weights(instance):
    """Return ``v_0^{-(L-2)}``: ones for depth 2."""
    return (instance.x0 / np.linalg.norm(instance.x0)) ** (2 - instance.flow.depth)


def _excess_of_limit(instance, factor):
    """Excess of the (weighted) norm of the limit over a factor times its bound."""
    L, ratio, R0 = instance.flow.depth, instance.flow.ratio, np.sum(instance.x0**2)
    weights = _weights(instance)
    z = shortest(instance.problem, weights)
    excess = weights @ (instance.limit.stacked - z)
    if L == 2:
        Q, on = z.sum(), z > 0
        K = z[on] / Q @ np.log(z[on] / Q * R0 / instance.x0[on] ** 2)
        return excess / (factor * Q * ratio * K / (Q - R0))
    k = (L - 2) / (2 * ratio)
    tail = gamma(L / 2 + 1) * k ** (-L / 2) * gammaincc(L / 2, k * np.sum(z ** (2 / L)))
    allowed = factor * np.exp(k * R0) * tail
    # smaller bounds drown in the tolerance of the linear program
    return (excess - 1e-7 * z.sum()) / allowed


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
        label="prop-wn-converges",
        statement="V_z falls at the rate c_psi eta_u r^L e^{-omega R} |e|^2; so the flow converges "
        "to a solution, or r -> 0 while |e| >= |b|.",
        kind="exact",
        measured="relative difference of the two rates; 1 if the flow does neither",
        threshold=1e-10,
        reason="rounding, where the terms with <h, v^L> cancel",
        sample=_any_side,
        measure=lambda i: max(_lyapunov_rate(i, 1.0), _dichotomy(i)),
        twin="V_z without its part in r",
        measure_twin=lambda i: _lyapunov_rate(i, 0.0),
    ),
    Claim(
        label="thm-magnification",
        statement="Weight normalization ends where the plain flow from start / rho ends; rho "
        "from the two radii.",
        kind="exact",
        measured="relative distance between the two ends",
        threshold=1e-7,
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
        measured="difference from the log rho fitted to the path, relative to the first term",
        threshold=1e-7,
        reason=INTEGRATION,
        sample=weight_norm,
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
        "the plain limits, of slope min(1, R / ratio) or more, and minimizes Psi.",
        kind="exact",
        measured="relative distance between the solution and the end of the integrated flow, or "
        "violation of an inequality",
        threshold=1e-7,
        reason=ENDS,
        sample=weight_norm,
        applies=converges,
        measure=_scalar_equation,
        twin="rho = 1",
        measure_twin=lambda i: _magnified(i, 0.0),
    ),
    Claim(
        label="prop-entropy-bound",
        statement="From a start shorter than the solution of least (weighted) norm, the excess of "
        "that norm is at most Q ratio K / (Q - R0), for L > 2 an integral exponentially small.",
        kind="upper",
        measured="excess of the norm / its bound",
        threshold=1 + 1e-9,
        reason=INEQUALITY,
        sample=_short_start,
        applies=converges,
        measure=lambda i: _excess_of_limit(i, 1.0),
        twin="half of the bound",
        measure_twin=lambda i: _excess_of_limit(i, 0.5),
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
