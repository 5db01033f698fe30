"""Claims of the chapter on sparse recovery."""

import numpy as np
from scipy.optimize import linprog

from wnlib.claims.common import PROGRAM, plain
from wnlib.l1.certificates import MinL1
from wnlib.ledger import Claim, Part
from wnlib.problems import Problem
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


def _tight_on_signal(instance):
    """Return ``A^T y``, ``y`` the shortest with 1 on the support of the signal; and the latter."""
    on, matrix = instance.solution > 0, instance.problem.network_matrix
    return matrix.T @ np.linalg.lstsq(matrix[:, on].T, np.ones(on.sum()))[0], on


def _is_tight(instance):
    """Tell whether that slope is 1 on the support of the signal."""
    slope, on = _tight_on_signal(instance)
    return np.abs(slope[on] - 1).max() < 1e-9


def _proves_signal(instance):
    """Tell whether that slope is moreover at most 1 off it."""
    slope, on = _tight_on_signal(instance)
    return _is_tight(instance) and slope[~on].max() <= 1


def _value(instance, factor):
    """Discrepancy of ``b^T y`` from the norm of the signal, relative, for a multiple of that y."""
    slope, on = _tight_on_signal(instance)
    z = instance.solution  # b = A z, so b^T y = z^T A^T y
    return abs(factor * slope[on] @ z[on] / z.sum() - 1)


def _excess_of_signal(instance):
    """Return by how much the signal is longer than the shortest solution, over the latter."""
    return np.abs(instance.problem.signal).sum() / instance.min_l1.norm - 1


def _injective(matrix, on):
    """Tell whether the columns on a support are independent."""
    columns = matrix[:, on]
    smallest = np.linalg.svd(columns)[1].min() if on.sum() <= len(columns) else 0.0
    return smallest > MARGIN * np.linalg.norm(matrix, 2)


def _is_injective(instance):
    """Tell whether the columns on the support of a minimizer, a corner, are independent."""
    return _injective(instance.problem.A, instance.min_l1.support)


def _is_strict(instance):
    """Tell whether moreover some dual is below 1 off that support."""
    proof = instance.min_l1.strictest()
    return proof.status is Status.CONVERGED and proof.margin > MARGIN


def _between(instance):
    """Return the matrix, the slope of its strictest dual and the support of a minimizer.

    It lies between two far ones, with the two signs apart; None if these are not found.
    """
    if (ends := _far_minimizers(instance)) is None:
        return None
    z = np.mean(ends, axis=0)
    z[z < 1e-6 * z.max()] = 0  # the tolerance of HiGHS
    matrix, b = instance.problem.network_matrix, instance.problem.b
    proof = MinL1(Problem(matrix, b), z, instance.min_l1.dual).strictest()
    return matrix, matrix.T @ proof.dual, proof.support


def _is_strict_between(instance):
    """Tell whether the slope there is 1 on the support and below 1 off it."""
    if (found := _between(instance)) is None:
        return False
    _, slope, on = found
    return np.abs(slope[on] - 1).max() < 1e-6 and np.max(slope[~on], initial=0.0) < 1 - MARGIN


def _is_proved_between(instance):
    """Tell whether moreover the columns on the support are independent."""
    if not _is_strict_between(instance):
        return False
    matrix, _, on = _between(instance)
    return _injective(matrix, on)


def _far_minimizers(instance):
    """Return the two ends of the set of minimizers in a random direction, the signs apart."""
    problem, Q = instance.problem, instance.min_l1.norm
    A = np.vstack([problem.network_matrix, np.ones(problem.n_weights)])
    direction = np.random.default_rng(0).normal(size=problem.n_weights)
    ends = [
        linprog(sign * direction, A_ub=A[-1:], b_ub=[Q * (1 + 1e-9)], A_eq=A[:-1], b_eq=problem.b)
        for sign in (1, -1)
    ]
    return None if any(end.status != 0 for end in ends) else [end.x for end in ends]


def _width(instance):
    """Distance of these two ends, relative to the norm."""
    if (ends := _far_minimizers(instance)) is None:
        return None
    return np.linalg.norm(ends[0] - ends[1]) / instance.min_l1.norm


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
                name="value",
                kind="exact",
                measured="b^T y / |signal|_1 - 1, where A^T y is 1 on the support of the signal",
                threshold=1e-6,
                reason="lstsq, where its own residual is below 1e-9",
                applies=_is_tight,
                measure=lambda i: _value(i, 1.0),
                twin="A^T y may be below 1 on the support: here it is 1/2",
                measure_twin=lambda i: _value(i, 0.5),
            ),
            Part(
                name="feasibility",
                kind="upper",
                measured="excess of the signal over the least norm, relative, where A^T y is 1 on "
                "its support for the shortest such y, and at most 1 elsewhere",
                threshold=1e-6,
                reason=PROGRAM,
                applies=_proves_signal,
                measure=_excess_of_signal,
                twin="A^T y may exceed 1 off the support",
                measure_twin=_excess_of_signal,
                twin_applies=_is_tight,
            ),
            Part(
                name="uniqueness",
                kind="upper",
                measured="distance between two minimizers far apart in a random direction, over Q",
                threshold=1e-4,
                reason=PROGRAM + ", times at most a hundred: the hypotheses hold by a margin",
                applies=_is_strict,
                measure=_width,
                twin="A^T y may be 1 off the support",
                measure_twin=_width,
                twin_applies=_is_injective,
            ),
            Part(
                name="independence",
                kind="upper",
                measured="the same, where a point between these two meets both hypotheses",
                threshold=1e-4,
                reason=PROGRAM + ", times at most a hundred: the hypotheses hold by a margin",
                applies=_is_proved_between,
                measure=_width,
                twin="the columns on the support may depend",
                measure_twin=_width,
                twin_applies=_is_strict_between,
            ),
        ),
    ),
)
