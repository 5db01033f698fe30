"""One measurement of two weights, the smallest example of the book: where its solutions lie."""

import numpy as np

from wnlib._types import Floats
from wnlib.problems import Problem


def solutions(problem: Problem, share: Floats) -> Floats:
    """Return solutions of one measurement of two weights, by their position on a segment.

    If both columns have the sign of ``b``, the segment is that of all nonnegative solutions, from
    ``(b / a_1, 0)`` to ``(0, b / a_2)``. If one has, these are a ray: the segment begins at its
    end, the shortest one, and positions beyond 1 are longer solutions.

    Parameters
    ----------
    problem : Problem
        Not signed.
    share : numpy.ndarray, shape (k,)
        Positions: 0 at the first end of the segment, 1 at the second.

    Returns
    -------
    numpy.ndarray, shape (k, 2)
        Of NaN if there is no nonnegative solution.
    """
    a, b = problem.A[0], problem.b[0]
    corners = [b / a[n] * np.eye(2)[n] for n in range(2) if a[n] * b > 0]
    if not corners:
        return np.full((len(share), 2), np.nan)
    along = np.abs(a[::-1]) / np.linalg.norm(a)  # in the kernel, if one column opposes the other
    first, last = corners if len(corners) == 2 else (corners[0], corners[0] + 2 * abs(b) * along)
    return first + share[:, None] * (last - first)
