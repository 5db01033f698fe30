"""Small hostile instances of ``min |z|_1 : A z = b``, each feasible by construction.

``draw(seed, number)`` gives one, drawn from these two alone; the families take turns. They are used
by the tests of the solver, and by ``benchmarks/``, where other solvers get the same. NumPy alone.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Hostile:
    """An instance; ``z`` is a solution of ``A z = b``, not always a shortest one."""

    family: str
    A: np.ndarray
    b: np.ndarray
    z: np.ndarray
    signed: bool


def _shape(rng):
    M = int(rng.integers(5, 61))
    return M, int(rng.integers(max(10, M + 1), 201))


def _sparse(rng, N, size):
    z = np.zeros(N)
    on = rng.choice(N, min(N, max(1, size)), replace=False)
    z[on] = rng.uniform(1, 2, len(on))
    return z


def _some(rng, M, N):
    """Return a solution with few entries, or with as many as make the shortest one another."""
    return _sparse(rng, N, int(rng.integers(1, max(2, M // 2 + 1))))


def gaussian(rng):
    M, N = _shape(rng)
    return rng.standard_normal((M, N)), _some(rng, M, N)


def few_columns(rng):
    """Let corners coincide: b is a combination of few columns, of integers."""
    M, N = _shape(rng)
    z = np.zeros(N)
    z[rng.choice(N, int(rng.integers(1, 4)), replace=False)] = 1.0
    return rng.integers(-3, 4, (M, N)).astype(float), z


def signs(rng):
    """Ties: entries of plus and minus one."""
    M, N = _shape(rng)
    return rng.choice([-1.0, 1.0], (M, N)), np.ceil(_some(rng, M, N))


def binary(rng):
    M, N = _shape(rng)
    A = (rng.random((M, N)) < 0.3).astype(float)
    A[:, 0] = 1.0
    return A, np.ceil(_some(rng, M, N))


def duplicated(rng):
    A, z = gaussian(rng)
    twins = rng.choice(A.shape[1], A.shape[1] // 3, replace=False)
    return np.hstack([A, A[:, twins]]), np.append(z, 0 * z[twins])


def opposite(rng):
    """Each column, and some of them with the other sign; some three times as long."""
    A, z = gaussian(rng)
    twins = rng.choice(A.shape[1], A.shape[1] // 3, replace=False)
    return np.hstack([A, -A[:, twins] * rng.choice([1.0, 3.0], len(twins))]), np.append(
        z, z[twins] * (rng.random(len(twins)) < 0.1)
    )


def scaled_columns(rng):
    A, z = gaussian(rng)
    return A * 10.0 ** rng.uniform(-4, 4, A.shape[1]), z


def scaled_rows(rng):
    A, z = gaussian(rng)
    return A * 10.0 ** rng.uniform(-4, 4, (len(A), 1)), z


def coherent(rng):
    """Neighbouring columns have a correlation of 0.95 to 0.999."""
    A, z = gaussian(rng)
    near = rng.uniform(0.95, 0.999)
    for n in range(1, A.shape[1]):
        A[:, n] = near * A[:, n - 1] + np.sqrt(1 - near**2) * A[:, n]
    return A, z


def units(rng):
    """Both in other units: A, and b, times 1e-8 to 1e8."""
    A, z = gaussian(rng)
    a, b = rng.choice([-8.0, 0.0, 8.0], 2)
    return A * 10.0**a, z * 10.0 ** (b - a)


def tall(rng):
    """More rows than columns, and consistent."""
    N = int(rng.integers(10, 40))
    return rng.standard_normal((N + int(rng.integers(1, 20)), N)), _sparse(rng, N, N // 3)


def zero_columns(rng):
    A, z = gaussian(rng)
    gone = rng.choice(A.shape[1], max(1, A.shape[1] // 4), replace=False)
    A[:, gone] = 0.0
    z[gone] = 0.0
    if not z.any():
        z[np.flatnonzero(A.any(axis=0))[0]] = 1.0
    return A, z


def dependent_rows(rng):
    A, z = gaussian(rng)
    return np.vstack([A, rng.integers(-2, 3, (int(rng.integers(1, 6)), len(A))) @ A]), z


def mean_row(rng):
    """Give a row of ones: all nonnegative solutions have one norm, and each is a shortest one."""
    A, z = gaussian(rng)
    A[0] = 1.0
    return A, z


def spikes_and_waves(rng):
    """Two bases side by side, the unit vectors and those of Hadamard: very many ties."""
    H = np.ones((1, 1))
    for _ in range(int(rng.integers(3, 6))):
        H = np.block([[H, H], [H, -H]])
    A = np.hstack([np.eye(len(H)), H / np.sqrt(len(H))])
    return A, np.ceil(_some(rng, *A.shape))


def boundary(rng):
    """Give a row without negative entries that measures zero: z vanishes there."""
    A, z = gaussian(rng)
    gone = z == 0
    gone &= rng.random(len(z)) < 0.5
    A[0] = gone * rng.uniform(0.5, 1.5, len(z))
    return A, z


def wide_entries(rng):
    """Entries of the solution from 1e-4 to 1e4."""
    A, z = gaussian(rng)
    return A, z * 10.0 ** rng.uniform(-4, 4, len(z))


def full(rng):
    """Give a solution without zeros: the shortest one has as many entries as there are rows."""
    A, z = gaussian(rng)
    return A, rng.uniform(0.1, 2, len(z))


FAMILIES = (
    gaussian, few_columns, signs, binary, duplicated, opposite, scaled_columns, scaled_rows,
    coherent, units, tall, zero_columns, dependent_rows, mean_row, spikes_and_waves, boundary,
    wide_entries, full,
)  # fmt: skip


def draw(seed, number):
    """Return an instance; the families take turns, of both signs and of one."""
    rng = np.random.default_rng([seed, number])
    family = FAMILIES[number % len(FAMILIES)]
    signed = number // len(FAMILIES) % 2 == 1
    A, z = family(rng)
    if signed:
        z = z * rng.choice([-1.0, 1.0], len(z))
    return Hostile(family.__name__, A, A @ z, z, signed)
