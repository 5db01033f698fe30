"""What the chapter on the error on the way computes and draws is what it says."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import wnlib as wn
from wnlib.figures import figure_2
from wnlib.theory.law import small_ratio_law

PROBLEM = wn.sparse_problem(20, 40, sparsity=3, seed=0)
GD, WN = wn.PlainFlow(2), wn.WeightNormFlow(2, 0.1)
SMALL = {
    "n_measurements": 20,
    "n_features": 40,
    "sparsity": 3,
    "starts": 2,
    "step": 0.05,
    "n_steps": 3000,
    "n_steps_wn": 1500,
}


@pytest.fixture(scope="module")
def data():
    return figure_2.compute(**SMALL)


@pytest.fixture
def axes():
    figure, axes = plt.subplots(2)
    yield axes
    figure.canvas.draw()
    plt.close(figure)


def test_a_row_is_a_run(data):
    rows = figure_2.contest(data)
    x0 = wn.initial_weights(PROBLEM, 0.1, seed=2, starts=2)
    flows = {"GD": GD, "WN-GD": WN, "twin": wn.WeightNormFlow(2, 10.0)}
    for name, flow in flows.items():
        run = wn.descend(flow, PROBLEM, x0, 0.05, n := 3000 if name == "GD" else 1500)
        assert rows[name]["iterations"][0, [0, -1]].tolist() == [1, n]
        np.testing.assert_allclose(figure_2.last(rows[name], "error"), run.error, rtol=1e-9)
        np.testing.assert_allclose(figure_2.last(rows[name], "loss"), run.loss_path[-1], rtol=1e-9)
        np.testing.assert_allclose(rows[name]["first_loss"][0], run.loss_path[0])
    first = wn.descend(WN, PROBLEM, x0, 0.05, 1)
    np.testing.assert_allclose(rows["WN-GD"]["error"][0, 0], first.error)


def test_a_run_that_broke_off_has_no_error(axes):
    wild = figure_2.compute(**SMALL | {"scale": 2.0, "step": 1.0})
    gone = figure_2.contest(wild)["GD"]
    assert (gone["status"] != "max_steps").all() and np.isnan(gone["error"][0, -1]).all()
    figure_2.draw(axes, wild)


def test_error_and_loss_are_drawn_beside_the_law(data, axes):
    law = small_ratio_law(PROBLEM, 0.2)
    assert figure_2.draw(axes, data, law) is axes
    row = figure_2.contest(data)["WN-GD"]
    np.testing.assert_allclose(axes[0].lines[1].get_ydata(), np.median(row["error"][0], axis=1))
    dashed = axes[1].lines[-1]
    np.testing.assert_array_equal(dashed.get_ydata(), law.loss[1:])
    np.testing.assert_allclose(dashed.get_xdata(), law.times(0.1)[1:] / 0.05)
    (dot,) = dashed.get_markevery()
    assert dashed.get_ydata()[dot] == law.loss[law.complete]
