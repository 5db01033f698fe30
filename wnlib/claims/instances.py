"""Seeded instances to check a theorem on: problems of many kinds, starts of any size."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wnlib.flows import PlainFlow, WeightNormFlow, squared_radius
from wnlib.l1.linear_program import min_l1
from wnlib.problems import Problem
from wnlib.results import Status
from wnlib.roads._training import train
from wnlib.roads.integrate import integrate
from wnlib.roads.limit import limit
from wnlib.theory import bounds, invariants

KINDS = ("gaussian", "ill-conditioned", "rank-deficient", "nonnegative kernel")
HARD_KINDS = ("tied", "nearly tied", "boundary", "few", "one measurement", "zero-one")


@dataclass(frozen=True, eq=False)
class Instance:
    """A flow, a problem and a start; what several checks need of them is computed once."""

    flow: PlainFlow | WeightNormFlow
    problem: Problem
    x0: np.ndarray

    @cached_property
    def fitted(self):
        """What log rho is by regression, without radius or ratio; None if no point tells.

        A tuple of the value, the error to be expected of it, and the index of the point of the run:
        the last at which the regression is accurate.
        """
        run, L = self.run, self.flow.depth
        for k in range(len(run.times) - 1, 0, -max(1, len(run.times) // 40)):
            ends = run.log_path[[0, k]]
            value = invariants.fitted_to_logs(L, run.problem, *ends)
            accuracy = 1e-7 * invariants.fitted_amplification(L, run.problem, *ends)
            if np.isfinite(value) and accuracy < 1e-5 * (1 + abs(value)):
                return value, accuracy, k
        return None

    @cached_property
    def limit(self):
        """The exact limit."""
        return limit(self.flow, self.problem, self.x0)

    @cached_property
    def run(self):
        """The trained weights followed to the end, by a road that shares nothing with `limit`."""
        return train(self.flow, self.problem, self.x0)

    @cached_property
    def reached(self):
        """The problem with the measurements that the run has reached.

        At each time a flow stands where it would end if these were the measurements. Compared
        there, ends agree to the accuracy of the integration, however badly a solution is determined
        by its measurements; how far these are from ``b`` is another question, the residual's.
        """
        problem = self.problem
        # large weights that cancel leave the range of dependent rows by their rounding
        b = problem.A @ np.linalg.lstsq(problem.A, problem.A @ self.run.effective)[0]
        return Problem(problem.A, b, None, problem.signed)

    @cached_property
    def reached_limit(self):
        """The exact limit for the measurements that the run has reached."""
        return limit(self.flow, self.reached, self.x0)

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
    def min_l1(self):
        """The linear program."""
        return min_l1(self.problem)

    @cached_property
    def strictest(self):
        """The same with the certificate that is strictest off the support."""
        return self.min_l1.strictest()

    @cached_property
    def reached_min_l1(self):
        """The linear program for the measurements that the run has reached."""
        return min_l1(self.reached)

    @cached_property
    def stacked_min_l1(self):
        """Its solution, with the two signs apart if the problem is signed."""
        return self.problem.split(self.min_l1.z)

    @cached_property
    def solution(self):
        """Nonnegative effective weights that interpolate: the signal, its two signs apart."""
        return self.problem.split(self.problem.signal)


def random_problem(rng, kind, *, signed=False, shape=None):
    """Draw an underdetermined problem that has an admissible solution.

    Parameters
    ----------
    rng : numpy.random.Generator
    kind : one of :data:`KINDS` or :data:`HARD_KINDS`
        The singular values of "ill-conditioned" span three decades; "rank-deficient" repeats a
        combination of rows; "nonnegative kernel" has an unbounded set of nonnegative solutions.
        "tied" has a column twice, "nearly tied" almost; all solutions of "boundary" vanish at some
        entries, and "few" has a bounded set of solutions, or a single one; entries of "zero-one"
        are 0 or 1.
    signed : bool
    shape : (int, int), optional
        Measurements and features; drawn from 3 to 5, and up to 14.

    Returns
    -------
    Problem
    """
    if kind not in (*KINDS, *HARD_KINDS):
        raise ValueError(f"kind must be one of {(*KINDS, *HARD_KINDS)}; got {kind!r}")
    M, N = shape or _small_shape(rng)
    M = 1 if kind == "one measurement" else M
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
    A = _harder(rng, kind, A, support)
    return Problem(A, A @ signal, signal, signed)


def _small_shape(rng):
    M = int(rng.integers(3, 6))
    return M, int(rng.integers(M + 2, 3 * M))


def _harder(rng, kind, A, support):
    """Make one of :data:`HARD_KINDS` of a Gaussian matrix; leave others as they are."""
    M, N = A.shape
    if kind in ("tied", "nearly tied"):
        gap = 0.0 if kind == "tied" else 10 ** rng.uniform(-6, -1)
        other = rng.choice(np.setdiff1d(np.arange(N), support))
        A[:, other] = A[:, support[0]] + gap * rng.normal(size=M)
    elif kind == "boundary":  # a positive combination of some entries is zero
        row = rng.uniform(0.5, 1.5, N) * (rng.random(N) < 0.5)
        row[support] = 0
        A = np.vstack([A, row])
    elif kind == "few":  # the sum of all entries is given
        A = np.vstack([A, np.ones(N)])
    elif kind == "zero-one":
        A = (rng.random((M, N)) < 0.5).astype(float)
        A[0, support] = 1.0
    elif kind == "one measurement":
        A = np.abs(A)
    return A


def random_depth(rng):
    """Draw a depth: 2, or any real number up to 10."""
    low, high = [(2, 2), (2.05, 3), (3, 5), (5, 10)][rng.choice(4, p=[0.4, 0.25, 0.25, 0.1])]
    return float(rng.uniform(low, high))


def log_ratios(depth):
    """Return the range of ``log10`` of ratios: for depth > 2 plateaus are longer."""
    return (-3 if depth == 2 else -1), 2


def hard_instance(rng, *, weight_norm, signed=None, depth=None, size=(-3, 2)):
    """Draw an instance; what is not given is drawn too.

    Parameters
    ----------
    rng : numpy.random.Generator
    weight_norm : bool
        Its ratio is drawn in the range of :func:`log_ratios`.
    signed : bool, optional
    depth : float, optional
        By :func:`random_depth`.
    size : tuple of float
        Range of ``log10`` of the squared radius of the start, over that of the signal.

    Returns
    -------
    Instance
        Of any kind; one in ten has up to 60 weights, the others up to 24. The entries of the start
        differ by factors up to e, or, for one in three, e^4.
    """
    kind = rng.choice((*KINDS, *HARD_KINDS))
    signed = bool(rng.random() < 0.4) if signed is None else signed
    depth = random_depth(rng) if depth is None else float(depth)
    N = int(rng.integers(6, 13 if rng.random() < 0.9 else 31 if signed else 61))
    problem = random_problem(rng, kind, signed=signed, shape=(int(rng.integers(2, N // 2 + 1)), N))
    log_ratio = rng.uniform(*log_ratios(depth))
    flow = WeightNormFlow(depth, 10**log_ratio) if weight_norm else PlainFlow(depth)
    spread = 2.0 if rng.random() < 1 / 3 else 0.5
    shape = np.exp(rng.uniform(-spread, spread, problem.n_weights))
    R0 = squared_radius(np.abs(problem.signal), depth) * 10 ** rng.uniform(*size)
    return Instance(flow, problem, of_length(R0, shape))


def of_length(R0, shape):
    """Return the start of a shape whose squared length is ``R0``."""
    return shape * np.sqrt(R0 / (shape @ shape))


def tight_weights(depth, log_second=-40.0, closeness=0.97):
    """Return a start on ``z_1 + z_2 / 2 = 1`` whose plain limit is nearly (0, 2), not (1, 0).

    The smallest l1 norm is 1, at (1, 0). The first weight starts just small enough beside the
    second to stay near zero: the excess over its bound tends to 1 as ``log_second`` tends to minus
    infinity and ``closeness`` to 1, so no smaller constant would do, at any depth.

    Parameters
    ----------
    depth : float
    log_second : float
        Logarithm of the second effective weight at the start.
    closeness : float
        Below 1, which is where the first weight would grow.

    Returns
    -------
    numpy.ndarray, shape (2,)
    """
    if depth == 2:
        log_first = 2 * log_second + np.log((1 - closeness) / 4)
    else:
        log_first = log_second + np.log(closeness / 2) / (1 - 2 / depth)
    return np.exp(np.array([log_first, log_second]) / depth)


def near_tie(depth, shape, log_growth):
    """Return a problem and a start on which the best bound is nearly attained.

    The problem is ``z_1 + a (z_2 + ... + z_N) = 1`` with ``a`` a little below 1: all solutions are
    nearly as short as the shortest, ``(1, 0, ..., 0)``, and the flow chooses among them. The ratio
    of excess and bound tends to 1 as the start tends to zero, and ``a`` with it to 1.

    Parameters
    ----------
    depth : float
    shape : array_like, shape (N,)
        The effective weights at the start, up to a factor. Its first entry must be the smallest;
        above depth 2 all must be equal.
    log_growth : float
        Logarithm of by how much the flow lets ``z_1`` grow, about.

    Returns
    -------
    problem : Problem
    x0 : numpy.ndarray, shape (N,)
    """
    share = np.asarray(shape, dtype=float) / np.sum(shape)
    N, gamma = len(share), 1 - 2 / depth
    if depth == 2:
        odds = 1 / share[0] - 1
        t = odds / bounds.lambert(np.log(odds))
        m, nu = t / (t + odds), log_growth
        a = 1 - np.log(t) / nu
    else:
        m, nu = bounds.crowding(depth, N)[1], np.exp(gamma * log_growth)
        a = 1 - (((N - 1) / (1 - m)) ** gamma - m**-gamma) / nu
    q = 1 / (m + a * (1 - m))
    if depth == 2:
        log_beta = np.log(share) + np.log(m * q / share[0]) - nu
    else:
        spread = ((1 - m) * q / (N - 1)) ** -gamma - (m * q) ** -gamma
        log_beta = np.full(N, -np.log(spread / (1 - a) + (m * q) ** -gamma) / gamma)
    row = np.full(N, a)
    row[0] = 1.0
    return Problem([row], [1.0]), np.exp(log_beta / depth)
