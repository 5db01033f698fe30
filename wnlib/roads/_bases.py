r"""Columns of a matrix that span its range, and everything else in terms of them.

With ``A_N = A_B W`` for the columns outside a basis ``B``, the equations ``A z = b`` read
``z_B + W z_N = A_B^{-1} b``, and a vector ``c`` lies in the range of ``A^T`` if and only if its
*reduced costs* ``c_N - W^T c_B`` vanish. What rounding cannot tell from zero, in ``W``, in the
right hand side and in reduced costs, is zero here: ties stay ties.
"""

import numpy as np
from scipy.linalg import qr, solve_triangular

EPS = np.finfo(float).eps
RANGE = 600.0  # logarithms that far apart are floats after one shift
UNEQUAL = 1e-12  # columns of such different sizes: the rounding of one may hide another
CROWDED = 30.0  # two columns change places from such a weighted entry: det(A_B)^2 grows 900-fold


class StuckError(np.linalg.LinAlgError):
    """A computation makes no progress; the message says where."""


def pivots(A):
    """Return columns that span the range of ``A``, as many as its rank."""
    sizes = np.abs(A).max(axis=0)
    if sizes.min(where=sizes > 0, initial=np.inf) < UNEQUAL * sizes.max():
        A = A / np.where(sizes > 0, sizes, 1.0)
    R, order = qr(A, mode="r", pivoting=True)
    diagonal = np.abs(np.diag(R))
    return order[: np.sum(diagonal > diagonal[0] * max(A.shape) * EPS)]


class Basis:
    """Columns ``B`` of ``A``, and the others in terms of them: ``A_N = A_B W``, ``b = A_B rhs``."""

    def __init__(self, A, b, inside):
        self.inside = np.asarray(inside)
        self.outside = np.setdiff1d(np.arange(A.shape[1]), self.inside)
        Q, R = qr(A[:, self.inside], mode="economic")
        self.Q, self.R, self.inverse = Q, R, solve_triangular(R, Q.T)
        targets = np.column_stack([A[:, self.outside], b])
        columns, W = A[:, self.inside], self.solve(targets)
        # one refinement, and what is left is the rounding of a solution known to be that of W
        change = self.solve(targets - columns @ W)
        W += change
        spread = np.abs(self.inverse) @ np.abs(columns)
        error = 2 * EPS * (spread @ np.abs(W) + np.abs(self.inverse) @ np.abs(targets))
        # and of the refinement: elimination by rotations mixes the rows
        lengths = np.linalg.norm(columns, axis=0) @ np.abs(change)
        error += 2 * EPS * np.outer(np.linalg.norm(self.inverse, axis=1), lengths)
        vanishing = np.abs(W) <= error
        W[vanishing] = error[vanishing] = 0.0
        # one by one they may be zero; together, where columns nearly depend, perhaps not
        misfit = np.linalg.norm(targets - columns @ W, axis=0)
        rounding = 64 * EPS * np.linalg.norm(np.abs(columns) @ np.abs(W), axis=0)
        for j in np.flatnonzero(misfit > rounding):
            rest = ~vanishing[:, j]
            W[rest, j] = np.linalg.lstsq(columns[:, rest], targets[:, j])[0]
        self.W, self.rhs, self.error = W[:, :-1].copy(), W[:, -1], error[:, :-1]
        self.sizes = np.abs(self.W)
        with np.errstate(divide="ignore"):  # the logarithm of 0 is used as such
            self.log_rhs, self.sign_rhs = np.log(np.abs(self.rhs)), np.sign(self.rhs)
        self.ones = self.reduced(np.ones(A.shape[1]), 4 * EPS)

    def solve(self, b):
        """Return ``A_B^{-1} b``, with a residual of the size of rounding."""
        return solve_triangular(self.R, self.Q.T @ b, check_finite=False)

    def reduced(self, c, noise):
        """Return ``c_N - W^T c_B``, or 0 where that is rounding; ``c`` has relative ``noise``."""
        inside, outside = c[self.inside], c[self.outside]
        value = outside - inside @ self.W
        rounding = noise * (np.abs(outside) + np.abs(inside) @ self.sizes)
        rounding += np.abs(inside) @ self.error
        return np.where(np.abs(value) <= rounding, 0.0, value)

    def spread(self, inside, outside):
        """Return ``W e^{outside - inside}`` entrywise, by two exponentials where floats allow."""
        top = outside.max(initial=-np.inf)
        if top - inside.min() < RANGE:
            return self.W * np.exp(outside - top) * np.exp(top - inside)[:, None]
        exponents = np.where(self.W != 0, outside - inside[:, None], 0.0)  # 0 * inf is not 0
        return self.W * np.exp(exponents)

    def exchange(self, log_weight):
        """Return columns of a basis, by weight, in which no weighted entry of ``W`` is crowded.

        A change of places is a pivot of the weighted ``W``, too.
        """
        inside, outside = self.inside.copy(), self.outside.copy()
        log_weight = log_weight / 2
        G = self.spread(log_weight[inside], log_weight[outside])
        # each exchange multiplies det(A_B)^2 by CROWDED^2: a bound that only rounding reaches
        for _ in range(50 * len(inside) + 100 if G.size else 0):
            i, j = np.unravel_index(np.argmax(np.abs(G)), G.shape)
            if not abs(G[i, j]) > CROWDED:
                break
            row, column = G[i] / G[i, j], G[:, j].copy()
            pivoted = G - np.outer(column, row)
            pivoted[:, j] = -column / column[i]
            pivoted[i] = row
            pivoted[i, j] = 1 / column[i]
            G, inside[i], outside[j] = pivoted, outside[j], inside[i]
        # from large to small: elimination without growth keeps graded equations accurate
        return inside[np.argsort(-log_weight[inside], kind="stable")]
