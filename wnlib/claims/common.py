"""What the claims of several chapters share: reasons, samplers, hypotheses, comparisons of ends."""

import numpy as np

from wnlib.claims.instances import Instance, hard_instance
from wnlib.flows import PlainFlow
from wnlib.l1.linear_program import min_l1
from wnlib.problems import Problem
from wnlib.results import Status
from wnlib.theory import bounds

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


def both_arrive(instance):
    """Tell whether the run and the exact limit ended at a solution."""
    return arrives(instance) and instance.limit.status is Status.CONVERGED


def at_depth_two(applies):
    """Return a hypothesis with "the depth is 2" added."""
    return lambda i: i.flow.depth == 2 and applies(i)


def at_larger_depth(applies):
    """Return a hypothesis with "the depth is larger than 2" added."""
    return lambda i: i.flow.depth > 2 and applies(i)


def relative(difference, reference):
    """Return ``|difference| / |reference|``."""
    return np.linalg.norm(difference) / np.linalg.norm(reference)


def distance_to_end(instance, end):
    """Distance of a limit from the end of the run, relative to the latter; None if undecided."""
    if end.status is not Status.CONVERGED:
        return None
    return relative(end.stacked - instance.run.stacked, instance.run.stacked)


def misfits(run):
    """Return ``|A x^L - b|`` along a run."""
    return np.sqrt(2 * run.flow.depth * run.loss_path)


def psi_rate(depth):
    """Return ``c_psi``: the plain flow moves ``psi(x^L)`` by ``-c_psi A^T e``."""
    return 2.0 if depth == 2 else depth - 2


def shortest(problem, weights):
    """Return the stacked solution of smallest weighted norm ``weights @ z``."""
    rescaled = Problem(problem.network_matrix / weights, problem.b)  # its unknown is weights * z
    return min_l1(rescaled).z / weights


def others(instance):
    """Return two solutions for the measurements that the run has reached, by linear programs."""
    N = instance.problem.n_weights
    return [shortest(instance.reached, weights) for weights in (np.ones(N), np.linspace(1, 2, N))]


def excess_over_bound(instance, log_rho=0.0):
    """Relative excess of the l1 norm of the run's end over the smallest, over its bound."""
    Q, depth = instance.reached_min_l1.norm, instance.flow.depth
    excess = instance.run.stacked.sum() / Q - 1
    return excess / bounds.excess_bound(instance.x0, Q, depth, log_rho)


def tight_instance(rng):
    """Draw an instance on which the bound of Theorem 2.1 is nearly attained.

    ``z_1 + z_2 / 2 = 1``: the smallest l1 norm is 1, at (1, 0). The first weight starts just small
    enough beside the second to stay near zero, and the limit is nearly (0, 2).
    """
    depth = 2.0 if rng.integers(2) else float(rng.uniform(2.2, 6))
    log_second, closeness = rng.uniform(-45, -35), rng.uniform(0.96, 0.98)
    if depth == 2:
        log_first = 2 * log_second + np.log((1 - closeness) / 4)
    else:
        log_first = log_second + np.log(closeness / 2) / (1 - 2 / depth)
    x0 = np.exp(np.array([log_first, log_second]) / depth)
    return Instance(PlainFlow(depth), Problem([[1.0, 0.5]], [1.0]), x0)
