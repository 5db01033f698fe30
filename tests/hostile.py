"""Hostile instances for `limit`, each judged by the referee; as a command, the table of verdicts.

Usage: python tests/hostile.py [--instances 1500] [--first 0] [--seed 0] [--processes 2]
       [--show VERDICT ...]

An instance is drawn from its seed and number alone: ``draw(seed, number)`` gives it again.
"""

import argparse
import signal
import sys
import time
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import referee
from referee import Decimal, exact
from stall_referee import stalls

import wnlib as wn

DEPTHS = (2, 2.2, 2.5, 3, 4, 6, 7, 10, 15, 20)
SPREADS = (0, 1, 4, 7, 12, 23, 46)  # logarithms of the largest factor between entries of a start
TOLERANCE = 1e-6  # of an answer, relative to its length
EPS = np.finfo(float).eps
NUDGES = 12  # how often the data are changed by a few eps to see whether that matters
SLOW, PATIENCE = 20.0, 60.0  # seconds

RIGHT, NAMED, REFUSED, ILL_POSED = "right", "named", "refused", "ill-posed"
UNDECIDED, WRONG, RAISED = "undecided", "WRONG", "RAISED"
VERDICTS = (RIGHT, NAMED, REFUSED, ILL_POSED, UNDECIDED, WRONG, RAISED)


@dataclass(frozen=True, eq=False)
class Instance:
    """A flow, a problem, its starts, and what the referee may know of them.

    ``A``, ``b``, ``x0`` are what `limit` is given, in any form. ``solution`` stands for exact
    measurements, of which ``b`` is the rounding; None where nothing solves the problem.
    The first ``core`` rows imply the others. ``entire``: the entries of ``A`` are exact.
    """

    name: str
    family: str
    depth: float
    ratio: float | None
    signed: bool
    A: object
    b: object
    x0: object
    solution: np.ndarray | None
    spread: float
    core: int
    entire: bool

    @property
    def flow(self):
        return (
            wn.PlainFlow(self.depth)
            if self.ratio is None
            else wn.WeightNormFlow(self.depth, self.ratio)
        )

    def call(self):
        """Return what `limit` says."""
        return wn.limit(self.flow, wn.Problem(self.A, self.b, signed=self.signed), self.x0)

    def starts(self):
        return np.atleast_2d(np.asarray(self.x0, dtype=float))


@dataclass
class Verdict:
    """What the referee says about one answer."""

    instance: str
    family: str
    depth: float
    spread: float
    verdict: str
    detail: str = ""
    error: float = 0.0
    seconds: float = 0.0
    judged: float = 0.0
    warned: list = field(default_factory=list)


# Families: a matrix and a solution; `entire` matrices have small integers or few bits.


def _shape(rng):
    M = int(rng.integers(3, 6))
    return M, int(rng.integers(M + 2, 2 * M + 1))


def _sparse(rng, N, most):
    z = np.zeros(N)
    support = rng.choice(N, int(rng.integers(1, most + 1)), replace=False)
    z[support] = rng.uniform(1, 2, len(support))
    return z


def gaussian(rng):
    M, N = _shape(rng)
    z = _sparse(rng, N, M) if rng.random() < 0.7 else rng.uniform(0.1, 2, N)
    return rng.standard_normal((M, N)), z


def duplicated(rng):
    A, z = gaussian(rng)
    twins = rng.choice(A.shape[1], int(rng.integers(1, 4)), replace=False)
    return np.hstack([A, A[:, twins] * rng.choice([1.0, 1.0, 2.0])]), np.append(z, 0 * z[twins])


def near_columns(rng):
    A, z = duplicated(rng)
    apart = 10.0 ** rng.uniform(-12, -6)
    A[:, -1] += apart * rng.standard_normal(len(A))
    return A, z


def near_rows(rng):
    A, z = gaussian(rng)
    apart = 10.0 ** rng.uniform(-12, -6)
    return np.vstack([A, A[0] + apart * rng.standard_normal(A.shape[1])]), z


def dependent_rows(rng):
    A, z = gaussian(rng)
    return np.vstack([A, rng.integers(-2, 3, (int(rng.integers(1, 3)), len(A))) @ A]), z, len(A)


def binary(rng):
    M, N = _shape(rng)
    A = rng.choice([0.0, 1.0] if rng.random() < 0.5 else [-1.0, 1.0], (M, N))
    A[0, 0] = 1.0
    z = np.zeros(N)
    z[rng.choice(N, int(rng.integers(1, N + 1)), replace=False)] = 1.0
    return A, z * rng.integers(1, 4, N)


def boundary(rng):
    """Hide among the rows one without negative entries that measures zero."""
    M, N = _shape(rng)
    A = rng.integers(-3, 4, (M, N)).astype(float)
    gone = rng.choice(N, int(rng.integers(1, N - 1)), replace=False)
    A[0] = 0.0
    A[0, gone] = rng.integers(1, 4, len(gone))
    z = rng.integers(1, 5, N).astype(float)
    z[gone] = 0.0
    mix = np.tril(rng.integers(-1, 2, (M, M)), -1) + np.eye(M)
    return mix @ A, z


def single_point(rng):
    M, N = _shape(rng)
    A = rng.integers(-3, 4, (M, N)).astype(float)
    A[0] = rng.integers(1, 4, N)
    alone = rng.integers(N)
    A[0, alone] = 0.0
    A[1, alone] = 1.0
    z = np.zeros(N)
    z[alone] = float(rng.integers(1, 4))
    return A, z


def unbounded(rng):
    A, z = gaussian(rng)
    k = rng.uniform(0.5, 1.5, A.shape[1])
    return A - np.outer(A @ k, k) / (k @ k), z


def rank_one(rng):
    M, N = int(rng.integers(1, 4)), int(rng.integers(2, 7))
    row = rng.integers(1, 9, N) / 4.0 * (1.0 if rng.random() < 0.5 else rng.choice([-1, 1], N))
    row[0] = abs(row[0])
    return np.outer(rng.integers(1, 4, M), row), _sparse(rng, N, N) * (row > 0) + np.eye(N)[0]


def square(rng):
    N = int(rng.integers(1, 6))
    return rng.standard_normal((N, N)), _sparse(rng, N, N)


def tall(rng):
    N = int(rng.integers(2, 6))
    A = rng.integers(-3, 4, (N + int(rng.integers(1, 4)), N)).astype(float)
    A[0] = 1.0
    return A, _sparse(rng, N, N)


def bounded(rng):
    A, z = gaussian(rng)
    A[0] = 1.0
    return A, z


def bad_rows(rng):
    A, z = gaussian(rng)
    return A * 10.0 ** rng.uniform(-6, 6, (len(A), 1)), z


def units(rng):
    A, z = gaussian(rng)
    a = float(rng.uniform(-100, 100))
    b = float(np.clip(rng.uniform(-100, 100), a - 100, a + 100))
    return A * 10.0**a, z * 10.0 ** (b - a)


def large(rng):
    M, N = (20, 50) if rng.random() < 0.7 else (40, 100)
    return rng.standard_normal((M, N)) / np.sqrt(M), _sparse(rng, N, M // 3)


def infeasible(rng):
    """No z >= 0 solves it: a row without negative entries measures something negative."""
    M, N = _shape(rng)
    A = rng.standard_normal((M, N))
    A[0] = np.abs(A[0])
    b = A @ rng.uniform(0.1, 1, N)
    b[0] *= -(10.0 ** rng.uniform(-3, 0))
    return A, b


def outside(rng):
    """No z of any sign solves it: b is not in the range of dependent rows."""
    A, z, _ = dependent_rows(rng)
    b = A @ z
    b[-1] += 10.0 ** rng.uniform(-3, 0) * np.linalg.norm(b)
    return A, b


FAMILIES = {
    gaussian: 6, duplicated: 2, near_columns: 2, near_rows: 1, dependent_rows: 1, binary: 2,
    boundary: 2, single_point: 1, unbounded: 2, rank_one: 1, square: 1, tall: 1, bounded: 2,
    bad_rows: 1, units: 1, large: 0.5, infeasible: 0.7, outside: 0.3,
}  # fmt: skip
ENTIRE = {binary, boundary, single_point, rank_one, tall}
INTEGERS = {binary, boundary, single_point, tall}
UNSIGNED = {boundary, single_point, tall, infeasible}


def draw(seed, number):
    """Return an instance."""
    rng = np.random.default_rng([seed, number])
    weights = np.array(list(FAMILIES.values()))
    family = list(FAMILIES)[rng.choice(len(weights), p=weights / weights.sum())]
    A, z, *core = family(rng)
    feasible = family not in (infeasible, outside)
    signed = family not in UNSIGNED and rng.random() < 0.3
    if signed and feasible:
        z = z * rng.choice([-1.0, 1.0], len(z))
    A, form = _matrix_form(rng, A, family)
    b = _measure(A, z) if feasible else z
    depth = float(rng.choice(DEPTHS)) if rng.random() < 0.85 else float(rng.uniform(2, 20))
    size = np.abs(z).max() ** (1 / depth) if feasible else 1.0
    spread = float(rng.choice(SPREADS, p=(0.15, 0.2, 0.2, 0.2, 0.1, 0.08, 0.07)))
    wide = rng.random() < 0.15
    if family is large:  # not all at once: the referee's digits cost too much
        depth, spread, wide = min(depth, 7.0), min(spread, 7.0), False
    starts = int(rng.integers(2, 4)) if form == "batch" else 1
    n_weights = A.shape[1] * (2 if signed else 1)
    scale = 10.0 ** (rng.uniform(-100, -10) if wide else rng.uniform(-6, 3))
    near = rng.random() < 0.15  # starts like the solution's size, a fast direction
    scale = rng.uniform(0.5, 3) if near else scale
    x0 = scale * size * np.exp(spread * (rng.random((starts, n_weights)) - 0.5))
    x0 = _through_the_doors(x0, A, depth)
    ratio = None
    if rng.random() < 0.65:
        ratio = 10.0 ** (rng.uniform(-6, 6) if rng.random() < 0.5 else rng.uniform(-3, 1))
        ratio = 10.0 ** rng.uniform(-2, -0.5) if near else ratio
        ratio *= size**2 if family is units else 1.0
    x0 = x0 if form == "batch" else x0[0]
    if form == "list":
        A, b, x0 = A.tolist(), b.tolist(), x0.tolist()
    return Instance(
        f"{seed}/{number}", family.__name__, depth, ratio, signed, A, b, x0,
        z if feasible else None, spread, core[0] if core else len(A), family in ENTIRE,
    )  # fmt: skip


def _matrix_form(rng, A, family):
    """Return the matrix in one of the forms that an array may have, and the form's name."""
    forms = ["plain"] * 4 + ["list", "float32", "fortran", "readonly", "strided", "batch"]
    form = rng.choice([*forms, "ints"] if family in INTEGERS else forms)
    if form == "float32" and family not in (units, dependent_rows, outside):
        A = A.astype(np.float32)
    if form == "ints":
        A = A.astype(int)
    if form == "fortran":
        A = np.asfortranarray(A)
    if form == "readonly":
        A.flags.writeable = False
    if form == "strided":
        A = np.repeat(np.repeat(A, 2, axis=0), 3, axis=1)[::-2, ::-3][::-1, ::-1]
    return A, form


def _measure(A, z):
    """Return ``A z``, rounded once."""
    with referee.many_digits():
        return np.array([float(v) for v in exact(A) @ exact(z)])


def _through_the_doors(x0, A, depth):
    """Scale starts down, or up, to what the doors admit: their products must be floats."""
    top = x0.max(axis=-1, keepdims=True)
    largest = 10.0 ** min(130.0, (130 - np.log10(float(np.abs(A).max()))) / depth)
    x0 = x0 * np.minimum(1.0, largest / top)
    return np.maximum(x0, 1e-130)


# The judgement.


def judge(instance):
    """Call `limit`, and say what its answer is worth."""
    verdict = Verdict(instance.name, instance.family, instance.depth, instance.spread, RIGHT)
    begin = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught, _patience():
        warnings.simplefilter("always")
        try:
            answer = instance.call()
        except Exception as error:
            answer = error
    verdict.seconds = time.perf_counter() - begin
    verdict.warned = [str(w.message) for w in caught]
    begin = time.perf_counter()
    verdict.verdict, verdict.error, verdict.detail = assess(instance, answer)
    verdict.judged = time.perf_counter() - begin
    return verdict


@contextmanager
def _patience():
    """Interrupt a call that takes far longer than any may."""

    def interrupt(*_):
        raise TimeoutError(f"more than {PATIENCE:g} s")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def assess(instance, answer):
    """Return the verdict about an answer (a limit, or an exception), its error, and why."""
    if isinstance(answer, Exception):
        clear = isinstance(answer, ValueError) and "not feasible" in str(answer)
        if clear and instance.solution is None:
            return REFUSED, 0.0, ""
        kind = WRONG if clear else RAISED
        return kind, np.inf, f"{type(answer).__name__}: {answer}"
    starts, weights = instance.starts(), np.atleast_2d(answer.weights)
    status, log_rho = np.atleast_1d(answer.status), np.atleast_1d(answer.log_rho)
    if not len(starts) == len(weights) == len(status) == len(log_rho):
        return WRONG, np.inf, "shapes"
    ends = [
        _assess_one(instance, start, x, str(s), float(r))
        for start, x, s, r in zip(starts, weights, status, log_rho, strict=True)
    ]
    return max(ends, key=lambda end: VERDICTS.index(end[0]))


def _assess_one(instance, x0, x, status, log_rho):
    if not (np.isfinite(x).all() and (x >= 0).all()):
        return WRONG, np.inf, "NaN or negative weights"
    if status not in ("converged", "stalled"):
        return NAMED, 0.0, status
    if instance.solution is None:
        return WRONG, np.inf, f"{status} on an infeasible problem"
    try:
        truth, true_log_rho = reference(instance, x0, x if status == "converged" else None)
        stall = instance.ratio is not None and _stalls(instance, x0, truth)
    except referee.UndecidedError as error:
        return UNDECIDED, 0.0, str(error)
    if stall != (status == "stalled"):
        return WRONG, np.inf, f"{status}, and in truth {'a stall' if stall else 'none'}"
    if stall:
        return RIGHT if not x.any() else WRONG, 0.0, "stalled"
    error = _distance(truth, x, instance.depth)
    apart = abs(log_rho - float(true_log_rho))
    tolerance = _log_rho_tolerance(instance, x0, truth, float(true_log_rho))
    if error <= TOLERANCE and apart <= tolerance:
        return RIGHT, error, ""
    detail = f"error {error:.1e}, log rho {log_rho:.9g} instead of {float(true_log_rho):.9g}"
    try:
        for seed in range(NUDGES):
            moved, log_rho_moved = _moved(instance, x0, truth, true_log_rho, seed)
            if error <= max(TOLERANCE, 10 * moved) and apart <= max(tolerance, 10 * log_rho_moved):
                detail += f"; a few eps move these by {moved:.1e} and {log_rho_moved:.1e}"
                return ILL_POSED, error, detail
    except referee.UndecidedError as undecided:
        return UNDECIDED, error, f"{detail}; {undecided}"
    return WRONG, error, detail


def reference(instance, x0, guess=None, nudge=0, seed=0):
    """Return the referee's limit and log rho, for data changed by ``nudge`` eps."""
    rng = np.random.default_rng(seed)

    def nudged(v):
        return v * (1 + nudge * EPS * rng.choice([-1, 1], np.shape(v))) if nudge else v

    A = np.asarray(instance.A, dtype=float)[: instance.core]
    A = A if instance.entire else nudged(A)
    with referee.many_digits():
        A, z = exact(A), exact(nudged(instance.solution))
        if instance.signed:  # far from the boundary
            size = np.abs(z).max()
            A, z = np.hstack([A, -A]), np.append((z + abs(z)) / 2, (abs(z) - z) / 2) + size
    return referee.limit(A, z, nudged(x0), instance.depth, instance.ratio, guess)


def _distance(truth, x, depth):
    """Return ``|x^L - truth| / |truth|``."""
    with referee.many_digits():
        L = Decimal(depth)
        z = np.array([v**L if v else v for v in exact(x)], dtype=object)
        return float(((z - truth) @ (z - truth) / (truth @ truth)).sqrt())


def _log_rho_tolerance(instance, x0, truth, log_rho):
    """Bound what rounded effective weights leave open: their squared radius."""
    if instance.ratio is None:
        return 0.0
    power = 2 / instance.depth
    with referee.many_digits():
        z = (truth / truth.max()).astype(float)
        radius = float(truth.max() ** Decimal(power))  # of the largest weight, squared
    R = radius * (z**power).sum()
    rounded = radius * ((z + 100 * EPS) ** power - z**power).sum() + 100 * EPS * (x0 @ x0)
    return TOLERANCE * (1 + abs(log_rho)) + rounded * (1 / instance.ratio + 1 / R) / power


def _moved(instance, x0, truth, log_rho, seed):
    """Return how far a few eps of the data move the exact limit, relative, and log rho."""
    near = truth.astype(float) ** (1 / instance.depth)
    other, log_rho_other = reference(instance, x0, near, nudge=4, seed=seed)
    with referee.many_digits():
        far = ((other - truth) @ (other - truth) / (truth @ truth)).sqrt()
        return float(far), float(abs(log_rho_other - log_rho))


def _stalls(instance, x0, truth):
    A = np.asarray(instance.A, dtype=float)  # rows that change no limit change the way to it
    with referee.many_digits():
        A, z = exact(A), exact(instance.solution)
        A, b = (np.hstack([A, -A]) if instance.signed else A), A @ z
    return stalls(A, b, x0, instance.depth, instance.ratio, [truth])


# The table.


def run(seed, numbers, processes):
    """Judge instances, in several processes."""
    one = partial(_judge_number, seed)
    if processes == 1:
        yield from map(one, numbers)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(one, numbers, chunksize=4)


def _judge_number(seed, number):
    return judge(draw(seed, number))


def faults(verdicts):
    """Return those that must not be: wrong, raised, warned, slow."""
    bad = (WRONG, RAISED)
    return [v for v in verdicts if v.verdict in bad or v.warned or v.seconds > SLOW]


def table(verdicts):
    """Return the verdicts counted, by depth, by spread of the start, and by family."""
    head = ["", "all", *VERDICTS, "warned", "slow", "worst right"]
    rows = [head, _row("all", verdicts)]
    for low, high in ((2, 2), (2, 3), (3, 5), (5, 7), (7, 10), (10, 20)):
        chosen = [
            v for v in verdicts if (low < v.depth or low == high == v.depth) and v.depth <= high
        ]
        rows.append(_row(f"L = {high}" if low == high else f"{low} < L <= {high}", chosen))
    for spread in SPREADS:
        rows.append(_row(f"spread e^{spread}", [v for v in verdicts if v.spread == spread]))
    easy = [v for v in verdicts if v.spread <= 7 and v.depth <= 5]
    rows.append(_row("L <= 5, <= e^7", easy))
    for family in sorted({v.family for v in verdicts}):
        rows.append(_row(family, [v for v in verdicts if v.family == family]))
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return "\n".join("  ".join(c.rjust(w) for c, w in zip(r, widths, strict=True)) for r in rows)


def _row(name, verdicts):
    counts = Counter(v.verdict for v in verdicts)
    worst = max((v.error for v in verdicts if v.verdict == RIGHT), default=0.0)
    warned, slow = sum(bool(v.warned) for v in verdicts), sum(v.seconds > SLOW for v in verdicts)
    numbers = [len(verdicts), *(counts[v] for v in VERDICTS), warned, slow]
    return [name, *(str(n) for n in numbers), f"{worst:.0e}"]


def main(arguments):
    """Print the table; return 1 if there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instances", type=int, default=1500)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--show", nargs="*", default=[UNDECIDED, ILL_POSED])
    options = parser.parse_args(arguments)
    begin, verdicts = time.perf_counter(), []
    numbers = range(options.first, options.first + options.instances)
    for v in run(options.seed, numbers, options.processes):
        verdicts.append(v)
        if faults([v]) or v.verdict in options.show:
            print(f"{v.instance} {v.family} L={v.depth:.3g} e^{v.spread:g}: {v.verdict} "
                  f"{v.detail} {v.warned[:1] or ''} {v.seconds:.1f} s", flush=True)  # fmt: skip
    bad, seconds = faults(verdicts), [v.seconds for v in verdicts]
    print(table(verdicts))
    print(
        f"limit: {sum(seconds):.0f} s, slowest {max(seconds):.1f} s; "
        f"referee: {sum(v.judged for v in verdicts):.0f} s, slowest "
        f"{max(v.judged for v in verdicts):.1f} s; in all {time.perf_counter() - begin:.0f} s"
    )
    print(f"{len(bad)} faults" if bad else "no fault")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
