"""Basis pursuit with complex numbers: the smallest sum of moduli."""

import numpy as np
import pytest
from l1_instances import FAMILIES
from l1_instances import draw as hostile_draw

import wnlib as wn


def draw(M, N, s, seed):
    """Return a complex Gaussian matrix and a sparse signal."""
    rng = np.random.default_rng(seed)
    A = (rng.normal(size=(M, N)) + 1j * rng.normal(size=(M, N))) / np.sqrt(2 * M)
    signal = np.zeros(N, complex)
    signal[rng.choice(N, s, replace=False)] = rng.normal(size=s) + 1j * rng.normal(size=s)
    return A, signal


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("M", "N", "s"), [(20, 50, 3), (30, 90, 20), (8, 8, 3), (12, 6, 2)])
def test_it_is_certified(M, N, s, seed):
    A, signal = draw(M, N, s, seed)
    b = A @ signal
    found = wn.basis_pursuit(A, b)
    assert found.status is wn.Status.CONVERGED, found
    assert np.abs(A.conj().T @ found.dual).max() <= 1 + 1e-12
    bound = np.vdot(b, found.dual).real
    assert bound * (1 - 1e-9) <= found.norm <= bound * (1 + 1e-8)
    assert np.linalg.norm(A @ found.z - b) <= 1e-9 * np.linalg.norm(b)
    assert found.norm <= np.abs(signal).sum() * (1 + 1e-9)


def test_a_sparse_signal_is_found():
    A, signal = draw(40, 120, 6, 9)
    np.testing.assert_allclose(wn.basis_pursuit(A, A @ signal).z, signal, atol=1e-13)


def test_turning_columns_turns_the_solution():
    A, signal = draw(15, 40, 8, 4)
    phases = np.exp(1j * np.linspace(0, 6, 40))
    plain = wn.basis_pursuit(A, A @ signal).z
    np.testing.assert_allclose(
        wn.basis_pursuit(A / phases, A @ signal).z, plain * phases, atol=1e-7
    )


def test_equal_columns_of_other_phases_do_no_harm():
    A, signal = draw(30, 80, 15, 3)
    A[:, 0] = 1j * A[:, 1]
    found = wn.basis_pursuit(A, A @ signal)
    assert found.status is wn.Status.CONVERGED, found


@pytest.mark.parametrize("number", range(len(FAMILIES)))
def test_hostile_instances_are_certified(number):
    """But for a few with columns of many sizes, which a real matrix gets more help with."""
    hostile, rng = hostile_draw(7, number), np.random.default_rng(number)
    A = hostile.A + 1j * np.roll(hostile.A, 1, axis=1)
    b = A @ (hostile.z * np.exp(1j * rng.uniform(0, 6, len(hostile.z))))
    found = wn.basis_pursuit(A, b)
    worst = 1e-5 if hostile.family in ("scaled_columns", "wide_entries") else 1e-9
    assert max(found.gap, found.residual) <= worst, found


def test_of_real_data_it_is_the_real_solution():
    problem = wn.sparse_problem(20, 60, 9, seed=1, signed=True)
    real = wn.basis_pursuit(problem.A, problem.b)
    found = wn.basis_pursuit(problem.A.astype(complex), problem.b)
    np.testing.assert_allclose(found.norm, real.norm, rtol=1e-8)


def test_weights_for_many_phases_lead_there():
    """The network of the derivation: its l1 norm is the sum of moduli but for 1/cos(pi/phases)."""
    A, signal = draw(8, 16, 3, 6)
    n_phases = 64
    turned = np.hstack([A * np.exp(2j * np.pi * k / n_phases) for k in range(n_phases)])
    stack = wn.basis_pursuit(
        np.vstack([turned.real, turned.imag]),
        np.concatenate([(A @ signal).real, (A @ signal).imag]),
        signed=False,
    )
    smallest = wn.basis_pursuit(A, A @ signal).norm
    assert smallest * (1 - 1e-9) <= stack.norm <= smallest / np.cos(np.pi / n_phases)


@pytest.mark.parametrize("A", [draw(12, 6, 2, 5)[0], np.eye(12, 6) * 1j])
def test_measurements_that_nothing_solves(A):
    with pytest.raises(ValueError, match="no solution"):
        wn.basis_pursuit(A, np.eye(12)[-1])  # for the second its correlations are zero


def test_positive_numbers_are_real():
    with pytest.raises(TypeError, match="signed"):
        wn.basis_pursuit(1j * np.eye(3), np.ones(3), signed=False)


def test_an_entry_that_is_exactly_zero_has_no_phase():
    A = np.array([[-1, 0, -1, 0], [1, 0, -1, -1], [0, -1, 1, -1]]) + 0j
    found = wn.basis_pursuit(A, [0, 0, 2])
    assert found.status is wn.Status.CONVERGED, found
