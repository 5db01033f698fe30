"""wnlib: implicit regularization by weight normalization, in three independent ways.

``limit``, ``integrate`` and ``descend`` take the same arguments, ``(flow, problem, x0, ...)``,
and lead to the same point: exactly, in continuous time, and in discrete time.

To find a sparse ``z`` with ``A z = b``::

    problem = wn.Problem(A, b)                    # signed=True if entries may be negative
    x0 = wn.initial_weights(problem, scale=0.1, seed=0)
    found = wn.limit(wn.WeightNormFlow(depth=2, ratio=0.1), problem, x0)
    found.effective                               # z; found.status says whether it is certified

The smaller the ratio, the nearer to the smallest l1 norm, as long as ``|x0|^2`` is below that norm;
``wn.min_l1(problem)`` says what it is. Noise in ``b`` is fitted as well: nothing here smooths it.
"""

from wnlib import bounds, invariants
from wnlib.descend import descend
from wnlib.flows import PlainFlow, WeightNormFlow
from wnlib.integrate import integrate
from wnlib.ledger import verify
from wnlib.limits import Limit, limit
from wnlib.linear_program import MinL1, min_l1
from wnlib.problems import Problem, initial_weights, sparse_problem
from wnlib.stalling import stalls
from wnlib.trajectories import Result, Status, Trajectory

__version__ = "0.1.0"
__all__ = [
    "Limit",
    "MinL1",
    "PlainFlow",
    "Problem",
    "Result",
    "Status",
    "Trajectory",
    "WeightNormFlow",
    "bounds",
    "descend",
    "initial_weights",
    "integrate",
    "invariants",
    "limit",
    "min_l1",
    "sparse_problem",
    "stalls",
    "verify",
]
