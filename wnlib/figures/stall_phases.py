"""The phase diagram of stalls: what the theory says, what bisection finds, what training does."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from wnlib._checks import Record
from wnlib._types import Bools, Floats
from wnlib.figures.plotting import BLACK, BLUE, SKY, VERMILLION
from wnlib.figures.stalls import largest_stall
from wnlib.flows import WeightNormFlow, squared_radius
from wnlib.l1.linear_program import min_l1
from wnlib.problems import Problem
from wnlib.results import Status
from wnlib.roads._stalling import rules_out_stall
from wnlib.roads._training import train
from wnlib.roads.limit import limit
from wnlib.theory.stalling import predicted_stall


@dataclass(frozen=True, eq=False)
class PhaseMap(Record):
    """Which starts of one direction stall: by their squared length and by the ratio.

    Attributes
    ----------
    ratio : numpy.ndarray, shape (S,)
        Ratios of learning rates. They and all squared lengths are in units of the squared length
        that the weights have at the solution of smallest l1 norm.
    predicted : numpy.ndarray, shape (S,)
        Largest ``R_0`` that stalls, to leading order.
    stalls, certified : numpy.ndarray, shape (S,)
        Largest that does, and the smallest from which the criterion of the divergence rules a stall
        out, with the limit for its solution; NaN where bisection has nothing to begin with.
    dots : numpy.ndarray, shape (k, 2)
        Pairs of a ratio and an ``R_0`` from which weights were trained to an end.
    trained : numpy.ndarray of bool, shape (k,)
        Whether these stalled.
    """

    ratio: Floats
    predicted: Floats
    stalls: Floats
    certified: Floats
    dots: Floats
    trained: Bools


def phase_map(
    depth: float,
    problem: Problem,
    v0: Floats,
    ratios: Floats,
    dots: Floats,
    max_steps: int,
) -> PhaseMap:
    """Compute a :class:`PhaseMap`.

    Parameters
    ----------
    depth : float
    problem : Problem
    v0 : numpy.ndarray, shape (n_weights,)
        Direction of the starts.
    ratios : numpy.ndarray
        Of the curves.
    dots : numpy.ndarray
        Weights are trained from all pairs of these, as ratios and as squared lengths.
    max_steps : int
        Budget of a training.
    """
    unit = squared_radius(problem.split(min_l1(problem).z), depth)
    v = v0 / np.linalg.norm(v0)
    predicted, largest, certified = np.full((3, len(ratios)), np.nan)
    for j, ratio in enumerate(ratios * unit):
        flow = WeightNormFlow(depth, ratio)
        predicted[j] = edge = predicted_stall(flow, problem, v)
        if edge > 0:
            largest[j] = largest_stall(flow, problem, v, 0.5 * edge, 4 * edge, n_steps=9)
            certified[j] = first_certified(flow, problem, v, 0.5 * edge, 50 * edge)
    asked, trained = [], []
    for ratio in dots:
        for R0 in dots:
            start = np.sqrt(R0 * unit) * v
            run = train(WeightNormFlow(depth, ratio * unit), problem, start, max_steps=max_steps)
            if run.status in (Status.STALLED, Status.CONVERGED):
                asked.append((ratio, R0))
                trained.append(run.status is Status.STALLED)
    points = np.reshape(np.array(asked, dtype=float), (-1, 2)), np.array(trained, dtype=bool)
    return PhaseMap(ratios, predicted / unit, largest / unit, certified / unit, *points)


def first_certified(
    flow: WeightNormFlow, problem: Problem, v0: Floats, low: float, high: float, n_steps: int = 7
) -> float:
    """Find the smallest squared radius from which a stall is ruled out by the limit there.

    Parameters
    ----------
    flow, problem, v0, low, high, n_steps
        As for :func:`largest_stall`; bisection is in the logarithm.

    Returns
    -------
    float
        NaN if a stall is ruled out at ``low``, or is not at ``high``.
    """
    unit = v0 / np.linalg.norm(v0)

    def certifies(R0: float) -> bool:
        end = limit(flow, problem, x0 := np.sqrt(R0) * unit)
        return end.status is Status.CONVERGED and rules_out_stall(flow, x0, end.stacked)

    if certifies(low) or not certifies(high):
        return np.nan
    for _ in range(n_steps):
        middle = np.sqrt(low * high)
        low, high = (low, middle) if certifies(middle) else (middle, high)
    return high


def draw_phase_map(ax: Axes, found: PhaseMap) -> Axes:
    """Draw a :class:`PhaseMap`: two regions, the predicted edge, and trained weights."""
    low, high = found.ratio[0], found.ratio[-1]
    ax.fill_between(found.ratio, found.certified, 1e9, color=SKY, alpha=0.5, lw=0)
    ax.fill_between(found.ratio, 1e-9, found.stalls, color=VERMILLION, alpha=0.25, lw=0)
    edge = np.where(found.predicted > 0, found.predicted, np.nan)
    ax.plot(found.ratio, edge, "--", color=BLACK, lw=1.5, label="predicted")
    dots, stalled = found.dots, found.trained
    ax.plot(*dots[stalled].T, "x", color=VERMILLION, ms=7, label="stalls")
    ax.plot(*dots[~stalled].T, "o", color=BLUE, ms=4, label="converges")
    ax.set(xscale="log", yscale="log", xlabel=r"$\tilde\eta/R^*$")
    ax.set(xlim=(low, high), ylim=(low, high))
    return ax
