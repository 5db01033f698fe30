"""The claims of the book: each theorem as a number that must not exceed a threshold.

A claim measures one number on one instance and is true there if the number is at most its threshold
(1 for a bound, ``measured / bound``; the tolerance for an identity). Its *false twin* is the same
claim with one thing wrong; a ledger must find an instance that refutes it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from wnlib import bounds, invariants
from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.instances import Instance, random_instance
from wnlib.integrate import integrate
from wnlib.limits import limit, min_l1
from wnlib.problems import Problem
from wnlib.trajectories import Status


def always(instance):
    """Return True: no hypothesis beyond those of the setting."""
    return True


@dataclass(frozen=True)
class Claim:
    """A statement of the book that a computer can refute.

    Attributes
    ----------
    label : str
        The label of the statement in the book.
    statement : str
    kind : {"exact", "upper", "lower"}
        An identity, a bound from above, or a bound from below.
    measured : str
        What ``measure`` returns.
    threshold : float
        The largest admissible value.
    reason : str
        Why this threshold.
    sample : callable
        Draws an :class:`~wnlib.instances.Instance` from a ``numpy.random.Generator``.
    measure : callable
        Maps an instance to a number; NaN counts as a failure.
    twin : str
        The one thing that the false twin has wrong.
    measure_twin : callable
    applies : callable
        The hypotheses, as a predicate of the instance.
    twin_applies : callable, optional
        The hypotheses of the twin, where dropping one is what is wrong with it.
    """

    label: str
    statement: str
    kind: str
    measured: str
    threshold: float
    reason: str
    sample: Callable
    measure: Callable
    twin: str
    measure_twin: Callable
    applies: Callable = always
    twin_applies: Callable | None = None


CLAIMS: dict[str, Claim] = {}


def register(label, statement, **fields):
    """Add a claim; ``fields`` are the other attributes of :class:`Claim`."""
    if label in CLAIMS:
        raise ValueError(f"there is a claim {label!r} already")
    CLAIMS[label] = Claim(label, statement, **fields)


def relative(difference, reference):
    """Return ``|difference| / |reference|``."""
    return np.linalg.norm(difference) / np.linalg.norm(reference)


def plain(rng):
    """Draw an instance of the plain flow."""
    return random_instance(rng, weight_norm=False)


def weight_norm(rng):
    """Draw an instance of weight normalization."""
    return random_instance(rng, weight_norm=True)


def either(rng):
    """Draw an instance of either flow."""
    return random_instance(rng, weight_norm=bool(rng.integers(2)))


def converges(instance):
    """Tell whether the limit solves ``A z = b``: false where weight normalization stalls."""
    return instance.limit.status is Status.CONVERGED


ROUNDING = "an identity in exact arithmetic; a hundred operations' rounding errors"
INTEGRATION = "integrated with relative tolerance 1e-10 a step"
LIMITS = "two roads to the limit, the relative residual at most 1e-12, condition up to 1e3"
INEQUALITY = "an inequality; the surplus is rounding"


# ---------------------------------------------------------------- sparse recovery


def _certificate(problem, dual):
    """Largest violation of feasibility and of equality in the duality of ``min_l1``."""
    solution = min_l1(problem)
    slope = problem.network_matrix.T @ dual
    return max(slope.max() - 1, solution.residual, abs(problem.b @ dual / solution.norm - 1))


register(
    "prop-lp-certificate",
    "A dual vector y with A^T y <= 1 and b^T y = |z|_1 proves that z has the smallest l1 norm.",
    kind="exact",
    measured="largest violation of primal feasibility, dual feasibility and equality, relative",
    threshold=1e-7,
    reason="the feasibility tolerance of HiGHS",
    sample=either,
    measure=lambda i: _certificate(i.problem, i.min_l1.dual),
    twin="the signs of y are reversed",
    measure_twin=lambda i: _certificate(i.problem, -i.min_l1.dual),
)

# ---------------------------------------------------------------- plain flow


def _dissipation(instance, power):
    """Discrepancy between d/dt |e|^2/2 from the velocity and -L sum h^2 z^power, relative."""
    problem, L, x = instance.problem, instance.flow.depth, instance.x0
    A, z = problem.network_matrix, x**L
    e = A @ z - problem.b
    rate = e @ (A @ (L * x ** (L - 1) * instance.flow.velocity(problem, x)))
    formula = -L * np.sum((A.T @ e) ** 2 * z**power)
    return abs(rate / formula - 1)


register(
    "prop-plain-descent",
    "Along the plain flow the loss falls at the rate L sum h_n^2 z_n^{2-2/L}.",
    kind="exact",
    measured="relative difference of the two rates",
    threshold=1e-12,
    reason=ROUNDING,
    sample=plain,
    measure=lambda i: _dissipation(i, 2 - 2 / i.flow.depth),
    twin="the exponent is 2 - 1/L",
    measure_twin=lambda i: _dissipation(i, 2 - 1 / i.flow.depth),
)


def _drift(instance, flow=None):
    return invariants.drift(replace(instance.path, flow=flow or instance.flow))


register(
    "prop-plain-invariant",
    "The part of psi_L(x^L) in the kernel of A is constant along the plain flow.",
    kind="exact",
    measured="share of the motion of psi that lies in the kernel",
    threshold=1e-7,
    reason=INTEGRATION,
    sample=plain,
    measure=_drift,
    twin="psi of depth L + 1",
    measure_twin=lambda i: _drift(i, PlainFlow(i.flow.depth + 1)),
)


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


def _size(instance, factor):
    """Largest size of x^L on the path over what the divergence at the start allows."""
    L, target = instance.flow.depth, _solution(instance)
    start = bregman(target, instance.x0**L, L)
    stacked = instance.path.path**L
    if L == 2:
        q, p = target.sum(), stacked.sum(axis=-1).max()
        return max(0.0, p - q - q * np.log(p / q)) / (factor * start)
    bound = factor * start + L / 2 * np.sum(target ** (2 / L))
    return (L / 2 - 1) * np.sum(stacked ** (2 / L), axis=-1).max() / bound


def _solution(instance):
    """Positive effective weights that interpolate: the signal, split into its two signs."""
    signal = instance.problem.signal
    if not instance.problem.signed:
        return signal
    return np.concatenate([np.maximum(signal, 0), np.maximum(-signal, 0)])


def _huge_start(rng):
    """Draw a start far above the solution: all that the flow does is shrink."""
    drawn = plain(rng)
    return replace(drawn, x0=20 * drawn.x0)


register(
    "lem-plain-bounded",
    "The effective weights stay bounded: D(z, x^L) never exceeds its first value, z any solution.",
    kind="upper",
    measured="largest size reached / the size that the first divergence allows",
    threshold=1 + 1e-9,
    reason=INEQUALITY,
    sample=_huge_start,
    measure=lambda i: _size(i, 1.0),
    twin="half of the first divergence",
    measure_twin=lambda i: _size(i, 0.5),
)

register(
    "thm-plain-limit",
    "The plain flow converges to the solution at which psi - psi(start) is in the range of A^T.",
    kind="exact",
    measured="relative distance between the exact limit and the end of the integrated flow",
    threshold=1e-7,
    reason=LIMITS,
    sample=plain,
    measure=lambda i: relative(i.limit.effective - i.end.effective, i.end.effective),
    twin="the mirror map of depth L + 1",
    measure_twin=lambda i: relative(_other_depth(i).effective - i.end.effective, i.end.effective),
)


def _other_depth(instance):
    """Return the limit of a flow one layer deeper, from the same effective weights."""
    L = instance.flow.depth
    return limit(PlainFlow(L + 1), instance.problem, instance.x0 ** (L / (L + 1)))


def tight_instance(rng):
    """Draw an instance on which the bound of Theorem 2.1 is nearly attained.

    ``z_1 + z_2 / 2 = 1``: the smallest l1 norm is 1, at (1, 0). The first weight starts just small
    enough beside the second to stay near zero, and the limit is nearly (0, 2).
    """
    depth = float(rng.choice([2, 2.5, 3]))
    log_second, closeness = rng.uniform(-45, -35), rng.uniform(0.96, 0.98)
    if depth == 2:
        log_first = 2 * log_second + np.log((1 - closeness) / 4)
    else:
        log_first = log_second + np.log(closeness / 2) / (1 - 2 / depth)
    x0 = np.exp(np.array([log_first, log_second]) / depth)
    return Instance(PlainFlow(depth), Problem([[1.0, 0.5]], [1.0]), x0)


def _plain_or_tight(rng):
    if rng.integers(2):
        return tight_instance(rng)
    drawn = plain(rng)
    return replace(drawn, x0=0.1 * drawn.x0)


def _excess_over_bound(instance, log_rho=0.0):
    flow = instance.flow
    allowed = bounds.excess_bound(instance.x0, instance.min_l1.norm, flow.depth, log_rho)
    return instance.excess(instance.limit.effective) / allowed


register(
    "thm-plain-l1",
    "The l1 norm of the plain limit exceeds the smallest one at most by the factor 1 + epsilon.",
    kind="upper",
    measured="relative excess of the l1 norm / epsilon",
    threshold=1 + 1e-9,
    reason=INEQUALITY,
    sample=_plain_or_tight,
    applies=lambda i: bounds.excess_hypothesis(i.x0, i.min_l1.norm, i.flow.depth),
    measure=_excess_over_bound,
    twin="0.8 epsilon",
    measure_twin=lambda i: _excess_over_bound(i) / 0.8,
)


def _shape_excess(instance, power):
    """Excess of the weighted l1 norm of a tiny start's limit over the smallest weighted norm."""
    problem, shape, L = instance.problem, instance.x0, instance.flow.depth
    weights = shape ** (-power)
    smallest = min_l1(Problem(problem.network_matrix / weights, problem.b)).norm
    # e^{-40 / (L-2)}: (scale / size of the limit)^{L-2}, the distance from the limit, is e^{-40}
    tiny = limit(instance.flow, problem, shape * np.exp(-40 / (L - 2)))
    return weights @ tiny.stacked / smallest - 1


def _uneven_start(rng):
    """Draw a start whose entries differ by factors up to e^4, for depth 2.5 or 3."""
    drawn = random_instance(rng, weight_norm=False, depth=float(rng.choice([2.5, 3])))
    return replace(drawn, x0=drawn.x0**4)


register(
    "prop-plain-shape",
    "For L > 2, as the scale of the start tends to 0, the limit minimizes sum z_n / x0_n^{L-2}.",
    kind="upper",
    measured="relative excess of the weighted l1 norm at the scale e^{-40/(L-2)}",
    threshold=1e-7,
    reason="the feasibility tolerance of HiGHS",
    sample=_uneven_start,
    measure=lambda i: _shape_excess(i, i.flow.depth - 2),
    twin="it minimizes the l1 norm, whatever the shape",
    measure_twin=lambda i: _shape_excess(i, 0.0),
)

# ---------------------------------------------------------------- polar coordinates


def _velocity(instance, norm=1.0):
    """Radius, direction, and their velocity at ``u = norm * v``: (r, v, r', u')."""
    r = np.linalg.norm(instance.x0)
    v = instance.x0 / r
    return r, v, *instance.flow.velocity(instance.problem, r, norm * v)


def _gradient(instance):
    """Gradient of the loss in the weights."""
    return -PlainFlow(instance.flow.depth).velocity(instance.problem, instance.x0)


def _radial_part(direction, du):
    return abs(direction @ du) / np.linalg.norm(du)


register(
    "lem-constant-norm",
    "u' is orthogonal to u, so |u| is constant.",
    kind="exact",
    measured="cosine of the angle between u and u'",
    threshold=1e-12,
    reason=ROUNDING,
    sample=weight_norm,
    measure=lambda i: _radial_part(_velocity(i)[1], _velocity(i)[3]),
    twin="u follows the gradient in x itself",
    measure_twin=lambda i: _radial_part(_velocity(i)[1], -_gradient(i)),
)


def _rescaled(instance, norm, power):
    """Difference between v' from u of a given norm and v' at norm 1 slowed by norm^power."""
    du = _velocity(instance, norm)[3]
    unit = _velocity(instance)[3]
    return relative(du / norm - unit / norm**power, unit / norm**power)


register(
    "lem-rescaled-rate",
    "A direction of norm |u| moves like one of norm 1 whose learning rate is divided by |u|^2.",
    kind="exact",
    measured="relative difference of the velocities of u/|u|, |u| = 3",
    threshold=1e-12,
    reason=ROUNDING,
    sample=weight_norm,
    measure=lambda i: _rescaled(i, 3.0, 2),
    twin="divided by |u|",
    measure_twin=lambda i: _rescaled(i, 3.0, 1),
)


def _polar_formula(instance, coupling):
    """Difference between the velocity and the formulas in r, v and h, relative."""
    flow, problem = instance.flow, instance.problem
    r, v, dr, dv = _velocity(instance)
    L, A = flow.depth, problem.network_matrix
    h = A.T @ (A @ instance.x0**L - problem.b)
    dr_formula = -flow.ratio * r ** (L - 1) * (h @ v**L)
    dv_formula = -(r**L) * h * v ** (L - 1) - coupling / flow.ratio * r * dr_formula * v
    return max(abs(dr_formula / dr - 1), relative(dv_formula - dv, dv))


register(
    "lem-polar-dynamics",
    "r' = -eta_r r^{L-1} <h, v^L> and v' = -eta_u r^L h v^{L-1} - (r r' / ratio) v.",
    kind="exact",
    measured="relative difference between these formulas and the gradient in (r, u)",
    threshold=1e-10,
    reason="rounding, where the two terms of v' nearly cancel",
    sample=weight_norm,
    measure=lambda i: _polar_formula(i, 1.0),
    twin="v' without its last term",
    measure_twin=lambda i: _polar_formula(i, 0.0),
)


def _effective_dynamics(instance, metric):
    """Discrepancy of z' = -L B h, and how far B falls below its bound, both relative."""
    flow, problem, L = instance.flow, instance.problem, instance.flow.depth
    r, v, dr, dv = _velocity(instance)
    z, A = instance.x0**L, problem.network_matrix
    dz = L * instance.x0 ** (L - 1) * (dr * v + r * dv)
    B = metric(z)
    defect = relative(dz + L * B @ (A.T @ (A @ z - problem.b)), dz)
    surplus = B - min(flow.ratio, r**2) * np.diag(z ** (2 - 2 / L))
    return max(defect, -np.linalg.eigvalsh(surplus)[0] / np.linalg.norm(B))


register(
    "prop-effective-dynamics",
    "d/dt x^L = -L B h, B >= min(eta_r, eta_u r^2) diag(z^{2-2/L}): the loss never increases.",
    kind="exact",
    measured="relative difference of the velocities, or violation of the bound on B",
    threshold=1e-10,
    reason="rounding, where the two terms of v' nearly cancel",
    sample=weight_norm,
    measure=lambda i: _effective_dynamics(i, i.flow.metric),
    twin="B without its rank-one part",
    measure_twin=lambda i: _effective_dynamics(
        i, lambda z: np.sum(i.x0**2) * np.diag(z ** (2 - 2 / i.flow.depth))
    ),
)

# ---------------------------------------------------------------- magnification

register(
    "prop-wn-invariant",
    "The part of psi_L(kappa^L x^L) in the kernel of A is constant, kappa = e^{r^2/2ratio}/r.",
    kind="exact",
    measured="share of the motion of psi that lies in the kernel",
    threshold=1e-7,
    reason=INTEGRATION,
    sample=weight_norm,
    measure=_drift,
    twin="the invariant of the plain flow",
    measure_twin=lambda i: _drift(i, PlainFlow(i.flow.depth)),
)


def _magnified(instance, log_rho):
    """Distance between the end of the flow and the plain limit from start / rho, relative."""
    L, end = instance.flow.depth, instance.end
    equivalent = limit(PlainFlow(L), instance.problem, instance.x0 * np.exp(-log_rho / L))
    return relative(equivalent.effective - end.effective, end.effective)


def _measured_log_rho(instance):
    return invariants.log_rho(instance.flow, instance.x0, instance.end.weights)


register(
    "thm-magnification",
    "Weight normalization ends where the plain flow from start / rho ends; rho from the two radii.",
    kind="exact",
    measured="relative distance between the two ends",
    threshold=1e-7,
    reason=LIMITS,
    sample=weight_norm,
    applies=converges,
    measure=lambda i: _magnified(i, _measured_log_rho(i)),
    twin="rho without the factor (r_0 / r)^L",
    measure_twin=lambda i: _magnified(
        i, _measured_log_rho(i) + i.flow.depth * np.log(i.end.radius / np.linalg.norm(i.x0))
    ),
)


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


register(
    "cor-wn-l1",
    "Theorem 2.1 holds for weight normalization with start / rho in place of the start.",
    kind="upper",
    measured="relative excess of the l1 norm / epsilon",
    threshold=1 + 1e-9,
    reason=INEQUALITY,
    sample=lambda rng: _tight_weight_norm(rng) if rng.integers(2) else weight_norm(rng),
    applies=_corollary_applies,
    measure=lambda i: _excess_over_bound(i, i.limit.log_rho),
    twin="0.8 epsilon",
    measure_twin=lambda i: _excess_over_bound(i, i.limit.log_rho) / 0.8,
)


def _mean_criterion(instance, mean):
    """Difference between log rho of the radii and its form with a mean of them, relative."""
    flow, R0, R = instance.flow, np.sum(instance.x0**2), instance.end.radius**2
    formula = flow.depth / 2 * (R - R0) * (1 / flow.ratio - 1 / mean(R0, R))
    return abs(formula - _measured_log_rho(instance)) / (flow.depth * abs(R - R0) / flow.ratio)


register(
    "prop-logarithmic-mean",
    "log rho = (L/2) (R - R0) (1/ratio - 1/Lambda), Lambda the logarithmic mean of R0 and R.",
    kind="exact",
    measured="difference of the two, relative to the first term",
    threshold=1e-11,
    reason=ROUNDING,
    sample=weight_norm,
    applies=converges,
    measure=lambda i: _mean_criterion(i, invariants.logarithmic_mean),
    twin="the arithmetic mean",
    measure_twin=lambda i: _mean_criterion(i, lambda a, b: (a + b) / 2),
)


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


register(
    "prop-rho-bound",
    "log rho is at least its value at the squared radius max(ratio, Q^{2/L}).",
    kind="lower",
    measured="(bound - log rho) / (1 + |bound| + |log rho|)",
    threshold=1e-9,
    reason="equality is possible; the rest is the error of the limit and of the linear program",
    sample=lambda rng: _small_ratio(rng) if rng.integers(2) else weight_norm(rng),
    applies=converges,
    measure=lambda i: _rho_bound(i, 1.0),
    twin="1.1 Q in place of Q",
    measure_twin=lambda i: _rho_bound(i, 1.1),
)

register(
    "prop-wn-limit",
    "The limit of weight normalization solves one scalar equation for log rho on the plain limits.",
    kind="exact",
    measured="relative distance between the exact limit and the end of the integrated flow",
    threshold=1e-7,
    reason=LIMITS,
    sample=weight_norm,
    applies=converges,
    measure=lambda i: relative(i.limit.effective - i.end.effective, i.end.effective),
    twin="rho = 1",
    measure_twin=lambda i: _magnified(i, 0.0),
)


def _any_side(rng):
    """Draw a start whose weights lean, half of the time, towards the columns that oppose b."""
    drawn = random_instance(rng, weight_norm=True, depth=2.0)
    opposed = drawn.problem.network_matrix.T @ drawn.problem.b < 0
    larger = opposed if rng.integers(2) else ~opposed
    return replace(drawn, x0=drawn.x0 * np.where(larger, 0.5, 0.05))


def _no_stall(instance):
    problem = instance.problem
    e = problem.network_matrix @ instance.x0**instance.flow.depth - problem.b
    return np.linalg.norm(e) < np.linalg.norm(problem.b)


def _final_residual(instance):
    """Return the residual after a time in which all but a stalled flow get below 1 percent."""
    return integrate(instance.flow, instance.problem, instance.x0, 1e8, residual_tol=1e-2).residual


register(
    "prop-stall",
    "If |A x0^L - b| < |b|, weight normalization does not stall.",
    kind="upper",
    measured="relative residual reached",
    threshold=0.5,
    reason="a stalled flow stays at 1 or above",
    sample=_any_side,
    applies=_no_stall,
    measure=_final_residual,
    twin="from any start",
    measure_twin=_final_residual,
    twin_applies=always,
)
