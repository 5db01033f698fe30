"""Explorers: figures with sliders that work on a page without Python, and do more with it.

On a page, sliders can only choose among pictures drawn in advance; the browser does that by itself.
In a notebook the same explorer computes: the browser's first message, saying which picture it
shows, tells Python that someone is there, and finer sliders take the place of the choices.

``import wnlib`` does not load ipywidgets; write ``from wnlib import widgets``.
"""

import base64
import io
import re
from collections.abc import Sequence
from html import escape
from itertools import pairwise, product
from typing import Any

import ipywidgets as ipw
import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from PIL import Image

from wnlib._checks import count, positive
from wnlib.figures import plotting
from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.problems import Problem, check_signal, initial_weights
from wnlib.results import Limit, Result
from wnlib.roads.limit import LIMIT_RESIDUAL, limit

SCALES = 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 1.0
RATIOS = 0.1, 0.3, 1.0, 10.0
PALETTE, APART = 24, 20  # colours of a picture, and by how much of 255 they differ at least
WIDE = {"width": "100%", "max_width": "40rem"}


def recovery_explorer(
    problem: Problem,
    scales: Sequence[float] = SCALES,
    ratios: Sequence[float] = RATIOS,
    *,
    first: tuple[float, float] = (0.1, 0.1),
    seed: int,
    depth: float = 2,
) -> "RecoveryExplorer":
    """Show what both flows recover, from starts of any scale and with any ratio of learning rates.

    Parameters
    ----------
    problem : Problem
        With a signal.
    scales : sequence of float
        The choices for ``alpha``, ascending; a notebook offers more between them.
    ratios : sequence of float
        The same for the ratio of learning rates.
    first : (float, float)
        The scale and the ratio to begin with, each one of the choices.
    seed : int
        Of the initial weights; a notebook offers others.
    depth : float

    Returns
    -------
    RecoveryExplorer
        A widget: the last line of a cell.
    """
    scales, ratios = ascending("scales", scales), ascending("ratios", ratios)
    check_signal(problem)
    if first[0] not in scales or first[1] not in ratios:
        raise ValueError(f"first must be one of {scales} and one of {ratios}; got {first}")
    return RecoveryExplorer(problem, scales, ratios, first, count("seed", seed, minimum=0), depth)


class Explorer(ipw.VBox):
    """Sliders above pages, of which :attr:`first` is seen at the beginning."""

    first: ipw.HTML

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Add the first picture, for places that show notebooks but no widgets."""
        return super()._repr_mimebundle_(**kwargs) | {
            "text/plain": type(self).__name__,
            "image/png": re.findall('base64,(.*)"', self.first.value)[0],
        }


class RecoveryExplorer(Explorer):
    """Sliders above a picture; made by :func:`recovery_explorer`."""

    def __init__(
        self,
        problem: Problem,
        scales: Sequence[float],
        ratios: Sequence[float],
        first: tuple[float, float],
        seed: int,
        depth: float,
    ) -> None:
        self.problem, self.seed, self.depth = problem, seed, depth
        scale = choices("scale α", scales, first[0], "size of the initial weights")
        ratio = choices("ratio η̃", ratios, first[1], "how fast the length learns")
        pages = [self.view(a, r, seed) for r in ratios for a in scales]
        shown, self.links, self.first = bound([ratio, scale], pages)
        shown.observe(self.go_live, "selected_index")
        super().__init__([scale, ratio, shown])

    def go_live(self, change: dict[str, Any]) -> None:
        """Compute at every move of finer sliders: Python has heard from a browser."""
        change["owner"].unobserve_all("selected_index")  # once
        scale, ratio = map(finer, self.children[:2])
        seeds = range(self.seed, self.seed + 50)
        start = choices("start", seeds, self.seed, "seed of the initial weights")
        picture = self.view(scale.value, ratio.value, start.value)

        def recompute(_: object) -> None:
            picture.value = self.html(scale.value, ratio.value, start.value)

        for slider in (scale, ratio, start):
            slider.observe(recompute, "value")
        self.children: list[ipw.Widget] = [scale, ratio, start, picture]

    def view(self, scale: float, ratio: float, seed: int) -> ipw.HTML:
        """Return a picture with its numbers as a widget."""
        return ipw.HTML(self.html(scale, ratio, seed), layout=WIDE)

    def html(self, scale: float, ratio: float, seed: int) -> str:
        """Compute both limits; return their numbers and their picture."""
        x0 = initial_weights(self.problem, scale, seed)
        plain = limit(PlainFlow(self.depth), self.problem, x0)
        normalized = limit(WeightNormFlow(self.depth, ratio), self.problem, x0)
        numbers = (
            f"relative error of GD {error(plain)}, of WN-GD {error(normalized)}; "
            + magnification(normalized)
        )
        seen = re.sub(r" ([=×]) ", r"&nbsp;\1&nbsp;", numbers[0].upper() + numbers[1:])
        alt = f"Recovered and true signal for α = {scale:.3g}, η̃ = {ratio:.3g}: {numbers}."
        return f'<div style="line-height: 1.4">{seen}</div>' + image(png(plain, normalized), alt)


class Flipbook(Explorer):
    """Sliders above pictures drawn in advance; on a page and in a notebook alike.

    Parameters
    ----------
    sliders : ipywidgets.SelectionSlider, or a sequence of them
        As :func:`choices` makes them.
    pictures : sequence of (Figure, str)
        One for each combination of values, those of the last slider following one another. Each
        with the text that stands for it; the values of the sliders are put before it.
    """

    def __init__(
        self,
        sliders: ipw.SelectionSlider | Sequence[ipw.SelectionSlider],
        pictures: Sequence[tuple[Figure, str]],
    ) -> None:
        sliders = [sliders] if isinstance(sliders, ipw.SelectionSlider) else list(sliders)
        names = [slider.description.split()[-1] for slider in sliders]
        values = list(product(*([value for value, _ in slider.options] for slider in sliders)))
        if len(values) != len(pictures):
            raise ValueError(
                f"pictures must be {len(values)}, one for each value of the sliders; "
                f"got {len(pictures)}"
            )
        pages = []
        for chosen, (figure, text) in zip(values, pictures, strict=True):
            where = ", ".join(map(" = ".join, zip(names, chosen, strict=True)))
            pages.append(ipw.HTML(image(compressed(figure), f"{where}: {text}"), layout=WIDE))
        shown, self.links, self.first = bound(sliders, pages)
        super().__init__([*sliders, shown])


def bound(
    sliders: Sequence[ipw.SelectionSlider], pages: Sequence[ipw.HTML]
) -> tuple[ipw.Stack, list[ipw.Widget], ipw.HTML]:
    """Bind pages together, in the order of :class:`Flipbook`.

    Returns a widget that shows the page of the sliders' values, the links that make it so, which
    the browser carries out as soon as it shows them, and the page to begin with.
    """
    links, shown = [], list(pages)
    for slider in reversed(sliders):
        n = len(slider.options)
        shown = [ipw.Stack(shown[k : k + n]) for k in range(0, len(shown), n)]
        links += [ipw.jsdlink((slider, "index"), (one, "selected_index")) for one in shown]
    first = shown[0]
    for slider in sliders:
        first = first.children[slider.index]
    return shown[0], links, first


def ascending(name: str, values: Sequence[float]) -> list[float]:
    """Return positive ``values`` as a list, or raise ``ValueError``."""
    values = [positive(f"an entry of {name}", value) for value in values]
    if len(values) < 2 or values != sorted(set(values)):
        raise ValueError(f"{name} must be at least two numbers, ascending; got {values}")
    return values


def choices(
    label: str, values: Sequence[float], chosen: float, tooltip: str
) -> ipw.SelectionSlider:
    """Return a slider over some values; its ``index`` can drive a ``Stack``."""
    return ipw.SelectionSlider(
        options=[(f"{value:.3g}" if value < 1000 else str(value), value) for value in values],
        value=chosen,
        description=label,
        tooltip=tooltip,
        layout=WIDE,
        style={"description_width": "5.5rem"},
    )


def finer(slider: ipw.SelectionSlider) -> ipw.SelectionSlider:
    """Return the slider with ten values, equally far apart, for each step it had."""
    values = [value for _, value in slider.options]
    between = [np.geomspace(low, high, 11)[:-1] for low, high in pairwise(values)]
    values = [*np.concatenate(between), values[-1]]
    return choices(slider.description, values, slider.value, slider.tooltip)


def error(result: Result) -> str:
    """Return the relative error in words; what ``limit`` does not promise is rounding."""
    value = float(result.error)
    return plotting.in_words(np.log10(value)) if value > LIMIT_RESIDUAL else "below 10⁻¹²"


def magnification(result: Limit) -> str:
    """Return ``rho`` in words, or why there is none."""
    if np.isnan(result.log_rho):
        return f"no magnification: WN-GD {result.status}"
    return f"magnification ρ = {plotting.in_words(result.log_rho / np.log(10))}"


def png(plain: Result, normalized: Result) -> bytes:
    """Draw the entries of both limits over the truth, and their errors below."""
    style = plotting.STYLE | {"figure.figsize": (5, 4.6), "figure.constrained_layout.use": False}
    margins = {"left": 0.18, "right": 0.98, "top": 0.92, "bottom": 0.13, "hspace": 0.1}
    truth = check_signal(plain.problem)
    with mpl.rc_context(style):
        figure = Figure()
        above, below = figure.subplots(2, sharex=True, height_ratios=(3, 2), gridspec_kw=margins)
        plotting.signal(above, plain, markerfacecolor="none")
        for result, label in ((plain, "GD"), (normalized, "WN-GD")):
            marks = plotting.flow_style(result.flow) | {"label": label, "linestyle": "none"}
            marks["markerfacecolor"] = "none"
            misses = np.abs(result.effective - truth)
            below.plot(np.maximum(misses, LIMIT_RESIDUAL), **marks)
        above.plot(normalized.effective, **marks)
        above.set(xlabel="")
        above.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=3, columnspacing=1)
        below.set(yscale="log", ylim=(LIMIT_RESIDUAL / 5, 50), xlabel="entry", ylabel="error")
        figure.align_ylabels()
        return compressed(figure)


def image(file: bytes, alt: str) -> str:
    """Return a PNG file as an image of a page, with the text that stands for it."""
    data = base64.b64encode(file).decode()
    return f'<img alt="{escape(alt)}" style="width: 100%" src="data:image/png;base64,{data}">'


def compressed(figure: Figure) -> bytes:
    """Return a figure as a PNG file of few colours and, since a page has many, few pixels.

    A figure without a ground, of photographs, keeps all colours.
    """
    file, smaller = io.BytesIO(), io.BytesIO()
    ground = figure.get_facecolor()
    figure.savefig(file, dpi=min(figure.dpi, 150), facecolor=ground)
    image: Image.Image = Image.open(file)
    if to_rgba(ground)[3] > 0:
        image = image.convert("RGB")
        image = image.quantize(palette=palette(image), dither=Image.Dither.NONE)
    image.save(smaller, "png", optimize=True)
    return smaller.getvalue()


def palette(image: Image.Image) -> Image.Image:
    """Return the most frequent colours, but of those that are hardly to be told apart only one.

    So a thin line keeps its colour: the mean of many pixels would make it that of its neighbours.
    """
    counted = image.getcolors(image.width * image.height) or []
    colours = np.array([colour for _, colour in sorted(counted, key=lambda c: (-c[0], c[1]))])
    kept, off = [colours[0]], np.abs(colours - colours[0]).max(axis=1)
    while len(kept) < PALETTE and off.max() >= APART:
        kept.append(colours[np.argmax(off >= APART)])
        off = np.minimum(off, np.abs(colours - kept[-1]).max(axis=1))
    out = Image.new("P", (1, 1))
    out.putpalette(np.array(kept, dtype=np.uint8).tobytes())
    return out
