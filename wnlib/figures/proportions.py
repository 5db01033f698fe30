"""What counts of successes tell of probabilities: intervals, and where one half is passed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import norm

from wnlib._types import Floats

STEEPEST = 100.0  # of slopes, for shares: a fall within 1 / 100 is steeper than counts can show
CONFIDENT = 0.95


def wilson(successes: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """Return Wilson's interval for a probability: with 95 % confidence it covers it, about.

    Parameters
    ----------
    successes, n : array_like of int

    Returns
    -------
    low, high : numpy.ndarray
    """
    k, n = np.asarray(successes, dtype=float), np.asarray(n, dtype=float)
    z = norm.ppf((1 + CONFIDENT) / 2)
    middle = (k + z**2 / 2) / (n + z**2)
    reach = z / (n + z**2) * np.sqrt(k * (n - k) / n + z**2 / 4)
    return middle - reach, middle + reach


@dataclass(frozen=True)
class Half:
    """Where recovery has the probability one half, by logistic regression.

    Attributes
    ----------
    at : float
        The value of ``x``; NaN if it lies outside of what was tried, or the share rises.
    error : float
        Its standard error.
    width : float
        Distance over which the probability falls from 73 % to 50 %.
    """

    at: float
    error: float
    width: float

    def __str__(self) -> str:
        """Return the value and its error."""
        return "none" if np.isnan(self.at) else f"{self.at:.3f} ± {self.error:.3f}"


def half(x: ArrayLike, success: ArrayLike) -> Half:
    """Fit ``1 / (1 + exp(b x - a))`` to successes and failures; return where it is one half.

    Parameters
    ----------
    x : array_like, shape (n,)
    success : array_like of bool, shape (n,)

    Returns
    -------
    Half
        The likelihood has a weak prior on the slope, of standard deviation 100: where the two
        kinds are separated, the slope would be infinite without.
    """
    x, success = np.asarray(x, dtype=float), np.asarray(success, dtype=bool)
    if success.all() or not success.any():
        return Half(np.nan, np.nan, np.nan)
    sign, mean = np.where(success, 1.0, -1.0), x.mean()
    design = np.stack([np.ones_like(x), mean - x], axis=1)
    prior = np.array([0.0, STEEPEST**-2])

    def cost(c: Floats) -> tuple[float, Floats]:
        m = sign * (design @ c)
        slope = -(sign * expit(-m)) @ design
        loss = np.logaddexp(0.0, -m).sum() + prior @ c**2 / 2
        return float(loss), slope + prior * c

    a, b = minimize(cost, np.array([0.0, 10.0]), jac=True, method="BFGS").x
    if b <= 0 or not x.min() <= mean + a / b <= x.max():
        return Half(np.nan, np.nan, np.nan)
    p = expit(design @ [a, b])
    information = (design.T * (p * (1 - p))) @ design + np.diag(prior)
    moved = np.array([1 / b, -a / b**2])
    error = np.sqrt(moved @ np.linalg.inv(information) @ moved)
    return Half(float(mean + a / b), float(error), float(1 / b))
