"""Claims on depth: who is better, how small a start must be, and how long it waits."""

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from wnlib.claims.common import INTEGRATION, ROUNDING, final_error
from wnlib.claims.instances import of_length
from wnlib.claims.waiting import (
    another_power,
    normalized,
    plainly,
    share_normalized,
    small_ratio,
    waiting,
)
from wnlib.flows import PlainFlow, WeightNormFlow, squared_radius
from wnlib.l1.certificates import off_support
from wnlib.l1.linear_program import min_l1, shortest
from wnlib.ledger import Claim, Part
from wnlib.problems import Problem, sparse_problem
from wnlib.roads._training import train
from wnlib.roads.limit import limit
from wnlib.theory import shape as theory_shape
from wnlib.theory.shape import norm_weights

CLEAR = 0.75  # of a certificate off the support: a ratio of R*/100 then leaves less than FOUND
FOUND = 1e-3  # relative error at which the signal counts as found
SEEN = "never seen to fail; the worst seen stands beside it"
SOME_SHARES = np.geomspace(0.2, 0.5, 5)  # of R*: starts well below the end of the robust range


def _problem(rng):
    M = int(rng.integers(5, 9))
    return sparse_problem(M, int(rng.integers(2 * M, 3 * M)), int(rng.integers(1, 3)), rng)


def _error(flow, problem, x0):
    """Return the relative error with which trained weights end; None if they do not."""
    return final_error(train(flow, problem, x0, max_steps=1500))


@dataclass(frozen=True, eq=False)
class Race:
    """A problem, a shape of start, a depth; both flows, from any length, with any ratio."""

    problem: Problem
    v0: np.ndarray
    depth: float
    share: float
    ratio: float

    @cached_property
    def goal(self):
        """The solution of smallest weighted norm."""
        return shortest(self.problem, norm_weights(self.depth, self.v0))

    @cached_property
    def finds(self):
        """Whether that is the signal, clearly: by a certificate in units of the weights."""
        problem, w = self.problem, norm_weights(self.depth, self.v0)
        weighted = Problem(problem.A / w, problem.b, w * problem.signal)
        return bool(off_support(weighted).max() <= CLEAR)

    @property
    def length(self):
        """The squared length R* of the weights at the goal."""
        return squared_radius(self.goal, self.depth)

    def another_signal(self):
        """Return the same with a signal that is not the shortest: the plain end from 3 R*."""
        x0, problem = of_length(3 * self.length, self.v0), self.problem
        end = limit(PlainFlow(self.depth), problem, x0).effective
        return replace(self, problem=Problem(problem.A, problem.b, end))

    @cache  # noqa: B019, of a few instances
    def error(self, share, ratio=None):
        """Return the error with which a flow ends; without a ratio, the plain one."""
        R = self.length
        x0 = of_length(share * R, self.v0)
        flow = WeightNormFlow(self.depth, ratio * R) if ratio else PlainFlow(self.depth)
        return _error(flow, self.problem, x0)

    def advantage(self, share, ratio):
        """Return the error of weight normalization over that of the plain flow.

        None unless both end, or if too little is left of the error of the latter.

        Parameters
        ----------
        share : float
            Of the squared length of the start in R*.
        ratio : float
            In units of R*.
        """
        plain = self.error(share)
        if plain is None or plain < FOUND:
            return None
        other = self.error(share, ratio)
        return None if other is None else other / plain


def _race(rng):
    problem, depth = _problem(rng), float(rng.choice([2, 3, 4, rng.uniform(2, 5)]))
    spread = 1.5 if rng.random() < 0.3 else 0.5
    v0 = np.exp(rng.uniform(-spread, spread, problem.n_weights))
    return Race(problem, v0, depth, float(rng.choice(SOME_SHARES)), 10 ** rng.uniform(-2, -1))


@dataclass(frozen=True, eq=False)
class TwoDepths:
    """Even starts of the same effective weights, for two networks, between the ends of both."""

    problem: Problem
    depths: tuple[float, float]

    @cached_property
    def goal(self):
        """The shortest solution."""
        return min_l1(self.problem).z

    @cached_property
    def between(self):
        """Effective weights halfway, in logarithms, between the two ends."""
        ends = [theory_shape.robust_effective_start(L, self.goal) for L in self.depths]
        return np.sqrt(np.prod(ends))

    def start(self, which, share=None):
        """Return the weights of one of the networks: as above, or of ``R0 = share R*``."""
        L, N = self.depths[which], self.problem.n_weights
        if share is None:
            return np.full(N, self.between ** (1 / L))
        return np.full(N, np.sqrt(share * squared_radius(self.goal, L) / N))

    @cache  # noqa: B019, of a few instances
    def error(self, which, share=None):
        """Return the error with which it ends, with a ratio of R*/100."""
        L = self.depths[which]
        flow = WeightNormFlow(L, squared_radius(self.goal, L) / 100)
        return _error(flow, self.problem, self.start(which, share))

    @property
    def clear(self):
        """Whether a certificate is clear."""
        return off_support(self.problem).max() <= CLEAR

    @cached_property
    def long(self):
        """Whether solutions are longer than the deeper start."""
        x0 = self.start(1)
        longest = limit(PlainFlow(self.depths[1]), self.problem, 3 * x0)
        return squared_radius(longest.stacked, self.depths[1]) > 1.1 * (x0 @ x0)


def _two_depths(rng):
    L = float(rng.choice([2, rng.uniform(2, 3)]))
    return TwoDepths(_problem(rng), (L, L + float(rng.choice([1, rng.uniform(0.5, 1.5)]))))


def _over(value, found):
    return None if value is None else (value / FOUND if found else FOUND / value)


@dataclass(frozen=True, eq=False)
class Signal:
    """Entries of a solution, and two depths."""

    z: np.ndarray
    depths: tuple[float, float]

    def ends(self):
        """Return the effective starts at which the robust ranges end."""
        return np.array([theory_shape.robust_effective_start(L, self.z) for L in self.depths])

    @cached_property
    def nonzero(self):
        """The entries that are not zero."""
        return self.z[self.z > 0]

    def fall(self, power):
        """Return the lower of the two ends over the bound by the other one."""
        (L, deeper), (first, second) = self.depths, self.ends()
        return second / first / (len(self.nonzero) / len(self.z)) ** (power * (deeper - L))

    def floor(self, mean):
        """Return a lower bound of the deeper end over it."""
        share = len(self.nonzero) / len(self.z)
        return share ** (self.depths[1] / 2) * mean(self.nonzero) / self.ends()[1]

    def trained(self, sign):
        """Return the quotient of the ends in trained weights: of the deeper one, if sign is 1."""
        first, second = self.ends() ** (1 / np.array(self.depths))
        return (second / first) ** sign


def _signal(rng):
    N = int(rng.integers(2, 61))
    z, s = np.zeros(N), int(rng.integers(1, N + 1))
    spread = rng.choice([0.0, 1.0, 5.0])
    z[:s] = np.exp(rng.uniform(-spread, spread, s))
    kind = rng.integers(3)  # all at least 1, all at most 1, neither
    z[:s] = [np.maximum(z[:s], 1 / z[:s]), np.minimum(z[:s], 1 / z[:s]), z[:s]][kind]
    L = float(rng.uniform(2, 6))
    return Signal(z, (L, L + float(rng.uniform(0.1, 4))))


def _units(signal):
    """Return 1 if all entries are at least 1, -1 if all are at most 1, 0 otherwise."""
    return int((signal.nonzero >= 1).all()) - int((signal.nonzero <= 1).all())


def _off_length(signal, which):
    """Return how far the even start of the first depth is from as long as ``z`` at a depth."""
    effective = np.full(len(signal.z), signal.ends()[0])
    R = squared_radius(signal.z, signal.depths[0])
    return abs(squared_radius(effective, signal.depths[which]) / R - 1)


def _geometric(values):
    return np.exp(np.mean(np.log(values)))


NEARER = Part(
    name="shorter starts",
    kind="upper",
    measured="error of weight normalization over that of the plain flow, trained",
    threshold=1.0,
    reason=SEEN,
    applies=lambda i: i.finds,
    measure=lambda i: i.advantage(i.share, i.ratio),
    twin="also from starts of 3 R*",
    measure_twin=lambda i: i.advantage(3.0, i.ratio),
)
SHALLOW = Part(
    name="shallow",
    kind="upper",
    measured="relative error of the trained weights of the shallower over 1e-3",
    threshold=1.0,
    reason=SEEN,
    applies=lambda i: i.clear and i.long,
    measure=lambda i: _over(i.error(0), True),
    twin="the deeper one finds it from there",
    measure_twin=lambda i: _over(i.error(1), True),
)
NORMALIZED = Part(
    name="normalized",
    kind="lower",
    measured="lower bound of weight normalization over the time of its run",
    threshold=1 + 1e-5,
    reason=INTEGRATION,
    applies=normalized,
    measure=share_normalized,
    twin="ten times as long",
    measure_twin=lambda i: 10 * share_normalized(i),
)


CLAIMS = (
    Claim(
        label="obs-depth",
        statement="From starts of at most half the squared length R*, with a ratio of at most "
        "R*/10, weight normalization ends nearer to the signal than the plain flow, at each "
        "depth, if the signal minimizes the weighted norm clearly.",
        sample=_race,
        parts=(
            NEARER,
            replace(
                NEARER,
                name="small ratios",
                twin="also with a ratio of 10 R*",
                measure_twin=lambda i: i.advantage(i.share, 10.0),
            ),
            replace(
                NEARER,
                name="shortest",
                twin="also for another solution: the plain end from 3 R*",
                measure_twin=lambda i: i.another_signal().advantage(i.share, i.ratio),
            ),
        ),
    ),
    Claim(
        label="prop-deeper-lower",
        statement="The even start as long as the weights at z* has the effective weights "
        "((1/N) sum z*^{2/L})^{L/2}; they fall by at least sqrt(s/N) a layer, and in trained "
        "weights they fall if all entries of z* are at least 1 and rise if all are at most 1.",
        sample=_signal,
        parts=(
            Part(
                name="length",
                kind="exact",
                measured="relative difference of R0 from sum z*^{2/L}",
                threshold=1e-12,
                reason=ROUNDING,
                measure=lambda i: _off_length(i, 0),
                twin="at another depth",
                measure_twin=lambda i: _off_length(i, 1),
            ),
            Part(
                name="a layer",
                kind="upper",
                measured="quotient of the ends over (s/N)^{(L' - L)/2}",
                threshold=1 + 1e-12,
                reason=ROUNDING,
                measure=lambda i: i.fall(0.5),
                twin="(s/N)^{L' - L}",
                measure_twin=lambda i: i.fall(1.0),
            ),
            Part(
                name="floor",
                kind="lower",
                measured="(s/N)^{L/2} times the geometric mean of the entries, over the end",
                threshold=1 + 1e-12,
                reason=ROUNDING,
                measure=lambda i: i.floor(_geometric),
                twin="the arithmetic mean",
                measure_twin=lambda i: i.floor(np.mean),
            ),
            Part(
                name="units",
                kind="upper",
                measured="quotient of the ends in trained weights, the way the units say",
                threshold=1 + 1e-12,
                reason=ROUNDING,
                applies=lambda i: _units(i) != 0,
                measure=lambda i: i.trained(_units(i)),
                twin="the deeper one is lower in all units",
                measure_twin=lambda i: i.trained(1),
            ),
        ),
    ),
    Claim(
        label="obs-smaller-start",
        statement="From even starts of the same effective weights, between the ends of two "
        "depths, the shallower network finds the signal and the deeper one does not; from a "
        "smaller start it does.",
        sample=_two_depths,
        parts=(
            SHALLOW,
            replace(
                SHALLOW,
                name="deep",
                kind="lower",
                measured="1e-3 over the relative error of the trained weights of the deeper",
                measure=lambda i: _over(i.error(1), False),
                twin="the shallower one loses it, too",
                measure_twin=lambda i: _over(i.error(0), False),
            ),
            replace(
                SHALLOW,
                name="smaller",
                measured="error of the deeper over 1e-3 from R0 = 0.6 R*",
                measure=lambda i: _over(i.error(1, 0.6), True),
                twin="from the start of the shallower",
            ),
            replace(
                SHALLOW,
                name="clear",
                twin="also where no certificate is clear",
                measure_twin=lambda i: _over(i.error(0), True),
                twin_applies=lambda i: i.long and not i.clear,
            ),
        ),
    ),
    Claim(
        label="prop-escape",
        statement="The first weight of the plain flow reaches a level X between two times, like "
        "alpha^{-(L-2)} for small starts; step times the number of steps of gradient descent is "
        "not below the first, and weight normalization waits 1/ratio times as long if N X^2 is "
        "below the ratio.",
        sample=waiting,
        parts=(
            Part(
                name="not before",
                kind="lower",
                measured="lower bound over the time of the run",
                threshold=1 + 1e-5,
                reason=INTEGRATION,
                applies=plainly,
                measure=lambda i: i.bounds()[0] / i.reached_between[1],
                twin="L - 1 in place of L - 2",
                measure_twin=another_power,
            ),
            Part(
                name="not after",
                kind="upper",
                measured="time of the run over the upper bound",
                threshold=1 + 1e-5,
                reason=INTEGRATION,
                applies=lambda i: plainly(i) and np.isfinite(i.bounds()[1]),
                measure=lambda i: i.reached_between[0] / i.bounds()[1],
                twin="half of the upper bound",
                measure_twin=lambda i: 2 * i.reached_between[0] / i.bounds()[1],
            ),
            Part(
                name="steps",
                kind="lower",
                measured="lower bound over step times steps, of about a hundred steps",
                threshold=1 + 1e-9,
                reason=ROUNDING,
                applies=lambda i: plainly(i) and np.isfinite(i.step) and i.steps is not None,
                measure=lambda i: i.bounds()[0] / (i.step * i.steps),
                twin="twice the lower bound",
                measure_twin=lambda i: 2 * i.bounds()[0] / (i.step * i.steps),
            ),
            NORMALIZED,
            replace(
                NORMALIZED,
                name="short",
                twin="also with N X^2 far above the ratio",
                measure_twin=small_ratio,
            ),
        ),
    ),
)
