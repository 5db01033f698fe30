"""Basis pursuit: certified on hostile instances, equivariant, and clear about what it cannot do."""

import inspect
import pickle
import threading
import tracemalloc
from types import SimpleNamespace

import l1_instances
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import ThreadpoolController

import wnlib as wn
from wnlib._interrupts import interrupts_passed_on
from wnlib.l1 import _dense
from wnlib.l1._interior import Interior

TOL = 1e-9
FAMILIES = len(l1_instances.FAMILIES)


@pytest.fixture(autouse=True)
def few_rationals(monkeypatch):
    """Let small checks be exact and large ones fast."""
    monkeypatch.setattr(inspect.getmodule(wn.check_certificate), "EXACT", 4000)


def certified(A, b, **options):
    """Return the solution, which must be certified, also by who shares nothing with the solver."""
    found = wn.basis_pursuit(A, b, **options)
    assert found.status is wn.Status.CONVERGED, found
    assert found.message == "", "by the path, without a linear program"
    assert wn.check_certificate(A, b, found) <= TOL
    assert np.linalg.norm(A @ found.z - b) <= TOL * np.linalg.norm(b)
    assert found.signed or found.z.min() >= 0
    return found


def gaussian(M, N, s, seed, signed=True):
    """Return a matrix and the measurements of a sparse signal."""
    problem = wn.sparse_problem(M, N, s, seed=seed, signed=signed)
    return problem.A, problem.b


@pytest.mark.parametrize("number", range(FAMILIES))
def test_hostile_instances_are_certified(number):
    for k in range(number, 10 * FAMILIES, FAMILIES):
        instance = l1_instances.draw(0, k)
        certified(instance.A, instance.b, signed=instance.signed)


# What was once not solved, and needs one of the guards.
@pytest.mark.parametrize(
    ("seed", "number"),
    [(0, 4), (0, 23), (0, 30), (0, 88), (0, 114), (0, 156), (0, 258), (0, 294), (0, 340), (0, 366),
     (0, 394), (0, 582), (0, 736), (1, 6), (1, 192), (1, 282)],
)  # fmt: skip
def test_the_worst_instances_are_certified(seed, number):
    instance = l1_instances.draw(seed, number)
    certified(instance.A, instance.b, signed=instance.signed)


@pytest.mark.parametrize("number", range(0, 2 * FAMILIES))
def test_the_norm_is_that_of_the_linear_program(number):
    instance = l1_instances.draw(3, number)
    found = certified(instance.A, instance.b, signed=instance.signed)
    expected = wn.min_l1(wn.Problem(instance.A, instance.b, signed=instance.signed))
    if expected.status is not wn.Status.CONVERGED:
        pytest.skip("HiGHS does not certify it")
    assert found.norm == pytest.approx(expected.norm, rel=1e-8)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("s", [10, 40, 100])
def test_larger_ones_are_certified(s, signed):
    certified(*gaussian(100, 400, s, s, signed), signed=signed)


@pytest.mark.parametrize("a", [1e-100, 1e-8, 1.0, 1e8, 1e100])
@pytest.mark.parametrize("c", [1e-100, 1.0, 1e100])
def test_units_do_not_matter(a, c):
    A, b = gaussian(20, 60, 12, 0)
    found, plain = certified(a * A, c * b), certified(A, b)
    np.testing.assert_allclose(found.z * (a / c), plain.z, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.dual * a, plain.dual, rtol=1e-6, atol=1e-9)
    assert found.gap == pytest.approx(plain.gap, abs=1e-13)


@settings(max_examples=12)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.integers(1, 20))
def test_permutations_and_signs_of_columns_carry_over(seed, signed, s):
    A, b = gaussian(20, 50, s, seed, signed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(50)
    signs = rng.choice([-1.0, 1.0], 50) if signed else np.ones(50)
    plain = certified(A, b, signed=signed).z
    turned = certified((A * signs)[:, order], b, signed=signed).z
    np.testing.assert_allclose(turned, (plain * signs)[order], atol=1e-8)


@settings(max_examples=12)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.integers(-8, 8))
def test_longer_measurements_have_longer_solutions(seed, signed, decades):
    A, b = gaussian(15, 40, 9, seed, signed)
    plain = certified(A, b, signed=signed)
    longer = certified(A, 10.0**decades * b, signed=signed)
    np.testing.assert_allclose(
        longer.z, 10.0**decades * plain.z, rtol=1e-8, atol=1e-12 * longer.norm
    )


@pytest.mark.parametrize(
    ("A", "b", "z"),
    [
        ([[2.0]], [3.0], [1.5]),
        ([[1.0, 4.0, -2.0]], [8.0], [0, 2, 0]),
        ([[1.0], [2.0]], [2.0, 4.0], [2]),
        (np.eye(3), [1.0, 0.0, -2.0], [1, 0, -2]),
        ([[0.0, 1.0], [0.0, 0.0]], [3.0, 0.0], [0, 3]),
        ([[1.0, 0.0], [1.0, 0.0]], [1.0, 1.0], [1, 0]),
    ],
)
def test_the_smallest_are_solved(A, b, z):
    np.testing.assert_allclose(certified(np.asarray(A), np.asarray(b)).z, z, atol=1e-15)


def test_of_nothing_nothing_is_the_answer():
    found = certified(np.ones((3, 5)), np.zeros(3))
    assert not found.z.any()
    assert (found.gap, found.residual, found.n_iterations) == (0, 0, 0)


@pytest.mark.parametrize("order", ["C", "F"])
def test_what_is_given_stays_as_it_is(order):
    A, b = gaussian(10, 30, 3, 1)
    A = np.array(A, order=order)
    before = A.copy(), b.copy()
    certified(A, b)
    np.testing.assert_array_equal((A, b)[0], before[0])
    np.testing.assert_array_equal(b, before[1])
    whole = np.rint(9 * A).astype(int)
    certified(whole, whole.sum(axis=1))
    certified(A[::-1, ::2], A[::-1, ::2].sum(axis=1))


@pytest.mark.parametrize(("M", "N", "s"), [(200, 1000, 20), (500, 4000, 60)])
def test_a_recoverable_signal_is_guessed_at_once(M, N, s):
    found = certified(*gaussian(M, N, s, 4))
    assert found.n_iterations == 0
    assert found.support.sum() == s


def test_a_part_of_the_support_is_completed_on_the_way():
    assert certified(*gaussian(200, 1000, 40, 3)).n_iterations <= 3  # 6 for the whole support


def test_memory_beyond_the_matrix_is_at_most_its_size():
    A, b = gaussian(300, 2400, 120, 0)
    tracemalloc.start()
    wn.basis_pursuit(A, b)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= A.nbytes


def test_ordinary_instances_take_the_fast_way(monkeypatch):
    monkeypatch.setattr("wnlib.l1._matrices.Dense.take_care", None)
    for seed in range(3):
        found = certified(*gaussian(200, 1000, 80, seed))
        assert found.n_iterations <= 25  # 10 to 15
        assert found.support.sum() == 200


def test_sizes_of_rows_cost_nothing(monkeypatch):
    monkeypatch.setattr("wnlib.l1._matrices.Dense.take_care", None)
    A, b = gaussian(100, 300, 10, 0)
    sizes = 10 ** np.random.default_rng(0).uniform(-4, 4, 100)
    found = certified(A * sizes[:, None], b * sizes)
    assert found.n_iterations == 0  # 10 and more if they count
    np.testing.assert_allclose(found.z, certified(A, b).z, atol=1e-12)


def test_a_margin_says_that_there_is_no_other_solution():
    A, b = gaussian(20, 50, 2, 0)
    found = certified(A, b)
    slack = 1 - np.abs(A.T @ found.dual)[~found.support].max()
    assert found.margin == pytest.approx(slack)
    twice = certified(np.hstack([A, A]), b)  # of each column it may be the other
    assert twice.margin == pytest.approx(0, abs=1e-12)


def test_what_is_not_certified_says_so(monkeypatch):
    monkeypatch.setattr(_dense, "MAX_ITERATIONS", 3)
    monkeypatch.setattr(_dense, "min_l1", fails)
    A, b = gaussian(50, 100, 25, 0)
    found = wn.basis_pursuit(A, b)
    assert found.status is wn.Status.UNFINISHED
    assert "NOT certified (no support could be proven)" in repr(found)
    assert f"gap {found.gap:.0e}" in repr(found)
    assert found.gap > TOL
    assert found.margin == 0
    assert wn.check_certificate(A, b, found) == pytest.approx(found.gap, rel=1e-2)


def fails(problem):
    raise RuntimeError("HiGHS fails")


def test_a_linear_program_is_the_last_resort(monkeypatch):
    monkeypatch.setattr(_dense, "MAX_ITERATIONS", 3)
    A, b = gaussian(50, 100, 25, 0)
    found = wn.basis_pursuit(A, b)
    assert found.status is wn.Status.CONVERGED
    assert "HiGHS" in found.message
    assert wn.check_certificate(A, b, found) <= TOL


def test_a_path_without_digits_is_left():
    instance = l1_instances.draw(1, 232)
    found = wn.basis_pursuit(instance.A, instance.b, signed=instance.signed)
    assert found.status is wn.Status.CONVERGED
    assert found.n_iterations <= 60  # 33; all it may take if it goes on


def test_what_few_columns_cannot_solve_all_can(monkeypatch):
    monkeypatch.setattr(_dense, "MAX_ITERATIONS", 0)
    monkeypatch.setattr(_dense, "LEFT", 0)
    A, b = gaussian(50, 100, 25, 0)
    assert wn.basis_pursuit(A, b).status is wn.Status.CONVERGED


@pytest.mark.parametrize("exact", [True, False])
def test_a_check_sees_what_is_wrong(monkeypatch, exact):
    monkeypatch.setattr("wnlib.l1.check.EXACT", 1000 if exact else 0)
    A, b = gaussian(12, 30, 4, 5, signed=False)
    found = certified(A, b, signed=False)
    z, y = found.z, found.dual

    def gap(z=z, y=y, b=b, signed=False, sigma=0.0):
        return wn.check_certificate(A, b, SimpleNamespace(z=z, dual=y, signed=signed), sigma=sigma)

    assert 0 <= gap() <= 1e-14
    assert gap(y=2 * y) <= 1e-14  # scaled to be feasible
    assert gap(y=0.9 * y) == pytest.approx(0.1)
    assert gap(y=0 * y) == gap(y=-y) == 1
    null = np.linalg.svd(A)[2][-1]
    longer = z + 0.1 * np.abs(null) * np.linalg.norm(z)  # not a solution, but of its own program
    assert gap(z=longer) > 0.01
    assert gap(z=z - 1e-3 * (z == 0)) == np.inf
    assert gap(z=1.01 * z) == pytest.approx(0.01, rel=0.01)
    assert gap(z=0.99 * z) == pytest.approx(0.01, rel=0.02)
    assert gap(z=0 * z) == np.inf
    assert gap(z=0 * z, b=0 * b) == 0
    if np.abs(A.T @ y).max() > 1:
        assert gap(signed=True) > 1e-3
    with pytest.raises(ValueError, match="do not fit"):
        gap(z=z[1:])
    with pytest.raises(ValueError, match="NaN"):
        gap(y=y * np.nan)


def test_a_check_of_noisy_measurements():
    A, b = gaussian(12, 30, 4, 5)
    sigma = 0.1 * np.linalg.norm(b)
    found = wn.basis_pursuit_denoise(A, b, sigma)
    assert wn.check_certificate(A, b, found, sigma=sigma) <= TOL
    assert wn.check_certificate(A, b, found, sigma=0.9 * sigma) > 1e-3
    assert wn.check_certificate(A, b, found, sigma=1.1 * sigma) > 1e-3


def test_a_check_shares_nothing_with_the_solver():
    source = inspect.getsource(inspect.getmodule(wn.check_certificate))
    assert "wnlib" not in source


def test_a_neighbour_is_a_warm_start():
    A, _ = gaussian(60, 200, 1, 0)
    rng = np.random.default_rng(0)
    signal = np.zeros(200)
    signal[rng.choice(200, 25, replace=False)] = rng.normal(size=25)
    warm, cold, found = 0, 0, None
    for _ in range(10):
        signal = signal * (1 + 0.01 * rng.normal(size=200))
        found = certified(A, A @ signal, warm_start=found)
        again = certified(A, A @ signal)
        np.testing.assert_allclose(found.z, again.z, atol=1e-8)
        warm, cold = warm + found.n_iterations, cold + again.n_iterations
    assert warm <= 0.7 * cold  # a half


def test_a_dual_vector_is_a_warm_start():
    A, b = gaussian(60, 200, 25, 0)
    cold = certified(A, b)
    assert certified(A, b, warm_start=cold.dual).n_iterations == 0 < cold.n_iterations


@settings(max_examples=12)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([1e-8, 1.0, 1e8]))
def test_a_wrong_warm_start_does_no_harm(seed, signed, size):
    A, b = gaussian(20, 50, 9, seed, signed)
    other = wn.basis_pursuit(A, A[:, :9].sum(axis=1), signed=signed)
    plain = certified(A, b, signed=signed)
    for near in (other, size * np.random.default_rng(seed).normal(size=20), np.zeros(20)):
        found = certified(A, b, signed=signed, warm_start=near)
        np.testing.assert_allclose(found.norm, plain.norm, rtol=1e-9)


def test_an_interrupted_run_returns_what_it_has(monkeypatch):
    advance, A_b = Interior.advance, gaussian(200, 1000, 80, 0)

    def interrupted(path):
        interrupted.steps += 1
        if interrupted.steps == 6:
            raise KeyboardInterrupt
        advance(path)

    interrupted.steps = 0
    monkeypatch.setattr(Interior, "advance", interrupted)
    with pytest.warns(UserWarning, match="interrupted at iteration 5") as caught:
        found = wn.basis_pursuit(*A_b)
    assert caught[0].filename == __file__
    assert found.status is wn.Status.UNFINISHED
    assert found.message == "interrupted at iteration 5"
    assert found.n_iterations == 5
    assert 1e-6 < found.gap < 0.5
    interrupted.steps = 0
    with interrupts_passed_on(), pytest.raises(KeyboardInterrupt):
        wn.basis_pursuit(*A_b)


def test_interrupted_at_once_it_knows_nothing(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_dense, "_at_zero", interrupted)
    with pytest.warns(UserWarning, match="interrupted at iteration 0"):
        found = wn.basis_pursuit(*gaussian(5, 9, 2, 0))
    assert (found.gap, found.residual, found.status) == (1, 1, wn.Status.UNFINISHED)


def test_threads_change_nothing():
    A, b = gaussian(100, 300, 40, 0)
    controller, found = ThreadpoolController(), []
    for number in (1, 2):
        with controller.limit(limits=number, user_api="blas"):
            found.append(wn.basis_pursuit(A, b).z)
            assert {p["num_threads"] for p in controller.info() if p["user_api"] == "blas"} == {
                number
            }
    workers = [
        threading.Thread(target=lambda: found.append(wn.basis_pursuit(A, b).z)) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 5
    assert all((z == found[0]).all() for z in found)


def test_a_solution_is_a_frozen_record():
    found = certified(*gaussian(10, 30, 3, 1))
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.z, found.z)
    assert repr(again) == repr(found)
    with pytest.raises(ValueError, match="read-only"):
        again.z[0] = 1
    with pytest.raises(AttributeError):
        found.gap = 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"A": np.zeros((2, 3))}, "A is zero"),
        ({"A": np.ones(3)}, "A must have 2 dimension"),
        ({"A": [[1, np.nan, 0], [0, 0, 1]]}, "A holds NaN"),
        ({"A": np.full((2, 3), 1e200)}, "no float: measure it in another unit"),
        ({"A": [["a", "b", "c"]]}, "A must be an array of real numbers"),
        ({"b": [1.0]}, "b must have one entry per row of A: 2; got 1"),
        ({"b": [1.0, np.inf]}, "b holds NaN or infinity"),
        ({"b": [1e-200, 0]}, "no float"),
        ({"b": None}, "b must be an array"),
        ({"signed": 1}, "signed must be True or False"),
        ({"tol": 0}, "tol must lie in"),
        ({"tol": 1e-15}, "tol must lie in"),
        ({"tol": 1.0}, "tol must lie in"),
        ({"warm_start": [1.0]}, "warm_start must be an L1Solution of a problem of the shape"),
        ({"warm_start": "there"}, "warm_start"),
        ({"A": 1j * np.ones((2, 3)), "signed": False}, "complex"),
    ],
)
def test_mistakes_are_named(change, words):
    arguments = {"A": np.eye(2, 3) + 1, "b": np.ones(2), **change}
    with pytest.raises((TypeError, ValueError), match=words):
        wn.basis_pursuit(**arguments)


def test_a_solution_of_another_problem_is_no_warm_start():
    found = certified(*gaussian(10, 30, 3, 1))
    with pytest.raises(ValueError, match="got 30 features, 10 measurements"):
        wn.basis_pursuit(*gaussian(10, 20, 3, 1), warm_start=found)


@pytest.mark.parametrize("signed", [True, False])
def test_what_is_outside_the_range_is_said(signed):
    rng = np.random.default_rng(0)
    A, outside = rng.normal(size=(30, 10)), rng.normal(size=30)
    outside -= A @ np.linalg.lstsq(A, outside)[0]
    b = A[:, 0] / np.linalg.norm(A[:, 0]) + 1e-3 * outside / np.linalg.norm(outside)
    with pytest.raises(ValueError, match=r"1\.0e-03 of its norm away.*basis_pursuit_denoise"):
        wn.basis_pursuit(A, b, signed=signed)
    b = A[:, 0] / np.linalg.norm(A[:, 0]) + 1e-10 * outside / np.linalg.norm(outside)
    found = wn.basis_pursuit(A, b, signed=signed)
    assert found.status is wn.Status.CONVERGED
    assert found.residual == pytest.approx(1e-10, rel=1e-3)


def test_what_is_outside_the_cone_is_said():
    A, b = gaussian(20, 50, 5, 0)
    A = np.abs(A)
    with pytest.raises(ValueError, match=r"z >= 0 is not feasible: .* misses b by .*denoise"):
        wn.basis_pursuit(A, -np.abs(b), signed=False)
    certified(A, -np.abs(b))


def test_what_has_no_solution_is_given_up_soon(monkeypatch):
    advance, steps = Interior.advance, []
    monkeypatch.setattr(Interior, "advance", lambda path: steps.append(advance(path)))
    A = np.abs(np.random.default_rng(0).normal(size=(60, 100)))
    with pytest.raises(ValueError, match="not feasible"):
        wn.basis_pursuit(A, A[:, :10].sum(axis=1) - 0.6 * A[:, 20:30].sum(axis=1), signed=False)
    assert len(steps) <= 60  # a half of what it takes to leave the range of floats


@pytest.mark.parametrize("seed", range(4))
def test_no_warning_escapes(seed, recwarn):
    instance = l1_instances.draw(9, seed * FAMILIES + 6)
    before = np.geterr()
    wn.basis_pursuit(instance.A, instance.b, signed=instance.signed)
    assert np.geterr() == before
    assert not recwarn.list


@pytest.mark.parametrize(("sigma", "gap"), [(2.0, 0.0), (0.5, np.inf), (0.0, np.inf)])
def test_zero_is_proven_where_it_is_admitted(sigma, gap):
    zero = SimpleNamespace(z=np.zeros(2), dual=np.zeros(1), signed=True)
    assert wn.check_certificate([[1.0, 2.0]], [1.0], zero, sigma=sigma) == gap


def test_a_check_needs_a_result_and_a_residual():
    A, b = np.eye(2), np.ones(2)
    with pytest.raises(TypeError, match="result must have z, dual and signed"):
        wn.check_certificate(A, b, None)
    with pytest.raises(ValueError, match="sigma must be nonnegative"):
        wn.check_certificate(A, b, wn.basis_pursuit(A, b), sigma=-1.0)
