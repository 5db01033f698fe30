"""Weight normalization beside a smaller ratio and beside the plain flow, from the same start."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from wnlib.claims.common import any_side, arrives, relative, weight_norm
from wnlib.claims.instances import Instance
from wnlib.claims.rho import log_rho_of, rho_scale
from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.roads.limit import limit
from wnlib.theory import invariants


@dataclass(frozen=True, eq=False)
class Compared(Instance):
    """Weight normalization beside the same with a smaller ratio, and beside the plain flow."""

    factor: float  # of the two ratios

    def with_flow(self, flow):
        """Return the instance of another flow."""
        return Instance(flow, self.problem, self.x0)

    @cached_property
    def smaller(self):
        """The instance of the smaller ratio."""
        flow = self.flow
        return self.with_flow(WeightNormFlow(flow.depth, flow.ratio / self.factor))

    @cached_property
    def plain(self):
        """The instance of the plain flow."""
        return self.with_flow(PlainFlow(self.flow.depth))

    @property
    def lengths(self):
        """Squared lengths of the start and of the end of the plain flow."""
        return float(self.x0 @ self.x0), float(self.plain.run.radius**2)

    @property
    def side(self):
        """The sign of what the plain flow adds to the squared length."""
        R0, R = self.lengths
        return np.sign(R - R0)

    @cached_property
    def mean(self):
        """The logarithmic mean of these lengths."""
        return float(invariants.logarithmic_mean(*self.lengths))


def compared(rng):
    """Draw two ratios a factor apart; one in two near where the plain flow ends as well.

    A few starts lean towards columns that oppose b, so that some stall.
    """
    drawn = any_side(rng) if rng.random() < 0.2 else weight_norm(rng)
    made = Compared(drawn.flow, drawn.problem, drawn.x0, float(10 ** rng.uniform(0.2, 1)))
    if rng.integers(2):
        R0, R = made.x0 @ made.x0, limit(made.plain.flow, made.problem, made.x0).radius ** 2
        ratio = float(invariants.logarithmic_mean(R0, R)) * 2 ** rng.uniform(-1, 1)
        made = replace(made, flow=WeightNormFlow(made.flow.depth, ratio))
    return made


def beside_plain(instance):
    """Tell whether this flow and the plain one end at a solution."""
    return arrives(instance) and arrives(instance.plain)


def all_arrive(instance):
    """Tell whether that of the smaller ratio does so as well."""
    return beside_plain(instance) and arrives(instance.smaller)


def wrong_side(instance, side):
    """By how much of its start the squared length moves to the other side."""
    R0, _ = instance.lengths
    return -side * (instance.run.radius**2 - R0) / R0


def side_of_shortest(instance):
    """Return the sign of ``Q^{2/L} - R_0``: 1 if the start is shorter than the shortest limit."""
    return np.sign(instance.min_l1.norm ** (2 / instance.flow.depth) - instance.lengths[0])


def moves_more(instance, side):
    """By how much farther the squared length moves with the smaller ratio, relative."""
    R, smaller = instance.run.radius**2, instance.smaller.run.radius**2
    return side * (smaller - R) / max(R, smaller)


def magnifies_less(instance, side):
    """By how much log rho changes the wrong way with the smaller ratio, relative."""
    change = log_rho_of(instance.smaller) - log_rho_of(instance)
    return -side * change / rho_scale(instance.smaller)


def apart(instance, ratio):
    """Distance of the end with a ratio from that of the plain flow, relative."""
    other = instance.with_flow(WeightNormFlow(instance.flow.depth, float(ratio)))
    plain = instance.plain.run.stacked
    return relative(other.run.stacked - plain, plain) if arrives(other) else None


def longer(instance, shorter):
    """By how much the end is longer than the plain one if it should be shorter, or shorter."""
    _, R = instance.lengths
    return (1 if shorter else -1) * (instance.run.radius**2 - R) / R


def shorter_by_mean(instance):
    """Tell whether the end should be shorter than the plain one, by the logarithmic mean."""
    return invariants.magnifies(instance.flow.ratio, *instance.lengths)
