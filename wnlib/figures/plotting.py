"""The figures of the book: each function draws records on an ``Axes`` and returns the ``Axes``.

``import wnlib`` does not load Matplotlib; write ``from wnlib import plotting``. Nothing changes
Matplotlib's settings unasked: ``plt.style.use(plotting.STYLE)`` turns the book's style on.

Colours are those of Okabe and Ito, which people with any common colour vision can tell apart. Since
a colour alone says too little in print, each flow has a marker of its own besides.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import to_rgb
from matplotlib.rcsetup import cycler
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox, IdentityTransform
from numpy.typing import ArrayLike

from wnlib._checks import positive
from wnlib._types import Floats
from wnlib.flows import Flow, PlainFlow, normalizes
from wnlib.results import Result, Trajectory

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#999999"
SHADES = (BLUE, GREEN, PURPLE, ORANGE, SKY)  # of runs of one flow with several ratios

# Sizes in points at a width of six inches: on a phone 13 points become ten pixels.
STYLE: dict[Any, Any] = {
    "figure.figsize": (6.0, 4.2),
    "figure.dpi": 240,  # twice the pixels of a column of 720
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "font.size": 13,
    "axes.titlesize": "medium",
    "axes.labelsize": "medium",
    "legend.fontsize": "small",
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#d9d9d9",
    "lines.linewidth": 2.0,
    "lines.markersize": 5.0,
    "axes.prop_cycle": cycler(color=[BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK]),
}

NEAR = 0.5  # of the size of axes: beside points farther outside, nothing is written
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
QUANTITIES = {
    "error": "relative error",
    "loss": "training loss",
    "radius": "length $r$ of the weights",
    "residual": "relative residual",
}


def in_words(log10: float, digits: int = 2) -> str:
    """Write ``10^log10``, which may be too large for a float: ``0.25``, ``7.4 × 10⁶``.

    With 0 digits, the nearest power of ten: ``10⁶``.
    """
    if digits == 0:
        return f"10{str(round(log10)).translate(SUPERSCRIPT)}"
    if -3 <= log10 < 3:
        return np.format_float_positional(10**log10, digits, fractional=False, trim="-")
    exponent = int(np.floor(log10 - np.log10(1 - 0.5 * 10.0**-digits)))
    mantissa = 10 ** (log10 - exponent)
    return f"{mantissa:.{digits - 1}f} × 10{str(exponent).translate(SUPERSCRIPT)}"


def flow_style(flow: Flow) -> dict[str, Any]:
    """Return the colour, marker and label that a flow has in every figure.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow

    Returns
    -------
    dict
        Keyword arguments for :func:`band`, :func:`history` or ``ax.plot``.
    """
    if flow.motion is PlainFlow:
        return {"color": VERMILLION, "marker": "s", "label": "GD"}
    if normalizes(flow):
        return {"color": BLUE, "marker": "o", "label": rf"WN-GD, $\tilde\eta$ = {flow.ratio:g}"}
    return {"color": BLACK, "marker": "^", "label": type(flow).__name__}


def band(
    ax: Axes,
    x: ArrayLike,
    samples: ArrayLike,
    *,
    center: Callable[..., Any] = np.mean,
    **line: Any,
) -> Axes:
    """Draw the centre of samples as a line, and their range as a band behind it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x : array_like, shape (T,)
    samples : array_like, shape (T, starts)
    center : callable
        Takes ``samples`` and ``axis``: ``np.mean`` or ``np.median``.
    **line
        Passed to ``ax.plot``.

    Returns
    -------
    matplotlib.axes.Axes
    """
    samples = np.asarray(samples)
    (drawn,) = ax.plot(x, center(samples, axis=1), **line)
    low, high = samples.min(axis=1), samples.max(axis=1)
    ax.fill_between(x, low, high, color=drawn.get_color(), alpha=0.2, linewidth=0)
    return ax


def whiskers(ax: Axes, x: ArrayLike, samples: ArrayLike, **line: Any) -> Axes:
    """Draw the mean of samples as markers, and their range as whiskers.

    Parameters
    ----------
    ax, x, samples
        As for :func:`band`.
    **line
        Passed to ``ax.errorbar``; without ``markerfacecolor`` the markers are hollow.

    Returns
    -------
    matplotlib.axes.Axes
    """
    samples = np.asarray(samples)
    middle = samples.mean(axis=1)
    reach = [middle - samples.min(axis=1), samples.max(axis=1) - middle]
    line = {"linestyle": "none", "markerfacecolor": "white", "elinewidth": 1.2, **line}
    # rounding may put the mean of equals outside
    ax.errorbar(x, middle, np.maximum(reach, 0), **line)
    return ax


def series(trajectory: Trajectory, quantity: str) -> Floats:
    """Return one of :data:`QUANTITIES` along a trajectory, shape (T,) or (T, starts)."""
    if quantity not in QUANTITIES:
        raise ValueError(f"quantity must be one of {', '.join(QUANTITIES)}; got {quantity!r}")
    return getattr(trajectory, f"{quantity}_path")


def history(
    ax: Axes,
    trajectory: Trajectory,
    quantity: str = "error",
    *,
    step: float | None = None,
    **line: Any,
) -> Axes:
    """Draw a quantity along a trajectory: the median over the starts, and their range.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Made log-log; of the times, the start 0 is therefore left out.
    trajectory : Trajectory
    quantity : {"error", "loss", "radius", "residual"}
    step : float, optional
        Given the step size, the axis counts iterations instead of time.
    **line
        Passed to ``ax.plot``, over the style of the flow.

    Returns
    -------
    matplotlib.axes.Axes
    """
    values = series(trajectory, quantity)[1:]
    x = trajectory.times[1:] / (1 if step is None else positive("step", step))
    line = flow_style(trajectory.flow) | {"marker": None} | line
    band(ax, x, values.reshape(len(x), -1), center=np.median, **line)
    ax.set(xscale="log", yscale="log", ylabel=QUANTITIES[quantity])
    ax.set_xlabel("time $t$" if step is None else "iterations")
    return ax


def signal(ax: Axes, result: Result, **marks: Any) -> Axes:
    """Draw what a flow recovered, entry by entry, over the true signal.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    result : Result
        Of a single start.
    **marks
        Passed to ``ax.plot``, over the style of the flow.

    Returns
    -------
    matplotlib.axes.Axes
    """
    n = np.arange(result.problem.n_features)
    if result.problem.signal is not None:
        truth = result.problem.signal
        ax.vlines(n[truth != 0], 0, truth[truth != 0], color=GREY, linewidth=5, label="truth")
    line = flow_style(result.flow) | {"linestyle": "none"} | marks
    ax.plot(n, result.effective, **line)
    ax.set(xlabel="entry", ylabel="value")
    return ax


def shade(ax: Axes, x: ArrayLike, where: ArrayLike, label: str, **patch: Any) -> Axes:
    """Shade the stretch of the abscissa, in one piece, on which something holds.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x : array_like, shape (T,)
    where : array_like of bool, shape (T,)
        True on neighbouring points; where it is true nowhere, nothing is shaded.
    label : str
    **patch
        Passed to ``ax.axvspan``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the points do not follow each other: a single stretch would then show what is not so.
    """
    inside = np.flatnonzero(where)
    if len(inside) == 0:
        return ax
    if len(inside) != inside[-1] - inside[0] + 1:
        raise ValueError("where must be true on one stretch of neighbouring points")
    x = np.asarray(x)
    patch = {"color": SKY, "alpha": 0.15, "linewidth": 0, "zorder": 0, **patch}
    ax.axvspan(x[inside[0]], x[inside[-1]], label=label, **patch)
    return ax


def mark(ax: Axes, x: float, text: str, *, height: float = 0.5, **line: Any) -> Axes:
    """Draw a dashed vertical line, with its meaning to its right.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x : float
    text : str
    height : float
        Where to write it, from 0, the lower end, to 1.
    **line
        Passed to ``ax.axvline``.

    Returns
    -------
    matplotlib.axes.Axes
    """
    line = {"color": BLACK, "linestyle": "--", "linewidth": 1.2, **line}
    ax.axvline(x, **line)
    place = {"xycoords": ax.get_xaxis_transform(), "xytext": (5, 0), "va": "center"}
    return _write(ax, text, (x, height), **place)


class _Beside(Annotation):
    """Words beside a point, and none where it is far outside the axes.

    A picture is made as large as what is written in it: a number that has left it, as zero does on
    a logarithmic axis, would make it larger than the memory.
    """

    def near(self) -> bool:
        """Tell whether the point is in the axes or near them."""
        assert isinstance(self.axes, Axes)
        place: Any = self.axes.transData if self.xycoords == "data" else self.xycoords
        box, (x, y) = self.axes.bbox, place.transform(self.xy)
        inside = box.x0 - NEAR * box.width <= x <= box.x1 + NEAR * box.width
        return bool(inside and box.y0 - NEAR * box.height <= y <= box.y1 + NEAR * box.height)

    def draw(self, renderer: RendererBase) -> None:
        """Draw the words, if the point is near."""
        if self.near():
            super().draw(renderer)

    def get_tightbbox(self, renderer: RendererBase | None = None) -> Bbox | None:
        """Return the room of the words, if the point is near."""
        return super().get_tightbbox(renderer) if self.near() else Bbox.null()


def _write(ax: Axes, text: str, xy: tuple[float, float], **style: Any) -> Axes:
    """Write beside a point."""
    style = {"textcoords": "offset points", "annotation_clip": False, "clip_on": False, **style}
    words = _Beside(text, xy, **style)
    words.set_transform(IdentityTransform())
    ax.add_artist(words)
    return ax


def ink(color: Any) -> tuple[float, ...]:
    """Return a colour, darkened until letters stand out from white as WCAG asks for, 4.5 to 1."""
    rgb = np.array(to_rgb(color))
    while True:
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        if linear @ (0.2126, 0.7152, 0.0722) + 0.05 <= 1.05 / 4.5:
            return tuple(rgb.tolist())
        rgb *= 0.97


def label(ax: Axes, x: float, y: float, text: str, **style: Any) -> Axes:
    """Write what a line or a region is beside a point of it, in place of a legend.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x, y : float
        In data coordinates.
    text : str
    **style
        Passed to ``ax.annotate``: ``ha``, ``va``; ``xytext`` in points from there; and ``color``,
        see :func:`ink`.

    Returns
    -------
    matplotlib.axes.Axes
    """
    style = {"xytext": (5, 0), "va": "center", "fontsize": 12, **style}
    style["color"] = ink(style.get("color", BLACK))
    return _write(ax, text, (x, y), **style)
