r"""The exact limits, without simulating: of both flows, and the linear program they approach.

**Plain flow.** The limit from ``beta = x0^L`` is the point of ``S = {z >= 0 : A z = b}`` where
``psi(z) - psi(beta)`` lies in the row space of ``A`` (``psi``: the mirror map). Newton's method
finds it, on the ``rank(A)`` multipliers, along the path ``z(s)`` of limits from ``beta e^{-s}``.
The path begins at a scale where ``z`` is easy; its tangent predicts the next point. Newton's
matrix, ``A diag(z^{2-2/L}) A^T``, is the kernel of the flow itself.

**Weight normalization.** Its limit is the limit of the plain flow from ``beta / rho``, and ``rho``
depends on the limit only through its radius: one scalar equation in ``log rho``, with one root,
solved on the same path. First, though, the flow must not stall; that is decided by following its
mirror coordinates until the loss falls below that of zero weights (it cannot stall any more) or the
radius vanishes (it has stalled).

Only the set ``S`` matters, so ``A`` is replaced by an orthonormal basis of its row space.
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.integrate import Radau
from scipy.linalg import LinAlgError, cho_factor, cho_solve, qr_multiply, solve_triangular
from scipy.optimize import brentq, linprog, minimize_scalar, nnls
from scipy.special import logsumexp

from wnlib.flows import PlainFlow, WeightNormFlow, check_start, shift
from wnlib.problems import Problem, check_problem, readonly
from wnlib.trajectories import Result, Status

EPS = np.finfo(float).eps
LIMIT_RESIDUAL = 1e-12  # relative; what a converged limit must reach
MAX_NEWTON_STEPS = 5000  # per start; typical are 10 to 200


@dataclass(frozen=True, eq=False)
class Limit(Result):
    """The exact end of a flow.

    Attributes
    ----------
    log_rho : float or numpy.ndarray, shape (starts,)
        Logarithm of the magnification: the limit is that of the plain flow from ``x0^L / rho``.
        0 for the plain flow; for weight normalization NaN where it stalls, where Newton's
        method got stuck, and for ``b = 0``.
    n_steps : int or numpy.ndarray, shape (starts,)
        Newton steps.
    """

    log_rho: float | np.ndarray
    n_steps: int | np.ndarray


def limit(flow, problem, x0):
    """Compute where a flow ends, without simulating it.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    problem : Problem
    x0 : array_like, shape (n_weights,) or (starts, n_weights)
        Positive initial weights.

    Returns
    -------
    Limit
        CONVERGED: relative residual at most 1e-12. STALLED: the radius of the weight-normalized
        flow tends to zero; the weights returned are zero. MAX_STEPS: Newton's method got
        stuck above the tolerance; ``residual`` says where.

    Raises
    ------
    ValueError
        If no admissible ``z`` solves ``A z = b``, or for arguments out of their range.

    Notes
    -----
    For ``b = 0`` the sparsest solution, zero, is returned. The flow itself may end at another point
    of the kernel, if that holds a nonnegative vector; ``integrate`` follows it there.
    """
    x0 = check_start(flow, problem, x0)
    if not problem.b.any():
        return _zero_limit(flow, problem, x0)
    rows, rhs = row_space(problem)
    ends = [_limit_one(flow, problem, rows, rhs, start) for start in np.atleast_2d(x0)]
    weights, status, log_rho, n_steps = zip(*ends, strict=True)
    if any(s is not Status.CONVERGED for s in status):
        min_l1(problem)  # raises ValueError if the reason is that there is no solution at all
    if x0.ndim == 1:
        return Limit(flow, problem, x0, weights[0], status[0], log_rho[0], n_steps[0])
    status = np.array(status, dtype=object)
    return Limit(flow, problem, x0, np.array(weights), status, np.array(log_rho), np.array(n_steps))


def _zero_limit(flow, problem, x0):
    starts = x0.shape[:-1]
    status = np.empty(starts, dtype=object)
    status[...] = Status.CONVERGED  # np.full would make a plain string of it
    unknown = 0.0 if isinstance(flow, PlainFlow) else np.nan
    log_rho, n_steps = np.full(starts, unknown)[()], np.zeros(starts, dtype=int)[()]
    return Limit(flow, problem, x0, np.zeros_like(x0), status[()], log_rho, n_steps)


def row_space(problem):
    """Return orthonormal rows ``V`` and ``d`` so that ``V z = d`` if and only if ``A z = b``.

    Raises
    ------
    ValueError
        If ``b`` is not in the range of ``A``.
    """
    rows, rhs = _orthonormal(problem.network_matrix, problem.b)
    norm_b = np.linalg.norm(problem.b)
    misfit = np.linalg.norm(problem.network_matrix @ (rows.T @ rhs) - problem.b) / norm_b
    if misfit > 1e-10:
        raise ValueError(
            f"A z = b is not feasible: b is {misfit:.1e} of its norm away from the range of A, "
            f"which has rank {len(rows)}. Remove dependent rows, or replace b by its projection"
        )
    return rows, rhs


def _orthonormal(A, b):
    U, sigma, Vt = np.linalg.svd(A, full_matrices=False)
    rank = np.sum(sigma > sigma[0] * max(A.shape) * EPS)
    return Vt[:rank], U[:, :rank].T @ b / sigma[:rank]


def _limit_one(flow, problem, rows, rhs, x0):
    if stalls(flow, problem, x0):
        return np.zeros_like(x0), Status.STALLED, np.nan, 0
    path, log_rho = _PlainLimits(rows, rhs, x0, flow.depth), 0.0
    try:
        with np.errstate(all="ignore"):  # trial points may overshoot
            path.find_interior()
            if isinstance(flow, WeightNormFlow):
                log_rho = _log_rho(flow, path, x0)
            path.move_to(log_rho)
            path.project()
    except _StuckError:
        log_rho = np.nan if isinstance(flow, WeightNormFlow) else 0.0
    x = np.zeros_like(x0)
    x[path.columns] = np.exp(path.log_z / flow.depth)
    residual = problem.residual(problem.readout(x**flow.depth))
    status = Status.CONVERGED if residual <= LIMIT_RESIDUAL else Status.MAX_STEPS
    return x, status, log_rho, path.n_steps


def _log_rho(flow, path, x0):
    """Solve ``s = log rho(z(s))`` along the path of plain limits."""
    L, ratio, R0 = flow.depth, flow.ratio, x0 @ x0

    @cache
    def excess(s):
        path.move_to(s)
        R = np.exp(2 / L * path.log_z).sum()
        return s - L / 2 * ((R - R0) / ratio - np.log(R / R0))

    here, value = path.s, excess(path.s)
    step = 1.0 if value < 0 else -1.0
    while True:
        there = here + step
        value_there = excess(there)
        if not np.isfinite(value_there):
            raise _StuckError
        if value * value_there <= 0:
            return brentq(excess, here, there, xtol=1e-13, rtol=4 * EPS)
        here, value, step = there, value_there, 2 * step


class _StuckError(Exception):
    """Newton's method made no progress."""


class _PlainLimits:
    """The limits ``z(s)`` of the plain flow from ``x0^L e^{-s}``: a path, and a point on it.

    The state is ``log z`` alone. A change ``delta`` of the multipliers moves it along the mirror
    map by ``shift``, which never cancels, however small the scale. Entries below 1e-14 of the
    largest are known to be that small, no more.
    """

    def __init__(self, rows, rhs, x0, depth):
        self.rows, self.rhs, self.gamma = rows, rhs, 1 - 2 / depth
        self.columns = np.arange(len(x0))
        self.norm = np.linalg.norm(rhs)
        self.n_steps = 0
        # A scale at which all entries matter, just below that of the solutions.
        log_beta = depth * np.log(x0)
        self.s = log_beta.max() - np.log(self.norm / np.sqrt(len(x0)))
        self.log_z = log_beta - self.s

    def find_interior(self):
        """Reach the path, and leave out the entries that vanish on all of ``S``.

        Their multipliers are infinite: Newton's method creeps towards zero there, for ever. The
        others have a positive solution, so their multipliers are finite.
        """
        start = self.log_z
        with suppress(_StuckError):
            self.correct(1e-13, max_steps=60)
        suspects = self.log_z - start < np.log(1e-5)
        while suspects.any():
            largest = linprog(-1.0 * suspects, A_eq=self.rows, b_eq=self.rhs, method="highs")
            if largest.status != 0:
                break
            if -largest.fun < 1e-7 * np.abs(largest.x).max():
                self.restrict(~suspects)
                break
            possible = largest.x >= 1e-7 * largest.x.max()
            if not (suspects & possible).any():
                break
            suspects &= ~possible
        self.correct(1e-4)

    def restrict(self, columns):
        """Keep only some entries of ``z``, if they can solve ``V z = d`` by themselves."""
        rows, rhs = _orthonormal(self.rows[:, columns], self.rhs)
        if np.linalg.norm(self.rows[:, columns] @ (rows.T @ rhs) - self.rhs) > 1e-13 * self.norm:
            return
        self.rows, self.rhs, self.norm = rows, rhs, np.linalg.norm(rhs)
        self.columns, self.log_z = np.flatnonzero(columns), self.log_z[columns]

    def solve(self, g):
        """Solve ``V diag(z^{1+gamma}) V^T delta = g``; modes below rounding are damped."""
        H = (self.rows * np.exp((1 + self.gamma) * self.log_z)) @ self.rows.T
        scale = 1 / np.sqrt(np.maximum(np.diag(H), np.finfo(float).tiny))
        H = scale[:, None] * H * scale
        for damping in (4 * EPS, 1e-14, 1e-12, 1e-9):
            try:
                factor = cho_factor(H + damping * np.eye(len(H)), check_finite=False)
            except LinAlgError:
                continue
            return scale * cho_solve(factor, scale * g, check_finite=False)
        raise _StuckError

    def tangent(self):
        """Motion ``V^T w`` of the multipliers with ``s``: ``V (z + z^{1+gamma} V^T w) = 0``.

        That is a weighted least squares problem. Where entries of ``z`` differ by many orders of
        magnitude its normal equations lose the small ones; QR with pivoting, rows sorted by weight,
        keeps them.
        """
        if not np.isfinite(self.log_z).all():
            raise _StuckError
        # Multipliers of order z^{-gamma} must leave digits to those of order 1.
        floor = -600.0 if self.gamma == 0 else max(-600.0, -16 / self.gamma)
        log_z = np.maximum(self.log_z - self.log_z.max(), floor)
        if log_z.min() > np.log(1e-10):
            return -self.solve(self.rhs) @ self.rows
        order = np.argsort(-log_z)
        weights = np.exp((1 + self.gamma) / 2 * log_z[order])
        target = np.exp((1 - self.gamma) / 2 * log_z[order])
        projected, R, pivots = qr_multiply(
            weights[:, None] * self.rows.T[order], target, pivoting=True
        )
        w = np.empty(len(R))
        w[pivots] = -solve_triangular(R, projected)
        return np.exp(-self.gamma * self.log_z.max()) * (w @ self.rows)

    def misfit(self, log_z):
        return self.rhs - self.rows @ np.exp(log_z)

    def correct(self, tol, max_steps=200):
        """Newton's method at fixed ``s``, until the relative misfit is at most ``tol``."""
        g = self.misfit(self.log_z)
        for _ in range(max_steps):
            floor = 2 * EPS * np.linalg.norm(np.exp(self.log_z))
            if np.linalg.norm(g) <= max(tol * self.norm, floor):
                return
            delta = -self.solve(g)
            direction = delta @ self.rows
            # The fastest growing entry grows at most twentyfold.
            fastest = -(np.exp(self.gamma * self.log_z) * direction).min()
            t = min(1.0, self._arc(3.0) / max(fastest, np.finfo(float).tiny))
            for _ in range(40):
                trial = shift(self.log_z, t * direction, self.gamma)
                g_trial = self.misfit(trial)
                # Fewer misfit, or still descending: the dual objective is convex along delta.
                if np.linalg.norm(g_trial) < (1 - 1e-4 * t) * np.linalg.norm(g):
                    break
                if g_trial @ delta <= 0 and np.linalg.norm(g) > 1e-6 * self.norm:
                    break
                t /= 2
            else:
                return
            self.log_z, g = trial, g_trial
            self.n_steps += 1
        raise _StuckError

    def _arc(self, ds):
        """Length along a ray of multipliers that moves ``log z`` by ``ds``."""
        return ds if self.gamma == 0 else -np.expm1(-self.gamma * ds) / self.gamma

    def move_to(self, s):
        """Follow the path to ``s``, in steps whose prediction misses by at most 30 %."""
        while self.s != s:
            tangent, ds = self.tangent(), s - self.s
            if ds > 0 and self.settled(-1 - np.exp(self.gamma * self.log_z) * tangent):
                break
            while True:
                predicted = shift(self.log_z, self._arc(ds) * tangent, self.gamma) - ds
                miss = np.linalg.norm(self.misfit(predicted))
                if miss < 0.3 * self.norm or abs(ds) < 1e-6:
                    break
                ds /= 2
            if self.n_steps > MAX_NEWTON_STEPS:
                raise _StuckError
            self.s = s if ds == s - self.s else self.s + ds
            self.log_z = predicted
            self.correct(1e-4)
        self.correct(1e-14)

    def project(self):
        """Move to the nearest solution in relative entropy, if rounding left a misfit.

        Newton's method resolves entries down to about 1e-10 of the largest; a misfit in modes that
        only smaller ones carry is theirs. Newton's method of depth 2 resolves them all.
        """
        if 1e-13 < np.linalg.norm(self.misfit(self.log_z)) / self.norm < 1e-8:
            gamma, self.gamma = self.gamma, 0.0
            self.correct(1e-14)
            self.gamma = gamma

    def settled(self, slope):
        """Tell whether ``z`` has become the minimizer of the (weighted) l1 norm, to rounding.

        ``-slope``, the rate at which ``log z`` falls, is then the slack of a dual certificate: zero
        on the support, and positive off it, where ``z`` is too small already to matter. And no
        other point has that support, its columns being independent: near ties are not settled.
        """
        support = self.log_z - self.log_z.max() > np.log(1e-14)
        if (np.abs(slope[support]) > 1e-6).any() or (slope[~support] > -1e-3).any():
            return False
        columns = self.rows[:, support]
        if columns.shape[1] > columns.shape[0]:
            return False
        return np.linalg.svd(columns, compute_uv=False)[-1] > 1e-6


def stalls(flow, problem, x0):
    """Tell whether the radius of a weight-normalized flow tends to zero from ``x0``, (n_weights,).

    The flow is followed in the clock of its mirror coordinates, in which the radius vanishes at a
    finite time or never, until the loss is below that of zero weights.
    """
    x0 = check_start(flow, problem, x0)
    if x0.ndim != 1:
        raise ValueError("stalls decides for one start: call it once per row of x0")
    if not (isinstance(flow, WeightNormFlow) and problem.b.any()):
        return False  # the plain flow never does; for b = 0 a vanishing radius is convergence
    A, b, L = problem.network_matrix, problem.b, flow.depth
    R0, log_anchor, norm_b = x0 @ x0, np.log(x0), np.linalg.norm(problem.b)

    def misfit(_, m):
        log_x, *_ = flow.from_lift(shift(log_anchor, m @ A, L - 2), R0)
        return A @ np.exp(L * log_x) - b

    def squared_radius(m):
        log_w = shift(log_anchor, m @ A, L - 2)
        return R0 + flow.ratio * (logsumexp(2 * log_w) - np.log(R0))

    unit = 1 / (np.abs(A).max() * x0.max() ** (L - 2))
    solver = Radau(misfit, 0.0, np.zeros(len(b)), 1e6 * unit / norm_b, rtol=1e-8, atol=1e-8 * unit)
    while np.linalg.norm(misfit(0, solver.y)) >= norm_b and solver.status == "running":
        solver.step()
        path = solver.dense_output()
        # From a tiny start the path is straight and one step may cross the dip of the radius, which
        # is a convex function on a straight path.
        bounds = (solver.t_old, solver.t)
        dip = minimize_scalar(lambda t, path=path: squared_radius(path(t)), bounds=bounds)
        if min(dip.fun, squared_radius(solver.y)) <= 0:
            return True
    return False


@dataclass(frozen=True, eq=False)
class MinL1:
    """A point of smallest l1 norm with its dual certificate.

    Attributes
    ----------
    problem : Problem
    z : numpy.ndarray, shape (n_features,)
        A minimizer of ``|z|_1`` subject to ``A z = b`` (and ``z >= 0`` unless signed).
    dual : numpy.ndarray, shape (n_measurements,)
        Multipliers ``y`` scaled so that ``A^T y <= 1`` (``|A^T y| <= 1`` if signed): whatever
        ``z`` is, ``b @ y <= |z|_1`` for each admissible one.
    """

    problem: Problem
    z: np.ndarray
    dual: np.ndarray

    def __post_init__(self):
        """Copy and freeze the arrays."""
        object.__setattr__(self, "z", readonly(self.z))
        object.__setattr__(self, "dual", readonly(self.dual))

    @property
    def norm(self):
        """``|z|_1``, the theory's Q."""
        return np.abs(self.z).sum()

    @property
    def gap(self):
        """Duality gap ``|z|_1 - b @ dual`` relative to the norm: certifies the norm."""
        return (self.norm - self.problem.b @ self.dual) / (self.norm or 1.0)

    @property
    def residual(self):
        """Relative residual ``|A z - b| / |b|``."""
        return self.problem.residual(self.z)


def min_l1(problem):
    """Solve ``min |z|_1`` subject to ``A z = b`` (``z >= 0`` unless signed) by HiGHS.

    Returns
    -------
    MinL1

    Raises
    ------
    ValueError
        If no admissible ``z`` solves ``A z = b``.
    """
    A, b = check_problem(problem).network_matrix, problem.b
    # The tolerances of HiGHS are absolute: measured in these units, A and b are of order one.
    unit_A, unit_b = (np.exp2(np.rint(np.log2(np.abs(y).max() or 1.0))) for y in (A, b))
    cost = np.ones(problem.n_weights)
    solution = linprog(cost, A_eq=A / unit_A, b_eq=b / unit_b, method="highs")
    if solution.status == 2:
        misfit = nnls(A / unit_A, b / unit_b)[1] / np.linalg.norm(b / unit_b)
        kind = "" if problem.signed else " with z >= 0"
        remedy = "" if problem.signed else ", or pass signed=True to admit any sign"
        raise ValueError(
            f"A z = b{kind} is not feasible: the nearest A z misses b by {misfit:.1e} of its norm. "
            f"Check A and b{remedy}"
        )
    if solution.status != 0:
        raise RuntimeError(f"the linear program failed: {solution.message}")
    z, dual = solution.x * (unit_b / unit_A), solution.eqlin.marginals / unit_A
    return MinL1(problem, problem.readout(z), dual / max(1.0, (A.T @ dual).max()))
