"""What the chapter on finite steps computes and draws."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wnlib._checks import Record
from wnlib._types import Floats
from wnlib.figures.plotting import BLACK, BLUE, GREEN, GREY, ORANGE, STYLE, VERMILLION
from wnlib.figures.two_weights import solutions
from wnlib.figures.widgets import Flipbook, choices
from wnlib.flows import Flow, PlainFlow
from wnlib.problems import Problem, initial_weights, sparse_problem
from wnlib.results import Status, Trajectory
from wnlib.roads.descend import descend
from wnlib.roads.limit import limit
from wnlib.theory.finite_steps import effective_start, largest_stable_step

REACH = (1e-300, 1e100)  # of starts that the plain flow's limit is computed from


def plain_end(depth: float, problem: Problem, log_start: Floats) -> Floats:
    """Return the effective weights of the plain flow's limit from a start, given by its logarithms.

    Parameters
    ----------
    depth : float
    problem : Problem
    log_start : numpy.ndarray, shape (n_weights,)

    Returns
    -------
    numpy.ndarray, shape (n_features,)
        Of NaN where no limit is certified, or the start is none.
    """
    start = np.exp(log_start)
    if (start > REACH[0]).all() and (start < REACH[1]).all():
        end = limit(PlainFlow(depth), problem, start)
        if end.status is Status.CONVERGED:
            return end.effective
    return np.full(problem.n_features, np.nan)


def descents(
    flow: Flow, problem: Problem, x0: Floats, steps: Sequence[float], n_steps: int
) -> list[Trajectory]:
    """Descend with several steps, from one start, and sum up what they gain."""
    return [descend(flow, problem, x0, step, n_steps, gain=True) for step in steps]


def step_of(run: Trajectory) -> float:
    """Return the step of a run; NaN if it made none."""
    return float(run.times[-1] / run.n_steps) if run.n_steps else np.nan


def sound(runs: Sequence[Trajectory]) -> list[Trajectory]:
    """Leave out runs that have crossed zero or diverged: the theorem says nothing of them."""
    return [run for run in runs if run.status in (Status.CONVERGED, Status.MAX_STEPS)]


def draw_ends(ax: Axes, problem: Problem, runs: Sequence[Trajectory]) -> Axes:
    """Draw where runs end, in two entries, and the limits from their effective starts.

    The plain flow's limit from the true start is a square.
    """
    if problem.A.shape == (1, 2):
        ax.plot(*solutions(problem, np.array([0.0, 1.0])).T, color=GREY, lw=5, alpha=0.4)
    for run in runs:
        log_start = effective_start(run)
        ax.plot(*run.effective[:2], "o", color=BLUE, ms=11, mfc="none", label="steps end")
        predicted = plain_end(run.flow.depth, problem, log_start)
        ax.plot(*predicted[:2], "+", color=VERMILLION, ms=11, mew=2, label="from effective start")
        flow = limit(run.flow, problem, run.initial)
        ax.plot(*flow.effective[:2], "s", color=BLACK, ms=7, label="flow ends")
    if runs:  # what lies around the ends
        points = np.array([run.effective for run in runs] + [flow.effective])[:, :2]
        low, high = points.min(axis=0), points.max(axis=0)
        margin = 0.4 * (high - low) + 1e-3
        (left, bottom), (right, top) = low - margin, high + 1.5 * margin
        ax.set(xlim=(left, right), ylim=(bottom, top))
    ax.set(xlabel="$z_1$", ylabel="$z_2$")
    handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    ax.legend(handles.values(), handles.keys(), loc="upper right", fontsize=10)
    return ax


def draw_starts(ax: Axes, runs: Sequence[Trajectory]) -> Axes:
    """Draw two entries of the true start and of the effective ones."""
    if runs:
        ax.plot(*runs[0].initial[:2], "s", color=BLACK, ms=7, label="true start")
        points = np.exp([effective_start(run)[:2] for run in runs])
        ax.plot(*points.T, "+-", color=VERMILLION, lw=1, ms=11, mew=2, label="effective starts")
        for run, point in zip(runs, points, strict=True):
            ax.annotate(
                f"{step_of(run):.2g}", point, xytext=(9, -5), textcoords="offset points", size=10
            )
    ax.margins(0.25, 0.25)
    scale = "log" if runs else "linear"  # a logarithmic axis of nothing cannot be drawn
    ax.set(xscale=scale, yscale=scale, xlabel="$x_{0,1}$", ylabel="$x_{0,2}$")
    ax.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    ax.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    for axis, low, high in ((ax.xaxis, *ax.get_xlim()), (ax.yaxis, *ax.get_ylim())):
        if high < 10 * low:  # at most one power of ten to label: round numbers in its place
            axis.set_major_locator(mpl.ticker.MaxNLocator(4, steps=[1, 2, 5, 10]))
            axis.set_major_formatter("{x:g}")
    ax.legend(loc="upper left", fontsize=10)
    return ax


@dataclass(frozen=True, eq=False)
class Distances(Record):
    """How far runs with several steps end from limits, relative to the end.

    Attributes
    ----------
    steps : numpy.ndarray, shape (T,)
    from_start, from_effective : numpy.ndarray, shape (T,)
        From the limit of the flow itself, from the true start; and from that of the plain flow from
        the effective start. NaN where a run has not converged.
    """

    steps: Floats
    from_start: Floats
    from_effective: Floats


def distances(
    flow: Flow, problem: Problem, x0: Floats, steps: Sequence[float], n_steps: int
) -> Distances:
    """Compute :class:`Distances`, of runs that converge within ``n_steps``."""
    exact, found = limit(flow, problem, x0).effective, np.full((len(steps), 2), np.nan)
    for k, run in enumerate(descents(flow, problem, x0, steps, n_steps)):
        if run.status is Status.CONVERGED:
            predicted = plain_end(flow.depth, problem, effective_start(run))
            ends = run.effective - np.array([exact, predicted])
            found[k] = np.linalg.norm(ends, axis=1) / np.linalg.norm(run.effective)
    return Distances(np.array(steps), *found.T)


def draw_distances(ax: Axes, found: dict[str, Distances]) -> Axes:
    """Draw :class:`Distances` by name: open markers from the true start, crosses from the other."""
    for (name, d), color in zip(found.items(), (BLUE, GREEN, ORANGE, BLACK), strict=False):
        ax.loglog(d.steps, d.from_start, "o-", color=color, mfc="white", label=name)
        ax.loglog(d.steps, np.maximum(d.from_effective, 1e-16), "+", color=color, mew=2, ms=9)
    ax.set(xlabel="step", ylabel="relative distance of the end")
    ax.legend(loc="center left", fontsize=11)
    return ax


def even(log_start: Floats, x0: Floats) -> Floats:
    """Return the logarithms of the start shrunk by the mean of what an effective start shrinks."""
    return np.log(x0) + np.mean(log_start - np.log(x0))


def gains(
    flow: Flow,
    shape: tuple[int, int, int],
    scale: float,
    steps: Sequence[float],
    draws: int,
    n_steps: int = 1200,
) -> list[tuple[float, float, float, float]]:
    """Compare what steps do to the error with what they would do if they gained evenly.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    shape : (int, int, int)
        Of the sparse problems: measurements, features, nonzero entries.
    scale : float
        Of the starts.
    steps : sequence of float
    draws : int
        Number of problems.
    n_steps : int

    Returns
    -------
    list of (float, float, float, float)
        By step: the step; the medians over the problems of the error from the effective start over
        that of the flow, and of the same from the evenly shrunk start; and on which share of them
        the first exceeds 1. NaN where no run was sound, or no limit certified.
    """
    found = np.full((len(steps), draws, 2), np.nan)
    for seed in range(draws):
        problem = sparse_problem(*shape, seed)
        x0 = initial_weights(problem, scale, seed)
        exact = limit(flow, problem, x0).error
        for k, run in enumerate(descents(flow, problem, x0, steps, n_steps)):
            if sound([run]):
                log_start = effective_start(run)
                ends = [plain_end(flow.depth, problem, y) for y in (log_start, even(log_start, x0))]
                found[k, seed] = [problem.error(end) / exact for end in ends]
    known = np.isfinite(found).all(axis=(0, 2))
    if not known.any():
        return [(step, np.nan, np.nan, np.nan) for step in steps]
    medians = np.median(found[:, known], axis=1)
    larger = (found[:, known, 0] > 1).mean(axis=1)
    return [(s, *m, share) for s, m, share in zip(steps, medians, larger, strict=True)]


def borders(
    flow: Flow, problem: Problem, starts: Sequence[Floats], n_steps: int
) -> list[tuple[float, float, Trajectory, str]]:
    """Find the largest step that converges, from each start, and what curvature allows there.

    By eight bisections on a logarithmic scale, of steps that converge within ``n_steps``.

    Returns
    -------
    list of (float, float, Trajectory, str)
        The largest step found to converge, ``largest_stable_step`` where that run ended, the run,
        and what became of the smallest step found not to converge. No entry where the first step
        tried does not converge, half of what is stable at the flow's limit.
    """
    found = []
    for x0 in starts:
        end = limit(flow, problem, x0)
        if end.status is not Status.CONVERGED:
            continue
        low = largest_stable_step(flow, problem, end.weights) / 2
        run = descend(flow, problem, x0, low, n_steps, residual_tol=1e-9)
        if run.status is not Status.CONVERGED:
            continue
        high, fate = 8 * low, str(run.status)
        for _ in range(8):
            middle = np.sqrt(low * high)
            tried = descend(flow, problem, x0, middle, n_steps, residual_tol=1e-9)
            if tried.status is Status.CONVERGED:
                low, run = middle, tried
            else:
                high, fate = middle, str(tried.status)
        norm = 1.0 if run.direction_norm is None else run.direction_norm[-1]
        found.append((low, largest_stable_step(flow, problem, run.weights, norm), run, fate))
    return found


def robust_end(scales: Floats, errors: Floats, level: float) -> float:
    """Return the scale at which errors pass a level for good, interpolated in logarithms.

    Parameters
    ----------
    scales, errors : numpy.ndarray, shape (T,)
        Ascending scales.
    level : float

    Returns
    -------
    float
        NaN if all errors, or not the first, are below the level.
    """
    below = np.flatnonzero(errors < level)
    if len(below) == 0 or below[-1] == len(scales) - 1:
        return np.nan
    k = below[-1]
    share = np.log(level / errors[k]) / np.log(errors[k + 1] / errors[k])
    return float(np.exp(np.log(scales[k]) + share * np.log(scales[k + 1] / scales[k])))


def step_flipbook(
    flow: Flow, problem: Problem, x0: Floats, steps: Sequence[float], first: float, n_steps: int
) -> Flipbook:
    """Show, by the step, the path of two weights, its effective start, and both limits.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    problem : Problem
        One measurement of two weights.
    x0 : numpy.ndarray, shape (2,)
    steps : sequence of float
    first : float
        The step to begin with, one of them.
    n_steps : int

    Returns
    -------
    Flipbook
    """
    slider = choices("step", steps, first, "size of the steps")
    return Flipbook(slider, [_page(flow, problem, x0, step, n_steps) for step in steps])


def _page(
    flow: Flow, problem: Problem, x0: Floats, step: float, n_steps: int
) -> tuple[Figure, str]:
    """Return a picture of one step size, and the text that stands for it."""
    run = descend(flow, problem, x0, step, n_steps, times=step * np.arange(1, 31), gain=True)
    with mpl.rc_context(STYLE | {"figure.figsize": (5, 4.2)}):
        figure = Figure(layout="constrained")
        ax = figure.subplots()
        if problem.A.shape == (1, 2):
            ax.plot(*solutions(problem, np.array([0.0, 1.0])).T, color=GREY, lw=5, alpha=0.4)
        how = str(run.status).replace("_", " ")
        ax.plot(*run.effective_path[:, :2].T, ".-", color=BLUE, lw=1, label=f"steps: {how}")
        ax.plot(*x0[:2] ** flow.depth, "s", color=BLACK)
        end = limit(flow, problem, x0).effective
        ax.plot(*end[:2], "s", color=BLACK, mfc="white", label="end of the flow")
        says = f"With step {step:.3g} the run is {how} after {run.n_steps} steps"
        if sound([run]):
            start = np.exp(effective_start(run))
            here = start[:2] ** flow.depth
            ax.plot(*here, "+", color=VERMILLION, mew=2, ms=11, label="eff. start")
            predicted = plain_end(flow.depth, problem, np.log(start))
            ax.plot(*predicted[:2], "+", color=VERMILLION, mew=2, ms=11)
            shrunk = ", ".join(f"{factor:.3f}" for factor in start / x0)
            says += f"; its effective start is the true one times {shrunk}"
        ax.set(xlabel="$z_1$", ylabel="$z_2$", title=f"step {step:.3g}")
        ax.legend(loc="upper right", fontsize=10)
    return figure, says
