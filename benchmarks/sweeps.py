"""Time a sweep in one process and in two, and what a point costs besides its function.

Usage: python benchmarks/sweeps.py [--repeats 5]

A point is the limit of weight normalization on a problem of 100 columns. One process and two take
turns, so that what else the machine does spoils neither alone; the pools are started before. On a
busy machine two processes may not be faster, whoever feeds them: hence the calls by hand.
"""

import argparse
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor

import wnlib as wn
from wnlib.sweeps import points_of


def recovered(*, seed, ratio):
    """Return the error of a limit."""
    problem = wn.sparse_problem(40, 100, sparsity=5, seed=seed)
    x0 = wn.initial_weights(problem, 0.1, seed=seed)
    return {"error": problem.error(wn.limit(wn.WeightNormFlow(2, ratio), problem, x0).effective)}


def double(*, x):
    """Return next to nothing."""
    return {"double": 2 * x}


def several(points):
    """Compute many points in one call."""
    return [recovered(**point) for point in points]


def seconds(function, grid, executor=None, store=None):
    """Return how long a sweep takes."""
    begin = time.perf_counter()
    wn.sweep(function, grid, executor, store)
    return time.perf_counter() - begin


def seconds_by_hand(grid, executor):
    """Return how long the same takes in two calls, each with half of the points."""
    begin = time.perf_counter()
    points = points_of(grid)
    for future in [executor.submit(several, points[half::2]) for half in (0, 1)]:
        future.result()
    return time.perf_counter() - begin


def main():
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--points", type=int, default=40)
    options = parser.parse_args()
    grid = {"seed": range(options.points // 2), "ratio": [0.1, 1.0]}
    with ProcessPoolExecutor(1) as one, ProcessPoolExecutor(2) as two:
        for pool in (one, two):
            wn.sweep(recovered, {"seed": range(8), "ratio": 0.1}, pool)  # starts and imports
        times = [
            (
                seconds(recovered, grid, one),
                seconds(recovered, grid, two),
                seconds_by_hand(grid, two),
            )
            for _ in range(options.repeats)
        ]
    print(f"{options.points} limits, one process: {statistics.median(t[0] for t in times):.2f} s")
    show("two processes are", [t[0] / t[1] for t in times])
    show("than two calls by hand they are", [t[2] / t[1] for t in times])
    with tempfile.TemporaryDirectory() as folder:
        many = {"x": range(10_000)}
        print(f"10,000 points that cost nothing: {seconds(double, many):.2f} s", end="")
        print(f", with a store {seconds(double, many, store=folder + '/store'):.2f} s", end="")
        print(f", read from it {seconds(double, many, store=folder + '/store'):.2f} s")


def show(text, ratios):
    """Print the median of some ratios of speed, and their range."""
    middle = statistics.median(ratios)
    print(f"{text} {middle:.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
