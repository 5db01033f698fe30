"""What a run of ``l1.py`` leaves: records, tables, and with what they were made."""

import os
import platform
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from instances import REGIMES
from judge import EXCESS, MISS
from peers import TIME_LIMIT
from threadpoolctl import threadpool_info

TOL = 1e-9
HIGHS = ("HiGHS simplex", "HiGHS ipm", "linprog")
PACKAGES = (
    "wnlib", "scipy", "highspy", "scikit-learn", "spgl1", "pylops", "pyproximal", "cvxpy",
    "clarabel", "scs", "celer", "skglm",
)  # fmt: skip


def described(cell, seed):
    """Return what an instance is."""
    names = ("family", "M", "N", "regime", "signed")
    return {name: getattr(cell, name) for name in names} | {"s": cell.sparsity, "seed": seed}


def judged(judge, record):
    """Return a record with the verdict."""
    record = {key: value for key, value in record.items() if key != "norm"} | {
        "excess": judge.excess(record),
        "passes": bool(judge.passes(record)),
        "decided": bool(judge.decided),
    }
    for key in ("excess", "feasibility", "gap"):
        record[key] = None if record[key] is None else float(f"{record[key]:.3g}")
    record["seconds"] = [float(f"{value:.4g}") for value in record["seconds"]]
    record["memory"] = None if record["memory"] is None else round(record["memory"], 1)
    return record


def hostile_table(count, seed, families, undecided, failed, seconds):
    """Return the table of the hostile instances: counts, and the numbers of those that failed."""
    solvers = {
        name: {
            "passed": count - len(undecided) - len(bad),
            "failed": len(bad),
            "false_successes": sum(record["says"] is True for record in bad.values()),
            "seconds": round(seconds[name], 3),
            "by_family": dict(Counter(families[number] for number in bad)),
            "failures": [{"number": number, **record} for number, record in bad.items()],
        }
        for name, bad in failed.items()
    }
    highs = [failed[name] for name in HIGHS if name in failed]
    missed = [
        number for number in failed.get("wnlib", ()) if any(number not in bad for bad in highs)
    ]
    return {
        "instances": count,
        "seed": seed,
        "by_family": dict(Counter(families.values())),
        "undecided": undecided,
        "solvers": solvers,
        "wnlib_fails_where_highs_succeeds": missed,
    }


def settings():
    """Return with what was measured; no names of machines."""
    blas = {(each["internal_api"], each["version"]) for each in threadpool_info()}
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return {
        "versions": dict(sorted(versions.items())),
        "blas": sorted(" ".join(map(str, each)) for each in blas),
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "tolerance": TOL,
        "judge": {"excess": EXCESS, "feasibility": MISS},
        "time_limit": TIME_LIMIT,
        "regimes": REGIMES,
    }


def cpu():
    """Return the model of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def summary(results):
    """Print the median seconds with one thread, and who failed."""
    groups = {}
    for record in results["records"]:
        if record["threads"] == 1:
            key = tuple(record[name] for name in ("family", "M", "N", "regime", "signed"))
            groups.setdefault(key, {}).setdefault(record["solver"], []).append(record)
    for key, solvers in groups.items():
        family, M, N, regime, signed = key
        print(f"\n{family} {M} x {N}, {regime}, {'signed' if signed else 'nonnegative'}")
        for name, records in solvers.items():
            times = np.median([np.median(record["seconds"]) for record in records])
            passed = sum(record["passes"] for record in records)
            false = sum(record["says"] is True and not record["passes"] for record in records)
            memory = max((record["memory"] or 0.0) for record in records)
            print(
                f"  {name:15} {times:9.4f} s  {passed}/{len(records)} right, {false} false "
                f"successes, {memory:.0f} MiB"
            )
    for name, row in results["hostile"]["solvers"].items():
        print(f"hostile: {name:15} {row['failed']} failed, {row['false_successes']} falsely")
    print("{seconds} s in all, {cpu_seconds} s of processors".format(**results["settings"]))
