"""The law of weight normalization with a small ratio, on its way to a sparse signal: depth 2.

With ``c = -<h, v^2>``, ``h = A^T e``, the squared length obeys ``R' = 2 ratio c R``, and an entry
is ``v_n^2 = v_n(0)^2 exp(a_n / ratio)``, where ``a_n`` is the integral of ``f_n - 1`` over ``R``,
``f_n = -h_n / c`` (lem-memory). The law says what that means for ``ratio -> 0``: an entry is alive
while ``a_n = 0``, and the direction is at each length the best one among those that are. It is
derived formally.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, nnls
from scipy.special import lambertw

from wnlib._checks import Record, flag, positive, real
from wnlib._types import Bools, Floats
from wnlib.problems import Problem, check_signal
from wnlib.theory.last_stretch import nonnegative_signal

HEAVY = 1e3  # weight of the row that gives best vectors their length
CLOSEST = 1e-9  # distance from Q at which the law ends
FINENESS = 0.01
LONGEST = 0.05  # step in the logarithm of the distance from the end of a stretch
WAIT = 5.0  # the same while the length stands still, until an entry is back
MOST_STEPS = 20_000  # some 1000 are usual
RESOLUTION = 1e-10  # of exponents
NEARLY = 0.99  # of the length at the end: the rest of the way takes as long as one likes
N_GRID = 4000  # times at which distances are averaged


def exponents(ratio: float, R: Floats, pushed: Floats) -> Floats:
    """Return the exponents ``a`` of lem-memory.

    Parameters
    ----------
    ratio : float
    R : numpy.ndarray, shape (T,)
        Squared lengths, from that of the start on.
    pushed : numpy.ndarray, shape (T, n_weights)
        Integrals of ``-R h`` over time.

    Returns
    -------
    numpy.ndarray, shape (T, n_weights)
    """
    return 2 * ratio * pushed - (R - R[0])[:, None]


def regained(second: float, R0: float = 0.0) -> float:
    """Return the length at which the second of two weights is back.

    The problem is ``z_1 = 1, z_2 = second``; by the law ``z_2`` is missing, ``R = z_1``, until
    ``second log((1 - R0) / (1 - R)) = R - R0``.

    Parameters
    ----------
    second : float
        In (0, 1).
    R0 : float
        Of the start. From ``1 - second`` on nothing is lost, as both are alive at once.
    """
    second, R0 = real("second", second), real("R0", R0)
    if not (0 < second < 1 and 0 <= R0 < 1):
        raise ValueError(f"second must be in (0, 1) and R0 in [0, 1); got {second:g} and {R0:g}")
    left = (1 - R0) / second
    return float(1 + second * lambertw(-left * np.exp(-left), 0).real) if left > 1 else R0


def best_of_length(problem: Problem, allowed: Bools, R: float) -> tuple[Floats, Floats]:
    """Return the best ``z >= 0`` of length ``R`` among the allowed entries, and its ``h``.

    Parameters
    ----------
    problem : Problem
        Not signed.
    allowed : numpy.ndarray of bool, shape (n_weights,)
    R : float

    Returns
    -------
    z, h : numpy.ndarray, shape (n_weights,)
    """
    allowed = np.asarray(allowed)
    if allowed.dtype != bool or allowed.shape != (problem.n_features,) or not allowed.any():
        raise ValueError(
            "allowed must be True or False for each feature, and True for one at least"
        )
    rows = np.vstack([problem.A, HEAVY * np.ones(problem.n_features)])[:, allowed]
    z = np.zeros(problem.n_features)
    z[allowed], _ = nnls(rows, np.append(problem.b, HEAVY * R))
    return z, problem.A.T @ (problem.A @ z - problem.b)


@dataclass(frozen=True, eq=False, repr=False)
class Law(Record):
    """What the law says at each length.

    Attributes
    ----------
    problem : Problem
    R : numpy.ndarray, shape (T,)
        Squared lengths, from that of the start to nearly Q.
    c : numpy.ndarray, shape (T,)
    z : numpy.ndarray, shape (T, n_weights)
        The effective weights.
    slow : numpy.ndarray, shape (T,)
        Slow times ``2 ratio t`` at which the lengths are reached.
    memory : numpy.ndarray, shape (n_weights,)
        The exponents ``a`` at the end: ``v_n^2 = v_n(0)^2 exp(a_n / ratio)``.
    """

    problem: Problem
    R: Floats
    c: Floats
    z: Floats
    slow: Floats
    memory: Floats

    @property
    def complete(self) -> int:
        """The index from which on no entry of the support is missing; ``len(R)`` if never."""
        missing = np.flatnonzero((self.z[:, check_signal(self.problem) > 0] == 0).any(axis=1))
        return missing[-1] + 1 if missing.size else 0

    @property
    def R_1(self) -> float:
        """The length at which all of the support is back; NaN if it never is."""
        return self.R[self.complete] if self.complete < len(self.R) else np.nan

    @property
    def loss(self) -> Floats:
        """Losses of a network of depth 2 at the effective weights, shape (T,)."""
        return np.sum((self.z @ self.problem.A.T - self.problem.b) ** 2, axis=1) / 4

    def times(self, ratio: float) -> Floats:
        """Return the times at which the lengths are reached, shape (T,)."""
        return self.slow / (2 * positive("ratio", ratio))

    def at(self, slow: Floats) -> Floats:
        """Return the effective weights at slow times within the law's, shape (k, n_weights)."""
        return entrywise(slow, self.slow, self.z)

    def distance(self, slow: Floats, log_z: Floats) -> float:
        """Return how far effective weights are from the law on the way.

        Parameters
        ----------
        slow : numpy.ndarray, shape (k,)
            Slow times of a run, from 0 on.
        log_z : numpy.ndarray, shape (k, n_weights)
            Logarithms of its effective weights there: between them, weights grow exponentially.

        Returns
        -------
        float
            ``|x - z|_1 / Q`` in the mean over the time until the law has NEARLY arrived; NaN if the
            run ends before, or the law has one length only.
        """
        if len(self.slow) < 2:
            return np.nan
        on_the_way = self.R[:-1] <= NEARLY * self.R[-1]
        last = self.slow[:-1][on_the_way].max(initial=self.slow[1])
        if slow[-1] < last:
            return np.nan
        grid = np.linspace(0, last, N_GRID)
        off = np.abs(np.exp(entrywise(grid, slow, log_z)) - self.at(grid)).sum(axis=1)
        return off.mean() / check_signal(self.problem).sum()


def entrywise(x: Floats, known: Floats, values: Floats) -> Floats:
    """Interpolate vectors linearly: ``values`` has shape (T, N), the result (len(x), N)."""
    return np.stack([np.interp(x, known, column) for column in values.T], axis=1)


def small_ratio_law(
    problem: Problem, R0: float, *, fineness: float = FINENESS, remember: bool = True
) -> Law:
    """Follow the law from length ``R0`` to the l1 norm Q of the signal.

    Parameters
    ----------
    problem : Problem
        With a nonnegative signal.
    R0 : float
        Less than Q.
    fineness : float
        By how much of itself a step changes the length, or its distance from Q, at most.
    remember : bool
        If not, no entry dies: at each length the direction is the best of all.

    Returns
    -------
    Law
        It ends before Q where a shorter vector fits the measurements, or after MOST_STEPS.
    """
    Q, N = nonnegative_signal(problem).sum(), problem.n_features
    fineness, remember = positive("fineness", fineness), flag("remember", remember)
    if not 0 < (R0 := real("R0", R0)) < Q:
        raise ValueError(f"R0 must be between 0 and the norm {Q:g} of the signal; got {R0:g}")
    R, slow, memory, stretch = R0, 0.0, np.zeros(N), None
    rows: list[tuple[float, float, Floats, float]] = []
    while len(rows) < MOST_STEPS:
        if stretch is None or not stretch.goes_on(R, memory):
            z, _ = best_of_length(problem, memory == 0, R)
            stretch = _Stretch(problem, z > 0)
        rows.append((R, stretch.c(R), stretch.weights(R), slow))
        end = min(Q, stretch.end)
        if end - R <= CLOSEST:
            break
        step = stretch.longest(R, fineness * min(R, end - R))
        if remember:
            step, memory = stretch.until_one_is_back(R, memory, step)
        R, slow = stretch.length(R, step), slow + stretch.duration(R, step)
    lengths, c, path, times = (np.array(column) for column in zip(*rows, strict=True))
    return Law(problem, lengths, c, path, times, memory)


class _Stretch:
    """The law while the same entries are positive: all of it in closed form.

    There ``c = (top - R) / y2``, and the length obeys the logistic equation with ``top`` for its
    end. A step ``s`` divides ``top - R`` by ``e^s``.
    """

    def __init__(self, problem: Problem, on: Bools) -> None:
        self.on = on
        columns = problem.A[:, on]
        self.target = np.linalg.lstsq(columns, problem.b)[0]
        self.w = np.linalg.lstsq(columns.T @ columns, np.ones(on.sum()))[0]
        self.top, self.y2 = self.target.sum(), self.w.sum()
        self.f = problem.A.T @ (columns @ self.w)
        left = columns @ self.target - problem.b
        self.rest = problem.A.T @ left  # h once c is 0
        fits = np.linalg.norm(left) < CLOSEST * np.linalg.norm(problem.b)
        self.end = self.top if fits else np.inf

    def c(self, R: float) -> float:
        """Return ``-<h, v^2>``."""
        return (self.top - R) / self.y2

    def weights(self, R: float) -> Floats:
        """Return the best vector of a length on these entries."""
        z = np.zeros(len(self.on))
        z[self.on] = self.target - self.c(R) * self.w
        return z

    def goes_on(self, R: float, memory: Floats) -> bool:
        """Tell whether all others are dead, and these still positive."""
        return bool((memory[~self.on] < 0).all() and (self.weights(R)[self.on] > 0).all())

    def length(self, R: float, step: float) -> float:
        """Return the length after a step."""
        return self.top - (self.top - R) * np.exp(-step)

    def duration(self, R: float, step: float) -> float:
        """Return the slow time of a step: ``dR / ds = c R``."""
        return self.y2 / self.top * (step + np.log(self.length(R, step) / R))

    def longest(self, R: float, change: float) -> float:
        """Return the longest step that changes the length by no more than this."""
        gap = abs(self.top - R)
        if change < gap:
            return min(LONGEST, -np.log1p(-change / gap))
        return LONGEST if gap > CLOSEST else WAIT

    def remembered(self, R: float, memory: Floats, step: float) -> Floats:
        """Return the exponents after a step; above 0 for a dead entry that was back before."""
        gained = (self.f - 1) * (self.length(R, step) - R) - self.rest * self.y2 * step
        return memory + np.where(self.on, 0, gained)

    def until_one_is_back(self, R: float, memory: Floats, step: float) -> tuple[float, Floats]:
        """Return the step, cut off where the first dead entry is back, and the exponents there."""
        dead = memory < 0

        def highest(part: float) -> float:
            return self.remembered(R, memory, part)[dead].max(initial=-1.0)

        if highest(step) > 0:
            step = brentq(highest, 0, step)
        after = self.remembered(R, memory, step)
        after[after > -RESOLUTION] = 0  # back, or never gone
        return step, after
