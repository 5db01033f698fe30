"""What the chapters on the limits of both flows compute and draw.

The relative excess of the l1 norm, and a picture with two weights.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from wnlib._types import Values
from wnlib.figures.plotting import BLACK, BLUE, GREEN, GREY, STYLE, VERMILLION
from wnlib.figures.triangle import PLACE, lattice
from wnlib.figures.two_weights import solutions
from wnlib.figures.widgets import Flipbook, choices
from wnlib.flows import PlainFlow, psi_of_log
from wnlib.l1.linear_program import min_l1
from wnlib.problems import Problem
from wnlib.results import Status, Trajectory
from wnlib.roads.limit import limit

SPREAD = 2.0  # logarithm of the most uneven shape of a start, largest over smallest weight
LARGEST: dict[str, Any] = {  # how a limit is drawn, by which weight of the start is the largest
    "$x_1$": {"color": BLUE, "marker": "o"},
    "$x_2$": {"color": GREEN, "marker": "s"},
    "$x_3$": {"color": VERMILLION, "marker": "D"},
    "a tie": {"color": BLACK, "marker": "X"},
}


def relative_excess(depth: float, problem: Problem, x0: ArrayLike) -> Values:
    """Return the relative excess of the l1 norm at limits of the plain flow.

    By :meth:`wnlib.MinL1.excess`, not as a difference of two nearly equal norms.

    Parameters
    ----------
    depth : float
    problem : Problem
    x0 : array_like, shape (n_weights,) or (starts, n_weights)
        Positive initial weights.

    Returns
    -------
    float, or numpy.ndarray, shape (starts,)
        NaN where the limit is not certified.
    """
    best, end = min_l1(problem), limit(PlainFlow(depth), problem, x0)
    certified = np.asarray(end.status) == Status.CONVERGED
    return np.where(certified, best.excess(end.stacked), np.nan)[()]


def portrait(axes: Sequence[Axes], runs: Sequence[Trajectory], here: int) -> Sequence[Axes]:
    """Draw runs with two weights: effective weights on the left, their mirror image on the right.

    Parameters
    ----------
    axes : sequence of two matplotlib.axes.Axes
    runs : sequence of Trajectory
        On one problem with one measurement and two weights, of one depth.
    here : int
        The run to put in front of the others.

    Returns
    -------
    sequence of matplotlib.axes.Axes
    """
    problem, depth = runs[0].problem, runs[0].flow.depth
    top = 1.08 * np.concatenate([run.path**depth for run in runs]).max(axis=0)
    ends, beyond = np.geomspace(1e-9, 0.5, 500), np.geomspace(1, 1e3, 500)  # these for a ray
    segment = solutions(problem, np.concatenate([ends, 1 - ends[::-1], beyond]))
    segment = segment[(segment > 0).all(axis=1) & (segment <= top).all(axis=1)]
    maps = (lambda z: z), (lambda z: psi_of_log(np.log(z), depth))
    names = r"\tilde x", rf"\psi_{{{depth:g}}}(\tilde x"
    for ax, image, name in zip(axes, maps, names, strict=True):
        for k, run in enumerate(runs):
            points = image(run.path**depth)
            color, width = (BLUE, 3) if k == here else (GREY, 1.2)
            ax.plot(*points.T, color=color, lw=width, zorder=2 + (k == here))
            ax.plot(*points[0], "o", color=color, mfc="white", ms=7, mew=1.5, zorder=3)
        limits = ax.get_xlim(), ax.get_ylim()
        ax.plot(*image(segment).T, color=BLACK, lw=1.5, zorder=1)
        for k, run in enumerate(runs):
            look: dict[str, Any] = (
                {"color": BLUE, "ms": 9} if k == here else {"color": BLACK, "ms": 4}
            )
            ax.plot(*image(run.path[-1] ** depth), "D", zorder=4, **look)
        ax.set(xlim=limits[0], ylim=limits[1])
        close = ")" if "psi" in name else ""
        ax.set(xlabel=f"${name}_1{close}$", ylabel=f"${name}_2{close}$")
    return axes


def portrait_explorer(runs: Sequence[Trajectory], scales: Sequence[float], shown: int) -> Flipbook:
    """Show :func:`portrait` with each of the runs in front, by the scale of its start.

    Parameters
    ----------
    runs : sequence of Trajectory
    scales : sequence of float
        One for each.
    shown : int
        Which to begin with.

    Returns
    -------
    Flipbook
    """
    pages = []
    for here, (run, scale) in enumerate(zip(runs, scales, strict=True)):
        first, last = (f"({z[0]:.2g}, {z[1]:.2g})" for z in (run.path[[0, -1]] ** run.flow.depth))
        with mpl.rc_context(STYLE):
            figure = Figure(figsize=(6, 3.6))
            portrait(figure.subplots(1, 2), runs, here)
            figure.suptitle(rf"$\alpha$ = {scale:g}: from {first} to {last}", fontsize="medium")
        pages.append((figure, f"Effective weights go from {first} to {last}."))
    slider = choices("scale α", scales, scales[shown % len(scales)], "of the initial weights")
    return Flipbook(slider, pages)


def corner_explorer(
    problem: Problem, depths: Sequence[float], scales: Sequence[float], shown: int
) -> Flipbook | None:
    """Show where starts of many shapes lead on the triangle of solutions, by their scale.

    Parameters
    ----------
    problem : Problem
        Of one measurement and three weights.
    depths : sequence of float
        A panel each.
    scales : sequence of float
        The choices: the geometric mean of the initial weights.
    shown : int
        Which of them to begin with.

    Returns
    -------
    Flipbook, or None if the solutions are not a triangle
    """
    if problem.A.shape != (1, 3) or problem.signed or not (problem.A * problem.b > 0).all():
        return None
    slider = choices("scale α", scales, scales[shown % len(scales)], "of the initial weights")
    return Flipbook(slider, [_corners(problem, depths, scale) for scale in scales])


def _corners(problem: Problem, depths: Sequence[float], scale: float) -> tuple[Figure, str]:
    shares = lattice(6)
    shapes = np.exp(SPREAD * (shares - 1 / 3))  # of geometric mean 1
    tied = np.sort(shares)[:, -1] == np.sort(shares)[:, -2]
    groups = [(shares.argmax(axis=1) == n) & ~tied for n in range(3)] + [tied]
    best, said = min_l1(problem).norm, []
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6, 4))
        axes = figure.subplots(1, len(depths), squeeze=False)[0]
        for ax, depth in zip(axes, depths, strict=True):
            ends = limit(PlainFlow(depth), problem, scale * shapes)
            arrived = np.asarray(ends.status) == Status.CONVERGED
            share = ends.stacked * np.abs(problem.A / problem.b)
            ax.plot(*PLACE[[0, 1, 2, 0]].T, color=BLACK, lw=1.5)
            for group, (label, look) in zip(groups, LARGEST.items(), strict=True):
                ax.plot(*(share[arrived & group] @ PLACE).T, ls="", ms=8, label=label, **look)
            for place, norm in zip(PLACE, np.abs(problem.b / problem.A[0]), strict=True):
                away = {"xytext": (0, 16 if place[1] else -16), "textcoords": "offset points"}
                ax.annotate(f"{norm / best:.3g}", place, ha="center", va="center", **away)
            ax.set(xlim=(-0.1, 1.1), ylim=(-0.2, 1.05), aspect="equal", title=f"$L = {depth:g}$")
            ax.set_axis_off()
            near = [int((share[arrived, n] > 0.9).sum()) for n in range(3)]
            said.append(f"at depth {depth:g} {near[0]}, {near[1]} and {near[2]}")
        figure.suptitle(rf"$\alpha$ = {scale:g}", fontsize="medium")
        marks, labels = axes[-1].get_legend_handles_labels()
        figure.legend(marks, labels, loc="outside lower center", ncols=4, markerscale=1.4)
    return figure, f"Of {len(shapes)} limits, near corners 1, 2, 3: {'; '.join(said)}."
