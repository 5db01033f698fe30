"""How far the sentences reach: what a trial measures, what the answers are, what is drawn."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest

import wnlib as wn
from wnlib.figures import reach, reach_pictures, reach_shares
from wnlib.theory.reach import expected_log_factor, longest_norm

SMALL = {
    "shapes": [(8, 24, 1), (12, 16, 2)],
    "matrices": ["gaussian"],
    "signals": ["uniform", "signed"],
    "steps": [0.01],
    "n_steps": 100,
}


@pytest.fixture(scope="module")
def data():
    return reach.compute(**SMALL)


def rows(**columns):
    """Return a table with one row, on which every sentence holds, but for what is given."""
    table = {
        "signal": "signed",
        "ratios": [10.0, 1.0, 0.1, 0.01],
        "Q": 9.0,
        "R0": 1.0,
        "longest": np.inf,
        "lp_error": 0.0,
        "lp3_error": 0.0,
        "margin": 0.3,
        "slack": 0.5,
        "gd": 0.1,
        "gd3": 0.01,
        "wn": [0.2, 0.01, 1e-8, 0.0],
        "wn3": 1e-14,
        "edge": [0.003, 0.3, 0.01, 0.2],
        "error": [0.1, 1e-9],
        "loss": [1e-4, 1e-8],
        "steps": [np.inf, 3000.0],
    }
    return {name: np.array([value]) for name, value in (table | columns).items()}


def told(**columns):
    table = rows(**columns)
    return {s.short: (s.answers(table)[0], reach_shares.reasons(table, s)[0]) for s in SENTENCES}


SENTENCES = reach_shares.SENTENCES


def test_sentences_hold_where_all_is_well():
    assert all(answer == (1, "") for answer in told().values())


@pytest.mark.parametrize(
    ("changed", "short", "answer", "reason"),
    [
        ({"edge": [0.3, 0.3, 0.1, 0.1]}, "wider range", 0, reach_shares.REST),
        ({"gd": 0.0, "wn": [0.0] * 4, "longest": 9.0}, "10⁵, limits", 0, reach_shares.ONLY),
        ({"gd": 1e-4, "R0": 5.0}, "10⁵, limits", 0, reach_shares.LONG),
        ({"gd": 1e-4, "slack": 0.1}, "10⁵, limits", 0, reach_shares.WEAK),
        ({"wn": [0.2, 0.2, 0.3, 0.1], "lp_error": 0.1}, "falls with η̃", 0, reach_shares.ANOTHER),
        ({"error": [0.1, 1e-5]}, "10⁵, steps", 0, reach_shares.LATER),
        ({"error": [0.1, np.inf]}, "10⁵, steps", 0, reach_shares.BROKE),
        ({"error": [np.inf, 1e-9]}, "10⁵, steps", np.nan, ""),
        ({"loss": [1e-2, 1e-8]}, "both fit,\nWN nearer", 0, reach_shares.LATER),
        ({"Q": 11.0}, "η̃ = 10:\nno better", np.nan, ""),
        ({"wn": [0.01, 0.01, 0.01, 0.01]}, "η̃ = 10:\nno better", 0, reach_shares.REST),
        ({"wn3": 0.5, "lp3_error": 0.5}, "better at\nL = 2 and 3", 0, reach_shares.SHAPE),
        ({"edge": [0.0, 0.2, 0.0, 0.3]}, "L = 3:\nsmaller α", 0, reach_shares.DEEPER),
        ({"signal": "uniform"}, "signed", np.nan, ""),
        ({"steps": [np.inf, np.inf]}, "faster", np.nan, ""),
        ({"gd": np.nan}, "10⁵, limits", np.nan, ""),
    ],
)
def test_where_a_sentence_does_not_hold(changed, short, answer, reason):
    np.testing.assert_equal(told(**changed)[short], (answer, reason))


def test_errors_below_rounding_are_equal():
    assert told(gd=1e-13, wn=[1e-13, 1e-14, 1e-16, 0.0])["10⁵, limits"][0] == 0


def test_trial(data):
    assert len(data["Q"]) == 4
    np.testing.assert_allclose(data["lp_error"], 0, atol=1e-9)
    only = reach_shares.only_solution(data)
    assert only.tolist() == [False, False, True, False]  # signed problems have a choice
    assert data["gd"][2] == 0
    assert (data["edge"][2] == np.inf).all()
    assert (data["edge"][0] < np.inf).all()
    np.testing.assert_equal(data["slack"] >= data["margin"], True)


def test_an_edge_separates_accurate_scales():
    problem = reach.draw_problem(8, 24, 1, 3)
    xi = wn.initial_weights(problem, 1, 1)
    flow = wn.WeightNormFlow(2, 0.1)
    edge = reach._Ends(problem).edge(flow, xi, 0.1)
    low, high = (wn.limit(flow, problem, s * xi).error for s in (edge, 1.03 * edge))
    assert low < reach.ACCURATE < high


def test_longest_norm():
    assert longest_norm(wn.Problem([[1.0, 2.0]], [2.0])) == pytest.approx(2)
    assert longest_norm(wn.Problem([[1.0, -1.0]], [2.0])) == np.inf
    assert longest_norm(wn.Problem([[1.0, 2.0]], [2.0], signed=True)) == np.inf
    assert np.isnan(longest_norm(wn.Problem([[1.0, 2.0]], [-2.0])))
    assert longest_norm(wn.Problem([[1e-9, 2e-9]], [2e-9])) == pytest.approx(2)


def test_expected_factor_is_that_of_small_starts():
    """On z_1 + z_2 / 2 = 1 the error is that of the second entry, as the start vanishes."""
    problem, x0 = wn.Problem([[1.0, 0.5]], [1.0], [1.0, 0.0]), np.array([1e-4, 1e-4])
    flow = wn.WeightNormFlow(2, 0.1)
    gd, wn_gd = (wn.limit(each, problem, x0).error for each in (wn.PlainFlow(2), flow))
    expected = expected_log_factor(flow, x0 @ x0, 1.0, 0.5)
    assert np.log(gd / wn_gd) == pytest.approx(float(expected), abs=0.02)


def test_shares(data):
    counted = reach_shares.shares(data)
    for row in counted:
        assert row.held + sum(row.where_not.values()) == row.applies
        assert row.supposed[0] <= row.supposed[1] <= row.applies
    text, table = reach_shares.listed(data), reach_shares.table(data)
    for row in counted:
        assert row.sentence.label in text
        assert row.sentence.text in table


def test_pictures_draw_the_data(data):
    _, axes = plt.subplots(2)
    reach_pictures.draw(axes[0], data)
    assert axes[0].get_yticklabels()[0].get_text() == "all"
    first = reach_shares.shares(data)[0]
    assert axes[0].texts[0].get_text() == f"{100 * first.share:.0f}"
    reach_pictures.draw_factors(axes[1], data, data["signal"] == "signed")
    drawn = [line.get_xdata() for line in axes[1].get_lines()[:4]]
    assert sum(map(len, drawn)) == len(data["Q"])
    plt.close("all")


def test_the_explorer_has_a_picture_for_each_kind(data):
    explorer = reach_pictures.explorer(data)
    assert len(explorer.children) == 3
    plt.close("all")
