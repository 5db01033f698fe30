"""Pictures of what holds on the grid of :mod:`wnlib.figures.reach`: shares, and the factor."""

from collections.abc import Iterable
from itertools import product
from typing import Any

import ipywidgets as ipw
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from wnlib._types import Bools
from wnlib.figures import plotting, widgets
from wnlib.figures.reach import ROUNDING, Table
from wnlib.figures.reach_shares import (
    FACTOR,
    SENTENCES,
    another,
    exponent,
    limit_factor,
    only_solution,
    steps_factor,
)

MATRIX_NAMES = {"gaussian": "Gaussian", "rademacher": "±1", "dct": "cosines"}
SIGNAL_NAMES = {"gaussian": "half-normal", "lognormal": "log-normal", "signed": "uniform, ±"}
EXPONENTS, FACTORS = (-10, 109), (1e-2, 1e12)  # what is beyond is drawn at the end


def categories(t: Table) -> list[tuple[str, str, Bools]]:
    """Return the rows of the picture: the group, the name, and which rows of the table it has."""
    shapes = np.stack([t["n_measurements"], t["n_features"], t["sparsity"]], axis=1)
    out = [("all", "all", np.ones(len(shapes), dtype=bool))]
    for shape in dict.fromkeys(map(tuple, shapes.tolist())):
        name = "{} × {}, s = {}".format(*shape)
        out.append(("shape", name, (shapes == shape).all(axis=1)))
    for group, column in ("matrix", "matrix"), ("signal", "signal"), ("step", "step"):
        for value in dict.fromkeys(t[column].tolist()):
            name = f"step {value:g}" if group == "step" else SIGNAL_NAMES.get(value, value)
            name = name if group != "matrix" else MATRIX_NAMES.get(value, value)
            out.append((group, name, t[column] == value))
    return out


def draw(ax: Axes, t: Table) -> Axes:
    """Draw the share of each sentence, in per cent, overall and in each part of the grid."""
    rows = categories(t)
    answers = np.array([sentence.answers(t) for sentence in SENTENCES])
    places, y, previous = [], 0.0, ""
    shade = LinearSegmentedColormap.from_list("", ["white", plotting.BLUE])
    for group, _, part in rows:
        y += 0.35 if group != previous else 0.0
        for k, sentence in enumerate(SENTENCES):
            known = answers[k][part & ~np.isnan(answers[k])]
            if len(known) == 0 or (group == "step" and not sentence.steps):
                continue
            mean = known.mean()
            ax.fill_between([k - 0.5, k + 0.5], y - 0.5, y + 0.5, color=shade(mean), lw=0)
            ink = "white" if mean > 0.9 else "black"
            style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 11, "color": ink}
            ax.text(k, y, f"{100 * mean:.0f}", **style)
        places.append(y)
        y, previous = y + 1, group
    ax.set_yticks(places, [name for _, name, _ in rows], fontsize=11)
    names = [sentence.short for sentence in SENTENCES]
    ax.set_xticks(range(len(SENTENCES)), names, rotation=90, fontsize=11)
    ax.set(xlim=(-0.5, len(SENTENCES) - 0.5), ylim=(y - 0.5, -0.5))
    ax.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    return ax


def _kinds(t: Table) -> Iterable[tuple[str, str, Bools]]:
    """Yield colour, marker and rows: the signal is the shortest, with a choice; or one fails."""
    only, other = only_solution(t), another(t)
    yield plotting.BLUE, "o", ~(only | other)
    yield plotting.PURPLE, "v", only
    yield plotting.VERMILLION, "x", other


def draw_factors(ax: Axes, t: Table, chosen: Bools | None = None, *, steps: bool = False) -> Axes:
    """Draw the factor between the errors against the one that is to be expected.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    t : mapping
    chosen : numpy.ndarray of bool, optional
        The rows to draw in colour, over the others in grey; all by default.
    steps : bool
        After the steps; in the limit by default.
    """
    chosen = np.ones(len(t["Q"]), dtype=bool) if chosen is None else chosen
    x = np.clip(exponent(t), *EXPONENTS)
    y = np.clip(steps_factor(t) if steps else limit_factor(t), *FACTORS)
    ax.plot(x[~chosen], y[~chosen], "o", ms=3, color="#d0d0d0", zorder=1)
    for colour, marker, part in _kinds(t):
        style = (
            {"ms": 5, "mfc": "none"}
            if chosen.all()
            else {"ms": 9, "mew": 3 if marker == "x" else 0}
        )
        ax.plot(x[part & chosen], y[part & chosen], marker, color=colour, **style)
    ax.axhline(FACTOR, color=plotting.BLACK, lw=1.2, ls="--")
    grown = np.array([0, -np.log(ROUNDING)])
    ax.plot(grown, np.exp(grown), color=plotting.BLACK, lw=1)
    ax.set(yscale="log", ylim=(FACTORS[0] / 3, FACTORS[1] * 10), xlim=(EXPONENTS[0] - 3, 112))
    ax.set_xlabel("expected: slack × log ρ")
    ax.set_ylabel("error of GD / error of WN-GD")
    return ax


def label_factors(ax: Axes, *, steps: bool = False) -> Axes:
    """Write beside what :func:`draw_factors` has drawn what it is."""
    right: dict[str, Any] = {"ha": "right", "xytext": (0, 0)}
    plotting.label(ax, 110, 3 * FACTOR, "10⁵", **right)
    if steps:
        plotting.label(ax, 0, 3e11, "as in the\nlimit", ha="right", xytext=(65, 0))
        plotting.label(ax, 30, 2e-2, "WN-GD broke off")
        return ax
    plotting.label(ax, 22, 3e8, "$\\rho^{\\,\\mathrm{slack}}$", color=plotting.BLACK)
    plotting.label(ax, 110, 4e12, "rounding hides the rest", color=plotting.BLUE, **right)
    plotting.label(ax, 110, 8, "no other solution: both exact", color=plotting.PURPLE, **right)
    plotting.label(ax, 10, 2e-2, "signal not the shortest", color=plotting.VERMILLION)
    return ax


def explorer(t: Table) -> widgets.Explorer:
    """Return a picture of the limits with two menus: the kinds of matrix and signal in colour."""
    axes = [list(dict.fromkeys(t[name].tolist())) for name in ("matrix", "signal")]
    pictures = []
    for matrix, signal in product(*axes):
        chosen = (t["matrix"] == matrix) & (t["signal"] == signal)
        figure = Figure(figsize=(5, 3.6), dpi=110)
        figure.set_layout_engine("none")  # it takes longer than all the rest
        label_factors(draw_factors(figure.add_axes((0.18, 0.17, 0.8, 0.8)), t, chosen))
        better = int((limit_factor(t)[chosen] > FACTOR).sum())
        pictures.append((figure, f"above 10⁵ on {better} of {chosen.sum()} problems"))
    menus = [
        ipw.SelectionSlider(
            options=[(names.get(kind, kind), kind) for kind in kinds],
            value=kinds[0],
            description=what,
            layout=widgets.WIDE,
        )
        for what, names, kinds in zip(
            ("matrix", "signal"), (MATRIX_NAMES, SIGNAL_NAMES), axes, strict=True
        )
    ]
    return widgets.Flipbook(menus, pictures)
