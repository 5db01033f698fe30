"""The Lasso, its gap, and what a run says of it: identities, certificates, orders."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wnlib as wn
from wnlib.claims.instances import HARD_KINDS, KINDS, random_problem
from wnlib.l1.lasso import correlations, gap, lasso, objective
from wnlib.theory import lasso as theory

FLOWS = (
    *(wn.PlainFlow(2), wn.PlainFlow(3.5), wn.WeightNormFlow(2, 0.1), wn.WeightNormFlow(3, 0.4)),
    *(wn.PowerFlow(2, 3.0), wn.PowerFlow(3, 0.6)),
)


@pytest.fixture(scope="module")
def problem():
    return wn.sparse_problem(6, 12, 2, seed=3)


@pytest.fixture(scope="module")
def x0(problem):
    return wn.initial_weights(problem, 0.1, seed=1)


def follow(flow, problem, x0, **options):
    return wn.integrate(flow, problem, x0, 100.0, average=True, **options)


def off(run):
    """Return the largest error of the identity of the average, over what enters it."""
    penalty, slack = theory.penalties(run)[1:], theory.slack(run)[1:]
    g = correlations(run.problem, run.average[1:])
    unit = np.linalg.norm(run.problem.b) + np.abs(penalty) + np.abs(slack)
    return np.max(np.abs(g - (penalty - slack)) / (unit + 1 / run.clock_path[1:, None]))


@pytest.mark.parametrize("form", ["mirror", "weights"])
@pytest.mark.parametrize("flow", FLOWS, ids=str)
def test_a_run_knows_its_average(flow, form, problem, x0):
    """The quadrature loses no more than the steps do."""
    assert off(follow(flow, problem, x0, form=form)) < 1e-7
    assert off(follow(flow, problem, x0, form=form, rtol=1e-5)) < 1e-3


@pytest.mark.parametrize("flow", FLOWS, ids=str)
def test_the_average_is_that_of_the_path(flow, problem, x0):
    """Beside the trapezoidal rule on many recorded times, of second order."""
    errors = []
    for n in 200, 400:
        run = follow(flow, problem, x0, times=np.linspace(0, 100, n + 1)[1:])
        assert np.array_equal(run.average[0], x0**flow.depth)
        assert run.clock_path[0] == 0
        clock = np.diff(run.clock_path) / np.diff(run.times)  # its mean on each interval
        middle = (run.path[1:] ** flow.depth + run.path[:-1] ** flow.depth) / 2
        sums = np.cumsum(clock[:, None] * middle * np.diff(run.times)[:, None], axis=0)
        errors.append(np.abs(sums[-1] / run.clock_path[-1] - run.average[-1]).max())
    assert errors[1] < errors[0] / 3


def test_the_clock_of_the_plain_flow_is_time(problem, x0):
    run = follow(wn.PlainFlow(3), problem, x0)
    assert np.allclose(run.clock_path, run.times, rtol=1e-14)
    assert wn.integrate(wn.PlainFlow(3), problem, x0, 1.0).average is None


def test_one_weight_is_the_lasso_at_all_times():
    run = follow(wn.WeightNormFlow(2, 0.5), wn.Problem([[1.0]], [1.0]), [0.2])
    penalty = theory.penalties(run)[1:]
    assert np.allclose(run.average[1:], 1 - penalty, atol=1e-8)
    assert np.allclose(theory.slack(run)[1:] * run.clock_path[1:, None], 0, atol=1e-12)


@pytest.mark.parametrize("flow", FLOWS, ids=str)
def test_the_gap_is_what_its_bound_says(flow, problem, x0):
    run = follow(flow, problem, x0)
    late = run.radius_path > 1.1 * run.radius_path[0]
    penalty, z = theory.penalties(run)[late], run.average[late]
    if flow.depth == 2:
        largest = correlations(problem, z).max(axis=1)
        assert (largest >= penalty[:, 0]).all()
        assert (largest / penalty[:, 0] - 1 <= theory.relative_excess(run)[late]).all()
        penalty = np.repeat(largest[:, None], z.shape[1], axis=1)
    found, bound = gap(problem, z, penalty), theory.gap_bound(run)[late]
    assert (found <= bound * (1 + 1e-6)).all()
    if flow.depth > 2:
        assert np.allclose(found, bound, rtol=1e-5)


@pytest.mark.parametrize("flow", FLOWS, ids=str)
def test_memory_of_a_weight_that_is_no_float_is_infinite(flow, problem, x0):
    run = wn.integrate(flow, problem, x0, 1.0, average=True)
    gone = replace(run, path=np.where(np.arange(12) == 3, 0.0, run.path))
    assert (theory.memory(gone)[1:] == np.inf).all()


def test_memory_is_small_where_nothing_has_fallen():
    problem = wn.Problem([[1.0, 0.9]], [1.0])  # both grow
    for flow in FLOWS:
        run = wn.integrate(flow, problem, [0.1, 0.1], 3.0, average=True)
        assert (np.diff(run.path[:, 0]) > 0).all()
        allowed = np.log(run.radius_path**2 / run.average.sum(axis=1)) if flow.depth == 2 else 1.0
        assert (theory.memory(run)[1:] <= (allowed + np.zeros(len(run.times)))[1:] + 1e-9).all()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from((*KINDS, *HARD_KINDS)), st.booleans())
def test_lasso_is_certified_by_its_gap(seed, kind, signed):
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, kind, signed=signed)
    top = np.abs(problem.A.T @ problem.b).max()
    penalty = top * 10 ** rng.uniform(-4, 0) * rng.uniform(0.5, 2, problem.n_weights)
    z = lasso(problem, penalty)
    assert (z >= 0).all()
    assert gap(problem, z, penalty) <= 1e-8 * objective(problem, z, penalty)
    other = rng.uniform(0, 1, problem.n_weights) * (rng.random(problem.n_weights) < 0.5)
    excess = objective(problem, other, penalty) - objective(problem, z, penalty)
    assert -1e-9 * top**2 <= excess + 1e-12 <= gap(problem, other, penalty) * (1 + 1e-9) + 1e-6


def test_beyond_the_largest_correlation_the_solution_is_zero(problem):
    top = correlations(problem, np.zeros(12)).max()
    assert not lasso(problem, 1.01 * top).any()
    assert lasso(problem, 0.99 * top).any()


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_the_solution_scales_with_measurements_and_penalty(unit, problem):
    scaled = wn.Problem(problem.A, unit * problem.b)
    np.testing.assert_allclose(lasso(scaled, 0.1 * unit), unit * lasso(problem, 0.1), rtol=1e-9)


def test_without_measurements_the_solution_is_zero():
    assert not lasso(wn.Problem([[1.0, -2.0]], [0.0]), 0.1).any()


def test_lasso_and_gap_take_many_points(problem):
    penalties = np.array([[0.1], [0.3]]) * np.ones(12)
    z = np.array([lasso(problem, each) for each in penalties])
    both = gap(problem, z, penalties)
    assert both.shape == objective(problem, z, penalties).shape == (2,)
    assert np.allclose(both[1], gap(problem, z[1], penalties[1]), atol=1e-12)


def test_bad_input_is_named(problem, x0):
    with pytest.raises(ValueError, match="penalty must be positive"):
        lasso(problem, -1.0)
    for function in (lasso, lambda p, penalty: gap(p, np.ones(12), penalty)):
        with pytest.raises(ValueError, match=r"penalty must have shape \(..., 12\)"):
            function(problem, np.ones(5))
    with pytest.raises(ValueError, match="z must"):
        gap(problem, -np.ones(12), 1.0)
    with pytest.raises(ValueError, match="12"):
        correlations(problem, np.ones(5))
    run = wn.integrate(wn.PlainFlow(2), problem, x0, 1.0)
    for function in (
        theory.penalties,
        theory.slack,
        theory.memory,
        theory.gap_bound,
        theory.relative_excess,
    ):
        with pytest.raises(ValueError, match=r"integrate\(\.\.\., average=True\)"):
            function(run)
    with pytest.raises(TypeError, match="average"):
        wn.integrate(wn.PlainFlow(2), problem, x0, 1.0, average="yes")
