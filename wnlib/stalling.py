"""Whether weight normalization stalls: its radius tends to zero, and its loss to that of zero."""

import numpy as np
from scipy.integrate import Radau
from scipy.optimize import minimize_scalar

from wnlib.charts import Chart, take_step
from wnlib.flows import WeightNormFlow, check_start
from wnlib.problems import count

MIN_RTOL, MAX_RTOL = 1e-8, 1e-2  # of a step
MAX_STEPS = 10_000  # of `limit`: some ten seconds on a small problem; hardly a start needs them


def stalls(flow, problem, x0, *, max_steps=MAX_STEPS):
    """Tell whether the radius of a weight-normalized flow tends to zero.

    Parameters
    ----------
    flow : PlainFlow or WeightNormFlow
    problem : Problem
    x0 : array_like, shape (n_weights,)
        Positive initial weights (one start).
    max_steps : int
        Budget of integration steps.

    Returns
    -------
    bool

    Raises
    ------
    ValueError, TypeError
        For arguments out of their range.
    RuntimeError
        If ``max_steps`` steps do not decide. :func:`wnlib.limit` names that MAX_STEPS.

    Notes
    -----
    The flow is followed in the clock of its mirror coordinates ``m``, where ``m' = A x^L - b``.
    This is the gradient flow of a convex function, continued by ``x = 0`` where the radius has
    vanished, so ``|A x^L - b|`` never grows. Once it is below ``|b|`` the radius cannot vanish any
    more; otherwise it vanishes at a finite time. A start with ``|A x0^L - b| < |b|`` is decided
    without a step.
    """
    x0 = check_start(flow, problem, x0)
    if x0.ndim != 1:
        raise ValueError("stalls decides for one start: call it once per row of x0")
    answer = vanishing(flow, problem, x0, count("max_steps", max_steps))
    if answer is None:
        raise RuntimeError(
            f"stalls is undecided after {max_steps} integration steps from x0: follow the flow "
            "itself by integrate(flow, problem, x0, t_end)"
        )
    return answer


def vanishing(flow, problem, x0, max_steps, candidates=()):
    """Return what :func:`stalls` does for a checked start, and None if undecided."""
    if not (isinstance(flow, WeightNormFlow) and problem.b.any()):
        return False  # the plain flow never does; for b = 0 a vanishing radius is convergence
    if _beats_zero(problem.network_matrix @ x0**flow.depth, problem.b):
        return False
    with np.errstate(all="ignore"):  # of trial points far off
        return _follow(flow, problem, x0, max_steps)


def _beats_zero(product, b):
    """Tell whether ``|product - b| < |b|``, also where rounding hides the difference."""
    return product @ (product - 2 * b) < 0


def _follow(flow, problem, x0, max_steps):
    chart, solver = _restart(flow, problem, np.log(x0))
    _set_tolerance(chart, solver)
    for _ in range(max_steps):
        before = solver.y
        take_step(solver)
        if not chart.holds(solver.y):
            chart, solver = _restart(flow, problem, chart.state(before)[0])
            _set_tolerance(chart, solver)
            continue
        if _beats_zero(chart.product(solver.y), chart.b):
            return _dips(chart, solver)
        if chart.squared_radius(solver.y) <= 0:
            return True
        if np.linalg.norm(chart.misfit(0, solver.y)) <= chart.product_rounding(1.0, solver.y):
            return False  # A x^L = b as far as floats can tell, at a positive radius
        if solver.status != "running":
            return None
        if chart.worn(solver.y, 1e-5):
            chart, solver = _restart(flow, problem, chart.state(solver.y)[0])
        _set_tolerance(chart, solver)
    return None


def _restart(flow, problem, log_x):
    """Return a chart around ``x`` and a solver in it, whose first step is a short one."""
    chart = Chart(flow, problem, log_x)
    start = np.zeros(len(chart.b))
    first_step = 0.1 * chart.unit / np.linalg.norm(chart.misfit(0, start))
    t_end = 1e30 * first_step  # never reached: long before, the chart is worn
    solver = Radau(
        chart.misfit, 0.0, start, t_end, first_step=first_step, jac=chart.misfit_jacobian
    )
    return chart, solver


def _set_tolerance(chart, solver):
    """Let a step move ``R = |x|^2`` by a share of 1e-5: an error d of log w moves it 2 ratio d.

    Errors do not grow: gradient flows of convex functions only come closer to one another.
    """
    share = 1e-5 * chart.squared_radius(solver.y) / chart.flow.ratio
    solver.rtol = min(MAX_RTOL, max(MIN_RTOL, share))
    solver.atol = max(solver.rtol * chart.unit, chart.product_rounding(solver.t, solver.y))


def _dips(chart, solver):
    """Tell whether the radius vanished within the last step.

    From a tiny start the path is straight and one step may cross the dip of the radius, which is a
    convex function on a straight path. Its slope has the sign of ``-<A x^L, A x^L - b>``: only the
    step that ends below the loss of zero can hold it.
    """
    path = solver.dense_output()
    dip = minimize_scalar(
        lambda t: chart.squared_radius(path(t)), bounds=(solver.t_old, solver.t), method="bounded"
    )
    return bool(dip.fun <= 0)
