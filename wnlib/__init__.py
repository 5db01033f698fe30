"""wnlib: implicit regularization by weight normalization, in three independent ways.

``limit``, ``integrate`` and ``descend`` take the same arguments, ``(flow, problem, x0, ...)``,
and lead to the same point: exactly, in continuous time, and in discrete time.
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
