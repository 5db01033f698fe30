"""The figures of the chapter on polar coordinates: paths of two weights, and a trap.

The trap is to integrate the equations of the length and the direction as they stand.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.integrate import DOP853

from wnlib._checks import Record
from wnlib._types import Floats
from wnlib.figures.plotting import BLACK, BLUE, GREY, SHADES, STYLE, VERMILLION
from wnlib.figures.two_weights import solutions
from wnlib.figures.widgets import Flipbook, choices
from wnlib.flows import WeightNormFlow, normalizes
from wnlib.problems import Problem
from wnlib.results import Trajectory
from wnlib.theory.polar import polar_velocity


def draw_portrait(ax: Axes, paths: Sequence[Trajectory]) -> Axes:
    """Draw the paths of two weights, from one start to the solutions of one equation.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    paths : sequence of Trajectory
        Of one problem with a positive matrix of shape (1, 2), of one depth, from one start.

    Returns
    -------
    matplotlib.axes.Axes
    """
    problem, depth, start = paths[0].problem, paths[0].flow.depth, paths[0].initial
    angle = np.linspace(0, np.pi / 2, 200)
    # near the axes weights change much faster than their powers
    x = np.maximum(solutions(problem, np.sin(angle) ** 2), 0) ** (1 / depth)
    circle = np.linalg.norm(start) * np.array([np.cos(angle), np.sin(angle)])
    ax.plot(*x.T, color=GREY, linewidth=6, alpha=0.5)
    ax.plot(*circle, ":", color=GREY, linewidth=1.5)
    shades = iter(SHADES * len(paths))
    for path in paths:
        if normalizes(path.flow):
            color, style, label = next(shades), "-", rf"$\tilde\eta$ = {path.flow.ratio:g}"
        else:
            color, style, label = VERMILLION, "--", "plain flow"
        ax.plot(*path.path.T, style, color=color, label=label)
        ax.plot(*path.weights, "o", color=color, markersize=8, clip_on=False, zorder=3)
    ax.plot(*start, "o", color="black", markersize=8)
    size = 1.15 * max(
        x.max(axis=0).min(), *start, *(weight for path in paths for weight in path.weights)
    )
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(0, size), ylim=(0, size), aspect="equal")
    ax.legend(loc="upper right")
    return ax


def amplified(delta: float, radius: Floats, ratio: float) -> Floats:
    """Return ``|v|^2 - 1`` by the formula of the trap: ``delta * exp((R(0) - R(t)) / ratio)``.

    Parameters
    ----------
    delta : float
        What it is at the first time.
    radius : numpy.ndarray, shape (T,)
        The length, whose square is ``R``.
    ratio : float

    Returns
    -------
    numpy.ndarray, shape (T,)
        Infinite beyond the range of floats.
    """
    with np.errstate(over="ignore"):
        return delta * np.exp((radius[0] ** 2 - radius**2) / ratio)


@dataclass(frozen=True, eq=False)
class OffSphere(Record):
    """Where the polar equations lead from a start off the unit sphere: see :func:`off_the_sphere`.

    Attributes
    ----------
    delta : float
        ``|v|^2 - 1`` at the start.
    times : numpy.ndarray, shape (T,)
        Those that were reached.
    v : numpy.ndarray, shape (T, n_weights)
    r : numpy.ndarray, shape (T,)
    gave_up : bool
        Whether the solver stopped before the last time that was asked for.
    """

    delta: float
    times: Floats
    v: Floats
    r: Floats
    gave_up: bool

    @property
    def off(self) -> Floats:
        """``|v|^2 - 1`` at the times."""
        return np.sum(self.v**2, axis=1) - 1

    def predicted(self, ratio: float) -> Floats:
        """Return what it is by the formula, from the length that this run itself has."""
        return amplified(self.delta, self.r, ratio)


def off_the_sphere(
    flow: WeightNormFlow,
    problem: Problem,
    x0: Floats,
    delta: float,
    times: Sequence[float] | Floats,
    *,
    max_steps: int = 20000,
) -> OffSphere:
    """Integrate the polar equations as they stand, from ``|v|^2 = 1 + delta``.

    Parameters
    ----------
    flow : WeightNormFlow
    problem : Problem
    x0 : array_like, shape (n_weights,)
    delta : float
    times : array_like, shape (T,)
        Increasing and positive.
    max_steps : int
        Of the Runge-Kutta method of order 8.

    Returns
    -------
    OffSphere
        At those of time zero and the given ones that the solver reached.
    """
    r0 = np.linalg.norm(x0)
    start = np.append(x0 / r0 * np.sqrt(1 + delta), r0)

    def velocity(_: float, state: Floats) -> Floats:
        dr, dv = polar_velocity(flow, problem, state[-1], state[:-1])
        return np.append(dv, dr)

    reached, states = [0.0], [start]
    with np.errstate(all="ignore"):  # it may explode: that is what is to be seen
        solver = DOP853(velocity, 0, start, times[-1], rtol=1e-12, atol=1e-14)
        for _ in range(max_steps):
            if solver.status != "running":
                break
            solver.step()
            passed = [t for t in times if solver.t_old < t <= solver.t]
            if passed:
                states += list(solver.dense_output()(passed).T)
                reached += passed
    path, gave_up = np.array(states), solver.status != "finished"
    return OffSphere(delta, np.array(reached), path[:, :-1], path[:, -1], gave_up)


def draw_instability(ax: Axes, runs: Sequence[OffSphere], exact: Trajectory) -> Axes:
    """Draw how far the direction is from the unit sphere, and how far it was predicted to be.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    runs : sequence of OffSphere
    exact : Trajectory
        Of the flow itself.

    Returns
    -------
    matplotlib.axes.Axes
    """
    looks = iter([(VERMILLION, 4), (BLUE, 2)] * len(runs))
    for run in runs:
        color, width = next(looks)
        off = np.abs(run.off)
        label = f"from {run.delta:+.0e}".replace("-", "−")
        ax.loglog(run.times[1:], off[1:], color=color, linewidth=width, label=label)
        if run.gave_up:
            ax.plot(run.times[-1], off[-1], "X", color=color, markersize=12)
    size = abs(runs[0].delta)
    if normalizes(exact.flow):
        predicted = amplified(size, exact.radius_path, exact.flow.ratio)[1:]
        ax.loglog(exact.times[1:], predicted, "--", color="black", linewidth=1.5, label="predicted")
    ax.set(xlabel="time $t$", ylabel=r"$|\,\|v\|^2 - 1\,|$", ylim=(size / 2, 30))
    ax.legend(loc="upper left")
    return ax


def portrait_explorer(
    paths: Sequence[Trajectory], plain: Trajectory, shown: int
) -> Flipbook | None:
    """Show the path of two weights for one ratio after the other, among those of the others.

    Parameters
    ----------
    paths : sequence of Trajectory
        Of weight normalization, each with another ratio, on the problem of :func:`draw_portrait`.
    plain : Trajectory
        Of the plain flow from the same start.
    shown : int
        Which to begin with.

    Returns
    -------
    Flipbook, or None if there are no paths
    """
    if not paths:
        return None
    ratios = [path.flow.ratio for path in paths if normalizes(path.flow)]
    slider = choices("ratio η̃", ratios, ratios[shown % len(ratios)], "of the learning rates")
    pages = [_page(path, plain, paths, ratio) for path, ratio in zip(paths, ratios, strict=True)]
    return Flipbook(slider, pages)


def _page(
    path: Trajectory, plain: Trajectory, others: Sequence[Trajectory], ratio: float
) -> tuple[Figure, str]:
    end, other = (f"({x[0]:.2f}, {x[1]:.2f})" for x in (path.weights, plain.weights))
    angle = np.linspace(0, np.pi / 2, 100)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.6, 5.2))
        ax = figure.subplots()
        for each in others:
            ax.plot(*each.path.T, color=GREY, linewidth=1)
        draw_portrait(ax, [path, plain])
        circle = np.sqrt(ratio) * np.array([np.cos(angle), np.sin(angle)])
        ax.plot(*circle, "--", color=BLACK, linewidth=1.2, label=r"$\|x\|^2 = \tilde\eta$")
        ax.legend(loc="upper right", fontsize=11)
        ax.set_title(rf"$\tilde\eta$ = {ratio:g}: end at x = {end}")
    return figure, (
        f"From ({path.initial[0]:.2f}, {path.initial[1]:.2f}) to {end}; plain flow to {other}. "
        f"Squared length {path.radius_path[0] ** 2:.2f} at first, {path.radius**2:.2f} at last."
    )
