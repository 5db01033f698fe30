"""Where the flows end, by another road: exact data, many digits, and a basis of its own.

What singles out the limit ``z`` is ``A z = b``, ``z >= 0``, ``psi(z) - psi(beta / rho)`` in the
range of ``A^T`` (on the entries that some solution has), and for weight normalization
``log rho = (L/2) (log(R0 / R) + (R - R0) / ratio)``. Who meets these conditions is the limit,
however it was found, so the referee may start from the answer that it judges; where that leads
nowhere it follows a homotopy from a start whose limit is known.

The unknowns are the ``log z`` of a *basis*: independent columns ``K``, the largest entries first,
so that ``A = A_K [I, T]``. The others follow, without the cancellation that multipliers suffer:
``psi(z)_N = r + T^T psi(z)_K``, ``r = psi(beta/rho)_N - T^T psi(beta/rho)_K``.

Numbers are `decimal`: any number of digits, exponents up to 1e18. Nothing of wnlib is used.
"""

from contextlib import suppress
from decimal import MAX_EMAX, MIN_EMIN, Decimal, localcontext

import numpy as np

DIGITS = 160  # of sums and products; more where starts are spread
ZERO = Decimal("1e-60")  # relative: data of 53 bits have no smaller differences that are not zero
PATH_DIGITS, END_DIGITS = 34, 60  # of exp and log


class UndecidedError(Exception):
    """The referee does not know."""


def exact(values):
    """Return an object array of decimals, equal to the floats given."""
    values = np.asarray(values)
    flat = [v if isinstance(v, Decimal) else Decimal(float(v)) for v in values.ravel()]
    return np.array(flat, dtype=object).reshape(values.shape)


def exp(values, digits):
    """Return the exponentials of decimals."""
    with localcontext(prec=digits) as context:
        return np.array([context.exp(v) for v in values], dtype=object)


def log(values, digits):
    """Return the logarithms of positive decimals: float ones, corrected by one exponential."""
    with localcontext(prec=digits) as context:
        result = []
        for v in values:
            e = v.adjusted()
            near = Decimal(float(np.log(float(v.scaleb(-e))))) + e * _LOG10
            ratio = v * context.exp(-near) - 1  # log(1 + ratio), |ratio| about 1e-16
            term, total, n = ratio, ratio, 1
            while term and term.adjusted() > -digits:
                n += 1
                term *= -ratio
                total += term / n
            result.append(near + total)
        return np.array(result, dtype=object)


with localcontext(prec=200):
    _LOG10 = Decimal(10).ln()


def basis(A, log_size):
    """Return columns ``K``, others ``N`` and ``T`` with ``A = A_K [I, T]``.

    The next column is the one whose size, times the share of it that is independent of those
    already taken, is the largest: an entry of ``T`` times the quotient of sizes is of order one.
    """
    tableau = A / np.abs(A).max(axis=1, initial=Decimal(0)).clip(Decimal("1e-999"))[:, None]
    whole = np.abs(tableau).max(axis=0)
    whole[whole == 0] = Decimal(1)  # what a column of zeros measures, nothing, changes nothing
    log_size = np.asarray(log_size).astype(float)
    columns, rows, free, left = [], [], list(range(len(A))), list(range(A.shape[1]))
    while free and left:
        shares = np.abs(tableau[np.ix_(free, left)]).max(axis=0) / whole[left]
        left = [n for n, share in zip(left, shares, strict=True) if share > ZERO]
        if not left:
            break
        logs = np.log(np.array([float(share) for share in shares if share > ZERO]))
        column = left.pop(int(np.argmax(log_size[left] + logs)))
        row = max(free, key=lambda i: abs(tableau[i, column]))
        tableau[row] = tableau[row] / tableau[row, column]
        for i in range(len(A)):
            if i != row and tableau[i, column]:
                tableau[i] = tableau[i] - tableau[i, column] * tableau[row]
        free.remove(row)
        rows.append(row)
        columns.append(column)
    N = [n for n in range(A.shape[1]) if n not in set(columns)]
    T = tableau[np.ix_(rows, N)]
    T[np.abs(T) <= ZERO] = Decimal(0)
    return np.array(columns), np.array(N, dtype=int), T


def face(A, z):
    """Return a solution that is positive wherever one is: the relative interior, from ``z``."""
    z = z.copy()
    while (z == 0).any():
        support = np.flatnonzero(z)
        K, N, T = basis(A, np.where(z > 0, 0.0, -1e9))
        inner = np.array([k in set(support) for k in K])
        columns = [i for i, n in enumerate(N) if z[n] == 0]
        # directions of the kernel: the basis entries outside of the support may not fall
        ray = _ray(
            np.hstack(
                [
                    np.eye(len(K), dtype=int)[~inner][:, ~inner] * Decimal(1),
                    T[np.ix_(~inner, columns)],
                ]
            )
        )
        if ray is None:
            break
        direction = np.array([Decimal(0)] * len(z), dtype=object)
        direction[K[~inner]] = ray[: (~inner).sum()]
        direction[N[columns]] = ray[(~inner).sum() :]
        direction[K[inner]] = -(T[np.ix_(inner, columns)] @ ray[(~inner).sum() :])
        falling = direction < 0
        reach = min([Decimal(1) * z.max(), *(z[falling] / -direction[falling] / 2)])
        z = z + reach * direction
    return z


def _ray(matrix):
    """Return ``v >= 0``, ``sum v = 1``, with ``matrix v = 0``, or None: the simplex method."""
    rows, columns = len(matrix) + 1, matrix.shape[1]
    if columns == 0:
        return None
    one, zero = Decimal(1), Decimal(0)
    tableau = np.full((rows, columns + rows + 1), zero, dtype=object)
    tableau[:-1, :columns], tableau[-1, :columns] = matrix, one
    for i in range(rows):
        tableau[i, columns + i] = one
    tableau[-1, -1] = one
    basic = [columns + i for i in range(rows)]
    while True:
        artificial = [i for i in range(rows) if basic[i] >= columns]
        gain = tableau[artificial, :columns].sum(axis=0) if artificial else np.full(columns, zero)
        entering = next((n for n in range(columns) if gain[n] > ZERO), None)  # Bland's rule
        if entering is None:
            break
        candidates = [i for i in range(rows) if tableau[i, entering] > ZERO]
        leaving = min(candidates, key=lambda i: (tableau[i, -1] / tableau[i, entering], basic[i]))
        tableau[leaving] = tableau[leaving] / tableau[leaving, entering]
        for i in range(rows):
            if i != leaving and tableau[i, entering]:
                tableau[i] = tableau[i] - tableau[i, entering] * tableau[leaving]
        basic[leaving] = entering
    if any(basic[i] >= columns and tableau[i, -1] > ZERO for i in range(rows)):
        return None
    v = np.full(columns, zero, dtype=object)
    for i, n in enumerate(basic):
        if n < columns and tableau[i, -1] > ZERO:
            v[n] = tableau[i, -1]
    return v


class Limits:
    """The limits of one flow on ``{z >= 0: A z = A z0}``, from starts that vary.

    ``z0`` is a solution that is positive wherever one is; ``A`` has its support's columns only.
    ``ratio`` is None for the plain flow.
    """

    def __init__(self, A, z0, log_beta, depth, ratio, R0):
        self.A, self.z0, self.log_beta = A, z0, log_beta
        self.L, self.gamma = depth, 1 - 2 / depth
        self.ratio, self.R0, self.digits = ratio, R0, PATH_DIGITS
        spread = (max(log_beta) - min(log_beta)) / _LOG10
        self.start_digits = 70 + int(spread)

    # What follows from the unknowns: the basis' log z, and s = log rho.

    def choose_basis(self, log_z):
        """Take the largest entries for the basis."""
        self.K, self.N, self.T = basis(self.A, log_z)
        self.d = self.z0[self.K] + self.T @ self.z0[self.N]
        self.d[np.abs(self.d) <= ZERO * np.abs(self.d).max()] = Decimal(0)
        self.log_zK = log_z[self.K]

    def at(self, log_beta, digits):
        """Set the start: psi of it, or minus that, and what of it the basis leaves over."""
        with localcontext(prec=digits):
            if self.gamma == 0:
                self.start = log_beta
            else:
                self.start = exp(-self.gamma * log_beta, digits)
            K, N = self.start[self.K], self.start[self.N]
            self.reduced = N - K @ self.T
            size = np.abs(N) + np.abs(K) @ np.abs(self.T)
            self.reduced[np.abs(self.reduced) <= size * Decimal(10) ** (15 - digits)] = Decimal(0)

    def evaluate(self, log_zK, s):
        """Return ``log z``, ``z``, ``y = |psi(z)|`` (1 for L = 2) and their rate in s; or None."""
        log_z = np.empty(len(self.z0), dtype=object)
        y = np.full(len(self.z0), Decimal(1), dtype=object)
        log_z[self.K] = log_zK
        if self.gamma == 0:
            by_s = self.T.sum(axis=0) - 1
            log_z[self.N] = self.reduced + s * by_s + log_zK @ self.T
        else:
            y[self.K] = exp(-self.gamma * log_zK, self.digits)
            reduced = exp([self.gamma * s], self.digits)[0] * self.reduced
            y[self.N] = reduced + y[self.K] @ self.T
            if (y[self.N] <= 0).any():
                return None
            log_z[self.N] = -log(y[self.N], self.digits) / self.gamma
            by_s = -reduced / y[self.N]
        return log_z, exp(log_z, self.digits), y, by_s

    def scalar(self, z, s, log_z):
        """Return the error of the scalar equation and its derivative's factor; 0 if plain."""
        if self.ratio is None:
            return Decimal(0), Decimal(0), np.full(len(z), Decimal(0), dtype=object)
        share = exp(2 / self.L * log_z, self.digits)
        R = share.sum()
        log_ratio = log([R / self.R0], self.digits)[0]
        error = s - self.L / 2 * ((R - self.R0) / self.ratio - log_ratio)
        return error, 1 / self.ratio - 1 / R, share

    def linearized(self, point):
        """Return ``P``, ``Q`` and ``I + P Q^T``: how the relative misfits change with ``log z_K``.

        No entry of ``P`` and ``Q`` exceeds that of ``T`` by much, as no part of a column is much
        smaller than its entry. Floats do, as only the misfits need many digits, unless columns
        are so nearly dependent that ``T`` is huge.
        """
        _, z, y, _ = point
        P = self.T * (z[self.N][None, :] / z[self.K][:, None])
        Q = self.T * (y[self.K][:, None] / y[self.N][None, :])
        floats = P.astype(float), Q.astype(float)
        M = np.eye(len(P)) + floats[0] @ floats[1].T
        if np.isfinite(M).all() and np.linalg.cond(M) < 1e9:
            return *floats, M
        return P, Q, exact(np.eye(len(P))) + P @ Q.T

    def solve(self, point, misfit, e, a, share):
        """Solve the linearized conditions; return the change of the basis' log z, and of s."""
        P, Q, M = self.linearized(point)
        if self.ratio is None:
            return _solve(M, misfit), Decimal(0)
        by_s, share = point[3].astype(M.dtype), (a * share).astype(M.dtype)
        u, v = _solve(M, misfit), _solve(M, P @ by_s)
        row = share[self.K] + Q @ share[self.N]
        ds = ((e if M.dtype == object else float(e)) + row @ u) / (
            1 - share[self.N] @ by_s + row @ v
        )
        return u - ds * v, ds

    def newton(self, log_zK, s, tolerance, max_steps, first=3.0):
        """Return the solution near a guess as ``(log_zK, s)``, or None."""
        last = None
        for _ in range(max_steps):
            point = self.evaluate(log_zK, s)
            if point is None:
                return None
            log_z, z, _, _ = point
            misfit = (self.d - self.T @ z[self.N]) / z[self.K] - 1
            if max(np.abs(misfit)) > 1e6:
                return None
            error, a, share = self.scalar(z, s, log_z)
            step, ds = self.solve(point, misfit, -error, a, share)
            size = float(max(np.abs(step).max(), abs(ds) / type(ds)(1 + abs(s))))
            if not size <= (first if last is None else max(last / 2, tolerance)):
                return None
            if last is None:
                self.first_step = size
            log_zK, s, last = log_zK + exact(step), s + exact(ds)[()], size
            if size < tolerance:
                return log_zK, s
        return None

    def from_guess(self, log_z):
        """Return ``(log z, s)`` of the limit, starting from a guess of it."""
        self.choose_basis(log_z)
        return self._finish(log_z[self.K], self._s_of(log_z))

    def _s_of(self, log_z):
        return -self.scalar(log_z, Decimal(0), log_z)[0]

    def _finish(self, log_zK, s):
        with localcontext() as context:
            self.at(self.log_beta, context.prec)
        self.digits = END_DIGITS
        found = self.newton(log_zK, s, 1e-20, 25)
        self.digits = PATH_DIGITS
        if found is None:
            return None
        log_z = self.evaluate(*found)
        return None if log_z is None else (log_z[0], found[1])

    def from_afar(self):
        """Return ``(log z, s)`` of the limit, by a path that begins at ``z0``.

        ``z0`` is the limit from itself. Its shape becomes that of the start where the scale is
        easy; then the scale becomes that of the start, or one where the scalar equation holds.
        """
        log_z = log(self.z0, self.digits)
        s = sum(self.log_beta - log_z) / len(log_z)
        plain = Limits(self.A, self.z0, self.log_beta, self.L, None, self.R0)
        log_z = plain.reach(log_z, log_z, self.log_beta - s)
        return self._descend(plain, s, log_z) if self.ratio else self._scale(plain, s, log_z)

    def _scale(self, plain, s, log_z):
        log_z = plain.reach(log_z, self.log_beta - s, self.log_beta)
        return self._end(log_z, Decimal(0))

    def _descend(self, plain, s, log_z):
        """Follow the limits from ``beta e^{-s}`` to the root of the scalar equation."""
        error = s - self._s_of(log_z)
        while True:
            goal = s - 2 * error
            path = plain.follow(log_z, self.log_beta - s, self.log_beta - goal)
            for t, log_z_there in path:
                there = s + t * (goal - s)
                error_there = there - self._s_of(log_z_there)
                if error_there * error <= 0 or abs(error_there) < Decimal("1e-9"):
                    return self._root(plain, (s, log_z), (there, log_z_there))
                before = there, log_z_there
            s, log_z = before
            error = s - self._s_of(log_z)

    def _root(self, plain, low, high):
        """Return the root between two points of the path; Newton's method needs to be near."""
        for _ in range(400):
            for s, log_z in (low, high):
                with suppress(UndecidedError):
                    return self._end(log_z, s)
            middle = (low[0] + high[0]) / 2
            log_z = plain.reach(low[1], self.log_beta - low[0], self.log_beta - middle)
            error = middle - self._s_of(log_z)
            side = low[0] - self._s_of(low[1])
            low, high = ((middle, log_z), high) if error * side > 0 else (low, (middle, log_z))
        raise UndecidedError("no root of the scalar equation")

    def _end(self, log_z, s):
        self.choose_basis(log_z)
        found = self._finish(log_z[self.K], s)
        if found is None:
            raise UndecidedError("no convergence at the end of the path")
        return found

    def reach(self, log_z, begin, end):
        """Return the end of :meth:`follow`."""
        return max(self.follow(log_z, begin, end), key=lambda point: point[0])[1]

    def follow(self, log_z, begin, end, max_steps=3000):
        """Yield ``(t, log z)`` along the limits from ``begin + t (end - begin)``, ``t`` up to 1."""
        way, t, zero = end - begin, Decimal(0), Decimal(0)
        dt = 1 / (1 + np.abs(way).max())
        self.choose_basis(log_z)
        for _ in range(max_steps):
            if t == 1:
                return
            self.at(begin + t * way, self.start_digits)
            tangent = exact(self._tangent(self.log_zK, zero, way))
            while True:
                dt = min(dt, 1 - t)
                self.at(begin + (t + dt) * way, self.start_digits)
                found = self.newton(self.log_zK + dt * tangent, zero, 1e-6, 6, first=1.0)
                if found is not None and (point := self.evaluate(*found)) is not None:
                    break
                dt /= 4
                if dt < Decimal("1e-60"):
                    raise UndecidedError("the path does not move")
            t, self.log_zK = t + dt, found[0]
            dt *= exact(np.clip(np.sqrt(0.3 / (self.first_step + 1e-9)), 0.5, 10))[()]
            log_z = point[0]
            if self._stale(log_z):
                self.choose_basis(log_z)
            yield t, log_z
        raise UndecidedError("the path is too long")

    def _stale(self, log_z):
        """Tell whether an entry outside of the basis belongs into it by far."""
        over = (log_z[self.N][None, :] - log_z[self.K][:, None]).astype(float)
        with np.errstate(divide="ignore"):
            return bool((over + np.log(np.abs(self.T.astype(float))) > 5).any())

    def _tangent(self, log_zK, s, way):
        """Return the rate of the basis' log z, where that of the start is ``way`` (plain flow)."""
        point = self.evaluate(log_zK, s)
        rate = way if self.gamma == 0 else way * self.start
        by_t = (rate[self.N] - rate[self.K] @ self.T) / point[2][self.N]
        P, _, M = self.linearized(point)
        return _solve(M, -(P @ by_t.astype(M.dtype)))


def _solve(M, g):
    return elimination(M, g) if M.dtype == object else np.linalg.solve(M, g.astype(float))


def elimination(M, g):
    """Solve ``M x = g`` in decimals."""
    M, g, n = M.copy(), g.copy(), len(M)
    for j in range(n):
        pivot = j + int(np.argmax(np.abs(M[j:, j])))
        if not M[pivot, j]:
            raise UndecidedError("a matrix is singular")
        M[[j, pivot]], g[[j, pivot]] = M[[pivot, j]], g[[pivot, j]]
        for i in range(j + 1, n):
            if M[i, j]:
                share = M[i, j] / M[j, j]
                M[i, j:], g[i] = M[i, j:] - share * M[j, j:], g[i] - share * g[j]
    for i in reversed(range(n)):
        g[i] = (g[i] - (M[i, i + 1 :] @ g[i + 1 :] if i + 1 < n else 0)) / M[i, i]
    return g


def many_digits(extra=0):
    """Return the context that everything here needs: its digits, and no bound on exponents."""
    return localcontext(prec=DIGITS + int(extra), Emax=MAX_EMAX, Emin=MIN_EMIN)


def limit(A, z0, x0, depth, ratio=None, guess=None):
    """Return the limit ``z`` and ``log rho``, decimals, of a flow that does not stall.

    Parameters
    ----------
    A : decimals, shape (M, N)
        The network's matrix: ``[A, -A]`` for a signed problem.
    z0 : decimals, shape (N,)
        A solution, not negative: it stands for ``b``.
    x0 : floats, shape (N,)
    depth, ratio : float; None for the plain flow
    guess : floats, shape (N,), optional
        Weights ``x`` that may be near those of the limit.

    Raises
    ------
    UndecidedError
    """
    x0 = np.asarray(x0, dtype=float)
    spread = depth * (np.log10(x0.max()) - np.log10(x0.min()))
    with many_digits(spread):
        L = Decimal(float(depth))
        z0 = face(A, z0)
        J = np.flatnonzero(z0)
        x = exact(x0)
        log_beta = L * log(x, DIGITS)
        ratio = None if ratio is None else Decimal(float(ratio))
        flow = Limits(A[:, J], z0[J], log_beta[J], L, ratio, (x * x).sum())
        z = np.full(len(z0), Decimal(0), dtype=object)
        if len(basis(flow.A, np.zeros(len(J)))[0]) == len(J):  # only one solution
            log_z = log(flow.z0, END_DIGITS)
            z[J] = flow.z0
            return z, flow._s_of(log_z)
        found = None
        if guess is not None and (np.asarray(guess)[J] > 0).all():
            found = flow.from_guess(L * log(exact(guess)[J], PATH_DIGITS))
        if found is None:
            found = flow.from_afar()
        z[J] = exp(found[0], END_DIGITS)
        return z, found[1]
