"""Processes that solve instances: one with one BLAS thread, one with the default number."""

import ctypes
import gc
import multiprocessing
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from measured import THREADS

PATIENCE = 1.0  # seconds beyond the time limit, until a solver is stopped


class Worker:
    """A process for solvers, started again where it had to be stopped.

    Parameters
    ----------
    threads : int or None
        Of BLAS and OpenMP; None leaves the defaults.
    """

    def __init__(self, threads):
        self.threads, self._process = threads, None

    def run(self, name, source, limit, tol, weigh=False):
        """Let a solver solve ``source()``; return what `_solve` does, or None at the time limit.

        Its memory is looked at if ``weigh``: that takes time, and makes the next pages dear.
        """
        if self._process is None:
            self._start()
        self._pipe.send((name, source, tol, weigh))
        if self._pipe.poll(limit + PATIENCE):
            with suppress(EOFError):  # the solver took the process with it
                return self._pipe.recv()
        self.stop()
        return None

    def warm(self, name):
        """Import a solver, and let it compile what it compiles, before it is timed."""
        if self._process is None:
            self._start()
        self._pipe.send((name, None, 1e-9, False))
        self._pipe.recv()

    def _start(self):
        kept = {key: os.environ.pop(key) for key in THREADS if key in os.environ}
        if self.threads:
            os.environ |= dict.fromkeys(THREADS, str(self.threads))
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other,), daemon=True)
        self._process.start()
        other.close()
        for key in THREADS:
            os.environ.pop(key, None)
        os.environ |= kept

    def stop(self):
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


def _serve(pipe):
    """Solve what comes through the pipe, in the process of the worker."""
    sys.stdout.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # solvers that talk
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    known, ready, instance = None, set(), None
    while True:
        name, source, tol, weigh = pipe.recv()
        if name not in ready:
            for signed in (False, True):
                _solve(name, _tiny(signed), tol, False)
            ready.add(name)
        if source is None:
            pipe.send(None)
            continue
        if source != known:
            known, instance = source, source()
        pipe.send(_solve(name, instance, tol, weigh))


def _tiny(signed):
    from instances import Cell

    return Cell("gaussian", 20, 40, "recoverable", signed).draw(0)


def _solve(name, instance, tol, weigh):
    """Return the answer, the seconds, and the mebibytes it needed beyond what was there before."""
    from peers import PEERS, Answer

    before = _resident("VmRSS", reset=True) if weigh else None
    begin = time.perf_counter()
    try:
        answer = PEERS[name](instance.A, instance.b, instance.signed, tol)
    except Exception as error:
        answer = Answer(None, None, False, f"{type(error).__name__}: {error}"[:120])
    seconds = time.perf_counter() - begin
    peak = _resident("VmHWM") if weigh else None
    memory = None if before is None or peak is None else max(0.0, peak - before)
    for part in ("z", "dual"):
        value = getattr(answer, part)
        setattr(answer, part, None if value is None else np.array(value, dtype=float))
    return answer, seconds, memory


def _resident(which, reset=False):
    """Return the mebibytes resident now, or most since the reset; None where Linux is not."""
    try:
        if reset:
            gc.collect()
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(which)) / 1024
    except (OSError, AttributeError, StopIteration):
        return None
