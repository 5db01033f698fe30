"""On how many problems the sentences of the figures hold: measured on a grid of problems.

The paper's sizes, matrices and steps were not at hand, so its sentences are looked at on problems
of many kinds. :func:`trial` measures one problem; :mod:`wnlib.figures.reach_shares` tells from that
which sentences hold.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wnlib._types import Bools, Floats, Seed
from wnlib.figures.studies import Study
from wnlib.flows import Flow, PlainFlow, WeightNormFlow
from wnlib.l1.certificates import MinL1, off_support
from wnlib.l1.linear_program import min_l1, shortest
from wnlib.problems import Problem, initial_weights, sparse_problem
from wnlib.results import Status, broke_off
from wnlib.roads._stalling import rules_out_stall
from wnlib.roads.descend import descend
from wnlib.roads.limit import limit
from wnlib.sweeps import seed_of
from wnlib.theory.reach import longest_norm

Table = Mapping[str, NDArray[Any]]

# M, N, s: easy ones, that of the other figures, one at the edge of what any l1 norm recovers, one
# beyond it, and one whose signal is mostly the only nonnegative solution.
SHAPES = (
    (10, 30, 1),
    (20, 50, 2),
    (40, 100, 5),
    (80, 200, 8),
    (20, 50, 7),
    (20, 80, 16),
    (60, 100, 6),
)
MATRICES = "gaussian", "rademacher", "dct", "correlated"
SIGNALS = "uniform", "gaussian", "lognormal", "signed"  # the last one uniform, with signs
STEPS = 0.003, 0.01, 0.03
RATIOS = 10.0, 1.0, 0.1, 0.01  # descending, as in the sentence
ACCURATE = 1e-3
SCALES = 0.003, 2.0  # between which the largest accurate one is looked for
BISECTIONS = 8  # to 3 % of the scale
CERTAIN = 1e-6  # relative; what linear programs leave is far smaller
ROUNDING = 1e-12  # the residual at which a limit is called one: errors below are all alike
LOSSES = 41  # recorded, evenly spaced in the logarithm: nine a decade


def grid(
    seed: int = 0,
    shapes: Sequence[tuple[int, int, int]] = SHAPES,
    matrices: Sequence[str] = MATRICES,
    signals: Sequence[str] = SIGNALS,
    steps: Sequence[float] = STEPS,
    scale: float = 0.1,
    ratios: Sequence[float] = RATIOS,
    n_steps: int = 8000,
) -> list[dict[str, Any]]:
    """Return the points: each shape, matrix, signal and step once, each with a problem of its own.

    ``ratios`` are four, descending; the last but one is that of the other figures.
    """
    return [
        {
            "seed": seed,
            "n_measurements": M,
            "n_features": N,
            "sparsity": s,
            "matrix": matrix,
            "signal": signal,
            "step": step,
            "scale": scale,
            "ratios": ratios,
            "n_steps": n_steps,
        }
        for (M, N, s), matrix, signal, step in product(shapes, matrices, signals, steps)
    ]


def draw_problem(
    M: int, N: int, s: int, seed: Seed, *, matrix: str = "gaussian", signal: str = "uniform"
) -> Problem:
    """Draw a problem of the grid; a signal that is "signed" is uniform, with random signs."""
    signed = signal == "signed"
    kinds: dict[str, Any] = {"matrix": matrix, "entries": "uniform" if signed else signal}
    return sparse_problem(M, N, s, seed, signed=signed, **kinds)


def trial(
    *,
    seed: int,
    n_measurements: int,
    n_features: int,
    sparsity: int,
    matrix: str,
    signal: str,
    step: float,
    scale: float,
    ratios: Sequence[float],
    n_steps: int,
) -> dict[str, Any]:
    """Measure all that the sentences speak of, on one problem from one start.

    Returns
    -------
    dict
        Of the problem: ``Q``, ``longest``, ``margin``, ``slack``, ``max_f``, ``R0``, and the errors
        ``lp_error`` of the smallest l1 norm, ``lp3_error`` of that with weights 1/x0. Of limits:
        errors ``gd``, ``gd3`` (depth 3), ``wn``, one for each ratio, ``wn3``; largest accurate
        scales ``edge``, of GD and WN-GD at depth 2, then at depth 3. Of the steps, GD first:
        ``error``, infinite where the run broke off, ``loss`` over that of the start, and ``steps``
        to a loss of 1e-6 of that.
    """
    own = seed_of(seed, n_measurements, n_features, sparsity, matrix, signal, step)
    shape = n_measurements, n_features, sparsity
    problem = draw_problem(*shape, own, matrix=matrix, signal=signal)
    xi = initial_weights(problem, 1, [*own, 1])
    ends, x0 = _Ends(problem), scale * xi
    pairs = [(PlainFlow(L), WeightNormFlow(L, ratios[-2])) for L in (2, 3)]
    return {
        **ends.told(),
        "lp3_error": float(problem.error(problem.readout(shortest(problem, 1 / xi)))),
        "R0": float(x0 @ x0),
        "gd": ends.error(pairs[0][0], x0),
        "gd3": ends.error(pairs[1][0], x0),
        "wn": np.array([ends.error(WeightNormFlow(2, ratio), x0) for ratio in ratios]),
        "wn3": ends.error(pairs[1][1], x0),
        "edge": np.array([ends.edge(flow, xi, scale) for pair in pairs for flow in pair]),
        **_steps(pairs[0], problem, x0, step, n_steps),
    }


class _Ends:
    """Where flows end on one problem: at the signal if that is the only solution."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.shortest = problem, min_l1(problem).strictest()
        self.longest = longest_norm(problem)
        self.only = self.longest <= (1 + CERTAIN) * self.shortest.norm and unique(self.shortest)

    def told(self) -> dict[str, float]:
        """Return what the linear programs say."""
        return {
            "Q": self.shortest.norm,
            "longest": self.longest,
            "lp_error": float(self.problem.error(self.shortest.z)),
            "margin": self.shortest.margin,
            "slack": self.shortest.slack,
            "max_f": float(np.max(off_support(self.problem), initial=-np.inf)),
        }

    def error(self, flow: Flow, x0: Floats) -> float:
        """Return the relative error of a limit; NaN if there is no certificate."""
        if self.only and (flow.motion is PlainFlow or rules_out_stall(flow, x0, self.shortest.z)):
            return 0.0  # a limit is a solution
        end = limit(flow, self.problem, x0)
        known = end.status in (Status.CONVERGED, Status.STALLED)  # that of a stall is zero
        return float(self.problem.error(end.effective)) if known else np.nan

    def edge(self, flow: Flow, xi: Floats, scale: float) -> float:
        """Return up to which scale the error is below 1e-3; 0 or infinity if beyond the range.

        From the smallest scale weight normalization may stall, so ``scale`` is tried as well.
        """
        smallest, high = SCALES
        accurate = [low for low in (smallest, scale) if self.good(flow, low * xi)]
        if not accurate:
            return 0.0
        if self.good(flow, high * xi):
            return np.inf
        low = accurate[0]
        for _ in range(BISECTIONS):
            middle = np.sqrt(low * high)
            low, high = (middle, high) if self.good(flow, middle * xi) else (low, middle)
        return float(low)

    def good(self, flow: Flow, x0: Floats) -> bool:
        """Tell whether the limit is accurate."""
        return self.error(flow, x0) < ACCURATE


def unique(strictest: MinL1) -> bool:
    """Tell whether a certificate proves that no other solution is as short."""
    return strictest.margin > CERTAIN


def _steps(
    flows: Sequence[Flow], problem: Problem, x0: Floats, step: float, n_steps: int
) -> dict[str, Any]:
    """Take the steps of two methods."""
    times = step * np.unique(np.geomspace(1, n_steps, LOSSES).astype(int))
    runs = [descend(flow, problem, x0, step, n_steps, times=times) for flow in flows]
    broke = np.array([broke_off(run.status) for run in runs])
    losses = [run.loss_path / run.loss_path[0] for run in runs]
    reached = [
        np.append(run.times, np.inf)[_first(loss < 1e-6)]
        for run, loss in zip(runs, losses, strict=True)
    ]
    return {
        "error": np.where(broke, np.inf, [float(problem.error(r.effective)) for r in runs]),
        "loss": np.where(broke, np.inf, [loss[-1] for loss in losses]),
        "steps": np.where(broke, np.inf, np.array(reached) / step),
    }


def _first(found: Bools) -> int:
    """Return the index of the first that is true, or that behind the last."""
    return int(np.argmax(np.append(found, True)))


# rtol: bisections and recorded steps are exact, errors near 1e-12 are not; atol lets those pass
compute = Study("reach", trial, grid, rtol=1e-3, atol=1e-7)
