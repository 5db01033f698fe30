r"""The potentials of the flows, whose gradients are their mirror maps, and what follows from them.

Both flows move the gradient of a strictly convex function ``Psi`` of ``z = x^L >= 0``, in a clock:

    d/dt grad Psi(x^L) = -c_psi clock A^T (A x^L - b),      grad Psi(z) = psi(kappa^L z).

So the Bregman divergence ``D(z, x^L)`` from *every* solution ``z`` of ``A z = b`` falls at the rate
``c_psi clock |A x^L - b|^2``. With ``R(z) = sum z^{2/L}``, ``|z| = R(z)^{L/2}`` and
``omega = (L - 2) / (2 ratio)``,

    plain:                 Psi = sum z log z - z,                           L = 2
                           Psi = -(L/2) R(z),                               L > 2
    weight normalization:  Psi = sum z log(z / |z|) + |z|^2 / (2 ratio),    L = 2
                           Psi = -int_0^|z| e^{-omega t^{2/L}} dt,          L > 2.
"""

from typing import TypeGuard

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammainc, gammaln, hyperu, xlogy

from wnlib._checks import finite, last_axis, nonnegative_entries, positive_entries
from wnlib._types import Floats, Values
from wnlib.flows import Flow, PlainFlow, WeightNormFlow, check_flow, normalizes, squared_radius


def _has_ratio(flow: Flow) -> TypeGuard[WeightNormFlow]:
    """Tell which of the two potentials a flow has, or raise ``TypeError`` if it has neither."""
    if check_flow(flow).motion not in (PlainFlow, WeightNormFlow):
        raise TypeError(
            f"{type(flow).__name__} moves in a way of its own: its potential is unknown"
        )
    return normalizes(flow)


def potential(flow: Flow, z: ArrayLike) -> Values:
    """Return the potential ``Psi`` of a flow.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    z : array_like, shape (..., n_weights)
        Nonnegative effective weights.

    Returns
    -------
    numpy.ndarray, shape (...)
    """
    L, z = check_flow(flow).depth, nonnegative_entries("z", z, range(1, 4))
    if L == 2:
        q, entropy = z.sum(axis=-1), xlogy(z, z).sum(axis=-1)
        return entropy - xlogy(q, q) + q**2 / (2 * flow.ratio) if _has_ratio(flow) else entropy - q
    R = squared_radius(z, L)
    return _reward(flow, R, 0.0) if _has_ratio(flow) else -L / 2 * R


def divergence(flow: Flow, z: ArrayLike, log_x: ArrayLike, *, unit: float = 0.0) -> Values:
    r"""Return the Bregman divergence ``D(z, x^L)`` of the potential of a flow.

    With ``R = |x|^2``, ``v = x / |x|``, and ``R(z)``, ``|z|`` and ``omega`` as above,

        plain:                 sum z log(z / x^2) - z + x^2,                              L = 2
                               sum z x^{-(L-2)} - (L/2) z^{2/L} + (L/2 - 1) x^2,          L > 2
        weight normalization:  |z| KL(z / |z|, v^2) + (|z| - R)^2 / (2 ratio),            L = 2
                               e^{-omega R} (sum z v^{-(L-2)} - R^{L/2})
                               + (L/2) int_{R(z)}^R s^{L/2-1} e^{-omega s} ds,            L > 2.

    Not negative, and 0 only at ``z = x^L``.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    z : array_like, shape (n_weights,)
        Nonnegative effective weights.
    log_x : array_like, shape (..., n_weights)
        Logarithms of weights.
    unit : float
        A squared radius: above depth 2, the divergence of weight normalization is returned in units
        of ``e^{-omega unit}``. With the least one that occurs nothing underflows.

    Returns
    -------
    numpy.ndarray, shape (...)
        Infinite where a power of ``x`` is no float.
    """
    L, z = check_flow(flow).depth, nonnegative_entries("z", z, 1)
    log_x = last_axis("log_x", finite("log_x", log_x, range(1, 4)), len(z), "entry of z")
    log_R = np.log(np.exp(2 * (log_x - (top := log_x.max(axis=-1, keepdims=True)))).sum(axis=-1))
    log_R = log_R + 2 * top[..., 0]
    log_v = log_x - log_R[..., None] / 2
    R, on = np.exp(log_R), z > 0  # 0 log 0 = 0, and 0 times a power that may overflow
    with np.errstate(over="ignore"):
        if not _has_ratio(flow):
            if L == 2:
                return (z[on] * (np.log(z[on]) - 2 * log_x[..., on])).sum(axis=-1) - z.sum() + R
            weighted = (z[on] * np.exp((2 - L) * log_x[..., on])).sum(axis=-1)
            return (L / 2 - 1) * R - L / 2 * squared_radius(z, L) + weighted
        if L == 2:
            q = z.sum()
            entropy = (z[on] * (np.log(z[on]) - 2 * log_v[..., on])).sum(axis=-1) - xlogy(q, q)
            return entropy + (q - R) ** 2 / (2 * flow.ratio)
        weighted = (z[on] * np.exp((2 - L) * log_v[..., on])).sum(axis=-1) - R ** (L / 2)
        paid = _reward(flow, squared_radius(z, L), R, unit)
        return np.exp(flow.omega * (unit - R)) * weighted + paid


def relative_entropy(z: ArrayLike, x0: ArrayLike) -> float:
    """Return ``KL(z / |z|_1, v_0^2)``, ``v_0 = x0 / |x0|``: how far ``z`` is from a direction.

    Parameters
    ----------
    z : array_like, shape (n_weights,)
        Nonnegative, not zero.
    x0 : array_like, shape (n_weights,)
        Positive weights.

    Returns
    -------
    float
    """
    z = nonnegative_entries("z", z, 1)
    x0 = last_axis("x0", positive_entries("x0", x0, 1), len(z), "entry of z")
    if not z.any():
        raise ValueError("z must not be zero: it has no direction")
    share = z[on := z > 0] / z.sum()
    return float(share @ (np.log(share) - 2 * np.log(x0[on] / np.linalg.norm(x0))))


def clock(flow: Flow, radius: ArrayLike) -> Floats:
    """Return the clock of a flow: ``r^L e^{-omega r^2}`` at lengths ``r``; 1 for the plain flow.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    radius : array_like
        Lengths ``r = |x|``, not negative.

    Returns
    -------
    numpy.ndarray, shape of ``radius``
    """
    radius = nonnegative_entries("radius", radius, range(4))
    if not _has_ratio(flow):
        return np.ones_like(radius)
    return radius**flow.depth * np.exp(-flow.omega * radius**2)


def _reward(flow: WeightNormFlow, R1: Values, R2: Values, unit: float = 0.0) -> Values:
    """Return ``(L/2) int_{R1}^{R2} s^{L/2-1} e^{-omega (s - unit)} ds``, depth > 2."""
    a, omega = flow.depth / 2, flow.omega
    with np.errstate(over="ignore", invalid="ignore"):  # in the form that is not taken
        scale = a * np.exp(gammaln(a) + omega * unit - a * np.log(omega))
        below = scale * (gammainc(a, omega * R2) - gammainc(a, omega * R1))
        tails = reward_beyond(flow, R1, unit) - reward_beyond(flow, R2, unit)
    # beyond the largest value of the integrand both ends of the first form are nearly the same
    return np.where(omega * np.minimum(R1, R2) > a, tails, below)[()]


def reward_beyond(flow: WeightNormFlow, R: Values, unit: float = 0.0) -> Values:
    """Return the integral of ``e^{-omega (t^{2/L} - unit)}`` over ``t > R^{L/2}``, depth > 2.

    It is what the potential of weight normalization still pays for length, beyond the squared
    radius ``R``, in units of ``e^{-omega unit}``.

    Parameters
    ----------
    flow : WeightNormFlow
    R : float or numpy.ndarray
        Squared radius, positive.
    unit : float
        A squared radius: that of the start, for the bound of the book.

    Returns
    -------
    numpy.ndarray, shape of ``R``
    """
    a, omega = flow.depth / 2, flow.omega
    # by t = (tau / omega)^{L/2} an incomplete gamma function, Gamma(a, x) = e^{-x} U(1-a, 1-a, x)
    with np.errstate(over="ignore", invalid="ignore"):
        beyond = hyperu(1 - a, 1 - a, omega * R)
        return a * omega**-a * np.exp(omega * (unit - R)) * beyond
