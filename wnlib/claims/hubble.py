"""The claim of the chapter on a picture of galaxies: pieces of it, from random measurements."""

from dataclasses import replace

import numpy as np

from wnlib.claims.instances import Instance, of_length
from wnlib.claims.sparsity import NEARER, SHORT, SURE, Pair
from wnlib.flows import WeightNormFlow
from wnlib.ledger import Claim, Part
from wnlib.pictures import above_sky, hubble
from wnlib.problems import Problem

FEWEST = 3  # bright pixels of a piece: a piece of nothing but sky is no picture
SIDES = 6, 9  # pixels, the second is left out: larger pieces take seconds to train


def draw(rng):
    """Draw a piece of the picture, turned around, measurements of it, and a start."""
    side, light = int(rng.integers(*SIDES)), above_sky(hubble(), 3.0)
    while True:
        i, j = rng.integers(0, len(light) - side + 1, 2)
        signal = np.rot90(light[i : i + side, j : j + side], rng.integers(4)).ravel()
        if np.count_nonzero(signal) >= FEWEST:
            break
    M = round(rng.uniform(0.3, 0.6) * signal.size)
    A = rng.normal(size=(M, signal.size)) / np.sqrt(M)
    Q = signal.sum()
    shape = rng.uniform(0.5, 1.5, signal.size)
    x0 = of_length(rng.uniform(0.1, 0.5) * Q, shape)
    flow = WeightNormFlow(2, Q / rng.uniform(40, 80))
    return Pair(Instance(flow, Problem(A, A @ signal, signal), x0))


def near(instance):
    """Tell whether the run has come near to a solution: near enough to tell its norm."""
    return instance.run.residual < 1e-2


def excess(instance):
    """Return the excess of the l1 norm at the end of the run over the smallest, relative.

    The smallest for the measurements that the run has reached.
    """
    if not near(instance):
        return None
    return float(instance.run.effective.sum() / instance.reached_min_l1.norm - 1)


NORM = Part(
    name="norm",
    kind="upper",
    measured="relative excess of the l1 norm where WN stands, over the smallest there",
    threshold=0.02,
    reason="an observation; the largest of 160 instances was 6e-3",
    applies=lambda i: near(i.wn),
    measure=lambda i: excess(i.wn),
    twin="with the ratio Q",
    measure_twin=lambda i: excess(i.coarse),
)
NORM_SHORT = replace(
    NORM,
    name="norm, from a short start",
    twin="from a start longer than the picture",
    measure_twin=lambda i: excess(i.long.wn),
)

CLAIMS = (
    Claim(
        label="obs-hubble",
        statement="On pieces of the picture, from random measurements: weight normalization with a "
        "small ratio, from a start shorter than half of the norm, ends within a fiftieth of the "
        "smallest l1 norm; and where the linear program is sure of the picture, it is ten "
        "times as near to it as GD from the same start.",
        sample=draw,
        parts=(
            NORM,
            NORM_SHORT,
            NEARER,
            SURE,
            SHORT,
        ),
    ),
)
