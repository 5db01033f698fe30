"""Claims on the magnification factor."""

from dataclasses import replace

import numpy as np

from wnlib.claims.common import (
    INEQUALITY,
    INTEGRATION,
    arrives,
    excess_formula,
    excess_over_bound,
    excess_parts,
    tight_instance,
    weight_norm,
    without_small_start,
)
from wnlib.claims.instances import Instance, hard_instance
from wnlib.claims.rho import (
    log_rho_of,
    magnified,
    magnified_to_solution,
    rho_part,
    rho_scale,
    stalls,
)
from wnlib.flows import WeightNormFlow
from wnlib.ledger import Claim, Part
from wnlib.theory import bounds, invariants


def _log_rho_without_lengths(instance):
    """Leave out the factor (r_0 / r)^L."""
    growth = instance.run.radius / np.linalg.norm(instance.x0)
    return log_rho_of(instance) + instance.flow.depth * np.log(growth)


def _tight_weight_norm(rng):
    """Draw a practical start that weight normalization takes to a nearly tight plain limit.

    Half of the final squared radius R lies in the start, and the ratio is such that rho turns it
    into the tiny start of :func:`tight_instance`: R/2 = R - ratio log(R / |x_tiny|^2).
    """
    tight = tight_instance(rng)
    R = 2 ** (2 / tight.flow.depth)  # at (0, 2)
    tiny = np.sum(tight.x0**2)
    ratio = R / 2 / np.log(R / tiny)
    flow = WeightNormFlow(tight.flow.depth, ratio)
    return Instance(flow, tight.problem, tight.x0 * np.sqrt(R / 2 / tiny))


def _tight_or_small(rng):
    if rng.integers(2):
        return _tight_weight_norm(rng)
    return hard_instance(rng, weight_norm=True, size=(-3, 0))


def _corollary_applies(instance):
    if not arrives(instance):
        return False
    Q, L = instance.reached_min_l1.norm, instance.flow.depth
    return bool(bounds.excess_hypothesis(L, instance.x0, Q, log_rho_of(instance)))


def _excess(instance):
    return excess_over_bound(instance, log_rho_of(instance))


def _near_the_mean(rng):
    """Draw, half of the time, a ratio close to the logarithmic mean of the two squared radii."""
    drawn = hard_instance(rng, weight_norm=True, size=(-2, 2))
    if rng.integers(2):
        return drawn
    L, R0 = drawn.flow.depth, np.sum(drawn.x0**2)
    R = drawn.min_l1.norm ** (2 / L) * rng.uniform(1, 1.5)
    ratio = invariants.logarithmic_mean(R0, R) * 10 ** rng.uniform(-0.15, 0.15)
    return replace(drawn, flow=WeightNormFlow(L, ratio))


def _fitted_radii(instance):
    """Return the fitted log rho, its accuracy, and the squared radii it belongs to; or None."""
    if instance.fitted is None:
        return None
    value, accuracy, k = instance.fitted
    R = instance.run.radius_path**2
    return value, accuracy, R[0], R[k]


def _mean_criterion(instance, mean):
    """Difference between log rho, fitted to the run, and the formula with a mean, relative."""
    if (found := _fitted_radii(instance)) is None:
        return None
    value, accuracy, R0, R = found
    L, ratio = instance.flow.depth, instance.flow.ratio
    formula = L / 2 * (R - R0) * (1 / ratio - 1 / mean(R0, R))
    return max(0.0, abs(formula - value) - accuracy) / (1 + L / 2 * abs(R - R0) / ratio)


def _sign(instance, criterion):
    """Return 1 if the sign of the fitted log rho is not what a criterion says."""
    if (found := _fitted_radii(instance)) is None or abs(found[0]) <= 10 * found[1]:
        return None
    value, _, R0, R = found
    return float((value > 0) != criterion(instance.flow.ratio, R0, R))


def _short_radius(instance, Q):
    """Shortfall of the final squared radius below Q^{2/L}, relative."""
    return 1 - instance.run.radius**2 / Q ** (2 / instance.flow.depth)


def _least_radius(instance):
    """Return ``Q^{1/L}``."""
    return instance.reached_min_l1.norm ** (1 / instance.flow.depth)


def _has_small_ratio(instance):
    return arrives(instance) and instance.flow.ratio <= _least_radius(instance) ** 2


def _at_least_radius(instance):
    """Log rho as if the final length were the least, minus log rho, relative to its larger term."""
    formula = instance.flow.log_rho(np.linalg.norm(instance.x0), _least_radius(instance))
    return (formula - log_rho_of(instance)) / rho_scale(instance)


def _rho_bound(instance, Q, surplus=0.0):
    """Bound minus log rho, relative to the larger term of log rho."""
    bound = bounds.log_rho_lower_bound(instance.flow, instance.x0, Q)
    return (bound + surplus - log_rho_of(instance)) / rho_scale(instance)


def _telling_ratio(rng):
    """Draw a ratio far below the squared radius of each solution, or near it, or any."""
    drawn = weight_norm(rng)
    least = drawn.min_l1.norm ** (2 / drawn.flow.depth)
    factor = rng.choice([0.05, rng.uniform(0.7, 1.4), drawn.flow.ratio / least])
    return replace(drawn, flow=WeightNormFlow(drawn.flow.depth, factor * least))


ENDS = Part(
    name="ends",
    kind="exact",
    measured="relative distance between the end of the run and that plain limit",
    threshold=1e-5,
    reason=INTEGRATION,
    applies=arrives,
    measure=lambda i: magnified(i, log_rho_of(i)),
    twin="rho without the factor (r_0 / r)^L",
    measure_twin=lambda i: magnified(i, _log_rho_without_lengths(i)),
)
RADIUS = Part(
    name="radius",
    kind="lower",
    measured="shortfall of the final squared radius below Q^{2/L}, relative",
    threshold=1e-6,
    reason="equality is possible; the rest is the tolerance of HiGHS",
    applies=arrives,
    measure=lambda i: _short_radius(i, i.reached_min_l1.norm),
    twin="1.1 Q in place of Q",
    measure_twin=lambda i: _short_radius(i, 1.1 * i.reached_min_l1.norm),
)

CLAIMS = (
    Claim(
        label="thm-magnification",
        statement="Weight normalization ends where the plain flow from start / rho ends; rho "
        "from the two radii.",
        sample=weight_norm,
        parts=(
            ENDS,
            replace(
                ENDS,
                name="no stall",
                twin="also where it stalls",
                measure_twin=magnified_to_solution,
                twin_applies=stalls,
            ),
            rho_part(),
        ),
    ),
    Claim(
        label="cor-wn-l1",
        statement="Theorem 2.1 holds for weight normalization with start / rho in place of the "
        "start.",
        sample=_tight_or_small,
        parts=(
            *excess_parts(_corollary_applies, _excess),
            without_small_start(_corollary_applies, lambda i: excess_formula(i, log_rho_of(i))),
            rho_part(),
        ),
    ),
    Claim(
        label="prop-logarithmic-mean",
        statement="log rho = (L/2) (R - R0) (1/ratio - 1/Lambda), Lambda the logarithmic mean of "
        "R0 and R: a growing length magnifies if ratio < Lambda, a shrinking one if "
        "ratio > Lambda.",
        sample=_near_the_mean,
        parts=(
            Part(
                name="formula",
                kind="exact",
                measured="difference from the log rho fitted to the run, relative",
                threshold=1e-4,
                reason="the regression may lose five digits of the integration",
                measure=lambda i: _mean_criterion(i, invariants.logarithmic_mean),
                twin="the arithmetic mean",
                measure_twin=lambda i: _mean_criterion(i, lambda a, b: (a + b) / 2),
            ),
            Part(
                name="criterion",
                kind="exact",
                measured="1 if the fitted log rho has not the sign that is claimed",
                threshold=0.0,
                reason="yes or no, where the regression is accurate enough to tell",
                measure=lambda i: _sign(i, invariants.magnifies),
                twin="a shrinking length, too, magnifies if ratio < Lambda",
                measure_twin=lambda i: _sign(
                    i, lambda ratio, a, b: ratio < invariants.logarithmic_mean(a, b)
                ),
            ),
            rho_part(),
        ),
    ),
    Claim(
        label="prop-rho-bound",
        statement="R >= Q^{2/L}; log rho is at least its value at the squared radius "
        "max(ratio, Q^{2/L}), and at least that at the squared radius ratio.",
        sample=_telling_ratio,
        parts=(
            RADIUS,
            replace(
                RADIUS,
                name="no stall",
                twin="also where it stalls",
                measure_twin=lambda i: _short_radius(i, i.min_l1.norm),
                twin_applies=stalls,
            ),
            Part(
                name="bound",
                kind="lower",
                measured="(bound - log rho) / (1 + its larger term)",
                threshold=1e-6,
                reason="equality is possible; the rest is the tolerance of HiGHS",
                applies=arrives,
                measure=lambda i: _rho_bound(i, i.reached_min_l1.norm),
                twin="1.1 Q in place of Q",
                measure_twin=lambda i: _rho_bound(i, 1.1 * i.reached_min_l1.norm),
            ),
            Part(
                name="small ratio",
                kind="lower",
                measured="(log rho as of the radius Q^{1/L} - log rho) / (1 + its larger term)",
                threshold=1e-6,
                reason="equality is possible; the rest is the tolerance of HiGHS",
                applies=_has_small_ratio,
                measure=_at_least_radius,
                twin="the ratio may exceed Q^{2/L}",
                measure_twin=_at_least_radius,
                twin_applies=arrives,
            ),
            Part(
                name="for any Q",
                kind="lower",
                measured="the same with Q = 0",
                threshold=1e-6,
                reason=INEQUALITY,
                applies=arrives,
                measure=lambda i: _rho_bound(i, 0.0),
                twin="0.1 L more",
                measure_twin=lambda i: _rho_bound(i, 0.0, 0.1 * i.flow.depth),
            ),
            rho_part(),
        ),
    ),
)
