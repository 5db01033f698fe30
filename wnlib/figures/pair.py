"""Explorers of the smallest example, one measurement of two weights, as the ratio moves.

Each page is drawn from trained weights, and tells the same in its alternative text.
"""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from wnlib._types import Floats
from wnlib.figures.plotting import BLACK, BLUE, GREY, STYLE, VERMILLION
from wnlib.figures.two_weights import solutions
from wnlib.figures.weight_norm import fitted_and_predicted, trained
from wnlib.figures.widgets import Flipbook, choices
from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.problems import Problem
from wnlib.results import Status, Trajectory
from wnlib.roads.integrate import integrate
from wnlib.roads.limit import limit
from wnlib.theory.invariants import log_rho
from wnlib.theory.potentials import divergence

RINGS = (
    np.arange(1, 9) / 4
)  # of a quadratic bowl, level sets with these roots are equally far apart


def level_set_explorer(
    depth: float, problem: Problem, x0: Floats, ratios: Sequence[float], shown: int, t_end: float
) -> Flipbook:
    """Show which level set of the divergence from the start touches the solutions, by ratio.

    Parameters
    ----------
    depth : float
    problem : Problem
        Of one measurement and two weights.
    x0 : numpy.ndarray, shape (2,)
    ratios : sequence of float
        The choices.
    shown : int
        Which of them to begin with.
    t_end : float
        How long to follow the trained weights.

    Returns
    -------
    Flipbook
    """
    flows = [WeightNormFlow(depth, ratio) for ratio in ratios]
    slider = choices("ratio η̃", ratios, ratios[shown % len(ratios)], "of the learning rates")
    return Flipbook(slider, [_level_sets(flow, problem, x0, t_end) for flow in flows])


def _level_sets(
    flow: WeightNormFlow, problem: Problem, x0: Floats, t_end: float
) -> tuple[Figure, str]:
    def height(points: Floats) -> Floats:
        unit = float(x0 @ x0)
        return np.array([divergence(flow, z, np.log(x0), unit=unit) for z in points])

    times = np.geomspace(1e-9 * t_end, t_end, 300)
    run = integrate(flow, problem, x0, t_end, times=times, form="weights", residual_tol=1e-9)
    path, line = run.path**flow.depth, solutions(problem, np.linspace(0, 1, 401))
    reach = 1.15 * np.nanmax([*line[[0, -1]], path.max(axis=0)], axis=0)
    axes = (top * np.linspace(0, 1, 41) ** 2 for top in reach)  # level sets bend at the axes
    x, y = np.meshgrid(*axes)
    heights = height(np.stack([x, y], axis=-1).reshape(-1, 2)).reshape(x.shape)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6, 4.8))
        ax = figure.subplots()
        said = "No solution."
        if np.isfinite(line).all():
            over = height(line)
            touch = line[over.argmin()]
            ax.contour(x, y, heights, over.min() * RINGS**2, colors=GREY, linewidths=1.2)
            ax.contour(x, y, heights, [over.min()], colors=BLACK, linewidths=2.5)
            ax.plot(*line.T, color=VERMILLION, lw=3, label="solutions")
            said = f"The lowest level set that reaches a solution does so at {_pair(touch)}."
        ax.plot(*path.T, color=BLUE, lw=3, label="trained weights")
        ax.plot(*path[0], "o", color=BLUE, ms=7, mfc="white", mew=2, clip_on=False, zorder=3)
        ax.plot(*path[-1], "o", color=BLUE, ms=9, clip_on=False, zorder=3)
        ax.set(xlim=(0, reach[0]), ylim=(0, reach[1]), xlabel="$z_1$", ylabel="$z_2$")
        ax.set_title(rf"$\tilde\eta$ = {flow.ratio:g}: end at {_pair(path[-1])}")
        ax.grid(visible=False)
        ax.legend(loc="upper right", frameon=True, framealpha=1, edgecolor="none")
    return figure, f"Trained weights go from {_pair(path[0])} to {_pair(path[-1])}. {said}"


def rho_explorer(
    depth: float, problem: Problem, x0: Floats, ratios: Sequence[float], shown: int
) -> Flipbook:
    """Show where the length ends on the curve whose rise is ``log rho``, by ratio.

    Parameters
    ----------
    depth, problem, x0, ratios, shown
        As for :func:`level_set_explorer`.

    Returns
    -------
    Flipbook
    """
    runs = [trained(WeightNormFlow(depth, ratio), problem, x0) for ratio in ratios]
    found = np.array([(run.radius**2, *fitted_and_predicted(run)) for run in runs])
    slider = choices("ratio η̃", ratios, ratios[shown % len(ratios)], "of the learning rates")
    pages = [_rise(depth, ratio, x0, found, k) for k, ratio in enumerate(ratios)]
    return Flipbook(slider, pages)


def _rise(depth: float, ratio: float, x0: Floats, found: Floats, here: int) -> tuple[Figure, str]:
    R0, (R, measured, predicted) = float(x0 @ x0), found[here]
    top = 1.3 * max(R0, *found[:, 0])
    lengths = np.linspace(top / 400, top, 400)
    curve = WeightNormFlow(depth, ratio).log_rho(np.sqrt(R0), np.sqrt(lengths))
    known = found[np.isfinite(found).all(axis=1)]
    low, high = np.min(known[:, 2], initial=-1.0), np.max(known[:, 2], initial=1.0)
    room = 0.15 * (high - low)
    arrived = np.isfinite(measured)
    says = f"log ρ = {predicted:.2f}, like a {'smaller' if predicted > 0 else 'larger'} start"
    says = says.replace("-", "−") if arrived else "it does not arrive"
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6, 4.2))
        ax = figure.subplots()
        ax.axhline(0, color=BLACK, lw=1, ls="--")
        ax.plot(known[:, 0], known[:, 2], "o", color=GREY, ms=5, label="ends, other ratios")
        ax.plot(lengths, curve, color=BLUE, zorder=1.9)
        ax.plot(R0, 0, "o", color=BLACK, ms=8, label="start, $R_0$")
        if arrived:
            ax.plot(R, predicted, "o", color=BLUE, ms=8, label=r"end, $R_\infty$")
            ax.plot(R, measured, "o", color=BLACK, ms=14, mfc="none", mew=1.5, label="measured")
        ax.set(xlim=(0, top), ylim=(low - room, high + room))
        ax.set(xlabel="squared length $R$", ylabel=r"$\log\,(\kappa(\sqrt{R})/\kappa(r_0))^L$")
        ax.set_title(rf"$\tilde\eta$ = {ratio:g}: {says}")
        ax.legend(loc="upper left")
    return figure, (
        f"{says}; squared length {R0:.2f} at the start, {R:.2f} at the end; "
        f"measured from the end points: {measured:.2f}."
    )


def _pair(point: Floats) -> str:
    return f"({point[0]:.2f}, {point[1]:.2f})"


def root_explorer(
    depth: float, problem: Problem, x0: Floats, ratios: Sequence[float], shown: int
) -> Flipbook:
    """Show where the path of plain limits gives its own scale back, by ratio.

    Parameters
    ----------
    depth, problem, x0, ratios, shown
        As for :func:`level_set_explorer`.

    Returns
    -------
    Flipbook
    """
    grid = np.linspace(-4, 10, 71)  # as far as log rho goes in the smallest example
    path = limit(PlainFlow(depth), problem, x0 * np.exp(-grid[:, None] / depth))
    runs = [trained(WeightNormFlow(depth, ratio), problem, x0) for ratio in ratios]
    answers = [np.asarray(log_rho(run.flow, x0, path.weights)) for run in runs]
    slider = choices("ratio η̃", ratios, ratios[shown % len(ratios)], "of the learning rates")
    pages = [_root(grid, path.effective, runs, answers, k, ratio) for k, ratio in enumerate(ratios)]
    return Flipbook(slider, pages)


def _root(
    grid: Floats,
    path: Floats,
    runs: Sequence[Trajectory],
    answers: Sequence[Floats],
    here: int,
    ratio: float,
) -> tuple[Figure, str]:
    run = runs[here]
    arrived = run.status is Status.CONVERGED
    root = float(log_rho(run.flow, run.path[0], run.weights)) if arrived else np.nan
    says = f"log ρ = {root:.2f}".replace("-", "−") if arrived else "it does not arrive"
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6, 5.6))
        above, below = figure.subplots(2, sharex=True, height_ratios=(3, 2))
        for k, answer in enumerate(answers):
            look = (GREY, 1, 1.8) if k != here else (BLUE, 2.5, 2)
            above.plot(grid, answer, color=look[0], lw=look[1], zorder=look[2])
        above.plot(grid, grid, color=BLACK, lw=1.2)
        above.plot(root, root, "o", color=BLUE, ms=10, mfc="white", mew=2, zorder=3)
        for n, (color, dash) in enumerate(((BLUE, "-"), (VERMILLION, "--"))):
            below.plot(grid, path[:, n], dash, color=color, label=f"$z_{n + 1}(s)$")
            below.plot(root, run.effective[n], "o", color=color, ms=10, mfc="white", mew=2)
        for ax in (above, below):
            ax.axvline(root, color=BLACK, ls=":", lw=1.2, zorder=1)
        above.set(xlim=grid[[0, -1]], ylim=grid[[0, -1]], ylabel=r"$\log\rho$ of $R(s)$")
        below.set(xlabel="$s$", ylabel="plain limit")
        below.legend(loc="upper right")
        above.set_title(rf"$\tilde\eta$ = {ratio:g}: {says}")
    return figure, f"{says}; the flow ends at {_pair(run.effective)}."
