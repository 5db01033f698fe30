"""The ledger: run the claims on seeded instances and say how close each came to failing."""

import html
import json
import time
import zlib
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from wnlib.claims import CLAIMS
from wnlib.claims.claim import Claim
from wnlib.problems import count


class Verdict(StrEnum):
    """What became of a claim."""

    HOLDS = "holds"
    "On each instance to which it applies, and its false twin was refuted."
    FAILS = "fails"
    "On at least one instance."
    TOOTHLESS = "toothless"
    "Its false twin survived: the check could not have failed."
    UNTESTED = "untested"
    "It applied to no instance."


@dataclass(frozen=True)
class Row:
    """One claim in the ledger.

    Attributes
    ----------
    claim : Claim
    verdict : Verdict
    values : tuple of float
        What was measured, on each instance on which the hypotheses held.
    not_applicable : int
        On how many they did not hold.
    twin_values : tuple of float
        What the false twin measured.
    seconds : float
    """

    claim: Claim
    verdict: Verdict
    values: tuple[float, ...]
    not_applicable: int
    twin_values: tuple[float, ...]
    seconds: float

    @property
    def label(self):
        """The label of the claim."""
        return self.claim.label

    @property
    def instances(self):
        """On how many instances the claim was measured."""
        return len(self.values)

    @property
    def worst(self):
        """The largest value measured; NaN if any is, or if there is none."""
        return float(np.max(self.values)) if self.values else np.nan

    @property
    def twin_refuted(self):
        """On how many instances the false twin exceeded the threshold."""
        return sum(not value <= self.claim.threshold for value in self.twin_values)


@dataclass(frozen=True, repr=False)
class Ledger:
    """Rows of :func:`verify`, its seed, and whether it was interrupted."""

    rows: tuple[Row, ...]
    seed: int
    interrupted: bool = False

    @property
    def ok(self):
        """Whether every claim holds and none is missing."""
        return not self.interrupted and all(row.verdict is Verdict.HOLDS for row in self.rows)

    _HEAD = ("label", "kind", "verdict", "worst", "threshold", "instances", "twin refuted")

    def _cells(self, row):
        skipped = f" (+{row.not_applicable} n/a)" if row.not_applicable else ""
        return (
            row.label,
            row.claim.kind,
            str(row.verdict),
            f"{row.worst:.1e}",
            f"{row.claim.threshold:.2g}",
            f"{row.instances}{skipped}",
            f"{row.twin_refuted} times",
        )

    def __str__(self):
        """Text table."""
        table = [self._HEAD, *map(self._cells, self.rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in table]
        held = sum(row.verdict is Verdict.HOLDS for row in self.rows)
        tail = f"{held} of {len(self.rows)} claims hold; seed {self.seed}"
        tail += "; interrupted" if self.interrupted else ""
        legend = "worst must not exceed threshold; twins without a hypothesis see more instances"
        return "\n".join([*lines, "", legend, tail])

    __repr__ = __str__

    def _repr_html_(self):
        def line(cells, tag):
            return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

        body = "".join(line(self._cells(row), "td") for row in self.rows)
        return f"<table>{line(self._HEAD, 'th')}{body}</table>"

    def to_json(self):
        """All rows, with what their claims say, as a JSON text; a NaN is null there."""
        said = ("label", "statement", "kind", "measured", "threshold", "reason", "twin")
        found = ("verdict", "values", "not_applicable", "twin_values", "seconds")
        rows = [
            {name: getattr(row.claim, name) for name in said}
            | {name: getattr(row, name) for name in found}
            for row in self.rows
        ]
        summary = {"seed": self.seed, "ok": self.ok, "interrupted": self.interrupted}
        for row in rows:
            for name in ("values", "twin_values"):
                row[name] = [value if np.isfinite(value) else None for value in row[name]]
        return json.dumps(summary | {"rows": rows}, indent=2, allow_nan=False)


def verify(*labels, samples=20, seed=0, report=None):
    """Check claims on seeded instances.

    Parameters
    ----------
    *labels : str
        Labels of statements in the book; all claims if none is given.
    samples : int
        How many instances to draw for each claim.
    seed : int
    report : callable, optional
        Called with each :class:`Row` as soon as it is there.

    Returns
    -------
    Ledger
        If interrupted from the keyboard, with the rows that were finished.
    """
    for label in labels:
        if not isinstance(label, str) or label not in CLAIMS:
            raise ValueError(f"no claim {label!r}; there are {', '.join(CLAIMS)}")
    samples, seed = count("samples", samples), count("seed", seed, minimum=0)
    rows = []
    try:
        for label in labels or CLAIMS:
            rows.append(_check(CLAIMS[label], samples, seed))
            if report is not None:
                report(rows[-1])
    except KeyboardInterrupt:
        return Ledger(tuple(rows), seed, interrupted=True)
    return Ledger(tuple(rows), seed)


def _check(claim, samples, seed):
    began = time.perf_counter()
    # A claim's instances depend on its label and the seed, not on which other claims are run.
    rng = np.random.default_rng([seed, zlib.crc32(claim.label.encode())])
    values, twin_values = [], []
    for _ in range(samples):
        instance = claim.sample(rng)
        if applies := claim.applies(instance):
            values.append(float(claim.measure(instance)))
        if (claim.twin_applies or claim.applies)(instance):
            known = applies and claim.measure_twin is claim.measure
            twin_values.append(values[-1] if known else float(claim.measure_twin(instance)))
    refuted = any(not value <= claim.threshold for value in twin_values)
    if not values:
        verdict = Verdict.UNTESTED
    elif not all(value <= claim.threshold for value in values):
        verdict = Verdict.FAILS
    else:
        verdict = Verdict.HOLDS if refuted else Verdict.TOOTHLESS
    return Row(
        claim=claim,
        verdict=verdict,
        values=tuple(values),
        not_applicable=samples - len(values),
        twin_values=tuple(twin_values),
        seconds=time.perf_counter() - began,
    )
