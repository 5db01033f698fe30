"""The doors: each argument is checked where it enters, and a mistake is named with its remedy."""

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


def last_axis(name, value, size, per):
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
