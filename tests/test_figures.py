"""What the chapters on the two figures compute and draw is what they say, also for odd settings."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import wnlib as wn
from wnlib.figures import figure_1, figure_2, two_weights
from wnlib.l1.certificates import fuchs_certificate, off_support
from wnlib.theory.law import arrival_estimate, best_of_length, last_stretch, small_ratio_law

PROBLEM = wn.sparse_problem(20, 40, sparsity=3, seed=0)
GD, WN = FLOWS = wn.PlainFlow(2), wn.WeightNormFlow(2, 0.1)
XI = wn.initial_weights(PROBLEM, scale=1, seed=2, starts=3)
SCALES = np.array([0.03, 0.1, 0.3, 1.0])
CROWDED = wn.sparse_problem(3, 8, sparsity=6, seed=0)  # more columns on the support than rows


@pytest.fixture(scope="module")
def scan():
    return figure_1.compute(FLOWS, PROBLEM, XI, SCALES, step=0.01, n_steps=200)


@pytest.fixture
def axes():
    figure, axes = plt.subplots(2)
    yield axes
    figure.canvas.draw()
    plt.close(figure)


def test_a_scan_keeps_scales_and_starts_apart(scan):
    assert np.array_equal(scan.steps.scales, SCALES[::2])
    for part, road in (scan.limits, wn.limit), (scan.steps, lambda *a: wn.descend(*a, 0.01, 200)):
        for flow in FLOWS:
            alone = road(flow, PROBLEM, SCALES[2] * XI[1])
            at = list(part.scales).index(SCALES[2])
            np.testing.assert_allclose(part.errors(flow)[at, 1], PROBLEM.error(alone.effective))
            np.testing.assert_allclose(part.ends(flow)[at, 1], alone.radius**2)
            np.testing.assert_allclose(part.starts(flow)[at, 1], (alone.initial**2).sum())
            assert part.mean(flow)[at] == part.errors(flow)[at].mean()


def test_at_the_wall_a_start_is_as_long_as_the_signal(scan):
    assert scan.shortest == pytest.approx(PROBLEM.signal.sum())
    assert np.mean(((scan.wall * XI) ** 2).sum(axis=1)) == pytest.approx(scan.shortest)
    deep = figure_1.compute([wn.PlainFlow(4)], PROBLEM, XI, SCALES, step=0.01, n_steps=10)
    assert deep.shortest == pytest.approx(np.sqrt(PROBLEM.signal).sum())


def test_a_run_that_broke_off_has_no_error():
    wild = figure_1.compute(FLOWS, PROBLEM, 10 * XI, SCALES, step=0.1, n_steps=100, every=1)
    broken = np.isin(wild.steps.results[WN].status, figure_1.BROKEN).reshape(len(SCALES), -1)
    assert broken.any() and np.array_equal(np.isnan(wild.steps.errors(WN)), broken)
    assert np.isfinite(wild.limits.errors(WN)).all()


def test_accurate_stretches(scan):
    assert figure_1.stretches([]) == figure_1.stretches([False]) == []
    assert figure_1.stretches([True, False, True, True]) == [(0, 0), (2, 3)]
    assert scan.limits.accurate(WN, 1e-3)[0][0] == SCALES[0]
    assert scan.limits.accurate(WN, 0) == []
    assert scan.limits.accurate(WN, np.inf) == [(SCALES[0], SCALES[-1])]


def test_error_against_scale_is_drawn(scan, axes):
    ax = axes[0]
    assert figure_1.draw(ax, scan) is ax
    for flow, line in zip(FLOWS, ax.lines, strict=False):
        assert np.array_equal(line.get_ydata(), scan.limits.mean(flow))
    labels = ax.get_legend_handles_labels()[1]
    assert labels.count("limit of WN-GD is better") == 1
    assert {"GD, limit", "WN-GD, 200 steps"} <= set(labels)
    assert figure_1.draw_lengths(axes[1], scan) is axes[1]
    start, end = scan.limits.starts(WN).ravel(), scan.limits.ends(WN).ravel()
    assert np.array_equal(axes[1].lines[1].get_xydata(), np.transpose([start, end]) / scan.shortest)


def test_shading_may_come_in_pieces(scan, axes):
    """Another ratio or seed may bring this about: no reason to stop."""
    results = scan.limits.results
    swapped = {}
    for flow, other in zip(FLOWS, FLOWS[::-1], strict=True):
        x = results[flow].weights.copy()
        x[3:6], x[9:] = results[other].weights[3:6], results[other].weights[9:]
        swapped[flow] = wn.Result(
            flow=flow,
            problem=PROBLEM,
            initial=results[flow].initial,
            weights=x,
            status=results[flow].status,
        )
    mixed = figure_1.Scan(PROBLEM, SCALES, swapped)
    better = mixed.mean(WN) < mixed.mean(GD)
    assert len(figure_1.stretches(better)) > 1
    data = figure_1.ErrorAgainstScale(mixed, scan.steps, 200, scan.shortest, scan.wall)
    figure_1.draw(axes[0], data)
    assert axes[0].get_legend_handles_labels()[1].count("limit of WN-GD is better") == 1


def test_arrival_estimate_is_its_formula():
    x0, y = 0.1 * XI[0], fuchs_certificate(PROBLEM)
    off, Q, R0 = PROBLEM.signal == 0, PROBLEM.signal.sum(), (0.1 * XI[0]) @ (0.1 * XI[0])
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


def test_compare_goes_both_roads():
    pair = figure_1.compare(FLOWS, PROBLEM, 0.1 * XI[0], t_end=20.0)
    for flow, limit, reached in zip(FLOWS, pair.limits, pair.reached, strict=True):
        alone = wn.integrate(flow, PROBLEM, 0.1 * XI[0], t_end=20.0, rtol=1e-10)
        assert reached == pytest.approx(PROBLEM.error(alone.effective), rel=1e-4)
        assert limit == PROBLEM.error(wn.limit(flow, PROBLEM, 0.1 * XI[0]).effective)
    np.testing.assert_allclose(pair.factors[1], pair.reached[0] / pair.reached[1])
    assert pair.max_f == off_support(PROBLEM).max()


def test_numbers_in_words():
    assert figure_1.short(2e-12) == " <1e-11" and figure_1.short(0.034) == "  3e-02"
    assert figure_1.in_words(8.26e6) == "8.3 × 10⁶" and figure_1.in_words(2e-8, 0) == "10⁻⁸"
    assert {figure_1.in_words(x) for x in (0.0, -1.0, np.nan, np.inf)} == {"–"}


@pytest.fixture(scope="module")
def law():
    return small_ratio_law(PROBLEM, 0.2, n=400)


def test_best_satisfies_its_conditions():
    allowed = np.arange(40) != np.flatnonzero(PROBLEM.signal)[0]
    z, h = best_of_length(PROBLEM, allowed, R := 0.7 * PROBLEM.signal.sum())
    c = -h @ z / R
    assert z.sum() == pytest.approx(R, rel=1e-5) and (z[~allowed] == 0).all() and z.min() == 0
    np.testing.assert_allclose(h[z > 0], -c, rtol=1e-5)
    assert h[allowed].min() >= -c * (1 + 1e-5)


def test_last_stretch_is_what_the_law_ends_with(law):
    end, on = last_stretch(PROBLEM), PROBLEM.signal > 0
    A_S, Q = PROBLEM.A[:, on], PROBLEM.signal.sum()
    np.testing.assert_allclose(A_S.T @ A_S @ end.w, 1)
    assert end.y2 == pytest.approx(end.w.sum()) and end.max_f < 1
    assert end.rate(0.1) == pytest.approx(0.2 * Q / end.y2)
    assert end.R_S <= law.R_1 * (1 + 1e-6) and law.R_1 == law.R[law.complete] < Q
    late = slice(law.complete + 1, -100)
    np.testing.assert_allclose(law.c[late] * end.y2, Q - law.R[late], rtol=1e-4)
    shrunk = PROBLEM.signal[on] - np.outer(law.c[late], end.w)
    np.testing.assert_allclose(law.z[late][:, on], shrunk, atol=1e-4)
    np.testing.assert_allclose(law.loss[late], (Q - law.R[late]) ** 2 / (4 * end.y2), rtol=1e-3)


def test_the_law_takes_the_time_of_its_equation(law):
    t, (i, j) = law.times(0.1), (law.complete + 1, len(law.R) - 100)
    Q, rate = PROBLEM.signal.sum(), last_stretch(PROBLEM).rate(0.1)
    logit = np.log(law.R / (Q - law.R))
    assert t[0] == 0 and t[j] - t[i] == pytest.approx((logit[j] - logit[i]) / rate, rel=1e-2)
    np.testing.assert_allclose(law.times(0.2), t / 2)


def test_the_flow_follows_the_law(law):
    R, c = figure_2.clocked(
        wn.WeightNormFlow(2, 0.01), PROBLEM, np.full(40, np.sqrt(0.2 / 40)), n=200
    )
    at = np.array([0.3, 0.5, 0.8]) * PROBLEM.signal.sum()
    np.testing.assert_allclose(np.interp(at, R, c), np.interp(at, law.R, law.c), rtol=0.05)


def test_measured_rate_is_the_predicted_one():
    x0 = np.full(40, 0.07)
    flow = wn.WeightNormFlow(2, 0.05)
    rate = figure_2.measured_rate(flow, PROBLEM, x0)
    assert rate == pytest.approx(last_stretch(PROBLEM).rate(0.05), rel=0.02)
    assert np.isnan(figure_2.measured_rate(flow, PROBLEM, x0, t_end=0.2))


def test_what_is_measured_of_the_law_is_of_depth_two():
    for measured in figure_2.clocked, figure_2.measured_rate:
        with pytest.raises(ValueError, match="flow must have depth 2"):
            measured(wn.WeightNormFlow(3, 0.1), PROBLEM, np.full(40, 0.1))


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


def test_a_law_needs_a_short_start_and_no_certificate():
    with pytest.raises(ValueError, match="between 0 and"):
        small_ratio_law(PROBLEM, PROBLEM.signal.sum())
    end, path = last_stretch(CROWDED), small_ratio_law(CROWDED, 0.1, n=50)
    assert np.isnan([end.y2, end.R_S, end.max_f, end.rate(0.1)]).all() and np.isnan(path.R_1)


@pytest.fixture(scope="module")
def history():
    return figure_2.compute(PROBLEM, 0.1 * XI, {GD: 0.05, WN: 0.1}, {GD: 3000, WN: 1500}, 60)


def test_iterations_are_counted_to_the_first_record_below(history):
    run = history.runs[WN]
    errors = PROBLEM.error(run.effective_path)
    first = [run.times[np.argmax(error < 0.1)] / 0.1 for error in errors.T]
    assert history.iterations_to(WN, "error", [0.1])[0] == pytest.approx(np.median(first))
    assert np.isinf(history.iterations_to(WN, "error", [1e-300])).all()
    below = run.loss_path < 0.01 * run.loss_path[0]
    first = run.times[below.argmax(axis=0)] / 0.1
    assert history.iterations_to(WN, "loss", [0.01])[0] == pytest.approx(np.median(first))
    table = figure_2.table(history, {GD: "GD", WN: "WN-GD"}, [0.1, 1e-300]).splitlines()
    assert len(table) == 5 and table[1].startswith("loss  GD") and table[1].endswith(" -")


def test_the_largest_step_is_the_last_that_never_raises_the_loss():
    def falls(step):
        run = wn.descend(WN, PROBLEM, 0.1 * XI, step, 300, times=step * np.arange(1, 301))
        good = ~np.isin(run.status, figure_1.BROKEN)
        return good.all() and (np.diff(run.loss_path, axis=0) <= 0).all()

    step = figure_2.largest_step(WN, PROBLEM, 0.1 * XI, smallest=0.02, n_steps=300)
    assert falls(step) and not falls(2 * step)
    assert figure_2.largest_step(WN, PROBLEM, 0.1 * XI, smallest=50.0, n_steps=10) == 50.0


def test_error_and_loss_are_drawn_beside_the_law(history, law, axes):
    assert figure_2.draw(axes, history, law, WN) is axes
    dashed = axes[1].lines[-1]
    assert dashed.get_label() == "the law"
    np.testing.assert_array_equal(dashed.get_ydata(), law.loss[1:])
    np.testing.assert_allclose(dashed.get_xdata(), law.times(0.1)[1:] / 0.1)
    (dot,) = dashed.get_markevery()
    assert dashed.get_ydata()[dot] == law.loss[law.complete]


def test_a_run_that_broke_off_at_once_is_left_out(axes):
    wild = figure_2.compute(PROBLEM, 20 * XI, {GD: 1.0}, {GD: 200})
    assert len(wild.runs[GD].times) == 1
    figure_2.draw(axes, wild)
    assert len(axes[0].lines) == 0
