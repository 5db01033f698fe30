r"""Basis pursuit with complex numbers: the smallest sum of moduli, for dense matrices.

The network gets weights for many phases instead of two signs, ``z_n = sum_k x_{nk}^L e^{i phi_k}``:
the l1 norm of the stack is then the sum of moduli, up to a factor that tends to one as the phases
fill the circle. A dual vector is feasible if ``|A^* y| <= 1``, and a solution ``z`` is optimal if
``z = t f``, where ``f = A^* y``, with ``t >= 0`` and ``t (1 - |f|^2) = 0``. The path is

    A (t f) = b,     t (1 - |f|^2) = kappa,

followed by predictor and corrector as in :mod:`wnlib.l1._interior`. Its Hessian weighs, in each
entry, the direction of ``f`` by ``t (1 + |f|^2) / (1 - |f|^2)`` and the one across by ``t``: it is
real-linear only, a matrix of size ``2 M``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, lstsq

from wnlib._types import Floats
from wnlib.l1._faces import NOTHING, SOLVED, Found
from wnlib.l1._matrices import DOUBT, damped

Complexes = NDArray[np.complexfloating]
MAX_ITERATIONS = 60  # typical are 8 to 16
SHORT_OF = 0.95  # of the way to the boundary
NOTHING_LEFT = 1e-13  # relative, of the complementarity: no digits are left to lead on


def search(A: Complexes, b: Complexes, tol: float) -> Iterator[Found]:
    """Yield points, the last of which is proven optimal within ``tol`` if any is."""
    path = _Path.start(A, b)
    for iteration in range(1, MAX_ITERATIONS + 1):
        try:
            path.advance()
        except LinAlgError:  # out of the range of floats: from the start if A^* b = 0
            break
        found = _exact(path, tol)
        yield (found or Found(path.z, path.y))._replace(n_iterations=iteration)
        if found:
            return
        if path.left <= NOTHING_LEFT:
            break
    outside = np.linalg.norm(b - A @ lstsq(A, b)[0]) / np.linalg.norm(b)
    if outside > tol:
        raise ValueError(
            f"A z = b has no solution: b is {outside:.1e} of its norm away from the range of A. "
            "Correct b, or replace it by the nearest A z"
        )


@dataclass
class _Path:
    """A point of the interior: ``t > 0``, ``f = A^* y`` below one in modulus."""

    A: Complexes
    b: Complexes
    t: Floats
    y: Complexes
    f: Complexes

    @classmethod
    def start(cls, A: Complexes, b: Complexes) -> "_Path":
        """Return the point on the ray of ``b``, halfway to the boundary, that fits ``b`` best."""
        f = A.conj().T @ b
        y, f = b / (2 * np.abs(f).max()), f / (2 * np.abs(f).max())
        fit = A @ f
        t = np.vdot(fit, b).real / np.vdot(fit, fit).real
        return cls(A, b, np.full(len(f), t), y, f)

    def __post_init__(self) -> None:
        self.z = self.t * self.f

    @property
    def room(self) -> Floats:
        """``1 - |f|^2``, as a product, whose rounding is relative."""
        return (1 - np.abs(self.f)) * (1 + np.abs(self.f))

    @property
    def left(self) -> float:
        """The complementarity, relative to the norm."""
        return float(self.t @ self.room / np.abs(self.z).sum())

    def advance(self) -> None:
        """Take one step along the path."""
        t, f, room = self.t, self.f, self.room
        kappa, solve = (t * room).mean(), self._normal()

        def direction(target: Floats) -> tuple[Complexes, Complexes, Floats]:
            """Return the changes of y, f and t that bring ``t (1 - |f|^2)`` to the target."""
            dy = solve(self.b - self.A @ (f * target / room))
            df = self.A.conj().T @ dy
            return dy, df, target / room - t + 2 * t * _inner(f, df) / room

        dy, df, dt = direction(np.zeros_like(t))
        on_t, on_f = self._reach(df, dt)
        moved = (t + on_t * dt) * (1 - np.abs(f + on_f * df) ** 2)
        centre = (moved.mean() / kappa) ** 3 * kappa
        dy, df, dt = direction(centre + 2 * dt * _inner(f, df) + t * np.abs(df) ** 2)
        on_t, on_f = (min(1.0, SHORT_OF * reach) for reach in self._reach(df, dt))
        self.t, self.y, self.f = t + on_t * dt, self.y + on_f * dy, f + on_f * df
        self.z = self.t * self.f

    def _reach(self, df: Complexes, dt: Floats) -> tuple[float, float]:
        """Return how far ``t`` and ``f`` may move until one is on the boundary, at most far."""
        shrinking = dt < 0
        on_t = np.min(-self.t[shrinking] / dt[shrinking], initial=2.0)
        slope, square = _inner(self.f, df), np.abs(df) ** 2
        root = slope + np.sqrt(slope**2 + square * self.room)
        ahead = root > 0
        return float(on_t), float(np.min(self.room[ahead] / root[ahead], initial=2.0))

    def _normal(self) -> Callable[[Complexes], Complexes]:
        """Return a function that solves with the Hessian."""
        size = np.abs(self.f)
        B = self.A * np.where(size > 0, self.f / np.where(size > 0, size, 1.0), 1.0)
        along = self.t * (1 + size**2) / self.room
        across = np.concatenate([-B.imag, B.real])
        H = (across * self.t) @ across.T
        B = np.concatenate([B.real, B.imag])
        H += (B * along) @ B.T
        solve_real, M = damped(H, DOUBT[np.float64]), len(self.A)

        def solve(v: Complexes) -> Complexes:
            d = solve_real(np.concatenate([v.real, v.imag]))
            return d[:M] + 1j * d[M:]

        return solve


def _inner(v: Complexes, w: Complexes) -> Floats:
    """Return the real inner product, entry by entry."""
    return v.real * w.real + v.imag * w.imag


def _exact(path: _Path, tol: float) -> Found | None:
    """Return the solution on the support that the path suggests, if its phases prove it."""
    A, b = path.A, path.b
    on = np.flatnonzero(np.abs(path.z) > path.room * np.abs(path.z).max())
    columns = A[:, on]
    change, _, rank, _ = lstsq(columns, b - columns @ path.z[on])
    fitted = path.z[on] + change
    if np.linalg.norm(b - columns @ fitted) > SOLVED * np.linalg.norm(b):
        return None
    keep = np.abs(fitted) > NOTHING * np.abs(fitted).max()  # zeros have no phase
    on, fitted, columns = on[keep], fitted[keep], columns[:, keep]
    y = path.y
    if len(on) <= len(b):  # else the path itself must come near enough to both
        phases = fitted / np.abs(fitted)
        y = y + lstsq(columns.conj().T, phases - columns.conj().T @ y)[0]
    z = np.zeros_like(path.z)
    z[on] = fitted
    proven = np.vdot(b, y).real / max(1.0, np.abs(A.conj().T @ y).max())
    if 1 - proven / np.abs(fitted).sum() > tol:
        return None
    return Found(z, y, independent=rank == len(keep))
