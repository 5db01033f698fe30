"""The last stretch of weight normalization with a small ratio, and what is left then: depth 2.

Only the support of the signal is alive: the length is logistic, and the weights are explicit
(prop-last-stretch).
"""

from dataclasses import dataclass

import numpy as np

from wnlib._checks import Record, positive, positive_entries
from wnlib._types import Floats
from wnlib.flows import WeightNormFlow, check_weight_norm
from wnlib.l1.certificates import fuchs_certificate, off_support
from wnlib.problems import Problem, check_signal, check_weights

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
        return 2 * positive("ratio", ratio) * check_signal(self.problem).sum() / self.y2

    def defect(self, z: Floats) -> Floats:
        """Return how far ``log R / (Q - R)`` is from growing at its rate: prop-last-stretch.

        Parameters
        ----------
        z : numpy.ndarray, shape (T, n_weights)
            Effective weights of lengths below Q.

        Returns
        -------
        numpy.ndarray, shape (T,)
            Relative to the rate.
        """
        Q, R, e = check_signal(self.problem).sum(), z.sum(axis=1), z @ self.problem.A.T
        y = self.problem.A[:, check_signal(self.problem) > 0] @ self.w
        along = e @ y
        across = (e - self.problem.b) - np.outer(along - Q, y) / self.y2
        missing = along * (Q - along) - self.y2 * np.vecdot(across, e)
        return missing / (R * (Q - R)) - 1


def nonnegative_signal(problem: Problem) -> Floats:
    """Return the signal, or raise ``ValueError`` if it is signed or zero."""
    signal = check_signal(problem)
    if problem.signed or not signal.any():
        kind = "may have any sign" if problem.signed else "is zero"
        raise ValueError(f"the signal of problem {kind}: the law needs a nonnegative one, not zero")
    return signal


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
    signal = nonnegative_signal(problem)
    on = signal > 0
    z = signal[on]
    try:
        y = fuchs_certificate(problem)
    except ValueError:
        return LastStretch(problem, np.full(len(z), np.nan), np.nan, np.nan, np.nan)
    w = np.asarray(np.linalg.lstsq(problem.A[:, on], y)[0], dtype=float)
    R_S = z.sum() - w.sum() * np.min(z[w > 0] / w[w > 0])
    return LastStretch(problem, w, float(y @ y), R_S, off_support(problem).max(initial=-np.inf))


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
    signal, x0 = nonnegative_signal(problem), positive_entries("x0", check_weights(problem, x0), 1)
    off, Q, R0 = signal == 0, signal.sum(), x0 @ x0
    if check_weight_norm(flow).depth != 2:
        return np.nan
    exponent = -(Q - R0) / flow.ratio * (1 - off_support(problem))
    share = x0[off] ** 2 / R0 * np.exp(np.minimum(exponent, LARGEST_EXPONENT))
    return Q * np.linalg.norm(share) / np.linalg.norm(signal)
