"""Every door takes what fits, or says by a TypeError or ValueError which argument does not."""

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

import wnlib as wn

PROBLEM = wn.Problem([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]], [1.0, 1.0], [0.0, 0.5, 0.5])
FLOW, X0 = wn.WeightNormFlow(2, 0.5), np.array([0.3, 0.4, 0.5])
ROAD = {"flow": FLOW, "problem": PROBLEM, "x0": X0}

# A call, arguments that fit, and which of them a test may change.
CALLS = {
    "Problem": (wn.Problem, {"A": PROBLEM.A, "b": PROBLEM.b, "signal": X0, "signed": False}),
    "sparse_problem": (
        wn.sparse_problem,
        {
            "n_measurements": 3,
            "n_features": 5,
            "sparsity": 2,
            "seed": 0,
            "signed": True,
            "noise": 0.1,
        },
    ),
    "initial_weights": (
        wn.initial_weights,
        {"problem": PROBLEM, "scale": 0.1, "seed": 0, "starts": 2, "shape": "uniform"},
    ),
    "PlainFlow": (wn.PlainFlow, {"depth": 2}),
    "WeightNormFlow": (wn.WeightNormFlow, {"depth": 2, "ratio": 0.5}),
    "descend": (
        wn.descend,
        {**ROAD, "step": 0.01, "n_steps": 20, "times": [0.1], "residual_tol": 1e-3},
    ),
    "integrate": (
        wn.integrate,
        {**ROAD, "t_end": 1.0, "times": [0.5], "form": "mirror", "rtol": 1e-6, "max_steps": 10},
    ),
    "limit": (wn.limit, ROAD),
    "stalls": (wn.stalls, {**ROAD, "max_steps": 100}),
    "min_l1": (wn.min_l1, {"problem": PROBLEM}),
    "readout": (PROBLEM.readout, {"stacked": X0}),
    "residual": (PROBLEM.residual, {"z": X0}),
    "error": (PROBLEM.error, {"z": X0}),
}

TEXTS = ["text", "0.1", "", b"bytes", ["a", "b", "c"], np.array("x")]
NUMBERS = [0, -1, 1.5, 10**400, -(10**400), np.nan, np.inf, 1e308, 5e-324, 1j, True, False]
TYPED = [np.float32(0.5), np.int8(3), np.bool(True), Decimal("0.1"), Fraction(1, 2)]
LISTS = [[], [[]], (), [None], [True, False, True], [[1, 2], [3]], [1j, 2, 3], range(3)]
VECTORS = [[np.nan] * 3, [np.inf, 1, 1], [-1, 1, 1], [0, 0, 0], [1e308] * 3, [1e-320] * 3]
SHAPES = [np.ones(shape) for shape in ((), (1, 3), (3, 1), (0, 3), (3, 0), (2, 2, 2, 2))]
OBJECTS = [None, object, object(), np.array(None), np.array([None] * 3), np.array([1, 2, 3], "O")]
DATES = [datetime.date(2020, 1, 1), np.datetime64("2020"), np.array([1, 2, 3], "M8[s]")]
CONTAINERS = [{}, {1: 2}, {1, 2}, slice(3), iter([1, 2, 3]), memoryview(b"abc"), len]
ARRAYS = [
    csr_array(np.eye(3)),
    np.ma.masked_array([1, 2, 3], [0, 1, 0]),
    np.ones((1, 3)).view(np.matrix),
    np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
]
HOSTILE = [
    *(*TEXTS, *NUMBERS, *TYPED, *LISTS, *VECTORS),
    *(*SHAPES, *OBJECTS, *DATES, *CONTAINERS, *ARRAYS),
]


def refusal(call, argument, value):
    """Return what a call says of one wrong argument; "" if it is taken."""
    function, arguments = CALLS[call]
    try:
        function(**(arguments | {argument: value}))
    except (ValueError, TypeError) as error:
        assert argument in str(error), f"{argument}={value!r}: {error}"
        return str(error)
    except RuntimeWarning:  # NumPy's, of z beyond the range of floats
        assert call in ("residual", "error")
        return "overflow"
    return ""


@pytest.mark.parametrize(
    ("call", "argument"), [(call, argument) for call in CALLS for argument in CALLS[call][1]]
)
def test_a_wrong_argument_is_taken_or_named(call, argument):
    function, arguments = CALLS[call]
    function(**arguments)  # fits
    refusals = [refusal(call, argument, value) for value in HOSTILE]
    assert sum(map(bool, refusals)) > len(HOSTILE) / 2


RAGGED = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=1), inner),
    max_leaves=8,
)


DOORS = [
    *(("Problem", "A"), ("Problem", "b"), ("Problem", "signal"), ("residual", "z")),
    *(("descend", "x0"), ("descend", "times"), ("descend", "step"), ("descend", "n_steps")),
]


@settings(max_examples=100, deadline=None)
@given(door=st.sampled_from(DOORS), value=RAGGED)
def test_whatever_is_nested_is_taken_or_named(door, value):
    if door == ("descend", "n_steps") and isinstance(value, int):
        value = min(value, 100)  # more would be taken, and take time
    refusal(*door, value)
