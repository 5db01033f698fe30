"""The law of a small ratio is what its equations say, and what is measured of it is that."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wnlib as wn
from wnlib.figures import on_the_way, two_weights
from wnlib.l1.certificates import fuchs_certificate, off_support
from wnlib.theory import law as theory
from wnlib.theory.last_stretch import arrival_estimate, last_stretch
from wnlib.theory.law import best_of_length, regained, small_ratio_law

PROBLEM = wn.sparse_problem(20, 40, sparsity=3, seed=0)
Q = PROBLEM.signal.sum()
XI = wn.initial_weights(PROBLEM, scale=1, seed=2, starts=3)
WN = wn.WeightNormFlow(2, 0.1)
CROWDED = wn.sparse_problem(3, 8, sparsity=6, seed=0)  # more columns on the support than rows
DECOY = np.array([[-0.5, 1.5, 1.0], [-0.5, 1.0, 0.5]])


@pytest.fixture(scope="module")
def law():
    return small_ratio_law(PROBLEM, 0.2)


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    figure.canvas.draw()
    plt.close(figure)


def test_best_satisfies_its_conditions():
    allowed = np.arange(40) != np.flatnonzero(PROBLEM.signal)[0]
    z, h = best_of_length(PROBLEM, allowed, R := 0.7 * Q)
    c = -h @ z / R
    assert z.sum() == pytest.approx(R, rel=1e-5) and (z[~allowed] == 0).all() and z.min() == 0
    np.testing.assert_allclose(h[z > 0], -c, rtol=1e-5)
    assert h[allowed].min() >= -c * (1 + 1e-5)


def test_at_each_length_the_law_is_the_best_of_those_alive(law):
    for k in range(0, len(law.R) - 400, 150):
        best, h = best_of_length(PROBLEM, law.z[k] > 0, law.R[k])
        np.testing.assert_allclose(law.z[k], best, atol=1e-5)
        assert law.c[k] == pytest.approx(-h @ best / law.R[k], rel=1e-3)
        assert law.z[k].sum() == pytest.approx(law.R[k])


def test_the_law_obeys_its_equations(law):
    """The length moves by ``dR/ds = c R``, and the dead remember what the lengths did to them."""
    slope = np.gradient(law.R, law.slow)
    middle = slice(5, -400)
    off = np.abs(slope / (law.c * law.R) - 1)[middle]
    assert np.median(off) < 1e-4 and (off < 0.01).mean() > 0.99  # but where an entry comes in
    h = (law.z @ PROBLEM.A.T - PROBLEM.b) @ PROBLEM.A
    forces = -law.R[:, None] * (h + law.c[:, None])
    gained = np.trapezoid(forces, law.slow, axis=0)
    never = (law.z == 0).all(axis=0)
    np.testing.assert_allclose(law.memory[never], gained[never], rtol=0.01, atol=0.01)
    assert (law.memory <= 0).all() and (law.memory[law.z[-1] > 0] == 0).all()


def test_last_stretch_is_what_the_law_ends_with(law):
    end, on = last_stretch(PROBLEM), PROBLEM.signal > 0
    A_S = PROBLEM.A[:, on]
    np.testing.assert_allclose(A_S.T @ A_S @ end.w, 1)
    assert end.y2 == pytest.approx(end.w.sum()) and end.max_f < 1
    assert end.rate(0.1) == pytest.approx(0.2 * Q / end.y2)
    assert end.R_S <= law.R_1 * (1 + 1e-6) and law.R_1 == law.R[law.complete] < Q
    late = slice(law.complete + 1, -100)
    np.testing.assert_allclose(law.c[late] * end.y2, Q - law.R[late], rtol=1e-6)
    shrunk = PROBLEM.signal[on] - np.outer(law.c[late], end.w)
    np.testing.assert_allclose(law.z[late][:, on], shrunk, atol=1e-8)
    np.testing.assert_allclose(law.loss[late], (Q - law.R[late]) ** 2 / (4 * end.y2), rtol=1e-4)
    np.testing.assert_allclose(end.defect(law.z[late]), 0, atol=1e-4)


def test_the_law_takes_the_time_of_its_equation(law):
    t, (i, j) = law.times(0.1), (law.complete + 1, len(law.R) - 100)
    logit = np.log(law.R / (Q - law.R))
    assert t[0] == 0
    assert t[j] - t[i] == pytest.approx((logit[j] - logit[i]) / last_stretch(PROBLEM).rate(0.1))
    np.testing.assert_allclose(law.times(0.2), t / 2)


@pytest.mark.parametrize("second", [0.2, 0.5, 0.8])
def test_the_second_of_two_weights_is_back_where_one_computes_by_hand(second):
    R0 = 0.01
    back = regained(second, R0)
    assert second * np.log((1 - R0) / (1 - back)) == pytest.approx(back - R0)
    law = small_ratio_law(on_the_way.two_weights(second), R0)
    assert back == pytest.approx(law.R_1)
    assert 1 - second < back < 1
    assert regained(second, 1.01 - second) == 1.01 - second  # never lost
    with pytest.raises(ValueError, match="second must be in"):
        regained(1.5)


def test_without_memory_the_second_is_there_when_it_is_wanted():
    law = small_ratio_law(on_the_way.two_weights(0.5), 0.01, remember=False)
    assert abs(law.R_1 - 0.5) < 0.01


def test_a_dead_entry_is_waited_for():
    """The second column has all, and the length stands still, until those it needs are back."""
    signal = np.array([0.5, 0.0, 1.0])
    law = small_ratio_law(wn.Problem(DECOY, DECOY @ signal, signal), 0.05)
    assert law.R[-1] == pytest.approx(1.5) and (np.diff(law.R) >= 0).all()
    alone = (law.z[:, 1] > 0) & (law.z[:, 2] == 0)
    assert np.ptp(law.slow[alone]) > 10 / law.c[0]


def test_the_law_ends_where_the_measurements_are_met():
    """Also where the signal is not the shortest solution."""
    problem = wn.sparse_problem(10, 20, sparsity=4, seed=1)
    law = small_ratio_law(problem, 0.1, fineness=0.05)
    assert law.R[-1] == pytest.approx(wn.min_l1(problem).norm, rel=1e-6) and law.loss[-1] < 1e-12


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 0.5))
def test_the_flow_has_the_memory_of_its_exponents(seed, ratio):
    problem = wn.sparse_problem(4, 7, sparsity=2, seed=seed)
    x0 = on_the_way.start_of(problem, 0.05, seed=seed)
    run = wn.integrate(
        wn.WeightNormFlow(2, ratio), problem, x0, 3.0, times=np.linspace(0.003, 3, 1000)
    )
    R = run.radius_path**2
    force = -R[:, None] * (run.flow.misfit(problem, run.path) @ problem.A)
    steps = np.diff(run.times)[:, None] * (force[1:] + force[:-1]) / 2
    pushed = np.vstack([np.zeros(7), np.cumsum(steps, axis=0)])
    v2 = run.path**2 / R[:, None]
    a = theory.exponents(ratio, R, pushed)
    np.testing.assert_allclose(ratio * np.log(v2 / v2[0]), a, atol=1e-3 * (1 + np.abs(a).max()))


def test_distance_is_zero_of_the_law_itself_and_falls_with_the_ratio(law):
    with np.errstate(divide="ignore"):
        assert law.distance(law.slow, np.log(law.z)) < 1e-3
    assert np.isnan(law.distance(law.slow[:10], np.zeros((10, 40))))
    x0 = on_the_way.start_of(PROBLEM, 0.2 / Q)
    far, near = (on_the_way.distance(on_the_way.follow(k, PROBLEM, x0), law) for k in (0.2, 0.02))
    assert near < far / 4


def test_a_run_is_late_by_what_the_start_costs():
    two = on_the_way.two_weights(0.5)
    x0 = on_the_way.start_of(two, 0.01)
    law, R0, ratio = small_ratio_law(two, x0 @ x0), x0 @ x0, 3e-4
    late = on_the_way.late(on_the_way.follow(ratio, two, x0), law, 2 * R0)
    assert late == pytest.approx(ratio / R0 * np.log(2), rel=0.15)  # v_1(0)^2 = 1/2


def test_measured_rate_is_the_predicted_one():
    run = on_the_way.follow(0.05, PROBLEM, np.full(40, 0.07))
    predicted = last_stretch(PROBLEM).rate(0.05)
    assert on_the_way.measured_rate(run) == pytest.approx(predicted, rel=0.02)
    assert np.isnan(on_the_way.measured_rate(run, between=(2.0, 3.0)))


def test_a_start_has_its_share_of_the_length():
    for seed in None, 3:
        x0 = on_the_way.start_of(PROBLEM, 0.3, seed=seed)
        assert x0 @ x0 == pytest.approx(0.3 * Q)
    assert np.ptp(x0) > 0 and np.ptp(on_the_way.start_of(PROBLEM, 0.3)) == 0


def test_arrivals_are_counted():
    z = np.array([[1.0, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 0]])
    law = theory.Law(PROBLEM, np.arange(4.0), np.ones(4), z, np.arange(4.0), np.zeros(3))
    assert list(on_the_way.arrivals(law)) == [2, 1, 0]


@pytest.fixture(scope="module")
def data():
    return on_the_way.compute(
        n_draws=2, n_measurements=5, n_features=8, sparsities=[1, 2], ratios=[0.02, 0.01]
    )


def test_orders_are_those_of_the_distances(data):
    distances = on_the_way.by_problem(data, "distance")
    assert distances.shape == (4, 2) and (distances[:, 0] < distances[:, 1]).all()
    slope = np.log2(distances[:, 1] / distances[:, 0])
    np.testing.assert_allclose(on_the_way.orders(data), slope)
    assert np.isnan(on_the_way.orders(data, below=0.015)).all()


def test_distances_are_drawn(data, ax):
    assert on_the_way.draw(ax, data) is ax
    drawn = [line.get_ydata() for line in ax.lines[4:8]]
    np.testing.assert_array_equal(drawn, on_the_way.by_problem(data, "distance"))


def test_two_weights_and_shares_are_drawn_beside_the_law(ax):
    problem = on_the_way.two_weights(0.5)
    x0 = on_the_way.start_of(problem, 0.01)
    law, run = small_ratio_law(problem, x0 @ x0), on_the_way.follow(0.05, problem, x0)
    on_the_way.draw_two(ax, law, run)
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), law.z[:, 0])
    np.testing.assert_array_equal(ax.lines[2].get_ydata(), run.path[:, 1] ** 2)
    ax.clear()
    assert on_the_way.draw_shares(ax, law, run) is ax
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), 1)
    assert len(on_the_way.explorer(law, x0, (0.1, 0.3), 0.2).children) == 2


def test_arrival_estimate_is_its_formula():
    x0, y = 0.1 * XI[0], fuchs_certificate(PROBLEM)
    off, R0 = PROBLEM.signal == 0, (0.1 * XI[0]) @ (0.1 * XI[0])
    f = (PROBLEM.A.T @ y)[off]
    np.testing.assert_allclose(off_support(PROBLEM), f)
    left = Q * x0[off] ** 2 / R0 * np.exp(-(Q - R0) / 0.1 * (1 - f))
    expected = np.linalg.norm(left) / np.linalg.norm(PROBLEM.signal)
    assert arrival_estimate(WN, PROBLEM, x0) == pytest.approx(expected)


def test_without_an_estimate_there_is_nan():
    x0 = 0.1 * XI[0]
    assert np.isnan(arrival_estimate(wn.WeightNormFlow(3, 0.1), PROBLEM, x0))
    assert np.isnan(off_support(CROWDED)).all()
    assert np.isnan(arrival_estimate(WN, CROWDED, np.full(8, 0.1)))


def test_a_law_needs_a_short_start_and_no_certificate():
    with pytest.raises(ValueError, match="between 0 and"):
        small_ratio_law(PROBLEM, Q)
    for problem in wn.Problem([[1.0]], [0.0], [0.0]), wn.sparse_problem(3, 6, 1, 0, signed=True):
        with pytest.raises(ValueError, match=r"the signal of problem .*: the law needs"):
            small_ratio_law(problem, 0.1)
        with pytest.raises(ValueError, match=r"the signal of problem .*: the law needs"):
            last_stretch(problem)
    with pytest.raises(ValueError, match="fineness must be positive"):
        small_ratio_law(PROBLEM, 0.2, fineness=0)
    with pytest.raises(TypeError, match="flow must be a WeightNormFlow"):
        arrival_estimate(wn.PlainFlow(2), PROBLEM, XI[0])
    with pytest.raises(ValueError, match="allowed must be True"):  # SciPy's nnls would crash Python
        best_of_length(PROBLEM, np.zeros(40, dtype=bool), 1.0)
    end, path = last_stretch(CROWDED), small_ratio_law(CROWDED, 0.1, fineness=0.1)
    assert np.isnan([end.y2, end.R_S, end.max_f, end.rate(0.1)]).all() and np.isnan(path.R_1)


@pytest.mark.parametrize(
    ("row", "ends"),
    [
        ([2.0, 0.5], [[0.5, 0.0], [0.0, 2.0]]),
        ([3.0, -4.0], [[1 / 3, 0.0], [1 / 3 + 1.6, 1.2]]),
        ([-3.0, 4.0], [[0.0, 0.25], [1.6, 0.25 + 1.2]]),
        ([-1.0, 0.0], [[np.nan] * 2] * 2),
    ],
)
def test_solutions_of_two_weights(row, ends):
    """All of them, or a ray from the shortest one; or none."""
    problem, share = wn.Problem([row], [1.0]), np.array([0.0, 1.0, 0.3])
    z = two_weights.solutions(problem, share)
    np.testing.assert_allclose(z[:2], ends)
    np.testing.assert_allclose(z @ row, 1 + 0 * z.sum(axis=1))
    np.testing.assert_allclose(z[2], 0.7 * z[0] + 0.3 * z[1])
