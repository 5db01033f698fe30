"""Basis pursuit: a solution of smallest l1 norm, fast, with its certificate.

The flows of the theory end at it as their small ratio tends to zero; this is the short way there.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator

from wnlib._checks import check_magnitude, finite, flag, nonnegative, within
from wnlib._interrupts import are_interrupts_passed_on
from wnlib._threads import one_blas_thread
from wnlib.l1 import _complex, _dense, _matrix_free, _noisy
from wnlib.l1._faces import Found
from wnlib.l1.solution import L1Solution, judged

SMALL = 2**18  # entries of a sparse matrix, 2 MB, that is written down: dense solvers know more
LEAST_TOL = 1e-14  # a gap is a difference of numbers with sixteen digits


@one_blas_thread
def basis_pursuit(
    A: Any,
    b: ArrayLike,
    *,
    signed: bool = True,
    tol: float = 1e-9,
    warm_start: L1Solution | ArrayLike | None = None,
) -> L1Solution:
    """Minimize ``|z|_1`` subject to ``A z = b``, and ``z >= 0`` unless signed.

    Parameters
    ----------
    A : array_like, sparse matrix or LinearOperator, shape (n_measurements, n_features)
        Real, or dense and complex: then ``|z|_1`` is the sum of moduli. Not copied.
    b : array_like, shape (n_measurements,)
    signed : bool
    tol : float
        What gap and residual must come below, relative, to be CONVERGED; in [1e-14, 1).
    warm_start : L1Solution, or array_like of shape (n_measurements,), optional
        What was found for a neighbouring problem, or its dual vector. Where it does not help, it
        costs little; whatever it is, the answer is proven as without it. Complex problems do not
        use it; with a residual allowed, a dual vector alone is not used.

    Returns
    -------
    L1Solution
        With a dual vector that proves how good it is, whatever its status. If interrupted (Ctrl-C),
        the point reached, with its gap.

    Raises
    ------
    ValueError, TypeError
        If shapes disagree, an entry is not finite, ``A`` is zero, or no admissible ``z`` solves
        ``A z = b``; of a large operator, if no ``z`` of any sign does.

    Warns
    -----
    UserWarning
        If interrupted.

    Notes
    -----
    What is certified is the norm for measurements that differ from ``b`` by ``residual``. Where
    ``A`` is nearly singular the smallest norm may hang on digits of ``b`` that far out.

    An operator is solved in a hundred to a thousand products where the solution is sparse. Where it
    is not, up to 60,000 follow, which may take minutes: a larger ``tol`` ends them sooner, and
    Ctrl-C at once.
    """
    return _solve(A, b, 0.0, signed, tol, warm_start)


@one_blas_thread
def basis_pursuit_denoise(
    A: Any,
    b: ArrayLike,
    sigma: float,
    *,
    signed: bool = True,
    tol: float = 1e-9,
    warm_start: L1Solution | ArrayLike | None = None,
) -> L1Solution:
    """Minimize ``|z|_1`` subject to ``|A z - b| <= sigma``, and ``z >= 0`` unless signed.

    A minimizer is a point of the Lasso with the penalty ``sigma / |dual|``.

    Parameters
    ----------
    A : array_like, shape (n_measurements, n_features)
        Dense and real, if ``sigma`` is positive.
    b, signed, tol, warm_start
        As for :func:`basis_pursuit`.
    sigma : float
        Euclidean length of the residual that is allowed; 0 for :func:`basis_pursuit`.

    Returns
    -------
    L1Solution

    Raises
    ------
    ValueError, TypeError
        As :func:`basis_pursuit`; if no admissible ``z`` comes within ``sigma`` of ``b``.

    Warns
    -----
    UserWarning
        If interrupted.
    """
    return _solve(A, b, nonnegative("sigma", sigma), signed, tol, warm_start)


def _solve(A: Any, b: Any, sigma: float, signed: bool, tol: float, warm_start: Any) -> L1Solution:
    signed, tol = flag("signed", signed), within("tol", tol, LEAST_TOL, 1)
    A, b = _admitted(A, b, sigma, signed)
    near = _neighbour(warm_start, A)
    found = Found(np.zeros(A.shape[1], b.dtype), np.zeros_like(b))
    if np.linalg.norm(b) > sigma:
        try:
            with np.errstate(all="ignore"):  # what leaves the range of floats is seen and named
                for better in _search(A, b, sigma, signed, tol, near):
                    found = better
        except KeyboardInterrupt:
            if are_interrupts_passed_on():
                raise
            found = found._replace(message=f"interrupted at iteration {found.n_iterations}")
            warnings.warn(found.message, stacklevel=4)
    return judged(A, b, found, signed=signed, tol=tol, sigma=sigma)


def _search(
    A: Any, b: Any, sigma: float, signed: bool, tol: float, near: Found | None
) -> Iterator[Found]:
    """Return the search that fits the kind of matrix."""
    if sigma > 0:
        return _noisy.search(A, b, sigma, signed, tol, near)
    if not isinstance(A, np.ndarray):
        return _matrix_free.search(A, b, signed, tol, near)
    if np.iscomplexobj(A):
        return _complex.search(A, b, tol)
    return _dense.search(A, b, signed, tol, near)


def _admitted(A: Any, b: Any, sigma: float, signed: bool) -> tuple[Any, Any]:
    """Return ``A`` and ``b`` as the solvers want them, or say what is wrong with them."""
    if issparse(A):
        A = A.tocsr() if A.shape[0] * A.shape[1] > SMALL else A.toarray()
    if issparse(A) or isinstance(A, LinearOperator):
        if np.iscomplexobj(b) or (A.dtype is not None and A.dtype.kind == "c"):
            raise TypeError("complex numbers need a dense A: pass A as an array")
        if sigma > 0:
            raise TypeError("sigma must be 0 for sparse matrices and operators: pass a dense A")
        M, b = A.shape[0], finite("b", b, 1)
    elif np.iscomplexobj(A) or np.iscomplexobj(b):
        if sigma > 0 or not signed:
            raise TypeError("complex numbers need sigma = 0 and signed=True: they have no sign")
        A, b = _complex_array("A", A, 2), _complex_array("b", b, 1)
        M = len(A)
    else:
        A, b = finite("A", A, 2, copy=False), finite("b", b, 1)
        M = len(A)
    if len(b) != M:
        raise ValueError(f"b must have one entry per row of A: {M}; got {len(b)}")
    if isinstance(A, np.ndarray):
        if not A.any():
            raise ValueError("A is zero: it measures nothing")
        check_magnitude("A", A)
    check_magnitude("b", b)
    return A, b


def _complex_array(name: str, value: Any, ndim: int) -> Any:
    """Return a complex array whose real and imaginary parts are admitted."""
    value = np.asarray(value)
    return finite(f"the real part of {name}", value.real, ndim) + 1j * finite(
        f"the imaginary part of {name}", value.imag, ndim
    )


def _neighbour(warm_start: Any, A: Any) -> Found | None:
    """Return what is known of a neighbouring problem."""
    if warm_start is None or (isinstance(A, np.ndarray) and np.iscomplexobj(A)):
        return None
    if isinstance(warm_start, L1Solution):
        z = finite("the z of warm_start", warm_start.z, 1)
        y = finite("the dual of warm_start", warm_start.dual, 1)
    else:
        z, y = np.zeros(A.shape[1]), finite("warm_start", warm_start, 1)
    if z.shape != A.shape[1:] or y.shape != A.shape[:1]:
        raise ValueError(
            f"warm_start must be an L1Solution of a problem of the shape {A.shape} of A, or a dual "
            f"vector with {A.shape[0]} entries; got {len(z)} features, {len(y)} measurements"
        )
    return Found(z, y)
