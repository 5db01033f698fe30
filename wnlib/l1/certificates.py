"""What proves a point to be of smallest l1 norm, and what proves that it is the only one.

A dual vector ``y`` with ``A^T y <= 1`` bounds the norm of every solution from below by ``b @ y``; a
solution whose norm is ``b @ y`` is a shortest one. Where ``A^T y`` is below 1 off its support, and
the columns of ``A`` on the support are independent, there is no other (``prop-lp-certificate``).
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from wnlib._checks import Record, last_axis, readonly
from wnlib._types import Bools, Floats, Values
from wnlib.problems import Problem, check_problem, check_signal
from wnlib.results import Status

CERTIFIED = 1e-9  # relative gap; that of a good answer is 1e-10 to 1e-16
ROUNDING = 2e-15  # as near to solving A z = b as floats come: the norm may hang on every digit of b
ZERO = 1e-9  # entries of a solution below it, relative to the largest, are rounding
LONG = np.longdouble  # in which sums of many orders of magnitude are formed, where it is longer


@dataclass(frozen=True, eq=False, repr=False)
class MinL1(Record):
    """A point of smallest l1 norm with its dual certificate.

    Attributes
    ----------
    problem : Problem
    z : numpy.ndarray, shape (n_features,)
        A minimizer of ``|z|_1`` subject to ``A z = b`` (and ``z >= 0`` unless signed).
    dual : numpy.ndarray, shape (n_measurements,)
        Multipliers ``y`` scaled so that ``A^T y <= 1`` (``|A^T y| <= 1`` if signed): whatever
        ``z`` is, ``b @ y <= |z|_1`` for each admissible one.
    """

    problem: Problem
    z: Floats
    dual: Floats

    def __post_init__(self) -> None:
        """Copy and freeze the arrays."""
        object.__setattr__(self, "z", readonly(self.z))
        object.__setattr__(self, "dual", readonly(self.dual))

    def __repr__(self) -> str:
        """Say what it is worth; the entries would fill the screen."""
        doubt = f"gap {self.gap:.0e}, backward error {self.backward_error:.0e}"
        return f"<MinL1: {self.status}, norm {self.norm:.6g}, {doubt}>"

    @property
    def norm(self) -> float:
        """``|z|_1``, the theory's Q if the status is CONVERGED."""
        return np.abs(self.z).sum()

    @property
    def gap(self) -> float:
        """Duality gap ``|z|_1 - b @ dual`` relative to the norm: certifies the norm."""
        reached = self.problem.b.astype(LONG) @ self.dual
        return float(self.norm - reached) / (self.norm or 1.0)

    @property
    def residual(self) -> float:
        """Relative residual ``|A z - b| / |b|``."""
        return float(self.problem.residual(self.z))

    @property
    def backward_error(self) -> float:
        """Least relative change of the entries of ``A`` and ``b`` that makes ``z`` a solution.

        ``max |A z - b| / (|A| |z| + |b|)``, row by row: small rows count as much as large ones.
        """
        A, b = self.problem.A, self.problem.b
        sums = np.abs(A) @ np.abs(self.z) + np.abs(b)
        misfit = np.abs(A.astype(LONG) @ self.z - b)
        return float((misfit / np.where(sums > 0, sums, 1.0)).max())

    @property
    def status(self) -> Status:
        """CONVERGED if ``z`` is certified to be a minimizer, else UNFINISHED.

        Gap and its error must be at most 1e-9, and the backward error 2e-15: with a larger one
        both norm and gap may be those of some other problem.
        """
        return Status.CONVERGED if self.doubt <= 1 else Status.UNFINISHED

    @property
    def message(self) -> str:
        """What keeps it from being certified; "" if nothing does."""
        if self.status is Status.CONVERGED:
            return ""
        return (
            f"gap {self.gap:.0e} (error {self.gap_error:.0e}) and backward error "
            f"{self.backward_error:.0e} certify neither z nor its norm: the columns of A differ by "
            "too many orders of magnitude, or b lies at the edge of what is feasible"
        )

    @property
    def gap_error(self) -> float:
        """How far the gap may be off, of the norm: what both sides miss, and rounding.

        By how much ``A^T dual`` exceeds 1, and ``|A z - b|`` at the prices ``|dual|``.
        """
        A, b, prices = self.problem.network_matrix, self.problem.b, np.abs(self.dual)
        excess = max(float((A.T.astype(LONG) @ self.dual).max()) - 1, 0.0)
        missed = np.abs(self.problem.A.astype(LONG) @ self.z - b) @ prices / (self.norm or 1.0)
        sums = max((np.abs(A).T @ prices).max(), np.abs(b) @ prices / (self.norm or 1.0))
        return float(excess + missed + len(b) * np.finfo(LONG).eps * sums)

    @property
    def doubt(self) -> float:
        """The largest of gap, its error and backward error, as a multiple of what is allowed."""
        gap, error = max(abs(self.gap), self.gap_error), self.backward_error
        doubt = max(gap / CERTIFIED, error / ROUNDING)
        return doubt if np.isfinite(doubt) else np.inf

    @property
    def support(self) -> Bools:
        """Which entries of ``z`` are not zero, shape (n_features,)."""
        return np.abs(self.z) > ZERO * np.abs(self.z).max()

    @property
    def slack(self) -> float:
        """How far ``A^T dual`` (``|A^T dual|`` if signed) stays below 1 off the support of ``z``.

        At most 1: where no entry off the support is positive, it says no more than that. Of the
        dual vector at hand; :meth:`strictest` has the one that stays farthest below.
        """
        slope = self.problem.A.T @ self.dual
        slope = np.abs(slope) if self.problem.signed else slope
        return float(np.min(1 - slope[~self.support], initial=1.0))

    @property
    def margin(self) -> float:
        """How strictly the two hypotheses hold under which ``z`` is the only minimizer.

        The smaller of two numbers, in units in which it is at most 1: :attr:`slack`, and the least
        singular value of the columns of ``A`` on the support of ``z``, over ``|A|``. If it is
        positive and the status CONVERGED, no other solution is as short (``prop-lp-certificate``,
        part 2). If it is zero, there may be others; or only another dual vector says so: see
        :meth:`strictest`.
        """
        return float(min(self.slack, _least_singular_value(self.problem.A, self.support)))

    def excess(self, z: ArrayLike) -> Values:
        """Return the relative excess of the l1 norm of other solutions over :attr:`norm`.

        Not as a difference of two nearly equal norms: for a solution it is ``sum (1 - A^T y)_n
        z_n`` over the norm, ``y`` the dual vector, and no term of that sum is negative.

        Parameters
        ----------
        z : array_like, shape (..., n_features) or (..., n_weights)
            Solutions of ``A z = b``; or, if signed, with their two signs apart, nonnegative: then
            the norm is the sum of both. Whether they are solutions is not looked at.

        Returns
        -------
        float, or numpy.ndarray, shape (...)
            As exact as the certificate: up to its :attr:`gap`.

        Raises
        ------
        ValueError, TypeError
            For another number of entries, or negative ones where the signs are apart.
        """
        z, problem = np.asarray(z), self.problem
        if z.shape[-1:] != (problem.n_weights,):
            z = problem.split(z)
        z = last_axis("z", z, problem.n_weights, "weight")
        if (z < 0).any():
            raise ValueError("z must not have a negative entry, but as effective weights if signed")
        slack = np.maximum(1 - problem.network_matrix.T @ self.dual, 0)  # rounding
        return z @ slack / (self.norm or 1.0)

    def strictest(self) -> Self:
        """Return the same point with the dual vector that stays farthest below 1 off its support.

        The solver's own ends at a corner, where some entries of ``A^T dual`` off the support are 1
        as well, and says little of other minimizers. This one minimizes the largest of them, or of
        their absolute values if signed, while it is 1 on the support: another linear program.

        Returns
        -------
        MinL1
            Its :attr:`margin` is zero only if the minimizer is not unique, up to the accuracy of
            HiGHS. The object itself where that program has no solution: then nothing proves ``z``
            to be minimal.
        """
        A, on = self.problem.A / (unit := np.abs(self.problem.A).max()), self.support
        off, signs = A[:, ~on].T, np.sign(self.z[on])
        off = np.vstack([off, -off]) if self.problem.signed else off
        found = linprog(
            np.append(np.zeros(len(A)), 1.0),
            A_ub=np.hstack([off, -np.ones((len(off), 1))]),
            b_ub=np.zeros(len(off)),
            A_eq=np.hstack([A[:, on].T, np.zeros((len(signs), 1))]),
            b_eq=signs,
            bounds=[(None, None)] * len(A) + [(0, None)],  # below 0 there is nothing to gain
        )
        if found.status != 0:
            return self
        y = found.x[:-1]
        y = y + np.linalg.lstsq(A[:, on].T, signs - A[:, on].T @ y)[0]  # HiGHS left up to 1e-7
        return replace(self, dual=y / unit)


def fuchs_certificate(problem: Problem) -> Floats:
    """Return the dual vector that the support and the signs of the signal alone determine.

    ``y = A_S (A_S^T A_S)^{-1} sign(signal_S)``, ``S`` the support: of all ``y`` for which
    ``A^T y`` is the sign on ``S``, the shortest. If it is below 1 off ``S`` (its absolute value, if
    signed) and ``b = A signal``, the signal is the only point of smallest l1 norm, and no linear
    program was solved. ``MinL1(problem, problem.signal, y)`` says how strictly
    (:attr:`MinL1.margin`). Where it is not below 1, another certificate may exist.

    Parameters
    ----------
    problem : Problem
        With a signal.

    Returns
    -------
    numpy.ndarray, shape (n_measurements,)

    Raises
    ------
    ValueError
        If the problem has no signal, or the columns of ``A`` on its support are dependent.

    References
    ----------
    J.-J. Fuchs, On sparse representations in arbitrary redundant bases, IEEE Transactions on
    Information Theory 50 (2004), 1341-1344.
    """
    if (signal := check_problem(problem).signal) is None:
        raise ValueError(
            "this problem has no signal whose support would give a certificate: pass signal=..., "
            "or look at min_l1(problem).strictest()"
        )
    on = signal != 0
    columns = problem.A[:, on]
    if (rank := np.linalg.matrix_rank(columns)) < on.sum():
        raise ValueError(
            f"the {on.sum()} columns of A on the support of the signal are dependent, of rank "
            f"{rank}: another solution has the same support, and no certificate of this form exists"
        )
    return np.linalg.lstsq(columns.T, np.sign(signal[on]))[0]


def off_support(problem: Problem) -> Floats:
    """Return ``f = A^T y`` off the support of the signal, ``y`` Fuchs' certificate.

    Parameters
    ----------
    problem : Problem
        With a signal.

    Returns
    -------
    numpy.ndarray
        One entry for each zero of the signal; NaN where the columns of the support are dependent:
        then there is no such ``y``.
    """
    off = check_signal(problem) == 0
    try:
        return problem.A[:, off].T @ fuchs_certificate(problem)
    except ValueError:
        return np.full(np.count_nonzero(off), np.nan)


def _least_singular_value(A: Floats, on: Bools) -> float:
    """Return that of the chosen columns over ``|A|``; 1 for no column, 0 where one is too many."""
    if not on.any():
        return 1.0
    if on.sum() > len(A):
        return 0.0
    return np.linalg.svd(A[:, on], compute_uv=False)[-1] / np.linalg.norm(A, 2)
