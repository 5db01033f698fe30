r"""Approximate message passing: the sparse solution of random measurements in a few dozen products.

Thresholding in which a term of Onsager's keeps the errors like fresh noise (Donoho, Maleki and
Montanari, PNAS 106, 2009). For random matrices it converges where l1 recovers; for others it may
diverge, which costs little and is seen. What it finds are guesses, to be proven.
"""

from collections.abc import Iterator

import numpy as np

from wnlib._types import Floats, Integers
from wnlib.l1._operators import LAST, Operator

FAST, FAR = (0.5, 0.1), (0.8, 0.5)  # share of M that passes the threshold; least progress
WINDOW = 15  # iterations in which the residual shrinks by that factor
MAX_ITERATIONS = 300
FIRST, EVERY = 1e-6, 1e-2  # relative residuals at which supports are guessed
ABOVE_NOISE = 2.0  # standard deviations of its error above which an entry is taken for real
LOST = 1e3  # relative residual from where it has diverged


def guesses(matrix: Operator, b: Floats, signed: bool) -> Iterator[tuple[int, Floats, Integers]]:
    """Yield the iteration, the point and its likely support, again where the residual is smaller.

    Half as many entries as measurements pass the threshold while that leads on quickly; then four
    fifths, which is slower and leads on nearly as far as l1 recovers.
    """
    z, message, (share, progress) = np.zeros(matrix.N), b, FAST
    residuals, wanted = [float(np.linalg.norm(b))], FIRST * float(np.linalg.norm(b))
    for iteration in range(1, MAX_ITERATIONS + 1):
        z = z + matrix.adjoint(message)
        z = shrunk(z, _threshold(z, min(int(share * matrix.M), matrix.N - 1), signed), signed)
        noise = float(np.linalg.norm(message)) / np.sqrt(matrix.M)
        left = b - matrix.times(z)
        message = left + message * (np.count_nonzero(z) / matrix.M)
        residuals.append(float(np.linalg.norm(left)))
        if not residuals[-1] < LOST * residuals[0]:
            return
        stuck = len(residuals) > WINDOW and residuals[-1] > progress * residuals[-1 - WINDOW]
        if residuals[-1] <= wanted or (stuck and share == FAR[0]):
            yield iteration, z, np.flatnonzero(np.abs(z) > ABOVE_NOISE * noise)
            wanted = residuals[-1] * EVERY
        if stuck and share == FAR[0]:
            return
        if stuck:
            (share, progress), residuals = FAR, [residuals[0], residuals[-1]]


def _threshold(z: Floats, rank: int, signed: bool) -> float:
    """Return the height that ``rank`` entries exceed."""
    height = np.abs(z) if signed else z
    return max(0.0, float(np.partition(height, -rank - 1)[-rank - 1]))


def dual(
    matrix: Operator, on: Integers, signs: Floats, signed: bool
) -> tuple[Floats, Integers | None]:
    """Return about the shortest ``y`` with ``A^T y`` the signs on the support and feasible off it.

    The same iteration, for the problem that this is dual to: off the support the threshold is 1;
    on it, where entries are taken for infinite, their sign is subtracted.

    Returns
    -------
    y : numpy.ndarray, shape (M,)
        The best that was seen.
    active : numpy.ndarray of int, or None
        If it did not converge, but keeps exchanging a few: the constraints that seem active.
    """
    z, y, errors = np.zeros(matrix.N), np.zeros(matrix.M), [np.inf]
    best, active = y, on
    for _ in range(MAX_ITERATIONS):
        correlations = matrix.adjoint(y)
        height = np.abs(correlations) if signed else correlations
        error = max(float(height.max()) - 1, float(np.abs(correlations[on] - signs).max()))
        if error < min(errors):
            best, active = y, np.flatnonzero(z)
        errors.append(error)
        stuck = len(errors) > WINDOW + 1 and error > FAR[1] * errors[-1 - WINDOW]
        if error <= LAST or stuck:
            break
        z += correlations
        inside = z[on] - signs
        z = shrunk(z, 1.0, signed)
        z[on] = inside
        y = y * (np.count_nonzero(z) / matrix.M) - matrix.times(z)
    return best, None if min(errors) <= LAST else np.setdiff1d(active, on)


def shrunk(z: Floats, threshold: float, signed: bool) -> Floats:
    """Return ``z``, each entry moved towards zero by the threshold, or to it."""
    return z - np.clip(z, -threshold if signed else -np.inf, threshold)
