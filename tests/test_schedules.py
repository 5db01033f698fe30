"""Rates that change in time: the flows, their history, and warm-ups."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wnlib as wn
from wnlib import invariants, schedules
from wnlib.figures.schedules import Ratchet

PROBLEM = wn.sparse_problem(3, 6, 2, seed=1)
X0 = wn.initial_weights(PROBLEM, 0.4, seed=2)
OPPOSED = wn.Problem([[1.0, -1.0]], [1.0])


def constant(t, r):
    return 0.3, 1.0


def proportional(t, r):
    return 1 / 3, r**-2


def path(flow, t_end=5.0, form="weights"):
    times = np.linspace(0.1, 1, 5) * t_end
    return wn.integrate(flow, PROBLEM, X0, t_end, times=times, form=form).path


@pytest.mark.parametrize("depth", [2, 2.5, 4])
def test_constant_rates_are_weight_normalization(depth):
    scheduled = path(wn.ScheduledFlow(depth, constant))
    np.testing.assert_allclose(scheduled, path(wn.WeightNormFlow(depth, 0.3)), rtol=1e-7)


@pytest.mark.parametrize("depth", [2, 2.5, 4])
def test_a_power_is_those_rates(depth):
    power = wn.PowerFlow(depth, 3.0)
    np.testing.assert_allclose(path(wn.ScheduledFlow(depth, proportional)), path(power), rtol=1e-7)
    np.testing.assert_allclose(path(power, form="mirror"), path(power), rtol=1e-7)


@pytest.mark.parametrize("depth", [2, 2.5, 4])
def test_the_first_power_is_the_plain_flow(depth):
    one, plain = wn.PowerFlow(depth, 1), wn.PlainFlow(depth)
    assert (one.velocity(PROBLEM, X0) == plain.velocity(PROBLEM, X0)).all()
    np.testing.assert_allclose(path(one, form="mirror"), path(plain, form="mirror"), rtol=1e-9)
    ends = wn.limit(one, PROBLEM, X0), wn.limit(plain, PROBLEM, X0)
    assert ends[0].log_rho == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(ends[0].stacked, ends[1].stacked, atol=1e-11)


@pytest.mark.parametrize("depth", [2, 2.5, 4])
@pytest.mark.parametrize("power", [0.3, 1.0, 4.0])
def test_a_power_has_a_lift_a_metric_and_a_limit(depth, power):
    flow = wn.PowerFlow(depth, power)
    assert flow.motion is wn.PowerFlow and not flow.can_stall
    radii = np.array([0.5, 0.7, 1.3])
    growth = 2 * np.diff(flow.log_kappa(radii) + np.log(radii))
    found = [flow.lift.squared_radius(g, r**2) for g, r in zip(growth, radii, strict=False)]
    np.testing.assert_allclose(found, radii[1:] ** 2, rtol=1e-13)
    h = PROBLEM.network_matrix.T @ flow.misfit(PROBLEM, X0)
    moved = depth * X0 ** (depth - 1) * flow.velocity(PROBLEM, X0)
    np.testing.assert_allclose(moved, -depth * flow.metric(X0**depth) @ h, rtol=1e-12)
    end = wn.limit(flow, PROBLEM, X0)
    run = wn.integrate(flow, PROBLEM, X0, 1e12, residual_tol=1e-11)
    assert end.status is wn.Status.CONVERGED
    np.testing.assert_allclose(end.stacked, run.stacked, atol=1e-8)
    assert end.log_rho == pytest.approx(invariants.log_rho(flow, X0, end.weights), abs=1e-8)


def test_a_power_neither_stalls_nor_has_the_potential_of_another_flow():
    short = np.array([0.01, 0.1])
    assert wn.stalls(wn.WeightNormFlow(2, 1.0), OPPOSED, short)
    flow = wn.PowerFlow(2, 0.5)
    assert not wn.stalls(flow, OPPOSED, short)
    assert wn.rules_out_stall(flow, short, np.array([1.0, 0.0]))
    assert wn.limit(flow, OPPOSED, short).status is wn.Status.CONVERGED
    with pytest.raises(TypeError, match="its potential is unknown"):
        wn.potentials.potential(flow, [1.0, 2.0])
    zero = wn.limit(flow, wn.Problem([[1.0, 1.0]], [0.0]), short)
    assert zero.status is wn.Status.CONVERGED and np.isnan(zero.log_rho)


def test_descent_follows_schedules():
    run = wn.descend(wn.ScheduledFlow(2, constant), PROBLEM, X0, 1e-3, 2000)
    same = wn.descend(wn.WeightNormFlow(2, 0.3), PROBLEM, X0, 1e-3, 2000)
    np.testing.assert_allclose(run.weights, same.weights, rtol=1e-10)


def test_what_needs_a_mirror_form_refuses_a_schedule():
    flow = wn.ScheduledFlow(2, constant)
    with pytest.raises(TypeError, match=r'ScheduledFlow has no mirror form.*form="weights"'):
        wn.limit(flow, PROBLEM, X0)
    with pytest.raises(TypeError, match="no mirror form"):
        wn.integrate(flow, PROBLEM, X0, 1.0)
    with pytest.raises(TypeError, match="stalls has no theory"):
        wn.stalls(flow, PROBLEM, X0)


FADING = wn.ScheduledFlow(2, lambda t, r: (1 - t, 1))  # negative in time
EVENLY = wn.integrate(
    wn.ScheduledFlow(2, wn.Warmup(0.1, 0.1)),
    PROBLEM,
    X0,
    1,
    times=np.arange(1, 10) / 10,
    form="weights",
)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: wn.WeightNormFlow(2, constant), TypeError, "use ScheduledFlow"),
        (lambda: wn.ScheduledFlow(2, 0.3), TypeError, "use WeightNormFlow"),
        (lambda: wn.ScheduledFlow(2, lambda t, r: 0.3), TypeError, "must return two numbers"),
        (lambda: wn.ScheduledFlow(2, lambda t, r: (-1, 1)), ValueError, r"rates\(0, 1\) returns"),
        (lambda: wn.ScheduledFlow(2, lambda t: (1, 1)), TypeError, r"rates\(0, 1\) fails"),
        (lambda: wn.ScheduledFlow(2, lambda t, r: (1 / t, 1)), TypeError, r"rates\(0, 1\) fails"),
        (lambda: wn.integrate(FADING, PROBLEM, X0, 9, form="weights"), ValueError, "not negative"),
        (lambda: schedules.log_rho(EVENLY, np.ones(9)), ValueError, "that belong to these weights"),
        (lambda: wn.PowerFlow(2, 0), ValueError, "power must be positive"),
        (lambda: wn.Warmup(-1, 0.1), ValueError, "until must be nonnegative"),
        (lambda: wn.Warmup(np.inf, 0.1), ValueError, "until must be nonnegative and finite"),
        (lambda: wn.Warmup(1, 0), ValueError, "ratio must be positive"),
        (lambda: schedules.gauss_times([2.0, 1.0]), ValueError, "times that increase"),
        (lambda: schedules.warm_up_time(2, PROBLEM, X0, 0), ValueError, "target must be positive"),
        (lambda: schedules.frozen_length(2, PROBLEM, [X0, X0]), ValueError, "must be one start"),
        (lambda: wn.limit(wn.PowerFlow(2, 2), PROBLEM, 1e-150 * X0), ValueError, "too small"),
    ],
)
def test_mistakes_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_rates_pickle_with_their_flow():
    flow = wn.ScheduledFlow(2, wn.Warmup(1.0, 0.1))
    assert pickle.loads(pickle.dumps(flow)) == flow
    assert [flow.rates(t, 1.0) for t in (0.5, 1.0)] == [(1.0, 0.0), (0.1, 1.0)]


def test_gauss_times_integrate_between_breaks():
    times, weights = schedules.gauss_times([0.3, 2.0])
    assert (np.diff(times) > 0).all() and times[0] > 0 and times[-1] < 2
    jump = np.where(times < 0.3, np.exp(-times), times**2)
    assert weights @ jump == pytest.approx(1 - np.exp(-0.3) + (8 - 0.027) / 3, rel=1e-13)


def test_gauss_times_see_what_is_fast():
    """Right after a break, and for a moment at any time."""
    times, weights = schedules.gauss_times([0.3, 2.0])
    fast = (times > 0.3) * np.exp(-np.abs(times - 0.3) / 1e-6)
    assert weights @ fast == pytest.approx(1e-6, rel=1e-6)
    for middle in 0.123, 1.234:
        brief = 1 / (1 + ((times - middle) / 0.02) ** 2)
        exact = 0.02 * (np.arctan((2 - middle) / 0.02) + np.arctan(middle / 0.02))
        assert weights @ brief == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("depth", [2, 3.5])
def test_the_history_of_constant_rates_is_their_log_rho(depth):
    times, weights = schedules.gauss_times([3.0])
    flow = wn.ScheduledFlow(depth, constant)
    run = wn.integrate(flow, PROBLEM, X0, 3.0, times=times, form="weights")
    expected = invariants.log_rho(wn.WeightNormFlow(depth, 0.3), X0, run.weights)
    assert schedules.log_rho(run, weights) == pytest.approx(expected, abs=1e-6)
    with pytest.raises(ValueError, match=r"recorded at the 3 times of gauss_times"):
        schedules.log_rho(run, weights[:3])
    two = wn.descend(flow, PROBLEM, [X0, X0], 0.1, 10)
    with pytest.raises(ValueError, match="run must follow one start, not 2"):
        schedules.log_rho(two, np.ones(len(two.times) - 2))
    with pytest.raises(TypeError, match="one of a ScheduledFlow"):
        schedules.log_rho(wn.integrate(wn.PlainFlow(2), PROBLEM, X0, 1.0), weights)


@settings(deadline=None, max_examples=30)
@given(st.floats(2, 6), st.floats(0.05, 0.95), st.integers(0, 100))
def test_the_time_of_a_warm_up_is_that_of_the_flow(depth, share, seed):
    x0 = wn.initial_weights(PROBLEM, 0.5, seed)
    R0, R1 = x0 @ x0, max(schedules.frozen_length(depth, PROBLEM, x0), 0.05 * (x0 @ x0))
    target = R0 * (R1 / R0) ** share
    until = schedules.warm_up_time(depth, PROBLEM, x0, target)
    frozen = wn.ScheduledFlow(depth, wn.Warmup(2 * until, 1.0))
    run = wn.integrate(frozen, PROBLEM, x0, until, form="weights", rtol=1e-8)
    np.testing.assert_allclose(run.weights, x0 * np.sqrt(target / R0), rtol=1e-5)


def test_a_warm_up_goes_no_further_than_the_frozen_length():
    x0 = np.array([1.45, 0.95])
    R1 = schedules.frozen_length(2, OPPOSED, x0)
    assert pytest.approx((x0 @ x0) / (1.45**2 - 0.95**2)) == R1
    assert schedules.warm_up_time(2, OPPOSED, x0, 0.99 * R1) == np.inf
    assert schedules.warm_up_time(2, OPPOSED, x0, 1.01 * (x0 @ x0)) == np.inf
    assert 0 < schedules.warm_up_time(2, OPPOSED, x0, 1.01 * R1) < np.inf
    assert schedules.warm_up_time(2, OPPOSED, x0, np.exp(2 * np.log(np.linalg.norm(x0)))) < 1e-9
    assert schedules.frozen_length(2, OPPOSED, [1.0, 1.0]) == pytest.approx(2.0)  # A v0^2 = 0
    assert schedules.frozen_length(2, OPPOSED, [0.5, 1.0]) == 0.0


def test_a_ratchet_does_not_shrink_its_start():
    x0 = np.array([1.9, 2.8])
    pair = wn.Problem([[1.0, 0.5]], [1.0])
    run = wn.integrate(Ratchet(2, 0.1, large=20.0), pair, x0, 1e3, form="weights")
    assert invariants.fitted_log_rho(2, pair, x0, run.weights) > 0
