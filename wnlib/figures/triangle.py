"""The triangle of solutions of one measurement of three weights, and how the ratio moves the limit.

A solution is given by its shares ``a_n z_n / b``: not negative, with sum 1. A direction has those
of the solution that the ray through it meets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wnlib._checks import Record
from wnlib._types import Floats
from wnlib.figures.plotting import BLACK, BLUE, GREY, STYLE
from wnlib.figures.widgets import Flipbook, choices
from wnlib.flows import Flow
from wnlib.problems import Problem
from wnlib.results import Status
from wnlib.roads.integrate import integrate
from wnlib.theory.potentials import divergence

PLACE = np.array([[0.0, 0.0], [0.5, 0.75**0.5], [1.0, 0.0]])  # of the three corners on the page
LEVELS = np.linspace(0, 1, 9)[1:-1] ** 2  # of a quadratic bowl, they are equally far apart


@dataclass(frozen=True, eq=False)
class Descent(Record):
    """How trained weights travel over the triangle, and the divergence from the start on it."""

    corners: Floats  # the solutions with one entry; all other points are shares of these
    path: Floats  # the directions of the effective weights, shape (T, 3)
    end: Floats  # NaN if the path does not arrive
    bottom: Floats  # where the divergence is least
    points: Floats  # a lattice, shape (k, 3)
    heights: Floats  # the divergence there, scaled to [0, 1], shape (k,)


def lattice(sides: int) -> Floats:
    """Return points of the triangle, with ``sides`` steps on each side."""
    first, second = np.mgrid[: sides + 1, : sides + 1].reshape(2, -1)
    points = np.stack([first, second, sides - first - second], axis=1)
    return points[points[:, 2] >= 0] / sides


def descent(flow: Flow, problem: Problem, x0: Floats, t_end: float) -> Descent | None:
    """Follow trained weights over the triangle; None if the solutions are not a triangle."""
    if problem.A.shape != (1, 3) or problem.signed or not (problem.A * problem.b > 0).all():
        return None
    corners, log_x0, unit = np.diag(problem.b / problem.A[0]), np.log(x0), float(x0 @ x0)

    def height(points: Floats) -> Floats:
        return np.array([divergence(flow, z, log_x0, unit=unit) for z in points @ corners])

    times = np.geomspace(1e-6 * t_end, t_end, 200)
    run = integrate(flow, problem, x0, t_end, times=times, form="weights", residual_tol=1e-9)
    path = run.path**flow.depth * np.abs(problem.A)
    path = path / path.sum(axis=1, keepdims=True)
    end = path[-1] if run.status is Status.CONVERGED else np.full(3, np.nan)
    heights = height(points := lattice(64))
    bottom, star = points[heights.argmin()], lattice(9) - 1 / 3
    for halvings in range(1, 9):  # the divergence is convex: its least value is not far
        near = np.array([point for point in bottom + star / 2**halvings if point.min() >= 0])
        bottom = near[height(near).argmin()]
    heights = (heights - heights.min()) / (np.ptp(heights) or 1.0)
    return Descent(corners, path, end, bottom, points, heights)


def draw_descent(ax: Axes, shown: Descent, marks: Mapping[str, tuple[Floats, Any]]) -> Axes:
    """Draw level sets and a path, and marks, each a name with points and their style."""
    x, y = (shown.points @ PLACE).T
    ax.tricontour(x, y, shown.heights, levels=LEVELS, colors=[GREY])
    ax.plot(*PLACE[[0, 1, 2, 0]].T, color=BLACK, lw=1.5)
    ax.plot(*(shown.path @ PLACE).T, color=BLUE, lw=3, label="direction")
    for label, (points, look) in marks.items():
        style = {"color": BLACK, "marker": "o", "ls": "", "mfc": "none", "mew": 2} | look
        ax.plot(*(points.reshape(-1, 3) @ PLACE).T, label=label, **style)
    for place, corner, side in zip(PLACE, shown.corners, ("top", "bottom", "top"), strict=True):
        text = f"({', '.join(f'{z:.3g}' for z in corner)})\nnorm {corner.sum():.3g}"
        away = (0, 6 if side == "bottom" else -9)
        ax.annotate(text, place, away, textcoords="offset points", ha="center", va=side, size=11)
    ax.set(xlim=(-0.17, 1.17), ylim=(-0.16, 1.04), aspect="equal")
    ax.set_axis_off()
    return ax


def ratio_explorer(
    plain: Descent | None, moved: Mapping[float, Descent | None], first: int
) -> Flipbook | None:
    """Show how the ratio moves the level sets and the end: descents by ratio, and the plain one."""
    if plain is None or not (found := {ratio: each for ratio, each in moved.items() if each}):
        return None
    ends, begin = np.array([each.end for each in found.values()]), [*found][first % len(found)]
    pages = [_page(ratio, each, plain.end, ends) for ratio, each in found.items()]
    return Flipbook(choices("ratio η̃", [*found], begin, "of the learning rates"), pages)


def _page(ratio: float, shown: Descent, plain: Floats, ends: Floats) -> tuple[Figure, str]:
    points = shown.path[0], shown.end, shown.bottom, plain
    said = [f"({', '.join(f'{share:.2f}' for share in point)})" for point in points]
    norm = f"{(shown.end @ shown.corners).sum():.3f}"
    marks = {
        "start": (shown.path[0], {"mfc": BLACK, "ms": 5}),
        "its end": (shown.end, {"color": BLUE, "ms": 13, "mew": 3}),
        "lowest point": (shown.bottom, {"marker": "+", "ms": 11, "zorder": 3}),
        "end of plain flow": (plain, {"marker": "s", "ms": 9}),
        "of other ratios": (ends, {"color": GREY, "mfc": GREY, "ms": 5, "zorder": 1.9}),
    }
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5, 4.6))
        ax = draw_descent(figure.subplots(), shown, marks)
        ax.set_title(rf"$\tilde\eta$ = {ratio:g}: the path ends at norm {norm}")
        ax.legend(loc="upper left", bbox_to_anchor=(-0.05, 1.02), fontsize=10)
    return figure, (
        f"Triangle of solutions, points as shares of its corners. Path from {said[0]} to "
        f"{said[1]}, l1 norm {norm}; level sets lowest at {said[2]}; plain flow ends at {said[3]}."
    )
