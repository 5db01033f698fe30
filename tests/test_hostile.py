"""Hostile instances: what `limit` says is right, or refused; and the referee sees what is wrong."""

from dataclasses import replace

import hostile
import numpy as np
import pytest
import referee
from hostile import ILL_POSED, NAMED, REFUSED, RIGHT, UNDECIDED, WRONG

import wnlib as wn

SEED, NUMBER = 1, 240


@pytest.fixture(scope="module")
def verdicts():
    """Judge what is quickly judged: the command judges the larger ones too."""
    drawn = (hostile.draw(SEED, number) for number in range(NUMBER))
    return [hostile.judge(instance) for instance in drawn if instance.family != "large"]


def test_no_answer_is_wrong(verdicts):
    """No warning either, no NaN, no other exception, no slow call."""
    faults = hostile.faults(verdicts)
    assert not faults, hostile.table(verdicts) + "".join(f"\n{fault}" for fault in faults)


@pytest.mark.parametrize("seed", [5, 17, 27, 35, 45, 48])
def test_radii_that_shrink_fast(seed):
    """From starts far longer than the limit, log rho is in the minus hundreds."""
    rng = np.random.default_rng(seed)
    M = rng.integers(3, 6)
    N = M + rng.integers(2, 6)
    A, z = rng.standard_normal((M, N)), np.zeros(N)
    z[rng.choice(N, 2, replace=False)] = rng.uniform(1, 2, 2)
    x0 = rng.uniform(0.5, 1.5, N) * rng.choice([1, 2, 3])
    flow = wn.WeightNormFlow(rng.choice([3, 4]), rng.choice([0.05, 0.1]))
    verdict = hostile.judge(instance(flow, A, z, x0))
    assert verdict.verdict == RIGHT, verdict


def test_few_are_unfinished(verdicts):
    feasible = [v for v in verdicts if v.family not in ("infeasible", "outside")]
    easy = [v for v in feasible if v.spread <= 7 and v.depth <= 5]
    assert len(easy) > 60
    assert np.mean([v.verdict == NAMED for v in easy]) < 0.02
    # most of these: signed limits so large that no floats z_plus, z_minus give their difference
    assert np.mean([v.verdict == NAMED for v in feasible]) < 0.05


def test_few_are_left_open(verdicts):
    """Neither ill-posed problems nor an undecided referee hide what is wrong."""
    assert np.mean([v.verdict == ILL_POSED for v in verdicts]) < 0.03
    assert np.mean([v.verdict == UNDECIDED for v in verdicts]) < 0.05


def test_the_infeasible_is_refused(verdicts):
    infeasible = [v.verdict for v in verdicts if v.family in ("infeasible", "outside")]
    assert len(infeasible) > 3
    assert set(infeasible) == {REFUSED}


def instance(flow, A, solution, x0, **changed):
    """Return an instance of one's own."""
    A, solution = np.array(A, dtype=float), np.array(solution, dtype=float)
    ratio = getattr(flow, "ratio", None)
    plain = hostile.Instance(
        "own", "own", flow.depth, ratio, False, A, A @ solution, np.array(x0, dtype=float),
        solution, 0.0, len(A), False,
    )  # fmt: skip
    return replace(plain, **changed)


def answer(drawn, x, log_rho=0.0, status=wn.Status.CONVERGED):
    """Return the limit that claims to end at ``x``."""
    problem = wn.Problem(drawn.A, drawn.b, signed=drawn.signed)
    return Claimed(drawn.flow, problem, drawn.x0, np.array(x, dtype=float), status, log_rho)


class Claimed:
    """What the judge looks at in a limit."""

    def __init__(self, flow, problem, initial, weights, status, log_rho):
        self.flow, self.problem, self.initial = flow, problem, initial
        self.weights, self.status, self.log_rho = weights, status, log_rho


A = [[1.0, 2.0, 0.5, 3.0], [0.5, -1.0, 2.0, 1.0]]
SOLUTION, X0 = [1.0, 0.5, 0.0, 0.2], [0.9, 1.1, 0.7, 1.3]
FLOWS = [wn.PlainFlow(2), wn.PlainFlow(3.5), wn.WeightNormFlow(2, 0.1), wn.WeightNormFlow(4, 2.0)]


def truth(drawn):
    """Return the weights of the limit, and log rho, by the referee's own path."""
    z, log_rho = hostile.reference(drawn, drawn.x0)
    return z.astype(float) ** (1 / drawn.depth), float(log_rho)


@pytest.mark.parametrize("flow", FLOWS, ids=str)
def test_the_referee_finds_the_limit_alone(flow):
    """Its own path and the path from an answer end at one point, and that is called right."""
    drawn = instance(flow, A, SOLUTION, X0)
    x, log_rho = truth(drawn)
    near = hostile.reference(drawn, drawn.x0, guess=x)[0].astype(float)
    np.testing.assert_allclose(near, x**flow.depth, rtol=1e-14)
    assert hostile.assess(drawn, answer(drawn, x, log_rho))[0] == RIGHT


@pytest.mark.parametrize("flow", FLOWS, ids=str)
def test_the_referee_sees_the_conditions(flow):
    """What it finds meets them, measured by wnlib's mirror map."""
    drawn = instance(flow, A, SOLUTION, X0)
    x, log_rho = truth(drawn)
    problem = wn.Problem(A, drawn.b)
    assert problem.residual(x**flow.depth) < 1e-14
    moved = np.diff(wn.invariants.mirror(flow, np.array([X0, x])), axis=0)
    outside = wn.invariants.kernel_part(problem, moved)
    assert np.linalg.norm(outside) < 1e-12 * np.linalg.norm(moved)
    if drawn.ratio:
        R, R0 = x @ x, np.dot(X0, X0)
        assert log_rho == pytest.approx(flow.depth / 2 * ((R - R0) / drawn.ratio - np.log(R / R0)))


@pytest.mark.parametrize("flow", FLOWS, ids=str)
def test_lies_are_seen(flow):
    drawn = instance(flow, A, SOLUTION, X0)
    x, log_rho = truth(drawn)
    shifted, _ = truth(instance(flow, A, SOLUTION, np.array(X0) * [1, 1, 1, 1.001]))
    other, _ = truth(instance(wn.PlainFlow(3), A, SOLUTION, X0))
    vertex = np.array(SOLUTION) ** (1 / flow.depth)
    nearly = x * (1 + 1e-5)
    lies = [answer(drawn, lie, log_rho) for lie in (shifted, other, vertex, nearly, 0 * x, -x)]
    lies += [answer(drawn, x, lie) for lie in (2 * log_rho + 1, np.nan)]
    if drawn.ratio:  # the limit of the other ratio, and the plain limit
        others = replace(drawn, ratio=1.01 * drawn.ratio), replace(drawn, ratio=None)
        lies += [answer(drawn, *truth(other)) for other in others]
    lies += [answer(drawn, 0 * x, np.nan, wn.Status.STALLED), answer(drawn, np.nan * x)]
    verdicts = [hostile.assess(drawn, lie) for lie in lies]
    assert [verdict[0] for verdict in verdicts] == [WRONG] * len(lies), verdicts
    assert hostile.assess(drawn, ValueError("A z = b is not feasible"))[0] == WRONG


def test_of_a_batch_each_start_is_judged():
    flow = wn.WeightNormFlow(3, 0.5)
    drawn = instance(flow, A, SOLUTION, [X0, X0])
    x, log_rho = truth(replace(drawn, x0=np.array(X0)))
    status = np.array([wn.Status.CONVERGED] * 2, dtype=object)
    good = answer(drawn, [x, x], np.array([log_rho] * 2), status)
    half = answer(drawn, [x, 1.01 * x], np.array([log_rho] * 2), status)
    assert hostile.assess(drawn, good)[0] == RIGHT
    assert hostile.assess(drawn, half)[0] == WRONG


def test_what_rounding_decides_is_ill_posed_and_nothing_else():
    """Columns that differ by rounding, and a tiny start: which of them is taken nobody can know."""
    flow = wn.PlainFlow(4)
    twins = instance(flow, [[1.0, 1.0 + 2**-52]], [1.0, 0.0], [1e-12, 1e-12])
    z, _ = hostile.reference(twins, twins.x0)
    wrong = z[::-1].astype(float) ** (1 / 4)
    assert hostile.assess(twins, answer(twins, wrong))[0] == ILL_POSED
    distinct = replace(twins, A=np.array([[1.0, 1.0 + 1e-6]]))
    assert hostile.assess(distinct, answer(distinct, wrong))[0] == WRONG


STALLING = instance(wn.WeightNormFlow(2, 10.0), [[1.0, -1.0]], [1.0, 0.0], [0.1, 0.4])


@pytest.mark.parametrize("scale", [1.0, 1e-20])
def test_stalls_are_decided(scale):
    """The heavy second weight opposes b; a faster direction turns in time."""
    x0 = scale * np.array([0.1, 0.4])
    stalling, fast = replace(STALLING, x0=x0), replace(STALLING, x0=x0, ratio=scale**2 * 0.1)
    for drawn, stalls in ((stalling, True), (fast, False)):
        x, log_rho = truth(drawn)
        verdicts = [
            hostile.assess(drawn, answer(drawn, x, log_rho))[0],
            hostile.assess(drawn, answer(drawn, 0 * x, np.nan, wn.Status.STALLED))[0],
        ]
        assert verdicts == ([WRONG, RIGHT] if stalls else [RIGHT, WRONG])


def test_a_large_start_that_comes_back_does_not_stall():
    """Followed to the end: at the start the loss is far above that of zero weights."""
    A = [[0.979, 0.674, 0.813], [-0.280, -0.771, 0.648]]
    drawn = instance(wn.WeightNormFlow(2, 0.5), A, [0.0, 0.895, 0.587], [1.350, 1.231, 2.775])
    x, log_rho = truth(drawn)
    assert np.linalg.norm(A @ drawn.x0**2 - drawn.b) > np.linalg.norm(drawn.b)
    assert hostile.assess(drawn, answer(drawn, x, log_rho))[0] == RIGHT


def test_vanishing_entries_are_found():
    """Two measure zero together: they vanish in each solution, the others in none."""
    A = referee.exact([[1.0, 1.0, 0.0, 0.0, 0.0], [2.0, 1.0, 1.0, 1.0, -1.0]])
    with referee.many_digits():
        z = referee.face(A, referee.exact([0.0, 0.0, 1.0, 0.0, 0.0]))
        assert list(z > 0) == [False, False, True, True, True]
        assert not (A @ z - A @ referee.exact([0.0, 0.0, 1.0, 0.0, 0.0])).any()


def test_instances_can_be_drawn_again():
    one, two = hostile.draw(5, 17), hostile.draw(5, 17)
    np.testing.assert_array_equal(one.A, two.A)
    np.testing.assert_array_equal(one.x0, two.x0)
    assert {hostile.draw(5, n).family for n in range(600)} == {f.__name__ for f in hostile.FAMILIES}
