"""The two methods that the figures compare: their names, colours and flows."""

from wnlib.figures.plotting import BLUE, VERMILLION
from wnlib.flows import Flow, PlainFlow, WeightNormFlow

COLORS = {"GD": VERMILLION, "WN-GD": BLUE}
METHODS = tuple(COLORS)


def flow_of(method: str, depth: float, ratio: float) -> Flow:
    """Return the flow of a method, "GD" or any that normalizes; GD has no use for the ratio."""
    return PlainFlow(depth) if method == "GD" else WeightNormFlow(depth, ratio)
