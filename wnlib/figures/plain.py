"""What the chapters on the limits of both flows compute and draw.

The relative excess of the l1 norm, what the gap of a solution allows as its distance from the
limit, and a few pictures with two weights.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from scipy.linalg import orth

from wnlib._types import Floats, Values
from wnlib.figures.plotting import BLACK
from wnlib.flows import PlainFlow, psi_of_log
from wnlib.l1.linear_program import min_l1
from wnlib.problems import Problem
from wnlib.results import Status, Trajectory
from wnlib.roads.limit import limit
from wnlib.theory.potentials import divergence


def relative_excess(depth: float, problem: Problem, x0: ArrayLike) -> Values:
    """Return the relative excess of the l1 norm at limits of the plain flow.

    Not as a difference of two nearly equal norms: a dual certificate ``y`` of the smallest one
    makes it ``sum (1 - A^T y)_n z_n``, a sum of nonnegative terms.

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
    slack = np.maximum(1 - problem.network_matrix.T @ best.dual, 0)  # rounding
    certified = np.asarray(end.status) == Status.CONVERGED
    return np.where(certified, end.stacked @ slack / best.norm, np.nan)[()]


def gap_of(depth: float, beta: Floats, z: Floats, nu: Floats) -> float:
    """Return the relative gap of a solution as the limit of the plain flow, for multipliers.

    Parameters
    ----------
    depth : float
    beta : numpy.ndarray, shape (n_weights,)
        Effective weights at the start.
    z : numpy.ndarray, shape (n_weights,)
        A nonnegative solution.
    nu : numpy.ndarray, shape (n_weights,)
        ``A^T nu``, by which the mirror map moves from the start.

    Returns
    -------
    float
        ``D(z, p) / (c sum z^{2/L})``, ``psi(p) = psi(beta) + A^T nu``; infinite if there is no
        such ``p``.
    """
    c = 1.0 if depth == 2 else 1 - 2 / depth
    if depth == 2:
        log_p = np.log(beta) + nu
    else:
        y = beta**-c - nu
        if not (y > 0).all():
            return np.inf
        log_p = -np.log(y) / c
    gap = divergence(PlainFlow(depth), z, log_p / depth) / (c * np.sum(z ** (2 / depth)))
    return max(float(gap), 0.0)  # rounding of zero has a sign


def distance_within(depth: float, z: Floats, gap: float) -> float:
    """Return how far a solution of a relative gap may be from the limit, over its l1 norm.

    Parameters
    ----------
    depth : float
    z : numpy.ndarray, shape (n_weights,)
    gap : float

    Returns
    -------
    float
        Infinite where the gap is too large to say anything.
    """
    power = 2 - 2 / depth
    size = np.sum(z**power) ** (1 / power)
    s = np.sqrt(2 * gap * np.sum(z ** (2 / depth)) / size ** (2 / depth))
    return s / (1 - s) * size / z.sum() if s < 1 else np.inf


def solutions_of(
    row: Sequence[float] | Floats,
    b: float,
    top: Sequence[float] | Floats,
    first: Floats | None = None,
) -> Floats:
    """Return points ``z > 0`` with ``row @ z = b`` for two weights.

    Parameters
    ----------
    row : sequence of two floats
    b : float
    top : sequence of two floats
        The largest entries of interest.
    first : numpy.ndarray, optional
        Values of ``z_1``, in units of ``b / row[0]``; by default many, and more near the ends.

    Returns
    -------
    numpy.ndarray, shape (k, 2)
    """
    if first is None:
        ends = np.geomspace(1e-9, 0.5, 500)
        first = np.concatenate([ends, 1 - ends[::-1], np.linspace(1, max(2, top[0]), 500)])
    first = first * b / row[0]
    z = np.column_stack([first, (b - row[0] * first) / row[1]])
    return z[(z > 0).all(axis=1) & (z <= top).all(axis=1)]


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
    maps = (lambda z: z), (lambda z: psi_of_log(np.log(z), depth))
    names = r"\tilde x", rf"\psi_{{{depth:g}}}(\tilde x"
    for ax, image, name in zip(axes, maps, names, strict=True):
        for k, run in enumerate(runs):
            points = image(run.path**depth)
            style = curves[k] if curves else "-"
            (line,) = ax.plot(*points.T, style)
            ax.plot(*points[0], "o", color=line.get_color(), mfc="white", zorder=3)
        limits = ax.get_xlim(), ax.get_ylim()
        solutions = image(solutions_of(problem.network_matrix[0], problem.b[0], top))
        ax.plot(*solutions.T, color=BLACK, lw=1.2, zorder=1)
        for run in runs:
            ax.plot(*image(run.path[-1] ** depth), "D", color=BLACK, ms=5, zorder=3)
        ax.set(xlim=limits[0], ylim=limits[1])
        close = ")" if "psi" in name else ""
        ax.set(xlabel=f"${name}_1{close}$", ylabel=f"${name}_2{close}$")
    return axes


def kernel_share(depth: float, problem: Problem, x: Floats) -> float:
    """Return which share of ``|x|^2`` lies in the kernel of ``A diag(x^{L-1})``.

    It is the ``theta`` by which the squared length of the plain limits from ``e^{-s} beta`` falls
    with ``s``: ``R' = -(2/L) theta R``.

    Parameters
    ----------
    depth : float
    problem : Problem
    x : numpy.ndarray, shape (n_weights,)
        Positive weights at such a limit.

    Returns
    -------
    float
    """
    rows = orth((problem.network_matrix * x ** (depth - 1)).T)
    return 1 - np.sum((x @ rows) ** 2) / (x @ x)
