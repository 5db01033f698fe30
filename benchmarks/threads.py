"""Time the roads with one BLAS thread and with the default number, quiet and beside a busy process.

Usage: python benchmarks/threads.py [--repeats 5]

Each cell is the median time over that with one thread on a quiet machine, in the same run; the
four cells of a row take turns, so that what else the machine does spoils none of them alone.
"""

import argparse
import statistics
import time
from contextlib import nullcontext

from measured import busy, in_process

CALLS = ("limit", "integrate", "descend", "stalls")
SIZES = ((40, 100, 5), (200, 1000, 20))


def measure(call, M, N, sparsity):
    """Return the seconds that one call takes, after another one to warm up."""
    import wnlib as wn

    problem = wn.sparse_problem(M, N, sparsity, seed=1)
    x0 = wn.initial_weights(problem, 0.1, seed=2)
    flow = wn.WeightNormFlow(2, 0.1)
    run = {
        "limit": lambda: wn.limit(flow, problem, x0),
        "integrate": lambda: wn.integrate(flow, problem, x0, 20.0, max_steps=60, rtol=1e-6),
        "descend": lambda: wn.descend(flow, problem, x0, 0.01, 1000),
        # far from zero on the way, so that it must be followed
        "stalls": lambda: wn.stalls(wn.WeightNormFlow(2, 1.0), problem, 30 * x0),
    }[call]
    run()
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def row(call, size, repeats):
    """Return the median seconds: one thread and default, quiet; then both beside a busy process."""
    company = {"quiet": nullcontext, "busy": busy}
    seconds = {(how, threads): [] for how in company for threads in (1, None)}
    for _ in range(repeats):
        for how, beside in company.items():
            with beside():
                for threads in (1, None):
                    found = in_process(__file__, threads, "--measure", call, *size)
                    seconds[how, threads].append(found)
    return [statistics.median(cell) for cell in seconds.values()]


def main():
    """Print the table, or measure one call."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--calls", nargs="*", default=CALLS)
    parser.add_argument("--measure", nargs=4)
    options = parser.parse_args()
    if options.measure:
        print(measure(options.measure[0], *map(int, options.measure[1:])))
        return
    print(f"{'':10}{'':>10}{'seconds':>9}{'quiet':>16}{'busy':>22}")
    print(f"{'call':10}{'size':>10}{'1 thread':>9}{'default / 1':>16}{'default / 1 (1/quiet)':>22}")
    for size in SIZES:
        for call in options.calls:
            one, default, one_busy, default_busy = row(call, size, options.repeats)
            name = f"{size[0]}x{size[1]}"
            beside = f"{default_busy / one_busy:.2f} ({one_busy / one:.2f})"
            print(f"{call:10}{name:>10}{one:9.3f}{default / one:16.2f}{beside:>22}", flush=True)


if __name__ == "__main__":
    main()
