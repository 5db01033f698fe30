"""Error against the sparsity: what is computed, counted and drawn."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from wnlib.figures import sparsity
from wnlib.figures.studies import Data

SMALL = {"n_measurements": 12, "n_features": 24, "n_steps": 200, "n_draws": 2}


@pytest.fixture(scope="module")
def small():
    return sparsity.compute(sparsities=[1, 2, 10, 50], **SMALL)


def made(errors):
    """Return a table of errors of one draw, at sparsities 1, 2, ..."""
    n = len(errors)
    columns = {"sparsity": np.arange(1, n + 1), "draw": np.zeros(n, int), "wn": np.array(errors)}
    return Data(columns, {}, "made up")


def test_sparsities_beyond_the_features_are_left_out(small):
    assert np.unique(small["sparsity"]).tolist() == [1, 2, 10]


def test_a_trial_is_that_of_its_problem(small):
    row = small.where(sparsity=2, draw=1)
    problem = sparsity.problem(12, 24, 2, 0, 1)
    assert np.count_nonzero(problem.signal) == 2
    assert row["lp"][0] < 1e-12
    assert row["gd_status"][0] == "converged"
    assert row["length"][0] == pytest.approx(problem.signal.sum() / (24 * 0.01), rel=0.5)
    assert 0 < row["slack"][0] <= 1


@pytest.mark.parametrize(
    ("errors", "places"),
    [
        ([0, 0, 1, 0, 1, 1], (4, 5, 5)),
        ([1, 0, 0], (3, np.nan, np.nan)),
        ([1, 1], (np.nan, 1, 1)),
    ],
)
def test_where_a_method_leaves_exact_recovery(errors, places):
    np.testing.assert_equal(sparsity.leaves(made(errors), "wn"), places)


def test_the_exponent_of_weight_normalization_is_larger_by_log_rho_times_the_slack(small):
    found = sparsity.exponents(small)
    slack, log_rho = (small.cube(name, "sparsity", "draw") for name in ("slack", "log_rho"))
    np.testing.assert_allclose(found["wn"] - found["gd"], slack * log_rho, atol=1e-12)


def test_a_run_through_zero_is_not_drawn(small):
    broken = dict(small) | {"wn_run": np.full(len(small["draw"]), "crossed_zero")}
    assert np.isnan(sparsity.ended(Data(broken, {}, ""))).all()


def test_the_figures_draw_the_data(small):
    _, (above, below) = plt.subplots(2)
    sparsity.draw(above, small)
    line = above.lines[0].get_ydata()
    np.testing.assert_allclose(line, sparsity.medians(small, "gd"), atol=sparsity.FLOOR)
    sparsity.draw_exponents(below, small)
    assert below.get_xlabel() == above.get_xlabel()
    figure, text = sparsity.entries(
        2, n_measurements=12, n_features=24, scale=0.1, ratio=0.1, seed=0
    )
    assert len(figure.axes) == 3
    assert "linear program < 10⁻¹⁰" in text
    plt.close("all")
