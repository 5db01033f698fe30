"""How fast descent is: the steps that it needs to given errors and losses."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wnlib._checks import Record, count, finite, positive
from wnlib._types import Bools, Floats
from wnlib.flows import Flow
from wnlib.problems import Problem, check_signal, check_weights
from wnlib.results import broke_off
from wnlib.roads.descend import descend

DENSE = 100  # first steps, all recorded; later ones are recorded evenly in the logarithm
FLAT = 1e-12  # of the first loss: on a plateau it rises by rounding
REACHED = 1e-9  # relative residual at which a run ends: below the levels that we ask for


@dataclass(frozen=True, eq=False, repr=False)
class Pace(Record):
    """What :func:`pace` measures.

    Attributes
    ----------
    error, loss : numpy.ndarray, shape (starts, levels)
        The first recorded step at which the relative error, or the loss over that of zero weights,
        is at most a level; infinite if none is, or if the run broke off.
    falls : numpy.ndarray of bool, shape (starts,)
        Whether the loss never rose and no step carried a weight through zero.
    """

    error: Floats
    loss: Floats
    falls: Bools


def pace(
    flow: Flow, problem: Problem, x0: ArrayLike, step: float, n_steps: int, levels: ArrayLike
) -> Pace:
    """Count the steps that descent needs to each level.

    Parameters
    ----------
    flow : Flow
    problem : Problem
        With a signal.
    x0 : array_like, shape (starts, n_weights), or (n_weights,) for one start
    step : float
    n_steps : int
        At most.
    levels : array_like, shape (levels,)

    Returns
    -------
    Pace
        Counts beyond a hundred are too large by at most ``n_steps^(1/150) - 1``: 7 % of 20,000.
    """
    check_signal(problem)
    step, n_steps = positive("step", step), count("n_steps", n_steps)
    x0, levels = np.atleast_2d(check_weights(problem, x0)), finite("levels", levels, 1)
    evenly = np.rint(np.geomspace(1, n_steps, 150)).astype(int)
    steps = np.union1d(np.arange(1, min(DENSE, n_steps) + 1), evenly)
    run = descend(flow, problem, x0, step, n_steps, times=step * steps, residual_tol=REACHED)
    error, loss = run.error_path, run.residual_path**2
    rises = (np.diff(loss, axis=0) > FLAT * loss[0]).any(axis=0)
    counts, good = np.rint(run.times / step), ~broke_off(run.status)
    first = [np.where(good[:, None], _first(counts, v, levels), np.inf) for v in (error, loss)]
    return Pace(first[0], first[1], good & ~rises)


def _first(counts: Floats, values: Floats, levels: ArrayLike) -> Floats:
    """Return where values, shape (T, starts), first are at most each level."""
    below = values[..., None] <= np.asarray(levels)
    return np.where(below.any(axis=0), counts[below.argmax(axis=0)], np.inf)
