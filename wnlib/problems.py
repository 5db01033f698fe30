"""Sparse recovery problems and initial weights: what every road to the limit starts from."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


def readonly(array, dtype=float):
    """Return a read-only copy of ``array``."""
    array = np.array(array, dtype=dtype)
    array.flags.writeable = False
    return array


def finite(name, value, ndim):
    """Return ``value`` as a read-only float array, or say which argument is wrong and how."""
    try:
        if value is None:
            raise TypeError("it is None")
        if np.iscomplexobj(value):
            raise TypeError("complex entries")
        if np.ma.isMaskedArray(value) or np.asarray(value).dtype.kind in "SUMm":
            raise TypeError("masked entries, texts or dates")
        if hasattr(value, "toarray"):
            raise TypeError("it is a sparse matrix, pass its toarray()")
        array = readonly(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{name} must be an array of real numbers: {error}") from error
    if array.ndim not in np.atleast_1d(ndim):
        wanted = " or ".join(map(str, np.atleast_1d(ndim)))
        remedy = _as_vector(name, array) if 1 in np.atleast_1d(ndim) else ""
        raise ValueError(f"{name} must have {wanted} dimension(s); got shape {array.shape}{remedy}")
    if array.size == 0:
        raise ValueError(f"{name} is empty: shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity: remove these entries")
    return array


def _as_vector(name, array):
    """Return how to make a vector of what is nearly one, as the end of a message."""
    if array.ndim == 0:
        return f", one number: pass a list, {name}=[{array:g}]"
    return f": pass {name}.ravel()" if array.size == max(array.shape) else ""


def real(name, value):
    """Return ``value`` as a float, or raise ``TypeError``; ``"0.1"`` and ``True`` are mistakes."""
    if isinstance(value, str | bytes | bool | np.bool):
        raise TypeError(f"{name} must be a number; got {value!r}")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{name} must be a number; got {value!r}") from error


def positive(name, value):
    """Return ``value`` as a positive finite float, or raise."""
    number = real(name, value)
    if not 0 < number < np.inf:
        raise ValueError(f"{name} must be positive and finite; got {value!r}")
    return number


def nonnegative(name, value):
    """Return ``value`` as a nonnegative finite float, or raise."""
    number = real(name, value)
    if not 0 <= number < np.inf:
        raise ValueError(f"{name} must be nonnegative and finite; got {value!r}")
    return number


def within(name, value, low, high):
    """Return ``value`` as a float in ``[low, high)``, or raise."""
    number = real(name, value)
    if not low <= number < high:
        raise ValueError(f"{name} must lie in [{low:g}, {high:g}); got {value!r}")
    return number


def count(name, value, minimum=1):
    """Return ``value`` as an int of at least ``minimum``, or raise."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer; got {value!r}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}; got {value}")
    if value >= 2**53:
        raise ValueError(f"{name} must be below 2^53; got {value}")
    return int(value)


def flag(name, value):
    """Return ``value`` as a bool, or raise ``TypeError``; 0 and "no" are mistakes."""
    if not isinstance(value, bool | np.bool):
        raise TypeError(f"{name} must be True or False; got {value!r}")
    return bool(value)


def generator(seed):
    """Return a random generator; no seed at all would draw what nobody can draw again."""
    try:
        if seed is None:
            raise TypeError("None is none")
        # a numpy.matrix would end the process: NumPy unpacks it without end
        return np.random.default_rng(np.asarray(seed) if isinstance(seed, np.ndarray) else seed)
    except (TypeError, ValueError) as error:
        remedy = "pass a nonnegative integer, a list of them, or a numpy.random.Generator"
        raise type(error)(f"seed is no seed, got {seed!r}: {remedy}") from error


def check_magnitude(name, array):
    """Raise ``ValueError`` if squares of the entries leave the range of floats."""
    largest = np.abs(array).max()
    if largest > 0 and not 1e-140 < largest < 1e140:
        raise ValueError(
            f"{name} has a largest entry of {largest:.0e}, whose square is no float: "
            "measure it in another unit"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Problem:
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

    A: np.ndarray
    b: np.ndarray
    signal: np.ndarray | None = None
    signed: bool = False

    def __post_init__(self):
        """Validate, copy, and freeze the arrays."""
        A, b = finite("A", self.A, 2), finite("b", self.b, 1)
        if len(b) != len(A):
            raise ValueError(f"b must have one entry per row of A: {len(A)}; got {len(b)}")
        if not A.any():
            raise ValueError("A is zero: it measures nothing")
        check_magnitude("A", A)
        check_magnitude("b", b)
        object.__setattr__(self, "A", A)
        object.__setattr__(self, "b", b)
        object.__setattr__(self, "signed", flag("signed", self.signed))
        if isinstance(self.signal, bool | np.bool):
            raise TypeError(f"signal must be an array; got {self.signal}: pass signed by its name")
        if self.signal is not None:
            signal = finite("signal", self.signal, 1)
            if len(signal) != A.shape[1]:
                raise ValueError(
                    f"signal must have one entry per column of A: {A.shape[1]}; got {len(signal)}"
                )
            check_magnitude("signal", signal)
            if not self.signed and (signal < 0).any():
                raise ValueError("signal has negative entries: pass signed=True")
            object.__setattr__(self, "signal", signal)

    def __repr__(self):
        """Say the shape; the entries would fill the screen."""
        known = "with a signal" if self.signal is not None else "without a signal"
        kind = ", signed" if self.signed else ""
        return f"<Problem {self.n_measurements} x {self.n_features}{kind}, {known}>"

    @property
    def n_measurements(self):
        """Number of rows of ``A`` (the theory's M)."""
        return self.A.shape[0]

    @property
    def n_features(self):
        """Number of columns of ``A`` (the theory's N)."""
        return self.A.shape[1]

    @property
    def n_weights(self):
        """Number of trained weights: ``n_features``, twice that if signed."""
        return self.n_features * (2 if self.signed else 1)

    @cached_property
    def network_matrix(self):
        """What acts on the positive effective weights: ``A``, or ``[A, -A]`` if signed."""
        return readonly(np.hstack([self.A, -self.A])) if self.signed else self.A

    def readout(self, stacked):
        """Map effective weights, shape (..., n_weights), to ``z``, shape (..., n_features)."""
        stacked = _last_axis("stacked", stacked, self.n_weights, "weight")
        if not self.signed:
            return stacked
        return stacked[..., : self.n_features] - stacked[..., self.n_features :]

    def residual(self, z):
        """Relative residual ``|A z - b| / |b|`` of ``z``, (..., n_features); for b = 0 absolute."""
        misfit = self._features(z) @ self.A.T - self.b
        return np.linalg.norm(misfit, axis=-1) / (np.linalg.norm(self.b) or 1.0)

    def error(self, z):
        """Relative l2 error ``|z - signal| / |signal|`` of ``z``, shape (..., n_features).

        Absolute if the signal is zero.
        """
        if self.signal is None:
            raise ValueError("this problem has no signal to compare with: pass signal=...")
        miss = np.linalg.norm(self._features(z) - self.signal, axis=-1)
        return miss / (np.linalg.norm(self.signal) or 1.0)

    def _features(self, z):
        return _last_axis("z", z, self.n_features, "feature")


def _last_axis(name, value, size, per):
    """Return ``value`` as an array whose last axis has ``size`` entries; of any magnitude."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be an array of real numbers: {error}") from error
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be an array of real numbers; got entries of {array.dtype}")
    if array.shape[-1:] != (size,):
        raise ValueError(
            f"{name} must have shape (..., {size}), one entry per {per}; got shape {array.shape}"
        )
    return array


def sparse_problem(n_measurements, n_features, sparsity, seed, *, signed=False, noise=0.0):
    """Draw a Gaussian compressed-sensing problem with a sparse ground truth.

    ``A`` has independent N(0, 1/n_measurements) entries; the signal has ``sparsity`` nonzero
    entries of size uniform in [1, 2], with random signs if ``signed``; ``b = A signal + noise * g``
    with ``g`` standard normal.

    Parameters
    ----------
    n_measurements, n_features, sparsity : int
        ``1 <= sparsity <= n_features``.
    seed : int, sequence of int, or numpy.random.Generator
    signed : bool
    noise : float
        Standard deviation of the noise on each measurement.

    Returns
    -------
    Problem
    """
    n_measurements = count("n_measurements", n_measurements)
    n_features = count("n_features", n_features)
    sparsity = count("sparsity", sparsity)
    if sparsity > n_features:
        raise ValueError(f"sparsity must be at most n_features={n_features}; got {sparsity}")
    noise, signed = within("noise", noise, 0, 1e100), flag("signed", signed)
    rng = generator(seed)
    A = rng.normal(size=(n_measurements, n_features)) / np.sqrt(n_measurements)
    support = rng.choice(n_features, sparsity, replace=False)
    signal = np.zeros(n_features)
    signal[support] = rng.uniform(1, 2, sparsity)
    if signed:
        signal[support] *= rng.choice([-1, 1], sparsity)
    b = A @ signal + noise * rng.normal(size=n_measurements)
    return Problem(A, b, signal, signed)


def check_problem(problem):
    """Raise ``TypeError`` unless ``problem`` is a :class:`Problem`."""
    if not isinstance(problem, Problem):
        raise TypeError(
            f"problem must be a Problem(A, b); got an object of type {type(problem).__name__}"
        )
    return problem


def initial_weights(problem, scale, seed, *, starts=None, shape="uniform"):
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
    size = (problem.n_weights,)
    if starts is not None:
        size = (count("starts", starts), *size)
    rng = generator(seed)
    if not isinstance(shape, str) or shape not in ("uniform", "constant"):
        raise ValueError(f'shape must be "uniform" or "constant"; got {shape!r}')
    return np.full(size, scale) if shape == "constant" else scale * rng.uniform(0.5, 1.5, size)


def check_weights(problem, x0, name="x0"):
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
