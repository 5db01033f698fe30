"""Error against the sparsity of the signal: computed and drawn."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wnlib._types import Floats
from wnlib.figures import plotting
from wnlib.figures.methods import COLORS, flow_of
from wnlib.figures.plotting import BLACK, BLUE, GREEN, GREY, STYLE, VERMILLION
from wnlib.figures.studies import Data, Study
from wnlib.l1.linear_program import min_l1
from wnlib.l1.recovery import recovery_edge
from wnlib.problems import Problem, check_signal, initial_weights, sparse_problem
from wnlib.results import broke_off
from wnlib.roads.descend import descend
from wnlib.roads.limit import limit

SPARSITIES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 20, 22, 25, 30, 35, 40)
EXACT = 1e-3  # relative error up to which a signal counts as recovered
FLOOR = 1e-10  # errors below are drawn there: the rounding of floats is nobody's merit
METHODS = {  # column, colour, marker
    "GD": ("gd", COLORS["GD"], "s"),
    "WN-GD": ("wn", COLORS["WN-GD"], "o"),
    "linear program": ("lp", GREEN, "^"),
}
TITLES = {"gd": "GD", "wn": "WN-GD"}


def problem(n_measurements: int, n_features: int, sparsity: int, seed: int, draw: int) -> Problem:
    """Return one of the problems of the figure."""
    return sparse_problem(n_measurements, n_features, sparsity, [seed, draw, sparsity])


def trial(
    *,
    seed: int,
    draw: int,
    sparsity: int,
    n_measurements: int,
    n_features: int,
    scale: float,
    ratio: float,
    step: float,
    n_steps: int,
) -> dict[str, Any]:
    """Recover one signal in all ways.

    Returns
    -------
    dict
        Relative errors: ``lp``, of the limits ``gd`` and ``wn``, after steps ``gd_steps`` and
        ``wn_steps``. Their statuses. The norm of the signal over the squared length of the start,
        ``length``; ``log_rho``; and ``slack``, how far the strictest certificate stays below 1 off
        the support, NaN where the linear program misses the signal.
    """
    drawn = problem(n_measurements, n_features, sparsity, seed, draw)
    x0 = initial_weights(drawn, scale, [seed, draw])
    shortest = min_l1(drawn)
    found: dict[str, Any] = {"lp": drawn.error(shortest.z)}
    for method in COLORS:
        name, flow = METHODS[method][0], flow_of(method, 2, ratio)
        end = limit(flow, drawn, x0)
        run = descend(flow, drawn, x0, step, n_steps, times=[step * n_steps])
        found |= {name: drawn.error(end.effective), f"{name}_status": str(end.status)}
        found |= {f"{name}_steps": drawn.error(run.effective), f"{name}_run": str(run.status)}
    slack = shortest.strictest().slack if found["lp"] < EXACT else np.nan
    found |= {"length": check_signal(drawn).sum() / (x0 @ x0), "slack": slack}
    return found | {"log_rho": end.log_rho}


def grid(
    seed: int = 0,
    n_draws: int = 12,
    sparsities: Sequence[int] = SPARSITIES,
    n_measurements: int = 40,
    n_features: int = 100,
    scale: float = 0.1,
    ratio: float = 0.1,
    step: float = 0.02,
    n_steps: int = 25_000,
) -> dict[str, Any]:
    """Return the points of the figure; sparsities beyond ``n_features`` are left out."""
    return {
        "seed": seed,
        "draw": range(n_draws),
        "sparsity": [s for s in sparsities if s <= n_features],
        "n_measurements": n_measurements,
        "n_features": n_features,
        "scale": scale,
        "ratio": ratio,
        "step": step,
        "n_steps": n_steps,
    }


# Errors are of order one, or rounding, which `atol` lets be; between them, those of WN-GD depend
# on the last digits of its limit. 25,000 steps add up rounding errors.
compute = Study("sparsity", trial, grid, rtol=1e-4, atol=1e-9)


def missed(data: Data, method: str) -> Floats:
    """Return the share of signals that a method misses by more than :data:`EXACT`, for each s."""
    return (data.cube(method, "sparsity", "draw") > EXACT).mean(axis=1)


def leaves(data: Data, method: str) -> tuple[float, float, float]:
    """Return where a method leaves exact recovery.

    Parameters
    ----------
    data : Data
    method : str
        A column of errors: "gd", "wn", "lp", "wn_steps".

    Returns
    -------
    (float, float, float)
        Three sparsities: the last at which it misses no signal, the first after the last at which
        it misses half of them at most, and the first after which it misses all; NaN if there is
        none.
    """
    sparsities, share = np.unique(data["sparsity"]), missed(data, method)
    none, half, some = (np.flatnonzero(share <= most) for most in (0, 0.5, 1 - 1e-9))
    last = float(sparsities[none[-1]]) if len(none) else np.nan
    return last, _after(sparsities, half), _after(sparsities, some)


def _after(sparsities: Floats, where: NDArray[Any]) -> float:
    """Return the sparsity after the last of some places."""
    k = where[-1] + 1 if len(where) else 0
    return float(sparsities[k]) if k < len(sparsities) else np.nan


def ended(data: Data) -> Floats:
    """Return the errors of the steps of WN-GD, NaN where one has carried a weight through zero."""
    errors = data.cube("wn_steps", "sparsity", "draw")
    return np.where(broke_off(data.cube("wn_run", "sparsity", "draw")), np.nan, errors)


def exponents(data: Data) -> dict[str, Floats]:
    """Return the exponents to which the limits are exact, for small starts: ``slack * K``.

    An entry off the support ends near ``exp(-slack * K)`` times those on it, at most, with ``K =
    log(z / x_0^2)`` for the plain flow, z = 1.5 an entry of the signal, and log rho more for weight
    normalization.

    Returns
    -------
    dict
        "gd" and "wn": shape (sparsities, draws), NaN where the linear program misses the signal.
    """
    start = np.log(1.5 / data["scale"][0] ** 2)
    slack = data.cube("slack", "sparsity", "draw")
    return {"gd": slack * start, "wn": slack * (start + data.cube("log_rho", "sparsity", "draw"))}


def draw(ax: Axes, data: Data) -> Axes:
    """Draw the errors of the limits as bands, and the medians of the steps of WN-GD dotted."""
    sparsities = np.unique(data["sparsity"])
    for name, color, marker in METHODS.values():
        errors = np.maximum(data.cube(name, "sparsity", "draw"), FLOOR)
        style: dict[str, Any] = {"color": color, "marker": marker}
        plotting.band(ax, sparsities, errors, center=np.median, **style)
    steps = _middle(np.maximum(ended(data), FLOOR))
    ax.plot(sparsities, steps, "o:", color=BLUE, markerfacecolor="white", linewidth=1.2)
    ax.axhline(EXACT, color=BLACK, linewidth=1, linestyle="--")
    ax.set(yscale="log", ylim=(FLOOR / 30, 5), xlabel="nonzero entries $s$")
    ax.set_ylabel("relative error")
    ax.axvline(_edge(data), color=GREEN, linestyle="--", linewidth=1.2)
    plotting.label(ax, _edge(data), 1e-8, "edge", color=GREEN, ha="right", xytext=(-3, 0))
    k = len(sparsities) // 3
    above: dict[str, Any] = {"xytext": (0, 12), "ha": "center"}
    plotting.label(ax, sparsities[k], medians(data, "gd")[k], "GD", color=VERMILLION, **above)
    plotting.label(ax, sparsities[k], steps[k], "WN-GD, steps", color=BLUE, xytext=(6, -12))
    plotting.label(ax, sparsities[k], FLOOR, "WN-GD, limit", color=BLUE, **above)
    under: dict[str, Any] = {"xytext": (0, -14), "ha": "center"}
    plotting.label(ax, sparsities[k], FLOOR, "linear program", color=GREEN, **under)
    return ax


def _edge(data: Data) -> float:
    """Return the sparsity at which theory expects the linear program to fail."""
    return recovery_edge(int(data["n_measurements"][0]), int(data["n_features"][0]))


def _middle(samples: Floats) -> Floats:
    """Return the median of each row, NaN if one sample is: then nothing is said of that row."""
    return np.median(samples, axis=1)


def draw_exponents(ax: Axes, data: Data) -> Axes:
    """Draw the :func:`exponents`, and the least of them that makes a signal count as recovered."""
    sparsities = np.unique(data["sparsity"])
    for name, color, marker in list(METHODS.values())[:2]:
        found = exponents(data)[name]
        known = np.isfinite(found).all(axis=1)
        style: dict[str, Any] = {"color": color, "marker": marker}
        plotting.band(ax, sparsities[known], found[known], center=np.median, **style)
        k = np.flatnonzero(known)[known.sum() // 2] if known.any() else 0
        y = np.nan_to_num(np.median(found, axis=1))[k]
        place: dict[str, Any] = {"xytext": (0, 14 if name == "gd" else -22), "ha": "center"}
        plotting.label(ax, sparsities[k], y, TITLES[name], color=color, **place)
    ax.axhline(-np.log(EXACT), color=BLACK, linewidth=1, linestyle="--")
    ax.set(yscale="log", xlabel="nonzero entries $s$", ylabel="exponent of the error")
    return ax


def entries(
    sparsity: int, *, n_measurements: int, n_features: int, scale: float, ratio: float, seed: int
) -> tuple[Figure, str]:
    """Draw what the limits recover of one signal, for the slider.

    Returns
    -------
    (Figure, str)
        The picture, and the text that stands for it.
    """
    drawn = problem(n_measurements, n_features, sparsity, seed, 0)
    x0 = initial_weights(drawn, scale, [seed, 0])
    ends = {name: limit(flow_of(name, 2, ratio), drawn, x0).effective for name in COLORS}
    ends["linear program"] = min_l1(drawn).z
    n, truth = np.arange(n_features), check_signal(drawn)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5, 5.2), dpi=100, layout="constrained")
        axes = figure.subplots(3, sharex=True, sharey=True)
        for ax, (name, z) in zip(axes, ends.items(), strict=True):
            _, color, marker = METHODS[name]
            ax.vlines(n[truth > 0], 0, truth[truth > 0], color=GREY, linewidth=4, alpha=0.6)
            ax.plot(n, z, marker, color=color, markersize=4, markerfacecolor="none")
            ax.set_title(f"{name}: error {shown(drawn.error(z), 1)}", loc="left", color=color)
        axes[-1].set(xlabel="entry", ylim=(-0.2, 3.2))
    text = ", ".join(f"{name} {shown(drawn.error(z), 1)}" for name, z in ends.items())
    return figure, f"relative error {text}."


def shown(error: Any, digits: int = 2) -> str:
    """Write an error with some digits; what is below :data:`FLOOR` is rounding."""
    if error > FLOOR:
        return plotting.in_words(float(np.log10(error)), digits)
    return f"< {plotting.in_words(np.log10(FLOOR), 0)}"


def medians(data: Data, name: str) -> Floats:
    """Return the medians of a column over the draws, one for each sparsity."""
    return np.median(data.cube(name, "sparsity", "draw"), axis=1)
