"""How large a share of the measurements a signal may fill: the laws of large Gaussian problems.

Two are known. The smallest l1 norm finds a signal up to the *weak threshold* of Donoho and Tanner
(Proceedings of the National Academy of Sciences 102, 2005), which in closed form is the edge of
:mod:`wnlib.l1.recovery` (Donoho, Maleki and Montanari, ibid. 106, 2009). And positivity alone finds
it where no other nonnegative vector fits the measurements (Donoho and Tanner, Discrete and
Computational Geometry 43, 2010), with a probability that is known for each size (Wendel,
Mathematica Scandinavica 11, 1962).
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq, linprog
from scipy.stats import binom, norm

from wnlib._checks import count, flag, positive_entries, real
from wnlib._types import Values
from wnlib.problems import Problem, check_signal

LEAST, MOST = 1e-12, 30.0  # of tau: delta is 1 and exp(-450) there, to rounding
SEEN = 1e-6  # of entries at most 1: HiGHS works to 1e-7


def threshold_curve(tau: ArrayLike, *, signed: bool = False) -> tuple[Values, Values]:
    r"""Return points of the weak threshold: ``delta = M / N`` and ``rho_s = s / M``.

    With the normal density ``phi``, its distribution function ``Phi``, and the tail
    ``Q(tau) = phi - tau Phi(-tau)``

        rho_s = Q / phi,    delta = k phi / (tau + k Q),    k = 1, or 2 if signed

    (``eq-threshold-curve``): where the minimum of ``eq-statistical-dimension`` is ``M``.

    Parameters
    ----------
    tau : array_like
        Where that minimum is attained: positive, up to 30. Along it ``delta`` falls from 1 to 0.
    signed : bool

    Returns
    -------
    delta, rho_s : numpy.float64 or numpy.ndarray
    """
    tau, sides = positive_entries("tau", tau, (0, 1)), 2 if flag("signed", signed) else 1
    if (tau > MOST).any():
        raise ValueError(f"tau must be at most {MOST:g}, where delta is below 1e-190; got {tau}")
    mills = np.exp(norm.logsf(tau) - norm.logpdf(tau))  # Phi(-tau) / phi(tau)
    share = 1 - tau * mills
    return sides / (tau / norm.pdf(tau) + sides * share), share


def weak_threshold(delta: float, *, signed: bool = False) -> float:
    """Return the largest ``s / M`` at which large Gaussian problems are solved by the l1 norm.

    Parameters
    ----------
    delta : float
        ``M / N``, from 1e-6 to 1.
    signed : bool
        Whether entries may have any sign.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        If an argument is none of these.
    """
    if not 1e-6 <= (delta := real("delta", delta)) <= 1:
        raise ValueError(f"delta must lie in [1e-06, 1]; got {delta:g}")
    delta = min(delta, float(threshold_curve(LEAST, signed=signed)[0]))
    tau = brentq(lambda t: threshold_curve(t, signed=signed)[0] - delta, LEAST, MOST, xtol=1e-14)
    return float(threshold_curve(tau, signed=signed)[1])


def positivity_threshold(delta: ArrayLike) -> Values:
    """Return the largest ``s / M`` at which positivity alone finds a signal, ``2 - 1 / delta``.

    Parameters
    ----------
    delta : array_like
        ``M / N``, positive.

    Returns
    -------
    numpy.float64 or numpy.ndarray
        0 where ``delta`` is below one half.
    """
    return np.maximum(2 - 1 / positive_entries("delta", delta, (0, 1)), 0.0)


def single_probability(n_measurements: int, n_features: int, sparsity: ArrayLike) -> Values:
    """Return how likely a nonnegative signal is the only nonnegative solution, ``A`` Gaussian.

    Another solution differs from it by a kernel vector whose ``n = N - s`` entries off the support
    are not negative. By Wendel's theorem a random kernel, of dimension ``d = N - M``, has none
    with the probability that ``n - 1`` fair coins show heads at least ``d`` times.

    Parameters
    ----------
    n_measurements, n_features : int
    sparsity : int or array_like of int
        Nonzero entries of the signal, at most as many as measurements and features.

    Returns
    -------
    float or numpy.ndarray
    """
    M, N = count("n_measurements", n_measurements), count("n_features", n_features)
    s = np.asarray(sparsity)
    if s.dtype.kind not in "iu":
        raise TypeError(f"sparsity must be an integer, or an array of them; got {sparsity!r}")
    if (s < 0).any() or (s > min(M, N)).any():
        raise ValueError(
            f"sparsity must be from 0 to the least of n_measurements={M} and n_features={N}; "
            f"got {sparsity!r}"
        )
    return binom.sf(N - M - 1, N - s - 1, 0.5) if M < N else np.ones(s.shape)[()]


def is_single(problem: Problem) -> bool:
    """Tell whether the signal is the only admissible solution, by a linear program.

    Parameters
    ----------
    problem : Problem
        With a signal that solves it, the columns on its support independent.

    Returns
    -------
    bool
        False for signed problems with a kernel.
    """
    on = np.tile(check_signal(problem) != 0, 2 if problem.signed else 1)
    found = linprog(
        np.where(on, 0.0, -1.0),  # a kernel vector, positive somewhere off the support
        A_eq=problem.network_matrix,
        b_eq=np.zeros(problem.n_measurements),
        bounds=[(None, None) if free else (0, 1) for free in on],
    )
    return found.status == 0 and -found.fun < SEEN
