"""A real picture, sparse because it shows the night sky.

``hubble_crop.txt`` is a piece of the Hubble eXtreme Deep Field (NASA, ESA, G. Illingworth,
D. Magee, P. Oesch, R. Bouwens and the HUDF09 team, 2012; in the public domain), made from the file
``hubble_deep_field.jpg`` that scikit-image 0.26 ships, whose sha256 begins with 3a19c5dd: turned to
grey by Pillow, rows 480 to 639 and columns 0 to 159, means of 5 x 5 pixels, times ten, rounded.
"""

from hashlib import sha256
from pathlib import Path

import numpy as np

from wnlib._checks import finite, nonnegative
from wnlib._types import Floats

FILE = Path(__file__).with_name("hubble_crop.txt")
SHA256 = "6408674087ab776ea3a0257fdb518ad230960b5a02c2748e1d4aa319908be3c5"
NORMAL = 1.4826  # standard deviation of a normal variable over its median absolute deviation


def hubble() -> Floats:
    """Return the picture: greys from 0, black, to 255, shape (32, 32).

    Raises
    ------
    ValueError
        If the file is not the one that came with the library.
    """
    tenths = np.loadtxt(FILE, dtype="<u2")
    if (found := sha256(tenths.tobytes()).hexdigest()) != SHA256:
        raise ValueError(
            f"{FILE} is not the picture that came with wnlib: the sha256 of its numbers is "
            f"{found}, not {SHA256}. Restore the file, by git or by installing wnlib again"
        )
    return tenths / 10


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
