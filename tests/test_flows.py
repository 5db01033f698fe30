"""Flows as values: what is asked of them, and what a subclass changes or loses."""

from dataclasses import dataclass

import numpy as np
import pytest

import wnlib as wn
from wnlib import flows
from wnlib.flows import Flow, check_mirror, vector_form

PROBLEM = wn.sparse_problem(3, 6, 2, seed=1)
X0 = wn.initial_weights(PROBLEM, 0.4, seed=2)
OURS = [wn.PlainFlow(2), wn.PlainFlow(3), wn.WeightNormFlow(2, 0.3), wn.WeightNormFlow(3, 0.3)]
ours = pytest.mark.parametrize("flow", OURS, ids=repr)


class Half(wn.PlainFlow):
    """The plain flow at half its speed."""

    def velocity(self, problem, x):
        return super().velocity(problem, x) / 2

    def metric(self, stacked):
        return super().metric(stacked) / 2


class HalfNorm(wn.WeightNormFlow):
    """Weight normalization at half its speed."""

    def velocity(self, problem, r, u):
        dr, du = super().velocity(problem, r, u)
        return dr / 2, du / 2


class Backwards:
    """Mixed in before a flow, it turns it round."""

    def velocity(self, problem, *state):
        return -super().velocity(problem, *state)


class Turned(Backwards, wn.PlainFlow):
    """The plain flow turned round, by a class that is no flow itself."""


class Renamed(wn.WeightNormFlow):
    """Weight normalization by another name."""


class OtherKappa(wn.WeightNormFlow):
    """Weight normalization with a wrong invariant."""

    def log_kappa(self, radius):
        return super().log_kappa(radius) + 1


@dataclass(frozen=True)
class Warm(wn.PlainFlow):
    """The plain flow at a speed that grows with time, which is a part of its state."""

    delay: float = 1.0

    def state(self, x0):
        return x0, 0.0

    def velocity(self, problem, x, t):
        return super().velocity(problem, x) * t / (t + self.delay), 1.0

    def weights(self, x, t):
        return x


@ours
def test_a_state_leads_back_to_its_weights(flow):
    np.testing.assert_allclose(flow.weights(*flow.state(X0)), X0, rtol=1e-15)
    start, velocity, weights = vector_form(flow, PROBLEM, X0)
    np.testing.assert_allclose(weights(start), X0, rtol=1e-15)
    d = 1e-6 * velocity(start)
    slope = (weights(start + d) - weights(start - d)) / 2e-6
    stacked_slope = flow.depth * X0 ** (flow.depth - 1) * slope
    A = PROBLEM.network_matrix
    h = A.T @ (A @ X0**flow.depth - PROBLEM.b)
    expected = -flow.depth * flow.metric(X0**flow.depth) @ h
    np.testing.assert_allclose(stacked_slope, expected, rtol=1e-8)


@ours
def test_the_lift_inverts_kappa(flow):
    """``log |w|`` moves as ``log(kappa(r) r)`` does: one formula of the radius for both."""
    radii = np.array([0.5, 0.7, 1.3])
    log_growth = 2 * np.diff(flow.log_kappa(radii) + np.log(radii))
    found = [flow.lift.squared_radius(g, r**2) for g, r in zip(log_growth, radii, strict=False)]
    np.testing.assert_allclose(found, radii[1:] ** 2, rtol=1e-14)
    log_w = np.log(X0) + 0.3
    R = flow.lift.squared_radius(0.6, X0 @ X0)
    log_x = check_mirror(flow).weights(log_w, R)[0]
    np.testing.assert_allclose(np.exp(log_x), X0 * np.sqrt(R / (X0 @ X0)), rtol=1e-14)


@pytest.mark.parametrize(
    ("flow", "motion", "can_stall"),
    [
        (wn.PlainFlow(2), wn.PlainFlow, False),
        (wn.WeightNormFlow(2, 0.3), wn.WeightNormFlow, True),
        (Renamed(2, 0.3), wn.WeightNormFlow, True),
        (OtherKappa(2, 0.3), wn.WeightNormFlow, True),
        (Half(2), None, True),
        (HalfNorm(2, 0.3), None, True),
        (Turned(2), None, True),
        (Warm(2), None, True),
    ],
    ids=lambda value: getattr(value, "__name__", repr(value)),
)
def test_a_flow_says_how_it_moves(flow, motion, can_stall):
    assert flow.motion is motion
    assert flow.can_stall is can_stall


@pytest.mark.parametrize("flow", [Half(2), HalfNorm(2, 0.3), Turned(2), Warm(2)], ids=repr)
def test_what_followed_from_another_motion_is_refused(flow):
    assert flow.lift is None
    with pytest.raises(TypeError, match=r'has no mirror form.*form="weights"'):
        check_mirror(flow)
    with pytest.raises(TypeError, match="for which log_kappa is not known: define log_kappa"):
        flow.log_kappa(1.0)
    if not isinstance(flow, Half):
        with pytest.raises(TypeError, match="for which metric is not known: define metric"):
            flow.metric(X0**2)


def test_what_a_subclass_gives_anew_or_leaves_alone_is_honoured():
    assert (Half(2).metric(X0**2) == wn.PlainFlow(2).metric(X0**2) / 2).all()
    assert check_mirror(Renamed(2, 0.3)) == check_mirror(wn.WeightNormFlow(2, 0.3))
    assert OtherKappa(2, 0.3).lift is None  # a lift inverts kappa: of another kappa it is another
    assert OtherKappa(2, 0.3).log_kappa(1.0) == wn.WeightNormFlow(2, 0.3).log_kappa(1.0) + 1

    class Same(Turned):
        lift = wn.PlainFlow.lift

    assert check_mirror(Same(2)) == flows.PlainLift()


def test_a_flow_must_say_how_it_moves():
    class Unmoved(Flow):
        def state(self, x0):
            return (x0,)

    with pytest.raises(TypeError, match=r"abstract methods '?velocity'?, '?weights'?"):
        Unmoved(2)

    class Still(Unmoved):
        def velocity(self, problem, x):
            return 0 * x

        def weights(self, x):
            return x

    assert (Still(2).velocity(PROBLEM, X0) == 0).all()
    with pytest.raises(TypeError, match=r"Still moves in a way of its own.*metric is not known"):
        Still(2).metric(X0)
    with pytest.raises(TypeError, match="Still has no mirror form"):
        check_mirror(Still(2))


def test_the_mirror_form_refuses_a_motion_that_it_does_not_know():
    with pytest.raises(TypeError, match="Half has no mirror form"):
        wn.integrate(Half(2), PROBLEM, X0, 1.0)


def test_squared_radius_is_that_of_the_weights():
    x = np.random.default_rng(0).uniform(0.1, 2, (4, 3, 6))
    for depth in (2, 2.5, 7):
        np.testing.assert_allclose(flows.squared_radius(x**depth, depth), np.sum(x**2, axis=-1))


def test_omega_is_the_rate_of_kappa():
    """``(r kappa)^{-(L-2)} = e^{-omega r^2}``."""
    for flow in OURS[2:]:
        logs = (2 - flow.depth) * (np.log(0.7) + flow.log_kappa(0.7))
        assert logs == pytest.approx(-flow.omega * 0.49)
