"""Claims of the chapter on magnification."""

from wnlib.claims.magnification import convergence, factor, potential

CLAIMS = (*convergence.CLAIMS, *factor.CLAIMS, *potential.CLAIMS)
