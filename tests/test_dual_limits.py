"""Limits at depth 2 in the multipliers: against the path of plain limits, in batches, alone."""

import numpy as np
import pytest
from test_guards_limits import by_path, without

import wnlib as wn
from wnlib.figures import phase_transition
from wnlib.flows import NormalizedLift, PlainLift, PowerLift
from wnlib.roads import _dual_limits
from wnlib.roads import limit as road
from wnlib.roads._dual_limits import DualLimit, Measurements
from wnlib.sweeps import seed_of

CONVERGED = wn.Status.CONVERGED
FLOWS = [
    wn.PlainFlow(2),
    wn.PowerFlow(2, 3.0),
    *(wn.WeightNormFlow(2, ratio) for ratio in (10.0, 1.0, 0.1, 0.003)),
]


def drawn(M=20, N=50, s=5, scale=0.1, signed=False, seed=3, spread=0.0):
    """Return a problem and a start, uneven by ``e^spread``."""
    problem = wn.sparse_problem(M, N, s, seed, signed=signed)
    x0 = wn.initial_weights(problem, scale, 1)
    return problem, x0 * np.exp(spread * np.random.default_rng(seed).random(len(x0)))


def alone(flow, problem, x0):
    """Return the end that is found in the multipliers, or None, and the path to it."""
    given = road._Given(problem)
    with np.errstate(all="ignore"):
        found = road._by_multipliers(flow, given, x0)
    return found and found[0]


@pytest.mark.parametrize("flow", FLOWS, ids=str)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("s", [3, 10])
@pytest.mark.parametrize("scale", [1e-4, 0.1, 0.5, 3.0])
def test_both_roads_end_at_one_limit(flow, signed, s, scale, monkeypatch):
    problem, x0 = drawn(s=s, scale=scale, signed=signed)
    found = alone(flow, problem, x0)
    assert found is not None
    by_path(monkeypatch)
    limit = wn.limit(flow, problem, x0)
    if limit.status is CONVERGED:  # the path sometimes gets stuck
        assert found.weights**2 == pytest.approx(limit.stacked, rel=1e-7, abs=1e-11)
        assert found.log_rho == pytest.approx(limit.log_rho, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("unit_A", [1e-90, 1.0, 1e90])
@pytest.mark.parametrize("unit_b", [1e-80, 1.0, 1e60])
def test_units_change_nothing(unit_A, unit_b):
    problem, x0 = drawn()
    unit = unit_b / unit_A  # of z
    other = wn.Problem(unit_A * problem.A, unit_b * problem.b)
    one = alone(wn.WeightNormFlow(2, 0.3), problem, x0)
    two = alone(wn.WeightNormFlow(2, 0.3 * unit), other, np.sqrt(unit) * x0)
    assert two.weights / np.sqrt(unit) == pytest.approx(one.weights, rel=1e-6, abs=1e-8)


def test_rows_of_any_size():
    problem, x0 = drawn()
    rows = 10.0 ** np.random.default_rng(0).uniform(-6, 6, 20)
    other = wn.Problem(rows[:, None] * problem.A, rows * problem.b)
    flow = wn.WeightNormFlow(2, 0.1)
    found = [alone(flow, p, x0).weights for p in (problem, other)]
    assert found[0] == pytest.approx(found[1], rel=1e-6, abs=1e-6)


def test_dependent_rows_and_more_rows_than_columns():
    problem, x0 = drawn()
    mix = np.random.default_rng(0).integers(-2, 3, (40, 20)).astype(float)
    A = mix @ problem.A
    limit = wn.limit(wn.WeightNormFlow(2, 0.1), wn.Problem(A, A @ problem.signal), x0)
    assert limit.status is CONVERGED and limit.residual < 1e-12


# points of the map at which the path of plain limits gets stuck: near its end, at once, out of
# the range of floats
STUCK = [
    (0.4, 0.32, 14, False, 0.01),
    (0.7, 0.64, 4, False, 0.1),
    (0.9, 0.88, 1, False, 1.0),
    (0.4, 0.24, 4, True, 0.01),
    (0.9, 0.24, 7, True, 0.01),
    (0.9, 0.64, 8, True, 1.0),
]


@pytest.mark.parametrize(("delta", "share", "draw", "signed", "ratio"), STUCK)
def test_where_the_path_gets_stuck(delta, share, draw, signed, ratio):
    found = phase_transition.trial(
        seed=0, draw=draw, n_features=60, signed=signed, delta=delta, share=share,
        scale=0.05, ratios=[ratio],
    )  # fmt: skip
    assert np.isfinite(found["log_error"]).all()


def test_the_path_gets_stuck_there(monkeypatch):
    """Else these points test nothing."""
    by_path(monkeypatch)
    delta, share, draw, signed, ratio = STUCK[0]
    key = seed_of(0, draw, 60, signed, delta, share)
    problem = wn.sparse_problem(24, 60, 8, key)
    x0 = wn.initial_weights(problem, 0.05, [*key, 1])
    limit = wn.limit(wn.WeightNormFlow(2, ratio), problem, x0)
    assert limit.status is wn.Status.UNFINISHED


@pytest.mark.parametrize("signed", [False, True])
def test_batches_end_where_their_starts_do_in_fewer_steps(signed, monkeypatch):
    monkeypatch.setattr(road, "LARGE", 0)  # by multipliers only
    problem, _ = drawn(signed=signed)
    x0 = np.array([wn.initial_weights(problem, 0.1, [1, k]) for k in range(6)])
    x0[-1] *= 100.0  # far from the others
    together, apart = 0, 0
    for flow in FLOWS:
        batch, single = wn.limit(flow, problem, x0), [wn.limit(flow, problem, x) for x in x0]
        for end, one in zip(batch.stacked, single, strict=True):
            assert end == pytest.approx(one.stacked, rel=1e-6, abs=1e-11 * one.stacked.max())
        assert list(batch.status) == [one.status for one in single]
        together, apart = together + batch.n_steps.sum(), apart + sum(one.n_steps for one in single)
    assert together < 0.9 * apart


@pytest.mark.parametrize("ratio", [1.0, 0.01])
def test_a_wrong_law_is_refused(ratio, monkeypatch):
    """The certificate asks the flow itself for its magnification."""
    problem, x0 = drawn()
    flow = wn.WeightNormFlow(2, ratio)
    right = wn.limit(flow, problem, x0)
    law = _dual_limits._Law.__call__
    monkeypatch.setattr(
        _dual_limits._Law, "__call__", lambda self, growth: law(self, growth * 1.001)
    )
    assert alone(flow, problem, x0) is None
    again = wn.limit(flow, problem, x0)  # by the path
    assert again.status is CONVERGED
    assert again.stacked == pytest.approx(right.stacked, rel=1e-7, abs=1e-11)


def test_wrong_multipliers_are_refused(monkeypatch):
    problem, x0 = drawn()
    monkeypatch.setattr(
        DualLimit, "multipliers", lambda self, *_: self.nu * self.given.row_scale * (1 + 1e-5)
    )
    assert alone(wn.WeightNormFlow(2, 0.1), problem, x0) is None


def test_where_the_path_is_fast_it_has_the_word_on_what_is_not_settled(monkeypatch):
    """One point solves this problem: the other entries vanish, and their multipliers grow."""
    problem = wn.sparse_problem(12, 30, 2, seed=7)
    x0 = wn.initial_weights(problem, 0.1, 7)
    limit = wn.limit(wn.PlainFlow(2), problem, x0)
    assert limit.status is CONVERGED and (limit.weights > 0).sum() == 2
    monkeypatch.setattr(road, "LARGE", 0)
    rough = wn.limit(wn.PlainFlow(2), problem, x0)
    assert rough.status is CONVERGED and (rough.weights > 0).sum() > 2
    assert rough.stacked == pytest.approx(limit.stacked, abs=1e-11)


def test_what_is_settled_is_right_to_its_own_digits():
    """Also entries 1e-12 as large as others."""
    flow, seen = wn.WeightNormFlow(2, 0.1), 0
    for seed in range(10):
        problem, x0 = drawn(M=20, N=50, s=8, seed=seed)
        given = road._Given(problem)
        with np.errstate(all="ignore"):
            found = road._by_multipliers(flow, given, x0)
        if not (found and given.near.settled):
            continue
        with pytest.MonkeyPatch.context() as patch:
            by_path(patch)
            limit = wn.limit(flow, problem, x0)
        visible = limit.stacked > 1e-14 * limit.stacked.max()
        assert found[0].weights[visible] == pytest.approx(limit.weights[visible], rel=0.01)
        seen += visible.sum() > problem.n_measurements
    assert seen


@pytest.mark.parametrize("depth", [2.5, 3])
def test_batches_of_deeper_networks_go_from_limit_to_limit(depth):
    problem, _ = drawn()
    x0 = np.array([wn.initial_weights(problem, 0.1, [1, k]) for k in range(5)])
    flow = wn.WeightNormFlow(depth, 0.1)
    batch, single = wn.limit(flow, problem, x0), [wn.limit(flow, problem, x) for x in x0]
    assert list(batch.status) == [CONVERGED] * 5
    for end, one in zip(batch.stacked, single, strict=True):
        assert end == pytest.approx(one.stacked, rel=1e-7, abs=1e-13)
    assert batch.n_steps.sum() < 0.7 * sum(one.n_steps for one in single)


def test_a_way_from_limit_to_limit_that_does_not_pay_is_left_at_once():
    """Six layers, a hard problem: from small uneven starts it is longer than the usual one."""
    problem, _ = drawn(M=40, N=100, s=16)
    x0 = np.array([wn.initial_weights(problem, 0.1, [5, k]) for k in range(3)])
    batch = wn.limit(wn.PlainFlow(6), problem, x0)
    single = [wn.limit(wn.PlainFlow(6), problem, x) for x in x0]
    assert list(batch.n_steps) == [one.n_steps for one in single]
    assert (batch.status == CONVERGED).all()


def test_a_problem_without_solution_is_refused_with_the_path_s_reason():
    problem = wn.Problem([[1.0, 2.0], [0.5, 1.0]], [1.0, 1.0])
    with pytest.raises(ValueError, match="not feasible: b is "):
        wn.limit(wn.WeightNormFlow(2, 0.1), problem, [0.1, 0.1])
    with pytest.raises(ValueError, match="not feasible"):
        wn.limit(wn.WeightNormFlow(2, 0.1), wn.Problem([[1.0, 2.0]], [-1.0]), [0.1, 0.1])


@pytest.mark.parametrize("signed", [False, True])
def test_the_solver_solves(signed):
    """Nearly, where columns are left out; exactly, where all count."""
    rng = np.random.default_rng(1)
    A, b, weights = rng.standard_normal((5, 12)), rng.standard_normal(5), rng.uniform(0.5, 1, 12)
    given = Measurements(np.hstack([A, -A]) if signed else A, b, np.ones(5), 0.0, signed=signed)
    d = given.solver(weights)(b)
    assert (A * weights) @ (A.T @ d) == pytest.approx(b, rel=1e-10)
    weights[5:] = 1e-6
    d = given.solver(weights)(b)
    assert (A * weights) @ (A.T @ d) == pytest.approx(b, abs=1e-3)


@pytest.mark.parametrize("flow", FLOWS, ids=str)
@pytest.mark.parametrize("growth", [-0.3, 0.2, 1.5])
def test_the_rate_of_the_law_is_its_derivative(flow, growth):
    law, h = _dual_limits._Law(flow.lift, 5.0), 1e-6
    R, rate = law(growth)
    assert rate == pytest.approx((law(growth + h)[0] - law(growth - h)[0]) / (2 * h), rel=1e-7)
    assert flow.lift.squared_radius(growth, 5.0) == R


def test_a_radius_that_has_vanished_is_zero():
    assert _dual_limits._Law(NormalizedLift(2, 1.0), 1.0)(-3.0) == (0.0, 1.0)


def steps(cases):
    """Return the Newton steps of each case; a hundred and more where nothing is certified."""
    ends = [alone(flow, *drawn(**options)) for flow, options in cases]
    return np.array([end.n_steps if end else 1000 for end in ends])


SPARSE = {"M": 60, "N": 240, "s": 6}
DENSE = {"M": 60, "N": 240, "s": 24}
SMALL_RATIO, TINY_RATIO = wn.WeightNormFlow(2, 0.05), wn.WeightNormFlow(2, 0.002)
# what it sees, where, what, what without it, where that costs steps, or the certificate
GUARDS = [
    ("columns that matter", None, "CUT", None, 0.9, SMALL_RATIO, SPARSE),
    ("the end is fine", None, "FINE", None, 1e-6, SMALL_RATIO, DENSE),
    ("rounding of large exponents", DualLimit, "newton",
     "(1 + np.abs(self.theta).max())", "1", TINY_RATIO, DENSE),
    ("rounding of large parts", DualLimit, "newton", " * terms)", ")",
     wn.PlainFlow(2), {**DENSE, "scale": 100.0}),
    ("what is left of the residual", DualLimit, "finish", "range(2)", "range(0)",
     wn.WeightNormFlow(2, 1e-5), DENSE),
    ("more steps for it", None, "EXTRA", None, 0,
     wn.WeightNormFlow(2, 1e-3), {"M": 200, "N": 1000, "s": 20}),
    ("continuation", None, "START", None, 0.0, TINY_RATIO, DENSE),
    ("only from small starts", None, "START", None, 1e9, wn.PlainFlow(2),
     {**DENSE, "scale": 30.0}),
    ("jumps that can be corrected", None, "CORRECTABLE", None, 1e9, SMALL_RATIO, DENSE),
    ("a search along a line", DualLimit, "search", "range(40)", "range(1)",
     wn.PlainFlow(2), DENSE),
    ("out of the range of floats", DualLimit, "search",
     "np.nan_to_num(slope, nan=np.inf)", "slope", wn.PowerFlow(2, 3.0),
     {"M": 20, "N": 28, "s": 1, "scale": 100.0, "spread": 12.0}),
    ("longer steps", DualLimit, "search", "t *= 3", "break", SMALL_RATIO, SPARSE),
    ("tangents", DualLimit, "jump", "(y + step * dy)", "y", SMALL_RATIO, DENSE),
    ("the radius moves, too", DualLimit, "inverse", "rate / R - 1", "0.0", SMALL_RATIO, DENSE),
    ("multipliers in units", DualLimit, "multipliers", " * self.given.row_scale", "",
     SMALL_RATIO, DENSE),
]  # fmt: skip


@pytest.mark.parametrize(
    ("owner", "name", "old", "new", "flow", "options"),
    [g[1:] for g in GUARDS],
    ids=[g[0] for g in GUARDS],
)
def test_a_guard_is_missed(owner, name, old, new, flow, options):
    cases = [(flow, {**options, "seed": seed}) for seed in range(3)]
    usual = steps(cases)
    assert (usual < 100).all()
    with pytest.MonkeyPatch.context() as patch:
        if owner is None:
            patch.setattr(_dual_limits, name, new)
        else:
            without(patch, owner, name, old, new)
        assert (steps(cases) > 1.2 * usual).any()


@pytest.mark.parametrize("lift", [PlainLift(), NormalizedLift(2, 0.3), PowerLift(2, 1.7)])
def test_a_lift_knows_the_slope_of_its_radius_and_its_units(lift):
    growth, anchored, h, unit = 0.4, 1.3, 1e-6, 8.0
    R = lift.squared_radius(growth, anchored)
    change = lift.squared_radius(growth + h, anchored) - lift.squared_radius(growth - h, anchored)
    assert lift.radius_slope(R) == pytest.approx(change / (2 * h), rel=1e-8)
    there = lift.in_units(unit).squared_radius(growth, anchored / unit)
    assert there == pytest.approx(R / unit)
