"""Time the roads over sizes and batches, beside the matrix products that they cannot do without.

Usage: python benchmarks/growth.py [--json FILE] [--quick]      (about three minutes; quick: 20 s)

A step of ``descend`` takes two products with ``A``, 4 M N floating-point operations a start; a
Newton step of ``limit`` a symmetric product and a factorization, M^2 N + M^3 / 3. Each is timed in
turn with the bare products of its shape and with a large square one, which is as fast as this
machine multiplies, all with one BLAS thread. Some of it is timed again in processes with one thread
and with the default number, which take turns, on a quiet machine and beside a busy process.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np
from measured import busy, in_process, in_turns, write

import wnlib as wn
from wnlib.roads import descend as road

ASPECT, RATIO, SCALE, STEP = 0.4, 0.1, 0.1, 0.01
WIDTHS = (50, 100, 200, 400, 800)  # N, with M = ASPECT * N
HEIGHTS = (20, 40, 80, 160, 320)  # M, with N = 400
BATCHES = (1, 2, 5, 20, 60, 192)
SHAPES = ((40, 100), (200, 1000))  # of the batches
SQUARE = 1000  # of the product that sets the limit
SHARE = 0.1  # of the steps from which on they are compiled are timed without
WORK = 4e7  # operations that one timing of the products of a Newton step takes at least


def instance(M, N, batch=1):
    """Return the flow, the problem, and one start or several."""
    problem = wn.sparse_problem(M, N, max(1, M // 8), seed=1)
    starts = [wn.initial_weights(problem, SCALE, seed=number) for number in range(batch)]
    return wn.WeightNormFlow(2, RATIO), problem, starts[0] if batch == 1 else np.array(starts)


def products(problem, batch, n_steps):
    """Do the two products of so many steps, and nothing else."""
    A, x = problem.A, np.ones((batch, problem.n_features))
    e, h = np.empty((batch, len(A))), np.empty_like(x)
    for _ in range(n_steps):
        np.matmul(x, A.T, out=e)
        np.matmul(e, A, out=h)


def symmetric(A, n_times):
    """Do the product and the factorization of so many Newton steps."""
    for _ in range(n_times):
        np.linalg.cholesky(A @ A.T)


def square():
    """Return a large product, to be timed."""
    B = np.random.default_rng(0).standard_normal((SQUARE, SQUARE))
    return partial(np.matmul, B, B, out=np.empty_like(B))


def speed(seconds):
    """Return how many operations a second that is."""
    return [2 * SQUARE**3 / each for each in seconds]


def steps(M, N, batch, repeats):
    """Return what a step of ``descend`` costs, as it is and without Numba, and its two products."""
    flow, problem, x0 = instance(M, N, batch)
    usual = road.ENOUGH
    each = M * N * batch
    many = 1 + int(usual / (each + road.CALLS))  # from here on steps are compiled
    few = max(5, int(many * SHARE))

    def run(n_steps, enough=usual):
        road.ENOUGH = enough
        wn.descend(flow, problem, x0, STEP, n_steps, times=[STEP * n_steps], residual_tol=0)
        road.ENOUGH = usual

    calls = {
        "seconds": (many, partial(run, many)),
        "numpy": (few, partial(run, few, np.inf)),
        "bare": (few, partial(products, problem, batch, few)),
        "square": (1, square()),
    }
    times = in_turns({name: call for name, (_, call) in calls.items()}, repeats)
    per_step = {name: [t / calls[name][0] for t in values] for name, values in times.items()}
    per_step["square"] = speed(per_step["square"])
    return {"M": M, "N": N, "batch": batch, **per_step}


def ends(M, N, repeats):
    """Return what ``limit`` and ``integrate`` cost, and the linear algebra of a Newton step."""
    arguments = instance(M, N)
    n_times = max(1, round(WORK / (M**2 * N)))
    calls = {
        "limit": partial(wn.limit, *arguments),
        "integrate": partial(wn.integrate, *arguments, 1e12, rtol=1e-3, residual_tol=1e-6),
        "bare": partial(symmetric, arguments[1].A, n_times),
    }
    times = in_turns(calls, repeats)
    times["bare"] = [value / n_times for value in times["bare"]]
    end = wn.limit(*arguments)
    return {"M": M, "N": N, "status": str(end.status), "n_steps": int(end.n_steps), **times}


def measure(repeats, quick):
    """Return all rows."""
    widths, heights = (WIDTHS[:3], HEIGHTS[:3]) if quick else (WIDTHS, HEIGHTS)
    batches, shapes = (BATCHES[::2], SHAPES[:1]) if quick else (BATCHES, SHAPES)
    sizes, tall = [(round(ASPECT * N), N) for N in widths], [(M, 400) for M in heights]
    out = {"square": speed(in_turns({"": square()}, 5)[""])}
    for name, rows in ("width", sizes), ("height", tall):
        out[name] = [ends(*size, repeats) for size in rows]
        out[f"step_{name}"] = [steps(*size, batch, repeats) for size in rows for batch in (1, 192)]
    return out | {"batch": [steps(*size, batch, repeats) for size in shapes for batch in batches]}


def beside():
    """Return the seconds of a few calls that take threads if they get them, and of the roads."""
    flow, problem, starts = instance(*SHAPES[-1], 192)
    calls = {
        "square": square(),
        "products": partial(products, problem, 192, 5),
        "newton": partial(symmetric, problem.A, 5),
        "descend": partial(wn.descend, flow, problem, starts, STEP, 5, residual_tol=0),
        "limit": partial(wn.limit, flow, problem, starts[0]),
    }
    return {name: seconds for name, (seconds,) in in_turns(calls, 1).items()}


def both(repeats):
    """Return what :func:`beside` measures with one thread and the default number, in turns."""
    return [
        {name: apart(threads, 0, 0) for name, threads in (("one", 1), ("default", None))}
        for _ in range(repeats)
    ]


def apart(threads, repeats, quick):
    """Return what :func:`measure` does in a process of its own; without repeats, :func:`beside`."""
    return in_process(__file__, threads, "--measure", repeats, int(quick))


def main():
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="small sizes, once")
    parser.add_argument("--measure", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*options.measure) if any(options.measure) else beside()))
        return
    repeats = 1 if options.quick else 5
    measured = {"one_thread": apart(1, repeats, options.quick), "quiet": both(repeats)}
    with busy():
        measured["busy"] = both(repeats)
    show(measured)
    if options.json:
        write(options.json, measured)


def show(measured):
    """Print the medians."""
    for rows in [measured["one_thread"]]:
        print(f"a large product: {np.median(rows['square']) / 1e9:.1f} GF/s")
        for row in rows["width"] + rows["height"]:
            limit, other, bare = (np.median(row[key]) for key in ("limit", "integrate", "bare"))
            share = row["n_steps"] * bare / limit
            print(f"  {row['M']} x {row['N']}: limit {1e3 * limit:.1f} ms, {row['n_steps']} steps,")
            print(f"    of which bare {share:.0%}; integrate {1e3 * other:.1f} ms")
        for row in rows["batch"]:
            each, without, bare = (np.median(row[key]) for key in ("seconds", "numpy", "bare"))
            rate = 4 * row["M"] * row["N"] * row["batch"] / each / np.median(row["square"])
            print(
                f"  {row['M']} x {row['N']} x {row['batch']}: a step {1e6 * each:.1f} us, ", end=""
            )
            print(f"{1e6 * without:.1f} without Numba, ", end="")
            print(f"products {1e6 * bare:.1f}; {rate:.0%} of a large product")
    for how in ("quiet", "busy"):
        for name in measured[how][0]["one"]:
            factors = [turn["default"][name] / turn["one"][name] for turn in measured[how]]
            print(f"{how}, {name}: default / one {np.median(factors):.2f}")


if __name__ == "__main__":
    main()
