"""What both limits approach: the smallest l1 norm of a solution, by linear programming."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog, nnls

from wnlib.problems import Problem, check_problem, readonly


@dataclass(frozen=True, eq=False)
class MinL1:
    """A point of smallest l1 norm with its dual certificate.

    Attributes
    ----------
    problem : Problem
    z : numpy.ndarray, shape (n_features,)
        A minimizer of ``|z|_1`` subject to ``A z = b`` (and ``z >= 0`` unless signed).
    dual : numpy.ndarray, shape (n_measurements,)
        Multipliers ``y`` scaled so that ``A^T y <= 1`` (``|A^T y| <= 1`` if signed): whatever
        ``z`` is, ``b @ y <= |z|_1`` for each admissible one.
    """

    problem: Problem
    z: np.ndarray
    dual: np.ndarray

    def __post_init__(self):
        """Copy and freeze the arrays."""
        object.__setattr__(self, "z", readonly(self.z))
        object.__setattr__(self, "dual", readonly(self.dual))

    @property
    def norm(self):
        """``|z|_1``, the theory's Q."""
        return np.abs(self.z).sum()

    @property
    def gap(self):
        """Duality gap ``|z|_1 - b @ dual`` relative to the norm: certifies the norm."""
        return (self.norm - self.problem.b @ self.dual) / (self.norm or 1.0)

    @property
    def residual(self):
        """Relative residual ``|A z - b| / |b|``."""
        return self.problem.residual(self.z)


def min_l1(problem):
    """Solve ``min |z|_1`` subject to ``A z = b`` (``z >= 0`` unless signed) by HiGHS.

    Returns
    -------
    MinL1

    Raises
    ------
    ValueError
        If no admissible ``z`` solves ``A z = b``.
    RuntimeError
        If HiGHS gives up for another reason, which the message holds: ``A`` and ``b`` are then
        beyond its accuracy.
    """
    A, b = check_problem(problem).network_matrix, problem.b
    # The tolerances of HiGHS are absolute: measured in these units, A and b are of order one.
    unit_A, unit_b = (np.exp2(np.rint(np.log2(np.abs(y).max() or 1.0))) for y in (A, b))
    cost = np.ones(problem.n_weights)
    solution = linprog(cost, A_eq=A / unit_A, b_eq=b / unit_b, method="highs")
    if solution.status == 2:
        raise ValueError(_infeasible(problem, nnls(A / unit_A, b / unit_b)[1] * unit_b))
    if solution.status != 0:
        raise RuntimeError(f"the linear program failed: {solution.message}")
    z, dual = np.maximum(solution.x, 0) * (unit_b / unit_A), solution.eqlin.marginals / unit_A
    return MinL1(problem, problem.readout(z), dual / max(1.0, (A.T @ dual).max()))


def _infeasible(problem, misfit):
    nearest = np.linalg.lstsq(problem.A, problem.b)[0]
    if (outside := problem.residual(nearest)) > 1e-7:
        return (
            f"A z = b is not feasible: b is {outside:.1e} of its norm away from the range of A. "
            "Remove dependent rows, or replace b by its projection"
        )
    kind = "" if problem.signed else " with z >= 0"
    remedy = "" if problem.signed else ", or pass signed=True to admit any sign"
    share = misfit / np.linalg.norm(problem.b)
    return (
        f"A z = b{kind} is not feasible: the nearest A z misses b by {share:.1e} of its norm. "
        f"Check A and b{remedy}"
    )
