"""What the roads cost: seconds to the endpoint, work of a step, growth with size and batch.

The times are measured ones, of :mod:`wnlib.figures.timings`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from wnlib._types import Floats
from wnlib.figures.plotting import BLACK, BLUE, GREEN, GREY, PURPLE, SKY, VERMILLION, label
from wnlib.figures.timings import PowerLaw, column, middle, power_law

# To the endpoint


def step_seconds(
    measured: Mapping[str, Any], ratio: float, threads: str = "one_thread"
) -> dict[str, Floats]:
    """Return the seconds of each road, and how far they spread.

    Parameters
    ----------
    measured : mapping
        By ``benchmarks/roads.py``.
    ratio : float
        Of the learning rates.
    threads : {"one_thread", "default"}

    Returns
    -------
    dict
        Road to the seconds of all repetitions: of ``descend`` and ``loop``, those of a step;
        ``short`` is a run of ``descend`` that is not worth compiling.
    """
    found: dict[str, Any] = {}
    for turn in measured[threads]:
        for case in turn["cases"]:
            if case["ratio"] == ratio:
                for road, seconds in case["seconds"].items():
                    found.setdefault(road, []).extend(seconds)
    per = measured["timed_steps"]
    return {road: np.array(seconds) / per.get(road, 1) for road, seconds in found.items()}


@dataclass(frozen=True)
class Walk:
    """How many steps of which size come within some distance of the endpoint.

    Attributes
    ----------
    step : float
    n_steps : float
    foretold : bool
        Whether no step size of the benchmark comes so near, and this is computed.
    """

    step: float
    n_steps: float
    foretold: bool


def walk(measured: Mapping[str, Any], ratio: float, accuracy: float) -> Walk:
    """Return the fewest steps of descent to an accuracy.

    Where a run was not long enough, it goes on as ``1 / t`` (prop-power-law). Where it has ended
    farther off, by an amount that is proportional to the step, it is the step that ends half of the
    accuracy off, and the time that the flow takes to the other half.
    """
    (case,) = [each for each in measured["accuracy"] if each["ratio"] == ratio]
    walks = [_walk(row, case["integrate"], accuracy) for row in case["descend"]]
    return min(walks, key=lambda each: (each.foretold, np.nan_to_num(each.n_steps, nan=np.inf)))


def _walk(
    row: Mapping[str, Any], integrations: Iterable[Mapping[str, Any]], accuracy: float
) -> Walk:
    """Return the same of one step size."""
    for n, error in zip(row["n_steps"], row["error"], strict=True):
        if error <= accuracy:
            return Walk(row["step"], n, False)
    if row["status"] != "converged":
        return Walk(row["step"], row["n_steps"][-1] * row["error"][-1] / accuracy, True)
    step = row["step"] * accuracy / 2 / row["error"][-1]
    return Walk(step, _flow_time(integrations, accuracy / 2) / step, True)


def _flow_time(integrations: Iterable[Mapping[str, Any]], accuracy: float) -> float:
    """Return when the flow is that near to its end, between runs of the smallest ``rtol``."""
    finest = min(row["rtol"] for row in integrations)
    rows = sorted((row["error"], row["time"]) for row in integrations if row["rtol"] == finest)
    error, time = np.log(rows).T
    return float(np.exp(np.interp(np.log(accuracy), error, time, left=np.nan)))


def integrated(measured: Mapping[str, Any], ratio: float, accuracy: float) -> float:
    """Return the seconds of the fastest run of ``integrate`` that reaches an accuracy; or NaN."""
    (case,) = [each for each in measured["accuracy"] if each["ratio"] == ratio]
    near = [np.median(row["seconds"]) for row in case["integrate"] if row["error"] <= accuracy]
    return float(min(near, default=np.nan))


def to_the_end(measured: Mapping[str, Any], ratio: float, accuracy: float) -> dict[str, float]:
    """Return the seconds of each road to an accuracy."""
    each = {road: np.median(values) for road, values in step_seconds(measured, ratio).items()}
    n_steps, long = walk(measured, ratio, accuracy).n_steps, measured["timed_steps"]["descend"]
    return {
        "limit": float(each["limit"]),
        "integrate": integrated(measured, ratio, accuracy),
        "descend": float(each["short" if n_steps < long else "descend"] * n_steps),
        "loop": float(each["loop"] * n_steps),
    }


WALKING = {"descend": VERMILLION, "loop": BLACK}


def draw_roads(ax: Axes, measured: Mapping[str, Any], ratio: float) -> Axes:
    """Draw how near each road comes after how many seconds.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    measured : mapping
        By ``benchmarks/roads.py``.
    ratio : float
    """
    (case,) = [each for each in measured["accuracy"] if each["ratio"] == ratio]
    each = {road: np.median(values) for road, values in step_seconds(measured, ratio).items()}
    ax.axvline(each["limit"], color=BLUE)
    runs = sorted((np.median(row["seconds"]), row["error"]) for row in case["integrate"])
    front = [run for run in runs if run[1] <= min(e for t, e in runs if t <= run[0])]
    ax.plot(*np.transpose(front), "o-", color=GREEN)
    for row in case["descend"]:
        n_steps, error = np.array(row["n_steps"][1:]), np.array(row["error"][1:])
        for road, shade in WALKING.items():
            ax.plot(n_steps * each[road], error, color=shade, lw=1.4)
    last = min(case["descend"], key=lambda row: row["error"][-1])
    n_steps, near = last["n_steps"][-1], last["error"][-1]
    label(ax, each["limit"], 1e-6, "limit", color=BLUE, ha="right", xytext=(-6, 0))
    label(ax, *front[-1], "integrate", color=GREEN)
    below = {"ha": "center", "va": "top", "xytext": (0, -6)}
    label(ax, n_steps * each["descend"], near, "descend", color=VERMILLION, **below)
    label(ax, n_steps * each["loop"], near, "PyTorch\nloop", color=BLACK)
    ax.set(xscale="log", yscale="log", xlabel="seconds", ylabel="distance to the endpoint")
    ax.set_xlim(right=20 * ax.get_xlim()[1])  # room for the words
    return ax


# Products, sizes, batches


def step_work(M: ArrayLike, N: ArrayLike, batch: ArrayLike = 1) -> Any:
    """Return the floating-point operations of the two products in a step of ``descend``."""
    return 4.0 * np.asarray(M) * np.asarray(N) * np.asarray(batch)


def newton_work(M: ArrayLike, N: ArrayLike) -> Any:
    """Return those of forming and factorizing the matrix of a Newton step of ``limit``."""
    M, N = np.asarray(M, dtype=float), np.asarray(N, dtype=float)
    return M**2 * N + M**3 / 3


def share(row: Mapping[str, Any], name: str = "seconds") -> float:
    """Return the operations a second of a step, over those of a large product.

    Parameters
    ----------
    row : mapping
        A row of steps in ``benchmarks/growth.py``.
    name : {"seconds", "numpy", "bare"}
        A step as it is, without Numba, or its two products alone.
    """
    each = step_work(row["M"], row["N"], row["batch"]) / np.median(row[name])
    return float(each / np.median(row["square"]))


def draw_batch(ax: Axes, process: Mapping[str, Any]) -> Axes:
    """Draw which share of the speed of a large product a step reaches, against the batch."""
    shapes = sorted({(row["M"], row["N"]) for row in process["batch"]})
    ends = {}
    for (M, N), shade in zip(shapes, (VERMILLION, BLUE, GREEN), strict=False):
        rows = [row for row in process["batch"] if (row["M"], row["N"]) == (M, N)]
        batch = column(rows, "batch")
        for name, line in ("numpy", ":"), ("bare", "--"), ("seconds", "o-"):
            shares = [share(row, name) for row in rows]
            ax.plot(batch, shares, line, color=shade, lw=2.0 if name == "seconds" else 1.4)
            if name == "numpy" and shapes[0] == (M, N):
                label(ax, batch[0], shares[0], "in NumPy", color=shade, xytext=(14, -2))
        ends[M, N] = batch[-1], shares[-1], shade
    for rank, (M, N) in enumerate(sorted(ends, key=lambda shape: ends[shape][1])):
        x, y, shade = ends[M, N]
        label(ax, x, y, rf"${M} \times {N}$", color=shade, xytext=(6, 16 * rank - 8))
    ax.axhline(1, color=GREY, lw=1.2)
    label(ax, 1, 1, "a large product", color=GREY, xytext=(0, 8))
    ax.set(xscale="log", yscale="log", xlabel="starts in a batch", ylabel="share of its speed")
    return ax


BARS = {"seconds": "a step", "numpy": "in NumPy", "bare": "two products"}


def page(process: Mapping[str, Any], batch: int) -> tuple[Figure, str]:
    """Draw what a step costs a start at one size of the batch, and say it in words."""
    figure = Figure(figsize=(6, 3))
    ax, words = figure.subplots(), []
    rows = [row for row in process["batch"] if row["batch"] == batch]
    for place, row in enumerate(rows):
        times = {name: 1e6 * np.median(row[name]) / batch for name in ("seconds", "numpy", "bare")}
        for name, shade, up in ("seconds", BLUE, 0.25), ("numpy", SKY, 0), ("bare", GREY, -0.25):
            ax.barh(place + up, times[name], color=shade, height=0.22)
            text = f"{times[name]:.3g}" + (f"  {BARS[name]}" if place == 0 else "")
            label(ax, times[name], place + up, text, color=shade)
        words.append(f"{row['M']} by {row['N']}: {times['seconds']:.3g} microseconds")
    ax.set_yticks(range(len(rows)), [f"{row['M']}×{row['N']}" for row in rows])
    ax.set(
        xscale="log", xlim=(0.1, 5000), ylim=(-0.6, len(rows) - 0.4), xlabel="µs a step and start"
    )
    ax.set_title(f"batch of {batch}", loc="left")
    ax.grid(axis="y", visible=False)
    return figure, "; ".join(words)


def growth(
    process: Mapping[str, Any], along: str, least: int = 0
) -> dict[str, tuple[Floats, Floats, PowerLaw]]:
    """Return sizes, medians of the seconds, and the law fitted to those from some size on.

    Parameters
    ----------
    process : mapping
        Of ``benchmarks/growth.py``.
    along : {"N", "M"}
        The size that grows: ``N`` with ``M / N`` fixed, or ``M`` with ``N`` fixed.
    least : int
        The smallest size that the law is fitted to.
    """
    ends, steps = (
        process[name]
        for name in (("width", "step_width") if along == "N" else ("height", "step_height"))
    )
    found = {road: (column(ends, along), middle(ends, road)) for road in ("limit", "integrate")}
    for batch in sorted({row["batch"] for row in steps}):
        seconds = middle(steps, "seconds", batch=batch) / batch
        found[f"step, batch {batch}"] = column(steps, along, batch=batch), seconds
    return {
        name: (sizes, seconds, power_law(seconds[kept], **{along: sizes[kept]}))
        for name, (sizes, seconds) in found.items()
        for kept in [sizes >= min(least, np.sort(sizes)[-2])]
    }


def draw_growth(ax: Axes, process: Mapping[str, Any], along: str, least: int = 0) -> Axes:
    """Draw the seconds of limits, integrations and steps against a size, with their exponents."""
    shades = (BLUE, GREEN, VERMILLION, PURPLE)
    found = growth(process, along, least)
    order = sorted(found, key=lambda name: -found[name][1][-1])
    up = {*order[::2]}  # limit and integrate end close together, and the two steps
    for (name, (sizes, seconds, law)), shade in zip(found.items(), shades, strict=False):
        ax.plot(sizes, seconds, "o-", color=shade)
        text = f"{name}, ${along}^{{{law.exponents[along]:.1f}}}$"
        place = (6, 8 if name in up else -8)
        label(ax, sizes[-1], seconds[-1], text, color=shade, xytext=place)
    ax.set(xscale="log", yscale="log", xlabel=f"${along}$", ylabel="seconds")
    ax.set_xticks(sizes, [f"{size}" for size in sizes])
    ax.minorticks_off()
    ax.set_xlim(right=ax.get_xlim()[1] * 3)  # room for the words
    return ax
