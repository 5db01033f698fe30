"""What a claim is: a statement in parts, each of them a number, a threshold and a false twin."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

KINDS = "exact", "upper", "lower"


def always(instance: object) -> bool:
    """Return True: no hypothesis beyond those of the setting."""
    return True


@dataclass(frozen=True)
class Part:
    """One thing that a statement says, as a number on an instance.

    It is true there if the number is at most the threshold (1 for a bound, ``measured / bound``;
    the tolerance for an identity). Its *false twin* is the same with one thing wrong; a ledger must
    find an instance that refutes it.

    Attributes
    ----------
    name : str
        A word or two, for the ledger.
    kind : {"exact", "upper", "lower"}
        An identity, a bound from above, or a bound from below.
    measured : str
        What ``measure`` returns.
    threshold : float
        The largest admissible value.
    reason : str
        Why this threshold.
    measure : callable
        Maps an instance to a number; NaN counts as a failure. None says that a computation which
        the number needs did not finish: the instance is not applicable.
    twin : str
        The one thing that the false twin has wrong.
    measure_twin : callable
    applies : callable
        The hypotheses, as a predicate of the instance.
    twin_applies : callable, optional
        The hypotheses of the twin, where dropping one is what is wrong with it.
    """

    name: str
    kind: Literal["exact", "upper", "lower"]
    measured: str
    threshold: float
    reason: str
    measure: Callable[[Any], float | None]
    twin: str
    measure_twin: Callable[[Any], float | None]
    applies: Callable[[Any], bool] = always
    twin_applies: Callable[[Any], bool] | None = None

    def __post_init__(self) -> None:
        """Validate."""
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {self.kind!r}")


@dataclass(frozen=True)
class Claim:
    """A statement of the book that a computer can refute.

    Attributes
    ----------
    label : str
        The label of the statement in the book.
    statement : str
    sample : callable
        Draws an instance from a ``numpy.random.Generator``; all parts are measured on it.
    parts : tuple of Part
        All that the statement says; at least one.
    """

    label: str
    statement: str
    sample: Callable[[np.random.Generator], Any]
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        """Validate."""
        parts = self.parts if isinstance(self.parts, tuple) else ()
        if not (parts and all(isinstance(part, Part) for part in parts)):
            raise TypeError(f"parts must be a tuple of Part, not empty; got {self.parts!r}")
