"""Claims on the ratio of the learning rates: smaller ones, the one that changes nothing, the best.

"Plain" is the plain flow from the same start. Ends are those of trained weights.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from wnlib.claims.common import INTEGRATION, any_side, arrives, relative, weight_norm
from wnlib.claims.instances import Instance
from wnlib.claims.rho import log_rho_of, rho_part, rho_scale, stalls
from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.ledger import Claim, Part
from wnlib.problems import Problem, initial_weights, sparse_problem
from wnlib.roads.integrate import integrate
from wnlib.roads.limit import limit
from wnlib.theory import invariants, law, ratios

CONDITIONING = "ends are known up to a residual of 1e-8, which an ill-conditioned matrix magnifies"
ROUGH = 1e-5  # relative errors below it are not compared: ends are known to 1e-8 or a little worse


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


def _compared(rng):
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


def _beside_plain(instance):
    return arrives(instance) and arrives(instance.plain)


def _all_arrive(instance):
    return _beside_plain(instance) and arrives(instance.smaller)


def _wrong_side(instance, side):
    """By how much of its start the squared length moves to the other side."""
    R0, _ = instance.lengths
    return -side * (instance.run.radius**2 - R0) / R0


def _side_of_shortest(instance):
    return np.sign(instance.min_l1.norm ** (2 / instance.flow.depth) - instance.lengths[0])


def _moves_more(instance, side):
    """By how much farther the squared length moves with the smaller ratio, relative."""
    R, smaller = instance.run.radius**2, instance.smaller.run.radius**2
    return side * (smaller - R) / max(R, smaller)


def _magnifies_less(instance, side):
    """By how much log rho changes the wrong way with the smaller ratio, relative."""
    change = log_rho_of(instance.smaller) - log_rho_of(instance)
    return -side * change / rho_scale(instance.smaller)


def _apart(instance, ratio):
    """Distance of the end with a ratio from that of the plain flow, relative."""
    run = instance.with_flow(WeightNormFlow(instance.flow.depth, float(ratio))).run
    plain = instance.plain.run.stacked
    return relative(run.stacked - plain, plain) if _arrived(run) else None


def _arrived(run):
    """Tell whether a run ended at a solution."""
    return run.status == "converged"


def _longer(instance, shorter):
    """By how much the end is longer than the plain one if it should be shorter, or shorter."""
    _, R = instance.lengths
    return (1 if shorter else -1) * (instance.run.radius**2 - R) / R


def _shorter_by_mean(instance):
    return invariants.magnifies(instance.flow.ratio, *instance.lengths)


LENGTH = Part(
    name="length",
    kind="upper",
    measured="what the smaller ratio adds to the change of the squared length, relative",
    threshold=1e-5,
    reason=CONDITIONING,
    applies=_all_arrive,
    measure=lambda i: _moves_more(i, i.side),
    twin="the squared length never increases, even where it shrinks",
    measure_twin=lambda i: _moves_more(i, 1),
)
SHORTER = Part(
    name="shorter",
    kind="upper",
    measured="by how much the squared length is on the wrong side of that of the plain limit",
    threshold=1e-5,
    reason=CONDITIONING,
    applies=_beside_plain,
    measure=lambda i: _longer(i, _shorter_by_mean(i)),
    twin="shorter whenever the ratio is below the mean, even where the length shrinks",
    measure_twin=lambda i: _longer(i, i.flow.ratio < i.mean),
)


def _sparse(rng):
    """Draw a sparse Gaussian problem of depth 2, an even start on either side, two ratios."""
    # with fewer columns the signal is often the only solution
    M = int(rng.integers(6, 9))
    N, s = int(rng.integers(2 * M + 2, 3 * M + 4)), int(rng.integers(1, M // 3 + 1))
    problem = sparse_problem(M, N, s, seed=rng)
    x0 = initial_weights(problem, 1.0, seed=rng)
    R0 = problem.signal.sum() * 10 ** rng.uniform(-1.5, 1.3)
    ratio = (R0 + problem.signal.sum()) * 10 ** rng.uniform(-0.8, 1)
    return Compared(
        WeightNormFlow(2.0, float(ratio)),
        problem,
        x0 * np.sqrt(R0 / (x0 @ x0)),
        float(10 ** rng.uniform(0.2, 0.6)),
    )


def _errors(instance):
    return [float(run.problem.error(run.effective)) for run in _runs(instance)]


def _runs(instance):
    return instance.run, instance.smaller.run, instance.plain.run


def _is_sparsest(instance):
    """Tell whether the signal is the shortest solution, and all errors more than rounding."""
    if instance.problem.error(instance.min_l1.z) > 1e-8 or not _all_arrive(instance):
        return False
    return min(_errors(instance)) > ROUGH


def _error_rises(instance, side):
    """By how much the error rises with the smaller ratio, or falls where the length shrinks."""
    error, smaller, _ = _errors(instance)
    return side * (smaller - error) / error


def _worse(instance, better):
    """By how much the error is above that of the plain flow if it should not be, or below."""
    error, _, plain = _errors(instance)
    return (1 if better else -1) * (error - plain) / plain


def _uneven(instance):
    """Return three weights and an uneven start, on which the error rises as the ratio falls.

    Two weights off the support, of opposite effect, hide a part of the error of the third until
    one of them has died.
    """
    x0 = np.exp([-2.0, -3.0, -2.5]) * (1 + 0.01 * np.tanh(instance.x0[:3]))
    problem = Problem([[1.0, 0.9, -2.0]], [1.0], signal=[1.0, 0.0, 0.0])
    return Compared(WeightNormFlow(2.0, 2.0), problem, x0, 2.0)


def _timed(rng):
    """Draw a problem, a short start, and a time after which errors of 1e-4 to 1e-8 are best."""
    while True:
        problem = sparse_problem(10, int(rng.integers(16, 25)), 2, seed=rng)
        if law.last_stretch(problem).max_f < 0.8:
            break
    x0 = initial_weights(problem, 1.0, seed=rng)
    R0 = problem.signal.sum() * rng.uniform(0.03, 0.3)
    x0 = x0 * np.sqrt(R0 / (x0 @ x0))
    _, off = ratios.exponents(problem, R0, 1.0, 1.0)
    exponent = rng.uniform(10, 17)  # of the best error; so the best ratio is off / exponent
    rate = law.last_stretch(problem).rate(off / exponent)
    t_end = (exponent + np.log(problem.signal.sum() / R0 - 1)) / rate
    return Timed(WeightNormFlow(2.0, 1.0), problem, x0, float(t_end))


@dataclass(frozen=True, eq=False)
class Timed(Instance):
    """Weight normalization up to some time."""

    t_end: float

    @cached_property
    def found(self):
        """Errors by ratio, as far as they are known."""
        return {}

    def error_at(self, ratio):
        """Return the error at that time, with a ratio, by the trained weights."""
        if ratio not in self.found:
            flow, x0 = WeightNormFlow(self.flow.depth, float(ratio)), self.x0
            options = {"times": [self.t_end], "form": "weights", "rtol": 1e-6, "residual_tol": 0}
            run = integrate(flow, self.problem, x0, self.t_end, **options)
            self.found[ratio] = float(run.error)
        return self.found[ratio]


def _has_best(instance):
    last, R0 = law.last_stretch(instance.problem), instance.x0 @ instance.x0
    return bool(last.max_f < 0.9 and instance.problem.signal.sum() > 2.5 * R0)


def _over_neighbours(instance, factor):
    """Error with a multiple of the best ratio, over the lesser one a factor 3 to either side."""
    R0 = float(instance.x0 @ instance.x0)
    ratio = factor * ratios.best_ratio(instance.problem, R0, instance.t_end)
    less, here, more = (instance.error_at(ratio * k) for k in (1 / 3, 1.0, 3.0))
    return here / min(less, more)


CLAIMS = (
    Claim(
        label="prop-ratio-monotone",
        statement="At each ratio the length moves to the side to which the plain flow moves it. "
        "The smaller the ratio, the less the length changes, and the larger is rho where it grows, "
        "the smaller where it shrinks.",
        sample=_compared,
        parts=(
            Part(
                name="side",
                kind="upper",
                measured="by how much of R_0 the squared length moves to the other side",
                threshold=1e-6,
                reason=INTEGRATION,
                applies=_beside_plain,
                measure=lambda i: _wrong_side(i, i.side),
                twin="it grows exactly if it starts below Q^{2/L}",
                measure_twin=lambda i: _wrong_side(i, _side_of_shortest(i)),
            ),
            LENGTH,
            Part(
                name="magnification",
                kind="upper",
                measured="by how much log rho changes the wrong way, relative to its larger term",
                threshold=1e-5,
                reason=CONDITIONING,
                applies=_all_arrive,
                measure=lambda i: _magnifies_less(i, i.side),
                twin="log rho grows, even where the length shrinks",
                measure_twin=lambda i: _magnifies_less(i, 1),
            ),
            replace(
                LENGTH,
                name="no stall",
                twin="also where the larger ratio stalls",
                measure_twin=lambda i: _moves_more(i, i.side),
                twin_applies=stalls,
            ),
            rho_part(),
        ),
    ),
    Claim(
        label="prop-ratio-crossing",
        statement="With the logarithmic mean of R_0 and the plain limit's squared length for its "
        "ratio, weight normalization ends where the plain flow does. Where the length grows, it "
        "ends shorter with a smaller ratio, longer with a larger one; where it shrinks, the other "
        "way round.",
        sample=_compared,
        parts=(
            Part(
                name="equal",
                kind="exact",
                measured="relative distance between the ends with that ratio and of the plain flow",
                threshold=1e-4,
                reason=CONDITIONING,
                applies=_beside_plain,
                measure=lambda i: _apart(i, i.mean),
                twin="the arithmetic mean",
                measure_twin=lambda i: _apart(i, np.mean(i.lengths)),
            ),
            SHORTER,
            replace(
                SHORTER,
                name="which mean",
                twin="the plain length in place of the mean",
                measure_twin=lambda i: _longer(i, (i.flow.ratio < i.lengths[1]) == (i.side > 0)),
            ),
            replace(
                SHORTER,
                name="no stall",
                twin="also where it stalls",
                measure_twin=lambda i: _longer(i, _shorter_by_mean(i)),
                twin_applies=lambda i: stalls(i) and arrives(i.plain),
            ),
            rho_part(),
        ),
    ),
    Claim(
        label="obs-ratio",
        statement="On Gaussian problems whose signal is the shortest solution, from even starts: "
        "where the length grows, the error falls with the ratio, and is below that of the plain "
        "flow exactly if the ratio is below the logarithmic mean.",
        sample=_sparse,
        parts=(
            Part(
                name="error",
                kind="upper",
                measured="by how much the error changes the wrong way with the smaller ratio",
                threshold=1e-3,
                reason="ends are known to 1e-8, errors above 1e-5 are compared",
                applies=_is_sparsest,
                measure=lambda i: _error_rises(i, i.side),
                twin="it falls even where the length shrinks",
                measure_twin=lambda i: _error_rises(i, 1),
            ),
            Part(
                name="any start",
                kind="upper",
                measured="the same",
                threshold=1e-3,
                reason="ends are known to 1e-8, errors above 1e-5 are compared",
                applies=_is_sparsest,
                measure=lambda i: _error_rises(i, i.side),
                twin="also from uneven starts, on one equation for three weights",
                measure_twin=lambda i: _error_rises(_uneven(i), 1),
            ),
            Part(
                name="crossing",
                kind="upper",
                measured="by how much the error is on the wrong side of the plain flow's",
                threshold=1e-3,
                reason="ends are known to 1e-8, errors above 1e-5 are compared",
                applies=_is_sparsest,
                measure=lambda i: _worse(i, _shorter_by_mean(i)),
                twin="the plain length in place of the logarithmic mean",
                measure_twin=lambda i: _worse(i, (i.flow.ratio < i.lengths[1]) == (i.side > 0)),
            ),
        ),
    ),
    Claim(
        label="obs-best-ratio",
        statement="After a given time, the ratio at which the exponents of the error on and off "
        "the support are equal is better than a third of it and than three times it.",
        sample=_timed,
        parts=(
            Part(
                name="best",
                kind="upper",
                measured="error with that ratio / the lesser one with a third and three times it",
                threshold=1.0,
                reason="observed: factors before exponentials are left out; 0.01 is usual",
                applies=_has_best,
                measure=lambda i: _over_neighbours(i, 1.0),
                twin="a third of that ratio",
                measure_twin=lambda i: _over_neighbours(i, 1 / 3),
            ),
        ),
    ),
)
