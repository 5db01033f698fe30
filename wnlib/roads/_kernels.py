"""The steps of `_rows` compiled by Numba: several times as fast, and equal but for rounding.

Up to 40 starts are moved side by side, in lanes: a number of ``A`` that is read serves them all,
and what the second product has found of four weights moves them at once. A few starts are moved one
by one; then four rows of ``A`` at a time serve both products.

The numbers of a lane stand ``STRIDE`` apart, however many lanes there are. So the compiler knows
that rows do not overlap, and the loops over lanes become vector instructions. They would not with
signed indices, for which Numba asks whether to count from the end. Sums may be reordered and fused,
as in BLAS; infinity and NaN keep their meaning.
"""

import numpy as np
from numba import njit, uint64

from wnlib.roads._rows import PlainRows, WeightNormRows

LANES = 40  # five vectors of eight: more gain little, and fill the cache
FEW = 8  # starts: so many are faster one by one than in lanes, half of them idle

ZERO, ONE, TWO, THREE, FOUR, STRIDE = (np.uint64(k) for k in (0, 1, 2, 3, 4, LANES))
STRIDE2, STRIDE3, STRIP = (k * STRIDE for k in (TWO, THREE, FOUR))
# where the numbers stand of which a lane has one
R, NORM2, C, S, KEEP, LEAST = (np.uint64(k * LANES) for k in range(6))

compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})


@compiled
def _power(x, depth):
    """Return ``x^depth``, for an integer of at least 2."""
    y = x * x
    for _ in range(depth - 2):
        y *= x
    return y


@compiled
def _strip(A, m, X, Y, lanes):
    """Write the rows ``m`` to ``m + 3`` of ``A X`` into ``Y``."""
    j, k, o = m + ONE, m + TWO, m + THREE
    for i in range(ZERO, STRIP):
        Y[i] = 0.0
    for n in range(ZERO, uint64(A.shape[1]), FOUR):
        a00, a01, a02, a03 = A[m, n], A[m, n + ONE], A[m, n + TWO], A[m, n + THREE]
        a10, a11, a12, a13 = A[j, n], A[j, n + ONE], A[j, n + TWO], A[j, n + THREE]
        a20, a21, a22, a23 = A[k, n], A[k, n + ONE], A[k, n + TWO], A[k, n + THREE]
        a30, a31, a32, a33 = A[o, n], A[o, n + ONE], A[o, n + TWO], A[o, n + THREE]
        for i in range(ZERO, lanes):
            x = n * STRIDE + i
            x0, x1, x2, x3 = X[x], X[x + STRIDE], X[x + STRIDE2], X[x + STRIDE3]
            Y[i] += a00 * x0 + a01 * x1 + a02 * x2 + a03 * x3
            Y[i + STRIDE] += a10 * x0 + a11 * x1 + a12 * x2 + a13 * x3
            Y[i + STRIDE2] += a20 * x0 + a21 * x1 + a22 * x2 + a23 * x3
            Y[i + STRIDE3] += a30 * x0 + a31 * x1 + a32 * x2 + a33 * x3


@compiled
def _times(Y, y, X, x, lanes):
    """Multiply the four rows of ``Y`` from ``y`` on by those of ``X`` from ``x`` on."""
    for i in range(ZERO, lanes):
        for j in range(ZERO, STRIP, STRIDE):
            Y[y + j + i] *= X[x + j + i]


@compiled
def _move_lanes(A, b, U, stacked, E, Y, Q, lanes, n_steps, step, ratio, depth, normed):
    """Take steps of the weights ``U`` in ``lanes`` lanes; ``Q`` has their other numbers."""
    M, N, lanes = uint64(A.shape[0]), uint64(A.shape[1]), uint64(lanes)
    for _ in range(n_steps):
        for i in range(ZERO, lanes):
            Q[C + i] = Q[R + i] * Q[R + i] / Q[NORM2 + i] if normed else 1.0
            Q[KEEP + i], Q[S + i] = 1.0, 0.0
        if normed and depth > 2:
            for i in range(ZERO, lanes):
                Q[C + i] **= 0.5 * depth
        for m in range(ZERO, M, FOUR):
            _strip(A, m, stacked, Y, lanes)
            for i in range(ZERO, lanes):
                c, s = Q[C + i], Q[S + i]
                for j in range(ZERO, FOUR):
                    product = c * Y[j * STRIDE + i]
                    e = product - b[m + j]
                    E[(m + j) * STRIDE + i] = e
                    s += e * product
                Q[S + i] = s
        if normed:
            for i in range(ZERO, lanes):
                s, r, least = step * Q[S + i], Q[R + i], Q[LEAST + i]
                Q[KEEP + i] = 1.0 + s / Q[NORM2 + i]
                r -= ratio * s / r
                Q[R + i], Q[LEAST + i] = r, r if r < least else least
        for i in range(ZERO, lanes):
            Q[C + i] *= step
            Q[NORM2 + i] = 0.0
        for n in range(ZERO, N, FOUR):
            x = n * STRIDE
            _strip(A.T, n, E, Y, lanes)
            for _ in range(depth - 2):
                _times(Y, ZERO, U, x, lanes)
            for i in range(ZERO, lanes):
                keep, rate, least, norm2 = Q[KEEP + i], Q[C + i], Q[LEAST + i], Q[NORM2 + i]
                for j in range(ZERO, STRIP, STRIDE):
                    factor = keep - rate * Y[j + i]
                    least = factor if factor < least else least  # not if it is NaN
                    u = U[x + j + i] * factor
                    U[x + j + i], stacked[x + j + i] = u, u * u
                    norm2 += u * u
                Q[LEAST + i], Q[NORM2 + i] = least, norm2
            for _ in range(depth - 2):
                _times(stacked, x, U, x, lanes)


@compiled
def _move_one(A, b, rows, r, n_steps, step, ratio, depth, normed):
    """Take steps of the weights ``rows[0]``; return the radius, and the least factor or radius."""
    M, N = A.shape
    u, stacked, h, least = rows[0], rows[1], rows[2], rows[3]
    norm2, least_r = 0.0, np.inf
    for n in range(N):
        stacked[n], least[n] = _power(u[n], depth), np.inf
        norm2 += u[n] * u[n]
    for _ in range(n_steps):
        c = (r * r / norm2) ** (0.5 * depth) if normed else 1.0
        s = 0.0
        for n in range(N):
            h[n] = 0.0
        for m in range(0, M, 4):
            a0, a1, a2, a3 = A[m], A[m + 1], A[m + 2], A[m + 3]
            p0 = p1 = p2 = p3 = 0.0
            for n in range(N):
                p0 += a0[n] * stacked[n]
                p1 += a1[n] * stacked[n]
                p2 += a2[n] * stacked[n]
                p3 += a3[n] * stacked[n]
            p0, p1, p2, p3 = c * p0, c * p1, c * p2, c * p3
            e0, e1, e2, e3 = p0 - b[m], p1 - b[m + 1], p2 - b[m + 2], p3 - b[m + 3]
            s += e0 * p0 + e1 * p1 + e2 * p2 + e3 * p3
            for n in range(N):
                h[n] += e0 * a0[n] + e1 * a1[n] + e2 * a2[n] + e3 * a3[n]
        keep, rate = 1.0, step * c
        if normed:
            keep += step * s / norm2
            r -= ratio * step * s / r
            least_r = r if r < least_r else least_r
        for _ in range(depth - 2):
            for n in range(N):
                h[n] *= u[n]
        norm2 = 0.0
        for n in range(N):
            factor = keep - rate * h[n]
            least[n] = factor if factor < least[n] else least[n]
            x = u[n] * factor
            u[n], stacked[n] = x, x * x
            norm2 += x * x
        for _ in range(depth - 2):
            for n in range(N):
                stacked[n] *= u[n]
    for n in range(N):
        least_r = least[n] if least[n] < least_r else least_r
    return r, least_r


@compiled
def _move(A, b, u, r, least, buffers, n_steps, step, ratio, depth, normed):
    """Take steps of all starts, the rows of ``u``; find the least factor or radius of each."""
    rows, U, stacked, E, Y, Q = buffers
    (starts, N), wide, first = u.shape, len(U) // LANES, 0
    while first < starts:
        here = min(LANES, starts - first)
        if here <= FEW:
            here = 1
            for n in range(A.shape[1]):
                rows[0, n] = u[first, n] if n < N else 0.0
            r[first], least[first] = _move_one(
                A, b, rows, r[first], n_steps, step, ratio, depth, normed
            )
            for n in range(N):
                u[first, n] = rows[0, n]
        else:
            lanes = (here + 7) // 8 * 8
            for i in range(lanes):
                start = first + min(i, here - 1)  # idle lanes repeat the last one
                norm2 = 0.0
                for n in range(wide):
                    x = u[start, n] if n < N else 0.0
                    U[n * LANES + i], stacked[n * LANES + i] = x, _power(x, depth)
                    norm2 += x * x
                lane = uint64(i)
                Q[R + lane], Q[NORM2 + lane], Q[LEAST + lane] = r[start], norm2, np.inf
            _move_lanes(
                A[:, :wide], b, U, stacked, E, Y, Q, lanes, n_steps, step, ratio, depth, normed
            )
            for i in range(here):
                lane = uint64(i)
                r[first + i], least[first + i] = Q[R + lane], Q[LEAST + lane]
                for n in range(N):
                    u[first + i, n] = U[n * LANES + i]
        first += here


@compiled
def _look(A, b, u, r, depth, normed):
    """Return the weights ``x`` of all starts, their ``|u|``, and the lengths of ``A x^L - b``."""
    x, stacked, norm, length = np.empty_like(u), np.empty_like(u), np.ones(len(u)), np.zeros(len(u))
    for start in range(len(u)):
        scale = 1.0
        if normed:
            norm2 = 0.0
            for n in range(u.shape[1]):
                norm2 += u[start, n] * u[start, n]
            norm[start] = np.sqrt(norm2)
            scale = r[start] / norm[start]
        for n in range(u.shape[1]):
            x[start, n] = scale * u[start, n]
            stacked[start, n] = _power(x[start, n], depth)
        for m in range(len(b)):
            e = -b[m]
            for n in range(u.shape[1]):
                e += A[m, n] * stacked[start, n]
            length[start] += e * e
        length[start] = np.sqrt(length[start])
    return x, norm, length


def _aligned(*shape):
    """Return zeros whose first one is the first of a line of the cache: eight numbers."""
    size = int(np.prod(shape))
    numbers = np.zeros(size + 8)
    return numbers[-numbers.ctypes.data // 8 % 8 :][:size].reshape(shape)


class _Compiled:
    """Rows whose steps are compiled: of an integer depth, in NumPy, whose gains nobody sums up."""

    normed, ratio = False, 0.0

    def __init__(self, flow, problem, step, x0, xp=np):
        super().__init__(flow, problem, step, x0, xp)
        M, N = self.A.shape
        rows, wide, wider = -M % 4 + M, -N % 4 + N, -N % 8 + N
        self.padded, self.goal = _aligned(rows, wider), np.zeros(rows)
        self.padded[:M, :N], self.goal[:M] = self.A, self.b
        sizes = wide, wide, rows, 4, 6
        self.buffers = (_aligned(4, wider), *(_aligned(size * LANES) for size in sizes))

    def keep(self, chosen):
        super().keep(chosen)
        self.radius = self.r[:, 0] if self.normed else np.ones(len(self.u))
        self.least = np.full(len(self.u), np.inf)  # factor or radius of the latest move

    def move(self, n_steps):
        """Take ``n_steps`` steps."""
        law = n_steps, self.step, self.ratio, int(self.L), self.normed
        _move(self.padded, self.goal, self.u, self.radius, self.least, self.buffers, *law)

    def look(self):
        """Return what `PlainRows.look` does."""
        x, norm, length = _look(
            self.padded, self.goal, self.u, self.radius, int(self.L), self.normed
        )
        return x, norm, length / self.unit, self.least <= 0


class _CompiledPlainRows(_Compiled, PlainRows):
    pass


class _CompiledWeightNormRows(_Compiled, WeightNormRows):
    normed, ratio = True, property(lambda rows: rows.flow.ratio)


COMPILED = {PlainRows: _CompiledPlainRows, WeightNormRows: _CompiledWeightNormRows}
