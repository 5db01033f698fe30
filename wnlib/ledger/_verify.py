"""Run claims on seeded instances, and say how close each came to failing."""

import html
import json
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from itertools import zip_longest
from typing import Any

import numpy as np

from wnlib._checks import count
from wnlib.ledger.claim import Claim, Part

ENOUGH = 3  # instances to which a part must have applied before it is said to hold
DECADES = 10  # of a bar: a share below 1e-10 of its threshold is as good as none
FURTHER_DRAWS = 200  # at most, until that is so and each twin is refuted; see verify


def finite_or_none(value: float) -> float | None:
    """Return a number as JSON has it: a NaN or an infinity is None."""
    return float(value) if np.isfinite(value) else None


def _bar(worst: float, threshold: float) -> str:
    """Return a bar in HTML, as long as the logarithm of a share of a threshold, full at 1.

    It has a text alternative, and its style with it: a notebook has no style sheet of ours.
    """
    if worst <= threshold:
        share = max(worst / threshold, 0) if threshold > 0 else 0
        length = max(0, 1 + np.log10(share) / DECADES) if share else 0
        said = f"{share:.2g} of the threshold" if threshold > 0 else "not beyond the threshold"
    else:
        length, said = 1, "beyond the threshold"
    filled = f"currentColor {100 * length:.0f}%"
    style = (
        "display:inline-block;width:4em;height:0.7em;margin-right:0.5em;border:1px solid;"
        f"background:linear-gradient(to right,{filled},transparent 0)"
    )
    return f'<span role="img" aria-label="{said}" title="{said}" style="{style}"></span>'


class Verdict(StrEnum):
    """What became of a claim, or of a part of it."""

    HOLDS = "holds"
    "On each instance to which it applies, and its false twin was refuted."
    UNDECIDED = "undecided"
    """It applied to fewer than three instances, or its false twin was not refuted: perhaps the
    check could not have failed, perhaps more instances are needed."""
    FAILS = "fails"
    "On at least one instance, or with an error."


@dataclass(frozen=True)
class Finding:
    """What was found of one part of a claim.

    Attributes
    ----------
    name, kind, measured, threshold, reason, twin
        As in :class:`~wnlib.ledger.Part`.
    values : tuple of float
        What was measured, on each instance on which the hypotheses held.
    draws : tuple of int
        Which instances these were; see :func:`draw`.
    not_applicable : int
        On how many they did not hold, or a computation did not finish.
    twin_values : tuple of float
        What the false twin measured.
    """

    name: str
    kind: str
    measured: str
    threshold: float
    reason: str
    twin: str
    values: tuple[float, ...]
    draws: tuple[int, ...]
    not_applicable: int
    twin_values: tuple[float, ...]

    @property
    def verdict(self) -> Verdict:
        """What became of this part."""
        if not all(value <= self.threshold for value in self.values):
            return Verdict.FAILS
        enough = len(self.values) >= ENOUGH
        return Verdict.HOLDS if enough and self.twin_refuted else Verdict.UNDECIDED

    @property
    def worst(self) -> float:
        """The largest value measured; NaN if any is, or if there is none."""
        return float(np.max(self.values)) if self.values else np.nan

    @property
    def worst_draw(self) -> int | None:
        """The instance of the largest value, or of a NaN; None if there is none."""
        return self.draws[int(np.argmax(self.values))] if self.values else None

    @property
    def twin_refuted(self) -> int:
        """On how many instances the false twin exceeded the threshold."""
        return sum(not value <= self.threshold for value in self.twin_values)

    def summary(self) -> dict[str, Any]:
        """All but the single values, as a dict that fits into JSON; a NaN is None."""
        said = ("name", "kind", "measured", "reason", "twin", "not_applicable")
        return {name: getattr(self, name) for name in said} | {
            "verdict": str(self.verdict),
            "threshold": finite_or_none(self.threshold),
            "worst": finite_or_none(self.worst),
            "instances": len(self.values),
            "refuted": self.twin_refuted,
        }


@dataclass(frozen=True)
class Row:
    """One claim in the ledger.

    Attributes
    ----------
    label, statement : str
    findings : tuple of Finding
        One for each part.
    error : str or None
        The message of an error that ended the check, and on which instance.
    seconds : float
    """

    label: str
    statement: str
    findings: tuple[Finding, ...]
    error: str | None
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of a part; an error is a failure."""
        verdicts = {finding.verdict for finding in self.findings}
        if self.error or Verdict.FAILS in verdicts:
            return Verdict.FAILS
        return Verdict.UNDECIDED if Verdict.UNDECIDED in verdicts else Verdict.HOLDS


@dataclass(frozen=True, repr=False)
class Ledger:
    """Rows of :func:`verify`, its seed, and whether it was interrupted."""

    rows: tuple[Row, ...]
    seed: int
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        """Whether every claim holds and none is missing."""
        return not self.interrupted and all(row.verdict is Verdict.HOLDS for row in self.rows)

    _HEAD = ("label", "part", "kind", "verdict", "worst", "threshold", "instances", "refuted")

    def _cells(self, row: Row) -> Iterator[tuple[str, ...]]:
        """Yield the lines of a row: one for each part, and one for an error."""
        label = row.label
        for part in row.findings:
            skipped = f" (+{part.not_applicable} n/a)" if part.not_applicable else ""
            yield (
                label,
                part.name,
                part.kind,
                str(part.verdict),
                f"{part.worst:.1e}",
                f"{part.threshold:.2g}",
                f"{len(part.values)}{skipped}",
                f"{part.twin_refuted} time{'s' if part.twin_refuted != 1 else ''}",
            )
            label = ""
        if row.error:
            yield label, "", "", str(row.verdict), row.error, "", "", ""

    def __str__(self) -> str:
        """Text table."""
        table = [self._HEAD, *(line for row in self.rows for line in self._cells(row))]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        widths[4] = max(len(line[4]) for line in table if line[5])  # errors may run on
        lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in table]
        held = sum(row.verdict is Verdict.HOLDS for row in self.rows)
        tail = f"{held} of {len(self.rows)} claims hold; seed {self.seed}"
        tail += "; interrupted" if self.interrupted else ""
        legend = "worst must not exceed threshold; twins without a hypothesis see more instances"
        return "\n".join([*lines, "", legend, tail])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Table; each claim begins at an anchor, ``row-`` and its label."""

        def line(cells: Sequence[str], tag: str, bar: str = "") -> str:
            anchor = f' id="row-{html.escape(cells[0])}"' if tag == "td" and cells[0] else ""
            inner = [f"{html.escape(cell)}</{tag}>" for cell in cells]
            inner[4] = f"{bar}{inner[4]}"
            return f"<tr{anchor}>{''.join(f'<{tag}>{cell}' for cell in inner)}</tr>"

        body = ""
        for row in self.rows:
            bars = [_bar(part.worst, part.threshold) for part in row.findings]
            body += "".join(
                line(cells, "td", bar)
                for cells, bar in zip_longest(self._cells(row), bars, fillvalue="")
            )
        return f"<table>{line(self._HEAD, 'th')}{body}</table>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """Leave the summary in a notebook, for what reads it later, beside text and table.

        As a type of its own: JupyterLab would show plain JSON instead of the table.
        """
        return {"application/vnd.wnlib.ledger+json": self.summary()}

    def summary(self) -> dict[str, Any]:
        """All rows without the single values, as a dict that fits into JSON; a NaN is None."""
        rows = [
            {
                "label": row.label,
                "verdict": str(row.verdict),
                "error": row.error,
                "parts": [part.summary() for part in row.findings],
            }
            for row in self.rows
        ]
        return {"seed": self.seed, "ok": self.ok, "rows": rows}

    def to_json(self) -> str:
        """All rows, with what their claims say, as a JSON text; a NaN is null there."""
        rows = []
        for row in self.rows:
            parts = [asdict(part) | {"verdict": part.verdict} for part in row.findings]
            for part in parts:
                for name in ("values", "twin_values"):
                    part[name] = [finite_or_none(value) for value in part[name]]
            said = {name: getattr(row, name) for name in ("label", "statement", "verdict")}
            rows.append(said | {"error": row.error, "seconds": row.seconds, "parts": parts})
        summary = {"seed": self.seed, "ok": self.ok, "interrupted": self.interrupted}
        return json.dumps(summary | {"rows": rows}, indent=2, allow_nan=False)


Find = Callable[[str | Claim], Claim]
Rows = Iterator[tuple[int, Any]]  # each with the place of its claim


def verify(
    find: Find,
    claims: Sequence[str | Claim],
    *,
    samples: int = 20,
    seed: int = 0,
    report: Callable[[Row], object] | None = None,
    executor: Executor | None = None,
) -> Ledger:
    """Check claims on seeded instances.

    Parameters
    ----------
    find : callable
        Maps each of ``claims`` to its :class:`~wnlib.ledger.Claim`. A function of a module, if
        there is an executor: it travels to other processes by its name.
    claims : sequence of str or Claim
        Labels, or claims themselves.
    samples : int
        How many instances to draw for each claim. Where a part of it applied to fewer than three of
        them, or its false twin survived them, up to 200 more are drawn until that is settled.
    seed : int
    report : callable, optional
        Called with each :class:`Row` as soon as it is there.
    executor : concurrent.futures.Executor, optional
        Checks claims side by side, best a ``ProcessPoolExecutor``: in threads they would wait for
        one another. Only labels travel; a claim itself, which may hold lambdas, is checked here.

    Returns
    -------
    Ledger
        In the order of ``claims``. If interrupted from the keyboard, with the rows that were
        finished.
    """
    samples, seed = count("samples", samples), count("seed", seed, minimum=0)
    for claim in claims:
        find(claim)  # a mistake is named before anything is computed
    check = partial(_check, find, samples=samples, seed=seed)
    rows, interrupted = each(check, claims, report, executor)
    return Ledger(rows, seed, interrupted)


def each(
    check: Callable[[str | Claim], Any],
    claims: Sequence[str | Claim],
    report: Callable[[Any], object] | None,
    executor: Executor | None,
) -> tuple[tuple[Any, ...], bool]:
    """Check each claim; return the rows in the order of claims, and whether it was interrupted."""
    rows, interrupted = {}, False
    checks = (
        _one_by_one(check, claims) if executor is None else _side_by_side(check, claims, executor)
    )
    try:
        for place, row in checks:
            rows[place] = row
            if report is not None:
                report(row)
    except KeyboardInterrupt:
        interrupted = True
    return tuple(rows[place] for place in sorted(rows)), interrupted


def _one_by_one(check: Callable[[str | Claim], Any], claims: Sequence[str | Claim]) -> Rows:
    for place, claim in enumerate(claims):
        yield place, check(claim)


def _side_by_side(
    check: Callable[[str | Claim], Any], claims: Sequence[str | Claim], executor: Executor
) -> Rows:
    here = [place for place, claim in enumerate(claims) if isinstance(claim, Claim)]
    futures = {
        executor.submit(check, label): place
        for place, label in enumerate(claims)
        if place not in here
    }
    try:
        for place in here:
            yield place, check(claims[place])
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()


def draw(claim: Claim, number: int, seed: int = 0) -> Any:
    """Return an instance of a claim that :func:`verify` draws.

    Parameters
    ----------
    claim : Claim
    number : int
        From 0 on; :attr:`Finding.worst_draw` is one.
    seed : int
    """
    # An instance depends on the claim's label, its number and the seed, not on what else is run.
    rng = np.random.default_rng([seed, zlib.crc32(claim.label.encode()), number])
    return claim.sample(rng)


def _check(find: Find, named: str | Claim, samples: int, seed: int) -> Row:
    """Return the row of a claim, looked up where it is checked: functions do not travel."""
    claim, began = find(named), time.perf_counter()
    books = [Book(part) for part in claim.parts]
    error = fill(books, claim, samples, seed)
    findings = tuple(book.finding() for book in books)
    return Row(claim.label, claim.statement, findings, error, time.perf_counter() - began)


def fill(books: Sequence["Book"], claim: Claim, samples: int, seed: int) -> str | None:
    """Enter a claim's instances into the books of its parts; return an error that ended it."""
    for number in range(samples + FURTHER_DRAWS):
        pending = books if number < samples else [book for book in books if not book.settled]
        if not pending:
            break
        try:
            instance = draw(claim, number, seed)
            for book in pending:
                book.enter(number, instance)
        except Exception as failure:  # of any kind: the row says which
            return f"{type(failure).__name__} on draw {number}: {failure}"
    return None


class Book:
    """What has been measured of one part so far."""

    def __init__(self, part: Part) -> None:
        self.part, self.not_applicable = part, 0
        self.draws: list[int] = []
        self.values: list[float] = []
        self.twin_values: list[float] = []

    @property
    def settled(self) -> bool:
        """Whether the part has been seen to apply often enough, and its twin to fail."""
        refuted = any(not value <= self.part.threshold for value in self.twin_values)
        return len(self.values) >= ENOUGH and refuted

    def enter(self, number: int, instance: Any) -> None:
        """Measure the part and its twin on an instance, where they apply."""
        part = self.part
        applies = part.applies(instance)
        value = part.measure(instance) if applies else None
        if value is None:
            self.not_applicable += 1
        else:
            self.draws.append(number)
            self.values.append(float(value))
        if part.twin_applies is not None:
            applies = part.twin_applies(instance)
        known = part.measure_twin is part.measure and value is not None
        twin = value if known else part.measure_twin(instance) if applies else None
        if twin is not None:
            self.twin_values.append(float(twin))

    def finding(self) -> Finding:
        """Return the finding."""
        said = ("name", "kind", "measured", "threshold", "reason", "twin")
        return Finding(
            **{name: getattr(self.part, name) for name in said},
            values=tuple(self.values),
            draws=tuple(self.draws),
            not_applicable=self.not_applicable,
            twin_values=tuple(self.twin_values),
        )
