r"""The flows, as values: the plain gradient flow, and those with weight normalization.

All train ``x > 0`` on ``loss(x) = |A x^L - b|^2 / (2 L)``, ``x^L`` entrywise. Those with
a mirror form are *mirror flows* on one family of positive vectors, the lift ``w``. With an anchor
``x_b`` on the trajectory,

    w^{-(L-2)} = x_b^{-(L-2)} + (L-2) A^T m      (L = 2:  log w = log x_b - A^T m),

and the flow moves the ``n_measurements`` numbers ``m`` by ``m' = clock * (A x^L - b)``:

    plain:                 x = w,               clock = 1
    weight normalization:  x = r w / |w|,       clock = r^2 (r / |w|)^{L-2},
                           r^2 = |x_b|^2 + ratio * log(|w|^2 / |x_b|^2);
    ratio r^2 / power:     x = r w / |w|,       clock = (r / |w|)^{L-2},
                           r = |x_b| * (|w| / |x_b|)^{1 / power}.

With rates that change in time there is none (:class:`ScheduledFlow`).

A flow holds only its parameters; ``integrate``, ``descend`` and ``limit`` are functions of it. All
they know of it they ask it: how it moves (``state``, ``velocity``, ``weights``), and what follows
from that (``lift``, ``log_kappa``, ``metric``). A subclass that moves in another way is followed as
it says by ``descend`` and the weights form of ``integrate``; what follows for the flows here does
not follow for it, so it gives that anew, or what needs it is refused.
"""

from wnlib.flows._flows import (
    FOLLOWS,
    MOTION,
    Flow,
    Lift,
    PlainFlow,
    PowerFlow,
    WeightNormFlow,
    check_flow,
    check_mirror,
    check_start,
    check_weight_norm,
    normalizes,
    vector_form,
)
from wnlib.flows._mirrors import (
    MAX_DEPTH,
    Derivative,
    NormalizedLift,
    PlainLift,
    PowerLift,
    check_depth,
    log_sum,
    psi_of_log,
    psi_rate,
    shift,
    squared_radius,
)
from wnlib.flows._scheduled import (
    ScheduledFlow,
    Warmup,
)

__all__ = [
    "FOLLOWS",
    "MAX_DEPTH",
    "MOTION",
    "Derivative",
    "Flow",
    "Lift",
    "NormalizedLift",
    "PlainFlow",
    "PlainLift",
    "PowerFlow",
    "PowerLift",
    "ScheduledFlow",
    "Warmup",
    "WeightNormFlow",
    "check_depth",
    "check_flow",
    "check_mirror",
    "check_start",
    "check_weight_norm",
    "log_sum",
    "normalizes",
    "psi_of_log",
    "psi_rate",
    "shift",
    "squared_radius",
    "vector_form",
]
