"""What both limits approach: the smallest l1 norm of a solution, by linear programming.

HiGHS works to absolute tolerances of 1e-7, and takes entries below 1e-9 for zero. So rows and
columns are brought to one size first, by powers of two, which round nothing. What the tolerances
leave is solved for again, magnified (iterative refinement: Gleixner, Steffy and Wolter, INFORMS
J. Computing 28, 2016). Neither is trusted: gap and backward error are computed from what is
returned, and its status says whether they certify it.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog, nnls

from wnlib._checks import finite
from wnlib._types import Floats, Values
from wnlib.l1.certificates import CERTIFIED, LONG, MinL1
from wnlib.problems import Problem, check_problem
from wnlib.results import Status

ENOUGH = 0.5  # of what certifies: the next round takes as long as this one
MAX_PIVOTS = 100  # per row and column: HiGHS may cycle for ever; ordinary programs need 0.4
ROUNDS = 3  # each gains some six digits, of sixteen; more change no verdict
FAR = 1e6  # magnified costs and bounds beyond are out of reach; HiGHS fails on those of 1e10
METHODS = ("highs", "highs-ipm")  # the second where the first certifies nothing


def min_l1(problem: Problem) -> MinL1:
    """Solve ``min |z|_1`` subject to ``A z = b`` (``z >= 0`` unless signed) by HiGHS.

    Returns
    -------
    MinL1
        Its ``status`` is CONVERGED if gap and backward error certify it. Look at it before taking
        ``norm`` for the smallest one: where columns of ``A`` differ by eight orders of magnitude
        and more, no certificate may exist in floats, and the status is UNFINISHED.

    Raises
    ------
    ValueError
        If no admissible ``z`` solves ``A z = b``.
    RuntimeError
        If HiGHS finds no point at all, for a reason that the message holds.
    """
    program = _Program(check_problem(problem))
    best = None
    for method in METHODS:
        found, message = program.solve(method)
        if found is None and program.is_infeasible():
            raise ValueError(program.why_infeasible())
        if found is not None and (best is None or found.doubt < best.doubt):
            best = found
        if best is not None and best.status is Status.CONVERGED:
            return best
    if best is None:
        raise RuntimeError(f"the linear program failed: {message}")
    return best


def shortest(problem: Problem, weights: ArrayLike) -> Floats:
    """Return the nonnegative solution of smallest weighted l1 norm ``weights @ z``.

    Parameters
    ----------
    problem : Problem
    weights : array_like, shape (n_weights,)
        Positive; ones for the l1 norm.

    Returns
    -------
    numpy.ndarray, shape (n_weights,)
        Effective weights, the two signs apart if the problem is signed: what HiGHS finds for the
        program in ``weights * z``, at its accuracy.

    Raises
    ------
    ValueError, TypeError
        If ``weights`` do not fit or are not positive, or there is no solution.
    RuntimeError
        As :func:`min_l1`.
    """
    weights = finite("weights", weights, 1)
    if len(weights) != check_problem(problem).n_weights:
        raise ValueError(
            f"weights must be {problem.n_weights}, one for each trained weight; got {len(weights)}"
        )
    if not (weights > 0).all():
        raise ValueError("weights must be positive: without a price an entry may grow for nothing")
    return min_l1(Problem(problem.network_matrix / weights, problem.b)).z / weights


class _Program:
    """``min cost @ x`` subject to ``S x = rhs``, ``x >= 0``, all of order one.

    ``S`` is the network matrix times ``rows`` and ``columns``; ``z = columns * x``, in units.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        A = problem.network_matrix
        self.rows, self.columns = _equilibrate(np.abs(A))
        self.S, self.rhs = A * self.rows[:, None] * self.columns, problem.b * self.rows
        self.unit, self.cost_unit = (power_of_two(y.max()) for y in (abs(self.rhs), self.columns))
        self.rhs, self.cost = self.rhs / self.unit, self.columns / self.cost_unit
        self.long_S = self.S.astype(LONG)

    def solve(self, method: str) -> tuple[MinL1 | None, str]:
        """Return the best of a few refinements and what the solver said last."""
        best, primal, dual = None, 1.0, 1.0  # magnifications
        x, y = np.zeros(self.S.shape[1]), np.zeros(len(self.S))
        left, slack = self.left_over(x, y)
        for _ in range(ROUNDS):
            step = linprog(
                np.minimum(dual * slack, FAR),
                A_eq=self.S,
                b_eq=primal * left,
                bounds=np.stack([-np.minimum(primal * x, FAR), np.full(len(x), np.inf)], axis=1),
                method=method,
                options={"maxiter": MAX_PIVOTS * sum(self.S.shape)},
            )
            if step.status != 0:
                return best, step.message
            x, y = np.maximum(x + step.x / primal, 0), y + step.eqlin.marginals / dual
            found = self.answer(x, y)
            best = found if best is None or found.doubt < best.doubt else best
            if best.doubt <= ENOUGH:
                break
            left, slack = self.left_over(x, y)
            primal = _magnification(np.abs(left).max())
            dual = _magnification(max(-slack.min(), abs(slack @ x) / (self.cost @ x)))
        return best, step.message

    def left_over(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return what ``x`` and ``y`` leave of the right side and of the cost."""
        left, slack = self.rhs - self.long_S @ x, self.cost - self.long_S.T @ y
        return left.astype(float), slack.astype(float)

    def answer(self, x: Floats, y: Floats) -> MinL1:
        """Return a solution in the units of the problem, its dual admissible."""
        excess = (self.long_S.T @ y / self.cost).max()  # of A^T dual, in the units of the problem
        dual = y * self.rows * self.cost_unit / max(1.0, float(excess))
        return MinL1(self.problem, self.problem.readout(x * self.columns * self.unit), dual)

    def is_infeasible(self) -> bool:
        """Tell whether no ``x >= 0`` comes near to a solution."""
        return self.miss() > CERTIFIED

    def miss(self) -> float:
        """Return how far ``b`` is from all ``A z``, relative, the rows brought to one size."""
        return nnls(self.S, self.rhs)[1] / (np.linalg.norm(self.rhs) or 1.0)

    def why_infeasible(self) -> str:
        """Return what to say."""
        nearest = np.linalg.lstsq(self.S, self.rhs)[0]
        outside = np.linalg.norm(self.S @ nearest - self.rhs) / np.linalg.norm(self.rhs)
        if outside > CERTIFIED:
            return (
                f"A z = b is not feasible: b is {outside:.1e} of its norm away from the range of "
                "A. Remove dependent rows, or replace b by its projection"
            )
        kind = "" if self.problem.signed else " with z >= 0"
        remedy = "" if self.problem.signed else ", or pass signed=True to admit any sign"
        return (
            f"A z = b{kind} is not feasible: the nearest A z misses b by {self.miss():.1e} of its "
            f"norm. Check A and b{remedy}"
        )


def power_of_two(values: Values) -> Any:
    """Return the power of two nearest to each positive value, and 1 for zeros."""
    return np.exp2(np.rint(np.log2(np.where(values > 0, values, 1.0))))


def _equilibrate(sizes: Floats) -> tuple[Floats, Floats]:
    """Return factors that bring the largest entry of each row to about one, then of each column."""
    rows = 1 / power_of_two(sizes.max(axis=1))
    return rows, 1 / power_of_two((sizes * rows[:, None]).max(axis=0))


def _magnification(violation: float) -> Any:
    """Return by how much to magnify what a round has left, to be of order one."""
    return power_of_two(1 / max(violation, 1e-30))
