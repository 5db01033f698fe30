"""What the chapters on the limits of both flows compute and draw.

The relative excess of the l1 norm, and a picture with two weights.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from wnlib._types import Values
from wnlib.figures.plotting import BLACK
from wnlib.figures.two_weights import solutions
from wnlib.flows import PlainFlow, psi_of_log
from wnlib.l1.linear_program import min_l1
from wnlib.problems import Problem
from wnlib.results import Status, Trajectory
from wnlib.roads.limit import limit


def relative_excess(depth: float, problem: Problem, x0: ArrayLike) -> Values:
    """Return the relative excess of the l1 norm at limits of the plain flow.

    By :meth:`wnlib.MinL1.excess`, not as a difference of two nearly equal norms.

    Parameters
    ----------
    depth : float
    problem : Problem
    x0 : array_like, shape (n_weights,) or (starts, n_weights)
        Positive initial weights.

    Returns
    -------
    float, or numpy.ndarray, shape (starts,)
        NaN where the limit is not certified.
    """
    best, end = min_l1(problem), limit(PlainFlow(depth), problem, x0)
    certified = np.asarray(end.status) == Status.CONVERGED
    return np.where(certified, best.excess(end.stacked), np.nan)[()]


def portrait(
    axes: Sequence[Axes], runs: Sequence[Trajectory], curves: Sequence[str] = ()
) -> Sequence[Axes]:
    """Draw runs with two weights: effective weights on the left, their mirror image on the right.

    Parameters
    ----------
    axes : sequence of two matplotlib.axes.Axes
    runs : sequence of Trajectory
        On one problem with one measurement and two weights, of one depth.
    curves : sequence of str
        Line styles, one for each run; solid if there are none.

    Returns
    -------
    sequence of matplotlib.axes.Axes
    """
    problem, depth = runs[0].problem, runs[0].flow.depth
    top = 1.08 * np.concatenate([run.path**depth for run in runs]).max(axis=0)
    ends, beyond = np.geomspace(1e-9, 0.5, 500), np.geomspace(1, 1e3, 500)  # these for a ray
    segment = solutions(problem, np.concatenate([ends, 1 - ends[::-1], beyond]))
    segment = segment[(segment > 0).all(axis=1) & (segment <= top).all(axis=1)]
    maps = (lambda z: z), (lambda z: psi_of_log(np.log(z), depth))
    names = r"\tilde x", rf"\psi_{{{depth:g}}}(\tilde x"
    for ax, image, name in zip(axes, maps, names, strict=True):
        for k, run in enumerate(runs):
            points = image(run.path**depth)
            style = curves[k] if curves else "-"
            (line,) = ax.plot(*points.T, style)
            ax.plot(*points[0], "o", color=line.get_color(), mfc="white", zorder=3)
        limits = ax.get_xlim(), ax.get_ylim()
        ax.plot(*image(segment).T, color=BLACK, lw=1.2, zorder=1)
        for run in runs:
            ax.plot(*image(run.path[-1] ** depth), "D", color=BLACK, ms=5, zorder=3)
        ax.set(xlim=limits[0], ylim=limits[1])
        close = ")" if "psi" in name else ""
        ax.set(xlabel=f"${name}_1{close}$", ylabel=f"${name}_2{close}$")
    return axes
