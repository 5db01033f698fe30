"""How many steps descent needs: counted rightly, and read from the numbers rightly."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import wnlib as wn
from wnlib.figures import speed
from wnlib.figures.studies import Data
from wnlib.roads.descend import descend
from wnlib.roads.pace import pace

PROBLEM = wn.sparse_problem(10, 20, sparsity=2, seed=0)
X0 = wn.initial_weights(PROBLEM, 0.1, seed=1, starts=2)
FLOWS = wn.PlainFlow(2), wn.WeightNormFlow(2, 0.5), wn.PlainFlow(3)


@pytest.mark.parametrize("flow", FLOWS, ids=str)
def test_early_counts_are_those_of_each_step(flow):
    levels, step = [0.9, 0.5, 0.3], 0.1
    found = pace(flow, PROBLEM, X0, step, 100, levels)
    run = descend(flow, PROBLEM, X0, step, 100, times=step * np.arange(1, 101))
    for counts, values in ((found.error, run.error_path), (found.loss, run.residual_path**2)):
        for start in range(2):
            for level, count in zip(levels, counts[start], strict=True):
                there = np.flatnonzero(values[:, start] <= level)
                assert count == (there[0] if len(there) else np.inf)


def test_late_counts_are_a_little_too_large():
    step, levels = 0.05, [1e-4]
    late = pace(wn.PlainFlow(2), PROBLEM, X0, step, 20_000, levels).loss
    run = descend(wn.PlainFlow(2), PROBLEM, X0, step, 4000, times=step * np.arange(1, 4001))
    exact = (run.residual_path**2 <= 1e-4).argmax(axis=0)
    assert (exact > 100).all()
    assert (late[:, 0] >= exact).all() and (late[:, 0] <= 1.08 * exact).all()


def test_a_run_that_breaks_off_reaches_nothing():
    found = pace(wn.PlainFlow(2), PROBLEM, X0, 5.0, 50, [10.0, 0.1])
    assert not found.falls.any()
    assert np.isinf(found.error).all() and np.isinf(found.loss).all()


def test_a_rise_of_the_loss_is_seen():
    problem = wn.Problem([[1.0]], [1.0], [1.0])
    rises, falls = (
        pace(wn.PlainFlow(2), problem, [[0.7]], step, 200, [0.1]) for step in (1.2, 0.2)
    )
    assert not rises.falls[0] and falls.falls[0]
    assert np.isfinite(rises.loss).all()  # but it gets there


@pytest.mark.parametrize(("flow", "scale"), [(FLOWS[0], 1e-8), (FLOWS[1], 1e-6)], ids=str)
def test_on_a_plateau_the_loss_does_not_rise_but_by_rounding(flow, scale):
    tiny = wn.initial_weights(PROBLEM, scale, seed=1, starts=3)
    assert pace(flow, PROBLEM, tiny, 0.02, 300, [0.1]).falls.all()


def test_a_run_goes_on_until_it_is_below_the_least_level():
    problem, step = wn.Problem([[1.0]], [1.0], [1.0]), 0.2
    found = pace(FLOWS[0], problem, [[0.5]], step, 100, speed.LEVELS)
    every = step * np.arange(1, 101)
    run = descend(FLOWS[0], problem, [0.5], step, 100, times=every, residual_tol=0.0)
    assert found.error[0, -1] == (run.error_path <= speed.LEVELS[-1]).argmax() > 0


def test_one_start_is_a_row_of_them():
    one, both = (pace(FLOWS[0], PROBLEM, x0, 0.1, 50, [0.9]) for x0 in (X0[0], X0))
    np.testing.assert_array_equal(one.loss[0], both.loss[0])


def test_pace_asks_for_a_signal_and_steps():
    with pytest.raises(ValueError, match="signal"):
        pace(wn.PlainFlow(2), wn.Problem([[1.0]], [1.0]), [[0.5]], 0.1, 10, [0.1])
    with pytest.raises(ValueError, match="step"):
        pace(wn.PlainFlow(2), PROBLEM, X0, -1.0, 10, [0.1])
    with pytest.raises(TypeError, match="levels must be an array of real numbers"):
        pace(wn.PlainFlow(2), PROBLEM, X0, 0.1, 10, ["small"])
    with pytest.raises(TypeError, match="x0 must be an array of real numbers"):
        pace(wn.PlainFlow(2), PROBLEM, None, 0.1, 10, [0.1])


def test_a_trial_counts_for_both_starts():
    sizes = {"n_measurements": 10, "n_features": 20, "sparsity": 2}
    point = {"seed": 3, "draw": 1, **sizes, "depth": 2, "scale": 0.1, "step": 0.1, "n_steps": 100}
    found = speed.trial(**point, method="GD", ratio=0.0)
    problem = wn.sparse_problem(10, 20, 2, seed=(3, 1))
    x0 = wn.initial_weights(problem, 0.1, seed=(3, 1, 1), starts=2)
    expected = pace(wn.PlainFlow(2), problem, x0, 0.1, 100, speed.LEVELS)
    np.testing.assert_array_equal(found["loss_steps"], expected.loss.max(axis=0))
    assert found["falls"] == expected.falls.all()
    other = speed.trial(**point, method="WN-GD", ratio=0.1)
    assert (other["loss_steps"] != found["loss_steps"]).any()


def test_the_grid_has_each_run_once():
    points = speed.grid()
    assert len({tuple(point.items()) for point in points}) == len(points)
    assert {point["ratio"] for point in points if point["method"] == "GD"} == {0.0}


@pytest.fixture
def data():
    """Two problems, GD from two scales with two steps, and WN-GD."""
    names = ["draw", "method", "scale", "step", "falls", "count"]
    rows = [
        (0, "GD", 0.1, 0.1, True, 50),
        (0, "GD", 0.1, 0.2, False, 10),
        (0, "GD", 0.01, 0.1, True, 30),
        (1, "GD", 0.1, 0.1, True, 20),
        (1, "GD", 0.1, 0.2, True, 15),
        (1, "GD", 0.01, 0.1, True, np.inf),
        (0, "WN-GD", 0.1, 0.1, True, np.inf),
        (1, "WN-GD", 0.1, 0.1, True, np.inf),
    ]
    columns = dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True))
    counts = np.full((len(rows), len(speed.LEVELS)), np.inf)
    counts[:, 0] = columns.pop("count")
    columns |= {"error_steps": counts, "loss_steps": counts, "n_steps": np.full(len(rows), 1000)}
    return Data(columns, {}, "typed")


def test_fewest(data):
    assert speed.fewest(data, "error", method="GD")[:, 0].tolist() == [30, 15]
    assert speed.fewest(data, "error", method="GD", rising=True)[:, 0].tolist() == [10, 15]
    assert speed.fewest(data, "error", method="GD", scale=0.1)[:, 0].tolist() == [50, 15]
    assert speed.fewest(data, "error", method="GD", scale=7)[:, 0].tolist() == [np.inf, np.inf]
    assert speed.median(data, "loss", method="GD")[:2].tolist() == [30, np.inf]


def test_best(data):
    assert speed.best(data, "error", "scale", method="GD")[0] == 0.1
    assert np.isnan(speed.best(data, "error", "scale", method="GD")[1])
    assert np.isnan(speed.best(data, "error", "scale", method="none")).all()


def test_table(data):
    lines = speed.table(data, {"GD": speed.GD, "WN-GD": speed.WN}, [0.1, 0.01]).splitlines()
    assert lines[1].split() == ["error", "GD", "30", "-"]
    assert lines[4].split() == ["loss", "WN-GD", "-", "-"]


def test_what_is_drawn(data):
    _, ax = plt.subplots()
    speed.draw(ax, data, "error", {"GD": speed.GD, "WN-GD": speed.WN})
    (line,) = ax.lines
    assert line.get_xydata().tolist() == [[0.1, 30]]
    assert [text.get_text() for text in ax.texts] == ["GD", "WN-GD: not even 0.1"]
    plt.close()
    _, text = speed.page(data, 0.1)
    assert text == "GD needs 50 steps to an error of 0.1; the least error it reaches is 1e-01."
    assert speed.page(data, 7.0)[1] == "GD does not reach an error of 0.1."
