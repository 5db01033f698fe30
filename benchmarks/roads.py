"""Time the roads to the endpoint of weight normalization, at equal accuracy.

Usage: python benchmarks/roads.py [--json FILE] [--quick]      (about two minutes; quick: 15 s)

The accuracy is the distance to the endpoint of the flow, relative to its length. ``limit`` has all
digits. ``integrate`` is given tolerances in turn, and the fastest that reaches an accuracy counts.
``descend`` and the loop of PyTorch take the same steps to the same weights: so ``descend`` says how
many are needed, of the best of several sizes, and both are timed over some thousands of them. All
is done in processes of their own, once with one BLAS thread and once with the default number, which
take turns. Needs ``torch``.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np
from measured import in_process, in_turns, write

import wnlib as wn

M, N, SPARSITY, SCALE = 40, 100, 5, 0.1
RATIOS = (0.1, 1.0)
STEPS = {0.2: 3, 0.05: 1, 0.0125: 1}  # and their share of steps; with 0.5 weights cross zero
TOLERANCES = (9e-3, 1e-3, 1e-5)
LEVELS = 10.0 ** -np.arange(1, 9)  # accuracies
STEP = 0.05
TIMED = {"descend": 60_000, "short": 2000, "loop": 2000}  # steps that are timed; many are compiled
LATE = 1e12  # integrate stops before, by its residual_tol


def instance(ratio):
    """Return the flow, the problem, and the start."""
    problem = wn.sparse_problem(M, N, SPARSITY, seed=1)
    return wn.WeightNormFlow(2, ratio), problem, wn.initial_weights(problem, SCALE, seed=2)


def miss(z, end):
    """Return the distance of effective weights to the endpoint, relative, shape (...,)."""
    return np.linalg.norm(z - end, axis=-1) / np.linalg.norm(end)


def integrated(arguments, end, repeats):
    """Return what runs of ``integrate`` cost, in turn with ``limit``, and how near they come."""
    rows = []
    for rtol in TOLERANCES:
        for level in LEVELS:
            settings = {"rtol": rtol, "residual_tol": level / 2}
            run = wn.integrate(*arguments, LATE, **settings)
            calls = {
                "seconds": partial(wn.integrate, *arguments, LATE, **settings),
                "limit_seconds": partial(wn.limit, *arguments),
            }
            near = {"error": miss(run.effective, end).item(), "time": run.times[-1].item()}
            rows.append(settings | near | in_turns(calls, repeats))
    return rows


def descended(arguments, end, n_steps):
    """Return how near each step size comes, after how many steps."""
    rows = []
    for step, share in STEPS.items():
        times = step * np.unique(np.geomspace(1, share * n_steps, 120).astype(int))
        run = wn.descend(*arguments, step, share * n_steps, times=times, residual_tol=1e-8)
        rows.append(
            {
                "step": step,
                "status": str(run.status),
                "n_steps": np.rint(run.times / step).astype(int).tolist(),
                "error": miss(run.effective_path, end).tolist(),
            }
        )
    return rows


def accuracy(n_steps, repeats):
    """Return how near the roads come, for each ratio."""
    cases = []
    for ratio in RATIOS:
        arguments = instance(ratio)
        end = wn.limit(*arguments)
        case = {"ratio": ratio, "status": str(end.status)}
        case["integrate"] = integrated(arguments, end.effective, repeats)
        case["descend"] = descended(arguments, end.effective, n_steps)
        cases.append(case)
    return cases


def timed(repeats):
    """Return the seconds of the roads in this process, and whether the two walk the same way."""
    import torch
    from torch_loop import loop

    cases = []
    for ratio in RATIOS:
        flow, problem, x0 = instance(ratio)
        calls = {
            "limit": partial(wn.limit, flow, problem, x0),
            "integrate": partial(
                wn.integrate, flow, problem, x0, LATE, rtol=1e-3, residual_tol=1e-6
            ),
            "loop": partial(loop, problem.A, problem.b, x0, ratio, STEP, TIMED["loop"]),
        }
        for name in ("descend", "short"):
            arguments = flow, problem, x0, STEP, TIMED[name]
            calls[name] = partial(wn.descend, *arguments, times=[STEP], residual_tol=0)
        walked = wn.descend(flow, problem, x0, STEP, TIMED["loop"], residual_tol=0).weights
        apart = np.abs(walked - calls["loop"]()).max().item()
        cases.append({"ratio": ratio, "apart": apart, "seconds": in_turns(calls, repeats)})
    return {"torch_threads": torch.get_num_threads(), "cases": cases}


def main():
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="fewer steps, fewer repetitions")
    parser.add_argument("--task", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        name, *numbers = options.task
        task = {"accuracy": accuracy, "timed": timed}[name]
        print(json.dumps(task(*map(int, numbers))))
        return
    n_steps, repeats, turns = (20_000, 1, 1) if options.quick else (1_000_000, 5, 3)
    measured = {
        "size": {"M": M, "N": N, "sparsity": SPARSITY, "scale": SCALE},
        "timed_steps": TIMED,
        "accuracy": in_process(__file__, 1, "--task", "accuracy", n_steps, repeats),
        "one_thread": [],
        "default": [],
    }
    for _ in range(turns):
        measured["one_thread"].append(in_process(__file__, 1, "--task", "timed", repeats))
        measured["default"].append(in_process(__file__, None, "--task", "timed", repeats))
    show(measured)
    if options.json:
        write(options.json, measured)


def show(measured):
    """Print the medians."""
    for name in ("one_thread", "default"):
        for place, ratio in enumerate(RATIOS):
            print(f"{name}, ratio {ratio}:", end="")
            for road in ("limit", "integrate", "descend", "short", "loop"):
                runs = [turn["cases"][place]["seconds"][road] for turn in measured[name]]
                print(f" {road} {1e6 * np.median(runs) / TIMED.get(road, 1):.1f}", end="")
            print(" microseconds (the last three: a step)")
    for case in measured["accuracy"]:
        for row in case["descend"]:
            there = [n for n, e in zip(row["n_steps"], row["error"], strict=True) if e <= 1e-6]
            print(f"ratio {case['ratio']}, step {row['step']}: {row['status']}, ", end="")
            print(f"at last {row['error'][-1]:.1e}; 1e-6 after {there[:1]} steps")


if __name__ == "__main__":
    main()
