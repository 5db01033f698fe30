"""Claims of the chapter on sparse recovery."""

from wnlib.claims.claim import Claim, plain


def _certificate(instance, dual):
    """Largest violation of: ``dual`` is feasible, its value is the norm, no solution is shorter."""
    problem, solution = instance.problem, instance.min_l1
    slope = problem.network_matrix.T @ dual
    gap = abs(problem.b @ dual / solution.norm - 1)
    others = (instance.limit.effective, problem.signal)
    shorter = max(-instance.excess(z) for z in others)
    return max(slope.max() - 1, solution.residual, gap, shorter)


CLAIMS = (
    Claim(
        label="prop-lp-certificate",
        statement="A dual vector y with A^T y <= 1 and b^T y = |z|_1 proves that z has the "
        "smallest l1 norm.",
        kind="exact",
        measured="largest violation of feasibility and of equality, or of |z|_1 <= |other|_1, "
        "relative",
        threshold=1e-7,
        reason="the feasibility tolerance of HiGHS",
        sample=plain,
        measure=lambda i: _certificate(i, i.min_l1.dual),
        twin="the signs of y are reversed",
        measure_twin=lambda i: _certificate(i, -i.min_l1.dual),
    ),
)
