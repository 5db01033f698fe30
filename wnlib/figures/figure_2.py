"""Error and loss on the way, as in the paper's Figure 2."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from wnlib._types import Floats
from wnlib.figures import plotting
from wnlib.figures.methods import COLORS, flow_of
from wnlib.figures.studies import Data, Study
from wnlib.problems import initial_weights, sparse_problem
from wnlib.results import broke_off
from wnlib.roads.descend import descend
from wnlib.theory.law import Law


def trial(
    *,
    method: str,
    ratio: float,
    n_steps: int,
    seed: int,
    start_seed: int,
    starts: int,
    n_measurements: int,
    n_features: int,
    sparsity: int,
    depth: float,
    scale: float,
    step: float,
    n_records: int,
) -> dict[str, Any]:
    """Run one method from all starts; return error and loss, evenly recorded in the logarithm.

    Parameters
    ----------
    method : {"GD", "WN"}
    ratio : float
        Of weight normalization.
    n_steps, seed, start_seed, starts, n_measurements, n_features, sparsity, depth, scale, step
        Of the run.
    n_records : int

    Returns
    -------
    dict
        ``iterations``, shape (n_records,); ``error`` and ``loss``, shape (n_records, starts), NaN
        after a run has broken off; ``first_loss`` and ``status``, shape (starts,).
    """
    problem = sparse_problem(n_measurements, n_features, sparsity=sparsity, seed=seed)
    x0 = initial_weights(problem, scale, seed=start_seed, starts=starts)
    flow = flow_of(method, depth, ratio)
    iterations = np.rint(np.geomspace(1, n_steps, n_records))
    run = descend(flow, problem, x0, step, n_steps, times=step * np.unique(iterations))
    # what is done early stays where it is; rounding may not put a record behind its step
    at = np.searchsorted(run.times / step, iterations + 0.5) - 1
    gone = broke_off(run.status) & (iterations[:, None] > run.n_steps)
    error, loss = (np.where(gone, np.nan, each[at]) for each in (run.error_path, run.loss_path))
    return {
        "iterations": iterations,
        "error": error,
        "loss": loss,
        "first_loss": run.loss_path[0],
        "status": [str(status) for status in run.status],
    }


def grid(
    seed: int = 0,
    start_seed: int = 2,
    starts: int = 5,
    n_measurements: int = 40,
    n_features: int = 100,
    sparsity: int = 5,
    depth: float = 2,
    scale: float = 0.1,
    ratio: float = 0.1,
    twin_ratio: float = 10.0,
    step: float = 0.01,
    n_steps: int = 200_000,
    n_steps_wn: int = 30_000,
    n_records: int = 150,
) -> list[dict[str, Any]]:
    """Return the three runs of the figure: GD, WN-GD and its false twin."""
    same = {
        "seed": seed,
        "start_seed": start_seed,
        "starts": starts,
        "n_measurements": n_measurements,
        "n_features": n_features,
        "sparsity": sparsity,
        "depth": depth,
        "scale": scale,
        "step": step,
        "n_records": n_records,
    }
    runs = [("GD", 0.0, n_steps), ("WN", ratio, n_steps_wn), ("WN", twin_ratio, n_steps_wn)]
    names = "method", "ratio", "n_steps"
    return [dict(zip(names, run, strict=True)) | same for run in runs]


# 200,000 steps of rounding: errors of 1e-9 have some digits left
compute = Study("figure_2", trial, grid, rtol=1e-3, atol=1e-13)


def contest(data: Data) -> dict[str, Data]:
    """Return the rows of GD, of WN-GD and of its false twin, by these names."""
    rows = [data.where(method="GD")]
    rows += [data.where(method="WN", ratio=data.settings[name]) for name in ("ratio", "twin_ratio")]
    return dict(zip(("GD", "WN-GD", "twin"), rows, strict=True))


def last(row: Data, quantity: str) -> Floats:
    """Return a quantity of one run at its end, shape (starts,)."""
    return row[quantity][0, -1]


def draw(axes: Sequence[Axes], data: Data, prediction: Law | None = None) -> Sequence[Axes]:
    """Draw error and loss against the iterations, and what the law says of them.

    Parameters
    ----------
    axes : sequence of two matplotlib.axes.Axes
    data : Data
    prediction : Law, optional
        For the ratio and step of the data.

    Returns
    -------
    sequence of matplotlib.axes.Axes
    """
    rows = contest(data)
    for ax, quantity in zip(axes, ("error", "loss"), strict=True):
        for name, color in COLORS.items():
            x, y = rows[name]["iterations"][0], rows[name][quantity][0]
            plotting.band(ax, x, y, center=np.median, color=color)
            end = np.median(y[-1])
            if np.isfinite(end):  # WN-GD takes fewer steps: there is room to its right
                beside = (
                    {"xytext": (6, 0)} if name == "WN-GD" else {"xytext": (0, 14), "ha": "right"}
                )
                plotting.label(ax, x[-1], end, name, color=color, **beside)
        ax.set(xscale="log", yscale="log", ylabel=plotting.QUANTITIES[quantity])
    if prediction is not None:
        n = prediction.times(data.settings["ratio"]) / data.settings["step"]
        dashed: dict[str, Any] = {"color": plotting.BLACK, "linestyle": "--", "linewidth": 1.2}
        if 0 < prediction.complete < len(n):
            dashed |= {"marker": "o", "markersize": 5, "markevery": [prediction.complete - 1]}
        error = np.asarray(prediction.problem.error(prediction.z))
        axes[0].plot(n[1:], error[1:], **dashed)
        axes[1].plot(n[1:], prediction.loss[1:], **dashed)
        middle = np.argmin(np.abs(np.log10(error) + 5))
        plotting.label(axes[0], n[middle], error[middle], "the law", xytext=(-8, 0), ha="right")
    axes[0].set(ylim=(1e-10, 3))
    axes[1].set(ylim=(1e-18, 10), xlabel="iterations")
    for ax in axes:
        ax.set_xlim(0.8, 2 * data["n_steps"].max())
    return axes
