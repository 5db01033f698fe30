"""Problems and starts: what is drawn, what is stacked, and what is refused with which words."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

import wnlib as wn
from wnlib import problems

A = [[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]]
B = [1.0, 1.0]


@given(seed=st.integers(0, 10**6), signed=st.booleans())
def test_sparse_problem(seed, signed):
    problem = wn.sparse_problem(5, 12, 3, seed, signed=signed)
    assert problem.A.shape == (5, 12)
    entries = problem.signal[problem.signal != 0]
    assert len(entries) == 3
    assert ((np.abs(entries) >= 1) & (np.abs(entries) <= 2)).all()
    assert problem.residual(problem.signal) == 0
    assert problem.error(problem.signal) == 0
    again = wn.sparse_problem(5, 12, 3, seed, signed=signed)
    assert (problem.A == again.A).all()
    assert (problem.b == again.b).all()


def test_matrix_has_unit_columns_on_average():
    problem = wn.sparse_problem(400, 500, 5, 0)
    assert np.mean(np.sum(problem.A**2, axis=0)) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("kind", get_args(problems.Matrix))
def test_matrices_of_every_kind(kind):
    A = wn.sparse_problem(200, 300, 5, 0, matrix=kind).A
    assert np.mean(A**2) == pytest.approx(1 / 200, rel=0.02)
    correlation = problems.CORRELATION if kind == "correlated" else 0
    for k in (1, 2, 3):
        found = np.mean(A[:, k:] * A[:, :-k]) * 200
        assert found == pytest.approx(correlation**k, abs=0.1)  # of a dct it depends on the rows


def test_a_dct_has_orthogonal_rows_and_signs_are_signs():
    A = wn.sparse_problem(20, 30, 5, 0, matrix="dct").A
    np.testing.assert_allclose(A @ A.T, 30 / 20 * np.eye(20), atol=1e-12)
    signs = wn.sparse_problem(20, 30, 5, 0, matrix="rademacher").A * np.sqrt(20)
    np.testing.assert_allclose(abs(signs), 1)


def test_a_dct_with_the_constant_row_leaves_one_norm():
    problem = wn.sparse_problem(30, 30, 2, 0, matrix="dct")
    constant = np.ptp(problem.A, axis=1) < 1e-12
    assert constant.sum() == 1
    assert problem.signal.sum() == pytest.approx((problem.b / problem.A[:, 0])[constant][0])


@pytest.mark.parametrize("signed", [False, True])
def test_entries_of_every_kind(signed):
    shape = {"signed": signed, "seed": 0}
    sizes = {
        kind: abs(wn.sparse_problem(1, 20_000, 20_000, entries=kind, **shape).signal)
        for kind in get_args(problems.Entries)
    }
    assert sizes["uniform"].min() >= 1
    assert sizes["uniform"].max() <= 2
    assert np.mean(sizes["gaussian"] ** 2) == pytest.approx(1, rel=0.05)
    assert np.mean(sizes["gaussian"]) == pytest.approx(np.sqrt(2 / np.pi), rel=0.05)
    logarithms = np.log(sizes["lognormal"])
    assert np.mean(logarithms) == pytest.approx(0, abs=0.05)
    assert np.std(logarithms) == pytest.approx(1, abs=0.05)
    assert (wn.sparse_problem(1, 20, 20, 0, signed=signed).signal < 0).any() == signed


def test_the_default_draws_what_it_always_drew():
    """The published numbers of the book hang on it."""
    drawn = wn.sparse_problem(7, 12, 3, [3, 4], signed=True, noise=0.1)
    rng = np.random.default_rng([3, 4])
    A = rng.normal(size=(7, 12)) / np.sqrt(7)
    support = rng.choice(12, 3, replace=False)
    signal = np.zeros(12)
    signal[support] = rng.uniform(1, 2, 3)
    signal[support] *= rng.choice([-1, 1], 3)
    assert (drawn.A == A).all()
    assert (drawn.signal == signal).all()
    assert (drawn.b == A @ signal + 0.1 * rng.normal(size=7)).all()


def test_noise_is_what_is_left():
    problem = wn.sparse_problem(4000, 10, 2, 0, noise=0.1)
    assert np.std(problem.A @ problem.signal - problem.b) == pytest.approx(0.1, rel=0.05)


@given(z=st.lists(st.floats(-5, 5), min_size=3, max_size=3))
def test_stacking(z):
    """Of the stacked vectors that read out as z, the split into signs has the l1 norm of z."""
    problem, z = wn.Problem(A, B, signed=True), np.array(z)
    stacked = problem.split(z)
    assert (stacked >= 0).all()
    assert (problem.readout(stacked) == z).all()
    np.testing.assert_allclose(problem.network_matrix @ stacked, problem.A @ z)
    assert stacked.sum() == pytest.approx(np.abs(z).sum())


def test_initial_weights():
    problem = wn.sparse_problem(3, 8, 2, 0, signed=True)
    one, many = (wn.initial_weights(problem, 0.1, 1, starts=starts) for starts in (None, 4))
    assert one.shape == (16,)
    assert many.shape == (4, 16)
    assert ((many >= 0.05) & (many <= 0.15)).all()
    assert (wn.initial_weights(problem, 0.1, 1, shape="constant") == 0.1).all()


def test_arrays_are_copied_and_frozen():
    b = np.array(B)
    problem = wn.Problem(A, b)
    b[0] = 7
    assert problem.b[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        problem.A[0, 0] = 2


PROBLEM = wn.Problem(A, B)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: wn.Problem(A, [1.0]), ValueError, "b must have one entry per row of A: 2; got 1"),
        (
            lambda: wn.Problem(A, B, True),
            TypeError,
            "signal must .* pass signed by its name",
        ),
        (lambda: wn.Problem(A, 5), ValueError, r"b must .* shape \(\), one number: .* b=\[5\]"),
        (lambda: wn.Problem(A, None), TypeError, "b must be an array .* got None"),
        (
            lambda: wn.sparse_problem(2, 3, 1, 0, signed=1),
            TypeError,
            "signed must be True or False",
        ),
        (lambda: wn.initial_weights(PROBLEM, 1, 0, shape=np.ones(2)), ValueError, "shape must be"),
        (
            lambda: wn.sparse_problem(2, 3, 1, 0, matrix="fourier"),
            ValueError,
            "matrix must be one of gaussian, rademacher, dct, correlated; got 'fourier'",
        ),
        (
            lambda: wn.sparse_problem(2, 3, 1, 0, entries=1),
            ValueError,
            "entries must be one of uniform, gaussian, lognormal; got 1",
        ),
        (
            lambda: wn.sparse_problem(4, 3, 1, 0, matrix="dct"),
            ValueError,
            "a dct of 3 features has no 4 rows: lower n_measurements",
        ),
        (lambda: wn.Problem(A, [1.0, np.nan]), ValueError, "b holds NaN or infinity: replace"),
        (lambda: wn.Problem([[np.inf, 1], [1, 1]], B), ValueError, "A holds NaN or infinity"),
        (lambda: wn.Problem([[1j, 1], [1, 1]], B), TypeError, "A must be an array of real numbers"),
        (lambda: wn.Problem("text", B), TypeError, "A must be an array of real numbers"),
        (lambda: wn.Problem(B, B), ValueError, r"A must have 2 dimension\(s\); got shape \(2,\)"),
        (lambda: wn.Problem(np.zeros((2, 0)), B), ValueError, "A is empty"),
        (lambda: wn.Problem(A, B, [1.0]), ValueError, "one entry per column of A: 3; got 1"),
        (lambda: wn.Problem(A, B, [-1.0, 0, 0]), ValueError, "negative entries: pass signed=True"),
        (lambda: PROBLEM.error(np.ones(3)), ValueError, "no signal to compare with: pass signal"),
        (lambda: wn.sparse_problem(2, 3, 4, 0), ValueError, "at most n_features=3; got 4"),
        (lambda: wn.sparse_problem(0, 3, 1, 0), ValueError, "n_measurements must be at least 1"),
        (lambda: wn.sparse_problem(2.0, 3, 1, 0), TypeError, "n_measurements must be an integer"),
        (
            lambda: wn.sparse_problem(2, 3, 1, 0, noise=-1),
            ValueError,
            r"noise must lie in \[0, 1e",
        ),
        (lambda: wn.initial_weights(PROBLEM, 0.0, 0), ValueError, "scale must be positive"),
        (
            lambda: wn.initial_weights(PROBLEM, 1, 0, starts=0),
            ValueError,
            "starts must be at least",
        ),
        (lambda: wn.initial_weights(PROBLEM, 1, 0, shape="odd"), ValueError, '"constant"; got'),
        (lambda: wn.Problem(np.zeros((2, 3)), B), ValueError, "A is zero"),
        (lambda: wn.Problem(A, [1e200, 1.0]), ValueError, r"b has .* 1e\+200, whose square is no"),
        (
            lambda: wn.Problem(A, B, signed="no"),
            TypeError,
            "signed must be True or False; got 'no'",
        ),
        (lambda: PROBLEM.residual(np.ones(2)), ValueError, r"z must have shape \(\.\.\., 3\)"),
        (lambda: wn.sparse_problem(2, 3, 1, -1), ValueError, "seed is no seed, got -1: pass"),
        (lambda: wn.sparse_problem(2, 3, 1, None), TypeError, "seed is no seed, got None: pass"),
        (lambda: wn.sparse_problem(2, 3, 1, 0, noise=np.inf), ValueError, "noise must lie in"),
        (lambda: wn.initial_weights(A, 1, 0), TypeError, r"problem must be a Problem\(A, b\)"),
        (lambda: wn.initial_weights(PROBLEM, "0.1", 0), TypeError, "scale must be a number"),
        (lambda: wn.min_l1(A), TypeError, r"problem must be a Problem\(A, b\)"),
        (lambda: wn.Problem([["1", "2"]], [1]), TypeError, "A must be .*masked entries, texts"),
        (lambda: wn.Problem(np.ma.masked_less([[1, 2]], 2), [1]), TypeError, "A must be .*masked"),
        (lambda: wn.Problem([[10**400, 1]], [1]), TypeError, "A must be an array of real numbers"),
        (lambda: PROBLEM.readout(np.ones(4)), ValueError, r"stacked must have shape \(..., 3\)"),
        (lambda: PROBLEM.residual(["a", "b", "c"]), TypeError, "z must be an array of real"),
        (lambda: wn.sparse_problem(3, 2**60, 1, 0), ValueError, r"n_features must be below 2\^53"),
        (lambda: wn.Problem(csr_array(A), [1, 1]), TypeError, r"A must be .*pass its toarray\(\)"),
        (lambda: wn.Problem(A, [[1], [1]]), ValueError, r"b must have 1 .* pass b.ravel\(\)"),
        (
            lambda: wn.min_l1(wn.Problem([[1.0], [1.0]], [1.0, 2.0])),
            ValueError,
            "b is 3.2e-01 of its norm away from the range of A.*replace b by its projection",
        ),
        (lambda: wn.PlainFlow(1.9), ValueError, "depth must be at least 2; got 1.9"),
        (lambda: wn.PlainFlow(1e300), ValueError, r"depth must be at most 100; got 1e\+300"),
        (lambda: wn.PlainFlow("two"), TypeError, "depth must be a number"),
        (lambda: wn.WeightNormFlow(2, 0.0), ValueError, "ratio must be positive and finite; got 0"),
        (lambda: wn.WeightNormFlow(2, np.inf), ValueError, "ratio must be positive and finite"),
    ],
)
def test_refusals(call, error, words):
    with pytest.raises(error, match=words):
        call()


ROADS = {
    "limit": lambda flow, x0: wn.limit(flow, PROBLEM, x0),
    "integrate": lambda flow, x0: wn.integrate(flow, PROBLEM, x0, 1.0),
    "descend": lambda flow, x0: wn.descend(flow, PROBLEM, x0, 0.01, 10),
}


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize(
    ("flow", "x0", "error", "words"),
    [
        (wn.PlainFlow(2), [1.0, 1.0], ValueError, r"x0 must have 3 weights .*initial_weights"),
        (wn.PlainFlow(2), [1.0, 0.0, 1.0], ValueError, "x0 must be positive in each entry"),
        (wn.PlainFlow(2), [1.0, np.nan, 1.0], ValueError, "x0 holds NaN"),
        (wn.PlainFlow(2), [1.0, 1j, 1.0], TypeError, "x0 must be an array of real numbers"),
        (wn.PlainFlow(2), [1e200, 1.0, 1.0], ValueError, "x0 is too large: A x0"),
        (wn.WeightNormFlow(2, 1.0), [1e-200] * 3, ValueError, "x0 is too small: its squared"),
        ("plain", [1.0, 1.0, 1.0], TypeError, r"flow must be PlainFlow\(depth\), WeightNormFlow"),
    ],
)
def test_each_road_refuses_alike(road, flow, x0, error, words):
    with pytest.raises(error, match=words):
        ROADS[road](flow, x0)


def test_records_at_the_prompt_fit_on_a_line():
    problem = wn.sparse_problem(40, 100, 5, 0, signed=True)
    x0 = wn.initial_weights(problem, 0.1, 0, starts=3)
    assert repr(problem) == "<Problem 40 x 100, signed, with a signal>"
    one, three = (wn.limit(wn.PlainFlow(2), problem, start) for start in (x0[0], x0))
    assert repr(one).startswith("<Limit of PlainFlow(depth=2.0): converged, residual at most ")
    assert "3 ends" in repr(three)


def test_the_error_of_a_zero_signal_is_absolute():
    assert wn.Problem(A, np.zeros(2), np.zeros(3)).error([3.0, 0.0, 4.0]) == 5


def test_what_lies_beyond_all_floats_has_an_infinite_error():
    problem = wn.sparse_problem(4, 8, 2, seed=0)
    assert problem.error(np.full(8, 1e200)) == np.inf  # and no warning, which would be an error
