"""The smallest l1 norm: against exact arithmetic, whatever the scales of rows and columns."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wnlib as wn
from wnlib.l1 import linear_program
from wnlib.l1.certificates import CERTIFIED, fuchs_certificate
from wnlib.l1.linear_program import MinL1, shortest
from wnlib.l1.recovery import crossing, recovery_edge, statistical_dimension


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


def random_problem(seed, signed=False, noise=0.0):
    """Draw a problem with a unique minimizer, of any size from 2 x 5 to 12 x 35."""
    rng = np.random.default_rng(seed)
    M = int(rng.integers(2, 13))
    N = int(rng.integers(2 * M + 1, 3 * M))
    sparsity = int(rng.integers(1, M + 1))
    return wn.sparse_problem(M, N, sparsity, seed=rng, signed=signed, noise=noise)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), signed=st.booleans())
def test_the_strictest_certificate_proves_that_there_is_no_other_minimizer(seed, signed):
    """What it proves is seen in the solutions of all other prices: none is as short."""
    problem = random_problem(seed, signed)
    found = wn.min_l1(problem)
    strict = found.strictest()
    assert strict.status is wn.Status.CONVERGED
    np.testing.assert_array_equal(strict.z, found.z)
    slope = problem.A.T @ strict.dual
    np.testing.assert_allclose(slope[found.support], np.sign(found.z[found.support]), atol=1e-9)
    assert strict.margin >= found.margin - 1e-9
    assert 1e-9 < strict.margin <= 1
    prices = np.random.default_rng(seed).uniform(0.5, 1.5, problem.n_weights)
    other = problem.readout(shortest(problem, prices))
    moved = np.abs(other - found.z).sum()
    assert np.abs(other).sum() >= found.norm * (1 - 1e-9)
    if moved > 1e-6 * found.norm:
        assert np.abs(other).sum() > found.norm


@pytest.mark.parametrize("unit", [1e-100, 1.0, 1e100])
def test_the_strictest_certificate_knows_no_units(unit):
    problem = wn.sparse_problem(12, 30, 3, seed=1)
    strict = wn.min_l1(wn.Problem(unit * problem.A, unit * problem.b)).strictest()
    assert strict.status is wn.Status.CONVERGED
    assert strict.margin == pytest.approx(wn.min_l1(problem).strictest().margin, rel=1e-6)


@pytest.mark.parametrize(
    ("A", "z", "dual", "signed", "margin"),
    [
        ([[1.0, 0.5]], [1.0, 0.0], [1.0], False, 0.5),
        ([[1.0, -0.75]], [1.0, 0.0], [1.0], True, 0.25),
        ([[1.0, -0.75]], [1.0, 0.0], [1.0], False, np.sqrt(1 / (1 + 0.75**2))),  # |a_1| over |A|
        ([[1.0, 1.0]], [1.0, 0.0], [1.0], False, 0.0),  # (0, 1) is as short
        ([[1.0, 1.0]], [0.5, 0.5], [1.0], False, 0.0),  # two columns of one row are dependent
        ([[1.0, 1.0]], [0.0, 0.0], [0.0], False, 1.0),
        ([[1.0, 2.0]], [1.0, 0.0], [1.0], False, -1.0),  # no certificate at all
    ],
)
def test_the_margin_is_the_smaller_of_two(A, z, dual, signed, margin):
    problem = wn.Problem(A, np.array(A) @ z, signed=signed)
    assert MinL1(problem, z, dual).margin == pytest.approx(margin, abs=1e-15)


def test_no_certificate_is_stricter_where_there_is_none():
    wrong = MinL1(wn.Problem([[1.0, 2.0]], [1.0]), [0.5, 0.25], [0.5])
    assert wrong.strictest() is wrong
    assert wn.min_l1(wn.Problem([[1.0, 1.0]], [1.0])).strictest().margin < 1e-9


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), signed=st.booleans())
def test_the_certificate_of_fuchs_is_the_sign_on_the_support(seed, signed):
    """And where it proves that the signal is the only minimizer, linear programming agrees."""
    problem = random_problem(seed, signed)
    y, on = fuchs_certificate(problem), problem.signal != 0
    np.testing.assert_allclose((problem.A.T @ y)[on], np.sign(problem.signal[on]), atol=1e-8)
    columns = problem.A[:, on]
    normal = np.linalg.solve(columns.T @ columns, np.sign(problem.signal[on]))
    np.testing.assert_allclose(y, columns @ normal, atol=1e-6 * np.linalg.norm(y))
    proof = MinL1(problem, problem.signal, y)
    if proof.margin > 1e-6:
        assert proof.status is wn.Status.CONVERGED
        assert problem.error(wn.min_l1(problem).z) < 1e-6
        assert wn.min_l1(problem).strictest().margin >= proof.margin - 1e-6


def test_the_certificate_of_fuchs_of_a_zero_signal_is_zero():
    problem = wn.Problem([[1.0, 2.0]], [0.0], [0.0, 0.0])
    np.testing.assert_array_equal(fuchs_certificate(problem), [0.0])


@pytest.mark.parametrize(
    ("problem", "error", "words"),
    [
        (wn.Problem([[1.0, 2.0]], [1.0]), ValueError, "has no signal"),
        (wn.Problem([[1.0, 2.0]], [3.0], [1.0, 1.0]), ValueError, "2 columns .* dependent, .* 1"),
        (np.eye(2), TypeError, "must be a Problem"),
    ],
)
def test_no_certificate_of_fuchs_without_independent_columns(problem, error, words):
    with pytest.raises(error, match=words):
        fuchs_certificate(problem)


@pytest.mark.parametrize("signed", [False, True])
def test_excess_is_that_of_the_norm_also_where_it_cancels(signed):
    """On the way to another solution it grows in proportion, from 1e-13 on."""
    problem = random_problem(3, signed)
    best = wn.min_l1(problem)
    other = wn.limit(wn.PlainFlow(2), problem, np.ones(problem.n_weights)).stacked
    z = problem.split(best.z)
    excess = best.excess(other)
    assert excess == pytest.approx(other.sum() / best.norm - 1, rel=1e-6) and excess > 1e-3
    shares = np.array([1e-13, 1e-7, 0.5])
    way = z + shares[:, None] * (other - z)
    np.testing.assert_allclose(best.excess(way) - best.excess(z), shares * excess, atol=1e-15)
    assert best.excess(z) < 1e-15
    single = problem.split(problem.readout(way[2]))
    assert best.excess(problem.readout(way[2])) == pytest.approx(single.sum() / best.norm - 1)


def test_mistakes_of_excess_are_named():
    best = wn.min_l1(wn.Problem([[1.0, 2.0]], [1.0], signed=True))
    with pytest.raises(ValueError, match="z must not have a negative entry"):
        best.excess([1.0, -1.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="z must have shape"):
        best.excess([1.0, 0.0, 0.0])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), signed=st.booleans())
def test_shortest_has_the_least_price_of_all_solutions(seed, signed):
    """Another price makes another solution; at the first price it is no cheaper."""
    problem = random_problem(seed, signed)
    prices = np.random.default_rng(seed).uniform(0.1, 2, (2, problem.n_weights))
    z, other = (shortest(problem, price) for price in prices)
    assert (z >= 0).all()
    np.testing.assert_allclose(problem.network_matrix @ z, problem.b, atol=1e-8)
    assert prices[0] @ z <= prices[0] @ other * (1 + 1e-9)
    np.testing.assert_allclose(shortest(problem, 7 * prices[0]), z, atol=1e-7)
    even = shortest(problem, np.full(problem.n_weights, 2.0))
    assert even.sum() == pytest.approx(wn.min_l1(problem).norm, rel=1e-9)


@pytest.mark.parametrize(
    ("problem", "weights", "error", "words"),
    [
        (wn.Problem([[1.0, 1.0]], [1.0]), [1.0, 0.0], ValueError, "must be positive"),
        (wn.Problem([[1.0, 1.0]], [1.0]), [1.0], ValueError, "must be 2, one for each"),
        (wn.Problem([[1.0, 1.0]], [1.0], signed=True), [1.0, 1.0], ValueError, "must be 4"),
        (wn.Problem([[1.0, 1.0]], [1.0]), None, TypeError, "weights must be an array"),
        (wn.Problem([[1.0, 1.0]], [-1.0]), [1.0, 1.0], ValueError, "not feasible"),
        ([[1.0, 1.0]], [1.0, 1.0], TypeError, "must be a Problem"),
    ],
)
def test_mistakes_of_shortest_are_named(problem, weights, error, words):
    with pytest.raises(error, match=words):
        shortest(problem, weights)


@pytest.mark.parametrize("signed", [False, True])
def test_the_statistical_dimension_rises_to_the_number_of_features(signed):
    found = [statistical_dimension(s, 50, signed=signed) for s in np.linspace(0, 50, 11)]
    assert found[0] == pytest.approx(0, abs=1e-9)
    assert found[-1] == pytest.approx(50)
    assert (np.diff(found) > 0).all()
    assert statistical_dimension(5, 50, signed=True) >= statistical_dimension(5, 50)


def test_the_statistical_dimension_is_the_formula_of_the_book():
    """Against the expectation as an integral, on a grid of tau."""
    s, N, g = 6, 40, np.linspace(-8, 8, 20001)
    density = np.exp(-(g**2) / 2) / np.sqrt(2 * np.pi)
    for signed, size in (False, g), (True, np.abs(g)):
        values = [
            s * (1 + tau**2) + (N - s) * np.trapezoid(np.maximum(size - tau, 0) ** 2 * density, g)
            for tau in np.linspace(0, 4, 401)
        ]
        assert statistical_dimension(s, N, signed=signed) == pytest.approx(min(values), rel=1e-4)


def test_the_edge_of_recovery_is_where_the_measurements_suffice():
    edge = recovery_edge(40, 100)
    assert statistical_dimension(edge, 100) == pytest.approx(40)
    assert recovery_edge(40, 100, signed=True) < edge
    assert recovery_edge(100, 100) == recovery_edge(120, 100) == 100


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((5, 4), ValueError, "sparsity must be at most n_features=4"),
        ((-1, 4), ValueError, "sparsity must be nonnegative"),
        ((1, 4.0), TypeError, "n_features must be an integer"),
    ],
)
def test_mistakes_of_the_statistical_dimension_are_named(arguments, error, words):
    with pytest.raises(error, match=words):
        statistical_dimension(*arguments)


@pytest.mark.parametrize(
    ("y", "x"),
    [([1.0, 0.75, 0.25, 0.0], 1.5), ([1.0, 0.2, 0.6, 0.4], 2.5), ([0.2, 0.1, 0.0, 0.0], None)],
)
def test_a_crossing_is_the_last_fall_below_the_level(y, x):
    assert crossing(range(4), y) == pytest.approx(np.nan if x is None else x, nan_ok=True)


@pytest.mark.parametrize("signed", [False, True])
def test_slack_is_that_of_the_only_certificate(signed):
    """On z_1 + z_2 / 2 = 1 it has the slope 1/2 off the support; with -1 / 2, only if signed."""
    found = wn.min_l1(wn.Problem([[1.0, 0.5]], [1.0], signed=signed)).strictest()
    assert found.slack == pytest.approx(0.5)
    opposed = wn.min_l1(wn.Problem([[1.0, -0.5]], [1.0], signed=signed)).strictest()
    assert opposed.slack == pytest.approx(0.5 if signed else 1.0)
    assert found.margin == min(found.slack, 1 / np.hypot(1, 0.5))
