"""The figures of the chapter on rates: how the residual decays, and how depth sets the power."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wnlib._types import Floats
from wnlib.figures import plotting
from wnlib.figures.widgets import Flipbook, choices
from wnlib.flows import Flow, PlainFlow, WeightNormFlow
from wnlib.problems import Problem
from wnlib.results import Trajectory
from wnlib.roads.integrate import integrate
from wnlib.theory.rates import decay_power, power_law_constant

FLOOR = 1e-18  # losses below are rounding
RTOL = 1e-7  # of an integration whose end is drawn


def powers(run: Trajectory) -> Floats:
    """Return the exponents of the decay of ``|e|`` between recorded times after 0, (T - 2,)."""
    return -np.diff(np.log(run.misfit_path[1:])) / np.diff(np.log(run.times[1:]))


def draw_decays(ax: Axes, runs: dict[str, Sequence[Trajectory]]) -> Axes:
    """Draw losses against time: one line style for each name, a colour for each flow."""
    for (name, group), dash in zip(runs.items(), ("-", "--"), strict=False):
        for run in group:
            look = plotting.flow_style(run.flow)
            kept = run.loss_path > FLOOR
            label = f"{look['label'].split(',')[0]}, {name}"
            ax.plot(run.times[kept], run.loss_path[kept], dash, color=look["color"], label=label)
    ax.set(yscale="log", xlabel="time $t$", ylim=(FLOOR, 3))
    return ax


def draw_power_law(
    ax: Axes, problem: Problem, x0: Floats, depth: float, ratio: float, t_end: float
) -> list[float]:
    """Draw the residuals of both flows and, dashed, their power laws; return the last quotients."""
    times = np.geomspace(1e-2, t_end, 120)
    quotients = []
    flows: list[Flow] = [PlainFlow(depth), WeightNormFlow(depth, ratio)]
    for flow in flows:
        run = integrate(flow, problem, x0, t_end, times=times, rtol=RTOL)
        look = plotting.flow_style(flow)
        label = str(look["label"]).split(",")[0]
        ax.loglog(run.times[1:], run.misfit_path[1:], color=look["color"], label=label)
        if (radius := float(run.radius)) > 0:
            law = power_law_constant(flow, problem, radius) * times ** -decay_power(depth)
            ax.loglog(times, law, "--", color=plotting.BLACK, lw=1.0, zorder=3)
            quotients.append(float(run.misfit_path[-1] / law[-1]))
    ax.set(xlabel="time $t$", ylabel=r"$\Vert e\Vert$", ylim=(1e-13, 10))
    ax.legend(loc="lower left")
    return quotients


def depth_explorer(
    problem: Problem,
    x0: Floats,
    depths: Sequence[float],
    ratio: float,
    t_end: float,
    first: float,
) -> Flipbook:
    """Show how depth sets the power with which the residual decays.

    Parameters
    ----------
    problem : Problem
        Whose solutions have a zero in common.
    x0 : numpy.ndarray, shape (n_weights,)
    depths : sequence of float
        The choices.
    ratio, t_end : float
    first : float
        The depth to begin with.

    Returns
    -------
    Flipbook
        A widget: the last line of a cell.
    """
    slider = choices("depth L", depths, first, "number of layers")
    return Flipbook(slider, [_page(problem, x0, depth, ratio, t_end) for depth in depths])


def _page(
    problem: Problem, x0: Floats, depth: float, ratio: float, t_end: float
) -> tuple[Figure, str]:
    style = plotting.STYLE | {"figure.figsize": (5, 3.8)}
    with mpl.rc_context(style):
        figure = Figure()
        ax = figure.add_subplot()
        draw_power_law(ax, problem, x0, depth, ratio, t_end)
        power = f"{decay_power(depth):.3f}"
        ax.set_title(f"$L = {depth:g}$: power {power}", fontsize=13)
    return figure, (
        f"Residuals of both flows against time on logarithmic axes at depth {depth:g}. Each bends "
        f"into a dashed straight line of slope −{power}."
    )
