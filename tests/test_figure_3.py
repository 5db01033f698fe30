"""Error against the ratio: what is computed, what is predicted, and that the pictures show it."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest

import wnlib as wn
from wnlib.figures import figure_3
from wnlib.l1.certificates import off_support
from wnlib.theory import invariants, ratios
from wnlib.theory.last_stretch import last_stretch

SMALL = {
    "n_problems": 1,
    "n_measurements": 8,
    "n_features": 16,
    "sparsity": 2,
    "starts": 2,
    "scales": (0.1, 0.9),
    "ratios": (0.05, 0.5, 5.0),
    "counts": (50, 100),
}


@pytest.fixture(scope="module")
def data():
    return figure_3.compute(**SMALL)


def test_the_grid_has_all_scales_on_the_first_problem_only():
    points = figure_3.grid(n_problems=3, scales=(0.1, 0.3), ratios=(0.1, 1.0))
    places = [(point["draw"], point["scale"]) for point in points]
    assert len(points) == 4 * 3
    assert set(places) == {(0, 0.1), (0, 0.3), (1, 0.1), (2, 0.1)}


def test_a_trial_is_what_the_roads_say(data):
    rows, gd = figure_3.flow_rows(data, 0.1)
    problem = wn.sparse_problem(8, 16, 2, seed=(0, 0))
    x0 = wn.initial_weights(problem, 0.1, seed=2, starts=2)
    flow = wn.WeightNormFlow(2, 0.5)
    end = wn.limit(flow, problem, x0)
    run = wn.descend(flow, problem, x0, 0.01, 100)
    np.testing.assert_allclose(rows["limit_error"][1], end.error)
    np.testing.assert_allclose(rows["log_rho"][1], end.log_rho, rtol=1e-9)
    np.testing.assert_allclose(rows["error"][1, -1], run.error)
    assert (gd["log_rho"] == 0).all()


def test_at_the_crossing_both_ends_are_the_same(data):
    problem = wn.sparse_problem(8, 16, 2, seed=(0, 0))
    for scale in SMALL["scales"]:
        _, gd = figure_3.flow_rows(data, scale)
        x0 = wn.initial_weights(problem, scale, seed=2, starts=2)[0]
        ends = [
            wn.limit(flow, problem, x0).effective
            for flow in (wn.PlainFlow(2), wn.WeightNormFlow(2, float(gd["crossing"][0, 0])))
        ]
        np.testing.assert_allclose(*ends, rtol=1e-8, atol=1e-12)


def test_a_stall_is_left_out_of_the_limits():
    rows = {"stalled": np.array([[True, False], [True, True]]), "x": np.array([[9.0, 1], [9, 9]])}
    np.testing.assert_equal(figure_3.limits(rows, "x"), [[1, 1], [np.nan, np.nan]])


@pytest.mark.parametrize("R0", [0.02, 0.4, 1.8])
def test_the_best_ratio_balances_the_exponents(R0):
    problem = wn.sparse_problem(12, 24, 2, seed=4)
    assert off_support(problem).max() < 1
    ratio = ratios.best_ratio(problem, R0, 50.0)
    on, off = ratios.exponents(problem, R0, ratio, 50.0)
    assert on == pytest.approx(off, rel=1e-12)
    Q, last = problem.signal.sum(), last_stretch(problem)
    leading = np.sqrt(last.y2 * (Q - R0) * (1 - last.max_f) / (2 * Q * 1e12))
    assert ratios.best_ratio(problem, R0, 1e12) == pytest.approx(leading, rel=1e-4)


def test_without_hypotheses_there_is_no_best_ratio():
    problem = wn.sparse_problem(12, 24, 2, seed=4)
    assert np.isnan(ratios.best_ratio(problem, 2 * problem.signal.sum(), 50.0))
    hidden = wn.Problem([[1.0, 2.0]], [1.0], signal=[1.0, 0.0])  # not the shortest solution
    assert np.isnan(ratios.best_ratio(hidden, 0.1, 50.0))
    with pytest.raises(ValueError, match="t_end must be"):
        ratios.best_ratio(problem, 0.1, 0.0)


def test_the_turning_point_is_that_of_the_median(data):
    predicted, measured, least = figure_3.turning_points(data, 0)
    rows, _ = figure_3.flow_rows(data, 0.1)
    assert predicted.shape == measured.shape == least.shape == (2,)
    np.testing.assert_array_equal(least, np.median(rows["error"], axis=2).min(axis=0))


def test_the_pictures_show_the_data(data):
    rows, gd = figure_3.flow_rows(data, 0.1)
    _, axes = plt.subplots(2)
    figure_3.draw_magnification(axes, data, 0.1)
    line = axes[1].lines[0].get_ydata()
    np.testing.assert_allclose(line, rows["log_rho"].mean(axis=1) / np.log(10))
    ax = figure_3.draw_crossings(plt.subplots()[1], data)
    diamonds = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "D"]
    assert gd["crossing"].mean() in diamonds
    assert len(diamonds) == 2
    assert figure_3.draw(plt.subplots()[1], data).get_yscale() == "log"
    assert len(figure_3.steps_explorer(data).children[-1].children) == 2
    plt.close("all")


def test_the_crossing_is_the_logarithmic_mean(data):
    _, gd = figure_3.flow_rows(data, 0.9)
    expected = invariants.logarithmic_mean(gd["R0"], gd["length"])
    np.testing.assert_allclose(gd["crossing"], expected)
