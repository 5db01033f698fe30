"""The largest start that stalls, by its formula: against `stalls`, and in closed form."""

import numpy as np
import pytest

import wnlib as wn
from wnlib.theory.stalling import predicted_stall

OPPOSED = wn.Problem([[1.0, -1.0]], [1.0])


@pytest.mark.parametrize("depth", [2, 2.5, 3, 5])
def test_with_one_measurement_the_prediction_is_exact(depth):
    rng = np.random.default_rng(3)
    for _ in range(5):
        problem = wn.Problem(np.append(1.0, -rng.uniform(0.5, 2, 2))[None], rng.uniform(0.1, 3, 1))
        v0 = np.append(rng.uniform(0.1, 0.4), rng.uniform(0.7, 1, 2))
        flow = wn.WeightNormFlow(depth, 10 ** rng.uniform(-1, 1))
        largest = predicted_stall(flow, problem, v0)
        unit = v0 / np.linalg.norm(v0)
        assert largest > 0
        assert wn.stalls(flow, problem, np.sqrt(0.999 * largest) * unit)
        assert not wn.stalls(flow, problem, np.sqrt(1.001 * largest) * unit)


def test_prediction_in_closed_form():
    # two opposed columns, L = 2: min_tau log(a e^{2 tau} + c e^{-2 tau}) = log(2 sqrt(a c))
    v0 = np.array([0.1, 0.4])
    a, c = v0**2 / (v0 @ v0)
    found = predicted_stall(wn.WeightNormFlow(2, 0.7), OPPOSED, v0)
    assert found == pytest.approx(-0.7 * np.log(2 * np.sqrt(a * c)), rel=1e-12)
    assert predicted_stall(wn.WeightNormFlow(2, 0.7), OPPOSED, v0[::-1]) == 0


def test_only_the_direction_matters_and_the_unit_of_the_problem_does_not():
    flow, v0 = wn.WeightNormFlow(3, 0.7), np.array([0.1, 0.4])
    found = predicted_stall(flow, OPPOSED, v0)
    assert predicted_stall(flow, OPPOSED, 1e-100 * v0) == pytest.approx(found, rel=1e-12)
    units = wn.Problem([[1e40, -1e40]], [1e-30])
    assert predicted_stall(flow, units, v0) == pytest.approx(found, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "named"),
    [
        (lambda: predicted_stall(wn.PlainFlow(2), OPPOSED, [1, 1]), TypeError, "WeightNormFlow"),
        (lambda: predicted_stall(wn.WeightNormFlow(2, 1), OPPOSED, [1]), ValueError, "v0"),
        (lambda: predicted_stall(wn.WeightNormFlow(2, 1), OPPOSED, [1, 0]), ValueError, "v0"),
        (lambda: predicted_stall(wn.WeightNormFlow(2, 1), OPPOSED, [[1, 1]]), ValueError, "v0"),
        (
            lambda: predicted_stall(wn.WeightNormFlow(2, 1), wn.Problem([[-1.0]], [1.0]), [1]),
            ValueError,
            "no positive entry",
        ),
    ],
)
def test_mistakes_are_named(call, error, named):
    with pytest.raises(error, match=named):
        call()
