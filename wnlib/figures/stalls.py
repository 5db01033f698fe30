"""Figures of the chapter on stalls: what they show, and how it is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wnlib._checks import Record
from wnlib._types import Bools, Floats, Integers
from wnlib.figures.plotting import BLACK, BLUE, SKY, VERMILLION
from wnlib.flows import Flow, WeightNormFlow
from wnlib.problems import Problem
from wnlib.roads._stalling import rules_out_stall, stalls
from wnlib.theory.stalling import predicted_stall


def largest_stall(
    flow: Flow, problem: Problem, v0: Floats, low: float, high: float, n_steps: int = 12
) -> float:
    """Find the largest squared radius that stalls, of a direction, by bisection.

    Parameters
    ----------
    flow : WeightNormFlow
    problem : Problem
    v0 : numpy.ndarray, shape (n_weights,)
        Direction of the starts.
    low, high : float
        Squared radii; from the first the flow should stall, from the second not.
    n_steps : int

    Returns
    -------
    float
        NaN if the two are not as they should be, or it cannot be decided.
    """
    unit = v0 / np.linalg.norm(v0)

    def answer(R0: float) -> bool | None:
        return _stalls(flow, problem, np.sqrt(R0) * unit)

    if answer(low) is not True or answer(high) is not False:
        return np.nan
    for _ in range(n_steps):
        middle = (low + high) / 2
        if (stalled := answer(middle)) is None:
            break
        low, high = (middle, high) if stalled else (low, middle)
    return (low + high) / 2


@dataclass(frozen=True, eq=False)
class StallMap(Record):
    """Which starts of two opposed columns stall, and which two criteria say so beforehand.

    Attributes
    ----------
    share : numpy.ndarray, shape (S,)
        ``v_{0,1}^2``: the part of the squared length that the first weight has.
    R0 : numpy.ndarray, shape (T,)
        Squared length of the start, over the ratio.
    stalls : numpy.ndarray of bool, shape (T, S)
        Whether the flow stalls, on a coarse part of the grid: ``stalls[i, j]`` belongs to
        ``R0[rows[i]]`` and ``share[columns[j]]``.
    rows, columns : numpy.ndarray of int
    by_loss, by_divergence : numpy.ndarray of bool, shape (T, S)
        Whether the loss of zero weights, or the divergence from a solution, rules a stall out.
    """

    share: Floats
    R0: Floats
    stalls: Bools
    rows: Integers
    columns: Integers
    by_loss: Bools
    by_divergence: Bools


def stall_map(
    flow: WeightNormFlow,
    problem: Problem,
    solutions: Floats,
    share: Floats,
    R0: Floats,
    every: int,
) -> StallMap:
    """Compute a :class:`StallMap`.

    Parameters
    ----------
    flow : WeightNormFlow
    problem : Problem
        Of two weights.
    solutions : numpy.ndarray, shape (k, 2)
        Solutions to try in the criterion of the divergence.
    share, R0 : numpy.ndarray
        The grid; ``R0`` in units of the ratio.
    every : int
        The flow itself is asked at each so many points of the grid, in either direction.
    """
    shape = len(R0), len(share)
    by_loss, by_divergence = np.zeros(shape, bool), np.zeros(shape, bool)
    v = np.sqrt(np.stack([share, 1 - share], axis=1))
    for i, squared in enumerate(R0 * flow.ratio):
        starts = np.sqrt(squared) * v
        by_loss[i] = flow.residual(problem, starts) <= 1
        by_divergence[i] = [any(rules_out_stall(flow, x0, z) for z in solutions) for x0 in starts]
    rows, columns = (np.arange(min(every // 2, n - 1), n, every) for n in shape)
    asked = [
        [_stalls(flow, problem, np.sqrt(R0[i] * flow.ratio) * v[j]) is True for j in columns]
        for i in rows
    ]
    return StallMap(share, R0, np.array(asked), rows, columns, by_loss, by_divergence)


def _stalls(flow: Flow, problem: Problem, x0: Floats) -> bool | None:
    try:
        return stalls(flow, problem, x0)
    except RuntimeError:  # undecided: so near that the errors of following it matter
        return None


def draw_stall_map(ax: Axes, found: StallMap) -> Axes:
    """Draw a :class:`StallMap`: two regions without a stall, and what the flow does."""
    x, y = np.meshgrid(found.share, found.R0)
    ax.contourf(x, y, found.by_divergence, levels=[0.5, 1.5], colors=[SKY], alpha=0.5)
    ax.contourf(x, y, found.by_loss, levels=[0.5, 1.5], colors=["none"], hatches=["///"])
    x, y = np.meshgrid(found.share[found.columns], found.R0[found.rows])
    ax.plot(x[found.stalls], y[found.stalls], "x", color=VERMILLION, label="stalls")
    ax.plot(x[~found.stalls], y[~found.stalls], ".", color=BLUE, label="converges")
    ax.set(yscale="log", xlabel="$v_{0,1}^2$", ylim=(found.R0[0], found.R0[-1]))
    return ax


def boundary(flow: WeightNormFlow, problem: Problem, share: Floats) -> Floats:
    """Return the largest ``R_0`` over the ratio that stalls, to leading order, of two weights.

    Parameters
    ----------
    flow : WeightNormFlow
    problem : Problem
        Of two weights; with one measurement nothing is neglected.
    share : numpy.ndarray, shape (S,)
        ``v_{0,1}^2``, between 0 and 1.

    Returns
    -------
    numpy.ndarray, shape (S,)
        0 where no small start stalls.
    """
    v = np.sqrt(np.stack([share, 1 - share], axis=1))
    return np.array([predicted_stall(flow, problem, one) for one in v]) / flow.ratio


def two_columns(cost: float, depths: Sequence[float], n_points: int = 60) -> tuple[Figure, str]:
    """Draw which starts stall on ``z_1 - c z_2 = 1``, and say it in words.

    Parameters
    ----------
    cost : float
        The size ``c`` of the column that opposes.
    depths : sequence of float
    n_points : int
        Of the curves.

    Returns
    -------
    figure : matplotlib.figure.Figure
    alt : str
        For those who cannot see it.
    """
    problem, share = Problem([[1.0, -cost]], [1.0]), np.linspace(0.005, 0.995, n_points)
    figure = Figure(figsize=(6, 3.6))
    axes = figure.subplots(1, len(depths), sharey=True, squeeze=False)[0]
    turns = []
    for ax, depth in zip(axes, depths, strict=True):
        edge = boundary(WeightNormFlow(depth, 1.0), problem, share)
        ax.fill_between(share, 1e-3, np.maximum(edge, 1e-3), color=VERMILLION, alpha=0.35, lw=0)
        ax.semilogy(share, np.where(edge > 0, edge, np.nan), color=VERMILLION)
        turns.append(1 / (1 + cost ** (-2 / depth)))  # where <A^T b, v_0^L> changes its sign
        ax.axvline(turns[-1], color=BLACK, ls="--", lw=1)
        ax.set(title=f"$L = {depth:g}$", xlim=(0, 1), ylim=(1e-3, 10), xlabel="$v_{0,1}^2$")
        ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes[0].set_ylabel(r"$R_0/\tilde\eta$")
    ends = ", ".join(f"{turn:.2f} for depth {L:g}" for L, turn in zip(depths, turns, strict=True))
    return figure, f"Starts stall in the lower left corner, which ends at {ends}."


def slant(problem: Problem, v0: Floats, depth: float) -> float:
    """Return how much a short start of a direction pulls for ``b``, against what turns it.

    Parameters
    ----------
    problem : Problem
    v0 : numpy.ndarray, shape (n_weights,)
    depth : float

    Returns
    -------
    float
        ``<a, v^L> / (sum a_n^2 v_n^{2L-2})^{1/2}``, ``a = A^T b``, ``v = v_0/|v_0|``: between -1
        and 1, because ``|v| = 1``.
    """
    pull, v = problem.b @ problem.network_matrix, v0 / np.linalg.norm(v0)
    turning = pull * v ** (depth - 1)
    return float(turning @ v / np.linalg.norm(turning))


def parabola(slant: Floats, depth: float) -> Floats:
    """Return ``m`` for small negative slants: ``s^2 / (L - 2 s^2)``."""
    return slant**2 / (depth - 2 * slant**2)


def slanted(
    problems: Sequence[Problem], depth: float, number: int, seed: int, R0: float = 1e-3
) -> tuple[Floats, Floats, Bools]:
    """Draw short starts that lean more or less to the columns that oppose, and ask of each.

    Parameters
    ----------
    problems : sequence of Problem
    depth : float
    number : int
        How many starts of each.
    seed : int
    R0 : float
        Their squared length, small: then only that over the ratio matters.

    Returns
    -------
    slants, lengths : numpy.ndarray, shape (k,)
        :func:`slant`, and ``R_0`` over the ratio.
    stalled : numpy.ndarray of bool, shape (k,)
        What :func:`wnlib.stalls` answers; starts that it leaves open are left out.
    """
    rng, found = np.random.default_rng(seed), []
    for problem in problems:
        opposed = problem.b @ problem.network_matrix < 0
        for _ in range(number):
            lean, height = np.exp(rng.uniform(-2.0, 0.3)), 10 ** rng.uniform(-2.5, 0.5)
            v0 = np.where(opposed, 1.0, lean) * np.exp(rng.uniform(-0.3, 0.3, problem.n_weights))
            x0 = v0 * np.sqrt(R0) / np.linalg.norm(v0)
            answer = _stalls(WeightNormFlow(depth, R0 / height), problem, x0)
            if answer is not None:
                found.append((slant(problem, v0, depth), height, answer))
    slants, heights, stalled = np.reshape(np.array(found, dtype=float), (-1, 3)).T
    return slants, heights, stalled.astype(bool)


def draw_slanted(ax: Axes, slants: Floats, heights: Floats, stalled: Bools, depth: float) -> Axes:
    """Draw what :func:`slanted` found, and the parabola of small slants."""
    ax.semilogy(slants[stalled], heights[stalled], "x", color=VERMILLION, label="stalls")
    ax.semilogy(slants[~stalled], heights[~stalled], ".", color=BLUE, label="converges")
    grid = np.linspace(-0.95, -1e-3, 300)
    ax.semilogy(grid, parabola(grid, depth), "--", color=BLACK, lw=1.5, label="parabola")
    ax.set(title=f"$L = {depth:g}$", xlabel="slant", xlim=(-1, 1), ylim=(2e-3, 5))
    ax.xaxis.set_major_formatter("{x:g}")  # short: the panels stand close
    return ax
