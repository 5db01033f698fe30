r"""The path ``z(s)`` of the limits of the plain flow from ``x0^L e^{-s}``, by Newton's method.

The limit from ``beta = x0^L`` is the point of ``S = {z >= 0 : A z = b}`` where ``psi(z) -
psi(beta)`` lies in the row space of ``A`` (``psi``: the mirror map). Newton's method finds it, on
the ``rank(A)`` multipliers, along the path of limits from ``beta e^{-s}``. The path begins at a
scale where ``z`` is easy; its tangent predicts the next point. Newton's matrix,
``A diag(z^{2-2/L}) A^T``, is the kernel of the flow itself.

Only the set ``S`` matters, so ``A`` is replaced by an orthonormal basis ``V`` of its row space.
"""

from contextlib import suppress

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, qr_multiply, solve_triangular
from scipy.optimize import linprog

from wnlib.flows import shift

EPS = np.finfo(float).eps
TINY = np.finfo(float).tiny
MAX_PATH_STEPS = 5000  # per start, and as many Newton steps; typical are 10 to 200


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
    if misfit > 5e-13:  # half of what a limit may have as its residual
        raise ValueError(
            f"A z = b is not feasible: b is {misfit:.1e} of its norm away from the range of A, "
            f"which has rank {len(rows)}. Remove dependent rows, or replace b by its projection"
        )
    return rows, rhs


def _orthonormal(A, b):
    U, sigma, Vt = np.linalg.svd(A, full_matrices=False)
    rank = np.sum(sigma > sigma[0] * max(A.shape) * EPS)
    return Vt[:rank], U[:, :rank].T @ b / sigma[:rank]


class StuckError(Exception):
    """Newton's method made no progress."""


class PlainLimits:
    """The path ``z(s)``, and a point on it.

    The state is ``log z`` alone. A change ``delta`` of the multipliers moves it along the mirror
    map by ``shift``, which never cancels, however small the scale. Entries below 1e-14 of the
    largest are known to be that small, no more.
    """

    def __init__(self, rows, rhs, x0, depth):
        self.rows, self.rhs, self.gamma = rows, rhs, 1 - 2 / depth
        self.columns = np.arange(len(x0))
        self.norm = np.linalg.norm(rhs)
        self.n_steps = self.n_moves = 0
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
        with suppress(StuckError):
            self.correct(1e-13, max_steps=60)
        fallen = self.log_z - start < np.log(1e-5)
        small = self.log_z - self.log_z.max() < np.log(1e-8)  # may have had no way to fall
        if (vanishing := self._vanishing(fallen | small)).any():
            self.restrict(~vanishing)
        self.correct(1e-4)

    def _vanishing(self, suspects):
        """Return which entries vanish on all of ``S``: all that linear programs cannot lift."""
        suspects = suspects.copy()
        while suspects.any():
            largest = linprog(-1.0 * suspects, A_eq=self.rows, b_eq=self.rhs, method="highs")
            if largest.status != 0:
                return np.zeros_like(suspects)
            if -largest.fun < 1e-7 * np.abs(largest.x).max():
                return suspects
            possible = largest.x >= 1e-7 * largest.x.max()
            if not (suspects & possible).any():
                return np.zeros_like(suspects)
            suspects &= ~possible
        return suspects

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
        scale = 1 / np.sqrt(np.maximum(np.diag(H), TINY))
        H = scale[:, None] * H * scale
        for damping in (4 * EPS, 1e-14, 1e-12, 1e-9):
            try:
                factor = cho_factor(H + damping * np.eye(len(H)), check_finite=False)
            except LinAlgError:
                continue
            return scale * cho_solve(factor, scale * g, check_finite=False)
        raise StuckError

    def tangent(self):
        """Motion ``V^T w`` of the multipliers with ``s``: ``V (z + z^{1+gamma} V^T w) = 0``.

        That is a weighted least squares problem. Where entries of ``z`` differ by many orders of
        magnitude its normal equations lose the small ones; QR with pivoting, rows sorted by weight,
        keeps them.
        """
        if not np.isfinite(self.log_z).all():
            raise StuckError
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
        """Return ``d - V z``."""
        return self.rhs - self.rows @ np.exp(log_z)

    def size(self):
        """``|z|``: a misfit of ``EPS |z|`` is rounding."""
        return np.linalg.norm(np.exp(self.log_z))

    def correct(self, tol, max_steps=200):
        """Newton's method at fixed ``s``, until the relative misfit is at most ``tol``.

        Or until no step reduces it, near rounding.
        """
        g = self.misfit(self.log_z)
        for _ in range(max_steps):
            if np.linalg.norm(g) <= max(tol * self.norm, 2 * EPS * self.size()):
                return
            trial = self._newton_step(g)
            if trial is None:
                return
            self.log_z, g = trial, self.misfit(trial)
            self.n_steps += 1
        raise StuckError

    def _newton_step(self, g):
        """Return the next ``log z``, or None if no step along Newton's direction is good."""
        delta = -self.solve(g)
        direction, misfit = delta @ self.rows, np.linalg.norm(g)
        # The fastest growing entry grows at most twentyfold.
        fastest = -(np.exp(self.gamma * self.log_z) * direction).min()
        t = min(1.0, self._arc(3.0) / max(fastest, TINY))
        far = misfit > 1e-6 * max(self.norm, self.size())
        for _ in range(40):
            trial = shift(self.log_z, t * direction, self.gamma)
            g_trial = self.misfit(trial)
            # Fewer misfit, or still descending: the dual objective is convex along delta.
            fewer = np.linalg.norm(g_trial) < (1 - 1e-4 * t) * misfit
            if fewer or (far and g_trial @ delta <= 0):
                return trial
            t /= 2
        return None

    def _arc(self, ds):
        """Length along a ray of multipliers that moves ``log z`` by ``ds``."""
        return ds if self.gamma == 0 else -np.expm1(-self.gamma * ds) / self.gamma

    def move_to(self, s):
        """Follow the path to ``s``, in steps whose prediction misses by at most 30 %."""
        while self.s != s:
            tangent, ds = self.tangent(), s - self.s
            if ds > 0 and self.settled(-1 - np.exp(self.gamma * self.log_z) * tangent):
                break
            self.n_moves += 1
            if max(self.n_steps, self.n_moves) > MAX_PATH_STEPS:
                raise StuckError
            ds, self.log_z = self._predict(tangent, ds)
            self.s = s if ds == s - self.s else self.s + ds
            self.correct(1e-4)
        self.correct(1e-14)

    def _predict(self, tangent, ds):
        """Return how far the tangent is good, and where it leads."""
        allowed = 0.3 * self.norm + 64 * EPS * self.size()
        while True:
            predicted = shift(self.log_z, self._arc(ds) * tangent, self.gamma) - ds
            if np.linalg.norm(self.misfit(predicted)) < allowed or abs(ds) < 1e-6:
                return ds, predicted
            ds /= 2

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
