"""Time ``limit``: depths, flows and ratios, sizes, one start and many.

Usage: python benchmarks/limit.py [--json FILE] [--quick]      (about four minutes; quick: 15 s)

Each row has the seconds of some calls, the Newton steps, and how many of the starts are certified.
A batch is one call with all starts; its seconds are for all of them. In a process with one BLAS
thread, which ``limit`` uses anyway.
"""

import argparse
import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
from measured import in_process, in_turns, write

import wnlib as wn

SCALE, SEED = 0.1, 0
SIZES = ((40, 100), (200, 1000), (500, 4000))
SHARES = (0.1, 0.4)  # s / M: recoverable, and hard
RATIOS = (1.0, 0.1, 0.01)
DEPTHS = (2, 3)
STARTS = 20
LARGE = 10**6  # M N, from which depth 3 and batches are left out: minutes


def flows(depth):
    """Return the flows of a depth by their names."""
    found = {f"WN {ratio:g}": wn.WeightNormFlow(depth, ratio) for ratio in RATIOS}
    return {"plain": wn.PlainFlow(depth)} | found


def rows(M, N, share, depth, starts, repeats):
    """Return what each flow costs on one problem."""
    problem = wn.sparse_problem(M, N, round(share * M), SEED)
    x0 = np.array([wn.initial_weights(problem, SCALE, [1, k]) for k in range(starts)])
    x0 = x0[0] if starts == 1 else x0
    ends, calls = {}, {}
    for name, flow in flows(depth).items():
        ends[name] = wn.limit(flow, problem, x0)  # the first call warms up
        calls[name] = partial(wn.limit, flow, problem, x0)
    seconds = in_turns(calls, repeats, warm=False)
    size = {"M": M, "N": N, "s": round(share * M), "depth": depth, "starts": starts}
    return [
        size
        | {
            "flow": name,
            "seconds": seconds[name],
            "n_steps": int(np.sum(end.n_steps)),
            "certified": int(np.sum(np.atleast_1d(end.status) == wn.Status.CONVERGED)),
            "residual": float(np.max(end.residual)),
        }
        for name, end in ends.items()
    ]


def everything(quick):
    """Return all rows."""
    found = []
    for M, N in SIZES[: 2 if quick else 3]:
        large = M * N >= LARGE
        for depth in DEPTHS[: 1 if large or (quick and N > 100) else 2]:
            for share in SHARES:
                for starts in (1,) if large else (1, STARTS):
                    slow = depth > 2 or large
                    repeats = 1 if quick else 3 if slow and starts > 1 else 7
                    if starts > 1 and depth > 2 and N > 100:
                        continue
                    found += rows(M, N, share, depth, starts, repeats)
    return found


def main(arguments):
    """Measure in a process with one BLAS thread, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        print(json.dumps(everything(options.quick)))
        return
    found = in_process(__file__, 1, "--worker", *(["--quick"] if options.quick else []))
    for row in found:
        print(
            f"{row['M']:4} x {row['N']:<5} s={row['s']:<4} L={row['depth']} {row['flow']:8} "
            f"{row['starts']:3} starts {1e3 * np.median(row['seconds']):9.1f} ms "
            f"{row['n_steps']:5} steps, {row['certified']} certified"
        )
    if options.json:
        write(options.json, {"rows": found})


if __name__ == "__main__":
    main(sys.argv[1:])
