r"""What proves that a limit is the right one, from its weights and multipliers alone.

The limit from ``beta / rho`` is the point of ``S = {z >= 0 : A z = b}`` of least Bregman
divergence from it. For ``z`` in ``S`` and *any* multipliers ``nu``, Fenchel's inequality bounds
the excess of the divergence at ``z`` by a sum of terms that are never negative,

    L = 2:   sum z log(z / p) - z + p,                        p = (beta / rho) e^{A^T nu},
    L > 2:   sum y z - (L/2) z^{2/L} + (L-2)/2 y^{-2/(L-2)},  y = (beta / rho)^{-gamma} - A^T nu,

with ``gamma = 1 - 2/L`` and ``y > 0``; the sum is zero at the limit only. Let ``p = y^{-1/gamma}``
for L > 2, too: it is the limit from ``beta / rho`` for the measurements ``A p``. If ``z`` is
``e^delta`` times ``p``, a term is, to leading order, ``z delta^2 / 2``, and for L > 2
``gamma z^{2/L} delta^2 / 2``. The *relative gap* is the sum over that of the factors before
``delta^2 / 2``: a mean of ``delta^2 / 2``.

Rounding hides which point of ``S`` it is where many orders of magnitude lie between ``z`` and
``beta / rho``: ``y`` then is a difference of large numbers. If the columns of ``A`` at such
entries are independent, ``A z = b`` alone determines them. Otherwise the reduced costs of ``y`` at
``z`` and of the start must agree.
"""

import numpy as np

from wnlib.results import unit_of_multipliers
from wnlib.roads._bases import EPS, Basis, pivots

RESOLVED = 1e-7  # a delta known to that is known: half its square is within any tolerance
UNSEEN = 100.0  # times its rounding, ``y`` may be off where it is not seen anyway
INDEPENDENT = 1e-10  # share of a singular value from which rounding moves entries by 1e-6


def relative_gap(matrix, depth, log_start, log_z, multipliers):
    """Return the relative Fenchel gap of the Bregman projection, beyond rounding.

    Parameters
    ----------
    matrix : numpy.ndarray, shape (n_measurements, n)
    depth : float
    log_start, log_z : numpy.ndarray, shape (n,)
        Logarithms of ``beta / rho`` and ``z``, without the entries that vanish on all of ``S``.
    multipliers : numpy.ndarray, shape (n_measurements,)
        ``nu`` in units of ``exp(unit_of_multipliers(...))``.

    Returns
    -------
    float
        Infinite if ``y`` is not positive, or if rounding hides which point of ``S`` this is.
    """
    rows = np.abs(matrix).max(axis=1, keepdims=True)
    rows = np.where(rows > 0, rows, 1.0)
    matrix, multipliers = matrix / rows, multipliers * rows[:, 0]
    sizes = np.abs(multipliers) @ np.abs(matrix)
    gamma, unit = 1 - 2 / depth, unit_of_multipliers(depth, log_start, log_z)
    with np.errstate(all="ignore"):
        if depth == 2:  # y = -log p, to be compared with -log z
            c, here, known = -log_start, -log_z, 1.0
            noise = 4 * EPS * (np.abs(c) + sizes)
        else:
            c, here = np.exp(-gamma * log_start - unit), np.exp(-gamma * log_z - unit)
            noise = 4 * EPS * ((1 + gamma * np.abs(log_start)) * c + sizes)
            known = gamma * here  # of delta
        slack = c - multipliers @ matrix
        value = np.exp(2 / depth * log_z)
        hidden = np.sqrt(value / value.sum()) * noise > RESOLVED * known
        if depth > 2:  # not to be told from zero, where any z would do
            hidden |= np.abs(slack) <= UNSEEN * noise
        noise = np.where(hidden, UNSEEN * noise, noise)
        y = here + np.sign(slack - here) * np.maximum(np.abs(slack - here) - noise, 0.0)
        if depth == 2:
            terms = value * _entropy(y - here)
            scale = value.sum()
        else:
            terms = value * _power_gap(np.where(y == here, 1.0, y / here), depth)
            scale = gamma * value.sum()
    if not _determined(matrix, c, 1 + np.abs(log_start).max(), here, hidden):
        return np.inf
    return float(max(terms.sum(), 0.0) / scale)  # rounding of zero has a sign


def _entropy(delta):
    """Return ``delta - 1 + e^{-delta}``, to the rounding of ``delta``."""
    return delta + np.expm1(-delta)


def _power_gap(t, depth):
    """Return ``t - L/2 + (L-2)/2 t^{-2/(L-2)}``, so exactly, too; infinite for ``t <= 0``."""
    a = 2 / (depth - 2)
    return np.where(t > 0, t - 1 + np.expm1(-a * np.log(np.where(t > 0, t, 1.0))) / a, np.inf)


def _determined(matrix, c, digits, here, hidden):
    """Tell whether entries of which rounding hides ``y`` are the right ones nevertheless.

    ``c`` is known to a rounding of ``digits``.
    """
    if not hidden.any():
        return True
    columns, c, here = matrix[:, hidden], c[hidden], here[hidden]
    basis = Basis(columns, columns[:, 0], pivots(columns))
    independent = columns[:, basis.inside]
    sigma = np.linalg.svd(independent / np.linalg.norm(independent, axis=0), compute_uv=False)
    if sigma[-1] < INDEPENDENT * sigma[0]:
        return False
    difference = basis.reduced(here, 4 * EPS) - basis.reduced(c, 4 * EPS * digits)
    sizes = here[basis.outside] + np.abs(here[basis.inside]) @ np.abs(basis.W)
    return bool((np.abs(difference) <= RESOLVED * sizes).all())
