"""Figure 5 on other problems, as :mod:`wnlib.figures.other_draws` does it for Figure 1."""

from functools import partial

from wnlib.figures import other_draws
from wnlib.figures.studies import Study

compute = Study(
    "signed_draws",
    other_draws.trial,
    partial(other_draws.grid, signed=True),
    rtol=other_draws.RTOL,
    atol=other_draws.ATOL,
)
