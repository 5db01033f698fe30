"""Results as values: where a flow ended, how it went, and why it stopped."""

from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np

from wnlib.flows import Flow
from wnlib.problems import Problem, readonly


class Status(StrEnum):
    """Why a computation stopped."""

    CONVERGED = "converged"
    "The relative residual is below the tolerance (for ``limit``, or as small as rounding allows)."
    STALLED = "stalled"
    "The radius of a weight-normalized flow tends to zero: the loss stays at ``|b|^2 / (2L)``."
    DIVERGED = "diverged"
    """Of ``descend``: the iterates grew beyond bounds, the step is too large. Of ``integrate``: no
    step is small enough for the tolerance. The last good state is returned."""
    CROSSED_ZERO = "crossed_zero"
    """Of ``descend``: a step carried a weight through zero, where the theory ends: the step is too
    large. The last good state is returned."""
    UNFINISHED = "unfinished"
    "Of ``limit`` and ``min_l1``: the answer is not certified; ``message`` says why."
    MAX_STEPS = "max_steps"
    "The time or a budget of steps ran out first."


def vanishes(flow, residual, start, previous, radius):
    """Tell whether a flow that has not converged is stalling, from its latest radii.

    The radius has fallen a thousandfold and still falls, the loss is that of zero weights up to one
    per cent, and not below it. (A loss far above that of zero weights is a large start shrinking;
    the plain flow never stalls.)
    """
    gone = (radius <= 1e-3 * start) & (radius <= previous)
    return flow.can_stall & gone & (residual >= 1) & (residual < 1.01)


@dataclass(frozen=True, eq=False, repr=False)
class Result:
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
    """

    flow: Flow
    problem: Problem
    initial: np.ndarray
    weights: np.ndarray
    status: Status | np.ndarray

    def __post_init__(self):
        """Copy and freeze the arrays."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                object.__setattr__(self, field.name, readonly(value, value.dtype))

    def __repr__(self):
        """Say how it ended; the weights would fill the screen."""
        status = str(self.status) if isinstance(self.status, Status) else f"{len(self.status)} ends"
        residual = np.max(self.residual)
        return f"<{type(self).__name__} of {self.flow}: {status}, residual at most {residual:.0e}>"

    @property
    def stacked(self):
        """Positive effective weights ``x^L``, shape (n_weights,) or (starts, n_weights)."""
        return self.weights**self.flow.depth

    @property
    def effective(self):
        """Effective weights, signed if the problem is, (n_features,) or (starts, n_features)."""
        return self.problem.readout(self.stacked)

    @property
    def residual(self):
        """Relative residual ``|A effective - b| / |b|``, a float or shape (starts,)."""
        return self.problem.residual(self.effective)

    @property
    def radius(self):
        """Length ``|x|`` of the final weights, a float or shape (starts,)."""
        return np.linalg.norm(self.weights, axis=-1)


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
    """

    times: np.ndarray
    path: np.ndarray
    n_steps: int | np.ndarray
    direction_norm: np.ndarray | None = None

    @property
    def effective_path(self):
        """Effective weights at the recorded times, shape (T, [starts,] n_features)."""
        return self.problem.readout(self.path**self.flow.depth)

    @property
    def radius_path(self):
        """Lengths ``|x|`` at the recorded times, shape (T,) or (T, starts)."""
        return np.linalg.norm(self.path, axis=-1)

    @property
    def loss_path(self):
        """Losses ``|A x^L - b|^2 / (2L)`` at the recorded times, shape (T,) or (T, starts)."""
        misfit = self.problem.residual(self.effective_path) * np.linalg.norm(self.problem.b)
        return misfit**2 / (2 * self.flow.depth)
