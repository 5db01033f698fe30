"""Weight normalization in polar coordinates: how the length and the direction move."""

from wnlib._types import Floats
from wnlib.flows import WeightNormFlow
from wnlib.problems import Problem


def polar_velocity(
    flow: WeightNormFlow, problem: Problem, r: float, v: Floats
) -> tuple[float, Floats]:
    """Return ``(r', v')`` by the polar equations, whatever the norm of ``v``.

        r' = -ratio r^{L-1} <h, v^L>,    v' = -r^L h v^{L-1} - (r r' / ratio) v

    On the unit sphere they are the flow (``lem-polar-dynamics``); off it they are not, and lead
    away from it or back: see ``eq-sphere-instability``.

    Parameters
    ----------
    flow : WeightNormFlow
    problem : Problem
    r : float
    v : numpy.ndarray, shape (n_weights,)

    Returns
    -------
    dr : float
    dv : numpy.ndarray, shape (n_weights,)
    """
    L, h = flow.depth, flow.misfit(problem, r * v) @ problem.network_matrix
    dr = -flow.ratio * r ** (L - 1) * (h @ v**L)
    return dr, -(r**L) * h * v ** (L - 1) - r * dr / flow.ratio * v
