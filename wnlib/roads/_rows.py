r"""What :func:`~wnlib.roads.descend.descend` moves: rows of weights, one for each start.

Written once, for NumPy and for every library of the array API standard (:mod:`_arrays`): results
go into buffers where ``out`` is known, and what a function returns is used, not the buffer.
"""

from itertools import compress

import numpy as np

from wnlib.flows import vector_form
from wnlib.roads._arrays import to_numpy
from wnlib.roads._gains import step_gain


def _power(xp, base, exponent, out):
    """Return ``base^exponent``, by products if ``exponent`` is a small integer; 1: ``base``."""
    if exponent not in range(1, 9):  # beyond, a power costs no more
        return xp.pow(base, exponent, out=out)
    result = base
    for _ in range(int(exponent) - 1):
        result = xp.multiply(result, base, out=out)
    return result


class PlainRows:
    """Rows ``u`` of weights ``x = u``, and the buffers of a step."""

    gains = None  # see `sum_gains`

    def __init__(self, flow, problem, step, u, xp=np):
        self.flow, self.step, self.L, self.xp = flow, step, flow.depth, xp
        self.A, self.b, self.u = (xp.asarray(a) for a in (problem.network_matrix, problem.b, u))
        self.unit = np.linalg.norm(problem.b) or 1.0
        self.keep(np.full(len(u), True))

    def sum_gains(self):
        """Begin to sum up what the steps gain."""
        self.gains = _Gains(self.u.shape, self.L - 2)

    def keep(self, chosen):
        """Drop all other rows, and allocate the buffers."""
        xp, self.u = self.xp, self.u[self.xp.asarray(chosen)]
        self.low, self.stacked, self.h = (xp.empty_like(self.u) for _ in range(3))
        self.product, self.e = (xp.empty_like(self.u @ self.A.T) for _ in range(2))
        self.smallest = xp.full_like(self.u, np.inf)  # factor since it was last looked at
        if self.gains:
            self.gains.keep(chosen)

    def powers(self):
        """Return ``u^{L-2}``, or None instead of ones, and ``u^L``."""
        stacked = self.xp.multiply(self.u, self.u, out=self.stacked)
        if self.L == 2:
            return None, stacked
        low = _power(self.xp, self.u, self.L - 2, out=self.low)
        return low, self.xp.multiply(stacked, low, out=stacked)

    def products(self, stacked):
        """Return ``A x^L``, shape (rows, n_measurements), and what the step needs besides."""
        return (self.xp.matmul(stacked, self.A.T, out=self.product),)

    def factors(self, e, product):
        """Return ``keep`` and ``rate`` of the update."""
        return 1.0, self.step

    def move(self, n_steps):
        """Take ``n_steps`` steps."""
        xp = self.xp
        for _ in range(n_steps):
            low, stacked = self.powers()
            product, *more = self.products(stacked)
            e = xp.subtract(product, self.b, out=self.e)
            keep, rate = self.factors(e, product, *more)
            e *= -rate
            factor = xp.matmul(e, self.A, out=self.h)
            if low is not None:
                factor *= low
            if self.gains:
                self.gains.add(-factor, keep)
            factor += keep
            self.smallest = xp.fmin(self.smallest, factor, out=self.smallest)
            self.u *= factor

    def crossed(self):
        """Tell which rows have crossed zero since the last call."""
        smallest = to_numpy(self.xp.min(self.smallest, axis=1))
        self.smallest[...] = np.inf
        return smallest <= 0

    def look(self):
        """Return the weights, ``|u|``, residuals, and who has crossed zero since the last look."""
        return self.weights(), self.norm(), self.residual(), self.crossed()

    def residual(self):
        """Return the relative residuals, shape (rows,)."""
        misfit = self.products(self.powers()[1])[0] - self.b
        return np.linalg.norm(to_numpy(misfit), axis=1) / self.unit

    def weights(self):
        return to_numpy(self.u)

    def norm(self):
        return np.ones(self.u.shape[0])


class _Gains:
    """What the steps of rows ``w``, ``w <- w (1 - y)``, have gained: ``gain = log(w_0 / w_eff)``.

    In logarithms, ``lead = log(w / w_eff)``, since powers of ``w`` may leave the range of floats.
    For weight normalization ``w`` is ``u`` over the product of all ``keep``, whose log is kept.
    """

    def __init__(self, shape, power):
        self.power, self.log_keep = power, np.zeros(shape[0])
        self.gain, self.lead = np.zeros(shape), np.zeros(shape)

    def keep(self, chosen):
        self.gain, self.lead, self.log_keep = (
            each[chosen] for each in (self.gain, self.lead, self.log_keep)
        )

    def add(self, h, keep):
        """Add a step, whose factors are ``keep - h``; NaN from where a ``keep`` is negative."""
        y, p = h / keep, self.power
        if not np.isscalar(keep):
            self.log_keep += np.log(keep[:, 0])
        g = step_gain(y, p)
        if p > 0:
            g = np.log1p(p * np.exp(-p * self.lead) * g) / p
            self.lead += np.log1p(-y)
            self.lead += g
        self.gain += g


class WeightNormRows(PlainRows):
    """Rows of weights ``x = r u / |u|``."""

    def __init__(self, flow, problem, step, x0, xp=np):
        r = np.linalg.norm(x0, axis=1, keepdims=True)
        self.r = xp.asarray(r)
        super().__init__(flow, problem, step, x0 / r, xp)

    def keep(self, chosen):
        self.r = self.r[self.xp.asarray(chosen)]
        self.c_power, self.smallest_r = self.xp.empty_like(self.r), self.r + 0.0
        super().keep(chosen)

    def products(self, stacked):
        norm2 = self.xp.vecdot(self.u, self.u)[:, None]
        c_power = _power(self.xp, self.r / self.xp.sqrt(norm2), self.L, out=self.c_power)
        (product,) = super().products(stacked)
        product *= c_power
        return product, c_power, norm2

    def factors(self, e, product, c_power, norm2):
        s = self.step * self.xp.vecdot(e, product)[:, None]
        self.r -= self.flow.ratio * s / self.r
        self.smallest_r = self.xp.fmin(self.smallest_r, self.r, out=self.smallest_r)
        return 1 + s / norm2, self.step * c_power

    def crossed(self):
        negative = to_numpy(self.smallest_r)[:, 0] <= 0
        return super().crossed() | negative

    def weights(self):
        return to_numpy(self.u) * (to_numpy(self.r) / self.norm()[:, None])

    def norm(self):
        return np.linalg.norm(to_numpy(self.u), axis=1)


class OtherRows:
    """Starts of a flow that moves in a way of its own, one after the other, in NumPy."""

    look = PlainRows.look

    gains = None

    def __init__(self, flow, problem, step, x0, xp=np):
        self.flow, self.problem, self.step = flow, problem, step
        forms = [vector_form(flow, problem, x) for x in x0]
        self.state, self.velocity, self.x_of = zip(*forms, strict=True)
        self.keep(np.full(len(x0), True))

    def keep(self, chosen):
        """Drop all other rows."""
        lists = (self.state, self.velocity, self.x_of)
        self.state, self.velocity, self.x_of = (list(compress(each, chosen)) for each in lists)
        self.negative = np.zeros(len(self.state), bool)

    def move(self, n_steps):
        """Take ``n_steps`` steps."""
        for i, (velocity, x_of) in enumerate(zip(self.velocity, self.x_of, strict=True)):
            for _ in range(n_steps):
                self.state[i] = self.state[i] + self.step * velocity(self.state[i])
                self.negative[i] |= (x_of(self.state[i]) <= 0).any()

    def crossed(self):
        """Tell which rows have crossed zero since the last call."""
        negative, self.negative = self.negative, np.zeros_like(self.negative)
        return negative

    def residual(self):
        """Return the relative residuals, shape (rows,)."""
        return self.flow.residual(self.problem, self.weights())

    def weights(self):
        return np.array([x_of(state) for x_of, state in zip(self.x_of, self.state, strict=True)])

    def norm(self):
        return np.ones(len(self.state))
