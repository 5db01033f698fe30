"""Basis pursuit as an estimator of scikit-learn, which only this module needs."""

import warnings
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import nnls
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from wnlib._checks import flag, nonnegative
from wnlib._types import Floats
from wnlib.l1.basis_pursuit import basis_pursuit_denoise
from wnlib.results import Status

NOTHING = 1e-12  # of the target: what rounding explains


class BasisPursuit(RegressorMixin, BaseEstimator):
    """Linear regression with the coefficients of smallest l1 norm.

    Of all coefficients that fit as well as any, those of smallest norm; or, with ``noise``, of all
    that fit up to ``noise`` times the norm of ``y`` besides. Unlike the penalty of the Lasso, both
    are known before the fit, in the units of the data.

    Parameters
    ----------
    noise : float
        Norm of the noise over that of ``y`` (centred if ``fit_intercept``). 0 fits exactly where
        there are enough features.
    positive : bool
        Admit only coefficients that are not negative.
    fit_intercept : bool
        Centre ``X`` and ``y`` first.
    tol : float
        Relative gap of the norm.

    Attributes
    ----------
    coef_ : numpy.ndarray, shape (n_features,)
    intercept_ : float
    solution_ : L1Solution
        With the certificate, for centred data.
    n_iter_ : int
        Steps of the solver; 0 if it guessed the support at once.
    n_features_in_ : int
    """

    def __init__(
        self,
        *,
        noise: float = 0.0,
        positive: bool = False,
        fit_intercept: bool = True,
        tol: float = 1e-9,
    ) -> None:
        self.noise = noise
        self.positive = positive
        self.fit_intercept = fit_intercept
        self.tol = tol

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Find the coefficients.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
        y : array_like, shape (n_samples,)

        Returns
        -------
        self

        Warns
        -----
        ConvergenceWarning
            If the coefficients are not certified to be those of smallest norm.
        """
        data = validate_data(self, X, y, y_numeric=True, dtype=np.float64, ensure_min_samples=2)
        features, target = data[0], np.asarray(data[1], float)
        noise, signed = nonnegative("noise", self.noise), not flag("positive", self.positive)
        middle, level = np.zeros(features.shape[1]), 0.0
        if flag("fit_intercept", self.fit_intercept):
            middle, level = features.mean(axis=0), float(target.mean())
        features, target = features - middle, target - level
        fit = _nearest(features, target, signed)
        if not np.linalg.norm(fit) > NOTHING * np.linalg.norm(target):
            fit = np.zeros_like(fit)
        room = noise * float(np.linalg.norm(target))
        self.solution_ = basis_pursuit_denoise(features, fit, room, signed=signed, tol=self.tol)
        if self.solution_.status is not Status.CONVERGED:
            warnings.warn(self.solution_.message, ConvergenceWarning, stacklevel=2)
        self.coef_ = np.array(self.solution_.z)
        self.intercept_ = float(level - middle @ self.coef_)
        self.n_iter_ = self.solution_.n_iterations
        return self

    def predict(self, X: ArrayLike) -> Floats:
        """Return ``X @ coef_ + intercept_``, shape (n_samples,)."""
        check_is_fitted(self)
        return validate_data(self, X, reset=False) @ self.coef_ + self.intercept_


def _nearest(X: Floats, y: Floats, signed: bool) -> Floats:
    """Return the nearest ``X z``, which ``y`` is replaced by: what it leaves, nothing fits."""
    return X @ (np.linalg.lstsq(X, y)[0] if signed else nnls(X, y)[0])
