"""Figure 1 with a signed truth, as the paper's Figure 5, and the two halves of what is trained."""

from functools import partial

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wnlib._types import Floats
from wnlib.figures import figure_1, plotting, widgets
from wnlib.figures.studies import Data, Study
from wnlib.flows import Flow
from wnlib.problems import Problem, check_signal
from wnlib.results import Result
from wnlib.roads.limit import limit
from wnlib.theory.halves import log_mean

grid = partial(figure_1.grid, signed=True)
compute = Study("figure_5", figure_1.trial, grid, rtol=figure_1.RTOL, atol=figure_1.ATOL)
PLACES = {"GD": (0.05, 0.35), "limit": (0.13, 1e-12), "steps": (0.02, 5e-6), "region": (0.02, 8)}


def draw(ax: Axes, data: Data) -> Axes:
    """Draw what :func:`wnlib.figures.figure_1.draw` draws, with words where there is room."""
    return figure_1.draw(ax, data, PLACES)


def draw_halves(ax: Axes, result: Result) -> Axes:
    """Draw the two halves of the weights of a signed problem, entry by entry, and their mean.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    result : Result
        Of a single start; entries of the support of the signal come first.

    Returns
    -------
    matplotlib.axes.Axes
    """
    problem, depth = result.problem, result.flow.depth
    order = np.argsort(check_signal(problem) == 0, kind="stable")
    n, size = np.arange(problem.n_features), problem.n_features
    halves = np.maximum(result.stacked, np.finfo(float).tiny)  # of a stall nothing is left
    looks = (("$z_+$", "^", plotting.GREEN), ("$z_-$", "v", plotting.PURPLE))
    for half, (name, marker, color) in zip(np.split(halves, 2), looks, strict=True):
        ax.plot(n, half[order], marker, color=color, markersize=4)
        at = 1.02 if name == "$z_+$" else 1.13
        ax.text(at, 0.85, name, color=color, transform=ax.transAxes)
    ax.plot(n, np.exp(log_mean(depth, np.log(halves)))[order], "_", color=plotting.BLACK)
    ax.text(1.02, 0.5, "mean", transform=ax.transAxes, va="center")
    ax.set(yscale="log", xlim=(-1, size), ylabel="effective weights")
    return ax


def frame(flow: Flow, problem: Problem, x0: Floats) -> tuple[Figure, str]:
    """Return a picture of the halves of a limit for an explorer, and the text that stands for it.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    problem : Problem
        Signed, with a signal.
    x0 : numpy.ndarray, shape (n_weights,)

    Returns
    -------
    figure : matplotlib.figure.Figure
    text : str
        Its error and magnification.
    """
    end = limit(flow, problem, x0)
    with mpl.rc_context(plotting.STYLE | {"figure.figsize": (5, 3.4)}):
        figure = Figure()
        ax = draw_halves(figure.subplots(), end)
        ax.set(xlabel="entry, those of the signal first", ylim=(1e-66, 1e2))
        text = f"relative error {widgets.error(end)}"
        ax.set_title(text)
    return figure, text
