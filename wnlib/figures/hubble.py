"""A picture of galaxies from few random measurements: computed and drawn."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from wnlib._types import Floats
from wnlib.figures import plotting
from wnlib.figures.methods import flow_of
from wnlib.figures.plotting import BLACK, BLUE, GREEN, PURPLE, STYLE, VERMILLION
from wnlib.figures.sparsity import EXACT, FLOOR, shown
from wnlib.figures.studies import Data, Study
from wnlib.l1.linear_program import min_l1
from wnlib.pictures import above_sky, hubble
from wnlib.problems import Problem, check_signal, initial_weights
from wnlib.roads.descend import descend
from wnlib.roads.limit import limit
from wnlib.sweeps import seed_of

FRACTIONS = (0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7)
STEPS = "WN-GD, steps"
METHODS = {  # colour, marker
    "least squares": (BLACK, "v"),
    "GD": (VERMILLION, "s"),
    "WN-GD": (BLUE, "o"),
    STEPS: (PURPLE, "D"),
    "linear program": (GREEN, "^"),
}
LEVELS = 1000  # of brightness, at which pictures are kept
GREYS = {"cmap": "gray", "norm": PowerNorm(0.5, 0, 1)}  # the root shows what is faint
MISSES = {"norm": PowerNorm(0.5, 0, 0.2)}


def problem(fraction: float, sky: float, seed: int, draw: int) -> Problem:
    """Return Gaussian measurements of the picture above its sky, row by row.

    Parameters
    ----------
    fraction : float
        Measurements over pixels.
    sky : float
        As in :func:`wnlib.pictures.above_sky`.
    seed, draw : int
        Of the matrix, whose entries have the variance one over the number of measurements.

    Returns
    -------
    Problem
    """
    light = above_sky(hubble(), sky).ravel()
    M = max(1, round(fraction * light.size))
    rng = np.random.default_rng(seed_of(seed, draw, fraction))
    A = rng.normal(size=(M, light.size)) / np.sqrt(M)
    return Problem(A, A @ light, light)


def trial(
    *,
    seed: int,
    sky: float,
    draw: int,
    fraction: float,
    method: str,
    scale: float,
    ratio: float,
    step: float,
    n_steps: int,
) -> dict[str, Any]:
    """Reconstruct the picture by one of :data:`METHODS`.

    Returns
    -------
    dict
        ``error``, relative, and ``norm``, the sum of all pixels over that of the true ones;
        ``status``, of a flow; and ``picture``, in :data:`LEVELS`, of shape (pixels,): zeros but
        for draw 0 and a positive ``sky``, so that the file stays small.
    """
    drawn = problem(fraction, sky, seed, draw)
    x0 = initial_weights(drawn, scale, [seed, draw])
    z, status = _reconstruct(method, drawn, x0, ratio, step, n_steps)
    kept = np.rint(LEVELS * z).astype(int) if draw == 0 and sky > 0 else np.zeros(len(z), int)
    norm = z.sum() / check_signal(drawn).sum()
    return {"error": drawn.error(z), "norm": norm, "status": str(status), "picture": kept}


def _reconstruct(
    method: str, drawn: Problem, x0: Floats, ratio: float, step: float, n_steps: int
) -> tuple[Floats, object]:
    if method == "least squares":
        return np.maximum(np.linalg.pinv(drawn.A) @ drawn.b, 0), "clipped"
    if method == "linear program":
        return min_l1(drawn).z, "solved"  # with which certificate hangs on the last digit
    flow = flow_of(method, 2, ratio)
    if method == STEPS:
        run = descend(flow, drawn, x0, step, n_steps, times=[step * n_steps])
        return run.effective, run.status
    end = limit(flow, drawn, x0)
    return end.effective, end.status


def grid(
    seed: int = 0,
    sky: float = 3.0,
    n_draws: int = 1,
    fractions: Sequence[float] = FRACTIONS,
    noisy_fractions: Sequence[float] = (0.2, 0.4, 0.6),
    scale: float = 0.08,
    ratio: float = 0.1,
    step: float = 0.05,
    n_steps: int = 20_000,
) -> list[dict[str, Any]]:
    """Return the points of the figures.

    The noise of the sky is left in, as ``sky`` 0, for the first matrix at ``noisy_fractions``;
    there no steps are taken.
    """
    if sky <= 0:
        raise ValueError(f"sky must be positive, 0 is looked at besides; got {sky}")
    constants = {"seed": seed, "scale": scale, "ratio": ratio, "step": step, "n_steps": n_steps}
    levels = (sky, range(n_draws), fractions), (0.0, range(1), noisy_fractions)
    return [
        {"sky": level, "draw": k, "fraction": fraction, "method": method, **constants}
        for level, draws, shares in levels
        for k in draws
        for fraction in shares
        for method in METHODS
        if level > 0 or method != STEPS
    ]


# Errors are of order one, or rounding, which `atol` lets be; those of WN-GD next to the edge depend
# on the last digits of its limit. Pictures are rounded, so equal.
compute = Study("hubble", trial, grid, rtol=1e-4, atol=1e-9)


def reconstructed(data: Data, fraction: float, method: str) -> Floats:
    """Return the picture that a method made of the first matrix, in [0, 1], shape (32, 32)."""
    rows = data.where(draw=0, fraction=fraction, method=method)
    first = rows["picture"][0]  # before that with the noise of the sky
    return first.reshape(hubble().shape) / LEVELS


def errors(data: Data, sky: float, method: str) -> Floats:
    """Return relative errors, shape (fractions, draws)."""
    return data.where(sky=sky, method=method).cube("error", "fraction", "draw")


def error_at(data: Data, fraction: float, method: str) -> float:
    """Return the relative error of :func:`reconstructed`."""
    return float(data.where(draw=0, fraction=fraction, method=method)["error"][0])


def draw_gallery(
    figure: Figure,
    data: Data,
    fraction: float,
    methods: Sequence[str],
    sky: float,
    cmap: str = "magma",
) -> None:
    """Draw what methods reconstruct, a row each, and beside it how far off each pixel is."""
    truth = np.rint(LEVELS * above_sky(hubble(), sky)) / LEVELS
    axes = figure.subplots(len(methods), 2, squeeze=False)
    for (left, right), method in zip(axes, methods, strict=True):
        z = reconstructed(data, fraction, method)
        error = error_at(data, fraction, method)
        show(left, z, **GREYS).set_title(method)
        show(right, abs(z - truth), **MISSES, cmap=cmap).set_title(f"off by {shown(error)}")


def show(ax: Axes, picture: Floats, **style: Any) -> Axes:
    """Draw a picture without a frame of numbers, on the ground of the page, light or dark."""
    ax.figure.set_facecolor("none")
    ax.title.set_color("#767676")
    ax.imshow(picture, interpolation="nearest", **style)
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    return ax


def page(data: Data, fraction: float, sky: float) -> tuple[Figure, str]:
    """Return the picture of the slider for some measurements, and the text that stands for it."""
    methods = ["GD", "WN-GD"]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5, 5.3), dpi=100, layout="constrained")
        draw_gallery(figure, data, fraction, methods, sky, "gray")  # a slider has few colours
    found = [shown(error_at(data, fraction, method)) for method in methods]
    return figure, f"relative error of GD {found[0]}, of WN-GD {found[1]}."


def draw(ax: Axes, data: Data, sky: float) -> Axes:
    """Draw the errors against the share of measurements: the range over the matrices as a band."""
    fractions = np.unique(data.where(sky=sky)["fraction"])
    for method, (color, marker) in METHODS.items():
        found = np.maximum(errors(data, sky, method), FLOOR)
        plotting.band(ax, fractions, found, center=np.median, color=color, marker=marker)
    ax.set(yscale="log", ylim=(FLOOR / 3, 3))
    ax.set(xlabel="measurements over pixels, $M/N$", ylabel="relative error")
    _label(ax, data, sky, fractions)
    return ax


def _label(ax: Axes, data: Data, sky: float, fractions: Floats) -> None:
    """Write the names of the methods beside their lines."""
    median = {method: np.median(errors(data, sky, method), axis=1) for method in METHODS}
    place: dict[str, Any]
    for method in "least squares", STEPS:
        place = {"color": METHODS[method][0], "xytext": (12, -13), "ha": "right", "fontsize": 11}
        plotting.label(ax, fractions[-1], median[method][-1], method, **place)
    k = max(0, int(np.argmax(np.append(median["GD"], 0) < EXACT)) - 1)
    plotting.label(ax, fractions[k], median["GD"][k], "GD", color=VERMILLION, xytext=(8, 0))
    for method, back, ha in ("WN-GD", 0, "left"), ("linear program", 1, "right"):
        k = min(len(fractions) - 1, int(np.argmax(np.append(median[method], 0) < FLOOR)))
        place = {"color": METHODS[method][0], "xytext": (0, 0), "ha": ha}
        plotting.label(ax, fractions[max(0, k - back)], 1e3 * FLOOR, method, **place)
