"""The solvers that are compared, each in one function ``(A, b, signed, tol) -> Answer``.

How each is tuned, and why, is in README.md. They are imported where they are used, so that one that
is not installed is reported and the others run.
"""

import time
import warnings
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from judge import LEVELS, basis_dual, certified, debiased

ROUNDS = [int(100 * 1.5**k) for k in range(11)]  # of splitting: 17,000 iterations in all
STEP = 1.0  # of its threshold, over the largest entry of the shortest solution in l2
LAST_ROUND = 3.0  # seconds, after which none begins: a round takes as long as all before it
TIME_LIMIT = 20.0  # seconds a solve; who has an option for it is told, the others are stopped


@dataclass
class Answer:
    """What a solver returns: ``says`` is its own verdict, None if it gives none."""

    z: np.ndarray | None
    dual: np.ndarray | None = None
    says: bool | None = None
    note: str = ""


def split(A, signed):
    """Return ``[A, -A]`` if signed."""
    return np.hstack([A, -A]) if signed else A


def merge(x, signed):
    """Return the difference of the two halves if signed."""
    return np.subtract(*np.split(x, 2)) if signed else x


def wnlib(A, b, signed, tol):
    """Solve by the flow of weight normalization: this library."""
    import wnlib as wn

    found = wn.basis_pursuit(A, b, signed=signed, tol=tol)
    return Answer(found.z, found.dual, found.status is wn.Status.CONVERGED, str(found.message))


def unit(largest):
    """Return in which unit to count for a solver whose tolerances are absolute."""
    return 1.0 if 1e-6 < largest < 1e6 else largest


def linprog(A, b, signed, tol):
    """Solve by SciPy's wrapper of HiGHS, as most users would."""
    from scipy.optimize import linprog as solve

    S = split(A, signed)
    options = {"primal_feasibility_tolerance": tol, "dual_feasibility_tolerance": tol}
    options |= {"presolve": False, "time_limit": TIME_LIMIT}
    found = solve(np.ones(S.shape[1]), A_eq=S, b_eq=b, method="highs-ds", options=options)
    if found.x is None:
        return Answer(None, None, False, found.message)
    return Answer(merge(found.x, signed), found.eqlin.marginals, found.status == 0, found.message)


def _highs(A, b, signed, **options):
    """Pass the split program to HiGHS directly: ``min 1 x : S x = b, x >= 0``."""
    import highspy

    a, size = (unit(np.abs(each).max()) for each in (A, b))
    S, b = split(A if a == 1 else A / a, signed), b / size
    M, n = S.shape
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = n, M
    program.col_cost_, program.col_lower_ = np.ones(n), np.zeros(n)
    program.col_upper_ = np.full(n, highspy.kHighsInf)
    program.row_lower_ = program.row_upper_ = b
    matrix = program.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kColwise
    matrix.start_ = np.arange(n + 1) * M
    matrix.index_, matrix.value_ = np.tile(np.arange(M), n), S.ravel(order="F")
    solver = highspy.Highs()
    options = {"output_flag": False, "time_limit": TIME_LIMIT, "presolve": "off"} | options
    for name, value in options.items():
        if solver.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise ValueError(f"HiGHS refuses {name}={value}")
    solver.passModel(program)
    solver.run()
    status, found = solver.getModelStatus(), solver.getSolution()
    x, y = np.array(found.col_value), np.array(found.row_dual)
    says = status == highspy.HighsModelStatus.kOptimal
    note = solver.modelStatusToString(status)
    if len(x) != n:
        return Answer(None, None, says, note)
    return Answer(merge(x, signed) * (size / a), y / a, says, note)


def highs_simplex(A, b, signed, tol):
    """Solve by the dual simplex method of HiGHS."""
    tol = max(tol, 1e-10)  # the least that it takes
    limits = {"primal_feasibility_tolerance": tol, "dual_feasibility_tolerance": tol}
    lengths = np.linalg.norm(A, axis=0)
    if lengths.max() < 10 * lengths.min():  # there is nothing to scale
        limits["simplex_scale_strategy"] = 0
    return _highs(A, b, signed, solver="simplex", simplex_strategy=1, **limits)


def highs_ipm(A, b, signed, tol):
    """Solve by the interior point method of HiGHS, with its crossover to a corner."""
    return _highs(A, b, signed, solver="ipm", ipm_optimality_tolerance=max(tol, 1e-12))


def highs_pdlp(A, b, signed, tol):
    """Solve by the first-order method of HiGHS; what it finds is debiased."""
    found = _highs(A, b, signed, solver="pdlp", pdlp_optimality_tolerance=1e-7)
    return _finish(A, b, signed, found)


def _finish(A, b, signed, found, levels=LEVELS):
    """Debias an answer of few digits, and its dual vector too."""
    if found.z is None or not np.isfinite(found.z).all():
        return found
    z = debiased(A, b, found.z, signed, levels)
    y = basis_dual(A, b, z, signed, found.dual)
    return Answer(z, y if y is not None else found.dual, found.says, found.note)


def lars(A, b, signed, tol):
    """Follow the Lasso path to its end by scikit-learn's LARS, then solve on its support."""
    from sklearn.linear_model import lars_path

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # Its thresholds are absolute: 1e-7 is zero. So equations get length one, and b 1e7.
        rows = 1 / np.maximum(np.linalg.norm(A, axis=1), 1e-300)
        size = np.linalg.norm(rows * b) / 1e7
        options = {"method": "lasso", "positive": not signed, "return_path": False}
        options |= {"max_iter": 8 * len(b), "copy_X": False}
        *_, z = lars_path(np.multiply(A, rows[:, None], order="F"), rows * b / size, **options)
    z = debiased(A, b, z * size, signed)
    note = str(caught[0].message)[:60] if caught else ""
    return Answer(z, None, not caught, note)


def omp(A, b, signed, tol):
    """Add columns one by one by orthogonal matching pursuit: it never speaks of the l1 norm."""
    from sklearn.linear_model import orthogonal_mp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        length = np.linalg.norm(A, axis=0)
        z = orthogonal_mp(A / np.where(length > 0, length, 1), b, tol=(tol * 0.1) ** 2 * (b @ b))
    return Answer(z / np.where(length > 0, length, 1), None, None)


def spgl1(A, b, signed, tol):
    """Solve by SPGL1's root finding, to the tolerance asked for."""
    from spgl1 import norm_l1nn_dual, norm_l1nn_primal, norm_l1nn_project, spg_bp
    from spgl1.spgl1 import EXIT_BPSOL_FOUND, EXIT_OPTIMAL, EXIT_ROOT_FOUND

    options = {"opt_tol": tol, "bp_tol": tol, "dec_tol": 1e-6, "iter_lim": 50_000}
    if not signed:
        options |= {"project": norm_l1nn_project, "primal_norm": norm_l1nn_primal}
        options |= {"dual_norm": norm_l1nn_dual}
    z, _, _, info = spg_bp(A, b, **options)
    says = info["stat"] in (EXIT_ROOT_FOUND, EXIT_BPSOL_FOUND, EXIT_OPTIMAL)
    return Answer(z, None, says, f"status {info['stat']}, {info['niters']} iterations")


def pyproximal(A, b, signed, tol):
    """Solve by pyproximal's Douglas-Rachford splitting (ADMM on the dual), debiased now and then.

    The projection onto ``A z = b`` is exact, from one Cholesky factor; it stops where the debiased
    point is proved optimal, which is more than the package offers.
    """
    from pyproximal import L1
    from pyproximal.optimization.primal import DouglasRachfordSplitting
    from pyproximal.ProxOperator import ProxOperator

    factor = scipy.linalg.cho_factor(A @ A.T)
    back = scipy.linalg.cho_solve(factor, A).T  # N x M

    class Solutions(ProxOperator):
        def prox(self, x, tau):
            return x - back @ (A @ x - b)

        def __call__(self, x):
            return 0.0

    class Short(L1):
        def prox(self, x, tau):
            return np.sign(x) * np.maximum(np.abs(x) - tau, 0) if signed else np.maximum(x - tau, 0)

    y = back @ b
    step = STEP * np.abs(y).max()
    begin = time.perf_counter()
    for iterations in ROUNDS:
        if time.perf_counter() - begin > LAST_ROUND:
            break
        _, y = DouglasRachfordSplitting(
            Solutions(None), Short(), y, tau=step, eta=1.6, niter=iterations, gfirst=True
        )
        x = Short().prox(y, step)
        answer = Answer(x, back.T @ (y - x) / step)
        if np.count_nonzero(x) > 2 * len(b):  # far from a corner
            continue
        answer = _finish(A, b, signed, answer, levels=[0.0])
        if answer.dual is not None and certified(A, b, answer.z, answer.dual, signed):
            answer.says = True
            return answer
    answer = _finish(A, b, signed, answer)
    answer.says, answer.note = False, "not yet proved"
    return answer


def _cvxpy(A, b, signed, solver, **options):
    """Solve by cvxpy; what it finds is debiased."""
    import cvxpy as cp

    z = cp.Variable(A.shape[1], nonneg=not signed)
    equations = [A @ z == b]
    problem = cp.Problem(cp.Minimize(cp.norm1(z) if signed else cp.sum(z)), equations)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            problem.solve(solver=solver, **options)
        except cp.SolverError as error:
            return Answer(None, None, False, str(error)[:60])
    if z.value is None:
        return Answer(None, None, False, problem.status)
    found = Answer(z.value, -equations[0].dual_value, problem.status == cp.OPTIMAL, problem.status)
    return _finish(A, b, signed, found)


def clarabel(A, b, signed, tol):
    """Solve by cvxpy and the interior point method Clarabel."""
    limits = {"tol_gap_abs": tol, "tol_gap_rel": tol, "tol_feas": tol, "time_limit": TIME_LIMIT}
    return _cvxpy(A, b, signed, "CLARABEL", **limits)


def scs(A, b, signed, tol):
    """Solve by cvxpy and the splitting method SCS, to the six digits it can give."""
    limits = {"eps_abs": 1e-7, "eps_rel": 1e-7, "max_iters": 50_000}
    return _cvxpy(A, b, signed, "SCS", time_limit_secs=TIME_LIMIT, **limits)


# Of continuations, over the penalty that gives zero: smaller ones gained nothing but time.
PENALTIES = {"celer": np.geomspace(0.3, 1e-4, 8), "skglm": np.geomspace(0.3, 1e-5, 8)}


def celer(A, b, signed, tol):
    """Follow the Lasso to a tiny penalty by celer, then solve on the support."""
    from celer import celer_path

    largest = np.max(np.abs(A.T @ b) if signed else A.T @ b) / len(b)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _, path, _ = celer_path(
            np.asfortranarray(A), b, "lasso", alphas=largest * PENALTIES["celer"], tol=1e-8,
            max_iter=20, max_epochs=2000, positive=not signed, prune=1,
        )  # fmt: skip
    note = str(caught[0].message)[:60] if caught else ""
    return _finish(A, b, signed, Answer(path[:, -1], None, not caught, note))


def skglm(A, b, signed, tol):
    """Follow the Lasso to a tiny penalty by skglm, then solve on the support."""
    from skglm import Lasso

    A = np.asfortranarray(A)
    largest = np.max(np.abs(A.T @ b) if signed else A.T @ b) / len(b)
    options = {"tol": 1e-9, "max_iter": 20, "max_epochs": 2000, "ws_strategy": "fixpoint"}
    model = Lasso(fit_intercept=False, warm_start=True, positive=not signed, **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for penalty in PENALTIES["skglm"]:
            model.alpha = largest * penalty
            model.fit(A, b)
    note = str(caught[0].message)[:60] if caught else ""
    return _finish(A, b, signed, Answer(np.ravel(model.coef_), None, not caught, note))


PEERS = {
    "wnlib": wnlib,
    "HiGHS simplex": highs_simplex,
    "HiGHS ipm": highs_ipm,
    "LARS": lars,
    "OMP": omp,
    "linprog": linprog,
    "SPGL1": spgl1,
    "HiGHS PDLP": highs_pdlp,
    "pyproximal": pyproximal,
    "Clarabel": clarabel,
    "SCS": scs,
    "celer": celer,
    "skglm": skglm,
}
