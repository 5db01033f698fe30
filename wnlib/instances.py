"""Seeded instances to check a theorem on: problems of several kinds, either flow, uneven starts."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.integrate import integrate
from wnlib.limits import limit
from wnlib.linear_program import min_l1
from wnlib.problems import Problem
from wnlib.trajectories import Status

KINDS = ("gaussian", "ill-conditioned", "rank-deficient", "nonnegative kernel")


@dataclass(frozen=True, eq=False)
class Instance:
    """A flow, a problem and a start; what several checks need of them is computed once."""

    flow: PlainFlow | WeightNormFlow
    problem: Problem
    x0: np.ndarray

    @cached_property
    def limit(self):
        """The exact limit."""
        return limit(self.flow, self.problem, self.x0)

    @cached_property
    def end(self):
        """The flow integrated to its end, by a road that shares nothing with :attr:`limit`.

        The trained weights know no mirror map. Where they need more than 500 steps to a relative
        residual of 1e-11, which long plateaus demand, the mirror form goes on to 1e-12.
        """
        arguments = (self.flow, self.problem, self.x0, 1e20)
        trained = integrate(
            *arguments, residual_tol=1e-11, form="weights", rtol=1e-8, max_steps=500
        )
        if trained.residual <= 1e-11 or trained.status is Status.STALLED:
            return trained
        return integrate(*arguments, residual_tol=1e-12)

    @cached_property
    def path(self):
        """The trained weights integrated to time 30, by the form that knows no mirror map."""
        times = np.geomspace(1e-2, 30, 25)
        return integrate(
            self.flow, self.problem, self.x0, 30.0, times=times, form="weights", rtol=1e-10
        )

    @cached_property
    def min_l1(self):
        """The linear program."""
        return min_l1(self.problem)

    def excess(self, effective):
        """Relative excess of the l1 norm of ``effective`` over the smallest."""
        return np.abs(effective).sum() / self.min_l1.norm - 1


def random_problem(rng, kind, *, signed=False):
    """Draw a small underdetermined problem that has an admissible solution.

    Parameters
    ----------
    rng : numpy.random.Generator
    kind : one of :data:`KINDS`
        The singular values of "ill-conditioned" span three decades; "rank-deficient" repeats a
        combination of rows; "nonnegative kernel" has an unbounded set of nonnegative solutions.
    signed : bool

    Returns
    -------
    Problem
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}; got {kind!r}")
    M = int(rng.integers(3, 6))
    N = int(rng.integers(M + 2, 3 * M))
    A = rng.normal(size=(M, N)) / np.sqrt(M)
    if kind == "ill-conditioned":
        A = np.geomspace(1, 1e-3, M)[:, None] * np.linalg.qr(A.T)[0].T
    if kind == "rank-deficient":
        A = np.vstack([A, rng.normal(size=(1, M)) @ A])
    if kind == "nonnegative kernel":
        k = rng.uniform(0.5, 1.5, N)
        A = A - np.outer(A @ k, k) / (k @ k)
    signal = np.zeros(N)
    support = rng.choice(N, int(rng.integers(1, M + 1)), replace=False)
    signal[support] = rng.uniform(1, 2, len(support))
    if signed:
        signal[support] *= rng.choice([-1, 1], len(support))
    return Problem(A, A @ signal, signal, signed)


def random_instance(rng, *, weight_norm, kind=None, signed=None, depth=None):
    """Draw an instance; what is not given is drawn too.

    Parameters
    ----------
    rng : numpy.random.Generator
    weight_norm : bool
        Which of the two flows; its ratio is drawn in [0.3, 3].
    kind : one of :data:`KINDS`, optional
    signed : bool, optional
    depth : float, optional
        Drawn from 2, 2.5 and 3.

    Returns
    -------
    Instance
        The start has scale in [0.05, 0.5], and entries that differ by factors up to e.
    """
    kind = rng.choice(KINDS) if kind is None else kind
    signed = bool(rng.integers(2)) if signed is None else signed
    depth = float(rng.choice([2, 2.5, 3])) if depth is None else depth
    problem = random_problem(rng, kind, signed=signed)
    flow = WeightNormFlow(depth, 0.3 * 10 ** rng.uniform(0, 1)) if weight_norm else PlainFlow(depth)
    scale = 0.05 * 10 ** rng.uniform(0, 1)
    return Instance(flow, problem, scale * np.exp(rng.uniform(-0.5, 0.5, problem.n_weights)))
