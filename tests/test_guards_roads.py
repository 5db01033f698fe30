"""Each guard of descend, of the linear program and of the threads is missed where it is taken out.

A guard is given with an instance, what comes out with it, and a patch that takes it out. Without it
another status, or another result, must come out.
"""

import threading

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

import wnlib as wn
from wnlib import _threads
from wnlib._threads import one_blas_thread
from wnlib.l1 import certificates
from wnlib.l1 import linear_program as lp
from wnlib.roads import descend as road
from wnlib.roads.descend import vanishes

CONVERGED, UNFINISHED = wn.Status.CONVERGED, wn.Status.UNFINISHED
CROSSED, DIVERGED = wn.Status.CROSSED_ZERO, wn.Status.DIVERGED


def descended(flow, A, b, x0, step, n_steps=5000, **options):
    """Return a call whose outcome is the status, and the number of steps."""

    def outcome():
        run = wn.descend(flow, wn.Problem(A, b), x0, step, n_steps, **options)
        return run.status, run.n_steps

    return outcome


def scaled(seed, M, N, row_decades, column_decades):
    """Return a call of min_l1, for rows and columns of many orders of magnitude."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((M, N)) * 10 ** rng.uniform(-row_decades, row_decades, (M, 1))
    A *= 10 ** rng.uniform(-column_decades, column_decades, N)
    signal = np.zeros(N)
    signal[rng.choice(N, M, replace=False)] = rng.uniform(1, 2, M)
    return lambda: wn.min_l1(wn.Problem(A, A @ signal)).status


def by_simplex(M, N, seed):
    """Return a call of one method, so that the other does not make up for what is missing."""
    problem = wn.sparse_problem(M, N, 10, seed, signed=True)
    return lambda: lp._Program(problem).solve("highs")[0].status


def overlapping():
    """Return the numbers of BLAS threads when the first of two calls has left, and at the end."""
    entered, leave = threading.Event(), threading.Event()
    one_thread = type(one_blas_thread)()  # of its own: without its guard it miscounts for ever

    def first():
        with one_thread:
            entered.set()
            leave.wait(10)

    with CONTROLLER.limit(limits=2, user_api="blas"):
        call = threading.Thread(target=first)
        call.start()
        entered.wait(10)
        with one_thread:
            leave.set()
            call.join(10)
            inside = numbers()
        return inside, numbers()


def numbers():
    return {pool["num_threads"] for pool in CONTROLLER.info() if pool["user_api"] == "blas"}


def rows_only(sizes):
    rows = 1 / lp.power_of_two(sizes.max(axis=1))
    return rows, np.ones(sizes.shape[1])


def columns_only(sizes):
    return np.ones(len(sizes)), 1 / lp.power_of_two(sizes.max(axis=0))


def without_unit(name, values):
    """Return a constructor of _Program whose right side or cost is not of order one."""
    construct = lp._Program.__init__

    def patched(program, problem):
        construct(program, problem)
        setattr(program, values, getattr(program, values) * getattr(program, name))
        setattr(program, name, 1.0)

    return patched


def never(rows):
    return np.zeros(len(rows.u), bool)


def set_without_release(wanted):
    for pool, number in zip(_threads._pools(), wanted, strict=True):
        pool.set_num_threads(number)


def refused(A, b):
    """Return a call whose outcome is what min_l1 says where HiGHS gives up."""

    class GivesUp:
        status, message = 4, "no"

    def outcome():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lp, "linprog", lambda *_, **__: GivesUp)
            with pytest.raises((RuntimeError, ValueError)) as raised:
                wn.min_l1(wn.Problem(A, b))
        return str(raised.value)

    return outcome


CONTROLLER = ThreadpoolController()
PLAIN, NORM = wn.PlainFlow, wn.WeightNormFlow
ONE = ([[1.0]], [1.0])
TWO = ([[1.0, -0.5]], [1.0])
BEFORE = {"times": [50.0]}  # the first look at what 100 steps have done

# name, call, its outcome, and what to patch with what
GUARDS = [
    (
        "each step is watched for a crossing",
        descended(PLAIN(2), *ONE, [2.2], 0.5, 100, **BEFORE),
        (CROSSED, 0),
        (road.PlainRows, "crossed", never),
    ),
    (
        "NaN after a crossing does not hide it",
        descended(PLAIN(2.5), *TWO, [0.2, 2.0], 0.5, 100, **BEFORE),
        (CROSSED, 0),
        (np, "fmin", np.minimum),
    ),
    (
        "the radius is watched as well",
        descended(NORM(2, 100.0), *TWO, [2.0, 0.2], 0.01, 100),
        (CROSSED, 0),
        (road.WeightNormRows, "crossed", road.PlainRows.crossed),
    ),
    (
        "growth of the residual is bounded",
        descended(PLAIN(2), [[1.0]], [1e9], [1e-3], 1e8, 100),
        (DIVERGED, 0),
        (road, "GROWTH", np.inf),
    ),
    (
        "what has converged stops at the next look",
        descended(PLAIN(2), *ONE, [0.5], 0.1, 5000, times=[500.0]),
        (CONVERGED, 200),
        (road, "CHECK_EVERY", 10**6),
    ),
    (
        "rows are brought to one size",
        scaled(0, 3, 7, 8, 0),
        CONVERGED,
        (lp, "_equilibrate", columns_only),
    ),
    (
        "columns are brought to one size",
        scaled(1, 3, 7, 0, 8),
        CONVERGED,
        (lp, "_equilibrate", rows_only),
    ),
    (
        "the right side is of order one",
        scaled(24, 3, 7, 0, 8),
        CONVERGED,
        (lp._Program, "__init__", without_unit("unit", "rhs")),
    ),
    (
        "the cost is of order one",
        scaled(1, 3, 7, 0, 8),
        CONVERGED,
        (lp._Program, "__init__", without_unit("cost_unit", "cost")),
    ),
    ("a third round", scaled(8, 3, 7, 0, 8), CONVERGED, (lp, "ROUNDS", 2)),
    ("a second method", scaled(1, 3, 7, 0, 8), CONVERGED, (lp, "METHODS", ("highs",))),
    ("the first method", scaled(28, 5, 11, 0, 8), CONVERGED, (lp, "METHODS", ("highs-ipm",))),
    ("sums in extended precision", scaled(1, 3, 7, 0, 8), CONVERGED, (certificates, "LONG", float)),
    (
        "what is magnified beyond reach is cut off",
        by_simplex(80, 300, 0),
        CONVERGED,
        (lp, "FAR", np.inf),
    ),
    (
        "the gap must be small",
        scaled(3, 3, 7, 0, 8),
        UNFINISHED,
        (certificates, "CERTIFIED", 1e-2),
    ),
    (
        "what the gap rests on counts",
        scaled(14, 3, 7, 0, 8),
        UNFINISHED,
        (lp.MinL1, "gap_error", 0.0),
    ),
    (
        "A z = b must hold to rounding",  # the norm is 27 % off there
        scaled([42, 0, 8], 3, 6, 0, 8),
        UNFINISHED,
        (certificates, "ROUNDING", 1e-13),
    ),
    (
        "what HiGHS calls infeasible is looked at again",
        refused([[1.0, 1.0]], [1.0]),
        "the linear program failed: no",
        (lp._Program, "is_infeasible", lambda program: True),
    ),
    (
        "the last to leave restores the numbers of threads",
        overlapping,
        ({1}, {2}),
        (type(one_blas_thread), "__exit__", lambda self, *_: _threads._set_numbers(self._numbers)),
    ),
    (
        "numbers of threads are set from any thread",
        overlapping,
        ({1}, {2}),
        (_threads, "_set_numbers", set_without_release),
    ),
]


@pytest.mark.parametrize(
    ("call", "outcome", "patch"),
    [guard[1:] for guard in GUARDS],
    ids=[guard[0] for guard in GUARDS],
)
def test_a_guard_is_missed(call, outcome, patch, monkeypatch):
    assert call() == outcome
    owner, name, without = patch
    monkeypatch.setattr(owner, name, without)
    assert call() != outcome


@pytest.mark.parametrize(
    ("flow", "residual", "previous", "radius", "stalls"),
    [
        (NORM(2, 1.0), 1.0, 1e-3, 1e-3, True),
        (PLAIN(2), 1.0, 1e-3, 1e-3, False),  # it never does
        (NORM(2, 1.0), 1.0, 2e-3, 1.1e-3, False),  # not yet gone
        (NORM(2, 1.0), 1.0, 1e-4, 2e-4, False),  # coming back
        (NORM(2, 1.0), 0.999, 1e-3, 1e-3, False),  # the loss is below that of zero weights
        (NORM(2, 1.0), 1.02, 1e-3, 1e-3, False),  # a large start shrinks
    ],
)
def test_a_stall_has_every_sign_of_one(flow, residual, previous, radius, stalls):
    assert vanishes(flow, residual, 1.0, previous, radius) == stalls
