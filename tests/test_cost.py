"""What the chapter on cost computes from measured times, on times that are made up."""

import copy
import json

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wnlib.figures import cost, timings
from wnlib.figures.timings import power_law

ROADS = {
    "timed_steps": {"descend": 400, "short": 100, "loop": 100},
    "one_thread": [
        {
            "cases": [
                {
                    "ratio": 0.1,
                    "seconds": {
                        "limit": [0.01, 0.02],
                        "integrate": [0.05, 0.05],
                        "descend": [0.004, 0.004],
                        "short": [0.01, 0.01],
                        "loop": [0.01, 0.01],
                    },
                }
            ]
        },
        {"cases": [{"ratio": 0.1, "seconds": {"limit": [0.03], "descend": [0.004]}}]},
    ],
    "accuracy": [
        {
            "ratio": 0.1,
            "integrate": [
                {"seconds": [0.02], "rtol": 1e-2, "error": 0.02, "time": 7.0},
                {"seconds": [0.03, 0.04, 0.05], "rtol": 1e-5, "error": 1e-2, "time": 100.0},
                {"seconds": [0.06, 0.06, 0.06], "rtol": 1e-5, "error": 1e-6, "time": 1e4},
            ],
            "descend": [
                {"step": 0.2, "n_steps": [0, 10, 100], "error": [1.0, 0.1, 0.02]}
                | {"status": "converged"},
                {"step": 0.05, "n_steps": [0, 40, 400], "error": [1.0, 0.1, 0.005]}
                | {"status": "converged"},
            ],
        }
    ],
}
PROCESS = {
    "width": [
        {"M": M, "N": N, "limit": [1e-9 * N**2], "integrate": [2e-9 * N**2], "bare": [1e-6]}
        for M, N in ((20, 50), (40, 100), (80, 200))
    ],
    "step_width": [
        {"M": M, "N": N, "batch": batch, "seconds": [1e-6 * batch * N], "bare": [1e-7 * batch * N]}
        for M, N in ((20, 50), (40, 100), (80, 200))
        for batch in (1, 192)
    ],
    "batch": [
        {"M": 40, "N": 100, "batch": batch, "seconds": [1e-4 * batch], "bare": [2e-5 * batch]}
        | {"numpy": [2e-4 * batch], "square": [1e9]}
        for batch in (1, 10)
    ],
}


def test_steps_are_those_of_the_best_step_that_comes_near():
    assert cost.walk(ROADS, 0.1, 0.1) == cost.Walk(0.2, 10, False)
    assert cost.walk(ROADS, 0.1, 0.01) == cost.Walk(0.05, 400, False)


def test_beyond_the_floor_steps_are_foretold():
    """The floors are 0.1 of the step; the flow takes 1000 to an error of 1e-4."""
    walk = cost.walk(ROADS, 0.1, 2e-4)
    assert walk.foretold
    assert walk.step == pytest.approx(1e-3)
    assert walk.n_steps == pytest.approx(1e6)
    assert np.isnan(cost.walk(ROADS, 0.1, 1e-9).n_steps)  # the flow was not followed so far


def test_a_run_that_was_cut_off_goes_on():
    (case,) = copy.deepcopy(ROADS["accuracy"])
    case["descend"][0]["status"] = "max_steps"
    walk = cost.walk(ROADS | {"accuracy": [case]}, 0.1, 1e-3)
    assert walk == cost.Walk(0.2, pytest.approx(2000), True)


def test_seconds_to_the_end():
    there = cost.to_the_end(ROADS, 0.1, 0.01)
    wanted = {"limit": 0.02, "integrate": 0.04, "descend": 400e-5, "loop": 400e-4}
    assert there == pytest.approx(wanted)
    assert cost.to_the_end(ROADS, 0.1, 0.1)["descend"] == pytest.approx(10e-4)  # not compiled


def test_the_race_is_drawn():
    ax = cost.draw_roads(plt.figure().subplots(), ROADS, 0.1)
    lines = [line.get_xydata() for line in ax.lines]
    assert lines[0][:, 0].tolist() == [0.02, 0.02]
    np.testing.assert_allclose(lines[1], [[0.02, 0.02], [0.04, 1e-2], [0.06, 1e-6]])
    np.testing.assert_allclose(lines[2], [[10e-5, 0.1], [100e-5, 0.02]])
    np.testing.assert_allclose(lines[3], [[10e-4, 0.1], [100e-4, 0.02]])
    plt.close("all")


def test_shares_are_drawn_against_the_batch():
    ax = cost.draw_batch(plt.figure().subplots(), PROCESS)
    shares = [line.get_xydata() for line in ax.lines[:3]]  # without Numba, products alone, all
    for drawn, share in zip(shares, (0.08, 0.8, 0.16), strict=True):
        np.testing.assert_allclose(drawn, [[1, share], [10, share]])
    _, words = cost.page(PROCESS, 10)
    assert words == "40 by 100: 100 microseconds"
    plt.close("all")


def test_growth_is_fitted_from_a_size_on():
    found = cost.growth(PROCESS, "N")
    assert list(found) == ["limit", "integrate", "step, batch 1", "step, batch 192"]
    assert found["limit"][2].exponents["N"] == pytest.approx(2)
    sizes, seconds, law = found["step, batch 192"]
    np.testing.assert_allclose(seconds, 1e-6 * sizes)
    assert law.exponents["N"] == pytest.approx(1)
    far = cost.growth(PROCESS, "N", 10_000)["limit"][2]  # the two largest at least
    assert far.exponents["N"] == pytest.approx(2)
    ax = cost.draw_growth(plt.figure().subplots(), PROCESS, "N")
    np.testing.assert_allclose(ax.lines[0].get_ydata(), found["limit"][1])
    plt.close("all")


def test_operations_of_steps():
    assert cost.step_work(40, 100, 2) == 4 * 40 * 100 * 2
    assert cost.newton_work(3, 10) == 3**2 * 10 + 9
    assert cost.share(PROCESS["batch"][1], "bare") == pytest.approx(0.8)


@given(st.floats(0.1, 10), st.floats(-3, 3), st.floats(-3, 3))
def test_a_power_law_is_found(constant, one, other):
    x, y = np.array([1, 2, 3, 5, 8.0]), np.array([2, 1, 4, 1, 6.0])
    law = power_law(constant * x**one * y**other, x=x, y=y)
    assert law.exponents == pytest.approx({"x": one, "y": other}, abs=1e-9)
    assert law(x=7, y=2) == pytest.approx(constant * 7**one * 2**other)
    assert law.spread == pytest.approx(0, abs=1e-9)


def test_a_law_of_scattered_times_has_their_mean():
    draw = np.random.default_rng(0)
    x = draw.uniform(1, 10, 4000)
    law = power_law(x**2 * np.exp(0.5 * draw.standard_normal(4000)), x=x)
    assert law.spread == pytest.approx(0.5, rel=0.05)
    assert law(x=1) == pytest.approx(np.exp(0.5**2 / 2), rel=0.05)
    assert abs(law.exponents["x"] - 2) < 4 * law.errors["x"]


def test_rows_are_chosen_by_their_values():
    rows = [{"a": 1, "t": [1, 5, 9]}, {"a": 2, "t": [2, 2, 2]}]
    assert timings.column(rows, "a").tolist() == [1, 2]
    assert timings.middle(rows, "t", a=1).tolist() == [5]


def test_results_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(timings, "RESULTS", tmp_path)
    (tmp_path / "x.json").write_text(json.dumps({"cores": 2}))
    assert timings.results("x") == {"cores": 2}
