"""The figures of the chapter on depth and shape: which corner a start leads to, and how soon."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from wnlib._checks import Record
from wnlib._types import Floats
from wnlib.figures.plotting import BLACK, BLUE, GREEN, GREY, ORANGE, STYLE, VERMILLION
from wnlib.figures.widgets import Flipbook, choices
from wnlib.flows import PlainFlow
from wnlib.l1.linear_program import min_l1, shortest
from wnlib.l1.shape import tolerated_unevenness
from wnlib.problems import Problem, sparse_problem
from wnlib.results import Status
from wnlib.roads.limit import limit
from wnlib.theory.shape import norm_weights, weighted_excess_bound

TRIANGLE = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])
COLORS = (BLUE, GREEN, VERMILLION, ORANGE)
ORDER = "first", "second", "third"  # of the corners
RECOVERED = 1e-6  # relative error: beyond what HiGHS leaves


def on_triangle(problem: Problem, z: Floats) -> Floats:
    """Return solutions of one measurement of three weights as points of a triangle.

    Parameters
    ----------
    problem : Problem
        Of shape (1, 3), all entries of one sign.
    z : numpy.ndarray, shape (..., 3)

    Returns
    -------
    numpy.ndarray, shape (..., 2)
        Each corner is a solution with one entry.
    """
    return (z * problem.A[0] / problem.b[0]) @ TRIANGLE


def corner_costs(depth: float, problem: Problem, x0: ArrayLike) -> Floats:
    """Return the weighted norms of the corners, relative to the smallest, shape (n_weights,)."""
    costs = norm_weights(depth, x0) / problem.A[0]
    return costs / costs.min()


def draw_corners(ax: Axes, labels: Sequence[str]) -> Axes:
    """Draw the triangle of the solutions, with a label at each corner."""
    ax.fill(*TRIANGLE.T, facecolor="#f2f2f2", edgecolor=GREY, lw=1.2, zorder=0)
    for corner, label, below in zip(TRIANGLE, labels, (1, 1, 0), strict=True):
        shift = (0, -8) if below else (0, 8)
        ax.annotate(
            label,
            corner,
            shift,
            textcoords="offset points",
            ha="center",
            va="top" if below else "bottom",
            fontsize=11,
        )
    ax.set(xlim=(-0.2, 1.2), ylim=(-0.2, 1.04), aspect="equal")
    ax.set_axis_off()
    return ax


def draw_approach(
    ax: Axes, depth: float, problem: Problem, x0: Floats, scales: Floats, color: str = BLACK
) -> Floats:
    """Draw where the plain flow ends as a start shrinks, and return the last end.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    depth : float
    problem : Problem
        As of :func:`on_triangle`.
    x0 : numpy.ndarray, shape (3,)
        The shape of the start.
    scales : numpy.ndarray, shape (T,)
        What it is multiplied by, in descending order.
    """
    ends = limit(PlainFlow(depth), problem, scales[:, None] * x0).stacked
    points = on_triangle(problem, ends)
    ax.plot(*points.T, "-", color=color, lw=1.5, clip_on=False)
    ax.plot(*points[:-1].T, "o", color=color, ms=3, clip_on=False)
    ax.plot(*points[-1], "o", color=color, ms=10, clip_on=False, label=f"$L = {depth:g}$", zorder=3)
    return ends[-1]


@dataclass(frozen=True, eq=False)
class Approach(Record):
    """How the ends of the plain flow approach their goal as a start of one shape shrinks.

    Attributes
    ----------
    scales : numpy.ndarray, shape (T,)
    plain, weighted : numpy.ndarray, shape (T,)
        Relative excess of the l1 norm, and of the weighted norm, over the smallest; NaN where the
        limit is not certified.
    bound : numpy.ndarray, shape (T,)
        Of the weighted one; NaN where the start is too long.
    final : float
        Relative excess of the l1 norm at the goal, the solution of smallest weighted norm.
    """

    scales: Floats
    plain: Floats
    weighted: Floats
    bound: Floats
    final: float


def approach(depth: float, problem: Problem, x0: Floats, scales: Floats) -> Approach:
    """Compute an :class:`Approach`.

    Parameters
    ----------
    depth : float
    problem : Problem
    x0 : numpy.ndarray, shape (n_weights,)
        The shape of the start.
    scales : numpy.ndarray, shape (T,)
    """
    w, starts = norm_weights(depth, x0), scales[:, None] * x0
    best = min_l1(problem)
    weighted = min_l1(Problem(problem.network_matrix / w, problem.b))
    goal, ends = weighted.z / w, limit(PlainFlow(depth), problem, starts)
    certified = np.array([status is Status.CONVERGED for status in ends.status])
    excess = [best.excess(ends.stacked), weighted.excess(w * ends.stacked)]
    bound = [weighted_excess_bound(depth, start, goal) for start in starts]
    plain, heavy = (np.where(certified, each, np.nan) for each in excess)
    return Approach(scales, plain, heavy, np.array(bound), float(best.excess(goal)))


def draw_approaches(axes: Sequence[Axes], found: dict[float, Approach]) -> Sequence[Axes]:
    """Draw approaches, by depth: the l1 norm on the first ``Axes``, the weighted on the second."""
    for (depth, each), color in zip(found.items(), COLORS * len(found), strict=False):
        axes[0].semilogx(each.scales, each.plain, color=color, label=f"$L = {depth:g}$")
        axes[0].axhline(each.final, color=color, ls=":", lw=1.2)
        axes[1].loglog(each.scales, np.maximum(each.weighted, 1e-15), color=color)
        axes[1].loglog(each.scales, each.bound, "--", color=color, lw=1.2)
    axes[0].set(xlabel="scale $s$", title=r"excess of $\Vert\cdot\Vert_1$")
    axes[1].set(xlabel="scale $s$", title="excess of $W$", ylim=(1e-13, 20))
    axes[0].legend(loc=(0.03, 0.2))
    return axes


@dataclass(frozen=True, eq=False)
class Survival(Record):
    """How often vanishing random starts lead to the signal.

    Attributes
    ----------
    measurements : tuple of int
    recovered : dict of numpy.ndarray, shape (len(measurements),)
        By depth: the share of problems on which the goal is the signal.
    guaranteed : dict of numpy.ndarray, shape (len(measurements),)
        On which the certificate of the signal tolerates the unevenness of the start.
    """

    measurements: tuple[int, ...]
    recovered: dict[float, Floats]
    guaranteed: dict[float, Floats]


def survival(
    depths: Sequence[float],
    measurements: Sequence[int],
    n_features: int,
    sparsity: int,
    unevenness: float,
    draws: int,
) -> Survival:
    """Count how often starts of random shape lead to the signal, by linear programs.

    Parameters
    ----------
    depths : sequence of float
    measurements : sequence of int
    n_features, sparsity : int
    unevenness : float
        The entries of a start lie in ``[1, unevenness]``, uniform.
    draws : int
        Problems for each number of measurements, each with a start of its own.
    """
    shape = len(measurements), draws
    recovered = {depth: np.zeros(shape, bool) for depth in depths}
    guaranteed = {depth: np.zeros(shape, bool) for depth in depths}
    for i, M in enumerate(measurements):
        for seed in range(draws):
            problem = sparse_problem(M, n_features, sparsity, seed=seed)
            rng = np.random.default_rng(seed)
            x0 = rng.uniform(1.0, unevenness, problem.n_weights)
            best = min_l1(problem)
            found = problem.error(best.z) < RECOVERED
            allowed = tolerated_unevenness(best) if found else 1.0
            for depth in depths:
                w = norm_weights(depth, x0)
                goal = best.z if np.ptp(w) == 0 else problem.readout(shortest(problem, w))
                recovered[depth][i, seed] = problem.error(goal) < RECOVERED
                guaranteed[depth][i, seed] = found and w.max() < allowed * w.min()
    return Survival(
        tuple(measurements),
        {depth: each.mean(axis=1) for depth, each in recovered.items()},
        {depth: each.mean(axis=1) for depth, each in guaranteed.items()},
    )


def draw_survival(ax: Axes, found: Survival) -> Axes:
    """Draw a :class:`Survival`: solid what is recovered, dotted what a certificate guarantees."""
    looks = zip(COLORS, ("o-", "s--", "^-", "D--"), strict=True)
    for (depth, share), (color, look) in zip(found.recovered.items(), looks, strict=False):
        label = f"$L = {depth:g}$"
        ax.plot(found.measurements, share, look, color=color, mfc="white", label=label)
        if depth > 2:  # at depth 2 there is nothing to tolerate
            ax.plot(found.measurements, found.guaranteed[depth], ":", color=color)
    ax.set(xlabel="measurements $M$", ylabel="share of problems", ylim=(-0.03, 1.03))
    ax.legend(loc="center right")
    return ax


def corner_explorer(
    problem: Problem,
    depths: Sequence[float],
    factors: Sequence[float],
    scales: Floats,
    first: tuple[float, float],
) -> Flipbook:
    """Show which corner of the triangle a start leads to, by depth and shape.

    Parameters
    ----------
    problem : Problem
        As of :func:`on_triangle`.
    depths, factors : sequence of float
        The choices; ``factors`` are the largest entry of the start over its smallest.
    scales : numpy.ndarray, shape (T,)
        As of :func:`draw_approach`.
    first : (float, float)
        The depth and the factor to begin with.

    Returns
    -------
    Flipbook
        A widget: the last line of a cell.
    """
    depth = choices("depth L", depths, first[0], "number of layers")
    factor = choices("uneven h", factors, first[1], "largest over smallest initial weight")
    pages = [page(L, problem, h, scales) for L in depths for h in factors]
    return Flipbook([depth, factor], pages)


def uneven_start(factor: float, n_weights: int = 3) -> Floats:
    """Return a start whose entries rise geometrically from 1 to ``factor``."""
    return np.geomspace(1.0, factor, n_weights)


def page(depth: float, problem: Problem, factor: float, scales: Floats) -> tuple[Figure, str]:
    """Return a picture of :func:`draw_approach`, from the start of a factor, with its text."""
    x0 = uneven_start(factor)
    costs = corner_costs(depth, problem, x0)
    style = STYLE | {"figure.figsize": (5, 3.7), "figure.constrained_layout.use": False}
    with mpl.rc_context(style):
        figure = Figure()
        ax = figure.add_axes((0, 0.02, 1, 0.88))
        named = zip(ORDER, costs, strict=True)
        draw_corners(ax, [f"{name} corner\ncost {cost:.2f}" for name, cost in named])
        draw_approach(ax, depth, problem, x0, scales, BLUE)
        start = ", ".join(f"{entry:.2f}" for entry in x0)
        ax.set_title(f"$L = {depth:g}$, start $s\\,({start})$", fontsize=12, y=1.02)
    return figure, (
        f"the ends in the triangle of solutions move to the {ORDER[int(np.argmin(costs))]} corner "
        "as the start shrinks."
    )
