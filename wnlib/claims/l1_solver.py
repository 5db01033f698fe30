"""Claims on the path of deep networks: the certificate of a run, where it leads, how it ends."""

from dataclasses import replace

import numpy as np

from wnlib.claims.common import INEQUALITY, PROGRAM, arrives
from wnlib.claims.deepening import DEPTHS, approach, deepening, even_start
from wnlib.flows import WeightNormFlow, squared_radius
from wnlib.l1 import termination
from wnlib.ledger import Claim, Part
from wnlib.theory import deep_path

SIMPSON = "Simpson's rule; steps of large depth are long in what it integrates"
SURPLUS = "an inequality, after 1e-6 of the norm: Simpson's rule and the residual"
ORDER = "an order, from two depths: the next one adds a few over the depth"
EQUAL = 1e-9  # of weights: far below all tolerances
LOGS = 300.0  # powers of weights of e^-300 are floats


def _known(instance):
    """Tell whether the run is done, and all that is summed are floats."""
    return instance.run.log_path.min() * instance.flow.depth > -LOGS and bool(
        np.isfinite(instance.duals).all()
    )


def _is_even(instance):
    """Tell whether, besides, the weights start equal: an attack moves them one by one."""
    x0 = instance.x0
    return bool(np.ptp(x0) <= EQUAL * x0.max()) and _known(instance)


def _arrived(instance):
    return arrives(instance) and _is_even(instance)


def _off_relation(instance, gamma):
    """Largest difference of the slack from ``(delta / x^L)^gamma``, over 1 plus that."""
    logs = gamma * (instance.log_delta[:, None] - instance.flow.depth * instance.run.log_path[::2])
    claimed = np.exp(np.minimum(logs, LOGS))
    return float(np.max(np.abs(instance.slack - claimed) / (1 + claimed)))


def _own_relation(instance):
    return _off_relation(instance, 1 - 2 / instance.flow.depth)


def _proved(instance, factor):
    """Largest ``b @ y`` on the way, over a factor times the smallest norm."""
    return float(np.max(instance.duals @ instance.problem.b)) / (factor * instance.min_l1.norm)


def _off_gap(instance, R):
    """Difference of the gap from ``delta^gamma R``, over the norm and that."""
    claimed = np.exp((1 - 2 / instance.flow.depth) * instance.log_delta[-1]) * R
    return abs(instance.gap - claimed) / (instance.run.stacked.sum() + claimed)


def _normalized(instance):
    """Tell whether weight normalization has arrived, its sums being floats."""
    return isinstance(instance.flow, WeightNormFlow) and _arrived(instance)


def _end_of_range(instance):
    """Return a solution of smallest norm: where it is not the only one, one inside its face."""
    return instance.strict[0]


def _has_small_ratio(instance):
    """Tell whether the ratio is at most ``gamma R*``."""
    if not _normalized(instance):
        return False
    R = squared_radius(_end_of_range(instance), instance.flow.depth)
    return instance.flow.ratio <= (1 - 2 / instance.flow.depth) * R


def _over_bound(instance, factor):
    """Return the gap over a factor times its bound."""
    z = _end_of_range(instance)
    bound = deep_path.gap_bound(instance.flow, instance.x0, z) * z.sum()
    return (instance.gap - 1e-6 * instance.run.stacked.sum()) / (factor * bound)


def _is_short(instance):
    """Tell whether the start is below the end of the robust range, with both ratios arriving."""
    if not (_normalized(instance) and _arrived(instance.smaller)):
        return False
    R = squared_radius(_end_of_range(instance), instance.flow.depth)
    return instance.x0 @ instance.x0 < R


def _is_long(instance):
    """Tell whether the start is so long that it shrinks."""
    shrinks = instance.run.radius**2 < instance.x0 @ instance.x0
    return bool(_normalized(instance) and shrinks and _arrived(instance.smaller))


def _gap_rises(instance):
    """By how much ``delta``, as the gap tells it, rises with the smaller ratio, in logarithms."""
    runs = instance, instance.smaller
    if any(one.gap < 1e-5 * one.min_l1.norm for one in runs):
        return None
    before, after = (np.log(one.gap / one.run.radius**2) for one in runs)
    return after - before


def _all(ends):
    return all(end is not None for end in ends)


def _plain_known(instance):
    return instance.point is not None and _all(instance.plain)


def _order(ends, point, subtract=0.0, least=1e-5):
    """Return the power of ``1/L`` with which ends come near; None if nearer than ``least``."""
    if point is None:
        return None
    far = [
        np.linalg.norm(end - point - 2 / L * np.asarray(subtract))
        for L, end in zip(DEPTHS, ends, strict=True)
    ]
    return float(np.log2(far[0] / far[1])) if far[1] > least else None


def _off_order(ends, point, order, subtract=0.0, least=1e-5):
    found = _order(ends, point, subtract, least)
    return None if found is None else abs(found - order)


def _correction(instance, projected=True):
    """Return the first order of the statement, or without its projection."""
    z = np.exp(instance.point)
    if projected:
        return deep_path.first_order(instance.problem, z, instance.beta)
    return instance.point - np.log(instance.beta)


def _off_path(instance, depth):
    """Distance of the end at a depth from the point of the path of a depth, in logarithms."""
    try:
        z, _ = deep_path.path_point(instance.problem, instance.beta, depth)
    except ValueError:
        return None
    return float(np.max(np.abs(instance.plain[0] - np.log(z))))


def _wn_known(instance):
    return _plain_known(instance) and _all(instance.normalized)


def _deep(instance):
    """Return the point where weight normalization ends in ever deeper networks."""
    try:
        delta = deep_path.deep_delta(instance.problem, instance.beta, instance.flow.ratio)
    except ValueError:
        return None
    return instance.central(delta)


def _first_percent(instance):
    """Return a hundredth of the way from the start: nearer, the first order may hide."""
    return 0.01 * float(np.linalg.norm(instance.point - np.log(instance.beta)))


def _near(instance):
    return instance.gap < instance.allowed


def _farther(instance):
    """Tell whether the gap is up to ten thousand times as large."""
    return instance.allowed <= instance.gap < 1e4 * instance.allowed


def _doubt(instance):
    """Largest violation of: solution, not negative, feasible, tight; relative."""
    (z, y), problem = instance.projected, instance.problem
    Q = instance.strict[0].sum()
    missed = np.linalg.norm(problem.network_matrix @ z - problem.b) / np.linalg.norm(problem.b)
    tight = abs(problem.b @ y / Q - 1)
    return float(max(missed, -z.min() / Q, (problem.network_matrix.T @ y).max() - 1, tight))


def _misread(instance, rule):
    """Return how many entries a rule takes for the support and should not, or the reverse."""
    return float(np.sum(rule(instance.z, instance.slack) != (instance.strict[0] > 0)))


RELATION = Part(
    name="slack",
    kind="exact",
    measured="|slack - (delta / x^L)^gamma| over 1 plus the latter, along the run, slacks by the "
    "residuals alone",
    threshold=1e-3,
    reason=SIMPSON,
    applies=_is_even,
    measure=_own_relation,
    twin="gamma is 1: the products are equal, as on the central path",
    measure_twin=lambda i: _off_relation(i, 1.0),
)
RATE = Part(
    name="rate",
    kind="upper",
    measured="gap at the end / its bound",
    threshold=1 + 1e-4,
    reason=SURPLUS,
    applies=_has_small_ratio,
    measure=lambda i: _over_bound(i, 1.0),
    twin="0.7 of the bound",
    measure_twin=lambda i: _over_bound(i, 0.7),
)
SMALLER = Part(
    name="ratio",
    kind="upper",
    measured="by how much log(gap / R) rises with two thirds of the ratio",
    threshold=1e-3,
    reason=INEQUALITY + "; gaps above 1e-5 of the norm are compared",
    applies=_is_short,
    measure=_gap_rises,
    twin="also from starts so long that they shrink",
    measure_twin=_gap_rises,
    twin_applies=_is_long,
)
PLAIN = Part(
    name="order",
    kind="exact",
    measured=f"difference from 1 of the order in 1/L of the distance, at depths {DEPTHS}",
    threshold=0.25,
    reason=ORDER,
    applies=_plain_known,
    measure=lambda i: _off_order(i.plain, i.point, 1),
    twin="order 2",
    measure_twin=lambda i: _off_order(i.plain, i.point, 2),
)
EXACT = Part(
    name="exact",
    kind="exact",
    measured="largest violation of: a solution, not negative, feasible, and tight; relative",
    threshold=1e-6,
    reason=PROGRAM,
    applies=_near,
    measure=_doubt,
    twin="the gap may be up to ten thousand times as large",
    measure_twin=_doubt,
    twin_applies=_farther,
)

CLAIMS = (
    Claim(
        label="thm-own-certificate",
        statement="From equal weights, L > 2: at all times the slack of the summed residuals y is "
        "(delta / x^L)^gamma, so b @ y is at most Q; at the end it misses the norm by "
        "delta^gamma R, which is at most Q (s/N)^{(L-2)/2} e^{-omega (R* - R_0)}, and falls with "
        "the ratio.",
        sample=even_start,
        parts=(
            RELATION,
            replace(
                RELATION,
                name="even start",
                twin="also from an uneven start",
                measure_twin=lambda i: _own_relation(i.uneven) if _known(i.uneven) else None,
            ),
            Part(
                name="bound",
                kind="upper",
                measured="largest b @ y along the run / Q",
                threshold=1 + 1e-4,
                reason=SIMPSON,
                applies=_is_even,
                measure=lambda i: _proved(i, 1.0),
                twin="0.9 Q",
                measure_twin=lambda i: _proved(i, 0.9),
            ),
            Part(
                name="gap",
                kind="exact",
                measured="|gap - delta^gamma R| over that and the norm, at the end",
                threshold=1e-3,
                reason=SIMPSON,
                applies=_arrived,
                measure=lambda i: _off_gap(i, i.run.radius**2),
                twin="N in place of R, as on the central path",
                measure_twin=lambda i: _off_gap(i, len(i.x0)),
            ),
            RATE,
            replace(
                RATE,
                name="small ratio",
                twin="the ratio may be larger",
                measure_twin=lambda i: _over_bound(i, 1.0),
                twin_applies=lambda i: _normalized(i) and not _has_small_ratio(i),
            ),
            SMALLER,
        ),
    ),
    Claim(
        label="thm-deep-path",
        statement="From equal effective weights beta the plain flow ends at the point of the path "
        "with slack (beta / z)^gamma, and for L to infinity at that of the central path, to "
        "1/L, with known first order; weight normalization at that of another delta, the root of "
        "log(beta / delta) = (N / ratio - 1) mean log(z / beta).",
        sample=deepening,
        parts=(
            Part(
                name="path",
                kind="exact",
                measured=f"largest difference of logarithms of the end at depth {DEPTHS[0]} and of "
                "the point of the path",
                threshold=1e-4,
                reason="the residual of the run, 1e-8, in logarithms of small entries",
                applies=_plain_known,
                measure=lambda i: _off_path(i, DEPTHS[0]),
                twin="the point of one layer less",
                measure_twin=lambda i: _off_path(i, DEPTHS[0] - 1),
            ),
            PLAIN,
            Part(
                name="first order",
                kind="exact",
                measured="difference from 2 of the order in 1/L of what the first order leaves",
                threshold=0.5,
                reason=ORDER,
                applies=_plain_known,
                measure=lambda i: _off_order(i.plain, i.point, 2, _correction(i)),
                twin="log(z / beta) without its projection",
                measure_twin=lambda i: _off_order(i.plain, i.point, 2, _correction(i, False)),
            ),
            replace(
                PLAIN,
                name="normalized",
                measured="the same for weight normalization, and the delta of its ratio",
                threshold=0.4,
                applies=_wn_known,
                measure=lambda i: _off_order(i.normalized, _deep(i), 1, least=_first_percent(i)),
                twin="delta is beta, whatever the ratio",
                measure_twin=lambda i: _off_order(i.normalized, i.point, 1),
            ),
        ),
    ),
    Claim(
        label="prop-two-projections",
        statement="Where the gap is below theta / N min(zeta^2 / max z, varsigma^2 max z, "
        "zeta varsigma / (a |A_S^+|)), the support is {z > slack max z}, and the nearest z on it "
        "with A z = b and the nearest y with A_S^T y = 1 are optimal.",
        sample=approach,
        parts=(
            Part(
                name="support",
                kind="exact",
                measured="entries that are taken for the support and should not be, or the reverse",
                threshold=0.5,
                reason="a number of entries",
                applies=_near,
                measure=lambda i: _misread(i, termination.read_support),
                twin="entries above 0.3 of the largest",
                measure_twin=lambda i: _misread(i, lambda z, slack: z > 0.3 * z.max()),
            ),
            EXACT,
        ),
    ),
)
