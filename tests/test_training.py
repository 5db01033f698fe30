"""Trained weights in logarithms agree with the other roads, and keep their accuracy when tiny."""

import numpy as np
import pytest

import wnlib as wn
from wnlib.claims import instances
from wnlib.roads import _training
from wnlib.roads._training import train

FLOWS = [wn.PlainFlow(2), wn.PlainFlow(3.5), wn.WeightNormFlow(2, 0.5), wn.WeightNormFlow(3.5, 2.0)]


def example(scale=0.5):
    problem = wn.sparse_problem(4, 8, 2, 3, signed=True)
    return problem, wn.initial_weights(problem, scale, 1)


@pytest.mark.parametrize("flow", FLOWS, ids=str)
def test_same_path_as_the_mirror_form(flow):
    """At the times of every tenth step, all weights agree to 1e-6 relative."""
    problem, x0 = example()
    run = train(flow, problem, x0)
    chosen = slice(20, None, 20)
    times = run.times[chosen]
    times = times[times < 1e4]
    mirror = wn.integrate(flow, problem, x0, times[-1], times=times, rtol=1e-10)
    np.testing.assert_allclose(
        mirror.path[1 : len(times) + 1], run.path[chosen][: len(times)], rtol=1e-6
    )


@pytest.mark.parametrize("flow", FLOWS, ids=str)
def test_jacobian_is_the_derivative(flow):
    problem, x0 = example()
    run = _training._Run(flow, problem, x0)

    def velocity(y):
        return run.rate(y) / run.clock(y)

    steps = 1e-6 * np.eye(len(run.start))
    columns = [(velocity(run.start + h) - velocity(run.start - h)) / 2e-6 for h in steps]
    expected = np.array(columns).T
    size = np.abs(expected).max()
    np.testing.assert_allclose(run.jacobian(run.start), expected, atol=1e-7 * size)


@pytest.mark.parametrize("flow", FLOWS, ids=str)
def test_integral_of_a_power_of_time(flow):
    """The rule is exact to the accuracy of the steps, at the end and on the way."""
    run = train(flow, *example())
    cubes = run.integral(run.times**2)
    np.testing.assert_allclose(cubes, run.times[::2] ** 3 / 3, rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(run.integral(np.ones_like(run.times)), run.times[::2], rtol=1e-12)


def test_weights_beyond_floats():
    """The flow of this ratio takes a weight to exp(-1900); its logarithm obeys the invariant."""
    problem = wn.Problem([[1.0, 0.5]], [1.0])
    flow, x0 = wn.WeightNormFlow(2, 1e-4), np.array([0.3, 0.3])
    run = train(flow, problem, x0)
    assert run.status is wn.Status.CONVERGED
    assert run.log_path[-1].min() < -1000
    # along (1, -2), the kernel: 2 log x - log rho is constant
    log_rho = wn.invariants.log_rho(flow, x0, run.weights)
    moved = 2 * (run.log_path[-1] - run.log_path[0]) + log_rho
    assert moved @ [1, -2] == pytest.approx(0, abs=1e-3 * abs(log_rho))


def test_waits_that_floats_cannot_tell_apart():
    """After a wait of 1e30 the weights move within moments; the end is the limit."""
    problem, x0 = wn.Problem([[1.0, 0.8, 0.5]], [1.0]), np.full(3, 1e-30)
    run = train(wn.PlainFlow(3), problem, x0)
    assert run.status is wn.Status.CONVERGED
    assert run.times[-1] > 1e29
    limit = wn.limit(wn.PlainFlow(3), problem, x0)
    np.testing.assert_allclose(run.effective, limit.effective, atol=1e-6)


def test_stalls_and_budgets_are_named():
    problem = wn.Problem([[1.0, -1.0]], [1.0])
    stalled = train(wn.WeightNormFlow(2, 10.0), problem, np.array([0.1, 0.4]))
    assert stalled.status is wn.Status.STALLED
    assert stalled.residual == pytest.approx(1, abs=1e-7)
    assert train(wn.PlainFlow(2), *example(), max_steps=3).status is wn.Status.MAX_STEPS


def test_hard_instances_are_what_they_promise():
    """All kinds, sizes and depths occur; hardly a run is given up."""
    drawn = [
        instances.hard_instance(np.random.default_rng([5, k]), weight_norm=bool(k % 2))
        for k in range(200)
    ]
    depths = np.array([i.flow.depth for i in drawn])
    shares = [np.sum(i.x0**2) / np.sum(i.solution ** (2 / i.flow.depth)) for i in drawn]
    ratios = [i.flow.ratio for i in drawn[1::2]]
    assert depths.min() == 2
    assert depths.max() > 8
    assert min(shares) < 3e-3
    assert max(shares) > 50
    assert min(ratios) < 1e-2
    assert max(ratios) > 50
    assert max(i.problem.n_weights for i in drawn) > 40
    assert {i.problem.signed for i in drawn} == {True, False}
    for i in drawn:
        assert i.problem.residual(i.problem.readout(i.solution)) < 1e-12
    named = [i.run.status in (wn.Status.CONVERGED, wn.Status.STALLED) for i in drawn[:60]]
    assert np.mean(named) > 0.85


def test_boundary_and_few_solutions():
    """In "boundary" some entries vanish in all solutions; in "tied" a column stands twice."""
    from scipy.optimize import linprog

    for seed in range(5):
        rng = np.random.default_rng(seed)
        problem = instances.random_problem(rng, "boundary", shape=(3, 10))
        last = problem.A[-1]
        assert (last >= 0).all()
        assert problem.b[-1] == 0
        if last.any():
            most = linprog(-(last > 0).astype(float), A_eq=problem.A, b_eq=problem.b)
            assert -most.fun < 1e-9
        tied = instances.random_problem(rng, "tied", shape=(3, 10)).A
        assert len(np.unique(tied, axis=1).T) == 9
