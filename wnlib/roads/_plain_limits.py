r"""The path ``z(s)`` of the limits of the plain flow from ``x0^L e^{-s}``, by Newton's method.

The limit from ``beta`` is the point of ``S = {z >= 0 : A z = b}`` where ``psi(z) - psi(beta)`` lies
in the row space of ``A``. In the coordinate ``y = (z^{-gamma} - 1) / gamma``, ``gamma = 1 - 2/L``
(``-log z`` for depth 2), both conditions are linear, but for ``z = z(y)`` entrywise:

    A z = b,        y - c(s)  in the range of A^T,        c(s) = y of x0^L e^{-s}.

**Basis form.** With columns ``B`` that span the range of ``A``, and the others ``A_N = A_B W``,

    z_B + W z_N = A_B^{-1} b,        y_N = W^T y_B + (c_N - W^T c_B),

so ``z_B`` are coordinates for everything, and the *reduced costs* ``c_N - W^T c_B`` are all that
is left of the start. If ``B`` holds the columns of greatest weight ``-dz/dy = z^{1+gamma}``,
nothing cancels: not where entries lie hundreds of orders of magnitude apart, nor where ``rho`` is
``e^{1000}`` and columns tie. All that is kept of ``z`` is ``log z``, and rows are compared with
their own terms only, so nothing leaves the range of floats. Newton's matrix for ``log z_B`` is
``1 + T H^T`` with ``T = W z_N / z_B`` and ``H = W (z_N / z_B)^gamma``.
"""

from contextlib import suppress

import numpy as np
from numpy.linalg import LinAlgError
from scipy.linalg import qr
from scipy.optimize import linprog

from wnlib.flows import log_sum
from wnlib.l1.linear_program import power_of_two
from wnlib.roads._bases import EPS, RANGE, Basis, StuckError, pivots

ROUNDED = 1e-8  # a misfit that may be rounding: then z_B takes it
NEAR = 1e-4  # a misfit from which one Newton step or two reach rounding: enough on the way
EXACT = 1e-14  # a misfit of some roundings, at the point asked for
SLOPED = 1e-6  # a misfit above which the slope of the dual objective is more than rounding
PREDICTED = 0.3  # a misfit from which Newton's method converges at once
LIFTED = 1e-7  # the tolerance of HiGHS: below that an entry may be zero
FEASIBLE = 5e-13  # a distance from the range: half of what a limit may have as its residual
MAX_STEPS = 3000  # Newton steps per start; typical are 10 to 100


def in_units(problem):
    """Return ``A`` and ``b`` in units of order one, and these units.

    Returns
    -------
    A : numpy.ndarray, shape (n_measurements, n_weights)
    b : numpy.ndarray, shape (n_measurements,)
    row_scale : numpy.ndarray, shape (n_measurements,)
        What the rows of the problem are multiplied by: a power of two each.
    log_size : float
        Logarithm of the power of two by which ``b``, and so ``z``, is divided besides.
    """
    A, b = problem.network_matrix, problem.b
    sizes = np.abs(A).max(axis=1)
    row_scale = 1 / power_of_two(sizes)
    A, b = A * row_scale[:, None], b * row_scale
    size = power_of_two(np.abs(b).max())
    return A, b / size, row_scale, np.log2(size) * np.log(2)


def spanning(A, b):
    """Return a :class:`Basis` of the range of ``A``.

    Raises
    ------
    ValueError
        If ``b`` is not in the range of ``A``.
    """
    inside = pivots(A)
    misfit = outside_range(A[:, inside], b)
    if misfit > FEASIBLE:
        raise ValueError(
            f"A z = b is not feasible: b is {misfit:.1e} of its norm away from the range of A, "
            f"which has rank {len(inside)}. Remove dependent rows, or replace b by its projection"
        )
    return Basis(A, b, inside)


def outside_range(independent, b):
    """Return the distance of ``b`` from the range of independent columns, relative to ``b``."""
    Q = qr(independent, mode="economic")[0]
    return np.linalg.norm(b - Q @ (Q.T @ b)) / np.linalg.norm(b)


class PlainLimits:
    """The path ``z(s)``, and a point on it.

    The state is ``q = log z_B``, and the start ``e^{-(s + w)}``.
    """

    def __init__(self, A, b, row_scale, log_size, basis, log_beta, depth):
        self.A, self.b, self.row_scale = A, b, row_scale
        self.gamma = 1 - 2 / depth
        self.log_size = log_size
        self.columns, self.log_beta = np.arange(A.shape[1]), log_beta - log_size
        self.n_steps, self.max_steps = 0, MAX_STEPS
        self.reset(basis)

    def reset(self, basis):
        """Start at the limit from a constant start of the size of the solutions, or near it."""
        self.basis = basis
        self.w = np.zeros(len(self.log_beta))
        log_size = np.log(np.linalg.norm(self.basis.rhs) / np.sqrt(len(self.w)))
        self.s = -log_size
        self.anchor(np.full(len(self.w), log_size))

    def find_interior(self):
        """Reach the path, and leave out the entries that vanish on all of ``S``.

        Their multipliers are infinite: Newton's method creeps towards zero there, for ever. The
        others have a positive solution, so their multipliers are finite.
        """
        if not self.approach():
            for vanishing in (self.forced, self.vanishing):
                if (columns := vanishing()).any():
                    self.restrict(~columns)
                if self.approach():
                    break
            else:
                raise StuckError("no first point of the path was found")
        # The way to an uneven start leads through larger ones: among small ones, where columns
        # come to tie, the path turns at once.
        self.move_to(self.s + self.log_beta.min(), -self.log_beta)

    def begin_anew(self, log_beta):
        """Move to another start: its limit at the same ``s``."""
        self.n_steps, self.log_beta = 0, log_beta[self.columns] - self.log_size
        self.move_to(self.s, -self.log_beta)

    def approach(self):
        """Newton's method at a fixed start, then better coordinates; tell whether it arrives."""
        with suppress(LinAlgError):
            self.correct(NEAR)
        self.anchor(self.scaled())
        g, terms = self.misfit(self.q, self.outside(self.q, self.s, self.w))
        return (np.abs(g / terms) <= 10 * NEAR).all()

    def forced(self):
        """Return which entries a row of the basis forces to vanish: ``z_B + W z_N = 0``, W >= 0."""
        basis, columns = self.basis, np.zeros(len(self.columns), bool)
        rows = (basis.rhs == 0) & (basis.W >= 0).all(axis=1)
        columns[basis.inside[rows]] = True
        columns[basis.outside[basis.W[rows].any(axis=0)]] = True
        return columns

    def vanishing(self):
        """Return which entries vanish on all of ``S``: those that no linear program can lift."""
        suspects = np.ones(len(self.columns), bool)
        A = np.hstack([self.A, self.A])
        while suspects.any():  # z = z' + z'', and z' <= 1: what may be unbounded is z''
            cost = np.concatenate([-1.0 * suspects, np.zeros(len(suspects))])
            bounds = [(0, 1)] * len(suspects) + [(0, None)] * len(suspects)
            lifted = linprog(cost, A_eq=A, b_eq=self.b, bounds=bounds, method="highs")
            if lifted.status != 0:
                raise StuckError("no linear program says which entries vanish on all solutions")
            possible = suspects & (lifted.x[: len(suspects)] > LIFTED)
            if not possible.any():
                return suspects
            suspects &= ~possible
        return suspects

    def restrict(self, keep):
        """Keep only some columns."""
        self.A, self.columns, self.log_beta = (
            self.A[:, keep],
            self.columns[keep],
            self.log_beta[keep],
        )
        self.reset(Basis(self.A, self.b, pivots(self.A)))

    def anchor(self, log_z):
        """Take the columns of greatest weight at a point of the path as coordinates."""
        inside = self.basis.exchange((1 + self.gamma) * log_z)
        if set(inside) != set(self.basis.inside):
            self.basis = Basis(self.A, self.b, inside)
        self.q = log_z[self.basis.inside]

    def costs(self, s, w):
        """Return the reduced costs of ``e^{gamma (s + w)}`` and the log of their unit.

        For depth 2 those of ``s + w``.
        """
        noise = 4 * EPS * (1 + np.abs(self.log_beta).max())  # of logarithms, and their powers
        if self.gamma == 0:
            return self.basis.reduced(w, noise) + s * self.basis.ones, 0.0
        power = np.exp(self.gamma * (w - w.max()))
        return self.basis.reduced(power, noise), self.gamma * (s + w.max())

    def outside(self, q, s, w):
        """Return ``log z_N``, NaN where ``P <= 0``: ``P_N = W^T P_B + costs``, ``P = z^{-gamma}``.

        The sums are in units ``e^h`` of their largest terms.
        """
        basis, gamma, (c, unit) = self.basis, self.gamma, self.costs(s, w)
        if gamma == 0:
            return q @ basis.W - c
        low = -gamma * q.max()
        if gamma * (q.max() - q.min()) < RANGE:
            rows, h = np.exp(-gamma * q - low) @ basis.W, np.full(len(c), low)
        else:
            exponents = np.where(basis.W != 0, -gamma * q[:, None], low)
            h = exponents.max(axis=0, initial=low)
            rows = (basis.W * np.exp(exponents - h)).sum(axis=0)
        top = np.where(c != 0, np.maximum(h, unit), h)
        costs = np.where(c != 0, c * np.exp(unit - top), 0.0)
        return -(top + np.log(rows * np.exp(h - top) + costs)) / gamma

    def misfit(self, q, p):
        """Return ``(rhs - z_B - W z_N) / z_B``, and the sizes of its terms."""
        basis, top = self.basis, p.max(initial=-np.inf)
        wanted = np.exp(basis.log_rhs - q)
        if top - q.min() < RANGE:
            z, scale = np.exp(p - top), np.exp(top - q)
            shares, sizes = scale * (basis.W @ z), scale * (basis.sizes @ z)
        else:
            T = basis.spread(q, p)
            shares, sizes = T.sum(axis=1), np.abs(T).sum(axis=1)
        return basis.sign_rhs * wanted - 1 - shares, wanted + 1 + sizes

    def newton(self, p, of_misfit):
        """Solve ``(1 + T H^T) dq = g`` for the change of ``log z_B``; ``g`` is a function of ``T``.

        Returns that of ``log z_N`` at a fixed start, too: ``H^T dq``.
        """
        T, H = self.basis.spread(self.q, p), self.basis.spread(self.gamma * self.q, self.gamma * p)
        dq = np.linalg.solve(np.eye(len(T)) + T @ H.T, of_misfit(T))
        return dq, dq @ H

    def correct(self, tol, max_steps=100):
        """Newton's method at fixed ``s``, until no row misfits by ``tol`` of its terms.

        Or until no step reduces the misfit, near rounding. Returns ``log z_N``.
        """
        p = self.outside(self.q, self.s, self.w)
        g, terms = self.misfit(self.q, p)
        for _ in range(max_steps):
            worst = np.abs(g / terms).max()
            if worst <= tol:
                return p
            found = self.search(self.newton(p, lambda _, g=g: g)[0], worst)
            if found is None:
                break
            self.q, p, g, terms = found
            self.n_steps += 1
        # near depth 2 rounding is magnified by 1/gamma, and steps gain a little for ever
        if not worst <= ROUNDED:
            raise StuckError(f"Newton's method left a misfit of {worst:.0e}")
        return p

    def search(self, dq, worst):
        """Return a point along Newton's direction that is better, and None if there is none."""
        for share in 0.5 ** np.arange(30):  # 1e-9 of a step gains nothing
            q = self.q + share * dq
            p = self.outside(q, self.s, self.w)
            g, terms = self.misfit(q, p)
            # of the dual objective, which is convex in y: negative until its minimum
            slope = -(g * np.exp((1 - self.gamma) * q)) @ dq
            if np.abs(g / terms).max() < worst or (worst > SLOPED and slope <= 0):
                return q, p, g, terms
        return None

    def move_to(self, s, w=None):
        """Follow the path to another start, in steps whose prediction is good enough."""
        w = self.w if w is None else w
        p = None
        while self.s != s or self.w is not w:
            if self.n_steps > self.max_steps:
                raise StuckError("the path is too long")
            self.anchor(self.scaled(p))
            ds, dw = s - self.s, w - self.w
            rate = self.tangent(self.outside(self.q, self.s, self.w), ds, dw)[0]
            share = 1.0
            while True:
                there = (s, w) if share == 1 else (self.s + share * ds, self.w + share * dw)
                q = self.q + share * rate
                g, terms = self.misfit(q, self.outside(q, *there))
                if (np.abs(g / terms) <= PREDICTED).all():  # false for NaN
                    break
                share /= 2
                if share < 1e-12:  # steps that small never end
                    raise StuckError("the path turns too fast")
            self.q, (self.s, self.w) = q, there
            self.n_steps += 1
            p = self.correct(NEAR)
        self.correct(EXACT)

    def tangent(self, p, ds, dw):
        """Return the change of ``log z_B`` and ``log z_N`` per change of the start on the path."""
        gamma, top = self.gamma, self.w.max()
        change = self.basis.reduced((ds + dw) * np.exp(gamma * (self.w - top)), 4 * EPS)
        # dc over P, where not even their ratio need be a float
        pull = np.where(change != 0, change * np.exp(gamma * (self.s + top + p)), 0.0)
        dq, dp = self.newton(p, lambda T: T @ pull)
        return dq, dp - pull

    def multipliers(self, log_start, log_z, unit):
        """Return the ``nu`` of :mod:`wnlib.roads._certificates`, in units of ``e^unit``."""
        inside, gamma = self.basis.inside, self.gamma
        log_start, log_z = log_start[inside], log_z[inside]
        if gamma == 0:
            difference = log_z - log_start
        else:
            difference = np.exp(-gamma * log_start - unit) - np.exp(-gamma * log_z - unit)
        columns, multipliers = self.A[:, inside], difference @ self.basis.inverse
        multipliers += (difference - multipliers @ columns) @ self.basis.inverse  # one refinement
        return multipliers * self.row_scale

    def log_radius(self, depth):
        """Return ``log |x|`` at the point."""
        return log_sum(2 / depth * self.scaled()) / 2 + self.log_size / depth

    def speed(self, depth):
        """Return ``|dz/ds| / |z|`` and ``d log |x| / ds`` at the point."""
        p = self.outside(self.q, self.s, self.w)
        logs = np.concatenate([self.q, p])
        rates = np.concatenate(self.tangent(p, 1.0, np.zeros(len(logs))))
        z, share = np.exp(logs - logs.max()), np.exp(2 / depth * (logs - logs.max()))
        return np.linalg.norm(z * rates) / np.linalg.norm(z), (share @ rates) / depth / share.sum()

    def weights(self, depth):
        """Return ``x`` in the order of the columns, in the units of the problem.

        What is left of the misfit of ``A z = b``, ``z_B`` takes: not as a logarithm, which would be
        rounded as a large number; nor where a bad basis magnifies it.
        """
        log_z, inside = self.scaled(), self.basis.inside
        top = log_z.max()  # its exponential need not be a float
        x, z = np.exp((log_z - top) / depth), np.exp(log_z - top)
        change = self.basis.solve(self.b * np.exp(-top) - self.A @ z)
        # of entries below 1e-6 of the largest its rounding, 1e-16, says less than 1e-10
        large = z[inside] > 1e-6
        if (np.abs(change) <= ROUNDED * z[inside])[large].all():
            x[inside] = np.where(large, (z[inside] + change) ** (1 / depth), x[inside])
        return x * np.exp((top + self.log_size) / depth)

    def scaled(self, p=None):
        """Return ``log z`` in the order of the columns, in units of the path."""
        log_z = np.empty(len(self.log_beta))
        log_z[self.basis.inside] = self.q
        log_z[self.basis.outside] = self.outside(self.q, self.s, self.w) if p is None else p
        return log_z
