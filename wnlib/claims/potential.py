"""Claims on the mirror map of weight normalization, and on its potential."""

import numpy as np

from wnlib.claims.common import (
    INTEGRATION,
    ROUNDING,
    drift,
    finished,
    misfit_at_start,
    weight_norm,
)
from wnlib.flows import PlainFlow, psi_of_log, squared_radius
from wnlib.ledger import Claim, Part
from wnlib.theory import potentials


def _mirror_velocity(instance, with_kappa):
    """Discrepancy of ``d/dt psi(kappa^L x^L) = -c_psi c A^T e``, over ``c_psi kappa^{-(L-2)}``."""
    flow, problem, x = instance.flow, instance.problem, instance.x0
    L, r = flow.depth, np.linalg.norm(instance.x0)
    _, h = misfit_at_start(instance)
    dr, dv = flow.velocity(problem, r, x / r)
    # x'/x = r'/r + v'/v; the derivative of log kappa, by a complex step
    dlog_kappa = flow.log_kappa(r + 1e-30j).imag / 1e-30 if with_kappa else 0.0
    terms = x ** (2 - L) * np.array([dr / r + 0 * x, dv * r / x, dlog_kappa * dr + 0 * x])
    return np.linalg.norm(terms.sum(axis=0) + r**2 * h) / np.linalg.norm(np.abs(terms).sum(axis=0))


def _second_point(instance):
    """Return another point of positive effective weights, in another direction and longer."""
    z = instance.x0**instance.flow.depth
    return z * np.exp(0.7 + 0.3 * np.cos(np.arange(len(z))))


def _gradient(instance, with_kappa):
    """Discrepancy of a derivative of Psi from ``<psi(kappa^L z), .>``, over the terms of that."""
    flow, x, R = instance.flow, instance.x0, np.sum(instance.x0**2)
    L, log_kappa = flow.depth, flow.log_kappa(np.sqrt(R)) if with_kappa else 0.0
    if flow.omega * R > 10:
        return None  # what is left of e^{-omega R} drowns in the rounding of Psi
    way, h = x**L * np.cos(np.arange(len(x))), 1e-3 / (1 + R / flow.ratio)
    low, left, right, high = (
        float(potentials.potential(flow, x**L + step * h * way)) for step in (-2, -1, 1, 2)
    )
    terms = psi_of_log(L * (np.log(x) + log_kappa), L) * way
    return abs((low - 8 * left + 8 * right - high) / (12 * h) - terms.sum()) / np.abs(terms).sum()


def _folds(instance, sign):
    """Return ``-<psi(a) - psi(b), a - b>`` over its terms, psi at ``kappa^{+-L}`` times a and b."""
    flow, L = instance.flow, instance.flow.depth
    points = np.array([instance.x0**L, _second_point(instance)])
    x = points ** (1 / L)
    logs = np.log(x) + sign * flow.log_kappa(np.linalg.norm(x, axis=1))[:, None]
    if L > 2:
        logs -= logs.min()  # a unit: all entries could underflow
    terms = np.diff(psi_of_log(L * logs, L), axis=0) * np.diff(points, axis=0)
    return -terms.sum() / np.abs(terms).sum()


def _rises(instance, z):
    """Return the largest rise of ``D(z, x^L)`` over a step of the run, over its first value."""
    run = instance.run
    unit = min(squared_radius(z, run.flow.depth), (run.radius_path**2).min())
    path = potentials.divergence(run.flow, z, run.log_path, unit=unit)
    return np.diff(path).max() / path[0] if np.isfinite(path).all() else None


def _lyapunov_rate(instance, radial):
    """Return the rate of ``D(z, x^L)`` at the start less that of the book, relative, z a solution.

    Differentiated by the chain rule at the velocity of the flow, term by term; those in the length
    times ``radial``.
    """
    flow, problem, z = instance.flow, instance.problem, instance.solution
    L, ratio, r = flow.depth, flow.ratio, np.linalg.norm(instance.x0)
    v = instance.x0 / r
    dr, dv = flow.velocity(problem, r, v)
    e = flow.misfit(problem, instance.x0)
    # divided by c_psi e^{-omega R}, which could underflow
    lift = z * v ** (2 - L)
    terms = [-lift * dv / v, -lift * r * dr / ratio, radial * r ** (L + 1) * dr / ratio]
    rate = sum(np.sum(term) for term in terms) + r**L * (e @ e)
    return abs(rate) / (sum(np.abs(term).sum() for term in terms) + r**L * (e @ e))


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
        label="prop-wn-potential",
        statement="psi_L(kappa^L z) is the gradient of a strictly convex function Psi, so weight "
        "normalization is a mirror flow in the clock c; D_Psi(z, x^L) falls at the rate "
        "c_psi c |e|^2 for every solution z.",
        sample=weight_norm,
        parts=(
            Part(
                name="gradient",
                kind="exact",
                measured="difference of a derivative of Psi from that of the formula, relative to "
                "its terms",
                threshold=1e-6,
                reason="a difference quotient of order four",
                measure=lambda i: _gradient(i, True),
                twin="psi_L(z), without kappa",
                measure_twin=lambda i: _gradient(i, False),
            ),
            Part(
                name="convex",
                kind="lower",
                measured="-<grad Psi(a) - grad Psi(b), a - b>, relative to its terms",
                threshold=-1e-6,
                reason="negative, and not by rounding alone",
                measure=lambda i: _folds(i, 1),
                twin="with 1/kappa in place of kappa",
                measure_twin=lambda i: _folds(i, -1),
            ),
            Part(
                name="rate",
                kind="exact",
                measured="difference of the rate of D from -c_psi c |e|^2, relative to its terms",
                threshold=1e-12,
                reason=ROUNDING,
                measure=lambda i: _lyapunov_rate(i, 1.0),
                twin="D without its terms in the length",
                measure_twin=lambda i: _lyapunov_rate(i, 0.0),
            ),
            Part(
                name="falls",
                kind="upper",
                measured="largest rise of D(z, x^L) over a step of the run, over its first value",
                threshold=1e-7,
                reason=INTEGRATION,
                applies=lambda i: i.run.n_steps > 1,
                measure=lambda i: _rises(i, i.solution),
                twin="z need not be a solution: it is twice the start",
                measure_twin=lambda i: _rises(i, 2 * i.x0**i.flow.depth),
            ),
        ),
    ),
)
