"""Who hears of Ctrl-C: the caller of a run gets what was reached; one point of many is nothing.

A sweep that kept what an interrupted run has reached would take it for the result of the point.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_passed_on = ContextVar("passed_on", default=False)


@contextmanager
def interrupts_passed_on() -> Iterator[None]:
    """Let ``integrate`` and ``descend`` raise ``KeyboardInterrupt`` in this context."""
    token = _passed_on.set(True)
    try:
        yield
    finally:
        _passed_on.reset(token)


def are_interrupts_passed_on() -> bool:
    """Tell whether a run must raise ``KeyboardInterrupt``; otherwise it returns what it has."""
    return _passed_on.get()
