"""The two halves of signed problems: their mean, their overlap, their picture."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wnlib as wn
from wnlib.figures import figure_1, figure_5
from wnlib.theory.halves import log_mean, log_overlap_bound

PROBLEM = wn.sparse_problem(8, 16, sparsity=2, seed=0, signed=True)
X0 = wn.initial_weights(PROBLEM, 0.1, seed=1)
logs = st.lists(st.floats(-600, 600), min_size=2, max_size=2)


@given(logs, st.floats(2, 10), st.floats(-50, 50))
def test_a_mean_lies_between_and_scales(pair, depth, shift):
    value = log_mean(depth, pair)[0]
    assert min(pair) - 1e-9 <= value <= max(pair) + 1e-9
    assert value == pytest.approx(log_mean(depth, pair[::-1])[0])
    moved = log_mean(depth, np.add(pair, shift))[0]
    assert moved == pytest.approx(value + shift, abs=1e-9)


def test_a_mean_is_the_power_mean():
    a, c = 0.3, 2.0
    assert np.exp(log_mean(2, np.log([a, c])))[0] == pytest.approx(np.sqrt(a * c))
    assert np.exp(log_mean(4, np.log([a, c])))[0] == pytest.approx(4 / (a**-0.5 + c**-0.5) ** 2)
    near = log_mean(2 + 1e-6, np.log([a, c]))
    np.testing.assert_allclose(near, log_mean(2, np.log([a, c])), atol=1e-5)


@pytest.mark.parametrize("depth", [2, 3, 4.5])
@pytest.mark.parametrize("ratio", [None, 0.2])
def test_limits_have_the_mean_of_their_start(depth, ratio):
    flow = wn.PlainFlow(depth) if ratio is None else wn.WeightNormFlow(depth, ratio)
    end = wn.limit(flow, PROBLEM, X0)
    start, there = (log_mean(depth, depth * np.log(x)) for x in (X0, end.weights))
    np.testing.assert_allclose(there, start - end.log_rho, rtol=1e-6, atol=1e-6)
    overlap = 2 * np.minimum(*np.split(end.stacked, 2)).sum()
    assert np.log(overlap) <= log_overlap_bound(depth, X0, end.log_rho) + 1e-9


def test_an_odd_number_of_weights_has_no_halves():
    with pytest.raises(ValueError, match=r"log_stacked must have a pair .* got 3"):
        log_mean(2, [0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match="x0 must be positive"):
        log_overlap_bound(2, [1.0, 0.0])
    with pytest.raises(ValueError, match=r"x0 must have two weights for each feature.* got 3"):
        log_overlap_bound(2, [1.0, 1.0, 1.0])


def test_the_grid_is_that_of_figure_1_with_signs():
    one, five = figure_1.grid(), figure_5.grid()
    assert one.pop("signed") is False and five.pop("signed") is True
    assert all(np.array_equal(one[name], five[name]) for name in one | five)


def test_halves_are_drawn():
    end = wn.limit(wn.WeightNormFlow(2, 0.2), PROBLEM, X0)
    figure, ax = plt.subplots()
    assert figure_5.draw_halves(ax, end) is ax
    plus, minus, dashes = (line.get_ydata() for line in ax.lines)
    np.testing.assert_allclose(np.sort(plus), np.sort(end.stacked[:16]))
    np.testing.assert_allclose(plus * minus, dashes**2)
    on = np.abs(PROBLEM.signal) > 0
    assert set(plus[: on.sum()]) == set(end.stacked[:16][on])  # those of the signal first
    plt.close(figure)


def test_a_frame_says_the_error():
    picture, text = figure_5.frame(wn.PlainFlow(2), PROBLEM, X0)
    assert text.startswith("relative error 0.") and picture.axes[0].get_title() == text
