"""Compare solvers of ``min |z|_1 : A z = b``: seconds, memory, failures, false successes.

Usage: python benchmarks/l1.py [--quick] [--large] [--only SOLVER ...] [--family gaussian dct]
       [--json FILE]

All solvers get the same instances in one run and take turns, instance by instance, in a process
with one BLAS thread and in one with the default number. One judge looks at all answers. README.md
says how the solvers are tuned, and what the file holds.
"""

import argparse
import itertools
import json
import resource
import sys
import time
from collections import Counter
from pathlib import Path

from instances import FAMILIES, REGIMES, Cell, Drawn, HostileDrawn
from judge import Judge
from peers import PEERS, TIME_LIMIT
from reports import TOL, described, hostile_table, judged, settings, summary
from threadpoolctl import threadpool_limits
from workers import Worker

import wnlib as wn

CORE = ("wnlib", "HiGHS simplex", "HiGHS ipm", "LARS")  # run on each instance
HOSTILE = ("wnlib", "HiGHS simplex", "HiGHS ipm", "linprog", "LARS")
SLOW_TO_START = ("celer", "skglm", "SCS")  # left out of a quick run
QUICK = 0.15  # seconds; who needs less is timed again, who needs more counts from the first run on
QUICK_LIMIT, OTHERS_LIMIT = 2.0, 5.0  # seconds, instead of TIME_LIMIT


class Bench:
    """A run: what is to be solved, by whom, and the records so far."""

    def __init__(self, options):
        self.options, self.records = options, []
        slow = SLOW_TO_START if options.quick and not options.only else ()
        self.names = [
            name
            for name in PEERS
            if name not in slow and (not options.only or name in options.only)
        ]
        self.workers = {1: Worker(1), None: Worker(None)}

    def cell(self, cell, *, seeds, budget, repeats=2, only=None):
        """Run a cell: each solver gets seeds until it has spent its budget of seconds.

        ``budget`` maps solvers, or (solver, None) for the default number of threads, to seconds;
        who is not in it does not run. ``only`` some solvers may run.
        """
        if cell.family not in self.options.family:
            return
        begin, spent = time.perf_counter(), Counter()
        for seed in range(seeds):
            runs = [
                (name, threads)
                for name, threads in itertools.product(self.names, self.workers)
                if (only is None or name in only)
                and spent[name, threads] < budget.get((name, threads), 0.0)
            ]
            self.instance(cell, seed, runs, repeats, spent)
        print(f"{time.perf_counter() - begin:6.1f} s  {cell}", file=sys.stderr, flush=True)

    def instance(self, cell, seed, runs, repeats, spent):
        """Let solvers take turns on one instance, then judge."""
        judge, source, found = Judge(Drawn(cell, seed)()), Drawn(cell, seed), {}
        for name, threads in runs:
            self.workers[threads].warm(name)
            begin = time.perf_counter()
            outcome = self.workers[threads].run(name, source, self.limit(name), TOL, weigh=True)
            spent[name, threads] += time.perf_counter() - begin
            found[name, threads] = self.heard(judge, outcome, self.limit(name))
        for _ in range(repeats):
            for name, threads in runs:
                if (seconds := found[name, threads]["seconds"])[0] < QUICK:
                    outcome = self.workers[threads].run(name, source, self.limit(name), TOL)
                    if outcome is not None:
                        spent[name, threads] += outcome[1]
                        seconds.append(outcome[1])
        for (name, threads), record in found.items():
            record["seconds"] = record["seconds"][1:] or record["seconds"]  # the first warmed up
            self.records.append(
                {"solver": name, **described(cell, seed), "threads": threads or "default"}
                | judged(judge, record)
            )

    def limit(self, name):
        """Return the seconds after which a solver is stopped."""
        return QUICK_LIMIT if self.options.quick else TIME_LIMIT if name in CORE else OTHERS_LIMIT

    @staticmethod
    def heard(judge, outcome, limit):
        """Return the record of an answer, before judgement."""
        if outcome is None:
            stopped = {"seconds": [limit], "memory": None, "says": False}
            return stopped | {"note": "stopped at the time limit"} | judge.hear(None)
        answer, seconds, memory = outcome
        own = {"seconds": [seconds], "memory": memory, "says": answer.says, "note": answer.note}
        return own | judge.hear(answer.z, answer.dual)

    def hostile(self, count, seed=0):
        """Run hostile instances; return who failed on which."""
        names = [name for name in HOSTILE if name in self.names]
        failed = {name: {} for name in names}
        families, undecided, seconds = {}, [], Counter()
        for number in range(count):
            source = HostileDrawn(seed, number)
            instance = source()
            judge, heard = Judge(instance), {}
            for name in names:
                outcome = self.workers[1].run(name, source, TIME_LIMIT, TOL)
                heard[name] = self.heard(judge, outcome, TIME_LIMIT)
                seconds[name] += heard[name]["seconds"][0]
            families[number] = instance.family
            if not judge.decided:  # the refined linear program may know
                found = wn.min_l1(wn.Problem(instance.A, instance.b, signed=instance.signed))
                judge.hear(found.z, found.dual)
            if not judge.decided:
                undecided.append(number)
                continue
            for name, record in heard.items():
                if not judge.passes(record):
                    failed[name][number] = judged(judge, record)
        return hostile_table(count, seed, families, undecided, failed, seconds)

    def stop(self):
        """End the processes."""
        for worker in self.workers.values():
            worker.stop()


def cells(*sizes, families=FAMILIES, regimes=REGIMES, signs=(False, True)):
    """Return all cells of some sizes."""
    kinds = itertools.product(sizes, families, regimes, signs)
    return [Cell(family, *size, regime, signed) for size, family, regime, signed in kinds]


def budgets(core, default, others=0.0, **special):
    """Return the seconds that each solver may spend on a cell."""
    each = {(name, 1): core if name in CORE else others for name in PEERS}
    each |= {(name, None): default for name in CORE}
    return each | {(name, 1): seconds for name, seconds in special.items()}


ONCE = 0.01  # a budget for one seed


def measure(bench, options):
    """Run everything; the settings are those of the README."""
    if options.quick:
        for cell in cells((50, 250), (100, 500), families=["gaussian"], signs=[False]):
            bench.cell(cell, seeds=2, budget=budgets(0.5, 0.0, ONCE))
        return bench.hostile(36)
    for cell in cells((200, 1000)):
        gaussian, hard = cell.family == "gaussian", cell.regime == "hard"
        special = {"SPGL1": 1.0, "pyproximal": 1.0, "celer": 1.0}
        if gaussian and hard and cell.signed:
            special["SPGL1"] = 30.0  # all seeds
        bench.cell(cell, seeds=6, budget=budgets(8.0, 2.0, 2.0 * gaussian, **special))
    for cell in cells((500, 4000)):
        gaussian = cell.family == "gaussian"
        plain = gaussian and not cell.signed
        seconds = budgets(8.0 if gaussian else 3.0, 3.0, ONCE * plain)
        for name in ("HiGHS simplex", "HiGHS ipm"):  # they use one thread anyway
            seconds[name, None] = ONCE * plain
        if cell.regime == "recoverable":  # its time is a multiple of that of the simplex method
            seconds["HiGHS ipm", 1] = ONCE * plain
            seconds["HiGHS ipm", None] = 0.0
        bench.cell(cell, seeds=5, budget=seconds)
    sizes = [(50, 250), (100, 500), (400, 2000)]
    for cell in cells(*sizes, families=["gaussian"], signs=[False]):
        bench.cell(cell, seeds=3, budget=budgets(3.0, 0.0, ONCE if cell.N <= 500 else 0.0))
    large = [(800, 4000), (1000, 10000)] if options.large else [(800, 4000)]
    for cell in cells(*large, families=["gaussian"], signs=[False]):
        slow = {"HiGHS ipm": 0.0} | ({"HiGHS simplex": 0.0} if cell.regime == "hard" else {})
        bench.cell(cell, seeds=3, budget=budgets(3.0, 0.0, **slow))
    return bench.hostile(360)


def main():
    """Run, print a summary, write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="half a minute, for a look")
    parser.add_argument("--large", action="store_true", help="1000 x 10000 too")
    parser.add_argument("--only", nargs="*", choices=PEERS, metavar="SOLVER")
    parser.add_argument("--family", nargs="*", choices=FAMILIES, default=FAMILIES)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    begin, bench = time.perf_counter(), Bench(options)
    try:
        with threadpool_limits(1):  # the judge must not disturb
            hostile = measure(bench, options)
    finally:
        bench.stop()
    results = {"settings": settings(), "records": bench.records, "hostile": hostile}
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    results["settings"]["seconds"] = round(time.perf_counter() - begin, 1)
    results["settings"]["cpu_seconds"] = round(usage.ru_utime + usage.ru_stime, 1)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(results, separators=(",", ":"), allow_nan=False)
        options.json.write_text(text.replace("},{", "},\n{") + "\n", encoding="utf-8")
    summary(results)


if __name__ == "__main__":
    main()
