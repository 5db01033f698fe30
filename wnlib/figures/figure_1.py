"""Error against the scale of the start, as in the paper's Figure 1: computed and drawn.

:func:`compute` follows flows from starts of many scales, to the limit and for a number of steps;
:func:`draw` and :func:`draw_lengths` show it. :func:`compare` does the same from a single start,
for other problems, beside what :func:`wnlib.theory.law.arrival_estimate` predicts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from wnlib._checks import Record
from wnlib._types import Floats
from wnlib.figures import plotting
from wnlib.flows import Flow, WeightNormFlow, squared_radius
from wnlib.l1.certificates import off_support
from wnlib.l1.linear_program import min_l1
from wnlib.problems import Problem
from wnlib.results import Result, Status
from wnlib.roads.descend import descend
from wnlib.roads.integrate import integrate
from wnlib.roads.limit import limit
from wnlib.theory.law import arrival_estimate

BROKEN = Status.CROSSED_ZERO, Status.DIVERGED  # such a run has no end that a method could return


@dataclass(frozen=True, eq=False, repr=False)
class Scan(Record):
    """Where flows end from the same starts at several scales.

    Attributes
    ----------
    problem : Problem
    scales : numpy.ndarray, shape (S,)
    results : dict
        Flow to ``Result``, of starts in the order of the scales.
    """

    problem: Problem
    scales: Floats
    results: Mapping[Flow, Result]

    def errors(self, flow: Flow) -> Floats:
        """Return relative errors, shape (S, starts); NaN where a run broke off."""
        result = self.results[flow]
        with np.errstate(over="ignore"):  # of a run that diverged
            error = self.problem.error(result.effective)
        error = np.where(np.isin(result.status, BROKEN), np.nan, error)
        return error.reshape(len(self.scales), -1)

    def mean(self, flow: Flow) -> Floats:
        """Return the mean error at each scale, shape (S,); NaN where a run broke off."""
        return self.errors(flow).mean(axis=1)

    def starts(self, flow: Flow) -> Floats:
        """Return the squared lengths of the starts, shape (S, starts)."""
        return (self.results[flow].initial ** 2).sum(axis=1).reshape(len(self.scales), -1)

    def ends(self, flow: Flow) -> Floats:
        """Return the squared lengths of the trained weights at the end, shape (S, starts)."""
        return np.reshape(self.results[flow].radius, (len(self.scales), -1)) ** 2

    def accurate(self, flow: Flow, level: float) -> list[tuple[float, float]]:
        """Return the stretches of neighbouring scales whose mean error is below a level.

        Returns
        -------
        list of (float, float)
            The first and the last scale of each.
        """
        return [(self.scales[i], self.scales[j]) for i, j in stretches(self.mean(flow) < level)]


@dataclass(frozen=True, eq=False, repr=False)
class ErrorAgainstScale:
    """What the figure shows.

    Attributes
    ----------
    limits : Scan
        The exact limits, at all scales.
    steps : Scan
        After ``n_steps`` steps, at some of the scales.
    n_steps : int
    shortest : float
        Squared length ``sum z^{2/L}`` of the weights at the point ``z`` of smallest l1 norm: for
        depth 2 that norm, Q.
    wall : float
        The scale at which a start is, on average, as long.
    """

    limits: Scan
    steps: Scan
    n_steps: int
    shortest: float
    wall: float


def compute(
    flows: Sequence[Flow],
    problem: Problem,
    xi: Floats,
    scales: Floats,
    *,
    step: float,
    n_steps: int,
    every: int = 2,
) -> ErrorAgainstScale:
    """Follow flows from ``scale * xi``, at each scale.

    Parameters
    ----------
    flows : sequence of PlainFlow or WeightNormFlow
        Of one depth.
    problem : Problem
        With a signal.
    xi : numpy.ndarray, shape (starts, n_weights)
        Positive.
    scales : numpy.ndarray, shape (S,)
        Ascending.
    step : float
    n_steps : int
    every : int
        Steps are what takes time: they are taken at every second scale, say.

    Returns
    -------
    ErrorAgainstScale
    """
    some = scales[::every]
    x0, coarse = (a[:, None, None] * xi for a in (scales, some))
    x0, coarse = (x.reshape(-1, problem.n_weights) for x in (x0, coarse))
    end = [step * n_steps]
    limits = {flow: limit(flow, problem, x0) for flow in flows}
    steps = {flow: descend(flow, problem, coarse, step, n_steps, times=end) for flow in flows}
    shortest = squared_radius(problem.split(min_l1(problem).z), flows[0].depth)
    return ErrorAgainstScale(
        limits=Scan(problem, scales, limits),
        steps=Scan(problem, some, steps),
        n_steps=n_steps,
        shortest=shortest,
        wall=np.sqrt(shortest / np.mean((xi**2).sum(axis=1))),
    )


def stretches(where: ArrayLike) -> list[tuple[int, int]]:
    """Return the first and the last index of each stretch of neighbours at which something holds.

    Parameters
    ----------
    where : array_like of bool, shape (T,)

    Returns
    -------
    list of (int, int)
    """
    padded = np.concatenate([[False], np.asarray(where, bool), [False]])
    changes = np.flatnonzero(padded[1:] != padded[:-1])
    return [(int(i), int(j) - 1) for i, j in zip(changes[::2], changes[1::2], strict=True)]


def name(flow: Flow) -> str:
    """Return what the figure calls a flow: its method, without the ratio."""
    return plotting.flow_style(flow)["label"].split(",")[0]


def draw(ax: Axes, data: ErrorAgainstScale) -> Axes:
    """Draw the errors of the limits as bands, those of the steps as whiskers.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    data : ErrorAgainstScale
        Of two flows: where the limits of the second are better, the figure is shaded.

    Returns
    -------
    matplotlib.axes.Axes
    """
    limits, steps = data.limits, data.steps
    for flow in limits.results:
        style = plotting.flow_style(flow) | {"label": f"{name(flow)}, limit", "marker": None}
        plotting.band(ax, limits.scales, limits.errors(flow), **style)
    for flow in steps.results:
        style = plotting.flow_style(flow) | {"label": f"{name(flow)}, {data.n_steps:,} steps"}
        plotting.whiskers(ax, steps.scales, steps.errors(flow), **style)
    first, second = limits.results
    better, label = limits.mean(second) < limits.mean(first), f"limit of {name(second)} is better"
    for i, j in stretches(better):
        plotting.shade(ax, limits.scales[i : j + 1], np.full(j - i + 1, True), label)
        label = "_nolegend_"
    length = "Q" if first.depth == 2 else r"\sum_n z_n^{2/L}"
    plotting.mark(ax, data.wall, f"$r_0^2 = {length}$")
    ax.set(xscale="log", yscale="log", ylim=(1e-15, 20))
    ax.set(xlabel=r"scale $\alpha$ of the start", ylabel="relative error")
    return ax


def draw_lengths(ax: Axes, data: ErrorAgainstScale) -> Axes:
    """Draw the length of the limit against that of the start, in units of the shortest.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    data : ErrorAgainstScale

    Returns
    -------
    matplotlib.axes.Axes
    """
    for flow in data.limits.results:
        R0 = data.limits.starts(flow).ravel() / data.shortest
        R = data.limits.ends(flow).ravel() / data.shortest
        style = plotting.flow_style(flow) | {"linestyle": "none", "alpha": 0.6}
        ax.plot(R0, R, **style)
    line = np.geomspace(R0.min(), R0.max(), 200)
    dashed: dict[str, Any] = {"linestyle": "--", "color": plotting.BLACK, "linewidth": 1.2}
    ax.plot(line, np.maximum(line, 1), **dashed, label="max(1, $r_0^2/Q$)")
    ax.set(xscale="log", yscale="log")
    ax.set(xlabel="start: $r_0^2 / Q$", ylabel=r"limit: $r_\infty^2 / Q$")
    ax.legend(loc="upper left")
    return ax


@dataclass(frozen=True)
class Comparison:
    """Errors of two flows on one problem, from one start.

    Attributes
    ----------
    limits : tuple of float
        Relative errors of the exact limits.
    reached : tuple of float
        The same after some time.
    estimate : float
        What :func:`wnlib.theory.law.arrival_estimate` says of the second flow.
    max_f : float
        The largest ``f``, :func:`wnlib.l1.certificates.off_support`.
    """

    limits: tuple[float, ...]
    reached: tuple[float, ...]
    estimate: float
    max_f: float

    @property
    def factors(self) -> Floats:
        """By what factor the first flow is farther off: in the limit, and after that time."""
        with np.errstate(divide="ignore", invalid="ignore"):
            first, second = np.transpose([self.limits, self.reached])
            return first / second


def compare(
    flows: tuple[Flow, WeightNormFlow],
    problem: Problem,
    x0: Floats,
    t_end: float,
    rtol: float = 1e-7,
) -> Comparison:
    """Compare two flows from one start, in the limit and at a time.

    Parameters
    ----------
    flows : (PlainFlow, WeightNormFlow)
    problem : Problem
        With a nonnegative signal that has zero entries.
    x0 : numpy.ndarray, shape (n_weights,)
    t_end : float
        Gradient descent reaches it in ``t_end / step`` steps; the flow is integrated instead.
    rtol : float
        Of the integration.

    Returns
    -------
    Comparison
    """
    ends = [limit(flow, problem, x0) for flow in flows]
    runs = [integrate(flow, problem, x0, t_end, times=[t_end], rtol=rtol) for flow in flows]
    return Comparison(
        limits=tuple(float(problem.error(end.effective)) for end in ends),
        reached=tuple(float(problem.error(run.effective)) for run in runs),
        estimate=float(arrival_estimate(flows[1], problem, x0)),
        max_f=float(off_support(problem).max(initial=-np.inf)),
    )


def short(error: float) -> str:
    """Write an error with one digit, in seven characters; what is below 1e-11 is rounding."""
    return " <1e-11" if error < 1e-11 else f"{error:7.0e}"


def in_words(value: float, digits: int = 2) -> str:
    """Write a positive number as :func:`plotting.in_words` does; for any other, a dash."""
    return plotting.in_words(np.log10(value), digits) if 0 < value < np.inf else "–"
