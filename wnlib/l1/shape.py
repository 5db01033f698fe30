"""How uneven the weights of a norm may be before another solution becomes the shortest."""

import numpy as np

from wnlib.l1.certificates import ZERO, MinL1


def tolerated_unevenness(found: MinL1) -> float:
    """Return an ``H`` such that ``z`` minimizes all norms ``w @ z`` with ``max w < H min w``.

    ``H = (1 + eps) / (1 - eps)``, ``eps`` the least value over ``n`` off the support ``S`` of

        (1 - (A^T y)_n) / (1 + |A_S^+ a_n|_1),

    ``y`` the dual vector that is strictest off the support (``prop-shape-threshold``). If ``S`` has
    as many entries as ``A`` has rows, no larger ``H`` would do.

    Parameters
    ----------
    found : MinL1
        For a signed problem the weights are one for each sign, as in a flow.

    Returns
    -------
    float
        At least 1: then nothing is tolerated, or nothing known; infinite where no weights matter.
    """
    strict, problem = found.strictest(), found.problem
    A, on = problem.network_matrix, problem.split(found.z) > ZERO * np.abs(found.z).max()
    slack = 1 - A[:, ~on].T @ strict.dual
    if np.linalg.matrix_rank(A[:, on]) < on.sum():
        return 1.0
    if not slack.size:
        return np.inf
    reach = np.abs(np.linalg.lstsq(A[:, on], A[:, ~on])[0]).sum(axis=0)
    eps = max(float(np.min(slack / (1 + reach))), 0.0)
    return (1 + eps) / (1 - eps) if eps < 1 else np.inf
