r"""How fast the residual of a flow vanishes: exponentially, or by a power law that is known.

Which of the two is decided by the measurements alone. If some solution is positive in every entry,
so is the limit, and ``|e|`` falls like ``exp(-lambda t)``, ``lambda`` the smallest eigenvalue of

    K = L A B(z) A^T        on the range of A, at the limit z.

If not, the entries off the *largest support* vanish in every solution, and in the limit. Then

    |e| ~ ((2L - 2) eta_u r^2 t)^{-L/(2L - 2)} margin^{-1/(L - 1)}

(``eta_u r^2 = 1`` for the plain flow), with a margin that depends on the matrix and that support.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import null_space, orth
from scipy.optimize import linprog, nnls

from wnlib._checks import positive, positive_entries
from wnlib._types import Floats, Truths
from wnlib.flows import (
    Flow,
    PlainFlow,
    WeightNormFlow,
    check_depth,
    check_flow,
    log_sum,
    normalizes,
    squared_radius,
)
from wnlib.problems import Problem, check_problem

HALF = 0.5  # entries that can be positive come out as 1 of the linear program, others as 0
MAX_NEWTON = 100  # steps; 4 are common, and 40 the most that was seen


def decay_power(depth: float) -> float:
    """Return ``L / (2 (L - 1))``: ``|e|`` falls like ``t`` to minus this power (prop-power-law).

    Parameters
    ----------
    depth : float
    """
    depth = check_depth(depth)
    return depth / (2 * (depth - 1))


def largest_support(problem: Problem) -> Truths:
    """Return which entries are positive in some nonnegative solution (lem-largest-support).

    It is the support of the limit of both flows, from any start, at any depth, unless weight
    normalization stalls. One linear program finds it: the sum of ``min(1, z_n)`` is maximized over
    all multiples of solutions.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    numpy.ndarray of bool, shape (n_weights,)
        All True for a signed problem that has a solution.

    Raises
    ------
    ValueError
        If no nonnegative solution exists.
    """
    A, N = check_problem(problem).network_matrix, problem.n_weights
    # the variables are z = s + capped, capped <= 1, and the multiple, at least 1
    answer = linprog(
        np.concatenate([np.zeros(N), -np.ones(N), [0.0]]),
        A_eq=np.column_stack([A, A, -problem.b]),
        b_eq=np.zeros(len(A)),
        bounds=[(0, None)] * N + [(0, 1)] * N + [(1, None)],
    )
    if answer.status != 0:
        raise ValueError(f"problem has no nonnegative solution: {answer.message}")
    return answer.x[N:-1] > HALF


def residual_rates(flow: Flow, problem: Problem, stacked: ArrayLike) -> Floats:
    """Return the rates at which the residual decays near a positive limit (prop-exponential).

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    problem : Problem
    stacked : array_like, shape (n_weights,)
        The positive effective weights of the limit.

    Returns
    -------
    numpy.ndarray, shape (rank,)
        The positive eigenvalues of ``K = L A B A^T``, ascending.
    """
    A, stacked = _matrix_and_limit(flow, problem, stacked)
    rows = orth(A).T @ A
    return np.linalg.eigvalsh(flow.depth * rows @ flow.metric(stacked) @ rows.T)


def rate_lower_bound(flow: Flow, problem: Problem, stacked: ArrayLike) -> float:
    """Return ``L min(eta_r, eta_u r^2) min z^{2-2/L} sigma(A)^2``, at most the smallest rate.

    ``sigma(A)`` is the smallest positive singular value; for the plain flow read 1 for the first
    minimum.

    Parameters
    ----------
    flow, problem, stacked
        As for :func:`residual_rates`.
    """
    flow, (A, stacked) = _check_proved(flow), _matrix_and_limit(flow, problem, stacked)
    sigma = np.linalg.svd(orth(A).T @ A, compute_uv=False)[-1]
    L = flow.depth
    slower = min(flow.ratio, squared_radius(stacked, L)) if normalizes(flow) else 1.0
    return float(L * slower * stacked.min() ** (2 - 2 / L) * sigma**2)


def _check_proved(flow: Flow) -> Flow:
    """Raise ``TypeError`` unless a flow is one of the two that the chapter speaks of."""
    if check_flow(flow).motion not in (PlainFlow, WeightNormFlow):
        raise TypeError(f"flow must be a PlainFlow or a WeightNormFlow; got {flow!r}")
    return flow


def _matrix_and_limit(flow: Flow, problem: Problem, stacked: ArrayLike) -> tuple[Floats, Floats]:
    check_flow(flow)
    A, stacked = check_problem(problem).network_matrix, positive_entries("stacked", stacked, 1)
    if len(stacked) != problem.n_weights:
        raise ValueError(f"stacked must have {problem.n_weights} entries; got {len(stacked)}")
    return A, stacked


def missing_directions(problem: Problem, support: ArrayLike) -> Floats:
    """Return an orthonormal basis of what the columns off a support add to the range of ``A``.

    Parameters
    ----------
    problem : Problem
    support : array_like of bool, shape (n_weights,)
        As :func:`largest_support` returns it.

    Returns
    -------
    numpy.ndarray, shape (n_measurements, d)
        ``d`` is the rank of ``A`` less that of its columns on the support.
    """
    A, support = check_problem(problem).network_matrix, np.asarray(support, dtype=bool)
    if support.shape != (problem.n_weights,):
        raise ValueError(f"support must have shape {(problem.n_weights,)}; got {support.shape}")
    span = orth(A)
    return span @ null_space((span.T @ A[:, support]).T)


def margin(problem: Problem, depth: float, support: ArrayLike | None = None) -> float:
    r"""Return the margin that sets the constant of the power law.

    With ``q = 2 / (L - 2)`` it is the maximum of ``(sum_n <A_n, y>^{-q})^{-1/q}``, ``n`` off the
    support, over unit vectors ``y`` among the :func:`missing_directions` with all ``<A_n, y> > 0``.
    For depth 2, of ``min_n <A_n, y>``: the margin of a separating hyperplane.

    Parameters
    ----------
    problem : Problem
    depth : float
    support : array_like of bool, shape (n_weights,), optional
        By default :func:`largest_support`.

    Returns
    -------
    float
        Infinite if the support is everything.
    """
    depth = check_depth(depth)
    support = largest_support(problem) if support is None else np.asarray(support, dtype=bool)
    basis = missing_directions(problem, support)
    columns = problem.network_matrix[:, ~support].T @ basis
    if len(columns) == 0:
        return np.inf
    # the point of the convex hull of the columns that is nearest to 0
    hull = np.vstack([columns.T, np.ones(len(columns))])
    share = nnls(hull, np.append(np.zeros(columns.shape[1]), 1.0))[0]
    nearest = share / share.sum() @ columns
    if not (columns @ nearest > 0).all():
        raise ValueError("support is not the largest one of a solution: no margin separates it")
    if depth == 2:
        return float(np.linalg.norm(nearest))
    q = 2 / (depth - 2)
    return float(np.exp(-_cost(columns, _steepest(columns, nearest, q), q)))


def _cost(columns: Floats, y: Floats, q: float) -> float:
    """Return ``log(sum (a_n y)^{-q}) / q``; infinite where some ``a_n y`` is not positive."""
    dots = columns @ y
    return float(log_sum(-q * np.log(dots)) / q) if (dots > 0).all() else np.inf


def _steepest(columns: Floats, y: Floats, q: float) -> Floats:
    """Minimize ``log(sum (a_n y)^{-q}) / q + |y|^2 / 2``, convex, by damped Newton steps.

    The minimum has length 1, for along a ray this is ``|y|^2 / 2 - log |y|`` and a constant.
    """

    def value(y: Floats) -> float:
        return _cost(columns, y, q) + float(y @ y) / 2

    y = y / np.linalg.norm(y)
    for _ in range(MAX_NEWTON):
        dots = columns @ y
        share = (dots / dots.min()) ** -q
        pull = columns / dots[:, None]
        mean = share @ pull / share.sum()
        second = (pull * (share / share.sum())[:, None]).T @ pull
        hessian = (1 + q) * second - q * np.outer(mean, mean) + np.eye(len(y))
        step, size = np.linalg.solve(hessian, mean - y), 1.0
        while value(y + size * step) > value(y) and size > 1e-6:  # below, rounding is to blame
            size /= 2
        y = y + size * step
        if np.linalg.norm(step) < 1e-10:  # one more would be 1e-20
            break
    return y


def power_law_constant(
    flow: Flow,
    problem: Problem,
    radius: float | None = None,
    support: ArrayLike | None = None,
) -> float:
    """Return ``C`` with ``|e| ~ C t^{-p}``, ``p`` the :func:`decay_power` (prop-power-law).

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    problem : Problem
        Whose solutions all have a zero in common.
    radius : float, optional
        The length ``|x|`` in the limit; of no account for the plain flow.
    support : array_like of bool, optional
        By default :func:`largest_support`.

    Returns
    -------
    float
        0 if some solution is positive: the decay is exponential.
    """
    L, speed = _check_proved(flow).depth, 1.0
    if normalizes(flow):
        if radius is None:
            raise TypeError("radius is missing: the length |x| in the limit of this flow")
        speed = positive("radius", radius) ** 2
    units = ((2 * L - 2) * speed) ** -decay_power(L)
    return float(units * margin(problem, L, support) ** (-1 / (L - 1)))
