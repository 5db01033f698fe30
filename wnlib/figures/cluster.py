"""What the map of recovery costs on a cluster: a model, fitted to small runs.

The map itself is counted by :mod:`wnlib.figures.tallies`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from wnlib.figures.plotting import BLACK, BLUE, GREY, VERMILLION, label
from wnlib.figures.tallies import blocks
from wnlib.figures.timings import PowerLaw, column, power_law


@dataclass(frozen=True)
class Model:
    """What a map of recovery costs on a cluster.

    Attributes
    ----------
    others, limit : PowerLaw
        Seconds a problem, of ``M`` and ``weights``, without weight normalization; and of one limit
        with it, of the ``ratio`` besides.
    task : float
        Seconds that client, scheduler and network take for a task.
    """

    others: PowerLaw
    limit: PowerLaw
    task: float

    def work(self, points: Iterable[Mapping[str, Any]]) -> float:
        """Return the seconds of one worker for points of :func:`wnlib.figures.tallies.blocks`."""
        cells: dict[tuple[Any, ...], int] = {}
        for point in points:
            M = max(1, round(point["delta"] * point["n_features"]))
            key = (M, point["n_features"] * (2 if point["signed"] else 1), *point["ratios"])
            cells[key] = cells.get(key, 0) + point["n_draws"]
        return float(
            sum(
                n * (self.others(M=M, weights=W) + sum(self.limit(M=M, weights=W, ratio=ratios)))
                for (M, W, *ratios), n in cells.items()
            )
        )

    def seconds(self, work: Any, tasks: Any, workers: int) -> Any:
        """Return the time of a run: the work shared, and the tasks one after the other."""
        return work / workers + self.task * tasks


def model(measured: Mapping[str, Any]) -> Model:
    """Fit the model to what ``benchmarks/scale.py`` has measured."""
    sampled = {name: np.array(values) for name, values in measured["sampled"].items()}
    sizes = {name: sampled[name] for name in ("M", "weights")}
    bare = measured["bare"]
    return Model(
        power_law(sampled["others"], **sizes),
        power_law(sampled["limit"], **sizes, ratio=sampled["ratio"]),
        float(np.sum(column(bare, "seconds")) / np.sum(column(bare, "tasks"))),
    )


def draw_map(
    ax: Axes, measured: Mapping[str, Any], points: list[dict[str, Any]], workers: Iterable[int]
) -> Axes:
    """Draw what runs of the map took, and what the model says of larger ones.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    measured : mapping
        By ``benchmarks/scale.py``.
    points : list of dict
        Of one map, by :func:`wnlib.figures.tallies.blocks`: larger runs are multiples of its work.
    workers : iterable of int
        Clusters to draw, besides that of the benchmark.
    """
    law, own = model(measured), measured["workers"]
    each, block = law.work(points) / sum_of(points), points[0]["n_draws"]
    sizes = np.geomspace(1e2, 1e9, 50)
    for count in (own, *workers):
        # with fewer tasks some workers have nothing to do; the benchmark has smaller ones
        few = sizes if count == own else sizes[sizes >= count * block]
        ax.plot(
            few, law.seconds(each * few, few / block, count), color=BLACK if count == own else BLUE
        )
        if len(few):
            end = law.seconds(each * few[-1], few[-1] / block, count)
            label(ax, few[-1], end, f"{count:,}\nworkers")
    for name, seconds in {"an hour": 3600, "a day": 86_400, "a year": 3.156e7}.items():
        ax.axhline(seconds, color=GREY, lw=0.8, zorder=0)
        label(ax, sizes[0], seconds, name, color=GREY, xytext=(0, 8))
    for run in measured["runs"]:
        ax.plot(sum_of(blocks(**run["settings"])), run["seconds"], "o", color=VERMILLION, ms=8)
    ax.set(xscale="log", yscale="log", xlabel="problems", ylabel="seconds")
    ax.set_xlim(right=15 * ax.get_xlim()[1])  # room for the words
    return ax


def sum_of(points: Iterable[Mapping[str, Any]]) -> int:
    """Return the number of problems of all blocks."""
    return sum(point["n_draws"] for point in points)
