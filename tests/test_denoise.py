"""Basis pursuit with noise: optimal within a residual, and the Lasso with the right penalty."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from l1_instances import draw

import wnlib as wn
from wnlib.l1 import lasso


def noisy(M, N, s, seed, noise, signed=True):
    """Return a problem whose measurements are off by ``noise`` of their norm, and by how much."""
    problem = wn.sparse_problem(M, N, s, seed=seed, signed=signed)
    e = np.random.default_rng(seed).normal(size=M)
    e *= noise * np.linalg.norm(problem.b) / np.linalg.norm(e)
    return problem.A, problem.b + e, np.linalg.norm(e)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("noise", [1e-9, 1e-6, 1e-3, 0.1, 0.5, 0.9])
@pytest.mark.parametrize(("M", "N", "s"), [(20, 60, 3), (40, 60, 20), (60, 200, 30)])
def test_it_is_certified(M, N, s, noise, signed):
    A, b, sigma = noisy(M, N, s, 1, noise, signed)
    found = wn.basis_pursuit_denoise(A, b, sigma, signed=signed)
    assert found.status is wn.Status.CONVERGED, found
    assert np.linalg.norm(A @ found.z - b) == pytest.approx(sigma, rel=1e-6)
    height = np.abs(A.T @ found.dual) if signed else A.T @ found.dual
    assert height.max() <= 1 + 1e-12
    bound = b @ found.dual - sigma * np.linalg.norm(found.dual)
    assert np.abs(found.z).sum() == pytest.approx(bound, rel=1e-9)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.01, 0.1, 0.6]), st.booleans())
def test_it_is_the_lasso_with_the_penalty_that_its_residual_chooses(seed, noise, signed):
    A, b, sigma = noisy(15, 40, 4, seed, noise, signed)
    found = wn.basis_pursuit_denoise(A, b, sigma, signed=signed)
    problem = wn.Problem(A, b, signed=signed)
    penalty = sigma / np.linalg.norm(found.dual)
    stacked = problem.split(found.z)
    assert lasso.gap(problem, stacked, penalty) <= 1e-9 * lasso.objective(problem, stacked, penalty)


def test_without_noise_it_is_basis_pursuit():
    A, b, _ = noisy(20, 60, 3, 2, 0.0)
    same = wn.basis_pursuit_denoise(A, b, 0.0)
    np.testing.assert_array_equal(same.z, wn.basis_pursuit(A, b).z)


def test_all_may_be_noise():
    A, b, _ = noisy(20, 60, 3, 3, 0.1)
    found = wn.basis_pursuit_denoise(A, b, np.linalg.norm(b))
    assert not found.z.any()
    assert found.status is wn.Status.CONVERGED


def test_what_no_solution_comes_so_near_to_is_said():
    rng = np.random.default_rng(4)
    A, b = rng.normal(size=(30, 5)), rng.normal(size=30)
    least = np.linalg.norm(A @ np.linalg.lstsq(A, b)[0] - b)
    with pytest.raises(ValueError, match="sigma"):
        wn.basis_pursuit_denoise(A, b, 0.9 * least)
    found = wn.basis_pursuit_denoise(A, b, 1.01 * least)
    assert found.status is wn.Status.CONVERGED


def test_what_only_negative_entries_come_near_to_is_said():
    with pytest.raises(ValueError, match="sigma must be at least 1"):
        wn.basis_pursuit_denoise(np.eye(2), [1.0, -1.0], 0.5, signed=False)


@pytest.mark.parametrize("noise", [0.1, 1e-6])
@pytest.mark.parametrize("number", [14, 85, 130])  # spikes and waves, a mean row, duplicates
def test_hostile_instances_are_certified(number, noise):
    """The path of these has to go on to its last digits."""
    hostile = draw(3, number)
    sigma = noise * np.linalg.norm(hostile.b)
    found = wn.basis_pursuit_denoise(hostile.A, hostile.b, sigma, signed=hostile.signed)
    assert found.status is wn.Status.CONVERGED, found
    assert wn.check_certificate(hostile.A, hostile.b, found, sigma=sigma) <= 2e-9


@pytest.mark.parametrize("sign", [1, -1])
def test_equal_columns_do_no_harm(sign):
    A, b, sigma = noisy(20, 60, 8, 6, 0.1)
    found = wn.basis_pursuit_denoise(np.hstack([A, sign * A]), b, sigma)
    assert found.status is wn.Status.CONVERGED, found
    assert found.norm == pytest.approx(wn.basis_pursuit_denoise(A, b, sigma).norm, rel=1e-9)


@pytest.mark.parametrize("signed", [True, False])
def test_measurements_orthogonal_to_all_columns(signed):
    """Their correlations are zero: nothing can be scaled by them."""
    A, b = np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([0.0, 1.0])
    with pytest.raises(ValueError, match="sigma must be at least 1"):
        wn.basis_pursuit_denoise(A, b, 0.5, signed=signed)
    with pytest.raises(ValueError, match="no solution"):
        wn.basis_pursuit(A, b, signed=signed)


def test_a_neighbour_is_a_warm_start():
    A, b, sigma = noisy(60, 200, 8, 5, 0.1)
    cold = wn.basis_pursuit_denoise(A, b, sigma)
    warm = wn.basis_pursuit_denoise(A, b, 0.98 * sigma, warm_start=cold)
    assert warm.status is wn.Status.CONVERGED
    assert warm.n_iterations == 0 < cold.n_iterations


@pytest.mark.parametrize("sigma", [-1.0, np.nan, "much"])
def test_a_wrong_sigma_is_named(sigma):
    with pytest.raises((TypeError, ValueError), match="sigma"):
        wn.basis_pursuit_denoise(np.eye(2), np.ones(2), sigma)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(2, 6), (3, 9), (5, 15)]), st.booleans())
def test_small_integers_are_certified(seed, shape, signed):
    """Vectors tie, columns are parallel: faces of solutions, and corners of the dual."""
    rng = np.random.default_rng(seed)
    A, b = rng.integers(-1, 2, shape).astype(float), rng.integers(-3, 4, shape[0]).astype(float)
    sigma = 0.1 * np.linalg.norm(b)
    try:
        found = wn.basis_pursuit_denoise(A, b, sigma, signed=signed)
    except ValueError:  # A is zero, or no A z is so near
        return
    assert found.status is wn.Status.CONVERGED, found


@pytest.mark.parametrize("size", [1e-130, 1e-90, 1e80])
def test_units_do_not_matter(size):
    A, b, sigma = noisy(20, 60, 4, 7, 0.1)
    expected = wn.basis_pursuit_denoise(A, b, sigma).norm
    found = wn.basis_pursuit_denoise(A * size, b, sigma)
    assert found.status is wn.Status.CONVERGED, found
    assert found.norm * size == pytest.approx(expected)
