r"""The two flows, as values: the plain gradient flow and the flow with weight normalization.

Both train ``x > 0`` on ``loss(x) = |A x^L - b|^2 / (2 L)``, ``x^L`` entrywise, and both are *mirror
flows* on one family of positive vectors, the lift ``w``. With an anchor ``x_b`` on the trajectory,

    w^{-(L-2)} = x_b^{-(L-2)} + (L-2) A^T m      (L = 2:  log w = log x_b - A^T m),

and the flow moves the ``n_measurements`` numbers ``m`` by ``m' = clock * (A x^L - b)``:

    plain:                 x = w,               clock = 1
    weight normalization:  x = r w / |w|,       clock = r^2 (r / |w|)^{L-2},
                           r^2 = |x_b|^2 + ratio * log(|w|^2 / |x_b|^2).

A flow holds only its parameters; ``integrate``, ``descend`` and ``limit`` are functions of it. All
they know of it they ask it: how it moves (``state``, ``velocity``, ``weights``), and what follows
from that (``lift``, ``log_kappa``, ``metric``). A subclass that moves in another way is followed as
it says by ``descend`` and the weights form of ``integrate``; what follows for the flows here does
not follow for it, so it gives that anew, or what needs it is refused.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike

from wnlib._checks import positive
from wnlib._types import Floats, Values
from wnlib.problems import Problem, check_weights

MAX_DEPTH = 100  # beyond, powers x^L of weights of ordinary size leave the range of floats

Derivative = Callable[[Floats], tuple[Floats, Floats]]  # of a lift: see PlainLift.weights


def check_depth(depth: float) -> float:
    """Return ``depth`` as a float in [2, 100], or raise ``ValueError``."""
    depth = positive("depth", depth)
    if depth < 2:
        raise ValueError(f"depth must be at least 2; got {depth:g}")
    if depth > MAX_DEPTH:
        raise ValueError(f"depth must be at most {MAX_DEPTH}; got {depth:g}")
    return depth


def psi_of_log(log_z: Floats, depth: float) -> Floats:
    """Return the mirror map at ``exp(log_z)``, entrywise: ``log z``; above depth 2, a power of it.

    It is ``psi(z) = -z^{-gamma}``, ``gamma = 1 - 2/depth``, there.
    """
    return log_z if depth == 2 else -np.exp(-(1 - 2 / depth) * log_z)


def squared_radius(z: Floats, depth: float) -> Any:
    """Return ``R(z) = sum z^{2/depth}``, ``|x|^2`` of the weights whose powers ``x^L`` are ``z``.

    ``z`` is not negative, of shape (..., n_weights); the result has shape (...).
    """
    return np.sum(z ** (2 / depth), axis=-1)


def psi_rate(depth: float) -> float:
    """Return ``c_psi``: both flows move ``psi(kappa^L x^L)`` by ``-c_psi clock A^T e``."""
    return 2.0 if depth == 2 else depth - 2


def log_sum(logs: Floats) -> float:
    """Return ``log sum exp(logs)``: scipy's would take most of the time of an integration."""
    top = logs.max()
    return top + np.log(np.exp(logs - top).sum())


def shift(log_w: Floats, a: Floats, power: float) -> Floats:
    r"""Move a lift along the mirror map: ``w^{-power} -> w^{-power} + power * a``.

    In logarithms, so nothing cancels however small ``w^{-power}`` has become; ``power = 0`` is the
    limit ``log w -> log w - a``. Where the result would not be positive it is NaN.
    """
    if power == 0:
        return log_w - a
    growth = power * np.exp(power * log_w) * a
    return log_w - np.log1p(np.where(growth > -1, growth, np.nan)) / power


@dataclass(frozen=True)
class PlainLift:
    """The mirror form of the plain flow: ``x = w``, in its own time."""

    def squared_radius(self, log_growth: float, anchored: float) -> float:
        """Return ``|x|^2`` where ``|w|^2`` has grown by ``exp(log_growth)`` since the anchor's."""
        return anchored * np.exp(log_growth)

    def weights(self, log_w: Floats, squared_radius: float) -> tuple[Floats, float, Derivative]:
        """Return ``(log x, log clock, derivative)`` at a lift and its :meth:`squared_radius`.

        ``derivative(dlog_w)`` maps changes of ``log w``, shape (n_weights, k), to those of
        ``log x``, same shape, and of ``log clock``, shape (k,).
        """
        return log_w, 0.0, lambda dlog_w: (dlog_w, np.zeros(dlog_w.shape[1]))


@dataclass(frozen=True)
class NormalizedLift:
    """The mirror form of weight normalization: ``x = r w / |w|``, in a clock of its own."""

    depth: float
    ratio: float

    def squared_radius(self, log_growth: float, anchored: float) -> float:
        """Return ``r^2`` as :meth:`PlainLift.squared_radius` does; not positive: it vanished."""
        return anchored + self.ratio * log_growth

    def weights(self, log_w: Floats, squared_radius: float) -> tuple[Floats, float, Derivative]:
        """Return ``(log x, log clock, derivative)``, as :meth:`PlainLift.weights` does.

        Extended by ``x = 0`` to lifts whose squared radius would not be positive.
        """
        L, R, top = self.depth, squared_radius, log_w.max()
        share = np.exp(2 * (log_w - top))
        log_norm2 = 2 * top + np.log(share.sum())
        share /= share.sum()
        log_R = np.log(R) if R > 0 else -np.inf

        def derivative(dlog_w: Floats) -> tuple[Floats, Floats]:
            dlog_norm2 = 2 * share @ dlog_w
            dlog_R = (self.ratio / R if R > 0 else 0.0) * dlog_norm2
            return dlog_w + (dlog_R - dlog_norm2) / 2, (L * dlog_R - (L - 2) * dlog_norm2) / 2

        return log_w + (log_R - log_norm2) / 2, (L * log_R - (L - 2) * log_norm2) / 2, derivative


MOTION = ("state", "velocity", "weights")  # how a flow moves
FOLLOWS = {"metric": MOTION, "log_kappa": MOTION, "lift": (*MOTION, "log_kappa")}  # from what


@dataclass(frozen=True)
class Flow(ABC):
    """What the roads ask of a flow. A flow of one's own derives from it, or from one below.

    Parameters
    ----------
    depth : float
        ``2 <= L <= 100``.

    Notes
    -----
    A state is a tuple of arrays. It holds all that changes: where rates depend on time, time is one
    of its parts.
    """

    depth: float

    def __init_subclass__(cls, **options: Any) -> None:
        """Take from a class that moves in another way what does not follow for it any more."""
        super().__init_subclass__(**options)
        for name, causes in FOLLOWS.items():
            if _rank(cls, name) > min(_rank(cls, cause) for cause in causes):
                setattr(cls, name, None if name == "lift" else _unknown(name))

    def __post_init__(self) -> None:
        """Validate."""
        object.__setattr__(self, "depth", check_depth(self.depth))

    @abstractmethod
    def state(self, x0: Floats) -> tuple[Any, ...]:
        """Return what moves, as a tuple of arrays, where the flow starts from weights ``x0``."""

    @abstractmethod
    def velocity(self, problem: Problem, *state: Any) -> Any:
        """Return the derivative of the state in time: an array, or a tuple of its parts."""

    @abstractmethod
    def weights(self, *state: Any) -> Floats:
        """Return the weights ``x`` of a state, shape (n_weights,)."""

    @abstractmethod  # a class that does not know it refuses
    def metric(self, stacked: Floats) -> Floats:
        """Return ``B`` with ``d/dt x^L = -L B h``, ``h = A^T(A x^L - b)``, at ``x^L``."""

    @abstractmethod  # a class that does not know it refuses
    def log_kappa(self, radius: ArrayLike) -> Values:
        """Return ``log kappa`` at lengths ``|x|``: ``A^T`` alone moves ``psi(kappa^L x^L)``."""

    @property
    def lift(self) -> PlainLift | NormalizedLift | None:
        """The mirror form, where there is one."""
        return None

    def log_rho(self, r0: ArrayLike, r: ArrayLike) -> Values:
        """Return ``log rho`` from length ``r0`` to ``r``: ``rho = (kappa / kappa_0)^L``."""
        return self.depth * (self.log_kappa(r) - self.log_kappa(r0))

    def misfit(self, problem: Problem, x: Floats) -> Floats:
        """Return ``e = A x^L - b`` of weights, shape (..., n_weights): (..., n_measurements)."""
        return x**self.depth @ problem.network_matrix.T - problem.b

    def residual(self, problem: Problem, x: Floats) -> Values:
        """Return the relative residual of weights, (..., n_weights): a number, or shape (...)."""
        return problem.residual(problem.readout(x**self.depth))

    @property
    def motion(self) -> "type[Flow] | None":
        """The class below whose motion this is; None if it moves in a way of its own."""
        for kind in (PlainFlow, WeightNormFlow):
            if all(getattr(type(self), name) is getattr(kind, name) for name in MOTION):
                return kind
        return None

    @property
    def can_stall(self) -> bool:
        """Whether the radius may vanish although ``b`` is not zero."""
        return self.motion is not PlainFlow


def _rank(cls: type, name: str) -> int:
    """Return how far up among the bases of a class a name is defined: 0 in the class itself."""
    return next(i for i, base in enumerate(cls.__mro__) if name in vars(base))


def _unknown(name: str) -> Callable[..., Any]:
    def refuse(self: Flow, *_: object) -> Any:
        raise TypeError(
            f"{type(self).__name__} moves in a way of its own, for which {name} is not known: "
            f"define {name} in the class"
        )

    return refuse


@dataclass(frozen=True)
class PlainFlow(Flow):
    """Gradient flow ``x' = -A^T(A x^L - b) * x^{L-1}``.

    Parameters
    ----------
    depth : float
        ``2 <= L <= 100``.
    """

    def state(self, x0: Floats) -> tuple[Floats]:
        """Return ``(x,)``."""
        return (x0,)

    def velocity(self, problem: Problem, x: Floats) -> Floats:
        """Return ``x'``, shape (n_weights,)."""
        h = self.misfit(problem, x) @ problem.network_matrix
        return -h * x ** (self.depth - 1)

    def weights(self, x: Floats) -> Floats:
        """Return ``x``."""
        return x

    def metric(self, stacked: Floats) -> Floats:
        """Return ``B`` with ``d/dt x^L = -L B h``: ``diag(x^{2L-2})``, (n_weights, n_weights)."""
        return np.diag(stacked ** (2 - 2 / self.depth))

    def log_kappa(self, radius: ArrayLike) -> Values:
        """Return 0, in the shape of ``radius``: the plain flow moves ``psi(x^L)`` itself."""
        return np.zeros_like(radius, dtype=float)

    @property
    def lift(self) -> PlainLift | None:
        """The mirror form."""
        return PlainLift()


@dataclass(frozen=True)
class WeightNormFlow(Flow):
    """Gradient flow of ``(r, u)`` with ``x = r u / |u|``, rates ``eta_u = 1``, ``eta_r = ratio``.

    Parameters
    ----------
    depth : float
        ``2 <= L <= 100``.
    ratio : float
        ``eta_r / eta_u``; small: the direction learns faster than the length.
    """

    ratio: float

    def __post_init__(self) -> None:
        """Validate."""
        super().__post_init__()
        object.__setattr__(self, "ratio", positive("ratio", self.ratio))

    @property
    def omega(self) -> float:
        """``(L - 2) / (2 ratio)``: the rate in ``e^{-omega R}``, ``R`` the squared radius.

        That factor is ``(r kappa)^{-(L-2)}``: the clock and the potential have it. 0 for depth 2.
        """
        return (self.depth - 2) / (2 * self.ratio)

    def state(self, x0: Floats) -> tuple[Any, Floats]:
        """Return ``(r, u)`` with ``|u| = 1``."""
        r = np.linalg.norm(x0)
        return r, x0 / r

    def velocity(self, problem: Problem, r: float, u: Floats) -> tuple[Any, Floats]:
        """Return ``(r', u')``: minus the gradient of the loss, times the rates."""
        norm = np.linalg.norm(u)
        direction = u / norm
        gradient = -PlainFlow(self.depth).velocity(problem, r * direction)
        radial = gradient @ direction
        return -self.ratio * radial, -(r / norm) * (gradient - radial * direction)

    def weights(self, r: float, u: Floats) -> Floats:
        """Return ``x = r u / |u|``."""
        return r * u / np.linalg.norm(u)

    def metric(self, stacked: Floats) -> Floats:
        """Return ``B`` with ``d/dt x^L = -L B h``, where ``|u| = 1``, (n_weights, n_weights)."""
        R = squared_radius(stacked, self.depth)
        rank_one = (self.ratio / R - 1) * np.outer(stacked, stacked)
        return rank_one + R * np.diag(stacked ** (2 - 2 / self.depth))

    def log_kappa(self, radius: ArrayLike) -> Values:
        """Return ``r^2 / (2 ratio) - log r``, in the shape of ``radius``."""
        return np.square(radius) / (2 * self.ratio) - np.log(radius)

    @property
    def lift(self) -> NormalizedLift | None:
        """The mirror form."""
        return NormalizedLift(self.depth, self.ratio)


def check_flow(flow: Flow) -> Flow:
    """Raise ``TypeError`` unless ``flow`` is a flow."""
    if not isinstance(flow, Flow):
        raise TypeError(
            "flow must be PlainFlow(depth) or WeightNormFlow(depth, ratio); "
            f"got an object of type {type(flow).__name__}"
        )
    return flow


def normalizes(flow: Flow) -> TypeGuard[WeightNormFlow]:
    """Tell whether a flow moves as weight normalization does; ``TypeError`` if it is no flow."""
    return check_flow(flow).motion is WeightNormFlow


def check_weight_norm(flow: Flow) -> WeightNormFlow:
    """Raise ``TypeError`` unless a flow moves as weight normalization does."""
    if not normalizes(flow):
        raise TypeError(f"flow must be a WeightNormFlow(depth, ratio); got {flow!r}")
    return flow


def check_mirror(flow: Flow) -> PlainLift | NormalizedLift:
    """Return the lift of a flow, or raise ``TypeError`` if it has no mirror form."""
    if (lift := check_flow(flow).lift) is None:
        raise TypeError(
            f"{type(flow).__name__} has no mirror form: it moves in a way of its own and gives no "
            'lift. Follow it by integrate(..., form="weights") or descend'
        )
    return lift


def vector_form(
    flow: Flow, problem: Problem, x0: Floats
) -> tuple[Floats, Callable[[Floats], Floats], Callable[[Floats], Floats]]:
    """Return a flow from ``x0`` as an equation for one vector, all parts of the state in a row.

    Returns
    -------
    start : numpy.ndarray, shape (size,)
    velocity : callable
        Maps a vector to its derivative in time, same shape.
    weights : callable
        Maps a vector to the weights ``x``, shape (n_weights,).
    """
    state = flow.state(x0)
    shapes = [np.shape(part) for part in state]
    ends = np.cumsum([np.size(part) for part in state])[:-1]

    def parts(vector: Floats) -> list[Any]:
        split = np.split(vector, ends)
        return [part.reshape(shape)[()] for part, shape in zip(split, shapes, strict=True)]

    def velocity(vector: Floats) -> Floats:
        change = flow.velocity(problem, *parts(vector))
        return np.hstack(change if isinstance(change, tuple) else (change,))

    return np.hstack(state), velocity, lambda vector: flow.weights(*parts(vector))


def check_start(flow: Flow, problem: Problem, x0: ArrayLike) -> Floats:
    """Check what every road to the limit begins with; return ``x0`` read-only.

    Raises
    ------
    ValueError, TypeError
        Also if floats cannot hold the squared radius ``|x0|^2``, or the residual at ``x0``.
    """
    check_flow(flow)
    x0 = check_weights(problem, x0)
    with np.errstate(all="ignore"):  # seen below, and named
        residual = flow.residual(problem, x0)
        largest = x0.max(axis=-1)
    if not (np.isfinite(residual).all() and (largest < 1e140).all()):
        raise ValueError("x0 is too large: A x0^depth overflows. Choose a smaller scale")
    if flow.can_stall and (largest < 1e-140).any():
        raise ValueError("x0 is too small: its squared radius underflows. Choose a larger scale")
    return x0
