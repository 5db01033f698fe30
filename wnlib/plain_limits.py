r"""The path ``z(s)`` of the limits of the plain flow from ``x0^L e^{-s}``, by Newton's method.

The limit from ``beta`` is the point of ``S = {z >= 0 : A z = b}`` where ``psi(z) - psi(beta)`` lies
in the row space of ``A``. In the coordinate ``y = (z^{-gamma} - 1) / gamma``, ``gamma = 1 - 2/L``
(``-log z`` for depth 2), both conditions are linear, but for ``z = z(y)`` entrywise:

    A z = b,        y - c(s)  in the range of A^T,        c(s) = y of x0^L e^{-s}.

**Basis form.** With columns ``B`` that span the range of ``A``, and the others ``A_N = A_B W``,

    z_B + W z_N = A_B^{-1} b,        y_N = W^T y_B + (c_N - W^T c_B),

so ``z_B`` are coordinates for everything, and the *reduced costs* ``c_N - W^T c_B`` are all that is
left of the start. If ``B`` holds the columns of greatest weight ``D = -dz/dy = z^{1+gamma}``, nothing
cancels: not where entries lie hundreds of orders of magnitude apart, nor where ``rho`` is
``e^{1000}`` and columns tie. Newton's matrix, scaled, is then ``1 + G G^T`` with small entries
``G = D_B^{-1/2} W D_N^{1/2}``. All that is kept of ``z`` is ``log z``, and rows are compared with their
own terms only, so nothing leaves the range of floats. What rounding cannot tell from zero, in
``W``, the right hand side and the reduced costs, is zero.
"""

from contextlib import suppress

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, qr, solve_triangular
from scipy.optimize import linprog
from scipy.special import logsumexp

EPS = np.finfo(float).eps
MAX_STEPS = 3000  # Newton steps per start; typical are 10 to 100
CROWDED = 4.0  # two columns change places from such an entry of G: det(A_B)^2 grows 16-fold


class StuckError(Exception):
    """Newton's method made no progress; the message says where."""


def box_cox(v, gamma):
    """Return ``(e^{gamma v} - 1) / gamma``, and its limit ``v`` for ``gamma = 0``."""
    return v if gamma == 0 else np.expm1(gamma * v) / gamma


def row_space(problem):
    """Return ``A`` and ``b`` in units of order one, the rank of ``A``, and these units.

    Returns
    -------
    A : numpy.ndarray, shape (n_measurements, n_weights)
    b : numpy.ndarray, shape (n_measurements,)
    rank : int
    row_scale : numpy.ndarray, shape (n_measurements,)
        What the rows of the problem are multiplied by: a power of two each.
    log_size : float
        Logarithm of the power of two by which ``b``, and so ``z``, is divided besides.

    Raises
    ------
    ValueError
        If ``b`` is not in the range of ``A``.
    """
    A, b = problem.network_matrix, problem.b
    sizes = np.abs(A).max(axis=1)
    row_scale = np.exp2(-np.rint(np.log2(np.where(sizes > 0, sizes, 1.0))))
    A, b = A * row_scale[:, None], b * row_scale
    size = np.rint(np.log2(np.abs(b).max()))
    b = b / np.exp2(size)
    Q, R, _ = qr(A, mode="economic", pivoting=True)
    diagonal = np.abs(np.diag(R))
    rank = int(np.sum(diagonal > diagonal[0] * max(A.shape) * EPS))
    misfit = np.linalg.norm(b - Q[:, :rank] @ (Q[:, :rank].T @ b)) / np.linalg.norm(b)
    if misfit > 5e-13:  # half of what a limit may have as its residual
        raise ValueError(
            f"A z = b is not feasible: b is {misfit:.1e} of its norm away from the range of A, "
            f"which has rank {rank}. Remove dependent rows, or replace b by its projection"
        )
    return A, b, rank, row_scale, size * np.log(2)


class Basis:
    """Columns ``B`` of ``A``, and the others in terms of them: ``A_N = A_B W``, ``b = A_B rhs``."""

    def __init__(self, A, b, inside):
        self.inside = np.asarray(inside)
        self.outside = np.setdiff1d(np.arange(A.shape[1]), self.inside)
        Q, R = qr(A[:, self.inside], mode="economic")
        if not np.abs(np.diag(R)).min() > 0:
            raise StuckError("a basis of columns is singular")
        self.inverse = solve_triangular(R, Q.T)
        targets = np.column_stack([A[:, self.outside], b])
        W = solve_triangular(R, Q.T @ targets)
        # one refinement, and what is left is the rounding of a solution known to be that of W
        W += self.inverse @ (targets - A[:, self.inside] @ W)
        spread = np.abs(self.inverse) @ np.abs(A[:, self.inside])
        error = 2 * EPS * (spread @ np.abs(W) + np.abs(self.inverse) @ np.abs(targets))
        W[np.abs(W) <= error] = 0.0
        self.W, self.rhs = W[:, :-1], W[:, -1]
        self.error = error[:, :-1]
        self.log_rhs, self.sign_rhs = np.log(np.abs(self.rhs)), np.sign(self.rhs)
        self.ones = self.reduced(np.ones(A.shape[1]), 4 * EPS)

    def reduced(self, c, noise):
        """Return ``c_N - W^T c_B``, or 0 where that is rounding; ``c`` has relative ``noise``."""
        inside, outside = c[self.inside], c[self.outside]
        value = outside - inside @ self.W
        rounding = noise * (np.abs(outside) + np.abs(inside) @ np.abs(self.W))
        rounding += np.abs(inside) @ self.error
        return np.where(np.abs(value) <= rounding, 0.0, value)

    def exchange(self, log_weight):
        """Return columns of a basis, by weight, in which no weighted entry of ``W`` is crowded."""
        inside, outside, W = self.inside.copy(), self.outside.copy(), self.W.copy()
        half = log_weight / 2
        for _ in range(50 * len(inside) + 100 if W.size else 0):
            G = np.abs(W) * np.exp(np.clip(half[outside] - half[inside][:, None], -300, 300))
            i, j = np.unravel_index(np.argmax(G), G.shape)
            if G[i, j] <= CROWDED:
                break
            row, column = W[i] / W[i, j], W[:, j].copy()
            product = np.outer(column, row)
            pivoted = W - product
            pivoted[np.abs(pivoted) <= 32 * EPS * (np.abs(W) + np.abs(product))] = 0.0
            pivoted[:, j] = -column / column[i]
            pivoted[i] = row
            pivoted[i, j] = 1 / column[i]
            W, inside[i], outside[j] = pivoted, outside[j], inside[i]
        # graded from large to small, Cholesky's factors keep the small to relative accuracy
        return inside[np.argsort(-half[inside], kind="stable")]


class PlainLimits:
    """The path ``z(s)``, and a point on it.

    The state is ``q = log z_B``, and the start ``e^{-(s + w)}``.
    """

    def __init__(self, A, b, rank, row_scale, log_size, log_beta, depth):
        self.A, self.b, self.rank, self.row_scale = A, b, rank, row_scale
        self.gamma = 1 - 2 / depth
        self.log_size = log_size
        self.columns, self.log_beta = np.arange(A.shape[1]), log_beta - log_size
        self.n_steps = 0
        self.reset()

    def reset(self):
        """Start at the limit from a constant start of the size of the solutions, or near it."""
        inside = qr(self.A, mode="r", pivoting=True)[1][: self.rank]
        self.basis = Basis(self.A, self.b, inside)
        self.w = np.zeros(len(self.log_beta))
        log_size = np.log(np.linalg.norm(self.basis.rhs) / np.sqrt(len(self.w)))
        self.s = -log_size
        self.anchor(np.full(len(self.w), log_size))

    def find_interior(self):
        """Reach the path, and leave out the entries that vanish on all of ``S``.

        Their multipliers are infinite: Newton's method creeps towards zero there, for ever. The
        others have a positive solution, so their multipliers are finite.
        """
        if not self.approach(5):
            vanishing = self.vanishing()
            if vanishing.any():
                self.restrict(~vanishing)
            if not self.approach(30):
                raise StuckError("no first point of the path was found")
        w = self.log_beta.max() - self.log_beta
        self.move_to(self.s, w)
        self.s, self.w = self.s + self.log_beta.max(), -self.log_beta

    def approach(self, rounds):
        """Newton's method at fixed ``s``, in coordinates that follow it; tell whether it arrives."""
        for _ in range(rounds):
            with suppress(StuckError):
                self.correct(1e-4, max_steps=20)
            self.anchor(self.scaled())
            g, terms = self.misfit(self.q, self.outside(self.q, self.s, self.w)[0])
            if (np.abs(g) <= 1e-3 * terms).all():
                return True
        return False

    def vanishing(self):
        """Return which entries vanish on all of ``S``: those that no linear program can lift."""
        suspects = np.ones(len(self.columns), bool)
        size = max(np.abs(self.basis.rhs).max(), 1e-300)
        A, b = np.hstack([self.A, self.A]), self.b / size
        while suspects.any():  # z = z' + z'', and z' <= 1: what may be unbounded is z''
            cost = np.concatenate([-1.0 * suspects, np.zeros(len(suspects))])
            bounds = [(0, 1)] * len(suspects) + [(0, None)] * len(suspects)
            lifted = linprog(cost, A_eq=A, b_eq=b, bounds=bounds, method="highs")
            if lifted.status != 0:
                raise StuckError("no linear program says which entries vanish on all solutions")
            possible = suspects & (lifted.x[: len(suspects)] > 1e-7)
            if not possible.any():
                return suspects
            suspects &= ~possible
        return suspects

    def restrict(self, keep):
        """Keep only some columns, if they can solve ``A z = b`` by themselves."""
        A = self.A[:, keep]
        Q, R, _ = qr(A, mode="economic", pivoting=True)
        diagonal = np.abs(np.diag(R))
        rank = int(np.sum(diagonal > diagonal[0] * max(A.shape) * EPS))
        outside = self.b - Q[:, :rank] @ (Q[:, :rank].T @ self.b)
        if np.linalg.norm(outside) > 1e-13 * np.linalg.norm(self.b):
            raise StuckError("some entries are nearly zero on all solutions")
        self.A, self.rank = A, rank
        self.columns, self.log_beta = self.columns[keep], self.log_beta[keep]
        self.reset()

    def anchor(self, log_z):
        """Take the columns of greatest weight at a point of the path as coordinates."""
        inside = self.basis.exchange((1 + self.gamma) * np.maximum(log_z, log_z.max() - 1e15))
        if set(inside) != set(self.basis.inside):
            self.basis = Basis(self.A, self.b, inside)
        self.q = log_z[self.basis.inside]

    def costs(self, s, w):
        """Return the reduced costs of ``e^{gamma (s + w)}`` and the log of their unit.

        For depth 2 those of ``s + w``.
        """
        noise = 4 * EPS * (1 + np.abs(self.log_beta).max())
        if self.gamma == 0:
            return self.basis.reduced(w, noise) + s * self.basis.ones, 0.0
        power = np.exp(self.gamma * (w - w.max()))
        return self.basis.reduced(power, noise), self.gamma * (s + w.max())

    def outside(self, q, s, w):
        """Return ``log z_N`` and ``H = W P_B / P_N``, ``P = z^{-gamma}``; NaN where ``P <= 0``.

        ``P_N = W^T P_B + costs`` is summed column by column, in units ``e^h`` of its largest term.
        """
        W, gamma, (c, unit) = self.basis.W, self.gamma, self.costs(s, w)
        if gamma == 0:
            return q @ W - c, W
        log_P = -gamma * q[:, None]
        largest = np.where(W != 0, log_P, -np.inf).max(axis=0, initial=-np.inf)
        h = np.maximum(largest, np.where(c != 0, unit, -np.inf))
        terms = (W * np.exp(log_P - h)).sum(axis=0) + np.where(c != 0, c * np.exp(unit - h), 0.0)
        log_P_outside = h + np.log(terms)
        return -log_P_outside / gamma, W * np.exp(log_P - log_P_outside)

    def misfit(self, q, p):
        """Return ``(rhs - z_B - W z_N) / z_B``, and the same with the sizes of the terms."""
        shares = self.basis.W * np.exp(p - q[:, None])
        wanted = np.exp(self.basis.log_rhs - q)
        misfit = self.basis.sign_rhs * wanted - 1 - shares.sum(axis=1)
        return misfit, wanted + 1 + np.abs(shares).sum(axis=1)

    def kernel(self, q, p):
        """Return ``G``, and a solver with ``1 + G G^T``."""
        G = self.basis.W * np.exp((1 + self.gamma) / 2 * (p - q[:, None]))
        try:
            factor = cho_factor(np.eye(len(q)) + G @ G.T, check_finite=False)
        except (LinAlgError, ValueError) as error:
            raise StuckError("Newton's matrix is singular") from error
        return G, lambda g: cho_solve(factor, g, check_finite=False)

    def correct(self, tol, max_steps=100):
        """Newton's method at fixed ``s``, until no row misfits by ``tol`` of its terms.

        Or until no step reduces the misfit, near rounding. Returns ``log z_N`` and ``H``.
        """
        p, H = self.outside(self.q, self.s, self.w)
        g, terms = self.misfit(self.q, p)
        for _ in range(max_steps):
            worst = np.abs(g / terms).max()
            if not np.isfinite(worst):
                raise StuckError("the path left its domain")
            if worst <= tol:
                return p, H
            x = np.exp((1 - self.gamma) / 2 * (self.q - self.q.max()))
            dq = self.kernel(self.q, p)[1](g * x) / x
            found = self.search(dq, g, x, worst, H)
            if found is None:
                if worst > 1e-11:
                    raise StuckError(f"no Newton step reduces the misfit {worst:.0e}")
                return p, H
            self.q, p, H, g, terms = found
            self.n_steps += 1
        raise StuckError(f"{max_steps} Newton steps left a misfit of {worst:.0e}")

    def search(self, dq, g, x, worst, H):
        """Return a point along Newton's direction, straight in ``y``, where enough is gained."""
        # The fastest growing entry grows at most twentyfold.
        fastest = max(dq.max(), (dq @ H).max(initial=0.0))
        t = min(1.0, -box_cox(-3.0, self.gamma) / max(fastest, 1e-300))
        descent = -(g * x * x) @ dq
        for _ in range(30):
            q = self.q + box_cox_log(t * dq, self.gamma)
            p, H_trial = self.outside(q, self.s, self.w)
            g_trial, terms = self.misfit(q, p)
            # the slope of the dual objective, which is convex: negative until its minimum
            left = -(g_trial * np.exp(q - self.q) * x * x) @ dq
            fewer = np.abs(g_trial / terms).max() < (1 - 0.3 * t) * worst
            if fewer or (worst > 1e-6 and descent * (1 + 1e-9) <= left <= -0.5 * descent):
                return q, p, H_trial, g_trial, terms
            t /= 2
        return None

    def move_to(self, s, w=None):
        """Follow the path to another start, in steps whose prediction misses by at most 30 %."""
        w = self.w if w is None else w
        p, reach = self.correct(1e-4)[0], np.inf
        while self.s != s or self.w is not w:
            if self.n_steps > MAX_STEPS:
                raise StuckError("the path is too long")
            self.anchor(self.scaled(p))
            ds, dw = s - self.s, w - self.w
            rate = self.tangent(*self.outside(self.q, self.s, self.w), ds, dw)[0]
            share = min(1.0, 4 * reach / (abs(ds) + np.abs(dw).max()))
            while True:
                there = (s, w) if share == 1 else (self.s + share * ds, self.w + share * dw)
                q = self.q + share * rate
                g, terms = self.misfit(q, self.outside(q, *there)[0])
                if (np.abs(g) <= 0.3 * terms).all():
                    break
                share /= 2
                if share < 1e-12:
                    raise StuckError("the path turns too fast")
            reach = share * (abs(ds) + np.abs(dw).max())
            self.q, (self.s, self.w) = q, there
            self.n_steps += 1
            p = self.correct(1e-4)[0]
        self.anchor(self.scaled(p))
        self.correct(1e-14)

    def tangent(self, p, H, ds, dw):
        """Return the change of ``log z`` on the path, of ``B`` and ``N``, per change of the start."""
        G, solve = self.kernel(self.q, p)
        gamma, top = self.gamma, self.w.max()
        change = self.basis.reduced((ds + dw) * np.exp(gamma * (self.w - top)), 4 * EPS)
        # dc over P, where not even their ratio need be a float
        pull = np.where(change != 0, change * np.exp(gamma * (self.s + top + p)), 0.0)
        x, x_outside = (np.exp((1 - gamma) / 2 * (logs - self.q.max())) for logs in (self.q, p))
        rate = solve(G @ (pull * x_outside)) / x
        return rate, rate @ H - pull

    def multipliers(self, unit):
        """Return ``nu`` with ``A^T nu = y of the start - y of z``, in units of ``e^unit``."""
        inside, gamma = self.basis.inside, self.gamma
        log_z, log_start = self.whole()[inside], -(self.s + self.w)[inside] + self.log_size
        if gamma == 0:
            difference = log_z - log_start
        else:
            difference = np.exp(-gamma * log_start - unit) - np.exp(-gamma * log_z - unit)
        return (difference @ self.basis.inverse) * self.row_scale

    def log_radius(self, depth):
        """Return ``log |x|`` at the point."""
        return logsumexp(2 / depth * self.whole()) / 2

    def speed(self, depth):
        """Return ``|dz/ds| / |z|`` and ``d log |x| / ds`` at the point."""
        p, H = self.outside(self.q, self.s, self.w)
        logs, rates = (
            np.concatenate([self.q, p]),
            np.concatenate(self.tangent(p, H, 1.0, np.zeros(len(self.w)))),
        )
        z, share = np.exp(logs), np.exp(2 / depth * logs)
        return np.linalg.norm(z * rates) / np.linalg.norm(z), (share @ rates) / depth / share.sum()

    def whole(self):
        """Return ``log z`` in the order of the columns, in the units of the problem."""
        return self.scaled() + self.log_size

    def scaled(self, p=None):
        """Return ``log z`` in the order of the columns, in units of the path."""
        log_z = np.empty(len(self.log_beta))
        log_z[self.basis.inside] = self.q
        log_z[self.basis.outside] = self.outside(self.q, self.s, self.w)[0] if p is None else p
        return log_z


def box_cox_log(v, gamma):
    """Return ``-log(1 - gamma v) / gamma``, and its limit ``v`` for ``gamma = 0``."""
    return v if gamma == 0 else -np.log1p(-gamma * v) / gamma
