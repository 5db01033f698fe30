"""The gap of a solution vanishes at the limit only, and bounds the distance from it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wnlib as wn
from wnlib.flows import psi_of_log
from wnlib.theory import limits

PROBLEM = wn.sparse_problem(4, 8, 2, 3)
X0 = wn.initial_weights(PROBLEM, 0.3, 1)


def example(depth):
    """Return the start in logarithms, the limit, and ``A^T nu`` between them."""
    end = wn.limit(wn.PlainFlow(depth), PROBLEM, X0)
    log_start = depth * np.log(X0)
    moved = psi_of_log(np.log(end.stacked), depth) - psi_of_log(log_start, depth)
    return log_start, end.stacked, moved


@pytest.mark.parametrize("depth", [2, 2.5, 4])
def test_the_gap_tells_the_limit_from_other_solutions(depth):
    log_start, z, pull = example(depth)
    np.testing.assert_allclose(np.exp(limits.dual_point(depth, log_start, pull)), z, rtol=1e-6)
    assert limits.relative_gap(depth, z, limits.dual_point(depth, log_start, pull)) < 1e-12
    other = wn.limit(wn.PlainFlow(depth), PROBLEM, X0 * np.linspace(1, 1.1, 8)).stacked
    gap = limits.relative_gap(depth, other, limits.dual_point(depth, log_start, pull))
    apart = np.abs(other - z).sum() / other.sum()
    assert gap > 1e-8 and apart <= limits.distance_within(depth, other, gap) < 100 * apart


@pytest.mark.parametrize("depth", [2, 3])
def test_the_gap_is_a_mean_of_squares(depth):
    z, delta = np.array([1.0, 2.0, 3.0]), 1e-4
    gap = limits.relative_gap(depth, z, np.log(z) - delta)
    assert gap == pytest.approx(delta**2 / 2, rel=1e-3)


@given(st.integers(0, 10**6), st.sampled_from([2, 2.5, 3, 6]))
def test_no_gap_is_negative(seed, depth):
    """At the limit itself the divergence is rounding, of either sign."""
    log_z = 2 * np.random.default_rng(seed).normal(size=6)
    assert 0 <= limits.relative_gap(depth, np.exp(log_z), log_z) < 1e-12


def test_far_away_the_gap_says_nothing():
    assert np.isnan(limits.dual_point(3, [0.0, 0.0], [0.5, 1.0])).tolist() == [False, True]
    assert limits.relative_gap(3, [1.0, 1.0], [0.0, np.nan]) == np.inf
    assert limits.distance_within(2, [1.0, 1.0], 10.0) == np.inf
    assert limits.distance_formula(2, [1.0, 1.0], 0.02) == pytest.approx(0.2 / 0.8)
    assert limits.distance_formula(2, [1.0, 1.0], 2.0) == -2.0  # sigma = 2
    assert limits.distance_formula(2, [1.0, 1.0], 0.5) == np.inf
    assert limits.distance_formula(2, [1.0, 1.0], np.inf) == -1.0


@pytest.mark.parametrize("depth", [2, 2.5, 4])
def test_the_squared_length_falls_by_the_share_in_the_kernel(depth):
    starts = X0 * np.exp(np.array([[1e-4], [0.0], [-1e-4]]) / depth)
    ends = wn.limit(wn.PlainFlow(depth), PROBLEM, starts)
    R, theta = ends.radius**2, limits.kernel_share(depth, PROBLEM, ends.weights[1])
    assert (R[2] - R[0]) / 2e-4 == pytest.approx(-2 / depth * theta * R[1], rel=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: limits.dual_point(1, [0.0], [0.0]), "depth must be at least 2"),
        (lambda: limits.relative_gap(2, [-1.0], [0.0]), "z must not have a negative entry"),
        (lambda: limits.distance_within(2, [-1.0], 0.1), "z must not have a negative entry"),
        (lambda: limits.kernel_share(2, PROBLEM, [1.0]), "x must have shape"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
