"""The transition of recovery: how often each flow finds the signal, by M / N and s / M."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from wnlib._types import Bools, Floats
from wnlib.figures.plotting import BLACK, BLUE, GREEN, GREY, PURPLE, VERMILLION, label
from wnlib.figures.proportions import Half, half, wilson
from wnlib.figures.studies import Data, Study
from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.l1.linear_program import min_l1
from wnlib.l1.recovery import crossing
from wnlib.l1.thresholds import is_single, positivity_threshold, threshold_curve
from wnlib.problems import initial_weights, sparse_problem
from wnlib.results import Status
from wnlib.roads.limit import limit
from wnlib.sweeps import seed_of

RATIOS = (1.0, 0.1, 0.01)
DELTAS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SHARES = (0.08, 0.16, 0.24, 0.32, 0.4, 0.48, 0.56, 0.64, 0.72, 0.8, 0.88, 0.96)
LEAST = -6.0  # log10 of errors that are told apart: a certified limit may be off by 1.4e-7
ENOUGH = 5  # problems, for a share of them to be drawn


def trial(
    *,
    seed: int,
    draw: int,
    n_features: int,
    signed: bool,
    delta: float,
    share: float,
    scale: float,
    ratios: Sequence[float],
) -> dict[str, Any]:
    """Solve one problem by the linear program, the plain flow and weight normalization.

    Parameters
    ----------
    seed, draw : int
    n_features : int
    signed : bool
    delta, share : float
        ``M / N`` and ``s / M``, rounded to a problem of integer size.
    scale : float
        Of the start, which is the same for all flows.
    ratios : sequence of float

    Returns
    -------
    dict
        ``s / M`` as it is; ``log_error``: log10 of the relative errors of the linear program, the
        plain flow and one flow for each ratio, in hundredths, -6 if less, NaN where it is not
        certified; ``single``: whether no other admissible solution exists; ``slack`` of the
        strictest certificate; the smallest ``norm``, ``Q``; ``length``: ``R_0``.
    """
    M = max(1, round(delta * n_features))
    s = max(1, round(share * M))
    key = seed_of(seed, draw, n_features, signed, delta, share)
    problem = sparse_problem(M, n_features, s, key, signed=signed)
    x0 = initial_weights(problem, scale, [*key, 1])
    best = min_l1(problem)
    flows = [PlainFlow(2), *(WeightNormFlow(2, ratio) for ratio in ratios)]
    ends = [limit(flow, problem, x0) for flow in flows]
    single = not signed and is_single(problem)  # then no certificate is needed
    certified = [single or best.status is Status.CONVERGED]
    certified += [end.status is Status.CONVERGED for end in ends]
    found = np.array([best.z, *(end.effective for end in ends)])
    errors = np.where(certified, np.maximum(problem.error(found), 1e-99), np.nan)
    return {
        "filled": s / M,
        "log_error": np.maximum(np.log10(errors), LEAST).round(2),
        "single": single,
        "slack": round(max(best.strictest().slack, 0.0), 4),
        "norm": round(float(best.norm), 3),
        "length": round(float(x0 @ x0), 3),
    }


def grid(
    seed: int = 0,
    n_features: int = 60,
    scale: float = 0.05,
    ratios: Sequence[float] = RATIOS,
    deltas: Sequence[float] = DELTAS,
    shares: Sequence[float] = SHARES,
    n_draws: int = 20,
    n_slice: int = 60,
) -> list[dict[str, Any]]:
    """Return the points of both maps, nonnegative and signed, with more draws on a slice.

    Parameters
    ----------
    seed, n_features : int
    scale : float
    ratios, deltas, shares : sequence of float
    n_draws : int
        Problems at each point of the maps.
    n_slice : int
        The same at ``M / N = 0.5`` in the nonnegative map, if that is one of ``deltas``.
    """
    constants = {"seed": seed, "n_features": n_features, "scale": scale, "ratios": [*ratios]}
    return [
        {**constants, "signed": signed, "delta": delta, "share": share, "draw": draw}
        for signed in (False, True)
        for delta in deltas
        for share in shares
        for draw in range(n_slice if delta == 0.5 and not signed else n_draws)
    ]


# log_error is rounded, and what is left of an off-support entry hangs on the last digits of slack
compute = Study("phase_transition", trial, grid, rtol=1e-3, atol=0.03)


def methods(data: Data) -> list[str]:
    """Return the names of the columns of ``log_error``."""
    return ["LP", "GD", *(f"{ratio:g}" for ratio in data.settings["ratios"])]


def color(method: str, data: Data) -> str:
    """Return the colour of a method."""
    shades = (PURPLE, GREEN, BLUE)
    known = {"LP": BLACK, "GD": VERMILLION} | dict(zip(methods(data)[2:], shades, strict=False))
    return known.get(method, GREY)


def title(method: str) -> str:
    """Return what a panel or a curve is called."""
    return {"LP": "linear program", "GD": "GD"}.get(method, rf"WN, $\tilde\eta$ = {method}")


def recovered(data: Data, method: str, tolerance: float = 1e-3) -> Bools:
    """Tell in which problems a method finds the signal; where no limit is certified, it does not.

    Parameters
    ----------
    data : Data
    method : str
    tolerance : float
        Of the relative error: at least 1e-5, below which errors are not told apart.

    Returns
    -------
    numpy.ndarray of bool, shape (points,)
    """
    return data["log_error"][:, methods(data).index(method)] < np.log10(tolerance)


def certified(data: Data, method: str) -> Bools:
    """Tell which limits are certified, shape (points,)."""
    return np.isfinite(data["log_error"][:, methods(data).index(method)])


def halves(
    data: Data, method: str, tolerance: float = 1e-3, kept: Bools | None = None
) -> dict[float, Half]:
    """Return :func:`half` for each value of ``M / N``, of all problems or of those ``kept``."""
    found = recovered(data, method, tolerance)
    kept = np.ones(len(found), dtype=bool) if kept is None else kept
    return {
        float(delta): half(data["filled"][at], found[at])
        for delta in np.unique(data["delta"])
        for at in [kept & (data["delta"] == delta)]
    }


def distances(
    data: Data, method: str, tolerance: float = 1e-3, kept: Bools | None = None
) -> Floats:
    """Return by how much the half points of a method lie below those of the linear program.

    Parameters
    ----------
    data : Data
        Of one kind of signal.
    method : str
    tolerance : float
    kept : numpy.ndarray of bool, shape (points,), optional

    Returns
    -------
    numpy.ndarray, shape (deltas,)
        A method that finds nothing at some ``M / N`` has its half point at 0 there.
    """
    own, best = (halves(data, m, tolerance, kept) for m in (method, "LP"))
    return np.array([best[delta].at - np.nan_to_num(own[delta].at) for delta in best])


def known(values: ArrayLike) -> Floats:
    """Return the values that are numbers, in one row; NaN if there is none."""
    flat = np.ravel(np.asarray(values, dtype=float))
    return flat[~np.isnan(flat)] if not np.isnan(flat).all() else np.array([np.nan])


def shares_recovered(data: Data, method: str, tolerance: float = 1e-3) -> Floats:
    """Return the share recovered in each cell of a map, shape (deltas, shares)."""
    found = recovered(data, method, tolerance)
    deltas, shares = np.unique(data["delta"]), np.unique(data["share"])
    cells = [
        [found[(data["delta"] == d) & (data["share"] == s)].mean() for s in shares] for d in deltas
    ]
    return np.array(cells)


def draw_map(ax: Axes, data: Data, method: str) -> Axes:
    """Draw the share of one map that a method recovers, with the laws of large problems.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    data : Data
        Of one kind of signal.
    method : str
        One of :func:`methods`.
    """
    deltas, shares = np.unique(data["delta"]), np.unique(data["share"])
    values, signed = shares_recovered(data, method).T, bool(data["signed"].any())
    ax.pcolormesh(deltas, shares, values, cmap="Blues", vmin=0, vmax=1.25, shading="nearest")
    ax.grid(visible=False)
    draw_laws(ax, signed=signed)
    fitted = halves(data, method)
    ax.plot([*fitted], [one.at for one in fitted.values()], "o", ms=5, mec="white", color=BLACK)
    if method == "LP":
        label(ax, 0.1, 0.7, "weak\nthreshold", xytext=(0, 0))
    if method == "GD" and not signed:
        label(ax, 0.5, 0.3, "positivity\nalone", color=VERMILLION, ha="right")
    ax.set(xlim=(0.05, 0.95), ylim=(0.04, 1.0), title=title(method))
    ax.set(xticks=[0.1, 0.5, 0.9], yticks=[0.2, 0.4, 0.6, 0.8, 1.0])
    return ax


def draw_laws(ax: Axes, *, signed: bool = False) -> Axes:
    """Draw the weak threshold, and that of positivity alone unless signed."""
    ax.plot(*threshold_curve(np.geomspace(1e-3, 5, 200), signed=signed), color=BLACK, lw=1.5)
    if not signed:
        delta = np.linspace(0.5, 1, 100)
        ax.plot(delta, positivity_threshold(delta), color=VERMILLION, ls="--", lw=1.8)
    return ax


def draw_halves(ax: Axes, data: Data) -> Axes:
    """Draw the half points of all methods, with standard errors, over the laws."""
    signed = bool(data["signed"].any())
    draw_laws(ax, signed=signed)
    for rank, (method, mark) in enumerate(zip(methods(data), "os^Dv*", strict=False)):
        fitted, shade = halves(data, method), color(method, data)
        at, error = np.array([[one.at, one.error] for one in fitted.values()]).T
        ax.errorbar([*fitted], at, error, fmt=mark, mfc="none", color=shade, ms=5, lw=1)
        if rank > 0:
            short = title(method).removeprefix("WN, ")
            none = ": none" if np.isnan(at).all() else ""
            label(ax, 0.08, 1.02 - 0.11 * rank, short + none, color=shade, xytext=(0, 0))
    ax.set(title="signed, one half" if signed else "one half")
    return ax


def draw_slice(
    ax: Axes, data: Data, *, delta: float = 0.5, tolerance: float = 1e-3, intervals: bool = True
) -> Axes:
    """Draw the share recovered against ``s / M`` at one ``M / N``, with Wilson's intervals."""
    data = data.where(delta=delta)
    filled, place = np.unique(data["filled"], return_inverse=True)
    n = np.bincount(place)
    for method in methods(data):
        k = np.bincount(place, recovered(data, method, tolerance))
        shade = color(method, data)
        if intervals:
            ax.fill_between(filled, *wilson(k, n), color=shade, alpha=0.18, lw=0)
        ax.plot(filled, k / n, "--" if method == "LP" else "-", color=shade)
    ax.set(xlabel="$s/M$", ylabel="share recovered", ylim=(-0.02, 1.02))
    return ax


def label_slice(ax: Axes, data: Data, *, delta: float = 0.5) -> Axes:
    """Write beside each curve of :func:`draw_slice` what it is."""
    part = data.where(delta=delta)
    filled = np.unique(part["filled"])
    heights = {"LP": 0.5, "GD": 0.25} | dict(
        zip(methods(data)[2:], (0.5, 0.85, 0.68), strict=False)
    )
    for method, height in heights.items():
        found = recovered(part, method)
        share = [found[part["filled"] == x].mean() for x in filled]
        inside = method == methods(data)[2]  # the largest ratio: on the side of GD
        side: dict[str, Any] = {"ha": "right", "xytext": (-8, 0)} if inside else {"xytext": (20, 0)}
        if np.isfinite(x := crossing(filled, share, height)):
            label(ax, x, height, title(method), color=color(method, data), **side)
    return ax


def exponents(data: Data, method: str) -> Floats:
    """Return the exponents ``slack (K + log rho)`` of ``eq-slack-law``, shape (points,).

    What a flow leaves off the support is about ``exp(-exponent)``. ``K = log(z / beta)``, with the
    means of the signal over its ``s`` entries, and of the start over all weights.
    """
    size, Q, R0 = data["n_features"], data["norm"], data["length"]
    s = data["filled"] * np.maximum(1, np.round(data["delta"] * size))
    K = np.log(Q / s * size * (1 + data["signed"]) / R0)
    log_rho = 0.0 if method == "GD" else (Q - R0) / float(method) - np.log(Q / R0)
    return data["slack"] * (K + log_rho)


def followed(data: Data, method: str, tolerance: float = 1e-3) -> tuple[Floats, Bools]:
    """Return :func:`exponents` where the linear program finds the signal; and who follows it.

    Problems without another solution are left out, since there all methods end at the signal, and
    those without a certified limit.

    Parameters
    ----------
    data : Data
    method : str
        A ratio, or "GD".
    tolerance : float

    Returns
    -------
    numpy.ndarray, shape (n,)
    numpy.ndarray of bool, shape (n,)
        Whether the method finds it too.
    """
    at = recovered(data, "LP", tolerance) & ~data["single"] & certified(data, method)
    return exponents(data, method)[at], recovered(data, method, tolerance)[at]


def draw_followed(ax: Axes, data: Data, tolerance: float = 1e-3) -> Axes:
    """Draw how often weight normalization finds what the linear program finds, by the exponent.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Its horizontal axis is made logarithmic.
    data : Data
    tolerance : float
    """
    edges = np.geomspace(0.3, 300, 25)
    middle = np.sqrt(edges[1:] * edges[:-1])
    for rank, method in enumerate(methods(data)[2:]):
        label(ax, 0.4, 0.93 - 0.1 * rank, title(method), color=color(method, data), xytext=(0, 0))
        units, found = followed(data, method, tolerance)
        n, k = np.histogram(units, edges)[0], np.histogram(units[found], edges)[0]
        seen, shade = n >= ENOUGH, color(method, data)
        if seen.any():
            ax.fill_between(middle[seen], *wilson(k[seen], n[seen]), color=shade, alpha=0.18, lw=0)
            ax.plot(middle[seen], k[seen] / n[seen], "o-", color=shade)
    ax.set(xscale="log", xlabel=r"exponent $\theta\,(K + \log\rho)$", ylim=(-0.03, 1.03))
    ax.set_ylabel("share of what the LP finds")
    return ax


def at_delta(data: Data, delta: float) -> tuple[Figure, str]:
    """Draw the shares recovered at one ``M / N``, with the half points in words."""
    figure = Figure(figsize=(6, 3.8))
    # without intervals: a picture of a slider has few colours
    ax = draw_slice(figure.subplots(), data, delta=delta, intervals=False)
    part = data.where(delta=delta)
    points = {m: half(part["filled"], recovered(part, m)).at for m in methods(data)}
    x, y, side = (0.98, 0.95, "right") if delta <= 0.5 else (0.03, 0.6, "left")  # free of curves
    for rank, (method, at) in enumerate(points.items()):
        here = f"{title(method)}: {at:.2f}" if np.isfinite(at) else f"{title(method)}: none"
        label(ax, x, y - 0.1 * rank, here, color=color(method, data), ha=side, xytext=(0, 0))
    ax.set(xlim=(0, 1.02), title=f"$M/N = {delta:g}$; half are found up to $s/M$ =")
    return figure, "half found up to s/M = " + ", ".join(
        f"{x:.2f} ({m})" for m, x in points.items()
    )
