"""The bounds of the theorems, from the problem and the start alone: no trajectory is looked at.

Where the hypothesis of a bound fails there is no bound, and the function returns NaN, which
compares as false: an instance to which a theorem does not apply never passes for one on which it
holds.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, wrightomega

from wnlib._checks import (
    count,
    finite,
    nonnegative,
    nonnegative_entries,
    positive,
    positive_entries,
)
from wnlib._types import Floats, Truths, Values
from wnlib.flows import WeightNormFlow, check_depth, check_weight_norm, squared_radius
from wnlib.theory.potentials import relative_entropy, reward_beyond


def _log_weights(x0: ArrayLike) -> Floats:
    """Return ``log x0``: from here on magnitudes like ``exp(-300)`` are ordinary numbers."""
    return np.log(positive_entries("x0", x0, (1, 2)))


def _log_threshold(log_beta: Floats, depth: float) -> Any:
    """Return the log of what ``Q`` must exceed: ``|beta|_1``; above depth 2, ``N max beta``."""
    if depth == 2:
        return logsumexp(log_beta, axis=-1)
    return log_beta.max(axis=-1) + np.log(log_beta.shape[-1])


def excess_hypothesis(depth: float, x0: ArrayLike, Q: float, log_rho: ArrayLike = 0.0) -> Truths:
    """Return whether :func:`excess_bound` applies: the start is small beside the solution.

    Parameters
    ----------
    depth, x0, Q, log_rho
        As for :func:`excess_bound`.

    Returns
    -------
    numpy.bool, or numpy.ndarray of bool, shape (starts,)
        With ``beta = x0^L / rho``: ``Q > |beta|_1`` for depth 2, ``Q > N max(beta)`` above.
    """
    return log_smallness(depth, x0, Q) > -np.asarray(log_rho, dtype=float)


def log_smallness(depth: float, x0: ArrayLike, Q: float) -> Values:
    """Return ``log(Q / |beta|_1)``; above depth 2, ``log(Q / (N max(beta)))``.

    Parameters
    ----------
    depth, x0, Q
        As for :func:`excess_bound`.

    Returns
    -------
    numpy.float64, or numpy.ndarray, shape (starts,)
    """
    log_beta = check_depth(depth) * _log_weights(x0)
    return np.log(positive("Q", Q)) - _log_threshold(log_beta, depth)


def excess_bound(depth: float, x0: ArrayLike, Q: float, log_rho: ArrayLike = 0.0) -> Values:
    r"""Bound the relative excess ``(|z|_1 - Q) / Q`` of the limit ``z`` over the smallest l1 norm.

    With the ``N`` numbers ``beta = x0^L / rho`` and ``gamma = 1 - 2/L`` it is

        L = 2:    log(|beta|_1 / beta_min) / log(Q / |beta|_1)
        L > 2:    [(beta_max / beta_min)^gamma - 1 + (L/2) (N^gamma - 1) (beta_max / Q)^gamma]
                  / [1 - (N beta_max / Q)^gamma].

    Parameters
    ----------
    depth : float
    x0 : array_like, shape (n_weights,) or (starts, n_weights)
        Positive initial weights; ``N`` is ``n_weights``, twice the features if signed.
    Q : float
        Smallest l1 norm of an interpolator.
    log_rho : float or array_like, shape (starts,)
        0 for the plain flow. For weight normalization the magnification
        (:func:`wnlib.invariants.log_rho`), or a lower bound of it: the bound falls as it grows.

    Returns
    -------
    numpy.float64, or numpy.ndarray, shape (starts,)
        NaN where :func:`excess_hypothesis` is false.

    Notes
    -----
    The form of Theorems 2.1 and 2.2 of arXiv:2305.05448, with the constants derived in the book.
    At no depth can a constant below 1 be put in front for all starts: those of
    ``wnlib.claims.instances.tight_weights`` come close. For each start :func:`best_excess_bound` is
    smaller.
    """
    margin = log_smallness(depth, x0, Q) + np.asarray(log_rho, dtype=float)
    return excess_formula(depth, x0, np.where(margin > 0, margin, np.nan))


def excess_formula(depth: float, x0: ArrayLike, margin: Any) -> Values:
    """Return the formula of :func:`excess_bound`, which is no bound if the margin is negative.

    Parameters
    ----------
    depth : float
    x0 : array_like, shape (n_weights,) or (starts, n_weights)
    margin : float or numpy.ndarray, shape (starts,)
        :func:`log_smallness`, plus ``log rho``.

    Returns
    -------
    numpy.float64, or numpy.ndarray, shape (starts,)
    """
    log_beta = check_depth(depth) * _log_weights(x0)
    smallest, largest = log_beta.min(axis=-1), log_beta.max(axis=-1)
    threshold = _log_threshold(log_beta, depth)
    if depth == 2:
        return (threshold - smallest) / margin
    gamma, log_N = 1 - 2 / depth, threshold - largest
    # expm1: as the depth falls to 2, all three terms vanish like gamma
    shape = np.expm1(gamma * (largest - smallest))
    crowd = depth / 2 * np.expm1(gamma * log_N) * np.exp(-gamma * (margin + log_N))
    return (shape + crowd) / -np.expm1(-gamma * margin)


def best_excess_bound(depth: float, x0: ArrayLike, Q: float) -> float:
    r"""Bound the relative excess of the l1 norm by the best constants.

    With ``beta``, ``gamma`` and hypothesis as in :func:`wnlib.bounds.excess_bound`,

        L = 2:    w / log(Q / |beta|_1),             w e^w = (|beta|_1 / beta_min - 1) / e,
        L > 2:    [sigma - 1 + C tau] / [1 - N^gamma tau],   C = :func:`crowding`,

    ``sigma = (beta_max / beta_min)^gamma``, ``tau = (beta_max / Q)^gamma``.

    Parameters
    ----------
    depth : float
    x0 : array_like, shape (n_weights,)
        Positive initial weights.
    Q : float
        Smallest l1 norm of an interpolator.

    Returns
    -------
    float
        NaN where :func:`excess_hypothesis` is false.

    Notes
    -----
    The best constants: for each shape of the start at depth 2, and for constant starts above it,
    there are problems on which the excess comes as near to the bound as one likes
    (``wnlib.claims.instances.near_tie``). Derived in the book; not of the paper.
    """
    x0 = finite("x0", x0, 1)
    return best_excess_formula(depth, x0, Q) if excess_hypothesis(depth, x0, Q) else np.nan


def best_excess_formula(depth: float, x0: ArrayLike, Q: float) -> float:
    """Return the formula of :func:`best_excess_bound`, which is no bound without its hypothesis.

    Parameters
    ----------
    depth, x0, Q
        As for :func:`best_excess_bound`.

    Returns
    -------
    float
    """
    log_beta = check_depth(depth) * np.log(positive_entries("x0", x0, 1))
    N = len(log_beta)
    if N == 1:
        return 0.0  # a single solution
    if depth == 2:
        sum_log = _log_threshold(log_beta, depth)
        spread = sum_log - log_beta.min()
        return lambert(spread + np.log1p(-np.exp(-spread))) / (np.log(Q) - sum_log)
    gamma = 1 - 2 / depth
    shape = np.expm1(gamma * np.ptp(log_beta))
    tau = np.exp(gamma * (log_beta.max() - np.log(Q)))
    return float((shape + crowding(depth, N)[0] * tau) / (1 - N**gamma * tau))


def crowding(depth: float, N: int) -> tuple[float, float]:
    """Return what ``N`` equal entries of the start may cost in the l1 norm, and at which share.

    ``max over m of (1-m) [((N-1)/(1-m))^gamma - m^{-gamma}]``, ``gamma = 1 - 2/depth``; over
    ``gamma``, as the depth falls to 2, the solution ``w`` of ``w e^w = (N-1)/e``.

    Parameters
    ----------
    depth : float
        Greater than 2.
    N : int
        At least 2.

    Returns
    -------
    cost, m : float

    Raises
    ------
    ValueError, TypeError
        For depth 2, a single entry, or what is no depth or no number of entries.
    """
    gamma, N = 1 - 2 / check_depth(depth), count("N", N, 2)
    if gamma == 0:
        raise ValueError("depth must be greater than 2: best_excess_bound has what depth 2 costs")
    best = minimize_scalar(
        lambda m: (1 - m) * (m**-gamma - ((N - 1) / (1 - m)) ** gamma),
        bounds=(1 / N, 1),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return -best.fun, best.x


def lambert(log_odds: float) -> float:
    """Return the ``w`` with ``w e^w = e^{log_odds} / e``: Lambert's W, without overflow."""
    return float(wrightomega(log_odds - 1))


def log_rho_lower_bound(flow: WeightNormFlow, x0: ArrayLike, Q: float) -> Values:
    r"""Bound ``log rho`` of weight normalization from below, before running it.

    As a function of the final squared radius ``R``,

        log rho = (L/2) [log(R_0 / R) + (R - R_0) / ratio]

    falls up to ``R = ratio`` and rises after it, and every solution has ``R >= Q^{2/L}``: its value
    at ``R = max(ratio, Q^{2/L})`` is the least.

    Parameters
    ----------
    flow : WeightNormFlow
    x0 : array_like, shape (n_weights,) or (starts, n_weights)
        Positive initial weights, ``R_0 = |x0|^2``.
    Q : float
        Smallest l1 norm of an interpolator; 0, if it is unknown, gives the bound
        ``(R_0/ratio e^{1 - R_0/ratio})^{L/2}`` that needs no hypothesis, on a stalling flow too.

    Returns
    -------
    numpy.float64, or numpy.ndarray, shape (starts,)
        Positive only if weight normalization is certain to act like a smaller start.
    """
    R0 = np.exp(2 * _log_weights(x0)).sum(axis=-1)
    R = max(check_weight_norm(flow).ratio, nonnegative("Q", Q) ** (2 / flow.depth))
    return flow.log_rho(np.sqrt(R0), np.sqrt(R))


def small_ratio_bound(flow: WeightNormFlow, x0: ArrayLike, shortest: ArrayLike) -> float:
    r"""Bound what weight normalization leaves of the (weighted) l1 norm to gain, at a small ratio.

    The norm is ``W(z) = sum z_n / v_{0,n}^{L-2}``, ``v_0 = x0 / |x0|``: the l1 norm for depth 2.
    With its smallest point ``z*``, ``Q = |z*|_1`` and ``R* = sum (z*_n)^{2/L}``, the limit has

        L = 2:    W - Q <= ratio * Q KL(z* / Q | v_0^2) / (Q - R_0),  if R_0 < Q
        L > 2:    W - W(z*) <= integral of e^{-omega (t^{2/L} - R_0)} over t > R*^{L/2},

    ``omega = (L - 2) / (2 ratio)``.

    Parameters
    ----------
    flow : WeightNormFlow
    x0 : array_like, shape (n_weights,)
        Positive initial weights, ``R_0 = |x0|^2``.
    shortest : array_like, shape (n_weights,)
        The point ``z*``, nonnegative.

    Returns
    -------
    float
        NaN where the hypothesis fails; infinite where the bound is no float.
    """
    L, ratio = check_weight_norm(flow).depth, flow.ratio
    x0, z = positive_entries("x0", x0, 1), nonnegative_entries("shortest", shortest, 1)
    R0, Q = float(x0 @ x0), z.sum()
    if L == 2:
        return ratio * Q * relative_entropy(z, x0) / (Q - R0) if R0 < Q else np.nan
    return float(reward_beyond(flow, squared_radius(z, L), R0))
