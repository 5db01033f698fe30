"""What the solver asks of a dense matrix: products, weighted normal equations, columns."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, qr, solve_triangular
from scipy.linalg.blas import dsyrk, ssyrk

from wnlib._types import Floats, Integers

BLOCK = 512  # columns gathered at once: few enough to stay in the cache
CUT = 0.2  # of the M-th largest column: smaller ones enter a Hessian as a multiple of one
DEPENDENT = 1e-12  # pivot of rows of norm one: rounding leaves less
TINY = 1e-300  # in place of zero, to divide by
DOUBT = {np.float32: 3e-7, np.float64: 1e-15}  # added to a Hessian of diagonal one: its rounding


def damped(H: Floats, doubt: float) -> Callable[[Floats], Floats]:
    """Return a function that solves ``H d = v``, where ``H`` is positive but for rounding.

    Of ``H`` the lower half counts, and is lost. Scaled to diagonal one, ``doubt`` is added to its
    diagonal, and ten times as much as long as it has no Cholesky factor (Levenberg).

    Raises
    ------
    LinAlgError
        If it holds NaN.
    """
    diagonal = np.diag(H).copy()
    scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    H *= scale[:, None]
    H *= scale
    damping = doubt
    while True:
        trial = H.copy(order="F")
        trial[np.diag_indices(len(H))] += damping
        try:
            factor = cho_factor(trial, lower=True, overwrite_a=True, check_finite=False)
            break
        except LinAlgError:
            if damping > 1:  # more than any rounding
                raise
            damping *= 10
    return lambda v: scale * cho_solve(factor, scale * v, check_finite=False)


class Dense:
    """A dense real matrix.

    A copy in single precision, its columns contiguous, is what Hessians are made of: half the
    memory of ``A``, and half the time.
    """

    def __init__(self, A: Floats) -> None:
        self.A = A
        self.cut = CUT
        self.kept: Integers | None = None  # see `take_care`
        self.M, self.N = A.shape
        self.unit = float(max(A.max(), -A.min()))

    @cached_property
    def rows(self) -> NDArray[np.float32]:
        """The columns, contiguous, in units: made where a path is followed."""
        rows = np.empty((self.N, self.M), np.float32)
        for i in range(0, self.N, BLOCK):
            rows[i : i + BLOCK] = (self.A[:, i : i + BLOCK] / self.unit).T
        return rows

    @cached_property
    def sizes(self) -> Floats:
        """Squared norms of the columns, in units."""
        return np.vecdot(self.rows, self.rows).astype(float)

    def take_care(self) -> None:
        """Make directions exact from now on, whatever they cost; they leave out dependent rows."""
        rows = self.A / np.maximum(np.linalg.norm(self.A, axis=1), TINY)[:, None]
        R, order = qr(rows.T, mode="r", pivoting=True, check_finite=False)
        self.kept = np.sort(order[: len(R)][np.abs(np.diag(R)) > DEPENDENT])

    @property
    def careful(self) -> bool:
        """Whether directions are exact."""
        return self.kept is not None

    def times(self, x: Floats) -> Floats:
        """Return ``A x``."""
        return self.A @ x

    def adjoint(self, y: Floats) -> Floats:
        """Return ``A^T y``."""
        return y @ self.A

    def columns(self, on: Integers) -> Floats:
        """Return some of the columns."""
        return self.A[:, on]

    def normal(
        self, weights: Floats, exact: bool, curvature: float, y: Floats
    ) -> Callable[[Floats], Floats]:
        """Return a function that solves ``H d = v``, as far as a direction needs.

        ``H = A diag(weights) A^T``, plus ``curvature`` times the projection that removes ``y``.
        Columns whose share is small beside that of the ``M``-th largest enter as the multiple of
        the identity that has their trace.
        """
        if self.kept is not None:
            return self._by_orthogonal_rows(weights, self.kept)
        share = weights * self.sizes
        rank = min(self.M, self.N)
        exact = exact or self.cut == 0
        on = share >= self.cut * np.partition(share, self.N - rank)[self.N - rank]
        if not on.any():
            raise LinAlgError("no weight is a number")
        H = self._gram(np.flatnonzero(on), weights, exact)
        H[np.diag_indices(self.M)] += share[~on].sum() / self.M
        if curvature > 0:
            H[np.diag_indices(self.M)] += curvature / self.unit**2
            H -= np.outer(y, y) * (curvature / (self.unit**2 * (y @ y)))
        solve, unit = damped(H, DOUBT[np.float64 if exact else np.float32]), self.unit**2
        return lambda v: solve(v) / unit

    def _by_orthogonal_rows(self, weights: Floats, kept: Integers) -> Callable[[Floats], Floats]:
        """Return a function that solves ``A diag(weights) A^T d = v`` without squaring anything.

        The largest rows first: then small ones keep their digits (Powell and Reid 1969).
        """
        A = self.A[kept]
        rows = A.T * np.sqrt(weights)[:, None]
        scale = 1 / np.maximum(np.linalg.norm(rows, axis=0), TINY)
        rows = rows[np.argsort(-weights * self.sizes)] * scale
        damped = np.vstack([rows, DOUBT[np.float64] * np.eye(len(kept))])
        R = qr(damped, mode="r", overwrite_a=True, check_finite=False)[0][: len(kept)]

        def once(v: Floats) -> Floats:
            half = solve_triangular(R, scale * v, trans=1, check_finite=False)
            return scale * solve_triangular(R, half, check_finite=False)

        def solve(v: Floats) -> Floats:
            d = np.zeros(self.M)
            d[kept] = once(v[kept])
            d[kept] += once(v[kept] - A @ (weights * (d[kept] @ A)))
            return d

        return solve

    def _gram(self, on: Integers, weights: Floats, exact: bool) -> Floats:
        """Return the lower half of ``A_on diag(weights_on) A_on^T``, in units."""
        largest = weights[on].max()
        roots = np.sqrt(weights / largest)
        H, syrk = None, dsyrk if exact else ssyrk
        for i in range(0, len(on), BLOCK):
            some = on[i : i + BLOCK]
            if exact:
                block = self.A[:, some] * (roots[some] / self.unit)
            else:
                block = (self.rows[some] * roots[some].astype(np.float32)[:, None]).T
            more: dict[str, Any] = {} if H is None else {"c": H, "beta": 1.0, "overwrite_c": 1}
            H = syrk(1.0, block, lower=1, **more)
        assert H is not None
        return np.asarray(H, float) * largest
