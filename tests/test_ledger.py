"""The ledger can fail, in each way that it names; and the claims of the book hold."""

import dataclasses
import json
import pickle
import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter

import wnlib as wn
from wnlib import __main__ as command_line
from wnlib import claims, flows
from wnlib.claims import CHAPTERS, CLAIMS, instances, stalls, stepped
from wnlib.l1 import certificates, linear_program, termination
from wnlib.l1 import shape as l1_shape
from wnlib.ledger import Claim, Part
from wnlib.ledger._verify import FURTHER_DRAWS
from wnlib.roads import _rows, _stalling
from wnlib.theory import bounds, deep_path, escape, halves, invariants, law, potentials, schedules
from wnlib.theory import lasso as theory_lasso
from wnlib.theory import rates as theory_rates
from wnlib.theory import ratios as theory_ratios
from wnlib.theory import shape as theory_shape
from wnlib.theory.last_stretch import LastStretch

BOOK = Path(__file__).parent.parent / "book"


def number(rng):
    return rng.uniform(1, 2)


def claim(sample=number, label="test", **fields):
    """Return a claim whose only part has the given fields; it holds if none is given."""
    fields = {
        "name": "part",
        "kind": "upper",
        "measured": "the number",
        "threshold": 2.0,
        "reason": "it is drawn below",
        "measure": lambda i: i,
        "twin": "twice the number",
        "measure_twin": lambda i: 2 * i,
    } | fields
    return Claim(label, "A number between one and two is at most two.", sample, (Part(**fields),))


def fail(instance):
    raise ValueError("no such thing")


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({}, "holds"),
        ({"threshold": 1.5}, "fails"),
        ({"measure": lambda i: np.nan}, "fails"),
        ({"measure": fail}, "fails"),
        ({"measure_twin": fail}, "fails"),
        ({"applies": fail}, "fails"),
        ({"sample": fail}, "fails"),
        ({"measure_twin": lambda i: i}, "undecided"),
        ({"measure_twin": lambda i: None}, "undecided"),
        ({"applies": lambda i: False}, "undecided"),
        ({"measure": lambda i: None}, "undecided"),
        ({"applies": lambda i: i < 1.5, "threshold": 1.5}, "holds"),
    ],
)
def test_verdicts(fields, verdict):
    result = wn.verify(claim(**fields), samples=40)
    assert result.rows[0].verdict == verdict
    assert result.ok == (verdict == "holds")


def test_each_part_must_hold():
    """The verdict of a claim is that of its worst part."""
    made = claim()
    (part,) = made.parts
    fails = dataclasses.replace(part, threshold=1.5)
    survives = dataclasses.replace(part, measure_twin=part.measure)
    for parts, verdict in [
        ((part, part), "holds"),
        ((part, survives), "undecided"),
        ((survives, fails), "fails"),
    ]:
        made = dataclasses.replace(made, parts=parts)
        assert wn.verify(made).rows[0].verdict == verdict


def test_an_error_is_a_row_that_says_which():
    result = wn.verify(claim(measure=fail), samples=3)
    assert result.rows[0].error == "ValueError on draw 0: no such thing"
    assert "ValueError on draw 0: no such thing" in str(result)
    assert "no such thing" in result._repr_html_()
    for rows in (json.loads(result.to_json())["rows"], result.summary()["rows"]):
        assert rows[0]["error"] == result.rows[0].error


def test_instances_are_drawn_until_the_twin_is_refuted():
    """One in about thirty refutes it: luck decides nothing, and a twin that is true is named."""
    rare = claim(measure_twin=lambda i: 1 + i / 1.97)
    rows = [wn.verify(rare, samples=2, seed=seed).rows[0] for seed in range(20)]
    assert all(row.verdict == "holds" for row in rows)
    assert max(len(row.findings[0].values) for row in rows) > 20
    (row,) = wn.verify(claim(measure_twin=lambda i: i), samples=2).rows
    assert len(row.findings[0].values) == 2 + FURTHER_DRAWS


def test_a_part_that_hardly_applies_is_undecided():
    """Two instances of two hundred say little."""
    for most, verdict in ((2, "undecided"), (3, "holds")):
        seen = []
        made = claim(
            applies=lambda i, seen=seen, most=most: len(seen) < most and not seen.append(i)
        )
        assert wn.verify(made, samples=40).rows[0].verdict == verdict


def test_twin_may_drop_a_hypothesis():
    """Where the twin drops the hypothesis, it is measured on what the claim leaves out."""
    same = {"measure": lambda i: i, "measure_twin": lambda i: i, "threshold": 1.5}
    made = claim(applies=lambda i: i < 1.5, **same)
    assert wn.verify(made, samples=40).rows[0].verdict == "undecided"
    made = claim(applies=lambda i: i < 1.5, twin_applies=lambda i: True, **same)
    assert wn.verify(made, samples=40).rows[0].verdict == "holds"


def test_instances_depend_on_the_seed_alone():
    made = claim()
    first, again, other = (wn.verify(made, seed=seed).rows[0].findings[0] for seed in (1, 1, 2))
    assert first.worst == again.worst != other.worst
    assert claims.draw(made, first.worst_draw, seed=1) == first.worst


def test_json_is_json():
    """Also where numbers are not: a NaN, an infinity."""
    for value in (np.nan, np.inf):
        result = wn.verify(claim(measure=lambda i, v=value: v), samples=3, seed=np.int64(1))
        (row,) = json.loads(result.to_json())["rows"]
        assert row["parts"][0]["values"] == [None, None, None]
        (row,) = json.loads(json.dumps(result.summary(), allow_nan=False))["rows"]
        assert row["parts"][0]["worst"] is None


def test_a_notebook_gets_a_table_with_anchors_and_a_summary():
    result = wn.verify(claim(label="one"), claim(label="two", threshold=1.0), samples=5)
    page = result._repr_html_()
    assert page.count("<tr id=") == 2
    assert '<tr id="row-one"><td>one</td>' in page
    assert page.count('aria-label="beyond the threshold"') == 1
    assert re.search(r'aria-label="0\.\d+ of the threshold"', page)
    shown, _ = DisplayFormatter().format(result)
    assert shown.keys() == {"text/plain", "text/html", "application/vnd.wnlib.ledger+json"}
    summary = shown["application/vnd.wnlib.ledger+json"]
    assert (summary["seed"], summary["ok"]) == (0, False)
    assert [row["verdict"] for row in summary["rows"]] == ["holds", "fails"]
    (part,) = summary["rows"][0]["parts"]
    assert part == {
        "name": "part",
        "kind": "upper",
        "verdict": "holds",
        "measured": "the number",
        "reason": "it is drawn below",
        "twin": "twice the number",
        "threshold": 2.0,
        "worst": result.rows[0].findings[0].worst,
        "instances": 5,
        "not_applicable": 0,
        "refuted": 5,
    }


def test_interrupted_ledger_keeps_its_rows(monkeypatch):
    def stop(instance):
        raise KeyboardInterrupt

    both = claim(), claim(label="second", measure=stop)
    result = wn.verify(*both)
    assert [row.label for row in result.rows] == ["test"]
    assert result.interrupted
    assert not result.ok
    monkeypatch.setattr(claims, "CLAIMS", {made.label: made for made in both})
    assert command_line.main(["verify", "--jobs", "1"]) == 130


def test_an_unknown_label_is_named_before_anything_is_computed():
    with pytest.raises(ValueError, match=r"no claim 'thm-unknown'; there are .*thm-plain-l1"):
        wn.verify(claim(measure=pytest.fail), "thm-unknown")


def test_side_by_side_is_the_same():
    """Rows travel from process to process, in the order of the labels."""
    labels = "lem-rescaled-rate", "prop-lp-certificate", "lem-constant-norm"
    seen = []
    with ProcessPoolExecutor(2) as pool:
        beside = wn.verify(*labels, samples=3, report=seen.append, executor=pool)
    alone = wn.verify(*labels, samples=3)
    assert sorted(row.label for row in seen) == sorted(labels)
    assert [row.label for row in beside.rows] == list(labels)
    for one, other in zip(beside.rows, alone.rows, strict=True):
        assert one.findings == other.findings
    assert pickle.loads(pickle.dumps(alone)) == alone


def test_claims_that_do_not_travel_stand_beside_labels():
    """In the order asked for, also one that holds lambdas, which no other process could read."""
    asked = claim(label="first"), "lem-rescaled-rate", claim(label="last")
    with ProcessPoolExecutor(1) as pool:
        beside = wn.verify(*asked, samples=3, executor=pool)
    assert [row.label for row in beside.rows] == ["first", "lem-rescaled-rate", "last"]
    assert beside.ok


@pytest.mark.parametrize(
    ("fields", "code"), [({}, 0), ({"threshold": 1.0}, 1), ({"measure_twin": lambda i: i}, 2)]
)
def test_command_line(fields, code, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(claims, "CLAIMS", {"test": claim(**fields)})
    target = tmp_path / "ledger.json"
    assert command_line.main(["verify", "--jobs", "1", "--json", str(target)]) == code
    out, progress = capsys.readouterr()
    verdict = ("holds", "fails", "undecided")[code]
    assert f"{int(code == 0)} of 1 claims hold" in out
    assert progress.startswith(f"test: {verdict} (")
    assert json.loads(target.read_text())["rows"][0]["verdict"] == verdict


def test_command_line_says_what_is_installed(capsys):
    assert command_line.main(["info"]) == 0
    assert f"wnlib {wn.__version__}, numpy {np.__version__}" in capsys.readouterr().out


def test_command_line_uses_processes(capsys):
    arguments = ["verify", "--samples", "2", "--jobs", "2"]
    assert command_line.main([*arguments, "--only", "lem-rescaled-rate"]) == 0
    assert "1 of 1 claims hold" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "thm-unknown"], "thm-plain-l1"),
        (["--samples", "0"], "--samples: must be at least 1; got 0"),
        (["--samples", "many"], "invalid integer value: 'many'"),
        (["--seed", "-1"], "--seed: must be at least 0; got -1"),
        (["--jobs", "0"], "--jobs: must be at least 1; got 0"),
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
    row = wn.verify(label, samples=8, seed=2026).rows[0]
    assert row.verdict == "holds", wn.verify(label, samples=8, seed=2026)


def scaled(function, factor):
    return lambda *arguments, **options: factor * function(*arguments, **options)


def other_depth(function):
    return lambda values, depth: function(values, depth + 0.5)


def with_drag(velocity):
    """Let the length shrink by itself."""

    def dragged(flow, problem, r, u):
        dr, du = velocity(flow, problem, r, u)
        return dr - 3 * abs(dr), du

    return dragged


def hesitant(begin):
    """Let the direction of a descent learn a hundred times more slowly, compiled or not."""

    def slowed(rows, flow, problem, step, *rest):
        begin(rows, dataclasses.replace(flow, ratio=100 * flow.ratio), problem, step / 100, *rest)

    return slowed


def skewed(velocity):
    """Add to the velocity of the direction a share of the direction."""

    def skew(flow, problem, r, u):
        dr, du = velocity(flow, problem, r, u)
        return dr, du + 1e-3 * np.linalg.norm(du) * u

    return skew


def another_solution(limit):
    """Return the limit from half of the start: a solution, not the right one."""
    return lambda flow, problem, x0: limit(flow, problem, x0 * np.linspace(0.5, 1, len(x0)))


def not_the_shortest(min_l1):
    """Return another solution as that of smallest norm."""

    def lie(problem):
        answer = min_l1(problem)
        z = wn.limit(wn.PlainFlow(2), problem, np.ones(problem.n_weights)).effective
        return dataclasses.replace(answer, z=z)

    return lie


def another_ratio(flow, factor=1.1):
    return dataclasses.replace(flow, ratio=factor * flow.ratio)


def deeper(divergence):
    """Return the divergence of a flow half a layer deeper."""
    return lambda flow, *a, **k: divergence(
        dataclasses.replace(flow, depth=flow.depth + 0.5), *a, **k
    )


def slow_without_normalization(f):
    return lambda flow, *a: f(flow, *a) * (1 if flows.normalizes(flow) else 0.02)


LIES = {
    "half of a gap's bound": (
        (deep_path, "gap_bound", lambda f: scaled(f, 0.5)),
        ("thm-own-certificate",),
    ),
    "a smaller first order in depth": (
        (deep_path, "first_order", lambda f: scaled(f, 0.8)),
        ("thm-deep-path",),
    ),
    "a support by size alone": (
        (termination, "read_support", lambda f: lambda z, slack: z > 0.3 * z.max()),
        ("prop-two-projections",),
    ),
    "the length learns a hundred times as fast": (
        (flows.WeightNormFlow, "velocity", lambda f: lambda *a: (100 * f(*a)[0], f(*a)[1])),
        ("obs-sparsity", "obs-hubble", "obs-camera"),
    ),
    "half of the exponents": (
        (law, "exponents", lambda f: scaled(f, 0.5)),
        ("lem-memory",),
    ),
    "a faster last stretch": (
        (LastStretch, "rate", lambda f: scaled(f, 1.1)),
        ("prop-last-stretch",),
    ),
    "a law without memory": (
        (law, "small_ratio_law", lambda f: lambda *a, **k: f(*a, **(k | {"remember": False}))),
        ("obs-law",),
    ),
    "the direction takes shorter steps": (
        (_rows.WeightNormRows, "__init__", hesitant),
        ("obs-error-and-loss",),
    ),
    "a larger penalty": (
        (theory_lasso, "penalties", lambda f: scaled(f, 1.01)),
        ("prop-average",),
    ),
    "half of the gap's bound": (
        (theory_lasso, "gap_bound", lambda f: scaled(f, 0.5)),
        ("cor-lasso-gap",),
    ),
    "half of log kappa": (
        (flows.WeightNormFlow, "log_kappa", lambda f: scaled(f, 0.5)),
        ("prop-wn-invariant", "thm-magnification", "cor-wn-l1", "prop-logarithmic-mean"),
        ("prop-rho-bound", "prop-wn-limit", "prop-sparse-slow"),
    ),
    "twice log kappa": (
        (flows.WeightNormFlow, "log_kappa", lambda f: scaled(f, 2.0)),
        ("prop-wn-invariant", "thm-magnification", "cor-wn-l1", "prop-logarithmic-mean"),
        ("prop-rho-bound", "prop-wn-limit"),
    ),
    "psi of another depth": (
        (invariants, "psi_of_log", other_depth),
        ("prop-plain-invariant", "prop-wn-invariant"),
    ),
    "another power in the plain velocity": (
        (flows.PlainFlow, "velocity", lambda f: lambda flow, p, x: f(flow, p, x) * x**0.1),
        ("prop-plain-descent", "prop-plain-invariant", "thm-plain-limit", "lem-polar-dynamics"),
    ),
    "the length drags": (
        (flows.WeightNormFlow, "velocity", with_drag),
        ("lem-polar-dynamics", "prop-effective-dynamics", "prop-wn-invariant"),
        ("prop-wn-converges", "prop-stall"),
    ),
    "u is not orthogonal to u'": (
        (flows.WeightNormFlow, "velocity", skewed),
        ("lem-constant-norm", "lem-rescaled-rate"),
    ),
    "B is too large": (
        (flows.WeightNormFlow, "metric", lambda f: scaled(f, 1.001)),
        ("prop-effective-dynamics",),
    ),
    "half of the excess bound": (
        (bounds, "excess_bound", lambda f: scaled(f, 0.5)),
        ("thm-plain-l1", "cor-wn-l1"),
    ),
    "a smaller constant than the best": (
        (bounds, "lambert", lambda f: scaled(f, 0.9)),
        ("prop-plain-best",),
    ),
    "a larger bound of log rho": (
        (bounds, "log_rho_lower_bound", lambda f: lambda *a: f(*a) + 0.2),
        ("prop-rho-bound",),
    ),
    "a quarter of the bound for small ratios": (
        (bounds, "small_ratio_bound", lambda f: scaled(f, 0.25)),
        ("prop-entropy-bound",),
    ),
    "a divergence of another depth": (
        (potentials, "divergence", deeper),
        ("lem-plain-bounded", "thm-plain-limit", "prop-certified-limit", "prop-wn-potential"),
        ("cor-wn-minimizer",),
    ),
    "the arithmetic mean": (
        (invariants, "logarithmic_mean", lambda f: lambda a, b: (a + b) / 2),
        ("prop-logarithmic-mean",),
    ),
    "another solution for the limit": (
        (instances, "limit", another_solution),
        ("thm-plain-limit", "prop-certified-limit", "prop-wn-limit"),
    ),
    "a potential of another ratio": (
        (potentials, "potential", lambda f: lambda flow, z: f(another_ratio(flow), z)),
        ("prop-wn-potential",),
    ),
    "a stall ruled out too early": (
        (stalls, "rules_out_stall", lambda f: lambda flow, *a: f(another_ratio(flow, 0.2), *a)),
        ("prop-no-stall",),
    ),
    "a wrong history": (
        (schedules, "log_rho", lambda f: scaled(f, 1.05)),
        ("thm-schedules",),
    ),
    "a wrong power": (
        (flows.PowerFlow, "log_kappa", lambda f: scaled(f, 1.1)),
        ("prop-power-schedule",),
    ),
    "a warm-up that is too short": (
        (schedules, "warm_up_time", lambda f: scaled(f, 0.9)),
        ("prop-warm-up",),
    ),
    "rates that are too large": (
        (theory_rates, "residual_rates", lambda f: scaled(f, 1.01)),
        ("prop-exponential",),
    ),
    "twice the margin": (
        (theory_rates, "margin", lambda f: scaled(f, 2.0)),
        ("prop-power-law",),
    ),
    "lengths learn a thousand times as fast": (
        (claims.figure_1, "WeightNormFlow", lambda f: lambda L, ratio: f(L, 1e3 * ratio)),
        ("obs-wider-range", "obs-hundred-thousand", "obs-signed"),
    ),
    "the mean of other halves": (
        (halves, "log_mean", lambda f: scaled(f, 1.01)),
        ("lem-two-halves",),
    ),
    "one zero is not forced": (
        (theory_rates, "largest_support", lambda f: lambda p: f(p) | (np.arange(p.n_weights) > 0)),
        ("lem-largest-support",),
    ),
    "nothing stalls": (
        (_stalling, "vanishing", lambda f: lambda *a: False),
        ("prop-wn-converges",),
    ),
    "a start that is ten times as long": (
        (theory_shape, "robust_effective_start", lambda f: scaled(f, 10.0)),
        ("obs-smaller-start", "prop-deeper-lower"),
    ),
    "large ratios are called small": (
        (claims.figure_4, "WeightNormFlow", lambda f: lambda depth, ratio: f(depth, 100 * ratio)),
        ("obs-depth",),
    ),
    "small starts wait longer": (
        (escape, "_wait", lambda f: scaled(f, 1.3)),
        ("prop-escape",),
    ),
    "a quarter of the bound for a shape": (
        (theory_shape, "weighted_excess_bound", lambda f: scaled(f, 0.25)),
        ("prop-plain-shape", "prop-wn-shape"),
    ),
    "more unevenness tolerated": (
        (l1_shape, "tolerated_unevenness", lambda f: lambda found: f(found) ** 1.5),
        ("prop-shape-threshold",),
    ),
    "a frozen direction stays longer": (
        (schedules, "frozen_length", lambda f: scaled(f, 1.05)),
        ("prop-warm-up",),
    ),
    "steps gain too little": (
        (_rows, "step_gain", lambda f: scaled(f, 0.99)),
        ("thm-effective-start", "thm-wn-effective-start", "prop-drift"),
    ),
    "too large a step is called stable": (
        (stepped, "largest_stable_step", lambda f: scaled(f, 1.05)),
        ("prop-largest-step",),
    ),
    "plain descent may not take its own step": (
        (claims.speed, "largest_stable_step", slow_without_normalization),
        ("obs-faster",),
    ),
    "no start is tiny": (
        (claims.speed, "initial_weights", lambda f: lambda p, scale, seed: f(p, 0.1, seed=seed)),
        ("obs-best-start",),
    ),
    "half the slack": (
        (certificates.MinL1, "slack", lambda f: property(lambda found: 0.5 * f.fget(found))),
        ("obs-reach",),
    ),
    "all signals are the only solution": (
        (claims.phase_transition, "is_single", lambda f: lambda problem: True),
        ("obs-gd-positivity",),
    ),
    "the arithmetic mean of the plain lengths": (
        (invariants, "logarithmic_mean", lambda f: lambda a, b: (a + b) / 2),
        ("prop-ratio-crossing", "obs-ratio"),
    ),
    "half of log kappa, beside plain lengths": (
        (flows.WeightNormFlow, "log_kappa", lambda f: scaled(f, 0.5)),
        ("prop-ratio-monotone",),
    ),
    "a ratio too large for the time": (
        (theory_ratios, "best_ratio", lambda f: scaled(f, 4.0)),
        ("obs-best-ratio",),
    ),
    "not the shortest solution": (
        ((instances, linear_program), "min_l1", not_the_shortest),
        ("prop-lp-certificate", "prop-plain-shape", "prop-crossover", "prop-rho-bound"),
        ("obs-wn-follows-lp",),
    ),
}


def is_refuted(label, draws=60):
    """Tell whether a claim fails on one of its instances; stops at the first."""
    for number in range(draws):
        instance = claims.draw(label, number, seed=1)
        for part in CLAIMS[label].parts:
            value = part.measure(instance) if part.applies(instance) else None
            if value is not None and not value <= part.threshold:
                return True
    return False


@pytest.mark.parametrize("name", LIES)
def test_each_claim_sees_a_lie(name, monkeypatch):
    """With something wrong in what they speak of, the claims about it fail."""
    (where, what, lie), *labels = LIES[name]
    for module in where if isinstance(where, tuple) else (where,):
        monkeypatch.setattr(module, what, lie(getattr(module, what)))
    for label in sum(labels, ()):
        assert is_refuted(label), label


def test_each_claim_has_a_lie():
    assert {label for _, *labels in LIES.values() for label in sum(labels, ())} == set(CLAIMS)


def test_statements_and_claims_correspond():
    """Each theorem-like label has exactly one claim, and each claim a label."""
    statement = re.compile(
        r":::\{prf:(?:theorem|proposition|lemma|corollary|observation)\}[^\n]*\n"
        r"(?:[^\n]*\n)*?:label: (\S+)"
    )
    labels = [label for page in BOOK.glob("*.md") for label in statement.findall(page.read_text())]
    assert sorted(labels) == sorted(claim.label for chapter in CHAPTERS for claim in chapter.CLAIMS)


def test_a_claim_says_something_of_a_known_kind():
    part = CLAIMS["prop-plain-descent"].parts[0]
    with pytest.raises(ValueError, match="kind must be one of exact, upper, lower; got 'sideways'"):
        dataclasses.replace(part, kind="sideways")
    for parts in (), part, [part]:
        with pytest.raises(TypeError, match="parts must be a tuple of Part, not empty"):
            dataclasses.replace(CLAIMS["prop-plain-descent"], parts=parts)
