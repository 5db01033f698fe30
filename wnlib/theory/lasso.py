r"""The average along the way as a point of a Lasso path, whose penalty a run reads off itself.

With the lift ``w`` (``x`` itself for the plain flow, ``v e^{(R - R_0) / (2 ratio)}`` for weight
normalization), the integral ``C`` of the clock until a time ``T``, and the mean ``z`` of ``x^L`` in
that clock, the correlations ``A^T (b - A z)`` are exactly ``penalty - slack`` (``prop-average``):

    penalty = log(|w(T)| / |w(0)|) / C,       slack = -log(v(T)^2 / v(0)^2) / (2 C),   L = 2
    penalty = w(0)^{-(L-2)} / ((L-2) C),      slack = w(T)^{-(L-2)} / ((L-2) C),       L > 2.

All functions take a run that knows ``average`` and ``clock_path``: one of
``integrate(..., average=True)``. At the first recorded time ``C`` is 0: what they return there is
infinite or NaN.
"""

import numpy as np

from wnlib._types import Floats
from wnlib.flows import PlainFlow
from wnlib.results import Trajectory, check_trajectory


def penalties(run: Trajectory) -> Floats:
    """Return the penalty of each entry at the recorded times.

    Parameters
    ----------
    run : Trajectory

    Returns
    -------
    numpy.ndarray, shape (T, n_weights)
        For depth 2 the same for all entries, ``(R - R_0) / (2 ratio C)`` for weight normalization;
        not positive where the weights are no longer than at the start.
    """
    clock, L = _clock(run), run.flow.depth
    with np.errstate(divide="ignore", invalid="ignore"):
        if L > 2:
            return np.exp(-(L - 2) * _log_lift(run)[0]) / ((L - 2) * clock)
        growth = _log_length(run)
        return np.repeat((growth - growth[0])[:, None] / clock, run.path.shape[1], axis=1)


def slack(run: Trajectory) -> Floats:
    """Return by how much the correlations fall short of the penalties at the recorded times.

    Parameters
    ----------
    run : Trajectory

    Returns
    -------
    numpy.ndarray, shape (T, n_weights)
        Infinite for weights that have become zero as floats.
    """
    clock, L, log_w = _clock(run), run.flow.depth, _log_lift(run)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if L > 2:
            return np.exp(-(L - 2) * log_w) / ((L - 2) * clock)
        log_v = log_w - _log_length(run)[:, None]
        return (log_v[0] - log_v) / clock


def memory(run: Trajectory) -> Floats:
    """Return by how much the average remembers what the weights have forgotten, at recorded times.

    Parameters
    ----------
    run : Trajectory

    Returns
    -------
    numpy.ndarray, shape (T,)
        With ``z`` the average and ``v`` the direction then: for depth 2 the relative entropy
        ``KL(z / |z|_1, v^2)``, the first of the two in ``m`` of cor-lasso-gap; above, ``m`` itself,
        ``sum v^2 z / x^L``. If ``z <= x^L``, as where no entry of ``x^L`` has ever fallen, at most
        ``log(R / |z|_1)`` and at most 1. Infinite where a weight that carries some of the average
        has become zero as a float.
    """
    _clock(run)
    average, L = np.asarray(run.average), run.flow.depth
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        log_x, log_r = np.log(run.path), np.log(run.radius_path)[:, None]
        if L == 2:
            return _relative_entropy(average, log_x - log_r)
        log_terms = np.log(average) - (L - 2) * log_x - 2 * log_r  # v^2 / x^L where x is no float
        return np.sum(np.exp(log_terms), axis=1, where=average > 0)


def gap_bound(run: Trajectory, remembered: Floats | None = None) -> Floats:
    """Bound the duality gap of the average at recorded times (``cor-lasso-gap``).

    With ``s`` the l1 norm of the average and ``m`` its :func:`memory`,

        s (log(1 / min v(0)^2) + m - KL(average / s, v(0)^2)) / (2 C)    L = 2, penalty max g
        m r^L |w(T)|^{-(L-2)} / ((L-2) C)                                L > 2, :func:`penalties`.

    Parameters
    ----------
    run : Trajectory
    remembered : numpy.ndarray, shape (T,), optional
        To be taken for the memory of the run.

    Returns
    -------
    numpy.ndarray, shape (T,)
    """
    clock, L, log_r = _clock(run)[:, 0], run.flow.depth, np.log(run.radius_path)
    m = memory(run) if remembered is None else remembered
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if L > 2:
            return m * np.exp(L * log_r - (L - 2) * _log_length(run)) / ((L - 2) * clock)
        average, log_v0 = np.asarray(run.average), np.log(run.initial / run.radius_path[0])
        gained = -2 * log_v0.min() - _relative_entropy(average, log_v0)
        return average.sum(axis=1) * (gained + m) / (2 * clock)


def relative_excess(run: Trajectory) -> Floats:
    """Bound by which share ``max g`` exceeds the penalty at recorded times, depth 2.

    ``log(1 / min v(0)^2) / log(|w(T)|^2 / |w(0)|^2)``; for weight normalization the denominator is
    ``(R - R_0) / ratio``.

    Parameters
    ----------
    run : Trajectory

    Returns
    -------
    numpy.ndarray, shape (T,)
        Not positive, and no bound, where the weights are no longer than at the start.
    """
    _clock(run)
    growth = _log_length(run)
    uneven = -np.log(run.initial.min() / np.linalg.norm(run.initial))
    with np.errstate(divide="ignore"):
        return uneven / (growth - growth[0])


def _relative_entropy(average: Floats, log_v: Floats) -> Floats:
    """Return ``KL(average / s, v^2)`` at each time; infinite where ``v`` lacks an entry."""
    p = average / average.sum(axis=1, keepdims=True)
    return np.sum(p * (np.log(p) - 2 * log_v), axis=1, where=p > 0)


def _clock(run: Trajectory) -> Floats:
    """Return the integral of the clock, a column."""
    clock = check_trajectory(run).clock_path
    if clock is None:
        raise ValueError(
            "run knows no average: make it with integrate(..., average=True), whose average and "
            "clock_path this needs"
        )
    return clock[:, None]


def _log_length(run: Trajectory) -> Floats:
    """Return ``log |w|``, over that of the start unless the flow is plain: the clock's unit."""
    log_w = np.log(run.radius_path) + run.flow.log_kappa(run.radius_path)
    return log_w if run.flow.motion is PlainFlow else log_w - log_w[0]


def _log_lift(run: Trajectory) -> Floats:
    """Return ``log w`` in the same unit."""
    with np.errstate(divide="ignore"):
        log_x = np.log(run.path)
    return log_x + (_log_length(run) - np.log(run.radius_path))[:, None]
