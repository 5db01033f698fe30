r"""The path to the smallest l1 norm: limits of weight normalization in ever deeper networks.

From equal weights, the limit of a network of depth ``L > 2`` solves ``A z = b`` with

    (1 - A^T y)_n z_n^{1 - 2/L} = kappa        (``thm-deep-path``)

for some ``kappa``, which a smaller ratio of the rates makes smaller. For ``L`` to infinity this is
the central path of interior-point methods, on which all products of ``z`` and its slack are equal.
It is followed here by Mehrotra's predictor and corrector (SIAM J. Optimization 2, 1992), with
directions as exact as they are worth: see :meth:`wnlib.l1._matrices.Dense.normal`.
"""

from dataclasses import dataclass

import numpy as np

from wnlib._types import Floats, Integers
from wnlib.l1._matrices import Dense

SHORT_OF = 0.98  # of the way to the boundary
LEAST_TRUST = 0.1  # in the predictor, which after short steps would mislead the corrector
AHEAD = 2.0  # relative gap at which a warm start begins, over the residual of its point
LEAST_AHEAD, TOO_FAR = 0.05, 0.3  # of these gaps: from above, starting cold is as good
EXACT_BELOW = 1e-3  # relative gap from where single precision is too coarse


@dataclass
class Interior:
    """A point of the interior: ``z > 0``, one row for each sign, and ``slack = 1 -+ A^T y > 0``.

    Attributes
    ----------
    signs : numpy.ndarray, shape (2, 1) or (1, 1)
        ``(1, -1)``, or ``(1,)`` where only positive entries are admitted.
    slack : numpy.ndarray, shape of z
        ``1 - A^T y`` and, if signed, ``1 + A^T y``; as a sum of its changes, whose digits last
        longer than those of a difference from one.
    sigma : float
        The residual that is allowed: the path then leads to ``A z + sigma y / |y| = b``.
    """

    matrix: Dense
    b: Floats
    signs: Floats
    z: Floats
    y: Floats
    slack: Floats
    sigma: float = 0.0

    @classmethod
    def start(cls, matrix: Dense, b: Floats, signed: bool, sigma: float = 0.0) -> "Interior":
        """Return a point on the ray of the gradient at zero, moved into the interior."""
        signs = np.array([[1.0], [-1.0]] if signed else [[1.0]])
        ray = matrix.adjoint(b)
        dual = 0.5 / np.abs(ray).max()  # halfway to where the first constraint is met
        y, correlations = dual * b, dual * ray
        ray = ray * ((b @ b) / (ray @ ray))  # the first step of the steepest descent
        z = np.maximum(signs * ray, 0) + np.abs(ray).mean()
        return cls(matrix, b, signs, z, y, 1 - signs * correlations, sigma)

    def move_near(self, z: Floats, y: Floats) -> None:
        """Begin where a neighbouring problem ended, if ``z`` nearly solves this one."""
        missed = np.linalg.norm(self.b - self.matrix.times(z)) / np.linalg.norm(self.b)
        ahead = AHEAD * float(missed)
        if ahead > TOO_FAR:
            return
        slopes = self.signs * self.matrix.adjoint(y)
        back = (1 - max(ahead, LEAST_AHEAD)) / max(1.0, float(slopes.max()))
        self.y, self.slack = back * y, 1 - back * slopes
        kappa = (1 - back) * np.abs(z).sum() / self.slack.size
        self.z = np.maximum(self.signs * z, 0) + kappa / self.slack

    @property
    def x(self) -> Floats:
        """The two signs together."""
        return (self.signs * self.z).sum(axis=0)

    @property
    def complementarity(self) -> float:
        """The mean of ``z`` times its slack: zero at the end."""
        return float((self.z * self.slack).mean())

    @property
    def lag(self) -> float:
        """What the misfit is worth, over what slack is: both vanish at the end, hand in hand."""
        slackness = float((self.z * self.slack).sum())
        return abs(float(self.z.sum() - (self.b - self.noise) @ self.y) - slackness) / slackness

    @property
    def is_sound(self) -> bool:
        """Whether rounding has left it in the interior."""
        return bool(self.slack.min() > 0 and 0 < self.z.min() <= self.z.max() < np.inf)

    @property
    def gap(self) -> float:
        """Relative gap between the norm and what ``y``, always feasible, proves."""
        return float(1 - (self.b - self.noise) @ self.y / np.abs(self.x).sum())

    @property
    def noise(self) -> Floats:
        """``sigma y / |y|``: what the fit leaves of ``b`` at the end of the path."""
        return self.y * (self.sigma / np.linalg.norm(self.y))

    @property
    def left(self) -> float:
        """What the products of ``z`` and slack sum to, relative: the gap if ``z`` were feasible."""
        return float((self.z * self.slack).sum() / np.abs(self.x).sum())

    def guess(self) -> Integers:
        """Return where ``z`` is large and its slack small: what will be the support at the end."""
        return np.flatnonzero((self.z > self.z.max() * self.slack).any(axis=0))

    def advance(self) -> None:
        """Take one step along the path."""
        A, z, slack = self.matrix, self.z, self.slack
        quotient, product = z / slack, z * slack
        b, curvature = self.b - self.noise, float(self.sigma / np.linalg.norm(self.y))
        solve = A.normal(quotient.sum(axis=0), self.gap < EXACT_BELOW, curvature, self.y)

        dslack = -self.signs * A.adjoint(solve(b))
        dz = -z - quotient * dslack
        on_z, on_slack = _reach(z, dz), _reach(slack, dslack)
        moved = (z + on_z * dz) * (slack + on_slack * dslack)
        centre = (moved.mean() / product.mean()) ** 3 * product.mean()
        trust = max(LEAST_TRUST, on_z * on_slack) if A.careful else 1.0
        target = (centre - product - trust * dz * dslack) / slack

        missing = b - A.times((self.signs * (z + target)).sum(axis=0))
        dy = solve(missing)
        dslack = -self.signs * A.adjoint(dy)
        dz = target - quotient * dslack
        on_z, ahead = (min(1.0, SHORT_OF * _reach(*v)) for v in ((z, dz), (slack, dslack)))
        if self.sigma > 0:  # what z has to fit depends on y: they must move together
            on_z = ahead = min(on_z, ahead)
        self.z = z + on_z * dz
        self.y = self.y + ahead * dy
        self.slack = slack + ahead * dslack


def _reach(v: Floats, dv: Floats) -> float:
    """Return how far ``v + t dv`` stays nonnegative, at most ``t = 1``."""
    return float(np.min(-v / np.where(dv < 0, dv, -np.inf), initial=1.0, where=dv < 0))
