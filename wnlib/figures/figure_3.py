"""Error against the ratio of the learning rates, as in the paper's Figure 3."""

import warnings
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wnlib._types import Floats
from wnlib.figures import plotting, widgets
from wnlib.figures.methods import flow_of
from wnlib.figures.studies import Data, Study
from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.l1.linear_program import min_l1
from wnlib.problems import initial_weights, sparse_problem
from wnlib.roads.descend import descend
from wnlib.roads.limit import limit
from wnlib.theory.bounds import excess_bound, log_rho_lower_bound
from wnlib.theory.invariants import logarithmic_mean
from wnlib.theory.ratios import best_ratio

SCALES = (0.1, 0.3, 0.5)
# Dense where the error of finite runs turns.
DENSE = (0.01, 0.015, 0.02, 0.027, 0.036, 0.048, 0.065, 0.09, 0.12, 0.16, 0.21, 0.28, 0.38, 0.5)
RATIOS = (0.001, 0.003, *DENSE, 0.7, 1, 2, 5, 10, 30, 100)
COUNTS = (500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
FLOOR = 1e-13  # errors below are drawn there: the rounding of floats is nobody's merit
SEEN = 1e-11  # least error at which a turn is measured: below, descent stops at its tolerance
COLOURS = (plotting.BLUE, plotting.GREEN, plotting.PURPLE, plotting.ORANGE, plotting.SKY)


def trial(
    *,
    seed: int,
    draw: int,
    shape: Sequence[int],
    start_seed: int,
    starts: int,
    scale: float,
    depth: float,
    method: str,
    ratio: float,
    step: float,
    counts: Sequence[int],
) -> dict[str, Any]:
    """Follow one method from several starts of a scale: to its limit, and for some steps.

    Returns
    -------
    dict
        Of shape (starts,): ``limit_error``; ``length``, the squared length of the limit;
        ``log_rho`` and its lower bound ``log_rho_bound``; ``excess``, that of the l1 norm, and its
        ``bound``; ``stalled``, whether there is no limit; ``R0``, and ``crossing``, the logarithmic
        mean of it and the squared length of the plain limit. Of shape (counts, starts): ``error``
        after so many steps. And of the problem ``Q``, the smallest l1 norm.
    """
    M, N, sparsity = shape
    problem = sparse_problem(M, N, sparsity, (seed, draw))
    x0 = np.atleast_2d(initial_weights(problem, scale, seed=start_seed, starts=starts))
    flow = flow_of(method, depth, ratio)
    end, shortest, R0 = limit(flow, problem, x0), min_l1(problem), np.sum(x0**2, axis=1)
    times = step * np.array(counts)
    run = descend(flow, problem, x0, step, int(counts[-1]), times=times)
    rows = np.searchsorted(run.times, times + step / 2) - 1  # a run that is done early has fewer
    stalled, lower, log_rho = np.asarray(end.status) == "stalled", 0 * R0, 0 * R0
    if isinstance(flow, WeightNormFlow):
        lower = np.asarray(log_rho_lower_bound(flow, x0, shortest.norm))
        ends = np.where(stalled, np.nan, end.radius)
        log_rho = np.asarray(flow.log_rho(np.sqrt(R0), ends))
    radius = np.asarray(limit(PlainFlow(depth), problem, x0).radius)
    return {
        "limit_error": end.error,
        "length": np.asarray(end.radius) ** 2,
        "log_rho": log_rho,
        "log_rho_bound": lower,
        "excess": shortest.excess(end.effective),
        "bound": excess_bound(depth, x0, shortest.norm, log_rho),
        "stalled": stalled,
        "R0": R0,
        "crossing": logarithmic_mean(R0, radius**2),
        "error": run.error_path[rows],
        "Q": shortest.norm,
    }


def grid(
    seed: int = 0,
    n_problems: int = 3,
    n_measurements: int = 40,
    n_features: int = 100,
    sparsity: int = 5,
    start_seed: int = 2,
    starts: int = 5,
    scales: Sequence[float] = SCALES,
    depth: float = 2,
    ratios: Sequence[float] = RATIOS,
    step: float = 0.01,
    counts: Sequence[int] = COUNTS,
) -> list[dict[str, Any]]:
    """Return the points: all scales on the first problem, the first scale on the others."""
    for name, values in ("scales", scales), ("ratios", ratios), ("counts", counts):
        if not values:
            raise ValueError(f"{name} must have an entry at least")
    common = {
        "seed": seed,
        "shape": [n_measurements, n_features, sparsity],
        "start_seed": start_seed,
        "starts": starts,
        "depth": depth,
        "step": step,
        "counts": list(counts),
    }
    places = [(0, scale) for scale in scales]
    places += [(draw, scales[0]) for draw in range(1, n_problems)]
    methods = [("GD", 0.0), *(("WN-GD", float(ratio)) for ratio in ratios)]
    return [
        {"draw": draw, "scale": scale, "method": method, "ratio": ratio, **common}
        for draw, scale in places
        for method, ratio in methods
    ]


# Tens of thousands of steps, and exponentials of sums of a hundred terms; below 1e-11 descent
# stops, a step earlier or later.
compute = Study("figure_3", trial, grid, rtol=1e-5, atol=2e-11)


def flow_rows(data: Data, scale: float, draw: int = 0) -> tuple[Data, Data]:
    """Return the rows of WN-GD, by ascending ratio as they are, and that of GD."""
    here = data.where(draw=draw, scale=scale)
    return here.where(method="WN-GD"), here.where(method="GD")


def predicted_ratios(data: Data, draw: int) -> Floats:
    """Return what :func:`wnlib.theory.ratios.best_ratio` says of each number of steps."""
    wn, _ = flow_rows(data, data["scale"].min(), draw)
    seed, (M, N, sparsity) = int(wn["seed"][0]), wn["shape"][0].tolist()
    problem = sparse_problem(M, N, sparsity, (seed, draw))
    times = (wn["step"][0] * wn["counts"][0]).tolist()
    return np.array([best_ratio(problem, float(wn["R0"][0].mean()), t) for t in times])


def turning_points(data: Data, draw: int) -> tuple[Floats, Floats, Floats]:
    """Return for each number of steps the predicted best ratio, the best one, and its error.

    Parameters
    ----------
    data : Data
    draw : int
        Of the problem.

    Returns
    -------
    predicted, measured, error : numpy.ndarray, shape (counts,)
        The ratio at which the median error over the starts is least, of those computed; NaN where
        that error is below :data:`SEEN`.
    """
    wn, _ = flow_rows(data, data["scale"].min(), draw)
    errors = np.median(wn["error"], axis=2)  # ratio by count
    least = errors.min(axis=0)
    measured = np.where(least > SEEN, wn["ratio"][errors.argmin(axis=0)], np.nan)
    return predicted_ratios(data, draw), measured, least


def limits(rows: Data, quantity: str) -> Floats:
    """Return a quantity of the limits, shape (ratios, starts): the mean of the others for a stall.

    What a start would say that stalls is not about the ratio; if all do, it is NaN.
    """
    values = np.where(rows["stalled"], np.nan, rows[quantity])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a mean of nothing
        return np.where(np.isnan(values), np.nanmean(values, axis=1)[:, None], values)


def _span(x: Floats) -> tuple[float, float]:
    """Return from where to where the ratios go; around a single one."""
    return (x[0], x[-1]) if x[-1] > x[0] else (x[0] / 1.3, 1.3 * x[0])


def shade_violated(ax: Axes, rows: Data) -> float:
    """Shade where the ratio exceeds what the bound of ``rho`` allows, and return that."""
    x, allowed = rows["ratio"], rows["Q"][0] ** (2 / rows["depth"][0])
    ax.set(xscale="log", xlim=_span(x))
    if x[-1] > allowed:
        ax.axvspan(allowed, x[-1], color=plotting.GREY, alpha=0.2, linewidth=0)
    return float(allowed)


def draw(ax: Axes, data: Data) -> Axes:
    """Draw error against ratio from starts of the smallest scale: limits and finite steps."""
    wn, gd = flow_rows(data, data["scale"].min())
    x, blue, red = wn["ratio"], plotting.BLUE, plotting.VERMILLION
    allowed = shade_violated(ax, wn)
    plotting.band(ax, x, np.maximum(limits(wn, "limit_error"), FLOOR), color=blue)
    plotting.whiskers(ax, x, np.maximum(wn["error"][:, -1], FLOOR), marker="o", color=blue)
    level = gd["limit_error"].mean()
    ax.axhline(level, color=red, linestyle=":")
    ax.plot(gd["crossing"].mean(), level, "D", color=plotting.BLACK, markersize=8, zorder=5)
    plotting.label(ax, x[0], level, "GD, limit", color=red, xytext=(4, -9))
    plotting.label(ax, gd["crossing"].mean(), level, r"$\Lambda$", xytext=(4, -12))
    late = f"after\n{wn['counts'][0][-1]:,} steps\nsmall ratios\nare still\non the way"
    plotting.label(ax, x[0], 3e-10, late, color=blue, xytext=(8, 0))
    plotting.label(ax, 0.3, 1e-10, "limit", color=blue)
    if allowed < x[-1]:
        plotting.label(ax, allowed, 1e-8, "hypothesis\nof the bound\nviolated")
    ax.set(yscale="log", ylim=(FLOOR / 3, 8), xlim=(x[0] / 1.3, x[-1] * 1.3))
    ax.set(xlabel=r"ratio $\tilde\eta$ of the learning rates", ylabel="relative error")
    return ax


def draw_crossings(ax: Axes, data: Data) -> Axes:
    """Draw where the limits cross those of the plain flow, from starts of all scales."""
    first = data.where(draw=0)
    scales = np.unique(first["scale"])
    for scale, colour in zip(scales, COLOURS * len(scales), strict=False):
        wn, gd = flow_rows(data, scale)
        x, errors, level = wn["ratio"], limits(wn, "limit_error"), gd["limit_error"].mean()
        plotting.band(ax, x, np.maximum(errors, FLOOR), color=colour)
        ax.axhline(level, color=colour, linestyle=":", linewidth=1.5)
        ax.plot(gd["crossing"].mean(), level, "D", color=colour, markeredgecolor="white", ms=10)
        place = int(np.argmax((errors.mean(axis=1) > 0.01) & (x >= 0.01)))
        at = (x[place], errors[place].mean())
        aside = (14, 0) if errors[place].mean() < 0.02 else (4, 9)  # of a line from below
        plotting.label(ax, *at, "WN-GD", color=colour, xytext=aside)
        left = x[np.argmax(x >= 0.01)]
        plotting.label(ax, left, level, f"GD, α = {scale:g}", color=colour, xytext=(4, 7))
    shade_violated(ax, wn)
    ax.set(yscale="log", ylim=(1e-2, 2), xlim=(0.01, x[-1]) if x[-1] > 0.01 else None)
    ax.set(xlabel=r"ratio $\tilde\eta$ of the learning rates", ylabel="relative error")
    return ax


def draw_magnification(axes: Sequence[Axes], data: Data, scale: float) -> Sequence[Axes]:
    """Draw, against the ratio, the excess of the l1 norm with its bound, and ``log rho``."""
    wn, gd = flow_rows(data, scale)
    above, below = axes
    x = wn["ratio"]
    blue: dict[str, Any] = {"color": plotting.BLUE}
    red: dict[str, Any] = {"color": plotting.VERMILLION}
    dashed: dict[str, Any] = {"color": plotting.BLACK, "linestyle": "--"}
    excess, bound = np.maximum(limits(wn, "excess"), FLOOR), limits(wn, "bound").mean(axis=1)
    plotting.band(above, x, excess, **blue)
    above.plot(x, bound, **dashed)
    above.axhline(gd["excess"].mean(), linestyle=":", **red)
    above.set(yscale="log", ylabel=r"excess of the $\ell_1$ norm", ylim=(FLOOR / 3, 1e3))
    plotting.label(above, x[0], bound[0], "its bound ε", xytext=(4, -10))
    plotting.label(above, x[0], gd["excess"].mean(), "GD", **red, xytext=(4, 9))
    plotting.label(above, x[0], excess[0].mean(), "WN-GD", **blue, xytext=(4, 9))
    below.plot(x, limits(wn, "log_rho").mean(axis=1) / np.log(10), **blue)
    below.plot(x, wn["log_rho_bound"].mean(axis=1) / np.log(10), **dashed)
    below.axhline(0, linestyle=":", **red)
    below.set(ylabel=r"$\log_{10}\rho$", xlabel=r"ratio $\tilde\eta$ of the learning rates")
    below.set_yscale("symlog", linthresh=1)
    plotting.label(below, x[0], 0, "GD", **red, xytext=(4, 9))
    for ax in axes:
        shade_violated(ax, wn)
        plotting.mark(ax, gd["crossing"].mean(), r"$\Lambda$" if ax is above else "", height=0.35)
    return axes


def draw_steps(ax: Axes, data: Data, k: int, draw: int = 0) -> Axes:
    """Draw error against ratio after the ``k``-th number of steps, and the predicted best ratio."""
    wn, gd = flow_rows(data, data["scale"].min(), draw)
    x, ends = wn["ratio"], np.maximum(limits(wn, "limit_error"), FLOOR)
    blue, red, level = plotting.BLUE, plotting.VERMILLION, gd["error"][0, -1].mean()
    ax.plot(x, np.median(ends, axis=1), color=plotting.BLACK, linestyle="--", linewidth=1.5)
    plotting.band(ax, x, wn["error"][:, k], center=np.median, color=blue)
    plotting.label(ax, x[0], FLOOR * 100, f"{int(wn['counts'][0][k]):,} steps", color=blue)
    best = predicted_ratios(data, draw)[k]
    if np.isfinite(best):
        ax.plot([best], [FLOOR], marker="^", color=blue, markersize=10, clip_on=False)
    ax.axhline(level, color=red, linestyle=":")
    plotting.label(ax, x[0], level, "GD", color=red, xytext=(3, -9))
    plotting.label(ax, x[-1], ends[-1].mean(), "limit", ha="right", xytext=(-2, 10))
    ax.set(xscale="log", yscale="log", ylim=(FLOOR, 8), xlim=_span(x))
    ax.set(xlabel=r"ratio $\tilde\eta$ of the learning rates", ylabel="relative error")
    return ax


def steps_explorer(data: Data, draw: int = 0) -> widgets.Flipbook:
    """Let a slider change the number of steps after which the error is looked at."""
    counts = data["counts"][0].tolist()
    slider = widgets.choices("steps", counts, counts[len(counts) // 2], "of gradient descent")
    predicted, measured, least = turning_points(data, draw)
    pictures = []
    for k in range(len(counts)):
        with mpl.rc_context(plotting.STYLE):
            figure = Figure(figsize=(6, 4.2))
            draw_steps(figure.subplots(), data, k, draw)
        where = f"least error {least[k]:.0e}, predicted at the ratio {predicted[k]:.2g}"
        where += f", found at {measured[k]:.2g}" if np.isfinite(measured[k]) else ""
        pictures.append((figure, f"error against the ratio; {where}."))
    return widgets.Flipbook(slider, pictures)
