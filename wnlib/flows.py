r"""The two flows, as values: the plain gradient flow and the flow with weight normalization.

Both train ``x > 0`` on ``loss(x) = |A x^L - b|^2 / (2 L)``, ``x^L`` entrywise, and both are *mirror
flows* on one family of positive vectors, the lift ``w``. With an anchor ``x_b`` on the trajectory,

    w^{-(L-2)} = x_b^{-(L-2)} + (L-2) A^T m      (L = 2:  log w = log x_b - A^T m),

and the flow moves the ``n_measurements`` numbers ``m`` by ``m' = clock * (A x^L - b)``:

    plain:                 x = w,               clock = 1
    weight normalization:  x = r w / |w|,       clock = r^2 (r / |w|)^{L-2},
                           r^2 = |x_b|^2 + ratio * log(|w|^2 / |x_b|^2).

A flow holds only its parameters; ``integrate``, ``descend`` and ``limit`` are functions of it.
"""

from dataclasses import dataclass

import numpy as np

from wnlib.problems import check_weights, positive

MAX_DEPTH = 100  # beyond, powers x^L of weights of ordinary size leave the range of floats


def check_depth(depth):
    """Return ``depth`` as a float in [2, 100], or raise ``ValueError``."""
    depth = positive("depth", depth)
    if depth < 2:
        raise ValueError(f"depth must be at least 2; got {depth:g}")
    if depth > MAX_DEPTH:
        raise ValueError(f"depth must be at most {MAX_DEPTH}; got {depth:g}")
    return depth


def shift(log_w, a, power):
    r"""Move a lift along the mirror map: ``w^{-power} -> w^{-power} + power * a``.

    In logarithms, so nothing cancels however small ``w^{-power}`` has become; ``power = 0`` is the
    limit ``log w -> log w - a``. Where the result would not be positive it is NaN.
    """
    if power == 0:
        return log_w - a
    growth = power * np.exp(power * log_w) * a
    return log_w - np.log1p(np.where(growth > -1, growth, np.nan)) / power


@dataclass(frozen=True)
class PlainFlow:
    """Gradient flow ``x' = -A^T(A x^L - b) * x^{L-1}``.

    Parameters
    ----------
    depth : float
        ``2 <= L <= 100``.
    """

    depth: float

    def __post_init__(self):
        """Validate."""
        object.__setattr__(self, "depth", check_depth(self.depth))

    def velocity(self, problem, x):
        """Return ``x'``, shape (n_weights,)."""
        A, L = problem.network_matrix, self.depth
        return -(A.T @ (A @ x**L - problem.b)) * x ** (L - 1)

    def metric(self, stacked):
        """Return ``B`` with ``d/dt x^L = -L B h``: ``diag(x^{2L-2})``, (n_weights, n_weights)."""
        return np.diag(stacked ** (2 - 2 / self.depth))

    def from_lift(self, log_w, squared_radius):
        """Return ``(log x, log clock, derivative)`` at a lift anchored at a radius.

        ``squared_radius`` is ``|x_b|^2`` of the anchor. ``derivative(dlog_w)`` maps
        changes of ``log w``, shape (n_weights, k), to those of ``log x``, same shape, and of
        ``log clock``, shape (k,).
        """
        return log_w, 0.0, lambda dlog_w: (dlog_w, np.zeros(dlog_w.shape[1]))


@dataclass(frozen=True)
class WeightNormFlow:
    """Gradient flow of ``(r, u)`` with ``x = r u / |u|``, rates ``eta_u = 1``, ``eta_r = ratio``.

    Parameters
    ----------
    depth : float
        ``2 <= L <= 100``.
    ratio : float
        ``eta_r / eta_u``; small: the direction learns faster than the length.
    """

    depth: float
    ratio: float

    def __post_init__(self):
        """Validate."""
        object.__setattr__(self, "depth", check_depth(self.depth))
        object.__setattr__(self, "ratio", positive("ratio", self.ratio))

    def velocity(self, problem, r, u):
        """Return ``(r', u')``: minus the gradient of the loss, times the rates."""
        norm = np.linalg.norm(u)
        direction = u / norm
        gradient = -PlainFlow(self.depth).velocity(problem, r * direction)
        radial = gradient @ direction
        return -self.ratio * radial, -(r / norm) * (gradient - radial * direction)

    def metric(self, stacked):
        """Return ``B`` with ``d/dt x^L = -L B h``, where ``|u| = 1``, (n_weights, n_weights)."""
        power = stacked ** (2 / self.depth)
        R = power.sum()
        rank_one = (self.ratio / R - 1) * np.outer(stacked, stacked)
        return rank_one + R * np.diag(stacked**2 / power)

    def from_lift(self, log_w, squared_radius):
        """Return ``(log x, log clock, derivative)``, as :meth:`PlainFlow.from_lift` does.

        Extended by ``x = 0`` to lifts whose squared radius would not be positive.
        """
        L, top = self.depth, log_w.max()
        share = np.exp(2 * (log_w - top))
        log_norm2 = 2 * top + np.log(share.sum())
        share /= share.sum()
        R = squared_radius + self.ratio * (log_norm2 - np.log(squared_radius))
        log_R = np.log(R) if R > 0 else -np.inf

        def derivative(dlog_w):
            dlog_norm2 = 2 * share @ dlog_w
            dlog_R = (self.ratio / R if R > 0 else 0.0) * dlog_norm2
            return dlog_w + (dlog_R - dlog_norm2) / 2, (L * dlog_R - (L - 2) * dlog_norm2) / 2

        return log_w + (log_R - log_norm2) / 2, (L * log_R - (L - 2) * log_norm2) / 2, derivative


def check_flow(flow):
    """Raise ``TypeError`` unless ``flow`` is one of the two flows."""
    if not isinstance(flow, PlainFlow | WeightNormFlow):
        raise TypeError(
            "flow must be PlainFlow(depth) or WeightNormFlow(depth, ratio); "
            f"got an object of type {type(flow).__name__}"
        )
    return flow


def check_start(flow, problem, x0):
    """Check what every road to the limit begins with; return ``x0`` read-only.

    Raises
    ------
    ValueError, TypeError
        Also if floats cannot hold the squared radius ``|x0|^2``, or the residual at ``x0``.
    """
    check_flow(flow)
    x0 = check_weights(problem, x0)
    with np.errstate(all="ignore"):  # seen below, and named
        residual = problem.residual(problem.readout(x0**flow.depth))
        largest = x0.max(axis=-1)
    if not (np.isfinite(residual).all() and (largest < 1e140).all()):
        raise ValueError("x0 is too large: A x0^depth overflows. Choose a smaller scale")
    if isinstance(flow, WeightNormFlow) and (largest < 1e-140).any():
        raise ValueError("x0 is too small: its squared radius underflows. Choose a larger scale")
    return x0
