"""Claims on who recovers a random signal: weight normalization, the linear program, positivity."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from wnlib.claims.common import final_error
from wnlib.claims.instances import Instance, of_length
from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.l1.linear_program import min_l1
from wnlib.l1.thresholds import is_single, weak_threshold
from wnlib.ledger import Claim, Part, always
from wnlib.problems import initial_weights, sparse_problem
from wnlib.roads._training import train

SUCCESS = 1e-3  # relative error, as in the chapter
LOST = 1e-2  # of the linear program: what lies between is a near miss
SEEN = "what was seen on random problems; a success is a relative error below 1e-3"


@dataclass(frozen=True, eq=False)
class Recovery(Instance):
    """An instance with a Gaussian problem, near the weak threshold or away from it."""

    @cached_property
    def single(self):
        """Whether the signal is the only admissible solution."""
        return is_single(self.problem)

    @cached_property
    def error(self):
        """Relative error of the trained weights; None if they do not arrive."""
        return final_error(self.run)

    def other(self, flow, growth=1.0):
        """Relative error that another flow ends with, from a start of a multiple of the length."""
        return final_error(train(flow, self.problem, growth * self.x0))


def _random(rng):
    """Draw a Gaussian problem, its sparsity on either side of the weak threshold."""
    signed, N = bool(rng.random() < 0.4), int(rng.integers(12, 25))
    N = N // 2 if signed else N
    M = int(rng.integers(max(3, N // 5), max(4, 3 * N // 4)))
    edge = weak_threshold(M / N, signed=signed) * M
    s = int(np.clip(rng.uniform(0.2, 1.8) * edge, 1, M - 1))
    problem = sparse_problem(M, N, s, rng, signed=signed)
    Q = min_l1(problem).norm
    x0 = initial_weights(problem, 1.0, rng)
    x0 = of_length(Q * 10 ** rng.uniform(-2, -0.7), x0)
    return Recovery(WeightNormFlow(2, Q * 10 ** rng.uniform(-2.6, -1.8)), problem, x0)


def _starts_short(instance):
    return instance.x0 @ instance.x0 <= 0.2 * instance.strictest.norm


def _found_at_all(instance):
    """Tell whether the linear program finds the signal, the ratio small and the start short."""
    small = 60 * instance.flow.ratio <= instance.strictest.norm and _starts_short(instance)
    return small and instance.problem.error(instance.strictest.z) < SUCCESS


def _found(instance):
    """Tell the same, with a certificate that is strict enough."""
    found = instance.strictest
    return found.slack * found.norm >= 25 * instance.flow.ratio and _found_at_all(instance)


def _lost(instance):
    return instance.problem.error(instance.strictest.z) > LOST


def _misses(error):
    """Return an error over what is a success."""
    return None if error is None else error / SUCCESS


def _finds(error):
    """Return what is a success over an error."""
    return None if error is None else SUCCESS / max(error, 1e-12)


def _around_positivity(rng):
    """Draw a nonnegative problem whose signal is the only solution, or not, and a plain flow."""
    N = int(rng.integers(12, 25))
    M = int(rng.integers(N // 2, 9 * N // 10))
    s = int(np.clip(rng.uniform(0.2, 2.0) * (2 * M - N + 2), 1, 0.9 * M))
    problem = sparse_problem(M, N, s, rng)
    x0 = initial_weights(problem, 1.0, rng)
    Q = problem.signal.sum()
    x0 = of_length(Q * 10 ** rng.uniform(-2, np.log10(3)), x0)
    return Recovery(PlainFlow(2), problem, x0)


FOUND = Part(
    name="found alike",
    kind="upper",
    measured="relative error of the run's end / 1e-3",
    threshold=1.0,
    reason=SEEN,
    applies=_found,
    measure=lambda i: _misses(i.error),
    twin="the plain flow from the same start",
    measure_twin=lambda i: _misses(i.other(PlainFlow(2))),
)

CLAIMS = (
    Claim(
        label="obs-wn-follows-lp",
        statement="On Gaussian problems weight normalization of depth 2, from a start of at most "
        "a fifth of Q, finds the signal where the linear program does with a slack of 25 ratio / "
        "Q, and misses it where the linear program misses it.",
        sample=_random,
        parts=(
            FOUND,
            Part(
                name="lost alike",
                kind="lower",
                measured="1e-3 / relative error of the run's end",
                threshold=1.0,
                reason=SEEN,
                applies=_lost,
                measure=lambda i: _finds(i.error),
                twin="on all problems",
                measure_twin=lambda i: _finds(i.error),
                twin_applies=always,
            ),
            replace(
                FOUND,
                name="clear call",
                twin="with any slack",
                measure_twin=lambda i: _misses(i.error),
                twin_applies=_found_at_all,
            ),
            replace(
                FOUND,
                name="small ratio",
                twin="a hundred times the ratio",
                measure_twin=lambda i: _misses(
                    i.other(replace(i.flow, ratio=100 * i.flow.ratio)),
                ),
            ),
            replace(
                FOUND,
                name="short start",
                twin="a start beyond Q",
                measure_twin=lambda i: _misses(
                    i.other(i.flow, np.sqrt(2 * i.strictest.norm) / np.linalg.norm(i.x0))
                ),
            ),
        ),
    ),
    Claim(
        label="obs-gd-positivity",
        statement="On nonnegative Gaussian problems the plain flow of depth 2, from a start "
        "between a hundredth of the norm of the signal and three times it, finds the signal where "
        "that is the only solution, and misses it where others exist and the linear program has a "
        "slack below one half.",
        sample=_around_positivity,
        parts=(
            Part(
                name="single",
                kind="upper",
                measured="relative error of the run's end / 1e-3",
                threshold=1.0,
                reason="it ends at a solution; the surplus is how far the run has come",
                applies=lambda i: i.single,
                measure=lambda i: _misses(i.error),
                twin="where the linear program finds it",
                measure_twin=lambda i: _misses(i.error),
                twin_applies=lambda i: i.problem.error(i.strictest.z) < SUCCESS,
            ),
            Part(
                name="several",
                kind="lower",
                measured="1e-3 / relative error of the run's end",
                threshold=1.0,
                reason=SEEN,
                applies=lambda i: not i.single and i.strictest.slack < 0.5,
                measure=lambda i: _finds(i.error),
                twin="a start a million times as short",
                measure_twin=lambda i: _finds(i.other(i.flow, 1e-6)),
            ),
        ),
    ),
)
