"""Trained weights in logarithms: the flows, followed without mirror maps or invariants.

All that is trained is positive, ``x`` or ``(r, u)``, so its logarithms can be integrated instead:
the velocity of a flow, divided by its state. This keeps the *relative* accuracy of weights that
fall to ``exp(-1000)`` and may come back. Time is replaced by a clock that ticks faster where the
weights are small, and measured on the way: from a tiny start of depth > 2, a flow waits so long
that floats cannot tell apart the moments in which it moves.
"""

import threading
from dataclasses import dataclass

import numpy as np
from scipy.integrate import LSODA

from wnlib.flows import PlainFlow
from wnlib.results import Status, Trajectory

TOLERANCE = 1e-9  # of a step, absolute, in logarithms: relative in the weights
ARRIVED = 1e-8  # relative residual at which a run ends
GONE = 1e-3  # share of the radius: with a loss that is not below that of zero weights, a stall
MAX_STEPS = 3000  # ordinary runs take 300 to 2000; one that needs more is not worth waiting for
MAX_TICKS = 1e12  # then rounding errors move the weights
LOG_RANGE = 690.0  # exp of this is a float
_one_at_a_time = threading.RLock()


@dataclass(frozen=True, eq=False, repr=False)
class Training(Trajectory):
    """A flow integrated to its end, recorded at the ends and the middles of all steps.

    Attributes
    ----------
    log_path : numpy.ndarray, shape (T, n_weights)
        Logarithms of :attr:`path`, also where its entries are no floats any more.
    quadrature : numpy.ndarray, shape (n_steps, 3)
        Weights of Simpson's rule, for start, middle and end of each step.
    """

    log_path: np.ndarray | None = None
    quadrature: np.ndarray | None = None

    def integral(self, values):
        """Integrate recorded values from 0 to the end of each step, shape (1 + n_steps,)."""
        of_steps = np.stack([values[:-1:2], values[1::2], values[2::2]], axis=1)
        return np.append(0.0, np.cumsum(np.sum(self.quadrature * of_steps, axis=1)))


def train(flow, problem, x0, *, max_steps=MAX_STEPS):
    """Follow a flow until it fits the measurements, stalls, or has taken ``max_steps`` steps.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    problem : Problem
    x0 : numpy.ndarray, shape (n_weights,)
    max_steps : int

    Returns
    -------
    Training
        CONVERGED at a relative residual of 1e-8; STALLED where the radius of weight normalization
        has fallen a thousandfold and the residual to 1, but not below; MAX_STEPS where these ran
        out, UNFINISHED where no step is small enough.
    """
    with _one_at_a_time, np.errstate(all="ignore"):  # LSODA is not reentrant; trial steps overshoot
        run = _Run(flow, problem, x0)
        status = run.follow(max_steps)
        return run.training(status)


class _Run:
    """The equation in logarithms of what is trained, and the path so far."""

    def __init__(self, flow, problem, x0):
        self.flow, self.problem, self.x0 = flow, problem, x0
        self.plain = flow.motion is PlainFlow
        self.start = np.log(np.hstack(flow.state(x0)))
        self.states, self.steps = [self.start], []  # with the middles of the steps

    def log_weights(self, y):
        """Return ``log x``, of one state or of several."""
        if self.plain:
            return y
        direction = y[..., 1:] - y[..., 1:].max(axis=-1, keepdims=True)
        norm2 = np.exp(2 * direction).sum(axis=-1, keepdims=True)
        return y[..., :1] + direction - np.log(norm2) / 2

    def rate(self, y):
        """Return the velocity of the logarithms in time."""
        state = np.exp(np.clip(y, -LOG_RANGE, LOG_RANGE))
        if self.plain:
            return self.flow.velocity(self.problem, state) / state
        dr, du = self.flow.velocity(self.problem, state[0], state[1:])
        return np.append(dr, du) / state

    def clock(self, y):
        """Return the ticks per time: ``max(x)^{L-2}``, at which logarithms move."""
        return np.exp((self.flow.depth - 2) * self.log_weights(y).max(axis=-1))

    def jacobian(self, y):
        """Return the derivative of ``rate / clock``.

        It steers Newton's method in an implicit step: an error here costs time, not accuracy.
        """
        A, L, x = self.problem.network_matrix, self.flow.depth, np.exp(self.log_weights(y))
        stacked, lower, dlog_x = x**L, x ** (L - 2), np.eye(len(x))
        h = A.T @ (A @ stacked - self.problem.b)
        if not self.plain:  # log x = log r + log u - log |u|
            dlog_x = np.column_stack([np.ones_like(x), dlog_x - x**2 / (x @ x)])
        dh = L * A.T @ (A * stacked) @ dlog_x
        push = lower[:, None] * (dh + (L - 2) * h[:, None] * dlog_x)
        change = -push if self.plain else self._polar(x, h, dh, push, dlog_x)
        dlog_clock = (L - 2) * dlog_x[x.argmax()]
        return (change - np.outer(self.rate(y), dlog_clock)) / self.clock(y)

    def _polar(self, x, h, dh, push, dlog_x):
        """Return the derivative of the rates of ``log r`` and ``log u``, ``|u| = 1``."""
        L, R, ratio, stacked = self.flow.depth, x @ x, self.flow.ratio, x**self.flow.depth
        work, dwork = h @ stacked, stacked @ dh + L * (stacked * h) @ dlog_x
        du, dr = dwork - R * push, -ratio / R * dwork
        du[:, 0] -= 2 * R * h * x ** (L - 2)
        dr[0] += 2 * ratio / R * work
        du[:, 1:] -= 2 * np.outer(work - R * h * x ** (L - 2), x**2 / R)  # divided by |u|^2
        return np.vstack([dr, du])

    def follow(self, max_steps):
        def velocity(_, y):
            return self.rate(y) / self.clock(y)

        solver = LSODA(
            velocity,
            *(0.0, self.start, MAX_TICKS),
            first_step=1e-4 / (1 + np.abs(velocity(0, self.start)).max()),
            jac=lambda _, y: self.jacobian(y),
            rtol=1e-13,  # of the logarithms: they are measured absolutely
            atol=TOLERANCE,
        )
        for _ in range(max_steps):
            solver.step()
            if solver.status == "failed" or not np.isfinite(solver.y).all():
                return Status.UNFINISHED
            middle = solver.dense_output()((solver.t_old + solver.t) / 2)
            self.states += [middle, solver.y.copy()]
            self.steps.append(solver.t - solver.t_old)
            misfit = self.residual(self.log_weights(solver.y))
            if misfit <= ARRIVED:
                return Status.CONVERGED
            if 1 <= misfit < 1 + ARRIVED and self.vanishes(solver.y):
                return Status.STALLED
            if solver.status == "finished":
                break
        return Status.MAX_STEPS

    def residual(self, log_x):
        return self.flow.residual(self.problem, np.exp(log_x))

    def vanishes(self, y):
        """Tell whether the radius has vanished: it falls wherever the residual is at least 1."""
        return not self.plain and y[0] < self.start[0] + np.log(GONE)

    def training(self, status):
        states = np.array(self.states)
        logs, pause = self.log_weights(states), 1 / self.clock(states)
        h = np.reshape(self.steps, (-1, 1))  # of the clock
        pauses = np.stack([pause[:-1:2], pause[1::2], pause[2::2]], axis=1)
        quadrature = h * pauses * [1 / 6, 4 / 6, 1 / 6]
        times = np.zeros(len(states))
        times[2::2] = np.cumsum(quadrature.sum(axis=1))
        times[1::2] = times[:-1:2] + (h * pauses * [5 / 24, 8 / 24, -1 / 24]).sum(axis=1)
        norms = np.linalg.norm(np.exp(states[:, 1:]), axis=1)
        path = np.exp(np.maximum(logs, -LOG_RANGE))
        return Training(
            flow=self.flow,
            problem=self.problem,
            initial=self.x0,
            weights=path[-1],
            status=status,
            times=times,
            path=path,
            n_steps=len(h),
            direction_norm=np.ones(len(states)) if self.plain else norms,
            log_path=logs,
            quadrature=quadrature,
        )
