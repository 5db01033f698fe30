"""Sparse recovery problems and initial weights: what every road to the limit starts from."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.fft import dct

from wnlib._checks import (
    Record,
    check_magnitude,
    count,
    finite,
    flag,
    generator,
    last_axis,
    positive,
    readonly,
    within,
)
from wnlib._types import Floats, Seed, Values

Matrix = Literal["gaussian", "rademacher", "dct", "correlated"]
Entries = Literal["uniform", "gaussian", "lognormal"]
CORRELATION = 0.7  # of neighbouring columns of a correlated matrix, 0.5 of the next but one


@dataclass(frozen=True, eq=False, repr=False)
class Problem(Record):
    """Find a sparse ``z`` with ``A z = b``, exactly: noise in ``b`` is fitted as well.

    Parameters
    ----------
    A : array_like, shape (n_measurements, n_features)
        Any real matrix but zero; usually wide.
    b : array_like, shape (n_measurements,)
        Measurements. For ``b = 0`` the sparsest solution is zero, and ``limit`` and ``min_l1``
        return it.
    signal : array_like, shape (n_features,), optional
        The ground truth, where there is one; only :meth:`error` looks at it.
    signed : bool
        If false, ``z >= 0``. If true, ``z`` has any sign and the network trains the stacked
        positive vector ``(z_plus, z_minus)`` with the matrix ``[A, -A]``.

    Raises
    ------
    ValueError, TypeError
        If shapes disagree, an entry is not finite, ``A`` is zero, or the signal has a negative
        entry although ``signed`` is false.
    """

    A: Floats
    b: Floats
    signal: Floats | None = None
    signed: bool = False

    def __init__(
        self,
        A: ArrayLike,
        b: ArrayLike,
        signal: ArrayLike | None = None,
        signed: bool = False,
    ) -> None:
        """Validate, copy, and freeze the arrays."""
        A, b = finite("A", A, 2), finite("b", b, 1)
        if len(b) != len(A):
            raise ValueError(f"b must have one entry per row of A: {len(A)}; got {len(b)}")
        if not A.any():
            raise ValueError("A is zero: it measures nothing")
        check_magnitude("A", A)
        check_magnitude("b", b)
        object.__setattr__(self, "A", A)
        object.__setattr__(self, "b", b)
        object.__setattr__(self, "signed", flag("signed", signed))
        if isinstance(signal, bool | np.bool):
            raise TypeError(f"signal must be an array; got {signal}: pass signed by its name")
        if signal is not None:
            signal = finite("signal", signal, 1)
            if len(signal) != A.shape[1]:
                raise ValueError(
                    f"signal must have one entry per column of A: {A.shape[1]}; got {len(signal)}"
                )
            check_magnitude("signal", signal)
            if not self.signed and (signal < 0).any():
                raise ValueError("signal has negative entries: pass signed=True")
        object.__setattr__(self, "signal", signal)

    def __repr__(self) -> str:
        """Say the shape; the entries would fill the screen."""
        known = "with a signal" if self.signal is not None else "without a signal"
        kind = ", signed" if self.signed else ""
        return f"<Problem {self.n_measurements} x {self.n_features}{kind}, {known}>"

    @property
    def n_measurements(self) -> int:
        """Number of rows of ``A`` (the theory's M)."""
        return self.A.shape[0]

    @property
    def n_features(self) -> int:
        """Number of columns of ``A`` (the theory's N)."""
        return self.A.shape[1]

    @property
    def n_weights(self) -> int:
        """Number of trained weights: ``n_features``, twice that if signed."""
        return self.n_features * (2 if self.signed else 1)

    @cached_property
    def network_matrix(self) -> Floats:
        """What acts on the positive effective weights: ``A``, or ``[A, -A]`` if signed."""
        return readonly(np.hstack([self.A, -self.A])) if self.signed else self.A

    def readout(self, stacked: ArrayLike) -> Floats:
        """Map effective weights, shape (..., n_weights), to ``z``, shape (..., n_features)."""
        stacked = last_axis("stacked", stacked, self.n_weights, "weight")
        if not self.signed:
            return stacked
        return stacked[..., : self.n_features] - stacked[..., self.n_features :]

    def split(self, z: ArrayLike) -> Floats:
        """Map ``z``, shape (..., n_features), to stacked weights of which it is the readout.

        The smallest ones: ``(z_plus, z_minus)`` if signed, ``z`` itself otherwise.
        """
        z = self._features(z)
        return np.concatenate([np.maximum(z, 0), np.maximum(-z, 0)], -1) if self.signed else z

    def residual(self, z: ArrayLike) -> Values:
        """Relative residual ``|A z - b| / |b|`` of ``z``, (..., n_features); for b = 0 absolute."""
        misfit = self._features(z) @ self.A.T - self.b
        return np.linalg.norm(misfit, axis=-1) / (np.linalg.norm(self.b) or 1.0)

    def error(self, z: ArrayLike) -> Values:
        """Relative l2 error ``|z - signal| / |signal|`` of ``z``, shape (..., n_features).

        Absolute if the signal is zero.
        """
        signal = check_signal(self)
        with np.errstate(over="ignore"):  # of a run that diverged: an infinite error
            miss = np.linalg.norm(self._features(z) - signal, axis=-1)
        return miss / (np.linalg.norm(signal) or 1.0)

    def _features(self, z: ArrayLike) -> Floats:
        return last_axis("z", z, self.n_features, "feature")


def sparse_problem(
    n_measurements: int,
    n_features: int,
    sparsity: int,
    seed: Seed,
    *,
    signed: bool = False,
    noise: float = 0.0,
    matrix: Matrix = "gaussian",
    entries: Entries = "uniform",
) -> Problem:
    """Draw a compressed-sensing problem with a sparse ground truth, by default a Gaussian one.

    Entries of ``A`` have mean square ``1/n_measurements``; the signal has ``sparsity`` nonzero
    entries, with random signs if ``signed``; ``b = A signal + noise * g`` with ``g`` standard
    normal.

    Parameters
    ----------
    n_measurements, n_features, sparsity : int
        ``1 <= sparsity <= n_features``.
    seed : int, sequence of int, or numpy.random.Generator
    signed : bool
    noise : float
        Standard deviation of the noise on each measurement.
    matrix : {"gaussian", "rademacher", "dct", "correlated"}
        Independent normal entries; independent signs; rows, chosen at random, of the orthogonal
        discrete cosine transform, of which there must be enough; normal rows in which entries ``k``
        columns apart have correlation ``0.7^k``. A "dct" that has drawn the constant row measures
        the sum of the entries: then all nonnegative solutions have one l1 norm.
    entries : {"uniform", "gaussian", "lognormal"}
        Size of the nonzero entries: uniform in [1, 2]; absolute value of a standard normal number,
        of which some are small; exponential of one, of which some are large.

    Returns
    -------
    Problem

    Raises
    ------
    ValueError, TypeError
        For arguments out of their range.
    """
    n_measurements = count("n_measurements", n_measurements)
    n_features = count("n_features", n_features)
    sparsity = count("sparsity", sparsity)
    if sparsity > n_features:
        raise ValueError(f"sparsity must be at most n_features={n_features}; got {sparsity}")
    noise, signed = within("noise", noise, 0, 1e100), flag("signed", signed)
    _one_of("matrix", matrix, Matrix)
    _one_of("entries", entries, Entries)
    if matrix == "dct" and n_measurements > n_features:
        raise ValueError(
            f"a dct of {n_features} features has no {n_measurements} rows: lower n_measurements"
        )
    rng = generator(seed)
    A = _draw_matrix(rng, matrix, n_measurements, n_features) / np.sqrt(n_measurements)
    support = rng.choice(n_features, sparsity, replace=False)
    signal = np.zeros(n_features)
    signal[support] = _draw_entries(rng, entries, sparsity)
    if signed:
        signal[support] *= rng.choice([-1, 1], sparsity)
    b = A @ signal + noise * rng.normal(size=n_measurements)
    return Problem(A, b, signal, signed)


def _one_of(name: str, value: str, options: object) -> None:
    """Raise ``ValueError`` unless ``value`` is one of the texts of a Literal."""
    if not isinstance(value, str) or value not in get_args(options):
        raise ValueError(f"{name} must be one of {', '.join(get_args(options))}; got {value!r}")


def _draw_matrix(rng: np.random.Generator, kind: str, M: int, N: int) -> Floats:
    """Draw a matrix whose entries have mean square 1."""
    if kind == "rademacher":
        return rng.choice([-1.0, 1.0], (M, N))
    if kind == "dct":
        rows = rng.choice(N, M, replace=False)
        return np.sqrt(N) * dct(np.eye(N), axis=0, norm="ortho")[rows]
    A = rng.normal(size=(M, N))
    if kind == "correlated":
        for n in range(1, N):
            A[:, n] = CORRELATION * A[:, n - 1] + np.sqrt(1 - CORRELATION**2) * A[:, n]
    return A


def _draw_entries(rng: np.random.Generator, kind: str, size: int) -> Floats:
    if kind == "uniform":
        return rng.uniform(1, 2, size)
    normal = rng.normal(size=size)
    return np.abs(normal) if kind == "gaussian" else np.exp(normal)


def check_problem(problem: Problem) -> Problem:
    """Raise ``TypeError`` unless ``problem`` is a :class:`Problem`."""
    if not isinstance(problem, Problem):
        raise TypeError(
            f"problem must be a Problem(A, b); got an object of type {type(problem).__name__}"
        )
    return problem


def check_signal(problem: Problem) -> Floats:
    """Return the signal of a problem, or raise ``ValueError`` if it has none."""
    if (signal := check_problem(problem).signal) is None:
        raise ValueError("this problem has no signal to compare with: pass signal=...")
    return signal


def initial_weights(
    problem: Problem,
    scale: float,
    seed: Seed,
    *,
    starts: int | None = None,
    shape: Literal["uniform", "constant"] = "uniform",
) -> Floats:
    """Draw positive initial weights ``x0`` of a given scale.

    Parameters
    ----------
    problem : Problem
    scale : float
        The theory's alpha.
    seed : int, sequence of int, or numpy.random.Generator
    starts : int, optional
        How many independent starts to draw; ``None`` draws one and drops the axis.
    shape : {"uniform", "constant"}
        ``scale`` times independent uniform numbers in [0.5, 1.5], or ``scale`` everywhere.

    Returns
    -------
    numpy.ndarray, shape (n_weights,) or (starts, n_weights)
    """
    check_problem(problem)
    scale = positive("scale", scale)
    size: tuple[int, ...] = (problem.n_weights,)
    if starts is not None:
        size = (count("starts", starts), *size)
    rng = generator(seed)
    if not isinstance(shape, str) or shape not in ("uniform", "constant"):
        raise ValueError(f'shape must be "uniform" or "constant"; got {shape!r}')
    return np.full(size, scale) if shape == "constant" else scale * rng.uniform(0.5, 1.5, size)


def check_weights(problem: Problem, x0: ArrayLike, name: str = "x0") -> Floats:
    """Return ``x0``, (n_weights,) or (starts, n_weights), read-only, positive and finite."""
    check_problem(problem)
    x0 = finite(name, x0, (1, 2))
    if x0.shape[-1] != problem.n_weights:
        kind = "signed, so 2 * n_features" if problem.signed else "one per feature"
        raise ValueError(
            f"{name} must have {problem.n_weights} weights ({kind}); got shape {x0.shape}. "
            "initial_weights(problem, scale, seed) makes one that fits"
        )
    if not (x0 > 0).all():
        raise ValueError(f"{name} must be positive in each entry: a zero weight never moves")
    return x0
