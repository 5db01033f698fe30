"""Discrete time: against a textbook loop, against continuous time, and where it must stop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wnlib import (
    PlainFlow,
    Problem,
    Status,
    WeightNormFlow,
    descend,
    initial_weights,
    integrate,
    sparse_problem,
)
from wnlib.roads import descend as road

ROWS = road.PlainRows

DEPTHS = [2, 3, 2.5, 5]
EPS = np.finfo(float).eps


class Half(PlainFlow):
    """The plain flow at half its speed."""

    def velocity(self, problem, x):
        return super().velocity(problem, x) / 2


class HalfNorm(WeightNormFlow):
    """Weight normalization at half its speed."""

    def velocity(self, problem, r, u):
        dr, du = super().velocity(problem, r, u)
        return dr / 2, du / 2


class Renamed(WeightNormFlow):
    """Weight normalization by another name."""


SLOW = Half(2)
FLOWS = [PlainFlow(L) for L in DEPTHS] + [WeightNormFlow(L, 0.3) for L in DEPTHS]
every_flow = pytest.mark.parametrize("flow", FLOWS, ids=repr)


def textbook(flow, problem, x, step, n_steps):
    """Return all weights and all |u| of gradient descent, written as in the definition."""
    A, b, L = problem.network_matrix, problem.b, flow.depth
    r, u = np.linalg.norm(x), x / np.linalg.norm(x)
    path, norms = [x], [1.0]
    for _ in range(n_steps):
        gradient = A.T @ (A @ x**L - b) * x ** (L - 1)
        if flow.motion is PlainFlow:
            x = x - step * gradient
        else:
            norm = np.linalg.norm(u)
            radial = gradient @ u / norm
            tangential = r / norm * (gradient - radial * u / norm)
            r, u = r - step * flow.ratio * radial, u - step * tangential
            x = r * u / np.linalg.norm(u)
        path.append(x)
        norms.append(np.linalg.norm(u))
    return np.array(path), np.array(norms)


@every_flow
@pytest.mark.parametrize("signed", [False, True])
def test_every_step_is_that_of_the_textbook(flow, signed):
    problem = sparse_problem(6, 10, 2, seed=1, signed=signed)
    x0 = initial_weights(problem, 0.4, seed=2)
    run = descend(flow, problem, x0, 0.02, 250, times=0.02 * np.arange(1, 251))
    path, norms = textbook(flow, problem, x0, 0.02, 250)
    # rounding, 250 times over
    np.testing.assert_allclose(run.path, path, rtol=1e-11)
    assert (run.path[0] == x0).all()
    assert run.status is Status.MAX_STEPS
    assert run.n_steps == 250
    if isinstance(flow, WeightNormFlow):
        np.testing.assert_allclose(run.direction_norm, norms, rtol=1e-12)
        assert run.direction_norm[-1] > 1.0001
    else:
        assert run.direction_norm is None


@every_flow
def test_a_batch_is_its_starts_one_by_one_also_when_some_retire(flow):
    problem = sparse_problem(5, 30, 2, seed=3)
    scales = np.array([0.5, 0.55, 0.6, 1e5, 0.7, 0.65])  # one goes too far in the middle
    x0 = scales[:, None] * initial_weights(problem, 1, seed=4, starts=6)
    batch = descend(flow, problem, x0, 0.005, 5000, residual_tol=1e-4)
    assert len(set(batch.n_steps)) > 3  # else nothing was tested: they retire at different times
    assert batch.status[3] is Status.CROSSED_ZERO
    assert (batch.status == Status.CONVERGED).sum() >= 3
    for i, x in enumerate(x0):
        alone = descend(flow, problem, x, 0.005, 5000, residual_tol=1e-4)
        assert (alone.status, alone.n_steps) == (batch.status[i], batch.n_steps[i])
        np.testing.assert_allclose(alone.weights, batch.weights[i], rtol=1e-9)
        shared = np.isin(batch.times, alone.times) & (batch.times < alone.times[-1])
        np.testing.assert_allclose(alone.path[: shared.sum()], batch.path[shared, i], rtol=1e-9)
        held = batch.times >= 0.005 * alone.n_steps
        assert (batch.path[held, i] == batch.weights[i]).all()


@pytest.mark.parametrize("flow", FLOWS[:3] + FLOWS[4:7], ids=repr)
def test_it_tends_to_continuous_time_at_first_order(flow):
    problem = sparse_problem(5, 8, 2, seed=5)
    x0 = initial_weights(problem, 0.5, seed=6)
    exact = integrate(flow, problem, x0, 2.0, rtol=1e-11).weights
    steps = 0.02 / 2 ** np.arange(5)
    ends = [descend(flow, problem, x0, h, round(2 / h)).weights for h in steps]
    errors = np.linalg.norm(np.array(ends) - exact, axis=1)
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert abs(slope - 1) < 0.05  # of second order in the step: below 2 % here


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    step=st.floats(1e-3, 0.05),
    depth=st.sampled_from(DEPTHS),
    ratio=st.floats(0.01, 3),
)
def test_the_norm_grows_by_the_squared_step(seed, step, depth, ratio):
    flow, problem = WeightNormFlow(depth, ratio), sparse_problem(4, 7, 2, seed)
    run = descend(
        flow, problem, initial_weights(problem, 0.5, seed), step, 20, times=step * np.arange(1, 21)
    )
    squares = run.direction_norm**2
    u = run.direction_norm[:, None] * run.path / run.radius_path[:, None]
    velocities = [flow.velocity(problem, *ru)[1] for ru in zip(run.radius_path, u, strict=True)]
    growth = step**2 * np.sum(np.square(velocities), axis=1)[:-1]
    # the left side is a difference of numbers near one: a few units in their last place
    np.testing.assert_allclose(np.diff(squares), growth, rtol=1e-9, atol=1e-14)


def fate(flow, problem, x, step):
    """Return what goes wrong first in the textbook's steps, and after how many good ones."""
    with np.errstate(all="ignore"):
        path, norms = textbook(flow, problem, x, step, 20)
        residuals = problem.residual(problem.readout(path**flow.depth))
        beyond = (residuals > residuals[0] / np.sqrt(EPS)) | ~np.isfinite(path.sum(axis=1) + norms)
    wrong = beyond | (path <= 0).any(axis=1)
    k = int(wrong.argmax())
    assert wrong[k], "a step that is not too large tests nothing"
    crossed = (path[k] <= 0).any()
    return Status.CROSSED_ZERO if crossed else Status.DIVERGED, k - 1, path[k - 1]


@every_flow
@pytest.mark.parametrize("step", [20.0, 100.0, 1e4, 1e100])
def test_too_large_a_step_is_named_and_the_last_good_state_is_returned(flow, step):
    problem = sparse_problem(10, 20, 3, seed=7)
    x0 = initial_weights(problem, 1.0, seed=8, starts=3)
    run = descend(flow, problem, x0, step, 20, times=step * np.arange(1, 21))
    for values in (run.path, run.effective_path, run.residual, run.direction_norm):
        assert values is None or np.isfinite(values).all()
    assert (run.path[-1] == run.weights).all()
    assert run.times[-1] == step * run.n_steps.max()
    for i, x in enumerate(x0):
        status, n_steps, weights = fate(flow, problem, x, step)
        assert (run.status[i], run.n_steps[i]) == (status, n_steps)
        np.testing.assert_allclose(run.weights[i], weights, rtol=1e-9)


@every_flow
def test_a_step_beyond_the_range_of_floats_is_named(flow):
    problem = sparse_problem(10, 20, 3, seed=7)
    x0 = initial_weights(problem, 1.0, seed=8, starts=3)
    run = descend(flow, problem, x0, 1e300, 5000)
    assert np.isin(run.status, [Status.DIVERGED, Status.CROSSED_ZERO]).all()
    assert (run.weights == x0).all()


@every_flow
def test_growth_beyond_bounds_is_called_diverged(flow):
    run = descend(flow, Problem([[1.0]], [1e9]), [1e-3], 1e8, 100)
    assert run.status is Status.DIVERGED
    assert run.weights == 1e-3


@pytest.mark.parametrize(
    ("flow", "x0", "step"),
    [
        (PlainFlow(3), [0.2, 2.0], 0.25),  # ended at negative effective weights
        (PlainFlow(2.5), [0.2, 2.0], 0.5),  # a fractional power of a negative weight is NaN
        (WeightNormFlow(3, 0.1), [1.5, 1.5], 0.5),  # an entry of u
        (WeightNormFlow(2, 100.0), [2.0, 0.2], 0.01),  # the radius
    ],
    ids=repr,
)
@pytest.mark.parametrize("n_steps", [1, 7, 5000])
def test_a_step_through_zero_is_named_and_the_other_starts_go_on(flow, x0, step, n_steps):
    problem = Problem([[1.0, -0.5]], [1.0])
    path, _ = textbook(flow, problem, np.array(x0), step, 1)
    assert (path[1] < 0).any()
    harmless = [0.9, 0.02]
    run = descend(flow, problem, [x0, harmless], step, n_steps)
    assert run.status[0] is Status.CROSSED_ZERO
    assert run.n_steps[0] == 0
    assert (run.weights[0] == x0).all()
    assert (run.path > 0).all()
    alone = descend(flow, problem, harmless, step, n_steps)
    assert run.status[1] is alone.status
    np.testing.assert_allclose(run.weights[1], alone.weights, rtol=1e-12)


@pytest.mark.parametrize("flow", [PlainFlow(2), SLOW], ids=repr)
def test_two_steps_through_zero_leave_no_trace_in_the_signs_and_are_named(flow):
    """2.2 -> -2.02 -> 1.11 -> 0.98 -> ... -> 1, the solution, before anything is looked at."""
    problem, step = Problem([[1.0]], [1.0]), 0.5 * (2 if flow is SLOW else 1)
    path, _ = textbook(PlainFlow(2), problem, np.array([2.2]), 0.5, 100)
    assert path[1] < 0 < path[2]
    assert abs(path[100] - 1) < 1e-12
    run = descend(flow, problem, [2.2], step, 100, times=[100 * step])
    assert run.status is Status.CROSSED_ZERO
    assert (run.weights, run.n_steps) == (2.2, 0)


def test_a_weight_that_fades_away_has_not_crossed_zero():
    """No solution: the weight falls by a factor each step, until floats call it zero."""
    run = descend(PlainFlow(2), Problem([[1.0], [1.0]], [-1.0, -1.0]), [0.5], 0.3, 3000)
    assert run.status is Status.MAX_STEPS
    assert run.weights == 0


def test_a_direction_too_long_to_measure_diverges_although_its_weights_are_finite():
    """Entries of u grow from 1e-156 to 1.2e154: their squares are floats, the sum of them not."""
    problem, flow = Problem([[0.0, 0.5, 0.5]], [1e139]), WeightNormFlow(2, 1e-300)
    run = descend(flow, problem, [1.0, 1e-156, 1e-156], 2.4e171, 1)
    assert run.status is Status.DIVERGED
    assert np.isfinite(run.direction_norm).all()


def test_what_has_converged_stops_early_and_is_recorded_briefly():
    problem = sparse_problem(5, 30, 2, seed=9)
    x0 = initial_weights(problem, 0.3, seed=10, starts=4)
    run = descend(WeightNormFlow(2, 1.0), problem, x0, 0.02, 10**9)
    assert (run.status == Status.CONVERGED).all()
    assert (run.residual < 1.01e-12).all()  # recomputed from the weights: other rounding
    assert run.n_steps.max() < 50_000
    assert len(run.times) <= 62
    assert run.times[-1] == 0.02 * run.n_steps.max()
    again = descend(WeightNormFlow(2, 1.0), problem, run.weights, 0.02, 5, residual_tol=1e-11)
    assert (again.n_steps == 0).all()
    assert (again.weights == run.weights).all()


def test_a_vanishing_radius_is_called_stalled():
    problem = Problem([[1.0, 2.0]], [-1.0])
    run = descend(WeightNormFlow(2, 1.0), problem, [0.5, 0.5], 0.02, 2000)
    assert run.status is Status.STALLED
    assert run.radius < 1e-3


def test_recorded_times_are_whole_steps_and_both_ends():
    problem = sparse_problem(4, 6, 1, seed=11)
    x0 = initial_weights(problem, 0.5, seed=12)
    run = descend(PlainFlow(2), problem, x0, 0.01, 300, times=[0.004, 0.021, 0.024, 1.0])
    np.testing.assert_allclose(run.times, [0, 0.02, 1.0, 3.0])
    assert run.path.shape == (4, 6)
    np.testing.assert_allclose(
        run.path, textbook(PlainFlow(2), problem, x0, 0.01, 300)[0][[0, 2, 100, 300]]
    )
    default = descend(PlainFlow(2), problem, x0, 0.01, 300).times / 0.01
    np.testing.assert_allclose(default[[0, 1, -1]], [0, 1, 300])
    np.testing.assert_allclose(default, np.rint(default))


@pytest.mark.parametrize(
    ("slow", "flow"),
    [(Half(2), PlainFlow(2)), (Half(2.5), PlainFlow(2.5))]
    + [(HalfNorm(L, 0.3), WeightNormFlow(L, 0.3)) for L in (2, 3)],
    ids=repr,
)
def test_a_flow_of_another_motion_is_followed_as_it_says(slow, flow):
    """At half its speed and twice the step it takes the same steps, each start its own way."""
    problem = sparse_problem(4, 8, 2, seed=3, signed=True)
    x0 = np.array([0.5, 0.6, 40.0])[:, None] * initial_weights(problem, 1, seed=4, starts=3)
    run = descend(slow, problem, x0, 0.04, 700, residual_tol=1e-3)
    expected = descend(flow, problem, x0, 0.02, 700, residual_tol=1e-3)
    assert run.status[2] in (Status.CROSSED_ZERO, Status.DIVERGED)
    assert Status.CONVERGED in run.status
    assert (run.status == expected.status).all()
    assert (run.n_steps == expected.n_steps).all()
    np.testing.assert_allclose(run.path, expected.path, rtol=1e-9)
    np.testing.assert_allclose(run.times, 2 * expected.times)
    assert run.direction_norm is None


def test_a_subclass_that_moves_as_its_base_is_followed_as_fast():
    problem, x0 = sparse_problem(4, 8, 2, seed=3), np.full(8, 0.5)
    run, expected = (
        descend(flow, problem, x0, 0.01, 200) for flow in (Renamed(3, 0.3), WeightNormFlow(3, 0.3))
    )
    assert (run.path == expected.path).all()
    assert (run.direction_norm == expected.direction_norm).all()


def test_a_vanishing_radius_of_another_motion_is_called_stalled():
    run = descend(HalfNorm(2, 1.0), Problem([[1.0, 2.0]], [-1.0]), [0.5, 0.5], 0.04, 2000)
    assert run.status is Status.STALLED


def test_an_interrupted_run_returns_what_it_has(monkeypatch):
    problem = sparse_problem(4, 6, 1, seed=13)
    x0 = initial_weights(problem, 0.5, seed=14, starts=2)
    step_on = ROWS.move

    def interrupted(rows, n_steps):
        step_on(rows, n_steps)
        if n_steps == 100:
            raise KeyboardInterrupt

    monkeypatch.setattr(ROWS, "move", interrupted)
    with pytest.warns(UserWarning, match=r"interrupted at step 100 of 1000") as caught:
        run = descend(PlainFlow(2), problem, x0, 0.01, 1000, times=[0.5, 1.0])
    assert caught[0].filename == __file__  # it points at the caller
    assert (run.n_steps == 100).all()
    assert (run.status == Status.UNFINISHED).all()
    assert run.message.tolist() == ["interrupted at step 100 of 1000"] * 2


def test_what_stalls_does_so_also_if_interrupted(monkeypatch):
    problem, flow = Problem([[1.0, 2.0]], [-1.0]), WeightNormFlow(2, 1.0)
    step_on = road.WeightNormRows.move

    def interrupted(rows, n_steps):
        step_on(rows, n_steps)
        if rows.r.max() < 1e-4:
            raise KeyboardInterrupt

    monkeypatch.setattr(road.WeightNormRows, "move", interrupted)
    monkeypatch.setattr(road, "ENOUGH", np.inf)  # in NumPy
    with pytest.warns(UserWarning, match="interrupted at step"):
        run = descend(flow, problem, [0.5, 0.5], 0.02, 10**6)
    assert (run.status, run.message) == (Status.STALLED, "")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"flow": "plain"}, TypeError, "flow must be"),
        ({"x0": [0.1, -0.1, 0.1]}, ValueError, "x0 must be positive"),
        ({"x0": [0.1, 0.1]}, ValueError, "x0 must have 3 weights"),
        ({"x0": [1e200, 1, 1]}, ValueError, "x0 is too large"),
        ({"step": 0}, ValueError, "step must be positive"),
        ({"step": "small"}, TypeError, "step must be a number"),
        ({"n_steps": 0}, ValueError, "n_steps must be at least 1"),
        ({"n_steps": 1e3}, TypeError, "n_steps must be an integer"),
        ({"times": [0.2, 0.1]}, ValueError, r"times must increase within \(0, step"),
        ({"times": [0.0, 0.1]}, ValueError, "times must increase"),
        ({"times": 5.0}, ValueError, r"times must have 1 .* pass a list, times=\[5\]"),
        ({"times": [1.1]}, ValueError, r"n_steps = 1\]"),
        ({"residual_tol": -1.0}, ValueError, "residual_tol must lie"),
        ({"residual_tol": np.nan}, ValueError, "residual_tol must lie"),
    ],
)
def test_mistakes_are_named_at_the_door(changes, error, message):
    problem = Problem([[1.0, 2.0, 3.0]], [1.0])
    arguments = {"flow": PlainFlow(2), "x0": np.ones(3), "step": 0.1, "n_steps": 10} | changes
    with pytest.raises(error, match=message):
        descend(problem=problem, **arguments)
