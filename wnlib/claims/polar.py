"""Claims of the chapter on polar coordinates."""

import numpy as np

from wnlib.claims.common import (
    INEQUALITY,
    INTEGRATION,
    ROUNDING,
    descent_part,
    misfit_at_start,
    relative,
    weight_norm,
)
from wnlib.claims.instances import Instance
from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.ledger import Claim, Part
from wnlib.problems import Problem
from wnlib.theory.polar import polar_velocity


def _velocity(instance, norm=1.0):
    """Radius, direction, and their velocity at ``u = norm * v``: (r, v, r', u')."""
    r = np.linalg.norm(instance.x0)
    v = instance.x0 / r
    return r, v, *instance.flow.velocity(instance.problem, r, norm * v)


def _gradient(instance):
    """Gradient of the loss in the weights."""
    return -PlainFlow(instance.flow.depth).velocity(instance.problem, instance.x0)


def _radial_part(instance, du):
    """Inner product of ``u`` and a velocity, relative to the size of the gradient."""
    r = np.linalg.norm(instance.x0)
    return abs(instance.x0 / r @ du) / (r * np.linalg.norm(_gradient(instance)))


def _norm_drift(run, norms):
    return np.abs(norms / norms[0] - 1).max()


def _rescaled(instance, power):
    """Difference between v' from u of some norms and v' at norm 1 slowed by norm^power."""
    unit = _velocity(instance)[3]
    size = np.linalg.norm(instance.x0) * np.linalg.norm(_gradient(instance))
    norms = 1e-3, 0.1, 3.0, 1e3
    differences = [norm**power * _velocity(instance, norm)[3] / norm - unit for norm in norms]
    return max(np.linalg.norm(difference) for difference in differences) / size


def _polar_formula(instance, coupling, norm=1.0):
    """Difference between the velocity and the formulas in r, v and h, relative to their terms."""
    flow, (r, v, dr, du) = instance.flow, _velocity(instance, norm)
    dv = du / norm
    L, (_, h) = flow.depth, misfit_at_start(instance)
    dr_formula, dv_formula = polar_velocity(flow, instance.problem, r, v)
    radial = -r * dr_formula / flow.ratio * v
    of_r = abs(dr_formula - dr) / (flow.ratio * r ** (L - 1) * (np.abs(h) @ v**L))
    of_v = dv_formula - (1 - coupling) * radial - dv
    return max(of_r, np.linalg.norm(of_v) / np.linalg.norm(dv_formula - radial))


def _length(instance, factor):
    """Growth of the squared length along the run over a factor times what is allowed."""
    run, b = instance.run, instance.problem.b
    allowed = factor * instance.flow.ratio / 2 * (b @ b) * run.times[1:]
    return np.max((run.radius_path[1:] ** 2 - run.radius_path[0] ** 2) / allowed)


def _half_way(rng):
    """Draw, half of the time, one measurement and a start at half of it: the fastest growth."""
    drawn = weight_norm(rng)
    if rng.integers(2):
        return drawn
    L = drawn.flow.depth
    A = rng.uniform(0.5, 1.5, (1, 4))
    x0 = rng.uniform(0.5, 1.5, 4)
    share = rng.uniform(0.4, 0.6)
    return Instance(WeightNormFlow(L, drawn.flow.ratio), Problem(A, A @ x0**L / share), x0)


def _effective_dynamics(instance, rank_one, norm=1.0):
    """Discrepancy of z' = -L B h, relative to the terms of the right side."""
    L, x, (_, h) = instance.flow.depth, instance.x0, misfit_at_start(instance)
    r, v, dr, du = _velocity(instance, norm)
    dz = L * x ** (L - 1) * (dr * v + r * du / norm)
    B, diagonal = instance.flow.metric(x**L), r**2 * np.diag(_diagonal(instance))
    terms = np.linalg.norm(L * diagonal @ h) + np.linalg.norm(L * (B - diagonal) @ h)
    return np.linalg.norm(dz + L * (B if rank_one else diagonal) @ h) / terms


def _diagonal(instance):
    return instance.x0 ** (2 * instance.flow.depth - 2)  # Delta^2, of z^{2-2/L}


def _rates(instance):
    """Return the two rates, of the length and of the direction: ``eta_r`` and ``eta_u r^2``."""
    return instance.flow.ratio, np.sum(instance.x0**2)


def _scaled_metric(instance):
    """Return ``Delta^{-1} B Delta^{-1}``, symmetric to rounding."""
    delta = np.sqrt(_diagonal(instance))
    return instance.flow.metric(instance.x0**instance.flow.depth) / np.outer(delta, delta)


def _shortfall(instance, rate):
    """How far the smallest eigenvalue of the scaled metric is below a rate, relative."""
    return (rate - np.linalg.eigvalsh(_scaled_metric(instance))[0]) / max(_rates(instance))


def _spectrum(instance, once, often):
    """Discrepancy of the scaled metric from ``once v v^T + often (I - v v^T)``, relative."""
    v = instance.x0 / np.linalg.norm(instance.x0)
    expected = once * np.outer(v, v) + often * (np.eye(len(v)) - np.outer(v, v))
    return relative(_scaled_metric(instance) - expected, expected)


CLAIMS = (
    Claim(
        label="lem-constant-norm",
        statement="u' is orthogonal to u, so |u| is constant.",
        sample=weight_norm,
        parts=(
            Part(
                name="orthogonal",
                kind="exact",
                measured="inner product of u and u', relative to the gradient",
                threshold=1e-12,
                reason=ROUNDING,
                measure=lambda i: _radial_part(i, _velocity(i)[3]),
                twin="u follows the gradient in x itself",
                measure_twin=lambda i: _radial_part(i, -np.linalg.norm(i.x0) * _gradient(i)),
            ),
            Part(
                name="constant",
                kind="exact",
                measured="largest relative change of |u| on the run",
                threshold=1e-6,
                reason=INTEGRATION,
                measure=lambda i: _norm_drift(i.run, i.run.direction_norm),
                twin="r is constant",
                measure_twin=lambda i: _norm_drift(i.run, i.run.radius_path),
            ),
        ),
    ),
    Claim(
        label="lem-rescaled-rate",
        statement="A direction of norm |u| moves like one of norm 1 whose learning rate is "
        "divided by |u|^2.",
        sample=weight_norm,
        parts=(
            Part(
                name="rate",
                kind="exact",
                measured="difference of the velocities of u/|u|, |u| from 1e-3 to 1e3, relative to "
                "the gradient",
                threshold=1e-12,
                reason=ROUNDING,
                measure=lambda i: _rescaled(i, 2),
                twin="divided by |u|",
                measure_twin=lambda i: _rescaled(i, 1),
            ),
        ),
    ),
    Claim(
        label="lem-polar-dynamics",
        statement="r' = -eta_r r^{L-1} <h, v^L> and v' = -eta_u r^L h v^{L-1} - (r r' / ratio) v; "
        "r^2 grows by at most eta_r |b|^2 t / 2.",
        sample=_half_way,
        parts=(
            Part(
                name="velocity",
                kind="exact",
                measured="difference between these formulas and the gradient in (r, u), relative "
                "to their terms",
                threshold=1e-12,
                reason=ROUNDING,
                measure=lambda i: _polar_formula(i, 1.0),
                twin="v' without its last term",
                measure_twin=lambda i: _polar_formula(i, 0.0),
            ),
            Part(
                name="unit norm",
                kind="exact",
                measured="the same",
                threshold=1e-12,
                reason=ROUNDING,
                measure=lambda i: _polar_formula(i, 1.0),
                twin="|u| = 2",
                measure_twin=lambda i: _polar_formula(i, 1.0, norm=2.0),
            ),
            Part(
                name="length",
                kind="upper",
                measured="growth of r^2 on the run over what is allowed",
                threshold=1 + 1e-6,
                reason=INTEGRATION,
                applies=lambda i: i.run.n_steps > 1,
                measure=lambda i: _length(i, 1.0),
                twin="eta_r |b|^2 t / 4",
                measure_twin=lambda i: _length(i, 0.5),
            ),
        ),
    ),
    Claim(
        label="prop-effective-dynamics",
        statement="d/dt x^L = -L B h; relative to diag(z^{2-2/L}), B has the eigenvalue eta_r "
        "once, in the direction of v, and eta_u r^2 else: the loss never increases.",
        sample=weight_norm,
        parts=(
            Part(
                name="velocity",
                kind="exact",
                measured="difference of the velocities, relative to the terms of B h",
                threshold=1e-12,
                reason=ROUNDING,
                measure=lambda i: _effective_dynamics(i, True),
                twin="B without its rank-one part",
                measure_twin=lambda i: _effective_dynamics(i, False),
            ),
            Part(
                name="unit norm",
                kind="exact",
                measured="the same",
                threshold=1e-12,
                reason=ROUNDING,
                measure=lambda i: _effective_dynamics(i, True),
                twin="|u| = 2",
                measure_twin=lambda i: _effective_dynamics(i, True, norm=2.0),
            ),
            Part(
                name="bound",
                kind="lower",
                measured="shortfall of B below the smaller of the two rates, relative",
                threshold=1e-12,
                reason=INEQUALITY,
                measure=lambda i: _shortfall(i, min(_rates(i))),
                twin="the larger of the two rates",
                measure_twin=lambda i: _shortfall(i, max(_rates(i))),
            ),
            Part(
                name="eigenvalues",
                kind="exact",
                measured="relative difference of the scaled B from the matrix with these",
                threshold=1e-12,
                reason=ROUNDING,
                measure=lambda i: _spectrum(i, *_rates(i)),
                twin="the two rates exchanged",
                measure_twin=lambda i: _spectrum(i, *_rates(i)[::-1]),
            ),
            descent_part(1e-7),
        ),
    ),
)
