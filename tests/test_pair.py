"""Explorers of two and three weights: their pages tell the numbers of another road."""

import re

import numpy as np
import pytest

import wnlib as wn
from wnlib.figures import pair, plain, polar

PAIR = wn.Problem(A=[[1.0, 0.5]], b=[1.0])
START = np.array([0.18, 0.24])
RATIOS = (3.0, 0.3)


def texts(book):
    return [re.findall('alt="(.*?)"', page.value)[0] for page in book.children[1].children]


def points(text):
    return [
        np.array(found.split(", "), dtype=float) for found in re.findall(r"\(([\d., ]+)\)", text)
    ]


@pytest.mark.parametrize("depth", [2, 3])
def test_the_lowest_level_set_touches_where_trained_weights_end(depth):
    book = pair.level_set_explorer(depth, PAIR, START, RATIOS, 1, 1e6)
    assert book.children[0].value == 0.3
    for text, ratio in zip(texts(book), RATIOS, strict=True):
        start, end, touch = points(text)
        assert start == pytest.approx(START**depth, abs=0.005)
        assert end == pytest.approx(touch, abs=0.015)  # two decimals, and steps of 1 / 400
        limit = wn.limit(wn.WeightNormFlow(depth, ratio), PAIR, START)
        assert end == pytest.approx(limit.effective, abs=0.006)


def test_where_nothing_solves_no_level_set_touches():
    book = pair.level_set_explorer(2, wn.Problem([[1.0, 0.5]], [-1.0]), START, RATIOS, 0, 10.0)
    assert all("No solution" in text for text in texts(book))


@pytest.mark.parametrize("explorer", [pair.rho_explorer, pair.root_explorer])
@pytest.mark.parametrize("depth", [2, 3])
def test_log_rho_is_that_of_the_exact_limit(explorer, depth):
    for text, ratio in zip(texts(explorer(depth, PAIR, START, RATIOS, 0)), RATIOS, strict=True):
        exact = wn.limit(wn.WeightNormFlow(depth, ratio), PAIR, START).log_rho
        (said,) = re.findall(r"log ρ = ([−\d.]+)", text)
        assert float(said.replace("−", "-")) == pytest.approx(exact, abs=0.006)


@pytest.mark.parametrize("explorer", [pair.rho_explorer, pair.root_explorer])
def test_a_flow_that_stalls_is_said_not_to_arrive(explorer):
    opposed = wn.Problem(A=[[1.0, -1.0]], b=[1.0])
    (text,) = texts(explorer(2, opposed, np.array([0.1, 0.4]), (2.0,), 0))
    assert "it does not arrive" in text


def test_small_starts_share_one_corner_at_depth_two_only():
    three = wn.Problem([[1.0, 0.85, 0.7]], [1.0])
    book = plain.corner_explorer(three, (2, 3), (0.1, 1e-10), 0)
    assert "at depth 2 28, 0 and 0; at depth 3 12, 9 and 7" in texts(book)[1]
    assert plain.corner_explorer(PAIR, (2,), (0.1,), 0) is None


def test_each_portrait_says_where_its_run_ends():
    scales, flow = (1.0, 0.1), wn.PlainFlow(2)
    runs = [wn.integrate(flow, PAIR, scale * START, 1e5) for scale in scales]
    for text, run in zip(texts(plain.portrait_explorer(runs, scales, 0)), runs, strict=True):
        assert points(text)[1] == pytest.approx(run.effective, rel=0.06)
    paths = [wn.integrate(wn.WeightNormFlow(2, ratio), PAIR, START, 1e5) for ratio in RATIOS]
    for text, path in zip(texts(polar.portrait_explorer(paths, runs[0], 0)), paths, strict=True):
        assert points(text)[1] == pytest.approx(path.weights, abs=0.006)
    assert polar.portrait_explorer([], runs[0], 0) is None
