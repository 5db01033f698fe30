"""Claims on the convergence of weight normalization."""

from dataclasses import replace

import numpy as np

from wnlib.claims.common import (
    INTEGRATION,
    any_side,
    arrives,
    at_depth_two,
    disagrees,
    finished,
    headroom,
    others,
    weight_norm,
    with_one_weight,
    without_measurement,
    without_solution,
)
from wnlib.flows import PlainFlow, squared_radius
from wnlib.ledger import Claim, Part, always
from wnlib.results import Status
from wnlib.roads._stalling import stalls
from wnlib.theory import potentials


def _dichotomy(instance):
    """Return how far the run is from a solution; or from a stall, which never beats zero."""
    run = instance.run
    if run.status is Status.CONVERGED:
        return run.residual
    lowest = run.problem.residual(run.effective_path).min()
    return max(1 - lowest, abs(run.residual - 1))


def _criterion(run, steps=slice(None)):
    """Return 1 if "|e| > |b|" in some steps of a run differs from "the radius vanishes"."""
    norm = np.linalg.norm(run.problem.b)
    above = run.misfit_path[steps].min() > (1 - 1e-12) * norm  # in a stall |e| / |b| - 1 underflows
    vanishes = run.radius < 1e-3 * run.radius_path[0]
    return float(bool(above) != bool(vanishes))


def _long(instance, factor):
    """Largest distance of R from the norm of a solution over what is allowed, depth 2."""
    z, R = instance.solution, instance.run.radius_path**2
    q, entropy = z.sum(), z.sum() * potentials.relative_entropy(z, instance.x0)
    allowed = factor * 2 * instance.flow.ratio * entropy + (R[0] - q) ** 2
    return np.abs(R - q).max() / np.sqrt(allowed)


def _says_stall(instance):
    """Return `stalls`, or None if it is undecided."""
    try:
        return stalls(instance.flow, instance.problem, instance.x0)
    except RuntimeError:
        return None


def _excess_divergence(instance, flow):
    """Divergence of the run's end from the start less that of other solutions, relative.

    Some of these are near the end: 1 % of the way to a shortest solution.
    """
    end, log_x0 = instance.run.stacked, np.log(instance.x0)
    solutions = [end + share * (z - end) for z in others(instance) for share in (0.01, 1.0)]
    excesses = []
    for z in solutions:
        shorter = min(squared_radius(y, flow.depth) for y in (end, z))
        unit = min(shorter, np.sum(instance.x0**2))
        reached, other = (potentials.divergence(flow, y, log_x0, unit=unit) for y in (end, z))
        excesses.append(reached / other - 1)
    return max(excesses) if np.isfinite(excesses).all() else None


DICHOTOMY = Part(
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
)

CRITERION = Part(
    name="if and only if",
    kind="exact",
    measured="1 if |e| > |b| all along the run differs from: the radius falls a thousandfold",
    threshold=0.0,
    reason="yes or no, as told where the run ends: at a solution, or in a stall",
    applies=finished,
    measure=lambda i: _criterion(i.run),
    twin="it stalls if |e| > |b| at the start",
    measure_twin=lambda i: _criterion(i.run, slice(1)),
)

CLAIMS = (
    Claim(
        label="prop-wn-converges",
        statement="r stays bounded; the flow converges to a solution, or r -> 0 and |e| -> |b|, "
        "and that if and only if |e| > |b| at all times.",
        sample=any_side,
        parts=(
            Part(
                name="bounded",
                kind="upper",
                measured="largest |R - |z|_1| on the run over what D(z, start) allows, for L = 2",
                threshold=1 + 1e-7,
                reason=INTEGRATION,
                applies=at_depth_two(always),
                measure=lambda i: _long(i, 1.0),
                twin="without the entropy in D(z, start): it never grows",
                measure_twin=lambda i: _long(i, 0.0),
            ),
            DICHOTOMY,
            replace(
                DICHOTOMY,
                name="a solution",
                twin="also where there is no solution",
                measure_twin=lambda i: _dichotomy(without_solution(i)),
                twin_applies=at_depth_two(arrives),  # where it costs few steps
            ),
            replace(
                DICHOTOMY,
                name="a positive start",
                twin="all weights of the start but one vanish",
                measure_twin=lambda i: _dichotomy(with_one_weight(i)),
                twin_applies=at_depth_two(arrives),
            ),
            CRITERION,
            replace(
                CRITERION,
                name="b not 0",
                twin="b may be 0",
                measure_twin=lambda i: _criterion(without_measurement(i).run),
                twin_applies=at_depth_two(lambda i: i.problem.signed),  # so the kernel is not {0}
            ),
            Part(
                name="wn.stalls",
                kind="exact",
                measured="1 if wn.stalls, which asks for |e| < |b|, differs from the run",
                threshold=0.0,
                reason="yes or no",
                applies=finished,
                measure=lambda i: disagrees(_says_stall(i), i),
                twin="it stalls if |e| > |b| at the start",
                measure_twin=lambda i: disagrees(bool(headroom(i) < 0), i),
            ),
        ),
    ),
    Claim(
        label="cor-wn-minimizer",
        statement="Unless it stalls, weight normalization ends at the solution of least divergence "
        "D_Psi from the start.",
        sample=weight_norm,
        parts=(
            Part(
                name="least",
                kind="upper",
                measured="divergence of the end of the run less that of other solutions, relative",
                threshold=1e-6,
                reason=INTEGRATION,
                applies=arrives,
                measure=lambda i: _excess_divergence(i, i.flow),
                twin="the divergence of the plain flow",
                measure_twin=lambda i: _excess_divergence(i, PlainFlow(i.flow.depth)),
            ),
            Part(
                name="no stall",
                kind="exact",
                measured="relative residual at the end of the run: it is a solution",
                threshold=1e-7,
                reason="at 1e-8 a run ends",
                applies=arrives,
                measure=lambda i: i.run.residual,
                twin="also where it stalls",
                measure_twin=lambda i: i.run.residual,
                twin_applies=finished,
            ),
        ),
    ),
)
