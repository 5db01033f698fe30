"""Search for the instance on which an inequality comes nearest to failing.

An evolution strategy: the worst few instances of :func:`~wnlib.ledger.verify` are moved at random;
a move that makes one worse stays, and the next from there is longer; after one that does not, it is
shorter. How an instance is moved, and how it is written down, the caller says.
"""

import json
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from wnlib._checks import count
from wnlib.ledger._verify import Book, Find, Verdict, draw, each, fill, finite_or_none
from wnlib.ledger.claim import Claim, Part

PARENTS = 3  # instances that are moved
FIRST_STEP = 0.3  # relative, about
DECADES = 1.0  # by which a move may be shorter than its step: near an optimum only short ones help
LENGTHEN = 1.5  # after a success
SHORTEN = 0.9  # after a failure: steps keep their size if one in five succeeds

Measure = Callable[[Any], float | None]
Move = Callable[[Claim, Any, np.random.Generator, float], Any]
Write = Callable[[Claim, int, Any, float], str | None]


@dataclass(frozen=True)
class Strike:
    """What an attack found of one part of a claim.

    Attributes
    ----------
    part : str
        Its name.
    drawn, found : float
        The largest share of the threshold that was measured on instances drawn at random, and by
        the search that starts from them; NaN if the part applied to none.
    moves : int
        Moved instances to which the part applied; 0 if they cannot be moved, or none had to be.
    twin_refuted : bool
        Whether the false twin fell, to a draw or to the same search.
    snippet : str
        Lines of Python that measure the worst instance again.
    """

    part: str
    drawn: float
    found: float
    moves: int
    twin_refuted: bool
    snippet: str

    @property
    def verdict(self) -> Verdict:
        """Fails beyond the threshold; undecided if nothing was measured or the twin survived."""
        if self.found > 1:
            return Verdict.FAILS
        decided = self.twin_refuted and not np.isnan(self.found)
        return Verdict.HOLDS if decided else Verdict.UNDECIDED


@dataclass(frozen=True)
class Attacked:
    """One claim under attack: its label, a strike for each part, an error, and the seconds."""

    label: str
    strikes: tuple[Strike, ...]
    error: str | None
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of a part; an error is a failure."""
        verdicts = {strike.verdict for strike in self.strikes}
        if self.error or Verdict.FAILS in verdicts:
            return Verdict.FAILS
        return Verdict.UNDECIDED if Verdict.UNDECIDED in verdicts else Verdict.HOLDS


@dataclass(frozen=True, repr=False)
class Attack:
    """Rows of :func:`attack`, its seed, and whether it was interrupted."""

    rows: tuple[Attacked, ...]
    seed: int
    interrupted: bool = False

    _HEAD = ("label", "part", "verdict", "by draws", "by attack", "moves", "twin")

    @property
    def ok(self) -> bool:
        """Whether no inequality was violated, every twin fell, and none is missing."""
        return not self.interrupted and all(row.verdict is Verdict.HOLDS for row in self.rows)

    def __str__(self) -> str:
        """Text table."""
        table = [self._HEAD]
        for row in self.rows:
            for place, one in enumerate(row.strikes):
                shares = f"{one.drawn:.4g}", f"{one.found:.4g}", str(one.moves)
                twin = "refuted" if one.twin_refuted else "survives"
                label = "" if place else row.label
                table.append((label, one.part, str(one.verdict), *shares, twin))
            if row.error:
                table.append((row.label, "", "fails", row.error, "", "", ""))
        widths = [max(len(line[k]) for line in table if line[4]) for k in range(len(self._HEAD))]
        lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in table]
        parts = [strike for row in self.rows for strike in row.strikes]
        held = sum(strike.verdict is Verdict.HOLDS for strike in parts)
        tail = f"{held} of {len(parts)} inequalities hold; seed {self.seed}"
        tail += "; interrupted" if self.interrupted else ""
        return "\n".join([*lines, "", "shares of the threshold, at most 1", tail])

    __repr__ = __str__

    def to_json(self) -> str:
        """All rows as a JSON text; a NaN is null there."""
        rows = [asdict(row) | {"verdict": row.verdict} for row in self.rows]
        for strike in (strike for row in rows for strike in row["strikes"]):
            strike |= {name: finite_or_none(strike[name]) for name in ("drawn", "found")}
        summary = {"seed": self.seed, "ok": self.ok, "interrupted": self.interrupted}
        return json.dumps(summary | {"rows": rows}, indent=2, allow_nan=False)


def attack(
    find: Find,
    claims: Sequence[str | Claim],
    *,
    move: Move,
    write: Write,
    samples: int = 20,
    budget: int = 20,
    seed: int = 0,
    report: Callable[[Attacked], object] | None = None,
    executor: Executor | None = None,
) -> Attack:
    """Search for instances that violate the upper bounds among the parts of claims.

    Parameters
    ----------
    find, claims, samples, seed, report, executor
        As in :func:`~wnlib.ledger.verify`; the search starts from what that draws.
    move : callable
        Maps a claim, an instance, a generator and a size to another instance, or to None where it
        cannot be moved. If there is an executor: a function of a module, as is ``write``.
    write : callable
        Maps a claim, the place of a part in it, an instance and the value measured to Python lines
        that measure it again, or to None if there are none.
    budget : int
        Moves for each part, and again for a twin that no draw has refuted.

    Returns
    -------
    Attack
        A row for each claim that has an upper bound. It depends on the arguments alone.
    """
    samples, seed = count("samples", samples), count("seed", seed, minimum=0)
    budget = count("budget", budget, minimum=0)
    bounded = [claim for claim in claims if _upper(find(claim))]
    options: dict[str, Any] = {"samples": samples, "budget": budget, "seed": seed}
    check = partial(_attack, find, move=move, write=write, **options)
    rows, interrupted = each(check, bounded, report, executor)
    return Attack(rows, seed, interrupted)


def _upper(claim: Claim) -> dict[int, Part]:
    return {place: part for place, part in enumerate(claim.parts) if part.kind == "upper"}


def _attack(
    find: Find,
    named: str | Claim,
    *,
    move: Move,
    write: Write,
    samples: int,
    budget: int,
    seed: int,
) -> Attacked:
    claim, began, strikes = find(named), time.perf_counter(), []
    parts = _upper(claim)
    books = {place: Book(part) for place, part in parts.items()}
    error = fill(list(books.values()), claim, samples, seed)
    for place, book in books.items() if error is None else ():
        try:
            search = _Search(claim, place, move, budget, seed)
            strikes.append(search.strike(book, write))
        except Exception as failure:  # of any kind: the row says which
            error = f"{type(failure).__name__} in {parts[place].name}: {failure}"
            break
    return Attacked(claim.label, tuple(strikes), error, time.perf_counter() - began)


def _share(value: float, threshold: float) -> float:
    """Return a value over its threshold; where that is not positive, 1 and by how much more."""
    return float(value / threshold if threshold > 0 else 1 + value - threshold)


@dataclass(frozen=True)
class _Search:
    """An evolution strategy against one part of a claim."""

    claim: Claim
    place: int
    move: Move
    budget: int
    seed: int

    def strike(self, book: Book, write: Write) -> Strike:
        """Search on from the worst draws; and against the twin, if it survived all of them."""
        part = book.part
        values = np.nan_to_num(book.values, nan=np.inf)
        worst = np.argsort(values)[::-1][:PARENTS]
        numbers = [book.draws[k] for k in worst]
        refuted = any(not value <= part.threshold for value in book.twin_values)
        if not refuted:
            applies = part.twin_applies or part.applies
            found, _ = self.run(numbers, part.measure_twin, applies, stream=1)
            refuted = found is not None and found.value > part.threshold
        found, moves = self.run(numbers, part.measure, part.applies, stream=0)
        if found is None:
            return Strike(part.name, np.nan, np.nan, 0, refuted, "")
        text = write(self.claim, self.place, found.instance, found.value)
        if text is None:
            text = f"instance = draw({self.claim.label!r}, {found.number}, seed={self.seed})"
        drawn, share = (_share(value, part.threshold) for value in (values[worst[0]], found.value))
        return Strike(part.name, drawn, share, moves, refuted, text)

    def run(
        self, numbers: Sequence[int], measure: Measure, applies: Callable[[Any], bool], stream: int
    ) -> "tuple[_Individual | None, int]":
        """Return the worst individual, and on how many moved instances something was measured."""
        label = zlib.crc32(self.claim.label.encode())
        rng = np.random.default_rng([self.seed, label, self.place, stream])
        threshold = self.claim.parts[self.place].threshold
        living, moves = [], 0  # the worst first
        for number in numbers:
            instance = draw(self.claim, number, self.seed)
            if (value := _value(instance, measure, applies)) is not None:
                living.append(_Individual(value, instance, number))
        for _ in range(self.budget):
            living = sorted(living, key=lambda one: -one.value)[:PARENTS]
            if not living or living[0].value > threshold:
                break
            parent = living[int(len(living) * rng.random() ** 2)]  # the worst more often
            step = parent.step * 10 ** rng.uniform(-DECADES, 0)
            instance = self.move(self.claim, parent.instance, rng, step)
            value = None if instance is None else _value(instance, measure, applies)
            moves += value is not None
            if value is None or value < parent.value:
                parent.step *= SHORTEN
                continue
            longer = LENGTHEN * parent.step if value > parent.value else parent.step
            living.append(_Individual(value, instance, parent.number, longer))
        return max(living, key=lambda one: one.value, default=None), moves


@dataclass(eq=False)
class _Individual:
    """An instance, what was measured on it, the draw that it descends from, and its step."""

    value: float
    instance: Any
    number: int
    step: float = FIRST_STEP


def _value(instance: Any, measure: Measure, applies: Callable[[Any], bool]) -> float | None:
    """Return what is measured, with infinity for a NaN; None where a hypothesis does not hold."""
    value = measure(instance) if applies(instance) else None
    return None if value is None else np.inf if np.isnan(value) else float(value)
