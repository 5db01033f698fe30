"""What the claims about the magnification share: which number rho is."""

import numpy as np

from wnlib.claims.common import arrives, distance_to_end
from wnlib.flows import PlainFlow, squared_radius
from wnlib.ledger import Part
from wnlib.results import Status
from wnlib.roads.limit import limit
from wnlib.theory import invariants


def log_rho_of(instance):
    """Return log rho from the lengths at the two ends of the run."""
    return float(invariants.log_rho(instance.flow, instance.x0, instance.run.weights))


def plain_limit_from(instance, problem, log_rho):
    """Return the plain limit from start / rho; None if that start is no float, or too large."""
    L = instance.flow.depth
    log_start = np.log(instance.x0) - log_rho / L
    if not (log_start.min() > np.log(1e-290) and log_start.max() < np.log(1e100) / L):
        return None
    return limit(PlainFlow(L), problem, np.exp(log_start))


def magnified(instance, log_rho):
    """Distance between the end of the run and the plain limit from start / rho, relative."""
    end = plain_limit_from(instance, instance.reached, log_rho)
    return None if end is None else distance_to_end(instance, end)


def stalls(instance):
    """Tell whether the run ended in a stall."""
    return instance.run.status is Status.STALLED


def magnified_to_solution(instance):
    """Distance of the run's end from the plain limit that solves the problem itself, relative."""
    end = plain_limit_from(instance, instance.problem, log_rho_of(instance))
    return None if end is None else distance_to_end(instance, end)


def rho_scale(instance):
    """Return one plus the larger term of log rho, to which rounding and residuals are relative."""
    R = max(np.sum(instance.x0**2), instance.run.radius**2)
    return 1 + instance.flow.depth * R / (2 * instance.flow.ratio)


def _rho_reported(instance, factor):
    """Largest difference between log rho as fitted, as of the lengths, and as `limit` says."""
    run, found, exact = instance.run, instance.fitted, instance.reached_limit
    if found is None or exact.status is not Status.CONVERGED or _hangs_on_rounding(run):
        return None
    value, _, k = found
    formula = float(invariants.log_rho(run.flow, run.path[0], run.path[k]))
    reported = abs(factor * exact.log_rho - log_rho_of(instance))
    return max(abs(value - formula) / (1 + abs(value)), reported / rho_scale(instance))


def _hangs_on_rounding(run):
    """Tell whether entries of the size of rounding errors decide the squared radius, and log rho.

    At large depths z^{2/L} is steep where z vanishes: 1e-16 to the 1/5 is 6e-4.
    """
    z, L = run.stacked, run.flow.depth
    unknown = squared_radius(z + 1e-15 * z.max(), L) - squared_radius(z, L)
    return L / 2 * unknown * abs(1 / run.flow.ratio - 1 / run.radius**2) > 1e-5


def rho_part():
    """Return the part of each claim about rho that says which number this is."""
    return Part(
        name="rho",
        kind="exact",
        measured="largest difference between log rho as fitted to the run, as of its lengths, and "
        "as reported by wn.limit, relative",
        threshold=1e-4,
        reason="the regression may lose five digits of the integration",
        applies=arrives,
        measure=lambda i: _rho_reported(i, 1.0),
        twin="twice what wn.limit reports",
        measure_twin=lambda i: _rho_reported(i, 2.0),
    )
