"""wnlib: implicit regularization by weight normalization, in three independent ways.

``limit``, ``integrate`` and ``descend`` take the same arguments, ``(flow, problem, x0, ...)``,
and lead to the same point: exactly, in continuous time, and in discrete time.

To find a sparse ``z`` with ``A z = b``, fast and with a certificate::

    found = wn.basis_pursuit(A, b)                # signed=False if no entry is negative
    found.z, found.gap, found.status              # found.status says whether it is certified

``wn.basis_pursuit_denoise(A, b, sigma)`` allows a residual, for noisy measurements. What a flow
itself ends at, in place of its limit of small ratios::

    problem = wn.Problem(A, b)                    # signed=True if entries may be negative
    x0 = wn.initial_weights(problem, scale=0.1, seed=0)
    found = wn.limit(wn.WeightNormFlow(depth=2, ratio=0.1), problem, x0)
    found.effective                               # z

The smaller the ratio, the nearer to the smallest l1 norm, as long as ``|x0|^2`` is below that norm.
To smooth noise by stopping on the way, ``integrate(..., average=True)`` records averages that lie
near a Lasso path; see the chapter ``lasso_path`` of the book.
"""

from importlib import import_module
from typing import Any

from wnlib.flows import PlainFlow, PowerFlow, ScheduledFlow, Warmup, WeightNormFlow
from wnlib.l1.basis_pursuit import basis_pursuit, basis_pursuit_denoise
from wnlib.l1.check import check_certificate
from wnlib.l1.linear_program import MinL1, min_l1
from wnlib.l1.solution import L1Solution
from wnlib.problems import Problem, initial_weights, sparse_problem
from wnlib.results import Limit, Result, Status, Trajectory
from wnlib.roads._stalling import rules_out_stall, stalls
from wnlib.roads.descend import descend
from wnlib.roads.integrate import integrate
from wnlib.roads.limit import limit
from wnlib.sweeps import sweep
from wnlib.theory import bounds, finite_steps, invariants, potentials, rates, schedules

__version__ = "0.1.0"
_FIGURES = ("plotting", "prose", "widgets")
__all__ = [
    "L1Solution",
    "Limit",
    "MinL1",
    "PlainFlow",
    "PowerFlow",
    "Problem",
    "Result",
    "ScheduledFlow",
    "Status",
    "Trajectory",
    "Warmup",
    "WeightNormFlow",
    "basis_pursuit",
    "basis_pursuit_denoise",
    "bounds",
    "check_certificate",
    "descend",
    "finite_steps",
    "initial_weights",
    "integrate",
    "invariants",
    "limit",
    "min_l1",
    "potentials",
    "rates",
    "rules_out_stall",
    "schedules",
    "sparse_problem",
    "stalls",
    "sweep",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Load what few need where it is asked for: the claims, and figures, which need Matplotlib."""
    if name == "verify":
        return import_module("wnlib.claims").verify
    if name in _FIGURES:
        return import_module(f"wnlib.figures.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
