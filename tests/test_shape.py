"""What the shape of a start selects: weights, bounds, and how uneven a start may be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wnlib as wn
from wnlib.claims.shape import uneven_tie
from wnlib.l1.linear_program import shortest
from wnlib.l1.shape import tolerated_unevenness
from wnlib.theory.shape import norm_weights, small_ratio_excess_bound, weighted_excess_bound

entries = st.floats(0.1, 10)
three = st.tuples(entries, entries, entries).map(np.array)
depths = st.floats(2.05, 6)


@given(three, depths, st.floats(1e-3, 1e3))
def test_weights_depend_on_the_shape_alone(x0, depth, scale):
    np.testing.assert_allclose(norm_weights(depth, scale * x0), norm_weights(depth, x0), rtol=1e-12)
    assert (norm_weights(2, x0) == 1).all()
    assert (norm_weights(depth, x0) >= 1 - 1e-12).all()


@settings(max_examples=30, deadline=None)
@given(three, three, depths, st.floats(1e-4, 0.5))
def test_the_weighted_norm_of_a_limit_is_within_its_bound(row, x0, depth, scale):
    problem, x0 = wn.Problem([row], [1.0]), scale * x0
    w = norm_weights(depth, x0)
    goal = shortest(problem, w)
    bound = weighted_excess_bound(depth, x0, goal)
    end = wn.limit(wn.PlainFlow(depth), problem, x0)
    if np.isfinite(bound) and end.status is wn.Status.CONVERGED:
        assert w @ end.stacked <= (w @ goal) * (1 + bound) * (1 + 1e-9)


def test_the_bound_is_that_of_depth_two_in_the_limit_for_one_entry():
    """Where the goal has one entry, the two formulas meet as the depth falls to 2."""
    x0, z = np.array([0.01, 0.03]), np.array([1.0, 0.0])
    near = weighted_excess_bound(2 + 1e-7, x0, z)
    assert near == pytest.approx(weighted_excess_bound(2, x0, z), rel=1e-5)


def test_the_bound_falls_like_a_power_of_the_length():
    x0, z = np.array([0.01, 0.03]), np.array([1.0, 0.0])
    for depth in (2.5, 3, 4):
        small, large = (weighted_excess_bound(depth, s * x0, z) for s in (1e-8, 1e-6))
        slope = np.log(large / small) / np.log(1e2)
        assert slope == pytest.approx(depth - 2, abs=1e-3)


@pytest.mark.parametrize("depth", [2.5, 3, 5])
def test_the_bound_is_attained(depth):
    tie = uneven_tie(depth, -80.0, 1e-5)
    w, end = norm_weights(depth, tie.x0), wn.limit(tie.flow, tie.problem, tie.x0)
    goal = shortest(tie.problem, w)
    share = (w @ end.stacked / (w @ goal) - 1) / weighted_excess_bound(depth, tie.x0, goal)
    assert 0.99 < share <= 1 + 1e-9


def test_a_start_that_is_too_long_has_no_bound():
    z = np.array([1.0, 0.0])
    assert np.isnan(weighted_excess_bound(3, [1.0, 1.0], z))
    assert np.isnan(weighted_excess_bound(2, [1.0, 1.0], z))
    assert weighted_excess_bound(3, [1.0, 1.0], z, log_rho=20.0) < 0.01
    assert np.isnan(small_ratio_excess_bound(wn.WeightNormFlow(3, 0.9), [1.2, 0.2], z))  # tau > 1
    assert small_ratio_excess_bound(wn.WeightNormFlow(3, 0.9), [0.2, 1.2], z) > 0  # R0 > R*
    assert np.isnan(small_ratio_excess_bound(wn.WeightNormFlow(3, 2.0), [0.1, 0.1], z))


def test_at_depth_two_the_bound_of_a_small_ratio_is_that_of_entropy():
    flow, x0, z = wn.WeightNormFlow(2, 0.05), np.array([0.2, 0.3]), np.array([1.0, 0.5])
    known = wn.bounds.small_ratio_bound(flow, x0, z) / z.sum()
    assert small_ratio_excess_bound(flow, x0, z) == pytest.approx(known, rel=1e-12)


def test_a_small_ratio_bound_is_exponential():
    x0, z = np.array([0.2, 0.3]), np.array([1.0, 0.5])
    R = np.sum(z ** (2 / 3))
    one, half = (small_ratio_excess_bound(wn.WeightNormFlow(3, r), x0, z) for r in (0.02, 0.01))
    assert np.log(one / half) == pytest.approx((R - x0 @ x0) / 0.04, rel=1e-6)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="entry of x0"):
        weighted_excess_bound(3, [1.0, 2.0], [1.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="x0"):
        norm_weights(3, [1.0, -1.0])
    with pytest.raises(TypeError, match="WeightNormFlow"):
        small_ratio_excess_bound(wn.PlainFlow(3), [1.0, 2.0], [1.0, 0.0])


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_of_one_measurement_it_is_the_ratio_of_the_best_columns(second, third):
    found = wn.min_l1(wn.Problem([[1.0, second, third]], [1.0]))
    assert tolerated_unevenness(found) == pytest.approx(1 / max(second, third), rel=1e-9)


@pytest.mark.parametrize("signed", [False, True])
def test_weights_within_the_tolerance_change_nothing(signed):
    rng = np.random.default_rng(0)
    problem = wn.sparse_problem(20, 40, 3, seed=1, signed=signed)
    found = wn.min_l1(problem)
    H = tolerated_unevenness(found)
    assert H > 1.2
    for _ in range(10):
        w = rng.choice([1.0, 0.999 * min(H, 100.0)], problem.n_weights)
        z = problem.readout(shortest(problem, w))
        np.testing.assert_allclose(z, found.z, atol=1e-6)


def test_a_tie_tolerates_nothing():
    assert tolerated_unevenness(wn.min_l1(wn.Problem([[1.0, 1.0]], [1.0]))) == 1.0


@pytest.mark.parametrize("row", [[1.0, 1.0], [1.0, 1.0, 0.5]])
def test_a_point_between_two_shortest_ones_tolerates_nothing(row):
    z = np.array([0.5, 0.5, 0.0])[: len(row)]
    assert tolerated_unevenness(wn.MinL1(wn.Problem([row], [1.0]), z, np.ones(1))) == 1.0


def test_a_single_solution_tolerates_all():
    assert tolerated_unevenness(wn.min_l1(wn.Problem([[1.0]], [1.0]))) == np.inf
    assert tolerated_unevenness(wn.min_l1(wn.Problem([[1.0, -1.0]], [1.0]))) == np.inf
