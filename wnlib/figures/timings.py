"""Measured times, from the files of the benchmarks, and power laws fitted to them.

``make bench`` writes ``benchmarks/results``; nothing is timed here.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from wnlib._types import Floats
from wnlib.figures.studies import LIBRARY

RESULTS = LIBRARY.parent / "benchmarks" / "results"


def results(name: str) -> dict[str, Any]:
    """Return what a benchmark has measured."""
    return json.loads((RESULTS / f"{name}.json").read_text("utf-8"))


def column(rows: Iterable[Mapping[str, Any]], name: str, **where: Any) -> Floats:
    """Return a column of those rows that have some values."""
    chosen = [row for row in rows if all(row[key] == value for key, value in where.items())]
    return np.array([row[name] for row in chosen])


def middle(rows: Iterable[Mapping[str, Any]], name: str, **where: Any) -> Floats:
    """Return the medians of a column of repetitions, of those rows that have some values."""
    return np.median(column(rows, name, **where), axis=-1)


@dataclass(frozen=True)
class PowerLaw:
    """Times as a constant times powers of sizes.

    Attributes
    ----------
    constant : float
    exponents, errors : dict
        By the names of the sizes; the errors are standard errors.
    spread : float
        Standard deviation of the logarithms of the times about the law.
    smearing : float
        The mean time over the law, which is its geometric mean (Duan's estimator).
    """

    constant: float
    exponents: dict[str, float]
    errors: dict[str, float]
    spread: float
    smearing: float

    def __call__(self, **sizes: ArrayLike) -> Any:
        """Return the mean time at some sizes."""
        powers = [np.asarray(sizes[name]) ** power for name, power in self.exponents.items()]
        return self.constant * self.smearing * np.prod(np.broadcast_arrays(*powers), axis=0)

    def __str__(self) -> str:
        powers = [f"{name}^{power:.2f}" for name, power in self.exponents.items()]
        return f"{self.constant:.2g} s * {' '.join(powers)}"


def power_law(seconds: ArrayLike, **sizes: ArrayLike) -> PowerLaw:
    """Fit a power law to the logarithms of times, by least squares.

    Parameters
    ----------
    seconds : array_like, shape (n,)
    **sizes : array_like, shape (n,)
        More times than sizes.
    """
    y = np.log(np.asarray(seconds, dtype=float))
    X = np.column_stack([np.ones(len(y)), *(np.log(np.asarray(each)) for each in sizes.values())])
    fitted = np.linalg.lstsq(X, y, rcond=None)[0]
    left = y - X @ fitted
    variance = left @ left / max(1, len(y) - X.shape[1])
    errors = np.sqrt(variance * np.diag(np.linalg.pinv(X.T @ X)))
    return PowerLaw(
        float(np.exp(fitted[0])),
        dict(zip(sizes, fitted[1:].tolist(), strict=True)),
        dict(zip(sizes, errors[1:].tolist(), strict=True)),
        float(np.sqrt(variance)),
        float(np.exp(left).mean()),  # the mean of what is skewed lies above its median
    )
