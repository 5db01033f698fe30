"""The way of weight normalization at depth 2: two weights by hand, and how near the law is."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from wnlib._types import Floats
from wnlib.figures import plotting, widgets
from wnlib.figures.studies import Data, Study
from wnlib.flows import WeightNormFlow, check_weight_norm
from wnlib.problems import Problem, check_signal, initial_weights, sparse_problem
from wnlib.results import Status
from wnlib.roads._training import Training, train
from wnlib.theory.last_stretch import last_stretch
from wnlib.theory.law import Law, entrywise, small_ratio_law

RATIOS = 0.1, 0.05, 0.02, 0.01, 0.005, 0.002
BETWEEN = 0.7, 0.999  # lengths, in units of Q, between which the logistic rate is fitted
N_SHARES = 400
GUIDE = 2.0  # times the ratio: a line below those of the law
FINENESS = 0.02  # of the law
MOST_STEPS = 20_000  # many entries that come and go take many


def two_weights(second: float) -> Problem:
    """Return the problem ``z_1 = 1, z_2 = second``."""
    return Problem(np.eye(2), [1.0, second], [1.0, second])


def start_of(problem: Problem, share: float, *, seed: int | None = None) -> Floats:
    """Return a start whose squared length is a share of Q.

    Parameters
    ----------
    problem : Problem
        With a nonnegative signal.
    share : float
    seed : int, optional
        Of its shape, uneven by factors up to 3; without it, all weights are equal.

    Returns
    -------
    numpy.ndarray, shape (n_weights,)
    """
    x0 = np.ones(problem.n_weights) if seed is None else initial_weights(problem, 1.0, seed=seed)
    return x0 * np.sqrt(share * check_signal(problem).sum() / (x0 @ x0))


def follow(ratio: float, problem: Problem, x0: Floats) -> Training:
    """Train with weight normalization of depth 2 to the end.

    Parameters
    ----------
    ratio : float
    problem : Problem
    x0 : numpy.ndarray, shape (n_weights,)
    """
    return train(WeightNormFlow(2, ratio), problem, x0, max_steps=MOST_STEPS)


def measured_rate(run: Training, between: tuple[float, float] = BETWEEN) -> float:
    """Fit the rate of the logistic equation to a run: the slope of ``log R / (Q - R)``.

    Parameters
    ----------
    run : Training
        Towards a nonnegative signal.
    between : (float, float)
        The lengths between which to fit, in units of Q.

    Returns
    -------
    float
        NaN if the run does not pass between these lengths.
    """
    share = run.radius_path**2 / check_signal(run.problem).sum()
    part = (share > between[0]) & (share < between[1])
    if part.sum() < 2:
        return np.nan
    return np.polyfit(run.times[part], np.log(share[part] / (1 - share[part])), 1)[0]


def late(run: Training, law: Law, R: float) -> float:
    """Return how much later than the law a run has a length, in slow time."""
    slow = 2 * check_weight_norm(run.flow).ratio * run.times
    length = np.maximum.accumulate(run.radius_path**2)
    return float(np.interp(R, length, slow) - np.interp(R, law.R, law.slow))


def distance(run: Training, law: Law) -> float:
    """Return how far a run is from the law; NaN if it has not converged."""
    if run.status is not Status.CONVERGED:
        return np.nan
    return law.distance(2 * check_weight_norm(run.flow).ratio * run.times, _log_z(run))


def _log_z(run: Training) -> Floats:
    """Return the logarithms of the effective weights of depth 2."""
    return 2 * np.asarray(run.log_path)


def trial(
    *,
    seed: int,
    draw: int,
    n_measurements: int,
    n_features: int,
    sparsity: int,
    start: float,
    ratio: float,
) -> dict[str, Any]:
    """Measure how far the flow is from the law, with memory and without.

    Parameters
    ----------
    seed, draw, n_measurements, n_features, sparsity
        Of the problem; ``draw`` also of the shape of the start.
    start, ratio : float
        Squared length of the start and ratio of the learning rates, both in units of Q.

    Returns
    -------
    dict
        ``distance``; ``forgetful``, from the law as if no entry died; ``rate``, that of the last
        stretch over the logistic one; ``max_f``; ``returns``, whether an entry leaves and comes
        back.
    """
    problem = sparse_problem(n_measurements, n_features, sparsity=sparsity, seed=(seed, draw))
    x0, Q = start_of(problem, start, seed=draw), check_signal(problem).sum()
    law, forgetful = (
        small_ratio_law(problem, float(x0 @ x0), fineness=FINENESS, remember=each)
        for each in (True, False)
    )
    run = follow(ratio * Q, problem, x0)
    end = last_stretch(problem)
    return {
        "distance": distance(run, law),
        "forgetful": distance(run, forgetful),
        "rate": measured_rate(run) / end.rate(ratio * Q),
        "max_f": end.max_f,
        "returns": bool((arrivals(law) > 1).any()),
    }


def arrivals(law: Law) -> np.ndarray:
    """Count how often each entry becomes alive along the law, shape (n_weights,)."""
    alive = (law.z > 0).astype(int)
    return alive[0] + (np.diff(alive, axis=0) == 1).sum(axis=0)


def grid(
    seed: int = 0,
    n_draws: int = 5,
    n_measurements: int = 12,
    n_features: int = 24,
    sparsities: Sequence[int] = (3, 5),
    start: float = 0.02,
    ratios: Sequence[float] = RATIOS,
) -> dict[str, Any]:
    """Return the points: problems, and ratios in units of Q."""
    return {
        "seed": seed,
        "draw": range(n_draws),
        "n_measurements": n_measurements,
        "n_features": n_features,
        "sparsity": sparsities,
        "start": start,
        "ratio": ratios,
    }


# LSODA chooses its steps by the last digits; the fits and means then differ by its tolerance
compute = Study("on_the_way", trial, grid, rtol=1e-3, atol=1e-6)


def by_problem(data: Data, column: str) -> Floats:
    """Return a column with a row for each problem, and a column for each ratio, ascending."""
    cube = data.cube(column, "sparsity", "draw", "ratio")
    return cube.reshape(-1, cube.shape[-1])


def orders(data: Data, column: str = "distance", below: float = 0.03) -> Floats:
    """Return by which power of the ratio a distance falls, for each problem.

    Parameters
    ----------
    data : Data
    column : {"distance", "forgetful"}
    below : float
        Ratios up to this one count.

    Returns
    -------
    numpy.ndarray, shape (problems,)
        Of NaN where fewer than two runs have converged.
    """
    ratios = np.unique(data["ratio"])
    small = ratios < below
    x, fitted = np.log(ratios[small]), []
    for y in np.log(by_problem(data, column)[:, small]):
        known = np.isfinite(y)
        fitted.append(np.polyfit(x[known], y[known], 1)[0] if known.sum() > 1 else np.nan)
    return np.array(fitted)


def draw(ax: Axes, data: Data) -> Axes:
    """Draw the distances from the law, and from the law without memory, against the ratio."""
    ratios = np.unique(data["ratio"])
    lines = {"forgetful": ("without memory", plotting.GREY), "distance": ("the law", plotting.BLUE)}
    for column, (name, color) in lines.items():
        values = by_problem(data, column)
        ax.plot(ratios, values.T, color=color, lw=1.2, marker="o", ms=3)
        first = values[:, 0]
        if np.isfinite(first).any():
            y = np.nanmin(first) if column == "distance" else np.nanmax(first)
            plotting.label(ax, ratios[0], y, name, color=color, xytext=(4, -14))
    guide = GUIDE * ratios
    ax.plot(ratios, guide, color=plotting.BLACK, ls=":", lw=1.5)
    middle = len(ratios) // 2
    plotting.label(ax, ratios[middle], guide[middle], r"like $\tilde\eta$", xytext=(4, -10))
    ax.set(xscale="log", yscale="log", xlabel=r"ratio $\tilde\eta$, in units of $Q$")
    ax.set(ylabel="mean distance of the flow", ylim=(0.007, 0.9))
    ax.yaxis.set_minor_formatter(NullFormatter())
    return ax


def draw_two(ax: Axes, law: Law, run: Training) -> Axes:
    """Draw two effective weights against the length: the law dashed, a run as lines."""
    R, Q = run.radius_path**2, check_signal(law.problem).sum()
    for n, color in enumerate((plotting.BLUE, plotting.VERMILLION)):
        ax.plot(R, run.path[:, n] ** 2, color=color)
        ax.plot(law.R, law.z[:, n], color=plotting.BLACK, ls="--", lw=1.2)
        at = np.searchsorted(law.R, (0.2, 0.85)[n] * Q)
        shift = (-8, 6) if n == 0 else (0, -16)
        plotting.label(
            ax,
            law.R[at],
            law.z[at, n],
            rf"$\tilde x_{n + 1}$",
            color=color,
            xytext=shift,
            ha="right" if n == 0 else "left",
            fontsize="medium",
        )
    ax.set(xlim=(0, Q), ylim=(-0.03, 1.1), xlabel="$R$, the length", ylabel="effective weight")
    return ax


def explorer(law: Law, x0: Floats, ratios: Sequence[float], shown: float) -> widgets.Flipbook:
    """Show a flow beside the law of two weights, at ratios of one's choice.

    Parameters
    ----------
    law : Law
        Of :func:`two_weights`.
    x0 : numpy.ndarray, shape (2,)
    ratios : sequence of float
    shown : float
        The one to begin with.
    """
    pages, ratios = [], sorted({*ratios, shown})
    for ratio in ratios:
        run = follow(ratio, law.problem, x0)
        off = distance(run, law)
        with mpl.rc_context(plotting.STYLE):
            figure = Figure(figsize=(6, 3.8))
            ax = draw_two(figure.subplots(), law, run)
            ax.set_title(f"mean distance from the law {off:.2g}", fontsize=12)
        pages.append((figure, f"Two weights on their way; mean distance from the law {off:.2g}"))
    slider = widgets.choices("ratio η̃", ratios, shown, "how fast the length learns")
    return widgets.Flipbook(slider, pages)


def draw_shares(ax: Axes, law: Law, run: Training) -> Axes:
    """Draw which entries share the length: those of a run as areas, the law's limits dashed."""
    signal = check_signal(law.problem)
    Q = signal.sum()
    R = np.linspace(law.R[0], law.R[-1], N_SHARES)
    length, logs = np.maximum.accumulate(run.radius_path**2), _log_z(run)
    of_run = np.exp(entrywise(R, length, logs - np.log(length)[:, None]))
    of_law = entrywise(R, law.R, law.z / law.R[:, None])
    seen = np.flatnonzero(of_law.max(axis=0) > 0.02)
    seen = seen[np.argsort(np.argmax(of_law[:, seen] > 0, axis=0), kind="stable")]
    order = [*seen[signal[seen] > 0], *seen[signal[seen] == 0]]
    on = sum(signal[order] > 0)
    shades = [plotting.BLUE, plotting.SKY, plotting.GREEN, plotting.YELLOW, plotting.ORANGE]
    greys = [str(grey) for grey in np.linspace(0.6, 0.85, max(1, len(order) - on))]
    colors = [shades[k % len(shades)] for k in range(on)] + greys[: len(order) - on]
    ax.stackplot(R / Q, of_run[:, order].T, colors=colors, alpha=0.8, linewidth=0)
    limits = np.cumsum(of_law[:, order], axis=1)
    ax.plot(R / Q, limits, color=plotting.BLACK, ls="--", lw=1)
    for k, n in enumerate(order):
        wide = np.flatnonzero(of_law[:, n] > 0.06)
        if wide.size > 0.05 * N_SHARES:
            at, name = wide[wide.size // 2], f"entry {n}" if k < on else f"{n}"
            middle = limits[at, k] - of_law[at, n] / 2
            plotting.label(ax, R[at] / Q, middle, name, ha="center", xytext=(0, 0))
    ax.grid(visible=False)
    ax.set(xlim=(R[0] / Q, 1), ylim=(0, 1), xlabel="length $R/Q$", ylabel="share of the length")
    return ax
