"""What the chapter on Figure 1 computes and draws is what it says, also for odd settings."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import wnlib as wn
from wnlib.figures import figure_1, other_draws
from wnlib.figures.studies import Data
from wnlib.l1.certificates import off_support
from wnlib.results import broke_off
from wnlib.sweeps import sweep
from wnlib.theory.last_stretch import arrival_estimate

SHAPE = {"n_measurements": 20, "n_features": 40, "sparsity": 3}
SMALL = {**SHAPE, "starts": 3, "decades": (-0.5, 1), "per_decade": 2, "n_steps": 200}
PROBLEM = wn.sparse_problem(20, 40, sparsity=3, seed=0)
XI = wn.initial_weights(PROBLEM, scale=1, seed=2, starts=3)


def computed(**settings):
    return Data(sweep(figure_1.trial, figure_1.grid(**SMALL | settings)), {}, "here")


@pytest.fixture(scope="module")
def data():
    return computed()


@pytest.fixture
def axes():
    figure, axes = plt.subplots(2)
    yield axes
    figure.canvas.draw()
    plt.close(figure)


def altered(data, **columns):
    return Data({**data, **columns}, {}, "here")


def test_the_scale_in_question_is_in_the_middle(data):
    scales = np.unique(data["scale"])
    np.testing.assert_allclose(scales, 0.1 * 10 ** (np.arange(-1, 3) / 2))
    assert set(data["method"]) == set(figure_1.METHODS) and len(data["scale"]) == 8


def test_a_trial_keeps_methods_scales_and_starts_apart(data):
    x0 = 0.1 * XI[1]
    for method in figure_1.METHODS:
        flow = figure_1.flow_of(method, 2, 0.1)
        roads = (
            (wn.limit(flow, PROBLEM, x0), "limit_error"),
            (
                wn.descend(flow, PROBLEM, x0, 0.01, 200),
                "error",
            ),
        )
        for alone, column in roads:
            there = figure_1.at_scale(data, column, method, 0.1)
            assert there[1] == pytest.approx(PROBLEM.error(alone.effective), rel=1e-6, abs=1e-12)
            assert figure_1.mean(data, column, method)[1] == there.mean()
        end = figure_1.at_scale(data, "limit_R", method, 0.1)[1]
        assert end == pytest.approx(roads[0][0].radius ** 2)
        assert figure_1.at_scale(data, "R0", method, 0.1)[1] == pytest.approx(x0 @ x0)


def test_at_the_wall_a_start_is_as_long_as_the_signal(data):
    assert data["shortest"][0] == pytest.approx(PROBLEM.signal.sum())
    lengths = ((figure_1.wall(data) * XI) ** 2).sum(axis=1)
    assert lengths.mean() == pytest.approx(PROBLEM.signal.sum())
    deep = computed(depth=4, n_steps=10, decades=(0, 0))
    assert deep["shortest"][0] == pytest.approx(np.sqrt(PROBLEM.signal).sum())


def test_a_run_that_broke_off_has_no_error():
    wild = computed(step=0.1, scale=1.0).where(method="WN-GD")
    broken = broke_off(wild["status"])
    assert broken.any() and not broken.all()
    assert np.array_equal(np.isnan(wild["error"]), broken)
    assert np.isfinite(wild["limit_error"]).all()


def test_accurate_stretches(data):
    assert figure_1.stretches([]) == figure_1.stretches([False]) == []
    assert figure_1.stretches([True, False, True, True]) == [(0, 0), (2, 3)]
    scales = np.unique(data["scale"])
    assert figure_1.accurate(data, "limit_error", "WN-GD", 1e-3)[0][0] == scales[0]
    assert figure_1.accurate(data, "limit_error", "WN-GD", 0) == []
    everywhere = [(scales[0], scales[-1])]
    assert figure_1.accurate(data, "limit_error", "WN-GD", np.inf) == everywhere


def test_error_against_scale_is_drawn(data, axes):
    ax = axes[0]
    assert figure_1.draw(ax, data) is ax
    drawn = [line.get_ydata() for line in ax.lines]
    for method in figure_1.METHODS:
        for column in "limit_error", "error":
            values = figure_1.mean(data, column, method)
            assert any(np.array_equal(values, y, equal_nan=True) for y in drawn)
    words = {text.get_text() for text in ax.texts}
    assert {"GD", "WN-GD, limit", "WN-GD, 200 steps"} <= words


def test_lengths_are_drawn(data, axes):
    assert figure_1.draw_lengths(axes[1], data) is axes[1]
    part = data.where(method="WN-GD")
    drawn = np.array([part["R0"].ravel(), part["limit_R"].ravel()]) / part["shortest"][0]
    np.testing.assert_allclose(axes[1].lines[1].get_xydata(), drawn.T)


def test_shading_may_come_in_pieces(data, axes):
    """Another ratio or seed may bring this about: no reason to stop."""
    error = data["limit_error"].copy()
    error[data["method"] == "WN-GD"] = np.array([1e-9, 5, 1e-9, 5])[:, None]
    figure_1.draw(axes[0], altered(data, limit_error=error))
    assert len(axes[0].patches) == 2


def test_another_draw_goes_both_roads():
    setting = {"start_seed": 2, "scale": 0.1, "depth": 2, "ratio": 0.1, "t_end": 20.0}
    x0 = wn.initial_weights(PROBLEM, 0.1, seed=2)
    found = other_draws.trial(shape=[20, 40, 3], draw=0, signed=False, level=1e-3, **setting)
    for k, method in enumerate(figure_1.METHODS):
        flow = figure_1.flow_of(method, 2, 0.1)
        alone = wn.integrate(flow, PROBLEM, x0, t_end=20.0, rtol=1e-10)
        assert found["error"][k] == pytest.approx(alone.error, rel=1e-4)
        assert found["limit_error"][k] == wn.limit(flow, PROBLEM, x0).error
    assert found["max_f"] == off_support(PROBLEM).max()
    assert found["estimate"] == arrival_estimate(wn.WeightNormFlow(2, 0.1), PROBLEM, x0)


def test_reach_is_where_the_error_crosses_the_level():
    flow = wn.PlainFlow(2)
    end = other_draws.reach(flow, PROBLEM, XI[0], 1e-2)
    low, high = (wn.limit(flow, PROBLEM, factor * end * XI[0]).error for factor in (0.99, 1.01))
    assert low < 1e-2 < high
    assert other_draws.reach(flow, PROBLEM, XI[0], 1e-15) == 0


def test_a_signed_problem_is_stacked():
    signed = wn.sparse_problem(10, 20, sparsity=3, seed=0, signed=True)
    stacked = other_draws.stacked(signed)
    assert stacked.n_weights == signed.n_weights == 40 and not stacked.signed
    np.testing.assert_allclose(stacked.A @ stacked.signal, signed.b)
    f = off_support(stacked)
    assert f.max() == pytest.approx(max(abs(off_support(signed)).max(), -1))


def test_numbers_in_words():
    assert figure_1.short(2e-12) == " <1e-11" and figure_1.short(0.034) == "  3e-02"
    assert figure_1.in_words(8.26e6) == "8.3 × 10⁶" and figure_1.in_words(2e-8, 0) == "10⁻⁸"
    assert {figure_1.in_words(x) for x in (0.0, -1.0, np.nan, np.inf)} == {"–"}
