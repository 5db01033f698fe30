"""Time the map of recovery on a Dask cluster of two processes, and what a task costs besides.

Usage: python benchmarks/scale.py [--json FILE] [--quick]      (about three minutes; quick: 25 s)

Three things are measured, from which ``wnlib.figures.cluster`` predicts runs of any size; and three
runs of the map, to be compared with the prediction. What a problem costs is sampled over sizes
and ratios on the same cluster, with other seeds; a task that does nothing costs what the client,
the scheduler and the network take; and memory is counted in bytes a point. Needs ``distributed``.
"""

import argparse
import resource
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
from measured import write

import wnlib as wn
from wnlib.figures import cluster as clusters
from wnlib.figures import phase_transition, tallies
from wnlib.sweeps import points_of, seed_of

WORKERS = 2
SAMPLED = {"n_features": (20, 30, 45, 60, 90), "delta": (0.1, 0.3, 0.5, 0.7, 0.9)}
SAMPLED |= {"share": (0.16, 0.4, 0.64), "ratio": (1.0, 0.1, 0.01)}
MAP = {"deltas": (0.2, 0.5, 0.8), "shares": (0.24, 0.48, 0.72, 0.96)}  # of the three runs
DRAWS, BLOCK = (4, 20, 80), (1, 2, 4)  # in each of its cells, and in each task


def problem_seconds(*, seed, draw, n_features, signed, delta, share, ratio):
    """Return what a problem of the map costs without weight normalization, and one limit with."""
    key = {"seed": seed, "draw": draw, "n_features": n_features, "signed": signed}
    begin = time.perf_counter()
    phase_transition.trial(**key, delta=delta, share=share, scale=0.05, ratios=[])
    others = time.perf_counter() - begin
    M = max(1, round(delta * n_features))
    s = max(1, round(share * M))
    problem = wn.sparse_problem(M, n_features, s, seed_of(*key.values()), signed=signed)
    x0 = wn.initial_weights(problem, 0.05, seed_of(*key.values(), 1))
    begin = time.perf_counter()
    wn.limit(wn.WeightNormFlow(2, ratio), problem, x0)
    return {
        "M": M,
        "weights": problem.n_weights,
        "others": others,
        "limit": time.perf_counter() - begin,
    }


def nothing(*, x):
    """Return next to nothing."""
    return {"double": 2 * x}


def seconds(function, grid, executor=None, store=None):
    """Return how long a sweep takes."""
    begin = time.perf_counter()
    wn.sweep(function, grid, executor, store, progress=False)
    return time.perf_counter() - begin


def problems(n_samples):
    """Return points for :func:`problem_seconds`."""
    draw = np.random.default_rng(1)
    axes = SAMPLED | {"signed": (False, True)}
    rows = [
        {name: draw.choice(axis).item() for name, axis in axes.items()} for _ in range(n_samples)
    ]
    return [{"seed": 1, "draw": number, **row} for number, row in enumerate(rows)]


def bytes_of_points(grid):
    """Return the memory that a point of a grid takes."""
    tracemalloc.start()
    points = points_of(grid)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return used / len(points)


def bytes_of_store(function, grid):
    """Return the size of a line in the store."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder, "store")
        wn.sweep(function, grid, store=store, progress=False)
        return store.stat().st_size / len(grid)


def memory():
    """Return the largest size of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main():
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="a tenth of it")
    options = parser.parse_args()
    from distributed import Client, LocalCluster

    part = 10 if options.quick else 1
    tasks = [1000 // part, 3000 // part, 10_000 // part]
    with (
        LocalCluster(WORKERS, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        executor = client.get_executor()
        wn.sweep(problem_seconds, problems(8), executor)  # imports
        # half of the problems before the runs, half after: what else the machine does concerns both
        samples = problems(300 // part)
        before = wn.sweep(problem_seconds, samples[::2], executor)
        runs = [
            {"settings": settings, "seconds": seconds(tallies.tally, points, executor)}
            for n_draws, block in zip(DRAWS[: 3 - options.quick], BLOCK, strict=False)
            for settings in [{"n_draws": n_draws, "block": block, "seed": 2, **MAP}]
            for points in [tallies.blocks(**settings)]
        ]
        after = wn.sweep(problem_seconds, samples[1::2], executor)
        used = memory()
        bare = [{"tasks": n, "seconds": seconds(nothing, {"x": range(n)}, executor)} for n in tasks]
        client_bytes = (memory() - used) / max(tasks)
    with tempfile.TemporaryDirectory() as folder:
        here = [
            {
                "points": n,
                "seconds": seconds(nothing, {"x": range(n)}),
                "stored": seconds(nothing, {"x": range(n)}, store=f"{folder}/{n}"),
                "read": seconds(nothing, {"x": range(n)}, store=f"{folder}/{n}"),
            }
            for n in (1000 // part, 10_000 // part, 100_000 // part)
        ]
    one = {"deltas": [0.5], "shares": [0.48]}
    rows = phase_transition.grid(n_draws=2, n_slice=2, **one)
    measured = {
        "workers": WORKERS,
        "sampled": {name: [*before[name].tolist(), *after[name].tolist()] for name in before},
        "runs": runs,
        "bare": bare,
        "here": here,
        "bytes": {
            "point": bytes_of_points(phase_transition.grid(n_draws=20, n_slice=20)),
            "block": bytes_of_points(tallies.blocks(20, 1)),
            "line": bytes_of_store(phase_transition.trial, rows),
            "block_line": bytes_of_store(tallies.tally, tallies.blocks(2, 1, **one)),
            "task": client_bytes,
        },
    }
    show(measured)
    if options.json:
        write(options.json, measured)


def show(measured):
    """Print the model, and what it says of the runs."""
    model = clusters.model(measured)
    for name in ("others", "limit"):
        law = getattr(model, name)
        print(f"{name}: {law}, spread {law.spread:.2f}")
    print(f"a task: {1e3 * model.task:.2f} ms")
    for run in measured["runs"]:
        points = tallies.blocks(**run["settings"])
        work = model.work(points)
        foretold = model.seconds(work, len(points), measured["workers"])
        print(f"{run['settings']['n_draws'] * 24} problems in {len(points)} tasks: ", end="")
        print(f"{work:.0f} s of work; {foretold:.1f} s foretold, {run['seconds']:.1f} s measured")
    for row in measured["here"]:
        each = ", ".join(f"{name} {1e6 * row[name] / row['points']:.0f}" for name in list(row)[1:])
        print(f"{row['points']} points here, microseconds each: {each}")
    print("bytes:", ", ".join(f"{name} {size:.0f}" for name, size in measured["bytes"].items()))


if __name__ == "__main__":
    main()
