"""Runs that add up their residuals, networks of growing depth, and points near a path's end."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import orth

from wnlib.claims.instances import Instance, of_length, random_problem
from wnlib.flows import PlainFlow, WeightNormFlow, squared_radius
from wnlib.l1 import termination
from wnlib.problems import Problem
from wnlib.results import Status
from wnlib.roads._training import train
from wnlib.theory import deep_path, potentials

DEPTHS = 32, 64  # of trained networks; at small ones the next order counts
POSITIVE = "nonnegative kernel"  # the kind of problems that have a positive solution


@dataclass(frozen=True, eq=False)
class Certified(Instance):
    """Weight normalization from an even start, or the plain flow, with the sum of its residuals."""

    @cached_property
    def duals(self):
        """The vectors ``y`` at the ends of all steps, from the residuals alone; shape (T, M)."""
        run, flow, N = self.run, self.flow, len(self.x0)
        R0 = float(self.x0 @ self.x0)
        ticks = potentials.clock(flow, run.radius_path)
        if isinstance(flow, WeightNormFlow):
            with np.errstate(over="ignore", invalid="ignore"):
                ticks = ticks * np.exp(flow.omega * R0) * N ** (1 - flow.depth / 2)
        else:
            ticks = ticks * (R0 / N) ** (flow.depth / 2 - 1)
        e = flow.misfit(self.problem, run.path)
        return (2 - flow.depth) * np.stack([run.integral(ticks * entry) for entry in e.T], axis=1)

    @cached_property
    def slack(self):
        """``1 - A^T y`` at these times, shape (T, n_weights)."""
        return 1 - self.duals @ self.problem.network_matrix

    @cached_property
    def gap(self):
        """What the norm of the run's end exceeds ``b @ y`` by, for the measurements it reached."""
        return float(self.run.stacked.sum() - self.reached.b @ self.duals[-1])

    @cached_property
    def log_delta(self):
        """``log delta`` at these times, by the lengths."""
        return deep_path.log_delta(self.flow, self.x0, self.run.radius_path[::2])

    @cached_property
    def uneven(self):
        """The same from an uneven start."""
        shape = np.exp(np.cos(np.arange(len(self.x0))) / 2)
        return Certified(self.flow, self.problem, of_length(self.x0 @ self.x0, shape))

    @cached_property
    def smaller(self):
        """The same with two thirds of the ratio."""
        flow = WeightNormFlow(self.flow.depth, self.flow.ratio / 1.5)
        return Certified(flow, self.problem, self.x0)

    @cached_property
    def strict(self):
        """A solution of smallest norm, inside the face of all these, and a strict slack."""
        return termination.strict_pair(self.problem)


def even_start(rng):
    """Draw weight normalization, or in one of five cases the plain flow, from equal weights.

    All problems have a positive solution: where solutions share a zero, a run creeps towards it in
    steps too long for Simpson's rule.
    """
    if rng.random() < 0.3:
        return _one_row(rng)
    signed = bool(rng.random() < 0.6)
    kind = rng.choice(["gaussian", "zero-one", "tied"] if signed else [POSITIVE])
    shape = int(rng.integers(2, 4)), int(rng.integers(4, 6 if signed else 10))
    problem = random_problem(rng, kind, signed=signed, shape=shape)
    depth = float(rng.uniform(2.2, 4) if rng.random() < 0.6 else rng.uniform(4, 10))
    R = squared_radius(problem.split(problem.signal), depth)
    flow = WeightNormFlow(depth, R * 10 ** rng.uniform(-1.2, 0.7))
    flow = PlainFlow(depth) if rng.random() < 0.2 else flow
    R0 = R * 10 ** rng.uniform(*(-1.5, 0.5) if rng.random() < 0.7 else (0.5, 1.5))
    return Certified(flow, problem, of_length(R0, np.ones(problem.n_weights)))


def _one_row(rng):
    """Draw one measurement and a ratio that leaves a gap to be seen, nearly that of the bound."""
    N, depth = int(rng.integers(2, 8)), float(rng.uniform(2.5, 5))
    row = np.append(1.0, rng.uniform(0.2, 0.6, N - 1))
    ratio, R0 = (depth - 2) / 2 / rng.uniform(3, 8), rng.uniform(0.02, 0.3)
    if rng.random() < 0.3:  # longer than all solutions, so it shrinks
        R0 = rng.uniform(1.2, 2) * squared_radius(1 / row, depth)
        ratio = rng.uniform(0.3, 1) * R0
    flow = WeightNormFlow(depth, float(ratio))
    return Certified(flow, Problem([row], [1.0]), of_length(R0, np.ones(N)))


@dataclass(frozen=True, eq=False)
class Deepening(Instance):
    """Networks of growing depth from the same equal effective weights ``beta``, each trained."""

    beta: float

    @cached_property
    def point(self):
        """The point of the central path at ``beta``; None if there is none."""
        return self.central(self.beta)

    def central(self, delta):
        """Return the logarithm of a point of the central path, or None if none is found."""
        try:
            return np.log(deep_path.path_point(self.problem, delta)[0])
        except ValueError:
            return None

    @cached_property
    def plain(self):
        """Logarithms of the ends of the plain flow at both depths."""
        return [self.trained(PlainFlow(L)) for L in DEPTHS]

    @cached_property
    def normalized(self):
        """The same of weight normalization with one ratio."""
        return [self.trained(WeightNormFlow(L, self.flow.ratio)) for L in DEPTHS]

    def trained(self, flow):
        """Return the logarithms of effective weights where training ends; None if it fails."""
        x0 = np.full(self.problem.n_weights, self.beta ** (1 / flow.depth))
        run = train(flow, self.problem, x0)
        arrived = run.status is Status.CONVERGED
        return flow.depth * run.log_path[-1] if arrived else None


def deepening(rng):
    """Draw a problem with a positive solution, small enough to train at depth 64."""
    kind = rng.choice(["gaussian", POSITIVE, "tied", "one measurement"])
    shape = int(rng.integers(2, 4)), int(rng.integers(4, 7))
    signed = kind in ("gaussian", "tied")
    problem = random_problem(rng, kind, signed=signed, shape=shape)
    beta = np.abs(problem.signal).sum() / problem.n_weights * 10 ** rng.uniform(-1.5, 0)
    flow = WeightNormFlow(3, problem.n_weights * 10 ** rng.uniform(-1, 1))
    return Deepening(flow, problem, np.ones(problem.n_weights), float(beta))


@dataclass(frozen=True, eq=False)
class Approach:
    """A solution and a dual vector off the centre of the path, and the exact ones."""

    problem: Problem
    z: np.ndarray
    y: np.ndarray
    strict: tuple[np.ndarray, np.ndarray]

    @cached_property
    def slack(self):
        """``1 - A^T y``."""
        return 1 - self.problem.network_matrix.T @ self.y

    @property
    def gap(self):
        """``sum z slack``."""
        return float(self.z @ self.slack)

    @property
    def allowed(self):
        """The largest gap that the statement admits."""
        theta = len(self.z) * (self.z * self.slack).min() / self.gap
        return termination.termination_gap(self.problem, self.strict, self.z.max(), theta)

    @cached_property
    def projected(self):
        """What the two projections return."""
        return termination.two_projections(self.problem, self.z, self.y)


def approach(rng):
    """Draw a problem, a point of its central path, and go a part of the way to the boundary."""
    for _ in range(20):
        kind = rng.choice(["gaussian", "ill-conditioned", "tied", "one measurement", "zero-one"])
        problem = random_problem(rng, kind, signed=bool(rng.random() < 0.6))
        try:
            strict = termination.strict_pair(problem)
            allowed = termination.termination_gap(problem, strict, strict[0].max())
            far = rng.uniform(*(-3, 0.5) if rng.random() < 0.7 else (1, 5))
            delta = allowed / problem.n_weights * 10**far
            if 1e-8 < delta / strict[0].max() < 1:
                z, y = deep_path.path_point(problem, delta)
                return Approach(problem, *_leave_centre(rng, problem, z, y), strict)
        except ValueError:
            continue
    raise ValueError("no problem with a positive solution was drawn")


def _leave_centre(rng, problem, z, y):
    """Move ``z`` in the kernel, and ``y``, a part of the way to where an entry vanishes."""
    A, share = problem.network_matrix, rng.uniform(0, 0.9, 2)
    rows, slack = orth((A * z).T), 1 - A.T @ y
    turn = rng.normal(size=len(z))
    along = turn - rows @ (rows.T @ turn)
    v = np.linalg.lstsq((A / slack).T, rng.normal(size=len(z)))[0]
    fall = (A.T @ v) / slack
    z = z * (1 + share[0] * along / max(-along.min(), 1e-3))
    return z, y + share[1] * v / max(fall.max(), 1e-3)
