"""The figures of the chapter on the Lasso path: a path read off one run, beside the exact one."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wnlib._checks import Record
from wnlib._types import Floats
from wnlib.figures import widgets
from wnlib.figures.plotting import BLACK, BLUE, GREEN, GREY, SHADES, STYLE, VERMILLION
from wnlib.flows import Flow, normalizes
from wnlib.l1.lasso import correlations, gap, lasso, objective
from wnlib.problems import Problem
from wnlib.results import Trajectory
from wnlib.roads.integrate import integrate
from wnlib.theory import lasso as theory

RTOL = 1e-6  # of the steps: averages are then right to some five digits, finer than a line


@dataclass(frozen=True, eq=False, repr=False)
class LassoPath(Record):
    """What a run says of the Lasso at the recorded times at which its penalties are positive.

    Attributes
    ----------
    flow : Flow
    problem : Problem
    times : numpy.ndarray, shape (T,)
    penalty : numpy.ndarray, shape (T, n_weights)
        For depth 2 the largest correlation, which the average makes feasible.
    own : numpy.ndarray, shape (T,)
        Mean of the penalties that the run reads off itself; for depth 2 slightly less.
    average, iterate, exact : numpy.ndarray, shape (T, n_weights)
        Effective weights: their mean until then, themselves, and the solution of the Lasso.
    share, bound : numpy.ndarray, shape (T,)
        Duality gap of the average over what it pays, ``sum penalty average``, and its bound.
    """

    flow: Flow
    problem: Problem
    times: Floats
    penalty: Floats
    own: Floats
    average: Floats
    iterate: Floats
    exact: Floats
    share: Floats
    bound: Floats

    @property
    def strength(self) -> Floats:
        """The penalties as one number at each time: their mean, shape (T,)."""
        return self.penalty.mean(axis=1)

    def errors(self, name: str) -> Floats:
        """Return relative errors of ``average``, ``iterate`` or ``exact``, shape (T,)."""
        return np.asarray(self.problem.error(self.problem.readout(getattr(self, name))))

    @property
    def doubt(self) -> Floats:
        """Relative duality gaps of :attr:`exact`, shape (T,)."""
        each = zip(self.exact, self.penalty, strict=True)
        return np.array([gap(self.problem, z, p) / objective(self.problem, z, p) for z, p in each])

    def distance(self, name: str) -> Floats:
        """Return the distance of ``average`` or ``iterate`` from ``exact``, relative to it."""
        off = np.linalg.norm(getattr(self, name) - self.exact, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return off / np.linalg.norm(self.exact, axis=1)


def follow(flow: Flow, problem: Problem, x0: Floats, t_end: float, n_times: int = 60) -> LassoPath:
    """Follow a flow and read its Lasso path off it.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    problem : Problem
    x0 : array_like, shape (n_weights,)
    t_end : float
    n_times : int
        Recorded times, evenly spaced in the logarithm, over five decades.

    Returns
    -------
    LassoPath
    """
    times = np.geomspace(1e-5 * t_end, t_end, n_times)
    return read_off(integrate(flow, problem, x0, t_end, times=times, rtol=RTOL, average=True))


def read_off(run: Trajectory) -> LassoPath:
    """Return the :class:`LassoPath` of a run that knows its average; it may be empty."""
    L, problem, average = run.flow.depth, run.problem, np.asarray(run.average)[1:]
    own, g = theory.penalties(run)[1:], correlations(problem, average)
    penalty = own if L > 2 else np.repeat(g.max(axis=1)[:, None], g.shape[1], axis=1)
    known = ((own > 0) & np.isfinite(own)).all(axis=1)
    average, penalty, g = average[known], penalty[known], g[known]
    paid = np.sum(penalty * average, axis=1)
    return LassoPath(
        flow=run.flow,
        problem=problem,
        times=run.times[1:][known],
        penalty=penalty,
        own=own[known].mean(axis=1),
        average=average,
        iterate=run.path[1:][known] ** L,
        exact=np.array([lasso(problem, each) for each in penalty]).reshape(g.shape),
        share=np.sum(average * (penalty - g), axis=1) / paid,
        bound=theory.gap_bound(run)[1:][known] / paid,
    )


def stops(path: LassoPath, level: float, unseen: Problem) -> dict[str, int]:
    """Return where two rules stop, as indices of the recorded times; none on an empty path.

    Parameters
    ----------
    path : LassoPath
    level : float
        Of the noise: the discrepancy principle stops where the average leaves no more than it.
    unseen : Problem
        Measurements that were held out.
    """
    if not path.times.size:
        return {}
    fits = [
        np.linalg.norm(p.A @ path.average.T - p.b[:, None], axis=0) for p in (path.problem, unseen)
    ]
    small = np.flatnonzero(fits[0] <= level)
    first = int(small[0]) if small.size else len(path.times) - 1
    return {"discrepancy": first, "held out": int(np.argmin(fits[1]))}


def name_of(flow: Flow) -> str:
    """Return what a flow is called in a legend."""
    return rf"$\tilde\eta$ = {flow.ratio:g}" if normalizes(flow) else "plain flow"


def draw_path(ax: Axes, path: LassoPath, every: int = 2) -> Axes:
    """Draw the entries of the exact Lasso path as lines, those of the average as dots."""
    problem = path.problem
    exact, average = problem.readout(path.exact), problem.readout(path.average)
    largest = np.argsort(-np.abs(exact).max(axis=0, initial=0))[: len(SHADES)]
    order = np.argsort(path.strength)
    for n in np.flatnonzero(np.abs(exact).max(axis=0, initial=0) > 0):
        colour = SHADES[list(largest).index(n)] if n in largest else GREY
        ax.plot(path.strength[order], exact[order, n], color=colour, lw=1.5)
        ax.plot(path.strength[::every], average[::every, n], "o", color=colour, ms=4, mfc="white")
    top = np.abs(correlations(problem, np.zeros(problem.n_weights))).max()
    ax.set(xscale="log", xlim=(1.3 * top, 3e-3 * top), xlabel=r"penalty $\lambda$")
    ax.set_title(name_of(path.flow))
    return ax


def draw_shares(ax: Axes, paths: Sequence[LassoPath], *, bounds: bool = True) -> Axes:
    """Draw the duality gaps over what is paid; dashed, their bounds."""
    colours = iter((*SHADES, GREY, GREY))
    for path in paths:
        colour = next(colours) if normalizes(path.flow) else BLACK
        ax.plot(path.strength, path.share, color=colour, label=name_of(path.flow))
        if bounds:
            ax.plot(path.strength, path.bound, color=colour, ls="--", lw=1)
    if paths:
        problem = paths[0].problem
        top = np.abs(correlations(problem, np.zeros(problem.n_weights))).max()
        ax.set(xlim=(1.3 * top, 1e-3 * top), title=f"$L = {paths[0].flow.depth:g}$")
    ax.set(xscale="log", yscale="log", xlabel=r"penalty $\lambda$")
    return ax


def draw_errors(ax: Axes, path: LassoPath, marks: dict[str, int]) -> Axes:
    """Draw errors along a path, and lines at the times with a name."""
    looks = {"exact": ("Lasso", BLACK, "-"), "average": ("average", BLUE, "o")}
    looks["iterate"] = "iterate", VERMILLION, "--"
    for name, (label, colour, look) in looks.items():
        ax.plot(
            path.strength, path.errors(name), look, color=colour, ms=4, mfc="white", label=label
        )
    for (label, at), look in zip(marks.items(), (":", "-."), strict=False):
        ax.axvline(path.strength[at], color=GREEN, ls=look, lw=1.5, label=label)
    ax.set(xscale="log", xlabel=r"penalty $\lambda$", ylabel="relative error")
    ax.invert_xaxis()
    return ax


def explorer(path: LassoPath, shares: Sequence[float], shown: int) -> widgets.Flipbook | None:
    """Show average, iterate and Lasso point entry by entry, at penalties of one's choice.

    Parameters
    ----------
    path : LassoPath
        Without recorded times there is nothing to show.
    shares : sequence of float
        Penalties, over the largest correlation of zero; the nearest on the path are shown.
    shown : int
        Which of them first.
    """
    if not path.times.size:
        return None
    top = np.abs(correlations(path.problem, np.zeros(path.problem.n_weights))).max()
    wanted = np.log(np.sort(shares)[::-1] * top)
    rising = np.argmax(path.own)  # before, the run still turns to the largest correlation
    logs = np.log(path.strength[rising:])
    at = rising + np.unique([int(np.argmin(np.abs(logs - each))) for each in wanted])
    high = 1.15 * max(path.iterate.max(), path.exact.max())
    pictures = [_page(path, int(k), high) for k in at]
    labels = [float(f"{path.strength[k]:.3g}") for k in at]
    slider = widgets.choices("penalty λ", labels, labels[min(shown, len(labels) - 1)], "read off")
    return widgets.Flipbook(slider, pictures)


def _page(path: LassoPath, k: int, high: float) -> tuple[Figure, str]:
    """Draw one page of the explorer; return it with its text."""
    off = [path.distance(name)[k] for name in ("average", "iterate")]
    text = (
        f"time {path.times[k]:.0f}, penalty {path.strength[k]:.3g}: gap "
        f"{100 * path.share[k]:.2g}% of what is paid;\n"
        f"distance from the Lasso point: average {off[0]:.1%}, iterate {off[1]:.0%}"
    )
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6, 3.6))
        ax = figure.subplots()
        entries = np.arange(path.exact.shape[1])
        ax.vlines(entries, 0, path.exact[k], color=GREY, lw=1.5)
        ax.plot(entries, path.exact[k], "_", color=BLACK, ms=9, mew=2, label="Lasso")
        ax.plot(entries, path.average[k], "o", color=BLUE, mfc="none", label="average")
        ax.plot(entries, path.iterate[k], "x", color=VERMILLION, label="iterate")
        ax.set(ylim=(-0.05 * high, high), xlabel="entry", ylabel="effective weight")
        ax.set_title(text, fontsize=11)
        ax.legend(loc="upper right", ncols=3, columnspacing=1)
    return figure, "Entries of the Lasso point, the average and the iterate. " + text.replace(
        "\n", " "
    )
