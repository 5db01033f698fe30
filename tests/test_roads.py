"""Three independent roads to one endpoint: limit, integrate and descend."""

import numpy as np
import pytest
from helpers import random_instance

import wnlib as wn
from wnlib.claims.instances import KINDS

INSTANCES = [
    pytest.param(weight_norm, depth, signed, kind, seed, id=f"{name}-{depth}-{sign}-{kind}-{seed}")
    for weight_norm, name in ((False, "plain"), (True, "wn"))
    for depth in (2, 3)
    for signed, sign in ((False, "nonnegative"), (True, "signed"))
    for kind in KINDS
    for seed in (1, 2)
]


@pytest.mark.parametrize(("weight_norm", "depth", "signed", "kind", "seed"), INSTANCES)
def test_limit_and_integrate_agree(weight_norm, depth, signed, kind, seed):
    """To 1e-7 relative, both residuals below 1e-9; or both say that the flow stalls."""
    rng = np.random.default_rng([seed, depth, KINDS.index(kind)])
    drawn = random_instance(rng, weight_norm=weight_norm, kind=kind, signed=signed, depth=depth)
    exact, run = drawn.limit, drawn.end
    assert exact.status is run.status
    if exact.status is wn.Status.STALLED:
        return
    assert exact.status is wn.Status.CONVERGED
    assert max(exact.residual, run.residual) < 1e-9
    difference = np.linalg.norm(exact.effective - run.effective)
    assert difference < 1e-7 * np.linalg.norm(exact.effective)


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("weight_norm", [False, True])
def test_descend_agrees_to_first_order(weight_norm, depth):
    """Its end differs from the limit by O(step): a tenth of the step, a tenth of the distance."""
    problem = wn.sparse_problem(5, 8, 2, 3, signed=True)
    x0 = wn.initial_weights(problem, 0.5, 1)
    flow = wn.WeightNormFlow(depth, 0.5) if weight_norm else wn.PlainFlow(depth)
    exact = wn.limit(flow, problem, x0)
    distances = []
    for step in (1e-2, 1e-3):
        run = wn.descend(flow, problem, x0, step, round(4e3 / step), residual_tol=1e-10)
        assert run.status is wn.Status.CONVERGED
        distances.append(np.linalg.norm(run.effective - exact.effective))
    assert distances[0] / distances[1] == pytest.approx(10, rel=0.1)


STALLING = wn.Problem([[1.0, -1.0]], [1.0]), np.array([0.1, 0.4])


def test_all_roads_name_a_stall():
    """The heavy second weight opposes b: the radius shrinks before the direction has turned."""
    problem, x0 = STALLING
    flow = wn.WeightNormFlow(2, 10.0)
    assert wn.limit(flow, problem, x0).status is wn.Status.STALLED
    assert wn.integrate(flow, problem, x0, 1e6).status is wn.Status.STALLED
    run = wn.descend(flow, problem, x0, 1e-3, 50_000)
    assert run.status is wn.Status.STALLED
    assert run.residual == pytest.approx(1, abs=1e-9)


def test_a_large_start_that_shrinks_is_not_called_stalled():
    problem, x0 = wn.sparse_problem(3, 6, 2, 0), np.full(6, 1e5)
    for flow in (wn.WeightNormFlow(2, 1.0), wn.PlainFlow(2)):
        run = wn.integrate(flow, problem, x0, 1e-3, max_steps=200)
        assert run.status is wn.Status.MAX_STEPS


def test_zero_measurements_lead_to_zero():
    problem, x0 = wn.Problem([[1.0, 2.0]], [0.0]), np.array([0.5, 0.5])
    for flow in (wn.WeightNormFlow(2, 1.0), wn.PlainFlow(2)):
        run = wn.descend(flow, problem, x0, 0.1, 1000)
        assert run.residual < 1e-2
        assert wn.limit(flow, problem, x0).status is wn.Status.CONVERGED


@pytest.mark.parametrize("flow", [wn.WeightNormFlow(2, 0.1), wn.PlainFlow(2)])
def test_neither_a_fast_direction_nor_the_plain_flow_stalls(flow):
    problem, x0 = STALLING
    assert wn.limit(flow, problem, x0).status is wn.Status.CONVERGED
    assert wn.integrate(flow, problem, x0, 1e6).status is wn.Status.CONVERGED
