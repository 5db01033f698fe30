"""The claim of the chapter on the one-pixel camera: pictures of random stars, from few numbers."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from wnlib.claims.instances import Instance, of_length
from wnlib.flows import WeightNormFlow
from wnlib.l1.basis_pursuit import basis_pursuit
from wnlib.l1.check import check_certificate
from wnlib.ledger import Claim, Part
from wnlib.operators import ScrambledDCT
from wnlib.pictures import psnr
from wnlib.problems import Problem

SIDES = 6, 9  # pixels, the second is left out: larger pictures take seconds to train
LIT = 16  # one in so many pixels, at most
SHARES = 0.4, 0.5  # numbers over pixels: the fewer, the oftener another picture has less norm
FEW = 20  # pixels for each number that a poor camera notes
CAP = 100.0  # dB


@dataclass(frozen=True, eq=False)
class Shot:
    """A camera, one that notes less, a picture of stars, one all lit, and weights for the stars.

    The weights know only the matrix of the camera, and no certificate.
    """

    camera: ScrambledDCT
    poor: ScrambledDCT
    full: np.ndarray
    wn: Instance

    @property
    def stars(self):
        """The picture, as a vector."""
        return self.wn.problem.signal

    @cached_property
    def found(self):
        """What the solver makes of the stars, without a matrix."""
        return basis_pursuit(self.camera, self.camera @ self.stars, signed=False)

    @cached_property
    def found_full(self):
        """What it makes of the other picture: with the matrix, for it is not sparse."""
        A = self.wn.problem.A
        return basis_pursuit(A, A @ self.full, signed=False)


def draw(rng):
    """Draw a camera, two pictures, and a start."""
    N = int(rng.integers(*SIDES)) ** 2
    M, s = int(np.ceil(rng.uniform(*SHARES) * N)), int(rng.integers(1, N // LIT + 1))
    camera = ScrambledDCT(M, N, rng)
    stars = np.zeros(N)
    stars[rng.choice(N, s, replace=False)] = rng.uniform(0.1, 1, s)
    A, Q = camera @ np.eye(N), stars.sum()
    x0 = of_length(rng.uniform(0.1, 0.5) * Q, rng.uniform(0.5, 1.5, N))
    flow = WeightNormFlow(2, Q / rng.uniform(40, 80))
    full, poor = rng.uniform(0.1, 1, N), ScrambledDCT(N // FEW, N, rng)
    return Shot(camera, poor, full, Instance(flow, Problem(A, A @ stars, stars), x0))


def proven(shot, dual):
    """Return the gap that a dual vector proves of the solver's picture, by an independent check."""
    found = replace(shot.found, dual=dual)
    return check_certificate(shot.wn.problem.A, shot.wn.problem.b, found)


def is_only(camera, picture):
    """Tell whether a margin shows that one picture has the least norm; of matrices it is known."""
    A = camera @ np.eye(len(picture))
    return basis_pursuit(A, A @ picture, signed=False).margin > 0


def gain(A, found, picture):
    """Return 20 over the dB by which the least norm is nearer to a picture than the least length.

    Infinite where it is not nearer; None where it may not be the only picture of its norm.
    """
    if not is_only(A, picture):
        return None
    gained = min(psnr(found.z, picture), CAP) - psnr(A.T @ (A @ picture), picture)
    return 20 / gained if gained > 0 else np.inf


def near(instance):
    """Tell whether the run has come near enough to a solution to tell its norm."""
    return instance.run.residual < 1e-2


def excess(instance):
    """Return the excess of the norm of trained weights over the solver's, relative."""
    if not near(instance):
        return None
    least = basis_pursuit(instance.problem.A, instance.reached.b, signed=False).norm
    return float(instance.run.effective.sum() / least - 1)


def poor_gain(shot):
    """Return the gain for the stars and the camera that notes little."""
    found = basis_pursuit(shot.poor, shot.poor @ shot.stars, signed=False)
    return gain(shot.poor, found, shot.stars)


def longer(shot):
    """Return the start of the weights, made twice as long as they are at the stars."""
    return of_length(4 * shot.stars.sum(), shot.wn.x0)


NEARER = Part(
    name="nearer",
    kind="lower",
    measured="20 dB / by how many the least norm is better than the least length",
    threshold=1.0,
    reason="an observation; of 20,000 gains one was below 77 dB, and that below 20",
    applies=lambda shot: is_only(shot.camera, shot.stars),
    measure=lambda shot: gain(shot.camera, shot.found, shot.stars),
    twin="of a picture that is lit everywhere",
    measure_twin=lambda shot: gain(shot.camera, shot.found_full, shot.full),
)
TRAINED = Part(
    name="trained weights",
    kind="upper",
    measured="relative excess of the norm where WN stands, over the smallest there",
    threshold=0.02,
    reason="an observation, as for Gaussian measurements",
    applies=lambda shot: near(shot.wn),
    measure=lambda shot: excess(shot.wn),
    twin="with the ratio Q",
    measure_twin=lambda shot: excess(
        replace(shot.wn, flow=replace(shot.wn.flow, ratio=shot.stars.sum()))
    ),
)

CLAIMS = (
    Claim(
        label="obs-camera",
        statement="Pictures of random stars, in at most one pixel of sixteen, through scrambled "
        "cosines, four numbers or more for ten pixels: the picture of least norm is certified to "
        "1e-8, and nearer to the truth by 20 dB than the one of least length, if a margin says "
        "that it is the only one; weight "
        "normalization of depth 2 with a small ratio, from a short start, ends within a fiftieth "
        "of that norm.",
        sample=draw,
        parts=(
            Part(
                name="certificate",
                kind="upper",
                measured="relative gap that the dual vector proves, checked apart",
                threshold=1e-8,
                reason="ten times the tolerance of the solver",
                measure=lambda shot: proven(shot, shot.found.dual),
                twin="with the dual vector of another picture",
                measure_twin=lambda shot: proven(shot, shot.found_full.dual),
            ),
            NEARER,
            replace(
                NEARER,
                name="enough numbers",
                twin="through a camera that notes one number for twenty pixels",
                measure_twin=poor_gain,
            ),
            TRAINED,
            replace(
                TRAINED,
                name="short start",
                twin="from a start with r_0^2 = 4 Q",
                measure_twin=lambda shot: excess(replace(shot.wn, x0=longer(shot))),
                twin_applies=lambda shot: len(shot.stars) == SIDES[0] ** 2,
            ),
        ),
    ),
)
