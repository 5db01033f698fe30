"""Depth: the waiting time of small starts, the end of the robust range, and the figures of both."""

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import wnlib as wn
from wnlib.figures import figure_4 as figures
from wnlib.figures.studies import Data
from wnlib.flows import squared_radius
from wnlib.sweeps import sweep
from wnlib.theory.escape import escape_time_bounds, normalized_escape_bound
from wnlib.theory.shape import robust_effective_start

DEPTHS = st.floats(2, 10)
SMALL = {
    "seed": 3,
    "n_draws": 1,
    "depths": [2, 3],
    "n_measurements": 10,
    "n_features": 20,
    "sparsity": 2,
    "n_scales": 3,
    "n_steps": 200,
}


@given(DEPTHS, st.lists(st.floats(1e-3, 10), min_size=1, max_size=8), st.integers(0, 20))
def test_an_even_start_of_that_size_is_as_long_as_the_signal(depth, entries, n_zeros):
    z = np.append(entries, np.zeros(n_zeros))
    even = np.full(len(z), robust_effective_start(depth, z))
    assert squared_radius(even, depth) == pytest.approx(squared_radius(z, depth), rel=1e-9)


@given(DEPTHS, st.floats(0.01, 100))
def test_units_of_the_signal_are_units_of_the_effective_start(depth, unit):
    z = np.array([1.0, 2.0, 0.0, 0.5])
    scaled = robust_effective_start(depth, unit * z)
    assert scaled == pytest.approx(unit * robust_effective_start(depth, z), rel=1e-9)


@pytest.mark.parametrize("depth", [2, 2.5, 3, 5])
@pytest.mark.parametrize("signed", [False, True])
def test_the_first_weight_reaches_a_level_between_the_bounds(depth, signed):
    problem = wn.sparse_problem(5, 12, 2, seed=1, signed=signed)
    x0, level = wn.initial_weights(problem, 0.02, seed=2), 0.15
    lower, upper = escape_time_bounds(depth, problem, x0, level)
    times = np.linspace(0.9 * lower, 1.1 * upper, 400)
    flow = wn.PlainFlow(depth)
    run = wn.integrate(flow, problem, x0, times[-1], times=times, form="weights")
    first = run.times[np.argmax(run.path.max(axis=1) >= level)]
    assert lower <= first <= 1.01 * upper  # the next of the recorded times
    assert upper < 1.6 * lower


def test_a_single_weight_without_measurement_error_waits_as_the_formula_says():
    problem, x0 = wn.Problem([[1.0]], [1.0]), np.array([1e-6])
    lower, upper = escape_time_bounds(3, problem, x0, 1e-3)
    assert lower == pytest.approx(1e6 - 1e3, rel=1e-8)
    assert upper == pytest.approx(lower, rel=1e-8)
    assert normalized_escape_bound(wn.WeightNormFlow(3, 0.1), problem, x0, 1e-3) == pytest.approx(
        10 * lower
    )


def test_nothing_is_sure_to_grow_where_all_columns_oppose_the_measurements():
    problem = wn.Problem([[-1.0, -2.0]], [1.0])
    assert escape_time_bounds(2, problem, [0.1, 0.1], 0.2)[1] == np.inf


def test_a_level_must_be_above_the_start_and_short_for_the_ratio():
    problem = wn.Problem([[1.0, 1.0]], [1.0])
    with pytest.raises(ValueError, match=r"x0 must be below level=0\.1; its largest entry is 0\.2"):
        escape_time_bounds(2, problem, [0.1, 0.2], 0.1)
    with pytest.raises(ValueError, match=r"level must be smaller: 1e\+200\^2 is no float"):
        escape_time_bounds(2, problem, [0.1, 0.2], 1e200)
    assert np.isnan(normalized_escape_bound(wn.WeightNormFlow(2, 0.1), problem, [0.1, 0.1], 0.5))


@pytest.mark.parametrize("tol", [1e-2, 3e-4])
def test_errors_that_are_a_power_leave_a_tolerance_where_the_power_does(tol):
    scales = figures.scales_from(1e-3, 7)
    assert figures.accurate_up_to(scales, scales**1.5, tol) == pytest.approx(tol ** (1 / 1.5))
    assert np.isnan(figures.accurate_up_to(scales, np.ones(7), tol))
    assert figures.in_range(np.nan) == "nowhere"


@pytest.fixture(scope="module")
def data():
    columns = sweep(figures.trial, figures.grid(**SMALL))
    return Data(columns, figures.compute.settings(**SMALL), "computed")


def test_a_trial_measures_limits_steps_and_times(data):
    assert data["error"].shape == data["limit_error"].shape == (4, 3)
    assert data["time"].shape == data["wait"].shape == (4, 2)
    plain = data.where(method="GD")
    known = np.isfinite(plain["time"])
    assert known.any() and (plain["wait"] <= plain["time"])[known].all()
    assert (data.where(depth=2)["wall"] > data.where(depth=3)["wall"]).all()  # entries above 1


def test_the_lines_are_the_limits_and_the_circles_the_steps(data):
    ax = figures.draw(plt.figure().subplots(), data, 3)
    limits = data.where(depth=3)["limit_error"]
    drawn = [line.get_ydata() for line in ax.lines]
    assert np.allclose(drawn[0], np.maximum(limits[0], figures.FLOOR))
    assert np.array_equal(drawn[1], data.where(depth=3)["error"][0], equal_nan=True)
    assert "finite steps" in figures.page(data, 2)[1]
    assert figures.draw_times(plt.figure().subplots(), data).lines
    plt.close("all")
