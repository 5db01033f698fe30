"""What is read off the measurements of solvers, from records made up here."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from wnlib.figures import l1_solver


def record(solver, seconds, seed=0, *, N=100, regime="hard", threads=1, passes=True, says=True):
    return {
        "solver": solver, "family": "gaussian", "M": N // 5, "N": N, "regime": regime, "s": 8,
        "signed": False, "seed": seed, "threads": threads, "seconds": seconds, "memory": 1.0,
        "excess": 0.0 if passes else 0.25, "feasibility": 0.0, "says": says, "passes": passes,
    }  # fmt: skip


RECORDS = [
    record("wnlib", [1.0, 2.0, 9.0], 0),
    record("wnlib", [1.0], 1),
    record("HiGHS simplex", [8.0], 0),
    record("HiGHS ipm", [6.0], 0),
    record("HiGHS simplex", [5.0], 1),
    record("LARS", [1.0], 0),
    record("LARS", [0.1], 1, passes=False),
    record("SPGL1", [3.0], 1, passes=False, says=False),
    record("OMP", [3.0], 1, passes=False, says=None),
]


def test_a_time_counts_where_the_answer_is_right():
    assert l1_solver.seconds(RECORDS[0]) == 2.0
    assert l1_solver.seconds(RECORDS[6]) == np.inf


def test_the_faster_of_several_solvers_counts():
    np.testing.assert_array_equal(l1_solver.ratios(RECORDS, l1_solver.HIGHS), [3.0, 5.0])
    np.testing.assert_array_equal(l1_solver.ratios(RECORDS, ["LARS"]), [0.5, np.inf])
    assert len(l1_solver.ratios(RECORDS, ["nobody"])) == 0


def test_our_failures_count_against_us():
    lost = [record("wnlib", [1.0], passes=False), record("LARS", [1.0])]
    np.testing.assert_array_equal(l1_solver.ratios(lost, ["LARS"]), [0.0])
    both = [record("wnlib", [1.0], passes=False), record("LARS", [1.0], passes=False)]
    assert len(l1_solver.ratios(both, ["LARS"])) == 0


def test_records_of_several_threads_are_not_mixed():
    with pytest.raises(ValueError, match="select one of the threads"):
        l1_solver.times([record("wnlib", [1.0]), record("wnlib", [1.0], threads="default")])


def test_profiles_are_shares_of_what_was_tried():
    found = l1_solver.profiles(RECORDS)
    np.testing.assert_array_equal(found["wnlib"][0], [1.0, 2.0])
    assert found["LARS"][1] == 2
    assert len(found["SPGL1"][0]) == 0
    assert l1_solver.within(RECORDS, 2.0) == {
        "wnlib": 1.0, "HiGHS simplex": 0.0, "HiGHS ipm": 0.0, "LARS": 0.5, "SPGL1": 0.0, "OMP": 0.0,
    }  # fmt: skip


def test_an_instance_that_nobody_solves_is_in_no_profile():
    assert l1_solver.profiles([record("LARS", [1.0], passes=False)]) == {}


def test_failures_are_told_from_false_successes():
    rows = {row["solver"]: row for row in l1_solver.failures(RECORDS)}
    assert rows["wnlib"]["right"] == rows["wnlib"]["instances"] == 2
    assert (rows["LARS"]["right"], rows["LARS"]["false"], rows["LARS"]["worst"]) == (1, 1, 0.25)
    assert (rows["SPGL1"]["admitted"], rows["SPGL1"]["false"]) == (1, 0)
    assert rows["OMP"]["silent"] == 1


def test_table_has_a_row_for_each_regime_and_size():
    (row,) = l1_solver.table(RECORDS)
    assert (row["M"], row["N"], row["regime"], row["instances"]) == (20, 100, "hard", 2)
    assert (row["seconds"], row["highs"], row["highs_least"]) == (1.5, 4.0, 3.0)
    assert row["lars_least"] == 0.5
    assert row["memory"] == pytest.approx(1.0 / (8 * 20 * 100 / 2**20))
    assert l1_solver.table(RECORDS, threads="default") == []


def test_growth_finds_the_exponent():
    records = [
        record("LARS", [1e-6 * N**2.5 * (1 + seed)], seed, N=N)
        for N in (100, 200, 400, 800)
        for seed in range(3)
    ]
    N, t, law = l1_solver.growth(records, "LARS")
    np.testing.assert_array_equal(N, [100, 200, 400, 800])
    assert law.exponents["N"] == pytest.approx(2.5)
    assert t[0] == pytest.approx(2e-6 * 100**2.5)
    assert l1_solver.growth(records[:3], "LARS")[2] is None
    wrong = [record("LARS", [1.0], seed, N=1600, passes=False) for seed in range(3)]
    assert 1600 not in l1_solver.growth(records + wrong, "LARS")[0]


def test_labels_are_moved_apart():
    moved = l1_solver.apart({"a": 0.0, "b": 0.01, "c": 1.0}, 0.1)
    assert moved == {"a": 0.0, "b": 0.1, "c": 1.0}


def test_figures_name_what_they_draw():
    fig, (left, right) = plt.subplots(1, 2)
    l1_solver.profile(left, RECORDS)
    records = [record(name, [N / 1e3], N=N) for name in ("wnlib", "LARS") for N in (50, 100, 200)]
    l1_solver.scaling(right, records, ["wnlib", "LARS", "nobody"])
    texts = [artist.get_text() for ax in (left, right) for artist in ax.texts]
    plt.close(fig)
    assert {"wnlib", "LARS", "SPGL1"} <= set(texts)
    assert r"LARS $N^{1.0}$" in texts
