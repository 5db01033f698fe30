r"""The two halves of a signed problem: what is left of their overlap.

A signed network trains ``z_+`` and ``z_-`` with the matrix ``[A, -A]``, whose range moves both by
opposite amounts. So the sum of their mirror maps is conserved: a mean of the two halves, which only
the magnification divides (lem-two-halves).
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from wnlib._checks import finite, positive_entries
from wnlib._types import Floats
from wnlib.flows import check_depth


def log_mean(depth: float, log_stacked: ArrayLike) -> Floats:
    """Return the log of ``m(z_+, z_-)``, entry by entry (lem-two-halves).

    ``m`` is the geometric mean for depth 2, and the power mean of exponent ``-(1 - 2/L)`` above.

    Parameters
    ----------
    depth : float
    log_stacked : array_like, shape (..., 2 N)
        Logarithms of the effective weights of a signed problem, the positive half first.

    Returns
    -------
    numpy.ndarray, shape (..., N)

    Raises
    ------
    ValueError
        If the number of weights is odd: those of a signed problem come in pairs.
    """
    depth, log_stacked = check_depth(depth), finite("log_stacked", log_stacked, range(1, 4))
    if log_stacked.shape[-1] % 2:
        raise ValueError(
            "log_stacked must have a pair of weights for each feature, as signed problems do; "
            f"got {log_stacked.shape[-1]}"
        )
    plus, minus = np.split(log_stacked, 2, axis=-1)
    gamma = 1 - 2 / depth
    if gamma == 0:
        return (plus + minus) / 2
    return -(np.logaddexp(-gamma * plus, -gamma * minus) - np.log(2)) / gamma


def log_overlap_bound(depth: float, x0: ArrayLike, log_rho: ArrayLike = 0.0) -> Floats:
    """Return the log of the largest overlap of the halves that there can be (lem-two-halves).

    The overlap is ``|z_+|_1 + |z_-|_1 - |z_+ - z_-|_1``, twice the sum of the smaller ones; its
    bound is ``2 sum_n m(beta_+, beta_-)_n / rho``.

    Parameters
    ----------
    depth : float
    x0 : array_like, shape (2 N,)
        Initial weights of a signed problem.
    log_rho : array_like
        Of the magnification, at any number of times; 0 for the plain flow.

    Returns
    -------
    numpy.ndarray, shape of ``log_rho``
    """
    x0, log_rho = positive_entries("x0", x0, 1), np.asarray(log_rho)
    if len(x0) % 2:
        raise ValueError(
            f"x0 must have two weights for each feature, as signed problems do; got {len(x0)}"
        )
    if log_rho.dtype.kind not in "iuf":
        raise TypeError(f"log_rho must be a real number, or an array of them; got {log_rho!r}")
    log_start = check_depth(depth) * np.log(x0)
    return np.log(2) + logsumexp(log_mean(depth, log_start)) - log_rho
