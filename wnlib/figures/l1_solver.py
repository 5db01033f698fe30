"""How fast, and how often right, solvers of ``min |z|_1 : A z = b`` are: read from a file.

``python benchmarks/l1.py --json ...`` has measured it; nothing is timed here. A *record* is what a
solver did on one instance with one number of threads: see ``benchmarks/README.md``. It counts only
where the judge found the answer right; where it was wrong the time is infinite.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from wnlib._types import Floats
from wnlib.figures import plotting
from wnlib.figures.timings import PowerLaw, power_law, results

Record = Mapping[str, Any]
Row = dict[str, Any]

OURS, LARS = "wnlib", "LARS"
HIGHS = ("HiGHS simplex", "HiGHS ipm")  # called directly: on each instance the faster one counts
INSTANCE = ("family", "M", "N", "regime", "signed", "seed")
STYLES: dict[str, dict[str, Any]] = {
    OURS: {"color": plotting.BLUE, "linewidth": 3.0},
    "HiGHS simplex": {"color": plotting.VERMILLION},
    "HiGHS ipm": {"color": plotting.VERMILLION, "linestyle": "--"},
    LARS: {"color": plotting.GREEN},
    "linprog": {"color": plotting.ORANGE},
    "SPGL1": {"color": plotting.PURPLE},
    "pyproximal": {"color": plotting.BLACK, "linestyle": "--"},
    "celer": {"color": plotting.SKY},
}  # others are grey


def load() -> dict[str, Any]:
    """Return what was measured: ``settings``, ``records``, ``hostile``."""
    return results("l1")


def select(records: Iterable[Record], **values: Any) -> list[Record]:
    """Return the records in which each of some entries is a given value, or one of several."""
    wanted = {k: v if isinstance(v, list | tuple) else (v,) for k, v in values.items()}
    return [record for record in records if all(record[k] in v for k, v in wanted.items())]


def seconds(record: Record) -> float:
    """Return the median time of a record; infinite if the answer was not right."""
    return median(record["seconds"]) if record["passes"] else float("inf")


def times(records: Iterable[Record]) -> dict[tuple[Any, ...], dict[str, float]]:
    """Return the seconds of each solver on each instance: ``{instance: {solver: seconds}}``.

    The records must be of one number of threads.
    """
    found: dict[tuple[Any, ...], dict[str, float]] = {}
    for record in records:
        instance = tuple(record[name] for name in INSTANCE)
        if record["solver"] in found.setdefault(instance, {}):
            raise ValueError(
                f"{record['solver']} has two records of one instance: select one of the threads"
            )
        found[instance][record["solver"]] = seconds(record)
    return found


def ratios(records: Iterable[Record], others: Sequence[str], ours: str = OURS) -> Floats:
    """Return, instance by instance, the time of the fastest of some solvers over ours.

    Instances that only one side has tried, or that both have failed on, are left out. Infinite
    where the others failed, zero where ours did.
    """
    both = [row for row in times(records).values() if ours in row and row.keys() & set(others)]
    theirs = [min(row.get(name, np.inf) for name in others) for row in both]
    own = np.array([row[ours] for row in both])
    with np.errstate(invalid="ignore"):
        out = np.array(theirs) / own
    return out[~np.isnan(out)]  # where both failed


def profiles(records: Iterable[Record]) -> dict[str, tuple[Floats, int]]:
    """Return the performance profiles of Dolan and Moré.

    Returns
    -------
    dict
        By solver: the ascending ratios of its time to the best one of the same instance, where it
        was right, and the number of instances it was tried on. The profile at ``t`` is the share of
        these on which it is right within ``t`` times the best time.
    """
    out: dict[str, list[float]] = {}
    for row in times(records).values():
        if (best := min(row.values())) < np.inf:
            for name, value in row.items():
                out.setdefault(name, []).append(value / best)
    return {
        name: (np.sort([value for value in values if value < np.inf]), len(values))
        for name, values in out.items()
    }


def within(records: Iterable[Record], factor: float) -> dict[str, float]:
    """Return the share that each solver gets right within a multiple of the best time."""
    return {
        name: float(np.count_nonzero(values <= factor) / tried)
        for name, (values, tried) in profiles(records).items()
    }


def profile(ax: Axes, records: Iterable[Record], *, most: float = 1e3) -> Axes:
    """Draw the performance profiles, each with its name at its right end.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    records : iterable of records
        Of one number of threads.
    most : float
        Where the axis ends.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ends = {}
    found = profiles(records)
    for name in sorted(found, key=lambda name: _area(*found[name], most)):  # the best one on top
        values, tried = found[name]
        inside = values[values <= most]
        x = np.concatenate([[1.0], inside, [most]])
        y = np.concatenate([[0.0], np.arange(1, len(inside) + 1), [len(inside)]]) / tried
        ax.step(x, y, where="post", **style(name))
        ends[name] = float(y[-1])
    for name, place in apart(ends, 0.055, most=1.0).items():
        plotting.label(ax, most, place, name, color=style(name)["color"])
    ax.set(xscale="log", xlim=(1, most), ylim=(0, 1.03))
    ax.set(xlabel="time over that of the fastest", ylabel="share of instances, right")
    return ax


def _area(values: Floats, tried: int, most: float) -> float:
    """Return the area below a profile, with a logarithmic axis."""
    return float(np.log(most / values[values <= most]).sum() / tried)


def growth(records: Iterable[Record], solver: str) -> tuple[Floats, Floats, PowerLaw | None]:
    """Return the sizes ``N``, the median seconds of a solver there, and the power law through them.

    Where it was wrong, or stopped, on half of the instances or more there is no point; with fewer
    than three points there is no law.
    """
    by_size: dict[int, list[float]] = {}
    for record in select(records, solver=solver):
        by_size.setdefault(record["N"], []).append(seconds(record))
    middle = {N: float(np.median(values)) for N, values in sorted(by_size.items())}
    middle = {N: value for N, value in middle.items() if np.isfinite(value)}
    N, t = np.array(list(middle)), np.array(list(middle.values()))
    return N, t, power_law(t, N=N) if len(N) >= 3 else None


def scaling(ax: Axes, records: Sequence[Record], solvers: Sequence[str]) -> Axes:
    """Draw the seconds of some solvers against ``N``, with the exponents of the fitted laws.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    records : sequence of records
        Of one kind of instance, one ``M/N`` and one number of threads.
    solvers : sequence of str

    Returns
    -------
    matplotlib.axes.Axes
    """
    ends, last, sizes = {}, {}, set()
    for name in solvers:
        N, t, law = growth(records, name)
        if len(N) == 0:
            continue
        sizes |= set(N.tolist())
        ax.plot(N, t, marker="o", **style(name))
        power = "" if law is None else rf" $N^{{{law.exponents['N']:.1f}}}$"
        ends[name + power] = float(np.log10(t[-1]))
        last[name + power] = (float(N[-1]), style(name)["color"])
    for text, place in apart(ends, 0.22).items():
        plotting.label(ax, last[text][0], 10**place, text, color=last[text][1])
    ax.set(xscale="log", yscale="log", xlabel="unknowns $N$", ylabel="seconds")
    ax.set_xticks(sorted(sizes), [f"{N}" for N in sorted(sizes)])
    ax.minorticks_off()
    return ax


def style(name: str) -> dict[str, Any]:
    """Return the colour and line of a solver in every figure."""
    return STYLES.get(name, {"color": plotting.GREY, "linewidth": 1.2})


def apart(places: Mapping[str, float], least: float, most: float = np.inf) -> dict[str, float]:
    """Move places of labels up, or down from ``most``, until neighbours are apart so much."""
    out: dict[str, float] = {}
    for name, place in sorted(places.items(), key=lambda item: item[1]):
        out[name] = place if not out else max(place, max(out.values()) + least)
    for name in reversed(out):
        out[name] = min(out[name], most)
        most = out[name] - least
    return out


def table(records: Sequence[Record], threads: int | str = 1) -> list[Row]:
    """Return how many times as long HiGHS (direct) and LARS take, by regime and size.

    Returns
    -------
    list of dict
        ``M``, ``N``, ``regime``; ``seconds``, ours, the median; ``highs`` and ``lars``: the medians
        over the instances of the ratio to ours; ``highs_least``, ``lars_least``: the smallest
        ratios; ``instances``: how many; ``memory`` that of ours beyond that of A, over that of A,
        the largest.
    """
    chosen = select(records, threads=threads)
    kinds = dict.fromkeys((r["N"], r["M"], r["regime"]) for r in chosen)
    rows = []
    for N, M, regime in sorted(kinds):
        part = select(chosen, N=N, M=M, regime=regime)
        own = select(part, solver=OURS)
        if not own:
            continue
        highs, lars = ratios(part, HIGHS), ratios(part, [LARS])
        memory = [r["memory"] / (8 * M * N / 2**20) for r in own if r.get("memory") is not None]
        rows.append(
            {
                "M": M,
                "N": N,
                "regime": regime,
                "instances": len(own),
                "seconds": float(np.median([seconds(r) for r in own])),
                "highs": _median(highs),
                "highs_least": float(highs.min(initial=np.inf)),
                "lars": _median(lars),
                "lars_least": float(lars.min(initial=np.inf)),
                "memory": max(memory, default=float("nan")),
            }
        )
    return rows


def failures(records: Iterable[Record]) -> list[Row]:
    """Return who was right how often, and who only said so.

    Returns
    -------
    list of dict
        ``solver``, ``instances``, ``right``; ``admitted``: wrong, and said to have failed, or was
        stopped; ``silent``: wrong, and said nothing; ``false``: wrong, and claimed success;
        ``worst``: the largest excess of a norm, relative, among those.
    """
    rows: dict[str, Row] = {}
    for record in records:
        fresh = {"solver": record["solver"], "instances": 0, "right": 0}
        row = rows.setdefault(
            record["solver"], fresh | {"admitted": 0, "silent": 0, "false": 0, "worst": 0.0}
        )
        row["instances"] += 1
        row[verdict(record)] += 1
        if verdict(record) == "false":
            row["worst"] = max(row["worst"], record["excess"] or 0.0)
    return list(rows.values())


def verdict(record: Record) -> str:
    """Return ``right``, ``admitted``, ``silent`` or ``false``: see :func:`failures`."""
    if record["passes"]:
        return "right"
    return {True: "false", False: "admitted", None: "silent"}[record["says"]]


def _median(values: Floats) -> float:
    return float(np.median(values)) if len(values) else float("nan")
