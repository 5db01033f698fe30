"""What the roads ask of a flow; the flows with a mirror form; the doors."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike

from wnlib._checks import positive
from wnlib._types import Floats, Values
from wnlib.flows._mirrors import (
    NormalizedLift,
    PlainLift,
    PowerLift,
    check_depth,
    squared_radius,
)
from wnlib.problems import Problem, check_weights

Lift = PlainLift | NormalizedLift | PowerLift
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
                setattr(cls, name, None if name == "lift" else unknown(name))

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
    def lift(self) -> Lift | None:
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
        for kind in (PlainFlow, PowerFlow, WeightNormFlow):
            if all(getattr(type(self), name) is getattr(kind, name) for name in MOTION):
                return kind
        return None

    @property
    def can_stall(self) -> bool:
        """Whether the radius may vanish although ``b`` is not zero."""
        return self.motion not in (PlainFlow, PowerFlow)  # prop-power-schedule


def _rank(cls: type, name: str) -> int:
    """Return how far up among the bases of a class a name is defined: 0 in the class itself."""
    return next(i for i, base in enumerate(cls.__mro__) if name in vars(base))


def unknown(name: str) -> Callable[..., Any]:
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
        if callable(self.ratio):
            raise TypeError(
                "ratio must be a number; for one that changes use ScheduledFlow(depth, rates), "
                "rates(t, r) -> (eta_r, eta_u)"
            )
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


@dataclass(frozen=True)
class PowerFlow(Flow):
    r"""Weight normalization with ``eta_r / eta_u = r^2 / power``: the plain flow, turned or not.

    With the rates ``eta_r = 1 / power``, ``eta_u = 1 / r^2`` it is gradient flow whose part along
    ``x`` is slower by the factor ``power``, and ``power = 1`` is the plain flow itself
    (``prop-power-schedule``). It ends where the plain flow would from ``x0^L / rho``,
    ``rho = (r_inf / r_0)^{L (power - 1)}``, and it never stalls.

    Parameters
    ----------
    depth : float
        ``2 <= L <= 100``.
    power : float
        Positive; large: the direction learns faster than the length.
    """

    power: float

    def __post_init__(self) -> None:
        """Validate."""
        super().__post_init__()
        object.__setattr__(self, "power", positive("power", self.power))

    def state(self, x0: Floats) -> tuple[Floats]:
        """Return ``(x,)``."""
        return (x0,)

    def velocity(self, problem: Problem, x: Floats) -> Floats:
        """Return ``x'``, shape (n_weights,)."""
        plain = PlainFlow(self.depth).velocity(problem, x)
        return plain - (1 - 1 / self.power) * (plain @ x) / (x @ x) * x

    def weights(self, x: Floats) -> Floats:
        """Return ``x``."""
        return x

    def metric(self, stacked: Floats) -> Floats:
        """Return ``B`` with ``d/dt x^L = -L B h``, shape (n_weights, n_weights)."""
        rank_one = np.outer(stacked, stacked) / squared_radius(stacked, self.depth)
        return np.diag(stacked ** (2 - 2 / self.depth)) - (1 - 1 / self.power) * rank_one

    def log_kappa(self, radius: ArrayLike) -> Values:
        """Return ``(power - 1) log r``, in the shape of ``radius``."""
        return (self.power - 1) * np.log(radius)

    @property
    def lift(self) -> PowerLift | None:
        """The mirror form."""
        return PowerLift(self.depth, self.power)


def check_flow(flow: Flow) -> Flow:
    """Raise ``TypeError`` unless ``flow`` is a flow."""
    if not isinstance(flow, Flow):
        raise TypeError(
            "flow must be PlainFlow(depth), WeightNormFlow(depth, ratio) or another Flow, made; "
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


def check_mirror(flow: Flow) -> Lift:
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
    if flow.motion is not PlainFlow and (largest < 1e-140).any():
        raise ValueError("x0 is too small: its squared radius underflows. Choose a larger scale")
    return x0
