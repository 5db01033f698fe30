"""What a solver of basis pursuit returns: a sparse solution, and what proves how good it is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator

from wnlib._checks import Record
from wnlib._types import Bools, Floats
from wnlib.l1._faces import Found
from wnlib.l1.certificates import LONG
from wnlib.results import Status

NEAR = 1e-5  # of the largest correlation: others that might be, were it not for rounding
EXCESS = 1e-14  # over one: rounding of dual vectors of ordinary size


@dataclass(frozen=True, eq=False, repr=False)
class L1Solution(Record):
    """A point of small l1 norm with its certificate.

    Attributes
    ----------
    z : numpy.ndarray, shape (n_features,)
        Complex if ``A`` or ``b`` is.
    dual : numpy.ndarray, shape (n_measurements,)
        ``y`` with ``|A^T y| <= 1`` (``A^T y <= 1`` unless signed, ``|A^* y| <= 1`` if complex): no
        solution is shorter than ``b @ y``, or ``b @ y - sigma |y|`` where a residual of ``sigma``
        is allowed.
    gap : float
        What the dual vector proves, relative to ``|z|_1``: how far ``|z|_1`` is from ``b @ y``, and
        from ``y @ A z``, a bound of all that measure the same as ``z`` does.
    residual : float
        ``|A z - b| / |b|``; where a residual of ``sigma`` is allowed, ``|A z - b|`` beyond it.
    signed : bool
        Whether entries may have any sign.
    margin : float
        How far ``|A^T y|`` stays below 1 off the support, if the columns there are independent: if
        positive and the status CONVERGED, no other solution is as short
        (``prop-lp-certificate``). Else 0: there may be others, or another ``y`` shows that there
        are none. It is 0, too, where nobody has looked, as for operators.
    n_iterations : int
        Steps along the path; 0 if the support was guessed at once.
    status : Status
        CONVERGED if gap and residual are at most the tolerance; else UNFINISHED.
    message : str
        If UNFINISHED, why; if CONVERGED, "", or who had to help.
    """

    z: Any
    dual: Any
    gap: float
    residual: float
    signed: bool
    margin: float
    n_iterations: int
    status: Status
    message: str = ""

    def __repr__(self) -> str:
        """Say what it is worth; the entries would fill the screen."""
        kind = "certified" if self.status is Status.CONVERGED else f"NOT certified ({self.message})"
        worth = f"gap {self.gap:.0e}, residual {self.residual:.0e}"
        entries = f"{np.count_nonzero(self.z)} of {len(self.z)} entries"
        return f"<L1Solution: {kind}, norm {self.norm:.6g}, {entries}, {worth}>"

    @property
    def norm(self) -> float:
        """``|z|_1``; the sum of moduli if complex."""
        return float(np.abs(self.z).sum())

    @property
    def support(self) -> Bools:
        """Which entries of ``z`` are not zero, shape (n_features,)."""
        return np.asarray(self.z != 0)


def judged(
    A: Any, b: Floats, found: Found, *, signed: bool, tol: float, sigma: float = 0.0
) -> L1Solution:
    """Return what was found with all that can be said of it, by products with ``A`` alone.

    Parameters
    ----------
    A : array, sparse matrix or LinearOperator, shape (M, N)
    b : numpy.ndarray, shape (M,)
    found : Found
        Nothing of it is believed but that the columns of the support are independent.
    """
    z, y, height = found.z, found.y, _height(A, found.y, signed)
    if (most := height.max()) > 1 + EXCESS:
        y = y / float(most)
        height = _height(A, y, signed)
    most = max(1.0, height.max())
    misfit = _misfit(A, b, z)
    norm, size = float(np.abs(z).sum()), float(np.linalg.norm(b))
    missed = float(np.linalg.norm(misfit))
    share = 1 - min(1.0, sigma / (missed or 1.0))  # of the misfit that is too much
    bound = (_inner(y, b) - sigma * float(np.linalg.norm(y))) / most
    least = min(bound, bound + share * _inner(y, misfit) / most)
    gap = float(max(norm - least, bound - norm)) / norm if norm else float(size > sigma)
    missed = max(missed - sigma, 0.0) / (size or 1.0)
    certified, message = gap <= tol and missed <= tol, found.message
    if not certified and not message:
        message = f"gap and residual are not both below tol = {tol:g}"
    off = float(1 - np.max(height[z == 0], initial=-np.inf))
    margin = min(max(off, 0.0), 1.0) if found.independent else 0.0
    status = Status.CONVERGED if certified else Status.UNFINISHED
    return L1Solution(z, y, gap, missed, signed, margin, found.n_iterations, status, message)


def _misfit(A: Any, b: Any, z: Any) -> Any:
    """Return ``A z - b``, as exactly as it is cheap."""
    if isinstance(A, LinearOperator):
        return A.matvec(z) - b
    on = np.flatnonzero(z)
    if not isinstance(A, np.ndarray) or len(on) > 2 * len(A):  # no sparse solution: of no matter
        return A @ z - b
    return (A[:, on] @ z[on].astype(_long(z)) - b).astype(b.dtype)


def _height(A: Any, y: Any, signed: bool) -> Any:
    """Return ``|A^* y|``, or ``A^T y`` if not signed, the largest as exactly as it is cheap."""
    if isinstance(A, LinearOperator):
        height = A.rmatvec(y)
    else:
        height = (y.conj() @ A).conj() if isinstance(A, np.ndarray) else (A.T @ y.conj()).conj()
    height = (np.abs(height) if signed else height.real).astype(LONG)
    if isinstance(A, np.ndarray):
        near = np.flatnonzero(height > (1 - NEAR) * height.max())
        exact = (y.astype(_long(y)).conj() @ A[:, near]).conj()
        height[near] = np.abs(exact) if signed else exact.real
    return height


def _inner(y: Any, v: Any) -> Any:
    """Return the real inner product."""
    return np.vdot(y.astype(_long(y)), v).real


def _long(v: Any) -> Any:
    """Return the longest floats for numbers of this kind: sums of large terms cancel."""
    return np.result_type(v, LONG)
