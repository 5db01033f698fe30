"""The transition of recovery: its laws, what is measured, and how it is drawn."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from wnlib.figures import phase_transition as figures
from wnlib.figures.proportions import STEEPEST
from wnlib.figures.studies import Data
from wnlib.flows import WeightNormFlow
from wnlib.l1.linear_program import min_l1
from wnlib.l1.recovery import recovery_edge
from wnlib.l1.thresholds import (
    is_single,
    positivity_threshold,
    single_probability,
    threshold_curve,
    weak_threshold,
)
from wnlib.problems import Problem, sparse_problem


@pytest.mark.parametrize(
    ("delta", "signed", "rho"),
    [(0.5, False, 0.558), (0.5, True, 0.3857), (0.1, True, 0.1887), (0.99999, False, 1.0)],
)
def test_the_weak_threshold_has_its_known_values(delta, signed, rho):
    assert weak_threshold(delta, signed=signed) == pytest.approx(rho, abs=1e-3)


@pytest.mark.parametrize("signed", [False, True])
@settings(max_examples=15, deadline=None)
@given(M=st.integers(1, 10**4 - 1))
def test_the_weak_threshold_is_the_edge_of_the_statistical_dimension(M, signed):
    edge = recovery_edge(M, 10**4, signed=signed) / M
    assert weak_threshold(M / 10**4, signed=signed) == pytest.approx(edge, abs=1e-5)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("delta", [0.05, 0.3, 0.8])
def test_the_weak_threshold_is_that_of_message_passing(delta, signed):
    """Donoho, Maleki and Montanari: the largest value of a quotient over a threshold z."""

    def minus(z):
        tail = (2 if signed else 1) * ((1 + z**2) * norm.cdf(-z) - z * norm.pdf(z))
        return -(1 - tail / delta) / (1 + z**2 - tail)

    best = minimize_scalar(minus, bounds=(0, 8), method="bounded", options={"xatol": 1e-9})
    assert weak_threshold(delta, signed=signed) == pytest.approx(-best.fun, abs=1e-8)


def test_the_curve_runs_from_many_measurements_to_few():
    delta, rho = threshold_curve(np.geomspace(1e-6, 20, 50))
    assert (np.diff(delta) < 0).all()
    assert (np.diff(rho) < 0).all()
    assert delta[0] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("delta", [0, 1.1, np.nan, "half"])
def test_a_share_of_measurements_is_between_0_and_1(delta):
    with pytest.raises((ValueError, TypeError), match="delta"):
        weak_threshold(delta)


@pytest.mark.parametrize("signed", [False, True])
def test_the_linear_program_follows_the_weak_threshold(signed):
    M, N, draws = 40, 80, 20
    edge = weak_threshold(M / N, signed=signed) * M
    for factor, share in ((0.6, 0.9), (1.4, 0.1)):
        s = round(factor * edge)
        problems = [sparse_problem(M, N, s, [draw, s], signed=signed) for draw in range(draws)]
        found = np.mean([p.error(min_l1(p).z) < 1e-6 for p in problems])
        assert found >= share if factor < 1 else found <= share


def test_small_cases_of_wendel():
    assert single_probability(1, 2, 1) == 0.0  # z_1 + c z_2 = 1: more of z_2, and z_1 may be free
    assert single_probability(2, 3, 1) == 0.5  # one kernel vector, two entries: of one sign or not
    assert single_probability(2, 2, 1) == 1.0
    np.testing.assert_allclose(single_probability(2, 3, [1, 2]), [0.5, 0.0])
    for M, N, s in (2, 3, 3), (3, 2, 3), (2, 3, [1, -1]):
        with pytest.raises(ValueError, match=f"sparsity must be from 0 to .* n_measurements={M} "):
            single_probability(M, N, s)
    with pytest.raises(TypeError, match=r"sparsity must be an integer.* got 1\.5"):
        single_probability(2, 3, 1.5)


def test_thresholds_at_the_ends_of_their_ranges():
    assert weak_threshold(1 - 1e-16) == weak_threshold(1) == pytest.approx(1, abs=1e-9)
    assert figures.known([np.nan, 2.0]) == [2.0] and np.isnan(figures.known([np.nan])).all()
    for wrong in 0.0, -1.0, np.nan, 31.0, "a":
        with pytest.raises((ValueError, TypeError), match=r"tau must|tau holds"):
            threshold_curve(wrong)
    with pytest.raises(ValueError, match="delta must be positive"):
        positivity_threshold(0)


def test_how_often_a_signal_is_the_only_solution():
    M, N, s, draws = 18, 26, 6, 150
    share = np.mean([is_single(sparse_problem(M, N, s, [draw])) for draw in range(draws)])
    p = single_probability(M, N, s)
    assert 0.2 < p < 0.98
    assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / draws)


def test_positivity_needs_more_than_half_of_the_measurements():
    np.testing.assert_allclose(positivity_threshold([0.3, 0.5, 0.8, 1.0]), [0, 0, 0.75, 1])
    for delta in 0.6, 0.9:
        N = 10**5
        s = round(positivity_threshold(delta) * delta * N)
        assert single_probability(round(delta * N), N, s) == pytest.approx(0.5, abs=0.01)


def test_a_kernel_vector_that_is_positive_off_the_support_is_seen():
    assert not is_single(Problem([[1.0, 1.0]], [1.0], [1.0, 0.0]))
    assert is_single(Problem([[1.0, 0.0], [0.0, 1.0]], [1.0, 0.0], [1.0, 0.0]))
    assert is_single(Problem([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]], [1.0, 0.0], [1.0, 0.0, 0.0]))
    assert not is_single(Problem([[1.0, 1.0]], [1.0], [1.0, 0.0], signed=True))


@pytest.fixture(scope="module")
def small():
    """Return a little study: at M / N = 3/4 some problems have a single solution, others not."""
    return figures.compute(
        n_features=12, deltas=[0.5, 0.75], shares=[0.2, 0.5, 0.9], n_draws=4, n_slice=4
    )


def test_a_trial_solves_one_problem_by_all_methods():
    point = figures.grid(n_features=12, deltas=[0.5], shares=[0.34], n_draws=1, n_slice=1)[0]
    once, twice = figures.trial(**point), figures.trial(**point)
    assert once["filled"] == 2 / 6
    assert len(once["log_error"]) == 2 + len(point["ratios"])
    assert once["length"] < 0.3 * once["norm"]
    assert once["log_error"].tolist() == twice["log_error"].tolist()
    assert once["log_error"].tolist() != figures.trial(**point | {"draw": 1})["log_error"].tolist()


def test_each_map_has_two_thousand_problems():
    points = figures.grid()
    for signed in False, True:
        assert sum(point["signed"] is signed for point in points) >= 2000


def test_who_recovers_what(small):
    assert figures.methods(small) == ["LP", "GD", "1", "0.1", "0.01"]
    lp, gd = figures.recovered(small, "LP"), figures.recovered(small, "GD")
    assert (gd <= lp).all()
    assert gd[small["single"]].all()
    assert not small.where(signed=True)["single"].any()
    assert (figures.recovered(small, "1", 1e-5) <= figures.recovered(small, "1", 1e-2)).all()


def test_exponents_are_slack_times_the_gain_of_the_entries(small):
    """That of a flow from beta / rho, by the law of the magnification for its smallest norm."""
    s = small["filled"] * np.where(small["delta"] == 0.5, 6, 9)
    weights = np.where(small["signed"], 24, 12)
    Q, R0 = small["norm"], small["length"]
    K = np.log(Q / s) - np.log(R0 / weights)
    np.testing.assert_allclose(figures.exponents(small, "GD"), small["slack"] * K)
    log_rho = WeightNormFlow(2, 0.1).log_rho(np.sqrt(R0), np.sqrt(Q))
    expected = small["slack"] * (K + log_rho)
    np.testing.assert_allclose(figures.exponents(small, "0.1"), expected, rtol=1e-9)


def test_limits_without_a_certificate_are_failures_and_may_be_left_out(small):
    log_error = small["log_error"].copy()
    log_error[:5, 2] = np.nan
    data = Data(dict(small) | {"log_error": log_error}, small.settings, small.origin)
    assert not figures.certified(data, "1")[:5].any()
    assert not figures.recovered(data, "1")[:5].any()
    kept = figures.certified(data, "1")
    assert len(figures.followed(data, "1")[0]) <= kept.sum()
    part, at = data.where(signed=False), data["signed"] == 0
    assert len(figures.distances(part, "1", kept=kept[at])) == 2


def test_wilson_covers():
    low, high = figures.wilson([0, 5, 10], 10)
    assert low[0] == pytest.approx(0, abs=1e-15)
    assert high[2] == pytest.approx(1)
    assert (low[1] + high[1]) / 2 == pytest.approx(0.5)
    k = np.random.default_rng(0).binomial(40, 0.3, 4000)
    low, high = figures.wilson(k, 40)
    assert np.mean((low <= 0.3) & (high >= 0.3)) == pytest.approx(0.95, abs=0.02)


def test_the_half_point_is_found_with_its_error():
    rng, x = np.random.default_rng(1), np.tile(np.linspace(0, 1, 21), 20)
    fits = []
    for _ in range(40):
        fits.append(figures.half(x, rng.random(x.size) < 1 / (1 + np.exp((x - 0.55) / 0.06))))
    points = np.array([fit.at for fit in fits])
    assert points.mean() == pytest.approx(0.55, abs=0.004)
    assert points.std() == pytest.approx(np.mean([fit.error for fit in fits]), rel=0.3)


def test_separated_outcomes_have_a_half_point_between_them():
    fit = figures.half([0.1, 0.2, 0.6, 0.7], [True, True, False, False])
    assert 0.2 < fit.at < 0.6
    assert np.isnan(figures.half([0.1, 0.2], [True, True]).at)
    assert np.isnan(figures.half([], []).at)


def test_where_counts_show_no_fall_there_is_no_half_point():
    x = [0.1, 0.2, 0.6, 0.7]
    assert np.isnan(figures.half(x, [False, False, True, True]).at)  # a rise
    few = np.repeat(x, 10), np.tile([True] * 9 + [False], 4)
    falls = few[1] & ~((few[0] == 0.7) & (np.arange(40) == 30))
    assert np.isnan(figures.half(few[0], falls).at)  # a fall to 80 %, within what was tried


def test_a_sharp_fall_has_an_error_like_the_gap_between_what_was_tried():
    fit = figures.half([0.1, 0.2, 0.6, 0.7], [True, True, False, False])
    assert fit.width > 1 / STEEPEST and 0.1 < fit.error < 0.5  # without the prior it is above 2


def test_a_method_that_finds_nothing_is_as_far_away_as_can_be(small):
    part = small.where(signed=True)
    best = [fit.at for fit in figures.halves(part, "LP").values()]
    np.testing.assert_allclose(figures.distances(part, "GD"), best)


def test_figures_draw_the_data(small):
    part = small.where(signed=False)
    fig, axes = plt.subplots(2, 2)
    figures.draw_map(axes[0, 0], part, "LP")
    drawn = axes[0, 0].collections[0].get_array()
    np.testing.assert_array_equal(np.ravel(drawn), figures.shares_recovered(part, "LP").T.ravel())
    figures.draw_slice(axes[0, 1], part)
    assert len(axes[0, 1].lines) == 5
    figures.label_slice(axes[0, 1], part)
    figures.draw_followed(axes[1, 0], small)
    figures.draw_halves(axes[1, 1], part)
    assert len(axes[1, 1].containers) == 5
    _, words = figures.at_delta(part, 0.75)
    assert "(LP)" in words
    plt.close(fig)
