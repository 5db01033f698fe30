"""Claims of the chapter on rates."""

import numpy as np

from wnlib.claims.common import INTEGRATION, arrives
from wnlib.claims.settling import (
    bound_over_slope,
    forced_or_positive,
    forced_or_stalling,
    forced_zeros,
    has_come,
    has_settled,
    has_zeros,
    is_exponential,
    is_old,
    is_seen,
    larger_entry,
    misjudged,
    off_constant,
    off_power,
    off_rate,
    off_witness,
    one_mode_left,
    positive_limit,
    power_of_decay,
    says_stall,
    share_of_fall,
    slope_of_decay,
    some_entry_vanishes,
    vanishing_or_not,
    without_one,
    without_rank_one,
)
from wnlib.ledger import Claim, Part
from wnlib.theory import rates

CLAIMS = (
    Claim(
        label="lem-largest-support",
        statement="The limit is positive exactly at the entries that are positive in some "
        "solution; some y is orthogonal to their columns and has a positive product with all "
        "others.",
        sample=forced_or_stalling,
        parts=(
            Part(
                name="zeros",
                kind="exact",
                measured="entries of the run that fall by a factor above sqrt(10) over its last "
                "two decades of time, against those that are zero in all solutions: differences",
                threshold=0.0,
                reason="yes or no",
                applies=is_old,
                measure=lambda i: misjudged(i, rates.largest_support(i.problem)),
                twin="no entry vanishes",
                measure_twin=lambda i: misjudged(i, np.ones(i.problem.n_weights, dtype=bool)),
            ),
            Part(
                name="no stall",
                kind="exact",
                measured="the same",
                threshold=0.0,
                reason="yes or no",
                applies=is_old,
                measure=lambda i: misjudged(i, rates.largest_support(i.problem)),
                twin="although weight normalization stalls",
                measure_twin=lambda i: misjudged(i, rates.largest_support(i.problem)),
                twin_applies=says_stall,
            ),
            Part(
                name="witness",
                kind="exact",
                measured="|<y, e> - sum over n off S of <A_n, y> x_n^L| / (|y| |b|), largest on "
                "the run; y by a linear program",
                threshold=1e-6,
                reason="the feasibility tolerance of HiGHS, 1e-7, and a factor for the weights",
                measure=lambda i: off_witness(i, rates.largest_support(i.problem)),
                twin="an entry that can be positive is left out of S",
                measure_twin=lambda i: off_witness(
                    i, without_one(rates.largest_support(i.problem))
                ),
            ),
        ),
    ),
    Claim(
        label="prop-exponential",
        statement="To a positive limit |e| falls like exp(-lambda t), never slower, with the "
        "smallest positive eigenvalue lambda of L A B A^T, which has an explicit lower bound.",
        sample=lambda rng: forced_zeros(rng) if rng.random() < 0.15 else positive_limit(rng),
        parts=(
            Part(
                name="rate",
                kind="exact",
                measured="relative distance of the slope of log|e| on the run from -lambda",
                threshold=1e-3,
                reason="the flow is linear to 1e-4 there",
                applies=one_mode_left,
                measure=lambda i: off_rate(i, i.rates[0]),
                twin="without the part of rank one of the metric",
                measure_twin=lambda i: off_rate(i, without_rank_one(i)),
            ),
            Part(
                name="never slower",
                kind="upper",
                measured="lambda over the slope of log|e| on the last decades of the run, less 1",
                threshold=1e-3,
                reason="the same",
                applies=is_seen,
                measure=lambda i: i.rates[0] / slope_of_decay(i) - 1,
                twin="with the largest eigenvalue",
                measure_twin=lambda i: i.rates[-1] / slope_of_decay(i) - 1,
            ),
            Part(
                name="positive limit",
                kind="upper",
                measured="1 / p, p the exponent of the decay of |e| over its last decade",
                threshold=0.5,
                reason="0.12 for exp(-lambda t) at lambda t = 10; at least 1 for the power laws",
                applies=is_exponential,
                measure=lambda i: 1 / power_of_decay(i),
                twin="although an entry of the limit is zero",
                measure_twin=lambda i: 1 / power_of_decay(i),
                twin_applies=lambda i: is_old(i) and has_zeros(i),
            ),
            Part(
                name="bound",
                kind="lower",
                measured="lower bound of lambda over the slope of log|e| on the run",
                threshold=1 + 1e-3,
                reason="an inequality; the surplus is that of the slope",
                applies=is_seen,
                measure=bound_over_slope,
                twin="with the largest entry of the limit",
                measure_twin=lambda i: larger_entry(i) * bound_over_slope(i),
            ),
        ),
    ),
    Claim(
        label="prop-sparse-slow",
        statement="Each entry of psi(kappa^L x^L) falls at most by c_psi |A_n| int chi |e|. So if "
        "the limit has a zero entry, the integral of |e| diverges: e is not O(t^-p) for any "
        "p > 1.",
        sample=vanishing_or_not,
        parts=(
            Part(
                name="fall",
                kind="upper",
                measured="largest fall of an entry of psi over its bound, on the run",
                threshold=1 + 1e-5,
                reason=INTEGRATION,
                applies=lambda i: i.run.n_steps > 1,
                measure=lambda i: share_of_fall(i, 1.0),
                twin="half of c_psi",
                measure_twin=lambda i: share_of_fall(i, 0.5),
            ),
            Part(
                name="slow",
                kind="upper",
                measured="exponent p of the decay of |e| over its last decade",
                threshold=1.05,
                reason="1 for depth 2 in the limit only: the transient adds 0.01 to a decade",
                applies=lambda i: arrives(i) and some_entry_vanishes(i),
                measure=power_of_decay,
                twin="whatever the limit",
                measure_twin=power_of_decay,
                twin_applies=arrives,
            ),
        ),
    ),
    Claim(
        label="prop-power-law",
        statement="If all solutions share a zero, |e| falls like a constant times "
        "t^{-L/(2(L-1))}; the constant is the margin's, and start and ratio count by |x| alone.",
        sample=forced_or_positive,
        parts=(
            Part(
                name="power",
                kind="exact",
                measured="exponent of the decay of |e| over the last two decades, off L/(2L-2)",
                threshold=0.05,
                reason="the transient of depth 2, which may be slow; the median is 2e-5",
                applies=has_settled,
                measure=lambda i: off_power(i, i.flow.depth),
                twin="the exponent of depth L + 1",
                measure_twin=lambda i: off_power(i, i.flow.depth + 1),
            ),
            Part(
                name="forced zeros",
                kind="exact",
                measured="the same",
                threshold=0.05,
                reason="the transient of depth 2, which may be slow; the median is 2e-5",
                applies=has_settled,
                measure=lambda i: off_power(i, i.flow.depth),
                twin="although some solution is positive",
                measure_twin=lambda i: off_power(i, i.flow.depth),
                twin_applies=is_exponential,
            ),
            Part(
                name="constant",
                kind="exact",
                measured="relative distance of |e| t^p at the end of the run from its constant",
                threshold=0.03,
                reason="the transient that is left; the median is 3e-6",
                applies=has_come,
                measure=lambda i: off_constant(i, i.run.radius),
                twin="the clock of weight normalization does not see the length",
                measure_twin=lambda i: off_constant(i, 1.0),
            ),
        ),
    ),
)
