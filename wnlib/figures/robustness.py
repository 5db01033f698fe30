"""Figures of the chapter on where robustness ends: what they show, and how it is drawn.

What is computed here takes any problem and any setting: where a flow does not arrive there is a NaN
in its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wnlib._checks import Record
from wnlib._types import Floats
from wnlib.figures.plotting import BLACK, BLUE, GREEN, GREY, PURPLE, SHADES, SKY
from wnlib.figures.weight_norm import LOOKS
from wnlib.flows import Flow, PlainFlow, WeightNormFlow, normalizes, squared_radius
from wnlib.l1.linear_program import min_l1, shortest
from wnlib.problems import Problem
from wnlib.results import Status
from wnlib.roads._training import train
from wnlib.roads.limit import limit
from wnlib.theory import potentials


@dataclass(frozen=True, eq=False)
class RobustRange(Record):
    """Errors of the exact limits from starts of equal entries, of growing length.

    Attributes
    ----------
    shares : numpy.ndarray, shape (T,)
        Squared lengths of the starts over that which the weights have at the sparse solution.
    errors : dict of numpy.ndarray, shape (T,)
        Relative error of the limit, by flow; NaN where there is none.
    kept : dict of numpy.ndarray, shape (T,)
        ``R_inf / R_0``, by flow.
    """

    shares: Floats
    errors: dict[Flow, Floats]
    kept: dict[Flow, Floats]


def robust_range(
    problem: Problem, depths: Sequence[float], ratios: Sequence[float], shares: Floats
) -> RobustRange:
    """Compute the errors of the exact limits over the length of the start, for both flows.

    Parameters
    ----------
    problem : Problem
        With a signal.
    depths, ratios : sequence of float
    shares : numpy.ndarray, shape (T,)
        Squared lengths of the starts, in units of ``sum z^{2/L}`` at the smallest l1 norm.

    Returns
    -------
    RobustRange
    """
    errors, kept, z = {}, {}, problem.split(min_l1(problem).z)
    for depth in depths:
        squared = shares * squared_radius(z, depth)
        starts = np.sqrt(squared / problem.n_weights)[:, None] * np.ones(problem.n_weights)
        for flow in PlainFlow(depth), *(WeightNormFlow(depth, ratio) for ratio in ratios):
            ends = limit(flow, problem, starts)
            arrived = np.array([status is Status.CONVERGED for status in ends.status])
            errors[flow] = np.where(arrived, problem.error(ends.effective), np.nan)
            kept[flow] = np.where(arrived, ends.radius**2 / squared, np.nan)
    return RobustRange(shares, errors, kept)


def draw_robust_range(axes: Sequence[Axes], found: RobustRange) -> Sequence[Axes]:
    """Draw a :class:`RobustRange`, one ``Axes`` a depth."""
    depths = list(dict.fromkeys(flow.depth for flow in found.errors))
    for ax, depth in zip(axes, depths, strict=True):
        styles = iter(zip(LOOKS, (SKY, BLUE, GREEN, PURPLE), strict=True))
        for flow in (flow for flow in found.errors if flow.depth == depth):
            error = np.maximum(found.errors[flow], 1e-15)
            if not normalizes(flow):
                ax.loglog(found.shares, error, color=BLACK, lw=1.5, label="plain")
                continue
            look, shade = next(styles, ("-", GREY))
            label = rf"$\tilde\eta$ = {flow.ratio:g}"
            ax.loglog(found.shares, error, look, color=shade, label=label)
        ax.axvline(1, color="#666666", ls="--", lw=1)
        ax.set(title=f"$L = {depth:g}$", ylim=(5e-16, 5), xlabel=r"$R_0\,/\,\sum (z^*)^{2/L}$")
    axes[0].set_ylabel("relative error")
    axes[-1].legend(loc=(0.02, 0.2), fontsize=10)
    return axes


@dataclass(frozen=True, eq=False)
class Crossover(Record):
    """Squared lengths at which trained weights end, over the length of the start.

    Attributes
    ----------
    end : float
        ``R*``: the squared length that the weights have at the minimizer of ``W``.
    shares : numpy.ndarray, shape (T,)
        Squared lengths of the starts, over ``R*``.
    kept : numpy.ndarray, shape (T,)
        Those at the end of the run, over ``R*``; NaN where it does not arrive.
    bend : float
        Where :func:`bend` of the two lies.
    """

    end: float
    shares: Floats
    kept: Floats
    bend: float


def crossover(
    depth: float, problem: Problem, v0: Floats, ratio: float, shares: Floats
) -> Crossover:
    """Train weights from starts of one direction; see where they begin to keep their length.

    Parameters
    ----------
    depth : float
    problem : Problem
    v0 : numpy.ndarray, shape (n_weights,)
        Direction of the starts.
    ratio : float
        Of learning rates, over ``R*``.
    shares : numpy.ndarray, shape (T,)
        Squared lengths of the starts, over ``R*``.
    """
    v = v0 / np.linalg.norm(v0)
    end = squared_radius(shortest(problem, v ** (2 - depth)), depth)
    flow = WeightNormFlow(depth, ratio * end)
    runs = [train(flow, problem, np.sqrt(share * end) * v) for share in shares]
    kept = [run.radius**2 / end if run.status is Status.CONVERGED else np.nan for run in runs]
    return Crossover(end, shares, np.array(kept), bend(shares, np.array(kept)))


def bend(x: Floats, y: Floats) -> float:
    """Return where the best line with one bend, ``y = a + c max(0, x - bend)``, bends.

    Parameters
    ----------
    x, y : numpy.ndarray, shape (T,)
        NaN in ``y`` are left out.

    Returns
    -------
    float
        To a thousandth of the range of ``x``; NaN if there are less than four points.
    """
    x, y = x[known := np.isfinite(y)], y[known]
    if len(x) < 4:
        return np.nan
    tries = np.linspace(x.min(), x.max(), 1001)[1:-1]
    risen = np.maximum(0, x - tries[:, None])
    risen, fallen = risen - risen.mean(axis=1, keepdims=True), y - y.mean()
    slopes = risen @ fallen / np.vecdot(risen, risen)
    misses = np.square(fallen - slopes[:, None] * risen).sum(axis=1)
    return float(tries[misses.argmin()])


def draw_crossover(ax: Axes, found: Sequence[Crossover], depth: float) -> Axes:
    """Draw several of :class:`Crossover`, one marker each, over the law ``max(1, share)``."""
    for one, mark, color in zip(found, "os^Dv", (BLUE, GREEN, PURPLE, SKY, GREY), strict=False):
        ax.plot(one.shares, one.kept, mark, color=color, markerfacecolor="none")
    reach = np.array([0.0, 1.0, max((one.shares.max() for one in found), default=2.0)])
    ax.plot(reach, np.maximum(1, reach), color=BLACK, lw=1)
    ax.axvline(1, color="#666666", ls="--", lw=1)
    ax.set(title=f"$L = {depth:g}$", xlabel="$R_0/R^*$", xlim=(0, 1.05 * reach[-1]))
    return ax


def over_segment(R0: float, ratios: Sequence[float] = (1.0, 0.1, 0.01)) -> tuple[Figure, str]:
    """Draw what the limit minimizes over the solutions of ``z_1 + z_2 / 2 = 1``, depth 2.

    Parameters
    ----------
    R0 : float
        Squared length of the start, of equal entries.
    ratios : sequence of float

    Returns
    -------
    figure : matplotlib.figure.Figure
    alt : str
        For those who cannot see it.
    """
    share = np.linspace(0, 1, 401)
    points = np.stack([1 - share, 2 * share], axis=1)
    log_x0 = np.log(np.full(2, R0 / 2)) / 2
    figure = Figure(figsize=(6, 3.6))
    ax, ends = figure.subplots(), []
    for ratio, color in zip(ratios, SHADES, strict=False):
        flow = WeightNormFlow(2, ratio)
        height = np.array([potentials.divergence(flow, z, log_x0, unit=R0) for z in points])
        height -= height.min()
        height /= height.max()
        ends.append(1 + share[height.argmin()])
        ax.plot(1 + share, height, color=color, label=rf"$\tilde\eta$ = {ratio:g}")
        ax.plot(ends[-1], 0, "o", color=color, ms=8, clip_on=False, zorder=3)
    if 1 <= R0 <= 2:
        ax.axvline(R0, ymax=0.7, color="#666666", ls="--", lw=1)  # up to the legend
    ax.set(xlabel=r"norm $\Vert z\Vert_1$ of the solution", ylabel="height, scaled", xlim=(1, 2))
    ax.legend(loc="upper center")
    norms = ", ".join(f"{end:.2f} for {ratio:g}" for end, ratio in zip(ends, ratios, strict=True))
    return figure, f"Norm of the limit by ratio: {norms}."
