"""Basis pursuit by products alone, in memory of a few vectors: guess and prove a support, or split.

Where measurements are like random ones and l1 recovers, message passing finds the solution, and its
certificate, in about a hundred products. Elsewhere small matrices are written down; for others a
first-order method goes on, which needs thousands, and leads to a corner of ``M`` entries as well.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from wnlib._types import Floats, Integers
from wnlib.l1 import _dense
from wnlib.l1._faces import NOTHING, SOLVED, Found, prove
from wnlib.l1._message_passing import dual, guesses
from wnlib.l1._operators import Operator
from wnlib.l1._splitting import Splitting

TINY = 2**12  # entries of a matrix that is written down at once: dense solvers know more
SMALL = 2**22  # entries of a matrix, 32 MB, that is written down if nothing else helps
ON_TRIAL = 600  # iterations before that, if the rows are orthonormal: probably a fast transform
MAX_ITERATIONS = 30000  # of the splitting: a second for thousands of unknowns, minutes for many
FIRST_LOOK, LOOK = 50, 1.1  # iterations until the point is looked at, then times as many
START = 0.1  # of the largest correlation: the first threshold


def search(
    A: Any, b: Floats, signed: bool, tol: float, near: Found | None = None
) -> Iterator[Found]:
    """Yield points, the last of which is proven optimal within ``tol`` if any is.

    Parameters
    ----------
    A : sparse matrix or LinearOperator, shape (M, N)
    b : numpy.ndarray, shape (M,)
        Not zero.
    signed, tol
        As in :func:`wnlib.l1.basis_pursuit.basis_pursuit`.
    near : Found, optional
        What was found for a neighbouring problem.
    """
    matrix = Operator(A)
    unit = float(np.abs(b).max())
    scale = unit / matrix.unit
    near = near and Found(near.z / scale, near.y * matrix.unit)
    if matrix.M * matrix.N <= TINY:
        points = _dense.search(matrix.written_down(), b / unit, signed, tol, near)
    else:
        points = _search(matrix, b / unit, signed, _dense.ENOUGH * tol, near)
    for found in points:
        yield found._replace(z=found.z * scale, y=found.y / matrix.unit)


def _search(
    matrix: Operator, b: Floats, signed: bool, tol: float, near: Found | None
) -> Iterator[Found]:
    iteration, z, y = 0, np.zeros(matrix.N), None
    on = np.arange(matrix.N if matrix.N <= matrix.M else 0)
    if near is not None and 0 < np.count_nonzero(near.z) <= matrix.M:
        on, (z, y) = np.flatnonzero(near.z), near[:2]
    if len(on) and (found := _proven(matrix, b, on, z, y, signed, tol)):
        yield found
        return
    for iteration, z, on in guesses(matrix, b, signed):
        if found := _proven(matrix, b, on, z, None, signed, tol):
            yield found._replace(n_iterations=iteration)
            return
    matrix.require_solvable(b)
    start = START * float(np.abs(matrix.adjoint(b)).max())
    path, is_small = Splitting(matrix, b, signed, start, z), matrix.M * matrix.N <= SMALL
    limit = MAX_ITERATIONS
    if is_small:
        limit = ON_TRIAL if matrix.tight else 0
    for found in _on_the_path(path, tol, limit):
        yield found._replace(n_iterations=iteration + found.n_iterations)
    if is_small and path.best > tol:
        iteration += path.iteration
        for found in _dense.search(matrix.written_down(), b, signed, tol, near):
            yield found._replace(n_iterations=iteration + found.n_iterations)


def _on_the_path(path: Splitting, tol: float, limit: int) -> Iterator[Found]:
    """Split, and try from time to time to prove a support that has settled."""
    matrix, b, signed = path.matrix, path.b, path.signed
    last, look, on_proofs = np.array([-1]), float(FIRST_LOOK), 0
    while path.iteration < limit:
        path.advance()
        if path.iteration < look:
            continue
        look *= LOOK
        on = path.guess()
        stable, last = np.array_equal(on, last), on
        if stable and 0 < len(on) <= matrix.M and 2 * on_proofs <= matrix.n_products:
            before = matrix.n_products
            found = _proven(matrix, b, on, path.sparse, path.y, signed, tol)
            on_proofs += matrix.n_products - before
            if found is not None:
                path.best = 0.0
                yield found._replace(n_iterations=path.iteration)
                return
        z, y = path.point(), path.y
        off = abs(float(1 - b @ y / np.abs(z).sum()))
        off += float(np.linalg.norm(b - matrix.times(z)) / np.linalg.norm(b))
        if off < path.best:
            path.best = off
            yield Found(z, y, path.iteration, f"no support proven by iteration {path.iteration}")
        if path.best <= tol:
            return


def _proven(
    matrix: Operator,
    b: Floats,
    on: Integers,
    z: Floats,
    y: Floats | None,
    signed: bool,
    tol: float,
) -> Found | None:
    """Return the solution on a support, if there is one and it is proven to be minimal."""
    face = matrix.face(on)
    fitted = face.fit(b, z[on])
    if np.linalg.norm(b - face.times(fitted)) > SOLVED * np.linalg.norm(b):
        return None
    keep = np.abs(fitted) > NOTHING * np.abs(fitted).max(initial=0.0)
    on, fitted = on[keep], fitted[keep]
    if not signed and (fitted < 0).any():
        return None
    active = None
    if y is None:
        y, active = dual(matrix, on, np.sign(fitted), signed)
    near = np.zeros(matrix.N)
    near[on] = fitted
    return prove(matrix, b, on, near, y, signed, tol, active)
