"""Whether weight normalization stalls, by another road: many digits, another integrator.

In the clock ``m' = A z - b`` of its mirror coordinates the flow is the gradient flow of a convex
function, continued by ``z = 0`` where the squared radius ``R`` has vanished. It stalls if that
ever happens. It cannot once ``|A z - b| < |b|``, nor once the Lyapunov function of some solution
is below all its values at ``R = 0``.
"""

from decimal import Decimal

import numpy as np
from referee import (
    END_DIGITS,
    PATH_DIGITS,
    UndecidedError,
    elimination,
    exact,
    exp,
    log,
    many_digits,
)
from scipy.special import gammainc, gammaln

STRAIGHT = Decimal("1e-4")  # |A z| / |b|, below which the path of m is straight
FAR = 1000  # beyond, R is known relatively, and two tolerances must agree
MAX_STEPS = 400  # some of them not accepted


def stalls(A, b, x0, depth, ratio, solutions):
    """Tell whether the radius tends to zero.

    Parameters
    ----------
    A, b : decimals
    x0 : floats, shape (N,)
    depth, ratio : float
    solutions : sequence of decimals, shape (N,)
        Solutions whose Lyapunov functions are tried.

    Raises
    ------
    UndecidedError
    """
    small = max(0.0, np.log10(ratio) - 2 * np.log10(np.linalg.norm(x0)))  # R0 beside the ratio
    with many_digits(depth * np.log10(np.max(x0) / np.min(x0)) + 2 * small):
        flow = _Flow(A, b, exact(x0), Decimal(float(depth)), Decimal(float(ratio)), small)
        start = flow.at(np.full(len(b), Decimal(0)))
        if flow.cannot_stall(start, solutions):
            return False
        size = (A * A).sum(axis=0).max().sqrt()
        if size * flow.R0 ** (flow.L / 2) < STRAIGHT * (b @ b).sqrt():
            return _dips(flow, size * flow.R0 ** (flow.L / 2) / (b @ b).sqrt())
        away, before = flow.R0 / flow.ratio, None
        if away > FAR**2:
            raise UndecidedError("whether it stalls: log w moves too far to be followed")
        for tolerance in ("1e-4", "1e-6", "1e-8"):
            answer = _follow(flow, Decimal(tolerance), solutions)
            if answer is not None and (away < FAR or answer == before):
                return answer
            before = answer
    raise UndecidedError("whether it stalls")


class _Point:
    """A point of the flow: ``log w``, ``R``, ``z``, the velocity of ``m`` and that of ``R``."""

    def __init__(self, flow, m, log_w):
        top = max(log_w)
        w2 = exp(2 * (log_w - top), flow.digits)
        log_norm2 = 2 * top + log([w2.sum()], flow.digits)[0]
        self.m, self.log_w, self.share = m, log_w, w2 / w2.sum()
        self.log_v = log_w - log_norm2 / 2
        self.R = flow.R0 + flow.ratio * (log_norm2 - flow.log_R0)
        if self.R > 0:
            log_R = log([self.R], flow.digits)[0]
            self.z = exp(flow.L * (log_w + (log_R - log_norm2) / 2), flow.digits)
        else:
            self.z = 0 * w2
        self.e = flow.A @ self.z - flow.b
        self.lift = exp((flow.L - 2) * log_w, flow.digits)
        self.slope = -2 * flow.ratio * (self.share @ (self.lift * (self.e @ flow.A)))


class _Flow:
    def __init__(self, A, b, x, depth, ratio, small):
        self.A, self.b, self.L, self.ratio = A, b, depth, ratio
        self.digits = PATH_DIGITS + int(small)
        self.R0 = x @ x
        self.log_R0 = log([self.R0], self.digits + END_DIGITS)[0]
        self.log_x = log(x, self.digits + END_DIGITS)
        self.anchor = exp((2 - depth) * self.log_x, self.digits + END_DIGITS)

    def at(self, m):
        """Return the point, or None outside of the domain of the mirror map."""
        if self.L == 2:
            return _Point(self, m, self.log_x - m @ self.A)
        power = self.anchor + (self.L - 2) * (m @ self.A)
        if (power <= 0).any():
            return None
        return _Point(self, m, log(power, self.digits) / (2 - self.L))

    def jacobian(self, point):
        """Return the derivative of ``A z`` by ``m``."""
        if point.R <= 0:
            return Decimal(0) * (self.A @ self.A.T)
        dlog_w = -point.lift[:, None] * self.A.T
        dlog_x = dlog_w + (self.ratio / point.R - 1) * (point.share @ dlog_w)[None, :]
        return self.A @ (self.L * point.z[:, None] * dlog_x)

    def cannot_stall(self, point, solutions):
        """Tell whether the loss, or the Lyapunov function of a solution, forbids a stall."""
        product = point.e + self.b
        if point.R > 0 and product @ (product - 2 * self.b) < 0:
            return True
        return any(self._lyapunov_forbids(point, z) for z in solutions)

    def _lyapunov_forbids(self, point, z):
        """Tell whether ``V_z`` is below all its values at ``R = 0``; it never grows."""
        R, L = point.R, self.L
        if R <= 0:
            return False
        on = z > 0
        z, log_v = z[on], point.log_v[on]
        if L == 2:
            q = z.sum()
            divergence = (z / q) @ (log(z / q, END_DIGITS) - 2 * log_v)
            return self.ratio * divergence * (1 + STRAIGHT) < R * (1 - R / (2 * q))
        omega = (L - 2) / (2 * self.ratio)
        decay = exp([-omega * R], END_DIGITS)[0]
        linear = decay * (z @ exp((2 - L) * log_v, END_DIGITS))
        integral = omega * R ** (L / 2 + 1) * _moment(L / 2 + 1, omega * R)
        return linear + integral < exp(2 / L * log(z, END_DIGITS), END_DIGITS).sum() ** (L / 2)


def _moment(a, t):
    """Bound ``integral of u^(a-1) e^(-t u) over [0, 1]`` from above."""
    if t < Decimal("1e-6"):
        return 1 / a
    if t > 1e15:
        return exp([Decimal(float(gammaln(float(a)))) - a * log([t], 20)[0]], 20)[0]
    share = Decimal(float(gammainc(float(a), float(t)) * (1 + 1e-9)))
    return share * exp([Decimal(float(gammaln(float(a)) - float(a) * np.log(float(t))))], 20)[0]


def _dips(flow, bend):
    """Tell whether R falls below zero on the straight path that a tiny start takes.

    R is convex there, so bisection on its slope finds the bottom.
    """
    pull = flow.b @ flow.A

    def slope(point):
        return point.share @ (point.lift * pull) * 2 * flow.ratio

    low = flow.at(0 * flow.b)
    if slope(low) >= 0:
        return False
    t_low, t_high = Decimal(0), 1 / (abs(pull) * low.lift).max()
    while (high := flow.at(-t_high * flow.b)) is not None and slope(high) < 0:
        t_low, t_high, low = t_high, 2 * t_high, high
    for _ in range(100):
        error = 100 * bend * flow.ratio * (1 + abs(low.log_w - flow.log_x).max())
        if low.R + error < 0:
            return True
        if low.R + slope(low) * (t_high - t_low) > error:
            return False
        t = (t_low + t_high) / 2
        if (middle := flow.at(-t * flow.b)) is not None and slope(middle) < 0:
            t_low, low = t, middle
        else:
            t_high = t
    raise UndecidedError("whether it stalls: the radius nearly vanishes")


def _follow(flow, tolerance, solutions):
    """Follow the flow by extrapolated linearly implicit Euler steps; None if undecided.

    The error of a step in ``log w`` is bounded absolutely, or so that R is known relatively.
    """
    point = flow.at(0 * flow.b)
    h = Decimal("0.01") / max(abs(point.e @ flow.A) * point.lift)
    smallest, margin, tried = point.R, 200 * tolerance * flow.ratio, 0
    while tried < MAX_STEPS:
        jacobian = flow.jacobian(point)
        allowed = tolerance * max(1, point.R / flow.ratio / FAR)
        while True:
            trial, error = _step(flow, point, jacobian, h)
            tried += 1
            if trial is not None and error <= allowed and not _may_dip(point, trial):
                break
            h /= 3
            if h < Decimal("1e-40") / max(abs(point.e @ flow.A) * point.lift):
                return None
        point = trial
        smallest = min(smallest, point.R)
        if point.R + margin < 0:
            return True
        if flow.cannot_stall(point, solutions):
            return False if smallest > margin else None
        growth = (allowed / (error + allowed * Decimal("1e-40"))) ** Decimal("0.2")
        h *= max(growth * Decimal("0.8"), Decimal("0.3"))
    return None


def _may_dip(point, trial):
    """Tell whether R may have been far smaller within the step than at both of its ends."""
    crossed = point.slope < 0 < trial.slope
    return crossed and min(point.R, trial.R) < abs(point.R - trial.R)


def _step(flow, point, jacobian, h, order=5):
    """Return the point after a step, and its error in ``log w``."""
    table = []
    for k in range(1, order + 1):
        matrix = exact(np.eye(len(flow.b))) - h / k * jacobian
        here = point
        for _ in range(k):
            here = flow.at(here.m + elimination(matrix, h / k * here.e))
            if here is None:
                return None, None
        row = [here.m]
        for j in range(1, k):
            row.append(row[j - 1] + (row[j - 1] - table[-1][j - 1]) / (Decimal(k) / (k - j) - 1))
        table.append(row)
    trial = flow.at(table[-1][-1])
    if trial is None:
        return None, None
    difference = (table[-1][-1] - table[-1][-2]) @ flow.A
    return trial, max(abs(difference) * np.maximum(point.lift, trial.lift))
