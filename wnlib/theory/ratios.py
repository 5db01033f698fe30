r"""Which ratio of the learning rates to take, if the time is given: depth 2.

A small ratio makes the end exact and the way there long. The length follows a logistic curve, so
the error on the support of the signal falls like ``(Q/R_0 - 1) exp(-2 ratio Q t / |y|^2)``
(:mod:`wnlib.theory.last_stretch`); off the support there is left, once the length has arrived,
about ``exp(-(Q - R_0) (1 - max f) / ratio)``. The best ratio makes the two exponents equal. Derived
formally: factors in front of the exponentials are left out, and the curve is not logistic from the
beginning.
"""

import numpy as np

from wnlib._checks import positive
from wnlib.problems import Problem, check_signal
from wnlib.theory.last_stretch import last_stretch


def exponents(problem: Problem, R0: float, ratio: float, t_end: float) -> tuple[float, float]:
    """Return the exponents of the error on the support and off it, after some time.

    Parameters
    ----------
    problem : Problem
        With a nonnegative signal, whose l1 norm is ``Q``.
    R0 : float
        Squared length of the start.
    ratio : float
    t_end : float
        The time: the number of steps times the step.

    Returns
    -------
    on, off : float
        The error is about ``exp(-on) + exp(-off)``. NaN where ``R0 >= Q``, or Fuchs' certificate of
        the signal is 1 or more off its support, or there is none.
    """
    last, Q = last_stretch(problem), check_signal(problem).sum()
    ratio, t_end, R0 = positive("ratio", ratio), positive("t_end", t_end), positive("R0", R0)
    if not (R0 < Q and last.max_f < 1):
        return np.nan, np.nan
    return last.rate(ratio) * t_end - np.log(Q / R0 - 1), (Q - R0) * (1 - last.max_f) / ratio


def best_ratio(problem: Problem, R0: float, t_end: float) -> float:
    """Return the ratio at which both :func:`exponents` are equal.

    The positive root of ``a ratio^2 - l ratio - c``, where ``a = 2 Q t_end / |y|^2``,
    ``l = log(Q/R_0 - 1)``, ``c = (Q - R_0) (1 - max f)``, and ``y`` is Fuchs' certificate.

    Parameters
    ----------
    problem, R0, t_end
        As for :func:`exponents`.

    Returns
    -------
    float
        NaN where these are.
    """
    on, c = exponents(problem, R0, 1.0, t_end)
    if np.isnan(c):
        return np.nan
    delay = np.log(check_signal(problem).sum() / R0 - 1)
    a = on + delay
    return float((delay + np.sqrt(delay**2 + 4 * a * c)) / (2 * a))
