"""Figures 1 and 5 on other problems: what both methods reach there from one start of one scale."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from wnlib._types import Floats
from wnlib.figures.methods import METHODS, flow_of
from wnlib.figures.studies import Study
from wnlib.flows import Flow, WeightNormFlow
from wnlib.l1.certificates import off_support
from wnlib.problems import Problem, check_signal, initial_weights, sparse_problem
from wnlib.results import Status
from wnlib.roads.integrate import integrate
from wnlib.roads.limit import limit
from wnlib.theory.last_stretch import arrival_estimate

SMALLEST, HALVINGS = -8.0, 14  # log10 of a scale, and steps of a bisection: digits enough


def trial(
    *,
    shape: Sequence[int],
    draw: int,
    signed: bool,
    start_seed: int,
    scale: float,
    depth: float,
    ratio: float,
    t_end: float,
    level: float,
) -> dict[str, Any]:
    """Compare both methods on one problem.

    Returns
    -------
    dict
        Of shape (2,), GD first: ``limit_error``; ``error``, that of the flow at time ``t_end``,
        which gradient descent reaches in ``t_end / step`` steps; ``reach``, the largest scale up to
        which the error of the limit stays below a level. And ``Q``, the l1 norm of the signal;
        ``max_f``, the largest of :func:`wnlib.l1.certificates.off_support`; and ``estimate``, what
        :func:`wnlib.theory.last_stretch.arrival_estimate` says of the error of WN-GD.
    """
    M, N, s = shape
    problem = sparse_problem(M, N, s, seed=draw, signed=signed)
    xi = initial_weights(problem, 1.0, seed=start_seed)
    flows = [flow_of(method, depth, ratio) for method in METHODS]
    x0 = scale * xi
    # with a tolerance of 1e-6 an error of 1e-10 would be left, where that of the flow is 1e-13
    times: dict[str, Any] = {"times": [t_end], "rtol": 1e-8}
    found = stacked(problem)
    return {
        "limit_error": [limit(flow, problem, x0).error for flow in flows],
        "error": [integrate(flow, problem, x0, t_end, **times).error for flow in flows],
        "reach": [reach(flow, problem, xi, level) for flow in flows],
        "Q": np.abs(check_signal(problem)).sum(),
        "max_f": off_support(found).max(initial=-np.inf),
        "estimate": arrival_estimate(WeightNormFlow(depth, ratio), found, x0),
    }


def grid(
    n_problems: int = 10,
    start_seed: int = 2,
    scale: float = 0.1,
    depth: float = 2,
    ratio: float = 0.1,
    t_end: float = 500.0,
    level: float = 1e-3,
    n_measurements: int = 40,
    n_features: int = 100,
    sparsity: int = 5,
    signed: bool = False,
) -> dict[str, Any]:
    """Return the points: problems of the shape of the figures, by their seeds."""
    return {
        "shape": [[n_measurements, n_features, sparsity]],
        "draw": range(n_problems),
        "signed": signed,
        "start_seed": start_seed,
        "scale": scale,
        "depth": depth,
        "ratio": ratio,
        "t_end": t_end,
        "level": level,
    }


# The integrator's tolerance is 1e-8 a step, relative or 1e-12; a scale is found by bisection.
RTOL, ATOL = 1e-2, 1e-10
compute = Study("other_draws", trial, partial(grid, signed=False), rtol=RTOL, atol=ATOL)


def stacked(problem: Problem) -> Problem:
    """Return the nonnegative problem that a network trains on, ``[A, -A]`` if signed."""
    return Problem(problem.network_matrix, problem.b, problem.split(check_signal(problem)))


def reach(flow: Flow, problem: Problem, xi: Floats, level: float) -> float:
    """Return the largest scale up to which the error of the limit stays below a level.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    problem : Problem
        With a signal.
    xi : numpy.ndarray, shape (n_weights,)
        Where the flow starts, at scale 1.
    level : float

    Returns
    -------
    float
        Between 1e-8 and 10, as if the error rose with the scale; 0 where 1e-8 is not small enough.
        That weight normalization stalls at some of the smaller scales is another matter.
    """

    def good(exponent: float) -> bool:
        end = limit(flow, problem, 10**exponent * xi)
        return end.status is Status.STALLED or bool(end.error < level)

    low, high = SMALLEST, 1.0
    if not good(low):
        return 0.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if good(middle) else (low, middle)
    return float(10**low)
