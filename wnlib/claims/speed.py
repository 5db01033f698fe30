"""Claims on speed: the steps of descent to an error and to a loss, each with a step of its own."""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.l1.certificates import off_support
from wnlib.ledger import Claim, Part
from wnlib.problems import Problem, initial_weights, sparse_problem
from wnlib.roads.pace import pace
from wnlib.theory.finite_steps import largest_stable_step

LEVELS = 1e-1, 1e-2, 1e-6
SHARE = (
    0.5  # of the largest stable step at the signal: both methods then lower the loss, nearly always
)
RATIO = 0.1
RATIOS = 0.1, 0.3, 1.0  # from which weight normalization may choose
SCALE = 0.1  # of the start that both share
TINY = 1e-16, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-3  # from which plain descent may choose, L = 2
SHORT = 0.1, 0.2  # from which weight normalization may choose
DEEP = 0.01, 0.03, 0.1, 0.3  # from which plain descent may choose, L = 3
MOST = {2: 1000, 3: 2500}  # steps, by depth
LARGE = 0.03  # as large as may be, for the start to be left at a time that its size decides
CLEAR = 0.85  # of the certificate off the support: nearer to 1 both end beside the signal
OBSERVED = "an observation: fewer steps is a quotient below 1"


@dataclass(frozen=True, eq=False)
class Race:
    """A problem, and a seed of the shape of all starts."""

    problem: Problem
    seed: int

    @cached_property
    def clear(self):
        """Whether the signal is the shortest solution by a margin."""
        return off_support(self.problem).max() <= CLEAR

    @cache  # noqa: B019 (several parts ask for the same run; the race is gone with its sample)
    def pace(self, flow, scales, n_steps):
        """Return the pace from starts of one shape and some scales."""
        signal = self.problem.signal ** (1 / flow.depth)
        step = SHARE * largest_stable_step(flow, self.problem, signal)
        x0 = [initial_weights(self.problem, scale, seed=self.seed) for scale in scales]
        return pace(flow, self.problem, x0, step, n_steps, LEVELS)


def _draw(rng):
    N = int(rng.integers(40, 61))
    problem = sparse_problem(N * 2 // 5, N, sparsity=int(rng.integers(2, 4)), seed=rng)
    return Race(problem, int(rng.integers(2**32)))


def _same_start(race, quantity, level):
    """Return steps of weight normalization and of plain descent, from the same start."""
    column = LEVELS.index(level)
    flows = WeightNormFlow(2, RATIO), PlainFlow(2)
    return [getattr(race.pace(flow, (SCALE,), 2000), quantity)[0, column] for flow in flows]


def _best_start(race, depth, scales, ratios=RATIOS):
    """Return steps of plain descent over those of weight normalization, from their best starts."""
    column, most = LEVELS.index(1e-2), MOST[depth]
    plain = race.pace(PlainFlow(depth), scales, most).error[:, column].min()
    flows = [WeightNormFlow(depth, ratio) for ratio in ratios]
    normalized = min(race.pace(flow, SHORT, most).error[:, column].min() for flow in flows)
    return _quotient(plain, normalized)


def _price(race, depth):
    """Return steps to the first digit of the loss over those from a start a third as large."""
    run = race.pace(PlainFlow(depth), (LARGE, LARGE / 3), 2500)
    return _quotient(*run.loss[:, LEVELS.index(1e-1)])


def _inverse(quotient):
    """Return what :func:`_quotient` says of the two in the other order."""
    return None if quotient is None else np.inf if quotient == 0 else 1 / quotient


def _quotient(first, second):
    """Return a quotient of steps; None if neither gets there."""
    return None if np.isinf([first, second]).all() else float(first / second)


CLAIMS = (
    Claim(
        label="obs-faster",
        statement="From the same start of scale 0.1, L = 2, ratio 0.1, each with half of its "
        "largest stable step: weight normalization needs fewer steps than plain descent to the "
        "second digit of the error, and more to the second digit of the loss.",
        sample=_draw,
        parts=(
            Part(
                name="error",
                kind="upper",
                measured="steps of WN-GD to an error of 1e-2 / those of GD",
                threshold=1.0,
                reason=OBSERVED,
                applies=lambda race: race.clear,
                measure=lambda race: _quotient(*_same_start(race, "error", 1e-2)),
                twin="to an error of 1e-1",
                measure_twin=lambda race: _quotient(*_same_start(race, "error", 1e-1)),
            ),
            Part(
                name="loss",
                kind="upper",
                measured="steps of GD to a loss of 1e-2 / those of WN-GD",
                threshold=1.0,
                reason=OBSERVED,
                applies=lambda race: race.clear,
                measure=lambda race: _quotient(*_same_start(race, "loss", 1e-2)[::-1]),
                twin="to a loss of 1e-6",
                measure_twin=lambda race: _quotient(*_same_start(race, "loss", 1e-6)[::-1]),
            ),
        ),
    ),
    Claim(
        label="obs-best-start",
        statement="Each from its best start, to the second digit of the error: at L = 2 plain "
        "descent needs fewer steps than weight normalization with ratio 0.1; at L = 3 that, "
        "with the best of three ratios, needs at most twice as many as plain descent, which a "
        "start three times smaller costs more than twice as many.",
        sample=_draw,
        parts=(
            Part(
                name="L = 2",
                kind="upper",
                measured="steps of GD to an error of 1e-2 / those of WN-GD, from their best starts",
                threshold=1.0,
                reason=OBSERVED,
                applies=lambda race: race.clear,
                measure=lambda race: _best_start(race, 2, TINY, (RATIO,)),
                twin="GD from the start of scale 0.1",
                measure_twin=lambda race: _best_start(race, 2, (SCALE,), (RATIO,)),
            ),
            Part(
                name="L = 3",
                kind="upper",
                measured="steps of WN-GD to an error of 1e-2 / those of GD, with the best ratio",
                threshold=2.0,
                reason="observed; the largest of 35 other problems was 1.23",
                applies=lambda race: race.clear,
                measure=lambda race: _inverse(_best_start(race, 3, DEEP)),
                twin="at L = 2",
                measure_twin=lambda race: _inverse(_best_start(race, 2, TINY)),
            ),
            Part(
                name="price",
                kind="upper",
                measured="steps of GD to a loss of 1e-1 from scale 0.03 / those from 0.01",
                threshold=0.45,
                reason="the time to leave a start is as its inverse, 1/3; some steps follow",
                applies=lambda race: race.clear,
                measure=lambda race: _price(race, 3),
                twin="at L = 2",
                measure_twin=lambda race: _price(race, 2),
            ),
        ),
    ),
)
