"""Figure 5 on other problems, as :mod:`wnlib.figures.other_draws` does it for Figure 1."""

from typing import Any

from wnlib.figures import other_draws
from wnlib.figures.studies import Study


def grid(
    n_problems: int = 10,
    start_seed: int = 2,
    scale: float = 0.1,
    depth: float = 2,
    ratio: float = 0.1,
    t_end: float = 500.0,
    level: float = 1e-3,
    n_measurements: int = 40,
    n_features: int = 100,
    sparsity: int = 5,
) -> dict[str, Any]:
    """Return the points: problems of the shape of Figure 5."""
    found = other_draws.grid(
        n_problems=n_problems,
        start_seed=start_seed,
        scale=scale,
        depth=depth,
        ratio=ratio,
        t_end=t_end,
        level=level,
        n_measurements=n_measurements,
        n_features=n_features,
        sparsity=sparsity,
    )
    return found | {"signed": True}


compute = Study(
    "signed_draws", other_draws.trial, grid, rtol=other_draws.RTOL, atol=other_draws.ATOL
)
