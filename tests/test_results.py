"""Results as values: what they say of themselves, and that nobody writes into them."""

import copy
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

import wnlib as wn
from wnlib.results import broke_off

PROBLEM = wn.sparse_problem(4, 8, 2, seed=1, signed=True)
STARTS = wn.initial_weights(PROBLEM, 0.5, seed=2, starts=3)
FLOW = wn.WeightNormFlow(3, 0.5)
RESULTS = {
    "limit": wn.limit(FLOW, PROBLEM, STARTS[0]),
    "limits": wn.limit(FLOW, PROBLEM, STARTS),
    "integrate": wn.integrate(FLOW, PROBLEM, STARTS[0], 5.0),
    "descend": wn.descend(FLOW, PROBLEM, STARTS, 0.01, 300),
}
PATHS = [name for name, result in RESULTS.items() if isinstance(result, wn.Trajectory)]
every_result = pytest.mark.parametrize("name", RESULTS)


def arrays(record):
    return {name: value for name, value in vars(record).items() if isinstance(value, np.ndarray)}


@every_result
def test_the_end_in_other_words(name):
    result = RESULTS[name]
    np.testing.assert_array_equal(result.stacked, result.weights**3)
    np.testing.assert_array_equal(result.residual, PROBLEM.residual(result.effective))
    np.testing.assert_array_equal(result.error, PROBLEM.error(result.effective))
    shape = result.weights.shape[:-1]
    for said in (result.radius, result.residual, result.error, result.status, result.message):
        assert np.shape(said) == shape


@pytest.mark.parametrize("name", PATHS)
def test_the_path_in_other_words(name):
    """Its last entry is the end; the loss is that of the definition."""
    run = RESULTS[name]
    for what in ("residual", "error", "effective", "radius"):
        path = getattr(run, f"{what}_path")
        assert len(path) == len(run.times)
        np.testing.assert_allclose(path[-1], getattr(run, what), rtol=1e-12)
    loss = np.square(run.effective_path @ PROBLEM.A.T - PROBLEM.b).sum(axis=-1) / 6
    np.testing.assert_allclose(run.loss_path, loss, rtol=1e-9)


def test_the_loss_has_its_own_unit_also_for_no_measurements():
    """For b = 0 there is nothing to be relative to."""
    run = wn.descend(wn.PlainFlow(2), wn.Problem([[1.0, 1.0]], [0.0]), [1.0, 2.0], 0.01, 5)
    assert run.loss_path[0] == 25 / 4


def test_which_runs_broke_off():
    problem, flow = wn.Problem([[1.0]], [1.0]), wn.PlainFlow(2)
    runs = [wn.descend(flow, problem, [0.5], step, 20) for step in (0.1, 10.0)]
    assert [bool(broke_off(run.status)) for run in runs] == [False, True]
    statuses = [run.status for run in runs]
    for several in (np.array(statuses, object), np.array([str(each) for each in statuses])):
        assert broke_off(several).tolist() == [False, True]  # as descend has them, and files
    assert broke_off(list(wn.Status)).sum() == 2


def test_an_error_needs_a_signal():
    problem = wn.Problem(PROBLEM.A, PROBLEM.b, signed=True)
    run = wn.descend(FLOW, problem, STARTS, 0.01, 3)
    for name in ("error", "error_path"):
        with pytest.raises(ValueError, match=r"no signal to compare with: pass signal=\.\.\."):
            getattr(run, name)


@every_result
@pytest.mark.parametrize("again", [lambda r: r, pickle.dumps, copy.deepcopy, copy.copy])
def test_nobody_writes_into_a_result(name, again):
    """Nor into what comes out of a pickle, or is copied."""
    result = RESULTS[name]
    record = again(result)
    record = pickle.loads(record) if isinstance(record, bytes) else record
    assert arrays(record).keys() == arrays(result).keys()
    for field, values in arrays(record).items():
        assert not values.flags.writeable, field
        np.testing.assert_array_equal(values, arrays(result)[field])
    with pytest.raises(FrozenInstanceError):
        record.weights = record.initial
    assert repr(record) == repr(result)


@pytest.mark.parametrize("again", [pickle.dumps, copy.deepcopy])
def test_nobody_writes_into_a_problem(again):
    problem = wn.Problem(PROBLEM.A, PROBLEM.b, PROBLEM.signal, signed=True)
    assert problem.network_matrix.shape == (4, 16)  # computed once, then kept, and copied too
    record = again(problem)
    record = pickle.loads(record) if isinstance(record, bytes) else record
    assert arrays(record).keys() == {"A", "b", "signal", "network_matrix"}
    for field, values in arrays(record).items():
        assert not values.flags.writeable, field


@every_result
def test_it_introduces_itself_briefly(name):
    result = RESULTS[name]
    ends = "3 ends" if result.weights.ndim == 2 else str(result.status)
    assert repr(result).startswith(f"<{type(result).__name__} of {FLOW}: {ends}, residual at most ")
