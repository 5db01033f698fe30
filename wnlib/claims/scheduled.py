"""Instances with rates that change in time, and how they are drawn."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wnlib.claims.instances import Instance, random_depth, random_problem
from wnlib.flows import ScheduledFlow, Warmup, squared_radius
from wnlib.l1.linear_program import min_l1
from wnlib.roads.integrate import integrate
from wnlib.theory import invariants, schedules

FAR = 1e-7  # relative error of a weight at the end of such a run


@dataclass(frozen=True)
class Pieces:
    """Rates that are constant between times, here and there zero."""

    breaks: tuple[float, ...]
    values: tuple[tuple[float, float], ...]

    def __call__(self, t, r):
        """Return ``(eta_r, eta_u)``."""
        return self.values[int(np.searchsorted(self.breaks, t, side="right"))]


@dataclass(frozen=True)
class Waves:
    """Rates that swing with the time and go with a power of the length."""

    ratio: float
    size: float
    power: float

    def __call__(self, t, r):
        """Return ``(eta_r, eta_u)``."""
        swing = self.size * np.sin(3 * np.log1p(t))
        return self.ratio * r**self.power * np.exp(swing), np.exp(-swing)


@dataclass(frozen=True)
class PowerRates:
    """The rates of the proposition on powers of the length."""

    power: float

    def __call__(self, t, r):
        """Return ``(eta_r, eta_u)``."""
        return 1 / self.power, r**-2


@dataclass(frozen=True)
class FadingRates:
    """Equal rates that vanish so fast that the flow stops on its way."""

    until: float

    def __call__(self, t, r):
        """Return ``(eta_r, eta_u)``."""
        return (np.exp(-t / self.until),) * 2


@dataclass(frozen=True, eq=False)
class Scheduled(Instance):
    """A flow with scheduled rates, followed for a fixed time by its trained weights."""

    t_end: float
    breaks: tuple[float, ...] = ()

    @cached_property
    def quadrature(self):
        """Times and weights of a quadrature over the run."""
        return schedules.gauss_times((*self.breaks, self.t_end))

    @cached_property
    def run(self):
        """The trained weights, by a road that knows no invariant."""
        return followed(self, self.flow, self.quadrature[0])

    @cached_property
    def measured(self):
        """``log rho`` of the end as fitted, with its accuracy; None if no regression tells."""
        x0, x = np.log(self.x0), np.log(self.run.weights)
        value = invariants.fitted_to_logs(self.flow.depth, self.problem, x0, x)
        accuracy = FAR * invariants.fitted_amplification(self.flow.depth, self.problem, x0, x)
        return (value, accuracy) if accuracy < 1e-3 * (1 + abs(value)) else None

    @property
    def ratio_at_end(self):
        """``eta_r / eta_u`` at the end of the run."""
        eta_r, eta_u = self.flow.rates(self.run.times[-1], self.run.radius)
        return eta_r / eta_u


@dataclass(frozen=True, eq=False)
class Powered(Scheduled):
    """Rates by a power of the length: no quadrature is needed."""

    @property
    def times(self):
        """A few times to compare paths at."""
        return self.t_end * np.geomspace(1e-2, 1, 10)

    @cached_property
    def run(self):
        """The trained weights."""
        return followed(self, self.flow, self.times)


def followed(instance, flow, times):
    """Follow a flow from the start of an instance, by its trained weights."""
    return integrate(
        flow,
        instance.problem,
        instance.x0,
        instance.t_end,
        times=times,
        form="weights",
        rtol=1e-8,
        max_steps=600,
    )


def small(rng, depth=None, size=(-1.5, 0.7)):
    """Draw a small problem, a depth and a start, and a time in which it moves.

    ``size`` is the range of ``log10`` of the effective weights of the start over those of a
    solution.
    """
    kind = rng.choice(["gaussian", "ill-conditioned", "nonnegative kernel", "few", "boundary"])
    M = int(rng.integers(1, 4))
    problem = random_problem(rng, kind, shape=(M, M + int(rng.integers(2, 4))))
    L = random_depth(rng) if depth is None else depth
    shape = np.exp(rng.uniform(-0.7, 0.7, problem.n_weights))
    R = squared_radius(problem.signal, L)
    x0 = shape * np.sqrt(R * 10 ** (rng.uniform(*size) * 2 / L) / (shape @ shape))
    pace = np.linalg.norm(problem.network_matrix, 2) ** 2 * np.max(problem.signal) ** (2 - 2 / L)
    return L, problem, x0, 10 ** rng.uniform(1, 2.5) / pace


def scheduled(rng):
    """Draw rates in pieces, some of them zero, or waves, or a warm-up, or rates that fade."""
    L, problem, x0, t_end = small(rng)
    kind = rng.choice(["pieces", "stops", "waves", "warm-up", "fading"])
    ratio, breaks = 10 ** rng.uniform(-1, 1), (0.02 * t_end, 0.2 * t_end)
    if kind == "pieces":
        rates = Pieces(breaks, tuple(zip(10 ** rng.uniform(-1, 1, 3), (1, 0, 1), strict=True)))
    elif kind == "stops":
        rates = Pieces(breaks, ((ratio, 1.0), (0.0, 1.0), (2 * ratio, 1.0)))
    elif kind == "waves":
        rates, breaks = Waves(ratio, rng.uniform(0.5, 2), rng.uniform(-1, 3)), ()
    elif kind == "warm-up":
        rates, breaks = Warmup(0.1 * t_end, ratio), (0.1 * t_end,)
    else:
        rates, breaks = FadingRates(0.02 * t_end), ()
    return Scheduled(ScheduledFlow(L, rates), problem, x0, t_end, breaks)


def power_of_length(rng):
    """Draw rates by a power of the length, and a start of any size."""
    L, problem, x0, t_end = small(rng)
    power = 10 ** rng.uniform(-0.7, 0.7)
    return Powered(ScheduledFlow(L, PowerRates(power)), problem, x0, t_end)


def opposed(rng):
    """Draw a short start that leans towards the columns against b, and a small power."""
    L, problem, x0, _ = small(rng, depth=float(rng.choice([2, 2.2, 3])), size=(-2, -0.5))
    against = problem.network_matrix.T @ problem.b < 0
    x0 = x0 * np.where(against, 1.0, 0.1)
    return Powered(ScheduledFlow(L, PowerRates(10 ** rng.uniform(-1, 0))), problem, x0, 1.0)


def power_or_opposed(rng):
    """Draw a start of any size, or a short one that would stall with a constant ratio."""
    return power_of_length(rng) if rng.random() < 0.6 else opposed(rng)


def long_start(rng):
    """Draw a start longer than the shortest solution, of two kinds, and a ratio.

    Half of the time a share of its direction is a solution and the rest in the kernel: its frozen
    length is ``Q / share``, and all warm-ups end above ``Q``.
    """
    M = int(rng.integers(1, 4))
    problem = random_problem(rng, "nonnegative kernel", shape=(M, M + int(rng.integers(2, 4))))
    Q = min_l1(problem).norm
    shape = np.exp(rng.uniform(-1, 1, problem.n_weights))
    if rng.integers(2):
        kernel = np.linalg.svd(problem.A)[2][M:].T
        kernel = kernel @ (kernel.T @ np.ones(problem.n_weights))  # the nonnegative one, or near
        if kernel.min() > 0:
            shape = kernel / kernel.sum() + rng.uniform(0.1, 0.6) * problem.signal / Q
    frozen = schedules.frozen_length(2, problem, np.sqrt(shape))
    R0 = max(Q, frozen) * rng.uniform(1.3, 4)
    low, high = max(frozen, 1e-2 * Q), Q if frozen < Q else R0
    target = low + rng.uniform(0.1, 0.8) * (high - low)
    x0 = np.sqrt(shape / shape.sum() * R0)
    until = schedules.warm_up_time(2, problem, x0, target)
    flow = ScheduledFlow(2, Warmup(until, Q * 10 ** rng.uniform(-1.5, -0.5)))
    return WarmedUp(flow, problem, x0, until + 1.0, target=target)


def between(rng):
    """Draw a warm-up to a length between that of the start and the frozen one."""
    L, problem, x0, _ = small(rng)
    R0 = np.sum(x0**2)
    end = max(schedules.frozen_length(L, problem, x0), 1e-2 * R0)
    target = R0 * (end / R0) ** rng.uniform(0.2, 0.9)
    until = schedules.warm_up_time(L, problem, x0, target)
    flow = ScheduledFlow(L, Warmup(until, 1.0))
    return WarmedUp(flow, problem, x0, until or 1.0, target=target)


@dataclass(frozen=True, eq=False)
class WarmedUp(Scheduled):
    """A warm-up to a squared length, the target."""

    target: float = 0.0

    @cached_property
    def released(self):
        """The trained weights at the end of the warm-up."""
        until = self.flow.rates.until
        return integrate(self.flow, self.problem, self.x0, until, form="weights").weights

    @cached_property
    def end(self):
        """The trained weights, followed through the warm-up to a solution."""
        return ended(self.flow, self.problem, self.x0)

    @cached_property
    def shortest(self):
        """The shortest solution, by a linear program."""
        return self.min_l1.z


def ended(flow, problem, x0):
    """Follow trained weights to a solution."""
    return integrate(
        flow, problem, x0, 1e6, form="weights", residual_tol=1e-7, rtol=1e-7, max_steps=1000
    )
