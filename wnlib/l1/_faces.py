r"""From a guess of the support to a solution with its certificate, or to the answer that it fails.

The solutions of smallest norm form a face: those whose support lies in some set ``S``, with given
signs. So do the dual vectors: ``A_S^T y`` is the sign on ``S``. A point near both is corrected to
one on them by two problems of least squares, and what comes out proves itself.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, lstsq, qr

from wnlib._types import Floats, Integers
from wnlib.l1._matrices import Dense
from wnlib.l1._operators import Face, Operator

SOLVED = 1e-11  # relative residual of a system that is solved: a wrong support leaves far more
INDEPENDENT = 1e-5  # least pivot of columns of norm one: normal equations still give nine digits
NOTHING = 1e-10  # entries below, relative to the largest, are rounding
SHARE = 0.25  # of the support so far that each round of `complete` adds
EXCHANGES = 10  # rounds in which constraints enter and leave; those that succeed need two or three


class Found(NamedTuple):
    """A solution and a dual vector; how good they are is for others to judge."""

    z: NDArray[Any]  # real or complex
    y: NDArray[Any]
    n_iterations: int = 0
    message: str = ""
    independent: bool = False  # whether the columns of the support are known to be


class Columns:
    """Some columns of ``A``, scaled to norm one, for problems of least squares."""

    def __init__(self, matrix: Dense, on: Integers) -> None:
        self.C = matrix.columns(on)
        self.norms = np.linalg.norm(self.C, axis=0)
        self.norms[self.norms == 0] = 1.0
        self.C = self.C / self.norms
        self.factor = self._factor()

    def _factor(self) -> tuple[Floats, bool] | None:
        M, k = self.C.shape
        if k > M:
            return None
        try:
            factor = cho_factor(self.C.T @ self.C, check_finite=False)
        except LinAlgError:
            return None
        return factor if np.diag(factor[0]).min(initial=1.0) > INDEPENDENT else None

    @property
    def independent(self) -> bool:
        """Whether they are, and not just by rounding."""
        return self.factor is not None

    def first_independent(self, order: Integers) -> Integers:
        """Return which columns depend on none that come before, as positions."""
        R = qr(self.C[:, order], mode="r", check_finite=False)[0]
        return order[: len(R)][np.abs(np.diag(R)) > INDEPENDENT]

    def times(self, z: Floats) -> Floats:
        """Return their combination with coefficients ``z``."""
        return self.C @ (z * self.norms)

    def fit(self, target: Floats, near: Floats) -> Floats:
        """Return the least-squares solution of ``C z = target``; of several, the nearest."""
        z = near * self.norms
        for _ in range(2):  # the second brings the last digits
            left = target - self.C @ z
            if self.factor is None:
                z = z + lstsq(self.C, left, check_finite=False, lapack_driver="gelsy")[0]
            else:
                z = z + cho_solve(self.factor, self.C.T @ left, check_finite=False)
        return z / self.norms

    def match(self, values: Floats, near: Floats) -> tuple[Floats, Floats]:
        """Return the ``y`` nearest to ``near`` with ``C^T y = values``, and its multipliers."""
        y, multipliers = near, np.zeros(len(values))
        for _ in range(2):
            left = values / self.norms - self.C.T @ y
            if self.factor is None:
                change = lstsq(self.C.T, left, check_finite=False, lapack_driver="gelsy")[0]
                y = y + change
            else:
                step = cho_solve(self.factor, left, check_finite=False)
                multipliers += step
                y = y + self.C @ step
        return y, multipliers / self.norms


def _columns(matrix: Dense | Operator, on: Integers) -> Columns | Face:
    """Return some of the columns, ready for problems of least squares."""
    return Columns(matrix, on) if isinstance(matrix, Dense) else matrix.face(on)


def complete(matrix: Dense, b: Floats, on: Integers, signed: bool, rounds: int) -> Integers | None:
    """Return a support that contains ``on`` and solves ``A z = b`` with fewer than ``M/2`` entries.

    Orthogonal matching pursuit, several columns at a time. None if it does not succeed.
    """
    for _ in range(rounds):
        if len(on) > matrix.M // 2:
            return None
        columns = Columns(matrix, on)
        z = columns.fit(b, np.zeros(len(on)))
        left = b - columns.times(z)
        if np.linalg.norm(left) <= SOLVED * np.linalg.norm(b):
            return on[np.abs(z) > NOTHING * np.abs(z).max()]
        if len(on) == matrix.N:
            return None
        found = matrix.adjoint(left)
        found = np.abs(found) if signed else found
        found[on] = -np.inf
        more = min(max(3, int(SHARE * len(on))), matrix.N - len(on))
        on = np.concatenate([on, np.argpartition(-found, more - 1)[:more]])
    return None


def prove(
    matrix: Dense | Operator,
    b: Floats,
    on: Integers,
    z: Floats,
    y: Floats,
    signed: bool,
    tol: float,
    active: Integers | None = None,
) -> Found | None:
    """Return a solution with support in ``on``, near to ``z``, if it is certified to be minimal.

    Its certificate is the nearest to ``y`` that is the sign on the support and feasible: a problem
    of least distance, whose few active constraints are found by exchange. If many are, and about
    known, as ``active``, it is the shortest.
    """
    if len(on) == 0:
        return None
    columns = _columns(matrix, on)
    if not columns.independent:  # a corner first: those of the largest entries
        some = on[columns.first_independent(np.argsort(-np.abs(z[on])))]
        found = prove(matrix, b, some, z, y, signed, tol) if len(some) < len(on) else None
        if found is not None:
            return found
    fitted = columns.fit(b, z[on])
    if np.linalg.norm(b - columns.times(fitted)) > SOLVED * np.linalg.norm(b):
        return None
    off = np.abs(fitted) <= NOTHING * np.abs(fitted).max()
    if off.any() and columns.independent:
        return prove(matrix, b, on[~off], z, y, signed, tol, active)
    if not signed and (fitted < 0).any():
        return None
    solution = np.zeros(matrix.N)
    solution[on] = fitted
    norm, correlations = np.abs(fitted).sum(), matrix.adjoint(y)
    y, active = (y, np.array([], int)) if active is None else (np.zeros_like(y), active)
    for _ in range(EXCHANGES):
        signs = np.sign(np.concatenate([fitted, correlations[active]]))
        both = _columns(matrix, np.concatenate([on, active])) if active.size else columns
        candidate, multipliers = both.match(signs, y)
        leaving = multipliers[len(on) :] * signs[len(on) :] > 0
        if leaving.any():
            active = active[~leaving]
            continue
        correlations = matrix.adjoint(candidate)
        height = np.abs(correlations) if signed else correlations.copy()
        scale = max(1.0, height.max())
        if 1 - b @ candidate / (scale * norm) <= tol:
            independent = isinstance(columns, Columns) and columns.independent
            return Found(solution, candidate, independent=independent)
        height[on], height[active] = 0, 0
        active = np.concatenate([active, np.flatnonzero(height > 1)])
        if len(on) + len(active) > matrix.M or not both.independent:
            return None
    return None
