r"""Limits at depth 2 by Newton's method in the multipliers: one smooth convex function of them.

With ``v = x0 / |x0|`` and ``Lambda(nu) = log sum v^2 e^{A^T nu}``, the limits of all flows are

    z = R(Lambda) softmax(log v^2 + A^T nu),        A z = b,

where ``R`` is the squared radius that the lift gives to the growth ``Lambda``: ``|x0|^2 e^Lambda``
for the plain flow, ``|x0|^2 + ratio Lambda`` for weight normalization. So ``A z - b`` is the
gradient of ``F(nu) = int^Lambda R - b nu``, convex because ``R`` increases.

**Continuation.** Where the growth is large, ``F`` is nearly piecewise linear. Before, ``R = ratio
Lambda`` is solved roughly for falling ratios, as if the start had this direction and no length:
``ratio nu`` hardly changes there, and a tangent says how. Each jump is as long as its end can be
corrected from.

**What it does not see.** Entries of ``z`` lost in the rounding of ``A z`` have no influence on
anything, and Newton's method leaves them where they were when they had: far below rounding, but not
to their own digits. Entries that vanish on all of ``S`` have infinite multipliers, and shrink by
``e`` a step. :mod:`wnlib.roads._plain_limits` knows both; ``settled`` tells whether that matters.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg.blas import dsyrk

from wnlib.flows import Lift, NormalizedLift, log_sum
from wnlib.l1._matrices import DOUBT, damped
from wnlib.roads._bases import EPS, StuckError

CUT = 0.01  # of the M-th largest: smaller columns enter a Hessian as a multiple of one
ROUGH, FINE = 0.05, 1e-14  # relative residuals: along the way, and at its end
CORRECTABLE = 0.4  # a residual from which Newton's method needs a few steps
FLAT = 0.3  # of the slope, where a search along a line ends
START = 2.0  # a squared radius in units of the limit's: from longer starts Newton's method goes
MAX_STEPS = 100  # in all; typical are 5 to 30, and the other way costs as much
EXTRA = 6  # more steps, until all entries are settled
ROUNDED, CLEAN = 1e-13, 4.0  # roundings: what is left of a residual after its correction
SMALL = 1e-3  # relative change of `z` by which the last residual is taken away, at most


class Measurements:
    """``A`` and ``b`` in units of order one, and what all starts share.

    Parameters
    ----------
    matrix : numpy.ndarray, shape (n_measurements, n_weights)
    b : numpy.ndarray, shape (n_measurements,)
    signed : bool
        Whether ``matrix = [A, -A]``; then only ``A`` is used.
    row_scale, log_size
        As :func:`wnlib.roads._plain_limits.units` returns them.
    """

    def __init__(self, matrix, b, row_scale, log_size, *, signed):
        self.A, self.b = matrix[:, : matrix.shape[1] // (2 if signed else 1)], b
        self.row_scale, self.log_size = row_scale, log_size
        self.signs = np.array([[1.0], [-1.0]] if signed else [[1.0]])
        self.columns = np.ascontiguousarray(self.A.T)
        self.sizes = np.vecdot(self.columns, self.columns)
        self.lengths = np.sqrt(self.sizes)
        self.correlations = b @ self.A

    def solver(self, weights):
        """Return a function that solves ``A diag(weights) A^T d = v``, as far as a step needs."""
        M, N = self.A.shape
        share = weights * self.sizes
        rank = min(M, N)
        used = np.flatnonzero(share >= CUT * np.partition(share, N - rank)[N - rank])
        top = weights.max()
        some = self.columns[used] * np.sqrt(weights[used] / top)[:, None]
        H = dsyrk(1.0, some.T, lower=1)
        diagonal = np.einsum("ii->i", H)  # a view
        diagonal += (share.sum() - share[used].sum()) / top / M
        solve = damped(H, DOUBT[np.float64])
        return lambda v: solve(v) / top


@dataclass(frozen=True)
class _Law:
    """The squared radius as a function of the growth ``Lambda``."""

    lift: Lift
    anchored: float

    def __call__(self, growth):
        """Return the squared radius and its derivative; 0 where it has vanished."""
        R = max(self.lift.squared_radius(growth, self.anchored), 0.0)
        return R, self.lift.radius_slope(R)


class DualLimit:
    """The limit of a flow of depth 2 from one start, with the interface of ``PlainLimits``."""

    def __init__(self, given, flow, x0):
        self.given, self.flow, self.n_steps = given, flow, 0
        self.columns, self.log_size = np.arange(len(x0)), given.log_size
        self.log_R0 = log_sum(2 * np.log(x0))
        self.log_v2 = (2 * np.log(x0) - self.log_R0).reshape(len(given.signs), -1)
        unit = np.exp(given.log_size)
        self.law = _Law(flow.lift.in_units(unit), np.exp(self.log_R0) / unit)
        self.place(np.zeros(len(given.b)), np.zeros(given.A.shape[1]))

    def place(self, nu, theta):
        """Stand at multipliers ``nu``, with ``theta = A^T nu``."""
        self.nu, self.theta = nu, theta
        self.growth, self.share = self.softmax(theta)

    def softmax(self, theta):
        """Return the growth ``Lambda`` and ``z / sum z``, of shape (signs, n_features)."""
        logs = self.log_v2 + self.given.signs * theta
        growth = log_sum(logs)
        return growth, np.exp(logs - growth)

    def readout(self, stacked):
        """Return ``z_plus - z_minus``, or ``z``."""
        return (self.given.signs * stacked).sum(axis=0)

    def wanted(self, R):
        """Return the growth that the flow has where its squared radius is ``R``, in units."""
        log_R = np.log(R) + self.log_size
        log_rho = self.flow.log_rho(np.exp(self.log_R0 / 2), np.exp(log_R / 2))
        return log_rho + log_R - self.log_R0

    def solve(self, near=None):
        """Go to the limit: from that of another start, if one is given and is near enough."""
        if not (near and self.begin_at(near)):
            self.approach()
        self.newton(self.law, FINE)
        for _ in range(EXTRA):
            if self.finish() <= CLEAN and self.settled:
                return
            self.step(self.law)
        self.finish()

    def begin_at(self, near):
        """Move from the limit of another start by a tangent; tell whether that leads close."""
        given, z = self.given, np.exp(near.log_z)
        R = z.sum()
        log_beta = near.log_v2 + near.log_R0
        s = self.log_R0 - self.log_size - np.log(R) + self.wanted(R)
        change = z * (self.log_v2 + self.log_R0 - log_beta - (s - near.s))  # of z, at the same nu
        nu = near.nu - near.tangent(given.A @ self.readout(change))
        self.place(nu, nu @ given.A)
        if self.missing(self.law(self.growth)[0] * self.share)[1] <= CORRECTABLE:
            return True
        self.place(np.zeros_like(nu), np.zeros(given.A.shape[1]))
        return False

    def approach(self):
        """Begin at the start if it is long, else by continuation from a long one."""
        given, size = self.given, self.log_v2.size
        strongest = (given.signs * given.correlations).max()
        R, ray = given.b @ given.b / strongest, np.log(size) / strongest  # R: at most sum z
        if self.law.anchored < START * R:
            self.place(ray * given.b, ray * given.correlations)
            ratio = R / 2
            while ratio is not None:
                ratio = self.jump(ratio, self.newton(_Law(NormalizedLift(2, ratio), 0.0), ROUGH))

    def newton(self, law, goal):
        """Newton's method until the residual is ``goal``, or may be rounding; return ``R``."""
        while True:
            R = law(self.growth)[0]
            _, misfit, terms = self.missing(R * self.share)
            if misfit <= max(goal, EPS * (1 + np.abs(self.theta).max()) * terms):
                return R
            if self.n_steps >= MAX_STEPS or not (R > 0 and misfit < np.inf):
                raise StuckError(f"Newton's method in the multipliers left a residual of {misfit}")
            self.step(law)

    def step(self, law):
        """Take one step of Newton's method."""
        R, rate = law(self.growth)
        missing = self.missing(R * self.share)[0]
        self.search(law, missing, self.inverse(R, rate)(missing))
        self.n_steps += 1

    def missing(self, z):
        """Return ``b - A z``, its size, and that of the terms of ``A z``, in units of ``|b|``."""
        given, size = self.given, np.linalg.norm(self.given.b)
        missing = given.b - given.A @ self.readout(z)
        return missing, np.linalg.norm(missing) / size, z.sum(axis=0) @ given.lengths / size

    def inverse(self, R, rate):
        """Return a function that applies the inverse of the Hessian of ``F``."""
        mean = self.given.A @ self.readout(self.share)
        solve = self.given.solver(self.share.sum(axis=0))  # Hessian: R A p A^T + (R' - R) mean^2
        turned, c = solve(mean), rate / R - 1
        determinant = max(1 + c * (mean @ turned), rate / R)

        def apply(v):
            u = solve(v)
            return (u - turned * (c * (mean @ u) / determinant)) / R

        return apply

    def search(self, law, missing, dnu):
        """Go along a direction, nearly to the minimum of ``F`` there: each point costs ``N``."""
        given = self.given
        dtheta, wanted, first = dnu @ given.A, given.b @ dnu, -(missing @ dnu)
        low, high, slope_low, slope_high, t = 0.0, np.inf, first, np.inf, 1.0
        for _ in range(40):  # each at least removes a tenth of the interval, most far more
            growth, share = self.softmax(self.theta + t * dtheta)
            parts = law(growth)[0] * share * dtheta
            slope = self.readout(parts).sum() - wanted
            rounding = 100 * EPS * (np.abs(parts).sum() + abs(wanted))
            if abs(slope) <= max(FLAT * abs(first), rounding):
                break
            if slope < 0:
                low, slope_low = t, slope
            else:  # or NaN: out of the range of floats
                high, slope_high = t, np.nan_to_num(slope, nan=np.inf)
            if high == np.inf:
                t *= 3
            else:
                t = low + (high - low) * np.clip(slope_low / (slope_low - slope_high), 0.1, 0.9)
        self.nu, self.theta = self.nu + t * dnu, self.theta + t * dtheta
        self.growth, self.share = growth, share

    def jump(self, ratio, R):
        """Follow ``R = ratio Lambda`` to a smaller ratio, which is returned; None: to the flow."""
        last = share = self.growth / self.wanted(R)
        if not 0 < share < 1:
            return None  # far enough
        given, y, theta = self.given, ratio * self.nu, ratio * self.theta
        along = self.given.signs * self.theta
        mean = (self.share * along).sum()
        change = self.share * (self.growth - mean - self.growth * (along - mean))  # of z, at this y
        dy = -ratio * self.inverse(R, ratio)(given.A @ self.readout(change))
        dtheta = dy @ given.A
        while True:
            step = ratio * (share - 1)
            there = (theta + step * dtheta) / (ratio * share)
            growth, p = self.softmax(there)
            size = self.law(growth)[0] if share == last else ratio * share * growth
            if self.missing(size * p)[1] <= CORRECTABLE:
                break
            share = min(2 * share, (1 + share) / 2)
            if share > 0.99:
                raise StuckError("the way of the multipliers turns too fast")
        self.place((y + step * dy) / (ratio * share), there)
        return None if share == last else ratio * share

    def finish(self):
        """Take away what is left of the residual where it is rounding of ``e^{A^T nu}``.

        An entry that this would change by more than a little is not settled: it is hardly seen in
        ``A z``, or on its way to zero, since it vanishes on all of ``S``.

        Returns what is left then, in units of what rounding of ``z`` itself leaves.
        """
        given, R = self.given, self.law(self.growth)[0]
        self.s = self.log_R0 - self.log_size - np.log(R) + self.growth
        self.log_z = self.log_v2 + given.signs * self.theta + (np.log(R) - self.growth)
        self.tangent = given.solver(np.exp(self.log_z).sum(axis=0))
        for turn in range(2):
            z = np.exp(self.log_z)
            change = given.signs * (self.tangent(self.missing(z)[0]) @ given.A)
            if turn == 0:
                self.settled = not (np.abs(change) > SMALL)[z > EPS * z.max()].any()
            self.log_z = self.log_z + np.log1p(np.clip(change, -SMALL, SMALL))
        _, misfit, terms = self.missing(np.exp(self.log_z))
        return misfit / max(ROUNDED, EPS * terms)

    def multipliers(self, log_start, log_z, unit):
        """Return the ``nu`` of :mod:`wnlib.roads._certificates`."""
        return self.nu * self.given.row_scale

    def scaled(self):
        """Return ``log z``, in units of the path."""
        return self.log_z.ravel()

    def weights(self, depth):
        """Return ``x``, in the units of the problem."""
        return np.exp((self.scaled() + self.log_size) / depth)

    def log_radius(self, depth):
        """Return ``log |x|``."""
        return log_sum(self.scaled() + self.log_size) / 2

    def speed(self, depth):
        """Return ``|dz/ds| / |z|`` and ``d log |x| / ds`` on the path of the plain limits."""
        z, given = np.exp(self.log_z), self.given
        rates = given.signs * (self.tangent(given.b) @ given.A) - 1
        return np.linalg.norm(z * rates) / np.linalg.norm(z), (z * rates).sum() / (2 * z.sum())
