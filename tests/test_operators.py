"""The camera and its wavelets: adjoints, orthonormal rows, and what is refused."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dct

from wnlib.operators import HaarWavelets, ScrambledDCT, haar, inverse_haar


def operators(rng):
    """Return a camera, its wavelets, and both in one."""
    side = 2 ** int(rng.integers(1, 4))
    camera = ScrambledDCT(int(rng.integers(1, side**2 + 1)), side**2, rng)
    return camera, HaarWavelets(side), camera @ HaarWavelets(side)


@given(st.integers(0, 2**32 - 1))
def test_adjoints(seed):
    rng = np.random.default_rng(seed)
    for A in operators(rng):
        x, y = (rng.normal(size=(n, 3)) for n in A.shape[::-1])
        np.testing.assert_allclose(y.T @ (A @ x), (A.T @ y).T @ x, atol=1e-11)
        np.testing.assert_allclose(A @ x[:, 0], (A @ x)[:, 0], atol=1e-12)
        np.testing.assert_allclose(A.T @ y[:, 0], (A.T @ y)[:, 0], atol=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_rows_are_orthonormal(seed):
    rng = np.random.default_rng(seed)
    for A in operators(rng):
        eye = np.eye(A.shape[0])
        np.testing.assert_allclose(A @ (A.T @ eye), eye, atol=1e-12)


def test_a_camera_has_flat_masks_of_cosines():
    A = ScrambledDCT(20, 64, 3)
    dense = A @ np.eye(64)
    assert np.abs(dense).max() <= np.sqrt(2 / 64) + 1e-15
    cosines = dct(np.eye(64), axis=0, norm="ortho")[A.rows] * A.signs
    np.testing.assert_allclose(dense, cosines, atol=1e-15)
    assert len(set(A.rows)) == 20
    assert set(A.signs) == {-1.0, 1.0}


def test_a_camera_travels_to_other_processes():
    A = ScrambledDCT(3, 8, 0)
    x = np.arange(8.0)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(A)) @ x, A @ x)


@given(st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_wavelets_are_orthonormal_and_come_back(log_side, seed):
    picture, other = np.random.default_rng(seed).normal(size=(2, 2**log_side, 2**log_side))
    np.testing.assert_allclose(inverse_haar(haar(picture)), picture, atol=1e-12)
    np.testing.assert_allclose(haar(inverse_haar(picture)), picture, atol=1e-12)
    assert (haar(picture) * haar(other)).sum() == pytest.approx((picture * other).sum(), abs=1e-10)


def test_wavelets_of_known_pictures():
    grey = haar(np.ones((8, 8)))
    assert grey[0, 0] == 8
    assert np.count_nonzero(grey) == 1
    np.testing.assert_array_equal(haar([[1, 0], [1, 0]]), [[1, 1], [0, 0]])
    np.testing.assert_array_equal(haar([[1, 1], [0, 0]]), [[1, 0], [1, 0]])


def test_what_is_given_is_left_alone():
    picture = np.arange(16.0).reshape(4, 4)
    inverse_haar(haar(picture))
    np.testing.assert_array_equal(picture, np.arange(16.0).reshape(4, 4))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ScrambledDCT(5, 4, 0), ValueError, "n_measurements must be at most n_features=4"),
        (lambda: ScrambledDCT(0, 4, 0), ValueError, "n_measurements must be at least 1"),
        (lambda: ScrambledDCT(2, 4, None), TypeError, "seed"),
        (lambda: HaarWavelets(6), ValueError, "side must be a power of two; got 6"),
        (lambda: haar(np.ones((2, 4))), ValueError, "picture must be square"),
        (lambda: haar(np.ones((3, 3))), ValueError, "the side of picture must be a power of two"),
        (lambda: inverse_haar(np.ones(4)), ValueError, "coefficients must have 2 dimension"),
        (lambda: haar([[np.nan]]), ValueError, "picture holds NaN"),
        (lambda: ScrambledDCT(2, 4, 0) @ np.ones(3), ValueError, "mismatch"),
    ],
)
def test_mistakes_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
