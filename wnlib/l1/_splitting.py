r"""Solutions of smallest norm by products alone: Douglas and Rachford's splitting, restarted.

Where no support is guessed at once. Between the projection onto ``A z = b`` and the shrinking of
all entries, reflections are averaged with where they began (Halpern), and begin anew from time to
time, which makes them converge linearly (Lu and Yang, "Restarted Halpern PDHG for linear
programming", 2024), with the scale of ``z`` over that of ``A^T y`` adapted at each restart as in
PDLP (Applegate et al., 2021).
"""

from dataclasses import dataclass, field

import numpy as np

from wnlib._types import Floats, Integers
from wnlib.l1._message_passing import shrunk
from wnlib.l1._operators import Operator

ENOUGH, STALLED, LONG = 0.2, 0.8, 0.36  # when to restart, as in PDLP
SHORT = 20  # iterations: too few to call long
INEXACT = 0.01  # of the distance between the two points: the residual of a projection
EXACT = 1e-14  # relative residual of a point that is returned
NEARLY = 0.9  # of M: so many entries hint at a corner, where there are M
SEEN = 1e-11  # relative: smaller changes are rounding, and say nothing of scales


@dataclass
class Splitting:
    """Two points that meet at the solution.

    Attributes
    ----------
    scale : float
        The threshold; multipliers are dual vectors times it.
    state : numpy.ndarray, shape (N,)
        What is iterated: ``sparse`` is what of it passes the threshold.
    sparse, solving : numpy.ndarray, shape (N,)
        A sparse point, and one with ``A z = b``.
    lifted : numpy.ndarray, shape (M,)
        ``scale * y``.
    best : float
        The smallest gap and residual, together and relative, that were seen.
    """

    matrix: Operator
    b: Floats
    signed: bool
    scale: float
    state: Floats
    sparse: Floats = field(init=False)
    solving: Floats = field(init=False)
    lifted: Floats = field(init=False)
    back: Floats = field(init=False)  # A^T lifted
    iteration: int = 0
    best: float = np.inf

    def __post_init__(self) -> None:
        self.lifted, self.back = np.zeros(self.matrix.M), np.zeros(self.matrix.N)
        self.distance = np.inf
        self._project()
        self._begin()

    def _project(self) -> None:
        """Set both points from the state."""
        self.sparse = shrunk(self.state, self.scale, self.signed)
        reflected = 2 * self.sparse - self.state + self.back
        left = self.b - self.matrix.times(reflected)
        tol = INEXACT * min(self.distance, float(np.linalg.norm(left)))
        more, back = self.matrix.lift(left, tol)
        self.lifted = self.lifted + more
        self.back = self.back + back
        self.solving = reflected + back
        self.distance = float(np.linalg.norm(self.solving - self.sparse))

    def _begin(self) -> None:
        """Start the averages here."""
        self.anchor, self.steps = self.state, 0
        self.first_distance = self.distance
        self.first_sparse, self.first_back = self.sparse, self.back

    def advance(self) -> None:
        """Take one step, and restart if it is time."""
        moved = self.state + 2 * (self.solving - self.sparse)
        self.steps += 1
        self.iteration += 1
        self.state = (self.steps * moved + self.anchor) / (self.steps + 1)
        before = self.distance
        self._project()
        share = self.distance / self.first_distance if self.first_distance > 0 else 0.0
        stalled = share <= STALLED and self.distance > before
        long = self.steps >= max(SHORT, LONG * self.iteration)
        if share <= ENOUGH or stalled or long:
            self._rescale()
            self._project()
            self._begin()

    def _rescale(self) -> None:
        """Bring the scale nearer to what the points have moved by since the start."""
        primal = np.linalg.norm(self.sparse - self.first_sparse)
        dual = np.linalg.norm(self.back - self.first_back)
        moves = primal > SEEN * np.linalg.norm(self.sparse)
        if moves and dual > SEEN * np.linalg.norm(self.back):
            factor = float(np.sqrt(primal / dual))
            self.state = self.sparse + factor * (self.state - self.sparse)
            self.scale *= factor
            self.lifted, self.back = factor * self.lifted, factor * self.back

    def guess(self) -> Integers:
        """Return the support; if it has about ``M`` entries, the ``M`` nearest to being in it."""
        on = np.flatnonzero(self.sparse)
        if NEARLY * self.matrix.M < len(on) < self.matrix.M / NEARLY:
            height = np.abs(self.state) if self.signed else self.state
            on = np.sort(np.argpartition(-height, self.matrix.M - 1)[: self.matrix.M])
        return on

    @property
    def y(self) -> Floats:
        """The dual vector, scaled to be feasible."""
        height = np.abs(self.back) if self.signed else self.back
        return self.lifted / max(self.scale, float(height.max()))

    def point(self) -> Floats:
        """Return a point that solves ``A z = b``, to the last digits if signs do not matter."""
        if not self.signed:
            return np.maximum(self.solving, 0.0)
        if self.matrix.tight:
            return self.solving
        left = self.b - self.matrix.times(self.solving)
        tol = EXACT * float(np.linalg.norm(self.b))
        return self.solving + self.matrix.lift(left, tol)[1]
