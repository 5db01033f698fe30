"""What the solver asks of a matrix that it cannot look into: products, least squares by them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import issparse

from wnlib._checks import generator
from wnlib._types import Floats, Integers

PROBES = 4  # random vectors that estimate the size of columns
AGREES = 1e-5  # relative: what single precision leaves of an adjoint, and no mistake does
TIGHT = 1e-12  # relative: rows are orthonormal, up to a factor, if a random vector says so
REFINED = 3  # times a system is solved for what was left
DIGITS = 1e-9  # relative residual of each of these
MISSED, ENDED = 1e-6, 1e-6  # relative: residuals of measurements that nothing solves
LAST = 5e-14  # relative residual at which it is solved
EASY = 300  # iterations that any system may take; beyond, as many as led to it


class Operator:
    """A real matrix that is known by its products, in units in which columns have norm one.

    Parameters
    ----------
    A : scipy.sparse.linalg.LinearOperator or sparse matrix, shape (M, N)

    Attributes
    ----------
    unit : float
        Root of the mean square of the norms of the columns, estimated.
    tight : float
        ``c`` if ``A A^T`` is ``c`` times the identity, else 0.
    n_products : int
        By the matrix or its transpose, so far.
    """

    def __init__(self, A: Any) -> None:
        self.A = A
        self.M, self.N = A.shape
        self.n_products, self.unit, self.tight = 0, 1.0, 0.0
        if issparse(A):
            if not np.isfinite(A.data).all():
                raise ValueError("A holds NaN or infinity: replace these entries or leave them out")
            rows, columns = A.tocsr(), A.T.tocsr()
            self._times: Callable[[Floats], Any] = lambda x: rows @ x
            self._adjoint: Callable[[Floats], Any] = lambda y: columns @ y
        else:
            self._times, self._adjoint = A.matvec, A.rmatvec
        rng = generator(0)
        x, y = rng.choice([-1.0, 1.0], self.N), rng.choice([-1.0, 1.0], (PROBES, self.M))
        image = self._see("matvec", self._times, x, self.M)
        seen = np.array([self._see("rmatvec", self._adjoint, each, self.N) for each in y])
        _require_adjoint(x, image, y[0], seen[0])
        if not seen.any():  # signs may cancel, all of them
            seen = self._see("rmatvec", self._adjoint, rng.normal(size=self.M), self.N)[None]
        largest = float(np.abs(seen).max())
        if largest == 0:
            raise ValueError("A is zero: it measures nothing")
        self.unit = largest * float(np.sqrt(((seen / largest) ** 2).mean()))
        again = self.times(self.adjoint(y[0]))
        tight = float(again @ y[0]) / self.M
        if np.abs(again - tight * y[0]).max() <= TIGHT * tight:
            self.tight = tight

    def _see(self, name: str, product: Callable[[Floats], Any], v: Floats, size: int) -> Floats:
        """Return a product, or say what is wrong with it."""
        try:
            out = np.asarray(product(v))
        except NotImplementedError as error:
            raise TypeError(
                f"A has no {name}: pass it to LinearOperator, the solver needs both products"
            ) from error
        except Exception as error:
            raise ValueError(
                f"the {name} of A fails for a vector of shape {v.shape}: {error}"
            ) from error
        if np.iscomplexobj(out):
            raise TypeError(
                f"the {name} of A returns complex numbers: where they are meant, pass a dense array"
            )
        if out.shape != (size,):
            raise ValueError(f"the {name} of A must return shape ({size},); got {out.shape}")
        if not np.isfinite(out).all():
            raise ValueError(f"the {name} of A returned NaN or infinity for a vector of +1 and -1")
        return out.astype(float)

    def times(self, x: Floats) -> Floats:
        """Return ``A x``."""
        return self._product("matvec", self._times, x)

    def adjoint(self, y: Floats) -> Floats:
        """Return ``A^T y``."""
        return self._product("rmatvec", self._adjoint, y)

    def _product(self, name: str, product: Callable[[Floats], Any], v: Floats) -> Floats:
        self.n_products += 1
        out: Floats = np.asarray(product(v), float) / self.unit
        if not np.isfinite(out.sum()):
            raise ValueError(f"the {name} of A returned NaN or infinity")
        return out

    def face(self, on: Integers) -> "Face":
        """Return some of the columns."""
        return Face(self, on)

    def written_down(self) -> Floats:
        """Return the matrix, in its units."""
        if issparse(self.A):
            rows = self.A.toarray()
        elif self.M <= self.N:
            rows = np.asarray(self.A.rmatmat(np.eye(self.M)), float).T
        else:
            rows = np.asarray(self.A.matmat(np.eye(self.N)), float)
        self.n_products += min(self.M, self.N)
        return np.ascontiguousarray(rows) / self.unit

    def require_solvable(self, b: Floats) -> None:
        """Raise ``ValueError`` if no ``z`` solves ``A z = b``: seen where least squares end."""
        every = self.face(np.arange(self.N))
        left = b - every.times(every.fit(b, np.zeros(self.N)))
        missed = np.linalg.norm(left) / np.linalg.norm(b)
        if missed > MISSED and np.linalg.norm(self.adjoint(left)) <= ENDED * np.linalg.norm(left):
            raise ValueError(
                f"A z = b has no solution of a size to be found: b is {missed:.2g} of its length "
                "away from what A reaches. If b is noisy, pass A as a dense array to "
                "basis_pursuit_denoise"
            )

    def lift(self, left: Floats, tol: float) -> tuple[Floats, Floats]:
        """Return ``d`` and ``A^T d`` with ``A A^T d = left``, up to a residual of norm ``tol``."""
        if self.tight:
            d = left / self.tight
            return d, self.adjoint(d)
        d = conjugate_gradients(lambda v: self.times(self.adjoint(v)), left, tol, EASY)
        return d, self.adjoint(d)


def _require_adjoint(x: Floats, image: Floats, y: Floats, seen: Floats) -> None:
    """Raise ``ValueError`` unless ``image = A x`` and ``seen = A^T y`` can both be true."""
    there, back = image @ y, x @ seen
    size = np.linalg.norm(image) * np.linalg.norm(y) + np.linalg.norm(x) * np.linalg.norm(seen)
    if abs(there - back) > AGREES * size:
        raise ValueError(
            "the rmatvec of A is not the adjoint of its matvec: for random x and y, "
            f"(A x) @ y = {there:g} and x @ (A^T y) = {back:g}. Correct one of the two; an inverse "
            "is the adjoint only if it is orthonormal"
        )


class Face:
    """Some columns of an operator, for problems of least squares: conjugate gradients."""

    def __init__(self, matrix: Operator, on: Integers) -> None:
        self.matrix, self.on = matrix, on
        self.limit = max(EASY, matrix.n_products // 4)

    @property
    def independent(self) -> bool:
        """Whether they can be; if they are not, solving shows it."""
        return len(self.on) <= self.matrix.M

    def first_independent(self, order: Integers) -> Integers:
        """Return as many as can be, as positions."""
        return order[: self.matrix.M]

    def times(self, z: Floats) -> Floats:
        """Return their combination with coefficients ``z``."""
        spread = np.zeros(self.matrix.N)
        spread[self.on] = z
        return self.matrix.times(spread)

    def adjoint(self, y: Floats) -> Floats:
        """Return the inner products with ``y``."""
        return self.matrix.adjoint(y)[self.on]

    def _solve(self, right: Floats) -> Floats:
        tol = DIGITS * float(np.linalg.norm(right))
        return conjugate_gradients(lambda v: self.adjoint(self.times(v)), right, tol, self.limit)

    def fit(self, target: Floats, near: Floats) -> Floats:
        """Return the least-squares solution; of several, the nearest; roughly, if it misses."""
        z, size = near, np.linalg.norm(target)
        for _ in range(REFINED):
            left = target - self.times(z)
            correlations = self.adjoint(left)
            if np.linalg.norm(left) <= LAST * size:
                break
            if np.linalg.norm(correlations) <= ENDED * np.linalg.norm(left):
                break
            z = z + self._solve(correlations)
        return z

    def match(self, values: Floats, near: Floats) -> tuple[Floats, Floats]:
        """Return the ``y`` nearest to ``near`` with these inner products, and its multipliers."""
        y, multipliers = near, np.zeros(len(values))
        for _ in range(REFINED):
            left = values - self.adjoint(y)
            if np.abs(left).max() <= LAST * np.abs(values).max():
                break
            step = self._solve(left)
            multipliers = multipliers + step
            y = y + self.times(step)
        return y, multipliers


def conjugate_gradients(
    apply: Callable[[Floats], Floats], right: Floats, tol: float, limit: int
) -> Floats:
    """Solve ``apply(x) = right``, positive semidefinite, up to a residual of norm ``tol``."""
    x, residual = np.zeros(len(right)), right.copy()
    direction, square = residual.copy(), residual @ residual
    for _ in range(limit):
        if square <= tol * tol:
            break
        image = apply(direction)
        curvature = direction @ image
        if not 0 < curvature < np.inf:  # rounding: in the null space
            break
        step = square / curvature
        x += step * direction
        residual -= step * image
        square, before = residual @ residual, square
        direction *= square / before
        direction += residual
    return x
