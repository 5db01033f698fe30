"""What the benchmarks share: calls that take turns, processes, and files that say who measured."""

import json
import os
import platform
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("wnlib", "numpy", "scipy", "numba", "torch", "distributed", "threadpoolctl")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
BUSY = "import numpy as np\nA = np.ones((1500, 1500))\nwhile True: A @ A"


def versions():
    """Return the versions of what is installed of the packages that matter."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def seconds_of(call):
    """Return how long a call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def in_turns(calls, repeats, warm=True):
    """Time calls in turns, so that what else the machine does spoils none of them alone.

    Parameters
    ----------
    calls : dict of callables
    repeats : int
    warm : bool
        Call each once before.

    Returns
    -------
    dict of lists
        The seconds of each repetition, by the names of the calls.
    """
    if warm:
        for call in calls.values():
            call()
    rounds = [{name: seconds_of(call) for name, call in calls.items()} for _ in range(repeats)]
    return {name: [seconds[name] for seconds in rounds] for name in calls}


def environment(threads):
    """Return an environment for a process with so many BLAS threads; None: the default number."""
    free = {name: value for name, value in os.environ.items() if name not in THREADS}
    return free if threads is None else free | dict.fromkeys(THREADS, str(threads))


def in_process(script, threads, *arguments):
    """Return what a script prints, as JSON, in a process with so many BLAS threads."""
    command = [sys.executable, script, *map(str, arguments)]
    run = subprocess.run(command, env=environment(threads), stdout=subprocess.PIPE, check=True)
    return json.loads(run.stdout)


@contextmanager
def busy():
    """Keep another process at products of matrices, with the default number of threads."""
    other = subprocess.Popen([sys.executable, "-c", BUSY], env=environment(None))
    try:
        yield
    finally:
        other.kill()
        other.wait()


def write(path, measured):
    """Write a file of results."""
    header = {"versions": versions(), "cores": os.cpu_count()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(header | measured, indent=1) + "\n", encoding="utf-8")
