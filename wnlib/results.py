"""Results as values: where a flow ended, how it went, and why it stopped."""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from wnlib._checks import Record
from wnlib._types import Bools, Floats, Integers, Objects, Values
from wnlib.flows import Flow
from wnlib.problems import Problem


class Status(StrEnum):
    """Why a computation stopped."""

    CONVERGED = "converged"
    "The relative residual is below the tolerance (for ``limit``, or as small as rounding allows)."
    STALLED = "stalled"
    "The radius of a weight-normalized flow tends to zero: the loss stays at ``|b|^2 / (2L)``."
    DIVERGED = "diverged"
    """Of ``descend``: the iterates grew beyond bounds, the step is too large. The last good state
    is returned."""
    CROSSED_ZERO = "crossed_zero"
    """Of ``descend``: a step carried a weight through zero, where the theory ends: the step is too
    large. The last good state is returned."""
    UNFINISHED = "unfinished"
    """For the reason in ``message``: the answer is not certified (``limit``, ``min_l1``), no step
    is small enough for the tolerance (``integrate``), or Ctrl-C (``integrate``, ``descend``)."""
    MAX_STEPS = "max_steps"
    "The time or a budget of steps ran out first."


def broke_off(status: ArrayLike) -> Bools:
    """Tell which runs of ``descend`` have no end: a step, too large, has broken them off.

    Parameters
    ----------
    status : Status, or an array of them or of their values, of any shape

    Returns
    -------
    numpy.ndarray of bool, of the same shape
    """
    return np.isin(status, (Status.CROSSED_ZERO, Status.DIVERGED))


@dataclass(frozen=True, eq=False, repr=False)
class Result(Record):
    """The end of a flow.

    Attributes
    ----------
    flow, problem
        What was run, and on what.
    initial : numpy.ndarray, shape (n_weights,) or (starts, n_weights)
        The initial weights ``x0``.
    weights : numpy.ndarray, same shape
        The final weights ``x``, entrywise positive; zero where they have vanished.
    status : Status, or an object array of them, shape (starts,)
    message : str, or an object array of them, shape (starts,)
        What the status leaves open: why it is UNFINISHED, or that steps ran out before time did
        (``integrate``); else empty.
    """

    flow: Flow
    problem: Problem
    initial: Floats
    weights: Floats
    status: Status | Objects
    message: str | Objects = field(default="", kw_only=True)

    def __repr__(self) -> str:
        """Say how it ended; the weights would fill the screen."""
        status = str(self.status) if isinstance(self.status, Status) else f"{len(self.status)} ends"
        residual = np.max(self.residual)
        return f"<{type(self).__name__} of {self.flow}: {status}, residual at most {residual:.0e}>"

    @property
    def stacked(self) -> Floats:
        """Positive effective weights ``x^L``, shape (n_weights,) or (starts, n_weights)."""
        return self.weights**self.flow.depth

    @property
    def effective(self) -> Floats:
        """Effective weights, signed if the problem is, (n_features,) or (starts, n_features)."""
        return self.problem.readout(self.stacked)

    @property
    def residual(self) -> Values:
        """Relative residual ``|A effective - b| / |b|``, a float or shape (starts,)."""
        return self.problem.residual(self.effective)

    @property
    def error(self) -> Values:
        """Relative error ``|effective - signal| / |signal|``, a float or shape (starts,).

        Raises ``ValueError`` if the problem has no signal.
        """
        return self.problem.error(self.effective)

    @property
    def radius(self) -> Values:
        """Length ``|x|`` of the final weights, a float or shape (starts,)."""
        return np.linalg.norm(self.weights, axis=-1)


@dataclass(frozen=True, eq=False, repr=False)
class Limit(Result):
    """The exact end of a flow.

    Attributes
    ----------
    log_rho : float or numpy.ndarray, shape (starts,)
        Logarithm of the magnification: the limit is that of the plain flow from ``x0^L / rho``.
        0 for the plain flow; for weight normalization NaN where it stalls, where Newton's
        method got stuck, and for ``b = 0``.
    n_steps : int or numpy.ndarray, shape (starts,)
        Newton steps.
    gap : float or numpy.ndarray, shape (starts,)
        Relative Fenchel gap (:mod:`wnlib.roads._certificates`) of the limit as the Bregman
        projection of ``x0^L / rho``: a mean of ``delta^2 / 2``, if entries are off by factors
        ``e^delta`` from the exact limit for measurements as near. NaN where there is no limit to
        certify.
    multipliers : numpy.ndarray, shape (n_measurements,) or (starts, n_measurements)
        The multipliers that show it, in the unit of :func:`unit_of_multipliers`.
    """

    log_rho: Values
    n_steps: int | Integers
    gap: Values
    multipliers: Floats


def unit_of_multipliers(depth: float, log_start: Floats, log_z: Floats) -> float:
    """Return the log of the unit of the multipliers: 0 for depth 2.

    Above, the larger one of the greatest ``(beta / rho)^{-gamma}`` and ``max(z)^{-gamma}``: either
    may leave the range of floats.
    """
    return (1 - 2 / depth) * max(-log_start.min(), -log_z.max()) if depth > 2 else 0.0


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory(Result):
    """A flow from its start to its end, recorded at a few times.

    Attributes
    ----------
    times : numpy.ndarray, shape (T,)
        Recorded times (``step`` times the number of steps for ``descend``), the first is 0.
    path : numpy.ndarray, shape (T, n_weights) or (T, starts, n_weights)
        Weights ``x`` at these times.
    direction_norm : numpy.ndarray, shape (T,) or (T, starts), or None
        ``|u|`` at these times, where the method moves ``u`` itself.
    n_steps : int or numpy.ndarray, shape (starts,)
        Steps taken.
    average : numpy.ndarray, shape (T, n_weights), or None
        Of ``integrate(..., average=True)``: the mean of the positive effective weights ``x^L``
        until each time, in the clock of the flow; at time 0 those of the start.
    clock_path : numpy.ndarray, shape (T,), or None
        What this clock shows: the integral of 1 for the plain flow, of
        ``r^L e^{-omega (r^2 - r_0^2)}``, ``omega = (L - 2) / (2 ratio)``, for weight normalization,
        of ``(r (r_0 / r)^power)^{L-2}`` for a :class:`~wnlib.flows.PowerFlow`.
    gain, log_rho : numpy.ndarray, shape (n_weights,) or (starts, n_weights), and float or (starts,)
        What finite steps gain, where it was asked for: a run ends where the plain flow from
        ``(x_0 exp(-gain))^L / rho`` does (thm-effective-start, thm-wn-effective-start).
    """

    times: Floats
    path: Floats
    n_steps: int | Integers
    direction_norm: Floats | None = None
    gain: Floats | None = None
    log_rho: Values | None = None
    average: Floats | None = None
    clock_path: Floats | None = None

    @property
    def effective_path(self) -> Floats:
        """Effective weights at the recorded times, shape (T, [starts,] n_features)."""
        return self.problem.readout(self.path**self.flow.depth)

    @property
    def radius_path(self) -> Floats:
        """Lengths ``|x|`` at the recorded times, shape (T,) or (T, starts)."""
        return np.linalg.norm(self.path, axis=-1)

    @property
    def residual_path(self) -> Floats:
        """Relative residuals at the recorded times, shape (T,) or (T, starts)."""
        return np.asarray(self.problem.residual(self.effective_path))

    @property
    def error_path(self) -> Floats:
        """Relative errors at the recorded times, as :attr:`error`, shape (T,) or (T, starts)."""
        return np.asarray(self.problem.error(self.effective_path))

    @property
    def misfit_path(self) -> Floats:
        """Norms ``|A x^L - b|`` at the recorded times, shape (T,) or (T, starts)."""
        return np.sqrt(2 * self.flow.depth * self.loss_path)

    @property
    def loss_path(self) -> Floats:
        """Losses ``|A x^L - b|^2 / (2L)`` at the recorded times, shape (T,) or (T, starts)."""
        misfit = self.flow.misfit(self.problem, self.path)
        return np.vecdot(misfit, misfit) / (2 * self.flow.depth)


def check_trajectory(run: Trajectory, name: str = "run") -> Trajectory:
    """Raise ``TypeError`` unless ``run`` is a trajectory."""
    if not isinstance(run, Trajectory):
        raise TypeError(
            f"{name} must be what integrate or descend return, a path; "
            f"got an object of type {type(run).__name__}"
        )
    return run
