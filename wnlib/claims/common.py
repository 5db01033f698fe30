"""What the claims of several chapters share: reasons, samplers, hypotheses, comparisons of ends."""

from dataclasses import replace

import numpy as np

from wnlib.claims.instances import Instance, hard_instance, tight_weights
from wnlib.flows import PlainFlow
from wnlib.l1.linear_program import shortest
from wnlib.ledger import Part
from wnlib.problems import Problem
from wnlib.results import Status
from wnlib.roads.limit import limit
from wnlib.theory import bounds, invariants
from wnlib.theory.shape import norm_weights

# Reasons for thresholds.
ROUNDING = "an identity in exact arithmetic; a hundred operations' rounding errors"
INTEGRATION = "logarithms of weights are integrated with a tolerance of 1e-9 a step"
INEQUALITY = "an inequality; the surplus is rounding"
PROGRAM = "the feasibility tolerance of HiGHS"


def plain(rng):
    """Draw an instance of the plain flow."""
    return hard_instance(rng, weight_norm=False)


def weight_norm(rng):
    """Draw an instance of weight normalization."""
    return hard_instance(rng, weight_norm=True)


def finished(instance):
    """Tell whether the run came to its end, a solution or a stall."""
    return instance.run.status in (Status.CONVERGED, Status.STALLED)


def arrives(instance):
    """Tell whether the run ended at a solution: false where weight normalization stalls."""
    return instance.run.status is Status.CONVERGED


def final_error(run):
    """Return the relative error at the end of a run; None unless that is a solution."""
    return float(run.error) if run.status is Status.CONVERGED else None


def at_depth_two(applies):
    """Return a hypothesis with "the depth is 2" added."""
    return lambda i: i.flow.depth == 2 and applies(i)


def at_larger_depth(applies):
    """Return a hypothesis with "the depth is larger than 2" added."""
    return lambda i: i.flow.depth > 2 and applies(i)


def relative(difference, reference):
    """Return ``|difference| / |reference|``."""
    return np.linalg.norm(difference) / np.linalg.norm(reference)


def misfit_at_start(instance):
    """Return ``e = A x0^L - b`` and ``h = A^T e``."""
    e = instance.flow.misfit(instance.problem, instance.x0)
    return e, instance.problem.network_matrix.T @ e


def distance_to_end(instance, end):
    """Distance of a limit from the end of the run, relative to the latter; None if undecided."""
    if end.status is not Status.CONVERGED:
        return None
    return relative(end.stacked - instance.run.stacked, instance.run.stacked)


def others(instance):
    """Return two solutions for the measurements that the run has reached, by linear programs."""
    N = instance.problem.n_weights
    return [shortest(instance.reached, weights) for weights in (np.ones(N), np.linspace(1, 2, N))]


def relative_excess(instance):
    """Relative excess of the l1 norm of the run's end over the smallest."""
    return instance.run.stacked.sum() / instance.reached_min_l1.norm - 1


def excess_over_bound(instance, log_rho=0.0):
    """Return :func:`relative_excess` over its bound."""
    Q, depth = instance.reached_min_l1.norm, instance.flow.depth
    return relative_excess(instance) / bounds.excess_bound(depth, instance.x0, Q, log_rho)


def tight_instance(rng):
    """Draw an instance on which the bound of Theorem 2.1 is nearly attained."""
    depth = 2.0 if rng.integers(2) else float(rng.uniform(2.2, 6))
    x0 = tight_weights(depth, rng.uniform(-45, -35), rng.uniform(0.96, 0.98))
    return Instance(PlainFlow(depth), Problem([[1.0, 0.5]], [1.0]), x0)


def rise(run, norm):
    """Return the largest rise of a norm of the residual over a step, over its first value."""
    e = np.linalg.norm(run.flow.misfit(run.problem, run.path), norm, axis=1)
    return np.diff(e).max() / e[0]


def drift(run, flow):
    """Return the drift of a flow's invariant along a run, where its weights are floats.

    None if the mirror map itself hardly moves: at large depths its largest entry, that of the
    smallest weight, may hide all others.
    """
    floats = run.log_path.min(axis=1) > -300
    psi = invariants.mirror(run.flow, run.path[floats])
    if np.linalg.norm(psi - psi[0], axis=1).max() < 1e-2 * np.linalg.norm(psi[0]):
        return None
    return invariants.drift(replace(run, flow=flow, path=run.path[floats]))


def other_depth(instance):
    """Return the limit of a flow one layer deeper, from the same effective weights."""
    L = instance.flow.depth
    return limit(PlainFlow(L + 1), instance.reached, instance.x0 ** (L / (L + 1)))


def any_side(rng):
    """Draw a start whose weights lean, most of the time, towards the columns that oppose b."""
    drawn = hard_instance(rng, weight_norm=True, size=(-3, 1))
    opposed = drawn.problem.network_matrix.T @ drawn.problem.b < 0
    larger = opposed if rng.random() < 0.7 else ~opposed
    return replace(drawn, x0=drawn.x0 * np.where(larger, 1.0, 0.1))


def without_solution(instance):
    """Return an instance with one measurement more: the sum of all weights, which is negative."""
    matrix, b = instance.problem.network_matrix, instance.problem.b
    row = np.full((1, matrix.shape[1]), np.linalg.norm(matrix, 2) / np.sqrt(matrix.shape[1]))
    problem = Problem(np.vstack([matrix, row]), np.append(b, -0.3 * np.linalg.norm(b)))
    return replace(instance, problem=problem)


def without_measurement(instance):
    """Return an instance with ``b = 0``."""
    problem = Problem(instance.problem.network_matrix, 0 * instance.problem.b)
    return replace(instance, problem=problem)


def with_one_weight(instance):
    """Return an instance in which all weights of the start but one vanish.

    There they stay, and are left out of the problem. The one has the longest column.
    """
    matrix = instance.problem.network_matrix
    one = [np.linalg.norm(matrix, axis=0).argmax()]
    problem = Problem(matrix[:, one], instance.problem.b)
    return replace(instance, problem=problem, x0=instance.x0[one])


def disagrees(answer, instance):
    """Return 1 if an answer to "does it stall?" is not that of the run."""
    return None if answer is None else float(answer != (instance.run.status is Status.STALLED))


def headroom(instance):
    """Return ``(|b| - |A x0^L - b|) / |b|``."""
    return 1 - instance.flow.residual(instance.problem, instance.x0)


def plain_limit_part(name, solution):
    """Return the part that says where the plain flow ends."""
    return Part(
        name=name,
        kind="exact",
        measured=f"relative distance between the end of the run and {solution}",
        threshold=1e-6,
        reason=INTEGRATION,
        applies=arrives,
        measure=lambda i: distance_to_end(i, i.reached_limit),
        twin="the mirror map of depth L + 1",
        measure_twin=lambda i: distance_to_end(i, other_depth(i)),
    )


def descent_part(threshold):
    """Return the part that says that the loss never increases."""
    return Part(
        name="descent",
        kind="upper",
        measured="largest rise of |e| over a step of the run, over |e(0)|",
        threshold=threshold,
        reason=INTEGRATION,
        applies=finished,
        measure=lambda i: rise(i.run, 2),
        twin="the largest entry of the residual never increases",
        measure_twin=lambda i: rise(i.run, np.inf),
    )


def without_small_start(applies, formula):
    """Return the part that drops the hypothesis that the start is small beside ``Q``.

    ``formula`` is that of the bound, also where it bounds nothing.
    """

    def over(instance):
        bound = formula(instance)
        return 1 + (relative_excess(instance) - bound) / abs(bound)

    return Part(
        name="a small start",
        kind="upper",
        measured="1 plus the relative excess of the l1 norm less its bound, over the size of that",
        threshold=1 + 1e-6,
        reason="an inequality; the surplus is the tolerance of HiGHS",
        applies=applies,
        measure=over,
        twin="the start may be so large that the bound is negative",
        measure_twin=over,
        twin_applies=arrives,
    )


def excess_formula(instance, log_rho=0.0):
    """Return the formula of ``bounds.excess_bound``, also where it bounds nothing."""
    Q, depth, x0 = instance.reached_min_l1.norm, instance.flow.depth, instance.x0
    return bounds.excess_formula(depth, x0, bounds.log_smallness(depth, x0, Q) + log_rho)


def excess_parts(applies, measure, bound="epsilon", share=0.8, twin="0.8 epsilon"):
    """Return the parts, of depth 2 and above, that bound the excess of the l1 norm.

    ``measure`` is the excess over its bound; the twin claims a share of that bound.
    """
    return tuple(
        Part(
            name=name,
            kind="upper",
            measured=f"relative excess of the l1 norm of the run's end / {bound}",
            threshold=1 + 1e-6,
            reason="an inequality; the surplus is the tolerance of HiGHS",
            applies=at_depth(applies),
            measure=measure,
            twin=twin,
            measure_twin=lambda i: measure(i) / share,
        )
        for name, at_depth in (("L = 2", at_depth_two), ("L > 2", at_larger_depth))
    )


def shape_weights(instance):
    """Return ``v_0^{-(L-2)}``: ones for depth 2."""
    return norm_weights(instance.flow.depth, instance.x0)
