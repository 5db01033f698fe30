"""Claims on Figure 1: on which scales of the start both methods are accurate."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.l1.linear_program import min_l1
from wnlib.ledger import Claim, Part
from wnlib.problems import Problem, initial_weights, sparse_problem
from wnlib.results import Status
from wnlib.roads._training import train
from wnlib.theory.rates import largest_support

LEVEL = 1e-3  # an error below it counts as accurate
PAPER_SCALE, PAPER_FACTOR = 0.1, 1e5
OBSERVED = "the number of the sentence itself; no bound is derived"


@dataclass(frozen=True, eq=False)
class Recovery:
    """A sparse problem and a start of scale 1, from which both methods are trained at scales."""

    problem: Problem
    xi: np.ndarray
    ratio: float
    length: float  # of one start, squared, as a share of Q

    @cached_property
    def proof(self):
        """The point of smallest l1 norm, with its strictest certificate."""
        return min_l1(self.problem).strictest()

    @cached_property
    def is_proved(self):
        """Tell whether the signal is the shortest, and the ratio small beside the slack.

        And some solution is positive in each entry: the signal is not the only one.
        """
        small = self.ratio <= self.proof.slack * self.proof.norm / 20
        return bool(self.is_shortest and small and self.is_spread)

    @cached_property
    def is_shortest(self):
        """Tell whether the signal is the point of smallest l1 norm."""
        return bool(self.problem.error(self.proof.z) < 1e-9)  # rounding of the linear program

    @cached_property
    def is_spread(self):
        """Tell whether some solution is positive in each entry."""
        return bool(largest_support(self.problem).all())

    def scale(self, share):
        """Return the scale at which the squared length of the start is a share of Q."""
        return np.sqrt(share * self.proof.norm / (self.xi @ self.xi))

    @cached_property
    def errors(self):
        """What has been trained already: several parts ask for the same."""
        return {}

    def error(self, flow, scale):
        """Return the error of trained weights, and how the training ended."""
        if (flow, scale) not in self.errors:
            run = train(flow, self.problem, scale * self.xi)
            self.errors[flow, scale] = float(run.error), run.status
        return self.errors[flow, scale]

    def plain(self, scale):
        """Return the error of the plain flow; None if it did not come to its end."""
        error, status = self.error(PlainFlow(2), scale)
        return error if status is Status.CONVERGED else None

    def normalized(self, scale):
        """Return that of weight normalization; None also if it stalls, where nothing is said."""
        error, status = self.error(WeightNormFlow(2, self.ratio), scale)
        return error if status is Status.CONVERGED else None

    def quick(self, scale):
        """Return that of weight normalization with the ratio Q, for a twin: a stall counts."""
        error, status = self.error(WeightNormFlow(2, self.proof.norm), scale)
        return error if status in (Status.CONVERGED, Status.STALLED) else None


def recovery(rng, *, signed=False):
    """Draw a problem with few nonzero entries, a ratio and a length of the start.

    One in eight has so many measurements that the signal is its only solution, if nonnegative; and
    one in eight so many nonzero entries that another is shorter, mostly.
    """
    N = int(rng.integers(14 if signed else 16, 19 if signed else 41))
    kind = rng.random()
    share = rng.uniform(0.3, 0.5) if kind < 7 / 8 else rng.uniform(0.7, 0.9)
    M = int(np.ceil(share * N))
    s = M - 1 if kind < 1 / 8 else int(rng.integers(1, max(2, M // 7) + 1))
    problem = sparse_problem(M, N, s, seed=rng, signed=signed)
    length = 0.5 if rng.random() < 0.5 else 10 ** rng.uniform(-5, -0.31)
    drawn = Recovery(problem, initial_weights(problem, 1.0, seed=rng), 1.0, length)
    ratio = drawn.proof.slack * drawn.proof.norm / 10 ** rng.uniform(1.3, 2)
    return replace(drawn, ratio=max(ratio, 1e-3))


def proved(instance):
    """Tell whether the hypotheses hold that all sentences share."""
    return instance.is_proved


def below_one(instance):
    """Tell whether they hold, and the slack is not the 1 that stands for all that is more."""
    return instance.is_proved and instance.proof.slack < 1


def short_at_paper_scale(instance):
    """Tell whether the same is true, and the start of scale 0.1 has r_0^2 <= Q / 4."""
    return instance.is_proved and instance.scale(0.25) >= PAPER_SCALE


def over(error, level):
    """Return an error over a level; None if it is not there."""
    return None if error is None else error / level


def under(error, level):
    """Return a level over an error."""
    return None if error is None else level / error


def lag(instance, error=Recovery.normalized, scale=PAPER_SCALE):
    """Return 1e5 times an error, by default that of WN, over that of GD."""
    pair = error(instance, scale), instance.plain(scale)
    return None if None in pair else PAPER_FACTOR * pair[0] / pair[1]


def uneven(instance):
    """Return an instance whose start has next to nothing on the support of the signal."""
    on = instance.problem.split(instance.problem.signal) > 0
    return replace(instance, xi=np.where(on, 1e-20, 1.0) * instance.xi)


def _from_share(instance):
    """Return the error from the start of the instance, over the accurate one."""
    return over(instance.normalized(instance.scale(instance.length)), LEVEL)


ACCURATE = Part(
    name="accurate",
    kind="upper",
    measured="error of WN from a start with r0^2 <= Q / 2, over 1e-3",
    threshold=1.0,
    reason=OBSERVED,
    applies=proved,
    measure=_from_share,
    twin="a start with r0^2 = 2 Q",
    measure_twin=lambda i: over(i.normalized(i.scale(2.0)), LEVEL),
)
SMALL_RATIO = replace(
    ACCURATE,
    name="a small ratio",
    twin="a ratio as large as Q",
    measure_twin=lambda i: over(i.quick(i.scale(i.length)), LEVEL),
)
SHORTEST = replace(
    ACCURATE,
    name="the shortest",
    twin="another solution may be shorter than the signal",
    measure_twin=_from_share,
    twin_applies=lambda i: not i.is_shortest,
)
EVEN = replace(
    ACCURATE,
    name="an even start",
    twin="the weights on the support are smaller by 1e-20",
    measure_twin=lambda i: _from_share(uneven(i)),
)
WIDER = Part(
    name="wider",
    kind="lower",
    measured="1e-3 over the error of GD from half of the scale at which r0^2 = Q / 2",
    threshold=1.0,
    reason=OBSERVED,
    applies=below_one,
    measure=lambda i: under(i.plain(i.scale(0.5) / 2), LEVEL),
    twin="from a ten-thousandth of that scale",
    measure_twin=lambda i: under(i.plain(i.scale(0.5) / 1e4), LEVEL),
)
RATIO = Part(
    name="ratio",
    kind="lower",
    measured="1e5 times the error of WN over that of GD, both from scale 0.1",
    threshold=1.0,
    reason=OBSERVED,
    applies=short_at_paper_scale,
    measure=lag,
    twin="a ratio as large as Q",
    measure_twin=lambda i: lag(i, Recovery.quick),
)


RATIO_SHORT = replace(
    RATIO,
    name="a short start",
    twin="the signal is shorter: r0^2 = 0.9 Q",
    measure_twin=lambda i: lag(i, scale=i.scale(0.9)),
)


def _only_solution(instance):
    """Tell whether the hypotheses hold but for one: the signal is the only solution."""
    return instance.is_shortest and not instance.is_spread


CLAIMS = (
    Claim(
        label="obs-wider-range",
        statement="With a ratio of at most Q slack / 20, weight normalization is accurate from "
        "all starts with r0^2 <= Q / 2 from which it does not stall, and gradient descent not even "
        "from half of that scale.",
        sample=recovery,
        parts=(
            ACCURATE,
            SMALL_RATIO,
            SHORTEST,
            EVEN,
            WIDER,
            replace(
                WIDER,
                name="other solutions",
                twin="the signal may be the only nonnegative solution",
                measure_twin=WIDER.measure,
                twin_applies=_only_solution,
            ),
        ),
    ),
    Claim(
        label="obs-hundred-thousand",
        statement="At scale 0.1, if r0^2 <= Q / 4, the error of gradient descent is then more than "
        "1e5 times that of weight normalization, in the limit, unless the signal is the only "
        "solution.",
        sample=recovery,
        parts=(
            RATIO,
            RATIO_SHORT,
            replace(
                RATIO,
                name="other solutions",
                twin="the signal may be the only nonnegative solution",
                measure_twin=lag,
                twin_applies=lambda i: _only_solution(i) and i.scale(0.25) >= PAPER_SCALE,
            ),
            replace(
                RATIO,
                name="the shortest",
                twin="another solution may be shorter than the signal",
                measure_twin=lag,
                twin_applies=lambda i: not i.is_shortest and i.scale(0.25) >= PAPER_SCALE,
            ),
        ),
    ),
)
