"""Real pictures: two of the night sky, sparse in their pixels, and one that is sparse in wavelets.

``hubble_crop.txt`` is a piece of the Hubble eXtreme Deep Field (NASA, ESA, G. Illingworth,
D. Magee, P. Oesch, R. Bouwens and the HUDF09 team, 2012; in the public domain), made from the file
``hubble_deep_field.jpg`` that scikit-image 0.26 ships, whose sha256 begins with 3a19c5dd: turned to
grey by Pillow, rows 480 to 639 and columns 0 to 159, means of 5 x 5 pixels, times ten, rounded.

``pictures.npz`` holds a larger piece of the same file: rows 300 to 587 and columns 0 to 287, sums
of 3 x 3 pixels. And a horse, the file ``horse.png`` that scikit-image ships, whose sha256 begins
with c7fb6078: a silhouette by Andreas Preuss (marauder, openclipart.org, 158377; CC0). It was
turned to grey by Pillow, eight columns were cut off on the left and on the right and 28 white rows
added above and below; of means of 3 x 3 pixels, those below one half belong to the horse. The bits
are packed.
"""

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wnlib._checks import finite, nonnegative
from wnlib._types import Floats

FILE = Path(__file__).with_name("hubble_crop.txt")
SHA256 = "6408674087ab776ea3a0257fdb518ad230960b5a02c2748e1d4aa319908be3c5"
LARGER = Path(__file__).with_name("pictures.npz")
LARGER_SHA256 = "f7b8ce0ee4fad7f545fc59b44c9eb17ee602fec2c949a7d85b2be3ffe74b0cd7"
NORMAL = 1.4826  # standard deviation of a normal variable over its median absolute deviation


def hubble() -> Floats:
    """Return the picture: greys from 0, black, to 255, shape (32, 32).

    Raises
    ------
    ValueError
        If the file is not the one that came with the library.
    """
    tenths = np.loadtxt(FILE, dtype="<u2")
    _check(FILE, tenths.tobytes(), SHA256)
    return tenths / 10


def deep_field() -> Floats:
    """Return a larger piece of the sky: greys from 0, black, to 255, shape (96, 96).

    Raises
    ------
    ValueError
        As :func:`hubble`.
    """
    return _larger()[0] / 9


def horse() -> Floats:
    """Return the silhouette of a horse: 1 where it is, 0 elsewhere, shape (128, 128).

    Raises
    ------
    ValueError
        As :func:`hubble`.
    """
    return np.unpackbits(_larger()[1]).reshape(128, 128).astype(float)


def _larger() -> tuple[NDArray[Any], NDArray[Any]]:
    """Return what :data:`LARGER` holds: sums of nine pixels, and packed bits."""
    with np.load(LARGER) as file:
        sums, bits = file["deep_field"], file["horse"]
    _check(LARGER, sums.tobytes() + bits.tobytes(), LARGER_SHA256)
    return sums, bits


def _check(file: Path, numbers: bytes, wanted: str) -> None:
    if (found := sha256(numbers).hexdigest()) != wanted:
        raise ValueError(
            f"{file} is not the picture that came with wnlib: the sha256 of its numbers is "
            f"{found}, not {wanted}. Restore the file, by git or by installing wnlib again"
        )


def above_sky(picture: Floats, sky: float) -> Floats:
    """Return what stands out from the sky, in units of the brightest pixel.

    Parameters
    ----------
    picture : numpy.ndarray
        Of more sky than stars, not of one grey.
    sky : float
        The sky is what is at most as many standard deviations of its noise above the median, both
        estimated from medians: it becomes 0, and is taken from all other pixels.

    Returns
    -------
    numpy.ndarray, of the same shape
        In [0, 1].

    Raises
    ------
    ValueError, TypeError
        If nothing stands out.
    """
    picture, sky = finite("picture", picture, (1, 2)), nonnegative("sky", sky)
    middle = np.median(picture)
    noise = NORMAL * np.median(abs(picture - middle))
    light = np.maximum(picture - middle - sky * noise, 0)
    if not light.any():
        raise ValueError(f"no pixel stands out {sky:g} deviations from the sky: lower sky")
    return light / light.max()


def psnr(picture: Floats, truth: Floats) -> float:
    """Return the peak signal-to-noise ratio, in decibels.

    Twenty of them are a factor of ten between the brightest true pixel and the root of the mean
    square of what the picture misses.

    Parameters
    ----------
    picture, truth : numpy.ndarray, of one shape
        The truth is not black.

    Returns
    -------
    float
        Infinite if nothing is missed.

    Raises
    ------
    ValueError, TypeError
        If the shapes differ or the truth is black.
    """
    picture, truth = finite("picture", picture, (1, 2)), finite("truth", truth, (1, 2))
    if picture.shape != truth.shape:
        raise ValueError(f"picture must have shape {truth.shape}, as truth; got {picture.shape}")
    if not truth.max() > 0:
        raise ValueError("truth is black: there is no brightest pixel to compare with")
    with np.errstate(divide="ignore"):
        return float(20 * np.log10(truth.max() / np.sqrt(np.mean((picture - truth) ** 2))))
