"""The exact limits: against optimality conditions, each other, the linear program; and refusals."""

import numpy as np
import pytest
from helpers import random_instance
from hypothesis import given, settings
from hypothesis import strategies as st

import wnlib as wn
from wnlib.claims.instances import KINDS, random_problem
from wnlib.l1 import linear_program
from wnlib.roads import _plain_limits, _stalling
from wnlib.roads import limit as road
from wnlib.theory import invariants

DEPTHS = [2, 2.2, 2.5, 3, 4, 6]


def optimality(flow, problem, x0, limit):
    """Share of psi(kappa^L x^L)'s way from the start to the limit that lies in the kernel of A."""
    moved = np.diff(invariants.mirror(flow, np.array([x0, limit.weights])), axis=0)
    return np.linalg.norm(invariants.kernel_part(problem, moved)) / np.linalg.norm(moved)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("ratio", [None, 3.0, 0.3])
@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(KINDS), signed=st.booleans())
def test_limit_is_feasible_and_optimal(depth, ratio, seed, kind, signed):
    """The two conditions that single out the limit, by Theorems 2.1 and 2.2."""
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, kind, signed=signed)
    x0 = 0.3 * np.exp(rng.uniform(-0.5, 0.5, problem.n_weights))
    flow = wn.PlainFlow(depth) if ratio is None else wn.WeightNormFlow(depth, ratio)
    limit = wn.limit(flow, problem, x0)
    if limit.status == wn.Status.STALLED:
        assert ratio is not None
        return
    assert limit.status == wn.Status.CONVERGED
    assert limit.residual <= 1e-12
    # Of entries that have vanished no more is known than that: nothing is left to check there.
    if limit.stacked.min() > 1e-12 * limit.stacked.max():
        assert optimality(flow, problem, x0, limit) < 1e-7


def test_other_flows_are_not_optimal():
    """The false twin of the test above: another depth, another ratio, no normalization."""
    problem = wn.sparse_problem(4, 8, 2, 0, signed=True)
    x0 = wn.initial_weights(problem, 0.5, 0)
    limit = wn.limit(wn.WeightNormFlow(2, 1.0), problem, x0)
    assert optimality(limit.flow, problem, x0, limit) < 1e-12
    for other in (wn.WeightNormFlow(3, 1.0), wn.WeightNormFlow(2, 1.2), wn.PlainFlow(2)):
        assert optimality(other, problem, x0, limit) > 1e-2


@pytest.mark.parametrize("depth", [2, 2.5, 3, 6])
@pytest.mark.parametrize("scale", [1e-100, 1e-6, 0.1, 3.0])
def test_extreme_scales(depth, scale):
    problem = wn.sparse_problem(40, 100, 5, 1)
    x0 = wn.initial_weights(problem, scale ** (2 / depth), 2, shape="constant")
    limit = wn.limit(wn.PlainFlow(depth), problem, x0)
    assert limit.status == wn.Status.CONVERGED
    if scale < 1e-50:
        np.testing.assert_allclose(
            limit.effective, problem.signal, atol=1e-10 if depth > 2 else 0.02
        )


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("depth", [2, 2.5, 3])
def test_small_ratio_gives_the_linear_program(depth, signed):
    """Uniform starts, unique minimizer: the flow is as good as HiGHS."""
    problem = wn.sparse_problem(40, 100, 5, 3, signed=signed)
    x0 = wn.initial_weights(problem, 0.05, 2, shape="constant")
    limit = wn.limit(wn.WeightNormFlow(depth, 0.03), problem, x0)
    np.testing.assert_allclose(limit.effective, wn.min_l1(problem).z, atol=1e-9)
    assert limit.log_rho > 100


def test_large_start_is_not_sparse():
    """Beyond r0^2 = Q weight normalization keeps the radius, not the sparsity."""
    problem = wn.sparse_problem(40, 100, 5, 1)
    Q = wn.min_l1(problem).norm
    x0 = wn.initial_weights(problem, 1.0, 2)
    limit = wn.limit(wn.WeightNormFlow(2, 0.01), problem, x0 * np.sqrt(2 * Q / (x0 @ x0)))
    assert limit.radius**2 == pytest.approx(2 * Q, rel=0.02)
    assert problem.error(limit.effective) > 0.5


def test_batch_equals_one_by_one():
    problem = wn.sparse_problem(6, 15, 2, 0)
    x0 = wn.initial_weights(problem, 0.2, 1, starts=3)
    flow = wn.WeightNormFlow(2, 0.5)
    batch = wn.limit(flow, problem, x0)
    for k in range(3):
        one = wn.limit(flow, problem, x0[k])
        assert batch.effective[k] == pytest.approx(one.effective, rel=1e-9)
        assert batch.status[k] is one.status
        assert batch.log_rho[k] == pytest.approx(one.log_rho, rel=1e-9)


def test_log_rho_is_that_of_the_radii():
    rng = np.random.default_rng(5)
    for _ in range(10):
        drawn = random_instance(rng, weight_norm=True)
        if drawn.limit.status is wn.Status.CONVERGED:
            of_radii = invariants.log_rho(drawn.flow, drawn.x0, drawn.limit.weights)
            assert drawn.limit.log_rho == pytest.approx(of_radii, rel=1e-9, abs=1e-9)


def test_dependent_rows_change_nothing():
    problem = wn.sparse_problem(5, 12, 2, 0)
    doubled = wn.Problem(np.vstack([problem.A, 2 * problem.A]), np.append(problem.b, 2 * problem.b))
    x0 = wn.initial_weights(problem, 0.2, 1)
    for flow in (wn.PlainFlow(3), wn.WeightNormFlow(2, 0.5)):
        one, two = wn.limit(flow, problem, x0), wn.limit(flow, doubled, x0)
        np.testing.assert_allclose(one.effective, two.effective, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("signed", [False, True])
def test_min_l1_is_certified(signed):
    problem = wn.sparse_problem(20, 50, 3, 1, signed=signed)
    solution = wn.min_l1(problem)
    assert abs(solution.gap) < 1e-9
    assert (problem.network_matrix.T @ solution.dual).max() <= 1 + 1e-12
    np.testing.assert_allclose(solution.z, problem.signal, atol=1e-9)


@pytest.mark.parametrize(("unit_A", "unit_b"), [(1, 1e-9), (1e-12, 1), (1e20, 1e40)])
def test_min_l1_in_any_units(unit_A, unit_b):
    """HiGHS's tolerances are absolute: unaided it takes 1e-9 b for zero."""
    problem = wn.sparse_problem(20, 50, 3, 1)
    solution = wn.min_l1(wn.Problem(unit_A * problem.A, unit_b * problem.b))
    np.testing.assert_allclose(solution.z * (unit_A / unit_b), problem.signal, atol=1e-9)
    assert abs(solution.gap) < 1e-9
    assert not solution.z.flags.writeable


def test_zero_measurements():
    problem = wn.Problem([[1.0, 2.0]], [0.0])
    assert not wn.min_l1(problem).z.any()
    limit = wn.limit(wn.PlainFlow(2), problem, [[1.0, 1.0], [2.0, 2.0]])
    assert not limit.effective.any()
    assert limit.residual.shape == (2,)
    assert (limit.status == wn.Status.CONVERGED).all()


@pytest.mark.parametrize("flow", [wn.PlainFlow(3), wn.WeightNormFlow(2, 1.0)])
def test_zero_measurements_with_a_nonnegative_kernel(flow):
    """Zero is the sparsest solution, but not where the flow ends: nothing is called converged."""
    problem, x0 = wn.Problem([[1.0, -1.0]], [0.0]), np.array([1.0, 2.0])
    limit = wn.limit(flow, problem, x0)
    assert limit.status is wn.Status.UNFINISHED and "b = 0" in limit.message
    assert wn.integrate(flow, problem, x0, 50.0).weights.min() > 0.5


@pytest.mark.parametrize(
    "call",
    [
        wn.min_l1,
        lambda problem: wn.limit(wn.PlainFlow(2), problem, [1.0, 1.0]),
        lambda problem: wn.limit(wn.PlainFlow(3), problem, [1.0, 1.0]),
        lambda problem: wn.limit(wn.WeightNormFlow(2, 1.0), problem, [1.0, 1.0]),
    ],
)
def test_infeasible(call):
    words = r"z >= 0 is not feasible: the nearest A z misses b by 1.0e\+00 .* pass signed=True"
    with pytest.raises(ValueError, match=words):
        call(wn.Problem([[1.0, 1.0]], [-1.0]))


def test_outside_the_range():
    problem = wn.Problem([[1.0, 1.0], [1.0, 1.0]], [1.0, 2.0])
    with pytest.raises(
        ValueError, match=r"not feasible: b is .* away from the range of A, which has rank 1"
    ):
        wn.limit(wn.PlainFlow(2), problem, [1.0, 1.0])


@pytest.mark.parametrize("squared_radius", [1e-3, 1e-7])
def test_boundary_of_stalling(squared_radius):
    """From tiny starts: r0^2 + ratio min_tau log sum v0^2 exp(2 tau A^T b) = 0 (depth 2)."""
    problem = wn.sparse_problem(6, 12, 2, 5, signed=True)
    pull = problem.network_matrix.T @ problem.b
    v = np.where(pull < 0, 1.0, 0.3)
    v /= np.linalg.norm(v)
    taus = np.linspace(0, 2, 20_001)
    dip = np.log(np.exp(2 * np.outer(taus, pull)) @ v**2).min()
    flow = wn.WeightNormFlow(2, squared_radius / -dip)
    assert wn.stalls(flow, problem, np.sqrt(0.99 * squared_radius) * v)
    assert not wn.stalls(flow, problem, np.sqrt(1.01 * squared_radius) * v)


@pytest.mark.parametrize(
    ("flow", "x0"),
    [
        (wn.PlainFlow(3), 1e-12 * np.array([1, 1 + 1e-9])),
        (wn.WeightNormFlow(3, 0.02), 0.1 * np.array([1, 1 + 1e-9])),
    ],
)
def test_near_ties_are_followed_to_the_end(flow, x0):
    """A tiny head start decides at a tiny scale: the limit is a corner, not the middle."""
    problem = wn.Problem([[1.0, 1.0]], [1.0])
    limit = wn.limit(flow, problem, x0)
    assert limit.effective[1] > 0.99
    run = wn.integrate(flow, problem, x0, 1e60, residual_tol=1e-10, rtol=1e-8)
    np.testing.assert_allclose(limit.effective, run.effective, rtol=1e-5)


@pytest.mark.parametrize("depth", [2, 3])
def test_small_entries_are_not_dropped(depth):
    A = np.zeros((4, 5))
    A[0, :2] = A[1, 2] = A[2, 3] = A[3, 4] = 1
    limit = wn.limit(wn.PlainFlow(depth), wn.Problem(A, [1, 5e-8, 5e-8, 5e-8]), np.ones(5))
    assert limit.status is wn.Status.CONVERGED
    np.testing.assert_allclose(limit.effective, [0.5, 0.5, 5e-8, 5e-8, 5e-8], rtol=1e-5)


@pytest.mark.parametrize(("depth", "seed"), [(3, 41), (4, 86), (6, 35), (10, 100)])
def test_large_starts_converge_to_rounding(depth, seed):
    """The limit is up to 1e8 times as large as b: its own rounding is all that is left of A z - b.

    For three of the four no float does better: their residual exceeds 1e-12, the false twin.
    """
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, "gaussian", signed=True)
    x0 = 3 * np.exp(rng.uniform(-1, 1, problem.n_weights))
    limit = wn.limit(wn.PlainFlow(depth), problem, x0)
    assert limit.status is wn.Status.CONVERGED
    assert limit.residual < 4 * depth * np.finfo(float).eps * problem.n_weights * (
        np.linalg.norm(limit.stacked) * np.abs(problem.A).max() / np.linalg.norm(problem.b)
    )
    assert optimality(limit.flow, problem, x0, limit) < 1e-7


# Within the budget this converges; after two steps nobody can know.
UNDECIDED = wn.WeightNormFlow(2, 1.0), wn.Problem([[2.0, -1.0, -2.0]], [2.0]), [0.25, 0.75, 0.25]


def test_undecided_stalls_are_named(monkeypatch):
    decided = wn.limit(*UNDECIDED)
    assert decided.status is wn.Status.CONVERGED and decided.message == ""
    assert not wn.stalls(*UNDECIDED)
    with pytest.raises(RuntimeError, match="stalls is undecided: 2 integration steps"):
        wn.stalls(*UNDECIDED, max_steps=2)
    monkeypatch.setattr(_stalling, "MAX_STEPS", 2)
    undecided = wn.limit(*UNDECIDED)
    assert undecided.status is wn.Status.UNFINISHED
    assert undecided.message.startswith("whether the flow stalls is undecided")
    np.testing.assert_array_equal(undecided.weights, decided.weights)


def test_stall_of_a_tiny_start_is_seen_below_rounding():
    """A x^L is 1e-40 of b here: only its sign, not |A x^L - b|, tells shrinking from growing."""
    problem = wn.Problem([[1.0, -1.0]], [1.0])
    flow = wn.WeightNormFlow(2, 10.0)
    assert wn.stalls(flow, problem, 1e-20 * np.array([0.1, 0.4]))
    assert not wn.stalls(flow, problem, 1e-20 * np.array([0.4, 0.1]))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("flow", [wn.PlainFlow(50), wn.WeightNormFlow(50, 0.5)])
def test_large_depth(flow, signed):
    problem = wn.sparse_problem(5, 12, 2, 1, signed=signed)
    x0 = wn.initial_weights(problem, 0.3, 2)
    limit = wn.limit(flow, problem, x0)
    assert limit.status is wn.Status.CONVERGED
    if limit.stacked.min() > 1e-12 * limit.stacked.max():
        assert optimality(flow, problem, x0, limit) < 1e-7


def test_failure_of_the_linear_program_is_no_verdict_of_limit(monkeypatch):
    """HiGHS giving up is an error of min_l1; a limit that did not converge keeps its status."""

    class GivesUp:
        status, message = 4, "numerical difficulties"

    monkeypatch.setattr(linear_program, "linprog", lambda *_, **__: GivesUp)
    monkeypatch.setattr(_stalling, "MAX_STEPS", 2)
    with pytest.raises(RuntimeError, match="the linear program failed: numerical difficulties"):
        wn.min_l1(UNDECIDED[1])
    assert wn.limit(*UNDECIDED).status is wn.Status.UNFINISHED


def test_stuck_is_never_called_converged(monkeypatch):
    """On the way to its end the path of plain limits has small residuals everywhere."""
    problem = wn.sparse_problem(10, 30, 3, seed=1)
    x0 = wn.initial_weights(problem, 1e-3, seed=0)
    monkeypatch.setattr(road, "_by_multipliers", lambda *_: None)
    monkeypatch.setattr(_plain_limits, "MAX_STEPS", 5)
    result = wn.limit(wn.PlainFlow(2), problem, x0)
    assert problem.error(result.effective) > 0.1
    assert result.status == wn.Status.UNFINISHED
    assert result.message == "the path is too long"
    assert np.isnan(result.gap)


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("seed", [3, 4, 5])
def test_weights_too_small_for_floats_come_back(depth, seed):
    """From a start a thousand times as long as the solution, log rho is below -900."""
    problem = wn.sparse_problem(6, 9, 2, seed)
    x0 = wn.initial_weights(problem, 10.0, seed=0)
    result = wn.limit(wn.WeightNormFlow(depth, 1.0), problem, x0)
    assert result.status == wn.Status.CONVERGED and result.log_rho < -900


@pytest.mark.parametrize(
    ("flow", "A", "b", "x0"),
    [
        (wn.PlainFlow(2), [[1.0, -1.0]], [1e-100], [1e110, 1e110]),
        (wn.PlainFlow(100), [[1.0, -1.0]], [1e-20], [1e3, 1e3]),
        (wn.PlainFlow(2), [[1.0, 0.0]], [1e-100], [1.0, 1e110]),
        (
            wn.WeightNormFlow(100, 0.1),
            [[0.0, -2e-4, -1e3, 0.01]],
            [-3e-28],
            [9e-5, 3e-8, 2e-7, 7e-8],
        ),
    ],
)
def test_a_limit_out_of_the_floats_is_named_or_found(flow, A, b, x0):
    """In units of b the limit is e^{700} and more."""
    end = wn.limit(flow, wn.Problem(A, b), x0)
    assert np.isfinite(end.weights).all()
    assert (end.status is wn.Status.CONVERGED) == (end.message == "")


def test_a_flat_equation_of_the_magnification_is_left_for_a_radius_that_is_a_float():
    """Nearly even and large: Newton's method jumps to s = -3000, where |x| overflows."""
    problem = wn.Problem([[1.0, 2.0], [-1.0, 1.0]], [2e-8, 1e-8], signed=True)
    x0 = 6.0 * np.array([1.0, 1.001, 1.002, 1.003])
    end = wn.limit(wn.WeightNormFlow(4, 1e6), problem, x0)
    assert np.isfinite(end.weights).all() and np.isfinite(end.log_rho)


@pytest.mark.parametrize("b", [[0.0, 1.0], [1.0, 2.0]])
def test_the_rank_does_not_hang_on_the_units_of_columns(b):
    """Two independent columns, one 1e16 times as long as the other."""
    problem = wn.Problem([[1e16, 0.0], [1e16, 1.0]], b)
    end = wn.limit(wn.PlainFlow(2), problem, [0.1, 0.1])
    assert end.status == wn.Status.CONVERGED
    assert end.effective == pytest.approx([b[0] / 1e16, b[1] - b[0]], rel=1e-12)


@pytest.mark.parametrize("depth", [2.0005, 2.002, 2.01])
def test_depths_near_two(depth):
    """There rounding is magnified by 1/gamma, and Newton steps gain a little for ever."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        problem = random_problem(rng, "gaussian")
        x0 = 0.5 * np.exp(rng.uniform(-0.5, 0.5, problem.n_weights))
        end = wn.limit(wn.WeightNormFlow(depth, 1.0), problem, x0)
        assert end.status in (wn.Status.CONVERGED, wn.Status.STALLED), end.message
