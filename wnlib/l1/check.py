"""What the certificate of a solution proves, by arithmetic that shares nothing with the solvers."""

from fractions import Fraction
from typing import Any

import numpy as np
from scipy.sparse import issparse

EXACT = 20_000  # entries of A up to which all is rational: a tenth of a second
LONG = np.longdouble  # beyond: sums with a bound of their rounding


def check_certificate(A: Any, b: Any, result: Any, *, sigma: float = 0.0) -> float:
    """Return the relative gap that ``result.z`` and ``result.dual`` prove.

    With the dual vector scaled to be feasible, exactly, and the residual accounted for. Floats
    hardly ever solve ``A z = b``. So let ``c`` be ``b``, or, where ``A z`` is farther than
    ``sigma`` from ``b``, the nearest point to ``b`` from which it is not: ``c = A z`` for
    ``sigma = 0``. Then for the number ``g`` that is returned

    - ``z`` is admitted by ``|A x - c| <= sigma``, and no ``x`` that is has an l1 norm below
      ``(1 - g) |z|_1``;
    - no ``x`` with ``|A x - b| <= sigma`` has one below ``(1 - g) |z|_1``, and the bound that
      shows it is not above ``(1 + g) |z|_1``.

    How far ``c`` is from ``b`` is another matter: see ``result.residual``.

    Parameters
    ----------
    A, b
        As they were given to the solver.
    result : L1Solution
        Or whatever has ``z``, ``dual`` and ``signed``.
    sigma : float
        The residual that is allowed.

    Returns
    -------
    float
        In rational arithmetic up to 20,000 real entries of ``A``; else with rounding bounded, and
        on the safe side. Of sparse matrices and operators, as exact as their products are.
        Infinite if ``z`` has a negative entry that is not allowed, or is zero and ``b`` is not,
        nor within ``sigma`` of it.

    Raises
    ------
    ValueError, TypeError
        If shapes disagree, an entry is not finite, ``sigma`` is negative, or there is no result.
    """
    A, b, z, y = _shaped(A, b, result)
    if not 0 <= sigma < np.inf:
        raise ValueError(f"sigma must be nonnegative and finite; got {sigma!r}")
    if not result.signed and (z < 0).any():
        return np.inf
    A, b, z, y, sigma, rounding = _numbers(A, b, z, y, sigma)
    height, misfit, length = _adjoint(A, y), A @ z - b, _root(abs(y) ** 2)
    highest = (abs(height) if result.signed else height).max()
    steepest = _steepest(A, y) if rounding else 0
    most = max(1, highest + rounding * steepest)
    share = 1 - min(1, sigma / (_root(abs(misfit) ** 2) or 1))  # of the misfit: c - b
    bound, moved = ((y.conj() @ c).real - sigma * length for c in (b, b + share * misfit))
    bound, least = max(0, bound / most), max(0, min(bound, moved) / most)
    norm = abs(z).sum()
    excess = max(norm - least, bound - norm)
    excess += rounding * (abs(b) @ abs(y) + norm * max(most, steepest) + sigma * length)
    if norm:
        return float(excess / norm)
    is_near = not abs(b).any() or (sigma > 0 and (abs(b) ** 2).sum() <= sigma**2)
    return 0.0 if is_near else np.inf


def _shaped(A: Any, b: Any, result: Any) -> tuple[Any, Any, Any, Any]:
    """Return matrix and vectors, once they fit."""
    A = A if issparse(A) or hasattr(A, "rmatvec") else np.asarray(A)
    try:
        b, z, y = (np.asarray(v) for v in (b, result.z, result.dual))
    except AttributeError as error:
        raise TypeError("result must have z, dual and signed, as an L1Solution has") from error
    if A.shape != (len(y), len(z)) or b.shape != y.shape or z.ndim != 1:
        raise ValueError(
            f"A, b, z and dual do not fit: shapes {A.shape}, {b.shape}, {z.shape}, {y.shape}"
        )
    if not all(np.isfinite(v).all() for v in (b, z, y)):
        raise ValueError("b, z or dual holds NaN or infinity, which proves nothing")
    return A, b, z, y


def _numbers(A: Any, *others: Any) -> tuple[Any, ...]:
    """Return all as rational numbers, or as long floats, and the relative rounding of a sum."""
    plain = isinstance(A, np.ndarray)
    if plain and A.size <= EXACT and not any(map(np.iscomplexobj, (A, *others))):
        return *(_rational(v)[()] for v in (A, *others)), 0
    numbers = LONG if plain else float  # sparse matrices and operators know no others
    long = (np.asarray(v, np.result_type(v, numbers)) for v in others)
    A = A.astype(np.result_type(A, numbers)) if plain else A
    return A, *long, 2 * sum(A.shape) * np.finfo(numbers).eps


_rational = np.vectorize(lambda v: Fraction(float(v)), otypes=[object])


def _adjoint(A: Any, y: Any) -> Any:
    """Return ``A^* y``."""
    return A.rmatvec(y) if hasattr(A, "rmatvec") else (A.T @ y.conj()).conj()


def _steepest(A: Any, y: Any) -> Any:
    """Return the largest entry of ``|A|^T |y|``; 0 for an operator, whose entries nobody knows."""
    return 0 if hasattr(A, "rmatvec") else (abs(A).T @ abs(y)).max()


def _root(squares: Any) -> Any:
    """Return a number not below the root of the sum."""
    total = squares.sum()
    root = float(np.sqrt(LONG(float(total)))) * (1 + 1e-15)
    return Fraction(root) if isinstance(total, Fraction) else root
