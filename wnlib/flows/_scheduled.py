"""Weight normalization with rates that depend on time and on the length."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from wnlib._checks import nonnegative, positive
from wnlib._types import Floats
from wnlib.flows._flows import Flow, WeightNormFlow, unknown
from wnlib.problems import Problem


@dataclass(frozen=True)
class Warmup:
    """Rates that freeze the direction at first: ``(1, 0)``, from time ``until`` on ``(ratio, 1)``.

    Parameters
    ----------
    until, ratio : float
        As :func:`wnlib.schedules.warm_up_time` finds it; and ``eta_r / eta_u`` from then on.
    """

    until: float
    ratio: float

    def __post_init__(self) -> None:
        """Validate."""
        object.__setattr__(self, "until", nonnegative("until", self.until))
        object.__setattr__(self, "ratio", positive("ratio", self.ratio))

    def __call__(self, t: float, r: float) -> tuple[float, float]:
        """Return ``(eta_r, eta_u)``."""
        return (1.0, 0.0) if t < self.until else (self.ratio, 1.0)


@dataclass(frozen=True)
class ScheduledFlow(Flow):
    """Weight normalization with rates that depend on time and length, from ``|u| = 1``.

    It has no mirror form: follow it by ``integrate(..., form="weights")`` or ``descend``. Where it
    ends, if it does, ``thm-schedules`` says.

    Parameters
    ----------
    depth : float
        ``2 <= L <= 100``.
    rates : callable
        ``rates(t, r)`` returns ``(eta_r, eta_u)``, finite and not negative, for all ``t >= 0`` and
        ``r > 0``; ``ValueError`` where it does not. :class:`Warmup` is one. To be sent to other
        processes it must pickle, as a lambda does not.
    """

    rates: Callable[[float, float], tuple[float, float]]

    metric = unknown("metric")  # without the time
    log_kappa = unknown("log_kappa")

    def __post_init__(self) -> None:
        """Validate."""
        super().__post_init__()
        if not callable(self.rates):
            raise TypeError(
                "rates must be a function of (t, r) that returns (eta_r, eta_u); "
                f"got {self.rates!r}. For a constant ratio use WeightNormFlow(depth, ratio)"
            )
        try:
            self.rates_at(0.0, 1.0)
        except (TypeError, ArithmeticError) as error:
            raise TypeError(
                f"rates must be a function of (t, r); rates(0, 1) fails: {error}"
            ) from error

    def state(self, x0: Floats) -> tuple[Any, ...]:
        """Return ``(t, r, u)`` with ``t = 0`` and ``|u| = 1``."""
        r = np.linalg.norm(x0)
        return 0.0, r, x0 / r

    def velocity(self, problem: Problem, t: float, r: float, u: Floats) -> tuple[Any, ...]:
        """Return ``(1, r', u')``: minus the gradient of the loss, times the rates."""
        eta_r, eta_u = self.rates_at(t, r)
        dr, du = WeightNormFlow(self.depth, 1.0).velocity(problem, r, u)
        return 1.0, eta_r * dr, eta_u * du

    def rates_at(self, t: float, r: float) -> tuple[float, float]:
        """Return ``rates(t, r)``, checked; NaN at trial points of a solver that have no length."""
        if not r > 0:
            return np.nan, np.nan
        answer = self.rates(t, r)
        said = f"rates({t:g}, {r:g}) returns {answer!r}"
        if np.shape(answer) != (2,):
            raise TypeError(f"rates(t, r) must return two numbers, eta_r and eta_u; {said}")
        if not all(0 <= rate < np.inf for rate in answer):
            raise ValueError(f"rates must be finite and not negative; {said}")
        return answer

    def weights(self, t: float, r: float, u: Floats) -> Floats:
        """Return ``x = r u / |u|``."""
        return r * u / np.linalg.norm(u)
