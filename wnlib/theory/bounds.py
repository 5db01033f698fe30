"""The bounds of the theorems, from the problem and the start alone: no trajectory is looked at.

Where the hypothesis of a bound fails there is no bound, and the function returns NaN, which
compares as false: an instance to which a theorem does not apply never passes for one on which it
holds.
"""

import numpy as np
from scipy.special import hyperu, logsumexp

from wnlib._checks import finite, nonnegative, positive
from wnlib.flows import check_depth


def _log_effective(x0, depth):
    """Return ``log x0^L``: from here on magnitudes like ``exp(-300)`` are ordinary numbers."""
    x0 = finite("x0", x0, (1, 2))
    if not (x0 > 0).all():
        raise ValueError("x0 must be positive in each entry")
    return check_depth(depth) * np.log(x0)


def _log_threshold(log_beta, depth):
    """Return the log of what ``Q`` must exceed: ``|beta|_1``; above depth 2, ``N max beta``."""
    if depth == 2:
        return logsumexp(log_beta, axis=-1)
    return log_beta.max(axis=-1) + np.log(log_beta.shape[-1])


def excess_hypothesis(x0, Q, depth, log_rho=0.0):
    """Return whether :func:`excess_bound` applies: the start is small beside the solution.

    Parameters
    ----------
    x0, Q, depth, log_rho
        As for :func:`excess_bound`.

    Returns
    -------
    numpy.bool, or numpy.ndarray of bool, shape (starts,)
        With ``beta = x0^L / rho``: ``Q > |beta|_1`` for depth 2, ``Q > N max(beta)`` above.
    """
    threshold = _log_threshold(_log_effective(x0, depth), depth) - log_rho
    return np.log(positive("Q", Q)) > threshold


def excess_bound(x0, Q, depth, log_rho=0.0):
    r"""Bound the relative excess ``(|z|_1 - Q) / Q`` of the limit ``z`` over the smallest l1 norm.

    With the ``N`` numbers ``beta = x0^L / rho`` and ``gamma = 1 - 2/L`` it is

        L = 2:    log(|beta|_1 / beta_min) / log(Q / |beta|_1)
        L > 2:    [(beta_max / beta_min)^gamma - 1 + (L/2) (N^gamma - 1) (beta_max / Q)^gamma]
                  / [1 - (N beta_max / Q)^gamma].

    Parameters
    ----------
    x0 : array_like, shape (n_weights,) or (starts, n_weights)
        Positive initial weights; ``N`` is ``n_weights``, twice the features if signed.
    Q : float
        Smallest l1 norm of an interpolator.
    depth : float
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
    At no depth can a constant below 1 be put in front: the tests hold starts that come close.
    """
    log_beta = _log_effective(x0, depth)
    smallest, largest = log_beta.min(axis=-1), log_beta.max(axis=-1)
    threshold = _log_threshold(log_beta, depth)
    margin = np.log(positive("Q", Q)) - threshold + log_rho
    margin = np.where(margin > 0, margin, np.nan)
    if depth == 2:
        return (threshold - smallest) / margin
    gamma, log_N = 1 - 2 / depth, threshold - largest
    # expm1: as the depth falls to 2, all three terms vanish like gamma
    shape = np.expm1(gamma * (largest - smallest))
    crowd = depth / 2 * np.expm1(gamma * log_N) * np.exp(-gamma * (margin + log_N))
    return (shape + crowd) / -np.expm1(-gamma * margin)


def log_rho_lower_bound(x0, Q, depth, ratio):
    r"""Bound ``log rho`` of weight normalization from below, before running it.

    As a function of the final squared radius ``R``,

        log rho = (L/2) [log(R_0 / R) + (R - R_0) / ratio]

    falls up to ``R = ratio`` and rises after it, and every solution has ``R >= Q^{2/L}``: its value
    at ``R = max(ratio, Q^{2/L})`` is the least.

    Parameters
    ----------
    x0 : array_like, shape (n_weights,) or (starts, n_weights)
        Positive initial weights, ``R_0 = |x0|^2``.
    Q : float
        Smallest l1 norm of an interpolator; 0, if it is unknown, gives the bound
        ``(R_0/ratio e^{1 - R_0/ratio})^{L/2}`` that needs no hypothesis, on a stalling flow too.
    depth, ratio : float
        Of the flow.

    Returns
    -------
    numpy.float64, or numpy.ndarray, shape (starts,)
        Positive only if weight normalization is certain to act like a smaller start.
    """
    depth = check_depth(depth)
    R0 = np.exp(2 / depth * _log_effective(x0, depth)).sum(axis=-1)
    R = max(positive("ratio", ratio), nonnegative("Q", Q) ** (2 / depth))
    return depth / 2 * (np.log(R0 / R) + (R - R0) / ratio)


def small_ratio_bound(x0, shortest, depth, ratio):
    r"""Bound what weight normalization leaves of the (weighted) l1 norm to gain, at a small ratio.

    The norm is ``W(z) = sum z_n / v_{0,n}^{L-2}``, ``v_0 = x0 / |x0|``: the l1 norm for depth 2.
    With its smallest point ``z*``, ``Q = |z*|_1`` and ``R* = sum (z*_n)^{2/L}``, the limit has

        L = 2:    W - Q <= ratio * Q KL(z* / Q | v_0^2) / (Q - R_0),  if R_0 < Q
        L > 2:    W - W(z*) <= integral of e^{-k (t^{2/L} - R_0)} over t > R*^{L/2},

    ``k = (L - 2) / (2 ratio)``.

    Parameters
    ----------
    x0 : array_like, shape (n_weights,)
        Positive initial weights, ``R_0 = |x0|^2``.
    shortest : array_like, shape (n_weights,)
        The point ``z*``, nonnegative.
    depth, ratio : float
        Of the flow.

    Returns
    -------
    float
        NaN where the hypothesis fails; infinite where the bound is no float.
    """
    depth, ratio = check_depth(depth), positive("ratio", ratio)
    x0, z = finite("x0", x0, 1), finite("shortest", shortest, 1)
    R0 = x0 @ x0
    if depth == 2:
        Q, on = z.sum(), z > 0
        entropy = z[on] @ np.log(z[on] / Q * R0 / x0[on] ** 2)
        return ratio * entropy / (Q - R0) if R0 < Q else np.nan
    return reward_beyond(np.sum(z ** (2 / depth)), R0, depth, ratio)


def reward_beyond(R, R0, depth, ratio):
    """Return the integral of ``e^{-k (t^{2/L} - R0)}`` over ``t > R^{L/2}``, depth > 2.

    ``k = (L - 2) / (2 ratio)``. It is what the potential of weight normalization from a squared
    radius ``R0`` still pays for length, beyond the squared radius ``R``.

    Parameters
    ----------
    R, R0 : float or numpy.ndarray
        Squared radii, ``R > 0``.
    depth, ratio : float
        Of the flow.
    """
    a, k = depth / 2, (depth - 2) / (2 * ratio)
    # By t = (tau / k)^{L/2} an incomplete gamma function, Gamma(a, x) = e^{-x} U(1-a, 1-a, x).
    with np.errstate(over="ignore"):
        return a * k**-a * np.exp(k * (R0 - R)) * hyperu(1 - a, 1 - a, k * R)
