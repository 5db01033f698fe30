"""Claims on the invariant of weight normalization, and on convergence and stalling."""

from dataclasses import replace

import numpy as np

from wnlib.claims.common import (
    INTEGRATION,
    ROUNDING,
    at_depth_two,
    finished,
    weight_norm,
)
from wnlib.claims.instances import Instance, hard_instance
from wnlib.claims.plain_flow import drift
from wnlib.flows import PlainFlow
from wnlib.ledger import Claim, Part, always
from wnlib.problems import Problem
from wnlib.results import Status
from wnlib.roads._stalling import stalls


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
                threshold=1e-4,
                reason="1e-9 a step, some 1e-6 in all, and kappa magnifies it by (L-2) R/ratio",
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
