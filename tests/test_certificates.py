"""What certifies a limit: it vanishes there, refuses everything else, and says what is wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

import wnlib as wn
from wnlib.claims.instances import KINDS, random_problem
from wnlib.results import unit_of_multipliers
from wnlib.roads import _plain_limits
from wnlib.roads import limit as road
from wnlib.roads._certificates import relative_gap

CONVERGED, UNFINISHED = wn.Status.CONVERGED, wn.Status.UNFINISHED
SEGMENT = wn.Problem([[1.0, 2.0]], [2.0])  # from (2, 0) to (0, 1); no multiplier shifts a start
ALLOWED = road.LIMIT_GAP


def start_of(limit):
    """Return ``log(beta / rho)``."""
    return limit.flow.depth * np.log(limit.initial) - limit.log_rho


def gap_of(limit, log_start=None, stacked=None, multipliers=None):
    """Return the gap from what a limit holds, or from something else in its place.

    Other starts and other points change the unit of the multipliers.
    """
    depth, used = limit.flow.depth, limit.weights > 0
    true_start, true_z = start_of(limit), limit.stacked
    log_start = true_start if log_start is None else log_start
    stacked = true_z if stacked is None else stacked
    unit = unit_of_multipliers(depth, true_start[used], np.log(true_z[used]))
    unit -= unit_of_multipliers(depth, log_start[used], np.log(stacked[used]))
    multipliers = limit.multipliers * np.exp(unit) if multipliers is None else multipliers
    matrix = limit.problem.network_matrix[:, used]
    return relative_gap(matrix, depth, log_start[used], np.log(stacked[used]), multipliers)


def by_definition(limit):
    """Return the sum of Fenchel's terms over that of their factors, term by term."""
    L, z, log_start = limit.flow.depth, limit.stacked, start_of(limit)
    pull = limit.problem.network_matrix.T @ limit.multipliers
    if L == 2:
        p = np.exp(log_start + pull)
        return np.sum(z * np.log(z / p) - z + p) / z.sum()
    gamma, unit = 1 - 2 / L, np.exp(unit_of_multipliers(L, log_start, np.log(z)))
    y = np.exp(-gamma * log_start) - unit * pull
    terms = y * z - L / 2 * z ** (2 / L) + (L - 2) / 2 * y ** (-2 / (L - 2))
    return terms.sum() / (gamma * np.sum(z ** (2 / L)))


def smallest_gap(limit, **changed):
    """Return the smallest gap over all multipliers, of a problem of one row."""

    def gap(nu):  # infinite numbers confuse the search
        return min(gap_of(limit, multipliers=np.array([nu]), **changed), 1e100)

    grid = np.linspace(-10, 10, 201) * (1 + abs(limit.multipliers[0]))
    best, width = grid[np.argmin([gap(nu) for nu in grid])], grid[1] - grid[0]
    for _ in range(3):  # the tolerance of the search is relative to the place where it searches
        found = minimize_scalar(
            lambda t, best=best: gap(best + t),
            bounds=(-width, width),
            options={"xatol": 1e-12 * width},
        )
        best, width = best + found.x, width * 1e-5
    return gap(best)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    depth=st.one_of(st.just(2.0), st.floats(2, 20)),
    ratio=st.one_of(st.none(), st.floats(0.1, 10)),
    kind=st.sampled_from(KINDS),
    signed=st.booleans(),
)
def test_the_gap_vanishes_at_the_limit_only(seed, depth, ratio, kind, signed):
    """Never negative: not at the limit, nor for any other multipliers, nor at another point."""
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, kind, signed=signed)
    x0 = 0.5 * np.exp(rng.uniform(-0.5, 0.5, problem.n_weights))
    flow = wn.PlainFlow(depth) if ratio is None else wn.WeightNormFlow(depth, ratio)
    limit = wn.limit(flow, problem, x0)
    if limit.status is wn.Status.STALLED:
        assert np.isnan(limit.gap) and np.isnan(limit.multipliers).all()
        return
    assert limit.status is CONVERGED and limit.message == ""
    assert 0 <= limit.gap <= ALLOWED
    assert gap_of(limit) == pytest.approx(limit.gap, abs=1e-20)  # from what it holds alone
    for size in (1e-3, 1.0):
        noise = 1 + size * rng.standard_normal(problem.n_measurements)
        assert gap_of(limit, multipliers=limit.multipliers * noise) >= 0
        assert gap_of(limit, stacked=limit.stacked * np.exp(size * rng.random(len(x0)))) >= 0


@pytest.mark.parametrize("depth", [2, 2.5, 3, 6])
@pytest.mark.parametrize("ratio", [None, 1.0])
def test_the_gap_is_the_sum_of_its_definition(depth, ratio):
    """For multipliers that are off, too, where rounding plays no part."""
    problem = wn.sparse_problem(4, 8, 2, 0, signed=True)
    flow = wn.PlainFlow(depth) if ratio is None else wn.WeightNormFlow(depth, ratio)
    limit = wn.limit(flow, problem, wn.initial_weights(problem, 0.5, 0))
    assert by_definition(limit) == pytest.approx(0, abs=1e-13)
    for k, factor in enumerate([1 - 1e-2, 1 + 1e-3, 1 - 1e-4]):
        changed = limit.multipliers.copy()
        changed[k] *= factor
        gap = gap_of(limit, multipliers=changed)
        object.__setattr__(limit, "multipliers", changed)
        assert gap > 1e-11
        assert gap == pytest.approx(by_definition(limit), rel=1e-4)


@pytest.mark.parametrize("depth", [2, 2.5, 3, 15])
@pytest.mark.parametrize("flow", [wn.PlainFlow, lambda depth: wn.WeightNormFlow(depth, 0.5)])
def test_wrong_answers_are_refused_whatever_the_multipliers(depth, flow):
    limit = wn.limit(flow(depth), SEGMENT, [0.3, 0.4])
    start = start_of(limit)
    assert limit.status is CONVERGED and smallest_gap(limit) <= ALLOWED
    near = limit.stacked + np.array([2e-5, -1e-5])
    for point in ([2.0, 1e-300], [1e-300, 1.0], [2.0, 1e-30], [2 - 2e-6, 1e-6], near):
        assert smallest_gap(limit, stacked=np.array(point)) > ALLOWED
    assert smallest_gap(limit, log_start=start + np.array([1e-5, 0.0])) > ALLOWED
    for factor in (0.5, 1 + 1e-5, 2.0):  # another rho
        assert smallest_gap(limit, log_start=start - np.log(factor)) > ALLOWED


@pytest.mark.parametrize("depth", [2, 3])
def test_a_point_between_is_told_from_the_limit_by_its_distance_squared(depth):
    """The gap is a mean of ``delta^2 / 2``."""
    limit = wn.limit(wn.PlainFlow(depth), SEGMENT, [0.5, 0.5])
    gaps = [gap_of(limit, log_start=start_of(limit) + delta) for delta in (1e-4, 1e-3)]
    assert gaps[1] / gaps[0] == pytest.approx(100, rel=1e-2)


@pytest.mark.parametrize(
    ("z", "log_start", "certified"),
    [
        ([0.5, 0.5], [-120.0, -120.0], True),
        ([0.9, 0.1], [-120.0, -120.0], False),
        ([0.5, 0.5], [-120.0, -119.0], False),
    ],
)
def test_what_rounding_hides_is_compared_without_it(z, log_start, certified):
    """Equal columns: each mixture solves ``A z = b``, and ``y`` is 1e-17 of its two terms."""
    matrix, z, log_start = np.ones((1, 2)), np.array(z), np.array(log_start)
    unit = unit_of_multipliers(3, log_start, np.log(z))
    multipliers = np.array([np.exp(-log_start.max() / 3 - unit)])
    gap = relative_gap(matrix, 3, log_start, np.log(z), multipliers)
    assert gap == (0.0 if certified else np.inf)


def test_multipliers_out_of_their_domain_certify_nothing():
    limit = wn.limit(wn.PlainFlow(3), SEGMENT, [0.5, 0.5])
    assert gap_of(limit, multipliers=limit.multipliers + 10.0) == np.inf  # y < 0


def test_a_limit_of_another_dynamics_is_refused():
    """What overrides the velocity has no mirror form: none of this holds for it."""

    class Slowed(wn.PlainFlow):
        def velocity(self, problem, x):
            return super().velocity(problem, x) / (1 + x @ x)

    with pytest.raises(TypeError, match=r"Slowed has no mirror form: .* form=\"weights\""):
        wn.limit(Slowed(2), SEGMENT, [0.5, 0.5])


def test_large_parts_that_cancel_are_named():
    """z_plus and z_minus are 1e12 each, their difference is 1."""
    limit = wn.limit(wn.PlainFlow(2), wn.Problem([[1.0]], [1.0], signed=True), [1e6, 1e6])
    assert limit.status is UNFINISHED
    assert limit.message == (
        "z_plus and z_minus are so large that rounding leaves an error of 3e-03 in z"
    )


def test_a_path_that_stops_short_is_named(monkeypatch):
    """Its point solves ``A z = b``, and is the limit of another start."""
    monkeypatch.setattr(road, "_by_multipliers", lambda *_: None)
    move_to = _plain_limits.PlainLimits.move_to
    monkeypatch.setattr(
        _plain_limits.PlainLimits, "move_to", lambda path, s, w=None: move_to(path, s + 1e-3, w)
    )
    limit = wn.limit(wn.PlainFlow(2), SEGMENT, [0.5, 0.5])
    assert limit.status is UNFINISHED and limit.residual < 1e-15
    assert limit.message.startswith("the relative gap is ")
    assert limit.message.endswith(": another point may be the limit")


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_another_magnification_than_that_of_the_path_is_named(factor, monkeypatch):
    log_rho = road._log_rho

    def wrong(flow, path, x0):
        s, error = log_rho(flow, path, x0)
        return s + np.log(factor), error

    monkeypatch.setattr(road, "_by_multipliers", lambda *_: None)
    monkeypatch.setattr(road, "_log_rho", wrong)
    limit = wn.limit(wn.WeightNormFlow(2, 0.5), SEGMENT, [0.3, 0.4])
    assert limit.status is UNFINISHED and "the relative gap is" in limit.message


def test_an_inexact_root_is_named(monkeypatch):
    excess_at = road._excess

    def rounded(*arguments):
        excess, _, slope, speed = excess_at(*arguments)
        return excess, 1e-3, slope, speed

    flow, x0 = wn.WeightNormFlow(2, 0.5), [0.3, 0.4]
    right = wn.limit(flow, SEGMENT, x0)
    monkeypatch.setattr(road, "_excess", rounded)
    limit = wn.limit(flow, SEGMENT, x0)
    assert limit.status is UNFINISHED
    error = float(limit.message.split()[9])
    assert limit.message == road.ROOT_FAULT.format(error) and error > 1e-8
    moved = np.linalg.norm(limit.stacked - right.stacked) / np.linalg.norm(right.stacked)
    assert moved <= error


@pytest.mark.parametrize("second", [1e-300, 1e-40])
def test_a_tie_below_rounding_is_no_license(second):
    """Equal columns and starts: (1/2, 1/2) is the limit, and rounding does not admit (1, 0)."""
    matrix, log_start, z = np.array([[1.0, 1.0]]), np.log([1e-60, 1e-60]), np.array([1.0, second])
    unit = unit_of_multipliers(4, log_start, np.log(z))
    multipliers = np.array([np.exp(-log_start[0] / 2 - unit) - np.exp(-unit)])
    assert relative_gap(matrix, 4, log_start, np.log(z), multipliers) > 1e-3
    half = np.array([0.5, 0.5])
    assert relative_gap(matrix, 4, log_start, np.log(half), multipliers) < 1e-14
