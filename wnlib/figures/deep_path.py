"""The path of limits from equal weights, at any depth, and the central path that it tends to."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from wnlib._types import Bools, Floats
from wnlib.figures.plotting import BLACK, BLUE, GREEN, GREY, PURPLE, STYLE, VERMILLION, label
from wnlib.figures.triangle import PLACE
from wnlib.flows import Flow
from wnlib.l1.termination import read_support
from wnlib.problems import Problem
from wnlib.results import Status
from wnlib.roads._training import train
from wnlib.theory.deep_path import path_point

COLOURS = (VERMILLION, GREEN, BLUE, PURPLE, BLACK)


def trained(flow: Flow, problem: Problem, beta: float) -> Floats:
    """Return the effective weights at which training from equal ones ends; NaN if it does not.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    problem : Problem
    beta : float
        Effective weights of the start.

    Returns
    -------
    numpy.ndarray, shape (n_weights,)
    """
    x0 = np.full(problem.n_weights, beta ** (1 / flow.depth))
    run = train(flow, problem, x0)
    found = run.stacked if run.status is Status.CONVERGED else np.full(len(x0), np.nan)
    return np.asarray(found)


def curve(problem: Problem, depth: float, deltas: ArrayLike) -> Floats:
    """Return points of the path of a depth; NaN where none is found, shape (k, n_weights)."""
    deltas = np.asarray(deltas, float)
    points = np.full((len(deltas), problem.n_weights), np.nan)
    for k, delta in enumerate(deltas):
        try:
            points[k] = path_point(problem, delta, depth)[0]
        except ValueError:
            continue
    return points


def draw_triangle(
    ax: Axes, problem: Problem, curves: Mapping[float, Floats], ends: Mapping[float, Floats]
) -> Axes:
    """Draw paths over the triangle of solutions of one measurement of three weights.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    problem : Problem
    curves : mapping
        By depth: points, shape (k, 3).
    ends : mapping
        By depth: where training ended, shape (j, 3).
    """
    shares = problem.A[0] / problem.b[0]
    ax.plot(*PLACE[[0, 1, 2, 0]].T, color=BLACK, lw=1.5)
    for colour, (depth, points) in zip(COLOURS, curves.items(), strict=False):
        name = r"$L \to \infty$" if depth == np.inf else f"$L$ = {depth:g}"
        ax.plot(*((points * shares) @ PLACE).T, color=colour, lw=2.5, label=name)
        if depth in ends:
            x, y = ((ends[depth] * shares) @ PLACE).T
            ax.plot(x, y, "o", color=colour, mfc="white", mew=2, ms=8)
    for place, side, share in zip(PLACE, ("top", "bottom", "top"), shares, strict=True):
        away = (0, 6 if side == "bottom" else -9)
        text = f"norm {1 / share:.3g}"
        ax.annotate(text, place, away, textcoords="offset points", ha="center", va=side, size=12)
    ax.set(xlim=(-0.17, 1.17), ylim=(-0.12, 1.0), aspect="equal")
    ax.set_axis_off()
    ax.legend(loc="upper left", bbox_to_anchor=(0.62, 0.98), fontsize=12)
    return ax


def distances(
    flows: Mapping[str, Sequence[Flow]],
    problem: Problem,
    beta: float,
    points: Mapping[str, Floats],
) -> dict[str, tuple[Floats, Floats]]:
    """Return depths, and distances of logarithms from a point of the central path, by name."""
    found = {}
    for name, each in flows.items():
        ends = [trained(flow, problem, beta) for flow in each]
        far = [np.linalg.norm(np.log(end) - np.log(points[name])) for end in ends]
        found[name] = np.array([flow.depth for flow in each]), np.array(far)
    return found


def draw_distances(ax: Axes, found: Mapping[str, tuple[Floats, Floats]]) -> Axes:
    """Draw them, each beside a line of slope -1 through its last point."""
    for colour, marker, (name, (depths, far)) in zip(
        (VERMILLION, BLUE, GREEN, PURPLE), "sodv", found.items(), strict=False
    ):
        ax.plot(depths, far[-1] * depths[-1] / depths, color=colour, lw=1, ls="--")
        ax.plot(depths, far, marker, color=colour, ms=8)
        label(ax, depths[-1], far[-1], name, color=colour)
    ax.set(xscale="log", yscale="log", xlabel="depth $L$", ylabel="distance of logarithms")
    ax.set_xticks(depths, [f"{depth:g}" for depth in depths])
    ax.minorticks_off()
    return ax


def walk(problem: Problem, deltas: Sequence[float]) -> dict[float, tuple[Floats, Floats]]:
    """Return the points of the central path, ``z`` and ``y``, where they are found."""
    found = {}
    for delta in deltas:
        try:
            found[delta] = path_point(problem, delta)
        except ValueError:
            continue
    return found


def pages(
    problem: Problem, walked: Mapping[float, tuple[Floats, Floats]], on: Bools
) -> list[tuple[Figure, str]]:
    """Return a picture for each point of :func:`walk`: slacks against entries.

    Parameters
    ----------
    problem : Problem
    walked : mapping
    on : numpy.ndarray of bool, shape (n_weights,)
        The support of the solutions of smallest norm.

    Returns
    -------
    list of (Figure, str)
        With the text that stands for each; see :class:`wnlib.figures.widgets.Flipbook`.
    """
    points = [(z, 1 - problem.network_matrix.T @ y) for z, y in walked.values()]
    limits = [
        (min(each.min() for each in values) / 3, max(each.max() for each in values) * 3)
        for values in zip(*points, strict=True)
    ]
    return [_page(delta, *point, on, limits) for delta, point in zip(walked, points, strict=True)]


def _page(
    delta: float, z: Floats, slack: Floats, on: Bools, limits: list[tuple[float, float]]
) -> tuple[Figure, str]:
    gap, right = float(z @ slack), int(np.sum(read_support(z, slack) == on))
    line = np.array(limits[0])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5, 4.2))
        ax = figure.subplots()
        ax.loglog(line, delta / line, color=GREY, lw=1)
        ax.loglog(line, line / z.max(), color=BLACK, lw=1, ls=":")
        ax.loglog(z[~on], slack[~on], "o", color=VERMILLION, mfc="none", ms=7)
        ax.loglog(z[on], slack[on], "o", color=BLUE, ms=7)
        ax.set(xlim=limits[0], ylim=limits[1], xlabel="entry $z_n$", ylabel="slack")
        words = "below the dots: taken\nfor the support"
        ax.text(0.3, 0.04, words, transform=ax.transAxes, fontsize=12)
        ax.set_title(f"gap {gap:.1g}; {right} of {len(z)} on the right side", fontsize=12)
    return figure, (
        f"Slack against entry, all on a falling line where their product is {delta:.1g}. "
        f"The least entry in the support is {z[on].min():.1g}, the largest of the others "
        f"{z[~on].max(initial=0):.1g}. {right} of {len(z)} are on the right side of the dots."
    )
