"""The instances on which solvers of ``min |z|_1 : A z = b`` are compared."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.fft import dct

FAMILIES = ("gaussian", "dct")
REGIMES = {"recoverable": 0.1, "hard": 0.4}  # sparsity over the number of rows


@dataclass(frozen=True, eq=False)
class Instance:
    """A matrix, measurements, and whether ``z`` may have both signs (else it is nonnegative)."""

    A: np.ndarray
    b: np.ndarray
    signed: bool


@dataclass(frozen=True)
class Cell:
    """A kind of instance: all that is not the seed."""

    family: str
    M: int
    N: int
    regime: str
    signed: bool

    @property
    def sparsity(self):
        """The number of nonzero entries of the signal."""
        return max(1, round(REGIMES[self.regime] * self.M))

    def draw(self, seed):
        """Return an instance: the same for the same seed, everywhere."""
        rng = np.random.default_rng([seed, self.M, self.N, self.sparsity, self.signed])
        A = matrix(rng, self.family, self.M, self.N) / np.sqrt(self.M)
        signal = np.zeros(self.N)
        signal[rng.choice(self.N, self.sparsity, replace=False)] = rng.uniform(1, 2, self.sparsity)
        if self.signed:
            signal *= rng.choice([-1.0, 1.0], self.N)
        return Instance(A, A @ signal, self.signed)


def matrix(rng, family, M, N):
    """Draw a matrix whose entries have mean square one.

    The rows of the cosine transform do not include the constant one: it would measure the sum of
    the entries, and all nonnegative solutions would have one norm.
    """
    if family == "gaussian":
        return rng.standard_normal((M, N))
    rows = 1 + rng.choice(N - 1, M, replace=False)
    return np.sqrt(N) * np.ascontiguousarray(dct(np.eye(N), axis=0, norm="ortho")[rows])


@dataclass(frozen=True)
class Drawn:
    """An instance by its description: called, it draws it."""

    cell: Cell
    seed: int

    def __call__(self):
        """Draw it."""
        return self.cell.draw(self.seed)


@dataclass(frozen=True)
class HostileDrawn:
    """A hostile instance of the test suite, by its number."""

    seed: int
    number: int

    def __call__(self):
        """Draw it."""
        sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
        from l1_instances import draw

        return draw(self.seed, self.number)
