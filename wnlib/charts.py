"""Mirror coordinates around a point of the trajectory, in which a flow is integrated."""

import warnings

import numpy as np
from scipy.linalg import LinAlgWarning
from scipy.special import logsumexp

from wnlib.flows import shift

EPS = np.finfo(float).eps


class Chart:
    """The mirror coordinates ``m`` around an anchor (see :mod:`wnlib.flows`).

    They are rotated into the eigenbasis of ``A diag(x^{2L-2}) A^T`` at the anchor, where fast and
    slow motions are separate coordinates, and measured in units of ``max(x)^{-(L-2)}``, so that
    neither tiny nor huge weights leave the range of floats.
    """

    def __init__(self, flow, problem, log_anchor):
        # in logarithms: weights of exp(-1000) are zero as floats, and come back
        self.flow, self.L, self.anchor = flow, flow.depth, np.exp(log_anchor)
        self.log_anchor, self.top = log_anchor, log_anchor.max()
        A = problem.network_matrix
        share = np.exp((2 * self.L - 2) * (self.log_anchor - self.top))
        basis = np.linalg.eigh((A * share) @ A.T)[1]
        self.A, self.b = basis.T @ A, basis.T @ problem.b
        self.unit = 1 / np.abs(A).max()  # |m| at which log x moves by about one

    def lift(self, m):
        """Return ``log(w / max(anchor))``."""
        return shift(self.log_anchor - self.top, m @ self.A, self.L - 2)

    def holds(self, m):
        """Tell whether ``m`` is in the domain of the mirror map, as an accepted step may not be."""
        return np.isfinite(self.lift(m)).all()

    def state(self, m):
        """Return ``log x``, the log of the clock of ``m``, and the derivative of both."""
        log_x, log_clock, derivative = self.flow.from_lift(
            self.lift(m) + self.top, self.anchor @ self.anchor
        )
        return log_x, log_clock + (self.L - 2) * self.top, derivative

    def weights(self, m):
        """Return ``x``."""
        # Trial points may lie far off: an overflow there is no news.
        return np.exp(np.minimum(self.state(m)[0], 100 / self.L))

    def clock(self, m):
        """Return the clock of ``m``."""
        return np.exp(np.minimum(self.state(m)[1], 100))

    def squared_radius(self, m):
        """Return ``|x|^2`` of weight normalization; not positive where it has vanished."""
        growth = logsumexp(2 * self.lift(m)) - logsumexp(2 * (self.log_anchor - self.top))
        return self.anchor @ self.anchor + self.flow.ratio * growth

    def product(self, m):
        """Return ``A x^L``."""
        return self.A @ self.weights(m) ** self.L

    def misfit(self, t, m):
        """Return ``A x^L - b``: the velocity of ``m`` in its own clock, whatever the time ``t``."""
        return self.product(m) - self.b

    def velocity(self, t, m):
        """Return the velocity of ``m`` in time."""
        return self.clock(m) * self.misfit(t, m)

    def misfit_jacobian(self, t, m):
        """Return the derivative of :meth:`misfit`."""
        return self._jacobians(m)[0]

    def jacobian(self, t, m):
        """Return the derivative of :meth:`velocity`."""
        kernel, dlog_clock = self._jacobians(m)
        return self.clock(m) * (kernel + np.outer(self.misfit(t, m), dlog_clock))

    def _jacobians(self, m):
        """Return the derivatives of ``A x^L`` and of the log of the clock."""
        lift = np.exp((self.L - 2) * self.lift(m))
        dlog_x, dlog_clock = self.state(m)[2](-lift[:, None] * self.A.T)
        stacked = self.weights(m) ** self.L
        return self.L * self.A @ (stacked[:, None] * dlog_x), dlog_clock

    def product_rounding(self, t, m):
        """Bound the rounding error of ``A x^L``, summed up over a time ``t`` of its clock."""
        sums = np.linalg.norm(np.abs(self.A) @ self.weights(m) ** self.L)
        return 4 * EPS * t * self.L * (1 + abs(self.top)) * sums  # of x = exp(log x), to the L

    def coordinate_rounding(self, t, m):
        """Bound the rounding error of ``m`` at time ``t``: its own, and of misfits in it."""
        return 4 * EPS * max(np.linalg.norm(self.b) * t * self.clock(m), np.abs(m).max())

    def worn(self, m, rtol):
        """Tell whether cancellation since the anchor costs three bits, or more than ``rtol``."""
        gain = (self.L - 2) * (self.lift(m) + self.top - self.log_anchor).max()
        shrunk = np.sum(self.weights(m) ** 2) < np.sum(self.anchor**2) / 8
        lost = self.L > 2 and EPS * np.abs(m).max() > 100 * rtol * self.unit
        return gain > np.log(8) or shrunk or lost


def take_step(solver):
    """Take one step of a SciPy solver, without the warnings of steps that it will reject.

    Trial points lie where the flow never goes; and if the measurements are dependent, some
    coordinates do not matter, and in a huge step the solver's matrix is singular there.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", LinAlgWarning)
        solver.step()
