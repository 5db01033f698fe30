"""The judge of the benchmarks, and the instances that it looks at."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
from l1_instances import FAMILIES, draw

import wnlib as wn

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


def load(name):
    spec = spec_from_file_location(f"benchmarks_{name}", BENCHMARKS / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


judge = load("judge")


class Instance:
    def __init__(self, signed=True, sparsity=3):
        self.problem = wn.sparse_problem(20, 50, sparsity, seed=1, signed=signed)
        self.A, self.b, self.signed = self.problem.A, self.problem.b, signed
        self.best = wn.min_l1(self.problem)


@pytest.mark.parametrize("signed", [False, True])
def test_a_proven_answer_passes_and_others_are_measured_by_it(signed):
    instance = Instance(signed)
    seat = judge.Judge(instance)
    other = np.linalg.pinv(instance.A) @ instance.b
    longer, best = seat.hear(other), seat.hear(instance.best.z, instance.best.dual)
    assert seat.decided
    assert seat.passes(best)
    assert not seat.passes(longer)
    if signed:
        norm = np.abs(other).sum()
        assert seat.excess(longer) == pytest.approx(norm / instance.best.norm - 1)


def test_the_judge_finds_the_only_proof_by_itself():
    instance = Instance(sparsity=15)  # the shortest solution has as many entries as there are rows
    seat = judge.Judge(instance)
    assert seat.passes(seat.hear(instance.best.z))


def test_no_dual_vector_raises_the_bound_above_the_norm():
    instance = Instance()
    seat = judge.Judge(instance)
    best = seat.hear(instance.best.z, 1e3 * instance.best.dual)
    assert seat.bound <= best["norm"] * (1 + 1e-12)
    assert best["gap"] == pytest.approx(0, abs=1e-9)
    assert judge.bound(instance.A, instance.b, np.full(20, np.nan), True) == -np.inf


def test_what_does_not_solve_fails_however_short():
    instance = Instance()
    seat = judge.Judge(instance)
    seat.hear(instance.best.z, instance.best.dual)
    assert not seat.passes(seat.hear((1 - 1e-6) * instance.best.z))
    assert not seat.passes(seat.hear(None))
    assert not seat.passes(seat.hear(np.full(50, np.nan)))


def test_negative_entries_are_refused_where_none_are_allowed():
    instance = Instance(signed=False)
    seat = judge.Judge(instance)
    seat.hear(instance.best.z, instance.best.dual)
    z = instance.best.z + 0.1 * np.linalg.svd(instance.A)[2][-1]  # a solution too
    assert judge.miss(instance.A, instance.b, z) < 1e-9
    assert z.min() < 0
    assert not seat.passes(seat.hear(z))


def test_debiasing_gives_the_digits_that_are_missing():
    instance = Instance()
    rough = instance.best.z + 1e-6 * np.random.default_rng(0).standard_normal(50)
    z = judge.debiased(instance.A, instance.b, rough, True)
    np.testing.assert_allclose(z, instance.best.z, atol=1e-12)


def test_debiasing_makes_nothing_worse():
    instance = Instance()
    z = np.linalg.pinv(instance.A) @ instance.b
    better = judge.debiased(instance.A, instance.b, z, True)
    assert judge.rank(instance.A, instance.b, better, True) <= judge.rank(
        instance.A, instance.b, z, True
    )


def test_hostile_instances_are_feasible_and_all_kinds_of_both_signs():
    drawn = [draw(0, number) for number in range(2 * len(FAMILIES))]
    kinds = {(each.family, each.signed) for each in drawn}
    assert kinds == {(family.__name__, signed) for family in FAMILIES for signed in (False, True)}
    for each in drawn:
        assert each.A.any()
        assert each.b.any()
        assert each.signed or (each.z >= 0).all()
        assert judge.miss(each.A, each.b, each.z) < 1e-14
    again = draw(0, 5)
    np.testing.assert_array_equal(again.A, drawn[5].A)
    np.testing.assert_array_equal(again.b, drawn[5].b)
