"""One BLAS thread while a flow is followed, and the caller's number of threads afterwards.

The matrices here are small and the loops are hot. NumPy and SciPy bring a BLAS each, with a pool of
threads each, and where calls alternate between them the idle pool spins against the busy one: a
second thread then costs a multiple of the time, and beside another busy process far more.
"""

import os
from contextlib import ContextDecorator
from functools import cache
from threading import Lock
from typing import Any, Self

import scipy.linalg  # noqa: F401  (loads SciPy's BLAS, so that it is found)
from threadpoolctl import ThreadpoolController


@cache
def _pools() -> list[Any]:
    """Return the BLAS pools of this process; to look for them takes some milliseconds."""
    return [pool for pool in ThreadpoolController().lib_controllers if pool.user_api == "blas"]


def _set_numbers(numbers: list[int]) -> None:
    """Set the number of threads of each pool, whichever thread of Python asks for it.

    Newer versions of threadpoolctl obey only the thread that set a number first, until it is
    released, and say nothing to the others. The last call to leave may be in another thread.
    """
    for pool, number in zip(_pools(), numbers, strict=True):
        release = getattr(pool, "clear_controlling_thread", lambda force: None)
        release(force=True)
        pool.set_num_threads(number)
        release(force=True)


class _OneBlasThread(ContextDecorator):
    """A context, and a decorator of functions, with one BLAS thread in every pool.

    The numbers of threads belong to the process. So that calls may overlap, in several threads of
    Python too, the first to enter notes the numbers and the last to leave restores them.
    """

    def __init__(self) -> None:
        self._lock, self._inside = Lock(), 0
        self._numbers: list[int] = []

    def __enter__(self) -> Self:
        with self._lock:
            if self._inside == 0:
                self._numbers = [pool.get_num_threads() for pool in _pools()]
                _set_numbers([1] * len(self._numbers))
            self._inside += 1
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                _set_numbers(self._numbers)

    def _forget(self) -> None:
        """Start anew in a forked child, where nobody is inside any more, with all threads."""
        self._lock = Lock()
        if self._inside > 0:
            self._inside = 0
            _set_numbers(self._numbers)


one_blas_thread = _OneBlasThread()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=one_blas_thread._forget)
