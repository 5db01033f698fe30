"""Claims on the sparsity of plain limits."""

import numpy as np

from wnlib.claims.common import (
    arrives,
    excess_formula,
    excess_over_bound,
    excess_parts,
    relative_excess,
    tight_instance,
    without_small_start,
)
from wnlib.claims.instances import Instance, hard_instance, near_tie
from wnlib.flows import PlainFlow
from wnlib.ledger import Claim
from wnlib.theory import bounds


def _plain_or_tight(rng):
    if rng.integers(2):
        return tight_instance(rng)
    return hard_instance(rng, weight_norm=False, size=(-6, 1))


def _nearly_tied(rng):
    """Draw an instance; half of the time one on which the best bound is nearly attained."""
    if rng.integers(2):
        return _plain_or_tight(rng)
    N = int(rng.integers(2, 6))
    depth = 2.0 if rng.integers(2) else float(rng.uniform(2.2, 4))
    shape = np.sort(rng.uniform(0.2, 1, N)) if depth == 2 else np.ones(N)
    problem, x0 = near_tie(depth, shape, rng.uniform(50, 70) if depth == 2 else 35.0)
    return Instance(PlainFlow(depth), problem, x0)


def _over_best_bound(instance):
    """Relative excess of the l1 norm of the run's end over the bound with the best constants."""
    Q, depth = instance.reached_min_l1.norm, instance.flow.depth
    return relative_excess(instance) / bounds.best_excess_bound(depth, instance.x0, Q)


def _best_formula(instance):
    """Return the formula of the bound with the best constants, also where it bounds nothing."""
    Q, depth = instance.reached_min_l1.norm, instance.flow.depth
    return bounds.best_excess_formula(depth, instance.x0, Q)


def _excess_applies(instance):
    Q = instance.reached_min_l1.norm
    return arrives(instance) and bounds.excess_hypothesis(instance.flow.depth, instance.x0, Q)


CLAIMS = (
    Claim(
        label="thm-plain-l1",
        statement="The l1 norm of the plain limit exceeds the smallest one at most by the factor "
        "1 + epsilon.",
        sample=_plain_or_tight,
        parts=(
            *excess_parts(_excess_applies, excess_over_bound),
            without_small_start(_excess_applies, excess_formula),
        ),
    ),
    Claim(
        label="prop-plain-best",
        statement="The same with the constants w in place of log(beta_1 / beta_min), and C in "
        "place of (L/2) (N^gamma - 1); there are problems that come as near to it as one likes.",
        sample=_nearly_tied,
        parts=(
            *excess_parts(_excess_applies, _over_best_bound, "that bound", 0.9, "0.9 of it"),
            without_small_start(_excess_applies, _best_formula),
        ),
    ),
)
