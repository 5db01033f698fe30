"""Error against the scale of the start, as in the paper's Figure 1: computed and drawn.

The paper's Figure 5, that of a signed truth, shares all of this with another setting.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from wnlib._types import Floats
from wnlib.figures import plotting
from wnlib.figures.methods import METHODS, flow_of
from wnlib.figures.studies import Data, Study
from wnlib.flows import squared_radius
from wnlib.l1.linear_program import min_l1
from wnlib.problems import initial_weights, sparse_problem
from wnlib.results import broke_off
from wnlib.roads.descend import descend
from wnlib.roads.limit import limit

PLACES = {"GD": (0.08, 0.08), "limit": (0.13, 1e-13), "steps": (0.02, 3e-9), "region": (0.015, 3)}
DECADES = -1.5, 1.0  # by how much the scales of the figure differ from the one in question


def trial(
    *,
    signed: bool,
    n_measurements: int,
    n_features: int,
    sparsity: int,
    seed: int,
    start_seed: int,
    starts: int,
    depth: float,
    ratio: float,
    step: float,
    n_steps: int,
    method: str,
    scale: float,
) -> dict[str, Any]:
    """Follow a method from all starts of one scale: to the limit, and for a number of steps.

    The starts are the same at each scale, up to it.

    Returns
    -------
    dict
        ``limit_error``, ``error``, relative (NaN where a run of steps broke off); ``limit_status``,
        ``status``; ``R0`` and ``limit_R``, squared lengths of the weights at the start and in the
        limit, each of shape (starts,); and ``shortest``, that at the point of smallest l1 norm: for
        depth 2 this norm, Q.
    """
    shape = n_measurements, n_features, sparsity
    problem = sparse_problem(*shape, seed=seed, signed=signed)
    x0 = initial_weights(problem, scale, seed=start_seed, starts=starts)
    flow = flow_of(method, depth, ratio)
    end = limit(flow, problem, x0)
    run = descend(flow, problem, x0, step, n_steps, times=[step * n_steps])
    return {
        "limit_error": end.error,
        "limit_status": [str(status) for status in end.status],
        "error": np.where(broke_off(run.status), np.nan, run.error),
        "status": [str(status) for status in run.status],
        "R0": (x0**2).sum(axis=1),
        "limit_R": np.asarray(end.radius) ** 2,
        "shortest": squared_radius(problem.split(min_l1(problem).z), depth),
    }


def grid(
    seed: int = 0,
    start_seed: int = 2,
    starts: int = 5,
    n_measurements: int = 40,
    n_features: int = 100,
    sparsity: int = 5,
    depth: float = 2,
    ratio: float = 0.1,
    scale: float = 0.1,
    step: float = 0.01,
    n_steps: int = 50_000,
    decades: Sequence[float] = DECADES,
    per_decade: int = 8,
    signed: bool = False,
) -> dict[str, Any]:
    """Return the points of the figure: both methods, at scales around the one in question."""
    first, last = (round(each * per_decade) for each in decades)
    return {
        "signed": signed,
        "n_measurements": n_measurements,
        "n_features": n_features,
        "sparsity": sparsity,
        "seed": seed,
        "start_seed": start_seed,
        "starts": starts,
        "depth": depth,
        "ratio": ratio,
        "step": step,
        "n_steps": n_steps,
        "method": METHODS,
        "scale": scale * 10 ** (np.arange(first, last + 1) / per_decade),
    }


# The steps repeat their rounding errors only up to their order, which the smallest errors are.
RTOL, ATOL = 1e-4, 1e-9
compute = Study("figure_1", trial, grid, rtol=RTOL, atol=ATOL)


def mean(data: Data, column: str, method: str) -> Floats:
    """Return the mean over the starts at each scale, shape (S,); NaN where a run broke off."""
    return data.where(method=method)[column].mean(axis=1)


def wall(data: Data) -> float:
    """Return the scale at which a start is, on average, as long as the shortest solution."""
    lengths = (data["R0"] / data["scale"][:, None] ** 2).mean()
    return float(np.sqrt(data["shortest"][0] / lengths))


def at_scale(data: Data, column: str, method: str, scale: float) -> Floats:
    """Return what a column has at the scale nearest to one, shape (starts,)."""
    part = data.where(method=method)
    return part[column][np.argmin(abs(np.log(part["scale"] / scale)))]


def accurate(data: Data, column: str, method: str, level: float) -> list[tuple[float, float]]:
    """Return the stretches of neighbouring scales at which the mean error is below a level.

    Returns
    -------
    list of (float, float)
        The first and the last scale of each.
    """
    scales = data.where(method=method)["scale"]
    below = mean(data, column, method) < level
    return [(float(scales[i]), float(scales[j])) for i, j in stretches(below)]


def stretches(where: ArrayLike) -> list[tuple[int, int]]:
    """Return the first and the last index of each stretch of neighbours at which something holds.

    Parameters
    ----------
    where : array_like of bool, shape (T,)

    Returns
    -------
    list of (int, int)
    """
    padded = np.concatenate([[False], np.asarray(where, bool), [False]])
    changes = np.flatnonzero(padded[1:] != padded[:-1])
    return [(int(i), int(j) - 1) for i, j in zip(changes[::2], changes[1::2], strict=True)]


def style_of(data: Data, method: str) -> dict[str, Any]:
    """Return colour and marker of a method, as everywhere in the book."""
    flow = flow_of(method, data["depth"][0], data["ratio"][0])
    return {key: plotting.flow_style(flow)[key] for key in ("color", "marker")}


def draw(ax: Axes, data: Data, places: Mapping[str, tuple[float, float]] = PLACES) -> Axes:
    """Draw the errors of the limits as bands, those of the steps as whiskers.

    Where the limits of weight normalization are better, the figure is shaded.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    data : Data
        Of :func:`trial`, at the points of :func:`grid`.
    places : dict
        Where what is written begins, by the keys of :data:`PLACES`; the scale in units of the wall.

    Returns
    -------
    matplotlib.axes.Axes
    """
    scales = np.unique(data["scale"])
    for method in METHODS:
        part, style = data.where(method=method), style_of(data, method)
        plotting.band(ax, scales, part["limit_error"], color=style["color"])
        plotting.whiskers(ax, scales, part["error"], **style)
    better = mean(data, "limit_error", "WN-GD") < mean(data, "limit_error", "GD")
    for i, j in stretches(better):
        plotting.shade(ax, scales[i : j + 1], np.full(j - i + 1, True), "_nolegend_")
    length = "Q" if data["depth"][0] == 2 else r"\sum_n z_n^{2/L}"
    plotting.mark(ax, wall(data), f"$r_0^2 = {length}$", height=0.3)
    for key, (text, color) in _words(data).items():
        share, error = places[key]
        plotting.label(ax, share * wall(data), error, text, color=color, xytext=(0, 0))
    ax.set(xscale="log", yscale="log", ylim=(1e-15, 20))
    ax.set(xlabel=r"scale $\alpha$ of the start", ylabel="relative error")
    return ax


def _words(data: Data) -> dict[str, tuple[str, str]]:
    """Return what is written beside the curves, and its colour."""
    gd, wn = (style_of(data, method)["color"] for method in METHODS)
    return {
        "GD": ("GD", gd),
        "limit": ("WN-GD, limit", wn),
        "steps": (f"WN-GD, {data['n_steps'][0]:,} steps", wn),
        "region": ("shaded: limit of WN-GD is better", plotting.BLACK),
    }


def draw_lengths(ax: Axes, data: Data) -> Axes:
    """Draw the length of the limit against that of the start, in units of the shortest.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    data : Data

    Returns
    -------
    matplotlib.axes.Axes
    """
    for method in METHODS:
        part = data.where(method=method)
        R0, R = (part[name] / part["shortest"][:, None] for name in ("R0", "limit_R"))
        ax.plot(R0.ravel(), R.ravel(), linestyle="none", alpha=0.6, **style_of(data, method))
        height = 1.5 if method == "GD" else 0.8
        plotting.label(ax, 0.1, height, method, color=style_of(data, method)["color"])
    line = np.geomspace(R0.min(), R0.max(), 200)
    dashed: dict[str, Any] = {"linestyle": "--", "color": plotting.BLACK, "linewidth": 1.2}
    ax.plot(line, np.maximum(line, 1), **dashed)
    plotting.label(ax, 2.5, 4.5, "max(1, $r_0^2/Q$)", ha="right")
    ax.set(xscale="log", yscale="log", ylim=(0.6, None))
    ax.set(xlabel="start: $r_0^2 / Q$", ylabel=r"limit: $r_\infty^2 / Q$")
    return ax


def short(error: float) -> str:
    """Write an error with one digit, in seven characters; what is below 1e-11 is rounding."""
    return " <1e-11" if error < 1e-11 else f"{error:7.0e}"


def in_words(value: float, digits: int = 2) -> str:
    """Write a positive number as :func:`plotting.in_words` does; for any other, a dash."""
    return plotting.in_words(np.log10(value), digits) if 0 < value < np.inf else "–"
