"""What the page of notation shows: shapes of what the library returns, and the mirror maps."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from wnlib.theory.invariants import psi


def shapes(thing: object, **expected: tuple[int, ...]) -> bool:
    """Print the shapes of attributes of a thing, and how they differ from the expected ones.

    Parameters
    ----------
    thing : object
    **expected : tuple of int
        The shape of each attribute.

    Returns
    -------
    bool
        Whether all are as expected.
    """
    right = True
    for name, shape in expected.items():
        found = np.shape(getattr(thing, name))
        right &= found == shape
        print(f"{name:16}{found}" + ("" if found == shape else f", not {shape}"))
    return right


def draw_mirror_maps(ax: Axes, depths: Sequence[float], z: ArrayLike) -> Axes:
    """Draw the mirror map of the plain flow at a few depths.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    depths : sequence of float
    z : array_like
        Positive effective weights.

    Returns
    -------
    matplotlib.axes.Axes
    """
    for k, depth in enumerate(depths):
        ax.semilogx(z, psi(z, depth), ("-", "--", "-.", ":")[k % 4], label=f"$L = {depth:g}$")
    ax.set(xlabel="effective weight $z$", ylabel=r"$\psi_L(z)$", ylim=(-26, 4))
    if depths:
        ax.legend(loc="lower right")
    return ax
