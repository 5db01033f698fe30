"""Basis pursuit with sparse matrices and operators: right, honest, and in little memory."""

import tracemalloc

import numpy as np
import pytest
from l1_instances import draw
from scipy.sparse import csc_array, csr_matrix, random_array
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import wnlib as wn
from wnlib.l1 import _matrix_free
from wnlib.l1._message_passing import dual
from wnlib.l1._operators import Operator, conjugate_gradients
from wnlib.l1.check import check_certificate
from wnlib.operators import HaarWavelets, ScrambledDCT


def sparse_vector(rng, N, s, signed=True):
    z = np.zeros(N)
    z[rng.choice(N, s, replace=False)] = rng.standard_normal(s)
    return z if signed else abs(z)


class Counted(LinearOperator):
    """An operator that counts its products, and breaks off at the last of them."""

    def __init__(self, operator, last=np.inf):
        self.operator, self.count, self.last = operator, 0, last
        super().__init__(float, operator.shape)

    def _seen(self, product, v):
        self.count += 1
        if self.count == self.last:
            raise KeyboardInterrupt
        return product(v)

    def _matvec(self, x):
        return self._seen(self.operator.matvec, x)

    def _rmatvec(self, y):
        return self._seen(self.operator.rmatvec, y)


@pytest.fixture
def never_written_down(monkeypatch):
    monkeypatch.setattr(_matrix_free, "SMALL", 0)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("s", [5, 20, 45])  # recovered, nearly, and not at all
@pytest.mark.parametrize("small", [0, 2**22])
def test_an_operator_gives_what_its_matrix_gives(monkeypatch, small, s, signed):
    monkeypatch.setattr(_matrix_free, "SMALL", small)
    rng = np.random.default_rng(s)
    A = rng.standard_normal((60, 200))
    b = A @ sparse_vector(rng, 200, s, signed)
    there = wn.basis_pursuit(A, b, signed=signed)
    found = wn.basis_pursuit(aslinearoperator(A), b, signed=signed)
    assert found.status is there.status is wn.Status.CONVERGED
    np.testing.assert_allclose(found.z, there.z, atol=1e-9 * there.norm)
    assert check_certificate(A, b, found) < 1e-9


@pytest.mark.parametrize("kind", [csr_matrix, csc_array])
@pytest.mark.parametrize("small", [0, 2**22])
def test_sparse_matrices(monkeypatch, small, kind):
    monkeypatch.setattr(_matrix_free, "SMALL", small)
    rng = np.random.default_rng(1)
    A = kind(random_array((80, 250), density=0.2, rng=rng, data_sampler=rng.standard_normal))
    b = A @ sparse_vector(rng, 250, 12)
    found = wn.basis_pursuit(A, b)
    assert found.status is wn.Status.CONVERGED
    np.testing.assert_allclose(found.z, wn.basis_pursuit(A.toarray(), b).z, atol=1e-9 * found.norm)


@pytest.mark.parametrize(("signed", "share"), [(True, 0.1), (True, 0.2), (False, 0.3)])
def test_many_unknowns(signed, share):
    rng = np.random.default_rng(2)
    A = Counted(ScrambledDCT(2**12, 2**14, 3))
    signal = sparse_vector(rng, 2**14, int(share * 2**12), signed)
    found = wn.basis_pursuit(A, A @ signal, signed=signed)
    assert found.status is wn.Status.CONVERGED
    np.testing.assert_array_equal(found.support, signal != 0)
    np.testing.assert_allclose(found.z, signal, atol=1e-12)
    assert A.count < 2000  # the splitting needs more


def test_a_picture_by_its_wavelets():
    rng = np.random.default_rng(4)
    A = ScrambledDCT(300, 1024, 4) @ HaarWavelets(32)
    signal = sparse_vector(rng, 1024, 60)
    found = wn.basis_pursuit(A, A @ signal)
    assert found.gap < 1e-9
    np.testing.assert_allclose(found.z, signal, atol=1e-12)


@pytest.mark.parametrize("signed", [True, False])
def test_beyond_recovery_it_ends_in_a_corner(never_written_down, signed):
    rng = np.random.default_rng(5)
    A = ScrambledDCT(64, 256, 5)
    b = A @ sparse_vector(rng, 256, 40, signed)
    found = wn.basis_pursuit(A, b, signed=signed)
    assert found.status is wn.Status.CONVERGED
    assert found.support.sum() == 64
    there = wn.basis_pursuit(A @ np.eye(256), b, signed=signed)
    assert found.norm == pytest.approx(there.norm, rel=1e-9)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("iterations", [60, 400])
def test_what_is_not_finished_says_how_far_it_may_be(
    monkeypatch, never_written_down, iterations, signed
):
    monkeypatch.setattr(_matrix_free, "MAX_ITERATIONS", iterations)
    rng = np.random.default_rng(6)
    A = ScrambledDCT(256, 1024, 6)
    b = A @ sparse_vector(rng, 1024, 130, signed)
    found = wn.basis_pursuit(A, b, signed=signed)
    assert found.status is wn.Status.UNFINISHED
    assert "no support" in found.message
    assert "NOT certified" in repr(found)
    assert signed or found.z.min() >= 0
    best = wn.basis_pursuit(A @ np.eye(1024), b, signed=signed).norm
    assert abs(found.norm / best - 1) <= found.gap < 0.1
    assert 0.9 * found.gap <= check_certificate(A, b, found) <= 1.001 * found.gap


def test_units_and_orthonormal_rows_are_seen():
    tight = Operator(3 * ScrambledDCT(256, 1024, 0))
    np.testing.assert_allclose([tight.unit**2, tight.tight], [9 / 4, 4.0], rtol=1e-12)
    loose = Operator(aslinearoperator(np.random.default_rng(0).standard_normal((256, 1024))))
    assert loose.unit == pytest.approx(16, rel=0.02)
    assert loose.tight == 0


@pytest.mark.parametrize("signed", [True, False])
def test_message_passing_finds_the_shortest_dual_vector(signed):
    rng = np.random.default_rng(14)
    matrix = Operator(ScrambledDCT(512, 2048, 14))
    on = rng.choice(2048, 70, replace=False)
    signs = rng.choice([-1.0, 1.0], 70) if signed else np.ones(70)
    y, active = dual(matrix, on, signs, signed)
    assert active is None  # it converged
    correlations = matrix.adjoint(y)
    height = abs(correlations) if signed else correlations
    assert height.max() < 1 + 1e-12
    np.testing.assert_allclose(correlations[on], signs, atol=1e-12)
    tight = np.flatnonzero(height > 1 - 1e-9)
    assert len(tight) > 70  # so that it is not just least squares
    columns = (matrix.written_down() * np.sign(correlations))[:, tight]
    multipliers, residual = np.linalg.lstsq(columns, y)[:2]
    assert residual < 1e-20
    assert multipliers[~np.isin(tight, on)].max() < 0


@pytest.mark.parametrize("number", [6, 22, 28, 34, 61])
def test_hostile_instances_need_every_guard(monkeypatch, never_written_down, number):
    """Without one of restarts, scales and ends of message passing, some of these take too long."""
    monkeypatch.setattr(_matrix_free, "MAX_ITERATIONS", 1500)
    hostile = draw(5, number)
    found = wn.basis_pursuit(aslinearoperator(hostile.A), hostile.b, signed=hostile.signed)
    assert found.status is wn.Status.CONVERGED, found


def test_conjugate_gradients_end_in_the_null_space():
    """Where rounding has left a part of the right side."""
    x = conjugate_gradients(lambda v: v * [1.0, 0.0], np.ones(2), 0.0, 10)
    assert np.isfinite(x).all()


def test_memory_is_that_of_vectors():
    A = ScrambledDCT(2**13, 2**15, 7)
    b = A @ sparse_vector(np.random.default_rng(7), 2**15, 2**10)
    tracemalloc.start()
    try:
        found = wn.basis_pursuit(A, b)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.status is wn.Status.CONVERGED
    assert peak < 40 * b.itemsize * 2**15  # a matrix would be 8000 times as large as a vector


def test_ctrl_c_returns_what_was_reached(never_written_down):
    rng = np.random.default_rng(8)
    A = ScrambledDCT(256, 1024, 8)
    b = A @ sparse_vector(rng, 1024, 130)
    with pytest.warns(UserWarning, match="interrupted"):
        found = wn.basis_pursuit(Counted(A, last=700), b)
    assert found.status is wn.Status.UNFINISHED
    assert 1e-9 < found.gap < 0.1
    assert found.residual < 1e-9


def test_a_neighbour_helps():
    rng = np.random.default_rng(9)
    A = ScrambledDCT(256, 1024, 9)
    signal = sparse_vector(rng, 1024, 30)
    first = wn.basis_pursuit(A, A @ signal)
    near = wn.basis_pursuit(A, A @ (1.1 * signal), warm_start=first)
    assert near.status is wn.Status.CONVERGED
    assert near.n_iterations == 0
    np.testing.assert_allclose(near.z, 1.1 * signal, atol=1e-12)


@pytest.mark.parametrize(("of_A", "of_b"), [(1e8, 1.0), (1e-8, 1e8), (1.0, 1e-8), (1e200, 1.0)])
def test_units_do_not_matter(of_A, of_b):
    rng = np.random.default_rng(10)
    A = ScrambledDCT(256, 1024, 10)
    signal = sparse_vector(rng, 1024, 30)
    found = wn.basis_pursuit(of_A * A, of_b * (A @ signal))
    assert found.status is wn.Status.CONVERGED
    np.testing.assert_allclose(found.z, of_b / of_A * signal, rtol=1e-9)


def bad(matvec=None, rmatvec=None, dtype=float):
    A = np.random.default_rng(11).standard_normal((6, 9))
    return LinearOperator(
        (6, 9), matvec or (lambda x: A @ x), rmatvec or (lambda y: A.T @ y), dtype=dtype
    )


@pytest.mark.parametrize(
    ("A", "error", "message"),
    [
        (bad(matvec=lambda x: np.full(6, np.nan)), ValueError, "matvec of A returned NaN"),
        (bad(rmatvec=lambda y: np.full(9, np.inf)), ValueError, "rmatvec of A returned NaN"),
        (bad(matvec=lambda x: np.ones(5)), ValueError, "matvec of A fails"),
        (bad(rmatvec=lambda y: np.ones(9)), ValueError, "not the adjoint.*Correct one"),
        (bad(matvec=lambda x: np.ones(6) * 1j, dtype=complex), TypeError, "complex.*dense"),
        (bad(lambda x: np.zeros(6), lambda y: np.zeros(9)), ValueError, "A is zero"),
        (LinearOperator((6, 9), lambda x: x[:6]), TypeError, "A has no rmatvec"),
        (csr_matrix(np.full((6, 9), np.nan)), ValueError, "A holds NaN"),
        (csr_matrix((6, 9)), ValueError, "A is zero"),
        (bad(), None, ""),
    ],
)
def test_bad_operators(A, error, message):
    if error is None:
        assert wn.basis_pursuit(A, np.ones(6)).status is wn.Status.CONVERGED
        return
    with pytest.raises(error, match=message):
        wn.basis_pursuit(A, np.ones(6))


def test_bad_shapes():
    with pytest.raises(ValueError, match="one entry per row of A: 6; got 5"):
        wn.basis_pursuit(bad(), np.ones(5))


def test_an_operator_that_turns_bad(never_written_down):
    A = ScrambledDCT(64, 256, 12)
    calls = []

    def late(x):
        calls.append(x)
        return A.matvec(x) * (np.nan if len(calls) > 20 else 1.0)

    b = A @ sparse_vector(np.random.default_rng(12), 256, 40)
    with pytest.raises(ValueError, match="returned NaN"):
        wn.basis_pursuit(LinearOperator(A.shape, late, A.rmatvec, dtype=float), b)


@pytest.mark.parametrize("small", [0, 2**22])
def test_measurements_that_nothing_solves(monkeypatch, small):
    monkeypatch.setattr(_matrix_free, "SMALL", small)
    rng = np.random.default_rng(13)
    A = rng.standard_normal((40, 100))
    A[-1] = A[0]
    with pytest.raises(ValueError, match="sol"):
        wn.basis_pursuit(aslinearoperator(A), rng.standard_normal(40))


@pytest.mark.parametrize("kind", ["csr", "dok", "lil", "operator"])
@pytest.mark.parametrize(
    ("A", "b", "norm"),
    [
        (np.diag([1, 1e-7]), [1, 1e-4], 1001),  # consistent, though one column is small
        (np.array([[0, 1.0, 1, 0], [0, 0, -1, -1]]), [-1, 3], 3),
        (np.array([[1, 1, 0.0], [-1, -1, -1], [0, 0, 1]]), [2, -2, 0], 2),  # signs cancel
    ],
)
def test_a_small_matrix_is_solved_like_a_dense_one(kind, A, b, norm):
    A = aslinearoperator(A) if kind == "operator" else csc_array(A).asformat(kind)
    found = wn.basis_pursuit(A, b)
    assert found.status is wn.Status.CONVERGED, found
    assert found.norm == pytest.approx(norm)
