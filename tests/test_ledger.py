"""The ledger can fail, in each way that it names; and the claims of the book hold."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

import wnlib as wn
from wnlib import __main__ as command_line
from wnlib import ledger
from wnlib.claims import CHAPTERS, CLAIMS

BOOK = Path(__file__).parent.parent / "book"


def number(rng):
    return rng.uniform(1, 2)


@pytest.fixture
def claim(monkeypatch):
    """Return a function that replaces all claims by one with the given fields."""

    def install(**fields):
        example = next(iter(CLAIMS.values()))
        defaults = {
            "threshold": 2.0,
            "sample": number,
            "measure": lambda i: i,
            "measure_twin": lambda i: 2 * i,
            "applies": lambda i: True,
            "twin_applies": None,
        }
        made = dataclasses.replace(example, label="test", **(defaults | fields))
        monkeypatch.setattr(ledger, "CLAIMS", {"test": made})
        return made

    return install


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({}, "holds"),
        ({"threshold": 1.5}, "fails"),
        ({"measure": lambda i: np.nan}, "fails"),
        ({"measure_twin": lambda i: i}, "toothless"),
        ({"applies": lambda i: False}, "untested"),
        ({"applies": lambda i: i < 1.5, "threshold": 1.5}, "holds"),
    ],
)
def test_verdicts(claim, fields, verdict):
    claim(**fields)
    result = wn.verify(samples=40)
    assert result.rows[0].verdict == verdict
    assert result.ok == (verdict == "holds")


def test_twin_may_drop_a_hypothesis(claim):
    """Where the twin drops the hypothesis, it is measured on what the claim leaves out."""
    measures = {"measure": lambda i: i, "measure_twin": lambda i: i}
    claim(applies=lambda i: i < 1.5, threshold=1.5, **measures)
    assert wn.verify(samples=40).rows[0].verdict == "toothless"
    claim(applies=lambda i: i < 1.5, threshold=1.5, twin_applies=lambda i: True, **measures)
    assert wn.verify(samples=40).rows[0].verdict == "holds"


def test_instances_depend_on_the_seed_alone(claim):
    claim()
    assert wn.verify(seed=1).rows[0].worst == wn.verify(seed=1).rows[0].worst
    assert wn.verify(seed=1).rows[0].worst != wn.verify(seed=2).rows[0].worst


def test_json_is_json(claim):
    claim(measure=lambda i: np.nan)
    (row,) = json.loads(wn.verify(samples=2, seed=np.int64(1)).to_json())["rows"]
    assert row["values"] == [None, None]


def test_interrupted_ledger_keeps_its_rows(claim, monkeypatch):
    def stop(instance):
        raise KeyboardInterrupt

    made = claim()
    claims = {"test": made, "second": dataclasses.replace(made, label="second", measure=stop)}
    monkeypatch.setattr(ledger, "CLAIMS", claims)
    result = wn.verify()
    assert [row.label for row in result.rows] == ["test"]
    assert result.interrupted
    assert not result.ok
    assert command_line.main(["verify"]) == 130


def test_command_line(claim, capsys, tmp_path):
    claim()
    target = tmp_path / "ledger.json"
    assert command_line.main(["verify", "--json", str(target)]) == 0
    assert "1 of 1 claims hold" in capsys.readouterr().out
    assert json.loads(target.read_text())["rows"][0]["verdict"] == "holds"
    claim(threshold=1.0)
    assert command_line.main(["verify"]) == 1
    assert command_line.main(["info"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "thm-unknown"], "thm-plain-l1"),
        (["--samples", "0"], "--samples: must be at least 1; got 0"),
        (["--samples", "many"], "invalid integer value: 'many'"),
        (["--seed", "-1"], "--seed: must be at least 0; got -1"),
        (["--json", "nowhere/ledger.json"], "--json: there is no folder nowhere"),
    ],
)
def test_command_line_refuses(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        command_line.main(["verify", *arguments])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("label", CLAIMS)
def test_claim_holds_and_its_twin_does_not(label):
    """Another seed than that of the book: the claims do not depend on a lucky draw."""
    row = wn.verify(label, samples=12, seed=2026).rows[0]
    assert row.verdict == "holds", row


def test_statements_and_claims_correspond():
    """Each theorem-like label has exactly one claim, and each claim a label."""
    statement = re.compile(
        r":::\{prf:(?:theorem|proposition|lemma|corollary)\}[^\n]*\n(?:[^\n]*\n)*?:label: (\S+)"
    )
    labels = [label for page in BOOK.glob("*.md") for label in statement.findall(page.read_text())]
    assert sorted(labels) == sorted(claim.label for chapter in CHAPTERS for claim in chapter.CLAIMS)
