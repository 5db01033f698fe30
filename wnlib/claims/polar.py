"""Claims of the chapter on polar coordinates."""

import numpy as np

from wnlib.claims.claim import ROUNDING, Claim, relative, weight_norm
from wnlib.flows import PlainFlow


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


def _rescaled(instance, norm, power):
    """Difference between v' from u of a given norm and v' at norm 1 slowed by norm^power."""
    du = _velocity(instance, norm)[3]
    unit = _velocity(instance)[3]
    return relative(du / norm - unit / norm**power, unit / norm**power)


def _polar_formula(instance, coupling):
    """Difference between the velocity and the formulas in r, v and h, relative."""
    flow, problem = instance.flow, instance.problem
    r, v, dr, dv = _velocity(instance)
    L, A = flow.depth, problem.network_matrix
    h = A.T @ (A @ instance.x0**L - problem.b)
    dr_formula = -flow.ratio * r ** (L - 1) * (h @ v**L)
    dv_formula = -(r**L) * h * v ** (L - 1) - coupling / flow.ratio * r * dr_formula * v
    return max(abs(dr_formula / dr - 1), relative(dv_formula - dv, dv))


def _length(instance):
    """Growth of the squared length along the path over the growth that is allowed."""
    path, b = instance.path, instance.problem.b
    allowed = instance.flow.ratio / 2 * (b @ b) * path.times[1:]
    return np.max((path.radius_path[1:] ** 2 - path.radius_path[0] ** 2) / allowed)


def _effective_dynamics(instance, B):
    """Discrepancy of z' = -L B h, relative."""
    problem, L = instance.problem, instance.flow.depth
    r, v, dr, dv = _velocity(instance)
    z, A = instance.x0**L, problem.network_matrix
    dz = L * instance.x0 ** (L - 1) * (dr * v + r * dv)
    return relative(dz + L * B @ (A.T @ (A @ z - problem.b)), dz)


def _shortfall(instance, rate):
    """How far the smallest eigenvalue of B - rate diag(z^{2-2/L}) is below zero, relative."""
    z = instance.x0**instance.flow.depth
    B = instance.flow.metric(z)
    surplus = B - rate * np.diag(_diagonal(instance))
    return -np.linalg.eigvalsh(surplus)[0] / np.linalg.norm(B)


def _diagonal(instance):
    return instance.x0 ** (2 * instance.flow.depth - 2)  # z^{2-2/L}


def _effective_claim(instance):
    B = instance.flow.metric(instance.x0**instance.flow.depth)
    smaller = min(instance.flow.ratio, np.sum(instance.x0**2))
    return max(_effective_dynamics(instance, B), _shortfall(instance, smaller))


def _effective_twin(instance):
    """Return the smaller violation: each of the two wrong statements must be refuted."""
    rate = np.sum(instance.x0**2)
    larger = max(instance.flow.ratio, rate)
    without = rate * np.diag(_diagonal(instance))
    return min(_effective_dynamics(instance, without), _shortfall(instance, larger))


CLAIMS = (
    Claim(
        label="lem-constant-norm",
        statement="u' is orthogonal to u, so |u| is constant.",
        kind="exact",
        measured="cosine of the angle between u and u'",
        threshold=1e-12,
        reason=ROUNDING,
        sample=weight_norm,
        measure=lambda i: _radial_part(_velocity(i)[1], _velocity(i)[3]),
        twin="u follows the gradient in x itself",
        measure_twin=lambda i: _radial_part(_velocity(i)[1], -_gradient(i)),
    ),
    Claim(
        label="lem-rescaled-rate",
        statement="A direction of norm |u| moves like one of norm 1 whose learning rate is "
        "divided by |u|^2.",
        kind="exact",
        measured="relative difference of the velocities of u/|u|, |u| = 3",
        threshold=1e-12,
        reason=ROUNDING,
        sample=weight_norm,
        measure=lambda i: _rescaled(i, 3.0, 2),
        twin="divided by |u|",
        measure_twin=lambda i: _rescaled(i, 3.0, 1),
    ),
    Claim(
        label="lem-polar-dynamics",
        statement="r' = -eta_r r^{L-1} <h, v^L> and v' = -eta_u r^L h v^{L-1} - (r r' / ratio) v; "
        "r^2 grows by at most eta_r |b|^2 t / 2.",
        kind="exact",
        measured="relative difference between these formulas and the gradient in (r, u), or "
        "violation of the bound",
        threshold=1e-10,
        reason="rounding, where the two terms of v' nearly cancel",
        sample=weight_norm,
        measure=lambda i: max(_polar_formula(i, 1.0), _length(i) - 1),
        twin="v' without its last term",
        measure_twin=lambda i: _polar_formula(i, 0.0),
    ),
    Claim(
        label="prop-effective-dynamics",
        statement="d/dt x^L = -L B h, B >= min(eta_r, eta_u r^2) diag(z^{2-2/L}): the loss never "
        "increases.",
        kind="exact",
        measured="relative difference of the velocities, or violation of the bound on B",
        threshold=1e-10,
        reason="rounding, where the two terms of v' nearly cancel",
        sample=weight_norm,
        measure=_effective_claim,
        twin="B without its rank-one part; the larger of the two rates (both are refuted)",
        measure_twin=_effective_twin,
    ),
)
