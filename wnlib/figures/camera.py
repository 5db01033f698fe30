"""Pictures from few measurements by a camera with a single pixel: computed and drawn."""

import base64
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.sparse.linalg import LinearOperator

from wnlib._types import Floats
from wnlib.figures import plotting
from wnlib.figures.hubble import GREYS, show
from wnlib.figures.plotting import BLACK, BLUE, STYLE
from wnlib.figures.studies import Data, Study
from wnlib.figures.timings import results
from wnlib.flows import WeightNormFlow
from wnlib.l1.basis_pursuit import basis_pursuit
from wnlib.operators import HaarWavelets, ScrambledDCT, haar, inverse_haar
from wnlib.pictures import above_sky, deep_field, horse, hubble, psnr
from wnlib.problems import Problem, initial_weights
from wnlib.roads.limit import limit

SKY, SMALL, HORSE = "deep field", "small", "horse"
FRACTIONS = (0.1, 0.2, 0.3, 0.4, 0.5)
HORSE_FRACTIONS = (0.1, 0.15, 0.2, 0.225, 0.25, 0.275, 0.3, 0.35, 0.4)
RATIOS = (0.03, 0.1, 0.3, 1.0, 3.0)
LEVELS = 255  # of brightness, at which pictures are kept
LARGEST = 128 * 128  # pixels
CEILING = 100.0  # dB: nobody sees a pixel that is off by a hundred thousandth


def truth(scene: str, sky: float) -> Floats:
    """Return a picture, its brightest pixel 1.

    Parameters
    ----------
    scene : {"deep field", "small", "horse"}
    sky : float
        As in :func:`wnlib.pictures.above_sky`; the horse has none.

    Returns
    -------
    numpy.ndarray, shape (side, side)
    """
    if scene == HORSE:
        return horse()
    return above_sky(deep_field() if scene == SKY else hubble(), sky)


def camera(scene: str, fraction: float, seed: int) -> LinearOperator:
    """Return the measurements of a scene: of its pixels, of the wavelets of the horse.

    Parameters
    ----------
    scene : str
    fraction : float
        Measurements over pixels.
    seed : int

    Returns
    -------
    scipy.sparse.linalg.LinearOperator
        With orthonormal rows.
    """
    side = len(truth(scene, 0.0))
    masks = ScrambledDCT(max(1, round(fraction * side**2)), side**2, seed)
    return masks @ HaarWavelets(side) if scene == HORSE else masks


def unknowns(scene: str, picture: Floats) -> Floats:
    """Return what is sought: pixels, row by row; of the horse the coefficients of wavelets."""
    return (haar(picture) if scene == HORSE else picture).ravel()


def developed(scene: str, z: Floats) -> Floats:
    """Return the picture of what is sought."""
    side = round(np.sqrt(len(z)))
    square = z.reshape(side, side)
    return inverse_haar(square) if scene == HORSE else square


def trial(
    *, seed: int, scene: str, sky: float, fraction: float, ratio: float, tol: float, scale: float
) -> dict[str, Any]:
    """Measure a picture and reconstruct it.

    With the ratio 0 by the smallest l1 norm, from the operator alone; with another by the limit of
    weight normalization, from a matrix.

    Returns
    -------
    dict
        ``psnr`` in dB, at most :data:`CEILING`; ``shortest``, that of the solution of least length;
        ``norm``, over that of the truth; ``gap``, how far above the smallest norm it is at most,
        NaN if no certificate says so; ``status``; and ``picture``, from 0 to 1 in steps of one over
        :data:`LEVELS`, followed by zeros up to 16384 pixels.
    """
    picture, A = truth(scene, sky), camera(scene, fraction, seed)
    wanted = unknowns(scene, picture)
    b = A @ wanted
    z, gap, status = _reconstructed(A, b, scene == HORSE, ratio, tol, scale, seed)
    made = developed(scene, z)
    kept = np.zeros(LARGEST, np.float16)
    kept[: made.size] = np.rint(LEVELS * np.clip(made, 0, 1)).ravel() / LEVELS
    return {
        "psnr": min(psnr(made, picture), CEILING),
        "shortest": psnr(developed(scene, A.T @ b), picture),
        "norm": abs(z).sum() / abs(wanted).sum(),
        "gap": gap,
        "status": str(status),
        "picture": kept,
    }


def _reconstructed(
    A: LinearOperator, b: Floats, signed: bool, ratio: float, tol: float, scale: float, seed: int
) -> tuple[Floats, float, object]:
    if ratio == 0:
        found = basis_pursuit(A, b, signed=signed, tol=tol)
        return found.z, found.gap, found.status
    problem = Problem(A @ np.eye(A.shape[1]), b, signed=signed)
    end = limit(WeightNormFlow(2, ratio), problem, initial_weights(problem, scale, seed))
    return end.effective, np.nan, end.status


def grid(
    seed: int = 0,
    sky: float = 3.0,
    fractions: Sequence[float] = FRACTIONS,
    horse_fractions: Sequence[float] = HORSE_FRACTIONS,
    small_fraction: float = 0.3,
    ratios: Sequence[float] = RATIOS,
    scale: float = 0.08,
    tol: float = 1e-4,
) -> list[dict[str, Any]]:
    """Return the points of the figures.

    The deep field with the noise of its sky, as ``sky`` 0, and without; the horse; and the small
    picture, by the smallest norm and by weight normalization with each ratio.
    """
    if sky <= 0:
        raise ValueError(f"sky must be positive, 0 is looked at besides; got {sky}")
    points = [(SKY, level, fraction, 0.0) for level in (0.0, sky) for fraction in fractions]
    points += [(HORSE, 0.0, fraction, 0.0) for fraction in horse_fractions]
    points += [(SMALL, sky, small_fraction, ratio) for ratio in (0.0, *ratios)]
    names = "scene", "sky", "fraction", "ratio"
    return [dict(zip(names, p, strict=True), seed=seed, tol=tol, scale=scale) for p in points]


# A gap below `tol` leaves the picture open by a level of brightness or so, and its quality by some
# hundredths of a decibel.
compute = Study("camera", trial, grid, rtol=5e-3, atol=3 / LEVELS)


def row(data: Data, **where: Any) -> dict[str, Any]:
    """Return the only point of some values, as a dictionary; its picture square, in [0, 1]."""
    found = data.where(**where)
    if len(found["psnr"]) != 1:
        raise ValueError(f"{len(found['psnr'])} points have {where}; name one")
    point = {name: column[0] for name, column in found.items()}
    side = len(truth(point["scene"], 0.0))
    return point | {"picture": point["picture"][: side**2].reshape(side, side).astype(float)}


def shortest(scene: str, sky: float, fraction: float, seed: int) -> Floats:
    """Return the picture of least length that fits the measurements; at once, ``A.T @ b``."""
    A = camera(scene, fraction, seed)
    return developed(scene, A.T @ (A @ unknowns(scene, truth(scene, sky))))


def peers(scene: str) -> dict[str, dict[str, Any]]:
    """Return what programs have made of a scene: see ``benchmarks/camera.py``.

    Returns
    -------
    dict
        By name: ``seconds`` of each repetition, and ``seconds_all_threads``; ``psnr``; ``excess``
        of the norm over the best lower bound; ``residual``, relative; ``status``; ``gap``, None
        without a certificate; and ``picture``, in [0, 1].
    """
    kept = results("camera")["scenes"][scene]
    return {name: found | {"picture": unpacked(found["picture"])} for name, found in kept.items()}


def packed(picture: Floats) -> str:
    """Return a picture in [0, 1] as a text, at :data:`LEVELS`."""
    levels = np.rint(LEVELS * np.clip(picture, 0, 1)).astype(np.uint8)
    return base64.b64encode(zlib.compress(levels.tobytes(), 9)).decode()


def unpacked(text: str) -> Floats:
    """Return the square picture that :func:`packed` has made a text of."""
    levels = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    side = round(np.sqrt(len(levels)))
    return levels.reshape(side, side) / LEVELS


def gallery(figure: Figure, pictures: Mapping[str, Floats], **style: Any) -> None:
    """Draw pictures with titles, two in a row."""
    axes = figure.subplots(-(-len(pictures) // 2), 2, squeeze=False).ravel()
    for ax, (title, picture) in zip(axes, pictures.items(), strict=False):
        show(ax, picture, **(GREYS | style)).set_title(title)
    for ax in axes[len(pictures) :]:
        ax.set_axis_off()


def draw(ax: Axes, data: Data, sky: float) -> Axes:
    """Draw the quality of the deep field against the share of measurements."""
    for level, dashed in (sky, "-"), (0.0, "--"):
        points = data.where(scene=SKY, sky=level)
        x, quality = points["fraction"], points["psnr"]
        ax.plot(x, quality, color=BLUE, marker="o", linestyle=dashed)
        ax.plot(x, points["shortest"], color=BLACK, marker="v", linestyle=dashed)
        if level:
            alone = {"color": BLUE, "va": "top", "xytext": (8, -4)}
            plotting.label(ax, x[len(x) // 2], quality[len(x) // 2], "galaxies alone", **alone)
    place = {"ha": "right", "xytext": (6, 12)}
    plotting.label(ax, x[-1], quality[-1], "with the noise of the sky", color=BLUE, **place)
    place |= {"xytext": (6, -14)}
    plotting.label(ax, x[-1], points["shortest"][-1], "shortest solutions", color=BLACK, **place)
    ax.set(xlabel="measurements over pixels, $M/N$", ylabel="PSNR in dB", ylim=(0, 1.05 * CEILING))
    return ax


def decibels(value: float) -> str:
    """Return a quality in words: from :data:`CEILING` on it is exact, to the eye and beyond."""
    return "exact" if value >= CEILING else f"{value:.1f} dB"


def proven(gap: float) -> str:
    """Return in words up to which power of ten a norm is proven to be the smallest."""
    if not gap < 1:
        return "unproven"
    return f"gap < {plotting.in_words(np.ceil(np.log10(max(gap, 1e-15))), 0)}"


def page(data: Data, fraction: float, seed: int) -> tuple[Figure, str]:
    """Return the picture of the slider for some measurements, and the text that stands for it."""
    found = row(data, scene=HORSE, fraction=fraction)
    quality, gap = decibels(found["psnr"]), proven(found["gap"])
    least = decibels(found["shortest"])
    titles = f"least length\n{least}", f"least $\\ell_1$ norm\n{quality}, {gap}"
    short = shortest(HORSE, 0.0, fraction, seed)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5, 2.85), dpi=100, layout="constrained")
        for ax, title, picture in zip(
            figure.subplots(1, 2), titles, (short, found["picture"]), strict=True
        ):
            show(ax, 1 - picture, cmap="gray", vmin=0, vmax=1).set_title(title, fontsize=11)
    return figure, f"least length {least}; least l1 norm {quality}, {gap}."
