r"""Rates that change in time: the magnification of a whole history, and what a warm-up can do.

While both rates are functions of time, ``psi(kappa^L x^L)`` still moves within the range of
``A^T`` only, if ``kappa`` is taken along:

    log rho = L log(r_0 / r) - L int eta_u <A^T e, x^L> dt,      e = A x^L - b

(``thm-schedules``). Where ``eta_r > 0``, ``-eta_u <A^T e, x^L> dt = (eta_u / eta_r) r dr``.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import quad

from wnlib._checks import finite, positive
from wnlib._types import Floats
from wnlib.flows import ScheduledFlow, check_depth
from wnlib.problems import Problem, check_weights
from wnlib.results import Trajectory, check_trajectory

NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(5)
# Ends of panels after each break, where what was fast has to settle again: eight a decade; and in
# all of them, since a weight that was tiny may come up within moments at any time.
GRADED = np.union1d(np.geomspace(1e-9, 1, 73), np.linspace(0.005, 1, 200))


def gauss_times(breaks: ArrayLike) -> tuple[Floats, Floats]:
    """Return times and weights of Gauss's rule from 0 to the last of some times.

    Parameters
    ----------
    breaks : array_like, shape (k,)
        Increasing positive times; between them, rates are smooth.

    Returns
    -------
    times : numpy.ndarray, shape (n,)
        Strictly between 0 and the last break: what ``integrate`` is to record.
    weights : numpy.ndarray, shape (n,)
    """
    breaks = finite("breaks", breaks, 1)
    if breaks[0] <= 0 or (np.diff(breaks) <= 0).any():
        raise ValueError("breaks must be positive times that increase")
    starts = np.append(0.0, breaks[:-1])[:, None]
    edges = np.append(0.0, starts + (breaks[:, None] - starts) * GRADED)
    half = np.diff(edges) / 2
    times = (edges[:-1] + half)[:, None] + half[:, None] * NODES
    return times.ravel(), (half[:, None] * NODE_WEIGHTS).ravel()


def log_rho(run: Trajectory, weights: ArrayLike) -> float:
    """Return ``log rho`` of a run with scheduled rates (``thm-schedules``).

    Parameters
    ----------
    run : Trajectory
        Of a :class:`~wnlib.flows.ScheduledFlow`, recorded at the times of :func:`gauss_times` and,
        as each run is, at its start and its end.
    weights : array_like, shape (n,)
        Of :func:`gauss_times`.

    Returns
    -------
    float
    """
    flow, problem, x = check_trajectory(run).flow, run.problem, run.path
    if not isinstance(flow, ScheduledFlow):
        raise TypeError(f"run must be one of a ScheduledFlow; got one of {flow!r}")
    weights = finite("weights", weights, 1)
    if x.ndim != 2:
        raise ValueError(f"run must follow one start, not {x.shape[1]}")
    if len(weights) != len(x) - 2:
        raise ValueError(
            f"run must be recorded at the {len(weights)} times of gauss_times, its start and its "
            f"end; it has {len(x)} times. If it ended early, give integrate more steps"
        )
    pull = np.vecdot(flow.misfit(problem, x), x**flow.depth @ problem.network_matrix.T)
    r = run.radius_path
    reached = weights.sum()
    if not np.isclose(weights @ run.times[1:-1], reached**2 / 2, rtol=1e-9):  # exact for Gauss's
        raise ValueError(
            "run must be recorded at the times of gauss_times that belong to these weights: "
            "integrate(..., times=times) for times, weights = gauss_times(breaks)"
        )
    eta_u = np.array([flow.rates_at(*point)[1] for point in zip(run.times, r, strict=True)])
    history = weights @ (eta_u * pull)[1:-1]
    return float(flow.depth * (np.log(r[0] / r[-1]) - history))


def _frozen(depth: float, problem: Problem, x0: ArrayLike) -> tuple[float, float, float, float]:
    """Return ``L``, ``r_0``, and p and a of ``r' = r^{L-1} (p - a r^L)``, the direction frozen."""
    depth, x0 = check_depth(depth), check_weights(problem, x0)
    if x0.ndim != 1:
        raise ValueError(f"x0 must be one start; got shape {x0.shape}: call it once per row")
    r0 = float(np.linalg.norm(x0))
    image = problem.network_matrix @ (x0 / r0) ** depth
    return depth, r0, float(image @ problem.b), float(image @ image)


def frozen_length(depth: float, problem: Problem, x0: ArrayLike) -> float:
    """Return the squared length to which a start moves while its direction is frozen.

    ``r_1^L = <b, A v_0^L>_+ / |A v_0^L|^2``; it is approached, and not reached (``prop-warm-up``).

    Parameters
    ----------
    depth : float
    problem : Problem
    x0 : array_like, shape (n_weights,)

    Returns
    -------
    float
        ``r_1^2``; if ``A v_0^L = 0``, where the length stays, ``r_0^2``.
    """
    depth, r0, p, a = _frozen(depth, problem, x0)
    return (max(p, 0.0) / a) ** (2 / depth) if a > 0 else r0**2


def warm_up_time(depth: float, problem: Problem, x0: ArrayLike, target: float) -> float:
    """Return when a frozen direction has the squared length ``target``, in units of ``eta_r = 1``.

    Parameters
    ----------
    depth : float
    problem : Problem
    x0 : array_like, shape (n_weights,)
    target : float
        A squared length.

    Returns
    -------
    float
        Infinite if it is never reached: if it is not between that of the start and
        :func:`frozen_length`.
    """
    L, r0, p, a = _frozen(depth, problem, x0)
    start, end = np.log(r0), np.log(positive("target", target)) / 2
    if start == end:
        return 0.0
    if not all((p - a * np.exp(L * s)) * (end - start) > 0 for s in (start, end)):
        return np.inf
    return float(quad(lambda s: np.exp((2 - L) * s) / (p - a * np.exp(L * s)), start, end)[0])
