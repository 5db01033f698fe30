"""Basis pursuit with a dense real matrix: guess the support, prove it, else go on along the path.

What is ordinary ends there. Where the path makes no progress, Hessians take all columns; where that
does not help, for dependent columns or bad scales, it starts again with exact directions, which
cost several times as much. Where it ends with nothing proven, a linear program is left.
"""

from collections.abc import Iterator
from itertools import chain

import numpy as np
from scipy.linalg import LinAlgError, lstsq

from wnlib._types import Floats, Integers
from wnlib.l1._faces import Found, complete, prove
from wnlib.l1._interior import Interior
from wnlib.l1._matrices import Dense
from wnlib.l1.linear_program import min_l1, power_of_two
from wnlib.l1.solution import judged
from wnlib.problems import Problem

MAX_ITERATIONS = 150  # typical are 0 to 15; columns of eight orders of magnitude take up to 100
FIRST = 50  # of M: so small a part of the support is guessed at zero
ROUNDS_AT_ZERO, ROUNDS = 12, 3  # of pursuit: there it is all there is, on the path it ends a guess
SPARSE, FULL = 0.25, 0.8  # of M: below, a guess is completed; above, it is made a vertex
SETTLED = 1e-4  # relative gap from where a guess is tried, even if the last one was another
PROGRESS = 0.95  # of the complementarity: ordinary steps leave less
LAG = 30.0  # of infeasibility behind complementarity: ordinary steps keep it below one
NOTHING_LEFT = 1e-15  # relative complementarity at which the path has no digits left to lead on
BEYOND = 1e20  # a norm, in units of b over A, that no solution has: there will be none
UNEVEN = 16.0  # largest over least entry of rows: beyond, they are brought to one size
ROUNDING = 1e-14  # of sums with terms of order one, generously
ENOUGH = 0.5  # of the tolerance: who judges has more digits
AT_ONE = 1e-6  # below the largest correlation: those of a support, up to rounding
LEFT = 3  # times M: columns of the first linear program, those that may be in the support
FAR = 2.0**100  # units of A beyond are changed: products of many would leave the range of floats
FAILED = "no support could be proven"
HELPED = "found by HiGHS: the path led to no certificate"
REMEDY = "or allow a residual: basis_pursuit_denoise(A, b, sigma)"


def search(
    A: Floats, b: Floats, signed: bool, tol: float, near: Found | None = None
) -> Iterator[Found]:
    """Yield points, the last of which is proven optimal within ``tol`` if any is.

    In units in which ``A`` and ``z`` are of order one, by powers of two, which round nothing.
    ``near`` is what was found for a neighbouring problem.
    """
    rows = 1 / power_of_two(np.maximum(A.max(axis=1), -A.min(axis=1)))
    if rows.max() <= UNEVEN * rows.min() and 1 / FAR < rows[0] < FAR:
        scaled, target, rows = A, b, np.ones_like(rows)
    else:
        scaled, target = A * rows[:, None], b * rows
    matrix = Dense(scaled)
    unit = matrix.unit / power_of_two(np.abs(target).max())
    near = near and Found(near.z * unit, near.y / rows)
    last = Found(np.zeros(matrix.N), np.zeros(matrix.M))
    for found in _search(matrix, target * unit, signed, ENOUGH * tol, near):
        last = found._replace(z=found.z / unit, y=found.y * rows)
        yield last
    if last.message or np.abs(last.y / rows).sum() * matrix.unit * ROUNDING > tol:
        yield _best(A, b, last, signed, ENOUGH * tol)


def _search(
    matrix: Dense, b: Floats, signed: bool, tol: float, near: Found | None
) -> Iterator[Found]:
    path = Interior.start(matrix, b, signed)
    found = near and prove(matrix, b, _support(matrix, near), near.z, near.y, signed, tol)
    found = found or _at_zero(path, signed, tol)
    if near is not None:
        path.move_near(near.z, near.y)
    iteration, last = 0, np.array([-1])
    while found is None and iteration < MAX_ITERATIONS:
        iteration += 1
        advances = advance(path)
        if path.is_sound:
            on = path.guess()
            stable, last = np.array_equal(on, last), on
            found = _on_the_path(path, on, stable, signed, tol)
            yield found or Found(path.x, path.y, iteration, "no support is proven yet")
        if found is not None or path.b @ path.y > BEYOND:
            break
        if not advances and matrix.cut > 0:
            matrix.cut = 0.0
        elif not advances and not matrix.careful:
            matrix.take_care()
            b = _consistent(matrix, b, tol)
            path = Interior.start(matrix, b, signed)
        elif not path.is_sound or path.left < NOTHING_LEFT:
            break
    yield (found or Found(path.x, path.y, message=FAILED))._replace(n_iterations=iteration)


def _support(matrix: Dense, near: Found) -> Integers:
    """Return the support of a solution, or, where there is only a dual vector, its likely one."""
    if near.z.any():
        return near.z.nonzero()[0]
    height = np.abs(matrix.adjoint(near.y))
    return np.flatnonzero(height > (1 - AT_ONE) * height.max())


def advance(path: Interior) -> bool:
    """Take a step along the path; tell whether it leads on."""
    before = path.complementarity
    try:
        path.advance()
    except LinAlgError:  # what is left of the Hessian is rounding
        return False
    return path.complementarity < PROGRESS * before and path.lag < LAG


def _at_zero(path: Interior, signed: bool, tol: float) -> Found | None:
    """Return the solution if it has few entries and these stand out."""
    matrix, b = path.matrix, path.b
    height = matrix.adjoint(b)
    on = np.argsort(-np.abs(height) if signed else -height)[: max(3, matrix.M // FIRST)]
    whole = complete(matrix, b, on, signed, ROUNDS_AT_ZERO)
    return None if whole is None else prove(matrix, b, whole, path.x, path.y, signed, tol)


def _on_the_path(
    path: Interior, on: Integers, stable: bool, signed: bool, tol: float
) -> Found | None:
    """Return the solution if the support that the path suggests, completed, is the right one."""
    matrix, b, M = path.matrix, path.b, path.matrix.M
    if len(on) <= SPARSE * M:
        whole = complete(matrix, b, on, signed, ROUNDS)
        return None if whole is None else prove(matrix, b, whole, path.x, path.y, signed, tol)
    if not stable and (path.gap > SETTLED or len(on) > M):  # more than M are costly to refute
        return None
    if FULL * M < len(on) < M <= matrix.N:
        on = np.sort(np.argsort(-(path.z / path.slack).max(axis=0))[:M])
    return prove(matrix, b, on, path.x, path.y, signed, tol)


def _consistent(matrix: Dense, b: Floats, tol: float) -> Floats:
    """Return the part of ``b`` in the range of ``A``; raise ``ValueError`` if that is not all."""
    assert matrix.kept is not None
    if len(matrix.kept) == matrix.M:
        return b
    sizes = np.linalg.norm(matrix.A, axis=0)
    columns = matrix.A / np.where(sizes > 0, sizes, 1.0)  # of one size: of very small ones, too
    nearest = columns @ lstsq(columns, b, check_finite=False, lapack_driver="gelsy")[0]
    outside = np.linalg.norm(b - nearest) / np.linalg.norm(b)
    if outside > tol:
        raise ValueError(
            f"A z = b has no solution: b is {outside:.1e} of its norm away from the range of A. "
            f"Correct b, {REMEDY}"
        )
    return nearest


def _best(A: Floats, b: Floats, found: Found, signed: bool, tol: float) -> Found:
    """Return what was found, or what else is better, judged with many digits."""
    best, least = found, np.inf
    for other in chain([found], _others(A, b, found, signed, tol)):
        answer = judged(A, b, other, signed=signed, tol=tol)
        if (doubt := max(answer.gap, answer.residual)) < least:
            best, least = other, doubt
        if least <= tol:
            break
    return best._replace(n_iterations=found.n_iterations)


def _others(A: Floats, b: Floats, found: Found, signed: bool, tol: float) -> Iterator[Found]:
    """Yield the solution with the shortest dual vector, whose sums cancel least; then HiGHS'.

    First with few columns: those that the dual vector says are the likely ones.
    """
    if found.message != FAILED:
        shortest = np.zeros(len(A))
        proven = prove(Dense(A), b, found.z.nonzero()[0], found.z, shortest, signed, tol)
        if proven is not None:
            yield proven
    height = np.abs(found.y @ A) if signed else found.y @ A
    for on in np.argsort(-height)[: LEFT * len(A)], np.arange(A.shape[1]):
        try:
            program = min_l1(Problem(A[:, on], b, signed=signed))
        except RuntimeError:  # HiGHS fails
            continue
        except ValueError as error:  # there is no solution with these columns
            if len(on) == A.shape[1]:
                raise ValueError(f"{error}, {REMEDY}") from None
            continue
        z = np.zeros(A.shape[1])
        z[on] = program.z
        yield Found(z, program.dual, message=HELPED)
