"""Claims of the chapter on Figure 2."""

import numpy as np
from scipy.optimize import linprog

from wnlib.claims.common import INTEGRATION, arrives, misfits
from wnlib.claims.instances import Instance, random_depth, random_problem
from wnlib.flows import PlainFlow, WeightNormFlow, psi_rate
from wnlib.ledger import Claim, Part

EXPONENTS = 600.0  # beyond, psi in units of its first value is no float


def _vanishing_or_not(rng):
    """Draw a problem of which some or all solutions are positive, or none, and a start."""
    kind = rng.choice(["few", "boundary", "one measurement", "gaussian"])
    N = int(rng.integers(4, 8))
    problem = random_problem(rng, kind, shape=(2, N))
    depth = min(random_depth(rng), 4.0)
    flow = (
        PlainFlow(depth) if rng.integers(2) else WeightNormFlow(depth, 10 ** rng.uniform(-0.5, 1))
    )
    return Instance(flow, problem, rng.uniform(0.2, 0.8, N))


def _some_entry_vanishes(instance):
    """Tell whether some entry is zero in all solutions, by linear programs."""
    problem = instance.problem
    for n in np.flatnonzero(problem.signal == 0):
        largest = linprog(-np.eye(problem.n_weights)[n], A_eq=problem.A, b_eq=problem.b)
        if largest.status == 0 and -largest.fun < 1e-7:
            return True
    return False


def _share(instance, factor):
    """Largest share that psi's way makes of a factor times its bound, over entries and times."""
    run, flow = instance.run, instance.flow
    L, r = flow.depth, run.radius_path
    # in units of kappa(r_0)^{-(L-2)}: psi there would leave the range of floats
    log_kappa = np.asarray(flow.log_kappa(r) - flow.log_kappa(r[0]))
    unit = np.exp(np.minimum((2 - L) * log_kappa, EXPONENTS))
    clock = unit if flow.motion is PlainFlow else r**2 * unit
    if L == 2:
        psi = 2 * (run.log_path + log_kappa[:, None])
    else:
        psi = -np.exp(np.minimum((2 - L) * run.log_path, EXPONENTS)) * unit[:, None]
    columns = np.linalg.norm(run.problem.network_matrix, axis=0)
    spent = psi_rate(L) * columns * run.integral(clock * misfits(run))[1:, None]
    fall = psi[0] - psi[2::2]
    error = 1e-6 * (1.0 if L == 2 else np.abs(psi[2::2]))  # of the integration, with a margin
    return np.max((fall - error) / (factor * spent))


def _decay(instance):
    """Exponent p of the decay t^-p of the residual over its last decade."""
    run = instance.run
    e, late = misfits(run), run.times > 0
    first = np.argmax(late & (e < 10 * e[-1]))
    return np.log(e[first] / e[-1]) / np.log(run.times[-1] / run.times[first])


CLAIMS = (
    Claim(
        label="prop-sparse-slow",
        statement="Each entry of psi(kappa^L x^L) falls at most by c_psi |A_n| int chi |e|. So if "
        "the limit has a zero entry, the integral of |e| diverges: e is not O(t^-p) for any "
        "p > 1.",
        sample=_vanishing_or_not,
        parts=(
            Part(
                name="fall",
                kind="upper",
                measured="largest fall of an entry of psi over its bound, on the run",
                threshold=1 + 1e-5,
                reason=INTEGRATION,
                applies=lambda i: i.run.n_steps > 1,
                measure=lambda i: _share(i, 1.0),
                twin="half of c_psi",
                measure_twin=lambda i: _share(i, 0.5),
            ),
            Part(
                name="slow",
                kind="upper",
                measured="exponent p of the decay of |e| over its last decade",
                threshold=1.05,
                reason="1 for depth 2 in the limit only: the transient adds 0.01 to a decade",
                applies=lambda i: arrives(i) and _some_entry_vanishes(i),
                measure=_decay,
                twin="whatever the limit",
                measure_twin=_decay,
                twin_applies=arrives,
            ),
        ),
    ),
)
