"""What several tests share."""

import numpy as np

import wnlib as wn
from wnlib.claims.instances import KINDS, Instance, random_problem


def weights_velocity(flow, problem, x):
    """Return ``x'`` by the velocities of what the flow trains."""
    if flow.motion is wn.PlainFlow:
        return flow.velocity(problem, x)
    r = np.linalg.norm(x)
    dr, du = flow.velocity(problem, r, x / r)
    return dr * x / r + r * du


def random_instance(rng, *, weight_norm, kind=None, signed=None, depth=None):
    """Draw an instance; what is not given is drawn too.

    Parameters
    ----------
    rng : numpy.random.Generator
    weight_norm : bool
        Which of the two flows; its ratio is drawn in [0.3, 3].
    kind : one of ``KINDS``, optional
    signed : bool, optional
    depth : float, optional
        Drawn from 2, 2.5 and 3.

    Returns
    -------
    Instance
        The start has scale in [0.05, 0.5], and entries that differ by factors up to e.
    """
    kind = rng.choice(KINDS) if kind is None else kind
    signed = bool(rng.integers(2)) if signed is None else signed
    depth = float(rng.choice([2, 2.5, 3])) if depth is None else depth
    problem = random_problem(rng, kind, signed=signed)
    flow = wn.PlainFlow(depth)
    if weight_norm:
        flow = wn.WeightNormFlow(depth, 0.3 * 10 ** rng.uniform(0, 1))
    scale = 0.05 * 10 ** rng.uniform(0, 1)
    return Instance(flow, problem, scale * np.exp(rng.uniform(-0.5, 0.5, problem.n_weights)))
