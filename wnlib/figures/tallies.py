"""The map of recovery, counted in blocks: so that a billion problems are few tasks of a cluster.

What a sweep keeps for a point, and a scheduler for a task, is a matter of kilobytes: nothing beside
the time of ten problems, too much for a billion. So a task solves a block of the problems of one
cell, and returns how many each method found.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from wnlib._checks import count
from wnlib.figures.phase_transition import grid, trial
from wnlib.sweeps import Columns

CELL = ("signed", "delta", "share")


def tally(*, first: int, n_draws: int, tolerance: float, **cell: Any) -> dict[str, Any]:
    """Solve a block of the problems of one cell, and count.

    Parameters
    ----------
    first, n_draws : int
        Which: the ``draw`` of the first, and their number.
    tolerance : float
        Of the relative error of a success.
    **cell
        The other arguments of :func:`wnlib.figures.phase_transition.trial`.

    Returns
    -------
    dict
        ``found``, ``certified``: how many of them, shape (methods,), in the order of ``trial``;
        ``single``: how many have one solution only.
    """
    ends = [trial(draw=draw, **cell) for draw in range(first, first + n_draws)]
    log_error = np.array([end["log_error"] for end in ends])
    return {
        "found": (log_error < np.log10(tolerance)).sum(axis=0),
        "certified": np.isfinite(log_error).sum(axis=0),
        "single": sum(end["single"] for end in ends),
    }


def blocks(
    n_draws: int, block: int, tolerance: float = 1e-3, **settings: Any
) -> list[dict[str, Any]]:
    """Return the points of a map for :func:`tally`.

    Parameters
    ----------
    n_draws : int
        Problems in each cell.
    block : int
        The most that one task solves of them.
    tolerance : float
    **settings
        Those of :func:`wnlib.figures.phase_transition.grid`, but for ``n_draws`` and ``n_slice``.
    """
    n_draws, block = count("n_draws", n_draws), count("block", block)
    cells = grid(n_draws=1, n_slice=1, **settings)
    own = [{name: value for name, value in cell.items() if name != "draw"} for cell in cells]
    return [
        {**cell, "first": first, "n_draws": min(block, n_draws - first), "tolerance": tolerance}
        for cell in own
        for first in range(0, n_draws, block)
    ]


def gathered(columns: Mapping[str, Any]) -> Columns:
    """Add up the blocks of each cell.

    Parameters
    ----------
    columns : mapping
        What a sweep of :func:`tally` returns.

    Returns
    -------
    dict
        ``signed``, ``delta``, ``share``, and the sums of ``n_draws``, ``found``, ``certified`` and
        ``single``: a row for each cell.
    """
    names = np.column_stack([np.asarray(columns[name], dtype=float) for name in CELL])
    cells, place = np.unique(names, axis=0, return_inverse=True)
    out: Columns = dict(zip(CELL, cells.T, strict=True))
    for name in ("n_draws", "found", "certified", "single"):
        values = np.asarray(columns[name])
        out[name] = np.zeros((len(cells), *values.shape[1:]), dtype=int)
        np.add.at(out[name], place, values)
    return out
