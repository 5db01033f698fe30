r"""How much one step shrinks the start that a run seems to have had.

A step multiplies a weight ``w`` by ``1 - y``. In the mirror map ``-(w^{-p} - 1) / p``, ``p = L-2``,
which is ``log w`` for ``p = 0``, this is the straight step ``-w^{-p} y`` and, besides,
``-w^{-p} g(y)``, which is as if the start had been smaller.
"""

import numpy as np

from wnlib._types import Floats

SERIES = 0.1  # below it (p + 2) |y|, each term of the series is less than 1/20 of the one before


def step_gain(y: Floats, power: float) -> Floats:
    r"""Return ``g(y) = ((1 - y)^{-p} - 1) / p - y``, which is ``-log(1 - y) - y`` for ``p = 0``.

    Not negative for ``y < 1``, and NaN or infinite beyond, with NumPy's warnings. As written it
    cancels for small ``y``; there its power series is summed,
    ``(p+1)/2 y^2 + (p+1)(p+2)/6 y^3 + ...``, until the terms are rounding.
    """
    sizes = (power + 2) * np.abs(y)
    if (largest := sizes.max(initial=0.0)) < SERIES:  # as in most steps: a few terms, no logarithm
        return _series(y, power, largest)
    log_growth = -np.log1p(-y)
    growth = np.expm1(power * log_growth) / power if power > 0 else log_growth
    return np.where(sizes < SERIES, _series(y, power, SERIES), growth - y)


def _series(y: Floats, power: float, largest: float) -> Floats:
    """Sum the series by Horner's rule; ``largest`` is at least ``(p + 2) |y|``."""
    n_terms = 2 if largest < 1e-300 else 2 + int(-36 / np.log(largest / 2))  # e^-36: rounding
    total = np.ones_like(y)
    for k in range(n_terms, 2, -1):  # the coefficient of y^k over that of y^{k-1}: (p+k-1)/k
        total *= (power + k - 1) / k * y
        total += 1
    return (power + 1) / 2 * y * y * total
