r"""What the shape of a start selects at depth above 2, and how soon: ``prop-plain-shape``.

From a short start ``x0 = r0 v0`` both flows end near the solution of smallest *weighted* norm
``W(z) = sum z_n / v0_n^{L-2}``. At depth 2 all weights are one.
"""

import numpy as np
from numpy.typing import ArrayLike

from wnlib._checks import last_axis, nonnegative_entries, positive_entries
from wnlib._types import Floats
from wnlib.flows import WeightNormFlow, check_depth, check_weight_norm, squared_radius
from wnlib.theory.potentials import relative_entropy


def norm_weights(depth: float, x0: ArrayLike) -> Floats:
    """Return ``v0^{-(L-2)}``, ``v0 = x0 / |x0|``: ones for depth 2.

    Parameters
    ----------
    depth : float
    x0 : array_like, shape (n_weights,)
        Positive weights.

    Returns
    -------
    numpy.ndarray, shape (n_weights,)
    """
    x0 = positive_entries("x0", x0, 1)
    return (x0 / np.linalg.norm(x0)) ** (2 - check_depth(depth))


def weighted_excess_bound(
    depth: float, x0: ArrayLike, shortest: ArrayLike, log_rho: float = 0.0
) -> float:
    r"""Bound the relative excess ``W / W* - 1`` of the weighted norm of the plain limit.

    With ``z*`` of the smallest norm ``W*``, ``v0 = x0 / r0``, ``gamma = 1 - 2/L``,
    ``tau = (r0^L / W*)^gamma`` and ``theta = sum z*_n v0_n^{-(L-2) gamma} / W*``, it is

        L = 2:    KL(z* / W* | v0^2) / log(W* / r0^2)
        L > 2:    (1 - theta) tau / (1 - tau).

    Parameters
    ----------
    depth : float
    x0 : array_like, shape (n_weights,)
        Positive initial weights.
    shortest : array_like, shape (n_weights,)
        The point ``z*``, nonnegative and not zero.
    log_rho : float
        0 for the plain flow; the magnification of weight normalization divides ``r0^L`` by ``rho``.

    Returns
    -------
    float
        NaN where the start is not short enough, ``r0^L / rho >= W*``.
    """
    w, L = norm_weights(depth, x0), check_depth(depth)
    z = last_axis("shortest", nonnegative_entries("shortest", shortest, 1), len(w), "entry of x0")
    log_share = L * np.log(np.linalg.norm(x0)) - log_rho - np.log(norm := w @ z)
    if not log_share < 0:
        return np.nan
    if L == 2:
        return relative_entropy(z, x0) / -float(log_share)
    gamma = 1 - 2 / L
    return float((1 - w**gamma @ z / norm) / np.expm1(-gamma * log_share))


def small_ratio_excess_bound(flow: WeightNormFlow, x0: ArrayLike, shortest: ArrayLike) -> float:
    """Bound the same of the limit of weight normalization, without knowing it: ``prop-wn-shape``.

    Its squared length is at least ``R* = sum (z*_n)^{2/L}``, and this bounds its magnification.

    Parameters
    ----------
    flow : WeightNormFlow
    x0 : array_like, shape (n_weights,)
        Positive initial weights, ``R0 = |x0|^2``.
    shortest : array_like, shape (n_weights,)
        The point ``z*`` of smallest weighted norm, nonnegative and not zero.

    Returns
    -------
    float
        NaN where the hypotheses fail: a ratio larger than ``R*``, or ``tau >= 1``, which takes
        ``R0 >= R*``.
    """
    z, r0 = nonnegative_entries("shortest", shortest, 1), np.linalg.norm(x0)
    R = squared_radius(z, check_weight_norm(flow).depth)
    if flow.ratio > R:
        return np.nan
    return weighted_excess_bound(flow.depth, x0, z, float(flow.log_rho(r0, np.sqrt(R))))


def robust_effective_start(depth: float, shortest: ArrayLike) -> float:
    """Return the power mean ``((1/N) sum_n (z*_n)^{2/L})^{L/2}``: ``prop-deeper-lower``.

    The effective weights, all equal, of the start whose squared length is ``R*``: beyond them
    weight normalization with a small ratio loses the shortest solution (``prop-crossover``).

    Parameters
    ----------
    depth : float
    shortest : array_like, shape (n_weights,)
        The point ``z*``, nonnegative.

    Returns
    -------
    float
    """
    z, L = nonnegative_entries("shortest", shortest, 1), check_depth(depth)
    return float((squared_radius(z, L) / len(z)) ** (L / 2))
