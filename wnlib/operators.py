"""Measurements that need no matrix: a camera with a single pixel, and wavelets for its pictures.

Both are :class:`scipy.sparse.linalg.LinearOperator`: they act in the time of a fast transform, in
memory of a few pictures. ``camera @ wavelets`` acts on coefficients of wavelets.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.fft import dct, idct
from scipy.sparse.linalg import LinearOperator

from wnlib._checks import count, finite, generator
from wnlib._types import Floats, Seed


class ScrambledDCT(LinearOperator):
    """Random signs, an orthonormal cosine transform, and some of its rows, chosen at random.

    What a camera with a single pixel notes: each row is a mask of ``n_features`` weights of random
    signs, none of them above ``sqrt(2 / n_features)``, and the rows are orthonormal.

    Parameters
    ----------
    n_measurements : int
        Rows, at most ``n_features``.
    n_features : int
        Pixels.
    seed : int, sequence of int, or numpy.random.Generator

    Attributes
    ----------
    signs : numpy.ndarray, shape (n_features,)
        Each 1 or -1.
    rows : numpy.ndarray of int, shape (n_measurements,)
        Of the transform, ascending.
    """

    def __init__(self, n_measurements: int, n_features: int, seed: Seed) -> None:
        M, N = count("n_measurements", n_measurements), count("n_features", n_features)
        if M > N:
            raise ValueError(f"n_measurements must be at most n_features={N}; got {M}")
        rng = generator(seed)
        self.signs = rng.choice([-1.0, 1.0], N)
        self.rows = np.sort(rng.choice(N, M, replace=False))
        super().__init__(float, (M, N))

    def _matvec(self, x: Floats) -> Floats:
        return self._matmat(x.reshape(-1, 1))[:, 0]

    def _rmatvec(self, y: Floats) -> Floats:
        return self._rmatmat(y.reshape(-1, 1))[:, 0]

    def _matmat(self, x: Floats) -> Floats:
        return dct(self.signs[:, None] * x, axis=0, norm="ortho")[self.rows]

    def _rmatmat(self, y: Floats) -> Floats:
        spread = np.zeros((self.shape[1], y.shape[1]))
        spread[self.rows] = y
        return self.signs[:, None] * idct(spread, axis=0, norm="ortho")


class HaarWavelets(LinearOperator):
    """Coefficients of Haar wavelets to the pixels of a square picture, both row by row.

    Orthogonal: the adjoint maps pixels to coefficients. See :func:`haar`.

    Parameters
    ----------
    side : int
        Of the picture, in pixels: a power of two.
    """

    def __init__(self, side: int) -> None:
        self.side = _power_of_two("side", side)
        super().__init__(float, (self.side**2, self.side**2))

    def _matvec(self, x: Floats) -> Floats:
        return inverse_haar(x.reshape(self.side, self.side)).ravel()

    def _rmatvec(self, y: Floats) -> Floats:
        return haar(y.reshape(self.side, self.side)).ravel()


def haar(picture: ArrayLike) -> Floats:
    """Return the coefficients of Haar wavelets, orthonormal, of a square picture.

    Parameters
    ----------
    picture : array_like, shape (side, side)
        ``side`` a power of two.

    Returns
    -------
    numpy.ndarray, shape (side, side)
        The mean, times ``side``, stands first; the wavelets of neighbouring pixels fill the last
        three quarters.

    Raises
    ------
    ValueError, TypeError
        If the picture is not square, or ``side`` is no power of two.
    """
    out = _square("picture", picture)
    side = len(out)
    while side > 1:
        out[:side, :side] = np.block(_mixed(_pixels(out[:side, :side])))
        side //= 2
    return out


def inverse_haar(coefficients: ArrayLike) -> Floats:
    """Return the picture whose coefficients :func:`haar` returns; shapes and errors as there."""
    out = _square("coefficients", coefficients)
    half = 1
    while half < len(out):
        part = out[: 2 * half, : 2 * half]
        quarters = part.reshape(2, half, 2, half).swapaxes(1, 2).copy()
        for there, mixed in zip(_pixels(part), _mixed(quarters), strict=True):
            for pixels, values in zip(there, mixed, strict=True):
                pixels[:] = values
        half *= 2
    return out


def _pixels(part: Floats) -> list[list[Floats]]:
    """Return views: every other pixel in both directions, from each pixel of the first block."""
    return [[part[i::2, j::2] for j in (0, 1)] for i in (0, 1)]


def _mixed(quarters: Any) -> list[list[Floats]]:
    """Return the orthonormal mean and differences of four arrays; its own inverse, and exact."""
    (a, b), (c, d) = quarters
    mixed = [[a + b + c + d, a - b + c - d], [a + b - c - d, a - b - c + d]]
    return [[each / 2 for each in row] for row in mixed]


def _square(name: str, value: ArrayLike) -> Floats:
    """Return a copy of a square array whose side is a power of two."""
    array = finite(name, value, 2).copy()
    if array.shape[0] != array.shape[1]:
        raise ValueError(f"{name} must be square; got shape {array.shape}: cut it, or add a margin")
    _power_of_two(f"the side of {name}", len(array))
    return array


def _power_of_two(name: str, value: int) -> int:
    side = count(name, value)
    if side & (side - 1):
        raise ValueError(f"{name} must be a power of two; got {side}")
    return side
