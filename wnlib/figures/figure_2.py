r"""Error and loss on the way, as in the paper's Figure 2, and the law of the curve: depth 2.

The law, for weight normalization with a small ratio: at each length ``R = |x|^2`` the direction is
the best one among the entries that are alive. With ``c = -<h, v^2>``, ``h = A^T e``, the length
obeys ``R' = 2 ratio c R``, and an entry is alive while its memory ``a_n``, the integral of
``f_n - 1`` over ``R``, ``f_n = -h_n / c``, is 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from scipy.optimize import nnls

from wnlib._checks import Record
from wnlib._types import Bools, Floats
from wnlib.figures import plotting
from wnlib.flows import Flow, WeightNormFlow
from wnlib.l1.certificates import fuchs_certificate
from wnlib.problems import Problem, check_signal
from wnlib.results import Status, Trajectory
from wnlib.roads.descend import descend
from wnlib.roads.integrate import integrate

HEAVY = 1e3  # weight of the row that gives best vectors their length
CLOSEST = 1e-9  # distance from Q at which the law ends


@dataclass(frozen=True, eq=False, repr=False)
class LastStretch(Record):
    """The end of the way, where only the support of the signal is alive.

    Attributes
    ----------
    problem : Problem
    w : numpy.ndarray, shape (sparsity,)
        By how much the entries of the support are too small, in units of ``c``:
        ``(A_S^T A_S)^{-1} 1``.
    y2 : float
        ``|y|^2 = sum w``, ``y = A_S w`` Fuchs' certificate: ``R = Q - c |y|^2``.
    R_S : float
        The length from which on all entries of the support can be positive.
    max_f : float
        Largest entry of ``A^T y`` off the support.
    """

    problem: Problem
    w: Floats
    y2: float
    R_S: float
    max_f: float

    def rate(self, ratio: float) -> float:
        """Return the rate ``lambda`` of the logistic equation."""
        return 2 * ratio * check_signal(self.problem).sum() / self.y2


def last_stretch(problem: Problem) -> LastStretch:
    """Compute the constants of the last stretch.

    Parameters
    ----------
    problem : Problem
        With a nonnegative signal.

    Returns
    -------
    LastStretch
        Of NaN where the columns of ``A`` on the support are dependent.
    """
    signal = check_signal(problem)
    on = signal > 0
    z = signal[on]
    try:
        y = fuchs_certificate(problem)
    except ValueError:
        return LastStretch(problem, np.full(len(z), np.nan), np.nan, np.nan, np.nan)
    w = np.asarray(np.linalg.lstsq(problem.A[:, on], y)[0], dtype=float)
    R_S = z.sum() - w.sum() * np.min(z[w > 0] / w[w > 0])
    max_f = (problem.A[:, ~on].T @ y).max(initial=-np.inf)
    return LastStretch(problem, w, float(y @ y), R_S, max_f)


def best(problem: Problem, allowed: Bools, R: float) -> tuple[Floats, Floats]:
    """Return the best ``z >= 0`` of length ``R`` among the allowed entries, and its ``h``.

    Parameters
    ----------
    problem : Problem
        Not signed.
    allowed : numpy.ndarray of bool, shape (n_weights,)
    R : float

    Returns
    -------
    z, h : numpy.ndarray, shape (n_weights,)
    """
    rows = np.vstack([problem.A, HEAVY * np.ones(problem.n_weights)])[:, allowed]
    z = np.zeros(problem.n_weights)
    z[allowed], _ = nnls(rows, np.append(problem.b, HEAVY * R))
    return z, problem.A.T @ (problem.A @ z - problem.b)


@dataclass(frozen=True, eq=False, repr=False)
class Law(Record):
    """What the law says at each length.

    Attributes
    ----------
    problem : Problem
    R : numpy.ndarray, shape (T,)
        Lengths, from that of the start to nearly Q.
    c : numpy.ndarray, shape (T,)
    z : numpy.ndarray, shape (T, n_weights)
        The effective weights.
    memory : numpy.ndarray, shape (n_weights,)
        The exponents ``a`` at the end: ``v_n^2 = v_n(0)^2 exp(a_n / ratio)``.
    """

    problem: Problem
    R: Floats
    c: Floats
    z: Floats
    memory: Floats

    @property
    def complete(self) -> int:
        """The index from which on no entry of the support is missing; ``len(R)`` if never."""
        missing = np.flatnonzero((self.z[:, check_signal(self.problem) > 0] == 0).any(axis=1))
        return missing[-1] + 1 if missing.size else 0

    @property
    def R_1(self) -> float:
        """The length at which all of the support is back; NaN if it never is."""
        return self.R[self.complete] if self.complete < len(self.R) else np.nan

    @property
    def loss(self) -> Floats:
        """Losses of a network of depth 2 at the effective weights, shape (T,)."""
        return np.sum((self.z @ self.problem.A.T - self.problem.b) ** 2, axis=1) / 4

    def times(self, ratio: float) -> Floats:
        """Return the times at which the lengths are reached, shape (T,): ``dt = dR / R'``."""
        slowness = 1 / (2 * ratio * self.c * self.R)
        return np.append(0, np.cumsum(np.diff(self.R) * (slowness[1:] + slowness[:-1]) / 2))


def law(problem: Problem, R0: float, n: int = 2000) -> Law:
    """Follow the law from length ``R0`` to the l1 norm Q of the signal.

    The lengths are evenly spaced in the logarithm of the gap ``Q - R``.

    Parameters
    ----------
    problem : Problem
        With a nonnegative signal.
    R0 : float
        Less than Q.
    n : int

    Returns
    -------
    Law
    """
    Q, N = check_signal(problem).sum(), problem.n_weights
    if not 0 < R0 < Q:
        raise ValueError(f"R0 must be between 0 and the norm {Q:g} of the signal; got {R0:g}")
    R = Q - np.geomspace(Q - R0, CLOSEST, n)
    memory, c, z = np.zeros(N), np.empty(n), np.empty((n, N))
    with np.errstate(divide="ignore", invalid="ignore"):  # c is 0 once A z = b, before R = Q
        for i, dR in enumerate(np.diff(R, append=R[-1])):
            z[i], h = best(problem, memory == 0, R[i])
            c[i] = -h @ z[i] / R[i]
            gained = np.where(z[i] > 0, 0, np.nan_to_num(-h / c[i]) - 1) * dR
            memory = np.minimum(memory + gained, 0)
    return Law(problem, R, c, z, memory)


def clocked(
    problem: Problem, ratio: float, x0: Floats, *, t_end: float = 6.0, n: int = 600
) -> tuple[Floats, Floats]:
    """Follow weight normalization; return its squared lengths ``R`` and its ``c`` at ``n`` times.

    Parameters
    ----------
    problem : Problem
    ratio : float
    x0 : numpy.ndarray, shape (n_weights,)
    t_end : float
        In units of ``1 / ratio``.
    n : int

    Returns
    -------
    R, c : numpy.ndarray, shape (T,)
    """
    t = np.linspace(t_end / n, t_end, n) / ratio
    flow = WeightNormFlow(2, ratio)
    z = integrate(flow, problem, x0, t_end=t[-1], times=t, rtol=1e-7).effective_path
    R = z.sum(axis=1)
    return R, -np.sum((z @ problem.A.T - problem.b) * (z @ problem.A.T), axis=1) / R


def measured_rate(
    problem: Problem,
    ratio: float,
    x0: Floats,
    *,
    between: tuple[float, float] = (0.7, 0.999),
    t_end: float = 7.0,
    n: int = 200,
) -> float:
    """Fit the rate of the logistic equation to a run: the slope of ``log R / (Q - R)``.

    Parameters
    ----------
    problem : Problem
        With a nonnegative signal.
    ratio : float
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
    t = np.linspace(0.1, t_end, n) / ratio
    run = integrate(WeightNormFlow(2, ratio), problem, x0, t[-1], times=t, rtol=1e-7)
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
        broken = np.isin(run.status, [Status.CROSSED_ZERO, Status.DIVERGED]).any()
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
