"""Error and loss on the way, as in the paper's Figure 2, and what of the law is measured.

The law itself stands in :mod:`wnlib.theory.law`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from wnlib._types import Floats
from wnlib.figures import plotting
from wnlib.figures.figure_1 import BROKEN
from wnlib.flows import Flow, WeightNormFlow, check_weight_norm
from wnlib.problems import Problem, check_signal
from wnlib.results import Trajectory
from wnlib.roads.descend import descend
from wnlib.roads.integrate import integrate
from wnlib.theory.law import Law


def clocked(
    flow: WeightNormFlow, problem: Problem, x0: Floats, *, t_end: float = 6.0, n: int = 600
) -> tuple[Floats, Floats]:
    """Follow weight normalization; return its squared lengths ``R`` and its ``c`` at ``n`` times.

    Parameters
    ----------
    flow : WeightNormFlow
        Of depth 2, as the law.
    problem : Problem
    x0 : numpy.ndarray, shape (n_weights,)
    t_end : float
        In units of ``1 / ratio``.
    n : int

    Returns
    -------
    R, c : numpy.ndarray, shape (T,)
    """
    t = np.linspace(t_end / n, t_end, n) / _check_depth_two(flow).ratio
    z = integrate(flow, problem, x0, t_end=t[-1], times=t, rtol=1e-7).effective_path
    R = z.sum(axis=1)
    return R, -np.sum((z @ problem.A.T - problem.b) * (z @ problem.A.T), axis=1) / R


def _check_depth_two(flow: WeightNormFlow) -> WeightNormFlow:
    if check_weight_norm(flow).depth != 2:
        raise ValueError(f"flow must have depth 2, of which the law speaks; got {flow.depth:g}")
    return flow


def measured_rate(
    flow: WeightNormFlow,
    problem: Problem,
    x0: Floats,
    *,
    between: tuple[float, float] = (0.7, 0.999),
    t_end: float = 7.0,
    n: int = 200,
) -> float:
    """Fit the rate of the logistic equation to a run: the slope of ``log R / (Q - R)``.

    Parameters
    ----------
    flow : WeightNormFlow
        Of depth 2, as the law.
    problem : Problem
        With a nonnegative signal.
    x0 : numpy.ndarray, shape (n_weights,)
    between : (float, float)
        The lengths between which to fit, in units of Q.
    t_end : float
        In units of ``1 / ratio``.
    n : int
        Number of times.

    Returns
    -------
    float
        NaN if the run does not pass between these lengths.
    """
    t = np.linspace(0.1, t_end, n) / _check_depth_two(flow).ratio
    run = integrate(flow, problem, x0, t[-1], times=t, rtol=1e-7)
    R, Q = run.radius_path**2, check_signal(problem).sum()
    share, (low, high) = R / Q, between
    part = (share > low) & (share < high)
    if part.sum() < 2:
        return np.nan
    return np.polyfit(run.times[part], np.log(R[part] / (Q - R[part])), 1)[0]


@dataclass(frozen=True, eq=False, repr=False)
class History:
    """Runs of several flows from the same starts.

    Attributes
    ----------
    runs : dict
        Flow to ``Trajectory``, of several starts.
    steps : dict
        Flow to its step.
    """

    runs: Mapping[Flow, Trajectory]
    steps: Mapping[Flow, float]

    def iterations_to(self, flow: Flow, quantity: str, levels: Sequence[float]) -> Floats:
        """Return how many iterations a quantity needs to fall below each level.

        Parameters
        ----------
        flow : PlainFlow or WeightNormFlow
        quantity : {"error", "loss"}
            The loss is measured in units of that of the start.
        levels : sequence of float

        Returns
        -------
        numpy.ndarray, shape (len(levels),)
            The median over the starts, of those iterations that were recorded; infinite where half
            of the starts miss the level.
        """
        run = self.runs[flow]
        values = plotting.series(run, quantity)
        values = values / values[0] if quantity == "loss" else values
        below = values[..., None] < np.asarray(levels)
        first = np.where(below.any(axis=0), run.times[below.argmax(axis=0)], np.inf)
        return np.median(first, axis=0) / self.steps[flow]


def compute(
    problem: Problem,
    x0: Floats,
    steps: Mapping[Flow, float],
    n_steps: Mapping[Flow, int],
    n_records: int = 150,
) -> History:
    """Run gradient descent from all starts for each flow, recorded evenly in the logarithm.

    Parameters
    ----------
    problem : Problem
        With a signal.
    x0 : numpy.ndarray, shape (starts, n_weights)
    steps, n_steps : dict
        Flow to its step size, and to its number of steps.
    n_records : int

    Returns
    -------
    History
    """
    runs = {}
    for flow, step in steps.items():
        times = step * np.unique(np.rint(np.geomspace(1, n_steps[flow], n_records)))
        runs[flow] = descend(flow, problem, x0, step, n_steps[flow], times=times)
    return History(runs, dict(steps))


def largest_step(
    flow: Flow,
    problem: Problem,
    x0: Floats,
    *,
    smallest: float = 0.01,
    doublings: int = 7,
    n_steps: int = 1000,
) -> float:
    """Return the largest step that never raises the loss, nor carries a weight through zero.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    problem : Problem
    x0 : numpy.ndarray, shape (starts, n_weights)
    smallest : float
        The steps tried are this one times ``2^k``.
    doublings : int
        The largest ``k``.
    n_steps : int
        So many steps are watched.

    Returns
    -------
    float
        ``smallest`` if none will do.
    """
    for step in smallest * 2.0 ** np.arange(doublings, 0, -1):
        run = descend(flow, problem, x0, step, n_steps, times=step * np.arange(1, n_steps + 1))
        broken = np.isin(run.status, BROKEN).any()
        if not broken and (np.diff(run.loss_path, axis=0) <= 0).all():
            return float(step)
    return smallest


def table(history: History, names: Mapping[Flow, str], levels: Sequence[float]) -> str:
    """Write how many iterations loss and error need to each level; a dash: not within the run.

    Parameters
    ----------
    history : History
    names : dict
        Flow to its name.
    levels : sequence of float

    Returns
    -------
    str
    """
    lines = [" " * 22 + "".join(f"{level:9.0e}" for level in levels)]
    for quantity in "loss", "error":
        for flow in history.runs:
            counts = history.iterations_to(flow, quantity, levels)
            shown = (f"{n:9.0f}" if n < np.inf else f"{'-':>9}" for n in counts)
            lines.append(f"{quantity:6}{names[flow]:16}" + "".join(shown))
    return "\n".join(lines)


def draw(
    axes: Sequence[Axes],
    history: History,
    prediction: Law | None = None,
    flow: WeightNormFlow | None = None,
) -> Sequence[Axes]:
    """Draw error and loss against the iterations, and what the law says of them.

    Parameters
    ----------
    axes : sequence of two matplotlib.axes.Axes
    history : History
    prediction : Law, optional
    flow : WeightNormFlow, optional
        The flow for whose ratio and step the law is drawn.

    Returns
    -------
    sequence of matplotlib.axes.Axes
    """
    for ax, quantity in zip(axes, ("error", "loss"), strict=True):
        for each, run in history.runs.items():
            if len(run.times) > 1:  # else it broke off at once
                plotting.history(ax, run, quantity, step=history.steps[each])
    if prediction is not None and flow is not None:
        n = prediction.times(flow.ratio) / history.steps[flow]
        dashed: dict[str, Any] = {"color": plotting.BLACK, "linestyle": "--", "linewidth": 1.2}
        dashed["label"] = "the law"
        if 0 < prediction.complete < len(n):
            dashed |= {"marker": "o", "markersize": 5, "markevery": [prediction.complete - 1]}
        axes[0].plot(n[1:], prediction.problem.error(prediction.z[1:]), **dashed)
        axes[1].plot(n[1:], prediction.loss[1:], **dashed)
    axes[0].set(xlabel="", ylim=(1e-10, 3))
    axes[1].set(ylim=(1e-18, 10))
    if axes[0].lines:
        axes[0].legend(loc="lower left")
    return axes
