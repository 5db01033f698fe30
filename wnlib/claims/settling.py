"""Instances whose decay is seen to its end, and what the claims of the chapter on rates measure."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import linprog

from wnlib.claims.common import arrives
from wnlib.claims.instances import Instance, random_depth, random_problem
from wnlib.flows import PlainFlow, WeightNormFlow, psi_rate
from wnlib.problems import Problem
from wnlib.results import Status
from wnlib.roads.integrate import integrate
from wnlib.theory import rates

EXPONENTS = 600.0  # beyond, psi in units of its first value is no float
LATE = 1e-6  # of |b|: three decades before the end, where the flow is linear to as many digits
FINE = 3e-12  # relative tolerance of a step
CLEAR = 30  # times the noise of a residual, whose parts may cancel
LAST = 1e7  # time; rates below 1e-6 are not looked at
LINEAR = 1e-4  # of themselves, that weights move in these decades: there the flow is linear
STEADY = 1e-4  # by how much the residual may still turn there
DECAYS = 10.0  # times 1 / lambda, by which |e| has long been falling like exp(-lambda t)
DECADES = 1e2  # of time, over which a power is measured
STILL = 0.1  # of log x^L, that an entry may move in these decades and still rest
SETTLED = 2e-3  # by how much log |e| may still change, beyond a power, in a decade of time
BEHIND = 0.05  # of log x^L: by so much less than the residual an entry may fall in two decades
NOISE = 2e-5  # of log |e|: changes that are integration errors
OLD = 1e5  # time by which a power law has settled, to the accuracy asked for


def a_flow(rng, depth):
    """Draw the plain flow or weight normalization."""
    plain = rng.integers(2)
    return PlainFlow(depth) if plain else WeightNormFlow(depth, 10 ** rng.uniform(-0.5, 1))


def vanishing_or_not(rng):
    """Draw a problem of which some or all solutions are positive, or none, and a start."""
    kind = rng.choice(["few", "boundary", "one measurement", "gaussian"])
    N = int(rng.integers(4, 8))
    problem = random_problem(rng, kind, shape=(2, N))
    return Instance(a_flow(rng, min(random_depth(rng), 4.0)), problem, rng.uniform(0.2, 0.8, N))


def positive_limit(rng):
    """Draw a problem with a positive solution, often a signed one, and a start."""
    kind = rng.choice(["gaussian", "one measurement", "nonnegative kernel", "rank-deficient"])
    shape = int(rng.integers(1, 4)), int(rng.integers(4, 7))
    problem = random_problem(rng, kind, signed=bool(rng.random() < 0.3), shape=shape)
    x0 = np.exp(rng.uniform(-0.7, 0.5, problem.n_weights))
    return Fine(a_flow(rng, min(random_depth(rng), 6.0)), problem, x0)


def forced_zeros(rng):
    """Draw a problem whose solutions all vanish at some entries, for one to three reasons.

    Where these columns were projected on what they alone reach they lie in an open half-space, so
    that no combination of them vanishes; a rotation of the measurements hides it.
    """
    d, on, off = int(rng.integers(1, 4)), int(rng.integers(1, 4)), int(rng.integers(1, 5))
    reached = int(rng.integers(1, 3))
    A = rng.normal(size=(reached + d, on + off))
    A[reached:, :on] = 0
    A[reached, on:] = rng.uniform(0.5, 2, off)
    A = np.linalg.qr(rng.normal(size=(reached + d, reached + d)))[0] @ A
    z = np.append(rng.uniform(0.5, 1.5, on), np.zeros(off))
    depth = 2.0 if rng.random() < 0.4 else float(rng.uniform(2.5, 5))
    return Instance(a_flow(rng, depth), Problem(A, A @ z, z), rng.uniform(0.3, 0.9, on + off))


def forced_or_positive(rng):
    """Draw a problem with forced zeros, now and then one with a positive solution."""
    return positive_limit(rng) if rng.random() < 0.15 else forced_zeros(rng)


def forced_or_stalling(rng):
    """Draw a problem with forced zeros, now and then with a start that may well stall."""
    instance = forced_zeros(rng)
    if rng.random() < 0.7:
        return instance
    problem, depth = instance.problem, instance.flow.depth
    against = problem.network_matrix.T @ problem.b < 0
    x0 = 0.1 * instance.x0 * np.where(against, 1.0, 0.1)
    return Instance(WeightNormFlow(depth, 10 ** rng.uniform(0, 1)), problem, x0)


def some_entry_vanishes(instance):
    """Tell whether some entry is zero in all solutions, by linear programs."""
    problem = instance.problem
    for n in np.flatnonzero(problem.signal == 0):
        largest = linprog(-np.eye(problem.n_weights)[n], A_eq=problem.A, b_eq=problem.b)
        if largest.status == 0 and -largest.fun < 1e-7:
            return True
    return False


def share_of_fall(instance, factor):
    """Largest share that psi's way makes of a factor times its bound, over entries and times."""
    run, flow = instance.run, instance.flow
    L, r = flow.depth, run.radius_path
    # in units of kappa(r_0)^{-(L-2)}: psi there would leave the range of floats
    log_kappa = np.asarray(flow.log_kappa(r) - flow.log_kappa(r[0]))
    unit = np.exp(np.minimum((2 - L) * log_kappa, EXPONENTS))
    clock = unit if flow.motion is PlainFlow else r**2 * unit
    if L == 2:
        psi = 2 * (run.log_path + log_kappa[:, None])
    else:
        psi = -np.exp(np.minimum((2 - L) * run.log_path, EXPONENTS)) * unit[:, None]
    columns = np.linalg.norm(run.problem.network_matrix, axis=0)
    spent = psi_rate(L) * columns * run.integral(clock * run.misfit_path)[1:, None]
    fall = psi[0] - psi[2::2]
    error = 1e-6 * (1.0 if L == 2 else np.abs(psi[2::2]))  # of the integration, with a margin
    return np.max((fall - error) / (factor * spent))


def power_from(run, first):
    """Exponent p of the decay t^-p of the residual from a recorded time, given by its index."""
    e, t = run.misfit_path, run.times
    return np.log(e[first] / e[-1]) / np.log(t[-1] / t[first])


def power_of_decay(instance):
    """Exponent of the decay over the last decade of the residual."""
    e = instance.run.misfit_path
    return power_from(instance.run, np.argmax((instance.run.times > 0) & (e < 10 * e[-1])))


def far_ahead(instance):
    """Return the index of the run at a hundredth of its last time."""
    return int(np.searchsorted(instance.run.times, instance.run.times[-1] / DECADES))


def is_old(instance):
    """Tell whether a run came to a solution so late that a power law had time to show."""
    return arrives(instance) and instance.run.times[-1] >= OLD


def misjudged(instance, support):
    """Count the entries that fall on the run although they are in a support, or the reverse.

    None if an entry falls by so little that nobody can tell: one far below the others, which
    later catches up with them.
    """
    logs = instance.flow.depth * instance.run.log_path
    fallen = logs[far_ahead(instance)] - logs[-1]
    # t^{-1/2}, slower than any vanishing entry in the end, is a factor of 10
    clear = np.log(10) / 2
    if ((fallen > STILL) & (fallen < clear)).any():
        return None
    return float(np.sum((fallen > clear) == support))


def says_stall(instance):
    """Tell whether the run is a stall."""
    return instance.run.status is Status.STALLED


def off_witness(instance, support):
    """Relative difference of the two sides of the identity of a witness, on the run.

    The witness is found by a linear program: ``<A_n, y> = 0`` on the support, at least 1 off it.
    Infinite if there is none.
    """
    problem, flow = instance.problem, instance.flow
    A, M = problem.network_matrix, problem.n_measurements
    on, off = A[:, support].T, A[:, ~support].T
    size = np.ones(2 * M)  # y is the difference of two parts, so that it stays of moderate size
    found = linprog(
        size,
        A_ub=-np.hstack([off, -off]) if len(off) else None,
        b_ub=-np.ones(len(off)) if len(off) else None,
        A_eq=np.hstack([on, -on]) if len(on) else None,
        b_eq=np.zeros(len(on)) if len(on) else None,
    )
    if found.status != 0:
        return np.inf
    y = found.x[:M] - found.x[M:]
    e, stacked = flow.misfit(problem, instance.run.path), instance.run.path**flow.depth
    difference = e @ y - stacked[:, ~support] @ (off @ y)
    return np.abs(difference).max() / (np.linalg.norm(y) * np.linalg.norm(problem.b))


def without_one(support):
    """Leave the first entry out of a support."""
    return support & (np.cumsum(support) > 1)


@dataclass(frozen=True, eq=False)
class Fine(Instance):
    """An instance that is followed closer to its limit than :attr:`Instance.run` is."""

    @cached_property
    def fine(self):
        """The trained weights, to a residual of 1e-9, in finer steps than those of a run."""
        options = {"form": "weights", "rtol": FINE, "residual_tol": 1e-9, "max_steps": 1500}
        times = np.geomspace(1e-2, LAST, 900)
        return integrate(self.flow, self.problem, self.x0, LAST, times=times, **options)

    @cached_property
    def late(self):
        """Times, residuals, shape (T, M), and weights of its last decades, down to the noise."""
        e, A = self.flow.misfit(self.problem, self.fine.path), self.problem.network_matrix
        noise = FINE * self.flow.depth * np.linalg.norm(np.abs(A) @ self.fine.stacked)
        size = np.linalg.norm(e, axis=1)
        late = (size < LATE * np.linalg.norm(self.problem.b)) & (size > CLEAR * noise)
        return self.fine.times[late], e[late], self.fine.path[late]

    @cached_property
    def rates(self):
        """The rates at its end."""
        return rates.residual_rates(self.flow, self.problem, self.fine.stacked)


def is_seen(instance):
    """Tell whether the last decades are there, and the weights hardly move in them."""
    if (
        not isinstance(instance, Fine)
        or instance.fine.status is not Status.CONVERGED
        or len(instance.late[0]) < 10
    ):
        return False
    path = instance.late[2]
    return bool(np.abs(path[0] / path[-1] - 1).max() < LINEAR)


def one_mode_left(instance):
    """Tell whether the residual falls along one direction, of the smallest rate by far."""
    if not is_seen(instance):
        return False
    first, last = (e / np.linalg.norm(e) for e in instance.late[1][[0, -1]])
    slow = instance.rates[0]
    return bool((instance.rates[1:] > 2 * slow).all() and np.linalg.norm(first - last) < STEADY)


def slope_of_decay(instance):
    """Rate of the decay of the residual over its last decades."""
    t, e, _ = instance.late
    return -np.polyfit(t, np.log(np.linalg.norm(e, axis=1)), 1)[0]


def without_rank_one(instance):
    """Return the smallest rate if a part of the metric of weight normalization is left out."""
    flow, fine = PlainFlow(instance.flow.depth), instance.fine
    speed = 1.0 if instance.flow.motion is PlainFlow else fine.radius**2
    return speed * rates.residual_rates(flow, instance.problem, fine.stacked)[0]


def off_rate(instance, rate):
    """Relative distance of the slope of ``log |e|`` from a rate."""
    return abs(slope_of_decay(instance) / rate - 1)


def bound_over_slope(instance):
    """Lower bound of the rate over the slope of ``log |e|``."""
    flow, fine = instance.flow, instance.fine
    return rates.rate_lower_bound(flow, instance.problem, fine.stacked) / slope_of_decay(instance)


def larger_entry(instance):
    """Return by what the bound grows with the largest entry of the limit for the smallest."""
    z = instance.fine.stacked
    return (z.max() / z.min()) ** (2 - 2 / instance.flow.depth)


def is_exponential(instance):
    """Tell whether a run ends, a positive limit ahead, after many times of decay."""
    if not (isinstance(instance, Fine) and arrives(instance) and is_seen(instance)):
        return False
    return bool(instance.rates[0] * instance.run.times[-1] > DECAYS)


def off_power(instance, depth):
    """Distance of the exponent over the last two decades of time from that of a depth."""
    return abs(power_from(instance.run, far_ahead(instance)) - rates.decay_power(depth))


def off_constant(instance, radius):
    """Relative distance of ``|e| t^p`` at the end from the constant of the power law."""
    run, flow = instance.run, instance.flow
    constant = rates.power_law_constant(flow, instance.problem, radius)
    measured = run.misfit_path[-1] * run.times[-1] ** rates.decay_power(flow.depth)
    return abs(measured / constant - 1)


def changes_of(instance):
    """Return by how much ``log(|e| t^p)`` changed in the last decade, and in the one before."""
    p = rates.decay_power(instance.flow.depth)
    log_t = np.log(instance.run.times[1:])
    decades = log_t[-1] - np.log(10) * np.arange(3)
    values = np.interp(decades, log_t, np.log(instance.run.misfit_path[1:])) + p * decades
    return -np.diff(values)


def has_zeros(instance):
    """Tell whether some entry vanishes in all solutions."""
    return not rates.largest_support(instance.problem).all()


def has_settled(instance):
    """Tell whether two decades in a row, the last ones, saw nearly the same power."""
    if not (is_old(instance) and has_zeros(instance)):
        return False
    return bool(abs(np.diff(changes_of(instance))[0]) < SETTLED)


def catches_up(instance):
    """Tell whether some entry falls more slowly than the residual, of which it is then no part yet.

    After a near stall an entry may be so far below the others that these follow, for ten decades
    of time, the law of the problem without it.
    """
    run, first = instance.run, far_ahead(instance)
    e, logs = np.log(run.misfit_path), instance.flow.depth * run.log_path
    fallen = (logs[first] - logs[-1])[~rates.largest_support(instance.problem)]
    return bool(fallen.min() < e[first] - e[-1] - BEHIND)


def has_come(instance):
    """Tell whether what changes after the run, as a geometric series goes on, is little."""
    if not has_settled(instance) or catches_up(instance):
        return False
    last, before = np.abs(changes_of(instance))
    shrinks = last < 0.9 * before
    return bool(last < NOISE or (shrinks and last / (1 - last / before) < 10 * SETTLED))
