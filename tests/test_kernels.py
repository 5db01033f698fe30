"""The compiled steps of descend are those of NumPy, and stop where these do."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wnlib as wn
from wnlib.roads import _rows
from wnlib.roads import descend as road

pytest.importorskip("numba", reason="Numba is optional")
from wnlib.roads import _kernels

PLAIN, NORM = wn.PlainFlow, wn.WeightNormFlow
FLOWS = [PLAIN(2), NORM(2, 0.3), PLAIN(3), NORM(3, 0.3), NORM(5, 0.1)]
every_flow = pytest.mark.parametrize("flow", FLOWS, ids=repr)


def both(*arguments, **options):
    """Return what NumPy finds, and what is found compiled."""
    runs = []
    for enough in (np.inf, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(road, "ENOUGH", enough)
            runs.append(wn.descend(*arguments, **options))
    return runs


def agree(run, compiled, rtol=1e-12):
    """Assert that two runs are one but for rounding."""
    for name in ("status", "n_steps", "times"):
        np.testing.assert_array_equal(getattr(run, name), getattr(compiled, name))
    for name in ("weights", "path", "direction_norm"):
        if (expected := getattr(run, name)) is not None:
            np.testing.assert_allclose(getattr(compiled, name), expected, rtol=rtol, atol=1e-300)


@settings(max_examples=80)
@given(
    flow=st.sampled_from(FLOWS),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 20)),
    starts=st.one_of(st.integers(1, 20), st.integers(35, 90)),
    signed=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_compiled_steps_are_those_of_numpy(flow, sizes, starts, signed, seed):
    """Any number of rows, columns, lanes, and starts left over."""
    problem = wn.sparse_problem(*sizes, 1, seed, signed=signed)
    x0 = wn.initial_weights(problem, 0.4, seed, starts=starts)
    agree(*both(flow, problem, x0, 0.003, 230, times=[0.003, 0.1, 0.6]))


@every_flow
def test_one_start_is_a_row_of_many(flow):
    problem = wn.sparse_problem(6, 17, 2, seed=1)
    x0 = wn.initial_weights(problem, 0.4, seed=2)
    agree(*both(flow, problem, x0, 0.01, 500))
    many = both(flow, problem, [x0] * 50, 0.01, 500)[1]
    np.testing.assert_allclose(many.weights, [x0 * 0 + many.weights[0]] * 50, rtol=1e-13)


@pytest.mark.parametrize("flow", FLOWS[:4], ids=repr)  # deeper, they go astray in their own ways
def test_starts_retire_as_in_numpy(flow):
    problem = wn.sparse_problem(5, 30, 2, seed=3)
    scales = np.geomspace(0.4, 0.8, 47)
    scales[[3, 30]] = 1e5  # these go too far
    x0 = scales[:, None] * wn.initial_weights(problem, 1, seed=4, starts=47)
    run, compiled = both(flow, problem, x0, 0.004, 4000, residual_tol=1e-4)
    assert len(set(run.n_steps)) > 3
    assert set(run.status) >= {wn.Status.CONVERGED, wn.Status.CROSSED_ZERO}
    agree(run, compiled, rtol=1e-9)


@pytest.mark.parametrize("starts", [1, 9])
@pytest.mark.parametrize(
    ("flow", "x0", "step"),
    [
        (PLAIN(2), [2.2], 0.5),  # twice, which leaves no trace
        (PLAIN(3), [3.0], 0.5),
        (NORM(2, 100.0), [2.0], 0.01),  # the radius
        (NORM(2, 1.0), [1.5], 1e300),
    ],
    ids=repr,
)
def test_each_step_is_watched(flow, x0, step, starts):
    problem = wn.Problem([[1.0]], [1.0])
    run, compiled = both(flow, problem, [x0] * starts, step, 100, times=[100 * step])
    agree(run, compiled)
    assert (compiled.status == wn.Status.CROSSED_ZERO).all()
    assert (compiled.n_steps == 0).all()


@pytest.mark.parametrize("starts", [1, 9])
def test_growth_beyond_bounds_is_called_diverged(starts):
    run, compiled = both(PLAIN(2), wn.Problem([[1.0]], [1e9]), [[1e-3]] * starts, 1e8, 100)
    agree(run, compiled)
    assert (compiled.status == wn.Status.DIVERGED).all()


@every_flow
@pytest.mark.parametrize("step", [20.0, 1e4, 1e100])
def test_the_last_good_state_is_that_of_numpy(flow, step):
    problem = wn.sparse_problem(10, 20, 3, seed=7)
    x0 = wn.initial_weights(problem, 1.0, seed=8, starts=9)
    agree(*both(flow, problem, x0, step, 20, times=step * np.arange(1, 21)), rtol=1e-9)


def test_stalls_and_fading_weights():
    stall = both(NORM(2, 1.0), wn.Problem([[1.0, 2.0]], [-1.0]), [0.5, 0.5], 0.02, 2000)
    assert [run.status for run in stall] == [wn.Status.STALLED] * 2
    fading = wn.Problem([[1.0], [1.0]], [-1.0, -1.0])
    agree(*both(PLAIN(2), fading, [0.5], 0.3, 3000))


def test_an_interrupted_run_returns_what_it_has(monkeypatch):
    problem = wn.sparse_problem(4, 6, 1, seed=13)
    x0 = wn.initial_weights(problem, 0.5, seed=14, starts=2)
    step_on, taken = _kernels._Compiled.move, []

    def interrupted(rows, n_steps):
        taken.append(n_steps)
        step_on(rows, n_steps)
        if len(taken) == 4:  # after 0, 100, and 200 steps
            raise KeyboardInterrupt

    monkeypatch.setattr(_kernels._Compiled, "move", interrupted)
    monkeypatch.setattr(road, "ENOUGH", 0)
    with pytest.warns(UserWarning, match="interrupted at step 200 of 1000"):
        run = wn.descend(NORM(2, 0.1), problem, x0, 0.01, 1000, times=[10.0])
    assert max(taken) <= road.CHECK_EVERY
    assert (run.n_steps == 200).all()
    assert (run.status == wn.Status.UNFINISHED).all()


def kind(flow, n_steps, starts=1, gain=False, xp=np):
    problem = wn.sparse_problem(40, 100, 5, seed=0)
    return road._kind_of_rows(flow, problem, n_steps, starts, gain, xp)


class Slow(PLAIN):
    """A flow that moves in a way of its own."""

    def velocity(self, problem, x):
        return super().velocity(problem, x) / 2


def test_what_is_compiled(monkeypatch):
    compiled, rows = _kernels.COMPILED, _rows.WeightNormRows
    assert kind(NORM(2, 0.1), 10**6) is compiled[rows]
    assert kind(NORM(2, 0.1), 10**4, starts=200) is compiled[rows]
    assert kind(NORM(2, 0.1), 10**4) is rows  # NumPy needs less time than loading Numba
    assert kind(NORM(2.5, 0.1), 10**6) is rows
    assert kind(NORM(2, 0.1), 10**6, gain=True) is rows
    assert kind(Slow(2), 10**6) is _rows.OtherRows
    monkeypatch.setitem(sys.modules, "wnlib.roads._kernels", None)  # as if there were no Numba
    assert kind(NORM(2, 0.1), 10**6) is rows


def test_numba_is_loaded_by_long_runs_only():
    code = """
import subprocess
import sys
import wnlib as wn
problem = wn.sparse_problem(5, 9, 2, seed=1)
x0 = wn.initial_weights(problem, 0.3, seed=2)
for n_steps in (1000, 10**6):
    wn.descend(wn.PlainFlow(2), problem, x0, 0.01, n_steps, residual_tol=0.5)
    print("numba" in sys.modules)
"""
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert found.split() == ["False", "True"]
