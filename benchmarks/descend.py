"""Time gradient descent: a loop of PyTorch, and ``descend`` in NumPy and compiled.

Usage: python benchmarks/descend.py [--json FILE] [--quick]     (about a minute; quick: 15 s)

All take the same steps on one problem, and no start is finished before. The unit is a step of one
start. The loop is the one that a user writes, for one start at a time (`torch_loop`). ``descend``
moves 1, 20 or 200 starts in one call, with one thread; the time of the whole call counts, with its
looks at what has been reached. On a matrix of 200 x 1000 the floating-point operations of the two
products are counted, and compared with a product of 2000 x 2000 matrices in NumPy, with one thread
as well. All ways take turns. Then processes of their own tell what the first compiled call costs,
which decides from which length on runs are compiled. Needs ``torch`` and ``numba``. The tensors are
on the CPU: no graphics processor was at hand.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from measured import environment, in_turns, write
from torch_loop import loop

import wnlib as wn
from wnlib._threads import one_blas_thread
from wnlib.roads import descend as road

RATIO, STEP = 0.1, 0.01
FLOWS = {"WN": wn.WeightNormFlow(2, RATIO), "GD": wn.PlainFlow(2)}
WAYS = {"NumPy": np.inf, "compiled": 0}  # from how much work on runs are compiled
SMALL, LARGE = (40, 100, 5), (200, 1000, 20)  # measurements, features, sparsity
STARTS, MANY = (1, 20, 200), 192
STEPS = {"NumPy": {1: 5000, 20: 2000, 200: 500}, "compiled": {1: 50_000, 20: 10_000, 200: 2000}}
LOOP_STEPS, LARGE_STEPS, DGEMM = 1000, {"NumPy": 40, "compiled": 100}, 2000
COMPARED = 1000  # steps, after which all ways have the same weights
FIRST = """
import time
import numpy as np
import wnlib as wn
problem = wn.sparse_problem(40, 100, 5, seed=1)
x0 = wn.initial_weights(problem, 0.1, seed=2)
begin = time.perf_counter()
wn.descend(wn.WeightNormFlow(2, 0.1), problem, x0, 0.01, 10**9, residual_tol=0.5)
print(time.perf_counter() - begin)
"""


def instance(size, starts):
    """Return a problem and the starts."""
    problem = wn.sparse_problem(*size, seed=1)
    return problem, wn.initial_weights(problem, 0.1, seed=2, starts=starts)


def descent(way, flow, size, starts, n_steps, tensor=False):
    """Return the weights at the end of ``descend``, by a way."""
    road.ENOUGH = WAYS[way]
    problem, x0 = instance(size, starts)
    x0 = torch.asarray(x0) if tensor else x0
    end = [STEP * n_steps]
    return wn.descend(flow, problem, x0, STEP, n_steps, times=end, residual_tol=0).weights


def by_loop(n_steps, threads=1):
    """Return the weights at the end of the loop of PyTorch."""
    torch.set_num_threads(threads)
    problem, x0 = instance(SMALL, 1)
    weights = loop(problem.A, problem.b, x0[0], RATIO, STEP, n_steps)
    torch.set_num_threads(1)
    return weights


@one_blas_thread
def dgemm(A):
    """Multiply two large matrices."""
    return A @ A


def calls(quick):
    """Return what is timed: name, settings, the number of units in a call, and the call."""
    less = 5 if quick else 1
    found = []
    for threads in sorted({1, os.cpu_count()}):
        n_steps = LOOP_STEPS // less
        settings = {"flow": "WN", "starts": 1, "threads": threads}
        found.append(("loop", settings, n_steps, partial(by_loop, n_steps, threads)))
    cases = [
        (way, name, SMALL, starts, STEPS[way][starts])
        for way in WAYS
        for name in FLOWS
        for starts in STARTS
    ] + [(way, name, LARGE, MANY, LARGE_STEPS[way]) for way in WAYS for name in FLOWS]
    for way, name, size, starts, n_steps in cases:
        n_steps = max(n_steps // less, 10)
        settings = {"flow": name, "starts": starts, "M": size[0], "N": size[1]}
        call = partial(descent, way, FLOWS[name], size, starts, n_steps)
        found.append((way, settings, starts * n_steps, call))
    settings = {"flow": "WN", "starts": 200, "M": SMALL[0], "N": SMALL[1]}
    n_steps = 500 // less
    call = partial(descent, "NumPy", FLOWS["WN"], SMALL, 200, n_steps, tensor=True)
    found.append(("tensors", settings, 200 * n_steps, call))
    A = np.random.default_rng(0).standard_normal((DGEMM, DGEMM))
    found.append(("dgemm", {"size": DGEMM}, 2 * DGEMM**3, partial(dgemm, A)))
    return found


def agreement():
    """Return the largest relative difference of weights after a thousand steps, from the loop's."""
    expected = by_loop(COMPARED)
    ends = {way: descent(way, FLOWS["WN"], SMALL, 1, COMPARED)[0] for way in WAYS}
    ends["lanes"] = descent("compiled", FLOWS["WN"], SMALL, 20, COMPARED)[0]
    ends["tensors"] = descent("NumPy", FLOWS["WN"], SMALL, 1, COMPARED, tensor=True)[0]
    return {way: float(np.abs(end / expected - 1).max()) for way, end in ends.items()}


def first_call(cache):
    """Return the seconds of a compiled call in a process of its own, less what it computes."""
    variables = environment(1) | {"NUMBA_CACHE_DIR": cache}
    command = [sys.executable, "-c", FIRST]
    return float(subprocess.run(command, env=variables, capture_output=True, check=True).stdout)


def first_calls(repeats):
    """Return the seconds of first calls, with an empty cache and with a filled one."""
    found = {"compiles": [], "loads": []}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as cache:
            for seconds in found.values():
                seconds.append(first_call(cache))
    return found


def measure(repeats, quick):
    """Return all that is measured."""
    timed = calls(quick)
    seconds = in_turns({i: call for i, (*_, call) in enumerate(timed)}, repeats)
    results = [
        {"name": name, "settings": settings, "seconds": [s / units for s in seconds[i]]}
        for i, (name, settings, units, _) in enumerate(timed)
    ]
    for name, found in first_calls(1 if quick else 3).items():
        results.append({"name": f"first call {name}", "settings": {}, "seconds": found})
    for result in results:
        result["median"] = statistics.median(result["seconds"])
    return {"unit": "seconds per step and start", "agreement": agreement(), "results": results}


def select(measured, name, **settings):
    """Return the seconds of one result, in the order of the turns."""
    for result in measured["results"]:
        if result["name"] == name and settings.items() <= result["settings"].items():
            return np.array(result["seconds"])
    raise LookupError(f"{name} {settings}")


def show(measured):
    """Print the table."""
    slow = select(measured, "loop", threads=1)
    print(
        f"The loop takes {1e6 * np.median(slow):.0f} µs a step. µs per step and start, and how many"
    )
    print("times as fast that is:")
    print(f"{'':10}{'starts':>8}{'WN':>10}{'times':>8}{'GD':>10}{'WN / GD':>9}")
    for way in WAYS:
        for starts in STARTS:
            norm, plain = (select(measured, way, flow=name, starts=starts) for name in FLOWS)
            print(
                f"{way:10}{starts:8}{1e6 * np.median(norm):10.3f}{np.median(slow / norm):8.0f}",
                end="",
            )
            print(f"{1e6 * np.median(plain):10.3f}{np.median(norm / plain):9.2f}")
    tensors = select(measured, "tensors")
    print(f"{'tensors':10}{200:8}{1e6 * np.median(tensors):10.3f}{np.median(slow / tensors):8.0f}")
    flop, big = 4 * LARGE[0] * LARGE[1], select(measured, "dgemm")
    print(f"DGEMM: {1e-9 / np.median(big):.0f} GF/s; of it, on 200 x 1000 with {MANY} starts:")
    for way in WAYS:
        for name in FLOWS:
            share = np.median(flop * big / select(measured, way, flow=name, starts=MANY))
            print(f"{way:10}{name:>8}{share:10.2f}")
    for name in ("first call compiles", "first call loads"):
        print(f"{name}: {np.median(select(measured, name)):.2f} s")
    print("largest relative difference from the loop:")
    print(", ".join(f"{way} {value:.0e}" for way, value in measured["agreement"].items()))


def main():
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repeats", type=int)
    options = parser.parse_args()
    measured = measure(options.repeats or (2 if options.quick else 15), options.quick)
    show(measured)
    if options.json:
        write(options.json, measured)


if __name__ == "__main__":
    main()
