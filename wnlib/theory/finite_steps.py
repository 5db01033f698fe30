r"""What finite steps change: the start that a run seems to have had; and which are too large.

A step of gradient descent multiplies a weight by ``1 - y``, ``y = step h x^{L-2}``. In the mirror
map it is the straight step ``-c step h``, as the flow makes it, and besides what a smaller start
would have made. So a run ends exactly where the plain flow from the *effective start* does,

    x_eff = x_0 exp(-gain) rho^{-1/L},    rho = 1 without weight normalization,

where ``gain >= 0`` is what ``descend(..., gain=True)`` sums up. To first order in the step it is

    step (L-1)/2 x_0^{L-2} int h^2 x^{L-2} dt.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from wnlib._checks import nonnegative_entries, positive
from wnlib._types import Floats
from wnlib.flows import Flow, check_flow, normalizes
from wnlib.problems import Problem
from wnlib.results import Trajectory, check_trajectory


def effective_start(run: Trajectory) -> Floats:
    """Return the logarithms of the start from which the plain flow ends where a run does.

    Parameters
    ----------
    run : Trajectory
        Of ``descend(..., gain=True)``.

    Returns
    -------
    numpy.ndarray, shape (n_weights,) or (starts, n_weights)
        ``log x_eff``: after many steps of weight normalization ``x_eff`` may be too small for
        floats. NaN where a step of weight normalization was so large that the theorem is silent.

    Raises
    ------
    TypeError
        If the gain has not been summed up.
    """
    log_rho = np.asarray(_log_rho(run))[..., None]
    return np.log(run.initial) - run.gain - log_rho / run.flow.depth


def _log_rho(run: Trajectory) -> ArrayLike:
    if not isinstance(run, Trajectory) or run.log_rho is None:
        raise TypeError("run must be what descend(..., gain=True) returns: its gain is not known")
    return run.log_rho


def leading_gain(run: Trajectory) -> Floats:
    r"""Return the gain of a run over its step, to leading order as the step tends to zero.

    ``(L-1)/2 int (x_0/x)^{L-2} rho^{-(L-2)/L} (q x^{L-2} h)^2 dt`` by the trapezoidal rule, where
    ``q = 1`` and ``rho = 1`` for the plain flow, ``q = |x|^2`` for weight normalization
    (prop-drift).

    Parameters
    ----------
    run : Trajectory
        Of ``integrate(..., form="weights")``, one start, with ``times`` near enough to each other.

    Returns
    -------
    numpy.ndarray, shape (n_weights,)
    """
    flow, problem, x = check_trajectory(run).flow, run.problem, run.path
    if x.ndim != 2:
        raise ValueError("leading_gain takes a run of one start; call it once per start")
    p = flow.depth - 2
    squared = run.radius_path[:, None] ** 2
    y = flow.misfit(problem, x) @ problem.network_matrix * x**p
    y = y * squared if normalizes(flow) else y
    log_rho = np.asarray(flow.log_rho(run.radius_path[0], run.radius_path))[:, None]
    weight = (x[0] / x) ** p * np.exp(-p / flow.depth * log_rho)
    return (p + 1) / 2 * np.trapezoid(weight * y**2, run.times, axis=0)


def largest_stable_step(
    flow: Flow, problem: Problem, x: ArrayLike, direction_norm: float = 1.0
) -> float:
    """Return the step above which gradient descent does not settle at a solution: ``2 / lambda``.

    ``lambda`` is the largest eigenvalue of ``L A B A^T``, by which a small residual is multiplied,
    ``e <- (1 - step L A B A^T) e`` (prop-largest-step).

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    problem : Problem
    x : array_like, shape (n_weights,)
        Weights that solve ``A x^L = b``; some may be zero.
    direction_norm : float
        ``|u|``, for weight normalization: it grows from 1 as steps are made.

    Returns
    -------
    float
        Infinite if nothing moves.
    """
    check_flow(flow)
    x, norm = nonnegative_entries("x", x, 1), positive("direction_norm", direction_norm)
    if len(x) != problem.n_weights or not x.any():
        raise ValueError(f"x must be {problem.n_weights} weights, not all zero; got {x}")
    A = problem.network_matrix
    if normalizes(flow):  # lem-rescaled-rate: u moves as a unit vector does, at a rate over |u|^2
        B = replace(flow, ratio=flow.ratio * norm**2).metric(x**flow.depth) / norm**2
    else:
        B = flow.metric(x**flow.depth)
    largest = np.linalg.eigvalsh(flow.depth * A @ B @ A.T)[-1]
    return float(2 / largest) if largest > 0 else np.inf
