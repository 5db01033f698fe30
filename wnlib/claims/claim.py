"""What a claim is, and what the claims of several chapters share."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wnlib import bounds
from wnlib.flows import PlainFlow
from wnlib.instances import Instance, random_instance
from wnlib.linear_program import min_l1
from wnlib.problems import Problem
from wnlib.trajectories import Status

# Reasons for thresholds.
ROUNDING = "an identity in exact arithmetic; a hundred operations' rounding errors"
INTEGRATION = "integrated with relative tolerance 1e-10 a step"
ENDS = "the end is integrated to a relative residual of 1e-11, with condition numbers up to 1e3"
INEQUALITY = "an inequality; the surplus is rounding"


def always(instance):
    """Return True: no hypothesis beyond those of the setting."""
    return True


@dataclass(frozen=True)
class Claim:
    """A statement of the book that a computer can refute.

    A claim measures one number on one instance and is true there if the number is at most its
    threshold (1 for a bound, ``measured / bound``; the tolerance for an identity). Its *false twin*
    is the same claim with one thing wrong; a ledger must find an instance that refutes it.

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


def relative(difference, reference):
    """Return ``|difference| / |reference|``."""
    return np.linalg.norm(difference) / np.linalg.norm(reference)


def plain(rng):
    """Draw an instance of the plain flow."""
    return random_instance(rng, weight_norm=False)


def weight_norm(rng):
    """Draw an instance of weight normalization."""
    return random_instance(rng, weight_norm=True)


def converges(instance):
    """Tell whether the limit solves ``A z = b``: false where weight normalization stalls."""
    return instance.limit.status is Status.CONVERGED


def distance_to_end(instance, limit):
    """Distance of a limit from the end of the integrated flow, relative to the latter."""
    return relative(limit.stacked - instance.end.stacked, instance.end.stacked)


def solution(instance):
    """Nonnegative effective weights that interpolate: the signal, split into its two signs."""
    signal = instance.problem.signal
    if not instance.problem.signed:
        return signal
    return np.concatenate([np.maximum(signal, 0), np.maximum(-signal, 0)])


def shortest(problem, weights):
    """Return the stacked solution of smallest weighted norm ``weights @ z``."""
    rescaled = Problem(problem.network_matrix / weights, problem.b)  # its unknown is weights * z
    return min_l1(rescaled).z / weights


def excess_over_bound(instance, log_rho=0.0):
    """Relative excess of the l1 norm of the limit over the smallest, over its bound."""
    Q, depth = instance.min_l1.norm, instance.flow.depth
    excess = instance.limit.stacked.sum() / Q - 1
    return excess / bounds.excess_bound(instance.x0, Q, depth, log_rho)


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
