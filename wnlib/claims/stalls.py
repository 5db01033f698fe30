"""Claims on stalls: when weight normalization loses its length, and when it cannot."""

from dataclasses import replace

import numpy as np

from wnlib.claims.common import INTEGRATION, any_side, disagrees, finished, headroom
from wnlib.claims.instances import Instance
from wnlib.flows import WeightNormFlow, squared_radius
from wnlib.ledger import Claim, Part
from wnlib.problems import Problem
from wnlib.results import Status
from wnlib.roads._stalling import rules_out_stall


def _is_equal(instance):
    """Tell whether ``|A x0^L - b| = |b|`` up to rounding, not because ``A x0^L`` is tiny."""
    product = instance.flow.misfit(instance.problem, instance.x0) + instance.problem.b
    large = np.linalg.norm(product) > 0.1 * np.linalg.norm(instance.problem.b)
    return abs(headroom(instance)) < 1e-12 and large


def _shortest_length(instance, factor):
    """Return a factor times the bound of r^L over the least r^L on the run."""
    b, A = instance.problem.b, instance.problem.network_matrix
    least = factor * headroom(instance) * np.linalg.norm(b) / np.linalg.norm(A, 2)
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
    drawn = any_side(rng)
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


def _is_ruled_out(instance, factor):
    """Tell whether a stall is ruled out a priori, for a factor times the ratio."""
    flow = WeightNormFlow(instance.flow.depth, factor * instance.flow.ratio)
    solutions = instance.solution, instance.stacked_min_l1
    return any(rules_out_stall(flow, instance.x0, z) for z in solutions)


def _is_ruled_out_by_direction(instance):
    """Tell whether the condition holds for a long multiple of ``v_0^L``, which solves nothing."""
    x0, L = instance.x0, instance.flow.depth
    R = 100 * (np.sum(x0**2) + instance.flow.ratio)
    return rules_out_stall(instance.flow, x0, (x0 * np.sqrt(R / np.sum(x0**2))) ** L)


def _near_the_edge(rng):
    """Draw a start and about the largest ratio for which a stall from there is ruled out."""
    drawn = any_side(rng)
    L, R = drawn.flow.depth, squared_radius(drawn.solution, drawn.flow.depth)
    drawn = replace(
        drawn, x0=drawn.x0 * np.sqrt(R * 10 ** rng.uniform(-1, 0) / np.sum(drawn.x0**2))
    )
    for ratio in np.geomspace(1e2, 1e-2, 40):
        if _is_ruled_out(replace(drawn, flow=WeightNormFlow(L, ratio)), 1.0):
            return replace(drawn, flow=WeightNormFlow(L, ratio * rng.choice([0.9, 2.0, 3.5])))
    return drawn


CLAIMS = (
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
                applies=lambda i: headroom(i) > 1e-9,
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
                applies=lambda i: (headroom(i) > 1e-9 or _is_equal(i)) and finished(i),
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
                measure=lambda i: disagrees(bool(_slant(i) < 0), i),
                twin="starts of any length",
                measure_twin=lambda i: disagrees(bool(_slant(i) < 0), i),
                twin_applies=finished,
            ),
            Part(
                name="direction",
                kind="upper",
                measured="motion of v after r has fallen tenfold, over all its motion, in a stall",
                threshold=0.05,
                reason="it slows down like r^2, to about 1/100; the length begins to fall later",
                applies=lambda i: _is_small(i) and i.run.status is Status.STALLED,
                measure=lambda i: _settles(i.run, _directions(i.run)),
                twin="log r converges",
                measure_twin=lambda i: _settles(i.run, np.log(i.run.radius_path)[:, None]),
            ),
        ),
    ),
    Claim(
        label="prop-no-stall",
        statement="If D_Psi(z, start) is at most what it would be where the length vanishes, for "
        "some solution z, weight normalization does not stall.",
        sample=_near_the_edge,
        parts=(
            Part(
                name="no stall",
                kind="exact",
                measured="1 if the run stalls",
                threshold=0.0,
                reason="yes or no",
                applies=lambda i: _is_ruled_out(i, 1.0) and finished(i),
                measure=_stalled,
                twin="for a ratio four times as large",
                measure_twin=_stalled,
                twin_applies=lambda i: _is_ruled_out(i, 0.25) and finished(i),
            ),
            Part(
                name="a solution",
                kind="exact",
                measured="the same",
                threshold=0.0,
                reason="yes or no",
                applies=lambda i: _is_ruled_out(i, 1.0) and finished(i),
                measure=_stalled,
                twin="z need not be a solution: a multiple of v_0^L",
                measure_twin=_stalled,
                twin_applies=lambda i: _is_ruled_out_by_direction(i) and finished(i),
            ),
        ),
    ),
)
