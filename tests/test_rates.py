"""How fast: rates near positive limits, the support of limits, the power law and its margin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wnlib as wn
from wnlib.theory import rates

FLOWS = wn.PlainFlow(2), wn.PlainFlow(3.5), wn.WeightNormFlow(2, 0.3), wn.WeightNormFlow(3, 5.0)
BOTH = wn.Problem([[1.0, 1.0, 0.5], [0.0, 1.0, 2.0]], [3.0, 0.0])  # two forced zeros
seeds = st.integers(0, 10_000)


def random(seed, M=3, N=6, signed=False):
    return wn.sparse_problem(M, N, 2, seed, signed=signed)


@pytest.mark.parametrize("flow", FLOWS)
def test_the_residual_moves_by_these_rates(flow):
    """The velocity of the trained weights, in full, has the rates for eigenvalues."""
    problem = random(1)
    x = wn.initial_weights(problem, 1.0, 2)
    e = flow.misfit(problem, x)
    velocity = flow.velocity(problem, *flow.state(x))
    changes = velocity if isinstance(velocity, tuple) else (velocity,)
    later = [part + 1e-6 * v for part, v in zip(flow.state(x), changes, strict=True)]
    moved = (flow.misfit(problem, flow.weights(*later)) - e) / 1e-6
    K = flow.depth * problem.A @ flow.metric(x**flow.depth) @ problem.A.T
    np.testing.assert_allclose(moved, -K @ e, rtol=1e-4)
    found = rates.residual_rates(flow, problem, x**flow.depth)
    np.testing.assert_allclose(found, np.linalg.eigvalsh(K), rtol=1e-8)


def test_dependent_rows_add_no_rate():
    A = random(1).A
    doubled = wn.Problem(np.vstack([A, A[:1]]), np.zeros(4))
    flow = wn.PlainFlow(2)
    assert rates.residual_rates(flow, doubled, np.ones(6)).shape == (3,)
    smallest = np.linalg.svd(doubled.A, compute_uv=False)[2]
    assert rates.rate_lower_bound(flow, doubled, np.ones(6)) == pytest.approx(2 * smallest**2)


@settings(deadline=None, max_examples=30)
@given(seeds, st.sampled_from(FLOWS))
def test_no_rate_is_below_the_bound(seed, flow):
    problem = random(seed, signed=seed % 2 == 1)
    z = np.exp(np.random.default_rng(seed).normal(size=problem.n_weights))
    bound = rates.rate_lower_bound(flow, problem, z)
    assert bound <= rates.residual_rates(flow, problem, z)[0] * (1 + 1e-9)


def test_the_largest_support():
    assert list(rates.largest_support(BOTH)) == [True, False, False]
    assert rates.largest_support(wn.Problem([[1.0, 1.0]], [1.0])).all()
    assert rates.largest_support(random(0, 2, 5, signed=True)).all()
    assert not rates.largest_support(wn.Problem([[1.0, 2.0]], [0.0])).any()
    with pytest.raises(ValueError, match="problem has no nonnegative solution"):
        rates.largest_support(wn.Problem([[1.0, 1.0]], [-1.0]))


@settings(deadline=None, max_examples=20)
@given(seeds)
def test_each_entry_of_the_support_is_in_some_solution(seed):
    """The limit from a long start is positive on it, and an added sum row does not change it."""
    problem = random(seed, 2, 5)
    support = rates.largest_support(problem)
    assert support[problem.signal > 0].all()
    scaled = wn.Problem(3 * problem.A, 3e3 * problem.b)
    assert (rates.largest_support(scaled) == support).all()


@pytest.mark.parametrize("depth", [2, 2.5, 3, 6])
def test_the_margin_of_one_missing_dimension(depth):
    a = np.array([1.0, 2.0])
    q = 2 / (depth - 2) if depth > 2 else np.inf
    expected = a.min() if depth == 2 else np.sum(a**-q) ** (-1 / q)
    assert rates.margin(BOTH, depth) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("depth", [2, 2.2, 3, 5])
def test_the_margin_is_the_largest_over_directions(depth):
    """Two missing dimensions, by brute force over a half circle."""
    off = np.array([[1.0, 0.2, 0.6], [0.1, 1.5, 0.7]])
    A = np.vstack([[1.0, 0, 0, 0], np.column_stack([[0.0, 0.0], off])])
    angles = np.linspace(-np.pi / 2, np.pi, 200_001)
    dots = np.stack([np.cos(angles), np.sin(angles)], 1) @ off
    dots = dots[(dots > 0).all(axis=1)]
    q = 2 / (depth - 2) if depth > 2 else np.inf
    values = dots.min(axis=1) if depth == 2 else np.sum(dots**-q, axis=1) ** (-1 / q)
    found = rates.margin(wn.Problem(A, [1.0, 0, 0]), depth)
    assert found == pytest.approx(values.max(), rel=1e-5)  # a kink, for depth 2


@pytest.mark.parametrize("seed", [292, 319, 382])
def test_the_margin_of_thin_cones_is_the_largest_too(seed):
    """Where undamped Newton steps leave the cone; beside random directions of it."""
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(14, 5))
    columns[:, 0] = 10 ** rng.uniform(-4, 2, 14)
    dots = columns @ (np.eye(5)[:, :1] + 1e-5 * rng.normal(size=(5, 1000)))
    values = np.sum(dots[:, (dots > 0).all(axis=0)] ** (-1 / 6), axis=0) ** -6.0
    found = rates.margin(wn.Problem(columns.T, np.zeros(5)), 14, np.zeros(14, dtype=bool))
    assert values.max() < found < 1e3 * values.max()


@pytest.mark.parametrize("depth", [2, 2 + 1e-5, 3, 100])
def test_the_margin_scales_with_the_matrix(depth):
    off = BOTH.A[:, 1:]
    alone, tripled = (wn.Problem(unit * off, np.zeros(2)) for unit in (1, 3))
    expected = 3 * rates.margin(alone, depth)
    assert rates.margin(tripled, depth) == pytest.approx(expected, rel=1e-9)


def test_the_margin_of_depth_two_is_a_limit():
    near = [rates.margin(BOTH, depth) for depth in (2.2, 2.05, 2.01)]
    assert np.all(np.diff(near) > 0)
    assert near[-1] == pytest.approx(rates.margin(BOTH, 2), rel=1e-3)


def test_without_zeros_there_is_no_power_law():
    alone = wn.Problem([[1.0, 1.0]], [1.0])
    assert rates.margin(alone, 3) == np.inf
    assert rates.power_law_constant(wn.PlainFlow(3), alone) == 0
    with pytest.raises(ValueError, match="support is not the largest one"):
        rates.margin(alone, 2, [True, False])
    with pytest.raises(ValueError, match=r"support must have shape \(2,\)"):
        rates.margin(alone, 2, [True])


def test_one_weight_obeys_its_formula():
    """``e = ((2L - 2) t + x0^{-(2L - 2)})^{-p}``, in closed form."""
    for depth in 2, 2.5, 4:
        single, p = wn.Problem([[1.0]], [0.0]), rates.decay_power(depth)
        run = wn.integrate(wn.PlainFlow(depth), single, [0.7], 1e6)
        expected = ((2 * depth - 2) * run.times + 0.7 ** (2 - 2 * depth)) ** -p
        np.testing.assert_allclose(run.misfit_path, expected, rtol=1e-6)
        assert rates.power_law_constant(wn.PlainFlow(depth), single) == pytest.approx(
            (2 * depth - 2) ** -p
        )


@pytest.mark.parametrize("flow", FLOWS)
def test_the_law_is_approached(flow):
    run = wn.integrate(flow, BOTH, [0.4, 0.6, 0.5], 1e12, times=[1e6, 1e12], rtol=1e-8)
    law = rates.power_law_constant(flow, BOTH, run.radius)
    share = run.misfit_path[1:] * run.times[1:] ** rates.decay_power(flow.depth) / law
    assert abs(share[-1] - 1) < 1e-3
    assert abs(share[-1] - 1) < abs(share[0] - 1) + 1e-4


def test_bad_input_is_named():
    other, message = wn.PowerFlow(2, 3.0), "flow must be a PlainFlow or a WeightNormFlow"
    with pytest.raises(TypeError, match=message):
        rates.rate_lower_bound(other, random(0), np.ones(6))
    with pytest.raises(TypeError, match=message):
        rates.power_law_constant(other, BOTH)
    with pytest.raises(ValueError, match="stacked must have 6 entries; got 5"):
        rates.residual_rates(wn.PlainFlow(2), random(0), np.ones(5))
    with pytest.raises(ValueError, match="stacked"):
        rates.rate_lower_bound(wn.PlainFlow(2), random(0), np.zeros(6))
    with pytest.raises(ValueError, match="depth must be at least 2"):
        rates.decay_power(1.5)
    with pytest.raises(ValueError, match="radius must be"):
        rates.power_law_constant(wn.WeightNormFlow(2, 1.0), BOTH, 0.0)
