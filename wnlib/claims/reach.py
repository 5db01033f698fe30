"""Claims on how far the figures' sentences reach: problems of every kind of the grid."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from wnlib.claims.common import final_error
from wnlib.claims.instances import Instance, of_length
from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.ledger import Claim, Part
from wnlib.problems import initial_weights, sparse_problem
from wnlib.theory.reach import (
    LARGEST_RATIO,
    LEAST_CHOICE,
    LEAST_SLACK,
    LONGEST_START,
    expected_log_factor,
    longest_norm,
)

MATRICES = "gaussian", "rademacher", "dct", "correlated"
ENTRIES = "uniform", "gaussian", "lognormal"
EVEN = 3.0  # times the smallest weight of a start is its largest at most
SEEN = 1e-6  # errors below it have too few digits: a run ends at a residual of 1e-8


@dataclass(frozen=True, eq=False)
class Pair(Instance):
    """An instance of weight normalization, and what the plain flow does from the same start."""

    @cached_property
    def plain(self):
        """The instance of the plain flow."""
        return replace(self, flow=PlainFlow(2))

    @cached_property
    def is_shortest(self):
        """Whether the signal is a shortest solution."""
        return self.problem.error(self.strictest.z) < 1e-6

    @cached_property
    def has_choice(self):
        """Whether some solution is longer than the shortest."""
        return longest_norm(self.problem) >= LEAST_CHOICE * self.min_l1.norm


def _any_kind(rng):
    """Draw a problem of any kind and shape, with a start and a ratio in units of Q."""
    M = int(rng.integers(4, 9))
    N = int(M * rng.uniform(2, 4))
    s = int(rng.integers(1, M // 2 + 1)) if rng.random() < 0.3 else 1 + int(rng.random() < 0.5)
    kinds = {"matrix": str(rng.choice(MATRICES)), "entries": str(rng.choice(ENTRIES))}
    problem = sparse_problem(M, N, s, rng, signed=bool(rng.random() < 0.5), **kinds)
    ratio = np.abs(problem.signal).sum() * 10 ** rng.uniform(-1.5, np.log10(LARGEST_RATIO))
    drawn = Pair(WeightNormFlow(2, ratio), problem, initial_weights(problem, 1, rng))
    return _from(drawn, 10 ** rng.uniform(-2, np.log10(LONGEST_START)))


def _from(instance, length):
    """Return the instance with a squared length of the start, in units of that of the signal."""
    R0 = length * np.abs(instance.problem.signal).sum()
    return replace(instance, x0=of_length(R0, instance.x0))


def _quotient(instance):
    """Return the error of trained weights over that of the plain flow; None if not at an end."""
    wn, gd = final_error(instance.run), final_error(instance.plain.run)
    return None if None in (wn, gd) else wn / gd


def _with_ratio(instance, factor):
    """Return the instance with a ratio in units of the smallest l1 norm."""
    return replace(instance, flow=WeightNormFlow(2, factor * instance.min_l1.norm))


def _is_small(instance):
    """Tell whether start and ratio are small beside the smallest l1 norm, and the start even."""
    x0, Q = instance.x0, instance.min_l1.norm
    even = x0.max() <= EVEN * x0.min()
    return even and x0 @ x0 <= LONGEST_START * Q and instance.flow.ratio <= LARGEST_RATIO * Q


def _decides(instance):
    clear = instance.is_shortest and instance.strictest.slack >= LEAST_SLACK
    return _is_small(instance) and clear and instance.has_choice


def _uneven(instance):
    """Return the instance with next to nothing on the support, and a start as long as before."""
    on = instance.problem.split(instance.problem.signal) > 0
    x0 = np.where(on, 1e-5, 1.0) * instance.x0
    return replace(instance, x0=x0 * np.linalg.norm(instance.x0) / np.linalg.norm(x0))


def _off_expectation(instance, share):
    """Return |log of the quotient less what is expected|; None where the error is too small."""
    R0, Q = instance.x0 @ instance.x0, instance.min_l1.norm
    expected = expected_log_factor(instance.flow, R0, Q, share(instance))
    quotient = _quotient(instance)
    if quotient is None or instance.problem.error(instance.run.effective) < SEEN:
        return None
    return abs(np.log(quotient) + expected)


def _off(instance):
    return _off_expectation(instance, lambda i: i.strictest.slack)


BETTER = Part(
    name="better",
    kind="upper",
    measured="error of WN-GD over that of GD at the ends of both runs",
    threshold=1.0,
    reason="equally accurate",
    applies=_decides,
    measure=_quotient,
    twin="the ratio is 10 Q",
    measure_twin=lambda i: _quotient(_with_ratio(i, 10.0)),
)

BY_HOW_MUCH = Part(
    name="by how much",
    kind="exact",
    measured="distance of log(error of WN-GD / error of GD) from -slack log rho",
    threshold=np.log(10),
    reason="a factor of 10 either way: of 880 problems the worst had 6, most below 2",
    applies=lambda i: _decides(i) and i.strictest.slack < 1,  # 1: it may be more
    measure=_off,
    twin="log rho, all of the magnification",
    measure_twin=lambda i: _off_expectation(i, lambda i: 1.0),
)

CLAIMS = (
    Claim(
        label="obs-reach",
        statement="Where the signal is the shortest solution, strictly, and not the only one, the "
        "start at most half as long, and the ratio at most a tenth of Q, WN-GD ends nearer to it "
        "than GD, by a factor of about rho^slack.",
        sample=_any_kind,
        parts=(
            BETTER,
            replace(
                BETTER,
                name="a short start",
                twin="the start is three times as long as the signal",
                measure_twin=lambda i: _quotient(_from(i, 3.0)),
            ),
            replace(
                BETTER,
                name="the shortest",
                twin="the signal need not be the shortest solution",
                measure_twin=_quotient,
                twin_applies=lambda i: _is_small(i) and not i.is_shortest,
            ),
            replace(
                BETTER,
                name="a choice",
                twin="the signal may be the only solution",
                measure_twin=_quotient,
                twin_applies=lambda i: _is_small(i) and i.is_shortest and not i.has_choice,
            ),
            BY_HOW_MUCH,
            replace(
                BY_HOW_MUCH,
                name="an even start",
                twin="the weights on the support are smaller by 1e-5",
                measure_twin=lambda i: _off(_uneven(i)),
            ),
        ),
    ),
)
