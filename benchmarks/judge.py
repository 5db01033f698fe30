"""One judge for all solvers: it looks at ``z`` and believes nobody.

Where ``|A^T y| <= 1`` (``A^T y <= 1`` if z is nonnegative), ``b @ y`` is below the norm of every
solution. Such vectors ``y`` are scaled from whatever solvers return, and made from the support of
the candidates (`basis_dual`); the best bound of all serves all solvers of an instance.
"""

import numpy as np
import scipy.linalg

EXCESS = 1e-9  # of |z|_1 over the best bound, relative
MISS = 1e-9  # |A z - b| over |b|
LEVELS = (1e-12, 1e-9, 1e-7, 1e-5, 1e-3)  # below which an entry may be taken for zero


def norm_of(A, z, signed):
    """Return ``|z|_1``; infinite where a nonnegative ``z`` has an entry that is negative."""
    norm = np.abs(z).sum()
    if not signed and z.size and z.min() < -MISS * max(norm, 1e-300):
        return np.inf
    return norm


def miss(A, b, z):
    """Return ``|A z - b| / |b|``."""
    return float(np.linalg.norm(A @ z - b) / (np.linalg.norm(b) or 1.0))


def bound(A, b, y, signed):
    """Return what a dual vector proves: a number that no solution is shorter than."""
    if y is None or not np.isfinite(y).all():
        return -np.inf
    reach = A.T @ y
    most = np.abs(reach).max() if signed else reach.max()
    return max(0.0, float(b @ y) / max(1.0, float(most)))


def basis_dual(A, b, z, signed, near=None):
    """Return the ``y`` nearest to a given one with ``A^T y = sign(z)`` on the support of ``z``."""
    on = np.abs(z) > MISS * np.abs(z).max(initial=0.0)
    if not 0 < on.sum() <= A.shape[0]:
        return None
    y = np.zeros(A.shape[0]) if near is None else near
    left = np.sign(z[on]) - A[:, on].T @ y
    return y + scipy.linalg.lstsq(A[:, on].T, left, lapack_driver="gelsy")[0]


def debiased(A, b, z, signed, levels=LEVELS):
    """Return the least-squares solution on the support of an approximate ``z``, where it is better.

    Several levels are tried for what counts as zero, and never more columns than rows. Better is
    what solves ``A z = b`` to `MISS` with the smallest norm; where nothing does, what misses less.
    """
    best, size = z, np.abs(z)
    order = np.argsort(-size)[: A.shape[0]]
    for keep in dict.fromkeys(int((size[order] > t * size.max()).sum()) for t in levels):
        on = order[:keep]
        if keep == 0:
            continue
        x = np.zeros_like(z)
        x[on] = scipy.linalg.lstsq(A[:, on], b, lapack_driver="gelsy")[0]
        if np.isfinite(norm_of(A, x, signed)):
            best = min(best, x, key=lambda v: rank(A, b, v, signed))
    return best


def rank(A, b, z, signed):
    """Return by what solutions are compared: first whether they solve, then how short they are."""
    missed = miss(A, b, z)
    return (0.0, norm_of(A, z, signed)) if missed <= MISS else (missed, 0.0)


def certified(A, b, z, y, signed):
    """Tell whether ``z`` with a dual vector is proved optimal."""
    norm = norm_of(A, z, signed)
    return miss(A, b, z) <= MISS and norm - bound(A, b, y, signed) <= EXCESS * norm


class Judge:
    """Collects what is known of one instance and passes judgement afterwards."""

    def __init__(self, instance):
        self.A, self.b, self.signed = instance.A, instance.b, instance.signed
        self.bound, self.shortest = 0.0, np.inf

    def hear(self, z, y=None):
        """Note what an answer proves; return its norm, how far it misses, its own gap."""
        A, b, signed = self.A, self.b, self.signed
        if z is None or not np.isfinite(z).all():
            return {"norm": None, "feasibility": None, "gap": None}
        norm, missed, own = norm_of(A, z, signed), miss(A, b, z), bound(A, b, y, signed)
        if missed <= MISS:
            self.shortest = min(self.shortest, norm)
            if norm - self.bound > 1e-13 * norm:  # there may be something left to learn
                polished = bound(A, b, basis_dual(A, b, z, signed, y), signed)
                self.bound = max(self.bound, own, polished)
        gap = float((norm - own) / (norm or 1.0))  # proved by the answer itself
        return {
            "norm": float(norm) if np.isfinite(norm) else None,
            "feasibility": missed,
            "gap": gap if np.isfinite(gap) else None,
        }

    @property
    def decided(self):
        """Whether some solution is proved to be shortest."""
        return self.shortest - self.bound <= EXCESS * self.shortest

    def excess(self, heard):
        """Return by how much the norm of an answer exceeds the best bound, relative."""
        if heard["norm"] is None:
            return None
        return (heard["norm"] - self.bound) / (self.bound or 1.0)

    def passes(self, heard):
        """Tell whether an answer solves the problem."""
        excess = self.excess(heard)
        return excess is not None and excess <= EXCESS and heard["feasibility"] <= MISS
