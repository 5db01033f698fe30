"""The smallest l1 norm: against exact arithmetic, whatever the scales of rows and columns."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wnlib as wn
from wnlib.l1 import linear_program
from wnlib.l1.linear_program import CERTIFIED, MinL1


def exact_solution(rows):
    """Solve a square system ``[B b]`` of Fractions by elimination; None if it is singular."""
    n = len(rows)
    for k in range(n):
        pivot = next((i for i in range(k, n) if rows[i][k] != 0), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for i in range(n):
            if i != k:
                factor = rows[i][k] / rows[k][k]
                rows[i] = [x - factor * y for x, y in zip(rows[i], rows[k], strict=True)]
    return [row[n] / row[k] for k, row in enumerate(rows)]


def exact_norm(problem):
    """Return the smallest l1 norm as a Fraction: the best one of all vertices, no tolerance."""
    A, b = problem.network_matrix, problem.b
    norms = []
    for basis in combinations(range(A.shape[1]), len(A)):
        rows = [
            [*map(Fraction, row[list(basis)]), Fraction(y)] for row, y in zip(A, b, strict=True)
        ]
        x = exact_solution(rows)
        if x is not None and min(x) >= 0:
            norms.append(sum(x))
    return min(norms)


def scaled_problem(rng, row_decades, column_decades, signed=False, unit=0.0):
    """Draw a small problem whose rows and columns have sizes of many orders of magnitude.

    Its signal has as many entries as there are rows, so that the rounding of ``b`` moves the exact
    norm by rounding: with fewer it could take the last nonnegative solution away.
    """
    M, N = (2, 4) if signed else (3, 6)
    A = rng.standard_normal((M, N)) * 10 ** rng.uniform(-row_decades, row_decades, (M, 1))
    A *= 10 ** rng.uniform(-column_decades, column_decades, N) * 10.0**unit
    signal = np.zeros(N)
    signal[rng.choice(N, M, replace=False)] = rng.uniform(1, 2, M)
    return wn.Problem(A, A @ signal, signed=signed)


def check_certificate(found):
    """Check what a certified answer claims, in exact arithmetic."""
    assert found.status is wn.Status.CONVERGED
    assert found.message == ""
    Q = exact_norm(found.problem)
    assert abs(Fraction(found.norm) - Q) <= Fraction(CERTIFIED) * Q
    dual = [Fraction(y) for y in found.dual]
    for column in found.problem.network_matrix.T:
        terms = [Fraction(a) * y for a, y in zip(column, dual, strict=True)]
        assert sum(terms) <= 1 + Fraction(CERTIFIED)
    reached = sum(Fraction(a) * y for a, y in zip(found.problem.b, dual, strict=True))
    assert abs(reached - Q) <= Fraction(CERTIFIED) * Q
    if not found.problem.signed:
        assert (found.z >= 0).all()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    decades=st.integers(0, 8),
    signed=st.booleans(),
    unit=st.sampled_from([0, -100, 100]),
)
def test_badly_scaled_rows_are_certified(seed, decades, signed, unit):
    """With rows of 1e-8 to 1e8 it had gaps of 2e-2, and called every tenth problem infeasible."""
    rng = np.random.default_rng(seed)
    check_certificate(wn.min_l1(scaled_problem(rng, decades, 0, signed, unit)))


@pytest.mark.parametrize("row_decades", [0, 8])
@pytest.mark.parametrize("column_decades", [4, 8])
def test_badly_scaled_columns_are_certified_or_called_unfinished(row_decades, column_decades):
    """There multipliers may exceed what floats resolve: of 60, 0, 1, 12 and 12 unfinished."""
    unfinished = 0
    for seed in range(60):
        rng = np.random.default_rng([seed, row_decades, column_decades])
        found = wn.min_l1(scaled_problem(rng, row_decades, column_decades, bool(seed % 2)))
        if found.status is wn.Status.UNFINISHED:
            assert max(abs(found.gap), found.gap_error, 1e6 * found.backward_error) > CERTIFIED
            unfinished += 1
        else:
            check_certificate(found)
    assert unfinished <= (2 if column_decades == 4 else 15)


def test_what_is_not_certified_says_so():
    problem = wn.sparse_problem(5, 12, 2, seed=1)
    good = wn.min_l1(problem)
    assert repr(good).startswith("<MinL1: converged, norm ")
    worse = MinL1(problem, good.z, 0.9 * good.dual)
    assert worse.status is wn.Status.UNFINISHED
    assert "gap 1e-01 (error " in worse.message
    assert repr(worse).startswith("<MinL1: unfinished, norm ")
    off = MinL1(problem, 1.001 * good.z, good.dual / 1.001)
    assert off.backward_error == pytest.approx(0.001 / 2.001, rel=1e-6)
    assert off.status is wn.Status.UNFINISHED
    assert MinL1(problem, np.full(12, np.nan), good.dual).status is wn.Status.UNFINISHED


def test_a_small_row_counts_as_much_as_a_large_one():
    """The residual does not see the second row; the backward error does."""
    problem = wn.Problem([[1.0, 0.0], [0.0, 1e-12]], [1.0, 1e-12])
    missed = MinL1(problem, [1.0, 0.0], [1.0, 0.0])
    assert missed.residual < 1e-11
    assert missed.backward_error == 1
    np.testing.assert_allclose(wn.min_l1(problem).z, [1.0, 1.0], rtol=1e-12)


@pytest.mark.parametrize(
    ("A", "b", "signed", "words"),
    [
        ([[1e-9, 0.0], [0.0, 1.0]], [-1e-9, 1.0], False, "with z >= 0 is not feasible.*7.3e-01"),
        ([[1e9, 0.0], [1e9, 0.0], [0.0, 1e-9]], [1e9, 2e9, 0.0], True, "away from the range of A"),
    ],
)
def test_no_solution_is_an_error_at_every_scale(A, b, signed, words):
    with pytest.raises(ValueError, match=words):
        wn.min_l1(wn.Problem(A, b, signed=signed))


def test_a_solver_that_fails_is_followed_by_the_other(monkeypatch):
    problem, solve = wn.sparse_problem(5, 12, 2, seed=1), linear_program.linprog
    methods = []

    class GivesUp:
        status, message = 4, "numerical difficulties"

    def fails_first(*args, method, **kwargs):
        methods.append(method)
        return GivesUp if method == "highs" else solve(*args, method=method, **kwargs)

    monkeypatch.setattr(linear_program, "linprog", fails_first)
    assert wn.min_l1(problem).status is wn.Status.CONVERGED
    assert methods[:2] == ["highs", "highs-ipm"]


def test_a_solver_that_cycles_is_stopped():
    """The interior point method's crossover goes on for ever in the third round."""
    rows = [
        "11001011011",
        "00010110111",
        "11010000011",
        "10001011111",
        "10101010110",
    ]
    b = [
        -1.3729030635007935,
        -1.5117429474923412,
        -2.603060895301461,
        -1.3729030268925748,
        -1.372903056444144,
    ]
    problem = wn.Problem([[float(entry) for entry in row] for row in rows], b, signed=True)
    found = wn.min_l1(problem)
    assert found.gap < 1e-6
