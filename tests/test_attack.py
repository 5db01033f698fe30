"""An attack comes near a sharp bound, goes beyond a false one, and can be repeated."""

import contextlib
import io
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pytest

import wnlib as wn
from wnlib import __main__ as command_line
from wnlib import claims, ledger
from wnlib.claims import CLAIMS, moves
from wnlib.claims.instances import Instance, hard_instance
from wnlib.ledger import Claim, Part

N = 5


def uneven(rng):
    """Draw a start with entries of very different sizes; the problem says nothing."""
    x0 = np.exp(rng.uniform(-3, 3, N))
    return Instance(wn.PlainFlow(2), wn.Problem(np.eye(N), np.ones(N)), x0)


def spread(instance, constant):
    """Return the l1 norm of the start over a constant times the l2 norm."""
    return instance.x0.sum() / (constant * np.linalg.norm(instance.x0))


SHARP = np.sqrt(N)


def claim(constant=SHARP, twin=1.0, label="norms", **fields):
    """Return the claim ``|x|_1 <= constant |x|_2``: true, and sharp, for the root of N."""
    fields = {
        "name": "norms",
        "kind": "upper",
        "measured": "quotient of the norms over the constant",
        "threshold": 1 + 1e-12,
        "reason": "Cauchy-Schwarz; the surplus is rounding",
        "measure": lambda i: spread(i, constant),
        "twin": "a smaller constant",
        "measure_twin": lambda i: spread(i, twin),
    } | fields
    return Claim(label, "The l1 norm is at most ...", uneven, (Part(**fields),))


def attack(made, **options):
    (row,) = claims.attack(made, **options).rows
    return row, row.strikes[0] if row.strikes else None


def test_a_sharp_bound_is_nearly_attained():
    row, strike = attack(claim(), budget=800)
    assert row.verdict == "holds"
    assert strike.drawn < 0.95
    assert 0.999 < strike.found <= 1


def test_a_false_bound_is_violated_and_the_snippet_shows_it(monkeypatch):
    """No draw violates it; the search does, and its lines measure the same number again."""
    false = claim(constant=2.15)
    assert wn.verify(false).rows[0].verdict == "holds"
    row, strike = attack(false, budget=800)
    assert row.verdict == "fails"
    assert strike.drawn < 1 < strike.found
    monkeypatch.setattr(claims, "CLAIMS", {"norms": false})
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(strike.snippet, {})
    assert float(printed.getvalue()) == pytest.approx(strike.found, rel=1e-11)
    assert printed.getvalue() == strike.snippet.split("# ")[-1] + "\n", "to the last digit"


def test_a_twin_falls_to_the_search_that_no_draw_refutes():
    """Else it survives, and the claim is undecided."""
    assert wn.verify(claim(twin=2.15), samples=20).rows[0].verdict == "undecided"
    assert attack(claim(twin=2.15), budget=800)[0].verdict == "holds"
    row, strike = attack(claim(twin=np.sqrt(N) + 1e-9), budget=50)
    assert (row.verdict, strike.twin_refuted) == ("undecided", False)


def test_a_hypothesis_is_kept():
    def applies(instance):
        return instance.x0[0] < instance.x0[1] / 2

    seen = []
    made = claim(applies=applies, measure=lambda i: seen.append(applies(i)) or spread(i, 3.0))
    _, strike = attack(made, budget=100)
    assert all(seen)
    assert 0 < strike.moves < 100  # some moves leave the hypothesis
    row, strike = attack(claim(applies=lambda i: False), samples=2, budget=3)
    assert (row.verdict, strike.snippet) == ("undecided", "")
    assert np.isnan(strike.found)


def test_the_seed_decides():
    first, again, other = (attack(claim(), seed=seed, budget=30)[1] for seed in (1, 1, 2))
    assert first == again != other
    labels = "thm-plain-l1", "prop-lp-certificate"
    options = {"samples": 3, "budget": 3}
    with ProcessPoolExecutor(2) as pool:
        beside = claims.attack(*labels, executor=pool, **options)
    alone = claims.attack(*labels, **options)
    assert [row.label for row in beside.rows] == list(labels)
    assert [row.strikes for row in beside.rows] == [row.strikes for row in alone.rows]


def test_a_nan_is_a_violation_and_an_error_a_failure():
    nan = claim(measure=lambda i: np.nan)
    row, strike = attack(nan, samples=3)
    assert (row.verdict, strike.found) == ("fails", np.inf)
    report = json.loads(claims.attack(nan, samples=3).to_json())
    assert report["rows"][0]["strikes"][0]["found"] is None

    calls = []

    def late(instance):
        calls.append(instance)
        if len(calls) > 30:
            raise ValueError("no such thing")
        return 0.5

    row, _ = attack(claim(measure=late))
    assert row.verdict == "fails"
    assert row.error == "ValueError in norms: no such thing"
    assert row.error in str(ledger.Attack((row,), 0))


def test_what_is_no_upper_bound_is_left_out():
    assert claims.attack(claim(kind="exact")).rows == ()
    threshold_zero = claim(threshold=0.0, measure=lambda i: spread(i, 3.0) - 0.9)
    row, strike = attack(threshold_zero, budget=0, samples=5)
    assert (row.verdict, strike.moves) == ("holds", 0)
    assert strike.found < 1


@dataclass(frozen=True)
class Holding:
    """An instance with a function, which no literal makes."""

    x0: np.ndarray
    function: object = len


def test_an_instance_that_cannot_be_moved_is_named_by_its_draw():
    made = replace(claim(), sample=lambda rng: Holding(uneven(rng).x0))
    row, strike = attack(made, seed=3)
    assert (row.verdict, strike.moves) == ("holds", 0)
    assert strike.found == strike.drawn
    worst = wn.verify(made, seed=3).rows[0].findings[0].worst_draw
    assert strike.snippet == f"instance = draw('norms', {worst}, seed=3)"
    assert moves.literal((1.5, "a", np.True_, None), set()) == "(1.5, 'a', True, None, )"
    assert moves.literal([1.5], set()) is None


@pytest.mark.parametrize("weight_norm", [False, True])
def test_moves_keep_what_an_instance_is(weight_norm):
    rng = np.random.default_rng(0)
    made = CLAIMS["thm-plain-limit"]
    for _ in range(60):
        instance = hard_instance(rng, weight_norm=weight_norm)
        moved = moves.nudged(made, instance, rng, 10 ** rng.uniform(-3, 0))
        problem, before = moved.problem, instance.problem
        assert type(moved.flow) is type(instance.flow)
        assert (moved.flow.depth == 2) == (instance.flow.depth == 2)
        assert 2 <= moved.flow.depth <= 10
        assert np.all(moved.x0 > 0)
        assert np.linalg.matrix_rank(problem.A) == np.linalg.matrix_rank(before.A)
        assert problem.signed == before.signed
        np.testing.assert_allclose(problem.A @ problem.signal, problem.b)
        assert np.array_equal(problem.signal == 0, before.signal == 0)
    other = CLAIMS["prop-plain-shape"]
    moved = [moves.nudged(other, instance, rng, 0.1) for _ in range(20)]
    assert all(np.array_equal(one.x0, instance.x0) for one in moved)
    assert all(one.flow.depth == instance.flow.depth for one in moved)
    assert any(not np.array_equal(one.problem.A, instance.problem.A) for one in moved)


def test_what_stays_is_said_of_claims():
    assert moves.FIXED.keys() <= CLAIMS.keys()
    assert set().union(*moves.FIXED.values()) <= set(moves.PARTS)


@pytest.mark.parametrize(
    ("made", "code", "verdict"),
    [
        (claim(), 0, "holds"),
        (claim(constant=1.5), 1, "fails"),
        (claim(twin=3.0), 2, "undecided"),
    ],
)
def test_command_line(made, code, verdict, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(claims, "CLAIMS", {"norms": made})
    target = tmp_path / "attack.json"
    arguments = ["verify", "--attack", "--budget", "5", "--jobs", "1", "--json", str(target)]
    assert command_line.main(arguments) == code
    out, progress = capsys.readouterr()
    assert f"{int(code == 0)} of 1 inequalities hold; seed 0" in out
    assert progress.startswith(f"norms: {verdict} (")
    assert ("instance = Instance(" in out) == (code == 1), "the worst, where it is a violation"
    assert json.loads(target.read_text())["rows"][0]["verdict"] == verdict
    command_line.main([*arguments, "--only", "norms"])
    assert "instance = Instance(" in capsys.readouterr().out


def test_command_line_refuses_a_negative_budget(capsys):
    with pytest.raises(SystemExit):
        command_line.main(["verify", "--attack", "--budget", "-1"])
    assert "--budget: must be at least 0; got -1" in capsys.readouterr().err
