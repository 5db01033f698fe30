"""The figures of the chapter on sparse recovery: touching balls, certificates, the transition."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes

from wnlib._types import Floats
from wnlib.figures.plotting import BLACK, BLUE, VERMILLION
from wnlib.l1.certificates import MinL1, fuchs_certificate
from wnlib.l1.linear_program import min_l1
from wnlib.l1.recovery import crossing, recovery_edge
from wnlib.problems import Problem, check_signal, sparse_problem


def draw_touching_ball(ax: Axes, problem: Problem, norm: Literal["l1", "l2"]) -> Axes:
    """Draw the solutions of one equation in two unknowns, and the smallest ball that meets them.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    problem : Problem
        With a matrix of shape (1, 2).
    norm : {"l1", "l2"}

    Returns
    -------
    matplotlib.axes.Axes
    """
    z = min_l1(problem).z if norm == "l1" else np.linalg.pinv(problem.A) @ problem.b
    angle = np.linspace(0, 2 * np.pi, 5 if norm == "l1" else 200)
    radius = float(np.linalg.norm(z, 1 if norm == "l1" else 2))
    ax.fill(*(radius * np.array([np.cos(angle), np.sin(angle)])), color=BLUE, alpha=0.25)
    along = np.array([-problem.A[0, 1], problem.A[0, 0]]) / np.linalg.norm(problem.A)
    reach = 10 * max(radius, 1.0)
    ax.plot(*np.transpose([z - reach * along, z + reach * along]), color=BLACK, linewidth=1.5)
    ax.plot(*z, "D", color=VERMILLION, markersize=9, zorder=3)
    limits = 1.4 * max(radius, np.abs(z).max()) * np.array([-1, 1]) if radius > 0 else (-1, 1)
    ax.set(xlim=limits, ylim=limits, aspect="equal", xlabel="$z_1$", title=rf"$\ell_{norm[1]}$")
    return ax


def draw_certificate(ax: Axes, found: MinL1) -> Axes:
    """Draw ``A^T y`` of a certificate: on the support of the point it certifies, and off it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    found : MinL1

    Returns
    -------
    matplotlib.axes.Axes
    """
    slope, on = found.problem.A.T @ found.dual, found.support
    for bound in (1, -1) if found.problem.signed else (1,):
        ax.axhline(bound, color=BLACK, linewidth=1)
    ax.plot(np.flatnonzero(~on), slope[~on], "o", markersize=4, color=BLUE)
    ax.plot(np.flatnonzero(on), slope[on], "D", markersize=8, color=VERMILLION)
    ax.set(ylabel=r"$(A^{\mathsf{T}} y)_n$")
    return ax


@dataclass(frozen=True)
class Transition:
    """How often random signals are recovered, by their sparsity: what :func:`transition` returns.

    Attributes
    ----------
    sparsities : tuple of int
    share : dict
        For both values of ``signed``, the shares of draws whose minimizer is the signal.
    proved : dict
        The shares in which the certificate of Fuchs proves it, without a linear program.
    edge : dict
        The sparsity at which theory predicts that the shares fall.
    """

    sparsities: tuple[int, ...]
    share: dict[bool, Floats]
    proved: dict[bool, Floats]
    edge: dict[bool, float]

    def half(self, signed: bool) -> float:
        """Return the sparsity at which the share falls below one half, NaN if it does not."""
        return crossing(self.sparsities, self.share[signed])


def transition(
    n_measurements: int, n_features: int, sparsities: Sequence[int], draws: int
) -> Transition:
    """Draw Gaussian problems of each sparsity, nonnegative and signed, and count recoveries.

    Parameters
    ----------
    n_measurements, n_features : int
    sparsities : sequence of int
        Those beyond ``n_features`` are left out.
    draws : int
        Problems for each sparsity and kind; their seeds are ``[draw, sparsity]``.

    Returns
    -------
    Transition
    """
    sparsities = tuple(int(s) for s in sparsities if s <= n_features)
    share, proved, edge = {}, {}, {}
    for signed in (False, True):
        found = [
            [
                _outcome(sparse_problem(n_measurements, n_features, s, [seed, s], signed=signed))
                for seed in range(draws)
            ]
            for s in sparsities
        ]
        counts = np.reshape(found, (len(sparsities), draws, 2))
        share[signed], proved[signed] = counts.mean(axis=1).T
        edge[signed] = recovery_edge(n_measurements, n_features, signed=signed)
    return Transition(sparsities, share, proved, edge)


def _outcome(problem: Problem) -> tuple[bool, bool]:
    """Return whether the minimizer is the signal, and whether the signal alone proves it."""
    signal = check_signal(problem)
    if problem.n_measurements < np.count_nonzero(signal):
        return bool(problem.error(min_l1(problem).z) < 1e-6), False
    proved = MinL1(problem, signal, fuchs_certificate(problem)).margin > 0
    return proved or bool(problem.error(min_l1(problem).z) < 1e-6), proved


def draw_transition(ax: Axes, counted: Transition) -> Axes:
    """Draw the shares against the sparsity, with the edges that theory predicts.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    counted : Transition

    Returns
    -------
    matplotlib.axes.Axes
    """
    looks = {False: (BLUE, "o", "nonnegative"), True: (VERMILLION, "s", "signed")}
    for signed, (color, marker, label) in looks.items():
        line: dict[str, Any] = {"color": color, "marker": marker}
        ax.plot(counted.sparsities, counted.share[signed], label=label, **line)
        ax.plot(counted.sparsities, counted.proved[signed], ":", markersize=3, **line)
        ax.axvline(counted.edge[signed], color=color, linestyle="--", linewidth=1.5)
    ax.set(xlabel="sparsity $s$", ylabel="share recovered")
    ax.legend()
    return ax
