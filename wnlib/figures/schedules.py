"""The chapter on rates that change in time: what it computes and draws."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wnlib._checks import Record
from wnlib._types import Floats
from wnlib.figures.plotting import BLACK, BLUE, GREEN, GREY, PURPLE, VERMILLION
from wnlib.figures.widgets import Flipbook, choices
from wnlib.flows import PowerFlow, ScheduledFlow, Warmup, WeightNormFlow
from wnlib.l1.linear_program import min_l1
from wnlib.problems import Problem
from wnlib.results import Status, Trajectory
from wnlib.roads.integrate import integrate
from wnlib.roads.limit import limit
from wnlib.theory import schedules

LOOKS = ((BLUE, "-", "o"), (VERMILLION, "--", "s"), (GREEN, "-.", "^"), (PURPLE, ":", "D"))


@dataclass(frozen=True)
class Ratchet(WeightNormFlow):
    """Weight normalization whose length has the ratio ``large`` while it shrinks.

    ``ratio`` is that of a growing length. Whether it grows is no matter of time and length alone,
    so this is a flow of its own, and followed as one.
    """

    large: float = 1.0

    def velocity(self, problem: Problem, r: float, u: Floats) -> tuple[float, Floats]:
        """Return ``(r', u')``."""
        dr, du = super().velocity(problem, r, u)
        return dr * (1.0 if dr > 0 else self.large / self.ratio), du


def warmed_up(
    problem: Problem, x0: Floats, ratio: float, target: float, t_end: float
) -> Trajectory:
    """Follow trained weights of depth 2 through a warm-up to a squared length, and on.

    If the target is never reached, the warm-up lasts until the length is nearly the frozen one.

    Parameters
    ----------
    problem : Problem
    x0 : numpy.ndarray, shape (n_weights,)
    ratio, target, t_end : float
    """
    until = schedules.warm_up_time(2, problem, x0, target)
    if until == np.inf:
        R0, R1 = float(x0 @ x0), schedules.frozen_length(2, problem, x0)
        nearly = max(R1 + 0.02 * (R0 - R1), 1e-3 * R0)
        until = schedules.warm_up_time(2, problem, x0, nearly)
        until = 0.0 if until == np.inf else until  # a length that stays where it is
    flow = ScheduledFlow(2, Warmup(until, ratio))
    times = np.union1d(np.linspace(0, 2 * until + 1e-6, 60)[1:], np.geomspace(1e-2, t_end, 400))
    return integrate(
        flow, problem, x0, t_end, times=times[times <= t_end], form="weights", residual_tol=1e-8
    )


def draw_warm_ups(ax: Axes, problem: Problem, runs: Sequence[tuple[Trajectory, str]]) -> Axes:
    """Draw paths of two weights with their names, over the solutions of one measurement."""
    reach = 1.08 * max(1.2, *(run.path.max() for run, _ in runs))
    _draw_solutions(ax, problem, 2, reach)
    for (run, name), (color, look, mark) in zip(runs, LOOKS, strict=False):
        ax.plot(*run.path.T, look, color=color, label=name)
        ax.plot(*run.weights, mark, color=color, ms=9, clip_on=False, zorder=3)
        ax.plot(*run.path[0], "o", color=BLACK, ms=8, zorder=3)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(0, reach), ylim=(0, reach), aspect="equal")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=1)
    return ax


def _draw_solutions(ax: Axes, problem: Problem, depth: float, reach: float) -> None:
    """Draw the weights up to ``reach`` that solve one measurement of two."""
    x, y = np.meshgrid(grid := np.linspace(0, reach, 200), grid)
    product = problem.A[0, 0] * x**depth + problem.A[0, 1] * y**depth
    ax.contour(x, y, product, levels=[problem.b[0]], colors=[GREY], linewidths=6, alpha=0.5)


@dataclass(frozen=True, eq=False)
class WarmUps(Record):
    """What is left of the error after warm-ups to several lengths, for several starts.

    Attributes
    ----------
    frozen : numpy.ndarray, shape (starts,)
        The squared length to which each start tends while its direction is frozen, over ``Q``.
    targets : numpy.ndarray, shape (starts, T)
        Squared lengths at the release, over ``Q``: from that of the start to the frozen one.
    errors : numpy.ndarray, shape (starts, T)
        Relative errors of the exact limits; NaN where there is none.
    """

    frozen: Floats
    targets: Floats
    errors: Floats


def warm_ups(
    problem: Problem, directions: Floats, length: float, ratio: float, n_targets: int
) -> WarmUps:
    """Compute the exact limits of depth 2 from starts that have been warmed up.

    A warm-up is a rescaling of the start (``prop-warm-up``), so ``limit`` knows where they end.

    Parameters
    ----------
    problem : Problem
        With a signal.
    directions : numpy.ndarray, shape (starts, n_weights)
    length : float
        Squared length of all starts, over the smallest l1 norm ``Q``.
    ratio : float
        After the warm-up, over ``Q``.
    n_targets : int

    Returns
    -------
    WarmUps
    """
    Q = min_l1(problem).norm
    flow, found = WeightNormFlow(2, ratio * Q), []
    for direction in directions:
        unit = direction / np.linalg.norm(direction)
        frozen = schedules.frozen_length(2, problem, np.sqrt(length * Q) * unit) / Q
        low = max(frozen + 0.01 * (length - frozen), 0.02)  # a length of 0 is none
        targets = np.geomspace(length, low, n_targets)
        ends = limit(flow, problem, np.sqrt(targets * Q)[:, None] * unit)
        arrived = np.array([status is Status.CONVERGED for status in ends.status])
        found.append((frozen, targets, np.where(arrived, problem.error(ends.effective), np.nan)))
    return WarmUps(*(np.array(column) for column in zip(*found, strict=True)))


def draw_warm_up_errors(ax: Axes, found: WarmUps) -> Axes:
    """Draw errors over the length at the release; where a warm-up cannot go on, a bar."""
    for frozen, targets, errors in zip(found.frozen, found.targets, found.errors, strict=True):
        color, look, _ = LOOKS[0] if frozen < 1 else LOOKS[1]
        shown = np.maximum(errors, 1e-15)
        width, order = (1.4, 2.0) if frozen < 1 else (2.4, 3.0)
        ax.semilogy(targets, shown, look, color=color, lw=width, zorder=order)
        if frozen > 0:
            ax.plot(targets[-1], shown[-1], "|", color=color, ms=14, mew=2, zorder=order)
    ax.axvline(1, color="#666666", ls="--", lw=1)
    handles = [ax.plot([], [], look, color=color)[0] for color, look, _ in LOOKS[:2]]
    ax.legend(handles, ["$R_1 < Q$", "$R_1 > Q$"], loc="lower right")
    ax.set(xlabel="squared length at the release $R_*/Q$", ylabel="relative error")
    return ax


def power_explorer(
    problem: Problem, x0: Floats, depth: float, powers: Sequence[float], first: float
) -> Flipbook:
    """Show paths and ends of two weights for several powers of the length in the ratio.

    Parameters
    ----------
    problem : Problem
        Of one measurement and two weights.
    x0 : numpy.ndarray, shape (2,)
    depth : float
    powers : sequence of float
        Ascending; ``first``, one of them, is shown at the beginning.

    Returns
    -------
    Flipbook
    """
    slider = choices("power c", powers, first, "how much the length is slowed down")
    pictures = [_power_picture(problem, x0, PowerFlow(depth, power)) for power in powers]
    return Flipbook(slider, pictures)


def _power_picture(problem: Problem, x0: Floats, flow: PowerFlow) -> tuple[Figure, str]:
    end = limit(flow, problem, x0)
    run = integrate(flow, problem, x0, 1e4, times=np.geomspace(1e-2, 1e4, 100))
    figure = Figure(figsize=(5, 4.4), layout="constrained")
    ax = figure.subplots()
    reach = 1.08 * max(1.0, run.path.max())
    _draw_solutions(ax, problem, flow.depth, reach)
    ax.plot(*run.path.T, color=BLUE)
    ax.plot(*x0, "o", color=BLACK, ms=8)
    ax.plot(*end.weights, "o", color=BLUE, ms=10, clip_on=False)
    shrunk = (x0 @ x0) / end.radius**2
    acts = np.sqrt(shrunk**flow.power) * end.radius / np.linalg.norm(x0) * x0
    ax.plot(*acts, "o", mfc="none", color=BLUE, ms=10, clip_on=False, label="acts like this")
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(0, reach), ylim=(0, reach), aspect="equal")
    ax.legend(loc="upper left")
    z = end.effective
    x = end.weights
    ax.set_title(f"$c = {flow.power:.3g}$: end at x = ({x[0]:.3f}, {x[1]:.3f})")
    alt = (
        f"Path of two weights for the power {flow.power:.3g}, from a start near the origin to the "
        f"solution ({z[0]:.4f}, {z[1]:.4f}); it acts like a start of "
        f"{np.linalg.norm(acts) / np.linalg.norm(x0):.2g} times the length."
    )
    return figure, alt
