"""The map of recovery on a cluster: counted in blocks, computed by workers, its cost foretold."""

import os

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest

from wnlib import __main__ as command_line
from wnlib.figures import cluster as clusters
from wnlib.figures import phase_transition, studies, tallies
from wnlib.figures.timings import PowerLaw
from wnlib.sweeps import sweep

TINY = {"n_features": 12, "deltas": [0.25, 0.5], "shares": [0.3, 0.6], "ratios": [1.0]}


@pytest.fixture(scope="module")
def dask():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


def columns():
    """Return a sweep of the tiny map: 5 problems a cell, in blocks of 2, 2 and 1."""
    return sweep(tallies.tally, tallies.blocks(5, 2, seed=3, **TINY))


# Blocks


def test_blocks_count_what_single_problems_say():
    rows = sweep(phase_transition.trial, phase_transition.grid(3, n_draws=5, n_slice=5, **TINY))
    counted = tallies.gathered(columns())
    found = (rows["log_error"] < -3).reshape(8, 5, -1).sum(axis=1)
    certified = np.isfinite(rows["log_error"]).reshape(8, 5, -1).sum(axis=1)
    for name in tallies.CELL:
        np.testing.assert_array_equal(counted[name], rows[name][::5])
    np.testing.assert_array_equal(counted["found"], found)
    np.testing.assert_array_equal(counted["certified"], certified)
    np.testing.assert_array_equal(counted["single"], rows["single"].reshape(8, 5).sum(axis=1))
    assert (counted["n_draws"] == 5).all()


def test_blocks_hold_each_problem_once():
    points = tallies.blocks(5, 2, **TINY)
    assert len(points) == 8 * 3
    assert sorted(
        first + k
        for cell in [(True, 0.5, 0.6)]
        for point in points
        if tuple(point[name] for name in tallies.CELL) == cell
        for first in [point["first"]]
        for k in range(point["n_draws"])
    ) == [0, 1, 2, 3, 4]
    assert clusters.sum_of(points) == 40


@pytest.mark.parametrize("name", ["n_draws", "block"])
def test_blocks_are_not_empty(name):
    with pytest.raises(ValueError, match=f"{name} must be"):
        tallies.blocks(**{"n_draws": 1, "block": 1, name: 0})


# The command line


def test_workers_compute_the_figure(dask, capsys):
    command = ["figures", "phase_transition", "--check", "3", "--scheduler", dask.scheduler_address]
    assert command_line.main(command) == 0
    assert capsys.readouterr() == ("", "phase_transition: checked\n")


def test_workers_with_another_library_are_refused(dask, capsys, monkeypatch):
    monkeypatch.setattr(studies, "state", os.getpid)  # another in each process
    with pytest.raises(SystemExit) as caught:
        command_line.main(["figures", "--check", "1", "--scheduler", dask.scheduler_address])
    assert caught.value.code == 2
    assert "have another state of wnlib: install this one there" in capsys.readouterr().err


def test_an_address_that_is_none_is_refused(capsys):
    pytest.importorskip("distributed")
    with pytest.raises(SystemExit):
        command_line.main(["figures", "--check", "1", "--scheduler", "nowhere:x"])
    assert "argument --scheduler: " in capsys.readouterr().err


def test_a_process_remembers_what_the_library_was(monkeypatch):
    before = studies.state()
    monkeypatch.setattr(studies, "fingerprint", lambda: "changed meanwhile")
    assert studies.state() == before


# The model

MEASURED = {
    "workers": 2,
    "bare": [{"tasks": 10, "seconds": 0.02}, {"tasks": 30, "seconds": 0.06}],
    "sampled": {
        "M": [5, 10, 20, 40, 10, 20],
        "weights": [20, 20, 40, 80, 40, 40],
        "ratio": [1.0, 0.1, 0.01, 0.1, 0.01, 1.0],
        "others": [1.0, 2.0, 4.0, 8.0, 2.0, 4.0],  # M / 5
        "limit": [1.0, 10.0, 100.0, 10.0, 100.0, 1.0],  # 1 / ratio
    },
    "runs": [{"settings": {"n_draws": 2, "block": 1, **TINY}, "seconds": 40.0}],
}


def test_the_model_finds_planted_costs():
    law = clusters.model(MEASURED)
    assert law.task == pytest.approx(0.002)
    assert law.others.exponents == pytest.approx({"M": 1, "weights": 0}, abs=1e-9)
    assert law.limit.exponents["ratio"] == pytest.approx(-1)
    points = tallies.blocks(3, 2, **{**TINY, "deltas": [0.5], "shares": [0.5]})
    assert law.work(points) == pytest.approx(6 * (6 / 5 + 1))  # two cells of three, M = 6
    assert law.seconds(100.0, 10, 4) == pytest.approx(25.02)


def test_the_model_is_drawn_with_the_runs():
    ax = plt.figure().subplots()
    points = tallies.blocks(4, 4, **TINY)
    clusters.draw_map(ax, MEASURED, points, [100])
    x, y = ax.lines[0].get_data()
    law = clusters.model(MEASURED)
    each = law.work(points) / clusters.sum_of(points)
    np.testing.assert_allclose(y, x * each / 2 + law.task * x / 4)
    assert ax.lines[1].get_xdata().min() >= 400  # each of the hundred has a block
    assert ax.lines[-1].get_xydata().tolist() == [[16, 40.0]]
    plt.close("all")


def test_a_law_has_the_mean_of_what_scatters():
    law = PowerLaw(2.0, {"M": 1.0}, {"M": 0.1}, 0.5, 1.1)
    assert law(M=3) == pytest.approx(6.6)
    assert str(law) == "2 s * M^1.00"
