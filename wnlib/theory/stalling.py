"""The largest start of weight normalization that stalls, by a formula: to leading order.

A stall is a squared radius that tends to zero, although ``b`` is not zero. For a proof that a start
does not stall see :func:`wnlib.rules_out_stall`; :func:`wnlib.stalls` decides. Both stand in
:mod:`wnlib.roads._stalling`.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from wnlib._types import Floats
from wnlib.flows import WeightNormFlow, check_weight_norm, shift
from wnlib.problems import Problem, check_weights


def predicted_stall(flow: WeightNormFlow, problem: Problem, v0: ArrayLike) -> float:
    r"""Return the largest squared radius from which the flow stalls, to leading order.

    While ``A x^L`` is small beside ``b``, the lift of the direction moves along a fixed curve,

        w_n(tau)^{-(L-2)} = v_{0,n}^{-(L-2)} - (L-2) tau (A^T b)_n
        (L = 2:  log w_n = log v_{0,n} + tau (A^T b)_n),

    and the squared radius is ``R_0 + ratio log |w(tau)|^2``: it vanishes on the way if ``R_0`` is
    below ``ratio m``, where ``m = -min log |w(tau)|^2``. With one measurement this is exact.

    Parameters
    ----------
    flow : WeightNormFlow
    problem : Problem
    v0 : array_like, shape (n_weights,)
        Positive initial weights; only their direction matters.

    Returns
    -------
    float
        ``ratio m``; 0 if ``<A^T b, v_0^L> >= 0``: a small radius then grows at once.

    Raises
    ------
    TypeError
        If the flow is not weight normalization.
    ValueError
        If ``v0`` does not fit or is not positive, or ``A^T b`` has no positive entry, so that
        ``A z = b`` has no solution ``z >= 0`` but for ``b = 0``.
    """
    L, ratio = check_weight_norm(flow).depth, flow.ratio
    v0 = check_weights(problem, v0, "v0")
    if v0.ndim != 1:
        raise ValueError(f"v0 must be one direction; got shape {v0.shape}: call it once per row")
    pull = problem.b @ problem.network_matrix
    if not (up := pull > 0).any():
        raise ValueError("A^T b has no positive entry: A z = b has no solution z >= 0, or b = 0")
    pull = pull / np.abs(pull).max()  # the unit of tau does not matter
    log_v = np.log(v0)
    log_v = log_v - np.logaddexp.reduce(2 * log_v) / 2

    def log_lift(tau: float) -> Floats:
        return shift(log_v, -tau * pull, L - 2)

    def slope(tau: float) -> float:  # of log |w|^2, up to a positive factor
        log_w = log_lift(tau)
        return float(np.exp(L * (log_w - log_w.max())) @ pull)

    if slope(0.0) >= 0:
        return 0.0
    # where an entry of w has grown to 1 the norm is at least that at the start: past the minimum
    rise = -log_v[up] if L == 2 else np.expm1((2 - L) * log_v[up]) / (L - 2)
    end = np.min(rise / pull[up])
    tau = brentq(slope, 0.0, end, xtol=1e-15 * end, rtol=1e-14) if slope(end) > 0 else end
    return -ratio * float(np.logaddexp.reduce(2 * log_lift(tau)))
