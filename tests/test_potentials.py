"""The potentials, against their definitions; their divergences, by the formula of Bregman."""

import mpmath
import numpy as np
import pytest
from helpers import weights_velocity
from hypothesis import given, settings
from hypothesis import strategies as st

import wnlib as wn
from wnlib import potentials
from wnlib.flows import psi_of_log

N = 5
FLOWS = [wn.PlainFlow(2), wn.PlainFlow(2.5), wn.PlainFlow(4)]
FLOWS += [wn.WeightNormFlow(L, ratio) for L in (2, 2.1, 3, 6) for ratio in (0.1, 1.0, 30.0)]
NORMALIZED = [flow for flow in FLOWS if isinstance(flow, wn.WeightNormFlow)]


def gradient(flow, y):
    """Return ``psi(kappa^L y)``."""
    L = flow.depth
    log_kappa = flow.log_kappa(np.linalg.norm(y ** (1 / L)))
    return psi_of_log(np.log(y) + L * log_kappa, L)


def points(seed):
    return np.random.default_rng(seed).uniform(0.2, 2, (2, N))


@pytest.mark.parametrize("flow", FLOWS, ids=str)
def test_gradient_is_the_mirror_map_at_the_lift(flow):
    y, way = points(0)
    h = 1e-4
    slope = (potentials.potential(flow, y + h * way) - potentials.potential(flow, y - h * way)) / h
    assert slope / 2 == pytest.approx(gradient(flow, y) @ way, rel=1e-5)


@pytest.mark.parametrize("flow", FLOWS, ids=str)
def test_divergence_is_that_of_the_potential(flow):
    """``D(z, y) = Psi(z) - Psi(y) - <grad Psi(y), z - y>``; 0 only at z = y."""
    y, z = points(1)
    potential, log_x = potentials.potential(flow, np.array([z, y])), np.log(y) / flow.depth
    expected = potential[0] - potential[1] - gradient(flow, y) @ (z - y)
    rounding = 1e-14 * np.abs(potential).max()
    assert potentials.divergence(flow, z, log_x) == pytest.approx(expected, rel=1e-9, abs=rounding)
    both = potentials.divergence(flow, z, np.array([log_x, np.log(z) / flow.depth]))
    assert both == pytest.approx([expected, 0], rel=1e-9, abs=10 * rounding)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(st.sampled_from(FLOWS), st.integers(0, 10**6), st.floats(-6, 6))
def test_divergence_is_positive(flow, seed, log_scale):
    z, y = points(seed) * np.exp([[log_scale], [0]])
    assert potentials.divergence(flow, z, np.log(y) / flow.depth, unit=N * 2.0) >= 0


@pytest.mark.parametrize("flow", NORMALIZED, ids=str)
@pytest.mark.parametrize("size", [0.05, 1.0, 30.0])
def test_divergence_in_many_digits(flow, size):
    """Far in the tails of the integral nothing may be lost: by quadrature with 30 digits."""
    (y, z), L = size * points(2), flow.depth
    x = y ** (1 / L)
    R, R_z, ratio = x @ x, np.sum(z ** (2 / L)), flow.ratio
    unit = min(R, R_z)
    if L == 2:
        share, v2 = z / z.sum(), y / R
        expected = z.sum() * (share @ np.log(share / v2)) + (z.sum() - R) ** 2 / (2 * ratio)
    else:
        with mpmath.workdps(30):
            omega = mpmath.mpf(L - 2) / (2 * mpmath.mpf(ratio))
            paid = mpmath.quad(
                lambda s: s ** (mpmath.mpf(L) / 2 - 1) * mpmath.exp(-omega * (s - unit)),
                mpmath.linspace(R_z, R, 50),
            )
            cost = mpmath.mpf(z @ (x / np.sqrt(R)) ** (2 - L)) - mpmath.mpf(R) ** (L / 2)
            expected = float(cost * mpmath.exp(-omega * (R - unit)) + L / 2 * paid)
    found = potentials.divergence(flow, z, np.log(x), unit=unit)
    terms = abs(expected) + R ** (L / 2) * np.exp(min(0, -(L - 2) / (2 * ratio) * (R - unit)))
    assert found == pytest.approx(expected, rel=1e-10, abs=1e-12 * terms)


def test_zeros_and_weights_that_are_no_floats():
    log_x = [0.0, *[-1e4] * (N - 1)]
    for flow in FLOWS:
        assert np.isfinite(potentials.divergence(flow, np.eye(N)[0], log_x))
        assert potentials.potential(flow, np.zeros(N)) == 0


@pytest.mark.parametrize("flow", FLOWS, ids=str)
def test_divergence_falls_at_its_rate(flow):
    """From each solution at the rate ``c_psi clock |e|^2``: by a difference along the velocity."""
    z, x = points(3) ** [[1], [1 / flow.depth]]
    A, h = np.random.default_rng(4).normal(size=(2, N)), 1e-6
    problem = wn.Problem(A, A @ z)
    dx, unit = weights_velocity(flow, problem, x), np.sum(x**2)
    late, early = (
        potentials.divergence(flow, z, np.log(x + step * dx), unit=unit) for step in (h, -h)
    )
    omega = 0.0 if flow.motion is wn.PlainFlow else (flow.depth - 2) / (2 * flow.ratio)
    spent = potentials.clock(flow, np.sqrt(unit)) * np.exp(omega * unit)
    rate = wn.flows.psi_rate(flow.depth) * spent * np.sum(flow.misfit(problem, x) ** 2)
    assert (late - early) / (2 * h) == pytest.approx(-rate, rel=1e-5)


def test_relative_entropy_by_hand():
    """v_0^2 = (1/4, 3/4): z = (2, 0) has KL = log 4, and z along v_0^2 has none."""
    x0 = np.array([1.0, 3**0.5])
    assert potentials.relative_entropy([2.0, 0.0], x0) == pytest.approx(np.log(4))
    assert potentials.relative_entropy(x0**2, x0) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("depth", [2.05, 2.5, 4, 9])
@pytest.mark.parametrize("ratio", [1e-3, 0.1, 30.0])
def test_reward_is_the_integral(depth, ratio):
    """By quadrature, in the units of its first value; also where it is no float by itself."""
    flow = wn.WeightNormFlow(depth, ratio)
    R, k = 0.8, (depth - 2) / (2 * ratio)
    span = np.linspace(0, 1, 20001)
    radii = R + 60 / k * span**3  # beyond, e^{-k R} is 1e-26 of its first value
    lengths = radii ** (depth / 2)
    values = np.exp(-k * (radii - R))
    expected = np.sum((values[1:] + values[:-1]) / 2 * np.diff(lengths))
    assert potentials.reward_beyond(flow, R, R) == pytest.approx(expected, rel=1e-5)
    shifted = potentials.reward_beyond(flow, R, R + 3 / k)
    assert shifted == pytest.approx(np.exp(3) * expected, rel=1e-5)


class Still(wn.PlainFlow):
    """A flow that does not move."""

    def velocity(self, problem, x):
        return 0 * x


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: potentials.potential(Still(2), [1.0]), TypeError, "its potential is unknown"),
        (lambda: potentials.potential(FLOWS[0], [-1.0]), ValueError, "z must not have a negative"),
        (lambda: potentials.potential("F", [1.0]), TypeError, "flow must be PlainFlow"),
        (lambda: potentials.divergence("F", [1.0], [0.0]), TypeError, "flow must be PlainFlow"),
        (
            lambda: potentials.divergence(FLOWS[0], [1.0, 2.0], [0.0]),
            ValueError,
            r"log_x must have shape \(..., 2\), one entry per entry of z",
        ),
        (lambda: potentials.relative_entropy([0.0], [1.0]), ValueError, "z must not be zero"),
        (lambda: potentials.relative_entropy([1.0], [-1.0]), ValueError, "x0 must be positive"),
        (lambda: potentials.relative_entropy([1.0], [1.0, 2.0]), ValueError, "x0 must have shape"),
        (lambda: potentials.clock("F", 1.0), TypeError, "flow must be PlainFlow"),
        (lambda: potentials.clock(FLOWS[0], [1.0, -1.0]), ValueError, "radius must not have a neg"),
    ],
)
def test_refusals(call, error, words):
    with pytest.raises(error, match=words):
        call()
