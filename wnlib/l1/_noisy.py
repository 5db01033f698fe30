r"""Basis pursuit with noise, ``min |z|_1`` subject to ``|A z - b| <= sigma``, for dense matrices.

With the multiplier ``tau > 0`` of the constraint a minimizer is a point of the Lasso with the
penalty ``tau``, and ``y = (b - A z) / tau`` is its dual vector. On a known support ``S`` with known
signs ``s`` both have a closed form,

    z_S = G^{-1} (A_S^T b - tau s),   y = r / tau + A_S G^{-1} s,   G = A_S^T A_S,

``r`` what least squares leave of ``b``; and ``|b - A z|^2 = |r|^2 + tau^2 |A_S G^{-1} s|^2`` is
``sigma^2`` for one ``tau``.
"""

from collections.abc import Iterator

import numpy as np
from scipy.optimize import nnls

from wnlib._types import Floats, Integers
from wnlib.l1._dense import FAR, advance
from wnlib.l1._faces import Columns, Found
from wnlib.l1._interior import Interior
from wnlib.l1._matrices import Dense
from wnlib.l1.linear_program import power_of_two

MAX_ITERATIONS = 60  # typical are 2 to 18
EXCHANGES = 30  # of entries of the wrong sign against columns too high: typical are 1 to 8
ROUNDING = 1e-12  # of the norm of b: a residual that is none
UNPROVEN = "no support could be proven, and the path did not come near enough"
CLOSE = 1e-2  # relative gap from where every guess is tried, not only a repeated one


def search(
    A: Floats, b: Floats, sigma: float, signed: bool, tol: float, near: Found | None = None
) -> Iterator[Found]:
    """Yield points, the last of which is proven optimal within ``tol`` if any is.

    In units in which ``z`` is of order one. ``near`` is what was found for a neighbouring problem:
    its support and signs are tried first.
    """
    size = float(power_of_two(max(A.max(), -A.min())))
    far = 1.0 if 1 / FAR < size < FAR else size
    unit = size / power_of_two(np.abs(b).max())  # of z
    matrix = Dense(A if far == 1 else A / far)
    near = near and Found(near.z * unit, near.y * far)
    found = Found(np.zeros(matrix.N), np.zeros(matrix.M), message=UNPROVEN)
    for found in _search(matrix, b / far * unit, sigma / far * unit, signed, tol, near):
        yield found._replace(z=found.z / unit, y=found.y / far)
    if found.message:
        _require_in_reach(A, b, sigma, signed)


def _search(
    matrix: Dense, b: Floats, sigma: float, signed: bool, tol: float, near: Found | None
) -> Iterator[Found]:
    found, last, least = None, np.array([-1]), np.inf
    path = Interior.start(matrix, b, signed, sigma)
    if near is not None:
        found = _prove(matrix, b, sigma, np.flatnonzero(near.z), np.sign(near.z), signed, tol)
    for iteration in range(MAX_ITERATIONS + 1):
        if found is not None:
            yield found._replace(n_iterations=iteration)
            return
        if (doubt := path.left * (1 + path.lag)) < least:  # rounding ends it
            least = doubt
            yield Found(path.x, path.y, iteration, UNPROVEN)
        if not advance(path):
            matrix.cut = 0.0
        if not path.is_sound:
            break
        on = path.guess()
        repeated, last = np.array_equal(on, last), on
        if repeated or path.gap < CLOSE:
            found = _prove(matrix, b, sigma, on, np.sign(path.x), signed, tol)


def _require_in_reach(A: Floats, b: Floats, sigma: float, signed: bool) -> None:
    """Raise ``ValueError`` if no admissible ``A z`` comes as near to ``b`` as ``sigma``."""
    fit = np.linalg.lstsq(A, b)[0] if signed else nnls(A, b)[0]
    least = float(np.linalg.norm(A @ fit - b))
    if least > max(sigma, ROUNDING * float(np.linalg.norm(b))):
        kind = "" if signed else " with z >= 0"
        raise ValueError(f"sigma must be at least {least:.12g}: no A z{kind} is nearer to b")


def _prove(
    matrix: Dense, b: Floats, sigma: float, on: Integers, signs: Floats, signed: bool, tol: float
) -> Found | None:
    """Return the minimizer, if exchange leads from a support and its signs to the right ones."""
    for _ in range(EXCHANGES):
        columns = Columns(matrix, on)
        if not columns.independent:
            some = columns.first_independent(np.arange(len(on)))
            if len(some) == min(len(on), matrix.M):
                return None  # too early on the path, or nearly dependent
            on = on[np.sort(some)]
            continue
        fitted = columns.fit(b, np.zeros(len(on)))
        left = b - columns.times(fitted)
        least, multipliers = columns.match(signs[on], np.zeros(len(b)))
        if not (room := sigma**2 - left @ left) > 0:
            return None
        tau = np.sqrt(room) / np.linalg.norm(least)
        z = fitted - tau * multipliers
        if (wrong := z * signs[on] <= 0).any():
            on = on[~wrong]
            continue
        # once more: what is left is rounding if sigma is small
        y, _ = columns.match(signs[on], left / tau + least)
        correlations = matrix.adjoint(y)
        height = np.abs(correlations) if signed else correlations.copy()
        proven = (b @ y - sigma * np.linalg.norm(y)) / max(1.0, height.max())
        if 1 - proven / np.abs(z).sum() <= tol:
            solution = np.zeros(matrix.N)
            solution[on] = z
            return Found(solution, y)
        height[on] = 0
        signs = np.where(height > 1, np.sign(correlations), signs)
        on = np.union1d(on, np.flatnonzero(height > 1))
    return None
