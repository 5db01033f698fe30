"""The doors: each argument is checked where it enters, and a mistake is named with its remedy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from wnlib._types import Floats, Seed


def readonly(array: ArrayLike, dtype: DTypeLike = float) -> NDArray[Any]:
    """Return a read-only copy of ``array``."""
    array = np.array(array, dtype=dtype)
    array.flags.writeable = False
    return array


class Record:
    """A frozen dataclass whose arrays are read-only, and stay so in pickles and deep copies."""

    def __post_init__(self) -> None:
        """Copy and freeze the arrays."""
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                object.__setattr__(self, name, readonly(value, value.dtype))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Freeze the arrays again: NumPy makes them writable where it reads or copies them."""
        for value in state.values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        self.__dict__.update(state)


def finite(name: str, value: ArrayLike, ndim: int | Sequence[int], *, copy: bool = True) -> Floats:
    """Return ``value`` as a float array, or say which argument is wrong and how.

    A copy is read-only. What is not kept need not be copied.
    """
    try:
        if value is None:
            raise TypeError("got None")
        if np.iscomplexobj(value):
            raise TypeError("got complex entries")
        if np.ma.isMaskedArray(value) or np.asarray(value).dtype.kind in "SUMm":
            raise TypeError("got masked entries, texts or dates")
        if hasattr(value, "toarray"):
            raise TypeError("it is a sparse matrix, pass its toarray()")
        array = readonly(value) if copy else np.asarray(value, float)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{name} must be an array of real numbers: {error}") from error
    if array.ndim not in np.atleast_1d(ndim):
        wanted = " or ".join(map(str, np.atleast_1d(ndim)))
        remedy = _as_vector(name, array) if 1 in np.atleast_1d(ndim) else ""
        raise ValueError(f"{name} must have {wanted} dimension(s); got shape {array.shape}{remedy}")
    if array.size == 0:
        raise ValueError(f"{name} is empty: shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity: replace these entries or leave them out")
    return array


def positive_entries(name: str, value: ArrayLike, ndim: int | Sequence[int]) -> Floats:
    """Return ``value`` as :func:`finite` does, or raise ``ValueError`` if an entry is not > 0."""
    array = finite(name, value, ndim)
    if not (array > 0).all():
        raise ValueError(f"{name} must be positive in each entry")
    return array


def nonnegative_entries(name: str, value: ArrayLike, ndim: int | Sequence[int]) -> Floats:
    """Return ``value`` as :func:`finite` does, or raise ``ValueError`` if an entry is below 0."""
    array = finite(name, value, ndim)
    if (array < 0).any():
        raise ValueError(f"{name} must not have a negative entry")
    return array


def _as_vector(name: str, array: Floats) -> str:
    """Return how to make a vector of what is nearly one, as the end of a message."""
    if array.ndim == 0:
        return f", one number: pass a list, {name}=[{array:g}]"
    return f": pass {name}.ravel()" if array.size == max(array.shape) else ""


def real(name: str, value: float) -> float:
    """Return ``value`` as a float, or raise ``TypeError``; ``"0.1"`` and ``True`` are mistakes."""
    if isinstance(value, str | bytes | bool | np.bool):
        raise TypeError(f"{name} must be a number; got {value!r}")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{name} must be a number; got {value!r}") from error


def positive(name: str, value: float) -> float:
    """Return ``value`` as a positive finite float, or raise."""
    number = real(name, value)
    if not 0 < number < np.inf:
        raise ValueError(f"{name} must be positive and finite; got {value!r}")
    return number


def nonnegative(name: str, value: float) -> float:
    """Return ``value`` as a nonnegative finite float, or raise."""
    number = real(name, value)
    if not 0 <= number < np.inf:
        raise ValueError(f"{name} must be nonnegative and finite; got {value!r}")
    return number


def within(name: str, value: float, low: float, high: float) -> float:
    """Return ``value`` as a float in ``[low, high)``, or raise."""
    number = real(name, value)
    if not low <= number < high:
        raise ValueError(f"{name} must lie in [{low:g}, {high:g}); got {value!r}")
    return number


def count(name: str, value: int, minimum: int = 1) -> int:
    """Return ``value`` as an int of at least ``minimum``, or raise."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer; got {value!r}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}; got {value}")
    if value >= 2**53:
        raise ValueError(f"{name} must be below 2^53; got {value}")
    return int(value)


def flag(name: str, value: bool) -> bool:
    """Return ``value`` as a bool, or raise ``TypeError``; 0 and "no" are mistakes."""
    if not isinstance(value, bool | np.bool):
        raise TypeError(f"{name} must be True or False; got {value!r}")
    return bool(value)


def generator(seed: Seed) -> np.random.Generator:
    """Return a random generator; no seed at all would draw what nobody can draw again."""
    try:
        if seed is None:
            raise TypeError("None is none")
        # a numpy.matrix would end the process: NumPy unpacks it without end
        return np.random.default_rng(np.asarray(seed) if isinstance(seed, np.ndarray) else seed)
    except (TypeError, ValueError) as error:
        remedy = "pass a nonnegative integer, a list of them, or a numpy.random.Generator"
        raise type(error)(f"seed is no seed, got {seed!r}: {remedy}") from error


def check_magnitude(name: str, array: Floats) -> None:
    """Raise ``ValueError`` if squares of the entries leave the range of floats."""
    # of real numbers without a copy
    largest = np.abs(array).max() if np.iscomplexobj(array) else max(array.max(), -array.min())
    if largest > 0 and not 1e-140 < largest < 1e140:
        raise ValueError(
            f"{name} has a largest entry of {largest:.0e}, whose square is no float: "
            "measure it in another unit"
        )


def last_axis(name: str, value: ArrayLike, size: int, per: str) -> Floats:
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
