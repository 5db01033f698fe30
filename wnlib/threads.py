"""One BLAS thread while a flow is followed, and the caller's number of threads afterwards.

The matrices here are small and the loops are hot. NumPy and SciPy bring a BLAS each, with a pool of
threads each, and where calls alternate between them the idle pool spins against the busy one: a
second thread then costs a multiple of the time, beside another busy process up to a hundredfold.
"""

from contextlib import ContextDecorator
from functools import cache
from threading import Lock

import scipy.linalg  # noqa: F401  (loads SciPy's BLAS, so that the controller finds it)
from threadpoolctl import ThreadpoolController


@cache
def _controller():
    """Return the controller of the BLAS pools of this process: a few milliseconds, once."""
    return ThreadpoolController()


class _OneBlasThread(ContextDecorator):
    """A context, and a decorator of functions, with one BLAS thread in every pool.

    The numbers of threads belong to the process. So that calls may overlap, in several threads of
    Python too, the first to enter notes the numbers and the last to leave restores them.
    """

    def __init__(self):
        self._lock, self._inside, self._limits = Lock(), 0, None

    def __enter__(self):
        with self._lock:
            if self._inside == 0:
                self._limits = _controller().limit(limits=1, user_api="blas")
            self._inside += 1
        return self

    def __exit__(self, *error):
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limits.restore_original_limits()
        return False


one_blas_thread = _OneBlasThread()
