"""Finite steps: what they gain, where they end, and which are too large."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

import wnlib as wn
from wnlib import PlainFlow, Problem, Status, WeightNormFlow, descend, initial_weights
from wnlib.claims.stepped import Descent
from wnlib.figures import finite_steps as figures
from wnlib.flows import psi_of_log
from wnlib.roads._gains import step_gain
from wnlib.theory import finite_steps
from wnlib.theory.invariants import kernel_part

DEPTHS = [2, 2.5, 3, 6]
FLOWS = [PlainFlow(L) for L in DEPTHS] + [WeightNormFlow(L, 0.4) for L in DEPTHS]
every_flow = pytest.mark.parametrize("flow", FLOWS, ids=repr)


@pytest.mark.parametrize("power", [0.0, 1e-6, 0.5, 1.0, 8.0, 98.0])
def test_the_gain_of_a_step_has_all_its_digits(power):
    """From steps that do nothing to such that nearly reach zero, and backwards."""
    sizes = np.array([1e-160, 1e-20, 1e-9, 1e-4, 9e-4, 1.1e-3, 0.02, 0.049, 0.051, 0.5, 0.9])
    with mp.workdps(400):

        def exact(y):
            if power == 0:
                return -mp.log(1 - mpf(y)) - mpf(y)
            return ((1 - mpf(y)) ** -mpf(power) - 1) / mpf(power) - mpf(y)

        for y in (sizes, -sizes, -100 * sizes):
            expected = np.array([float(exact(each)) for each in y])
            for got in (
                step_gain(y, power),
                np.array([step_gain(y[[k]], power)[0] for k in range(11)]),
            ):
                np.testing.assert_allclose(got[1:], expected[1:], rtol=2e-14)
                assert (got >= 0).all()


def test_the_gain_of_no_step_is_zero():
    assert (step_gain(np.zeros(3), 0.0) == 0).all()
    assert step_gain(np.zeros((0, 3)), 1.0).shape == (0, 3)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    depth=st.floats(2, 8),
    ratio=st.floats(0.05, 10),
    share=st.floats(0.01, 0.5),
    plain=st.booleans(),
    signed=st.booleans(),
)
def test_after_every_step_the_mirror_map_moved_from_the_effective_start_within_the_rows(
    seed, depth, ratio, share, plain, signed
):
    """Parts 1 of both theorems: for any number of steps, without a limit."""
    problem = wn.sparse_problem(3, 7, 2, seed, signed=signed)
    x0 = initial_weights(problem, 0.6, seed)
    flow = PlainFlow(depth) if plain else WeightNormFlow(depth, ratio)
    velocity, state = flow.velocity(problem, *flow.state(x0)), flow.state(x0)
    step = share / np.abs(np.hstack(velocity) / np.hstack(state)).max()
    for n_steps in (1, 7, 60):
        run = descend(flow, problem, x0, step, n_steps, gain=True)
        assert (run.gain >= 0).all()
        start = finite_steps.effective_start(run)
        if run.n_steps == 0 or not np.isfinite(start).all():
            return
        logs = depth * np.array([start, np.log(run.weights)])
        logs -= logs.min(axis=1).max()  # one unit for both
        if depth > 2 and logs.min() < -200:
            return
        before, after = psi_of_log(logs, depth)
        off = kernel_part(problem, after - before)
        assert np.abs(off).max() < 1e-10 * max(np.abs(before).max(), np.abs(after).max(), 1)


@every_flow
def test_the_gain_of_a_batch_is_that_of_its_starts(flow):
    problem = wn.sparse_problem(5, 30, 2, seed=3)
    x0 = np.array([0.5, 0.55, 1e5, 0.7])[:, None] * initial_weights(problem, 1, seed=4, starts=4)
    batch = descend(flow, problem, x0, 0.005, 5000, residual_tol=1e-4, gain=True)
    assert len(set(batch.n_steps)) > 2
    assert batch.status[2] is Status.CROSSED_ZERO
    assert (batch.gain[2] == 0).all()
    for i, x in enumerate(x0):
        alone = descend(flow, problem, x, 0.005, 5000, residual_tol=1e-4, gain=True)
        np.testing.assert_allclose(alone.gain, batch.gain[i], rtol=1e-9)
        np.testing.assert_allclose(alone.log_rho, batch.log_rho[i], rtol=1e-9, atol=1e-12)
    assert finite_steps.effective_start(batch).shape == x0.shape


@every_flow
def test_summing_up_changes_no_step(flow):
    problem = wn.sparse_problem(4, 8, 2, seed=3)
    x0 = initial_weights(problem, 0.5, seed=4)
    run, expected = (descend(flow, problem, x0, 0.02, 300, gain=g) for g in (True, False))
    assert (run.path == expected.path).all()
    assert expected.gain is None
    assert expected.log_rho is None
    if flow.motion is PlainFlow:
        assert run.log_rho == 0


@pytest.mark.parametrize("kind", [PlainFlow, lambda L: WeightNormFlow(L, 0.4)])
def test_the_gain_is_continuous_in_the_depth(kind):
    problem = wn.sparse_problem(4, 8, 2, seed=3)
    x0 = initial_weights(problem, 0.5, seed=4)
    at, near = (descend(kind(L), problem, x0, 0.1, 200, gain=True) for L in (2, 2 + 1e-9))
    np.testing.assert_allclose(near.gain, at.gain, rtol=1e-6)
    np.testing.assert_allclose(near.log_rho, at.log_rho, atol=1e-6)


def test_the_gain_stays_a_float_where_powers_of_the_weights_do_not():
    problem = Problem([[1.0, 0.5, 1.0]], [1.0])
    run = descend(PlainFlow(100), problem, [0.99, 1e-130, 1e-6], 1e-3, 2000, gain=True)
    assert np.isfinite(run.gain).all()
    assert run.gain[0] > 0


def test_the_gain_over_the_step_tends_to_its_integral_at_first_order():
    problem = wn.sparse_problem(4, 8, 2, seed=3, signed=True)
    x0 = initial_weights(problem, 0.6, seed=4)
    for flow in FLOWS:
        times = np.linspace(0, 0.5, 801)[1:]
        path = wn.integrate(flow, problem, x0, 0.5, times=times, form="weights", rtol=1e-10)
        leading = finite_steps.leading_gain(path)
        steps = 0.5 / np.array([200, 400, 800])
        runs = [descend(flow, problem, x0, h, round(0.5 / h), gain=True) for h in steps]
        errors = [np.linalg.norm(r.gain / h - leading) for r, h in zip(runs, steps, strict=True)]
        slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
        assert abs(slope - 1) < 0.1, flow


@pytest.mark.parametrize("norm", [1.0, 1.7])
def test_the_largest_stable_step_is_that_of_the_linearized_steps(norm):
    """Against the derivative of a step itself, by differences, at a solution."""
    problem = Problem([[1.0, 0.5, -0.3], [0.2, 1.0, 0.7]], [1.0, 1.5])
    for flow in FLOWS:
        x = wn.limit(PlainFlow(flow.depth), problem, np.full(3, 0.8)).weights
        state = (
            [x] if flow.motion is PlainFlow else [np.linalg.norm(x), norm * x / np.linalg.norm(x)]
        )
        sizes = [np.size(part) for part in state]

        def velocity(vector, flow=flow, sizes=sizes):
            parts = np.split(vector, np.cumsum(sizes)[:-1])
            parts = [part if size > 1 else part[0] for part, size in zip(parts, sizes, strict=True)]
            return np.hstack(flow.velocity(problem, *parts))

        start, h = np.hstack(state), 1e-6
        columns = [
            (velocity(start + h * d) - velocity(start - h * d)) / (2 * h)
            for d in np.eye(len(start))
        ]
        largest = np.abs(np.linalg.eigvals(np.array(columns))).max()
        found = finite_steps.largest_stable_step(flow, problem, x, norm)
        expected = 2 / largest
        if flow.motion is PlainFlow and norm != 1:
            continue
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_where_nothing_moves_no_step_is_too_large():
    assert (
        finite_steps.largest_stable_step(PlainFlow(2), Problem([[0.0, 1.0]], [1.0]), [1.0, 0.0])
        == np.inf
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda p: descend(PlainFlow(2), p, [1, 1, 1], 0.1, 5, gain=1), TypeError, "gain must be"),
        (
            lambda p: descend(
                type("Own", (PlainFlow,), {"weights": lambda s, x: x})(2),
                p,
                [1, 1, 1],
                0.1,
                5,
                gain=True,
            ),
            TypeError,
            "gain is known for the steps",
        ),
        (
            lambda p: finite_steps.effective_start(descend(PlainFlow(2), p, [1, 1, 1], 0.1, 5)),
            TypeError,
            r"run must be what descend\(\.\.\., gain=True\)",
        ),
        (
            lambda p: finite_steps.effective_start(wn.limit(PlainFlow(2), p, [1, 1, 1])),
            TypeError,
            "its gain is not known",
        ),
        (
            lambda p: finite_steps.largest_stable_step(PlainFlow(2), p, [1, 1]),
            ValueError,
            "x must be 3 weights",
        ),
        (
            lambda p: finite_steps.largest_stable_step(PlainFlow(2), p, [0, 0, 0]),
            ValueError,
            "not all zero",
        ),
        (
            lambda p: finite_steps.largest_stable_step(PlainFlow(2), p, [1, 1, 1], 0),
            ValueError,
            "direction_norm must be",
        ),
        (lambda p: finite_steps.largest_stable_step("GD", p, [1, 1, 1]), TypeError, "flow must be"),
    ],
)
def test_mistakes_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call(Problem([[1.0, 2.0, 3.0]], [1.0]))


def test_a_limit_that_is_not_known_is_not_drawn():
    problem = Problem([[1.0, 0.5]], [1.0])
    for logs in ([np.nan, 0.0], [-1e4, 0.0]):
        assert np.isnan(figures.plain_end(2, problem, np.array(logs))).all()


def test_the_end_of_a_robust_range_is_interpolated():
    scales, errors = np.array([0.1, 0.2, 0.4]), np.array([1e-4, 1e-3, 1e-1])
    assert figures.robust_end(scales, errors, 1e-2) == pytest.approx(0.2 * np.sqrt(2))
    assert np.isnan(figures.robust_end(scales, errors, 1e-6))
    assert np.isnan(figures.robust_end(scales, errors, 1.0))


def test_an_instance_of_the_claims_is_a_record():
    problem = wn.sparse_problem(3, 6, 1, seed=1, signed=True)
    made = Descent(PlainFlow(2), problem, np.full(12, 0.5), 0.3)
    assert replace(made, share=0.1).run.times[-1] != made.run.times[-1]
