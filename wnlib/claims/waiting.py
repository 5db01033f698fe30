"""Instances that wait near their start until a weight reaches a level, and how long they do."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from wnlib.claims.instances import Instance, hard_instance
from wnlib.flows import WeightNormFlow, normalizes
from wnlib.roads._training import train
from wnlib.roads.descend import descend
from wnlib.theory import escape


@dataclass(frozen=True, eq=False)
class Waiting(Instance):
    """An instance with a level, and the time at which its run reaches it."""

    level: float

    @cached_property
    def reached_between(self):
        """Two recorded times between which the first weight reaches the level, or None."""
        above = self.run.log_path.max(axis=1) >= np.log(self.level)
        k = above.argmax()
        return (self.run.times[k - 1], self.run.times[k]) if above.any() and k else None

    def bounds(self):
        """Return the bounds for the plain flow."""
        return escape.escape_time_bounds(self.flow.depth, self.problem, self.x0, self.level)

    @cached_property
    def step(self):
        """A step of gradient descent, of which the lower bound takes about a hundred."""
        lower = self.bounds()[0]
        return lower / 100 if 0 < lower < np.inf else np.nan

    @cached_property
    def steps(self):
        """The number of steps until a weight reaches the level, or None."""
        times = self.step * np.arange(1, 301)
        run = descend(self.flow, self.problem, self.x0, step=self.step, n_steps=300, times=times)
        above = np.max(run.path, axis=1) >= self.level
        return round(run.times[above.argmax()] / self.step) if above.any() else None


def waiting(rng):
    """Draw an instance and a level above its start, for weight normalization ``N X^2 < ratio``."""
    made = hard_instance(rng, weight_norm=bool(rng.integers(2)), size=(-3, -1))
    level = made.x0.max() * 10 ** rng.uniform(0.3, 1.2)
    if normalizes(made.flow):
        N = made.problem.n_weights
        level = min(level, 0.99 * np.sqrt(made.flow.ratio / N))
        if level <= 1.01 * made.x0.max():  # a start too large for the ratio: shrink it
            made = replace(made, x0=made.x0 * level / made.x0.max() / 3)
    return Waiting(made.flow, made.problem, made.x0, level)


def plainly(instance):
    """Tell whether the plain flow reaches the level."""
    return not normalizes(instance.flow) and instance.reached_between is not None


def normalized(instance):
    """Tell whether weight normalization reaches it, and ``N X^2`` is at most the ratio."""
    short = instance.problem.n_weights * instance.level**2 <= getattr(instance.flow, "ratio", 0)
    return short and instance.reached_between is not None


def another_power(instance):
    """Return the lower bound with L - 1 in place of L - 2, from the same level, over the time."""
    if instance.x0.max() > 0.3:  # the powers of numbers about 1 tell nothing
        return None
    lower = instance.bounds()[0] * instance.level / instance.x0.max()
    return lower / instance.reached_between[1]


def share_normalized(instance):
    """Return the lower bound of weight normalization over the time."""
    flow, problem, x0 = instance.flow, instance.problem, instance.x0
    bound = escape.normalized_escape_bound(flow, problem, x0, instance.level)
    return bound / instance.reached_between[1]


def small_ratio(instance):
    """Return the bound over the time with a ratio far below ``N X^2``, a level beside the start.

    The formula is inverse to the ratio, so it is evaluated where the function gives it.
    """
    x0, N = instance.x0, instance.problem.n_weights
    level, small = 1.1 * x0.max(), x0 @ x0 / 100
    allowed = WeightNormFlow(instance.flow.depth, N * level**2)
    bound = escape.normalized_escape_bound(allowed, instance.problem, x0, level)
    there = replace(instance, flow=replace(allowed, ratio=small), level=level)
    run = train(there.flow, there.problem, x0, max_steps=150)
    above = run.log_path.max(axis=1) >= np.log(level)
    if not above.any():
        return None
    return bound * allowed.ratio / small / run.times[above.argmax()]
