"""The path of deep networks, the central path, and the two projections at its end."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import wnlib as wn
from wnlib.figures import deep_path as pictures
from wnlib.l1 import termination
from wnlib.theory import deep_path

SMALL = wn.sparse_problem(5, 12, 2, seed=1, signed=True)
TWO = wn.Problem([[1.0, 0.5]], [1.0])
NONE = wn.Problem([[1.0], [1.0]], [1.0, 2.0])  # has no solution


@pytest.mark.parametrize("depth", [2.2, 3, 10, np.inf])
@pytest.mark.parametrize("delta", [0.5, 1e-2, 1e-4])
def test_points_solve_their_equations(depth, delta):
    z, y = deep_path.path_point(SMALL, delta, depth)
    np.testing.assert_allclose(SMALL.network_matrix @ z, SMALL.b, atol=1e-9)
    slack = 1 - SMALL.network_matrix.T @ y
    np.testing.assert_allclose(slack, (delta / z) ** (1 - 2 / depth), rtol=1e-9)


def test_two_weights_by_hand():
    """``z_1 (1 - y) = z_2 (1 - y / 2) = delta`` and ``z_1 + z_2 / 2 = 1`` is a quadratic in y."""
    z, (y,) = deep_path.path_point(TWO, 0.1)
    np.testing.assert_allclose(0.1 / (1 - y) + 0.05 / (1 - y / 2), 1)
    np.testing.assert_allclose(z, [0.1 / (1 - y), 0.1 / (1 - y / 2)])


def test_points_are_where_networks_end():
    """At depth 4, from the same equal effective weights; `limit` knows another equation."""
    x0 = np.full(SMALL.n_weights, 0.05**0.25)
    plain, flow = wn.limit(wn.PlainFlow(4), SMALL, x0), wn.WeightNormFlow(4, 1.0)
    np.testing.assert_allclose(deep_path.path_point(SMALL, 0.05, 4)[0], plain.stacked, rtol=1e-6)
    end = wn.limit(flow, SMALL, x0)
    delta = np.exp(deep_path.log_delta(flow, x0, end.radius))
    np.testing.assert_allclose(deep_path.path_point(SMALL, delta, 4)[0], end.stacked, rtol=1e-6)


def test_delta_begins_as_the_start():
    x0 = np.full(3, 0.7)
    for flow in wn.WeightNormFlow(3, 0.5), wn.PlainFlow(3):
        np.testing.assert_allclose(deep_path.log_delta(flow, x0, np.linalg.norm(x0)), np.log(0.343))
    assert deep_path.log_delta(wn.PlainFlow(3), x0, [1.0, 2.0]).shape == (2,)


def test_first_order_is_the_derivative():
    z = deep_path.path_point(SMALL, 0.05)[0]
    near = deep_path.path_point(SMALL, 0.05, 100)[0], deep_path.path_point(SMALL, 0.05, 50)[0]
    slope = 200 * np.log(near[0] / z) - 50 * np.log(near[1] / z)  # the second order cancels
    expected = 2 * deep_path.first_order(SMALL, z, 0.05)
    np.testing.assert_allclose(slope, expected, atol=0.02 * np.abs(expected).max())


@pytest.mark.parametrize("ratio", [0.1, 24.0, 100.0])
def test_deep_delta_solves_its_equation(ratio):
    """With the ratio N, and there only, it is the start, as without normalization."""
    delta = deep_path.deep_delta(SMALL, 0.05, ratio)
    mean = np.log(deep_path.path_point(SMALL, delta)[0] / 0.05).mean()
    np.testing.assert_allclose(np.log(0.05 / delta), (24 / ratio - 1) * mean, atol=1e-8)
    assert (delta == pytest.approx(0.05)) == (ratio == 24)


def test_gap_bound_by_hand():
    """One entry of four, R(z) = 1, R_0 = 0.4, omega = 1 at depth 4 with ratio 1."""
    flow, z = wn.WeightNormFlow(4, 1.0), np.array([1.0, 0, 0, 0])
    bound = deep_path.gap_bound(flow, np.full(4, np.sqrt(0.1)), z)
    assert bound == pytest.approx(0.25 * np.exp(-0.6))


@pytest.mark.parametrize(
    ("problem", "delta", "depth", "message"),
    [
        (TWO, 0.1, 2, "depth must be above 2"),
        (TWO, -1.0, 3, "delta must be positive"),
        (NONE, 0.1, np.inf, "no point of the path"),
        (TWO, 1e-300, np.inf, "no point of the path"),
    ],
)
def test_what_has_no_point_is_refused(problem, delta, depth, message):
    with pytest.raises(ValueError, match=message):
        deep_path.path_point(problem, delta, depth)


def test_strict_pairs_are_strictly_complementary():
    """Also where a column stands twice, so that there are many solutions."""
    largest = np.abs(wn.min_l1(SMALL).z).argmax()
    A = np.column_stack([SMALL.A, SMALL.A[:, largest]])
    for problem in SMALL, TWO, wn.Problem(A, SMALL.b, signed=True):
        z, slack = termination.strict_pair(problem)
        assert ((z > 0) != (slack > 1e-6)).all()
        np.testing.assert_allclose(problem.network_matrix @ z, problem.b, atol=1e-7)
        assert z.sum() == pytest.approx(wn.min_l1(problem).norm)
    assert problem.readout(z)[[largest, -1]].all()


def test_projections_are_exact_where_they_are_promised_to_be():
    strict = termination.strict_pair(SMALL)
    gap = termination.termination_gap(SMALL, strict, strict[0].max())
    z, y = deep_path.path_point(SMALL, 0.5 * gap / SMALL.n_weights)
    slack = 1 - SMALL.network_matrix.T @ y
    np.testing.assert_array_equal(termination.read_support(z, slack), strict[0] > 0)
    z, y = termination.two_projections(SMALL, z, y)
    assert z.min() >= 0
    assert (SMALL.network_matrix.T @ y).max() <= 1 + 1e-12
    assert SMALL.b @ y == pytest.approx(z.sum(), rel=1e-12)


def test_termination_gap_by_hand():
    """``(1, 0)`` with the slack ``(0, 1/2)``; all columns are at most 1 long."""
    strict = termination.strict_pair(TWO)
    np.testing.assert_allclose(strict, [[1, 0], [0, 0.5]], atol=1e-7)
    exact = np.array([1.0, 0]), np.array([0, 0.5])
    assert termination.termination_gap(TWO, exact, 1.0) == pytest.approx(0.125)
    assert termination.termination_gap(TWO, exact, 4.0, 0.5) == pytest.approx(0.0625)


def test_training_ends_on_the_drawn_curve():
    z = pictures.trained(wn.PlainFlow(3), TWO, 0.05)
    np.testing.assert_allclose(pictures.curve(TWO, 3, [0.05])[0], z, rtol=1e-6)
    assert np.isnan(pictures.curve(NONE, 3, [0.1])).all()


def test_pictures_show_what_was_found():
    walked = pictures.walk(SMALL, [0.1, 1e-3, 1e-300])
    assert list(walked) == [0.1, 1e-3]
    pages = pictures.pages(SMALL, walked, termination.strict_pair(SMALL)[0] > 0)
    assert len(pages) == 2
    assert "24 of 24 are on the right side" in pages[1][1]
    fig, (left, right) = plt.subplots(1, 2)
    three = wn.Problem([[1.0, 0.9, 0.5]], [1.0])
    curve = pictures.curve(three, 3, [1.0, 0.1])
    pictures.draw_triangle(left, three, {3: curve}, {3: curve})
    pictures.draw_distances(right, {"plain": (np.array([4, 8]), np.array([0.2, 0.1]))})
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["$L$ = 3"]
    plt.close(fig)
