"""What Figure 2 shows, on other problems."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.ledger import Claim, Part
from wnlib.problems import Problem, sparse_problem
from wnlib.results import broke_off
from wnlib.roads.descend import descend
from wnlib.theory.last_stretch import last_stretch

SLOW_TIMES = 25.0  # in units of 1 / lambda: e^-25 of the last stretch is left
SPARE = 12.0  # least exponent of what is left off the support
STEP = 0.04
LARGE_RATIO = 10.0


@dataclass(frozen=True, eq=False)
class Contest:
    """Gradient descent and weight normalization from one start, for the same number of steps."""

    problem: Problem
    x0: np.ndarray
    ratio: float

    @cached_property
    def end(self):
        """The constants of the last stretch."""
        return last_stretch(self.problem)

    @property
    def n_steps(self):
        """The number of steps."""
        return int(np.ceil(SLOW_TIMES / self.end.rate(self.ratio) / STEP))

    @cached_property
    def gd(self):
        """The run of gradient descent."""
        return self._run(PlainFlow(2))

    @cached_property
    def wn(self):
        """That of weight normalization."""
        return self._run(WeightNormFlow(2, self.ratio))

    @cached_property
    def twin(self):
        """That of weight normalization with a large ratio."""
        return self._run(WeightNormFlow(2, LARGE_RATIO))

    def _run(self, flow):
        return descend(flow, self.problem, self.x0, STEP, self.n_steps, times=[STEP])


def _contest(rng):
    """Draw a problem, a start shorter than its signal, and a small ratio."""
    M, s = int(rng.integers(18, 31)), int(rng.integers(2, 4))
    N = int(1.7 * M)
    problem = sparse_problem(M, N, sparsity=s, seed=int(rng.integers(2**31)))
    x0 = rng.uniform(0.5, 1.5, N)
    x0 *= np.sqrt(problem.signal.sum() * 10 ** rng.uniform(-2, -0.6)) / np.linalg.norm(x0)
    return Contest(problem, x0, 10 ** rng.uniform(-1.6, -0.8))


def _sound(*runs):
    return not any(broke_off(run.status) for run in runs)


def _spared(instance):
    """Tell whether the certificate leaves enough: (Q - R_0)(1 - max f) / ratio."""
    short = instance.problem.signal.sum() - instance.x0 @ instance.x0
    spare = short * (1 - instance.end.max_f) / instance.ratio
    return bool(spare > SPARE) and _sound(instance.gd, instance.wn)


def _some_time(instance):
    return bool(np.isfinite(instance.end.y2)) and _sound(instance.gd, instance.wn)


def _loss_left(*runs):
    return max(float(run.loss_path[-1] / run.loss_path[0]) for run in runs)


def _smaller(run, other):
    """Return the error of a run over that of another, in units of 1e-3."""
    return float(run.error / other.error) / 1e-3


ERRORS = Part(
    name="errors",
    kind="upper",
    measured="error of weight normalization over that of gradient descent, / 1e-3",
    threshold=1.0,
    reason="observed",
    applies=_spared,
    measure=lambda i: _smaller(i.wn, i.gd),
    twin=f"with the ratio {LARGE_RATIO:g}",
    measure_twin=lambda i: _smaller(i.twin, i.gd),
)

CLAIMS = (
    Claim(
        label="obs-error-and-loss",
        statement="With a small ratio and a start shorter than the signal both losses fall below "
        "a thousandth; with a certificate to spare, so does the error of weight normalization over "
        "that of gradient descent.",
        sample=_contest,
        parts=(
            Part(
                name="losses",
                kind="upper",
                measured="loss at the end over that at the start, the larger of both methods",
                threshold=1e-3,
                reason="observed",
                applies=_some_time,
                measure=lambda i: _loss_left(i.gd, i.wn),
                twin="so does the error of gradient descent",
                measure_twin=lambda i: float(i.gd.error),
            ),
            ERRORS,
            replace(
                ERRORS,
                name="a certificate to spare",
                twin="whatever the certificate leaves",
                measure_twin=ERRORS.measure,
                twin_applies=_some_time,
            ),
        ),
    ),
)
