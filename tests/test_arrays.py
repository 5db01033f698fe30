"""Descend follows an array of another library in that library, and finds what it finds in NumPy."""

import sys

import numpy as np
import pytest

import wnlib as wn

pytest.importorskip("array_api_compat", reason="array-api-compat is optional")

PROBLEM = wn.sparse_problem(6, 10, 2, seed=1, signed=True)
X0 = wn.initial_weights(PROBLEM, 0.4, seed=2, starts=5)
FLOWS = [kind for L in (2, 3, 2.5) for kind in (wn.PlainFlow(L), wn.WeightNormFlow(L, 0.3))]
LIBRARIES = ["array_api_strict", "torch", "cupy"]


@pytest.fixture(params=LIBRARIES)
def library(request):
    """Return a library, where it is installed; CuPy imports without a device as well."""
    found = pytest.importorskip(request.param)
    if request.param == "cupy" and not found.is_available():
        pytest.skip("no device")
    return found


def devices(library):
    """Return all devices of a library that are here."""
    if library.__name__ == "torch":
        return ["cpu", "cuda"] if library.cuda.is_available() else ["cpu"]
    if library.__name__ == "array_api_strict":
        return [library.Device(name) for name in ("CPU_DEVICE", "device1")]
    return [None]


@pytest.mark.parametrize("flow", FLOWS, ids=repr)
def test_it_is_followed_as_in_numpy(library, flow):
    scales = np.array([[0.9], [1.0], [1e3], [1.1], [1.2]])  # one goes too far
    expected = wn.descend(flow, PROBLEM, scales * X0, 0.01, 1500, residual_tol=0.02)
    assert wn.Status.CROSSED_ZERO in expected.status
    assert wn.Status.CONVERGED in expected.status
    for device in devices(library):
        x0 = library.asarray(scales * X0, device=device)
        run = wn.descend(flow, PROBLEM, x0, 0.01, 1500, residual_tol=0.02)
        np.testing.assert_array_equal(run.status, expected.status)
        np.testing.assert_array_equal(run.n_steps, expected.n_steps)
        np.testing.assert_allclose(run.path, expected.path, rtol=1e-9)
        assert all(type(a) is np.ndarray for a in (run.weights, run.path, run.initial))
        assert (run.initial == expected.initial).all()


def test_one_start_may_be_a_vector(library):
    flow = wn.WeightNormFlow(2, 0.3)
    run = wn.descend(flow, PROBLEM, library.asarray(X0[0]), 0.01, 100)
    assert run.weights.shape == (20,)
    np.testing.assert_allclose(run.weights, wn.descend(flow, PROBLEM, X0[0], 0.01, 100).weights)


def test_a_flow_of_another_motion_is_followed_in_numpy(library):
    flow = wn.PowerFlow(2, 0.5)
    run, expected = (
        wn.descend(flow, PROBLEM, x0, 0.01, 100) for x0 in (library.asarray(X0[0]), X0[0])
    )
    assert (run.path == expected.path).all()


def test_mistakes_are_named(library, monkeypatch):
    flow, x0 = wn.PlainFlow(2), library.asarray(X0)
    with pytest.raises(TypeError, match=r"in NumPy; x0 is no array of NumPy: leave gain out"):
        wn.descend(flow, PROBLEM, x0, 0.01, 10, gain=True)
    with pytest.raises(ValueError, match="x0 must be positive"):
        wn.descend(flow, PROBLEM, -x0, 0.01, 10)
    monkeypatch.setitem(sys.modules, "array_api_compat", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install wnlib\[arrays\]"):
        wn.descend(flow, PROBLEM, x0, 0.01, 10)


def test_a_tensor_with_gradients_is_refused():
    torch = pytest.importorskip("torch")
    x0 = torch.asarray(X0).requires_grad_()
    with pytest.raises(TypeError, match="detach"):
        wn.descend(wn.PlainFlow(2), PROBLEM, x0, 0.01, 10)
