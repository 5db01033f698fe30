"""Continuous time: the two forms agree, tolerances mean what they say, and refusals."""

import numpy as np
import pytest

import wnlib as wn
from wnlib.flows import shift
from wnlib.roads import integrate as road
from wnlib.theory import invariants

FLOWS = [wn.PlainFlow(2), wn.PlainFlow(2.5), wn.PlainFlow(3)]
FLOWS += [wn.WeightNormFlow(depth, 0.3) for depth in (2, 2.5, 3)]


def setting(signed=False):
    problem = wn.sparse_problem(5, 12, 2, 1, signed=signed)
    return problem, wn.initial_weights(problem, 0.3, 2)


@pytest.mark.parametrize("flow", FLOWS, ids=str)
@pytest.mark.parametrize("signed", [False, True])
def test_forms_agree_along_the_path(flow, signed):
    problem, x0 = setting(signed)
    mirror, weights = (
        wn.integrate(flow, problem, x0, 100.0, form=form, rtol=1e-10)
        for form in ("mirror", "weights")
    )
    np.testing.assert_allclose(mirror.path, weights.path, atol=1e-8)
    assert mirror.times[-1] == weights.times[-1] == 100


@pytest.mark.parametrize("flow", FLOWS, ids=str)
def test_tolerance(flow):
    """Down to a relative tolerance of 1e-11 a step, the error falls with the tolerance."""
    problem, x0 = setting()
    exact = wn.integrate(flow, problem, x0, 10.0, rtol=2e-12).weights
    for rtol in (1e-6, 1e-8, 1e-11):
        error = np.abs(wn.integrate(flow, problem, x0, 10.0, rtol=rtol).weights - exact).max()
        assert error < 100 * rtol


def test_long_magnified_run():
    """Depth 3, rho near e^80: 12 decades of time, through a plateau, to the linear program."""
    problem = wn.sparse_problem(40, 100, 5, 1)
    x0 = wn.initial_weights(problem, 0.1, 2)
    run = wn.integrate(wn.WeightNormFlow(3, 0.1), problem, x0, 1e14, residual_tol=1e-9)
    assert run.status is wn.Status.CONVERGED
    assert run.times[-1] > 1e10
    assert problem.error(run.effective) < 1e-8


def test_mirror_form_conserves_the_invariant_to_rounding():
    problem, x0 = setting()
    for flow in FLOWS:
        assert invariants.drift(wn.integrate(flow, problem, x0, 1e3, rtol=1e-4)) < 1e-11


def test_records():
    problem, x0 = setting()
    run = wn.integrate(wn.PlainFlow(2), problem, x0, 5.0, times=[1.0, 2.0])
    np.testing.assert_array_equal(run.times, [0, 1, 2, 5])
    assert run.path.shape == (4, 12)
    np.testing.assert_array_equal(run.path[0], x0)
    np.testing.assert_array_equal(run.path[-1], run.weights)
    np.testing.assert_allclose(run.loss_path[-1], run.residual**2 * (problem.b @ problem.b) / 4)
    assert (np.diff(run.loss_path) < 0).all()
    np.testing.assert_allclose(run.radius_path**2, run.effective_path.sum(axis=1))


def test_time_runs_out():
    problem, x0 = setting()
    run = wn.integrate(wn.PlainFlow(2), problem, x0, 0.1)
    assert run.status is wn.Status.MAX_STEPS and run.message == "" and run.times[-1] == 0.1


def test_steps_run_out():
    problem, x0 = setting()
    run = wn.integrate(wn.PlainFlow(2), problem, x0, 1e9, max_steps=5)
    assert run.status is wn.Status.MAX_STEPS and run.n_steps == 5
    assert run.message == f"max_steps ran out at time {run.times[-1]:g} of 1e+09"


@pytest.mark.parametrize("form", ["mirror", "weights"])
def test_a_step_control_that_fails_is_no_divergence(form):
    """After a wait of 2.5e15 the flow moves within moments that floats cannot tell apart."""
    problem = wn.Problem([[1.0, 2.0]], [1.0])
    run = wn.integrate(wn.PlainFlow(4), problem, [1e-8, 1e-8], 2e17, form=form)
    assert run.status is wn.Status.UNFINISHED
    assert run.message == "no step is small enough for rtol at time 2.5e+15 of 2e+17"


def test_shift_is_the_mirror_map():
    """For each power: w^-p moves by p a; and p -> 0 is the logarithm."""
    w, a = np.array([0.5, 2.0]), np.array([0.3, -0.1])
    for power in (0.5, 1.0, 2.0):
        moved = np.exp(shift(np.log(w), a, power))
        np.testing.assert_allclose(moved**-power, w**-power + power * a)
    np.testing.assert_allclose(shift(np.log(w), a, 1e-9), shift(np.log(w), a, 0), atol=1e-8)
    assert np.isnan(shift(np.log(w), np.array([0.0, -10.0]), 1.0)[1])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"t_end": 0.0}, "t_end must be positive"),
        ({"rtol": 1e-14}, r"rtol must lie in \[1e-12, 0.01\); got 1e-14"),
        ({"form": "polar"}, 'form must be "mirror" or "weights"; got'),
        ({"times": [2.0, 1.0]}, r"times must increase within \(0, t_end\]"),
        ({"times": [0.0, 1.0]}, r"times must increase within \(0, t_end\]"),
        ({"max_steps": 0}, "max_steps must be at least 1"),
    ],
)
def test_refusals(options, words):
    problem, x0 = setting()
    with pytest.raises(ValueError, match=words):
        wn.integrate(wn.PlainFlow(2), problem, x0, **{"t_end": 10.0, **options})


def test_one_start_at_a_time():
    problem, x0 = setting()
    with pytest.raises(ValueError, match="call it once per row"):
        wn.integrate(wn.PlainFlow(2), problem, [x0, x0], 1.0)


def test_a_start_within_tolerance_takes_no_step():
    problem = wn.Problem([[1.0, 1.0]], [2.0])
    run = wn.integrate(wn.PlainFlow(2), problem, [1.0, 1.0], 1.0, residual_tol=0.1)
    assert run.status == wn.Status.CONVERGED and run.n_steps == 0 and len(run.path) == 1


def test_an_interrupted_run_returns_what_it_has(monkeypatch):
    problem = wn.sparse_problem(4, 6, 1, seed=13)
    x0 = wn.initial_weights(problem, 0.5, seed=14)
    whole = wn.integrate(wn.PlainFlow(2), problem, x0, 10.0, form="weights")
    velocity, calls = wn.PlainFlow.velocity, iter(range(200))

    def interrupted(flow, problem, x):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return velocity(flow, problem, x)

    monkeypatch.setattr(wn.PlainFlow, "velocity", interrupted)
    with pytest.warns(UserWarning, match=r"interrupted at time 0\.\d+ of 10"):
        run = wn.integrate(wn.PlainFlow(2), problem, x0, 10.0, form="weights")
    assert run.status is wn.Status.UNFINISHED and 0 < run.n_steps < whole.n_steps
    assert run.message == f"interrupted at time {run.times[-1]:g} of 10"
    shared = len(run.times) - 1
    assert np.array_equal(run.path[:shared], whole.path[:shared])


@pytest.mark.parametrize(("guard", "seed"), [("holds", 13), ("holds", 60), ("reading", 5)])
def test_trained_weights_stay_positive(monkeypatch, guard, seed):
    """At the ends of coarse steps, and between them, where a cubic overshoots."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((2, 4))
    problem, x0 = wn.Problem(A, A[:, 0]), np.exp(rng.uniform(-3, 3, 4))
    flow = wn.PlainFlow(2) if seed % 4 == 0 else wn.WeightNormFlow(2, 0.3)
    options = {"form": "weights", "rtol": 9e-3, "max_steps": 200}
    assert (wn.integrate(flow, problem, x0, 1e3, **options).path > 0).all()
    trained = road._Trained
    without = {
        "holds": lambda self, state: True,
        "reading": lambda self, t, path, *ends: self.weights(path(t)),
    }
    monkeypatch.setattr(trained, guard, without[guard])
    assert not (wn.integrate(flow, problem, x0, 1e3, **options).path > 0).all()
