"""What the chapters on the end of robustness compute: bends, boundaries, slants, phase diagrams."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wnlib as wn
from wnlib.figures import robustness, stall_phases, stalls, widgets

PROBLEM = wn.sparse_problem(4, 8, sparsity=1, seed=0, signed=True)
LEANING = np.where(PROBLEM.network_matrix.T @ PROBLEM.b < 0, 1.0, 0.3)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.3, 2.5), st.floats(-5, 5), st.floats(0.1, 10))
def test_a_bend_is_found_where_it_is(where, height, slope):
    x = np.linspace(0, 3, 13)
    found = robustness.bend(x, height + slope * np.maximum(0, x - where))
    assert found == pytest.approx(where, abs=0.005)


def test_a_bend_needs_points():
    x = np.linspace(0, 3, 6)
    assert np.isnan(robustness.bend(x, np.where(x > 1, np.nan, 0)))


def test_trained_weights_keep_their_length_beyond_the_end():
    found = robustness.crossover(2, PROBLEM, LEANING, 1e-3, np.array([0.7, 1.5]))
    assert found.kept == pytest.approx([1, 1.5], rel=0.01)
    assert np.isnan(found.bend)


def test_the_minimum_over_the_segment_is_said_in_words():
    _, alt = robustness.over_segment(1.5, ratios=(1e-3,))
    assert alt == "Norm of the limit by ratio: 1.50 for 0.001."


@pytest.mark.parametrize("depth", [2, 3.5])
def test_the_boundary_of_two_columns(depth):
    problem, flow = wn.Problem([[1.0, -2.0]], [1.0]), wn.WeightNormFlow(depth, 0.3)
    share = np.array([0.2, 0.95])
    edge = stalls.boundary(flow, problem, share)
    assert edge[0] > 0 and edge[1] == 0
    x0 = np.sqrt(flow.ratio * edge[0] * np.array([0.2, 0.8]))
    assert wn.stalls(flow, problem, 0.999 * x0) and not wn.stalls(flow, problem, 1.001 * x0)


@pytest.mark.parametrize("depth", [2, 2.5, 4])
def test_the_parabola_is_the_boundary_of_small_slants(depth):
    flow, problem = wn.WeightNormFlow(depth, 1.0), wn.Problem([[1.0, -1.0]], [1.0])
    errors = []
    for lean in 1.02, 1.04:
        v0 = np.array([1.0, lean])
        share = np.array([1 / (1 + lean**2)])
        slant = stalls.slant(problem, v0, depth)
        assert slant < 0
        edge = stalls.boundary(flow, problem, share)[0]
        errors.append(abs(stalls.parabola(slant, depth) / edge - 1))
    assert errors[1] < 0.01 and errors[1] == pytest.approx(4 * errors[0], rel=0.1)


def test_an_even_start_has_the_slant_of_the_mean():
    problem = wn.sparse_problem(4, 9, sparsity=2, seed=1)
    pull = problem.A.T @ problem.b
    found = stalls.slant(problem, np.ones(9), 3)
    assert found == pytest.approx(pull.mean() / np.sqrt(np.mean(pull**2)), rel=1e-12)


def test_short_starts_stall_by_their_slant():
    slants, heights, stalled = stalls.slanted([PROBLEM], 2, 30, seed=0)
    assert len(slants) == len(heights) == len(stalled) == 30
    assert not stalled[slants >= 0].any()
    assert stalled[(slants < -0.3) & (heights < 0.02)].all() and stalled.any()


@pytest.mark.parametrize("depth", [2, 3])
def test_a_phase_map_agrees_with_what_it_predicts(depth):
    ratios, dots = np.array([0.01, 0.02]), np.array([0.1, 10.0])
    found = stall_phases.phase_map(depth, PROBLEM, LEANING, ratios, dots, max_steps=1500)
    assert found.stalls == pytest.approx(found.predicted, rel=0.01)
    assert (found.certified > found.stalls).all()
    slope = found.predicted[0] / ratios[0]
    assert (found.trained == (found.dots[:, 1] < slope * found.dots[:, 0])).all()
    assert found.trained.any()


def test_where_nothing_stalls_there_is_no_boundary():
    found = stall_phases.phase_map(2, PROBLEM, 1 / LEANING, np.array([1.0]), np.array([]), 10)
    assert found.predicted[0] == 0 and np.isnan([found.stalls, found.certified]).all()
    assert found.dots.shape == (0, 2)


def test_a_flipbook_has_a_picture_for_each_value():
    slider = widgets.choices("c", (1.0, 2.0), 2.0, "size")
    pages = [stalls.two_columns(c, (2,), n_points=5) for c in (1.0, 2.0)]
    book = widgets.Flipbook(slider, pages)
    assert book.first.value.startswith('<img alt="c = 2:')
    assert book.links[0].source[1] == "index" and book.links[0].target[1] == "selected_index"
    assert "image/png" in book._repr_mimebundle_()
    with pytest.raises(ValueError, match="pictures must be 2, one for each value of the slider"):
        widgets.Flipbook(slider, pages[:1])
