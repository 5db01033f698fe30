"""The mirror maps of the flows, and the lifts in which each is one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from wnlib._checks import positive
from wnlib._types import Floats

MAX_DEPTH = 100  # beyond, powers x^L of weights of ordinary size leave the range of floats

Derivative = Callable[[Floats], tuple[Floats, Floats]]  # of a lift: see PlainLift.weights


def check_depth(depth: float) -> float:
    """Return ``depth`` as a float in [2, 100], or raise ``ValueError``."""
    depth = positive("depth", depth)
    if depth < 2:
        raise ValueError(f"depth must be at least 2; got {depth:g}")
    if depth > MAX_DEPTH:
        raise ValueError(f"depth must be at most {MAX_DEPTH}; got {depth:g}")
    return depth


def psi_of_log(log_z: Floats, depth: float) -> Floats:
    """Return the mirror map at ``exp(log_z)``, entrywise: ``log z``; above depth 2, a power of it.

    It is ``psi(z) = -z^{-gamma}``, ``gamma = 1 - 2/depth``, there.
    """
    return log_z if depth == 2 else -np.exp(-(1 - 2 / depth) * log_z)


def squared_radius(z: Floats, depth: float) -> Any:
    """Return ``R(z) = sum z^{2/depth}``, ``|x|^2`` of the weights whose powers ``x^L`` are ``z``.

    ``z`` is not negative, of shape (..., n_weights); the result has shape (...).
    """
    return np.sum(z ** (2 / depth), axis=-1)


def psi_rate(depth: float) -> float:
    """Return ``c_psi``: both flows move ``psi(kappa^L x^L)`` by ``-c_psi clock A^T e``."""
    return 2.0 if depth == 2 else depth - 2


def log_sum(logs: Floats) -> float:
    """Return ``log sum exp(logs)``: scipy's would take most of the time of an integration."""
    top = logs.max()
    return top + np.log(np.exp(logs - top).sum())


def shift(log_w: Floats, a: Floats, power: float) -> Floats:
    r"""Move a lift along the mirror map: ``w^{-power} -> w^{-power} + power * a``.

    In logarithms, so nothing cancels however small ``w^{-power}`` has become; ``power = 0`` is the
    limit ``log w -> log w - a``. Where the result would not be positive it is NaN.
    """
    if power == 0:
        return log_w - a
    growth = power * np.exp(power * log_w) * a
    return log_w - np.log1p(np.where(growth > -1, growth, np.nan)) / power


@dataclass(frozen=True)
class PlainLift:
    """The mirror form of the plain flow: ``x = w``, in its own time."""

    def squared_radius(self, log_growth: float, anchored: float) -> float:
        """Return ``|x|^2`` where ``|w|^2`` has grown by ``exp(log_growth)`` since the anchor's."""
        return anchored * np.exp(log_growth)

    def radius_slope(self, squared_radius: float) -> float:
        """Return the derivative of :meth:`squared_radius` by ``log_growth``, where it is this."""
        return squared_radius

    def in_units(self, unit: float) -> "PlainLift":
        """Return the same where ``r^2`` is measured in this unit."""
        return self

    def weights(self, log_w: Floats, squared_radius: float) -> tuple[Floats, float, Derivative]:
        """Return ``(log x, log clock, derivative)`` at a lift and its :meth:`squared_radius`.

        ``derivative(dlog_w)`` maps changes of ``log w``, shape (n_weights, k), to those of
        ``log x``, same shape, and of ``log clock``, shape (k,).
        """
        return log_w, 0.0, lambda dlog_w: (dlog_w, np.zeros(dlog_w.shape[1]))


@dataclass(frozen=True)
class PowerLift:
    """The mirror form of :class:`PowerFlow`: ``x = r w / |w|``, ``|w|`` as ``r^power``."""

    depth: float
    power: float

    def squared_radius(self, log_growth: float, anchored: float) -> float:
        """Return ``r^2`` as :meth:`PlainLift.squared_radius` does: always positive."""
        return anchored * np.exp(log_growth / self.power)

    def radius_slope(self, squared_radius: float) -> float:
        """Return what :meth:`PlainLift.radius_slope` does."""
        return squared_radius / self.power

    def in_units(self, unit: float) -> "PowerLift":
        """Return the same where ``r^2`` is measured in this unit."""
        return self

    def weights(self, log_w: Floats, squared_radius: float) -> tuple[Floats, float, Derivative]:
        """Return ``(log x, log clock, derivative)``, as :meth:`PlainLift.weights` does."""
        L, top = self.depth, log_w.max()
        share = np.exp(2 * (log_w - top))
        log_shrunk = (np.log(squared_radius) - 2 * top - np.log(share.sum())) / 2  # log r/|w|
        share /= share.sum()

        def derivative(dlog_w: Floats) -> tuple[Floats, Floats]:
            dlog_shrunk = (1 / self.power - 1) * (share @ dlog_w)
            return dlog_w + dlog_shrunk, (L - 2) * dlog_shrunk

        return log_w + log_shrunk, (L - 2) * log_shrunk, derivative


@dataclass(frozen=True)
class NormalizedLift:
    """The mirror form of weight normalization: ``x = r w / |w|``, in a clock of its own."""

    depth: float
    ratio: float

    def squared_radius(self, log_growth: float, anchored: float) -> float:
        """Return ``r^2`` as :meth:`PlainLift.squared_radius` does; not positive: it vanished."""
        return anchored + self.ratio * log_growth

    def radius_slope(self, squared_radius: float) -> float:
        """Return what :meth:`PlainLift.radius_slope` does."""
        return self.ratio

    def in_units(self, unit: float) -> "NormalizedLift":
        """Return the same where ``r^2`` is measured in this unit."""
        return NormalizedLift(self.depth, self.ratio / unit)

    def weights(self, log_w: Floats, squared_radius: float) -> tuple[Floats, float, Derivative]:
        """Return ``(log x, log clock, derivative)``, as :meth:`PlainLift.weights` does.

        Extended by ``x = 0`` to lifts whose squared radius would not be positive.
        """
        L, R, top = self.depth, squared_radius, log_w.max()
        share = np.exp(2 * (log_w - top))
        log_norm2 = 2 * top + np.log(share.sum())
        share /= share.sum()
        log_R = np.log(R) if R > 0 else -np.inf

        def derivative(dlog_w: Floats) -> tuple[Floats, Floats]:
            dlog_norm2 = 2 * share @ dlog_w
            dlog_R = (self.ratio / R if R > 0 else 0.0) * dlog_norm2
            return dlog_w + (dlog_R - dlog_norm2) / 2, (L * dlog_R - (L - 2) * dlog_norm2) / 2

        return log_w + (log_R - log_norm2) / 2, (L * log_R - (L - 2) * log_norm2) / 2, derivative
