"""The estimator keeps scikit-learn's contract, and finds the smallest l1 norm."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import wnlib as wn
from wnlib import estimators
from wnlib.estimators import BasisPursuit


@parametrize_with_checks([BasisPursuit(), BasisPursuit(positive=True), BasisPursuit(noise=0.1)])
def test_it_is_an_estimator_of_scikit_learn(estimator, check):
    check(estimator)


def test_the_library_loads_without_scikit_learn():
    code = "import sys, wnlib; assert 'sklearn' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("signed", [True, False])
def test_it_finds_the_smallest_norm(signed):
    problem = wn.sparse_problem(30, 80, 5, seed=1, signed=signed)
    model = BasisPursuit(positive=not signed, fit_intercept=False).fit(problem.A, problem.b)
    np.testing.assert_allclose(model.coef_, problem.signal, atol=1e-12)
    assert model.solution_.status is wn.Status.CONVERGED


def test_the_intercept_is_what_centring_takes_away():
    problem = wn.sparse_problem(30, 80, 4, seed=2, signed=True)
    model = BasisPursuit().fit(problem.A + 3, problem.b + 7)
    np.testing.assert_allclose(model.predict(problem.A + 3), problem.b + 7)
    assert model.score(problem.A + 3, problem.b + 7) == pytest.approx(1)


def test_with_more_samples_than_features_it_is_least_squares():
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(50, 6)), rng.normal(size=50)
    model = BasisPursuit(fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(model.coef_, np.linalg.lstsq(X, y)[0], rtol=1e-9)


def test_what_no_feature_explains_leaves_no_coefficients():
    rng = np.random.default_rng(6)
    X, y = rng.normal(size=(50, 6)), rng.normal(size=50)
    left = y - X @ np.linalg.lstsq(X, y)[0]
    assert not BasisPursuit(fit_intercept=False).fit(X, left).coef_.any()  # not even rounding


def test_noise_is_what_the_fit_may_leave():
    problem = wn.sparse_problem(40, 90, 4, seed=4, signed=True, noise=0.05)
    model = BasisPursuit(noise=0.1, fit_intercept=False).fit(problem.A, problem.b)
    left = np.linalg.norm(problem.A @ model.coef_ - problem.b)
    assert left == pytest.approx(0.1 * np.linalg.norm(problem.b))
    assert (
        model.solution_.norm
        < BasisPursuit(fit_intercept=False).fit(problem.A, problem.b).solution_.norm
    )


def test_it_works_in_a_pipeline():
    problem = wn.sparse_problem(30, 80, 3, seed=5, signed=True)
    pipeline = make_pipeline(StandardScaler(), BasisPursuit()).fit(problem.A, problem.b)
    np.testing.assert_allclose(pipeline.predict(problem.A), problem.b)


@pytest.mark.parametrize(("name", "value"), [("noise", -1), ("positive", 1), ("tol", 2.0)])
def test_a_wrong_setting_is_named(name, value):
    with pytest.raises((TypeError, ValueError), match=name):
        BasisPursuit(**{name: value}).fit(np.eye(3), np.ones(3))


def test_what_is_not_certified_is_said(monkeypatch):
    problem = wn.sparse_problem(10, 30, 3, seed=6, signed=True)
    found = replace(
        wn.basis_pursuit(problem.A, problem.b), status=wn.Status.UNFINISHED, message="why"
    )
    monkeypatch.setattr(estimators, "basis_pursuit_denoise", lambda *a, **k: found)
    with pytest.warns(ConvergenceWarning, match="why"):
        BasisPursuit().fit(problem.A, problem.b)
