"""Claims on the average along the way and the Lasso path."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import logsumexp

from wnlib.claims.common import at_depth_two, at_larger_depth
from wnlib.claims.instances import Instance, hard_instance
from wnlib.flows import PlainFlow, WeightNormFlow, normalizes
from wnlib.l1.lasso import correlations, gap, lasso, objective
from wnlib.ledger import Claim, Part
from wnlib.problems import Problem
from wnlib.theory import lasso as theory
from wnlib.theory import potentials

N_TIMES = 30  # of a run at which a statement is measured
SURPLUS = "an inequality, after 1e-7 of what enters g: Simpson's rule on the steps of the run"
DECOY = [[-0.5, 1.5, 1.0], [-0.5, 1.0, 0.5]]  # the second column is worth most, but not needed
LOGS = 300.0  # weights of e^-300 and their powers are floats, with all digits


@dataclass(frozen=True, eq=False)
class Averaged(Instance):
    """An instance whose run of trained weights knows its average, by Simpson's rule."""

    @cached_property
    def path(self):
        """The run at some of its steps, without the start; None if its clock leaves the floats."""
        run, flow = self.run, self.flow
        clock = potentials.clock(flow, run.radius_path)
        if normalizes(flow):
            with np.errstate(over="ignore"):
                clock = clock * np.exp(flow.omega * run.radius_path[0] ** 2)
        if not (np.isfinite(clock).all() and (clock > 0).all()):
            return None
        total = run.integral(clock)
        integrals = [run.integral(clock * entry) for entry in run.path.T**flow.depth]
        with np.errstate(invalid="ignore"):
            average = np.stack(integrals, axis=1) / total[:, None]
        average[0] = run.path[0] ** flow.depth
        steps = run.log_path[::2].min(axis=1) * max(1.0, flow.depth - 2) > -LOGS
        last = int(np.argmin(steps)) if not steps.all() else len(steps)
        at = np.unique(np.linspace(0, last - 1, N_TIMES + 1).astype(int))
        return replace(
            run,
            times=run.times[::2][at],
            path=run.path[::2][at],
            average=average[at],
            clock_path=total[at],
        )

    @cached_property
    def in_time(self):
        """The correlations of the average in time, not in the clock."""
        run, at = self.run, np.searchsorted(self.run.times[::2], self.path.times)
        total = run.integral(np.ones(len(run.times)))[at]
        entries = [run.integral(entry)[at] for entry in run.path.T**self.flow.depth]
        with np.errstate(invalid="ignore"):
            average = np.stack(entries, axis=1) / total[:, None]
        average[0] = self.path.average[0]
        return correlations(self.problem, average)

    @cached_property
    def g(self):
        """The correlations of the average."""
        return correlations(self.problem, self.path.average)

    @cached_property
    def penalty(self):
        """The penalties for which the correlations of the average are feasible."""
        if self.flow.depth > 2:
            return theory.penalties(self.path)
        return np.repeat(self.g.max(axis=1)[:, None], self.g.shape[1], axis=1)


def _average_of(rng):
    """Draw an instance of either flow."""
    drawn = hard_instance(rng, weight_norm=rng.random() < 0.6, size=(-3, 1))
    return Averaged(drawn.flow, drawn.problem, drawn.x0)


def _some_die(rng):
    """Draw an instance, or one whose least weight takes all, or whose first entry is not needed."""
    kind = rng.choice(["any", "least", "decoy"])
    if kind == "any":
        return _average_of(rng)
    L = 2.0 if rng.random() < 0.6 else float(rng.uniform(2.1, 4))
    if kind == "least":  # it is worth most, so it wins
        N = int(rng.integers(2, 6))
        row = np.append(1.0, rng.uniform(0.05, 0.2, N - 1))
        x0 = np.append(10 ** rng.uniform(-2, -1), np.full(N - 1, 0.3))
        flow = WeightNormFlow(L, 10 ** rng.uniform(-1, 0)) if rng.random() < 0.6 else PlainFlow(L)
        return Averaged(flow, Problem([row], [4.0]), 0.3 * x0)
    A = np.array(DECOY) + rng.normal(0, 0.02, (2, 3))
    flow = WeightNormFlow(L, 10 ** rng.uniform(-2, -1.5) if L == 2 else rng.uniform(0.1, 0.3))
    return Averaged(flow, Problem(A, A @ [0.5, 0.0, 1.0]), 0.08 * np.exp(rng.uniform(-0.1, 0.1, 3)))


def _known(instance):
    return instance.path is not None and len(instance.path.times) > 3


def _scale(instance):
    """Return what errors of the correlations are small against, at each time.

    The size of ``A^T b`` and ``A^T A z``, and, as logarithms of weights are known absolutely, 1/C.
    """
    A, path = np.linalg.norm(instance.problem.network_matrix, 2), instance.path
    size = np.linalg.norm(instance.problem.b) + A * np.linalg.norm(path.average, axis=1)
    with np.errstate(divide="ignore"):  # at the start
        return A * size + (1 / path.clock_path if instance.flow.depth == 2 else 0.0)


def _off(instance, g, penalty):
    """Largest ``|g - (penalty - slack)|`` over what enters it, from the first step on."""
    g, penalty, slack = g[1:], penalty[1:], theory.slack(instance.path)[1:]
    size = _scale(instance)[1:, None] + np.abs(penalty) + np.abs(slack)
    return (np.abs(g - (penalty - slack)) / size).max()


def _iterate(instance):
    return correlations(instance.problem, instance.path.path**instance.flow.depth)


def _from_soft_max(instance, g):
    """Distance of lambda from ``log(sum v_0^2 e^{2 C g}) / (2 C)``, from the first step on."""
    two_c, x0 = 2 * instance.path.clock_path[1:], instance.x0
    log_v2 = 2 * np.log(x0 / np.linalg.norm(x0))
    soft = logsumexp(log_v2 + two_c[:, None] * g[1:], axis=1) / two_c
    off = np.abs(soft - theory.penalties(instance.path)[1:, 0])
    return (off / (_scale(instance)[1:] + np.abs(soft))).max()


def _grown(instance):
    """Return the indices of the times at which the penalties are positive, not the first."""
    positive = (theory.penalties(instance.path)[1:] > 0).all(axis=1)
    far = instance.path.radius_path[1:] > 1.01 * instance.path.radius_path[0]
    return 1 + np.flatnonzero(positive & (far | (instance.flow.depth > 2)))


def _least_penalty(instance, at):
    """Return minus the least penalty at these times, over what enters it."""
    return np.max(-instance.penalty[at].min(axis=1) / _scale(instance)[at])


def _least_of_shrinking(instance):
    """Return the same of one weight that begins above its measurement, from the first step on."""
    shrinking = Averaged(instance.flow, Problem([[1.0]], [1.0]), np.array([1.5]))
    return _least_penalty(shrinking, np.arange(1, len(shrinking.path.times)))


def _weight_norm(instance):
    return normalizes(instance.flow) and _known(instance)


def _has_grown(instance):
    return _known(instance) and _grown(instance).size > 0


def _over_excess(instance, factor):
    """Excess of max g over the penalty, over a factor times its bound."""
    at, lam = _grown(instance), theory.penalties(instance.path)[:, 0]
    rounding = 1e-7 * _scale(instance)[at]
    bound = theory.relative_excess(instance.path)[at] * lam[at]
    return np.max((instance.g.max(axis=1)[at] - lam[at] - rounding) / (factor * bound))


def _feasible(instance, factor):
    """Largest g over a factor times the penalty, after the error of g."""
    rounding = 1e-7 * _scale(instance)[1:, None]
    return np.max((instance.g[1:] - rounding) / (factor * instance.penalty[1:]))


def _gap(instance):
    """Return the duality gap, a sum of what is not negative but for the errors of g."""
    return np.sum(instance.path.average * (instance.penalty - instance.g), axis=1)


def _gap_error(instance):
    """Return what the errors of the quadrature may add to the gap."""
    size = _scale(instance) + instance.penalty.max(axis=1)
    return 1e-7 * instance.path.average.sum(axis=1) * size


def _over_gap_bound(instance, remembered=None):
    """Return the gap, up to its error, over its bound."""
    at = _grown(instance)
    bound = theory.gap_bound(instance.path, remembered)[at]
    excess = _gap(instance)[at] - _gap_error(instance)[at]
    return np.max(excess / np.where(bound > 0, bound, np.finfo(float).tiny))


def _without_memory(instance):
    """Return the same with the memory that there is where no effective weight has fallen."""
    path = instance.path
    if instance.flow.depth > 2:
        return _over_gap_bound(instance, np.ones(len(path.times)))
    return _over_gap_bound(instance, np.log(path.radius_path**2 / path.average.sum(axis=1)))


def _over_gap(instance, z_path):
    """Excess of the objective over its minimum, and ``|A(z - minimizer)|^2 / 2``, over the gap."""
    problem, worst = instance.problem, 0.0
    at = _grown(instance)
    for k in at[[len(at) // 3, -1]]:
        penalty, z = instance.penalty[k], z_path[k]
        best = lasso(problem, penalty)
        least = objective(problem, best, penalty)
        if not gap(problem, best, penalty) < 1e-9 * least:
            return None
        allowed = _gap(instance)[k] + _gap_error(instance)[k] + 1e-8 * least
        moved = problem.network_matrix @ (z - best)
        excess = objective(problem, z, penalty) - least
        worst = max(worst, max(excess, moved @ moved / 2) / allowed)
    return worst


CLAIMS = (
    Claim(
        label="prop-average",
        statement="The correlations of the average in the clock are penalty minus slack, at all "
        "times; for L = 2 the penalty is their soft maximum.",
        sample=_average_of,
        parts=(
            Part(
                name="L = 2",
                kind="exact",
                measured="|g - (penalty - slack)| over the size of what enters it, along the run",
                threshold=1e-6,
                reason="Simpson's rule on the steps of the run",
                applies=at_depth_two(_known),
                measure=lambda i: _off(i, i.g, theory.penalties(i.path)),
                twin="half of the penalty",
                measure_twin=lambda i: _off(i, i.g, theory.penalties(i.path) / 2),
            ),
            Part(
                name="L > 2",
                kind="exact",
                measured="the same",
                threshold=1e-4,
                reason="Simpson's rule; steps of large depth are long in what it integrates",
                applies=at_larger_depth(_known),
                measure=lambda i: _off(i, i.g, theory.penalties(i.path)),
                twin="the same penalty for all entries, the mean",
                measure_twin=lambda i: _off(
                    i, i.g, theory.penalties(i.path).mean(axis=1, keepdims=True)
                ),
            ),
            Part(
                name="soft maximum",
                kind="exact",
                measured="|soft maximum of g - penalty| over the size of g, along the run, L = 2",
                threshold=1e-6,
                reason="Simpson's rule on the steps of the run",
                applies=at_depth_two(_known),
                measure=lambda i: _from_soft_max(i, i.g),
                twin="of the iterate, not of the average",
                measure_twin=lambda i: _from_soft_max(i, _iterate(i)),
            ),
            Part(
                name="clock",
                kind="exact",
                measured="the same at any depth, of weight normalization",
                threshold=1e-4,
                reason="Simpson's rule; steps of large depth are long in what it integrates",
                applies=_weight_norm,
                measure=lambda i: _off(i, i.g, theory.penalties(i.path)),
                twin="the average in time, not in the clock",
                measure_twin=lambda i: _off(i, i.in_time, theory.penalties(i.path)),
            ),
        ),
    ),
    Claim(
        label="cor-lasso-gap",
        statement="The correlations of the average are feasible, for L = 2 at max g, which exceeds "
        "the penalty by a bounded share. The duality gap is sum z (penalty - g), and is bounded by "
        "the memory of the average.",
        sample=_some_die,
        parts=(
            Part(
                name="share",
                kind="upper",
                measured="excess of max g over lambda / its bound, along the run, L = 2",
                threshold=1.0,
                reason=SURPLUS,
                applies=at_depth_two(_has_grown),
                measure=lambda i: _over_excess(i, 1.0),
                twin="0.8 of the bound",
                measure_twin=lambda i: _over_excess(i, 0.8),
            ),
            Part(
                name="feasible",
                kind="upper",
                measured="largest g / penalty along the run, L > 2",
                threshold=1.0,
                reason=SURPLUS,
                applies=at_larger_depth(_has_grown),
                measure=lambda i: _feasible(i, 1.0),
                twin="0.9 of the penalties",
                measure_twin=lambda i: _feasible(i, 0.9),
            ),
            Part(
                name="penalty",
                kind="upper",
                measured="minus the least penalty over the size of the correlations, along the run",
                threshold=1e-7,
                reason="it is positive where the weights have grown; Simpson's rule",
                applies=at_depth_two(_has_grown),
                measure=lambda i: _least_penalty(i, _grown(i)),
                twin="also where the weights become shorter",
                measure_twin=_least_of_shrinking,
            ),
            Part(
                name="gap",
                kind="upper",
                measured="excess of the objective over its minimum, and |A(z - minimizer)|^2 / 2, "
                "over the gap, at two times",
                threshold=1.0,
                reason=SURPLUS,
                applies=_has_grown,
                measure=lambda i: _over_gap(i, i.path.average),
                twin="of the iterate, not of the average",
                measure_twin=lambda i: _over_gap(i, i.path.path**i.flow.depth),
            ),
            *(
                Part(
                    name=f"bound, {name}",
                    kind="upper",
                    measured="gap / its bound, along the run",
                    threshold=1 + 1e-6,
                    reason=SURPLUS,
                    applies=at_depth(_has_grown),
                    measure=_over_gap_bound,
                    twin="the memory is as if no effective weight had ever fallen",
                    measure_twin=_without_memory,
                )
                for name, at_depth in (("L = 2", at_depth_two), ("L > 2", at_larger_depth))
            ),
        ),
    ),
)
