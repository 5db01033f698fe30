"""Claims of the chapter on magnification."""

from dataclasses import replace

import numpy as np

from wnlib import bounds, invariants
from wnlib.claims.claim import Claim, Part, always
from wnlib.claims.common import (
    INEQUALITY,
    INTEGRATION,
    ROUNDING,
    arrives,
    at_depth_two,
    at_larger_depth,
    distance_to_end,
    excess_over_bound,
    finished,
    shortest,
    tight_instance,
    weight_norm,
)
from wnlib.claims.plain_flow import drift
from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.instances import Instance, hard_instance
from wnlib.limits import limit
from wnlib.problems import Problem
from wnlib.stalling import stalls
from wnlib.trajectories import Status

# ------------------------------------------------------------------ the invariant, convergence


def _mirror_velocity(instance, with_kappa):
    """Discrepancy of ``d/dt psi(kappa^L x^L) = -c_psi c A^T e``, over ``c_psi kappa^{-(L-2)}``."""
    flow, problem, x = instance.flow, instance.problem, instance.x0
    L, r = flow.depth, np.linalg.norm(instance.x0)
    h = problem.network_matrix.T @ (problem.network_matrix @ x**L - problem.b)
    dr, dv = flow.velocity(problem, r, x / r)
    # x'/x = r'/r + v'/v; the derivative of log kappa, by a complex step
    dlog_kappa = flow.log_kappa(r + 1e-30j).imag / 1e-30 if with_kappa else 0.0
    terms = x ** (2 - L) * np.array([dr / r + 0 * x, dv * r / x, dlog_kappa * dr + 0 * x])
    return np.linalg.norm(terms.sum(axis=0) + r**2 * h) / np.linalg.norm(np.abs(terms).sum(axis=0))


def _any_side(rng):
    """Draw a start whose weights lean, most of the time, towards the columns that oppose b."""
    drawn = hard_instance(rng, weight_norm=True, size=(-3, 1))
    opposed = drawn.problem.network_matrix.T @ drawn.problem.b < 0
    larger = opposed if rng.random() < 0.7 else ~opposed
    return replace(drawn, x0=drawn.x0 * np.where(larger, 1.0, 0.1))


def _lyapunov_rate(instance, radial):
    """Return V' of the Lyapunov function at the start less its rate in the book, relative.

    ``V = sum z_n phi(v_n) + radial * (its part in r)``, differentiated by the chain rule at the
    velocity of the flow.
    """
    flow, problem, z = instance.flow, instance.problem, instance.solution
    L, ratio, r = flow.depth, flow.ratio, np.linalg.norm(instance.x0)
    v = instance.x0 / r
    dr, dv = flow.velocity(problem, r, v)
    e = problem.network_matrix @ instance.x0**L - problem.b
    # divided by c_psi e^{-omega R}, which could underflow
    lift = z * v ** (2 - L)
    terms = [-lift * dv / v, -lift * r * dr / ratio, radial * r ** (L + 1) * dr / ratio]
    rate = sum(np.sum(term) for term in terms) + r**L * (e @ e)
    return abs(rate) / (sum(np.abs(term).sum() for term in terms) + r**L * (e @ e))


def _dichotomy(instance):
    """Return how far the run is from a solution; or from a stall, which never beats zero."""
    run = instance.run
    if run.status is Status.CONVERGED:
        return run.residual
    lowest = run.problem.residual(run.effective_path).min()
    return max(1 - lowest, abs(run.residual - 1))


def _long(instance, factor):
    """Largest distance of R from the norm of a solution over what is allowed, depth 2."""
    z, ratio, R = instance.solution, instance.flow.ratio, instance.run.radius_path**2
    q, on = z.sum(), z > 0
    entropy = z[on] @ np.log(z[on] / q * R[0] / instance.x0[on] ** 2)
    return np.abs(R - q).max() / np.sqrt(factor * 2 * ratio * entropy + (R[0] - q) ** 2)


def _says_stall(instance):
    """Return `stalls`, or None if it is undecided."""
    try:
        return stalls(instance.flow, instance.problem, instance.x0)
    except RuntimeError:
        return None


def _disagrees(answer, instance):
    """Return 1 if an answer to "does it stall?" is not that of the run."""
    return None if answer is None else float(answer != (instance.run.status is Status.STALLED))


# ------------------------------------------------------------------ the magnification


def _log_rho(instance):
    """Return log rho from the lengths at the two ends of the run."""
    return float(invariants.log_rho(instance.flow, instance.x0, instance.run.weights))


def _magnified(instance, log_rho):
    """Distance between the end of the run and the plain limit from start / rho, relative."""
    L = instance.flow.depth
    with np.errstate(over="ignore", under="ignore"):
        smaller = instance.x0 * np.exp(-log_rho / L)
    if not (smaller.min() > 1e-290 and smaller.max() < 1e100 ** (2 / L)):
        return None
    return distance_to_end(instance, limit(PlainFlow(L), instance.reached, smaller))


def _log_rho_without_lengths(instance):
    """Leave out the factor (r_0 / r)^L."""
    growth = instance.run.radius / np.linalg.norm(instance.x0)
    return _log_rho(instance) + instance.flow.depth * np.log(growth)


def _rho_scale(instance):
    """Return one plus the larger term of log rho, to which rounding and residuals are relative."""
    R = max(np.sum(instance.x0**2), instance.run.radius**2)
    return 1 + instance.flow.depth * R / (2 * instance.flow.ratio)


def _rho_reported(instance, factor):
    """Largest difference between log rho as fitted, as of the lengths, and as `limit` says."""
    run, found, exact = instance.run, instance.fitted, instance.reached_limit
    if found is None or exact.status is not Status.CONVERGED or _hangs_on_rounding(run):
        return None
    value, _, k = found
    formula = float(invariants.log_rho(run.flow, run.path[0], run.path[k]))
    reported = abs(factor * exact.log_rho - _log_rho(instance))
    return max(abs(value - formula) / (1 + abs(value)), reported / _rho_scale(instance))


def _hangs_on_rounding(run):
    """Tell whether entries of the size of rounding errors decide the squared radius, and log rho.

    At large depths z^{2/L} is steep where z vanishes: 1e-16 to the 1/5 is 6e-4.
    """
    z, L = run.stacked, run.flow.depth
    unknown = np.sum((z + 1e-15 * z.max()) ** (2 / L) - z ** (2 / L))
    return L / 2 * unknown * abs(1 / run.flow.ratio - 1 / run.radius**2) > 1e-5


def _rho_part():
    """Return the part of each claim about rho that says which number this is."""
    return Part(
        name="rho",
        kind="exact",
        measured="largest difference between log rho as fitted to the run, as of its lengths, and "
        "as reported by wn.limit, relative",
        threshold=1e-4,
        reason="the regression may lose five digits of the integration",
        applies=arrives,
        measure=lambda i: _rho_reported(i, 1.0),
        twin="twice what wn.limit reports",
        measure_twin=lambda i: _rho_reported(i, 2.0),
    )


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
    Q, L = instance.min_l1.norm, instance.flow.depth
    return bool(bounds.excess_hypothesis(instance.x0, Q, L, _log_rho(instance)))


def _excess(instance):
    return excess_over_bound(instance, _log_rho(instance))


# ------------------------------------------------------------------ which ratios magnify


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


# ------------------------------------------------------------------ bounds a priori


def _short_radius(instance, inflation):
    """Shortfall of the final squared radius below Q^{2/L}, relative."""
    least = (inflation * instance.min_l1.norm) ** (2 / instance.flow.depth)
    return 1 - instance.run.radius**2 / least


def _rho_bound(instance, Q, surplus=0.0):
    """Bound minus log rho, relative to the larger term of log rho."""
    bound = bounds.log_rho_lower_bound(instance.x0, Q, instance.flow.depth, instance.flow.ratio)
    return (bound + surplus - _log_rho(instance)) / _rho_scale(instance)


def _telling_ratio(rng):
    """Draw a ratio far below the squared radius of each solution, or near it, or any."""
    drawn = weight_norm(rng)
    least = drawn.min_l1.norm ** (2 / drawn.flow.depth)
    factor = rng.choice([0.05, rng.uniform(0.7, 1.4), drawn.flow.ratio / least])
    return replace(drawn, flow=WeightNormFlow(drawn.flow.depth, factor * least))


# ------------------------------------------------------------------ the potential


def _plain_radii(instance, shifts):
    """Squared radii of the plain limits from start / e^s, at log rho + shifts, or None."""
    L, log_rho, radii = instance.flow.depth, _log_rho(instance), []
    for s in log_rho + np.asarray(shifts):
        with np.errstate(over="ignore", under="ignore"):
            start = instance.x0 * np.exp(-s / L)
        if not (start.min() > 1e-290 and start.max() < 1e100 ** (2 / L)):
            return None
        end = limit(PlainFlow(L), instance.problem, start)
        if end.status is not Status.CONVERGED:
            return None
        radii.append(end.radius**2)
    return np.array(radii)


def _radius_rises(instance, sign):
    """Largest relative rise of the squared radius of plain limits with s, or fall."""
    radii = _plain_radii(instance, [-3.0, -1.0, 1.0, 3.0])
    return None if radii is None else np.max(sign * np.diff(radii)) / radii[0]


def _slope(instance, least):
    """One less the slope of the scalar equation over a lower bound of it, by a difference."""
    step = 1e-3
    radii = _plain_radii(instance, [-step, 0.0, step])
    if radii is None:
        return None
    L, ratio = instance.flow.depth, instance.flow.ratio
    sides = L / 2 * (radii / ratio - np.log(radii))
    slope = 1 - (sides[2] - sides[0]) / (2 * step)
    return 1 - slope / least(1.0, radii[1] / ratio)


def _potential_gap(instance, length):
    """Largest value of ``Psi(end) - Psi(z)``, z another solution, relative to its terms."""
    others = instance.solution, instance.stacked_min_l1
    return max(_potential_difference(instance, instance.run.stacked, z, length) for z in others)


def _potential_difference(instance, z, other, length):
    """Return ``Psi(z) - Psi(other)`` over its terms; those in the length times a number."""
    L, ratio, R0 = instance.flow.depth, instance.flow.ratio, np.sum(instance.x0**2)
    R = [np.sum(y ** (2 / L)) for y in (z, other)]
    if L == 2:
        shares = [np.where(y > 0, y, 1.0) / (y.sum() * instance.x0**2 / R0) for y in (z, other)]
        terms = [z @ np.log(shares[0]), -(other @ np.log(shares[1]))]
        terms += [length * (R[0] - R0) ** 2 / (2 * ratio), -length * (R[1] - R0) ** 2 / (2 * ratio)]
    else:
        least = min(R0, *R)  # in units of e^{-k least} nothing leaves the range of floats
        unit = np.exp(-(L - 2) / (2 * ratio) * (R0 - least))
        weights = _weights(instance)
        paid = [bounds.reward_beyond(radius, least, L, ratio) for radius in R]
        terms = [unit * (weights @ z), -unit * (weights @ other)]
        terms += [length * paid[0], -length * paid[1]]
    return sum(terms) / sum(np.abs(terms))


def _weights(instance):
    """Return ``v_0^{-(L-2)}``: ones for depth 2."""
    return (instance.x0 / np.linalg.norm(instance.x0)) ** (2 - instance.flow.depth)


# ------------------------------------------------------------------ small ratios


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
    ratio = 10 ** rng.uniform(-2 if depth == 2 else -1, 0 if kind == "long" else 1)
    x0 = drawn.x0 ** (1 / max(1, depth - 1))  # weights v^{-(L-2)} that a linear program can bear
    drawn = replace(drawn, flow=WeightNormFlow(depth, ratio), x0=x0)
    R = np.sum(shortest(drawn.problem, _weights(drawn)) ** (2 / depth))
    share = rng.uniform(1.5, 4) if kind == "long" else rng.uniform(0.05, 0.98)
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
    R0 = R + 2 * ratio / (L - 2) * np.log(cost)
    problem = Problem([[1.0, -c]], [1e-3 * R ** (L / 2)])
    return Instance(WeightNormFlow(L, ratio), problem, np.sqrt(R0) * v)


def _over_small_ratio_bound(instance, factor):
    """Excess of the (weighted) norm of the run's end over a factor times its bound."""
    weights = _weights(instance)
    z = shortest(instance.problem, weights)
    allowed = bounds.small_ratio_bound(instance.x0, z, instance.flow.depth, instance.flow.ratio)
    excess = weights @ (instance.run.stacked - z)
    # smaller bounds drown in the residual and in the tolerance of the linear program
    return (excess - 1e-6 * (weights @ z)) / (factor * allowed)


def _is_short(instance):
    """Tell whether the bound applies and its z* does not hang on a tolerance."""
    if not arrives(instance):
        return False
    weights = _weights(instance)
    Q = weights @ shortest(instance.problem, weights)
    return instance.flow.depth > 2 or np.sum(instance.x0**2) < (1 - 1e-3) * Q


def _entropy_share(instance, extreme):
    """Relative entropy of the shortest solution over the log of one over an extreme of v_0^2."""
    z, x0 = instance.stacked_min_l1, instance.x0
    on, R0 = z > 0, np.sum(instance.x0**2)
    entropy = z[on] / z.sum() @ np.log(z[on] / z.sum() * R0 / x0[on] ** 2)
    return entropy / np.log(R0 / extreme(x0**2))


def _longer_solution(instance, R):
    """Return a solution of squared radius R or more, if the problem is signed."""
    z, L = instance.solution, instance.flow.depth
    return z + (R / len(z)) ** (L / 2)  # both signs of an entry may grow together


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
    longer = np.sum(y ** (2 / L))
    rewards = bounds.reward_beyond(R, R0, L, ratio) - bounds.reward_beyond(longer, R0, L, ratio)
    return rewards / (_weights(instance) @ y)


# ------------------------------------------------------------------ stalling


def _headroom(instance):
    """Return ``(|b| - |A x0^L - b|) / |b|``."""
    problem, effective = instance.problem, instance.x0**instance.flow.depth
    return 1 - problem.residual(problem.readout(effective))


def _is_equal(instance):
    """Tell whether ``|A x0^L - b| = |b|`` up to rounding, not because ``A x0^L`` is tiny."""
    product = instance.problem.network_matrix @ instance.x0**instance.flow.depth
    large = np.linalg.norm(product) > 0.1 * np.linalg.norm(instance.problem.b)
    return abs(_headroom(instance)) < 1e-12 and large


def _shortest_length(instance, factor):
    """Return a factor times the bound of r^L over the least r^L on the run."""
    b, A = instance.problem.b, instance.problem.network_matrix
    least = factor * _headroom(instance) * np.linalg.norm(b) / np.linalg.norm(A, 2)
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
    drawn = _any_side(rng)
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


CLAIMS = (
    Claim(
        label="prop-wn-invariant",
        statement="psi_L(kappa^L x^L), kappa = e^{r^2/2ratio}/r, moves by -c_psi c A^T e, "
        "c = r^L e^{-(L-2) r^2/2ratio}: the part of it in the kernel of A is constant.",
        sample=weight_norm,
        parts=(
            Part(
                name="velocity",
                kind="exact",
                measured="difference of the two velocities, relative to the terms of the first",
                threshold=1e-12,
                reason=ROUNDING,
                measure=lambda i: _mirror_velocity(i, True),
                twin="without kappa",
                measure_twin=lambda i: _mirror_velocity(i, False),
            ),
            Part(
                name="invariant",
                kind="exact",
                measured="share of the motion of psi that lies in the kernel, on the whole run",
                threshold=1e-5,
                reason=INTEGRATION,
                applies=finished,
                measure=lambda i: drift(i.run, i.flow),
                twin="the invariant of the plain flow",
                measure_twin=lambda i: drift(i.run, PlainFlow(i.flow.depth)),
            ),
        ),
    ),
    Claim(
        label="prop-wn-converges",
        statement="V_z falls at the rate c_psi eta_u r^L e^{-omega R} |e|^2; r stays bounded; the "
        "flow converges to a solution, or r -> 0 and |e| -> |b|, and that if and only if "
        "|e| > |b| at all times.",
        sample=_any_side,
        parts=(
            Part(
                name="V falls",
                kind="exact",
                measured="difference of the two rates, relative to their terms",
                threshold=1e-12,
                reason=ROUNDING,
                measure=lambda i: _lyapunov_rate(i, 1.0),
                twin="V_z without its part in r",
                measure_twin=lambda i: _lyapunov_rate(i, 0.0),
            ),
            Part(
                name="bounded",
                kind="upper",
                measured="largest |R - |z|_1| on the run over what V_z(0) allows, for L = 2",
                threshold=1 + 1e-7,
                reason=INTEGRATION,
                applies=at_depth_two(always),
                measure=lambda i: _long(i, 1.0),
                twin="without the entropy in V_z(0): it never grows",
                measure_twin=lambda i: _long(i, 0.0),
            ),
            Part(
                name="either, or",
                kind="exact",
                measured="residual at the end of the run; in a stall |e|/|b| - 1 there, or by how "
                "much |e| fell below |b|",
                threshold=1e-7,
                reason="at 1e-8 a run ends",
                applies=finished,
                measure=_dichotomy,
                twin="it always converges",
                measure_twin=lambda i: i.run.residual,
            ),
            Part(
                name="if and only if",
                kind="exact",
                measured="1 if wn.stalls, which asks for |e| < |b|, differs from the run",
                threshold=0.0,
                reason="yes or no",
                applies=finished,
                measure=lambda i: _disagrees(_says_stall(i), i),
                twin="it stalls if |e| > |b| at the start",
                measure_twin=lambda i: _disagrees(bool(_headroom(i) < 0), i),
            ),
        ),
    ),
    Claim(
        label="thm-magnification",
        statement="Weight normalization ends where the plain flow from start / rho ends; rho "
        "from the two radii.",
        sample=weight_norm,
        parts=(
            Part(
                name="ends",
                kind="exact",
                measured="relative distance between the end of the run and that plain limit",
                threshold=1e-5,
                reason=INTEGRATION,
                applies=arrives,
                measure=lambda i: _magnified(i, _log_rho(i)),
                twin="rho without the factor (r_0 / r)^L",
                measure_twin=lambda i: _magnified(i, _log_rho_without_lengths(i)),
            ),
            _rho_part(),
        ),
    ),
    Claim(
        label="cor-wn-l1",
        statement="Theorem 2.1 holds for weight normalization with start / rho in place of the "
        "start.",
        sample=_tight_or_small,
        parts=(
            *(
                Part(
                    name=name,
                    kind="upper",
                    measured="relative excess of the l1 norm of the run's end / epsilon",
                    threshold=1 + 1e-6,
                    reason="an inequality; the surplus is the residual of the run",
                    applies=at_depth(_corollary_applies),
                    measure=_excess,
                    twin="0.8 epsilon",
                    measure_twin=lambda i: _excess(i) / 0.8,
                )
                for name, at_depth in (("L = 2", at_depth_two), ("L > 2", at_larger_depth))
            ),
            _rho_part(),
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
            _rho_part(),
        ),
    ),
    Claim(
        label="prop-rho-bound",
        statement="R >= Q^{2/L}; log rho is at least its value at the squared radius "
        "max(ratio, Q^{2/L}), and at least that at the squared radius ratio.",
        sample=_telling_ratio,
        parts=(
            Part(
                name="radius",
                kind="lower",
                measured="shortfall of the final squared radius below Q^{2/L}, relative",
                threshold=1e-6,
                reason="equality is possible; the rest is the residual of the run",
                applies=arrives,
                measure=lambda i: _short_radius(i, 1.0),
                twin="1.1 Q in place of Q",
                measure_twin=lambda i: _short_radius(i, 1.1),
            ),
            Part(
                name="bound",
                kind="lower",
                measured="(bound - log rho) / (1 + its larger term)",
                threshold=1e-6,
                reason="equality is possible; the rest is the residual of the run",
                applies=arrives,
                measure=lambda i: _rho_bound(i, i.min_l1.norm),
                twin="1.1 Q in place of Q",
                measure_twin=lambda i: _rho_bound(i, 1.1 * i.min_l1.norm),
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
            _rho_part(),
        ),
    ),
    Claim(
        label="prop-wn-limit",
        statement="The radius of the plain limits falls with s; the limit of weight normalization "
        "is the plain limit from start / e^s at the only root of a scalar equation, "
        "of slope min(1, R / ratio) or more, and minimizes Psi.",
        sample=weight_norm,
        parts=(
            Part(
                name="radius",
                kind="upper",
                measured="largest relative rise of R(s) with s",
                threshold=1e-9,
                reason=ROUNDING,
                applies=arrives,
                measure=lambda i: _radius_rises(i, 1),
                twin="R(s) never falls",
                measure_twin=lambda i: _radius_rises(i, -1),
            ),
            Part(
                name="slope",
                kind="lower",
                measured="shortfall of the slope at the root, relative",
                threshold=1e-4,
                reason="a difference quotient with step 1e-3",
                applies=arrives,
                measure=lambda i: _slope(i, min),
                twin="the larger of 1 and R / ratio",
                measure_twin=lambda i: _slope(i, max),
            ),
            Part(
                name="limit",
                kind="exact",
                measured="relative distance between the solution and the end of the run",
                threshold=1e-5,
                reason=INTEGRATION,
                applies=arrives,
                measure=lambda i: distance_to_end(i, i.reached_limit),
                twin="rho = 1",
                measure_twin=lambda i: _magnified(i, 0.0),
            ),
            Part(
                name="potential",
                kind="upper",
                measured="excess of Psi at the end of the run over that of other solutions, "
                "relative to its terms",
                threshold=1e-6,
                reason="an inequality; the surplus is the residual of the run",
                applies=arrives,
                measure=lambda i: _potential_gap(i, 1.0),
                twin="Psi without its term in the length",
                measure_twin=lambda i: _potential_gap(i, 0.0),
            ),
            _rho_part(),
        ),
    ),
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
                applies=lambda i: _headroom(i) > 1e-9,
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
                applies=lambda i: (_headroom(i) > 1e-9 or _is_equal(i)) and finished(i),
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
                measure=lambda i: _disagrees(bool(_slant(i) < 0), i),
                twin="starts of any length",
                measure_twin=lambda i: _disagrees(bool(_slant(i) < 0), i),
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
)
