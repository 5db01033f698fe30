r"""The law of weight normalization with a small ratio, on its way to a sparse signal: depth 2.

At each length ``R = |x|^2`` the direction is the best one among the entries that are alive. With
``c = -<h, v^2>``, ``h = A^T e``, the length obeys ``R' = 2 ratio c R``, and an entry is alive while
its memory ``a_n``, the integral of ``f_n - 1`` over ``R``, ``f_n = -h_n / c``, is 0. Derived
formally, for ``ratio -> 0``.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from wnlib._checks import Record
from wnlib._types import Bools, Floats
from wnlib.flows import WeightNormFlow
from wnlib.l1.certificates import fuchs_certificate, off_support
from wnlib.problems import Problem, check_signal

HEAVY = 1e3  # weight of the row that gives best vectors their length
CLOSEST = 1e-9  # distance from Q at which the law ends
LARGEST_EXPONENT = 300.0  # so that squares are floats, too


@dataclass(frozen=True, eq=False, repr=False)
class LastStretch(Record):
    """The end of the way, where only the support of the signal is alive.

    Attributes
    ----------
    problem : Problem
    w : numpy.ndarray, shape (sparsity,)
        By how much the entries of the support are too small, in units of ``c``:
        ``(A_S^T A_S)^{-1} 1``.
    y2 : float
        ``|y|^2 = sum w``, ``y = A_S w`` Fuchs' certificate: ``R = Q - c |y|^2``.
    R_S : float
        The length from which on all entries of the support can be positive.
    max_f : float
        Largest entry of ``A^T y`` off the support.
    """

    problem: Problem
    w: Floats
    y2: float
    R_S: float
    max_f: float

    def rate(self, ratio: float) -> float:
        """Return the rate ``lambda`` of the logistic equation."""
        return 2 * ratio * check_signal(self.problem).sum() / self.y2


def last_stretch(problem: Problem) -> LastStretch:
    """Compute the constants of the last stretch.

    Parameters
    ----------
    problem : Problem
        With a nonnegative signal.

    Returns
    -------
    LastStretch
        Of NaN where the columns of ``A`` on the support are dependent.
    """
    signal = check_signal(problem)
    on = signal > 0
    z = signal[on]
    try:
        y = fuchs_certificate(problem)
    except ValueError:
        return LastStretch(problem, np.full(len(z), np.nan), np.nan, np.nan, np.nan)
    w = np.asarray(np.linalg.lstsq(problem.A[:, on], y)[0], dtype=float)
    R_S = z.sum() - w.sum() * np.min(z[w > 0] / w[w > 0])
    return LastStretch(problem, w, float(y @ y), R_S, off_support(problem).max(initial=-np.inf))


def best_of_length(problem: Problem, allowed: Bools, R: float) -> tuple[Floats, Floats]:
    """Return the best ``z >= 0`` of length ``R`` among the allowed entries, and its ``h``.

    Parameters
    ----------
    problem : Problem
        Not signed.
    allowed : numpy.ndarray of bool, shape (n_weights,)
    R : float

    Returns
    -------
    z, h : numpy.ndarray, shape (n_weights,)
    """
    rows = np.vstack([problem.A, HEAVY * np.ones(problem.n_weights)])[:, allowed]
    z = np.zeros(problem.n_weights)
    z[allowed], _ = nnls(rows, np.append(problem.b, HEAVY * R))
    return z, problem.A.T @ (problem.A @ z - problem.b)


@dataclass(frozen=True, eq=False, repr=False)
class Law(Record):
    """What the law says at each length.

    Attributes
    ----------
    problem : Problem
    R : numpy.ndarray, shape (T,)
        Lengths, from that of the start to nearly Q.
    c : numpy.ndarray, shape (T,)
    z : numpy.ndarray, shape (T, n_weights)
        The effective weights.
    memory : numpy.ndarray, shape (n_weights,)
        The exponents ``a`` at the end: ``v_n^2 = v_n(0)^2 exp(a_n / ratio)``.
    """

    problem: Problem
    R: Floats
    c: Floats
    z: Floats
    memory: Floats

    @property
    def complete(self) -> int:
        """The index from which on no entry of the support is missing; ``len(R)`` if never."""
        missing = np.flatnonzero((self.z[:, check_signal(self.problem) > 0] == 0).any(axis=1))
        return missing[-1] + 1 if missing.size else 0

    @property
    def R_1(self) -> float:
        """The length at which all of the support is back; NaN if it never is."""
        return self.R[self.complete] if self.complete < len(self.R) else np.nan

    @property
    def loss(self) -> Floats:
        """Losses of a network of depth 2 at the effective weights, shape (T,)."""
        return np.sum((self.z @ self.problem.A.T - self.problem.b) ** 2, axis=1) / 4

    def times(self, ratio: float) -> Floats:
        """Return the times at which the lengths are reached, shape (T,): ``dt = dR / R'``."""
        slowness = 1 / (2 * ratio * self.c * self.R)
        return np.append(0, np.cumsum(np.diff(self.R) * (slowness[1:] + slowness[:-1]) / 2))


def small_ratio_law(problem: Problem, R0: float, n: int = 2000) -> Law:
    """Follow the law from length ``R0`` to the l1 norm Q of the signal.

    The lengths are evenly spaced in the logarithm of the gap ``Q - R``.

    Parameters
    ----------
    problem : Problem
        With a nonnegative signal.
    R0 : float
        Less than Q.
    n : int

    Returns
    -------
    Law
    """
    Q, N = check_signal(problem).sum(), problem.n_weights
    if not 0 < R0 < Q:
        raise ValueError(f"R0 must be between 0 and the norm {Q:g} of the signal; got {R0:g}")
    R = Q - np.geomspace(Q - R0, CLOSEST, n)
    memory, c, z = np.zeros(N), np.empty(n), np.empty((n, N))
    with np.errstate(divide="ignore", invalid="ignore"):  # c is 0 once A z = b, before R = Q
        for i, dR in enumerate(np.diff(R, append=R[-1])):
            z[i], h = best_of_length(problem, memory == 0, R[i])
            c[i] = -h @ z[i] / R[i]
            gained = np.where(z[i] > 0, 0, np.nan_to_num(-h / c[i]) - 1) * dR
            memory = np.minimum(memory + gained, 0)
    return Law(problem, R, c, z, memory)


def arrival_estimate(flow: WeightNormFlow, problem: Problem, x0: Floats) -> float:
    """Estimate the error of weight normalization when its length arrives (depth 2, small ratio).

    Off the support, ``v_n^2 = v_n(0)^2 exp(-(Q - R_0)(1 - f_n) / ratio)`` is left.

    Parameters
    ----------
    flow : WeightNormFlow
    problem : Problem
        With a nonnegative signal.
    x0 : array_like, shape (n_weights,)

    Returns
    -------
    float
        Relative error; NaN for other depths, and without Fuchs' certificate.
    """
    signal = check_signal(problem)
    off, Q, R0 = signal == 0, signal.sum(), x0 @ x0
    if flow.depth != 2:
        return np.nan
    exponent = -(Q - R0) / flow.ratio * (1 - off_support(problem))
    share = x0[off] ** 2 / R0 * np.exp(np.minimum(exponent, LARGEST_EXPONENT))
    return Q * np.linalg.norm(share) / np.linalg.norm(signal)
