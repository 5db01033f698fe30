"""How sparse a signal must be for the smallest l1 norm to find it from Gaussian measurements.

Theory quoted, not derived here: recovery succeeds or fails, with high probability, as there are
more measurements or fewer than the *statistical dimension* of the problem at the signal (Amelunxen,
Lotz, McCoy and Tropp, Information and Inference 3, 2014).
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import norm

from wnlib._checks import count, flag, nonnegative

FARTHEST = 10.0  # of tau: a normal variable exceeds it with probability 1e-23


def statistical_dimension(sparsity: float, n_features: int, *, signed: bool = False) -> float:
    r"""Return how many Gaussian measurements the smallest l1 norm needs, about half of the time.

    The least value over ``tau >= 0`` of ``s (1 + tau^2) + (N - s) E max(g - tau, 0)^2``, with a
    standard normal ``g``, in its place ``|g|`` if signed (``eq-statistical-dimension``): the
    statistical dimension itself, up to a small term.

    Parameters
    ----------
    sparsity : float
        Number of nonzero entries of the signal, in [0, n_features]; need not be an integer.
    n_features : int
    signed : bool
        Whether entries may have any sign.

    Returns
    -------
    float
        In [0, n_features]; it rises with the sparsity.

    Raises
    ------
    ValueError, TypeError
        If an argument is none of these.
    """
    s, N = nonnegative("sparsity", sparsity), count("n_features", n_features)
    if s > N:
        raise ValueError(f"sparsity must be at most n_features={N}; got {sparsity}")
    sides = 2 if flag("signed", signed) else 1

    def bound(tau: float) -> float:
        tail = (1 + tau**2) * norm.sf(tau) - tau * norm.pdf(tau)
        return s * (1 + tau**2) + (N - s) * sides * tail

    found = minimize_scalar(bound, bounds=(0, FARTHEST), method="bounded")
    return float(min(found.fun, bound(0.0)))  # the search stays inside its interval


def recovery_edge(n_measurements: int, n_features: int, *, signed: bool = False) -> float:
    """Return the sparsity at which :func:`statistical_dimension` is the number of measurements.

    Parameters
    ----------
    n_measurements, n_features : int
    signed : bool

    Returns
    -------
    float
        Where about half of all signals are recovered; ``n_features`` if each signal is, since there
        are as many measurements as features.
    """
    M, N = count("n_measurements", n_measurements), count("n_features", n_features)
    if M >= N:
        return float(N)
    return brentq(lambda s: statistical_dimension(s, N, signed=signed) - M, 0, N)


def crossing(x: ArrayLike, y: ArrayLike, level: float = 0.5) -> float:
    """Return where linear interpolation of ``y`` last falls below a level, NaN if nowhere.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        ``x`` in increasing order.
    level : float

    Returns
    -------
    float
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    falls = np.flatnonzero((y[:-1] >= level) & (y[1:] < level))
    if len(falls) == 0:
        return np.nan
    k = falls[-1]
    return float(x[k] + (x[k + 1] - x[k]) * (y[k] - level) / (y[k] - y[k + 1]))
