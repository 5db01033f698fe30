"""The explorer: honest numbers, pictures that say what they show, and what a browser sets going.

That its sliders work on a page without Python is tested in a browser, in test_site.py.
"""

import base64
import io
import re

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image, ImageColor

import wnlib as wn
from wnlib.figures import plotting, widgets

SEED = 3
PLAIN = {power: digit for digit, power in plotting.SUPERSCRIPT.items()}
SCALES, RATIOS = (0.01, 0.1, 1.0), (0.1, 1.0)


@pytest.fixture(scope="module")
def problem():
    return wn.sparse_problem(20, 60, sparsity=4, seed=1)


@pytest.fixture
def explorer(problem):
    return widgets.recovery_explorer(problem, SCALES, RATIOS, first=(0.1, 1), seed=SEED)


def pictures(explorer):
    return [[picture.value for picture in row.children] for row in explorer.children[-1].children]


def in_browser(explorer):
    """Do what the links do in a browser, which then tells Python."""
    scale, ratio, shown = explorer.children
    for row in shown.children:
        row.set_state({"selected_index": scale.index})
    shown.set_state({"selected_index": ratio.index})
    return explorer


def image(html):
    return base64.b64decode(re.search('src="data:image/png;base64,(.*?)"', html)[1])


def number(text):
    mantissa, _, exponent = text.translate(PLAIN).partition(" × 10")
    return float(mantissa) * 10 ** float(exponent or 0)


def test_each_picture_says_its_own_numbers(problem, explorer):
    for ratio, row in zip(RATIOS, pictures(explorer), strict=True):
        for scale, html in zip(SCALES, row, strict=True):
            x0 = wn.initial_weights(problem, scale, SEED)
            plain = wn.limit(wn.PlainFlow(2), problem, x0)
            normalized = wn.limit(wn.WeightNormFlow(2, ratio), problem, x0)
            said = re.search(
                r'alt="Recovered and true signal for α = (.*), η̃ = (.*): relative error of GD (.*),'
                r' of WN-GD (.*); magnification ρ = (.*)\."',
                html,
            ).groups()
            assert [float(s) for s in said[:2]] == [scale, ratio]
            assert number(said[2]) == pytest.approx(problem.error(plain.effective), rel=0.06)
            wn_error = problem.error(normalized.effective)
            if said[3] == "below 10⁻¹²":
                assert wn_error < 1e-12
            else:
                assert number(said[3]) == pytest.approx(wn_error, rel=0.06)
            assert number(said[4]) == pytest.approx(np.exp(normalized.log_rho), rel=0.06)


def test_pictures_differ_and_are_light(explorer):
    files = [image(html) for row in pictures(explorer) for html in row]
    assert len(set(files)) == len(SCALES) * len(RATIOS)
    assert max(map(len, files)) < 30_000
    assert {Image.open(io.BytesIO(file)).size for file in files} == {(750, 690)}


def test_same_explorer_twice(problem, explorer):
    assert pictures(widgets.recovery_explorer(problem, SCALES, RATIOS, seed=SEED)) == pictures(
        explorer
    )


def test_browser_finds_the_links(explorer):
    scale, ratio, shown = explorer.children
    ends = [(link.source, link.target) for link in explorer.links]
    assert ((ratio, "index"), (shown, "selected_index")) in ends
    for row in shown.children:
        assert ((scale, "index"), (row, "selected_index")) in ends


def test_browser_brings_finer_sliders_that_compute(explorer):
    scale, ratio = explorer.children[:2]
    drawn = pictures(explorer)[ratio.index][scale.index]
    *sliders, picture = in_browser(explorer).children
    assert [slider.value for slider in sliders] == [scale.value, ratio.value, SEED]
    assert picture.value == drawn
    for slider in sliders:
        before = image(picture.value)
        slider.set_state({"index": slider.index - 1 if slider.index else 1})
        assert image(picture.value) != before
    assert picture.value == explorer.html(*(slider.value for slider in sliders))
    assert "α = 0.0794, η̃ = 0.794" in picture.value


def test_finer_sliders_keep_every_choice(explorer):
    coarse = explorer.children[:2]
    for before, after in zip(coarse, in_browser(explorer).children[:2], strict=True):
        assert set(before.options) < set(after.options)
        values = [value for _, value in after.options]
        assert len(values) == 10 * (len(before.options) - 1) + 1
        assert values == sorted(values)


def test_a_second_message_of_the_browser_changes_nothing(explorer):
    shown = explorer.children[-1]
    sliders = in_browser(explorer).children[:2]
    options = [slider.options for slider in sliders]
    shown.set_state({"selected_index": 0 if shown.selected_index else 1})
    assert [slider.options for slider in explorer.children[:2]] == options


def test_places_without_widgets_show_the_first_picture(explorer):
    bundle = explorer._repr_mimebundle_()
    scale, ratio, shown = explorer.children
    first = shown.children[ratio.index].children[scale.index].value
    assert base64.b64decode(bundle["image/png"]) == image(first)
    assert bundle["text/plain"] == "RecoveryExplorer"
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_stalled_flow_is_named():
    problem = wn.sparse_problem(3, 6, sparsity=1, seed=22)
    html = widgets.recovery_explorer(problem, (1, 3), (1, 100), first=(1, 1), seed=0).html(
        1, 100, 0
    )
    assert "; no magnification: WN-GD stalled" in html


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scales": [0.1]}, r"scales must be at least two numbers, ascending; got \[0.1\]"),
        ({"ratios": [1, 0.1]}, r"ratios must be at least two numbers, ascending"),
        ({"scales": [0, 1]}, "an entry of scales must be positive and finite; got 0"),
        ({"first": (0.1, 0.2)}, r"first must be one of .* and one of .*; got \(0.1, 0.2\)"),
        ({"seed": -1}, "seed must be at least 0; got -1"),
    ],
)
def test_refuses_what_it_cannot_show(problem, arguments, message):
    with pytest.raises(ValueError, match=message):
        widgets.recovery_explorer(problem, **{"seed": 1} | arguments)


def test_refuses_a_problem_without_signal(problem):
    with pytest.raises(ValueError, match="has no signal"):
        widgets.recovery_explorer(wn.Problem(problem.A, problem.b), seed=1)


def test_thin_lines_keep_their_colours():
    figure = Figure(figsize=(3, 2), dpi=100)
    ax = figure.subplots()
    colours = *plotting.SHADES, plotting.VERMILLION, plotting.GREY
    for k, colour in enumerate(colours):
        ax.plot([0, 1], [k, k], color=colour, lw=2)
        ax.fill_between([0, 1], k, 0, color=colour, alpha=0.2, lw=0)
    picture = Image.open(io.BytesIO(widgets.compressed(figure))).convert("RGB")
    kept = {colour for _, colour in picture.getcolors()}
    assert len(kept) <= widgets.PALETTE
    for colour in colours:
        wanted = np.array(ImageColor.getrgb(colour))
        assert min(np.abs(wanted - found).max() for found in kept) < widgets.APART, colour


def test_figure_without_ground_keeps_all_colours():
    figure = Figure(figsize=(1, 1), dpi=100, facecolor="none")
    figure.add_axes((0.1, 0.1, 0.8, 0.8)).imshow(np.arange(64).reshape(8, 8), aspect="auto")
    picture = Image.open(io.BytesIO(widgets.compressed(figure)))
    assert picture.mode == "RGBA" and picture.getpixel((0, 0))[3] == 0
    assert len(picture.getcolors(10_000)) > 64
