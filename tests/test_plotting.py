"""The figures show the records they are given, in one style, and touch nothing else."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

import wnlib as wn
from wnlib.figures import plotting

PROBLEM = wn.sparse_problem(10, 20, sparsity=2, seed=1)
STARTS = wn.initial_weights(PROBLEM, scale=0.1, seed=2, starts=3)
FLOWS = wn.PlainFlow(2), wn.WeightNormFlow(2, 0.1)


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def luminance(colour):
    r, g, b = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return 0.2126 * r**2.2 + 0.7152 * g**2.2 + 0.0722 * b**2.2


def test_importing_changes_no_setting_and_the_style_is_one():
    before = plt.rcParams["font.size"]
    with plt.style.context(plotting.STYLE):
        assert plt.rcParams["font.size"] == 13
    assert plt.rcParams["font.size"] == before != 13


def test_flows_differ_by_more_than_colour():
    plain, normalized = map(plotting.flow_style, FLOWS)
    assert all(plain[key] != normalized[key] for key in ("color", "marker", "label"))
    assert "0.1" in normalized["label"]

    class Half(wn.PlainFlow):
        def velocity(self, problem, x):
            return super().velocity(problem, x) / 2

    assert plotting.flow_style(Half(2))["label"] == "Half"


def test_colours_of_the_flows_stand_out_from_white():
    for flow in FLOWS:  # 3 to 1, as WCAG asks of graphics
        assert 1.05 / (luminance(plotting.flow_style(flow)["color"]) + 0.05) >= 3


@pytest.mark.parametrize("center", [np.mean, np.median])
def test_band_shows_centre_and_range(ax, center):
    samples = np.random.default_rng(0).uniform(size=(4, 5))
    assert plotting.band(ax, np.arange(4), samples, center=center) is ax
    assert np.array_equal(ax.lines[0].get_ydata(), center(samples, axis=1))
    corners = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert corners.min() == samples.min() and corners.max() == samples.max()


def test_whiskers_show_mean_and_range(ax):
    samples = np.random.default_rng(0).uniform(size=(4, 5))
    samples[0] = 0.1
    assert plotting.whiskers(ax, np.arange(4), samples) is ax
    assert np.array_equal(ax.lines[0].get_ydata(), samples.mean(axis=1))
    ends = np.array([s[:, 1] for s in ax.collections[0].get_segments()])
    assert ends == pytest.approx(np.stack([samples.min(axis=1), samples.max(axis=1)], axis=1))


@pytest.mark.parametrize(
    ("log10", "digits", "text"),
    [
        (0, 2, "1"),
        (-0.7696, 2, "0.17"),
        (2, 2, "100"),
        (27.69, 2, "4.9 × 10²⁷"),
        (-6.0001, 2, "1.0 × 10⁻⁶"),
        (3.3e5, 1, "1 × 10³³⁰⁰⁰⁰"),
        (5.3, 0, "10⁵"),
    ],
)
def test_numbers_are_readable(log10, digits, text):
    assert plotting.in_words(log10, digits) == text


@pytest.mark.parametrize("flow", FLOWS, ids=str)
@pytest.mark.parametrize("quantity", plotting.QUANTITIES)
def test_history_shows_the_median_over_iterations(ax, flow, quantity):
    run = wn.descend(flow, PROBLEM, STARTS, step=0.01, n_steps=20, times=[0.05, 0.1, 0.2])
    plotting.history(ax, run, quantity, step=0.01)
    (line,) = ax.lines
    assert line.get_xdata() == pytest.approx([5, 10, 20])
    values = plotting.series(run, quantity)
    assert np.array_equal(line.get_ydata(), np.median(values[1:], axis=1))
    assert ax.get_xlabel() == "iterations" and ax.get_xscale() == ax.get_yscale() == "log"


def test_history_of_one_start(ax):
    run = wn.integrate(FLOWS[0], PROBLEM, STARTS[0], t_end=1.0, times=[0.5])
    plotting.history(ax, run, "loss", label="a start")
    assert np.array_equal(ax.lines[0].get_ydata(), run.loss_path[1:])
    assert ax.get_legend_handles_labels()[1] == ["a start"]


def test_unknown_quantity_is_named(ax):
    run = wn.descend(FLOWS[0], PROBLEM, STARTS, step=0.01, n_steps=1)
    with pytest.raises(ValueError, match=r"quantity must be one of error, .* got 'eror'"):
        plotting.history(ax, run, "eror")


def test_signal_shows_truth_and_recovery(ax):
    result = wn.limit(FLOWS[1], PROBLEM, STARTS[0])
    plotting.signal(ax, result)
    assert np.array_equal(ax.lines[0].get_ydata(), result.effective)
    tops = [segment[1][1] for segment in ax.collections[0].get_segments()]
    assert sorted(tops) == sorted(PROBLEM.signal[PROBLEM.signal != 0])


def test_shade_takes_one_stretch(ax):
    x = np.array([1.0, 2.0, 3.0, 4.0])
    plotting.shade(ax, x, [False, True, True, False], "here")
    assert (ax.patches[0].get_x(), ax.patches[0].get_width()) == (2.0, 1.0)
    plotting.shade(ax, x, np.zeros(4, bool), "nowhere")
    assert len(ax.patches) == 1
    with pytest.raises(ValueError, match="one stretch"):
        plotting.shade(ax, x, [True, False, True, False], "torn")


@pytest.mark.parametrize("far", [0.0, 1e-40, 1e40, np.nan, np.inf])
def test_words_far_outside_take_no_room(ax, far):
    """Zero on a logarithmic axis is a thousand powers of ten away: no memory has that room."""
    ax.set(xscale="log", yscale="log", xlim=(0.1, 10), ylim=(0.1, 10))
    plotting.label(ax, 10, 1, "at the edge")
    ax.figure.canvas.draw()
    before = ax.figure.get_tightbbox().size
    plotting.label(ax, far, 1, "far")
    plotting.label(ax, 1, far, "far")
    if 0 < far < np.inf:
        plotting.mark(ax, far, "far")
    ax.set_xlim(0.1, 10)
    ax.figure.canvas.draw()
    assert (ax.figure.get_tightbbox().size == before).all()
    assert before[0] > ax.get_position().x1 * 6.4  # the edge has its words


def test_mark_says_what_it_marks(ax):
    plotting.mark(ax, 0.3, "here")
    assert list(ax.lines[0].get_xdata()) == [0.3, 0.3]
    assert ax.texts[0].get_text() == "here"


def test_ink_is_legible_and_of_the_same_hue():
    assert plotting.ink("black") == (0, 0, 0)
    for colour in (*plotting.SHADES, plotting.VERMILLION, plotting.YELLOW, plotting.GREY):
        before, after = np.array(to_rgb(colour)), np.array(plotting.ink(colour))
        linear = np.where(after <= 0.04045, after / 12.92, ((after + 0.055) / 1.055) ** 2.4)
        assert 1.05 / (linear @ (0.2126, 0.7152, 0.0722) + 0.05) >= 4.5
        assert np.allclose(after / after.max(), before / before.max())
