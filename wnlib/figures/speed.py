"""How many steps descent needs to an error, and to a loss, with and without weight normalization.

Each contestant runs from starts of several scales and with steps of several sizes; which of them
count as its own is chosen when the numbers are read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wnlib._types import Floats
from wnlib.figures import plotting
from wnlib.figures.methods import COLORS, flow_of
from wnlib.figures.studies import Data, Study
from wnlib.problems import initial_weights, sparse_problem
from wnlib.roads.pace import pace

LEVELS = 10.0 ** np.arange(-1, -8.5, -0.5)  # of the relative error, and of the relative loss
STARTS = 2
NO_ROOM = 3e-3  # levels above are so near to the axis that no name fits between


def trial(
    *,
    seed: int,
    draw: int,
    n_measurements: int,
    n_features: int,
    sparsity: int,
    depth: float,
    method: str,
    ratio: float,
    scale: float,
    step: float,
    n_steps: int,
) -> dict[str, Any]:
    """Count the steps from two starts; what both have reached counts."""
    problem = sparse_problem(n_measurements, n_features, sparsity, seed=(seed, draw))
    x0 = initial_weights(problem, scale, seed=(seed, draw, 1), starts=STARTS)
    found = pace(flow_of(method, depth, ratio), problem, x0, step, n_steps, LEVELS)
    counts = {"error_steps": found.error.max(axis=0), "loss_steps": found.loss.max(axis=0)}
    return counts | {"falls": bool(found.falls.all())}


def grid(
    seed: int = 0,
    n_draws: int = 5,
    n_measurements: int = 40,
    n_features: int = 100,
    sparsity: int = 5,
    scales: Sequence[float] = (1e-32, 1e-16, 1e-12, 1e-8, 1e-4, 1e-2, 0.1, 1.0),
    scales_deep: Sequence[float] = (3e-3, 1e-2, 3e-2, 0.1, 0.3),
    scales_wn: Sequence[float] = (0.1, 0.2),
    ratios: Sequence[float] = (0.1, 0.3, 1.0),
    steps: Sequence[float] = (0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.16, 0.24, 0.32),
    n_steps: int = 10_000,
) -> list[dict[str, Any]]:
    """Return the points: at depth 2 and 3, GD at its scales, and WN-GD at its own and its ratios.

    Not all combinations of all: from a tiny start weight normalization hardly moves.
    """
    sizes = {"n_measurements": n_measurements, "n_features": n_features, "sparsity": sparsity}
    contestants = [("GD", 0.0, 2, scales), ("GD", 0.0, 3, scales_deep)]
    contestants += [("WN-GD", ratio, depth, scales_wn) for depth in (2, 3) for ratio in ratios]
    return [
        {"seed": seed, "draw": draw, **sizes, "depth": depth, "method": method, "ratio": ratio}
        | {"scale": scale, "step": step, "n_steps": n_steps}
        for draw in range(n_draws)
        for method, ratio, depth, own in contestants
        for scale in own
        for step in steps
    ]


# Where rounding moves a run by a step, counts move to the next record: they lie 7 % apart.
compute = Study("speed", trial, grid, rtol=0.15)

GD: dict[str, Any] = {"method": "GD", "color": COLORS["GD"]}
WN: dict[str, Any] = {"method": "WN-GD", "color": COLORS["WN-GD"]}
NAMES = {"error": "relative error", "loss": "relative loss"}


def fewest(data: Data, quantity: str, *, rising: bool = False, **where: Any) -> Floats:
    """Return the fewest steps to each level, on each problem, over what ``where`` leaves open.

    Parameters
    ----------
    data : Data
    quantity : {"error", "loss"}
    rising : bool
        Whether steps count, too, with which the loss rose on the way.
    **where
        As :meth:`Data.where` takes them: what all runs that count have in common.

    Returns
    -------
    numpy.ndarray, shape (draws, levels)
        Infinite where no run got there.
    """
    part = data.where(**where) if rising else data.where(**where, falls=True)
    steps = part[f"{quantity}_steps"]
    return np.array(
        [
            steps[part["draw"] == draw].min(axis=0, initial=np.inf)
            for draw in np.unique(data["draw"])
        ]
    )


def best(data: Data, quantity: str, name: str, **where: Any) -> Floats:
    """Return the value of a column, as ``scale``, with the fewest steps to each level.

    Returns
    -------
    numpy.ndarray, shape (levels,)
        By the median over the problems; NaN where half of them do not get there with any value.
    """
    values = np.unique(data.where(**where)[name])
    medians = [median(data, quantity, **where, **{name: value}) for value in values]
    found = values[np.argmin(medians, axis=0)].astype(float) if len(values) else np.empty(0)
    return np.where(np.isfinite(np.min(medians, axis=0, initial=np.inf)), found, np.nan)


def median(data: Data, quantity: str, *, rising: bool = False, **where: Any) -> Floats:
    """Return the median of :func:`fewest` over the problems, shape (levels,)."""
    return np.quantile(fewest(data, quantity, rising=rising, **where), 0.5, axis=0, method="higher")


def table(
    data: Data, contestants: Mapping[str, Mapping[str, Any]], levels: Sequence[float], **where: Any
) -> str:
    """Write the median steps of each to errors and losses; a dash: half of the problems miss it."""
    lines = [" " * 20 + "".join(f"{level:8.0e}" for level in levels)]
    columns = [int(np.abs(np.log(LEVELS / level)).argmin()) for level in levels]
    for quantity in "error", "loss":
        for text, contestant in contestants.items():
            counts = median(data, quantity, **_runs(contestant), **where)[columns]
            shown = (f"{count:8.0f}" if count < np.inf else f"{'-':>8}" for count in counts)
            lines.append(f"{quantity:6}{text:14}" + "".join(shown))
    return "\n".join(lines)


def _runs(contestant: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in contestant.items() if name != "color"}


def draw(
    ax: Axes,
    data: Data,
    quantity: str,
    contestants: Mapping[str, Mapping[str, Any]],
    end: float = 1e-7,
    **where: Any,
) -> Axes:
    """Draw the steps against the level: the median over the problems, and their range.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    data : Data
    quantity : {"error", "loss"}
    contestants : dict
        Label to what makes a contestant: ``{"method": "GD", "scale": 0.1}``; and its ``color``.
    end : float
        The least level.
    **where
        What all have in common.

    Returns
    -------
    matplotlib.axes.Axes
    """
    top, farthest = data["n_steps"].max(), np.inf
    for contestant in contestants.values():
        reached = np.isfinite(median(data, quantity, **_runs(contestant), **where))
        farthest = min(farthest, LEVELS[reached & (end / 2 < LEVELS)].min(initial=np.inf))
    for row, (text, contestant) in enumerate(contestants.items()):
        color = contestant.get("color", plotting.BLUE)
        steps = fewest(data, quantity, **_runs(contestant), **where)
        middle = median(data, quantity, **_runs(contestant), **where)
        there = np.isfinite(middle) & (end / 2 < LEVELS)
        if not there.any():
            missing = f"{text}: not even 0.1"
            plotting.label(ax, 0.1, 6 * 2.2**row, missing, color=color, xytext=(0, 0))
            continue
        x, low = LEVELS[there], steps.min(axis=0)[there]
        ax.plot(x, middle[there], color=color)
        high = np.minimum(steps.max(axis=0)[there], 10 * top)  # of a problem that is never solved
        ax.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)
        ends_early = x[-1] > 1.1 * farthest  # then to its right another line may run
        place = {"ha": "right", "xytext": (-5, 6)} if ends_early else {"ha": "left"}
        if ends_early and x[-1] > NO_ROOM:
            place = {"ha": "left", "xytext": (5, 20)}
        plotting.label(ax, x[-1], middle[there][-1], text, color=color, **place)
    ax.set(xscale="log", yscale="log", xlim=(0.15, end), ylim=(4, top))
    ax.set(xlabel=f"{NAMES[quantity]} to be reached", ylabel="steps")
    return ax


def page(data: Data, scale: float, **where: Any) -> tuple[Figure, str]:
    """Draw plain descent from starts of one scale beside weight normalization from its best.

    Returns
    -------
    (matplotlib.figure.Figure, str)
        The picture, and what it says.
    """
    with mpl.rc_context(plotting.STYLE):
        figure = Figure(figsize=(6, 4))
        figure.set_layout_engine("none")
        ax = figure.add_axes((0.13, 0.15, 0.78, 0.82))  # the same on every page
        shown = {"GD": GD | {"scale": scale}, "WN-GD, best": WN}
        draw(ax, data, "error", shown, **where)
    steps = median(data, "error", method="GD", scale=scale, **where)
    reached = LEVELS[np.isfinite(steps)]
    if not len(reached):
        return figure, "GD does not reach an error of 0.1."
    first = f"{steps[0]:.0f} steps to an error of 0.1"
    return figure, f"GD needs {first}; the least error it reaches is {reached[-1]:.0e}."
