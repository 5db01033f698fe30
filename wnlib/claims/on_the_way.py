"""Claims on the way of weight normalization at depth 2: its clock, its memory, its law."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from wnlib.claims.common import INTEGRATION
from wnlib.claims.instances import Instance, hard_instance
from wnlib.flows import WeightNormFlow
from wnlib.ledger import Claim, Part
from wnlib.problems import Problem, sparse_problem
from wnlib.results import Status
from wnlib.roads._training import train
from wnlib.theory import law
from wnlib.theory.last_stretch import last_stretch

DECOY = [[-0.5, 1.5, 1.0], [-0.5, 1.0, 0.5]]  # the second column is worth most, but not needed
SMALL, SMALLER = 0.02, 0.005  # ratios, in units of Q
COARSE = 0.04  # steps of the law: the distances below move by less than 1e-3
NEAR_Q = 1e-2  # a run that passes Q has a pole there, too steep for Simpson's rule
FITS = 1e-5  # relative residual below which its relative accuracy is lost, over long steps


def _any_start(rng):
    """Draw an instance of weight normalization of depth 2."""
    return hard_instance(rng, weight_norm=True, depth=2, size=(-3, 1))


def _moves(instance):
    return _steps(instance) > 5


def _along(instance):
    """Return ``R`` and ``R h`` along the run."""
    run, flow = instance.run, instance.flow
    R = run.radius_path**2
    h = flow.misfit(instance.problem, run.path) @ instance.problem.network_matrix
    return R, R[:, None] * h


def _steps(instance):
    """Return the number of steps until the residual is next to nothing."""
    run = instance.run
    fits = run.misfit_path[::2] < FITS * np.linalg.norm(instance.problem.b)
    return int(np.argmax(fits)) if fits.any() else len(fits)


def _integrals(instance, values):
    """Integrate values along the run, each entry, at the ends of its steps."""
    return np.stack([instance.run.integral(column) for column in values.T], axis=1)


def _off_clock(instance, factor):
    """Largest difference of ``log R / R_0`` and its integral, over the size of what enters it."""
    R, pushed = _along(instance)
    v2 = instance.run.path**2 / R[:, None]
    rate = -2 * instance.flow.ratio * np.sum(pushed / R[:, None] * v2, axis=1)  # 2 ratio c
    total = instance.run.integral(rate)
    size = 1 + instance.run.integral(np.abs(rate))
    off = np.abs(np.log(R / R[0])[::2] - factor * total) / size
    return off[: _steps(instance)].max()


def _exponents(instance):
    """Return the exponents along the run, by quadrature of the gradient, and their size."""
    R, pushed = _along(instance)
    ratio, ends = instance.flow.ratio, R[::2]
    size = 2 * ratio * _integrals(instance, np.abs(pushed)) + np.abs(ends - R[0])[:, None] + ratio
    a, n = law.exponents(ratio, ends, -_integrals(instance, pushed)), _steps(instance)
    return a[:n], size[:n]


def _log_gain(instance):
    """Return ``log v_n^2 / v_n(0)^2`` along the run, of the logarithms that were trained."""
    logs = 2 * instance.run.log_path[::2] - 2 * np.log(instance.run.radius_path[::2])[:, None]
    return (logs - logs[0])[: _steps(instance)]


def _off_memory(instance, ratio):
    a, size = _exponents(instance)
    return np.max(np.abs(ratio * _log_gain(instance) - a) / size)


def _deeper(instance):
    """Return the instance at depth 3."""
    return replace(instance, flow=WeightNormFlow(3, instance.flow.ratio))


def _over_most(instance, share):
    """Return the largest exponent less its error, over ``ratio log 1/v_n(0)^2`` of its entry."""
    a, size = _exponents(instance)
    log_v2 = 2 * np.log(instance.x0 / np.linalg.norm(instance.x0))
    return np.max((a - 1e-6 * size) / (-share * instance.flow.ratio * log_v2))


def _below_zero(instance, rank):
    """Return minus the largest exponent (or the next), over the size of what enters it."""
    a, size = _exponents(instance)
    at = np.argsort(a, axis=1)[:, -rank][:, None]
    return np.max(-np.take_along_axis(a / size, at, 1))


@dataclass(frozen=True, eq=False)
class OnTheWay(Instance):
    """A run towards a nonnegative signal from a shorter start, beside the law."""

    @property
    def Q(self):
        """The l1 norm of the signal."""
        return self.problem.signal.sum()

    @cached_property
    def runs(self):
        """Runs with the two small ratios."""
        flows = [WeightNormFlow(2, share * self.Q) for share in (SMALL, SMALLER)]
        return [train(flow, self.problem, self.x0) for flow in flows]

    @cached_property
    def law(self):
        """The law from this start."""
        return law.small_ratio_law(self.problem, self.x0 @ self.x0, fineness=COARSE)

    @cached_property
    def forgetful(self):
        """The same, as if no entry died."""
        return law.small_ratio_law(self.problem, self.x0 @ self.x0, fineness=COARSE, remember=False)

    @cached_property
    def stretch(self):
        """The run until its length is nearly Q: times, logit of ``R/Q``, defect; by steps."""
        R = self.run.radius_path**2
        long = np.flatnonzero(R >= (1 - NEAR_Q) * self.Q)
        last = min((long[0] if long.size else len(R)) - 1, 2 * _steps(self) - 2)
        last -= last % 2
        part = slice(0, last + 1)
        return last // 2, R[part], last_stretch(self.problem).defect(self.run.path[part] ** 2)


def _to_a_signal(rng, crowded=False):
    """Draw a problem with a nonnegative signal, and a start of a hundredth to a tenth of it.

    A crowded signal may have up to all but one of as many entries as there are measurements; often
    it is not the shortest solution.
    """
    kind = rng.choice(["two", "decoy", "sparse"])
    if kind == "two":
        signal = np.array([1.0, rng.uniform(0.3, 0.7)])
        problem = Problem(np.eye(2), signal, signal)
    elif kind == "decoy":
        signal = np.array([0.5, 0.0, 1.0])
        A = np.array(DECOY) + rng.normal(0, 0.02, (2, 3))
        problem = Problem(A, A @ signal, signal)
    else:
        M = int(rng.integers(4, 8))
        N, s = int(rng.integers(M + 1, 2 * M)), int(rng.integers(2, M if crowded else M // 2 + 1))
        problem = sparse_problem(M, N, sparsity=s, seed=int(rng.integers(2**31)))
    Q, x0 = problem.signal.sum(), np.exp(rng.uniform(-0.3, 0.3, problem.n_weights))
    x0 *= np.sqrt(Q * 10 ** rng.uniform(-2, -1)) / np.linalg.norm(x0)
    return OnTheWay(WeightNormFlow(2, Q * 10 ** rng.uniform(-2.5, 0)), problem, x0)


def _to_equals(rng):
    """Draw orthogonal columns of one length, all of them needed, and alike or not."""
    s = int(rng.integers(1, 5))
    A = np.linalg.qr(rng.normal(size=(s + 2, s)))[0] * rng.uniform(0.5, 2)
    signal = np.full(s, rng.uniform(0.5, 2))
    if rng.random() < 0.5:
        signal = signal * rng.uniform(0.5, 1.5, s)
    x0 = np.full(s, np.sqrt(signal.sum() * 10 ** rng.uniform(-3, -1) / s))
    return OnTheWay(WeightNormFlow(2, 10 ** rng.uniform(-2, 1)), Problem(A, A @ signal, signal), x0)


def _on_a_stretch(rng):
    return _to_equals(rng) if rng.random() < 0.4 else _to_a_signal(rng)


def _is_seen(instance):
    return instance.stretch[0] > 5


def _is_alike(instance):
    """Tell whether the direction never moves, so that it is the best of each length."""
    return _is_seen(instance) and np.ptp(instance.problem.signal) == 0 and _all_needed(instance)


def _all_needed(instance):
    gram = instance.problem.A.T @ instance.problem.A
    return bool(
        (instance.problem.signal > 0).all()
        and np.allclose(gram, gram[0, 0] * np.eye(len(gram)))
        and np.ptp(instance.x0) == 0
    )


def _off_logistic(instance, with_defect, factor=1.0):
    """Largest difference of ``log R / (Q - R)`` and what its rate makes of it."""
    n, R, defect = instance.stretch
    rate = factor * last_stretch(instance.problem).rate(instance.flow.ratio)
    logit = np.log(R / (instance.Q - R))
    full = np.zeros(len(instance.run.times))
    full[: len(R)] = rate * (1 + with_defect * defect)
    size = np.zeros_like(full)
    size[: len(R)] = rate * (1 + np.abs(defect))
    total, most = (instance.run.integral(each)[: n + 1] for each in (full, size))
    return np.max(np.abs((logit - logit[0])[::2] - total) / (1 + most))


def _off_best(instance):
    """Largest distance of the weights on the way from ``z* - c w``, relative, and of the loss."""
    _, R, _ = instance.stretch
    end, signal = last_stretch(instance.problem), instance.problem.signal
    run, gap = instance.run, instance.Q - R
    z = signal - np.outer(gap / end.y2, end.w)
    off = np.abs(run.path[: len(R)] ** 2 - z).max() / signal.max()
    loss = run.loss_path[: len(R)] / (gap**2 / (4 * end.y2))
    return max(off, np.abs(loss - 1)[gap > 1e-3 * instance.Q].max(initial=0))


def _followed(instance):
    return all(run.status is Status.CONVERGED for run in instance.runs)


def _distances(instance, prediction):
    return [
        prediction.distance(2 * run.flow.ratio * run.times, 2 * run.log_path)
        for run in instance.runs
    ]


def _fall(instance, prediction):
    first, second = _distances(instance, prediction)
    return second / first


CLAIMS = (
    Claim(
        label="lem-memory",
        statement="At depth 2, R' = 2 ratio c R, and v_n^2 = v_n(0)^2 exp(a_n / ratio), where a_n "
        "is the integral of f_n - 1 over R; the largest a_n is never negative, and none exceeds "
        "ratio log 1/v_n(0)^2.",
        sample=_any_start,
        parts=(
            Part(
                name="clock",
                kind="exact",
                measured="log R/R_0 less the integral of 2 ratio c, along the run, over its size",
                threshold=1e-3,
                reason="Simpson's rule on the steps of the run, which are long when little moves",
                applies=_moves,
                measure=lambda i: _off_clock(i, 1.0),
                twin="half of the rate, as if R were r",
                measure_twin=lambda i: _off_clock(i, 0.5),
            ),
            Part(
                name="memory",
                kind="exact",
                measured="ratio log v_n^2/v_n(0)^2 less a_n, along the run, over its size",
                threshold=1e-3,
                reason="Simpson's rule on the steps of the run, which are long when little moves",
                applies=_moves,
                measure=lambda i: _off_memory(i, i.flow.ratio),
                twin="the memory of v_n, not of its square",
                measure_twin=lambda i: _off_memory(i, i.flow.ratio / 2),
            ),
            Part(
                name="depth 2",
                kind="exact",
                measured="the same",
                threshold=1e-3,
                reason="the same",
                applies=_moves,
                measure=lambda i: _off_memory(i, i.flow.ratio),
                twin="at depth 3",
                measure_twin=lambda i: _off_memory(_deeper(i), i.flow.ratio),
                twin_applies=lambda i: _moves(_deeper(i)),
            ),
            Part(
                name="someone lives",
                kind="upper",
                measured="minus the largest a_n, along the run, over its size",
                threshold=1e-6,
                reason=INTEGRATION,
                applies=_moves,
                measure=lambda i: _below_zero(i, 1),
                twin="the second largest is not negative",
                measure_twin=lambda i: _below_zero(i, 2),
            ),
            Part(
                name="no one gains",
                kind="upper",
                measured="a_n / (ratio log 1/v_n(0)^2), largest along the run",
                threshold=1.0,
                reason="an inequality, after 1e-6 of what enters a_n: Simpson's rule",
                applies=_moves,
                measure=lambda i: _over_most(i, 1.0),
                twin="0.8 of the bound",
                measure_twin=lambda i: _over_most(i, 0.8),
            ),
        ),
    ),
    Claim(
        label="prop-last-stretch",
        statement="With Fuchs' certificate, log R/(Q - R) grows at the rate lambda (1 + defect), "
        "the defect being explicit; where the direction is the best of its length on the support, "
        "it is 0, and weights and loss are explicit too.",
        sample=_on_a_stretch,
        parts=(
            Part(
                name="defect",
                kind="exact",
                measured="growth of log R/(Q-R) less the integral of lambda (1 + defect), relative",
                threshold=1e-4,
                reason="Simpson's rule on the steps of the run, towards a pole at Q",
                applies=_is_seen,
                measure=lambda i: _off_logistic(i, True),
                twin="without the defect",
                measure_twin=lambda i: _off_logistic(i, False),
            ),
            Part(
                name="logistic",
                kind="exact",
                measured="growth of log R/(Q-R) less lambda t, relative",
                threshold=1e-5,
                reason="the same",
                applies=_is_alike,
                measure=lambda i: _off_logistic(i, False),
                twin="although the direction must move",
                measure_twin=lambda i: _off_logistic(i, False),
                twin_applies=lambda i: _is_seen(i) and _all_needed(i),
            ),
            Part(
                name="weights",
                kind="exact",
                measured="distance of the weights from z* - c w, and of the loss from its formula",
                threshold=1e-5,
                reason=INTEGRATION,
                applies=_is_alike,
                measure=_off_best,
                twin="although the direction must move",
                measure_twin=_off_best,
                twin_applies=lambda i: _is_seen(i) and _all_needed(i),
            ),
        ),
    ),
    Claim(
        label="obs-law",
        statement="At small ratios the flow follows the law: with a ratio of Q/200 its distance "
        "is below 20 % of Q in the mean over the way, and less than 70 % of that with Q/50.",
        sample=lambda rng: _to_a_signal(rng, crowded=True),
        parts=(
            Part(
                name="near",
                kind="upper",
                measured="mean distance |x - z|_1 / Q of the run with ratio Q/200 from the law",
                threshold=0.2,
                reason="observed",
                applies=_followed,
                measure=lambda i: _distances(i, i.law)[1],
                twin="a law without memory: the best of all at each length",
                measure_twin=lambda i: _distances(i, i.forgetful)[1],
            ),
            Part(
                name="order",
                kind="upper",
                measured="this distance over that with ratio Q/50",
                threshold=0.7,
                reason="observed, 0.56 at most in 350 others; 0.25 were the order 1",
                applies=_followed,
                measure=lambda i: _fall(i, i.law),
                twin="a law without memory",
                measure_twin=lambda i: _fall(i, i.forgetful),
            ),
        ),
    ),
)
