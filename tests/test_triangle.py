"""The triangle of solutions: paths end where the divergence is least, and pages say so."""

import re

import numpy as np
import pytest

import wnlib as wn
from wnlib.figures import triangle

PROBLEM = wn.Problem(A=[[1.0, 0.85, 0.7]], b=[1.0])
START = np.array([0.1, 0.25, 0.35])


def descend(ratio, depth=2, problem=PROBLEM, x0=START):
    return triangle.descent(wn.WeightNormFlow(depth, ratio), problem, x0, 1e6)


def test_a_lattice_covers_the_triangle():
    points = triangle.lattice(4)
    assert len(points) == 15
    assert (points >= 0).all()
    assert points.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("depth", "ratio"), [(2, 0.1), (2.5, 1.0), (4, 3.0)])
def test_a_path_ends_at_the_lowest_point(depth, ratio, sign):
    found = descend(ratio, depth, wn.Problem(sign * PROBLEM.A, sign * PROBLEM.b))
    assert found.end == pytest.approx(found.bottom, abs=1e-3)
    assert found.corners @ PROBLEM.A[0] == pytest.approx(1)
    assert (found.heights.min(), found.heights.max()) == (0, 1)


def test_a_path_that_has_not_arrived_has_no_end():
    found = triangle.descent(wn.WeightNormFlow(2, 0.1), PROBLEM, START, 1.0)
    assert np.isnan(found.end).all()


@pytest.mark.parametrize("columns", [[1.0, 0.85, -0.7], [1.0, 0.0, 1.0], [1.0, 0.5]])
def test_other_solutions_are_no_triangle(columns):
    assert descend(0.1, problem=wn.Problem([columns], [1.0]), x0=np.ones(len(columns))) is None
    assert triangle.ratio_explorer(None, {0.1: None}, 0) is None


def test_each_ratio_has_a_page_with_its_numbers():
    plain = triangle.descent(wn.PlainFlow(2), PROBLEM, START, 1e6)
    book = triangle.ratio_explorer(plain, {1.0: descend(1.0), 0.01: descend(0.01)}, 1)
    slider, shown = book.children
    assert (slider.value, len(shown.children)) == (0.01, 2)
    (alt,) = re.findall('alt="(.*?)"', shown.children[1].value)
    assert "to (1.00, 0.00, 0.00), l1 norm 1.000" in alt
