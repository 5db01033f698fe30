"""The bounds hold on limits found by brute force, and nothing much smaller than them does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import wnlib as wn
from wnlib.claims.instances import near_tie, tight_weights
from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.theory import bounds, invariants


def smallest_l1(problem):
    A = problem.network_matrix
    return linprog(np.ones(A.shape[1]), A_eq=A, b_eq=problem.b).fun


def instance(seed, depth, signed=False):
    """Return a small random problem, its Q, and a start small enough for the theorem."""
    rng = np.random.default_rng(seed)
    problem = wn.sparse_problem(rng.integers(2, 4), rng.integers(5, 8), 2, rng, signed=signed)
    scale = (rng.uniform(0.01, 0.3) / problem.n_weights) ** (1 / depth)
    return problem, smallest_l1(problem), wn.initial_weights(problem, scale, rng)


def excess(flow, problem, Q, x0):
    """Relative excess of the limit, and the run that led to it."""
    result = wn.integrate(flow, problem, x0, 1e16, residual_tol=1e-8)
    assert result.status == wn.Status.CONVERGED
    return np.abs(result.effective).sum() / Q - 1, result


def worst_case(depth):
    """Return ``z_1 + z_2/2 = 1``, Q = 1, and a start whose limit is nearly (0, 2): excess 1."""
    return wn.Problem([[1.0, 0.5]], [1.0]), 1.0, tight_weights(depth)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("depth", [2, 2.5, 3])
def test_excess_of_the_plain_limit(depth, signed):
    """Theorem 2.1 on 24 instances."""
    for seed in range(4):
        problem, Q, x0 = instance(seed, depth, signed)
        assert bounds.excess_hypothesis(depth, x0, Q)
        found, _ = excess(PlainFlow(depth), problem, Q, x0)
        assert -1e-7 < found <= bounds.excess_bound(depth, x0, Q)


@pytest.mark.parametrize("depth", [2, 2.5, 3, 4])
def test_excess_bound_is_sharp(depth):
    """The limit attains 0.87 (depth 2) or 0.94 of the bound: 0.85 of it, a false twin, fails."""
    problem, Q, x0 = worst_case(depth)
    assert smallest_l1(problem) == pytest.approx(Q)
    found, _ = excess(PlainFlow(depth), problem, Q, x0)
    bound = bounds.excess_bound(depth, x0, Q)
    assert 0.85 * bound < found <= bound


@pytest.mark.parametrize("depth", [2, 3])
def test_excess_of_the_normalized_limit(depth):
    """Theorem 2.2: the bound with beta / rho, with rho measured or bounded a priori."""
    for seed in range(3):
        problem, Q, x0 = instance(seed, depth)
        flow = WeightNormFlow(depth, 0.1)
        found, result = excess(flow, problem, Q, x0)
        log_rho = invariants.log_rho(flow, x0, result.weights)
        least = bounds.log_rho_lower_bound(flow, x0, Q)
        sharper = bounds.excess_bound(depth, x0, Q, log_rho)
        # log rho is known to residual / ratio, and for depth 2 its lower bound is attained
        assert found <= sharper <= bounds.excess_bound(depth, x0, Q, least) * (1 + 1e-6)
        assert sharper < bounds.excess_bound(depth, x0, Q)


@pytest.mark.parametrize("depth", [2, 3])
def test_the_formulas_are_negative_where_the_start_is_large(depth):
    """They are the bounds where there are any, and no bounds elsewhere."""
    x0 = np.array([0.1, 0.2, 0.3])
    for Q in (0.1, 10.0):
        margin = bounds.log_smallness(depth, x0, Q * 0.027)
        found = (
            bounds.excess_formula(depth, x0, margin),
            bounds.best_excess_formula(depth, x0, Q * 0.027),
        )
        said = (
            bounds.excess_bound(depth, x0, Q * 0.027),
            bounds.best_excess_bound(depth, x0, Q * 0.027),
        )
        if margin > 0:
            assert found == said
        else:
            assert max(found) < 0 and np.isnan(said).all()
    assert bounds.excess_hypothesis(depth, x0, 0.27) == (bounds.log_smallness(depth, x0, 0.27) > 0)


def test_excess_bound_by_hand():
    """With beta = (1/16, 1/4): |beta|_1 = 5/16, N max beta = 1/2."""
    beta = np.array([1, 4]) / 16
    assert bounds.excess_bound(2, beta**0.5, 5) == pytest.approx(np.log(5) / np.log(16))
    # L = 4, gamma = 1/2: [2 - 1 + 2 (sqrt 2 - 1) / 4] / (1 - sqrt(1/8)) at Q = 4
    expected = (1 + (2**0.5 - 1) / 2) / (1 - 8**-0.5)
    assert bounds.excess_bound(4, beta**0.25, 4) == pytest.approx(expected)


@pytest.mark.parametrize(("depth", "threshold"), [(2, 5 / 16), (4, 1 / 2)])
def test_no_bound_without_its_hypothesis(depth, threshold):
    x0 = (np.array([1, 4]) / 16) ** (1 / depth)
    for Q, applies in [(threshold * 1.01, True), (threshold * 0.99, False)]:
        assert bounds.excess_hypothesis(depth, x0, Q) == applies
        assert np.isfinite(bounds.excess_bound(depth, x0, Q)) == applies
        assert np.isfinite(bounds.best_excess_bound(depth, x0, Q)) == applies
    assert np.isnan(bounds.excess_bound(depth, x0, 1.0, log_rho=-1e4))
    # magnification brings the hypothesis back
    assert bounds.excess_hypothesis(depth, x0, threshold * 0.99, log_rho=0.1)


def test_excess_bound_tends_to_that_of_depth_two():
    """From above, for a uniform start; for another (false twin) the limit is a weaker bound."""
    uniform, uneven = np.full(6, 1e-3), np.geomspace(1e-3, 1e-2, 6)
    near = 2 + 1e-7
    for beta, equal in [(uniform, True), (uneven, False)]:
        at_two = bounds.excess_bound(2, beta**0.5, 3.0)
        close = bounds.excess_bound(near, beta ** (1 / near), 3.0)
        assert (close == pytest.approx(at_two, rel=1e-6)) == equal
        assert close > at_two * (1 - 1e-6)


starts = st.lists(st.floats(-12, -4), min_size=2, max_size=6)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(starts, st.sampled_from([2, 2.2, 3, 6]))
def test_the_best_constants_are_smaller(log_beta, depth):
    """Than those of the theorem, for each start; equal entries gain the factor 0.402 at N = 2."""
    x0 = np.exp(np.array(log_beta) / depth)
    best, bound = bounds.best_excess_bound(depth, x0, 1.0), bounds.excess_bound(depth, x0, 1.0)
    assert 0 < best < bound
    even = bounds.best_excess_bound(2, [1e-9, 1e-9], 1.0) / bounds.excess_bound(
        2, [1e-9, 1e-9], 1.0
    )
    assert even == pytest.approx(0.4017, abs=1e-4)


@pytest.mark.parametrize(("depth", "shape"), [(2, [1, 2, 5]), (2, [1, 1]), (3, np.ones(4))])
def test_the_best_constants_are_attained(depth, shape):
    problem, x0 = near_tie(depth, shape, 60.0 if depth == 2 else 40.0)
    end = wn.limit(PlainFlow(depth), problem, x0)
    assert end.status == wn.Status.CONVERGED
    share = (end.effective.sum() - 1) / bounds.best_excess_bound(depth, x0, 1.0)
    assert 0.95 < share <= 1 + 1e-9


def test_one_weight_has_no_choice():
    assert bounds.best_excess_bound(2, [0.1], 1.0) == 0
    assert bounds.best_excess_bound(3, [0.1], 1.0) == 0


@pytest.mark.parametrize("depth", [2, 3])
def test_rho_beyond_the_range_of_floats(depth):
    x0 = np.array([0.5, 0.6])
    here = bounds.excess_bound(depth, x0, 3.0, log_rho=50.0)
    scaled = bounds.excess_bound(depth, x0 * np.exp(-50 / depth), 3.0)
    assert here == pytest.approx(scaled, rel=1e-12)
    far = bounds.excess_bound(depth, x0, 3.0, log_rho=1e5)
    shape = np.expm1((depth - 2) * np.log(0.6 / 0.5))  # the shape stays, for L > 2
    assert far == pytest.approx(shape, abs=2e-5)


def test_batches_are_bounded_start_by_start():
    x0, log_rho = np.random.default_rng(0).uniform(0.1, 0.3, (4, 5)), np.linspace(0, 30, 4)
    for depth in (2, 3):
        singles = [bounds.excess_bound(depth, x, 9.0, k) for x, k in zip(x0, log_rho, strict=True)]
        np.testing.assert_array_equal(bounds.excess_bound(depth, x0, 9.0, log_rho), singles)
        assert bounds.excess_hypothesis(depth, x0, 9.0).shape == (4,)
        assert bounds.log_rho_lower_bound(WeightNormFlow(depth, 0.1), x0, 9.0).shape == (4,)


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("ratio", [0.1, 1.0, 10.0])
def test_rho_is_at_least_its_lower_bound(depth, ratio):
    """On converged runs. A bound larger by a tenth (false twin) fails at depth 2."""
    flow = WeightNormFlow(depth, ratio)
    for seed in range(3):
        problem, Q, x0 = instance(seed, depth)
        log_rho = invariants.log_rho(flow, x0, excess(flow, problem, Q, x0)[1].weights)
        bound = bounds.log_rho_lower_bound(flow, x0, Q)
        assert log_rho >= bound - 1e-5 * (1 + depth * Q / ratio)  # residual 1e-8, over the ratio
        assert bound >= bounds.log_rho_lower_bound(flow, x0, 0.0)
        if depth == 2 and ratio < 1:
            assert log_rho < 1.1 * bound


squares = st.floats(1e-3, 10)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(squares, squares, squares, squares, st.sampled_from([2, 2.5, 3]))
def test_lower_bound_is_the_least_over_all_solutions(R0, smallest, growth, ratio, depth):
    """Its two formulas, and that no radius a solution can have goes below."""
    x0, Q = np.array([R0**0.5]), smallest ** (depth / 2)
    flow = WeightNormFlow(depth, ratio)
    bound = bounds.log_rho_lower_bound(flow, x0, Q)
    if ratio <= smallest:
        formula = np.log(R0 / smallest) + (smallest - R0) / ratio
    else:
        formula = np.log(R0 / ratio) + 1 - R0 / ratio
    rounding = 1e-11 * (1 + (R0 + smallest + growth) / ratio)
    assert abs(bound - depth / 2 * formula) <= rounding
    assert invariants.log_rho(flow, x0, [(smallest + growth) ** 0.5]) >= bound - rounding


def test_exponential_formula_needs_its_hypothesis():
    """False twin: with ratio > Q^{2/L} a solution can have a smaller rho than at Q^{2/L}."""
    R0, Q, depth, ratio = 0.5, 1.0, 2, 10.0
    formula = depth / 2 * (np.log(R0 / Q) + (Q - R0) / ratio)
    flow = WeightNormFlow(depth, ratio)
    measured = invariants.log_rho(flow, [R0**0.5], [2.0])
    assert bounds.log_rho_lower_bound(flow, [R0**0.5], Q) <= measured < formula


def test_small_ratio_bound_by_hand():
    """v_0^2 = (1/4, 3/4), R_0 = 1: z = (2, 0) has KL = log 4 and Q = 2; z = (0, 2) has log 4/3."""
    x0 = np.array([0.5, 0.75**0.5])
    for z, entropy in ([2.0, 0.0], np.log(4)), ([0.0, 2.0], np.log(4 / 3)):
        assert bounds.small_ratio_bound(WeightNormFlow(2, 0.3), x0, z) == pytest.approx(
            0.3 * 2 * entropy
        )
    assert np.isnan(bounds.small_ratio_bound(WeightNormFlow(2, 0.3), x0, [0.5, 0.0]))
    # L = 4, k = 1 / ratio: e^{-k (sqrt t - 1)} over t > 4 has the integral 2 (2 + 1/k) e^{-k} / k
    k = 1 / 0.3
    expected = 2 * (2 + 1 / k) * np.exp(-k) / k
    assert bounds.small_ratio_bound(WeightNormFlow(4, 0.3), x0, [4.0, 0.0]) == pytest.approx(
        expected
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bounds.excess_bound(2, [0.1, -0.1], 1.0), "x0 must be positive"),
        (lambda: bounds.excess_bound(2, [0.1, np.nan], 1.0), "x0 holds NaN"),
        (lambda: bounds.excess_bound(2, [0.1, 0.1], 0.0), "Q must be positive"),
        (lambda: bounds.excess_bound(1.5, [0.1, 0.1], 1.0), "depth must be at least 2"),
        (lambda: bounds.log_rho_lower_bound(WeightNormFlow(2, 1), [0.1], -1.0), "Q must be"),
        (
            lambda: bounds.small_ratio_bound(WeightNormFlow(3, 1), [0.1, 0.1], [-1.0, 1.0]),
            "shortest must not have a negative entry",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("depth", "N"), [(2.1, 2), (3, 5), (10, 50)])
def test_crowding_is_the_largest_over_shares(depth, N):
    gamma, m = 1 - 2 / depth, np.linspace(1 / N, 1, 100_001)[1:-1]
    costs = (1 - m) * (((N - 1) / (1 - m)) ** gamma - m**-gamma)
    cost, share = bounds.crowding(depth, N)
    assert cost == pytest.approx(costs.max(), rel=1e-8)
    assert share == pytest.approx(m[costs.argmax()], abs=3e-5)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((2, 3), ValueError, "depth must be greater than 2"),
        ((3, 1), ValueError, "N must be at least 2; got 1"),
        ((3, 2.5), TypeError, "N must be an integer"),
    ],
)
def test_mistakes_of_crowding_are_named(arguments, error, words):
    with pytest.raises(error, match=words):
        bounds.crowding(*arguments)


def test_bounds_of_weight_normalization_ask_for_it():
    for bound in bounds.log_rho_lower_bound, bounds.small_ratio_bound:
        with pytest.raises(TypeError, match="flow must be a WeightNormFlow"):
            bound(PlainFlow(2), [0.1], 1.0)
        with pytest.raises(TypeError, match="flow must be PlainFlow"):
            bound("flow", [0.1], 1.0)
