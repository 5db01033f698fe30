"""Figures of the chapters on convergence and magnification: what they show, and how it is drawn.

What is computed here takes any problem and any setting: where a flow does not arrive there is a NaN
or nothing in its place, so that a chapter can be run again with other numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from wnlib._checks import Record
from wnlib._types import Floats
from wnlib.figures.plotting import BLACK, BLUE, GREEN, GREY, ORANGE, SHADES, VERMILLION
from wnlib.figures.two_weights import solutions
from wnlib.flows import Flow, WeightNormFlow, normalizes
from wnlib.problems import Problem, initial_weights, sparse_problem
from wnlib.results import Limit, Status, Trajectory
from wnlib.roads.integrate import integrate
from wnlib.roads.limit import limit
from wnlib.theory import invariants, potentials

LOOKS = ("-", "--", "-.", ":")


@dataclass(frozen=True, eq=False)
class Valley(Record):
    """A divergence from the start over a segment of solutions, and where the flow ends.

    Attributes
    ----------
    ends : numpy.ndarray, shape (2, 2)
        The solutions at the ends of the segment.
    share : numpy.ndarray, shape (n_points,)
        Position on the segment: 0 at its first end, 1 at its second.
    height : numpy.ndarray, shape (n_points,)
        The divergence, scaled to [0, 1].
    bottom : float
        Where it is least.
    end : float
        Where the trained weights end; NaN if they do not arrive.
    """

    ends: Floats
    share: Floats
    height: Floats
    bottom: float
    end: float


def valley(flow: Flow, problem: Problem, x0: Floats, t_end: float, n_points: int = 201) -> Valley:
    """Compute the divergence from a start over a segment of solutions of two weights.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    problem : Problem
        Of one measurement and two weights. The segment is that of
        :func:`wnlib.figures.two_weights.solutions`.
    x0 : numpy.ndarray, shape (2,)
    t_end : float
        How long to follow the trained weights.
    n_points : int

    Returns
    -------
    Valley
        All of NaN if there is no solution.
    """
    share = np.linspace(0, 1, n_points)
    ends, points = solutions(problem, np.array([0.0, 1.0])), solutions(problem, share)
    if np.isnan(ends).any():
        return Valley(ends, share, np.full(n_points, np.nan), np.nan, np.nan)
    unit = float(x0 @ x0)
    height = np.array([potentials.divergence(flow, z, np.log(x0), unit=unit) for z in points])
    height = height - height.min()
    run = integrate(flow, problem, x0, t_end, form="weights", residual_tol=1e-9)
    step = ends[1] - ends[0]
    end = (run.effective - ends[0]) @ step / (step @ step) if run.residual < 1e-6 else np.nan
    return Valley(ends, share, height / (height.max() or 1.0), share[height.argmin()], end)


def draw_valleys(ax: Axes, valleys: dict[Flow, Valley]) -> Axes:
    """Draw valleys, a dict by flow, each with a dot where the flow ends."""
    shades = iter(SHADES)
    for flow, found in valleys.items():
        if normalizes(flow):
            color, width, label = next(shades, GREY), 2.0, rf"$\tilde\eta$ = {flow.ratio:g}"
        else:
            color, width, label = BLACK, 1.5, "plain flow"
        ax.plot(found.share, found.height, color=color, lw=width, label=label)
        bottom = np.interp(found.end, found.share, found.height)
        ax.plot(found.end, bottom, "o", color=color, ms=8, clip_on=False, zorder=3)
        ax.set(title=f"$L = {flow.depth:g}$", xlabel="position on $S_+$")
        ends = [f"({end[0]:.3g}, {end[1]:.3g})" for end in found.ends]
    first, last = ax.set_xticks([0, 1], ends)
    first.label1.set_horizontalalignment("left")
    last.label1.set_horizontalalignment("right")
    return ax


def draw_paths(ax: Axes, problem: Problem, runs: Sequence[Trajectory]) -> Axes:
    """Draw paths of two weights, and the curve of the solutions of one measurement."""
    reach = 1.05 * max(1.2, *(run.path.max() for run in runs))
    x, y = np.meshgrid(np.linspace(0, reach, 200), np.linspace(0, reach, 200))
    L = runs[0].flow.depth
    product = problem.A[0, 0] * x**L + problem.A[0, 1] * y**L
    ax.contour(x, y, product, levels=[problem.b[0]], colors=[GREY], linewidths=6, alpha=0.5)
    for run, color in zip(runs, SHADES, strict=False):
        look = "--" if run.status is Status.STALLED else "-"
        label = rf"$\tilde\eta$ = {run.flow.ratio:g}" if normalizes(run.flow) else "plain flow"
        ax.plot(*run.path.T, look, color=color, label=label)
    ax.plot(*runs[0].path[0], "o", color=BLACK, ms=8, zorder=3)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(0, reach), ylim=(0, reach), aspect="equal")
    ax.legend(loc="upper right", fontsize=9)
    return ax


def draw_divergences(ax: Axes, runs: Sequence[Trajectory]) -> Axes:
    """Draw the divergence from three solutions along two flows: that arrives last, and that stalls.

    The solutions are the limit of the first and, if the problem has them, two longer ones.
    """
    arrived = [run for run in runs if run.status is Status.CONVERGED]
    if not arrived:
        return ax
    kept = [arrived[-1], *[run for run in runs if run.status is Status.STALLED][:1]]
    z = kept[0].stacked
    kernel = np.linalg.svd(kept[0].problem.network_matrix)[2][-1]
    kernel = np.abs(kernel) if (kernel > 0).all() or (kernel < 0).all() else 0 * kernel
    for run, look in zip(kept, LOOKS, strict=False):
        for factor, color in zip((0, 0.5, 1), SHADES, strict=False):
            point = z + factor * kernel
            values: Any = potentials.divergence(
                run.flow, point, np.log(np.maximum(run.path, 1e-300))
            )
            label = f"({point[0]:.2f}, {point[1]:.2f})" if run is kept[0] else None
            ax.plot(run.times[1:], values[1:], look, color=color, label=label)
    ax.set(xscale="log", xlabel="time $t$", ylabel=r"$D_\Psi(z, \tilde x(t))$")
    ax.set_ylim(0, 1.4 * ax.get_ylim()[1])
    settled = kept[0].times[np.argmax(np.asarray(kept[0].residual_path) < 1e-3)]
    ax.set_xlim(kept[0].times[1], 100 * max(settled, kept[0].times[1]))
    ax.legend(loc="upper right", fontsize=9, title="$z$", title_fontsize=9)
    return ax


def trained(
    flow: Flow, problem: Problem, x0: Floats, max_steps: int = 2000, tol: float = 1e-9
) -> Trajectory:
    """Follow the trained weights to a solution: by a road that knows no invariant."""
    rtol = max(1e-8, tol)
    return integrate(
        flow,
        problem,
        x0,
        1e14,
        form="weights",
        residual_tol=tol,
        rtol=rtol,
        max_steps=max_steps,
    )


def fitted_and_predicted(run: Trajectory) -> tuple[float, float]:
    """Return ``log rho`` of a run of weights, as measured and as predicted from the lengths.

    Returns
    -------
    fitted, predicted : float
        NaN if the run did not arrive, or if a weight has left the range of floats.
    """
    x0, x = run.path[0], run.weights
    if run.status is not Status.CONVERGED or not (x > 0).all():
        return np.nan, np.nan
    fitted = invariants.fitted_log_rho(run.flow.depth, run.problem, x0, x)
    return fitted, float(invariants.log_rho(run.flow, x0, x))


def draw_log_rho(ax: Axes, inverse: dict[float, Floats], lines: dict[float, Any]) -> Axes:
    """Draw ``log rho`` over inverse ratios: by depth, what is fitted, predicted, and a bound."""
    for depth, color in zip(lines, (BLUE, VERMILLION, GREEN), strict=False):
        fitted, predicted, bound = lines[depth]
        ax.plot(inverse[depth], predicted, color=color, label=f"predicted, $L = {depth}$")
        ax.plot(inverse[depth], fitted, "o", color=color, mfc="white", label="measured")
        ax.plot(inverse[depth], bound, "--", color=color, lw=1.2)
    ax.set(xlabel=r"$1/\tilde\eta$", ylabel=r"$\log\rho$")
    ax.legend()
    return ax


def random_limits(number: int, seed: int, depth: float) -> list[tuple[Limit, Floats]]:
    """Draw random problems, ratios and starts of all sizes; return the limits that exist.

    Parameters
    ----------
    number : int
        How many to draw.
    seed : int
    depth : float

    Returns
    -------
    list of (Limit, numpy.ndarray)
        The exact limit, and the start it belongs to.
    """
    rng, found = np.random.default_rng(seed), []
    for _ in range(number):
        M = int(rng.integers(3, 6))
        N, sparsity = int(rng.integers(M + 2, 3 * M)), int(rng.integers(1, M + 1))
        problem = sparse_problem(M, N, sparsity, rng, signed=bool(rng.integers(2)))
        x0 = initial_weights(problem, 1.0, rng)
        R0 = 10 ** rng.uniform(-1.5, 2)
        flow = WeightNormFlow(depth, R0 * 10 ** rng.uniform(-1.5, 2))
        x0 = x0 * np.sqrt(R0 / (x0 @ x0))
        end = limit(flow, problem, x0)
        if end.status is Status.CONVERGED:
            found.append((end, x0))
    return found


def draw_log_mean(ax: Axes, drawn: Sequence[tuple[Limit, Floats]]) -> Axes:
    """Draw limits in the plane of the two squared lengths, over the ratio, by the sign of log rho.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    drawn : list of (Limit, numpy.ndarray)
        As :func:`random_limits` returns it.
    """
    points = [
        (x @ x / end.flow.ratio, end.radius**2 / end.flow.ratio)
        for end, x in drawn
        if normalizes(end.flow)
    ]
    first, last = np.array(points).reshape(-1, 2).T
    grown = np.array([end.log_rho > 0 for end, _ in drawn], dtype=bool)
    ax.loglog(first[grown], last[grown], "o", color=BLUE, label=r"$\rho > 1$")
    ax.loglog(first[~grown], last[~grown], "x", color=ORANGE, label=r"$\rho < 1$")
    grid = np.geomspace(1e-3, 1e3, 400)
    x, y = np.meshgrid(grid, grid)
    ax.contour(x, y, invariants.logarithmic_mean(x, y), levels=[1.0], colors=BLACK)
    ax.plot(grid, grid, color=BLACK, lw=1)
    ax.set(xlabel=r"$R_0/\tilde\eta$", ylabel=r"$R_\infty/\tilde\eta$")
    if drawn:
        ax.set(xlim=(first.min() / 2, first.max() * 2), ylim=(last.min() / 2, last.max() * 2))
    ax.legend(loc="upper left")
    return ax
