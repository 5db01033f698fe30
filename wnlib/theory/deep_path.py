r"""The path that limits of deep networks from equal weights run on, and the central path behind it.

With ``delta``, the effective weights of the start over ``rho``, the limit ``z`` of either flow of
depth ``L > 2`` has a vector ``y`` with

    1 - A^T y = (delta / z)^gamma,      gamma = 1 - 2/L,

so ``A^T y < 1``, and ``b @ y`` is below the norm of every solution, by ``delta^gamma sum z^{2/L}``
of that of ``z`` (``thm-own-certificate``). With ``gamma = 1``, depth infinity, it is the central
path of the linear program (``thm-deep-path``). And from a point near its end two problems of least
squares lead to a solution of smallest norm (``prop-two-projections``).
"""

from contextlib import suppress

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import orth
from scipy.optimize import brentq

from wnlib._checks import nonnegative_entries, positive
from wnlib._types import Floats
from wnlib.flows import Flow, WeightNormFlow, check_depth, normalizes, squared_radius
from wnlib.problems import Problem, check_problem

STAGE = 5.0  # the most that delta falls at once
MAX_STEPS = 100  # of Newton's method in each stage; typical are 5
ROUNDING = 1e-26  # of the squared step of Newton's method, in its own norm: the next ones are noise
SMALLEST = 1e-12  # of the share of a step
FOUND = 1e-8  # relative residual: rounding is below, where delta is not tiny


def log_delta(flow: Flow, x0: ArrayLike, radius: ArrayLike) -> Floats:
    """Return the logarithm of ``delta``, the effective weights of an even start over ``rho``.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    x0 : array_like, shape (n_weights,)
        Positive and all equal: of others, the geometric mean.
    radius : array_like
        Lengths ``|x|`` along the way or in the limit.

    Returns
    -------
    numpy.ndarray, shape of ``radius``
        Of the plain flow it is that of the start at all times.
    """
    x0, radius = np.asarray(x0, float), np.asarray(radius, float)
    start = flow.depth * np.log(x0).mean()
    if not normalizes(flow):
        return np.full(radius.shape, start)
    return start - flow.log_rho(np.linalg.norm(x0), radius)


def gap_bound(flow: WeightNormFlow, x0: ArrayLike, z: ArrayLike) -> float:
    """Bound the gap of the limit over ``Q``: ``(s/N)^{(L-2)/2} e^{-omega (R(z) - R_0)}``.

    Parameters
    ----------
    flow : WeightNormFlow
        Of depth above 2; its ratio at most ``gamma R(z)``.
    x0 : array_like, shape (n_weights,)
        Equal weights.
    z : array_like, shape (n_weights,)
        A solution of smallest norm, with ``s`` positive entries.

    Returns
    -------
    float
    """
    x0, z = np.asarray(x0, float), nonnegative_entries("z", z, 1)
    excess = squared_radius(z, flow.depth) - x0 @ x0
    share = np.count_nonzero(z) / len(z)
    return float(share ** (flow.depth / 2 - 1) * np.exp(-flow.omega * excess))


def path_point(problem: Problem, delta: float, depth: float = np.inf) -> tuple[Floats, Floats]:
    """Return the point ``z`` of the path of a depth, and its ``y``.

    They solve ``A z = b`` and ``1 - A^T y = (delta / z)^gamma``. For small problems, with Newton's
    method for the ``y`` that maximizes ``b @ y`` minus a barrier; ``delta`` falls in stages.

    Parameters
    ----------
    problem : Problem
        With a positive solution, if it is not signed.
    delta : float
        At most the size of the solutions, or little more.
    depth : float
        Above 2; ``numpy.inf`` for the central path.

    Returns
    -------
    z : numpy.ndarray, shape (n_weights,)
    y : numpy.ndarray, shape (n_measurements,)

    Raises
    ------
    ValueError
        If ``depth`` is 2, ``delta`` not positive, or no such point is found.
    """
    A, b, delta = check_problem(problem).network_matrix, problem.b, positive("delta", delta)
    gamma = 1.0 if depth == np.inf else 1 - 2 / check_depth(depth)
    if gamma == 0:
        raise ValueError("depth must be above 2, where slacks are powers; got 2")
    largest = max(delta, float(np.abs(np.linalg.lstsq(A, b)[0]).max()))
    n_stages = int(np.ceil(np.log(largest / delta) / np.log(STAGE)))
    y, z, missed = np.zeros(len(b)), np.zeros(A.shape[1]), np.inf
    with np.errstate(all="ignore"), suppress(np.linalg.LinAlgError):  # there may be no such point
        for stage in np.geomspace(largest, delta, n_stages + 1):
            y = _best_dual(A, b, stage, gamma, y)
        z = delta * (1 - A.T @ y) ** (-1 / gamma)
        missed = float(np.linalg.norm(A @ z - b) / np.linalg.norm(b))
    if not missed < FOUND:
        raise ValueError(f"no point of the path at delta={delta:g}: A z misses b by {missed:.0e}")
    return z, y


def _best_dual(A: Floats, b: Floats, delta: float, gamma: float, y: Floats) -> Floats:
    """Return the ``y`` at which ``A z = b``, ``z = delta slack^{-1/gamma}``, from another one.

    The entries of ``z`` are derivatives of a concave function of ``y``, of which ``b - A z`` is the
    gradient.
    """
    slack = 1 - A.T @ y
    for _ in range(MAX_STEPS):
        z = delta * slack ** (-1 / gamma)
        left = b - A @ z
        dy = np.linalg.lstsq((A * (z / (gamma * slack))) @ A.T, left, rcond=1e-14)[0]
        fall = A.T @ dy
        decrement = float(left @ dy)
        step = min(1.0, 0.9 / max(float(np.max(fall / slack)), 1e-300))
        while step > SMALLEST:  # the gradient along dy has not changed its sign: not too far
            ahead = slack - step * fall
            slope = b @ dy - fall @ (delta * ahead ** (-1 / gamma))
            if slope >= -0.5 * decrement:
                break
            step /= 2
        y, slack = y + step * dy, slack - step * fall
        if decrement <= ROUNDING * max(abs(float(b @ y)), delta) or step <= SMALLEST:
            return y
    return y


def first_order(problem: Problem, z: ArrayLike, delta: float) -> Floats:
    """Return what depth does to the logarithms of a point of the central path, times ``2 / L``.

    ``P log(z / delta)`` with the orthogonal projection ``P`` on the kernel of ``A diag(z)``.

    Parameters
    ----------
    problem : Problem
    z : array_like, shape (n_weights,)
        By :func:`path_point` at depth infinity.
    delta : float

    Returns
    -------
    numpy.ndarray, shape (n_weights,)
    """
    z = np.asarray(z, float)
    rows = orth((problem.network_matrix * z).T)
    logs = np.log(z / delta)
    return logs - rows @ (rows.T @ logs)


def deep_delta(problem: Problem, beta: float, ratio: float) -> float:
    """Return the ``delta`` where weight normalization ends, in ever deeper networks.

    The only root of ``log(beta / delta) = (N / ratio - 1) mean log(z / beta)``, ``z`` the point of
    the central path with that ``delta``.

    Parameters
    ----------
    problem : Problem
    beta : float
        Effective weights of the start, all equal.
    ratio : float

    Returns
    -------
    float
    """
    problem, ratio = check_problem(problem), positive("ratio", ratio)
    log_beta = np.log(positive("beta", beta))

    def miss(log_delta: float) -> float:
        mean = np.log(path_point(problem, np.exp(log_delta))[0]).mean()
        return float(log_delta - mean + problem.n_weights / ratio * (mean - log_beta))

    low = high = log_beta
    while miss(low) > 0:
        low -= 1.0
    while miss(high) < 0:
        high += 1.0
    return float(np.exp(brentq(miss, low, high, xtol=1e-12))) if low < high else float(beta)
