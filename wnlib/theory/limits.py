r"""What tells the limit of the plain flow from other solutions, and how far from it one may be.

For any multipliers ``nu`` let ``psi(p) = psi(beta) + A^T nu``. Then ``p`` is the limit from
``beta`` for the measurements ``A p``; and for a solution ``z`` of ``A z = b`` the divergence
``D(z, p)`` bounds its distance from the limit for ``b`` (``prop-certified-limit``). The *relative
gap* is that divergence in a unit in which it is a mean of ``delta^2 / 2``, if the entries of ``z``
are ``e^delta`` times those of ``p``. :func:`wnlib.limit` computes it in another way, that knows
what rounding hides.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import orth

from wnlib._checks import finite, last_axis, nonnegative_entries
from wnlib._types import Floats
from wnlib.flows import PlainFlow, check_depth, shift, squared_radius
from wnlib.problems import Problem, check_problem
from wnlib.theory import potentials


def dual_point(depth: float, log_start: ArrayLike, pull: ArrayLike) -> Floats:
    """Return ``log p``, where ``psi(p) = psi(beta) + pull``.

    Parameters
    ----------
    depth : float
    log_start : array_like, shape (n_weights,)
        Logarithms of effective weights ``beta``.
    pull : array_like, shape (n_weights,)
        ``A^T nu``.

    Returns
    -------
    numpy.ndarray, shape (n_weights,)
        NaN in the entries in which there is no such ``p``: above depth 2, where ``pull`` is
        ``beta^{-gamma}`` or more, ``gamma = 1 - 2/L``.
    """
    gamma = 1 - 2 / check_depth(depth)
    log_start, pull = finite("log_start", log_start, 1), finite("pull", pull, 1)
    return shift(log_start, -pull / (gamma or 1.0), gamma)


def relative_gap(depth: float, z: ArrayLike, log_p: ArrayLike) -> float:
    """Return ``D(z, p) / (c sum z^{2/L})``, ``c`` one for depth 2 and ``1 - 2/L`` above.

    Parameters
    ----------
    depth : float
    z : array_like, shape (n_weights,)
        A solution, nonnegative and not zero.
    log_p : array_like, shape (n_weights,)
        As of :func:`dual_point`.

    Returns
    -------
    float
        Infinite if an entry of ``log_p`` is NaN.
    """
    L, z, log_p = check_depth(depth), nonnegative_entries("z", z, 1), np.asarray(log_p)
    if np.isnan(log_p).any():
        return np.inf
    gap = float(potentials.divergence(PlainFlow(L), z, log_p / L))
    unit = (1.0 if L == 2 else 1 - 2 / L) * squared_radius(z, L)
    return max(gap, 0.0) / unit  # rounding of zero has a sign


def distance_within(depth: float, z: ArrayLike, gap: float) -> float:
    """Return how far a solution of a relative gap may be from the limit, over its l1 norm.

    ``|z - limit|_1 <= s / (1 - s) |z|_a``, ``a = 2 - 2/L``, if ``s < 1``, where
    ``s^2 = 2 gap sum z^{2/L} / |z|_a^{2/L}``.

    Parameters
    ----------
    depth : float
    z : array_like, shape (n_weights,)
        Nonnegative, not zero.
    gap : float

    Returns
    -------
    float
        Infinite where the gap is too large to say anything.
    """
    within = distance_formula(depth, z, gap)
    return within if within >= 0 else np.inf


def distance_formula(depth: float, z: ArrayLike, gap: float) -> float:
    """Return the formula of :func:`distance_within`: negative, and no bound, where ``s > 1``.

    Parameters
    ----------
    depth, z, gap
        As for :func:`distance_within`.

    Returns
    -------
    float
    """
    L, z = check_depth(depth), nonnegative_entries("z", z, 1)
    power = 2 - 2 / L
    size = np.sum(z**power) ** (1 / power)
    s = np.sqrt(2 * gap * squared_radius(z, L) / size ** (2 / L))
    share = s / (1 - s) if s < 1 or 1 < s < np.inf else np.inf if s == 1 else -1.0
    return share * size / z.sum()


def kernel_share(depth: float, problem: Problem, x: ArrayLike) -> float:
    """Return which share of ``|x|^2`` lies in the kernel of ``A diag(x^{L-1})``.

    It is the ``theta`` by which the squared length of the plain limits from ``e^{-s} beta`` falls
    with ``s``: ``R' = -(2/L) theta R`` (``prop-wn-limit``).

    Parameters
    ----------
    depth : float
    problem : Problem
    x : array_like, shape (n_weights,)
        Weights at such a limit.

    Returns
    -------
    float
    """
    A, L = check_problem(problem).network_matrix, check_depth(depth)
    x = last_axis("x", finite("x", x, 1), problem.n_weights, "weight")
    rows = orth((A * x ** (L - 1)).T)
    return 1 - np.sum((x @ rows) ** 2) / (x @ x)
