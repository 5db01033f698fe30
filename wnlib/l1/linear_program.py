"""What both limits approach: the smallest l1 norm of a solution, by linear programming.

HiGHS works to absolute tolerances of 1e-7, and takes entries below 1e-9 for zero. So rows and
columns are brought to one size first, by powers of two, which round nothing. What the tolerances
leave is solved for again, magnified (iterative refinement: Gleixner, Steffy and Wolter, INFORMS
J. Computing 28, 2016). Neither is trusted: gap and backward error are computed from what is
returned, and its status says whether they certify it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog, nnls

from wnlib._checks import readonly
from wnlib.problems import Problem, check_problem
from wnlib.results import Status

CERTIFIED = 1e-9  # relative gap; that of a good answer is 1e-10 to 1e-16
ROUNDING = 2e-15  # as near to solving A z = b as floats come: the norm may hang on every digit of b
ENOUGH = 0.5  # of what certifies: the next round takes as long as this one
MAX_PIVOTS = 100  # per row and column: HiGHS may cycle for ever; ordinary programs need 0.4
ROUNDS = 3  # each gains some six digits, of sixteen; more change no verdict
FAR = 1e6  # magnified costs and bounds beyond are out of reach; HiGHS fails on those of 1e10
METHODS = ("highs", "highs-ipm")  # the second where the first certifies nothing
LONG = np.longdouble  # in which sums of many orders of magnitude are formed, where it is longer


@dataclass(frozen=True, eq=False, repr=False)
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

    def __repr__(self):
        """Say what it is worth; the entries would fill the screen."""
        doubt = f"gap {self.gap:.0e}, backward error {self.backward_error:.0e}"
        return f"<MinL1: {self.status}, norm {self.norm:.6g}, {doubt}>"

    @property
    def norm(self):
        """``|z|_1``, the theory's Q if the status is CONVERGED."""
        return np.abs(self.z).sum()

    @property
    def gap(self):
        """Duality gap ``|z|_1 - b @ dual`` relative to the norm: certifies the norm."""
        reached = self.problem.b.astype(LONG) @ self.dual
        return float(self.norm - reached) / (self.norm or 1.0)

    @property
    def residual(self):
        """Relative residual ``|A z - b| / |b|``."""
        return self.problem.residual(self.z)

    @property
    def backward_error(self):
        """Least relative change of the entries of ``A`` and ``b`` that makes ``z`` a solution.

        ``max |A z - b| / (|A| |z| + |b|)``, row by row: small rows count as much as large ones.
        """
        A, b = self.problem.A, self.problem.b
        sums = np.abs(A) @ np.abs(self.z) + np.abs(b)
        misfit = np.abs(A.astype(LONG) @ self.z - b)
        return float((misfit / np.where(sums > 0, sums, 1.0)).max())

    @property
    def status(self):
        """CONVERGED if ``z`` is certified to be a minimizer, else UNFINISHED.

        Gap and its error must be at most 1e-9, and the backward error 2e-15: with a larger one
        both norm and gap may be those of some other problem.
        """
        return Status.CONVERGED if self.doubt <= 1 else Status.UNFINISHED

    @property
    def message(self):
        """What keeps it from being certified; "" if nothing does."""
        if self.status is Status.CONVERGED:
            return ""
        return (
            f"gap {self.gap:.0e} (error {self.gap_error:.0e}) and backward error "
            f"{self.backward_error:.0e} certify neither z nor its norm: the columns of A differ by "
            "too many orders of magnitude, or b lies at the edge of what is feasible"
        )

    @property
    def gap_error(self):
        """How far the gap may be off, of the norm: what both sides miss, and rounding.

        By how much ``A^T dual`` exceeds 1, and ``|A z - b|`` at the prices ``|dual|``.
        """
        A, b, prices = self.problem.network_matrix, self.problem.b, np.abs(self.dual)
        excess = max(float((A.T.astype(LONG) @ self.dual).max()) - 1, 0.0)
        missed = np.abs(self.problem.A.astype(LONG) @ self.z - b) @ prices / (self.norm or 1.0)
        sums = max((np.abs(A).T @ prices).max(), np.abs(b) @ prices / (self.norm or 1.0))
        return float(excess + missed + len(b) * np.finfo(LONG).eps * sums)

    @property
    def doubt(self):
        """The largest of gap, its error and backward error, as a multiple of what is allowed."""
        gap, error = max(abs(self.gap), self.gap_error), self.backward_error
        doubt = max(gap / CERTIFIED, error / ROUNDING)
        return doubt if np.isfinite(doubt) else np.inf


def min_l1(problem):
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


class _Program:
    """``min cost @ x`` subject to ``S x = rhs``, ``x >= 0``, all of order one.

    ``S`` is the network matrix times ``rows`` and ``columns``; ``z = columns * x``, in units.
    """

    def __init__(self, problem):
        self.problem = problem
        A = problem.network_matrix
        self.rows, self.columns = _equilibrate(np.abs(A))
        self.S, self.rhs = A * self.rows[:, None] * self.columns, problem.b * self.rows
        self.unit, self.cost_unit = (_power_of_two(y.max()) for y in (abs(self.rhs), self.columns))
        self.rhs, self.cost = self.rhs / self.unit, self.columns / self.cost_unit
        self.long_S = self.S.astype(LONG)

    def solve(self, method):
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

    def left_over(self, x, y):
        """Return what ``x`` and ``y`` leave of the right side and of the cost."""
        left, slack = self.rhs - self.long_S @ x, self.cost - self.long_S.T @ y
        return left.astype(float), slack.astype(float)

    def answer(self, x, y):
        """Return a solution in the units of the problem, its dual admissible."""
        excess = (self.long_S.T @ y / self.cost).max()  # of A^T dual, in the units of the problem
        dual = y * self.rows * self.cost_unit / max(1.0, float(excess))
        return MinL1(self.problem, self.problem.readout(x * self.columns * self.unit), dual)

    def is_infeasible(self):
        """Tell whether no ``x >= 0`` comes near to a solution."""
        return self.miss() > CERTIFIED

    def miss(self):
        """Return how far ``b`` is from all ``A z``, relative, the rows brought to one size."""
        return nnls(self.S, self.rhs)[1] / (np.linalg.norm(self.rhs) or 1.0)

    def why_infeasible(self):
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


def _power_of_two(values):
    """Return the power of two nearest to each positive value, and 1 for zeros."""
    return np.exp2(np.rint(np.log2(np.where(values > 0, values, 1.0))))


def _equilibrate(sizes):
    """Return factors that bring the largest entry of each row to about one, then of each column."""
    rows = 1 / _power_of_two(sizes.max(axis=1))
    return rows, 1 / _power_of_two((sizes * rows[:, None]).max(axis=0))


def _magnification(violation):
    """Return by how much to magnify what a round has left, to be of order one."""
    return _power_of_two(1 / max(violation, 1e-30))
