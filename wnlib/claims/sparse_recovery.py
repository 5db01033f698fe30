"""Claims of the chapter on sparse recovery."""

import numpy as np
from scipy.optimize import linprog

from wnlib.claims.common import PROGRAM, plain
from wnlib.ledger import Claim, Part, always
from wnlib.results import Status

MARGIN = 0.02  # how strictly the hypotheses of uniqueness hold, or the tolerance of HiGHS drowns it


def _certificate(instance, dual):
    """Largest violation of: ``dual`` is feasible, its value is the norm, no solution is shorter."""
    problem, solution = instance.problem, instance.min_l1
    slope = problem.network_matrix.T @ dual
    gap = abs(problem.b @ dual / solution.norm - 1)
    others = [problem.signal]
    if instance.limit.status is Status.CONVERGED:
        others.append(instance.limit.effective)
    shorter = max(1 - np.abs(z).sum() / solution.norm for z in others)
    return max(slope.max() - 1, solution.residual, gap, shorter)


def _is_strict(instance):
    """Tell whether some dual is below 1 off the support, whose columns are independent."""
    proof = instance.min_l1.strictest()
    return proof.status is Status.CONVERGED and proof.margin > MARGIN


def _width(instance):
    """Extent of the set of minimizers in a random direction, relative to the norm."""
    problem, Q = instance.problem, instance.min_l1.norm
    A = np.vstack([problem.network_matrix, np.ones(problem.n_weights)])
    direction = np.random.default_rng(0).normal(size=problem.n_weights)
    ends = [
        linprog(sign * direction, A_ub=A[-1:], b_ub=[Q * (1 + 1e-9)], A_eq=A[:-1], b_eq=problem.b)
        for sign in (1, -1)
    ]
    if any(end.status != 0 for end in ends):
        return None
    return np.linalg.norm(ends[0].x - ends[1].x) / Q


CLAIMS = (
    Claim(
        label="prop-lp-certificate",
        statement="A dual vector y with A^T y <= 1 and b^T y = |z|_1 proves that z has the "
        "smallest l1 norm; z is the only such point if A^T y < 1 off its support, on which the "
        "columns of A are independent.",
        sample=plain,
        parts=(
            Part(
                name="optimality",
                kind="exact",
                measured="largest violation of feasibility and of equality, or of |z|_1 <= "
                "|other|_1, relative",
                threshold=1e-6,
                reason=PROGRAM,
                measure=lambda i: _certificate(i, i.min_l1.dual),
                twin="the signs of y are reversed",
                measure_twin=lambda i: _certificate(i, -i.min_l1.dual),
            ),
            Part(
                name="uniqueness",
                kind="upper",
                measured="distance between two minimizers far apart in a random direction, over Q",
                threshold=1e-4,
                reason=PROGRAM + ", times at most a hundred: the hypotheses hold by a margin",
                applies=_is_strict,
                measure=_width,
                twin="without its two hypotheses",
                measure_twin=_width,
                twin_applies=always,
            ),
        ),
    ),
)
