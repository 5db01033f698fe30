"""The figures of the chapter on depth: what they compute, and how it is drawn.

What is computed here takes any settings: where a flow does not arrive, or a step carries a weight
through zero, there is a NaN.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wnlib._types import Floats
from wnlib.figures.methods import COLORS as METHOD_COLORS
from wnlib.figures.methods import METHODS, flow_of
from wnlib.figures.plotting import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    PURPLE,
    STYLE,
    VERMILLION,
    band,
    label,
)
from wnlib.figures.studies import Data, Study
from wnlib.flows import Flow, WeightNormFlow, squared_radius
from wnlib.l1.linear_program import min_l1, shortest
from wnlib.problems import Problem, initial_weights, sparse_problem
from wnlib.results import Status, broke_off
from wnlib.roads.descend import descend
from wnlib.roads.integrate import integrate
from wnlib.roads.limit import limit
from wnlib.theory.escape import escape_time_bounds
from wnlib.theory.shape import norm_weights, robust_effective_start

COLORS = (VERMILLION, BLUE, GREEN, PURPLE)  # of depths
FLOOR = 1e-13  # below is the rounding of limits, not their error
GROUND = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # of letters upon a line
ARRIVED = 0.1  # relative residual at which a flow counts as having left its start
PATIENCE = 1e10  # no longer times are waited for
# Of an integration whose time is wanted to two digits.
EFFORT: dict[str, Any] = {"rtol": 1e-5, "max_steps": 2500}


def wall(depth: float, z: Floats, xi: Floats) -> float:
    """Return the scale at which ``alpha xi`` is as long as the weights at ``z``."""
    return float(np.sqrt(squared_radius(z, depth) / np.sum(xi**2)))


def setting(
    seed: int, draw: int, n_measurements: int, n_features: int, sparsity: int
) -> tuple[Problem, Floats]:
    """Return a problem, and the start of scale 1."""
    problem = sparse_problem(n_measurements, n_features, sparsity, seed=(seed, draw))
    return problem, initial_weights(problem, 1.0, seed=(seed, draw, 1))


def trial(
    *,
    seed: int,
    draw: int,
    depth: float,
    method: str,
    n_measurements: int,
    n_features: int,
    sparsity: int,
    ratio: float,
    lowest: float,
    n_scales: int,
    step: float,
    n_steps: int,
) -> dict[str, Any]:
    """Compute the errors of one method on one problem, at all scales of one start.

    ``step`` is that of depth 1: the step taken is ``step / depth``.
    """
    problem, xi = setting(seed, draw, n_measurements, n_features, sparsity)
    scales, flow = scales_from(lowest, n_scales), flow_of(method, depth, ratio)
    starts = scales[:, None] * xi
    ends = limit(flow, problem, starts)
    certified = np.array([status is Status.CONVERGED for status in ends.status])
    run = descend(flow, problem, starts, step=step / depth, n_steps=n_steps)
    edge = wall(depth, problem.split(min_l1(problem).z), xi)
    timed = np.where(scales < edge, scales, np.nan)[::2, None] * xi
    return {
        "limit_error": np.where(certified, problem.error(ends.effective), np.nan),
        "error": np.where(broke_off(run.status), np.nan, run.error),
        "time": arrivals(flow, problem, timed),
        "wait": np.array([shortest_wait(depth, problem, x0) for x0 in timed]),
        "wall": edge,
    }


def scales_from(lowest: float, n_scales: int) -> Floats:
    """Return scales of starts from ``lowest`` to 1, geometrically."""
    return np.geomspace(lowest, 1.0, n_scales)


def arrivals(flow: Flow, problem: Problem, starts: Floats) -> Floats:
    """Return the times at which a flow has reached a residual of :data:`ARRIVED`.

    NaN where it is later than :data:`PATIENCE`, or for a start of NaN.
    """
    times = np.full(len(starts), np.nan)
    for k, x0 in enumerate(starts):
        if np.isnan(x0).any():
            continue
        run = integrate(flow, problem, x0, PATIENCE, residual_tol=ARRIVED, **EFFORT)
        if run.status is Status.CONVERGED:
            times[k] = run.times[-1]
    return times


def shortest_wait(depth: float, problem: Problem, x0: Floats) -> float:
    """Return the best lower bound of ``prop-escape`` on the time the plain flow waits.

    The best over levels up to 0.8, which each weight of the signal, at least 1, passes.
    """
    levels = np.geomspace(1.05 * x0.max(), 0.8, 30)
    if not levels[0] < 0.8:
        return np.nan
    return max(escape_time_bounds(depth, problem, x0, level)[0] for level in levels)


def grid(
    seed: int = 0,
    n_draws: int = 5,
    depths: Sequence[float] = (2, 3, 4, 6),
    n_measurements: int = 40,
    n_features: int = 100,
    sparsity: int = 5,
    ratio: float = 0.5,
    lowest: float = 0.01,
    n_scales: int = 13,
    step: float = 0.03,
    n_steps: int = 20_000,
) -> dict[str, Any]:
    """Return the points of the figures."""
    return {
        "seed": seed,
        "draw": range(n_draws),
        "depth": list(depths),
        "method": list(METHODS),
        "n_measurements": n_measurements,
        "n_features": n_features,
        "sparsity": sparsity,
        "ratio": ratio,
        "lowest": lowest,
        "n_scales": n_scales,
        "step": step,
        "n_steps": n_steps,
    }


# Runs that have not converged after all steps, and limits beside the wall, magnify the rounding
# of other machines; errors below 1e-9 are no part of any picture or sentence.
compute = Study("figure_4", trial, grid, rtol=1e-3, atol=1e-9)


def draw(ax: Axes, data: Data, depth: float) -> Axes:
    """Draw errors against the scale, at one depth: limits as lines, finite steps hollow."""
    for method, color in METHOD_COLORS.items():
        part = data.where(depth=depth, method=method)
        scales = scales_from(data.settings["lowest"], data.settings["n_scales"])
        limits = np.maximum(part["limit_error"].T, FLOOR)
        known = np.isfinite(limits).all(axis=1)
        band(ax, scales[known], limits[known], center=np.median, color=color)
        middle = np.median(part["error"], axis=0)  # NaN where a run broke off
        ax.plot(scales, middle, "o", color=color, mfc="white")
        above = method == "GD"  # on which side of a rising line there is room
        at = 0.1 if above else 0.016
        height = float(np.interp(at, scales, np.median(limits, axis=1)))
        if np.isfinite(height):
            style: dict[str, Any] = {"ha": "right" if above else "left", "color": color}
            style["xytext"] = (-5, 12) if above else (0, -16)
            label(ax, at, height, f"{method}, limit", **style)
    edge = float(np.median(data.where(depth=depth)["wall"]))
    ax.axvspan(edge, 1.0, color=GREY, alpha=0.15, linewidth=0, zorder=0)
    label(ax, edge, 1e-10, "longer than\nthe signal", xytext=(4, 0))
    ax.set(xscale="log", yscale="log", xlim=(scales[0] / 1.1, 1.05), ylim=(1e-14, 30))
    ax.set(title=f"$L = {depth:g}$", ylabel="relative error")
    return ax


def draw_depths(axes: Sequence[Axes], data: Data, depths: Sequence[float]) -> Sequence[Axes]:
    """Draw :func:`draw` for each depth, one above the other."""
    for ax, depth in zip(axes, depths, strict=True):
        draw(ax, data, depth)
    axes[-1].set_xlabel(r"scale $\alpha$ of the start")
    return axes


def page(data: Data, depth: float) -> tuple[Figure, str]:
    """Return a picture of :func:`draw`, and the text that stands for it."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6, 3.8))
        draw(figure.subplots(), data, depth).set_xlabel("scale of the start")
    part = data.where(depth=depth, method="WN-GD")
    arrived = int(np.sum(np.median(part["error"], axis=0) < 0.1))
    return figure, (
        f"errors of limits and of finite steps; the steps of WN-GD come close at {arrived} scales."
    )


def accurate_up_to(scales: Floats, errors: Floats, tol: float) -> float:
    """Return the scale at which errors leave a tolerance, between those of the grid.

    NaN if even the smallest start exceeds it.
    """
    log_errors = np.log(np.maximum(errors, FLOOR) / tol)
    above = log_errors > 0
    if above[0] or not np.isfinite(log_errors).all():
        return np.nan
    k = int(above.argmax()) if above.any() else len(scales) - 1
    return float(np.exp(np.interp(0.0, log_errors[k - 1 : k + 1], np.log(scales[k - 1 : k + 1]))))


def in_range(scale: float) -> str:
    """Return what :func:`accurate_up_to` found, in words."""
    return f"up to {scale:.3f}" if np.isfinite(scale) else "nowhere"


def even_limits(
    problem: Problem, depths: Sequence[float], ratio: float, scales: Floats
) -> dict[float, Floats]:
    """Return the errors of weight normalization's limits from even starts, by depth."""
    starts, errors = scales[:, None] * np.ones(problem.n_weights), {}
    for depth in depths:
        ends = limit(WeightNormFlow(depth, ratio), problem, starts)
        arrived = np.array([status is Status.CONVERGED for status in ends.status])
        errors[depth] = np.where(arrived, problem.error(ends.effective), np.nan)
    return errors


def ends_of_range(problem: Problem, depths: Sequence[float]) -> dict[float, float]:
    """Return the effective weights of the even start as long as the signal, by depth."""
    z = problem.split(min_l1(problem).z)
    return {depth: robust_effective_start(depth, z) for depth in depths}


def draw_units(
    axes: Sequence[Axes], scales: Floats, errors: Mapping[float, Floats], ends: dict[float, float]
) -> Sequence[Axes]:
    """Draw the same errors against trained weights, above, and effective weights, below."""
    for power, ax in zip((False, True), axes, strict=True):
        for row, (depth, error) in enumerate(errors.items()):
            color = COLORS[row % len(COLORS)]
            of = depth if power else 1.0
            ax.plot(scales**of, np.maximum(error, FLOOR), color=color)
            edge = ends[depth] ** (of / depth)
            ax.axvline(edge, color=color, ls=":", lw=1.2)
            if power:
                high = 500 if row % 2 else 20  # neighbours not on one line
                style: dict[str, Any] = {"ha": "center", "xytext": (0, 0), "bbox": GROUND}
                label(ax, edge, high, f"$L={depth:g}$", color=color, **style)
            else:
                low = 10.0 ** (-3 - 2 * row)
                label(ax, 0.105, low, f"$L={depth:g}$: ends at {edge:.3f}", color=color)
        ax.set(
            xscale="log", yscale="log", ylim=(FLOOR, 3000 if power else 30), ylabel="relative error"
        )
    ticks = [0.1, 0.2, 0.3, 0.5]
    axes[0].set(xlabel=r"trained weights $\alpha$ at the start", xlim=(0.1, 0.6))
    axes[0].set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes[0].minorticks_off()
    axes[1].set(xlabel=r"effective weights $\alpha^L$ at the start")
    return axes


def draw_times(ax: Axes, data: Data) -> Axes:
    """Draw how many steps the flows' times are, by depth, and the shortest possible wait."""
    settings = data.settings
    scales = scales_from(settings["lowest"], settings["n_scales"])[::2]
    for depth, color in zip(settings["depths"], COLORS, strict=False):
        of_time = depth / settings["step"]  # steps in a unit of time
        for method, look in ("GD", "s"), ("WN-GD", "o"):
            part = data.where(depth=depth, method=method)
            face = color if method == "WN-GD" else "white"
            times = np.nan_to_num(part["time"], nan=np.inf)  # later than was waited for
            middle = of_time * np.median(times, axis=0)
            ax.plot(scales, middle, look, ls="-", lw=1, color=color, mfc=face)
        wait = of_time * np.median(part["wait"], axis=0)
        ax.plot(scales, wait, "--", color=color, lw=1.2)
        if np.isfinite(wait[0]):
            label(ax, scales[0], wait[0], f"$L={depth:g}$", color=color, ha="right", xytext=(-5, 0))
    ax.axhline(settings["n_steps"], color=BLACK, lw=1.2)
    label(ax, 0.3, settings["n_steps"], "our steps", va="bottom")
    ax.set(xscale="log", yscale="log", xlim=(scales[0] / 1.6, 0.6), ylim=(10, 3e11))
    ax.set(xlabel=r"scale $\alpha$ of the start", ylabel="steps")
    return ax


def times_by_ratio(
    depth: float, problem: Problem, x0: Floats, ratios: Sequence[float]
) -> list[tuple[float, float, float]]:
    """Return ratio, error of the limit and time of arrival of weight normalization, by ratio."""
    flows = [WeightNormFlow(depth, ratio) for ratio in ratios]
    return [
        (
            flow.ratio,
            float(limit(flow, problem, x0).error),
            float(arrivals(flow, problem, x0[None])[0]),
        )
        for flow in flows
    ]


def weighted_error(depth: float, problem: Problem, xi: Floats) -> float:
    """Return the error of what vanishing starts of a shape select: ``prop-plain-shape``."""
    goal = shortest(problem, norm_weights(depth, xi))
    return float(problem.error(problem.readout(goal)))
