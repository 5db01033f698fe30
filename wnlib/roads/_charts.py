"""Mirror coordinates around a point of the trajectory, and the steps of a flow in them."""

import numpy as np
from scipy.integrate import Radau
from scipy.linalg.lapack import get_lapack_funcs

from wnlib.flows import check_mirror, log_sum, shift

EPS = np.finfo(float).eps


class Chart:
    """The mirror coordinates ``m`` around an anchor (see :mod:`wnlib.flows`).

    They are rotated into the eigenbasis of ``A diag(x^{2L-2}) A^T`` at the anchor, where fast and
    slow motions are separate coordinates, and measured in units of ``max(x)^{-(L-2)}``, so that
    neither tiny nor huge weights leave the range of floats.
    """

    def __init__(self, flow, problem, log_anchor):
        # in logarithms: weights of exp(-1000) are zero as floats, and come back
        self.flow, self.problem, self.L = flow, problem, flow.depth
        self.mirror, self.log_anchor, self.top = check_mirror(flow), log_anchor, log_anchor.max()
        self.relative = log_anchor - self.top
        self.squared_anchor = np.exp(log_sum(2 * log_anchor))
        A = problem.network_matrix
        basis = np.linalg.eigh((A * np.exp((2 * self.L - 2) * self.relative)) @ A.T)[1]
        self.A, self.b = basis.T @ A, basis.T @ problem.b
        with np.errstate(divide="ignore"):  # a column of zeros
            self.log_columns = np.log(np.linalg.norm(A, axis=0))
        self.power_of_anchor = np.exp((self.L - 2) * self.relative)
        self.log_shares = 2 * self.relative - log_sum(2 * self.relative)
        self.start = np.zeros(len(self.b))
        self._latest = np.full(len(self.b), np.nan), None

    def next(self, m):
        """Return the chart around ``m``."""
        return Chart(self.flow, self.problem, self.state(m)[0])

    def change(self, m):
        """Return how much ``log w`` has changed, to its last digit."""
        a = self.power_of_anchor * (m @ self.A)
        return shift(np.zeros_like(a), a, self.L - 2)

    def lift(self, m):
        """Return ``log(w / max(anchor))``."""
        return self.relative + self.change(m)

    def holds(self, m):
        """Tell whether ``m`` is in the domain of the mirror map, as an accepted step may not be."""
        return np.isfinite(self.lift(m)).all()

    def state(self, m):
        """Return ``log x``, the log of the clock of ``m``, and the derivative of both."""
        if not np.array_equal(m, self._latest[0]):
            change = self.change(m)
            growth = _log_growth(self.log_shares, 2 * change)
            log_x, log_clock, derivative = self.mirror.weights(
                self.log_anchor + change, self.mirror.squared_radius(growth, self.squared_anchor)
            )
            state = log_x, log_clock + (self.L - 2) * self.top, derivative
            self._latest = m.copy(), state
        return self._latest[1]

    def weights(self, m):
        """Return ``x``."""
        return np.exp(self.state(m)[0])

    def reading(self, t, path, *ends):
        """Return ``x`` at a time within a step."""
        return self.weights(path(t))

    def clock(self, m):
        """Return the clock of ``m``."""
        return np.exp(self.state(m)[1])

    def misfit(self, m):
        """Return ``A x^L - b``: the velocity of ``m`` in its own clock."""
        return self.A @ self.weights(m) ** self.L - self.b

    def velocity(self, t, m):
        """Return the velocity of ``m`` in time, whatever the time ``t``."""
        return self.clock(m) * self.misfit(m)

    def jacobian(self, t, m):
        """Return the derivative of :meth:`velocity`."""
        lift = np.exp((self.L - 2) * self.lift(m))
        dlog_x, dlog_clock = self.state(m)[2](-lift[:, None] * self.A.T)
        stacked = self.weights(m) ** self.L
        kernel = self.L * self.A @ (stacked[:, None] * dlog_x)
        return self.clock(m) * (kernel + np.outer(self.misfit(m), dlog_clock))

    def unit(self, m):
        """Return the length by which ``m`` moves the log of some ``w`` by one."""
        return np.exp(-(self.log_columns + (self.L - 2) * self.lift(m)).max())

    def leverage(self, m):
        """Return by how much ``log x`` moves at most if all ``log w`` move by one.

        That is ``ratio / r^2`` where it exceeds one: a small radius feels each error.
        """
        return max(1.0, np.abs(self.state(m)[2](np.ones((len(self.log_anchor), 1)))[0]).max())

    def coordinate_rounding(self, t, m):
        """Bound the rounding error of ``m`` at time ``t`` by that of all misfits until then."""
        return 4 * EPS * np.linalg.norm(self.b) * t * self.clock(m)

    def worn(self, m):
        """Tell whether cancellation since the anchor costs three bits of a weight."""
        return (self.L - 2) * self.change(m).max() >= np.log(8)


def _log_growth(log_shares, logs):
    """Return ``log sum exp(log_shares + logs)``, where the shares sum to one.

    To the last digit where ``logs`` are small: a small radius is a small difference.
    """
    top = logs.max()
    fallen = np.exp(log_shares) @ np.expm1(logs - top)
    return top + np.log1p(fallen) if fallen > -0.5 else log_sum(log_shares + logs)


class Stepper(Radau):
    """SciPy's Radau, silent where a trial point lies far off.

    If the measurements are dependent, some coordinates do not matter, and in a huge step the
    matrix is singular there: ``scipy.linalg`` would warn, LAPACK itself returns infinities, and
    the step is rejected.
    """

    def __init__(self, *arguments, **options):
        with np.errstate(all="ignore"):
            super().__init__(*arguments, **options)
        self.lu, self.solve_lu = _factor, _solve

    def step(self):
        """Take one step."""
        with np.errstate(all="ignore"):
            return super().step()


def _factor(matrix):
    (getrf,) = get_lapack_funcs(("getrf",), (matrix,))
    return getrf(matrix, overwrite_a=True)[:2]


def _solve(factors, rhs):
    (getrs,) = get_lapack_funcs(("getrs",), (factors[0], rhs))
    return getrs(*factors, rhs, overwrite_b=True)[0]


def follow(chart, solver_at, tolerance):
    """Yield ``(chart, solver)`` after each step: chart, step, next chart around where it led.

    Parameters
    ----------
    chart
        Coordinates: ``start`` (of the solver in it), ``holds(state)``, ``worn(state)`` and
        ``next(state)``, the coordinates around a state.
    solver_at : callable
        ``(chart, t, first_step)`` -> Stepper.
    tolerance : callable
        ``(chart, solver)`` -> relative and absolute tolerance of the next step.
    """
    t, first_step = 0.0, None
    while True:
        solver = solver_at(chart, t, first_step)
        first_step = None
        while True:
            before = solver.y
            solver.rtol, solver.atol = tolerance(chart, solver)
            solver.step()
            if solver.status == "failed":
                return
            if not chart.holds(solver.y):
                first_step, solver.y = solver.step_size / 4, before
                if t + first_step == t:
                    return
                break
            t = solver.t
            yield chart, solver
            if solver.status == "finished":
                return
            if chart.worn(solver.y):
                break
        chart = chart.next(solver.y)
