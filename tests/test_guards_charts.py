"""Each guard of integrate, of its charts and of the trained logarithms is missed if taken out.

As in ``test_guards_limits.py``: what stands in the source, what stands there without the guard, and
instances. Without it another status, another end, an error, or more than three times as many steps
must come out, on one of them: which, may hang on how a machine rounds.
"""

import inspect
import sys
import textwrap
from functools import cache

import hostile
import numpy as np
import pytest
from test_stalling import balanced, opposed_start

import wnlib as wn
from wnlib.claims import instances
from wnlib.roads import _charts, _training

road = sys.modules["wnlib.roads.integrate"]
PLAIN, NORM = wn.PlainFlow, wn.WeightNormFlow
Chart, Trained = _charts.Chart, road._Trained
COARSE, MIDDLE = {"rtol": 9e-3}, {"rtol": 1e-6}
T_END, MAX_STEPS = 1e12, 1000


def hard(k, seed=5):
    drawn = instances.hard_instance(np.random.default_rng([seed, k]), weight_norm=bool(k % 2))
    return drawn.flow, drawn.problem, drawn.x0


def draw(seed, number):
    drawn = hostile.draw(seed, number)
    problem = wn.Problem(drawn.A, drawn.b, signed=drawn.signed)
    return drawn.flow, problem, drawn.starts()[0]


def far(depth, second, small):
    """Let a weight of ``small`` overtake one of 0.1."""
    return NORM(depth, 0.1), wn.Problem([[1.0, second]], [1.0]), np.array([small, 0.1])


def one(flow, second, b, scale):
    """One measurement of two weights."""
    return flow, wn.Problem([[1.0, second]], [b]), np.array([scale, 2 * scale])


def nothing_solves(flow):
    return flow, wn.Problem([[1.0]], [-1.0]), np.array([0.5])


# what it sees, where, what, what without it, instances: (draw, its arguments, options)
CHARTS = [
    ("weights relative to the largest", Chart, "__init__",
     "log_anchor, log_anchor.max()", "log_anchor, 0.0",
     [(draw, (2, 111)), (draw, (2, 67)), (draw, (2, 11))]),
    ("a column of zeros", Chart, "__init__", 'np.errstate(divide="ignore")', "np.errstate()",
     [(far, (2, 0.0, 1e-20))]),
    ("a basis of fast and slow", Chart, "__init__",
     "np.linalg.eigh((A * np.exp((2 * self.L - 2) * self.relative)) @ A.T)[1]", "np.eye(len(A))",
     [(hard, (415,), MIDDLE), (hard, (236,), COARSE), (hard, (206,), COARSE)]),
    ("weights in that basis", Chart, "__init__",
     "(A * np.exp((2 * self.L - 2) * self.relative)) @ A.T", "A @ A.T",
     [(hard, (78,)), (hard, (467,), MIDDLE), (draw, (2, 155), COARSE)]),
    ("the last digit of a change", Chart, "change",
     "shift(np.zeros_like(a), a, self.L - 2)",
     "shift(self.relative, m @ self.A, self.L - 2) - self.relative",
     [(one, (NORM(4, 10.0), 2.0, 1.0, 1e-8)), (opposed_start, (49,), MIDDLE)]),
    ("an end outside the domain", Chart, "holds", "np.isfinite(self.lift(m)).all()", "True",
     [(draw, (2, 165), COARSE), (draw, (2, 163), COARSE)]),
    ("a unit of the coordinates", Chart, "unit",
     "np.exp(-(self.log_columns + (self.L - 2) * self.lift(m)).max())", "1.0",
     [(hard, (200,), COARSE), (hard, (204,), COARSE), (hard, (213,), COARSE)]),
    ("of the fastest weight", Chart, "unit", ".max()", ".min()",
     [(draw, (2, 121)), (draw, (2, 191), COARSE), (hard, (213,), COARSE)]),
    ("with its column", Chart, "unit", "self.log_columns + ", "",
     [(draw, (3, 437), MIDDLE), (hard, (200,), COARSE), (hard, (213,), COARSE)]),
    ("where it is now", Chart, "unit", "self.lift(m)", "self.relative",
     [(hard, (210,), COARSE), (hard, (230,), COARSE), (hard, (213,), COARSE)]),
    ("a small radius feels each error", Chart, "leverage",
     "np.abs(self.state(m)[2](np.ones((len(self.log_anchor), 1)))[0]).max()", "1.0",
     [(draw, (2, 172), COARSE), (draw, (2, 153), COARSE), (draw, (2, 151), COARSE)]),
    ("a large one does not help", Chart, "leverage", "max(1.0, ", "(lambda one, x: x)(1.0, ",
     [(hard, (223,), COARSE), (hard, (201,), COARSE), (draw, (2, 184), COARSE)]),
    ("leverage counts", road, "_mirror_steps", "rtol / chart.leverage(solver.y)", "rtol",
     [(draw, (2, 172), COARSE), (draw, (2, 153), COARSE), (draw, (3, 490), MIDDLE)]),
    ("rounding of misfits", Chart, "coordinate_rounding", "4 * EPS", "0 * EPS",
     [(draw, (3, 446), MIDDLE), (hard, (402,), MIDDLE), (hard, (438,), MIDDLE)]),
    ("errors small beside the unit", road, "_mirror_steps",
     "max(share * chart.unit(solver.y), rounding)", "rounding",
     [(draw, (3, 434), MIDDLE), (draw, (2, 111)), (draw, (2, 67))]),
    ("and relative ones", road, "_mirror_steps", "return share, ", "return 0.0, ",
     [(hard, (200,), COARSE), (hard, (223,), COARSE), (draw, (2, 178), COARSE)]),
    ("the anchor moves", Chart, "worn", ">= np.log(8)", "> np.inf",
     [(hard, (206,), COARSE), (hard, (408,), MIDDLE), (hard, (78,))]),
    ("before it is late", Chart, "worn", "np.log(8)", "np.log(1e6)",
     [(hard, (206,), COARSE), (hard, (408,), MIDDLE), (hard, (231,), COARSE)]),
    ("but not at each step", Chart, "worn", "np.log(8)", "np.log(1.01)",
     [(one, (PLAIN(10), 2.0, 1.0, 0.01)), (hard, (207,), COARSE), (hard, (217,), COARSE)]),
    ("the last digit of a growth", _charts, "_log_growth", "fallen > -0.5", "False",
     [(draw, (2, 142)), (one, (NORM(4, 10.0), 2.0, 1.0, 1e-8))]),
    ("a growth far beyond the shares", _charts, "_log_growth", "fallen > -0.5", "True",
     [(far, (2, 0.0, 1e-20)), (far, (2, 0.5, 1e-20))]),
    ("in units of its largest", _charts, "_log_growth", "top = logs.max()", "top = 0.0",
     [(hard, (237,), COARSE), (hard, (239,), COARSE), (opposed_start, (36,), MIDDLE)]),
    ("silence at the first point", _charts.Stepper, "__init__",
     'with np.errstate(all="ignore"):\n        super().__init__(*arguments, **options)',
     "Radau.__init__(self, *arguments, **options)", [(draw, (2, 183), COARSE)]),
    ("silence at trial points", _charts.Stepper, "step",
     'with np.errstate(all="ignore"):\n        return super().step()',
     "return Radau.step(self)", [(draw, (2, 164), COARSE), (one, (PLAIN(2), -2.0, 1.0, 1e-100))]),
    ("infinities of LAPACK", _charts.Stepper, "__init__",
     "super().__init__(*arguments, **options)\n    self.lu, self.solve_lu = _factor, _solve",
     "Radau.__init__(self, *arguments, **options)", [(draw, (2, 183), COARSE)]),
    ("a step is taken back", _charts, "follow",
     "first_step, solver.y = solver.step_size / 4, before",
     "first_step = solver.step_size / 4", [(draw, (2, 165), COARSE)]),
    ("a certain stall ends a run", None, "GONE", None, 0.0,
     [(hard, (363,), COARSE, "weights"), (hard, (365,), COARSE, "weights")]),
    ("once the radius has gone", None, "GONE", None, 1.0,
     [(hard, (363,), COARSE, "weights"), (draw, (2, 172), COARSE)]),
    ("a certain stall, not any", road._Run, "stalls",
     "_stalling.certainly_stalls(self.flow, self.problem, self.x)",
     "bool(_stalling.vanishing(self.flow, self.problem, self.path[0], 3000))",
     [(one, (NORM(50, 0.1), -2.0, 1.0, 0.01)), (one, (NORM(100, 0.1), -2.0, 1.0, 0.01))]),
    ("accuracy of the smallest weight", road, "_weights_steps", "x0.min()", "1.0",
     [(hard, (344,), COARSE, "weights"), (hard, (346,), COARSE, "weights")]),
    ("of the direction", road, "_weights_steps", "/ max(1.0, np.linalg.norm(x0))", "",
     [(hard, (349,), COARSE, "weights")]),
    ("a residual of a relative tolerance", None, "CONVERGED_RESIDUAL", None, 1e-12,
     [(hard, (449,), MIDDLE)]),
]  # fmt: skip

TRAINED = [
    ("silence at trial points", _training, "train", 'np.errstate(all="ignore")', "np.errstate()",
     [(draw, (3, 9)), (draw, (3, 30)), (draw, (3, 48))]),
    ("an accuracy", None, "TOLERANCE", None, 1e-6,
     [(one, (PLAIN(3), -2.0, 1.0, 1e-30)), (draw, (3, 87)), (one, (PLAIN(4), -2.0, 1.0, 100.0))]),
    ("that floats can keep", None, "TOLERANCE", None, 1e-11,
     [(draw, (3, 79)), (draw, (3, 140)), (balanced, (0.99, 1e-5))]),
    ("not relative in logarithms", _training._Run, "follow", "rtol=1e-13", "rtol=1e-9",
     [(draw, (3, 79)), (one, (PLAIN(3), 2.0, 1.0, 1e-30))]),
    ("a small residual", None, "ARRIVED", None, 1e-5,
     [(one, (PLAIN(4), 2.0, 0.0, 0.01)), (hard, (144, 7))]),
    ("not too small", None, "ARRIVED", None, 1e-12,
     [(one, (PLAIN(4), 2.0, 0.0, 0.01)), (one, (PLAIN(3), -2.0, 1.0, 100.0))]),
    ("ticks enough", None, "MAX_TICKS", None, 1e6,
     [(one, (PLAIN(4), 2.0, 0.0, 0.01)), (balanced, (0.9, 1e-5))]),
    ("not for ever", None, "MAX_TICKS", None, 1e30,
     [(draw, (3, 62)), (draw, (3, 26)), (draw, (3, 12))]),
    ("powers within floats: below", _training._Run, "rate",
     "np.clip(y, -LOG_RANGE, LOG_RANGE)", "np.minimum(y, LOG_RANGE)",
     [(one, (PLAIN(50), 2.0, 1.0, 0.01)), (one, (PLAIN(2), 2.0, 1.0, 1e-30))]),
    ("powers within floats: above", _training._Run, "rate",
     "np.clip(y, -LOG_RANGE, LOG_RANGE)", "np.maximum(y, -LOG_RANGE)",
     [(one, (NORM(2, 10.0), 2.0, 1.0, 1e-30)), (one, (NORM(2, 0.1), 2.0, 1.0, 1e-100))]),
    ("no narrower than floats", None, "LOG_RANGE", None, 100.0,
     [(draw, (3, 3)), (draw, (3, 63)), (draw, (3, 137))]),
    ("a direction relative to its largest", _training._Run, "log_weights",
     "y[..., 1:] - y[..., 1:].max(axis=-1, keepdims=True)", "y[..., 1:]",
     [(one, (NORM(2, 10.0), 2.0, 1.0, 1e-30)), (one, (NORM(2, 0.1), 2.0, 1.0, 1e-100))]),
    ("a clock", _training._Run, "clock",
     "(self.flow.depth - 2)", "0",
     [(draw, (3, 3)), (draw, (3, 4)), (draw, (3, 9))]),
    ("a derivative", _training._Run, "follow", "jac=lambda _, y: self.jacobian(y)", "jac=None",
     [(one, (PLAIN(10), -2.0, 1.0, 100.0)), (one, (NORM(4, 0.1), -2.0, 1.0, 100.0))]),
    ("a first step", _training._Run, "follow",
     "first_step=1e-4 / (1 + np.abs(velocity(0, self.start)).max())", "first_step=None",
     [(one, (NORM(2, 1e-4), -2.0, 1.0, 1e-8)), (draw, (3, 9)), (draw, (3, 137))]),
    ("that is small beside the speed", _training._Run, "follow",
     "1e-4 / (1 + np.abs(velocity(0, self.start)).max())", "1e-4",
     [(draw, (3, 4)), (draw, (3, 9)), (draw, (3, 90))]),
    ("and beside one", _training._Run, "follow",
     "1e-4 / (1 + np.abs(velocity(0, self.start)).max())", "1.0",
     [(draw, (3, 4)), (draw, (3, 9)), (draw, (3, 90))]),
    ("what is no float", _training._Run, "follow", " or not np.isfinite(solver.y).all()", "",
     [(draw, (3, 9)), (draw, (3, 30)), (draw, (3, 48))]),
    ("the ticks are over", _training._Run, "follow",
     'if solver.status == "finished":', "if False:", [(draw, (3, 137)), (draw, (3, 16))]),
    ("a loss below that of zero weights", _training._Run, "follow", "1 <= misfit <", "misfit <",
     [(one, (NORM(2, 10.0), 2.0, 0.0, 1.0)), (one, (NORM(2, 10.0), 2.0, 0.0, 3.0))]),
    ("a loss above that of zero weights", _training._Run, "follow", " < 1 + ARRIVED", "",
     [(one, (NORM(2, 10.0), 2.0, 1.0, 1e5)), (one, (NORM(3, 10.0), 2.0, 1.0, 1e5))]),
    ("the radius must have gone", None, "GONE", None, 10.0,
     [(balanced, (1.1, 1e-3)), (balanced, (1.1, 0.1)), (opposed_start, (56,))]),
    ("a stall is one", _training._Run, "vanishes", "return not", "return False and",
     [(draw, (3, 3)), (draw, (3, 4)), (draw, (3, 64))]),
    ("the plain flow has no radius", _training._Run, "vanishes", "not self.plain and ", "",
     [(nothing_solves, (PLAIN(2),))]),
]  # fmt: skip


def integrated(make, arguments, options, form="mirror"):
    return wn.integrate(*make(*arguments), T_END, form=form, max_steps=MAX_STEPS, **options)


def trained(make, arguments):
    return _training.train(*make(*arguments))


@cache
def with_guard(follow, make, arguments, *more):
    return outcome(follow, make, arguments, *more)


def outcome(follow, make, arguments, options=None, *more):
    """Return status, number of steps, ``x`` in units of its largest, whether that has gone."""
    extra = () if follow is trained else (dict(options or {}), *more)
    run = follow(make, arguments, *extra)
    gone = run.radius < 2e-3 * np.linalg.norm(run.initial)
    return run.status, run.n_steps, run.weights / run.weights.max(), gone


def same(one, other):
    """Tell whether two outcomes agree: statuses, ends, and steps to a factor of 3."""
    if one[0] is not other[0] or other[1] > 3 * one[1]:
        return False
    if one[0] is wn.Status.STALLED:
        return one[3] == other[3]
    return bool(np.abs(one[2] - other[2]).max() <= 1e-4)


def without(patch, owner, name, old, new):
    """Replace a constant of the module, or a function by what its source says with a change."""
    if inspect.ismodule(owner) and old is None:
        patch.setattr(owner, name, new)
        return
    function = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, f"{name} does not say {old!r}, or more than once"
    scope, module = {}, sys.modules[function.__module__]
    exec(source.replace(old, new), vars(module), scope)
    changed = inspect.unwrap(scope[name]) if owner is not _training else scope[name]
    patch.setattr(owner, name, changed)
    for form, steps in road._FORMS.items():
        if steps is function:
            patch.setitem(road._FORMS, form, changed)
    if vars(road).get(name) is function:
        patch.setattr(road, name, changed)


def is_missed(follow, case, *guard):
    make, arguments, *more = case
    frozen = [tuple(part.items()) if isinstance(part, dict) else part for part in more]
    right = with_guard(follow, make, arguments, *frozen)
    with pytest.MonkeyPatch.context() as patch:
        without(patch, *guard)
        try:
            return not same(right, outcome(follow, make, arguments, *frozen))
        except (ValueError, RuntimeError, RuntimeWarning, UserWarning, np.linalg.LinAlgError):
            return True


def rows(table, follow, module):
    for what, owner, name, old, new, cases in table:
        guard = follow, cases, owner or module, name, old, new
        yield pytest.param(*guard, id=f"{follow.__name__}: {what}")


@pytest.mark.parametrize(
    ("follow", "cases", "owner", "name", "old", "new"),
    [*rows(CHARTS, integrated, road), *rows(TRAINED, trained, _training)],
)
def test_a_guard_is_missed(follow, cases, owner, name, old, new):
    assert any(is_missed(follow, case, owner, name, old, new) for case in cases)


def test_a_point_may_be_changed_in_place():
    problem = wn.sparse_problem(3, 6, 1, seed=0)
    chart = Chart(PLAIN(3), problem, np.log(wn.initial_weights(problem, 0.5, seed=1)))
    m = np.zeros(3)
    before = chart.misfit(m)
    m += 0.01
    assert not np.array_equal(chart.misfit(m), before)


def test_a_solver_that_fails_leaves_a_run_unfinished(monkeypatch):
    class Fails(_training.LSODA):
        def step(self):
            self.status = "failed"

    monkeypatch.setattr(_training, "LSODA", Fails)
    assert _training.train(*one(PLAIN(2), 2.0, 1.0, 0.1)).status is wn.Status.UNFINISHED


class Toy:
    """A point that moves with velocity one, and says what `follow` is to do."""

    def __init__(self, holds, worn, start=0.0):
        self.start, self.script = np.array([start]), (holds, worn)

    def holds(self, y):
        return self.script[0](y[0] - self.start[0])

    def worn(self, y):
        return next(self.script[1], False)

    def next(self, y):
        return Toy(*self.script, y[0])


def ends(holds, worn):
    """Return the times at which steps to time 1 ended; each begins with 90 % of what is left."""

    def solver_at(chart, t, first_step):
        first_step = first_step or 0.9 * (1 - t)
        return _charts.Stepper(
            lambda t, y: np.ones(1),
            t,
            chart.start,
            1.0,
            first_step=first_step,
            jac=np.zeros((1, 1)),
        )

    steps = _charts.follow(Toy(holds, iter(worn)), solver_at, lambda *_: (1e-3, 1e-3))
    return [solver.t for _, solver in steps]


def test_a_rejected_step_is_retried_shorter():
    assert ends(lambda moved: True, []) == pytest.approx([0.9, 1])
    lengths = iter([False, False, True])
    assert ends(lambda moved: next(lengths, True), [])[0] == pytest.approx(0.9 / 16)


def test_what_never_holds_ends():
    assert ends(lambda moved: False, []) == []


def test_a_new_chart_begins_with_a_step_of_its_own():
    """Not with that of a retry long ago, which may be longer than what is left."""
    rejected = iter([False])
    times = ends(lambda moved: next(rejected, True), [True] * 4)
    assert times[-1] == 1 and times[0] == pytest.approx(0.225)
