"""Claims of the chapter on Figure 2."""

import numpy as np

from wnlib.claims.claim import Claim, converges
from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.instances import Instance
from wnlib.integrate import integrate
from wnlib.problems import Problem


def _few_solutions(rng):
    """Draw a problem whose nonnegative solutions have a bounded norm, often a single sparse one."""
    n_features = int(rng.integers(4, 7))
    A = np.vstack([np.ones(n_features), rng.normal(size=(2, n_features))])
    signal = np.zeros(n_features)
    signal[rng.choice(n_features, int(rng.integers(1, 3)), replace=False)] = rng.uniform(1, 2)
    depth = float(rng.choice([2, 2.5, 3]))
    flow = PlainFlow(depth) if rng.integers(2) else WeightNormFlow(depth, 10 ** rng.uniform(0, 0.5))
    x0 = rng.uniform(0.2, 0.8, n_features)
    return Instance(flow, Problem(A, A @ signal, signal), x0)


def _has_zero_entry(instance):
    return converges(instance) and not instance.limit.weights.all()


def _decay(instance):
    """Exponent p of the decay t^-p of the residual between two late times; inf at rounding."""
    times = np.array([1e6, 1e8])
    run = integrate(instance.flow, instance.problem, instance.x0, 1e8, times=times)
    first, last = run.problem.residual(run.effective_path[1:])
    return np.log(first / last) / np.log(times[1] / times[0]) if last > 1e-12 else np.inf


CLAIMS = (
    Claim(
        label="prop-sparse-slow",
        statement="If the limit has a zero entry, the integral of |e| diverges: e is not O(t^-p) "
        "for any p > 1.",
        kind="upper",
        measured="exponent p of the decay of |e| from t = 1e6 to 1e8",
        threshold=1.01,
        reason="the exponent is 1 for depth 2 in the limit only",
        sample=_few_solutions,
        applies=_has_zero_entry,
        measure=_decay,
        twin="whatever the limit",
        measure_twin=_decay,
        twin_applies=converges,
    ),
)
