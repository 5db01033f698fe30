"""What is conserved is constant, what is not is seen to move, and each formula has a false twin."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import weights_velocity
from hypothesis import given, settings
from hypothesis import strategies as st

import wnlib as wn
from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.theory import invariants
from wnlib.theory.polar import polar_velocity

DEPTHS = [2, 2.5, 3, 4]
N = 5
steady = settings(deadline=None, derandomize=True, max_examples=50)
depths = st.floats(2, 5)
ratios = st.floats(0.01, 10)
positives = st.floats(0.1, 2)
weights = st.lists(positives, min_size=N, max_size=N).map(np.array)
problems = st.integers(0, 999).map(lambda seed: wn.sparse_problem(3, N, 2, seed))


def gradient(problem, x, depth):
    """Return the theory's h = A^T e."""
    return problem.A.T @ (problem.A @ x**depth - problem.b)


def stacked_velocity(flow, problem, x):
    """d/dt x^L through the velocities of the trained weights, and x' itself."""
    dx = weights_velocity(flow, problem, x)
    return flow.depth * x ** (flow.depth - 1) * dx, dx


def run(flow, signed=False, seed=3, **options):
    problem = wn.sparse_problem(4, 8, 2, seed, signed=signed)
    x0 = wn.initial_weights(problem, 0.4, seed)
    return wn.integrate(flow, problem, x0, **{"t_end": 20.0, **options})


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("ratio", [None, 0.3, 5.0])
@pytest.mark.parametrize("depth", DEPTHS)
def test_invariant_is_constant_and_its_twins_are_not(depth, ratio, signed):
    """The weights form knows nothing of mirror maps; measured at most 5e-11."""
    flow = PlainFlow(depth) if ratio is None else WeightNormFlow(depth, ratio)
    trajectory = run(flow, signed, form="weights", rtol=1e-10)
    assert invariants.drift(trajectory) < 1e-9
    wrong_power = replace(flow, depth=depth + 0.3)
    wrong_kappa = WeightNormFlow(depth, 1.0) if ratio is None else PlainFlow(depth)
    for twin in (wrong_power, wrong_kappa):
        assert invariants.drift(replace(trajectory, flow=twin)) > 0.02


def test_invariant_lies_in_the_kernel_also_of_a_rank_deficient_matrix():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(4, 2)) @ rng.normal(size=(2, 6))
    problem = wn.Problem(A, A @ rng.uniform(1, 2, 6))
    trajectory = wn.integrate(PlainFlow(3), problem, np.full(6, 0.5), 10.0, form="weights")
    value = invariants.invariant(trajectory.flow, problem, trajectory.path)
    np.testing.assert_allclose(problem.A @ value.T, 0, atol=1e-14)
    np.testing.assert_allclose(value, value[:1].repeat(len(value), 0), atol=1e-7)
    # the kernel has dimension 4: a vector of it is kept, one orthogonal to it is lost
    kernel = np.linalg.svd(A)[2][2:]
    np.testing.assert_allclose(invariants.kernel_part(problem, kernel), kernel, atol=1e-14)
    np.testing.assert_allclose(invariants.kernel_part(problem, A), 0, atol=1e-13)


def test_invariant_survives_kappa_beyond_the_range_of_floats():
    """Here psi, in its own unit, is about e^-1000 at all times: 0 in floating point."""
    trajectory = run(WeightNormFlow(4, 0.001), t_end=100)
    assert 2 * invariants.log_kappa(trajectory.flow, trajectory.radius_path).min() > 1000
    mirror = invariants.mirror(trajectory.flow, trajectory.path)
    assert np.isfinite(mirror).all() and mirror.min() == -1
    assert invariants.drift(trajectory) < 1e-9
    twin = replace(trajectory, flow=WeightNormFlow(4, 0.0015))
    assert invariants.drift(twin) > 0.02


def test_drift_of_a_batch_is_that_of_each_start():
    runs = [run(PlainFlow(3), form="weights", seed=seed) for seed in (1, 2)]
    both = replace(runs[0], path=np.stack([each.path for each in runs], axis=1))
    both = replace(both, flow=PlainFlow(2.5))
    singles = [invariants.drift(replace(both, path=each.path)) for each in runs]
    np.testing.assert_allclose(invariants.drift(both), singles, rtol=1e-12)


def test_drift_at_rest_is_zero_and_outside_the_domain_is_refused():
    trajectory = run(PlainFlow(2))
    still = replace(trajectory, path=trajectory.path[:1].repeat(3, 0))
    assert invariants.drift(still) == 0
    with pytest.raises(ValueError, match="a weight that is not positive"):
        invariants.drift(replace(trajectory, path=-trajectory.path))
    with pytest.raises(ValueError, match="path must have"):
        invariants.mirror(trajectory.flow, trajectory.initial)


@steady
@given(problems, weights, depths)
def test_mirror_map_moves_against_the_gradient(problem, x, depth):
    """It is d/dt psi(x^L) = -c h with c = 2 for L = 2 and L - 2 above."""
    for L, c in [(2, 2), (depth, depth - 2 if depth > 2 else 2)]:
        dx = PlainFlow(L).velocity(problem, x)
        step = 1e-5 / (1 + np.abs(dx).max())
        rise = invariants.psi((x + step * dx) ** L, L) - invariants.psi((x - step * dx) ** L, L)
        h = gradient(problem, x, L)
        # x >= 0.1: the third derivative of the central difference is bounded by about 1e6 here
        np.testing.assert_allclose(rise / (2 * step), -c * h, rtol=1e-3, atol=1e-5)


@steady
@given(problems, weights, depths, ratios, st.floats(0.2, 5))
def test_direction_keeps_its_length_and_rescales(problem, x, depth, ratio, length):
    """Lemma 3.1: <u, u'> = 0, and (length * v, rate 1) moves v as (v, rate 1/length^2)."""
    flow, r = WeightNormFlow(depth, ratio), np.linalg.norm(x)
    v = x / r
    dr, dv = flow.velocity(problem, r, v)
    dr_long, du = flow.velocity(problem, r, length * v)
    size = np.linalg.norm(gradient(problem, x, depth) * x ** (depth - 1)) * r
    assert abs(length * v @ du) <= 1e-13 * size
    np.testing.assert_allclose(dr_long, dr, rtol=1e-9, atol=1e-13 * size)
    np.testing.assert_allclose(du / length, dv / length**2, rtol=1e-9, atol=1e-13 * size)


@steady
@given(problems, weights, depths, ratios)
def test_polar_dynamics(problem, x, depth, ratio):
    """Lemma 3.2: the second term of v' keeps v on the sphere."""
    r = np.linalg.norm(x)
    v, h = x / r, gradient(problem, x, depth)
    dr, dv = WeightNormFlow(depth, ratio).velocity(problem, r, v)
    radial = -ratio * r ** (depth - 1) * (h @ v**depth)
    own = -(r**depth) * h * v ** (depth - 1)
    tolerance = dict(rtol=1e-9, atol=1e-12 * np.linalg.norm(own))
    np.testing.assert_allclose(dr, radial, **tolerance)
    np.testing.assert_allclose(dv, own - r * dr / ratio * v, **tolerance)
    # false twin: without the second term v leaves the sphere at the rate <v, own> = r r' / ratio
    np.testing.assert_allclose(v @ own, r * dr / ratio, **tolerance)


@steady
@given(problems, weights, depths, ratios)
def test_metric_moves_the_effective_weights_and_dominates_a_diagonal(problem, x, depth, ratio):
    """Lemma 3.2: d/dt x^L = -L B h and B >= min(ratio, r^2) diag(x^(2L-2))."""
    stacked, h = x**depth, gradient(problem, x, depth)
    diagonal, R = np.diag(stacked ** (2 - 2 / depth)), x @ x
    for flow, share in [
        (PlainFlow(depth), 1.0),
        (WeightNormFlow(depth, ratio), min(ratio, R)),
    ]:
        B = flow.metric(stacked)
        moved, _ = stacked_velocity(flow, problem, x)
        scale = np.linalg.norm(B, 2)
        np.testing.assert_allclose(-depth * B @ h, moved, atol=1e-11 * scale * np.abs(h).max())
        assert np.linalg.eigvalsh(B - share * diagonal).min() >= -1e-12 * scale


def test_the_smaller_of_the_two_rates_is_needed():
    """False twin: B does not dominate max(ratio, r^2) times the diagonal."""
    x, L, ratio = np.array([1.0, 2.0]), 3.0, 0.1
    B, diagonal = WeightNormFlow(L, ratio).metric(x**L), np.diag(x ** (2 * L - 2))
    assert np.linalg.eigvalsh(B - (x @ x) * diagonal).min() < -1


@steady
@given(problems, weights, depths, ratios)
def test_dissipation_is_the_rate_of_the_squared_residual(problem, x, depth, ratio):
    """Without its factor L (false twin) the rate would be off by half at least."""
    e = problem.A @ x**depth - problem.b
    for flow in (PlainFlow(depth), WeightNormFlow(depth, ratio)):
        rate = invariants.dissipation(flow, problem, x)
        along = e @ problem.A @ stacked_velocity(flow, problem, x)[0]
        assert rate <= 0
        np.testing.assert_allclose(rate, along, rtol=1e-8)


def test_plain_dissipation_is_a_sum_of_squares():
    problem, x, L = wn.sparse_problem(3, N, 2, seed=0), np.linspace(0.3, 1, N), 3
    expected = -L * np.sum(gradient(problem, x, L) ** 2 * x ** (2 * L - 2))
    np.testing.assert_allclose(invariants.dissipation(PlainFlow(L), problem, x), expected)


@pytest.mark.parametrize("ratio", [0.3, 3.0])
@pytest.mark.parametrize("depth", [2, 3])
def test_limit_is_that_of_the_plain_flow_from_the_magnified_start(depth, ratio):
    """Theorem 2.2. Measured at most 1e-8; without rho (false twin) the limits differ by over 1%."""
    options = dict(t_end=1e10, residual_tol=1e-10)
    normalized = run(WeightNormFlow(depth, ratio), **options)
    rho = np.exp(invariants.log_rho(normalized.flow, normalized.initial, normalized.weights))
    problem, x0 = normalized.problem, normalized.initial
    plain, twin = (
        wn.integrate(PlainFlow(depth), problem, start, **options)
        for start in (x0 / rho ** (1 / depth), x0)
    )
    np.testing.assert_allclose(normalized.effective, plain.effective, atol=1e-7)
    assert np.abs(normalized.effective - twin.effective).max() > 1e-2


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("ratio", [None, 0.3, 5.0])
@pytest.mark.parametrize("depth", DEPTHS)
def test_magnification_measured_on_trained_weights(depth, ratio, signed):
    """Fitted from two points alone; the prediction with another ratio is refuted."""
    flow = PlainFlow(depth) if ratio is None else WeightNormFlow(depth, ratio)
    done = run(flow, signed, form="weights", rtol=1e-10)
    fitted = invariants.fitted_log_rho(depth, done.problem, done.initial, done.weights)
    assert fitted == pytest.approx(invariants.log_rho(flow, done.initial, done.weights), abs=1e-8)
    other = WeightNormFlow(depth, 2 * (ratio or 1))
    assert abs(fitted - invariants.log_rho(other, done.initial, done.weights)) > 1e-3


def test_no_magnification_is_fitted_where_none_can_be():
    """Ones are in the row space: every rho explains the way, and rounding must not choose one."""
    problem = wn.Problem([[1.0, 1.0, 1.0]], [1.0])
    assert np.isnan(invariants.fitted_log_rho(2, problem, [0.1, 0.2, 0.3], [0.3, 0.3, 0.3]))
    assert np.isnan(invariants.fitted_log_rho(3, wn.Problem(np.eye(2), [1, 1]), [1, 2], [2, 1]))
    with pytest.raises(ValueError, match="one start with one end"):
        invariants.fitted_log_rho(2, problem, np.ones((2, 3)), np.ones((2, 3)))


@steady
@given(st.floats(-150, 150), st.floats(-150, 150))
def test_logarithmic_mean_lies_between_geometric_and_arithmetic(log_a, log_b):
    a, b = 10.0**log_a, 10.0**log_b
    mean = invariants.logarithmic_mean(a, b)
    assert np.sqrt(a) * np.sqrt(b) * (1 - 1e-14) <= mean <= (a / 2 + b / 2) * (1 + 1e-14)


def test_log_rho_of_a_batch():
    flow, rng = WeightNormFlow(3, 0.5), np.random.default_rng(0)
    x0, x = rng.uniform(0.5, 1, (2, 4, N))
    r0, r = np.linalg.norm(x0, axis=1), np.linalg.norm(x, axis=1)
    expected = (r0 / r) ** 3 * np.exp(3 * (r**2 - r0**2) / (2 * 0.5))
    np.testing.assert_allclose(np.exp(invariants.log_rho(flow, x0, x)), expected)
    assert (invariants.log_rho(PlainFlow(3), x0, x) == 0).all()


@steady
@given(positives, positives, ratios, depths)
def test_magnification_criterion(r0, r, ratio, depth):
    """The formula, and the sign it predicts."""
    flow, R0, R = WeightNormFlow(depth, ratio), r0**2, r**2
    mean = invariants.logarithmic_mean(R0, R)
    measured = invariants.log_rho(flow, [r0], [r])
    predicted = depth / 2 * (R - R0) * (1 / ratio - 1 / mean)
    rounding = 1e-14 * depth * (1 + (R + R0) / ratio)
    assert abs(measured - predicted) <= rounding
    if abs(measured) > rounding:
        assert invariants.magnifies(ratio, R0, R) == (measured > 0)


def test_no_other_mean_gives_the_criterion():
    """False twins: a ratio between two means is judged by the logarithmic one."""
    R0, R = 1.0, 9.0
    geometric, logarithmic, arithmetic = 3.0, 8 / np.log(9), 5.0
    for ratio, magnified in [
        ((geometric + logarithmic) / 2, True),
        ((logarithmic + arithmetic) / 2, False),
    ]:
        assert invariants.magnifies(ratio, R0, R) == magnified
        assert invariants.magnifies(ratio, R, R0) != magnified
        log_rho = invariants.log_rho(WeightNormFlow(2, ratio), [R0**0.5], [R**0.5])
        assert (log_rho > 0) == magnified


@steady
@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_logarithmic_mean_is_a_mean(a, b):
    mean = invariants.logarithmic_mean(a, b)
    assert np.sqrt(a * b) * (1 - 1e-14) <= mean <= (a + b) / 2 * (1 + 1e-14)
    assert mean == invariants.logarithmic_mean(b, a)


@steady
@given(st.floats(0.1, 10), st.floats(1, 15))
def test_logarithmic_mean_is_stable_near_the_diagonal(a, digits):
    """The textbook quotient has lost a tenth of its value at a gap of 1e-15."""
    b = a * (1 + 10**-digits)
    gap = (b - a) / a
    series = a * (1 + gap / 2 - gap**2 / 12 + gap**3 / 24)
    np.testing.assert_allclose(invariants.logarithmic_mean(a, b), series, rtol=gap**4 + 4e-16)
    assert invariants.logarithmic_mean(a, a) == a


@pytest.mark.parametrize("depth", DEPTHS)
def test_fit_to_logarithms_that_are_no_floats(depth):
    """Shifted by a number, log rho moves by depth times it: down to weights of exp(-2000)."""
    problem, x0, x = (
        wn.sparse_problem(3, N, 2, 0),
        *np.random.default_rng(1).uniform(0.5, 1, (2, N)),
    )
    here = invariants.fitted_log_rho(depth, problem, x0, x)
    assert invariants.fitted_to_logs(depth, problem, np.log(x0), np.log(x)) == here
    far = invariants.fitted_to_logs(depth, problem, np.log(x0), np.log(x) - 2000)
    assert far == pytest.approx(here + 2000 * depth)


@pytest.mark.parametrize("depth", DEPTHS)
def test_amplification_bounds_what_an_error_changes(depth):
    """And not by far: some errors of this size change the fit by a tenth of it."""
    rng, size = np.random.default_rng(1), 1e-7
    problem, logs = wn.sparse_problem(3, N, 2, 0), np.log(rng.uniform(0.5, 1, (2, N)))
    fitted = invariants.fitted_to_logs(depth, problem, *logs)
    errors = size * rng.choice([-1, 1], (200, N))
    changes = [
        abs(invariants.fitted_to_logs(depth, problem, logs[0], logs[1] + error) - fitted)
        for error in errors
    ]
    bound = size * invariants.fitted_amplification(depth, problem, *logs)
    assert 0.1 * bound < max(changes) < (1 + 1e-5) * bound
    far = invariants.fitted_amplification(depth, problem, logs[0] - 2000, logs[1] - 3000)
    assert far * size == pytest.approx(bound)


def test_amplification_is_infinite_where_nothing_tells():
    problem = wn.Problem(np.eye(2), [1.0, 1.0])
    for depth in (2, 3):
        assert invariants.fitted_amplification(depth, problem, [0.0, 1.0], [1.0, 0.0]) == np.inf


@steady
@given(weights, depths, ratios)
def test_polar_velocity_is_the_flow_on_the_unit_sphere(x, depth, ratio):
    flow, r = WeightNormFlow(depth, ratio), np.linalg.norm(x)
    problem = wn.sparse_problem(3, N, 2, 0)
    for found, expected in zip(
        polar_velocity(flow, problem, r, x / r), flow.velocity(problem, r, x / r), strict=True
    ):
        size = np.linalg.norm(PlainFlow(depth).velocity(problem, x)) * max(1, ratio, r)
        np.testing.assert_allclose(found, expected, atol=1e-12 * size)


def test_no_fit_where_no_rho_explains_the_way():
    """In the kernel of (1, 1) the mirror map has moved from one side to the other."""
    problem = wn.Problem([[1.0, 1.0]], [1.0])
    assert np.isnan(invariants.fitted_log_rho(3, problem, [1.0, 2.0], [2.0, 1.0]))
    assert np.isnan(invariants.fitted_log_rho(3, problem, [1.0, 1.0], [2.0, 1.0]))


PROBLEM, ONES = wn.sparse_problem(3, N, 2, 0), np.ones(N)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: invariants.drift(wn.limit(PlainFlow(2), PROBLEM, ONES)),
            TypeError,
            "trajectory must be what integrate or descend return, .* of type Limit",
        ),
        (lambda: invariants.psi([1.0, 0.0], 2), ValueError, "stacked must be positive"),
        (lambda: invariants.log_kappa(PlainFlow(2), 0.0), ValueError, "radius must be positive"),
        (lambda: invariants.logarithmic_mean(0.0, 1.0), ValueError, "needs positive finite"),
        (lambda: invariants.dissipation("F", PROBLEM, ONES), TypeError, "flow must be PlainFlow"),
        (
            lambda: invariants.dissipation(PlainFlow(2), "P", ONES),
            TypeError,
            r"problem must be a Problem\(A, b\); got an object of type str",
        ),
        (
            lambda: invariants.dissipation(PlainFlow(2), PROBLEM, -ONES),
            ValueError,
            "^x must be positive in each entry",
        ),
        (
            lambda: invariants.dissipation(PlainFlow(2), PROBLEM, [ONES, ONES]),
            ValueError,
            r"x must be one vector of weights; got shape \(2, 5\)",
        ),
        (
            lambda: invariants.kernel_part("P", ONES),
            TypeError,
            r"problem must be a Problem\(A, b\); got an object of type str",
        ),
        (
            lambda: invariants.kernel_part(PROBLEM, ONES[1:]),
            ValueError,
            r"vectors must have shape \(..., 5\); got shape \(4,\)",
        ),
        (
            lambda: invariants.log_rho(PlainFlow(2), ONES, ONES[1:]),
            ValueError,
            r"as many weights as one another; got shapes \(5,\), \(4,\)",
        ),
        (
            lambda: invariants.log_rho(WeightNormFlow(2, 1.0), ONES, 0 * ONES),
            ValueError,
            "^x vanishes: rho is infinite",
        ),
    ],
)
def test_refusals(call, error, words):
    with pytest.raises(error, match=words):
        call()
