r"""What a flow conserves, how fast it loses loss, and how much it magnifies its start.

Both flows move the same mirror map, at ``kappa^L x^L``, within the range of ``A^T`` only:

    psi(z) = log z  (L = 2),              psi(z) = -z^{-(1 - 2/L)}  (L > 2);
    kappa(r) = exp(r^2 / (2 ratio)) / r,  kappa = 1 for the plain flow.

Its projection on the kernel of ``A`` is therefore conserved. A limit that fits the measurements is
singled out by it, so ``rho = (kappa(r_inf) / kappa(r_0))^L`` says it all: weight normalization ends
where the plain flow from ``x_0^L / rho`` would end (arXiv:2305.05448, Theorem 2.2).

``kappa^L`` easily leaves the range of floats, so everything is computed from ``log kappa``.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import orth

from wnlib._checks import finite, positive
from wnlib._types import Floats, Truths, Values
from wnlib.flows import Flow, check_depth, check_flow, psi_of_log
from wnlib.problems import Problem, check_problem, check_weights
from wnlib.results import Trajectory, check_trajectory


def psi(stacked: ArrayLike, depth: float) -> Floats:
    """Return the mirror map of the plain flow at positive effective weights, entrywise.

    Parameters
    ----------
    stacked : array_like
        Positive effective weights ``x^L``.
    depth : float

    Returns
    -------
    numpy.ndarray
        ``log z`` for depth 2, ``-z^{-(1 - 2/depth)}`` above.
    """
    depth, stacked = check_depth(depth), finite("stacked", stacked, range(4))
    if not (stacked > 0).all():
        raise ValueError("stacked must be positive in each entry: psi is undefined elsewhere")
    return psi_of_log(np.log(stacked), depth)


def log_kappa(flow: Flow, radius: ArrayLike) -> Values:
    """Return ``log kappa``: ``r^2 / (2 ratio) - log r``, and 0 for the plain flow.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    radius : array_like
        Lengths ``r = |x| > 0``.

    Returns
    -------
    numpy.ndarray, shape of ``radius``
    """
    check_flow(flow)
    radius = finite("radius", radius, range(4))
    if not (radius > 0).all():
        raise ValueError("radius must be positive: kappa is infinite where all weights vanish")
    return flow.log_kappa(radius)


def mirror(flow: Flow, path: ArrayLike) -> Floats:
    """Return ``psi(kappa^L x^L)`` along a path, for depth > 2 in units of its largest entry.

    The unit is one positive number per start, the same at all times, so what is constant stays so.
    Without it all entries could underflow, and zero is suspiciously well conserved.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    path : array_like, shape (T, n_weights) or (T, starts, n_weights)
        Positive weights ``x``, as in ``Trajectory.path``.

    Returns
    -------
    numpy.ndarray, same shape

    Raises
    ------
    ValueError
        If a weight is not positive, or the axis of times is missing.
    """
    check_flow(flow)
    path = finite("path", path, (2, 3))
    if not (path > 0).all():
        raise ValueError(
            "path has a weight that is not positive, where psi is undefined: "
            "take a smaller step, or end the path before the weights vanish"
        )
    log_lift = np.log(path) + log_kappa(flow, np.linalg.norm(path, axis=-1, keepdims=True))
    if flow.depth > 2:
        log_lift -= log_lift.min(axis=(0, -1), keepdims=True)
    return psi_of_log(flow.depth * log_lift, flow.depth)


def kernel_part(problem: Problem, vectors: ArrayLike) -> Floats:
    """Project vectors, shape (..., n_weights), on the kernel of the network matrix, of any rank."""
    rows = orth(check_problem(problem).network_matrix.T)
    vectors = finite("vectors", vectors, range(1, 4))
    if vectors.shape[-1] != len(rows):
        raise ValueError(f"vectors must have shape (..., {len(rows)}); got shape {vectors.shape}")
    return vectors - (vectors @ rows) @ rows.T


def invariant(flow: Flow, problem: Problem, path: ArrayLike) -> Floats:
    """Return what the flow conserves: the projection of :func:`mirror` on the kernel of ``A``.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    problem : Problem
    path : array_like, shape (T, n_weights) or (T, starts, n_weights)

    Returns
    -------
    numpy.ndarray, same shape
        The same vector at each time, if ``path`` is a trajectory of the flow.
    """
    return kernel_part(problem, mirror(flow, path))


def drift(trajectory: Trajectory) -> Values:
    """Return how far the invariant moved, as a share of how far the mirror map moved.

    ``max_t |P(psi_t - psi_0)| / max_t |psi_t - psi_0|``, ``P`` the projection on the kernel: 0 if
    the invariant is conserved, 1 if nothing but the invariant moves. The unit of ``psi`` cancels,
    and for depth 2 so does its origin. With another flow put in place of the trajectory's own,
    ``dataclasses.replace(trajectory, flow=...)``, it says how wrong that flow's invariant is.

    Parameters
    ----------
    trajectory : Trajectory

    Returns
    -------
    float, or numpy.ndarray of shape (starts,)
        0 where nothing moved.
    """
    check_trajectory(trajectory, "trajectory")
    psi_path = mirror(trajectory.flow, trajectory.path)
    moved = psi_path - psi_path[0]
    distance = np.linalg.norm(moved, axis=-1).max(axis=0)
    in_kernel = np.linalg.norm(kernel_part(trajectory.problem, moved), axis=-1).max(axis=0)
    return in_kernel / np.where(distance > 0, distance, 1.0)


def log_rho(flow: Flow, x0: ArrayLike, x: ArrayLike) -> Values:
    """Return ``log rho``, by which the way from ``x0`` to ``x`` magnifies the start (Theorem 2.2).

    ``rho = (r_0 / r)^L exp(L (r^2 - r_0^2) / (2 ratio))``, and 1 for the plain flow.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    x0, x : array_like, shape (..., n_weights)
        Initial and later weights.

    Returns
    -------
    numpy.ndarray, shape (...)

    Raises
    ------
    ValueError
        If the numbers of weights differ, or all weights vanish.
    """
    x0, x = _nonzero_weights("x0", x0), _nonzero_weights("x", x)
    if x0.shape[-1] != x.shape[-1]:
        raise ValueError(
            f"x0 and x must have as many weights as one another; got shapes {x0.shape}, {x.shape}"
        )
    return check_flow(flow).log_rho(*(np.linalg.norm(weights, axis=-1) for weights in (x0, x)))


def _nonzero_weights(name: str, x: ArrayLike) -> Floats:
    x = finite(name, x, range(1, 5))
    if not x.any(axis=-1).all():
        raise ValueError(f"{name} vanishes: rho is infinite where all weights do, as in a stall")
    return x


def fitted_log_rho(depth: float, problem: Problem, x0: ArrayLike, x: ArrayLike) -> float:
    """Return the ``log rho`` for which ``psi(x^L) - psi(x0^L / rho)`` is in the range of ``A^T``.

    Least squares on two points of a flow: no radius, no ratio, not even which flow it was. What
    :func:`log_rho` predicts can be measured with it.

    Parameters
    ----------
    depth : float
    problem : Problem
    x0, x : array_like, shape (n_weights,)
        Positive weights at the start and later.

    Returns
    -------
    float
        NaN where no ``rho`` explains the way, and where each does: if what ``rho`` moves, ones for
        depth 2 and ``x0^{-(L-2)}`` above, has no part in the kernel.
    """
    log_x0, log_x = (np.log(check_weights(problem, x, name)) for name, x in (("x0", x0), ("x", x)))
    return fitted_to_logs(depth, problem, log_x0, log_x)


def fitted_to_logs(depth: float, problem: Problem, log_x0: ArrayLike, log_x: ArrayLike) -> float:
    """Return what :func:`fitted_log_rho` does, of logarithms: weights may be too small for floats.

    Parameters
    ----------
    depth : float
    problem : Problem
    log_x0, log_x : array_like, shape (n_weights,)
    """
    depth, logs = check_depth(depth), _one_start_and_end(log_x0, log_x)
    start, later = _powers(depth, logs)
    moved = kernel_part(problem, start)  # start is ones for depth 2
    if np.linalg.norm(moved) <= 100 * np.finfo(float).eps * np.linalg.norm(start):
        return np.nan
    if depth == 2:  # log x^2 = log x0^2 - log rho
        return -2 * (moved @ (logs[1] - logs[0])) / (moved @ moved)
    share = moved @ later / (moved @ moved)  # x^{-(L-2)} = rho^{1 - 2/L} x0^{-(L-2)}, on the kernel
    if share <= 0:
        return np.nan
    units = logs.min(axis=1)
    return depth * (np.log(share) / (depth - 2) + units[0] - units[1])


def fitted_amplification(
    depth: float, problem: Problem, log_x0: ArrayLike, log_x: ArrayLike
) -> float:
    """Bound by how much :func:`fitted_to_logs` changes per relative error of the later weights.

    Parameters
    ----------
    depth : float
    problem : Problem
    log_x0, log_x : array_like, shape (n_weights,)

    Returns
    -------
    float
        To leading order, if no entry of ``log_x`` is off by more than one unit. Infinite where what
        ``rho`` moves has no part in the kernel.
    """
    depth, logs = check_depth(depth), _one_start_and_end(log_x0, log_x)
    start, later = _powers(depth, logs)
    moved = kernel_part(problem, start)
    if depth == 2:
        change, size = 2 * np.sqrt(len(later)), np.linalg.norm(moved)
    else:
        change, size = depth * np.linalg.norm(later) * np.linalg.norm(moved), abs(moved @ later)
    return float(change / size) if size > 1e-300 else np.inf  # else the quotient is no float


def _one_start_and_end(log_x0: ArrayLike, log_x: ArrayLike) -> Floats:
    log_x0, log_x = np.asarray(log_x0), np.asarray(log_x)
    if log_x0.ndim != 1 or log_x.ndim != 1:
        raise ValueError("fitted_log_rho compares one start with one end: call it once per row")
    return np.array([log_x0, log_x], dtype=float)


def _powers(depth: float, logs: Floats) -> Floats:
    """Return ``x^{-(L-2)}`` of each row, in units of its largest."""
    return np.exp((2 - depth) * (logs - logs.min(axis=1, keepdims=True)))


def logarithmic_mean(a: ArrayLike, b: ArrayLike) -> Values:
    """Return ``(a - b) / (log a - log b)``, and ``a`` where ``a = b``, for positive arrays."""
    low, high = np.minimum(a, b, dtype=float), np.maximum(a, b, dtype=float)
    if not ((low > 0) & (high < np.inf)).all():
        raise ValueError(f"a logarithmic mean needs positive finite numbers; got {a!r} and {b!r}")
    # log1p of the gap, not a difference of logarithms: exact to rounding as a approaches b
    gap = (np.minimum(high, 2 * low) - low) / low
    near = low * np.divide(gap, np.log1p(gap), out=np.ones_like(gap), where=gap > 0)
    with np.errstate(invalid="ignore"):
        return np.where(high > 2 * low, (high - low) / (np.log(high) - np.log(low)), near)[()]


def magnifies(ratio: float, R0: ArrayLike, R: ArrayLike) -> Truths:
    """Return whether ``rho > 1``, judged by the logarithmic mean of the squared radii.

    A growing radius magnifies if the ratio is below that mean, a shrinking one if it is above.

    Parameters
    ----------
    ratio : float
    R0, R : array_like
        Initial and final squared radii ``|x|^2``.

    Returns
    -------
    numpy.ndarray of bool
        The sign of ``log rho = (L/2) (R - R0) (1/ratio - 1/logarithmic_mean(R0, R))``.
    """
    ratio = positive("ratio", ratio)
    return (np.asarray(R) - R0) * (logarithmic_mean(R0, R) - ratio) > 0


def dissipation(flow: Flow, problem: Problem, x: ArrayLike) -> float:
    """Return the rate of ``|A x^L - b|^2 / 2`` along the flow: ``-L h^T B h <= 0``.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
        For weight normalization, with ``|u| = 1``.
    problem : Problem
    x : array_like, shape (n_weights,)

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        For another flow or problem than these, and weights that do not fit or are not positive.
    """
    check_flow(flow)
    x = check_weights(problem, x, "x")
    if x.ndim != 1:
        raise ValueError(f"x must be one vector of weights; got shape {x.shape}: one row at a time")
    h = flow.misfit(problem, x) @ problem.network_matrix
    return -flow.depth * float(h @ flow.metric(x**flow.depth) @ h)
