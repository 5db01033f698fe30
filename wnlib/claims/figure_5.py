"""Claims on Figure 5: signed truths, and the two halves of what is trained."""

from dataclasses import replace

import numpy as np
from scipy.special import logsumexp

from wnlib.claims.common import INEQUALITY, INTEGRATION
from wnlib.claims.figure_1 import (
    ACCURATE,
    LEVEL,
    RATIO,
    SHORTEST,
    WIDER,
    over,
    recovery,
)
from wnlib.claims.instances import hard_instance
from wnlib.ledger import Claim, Part
from wnlib.theory import halves


def _signed(rng):
    return hard_instance(rng, weight_norm=bool(rng.random() < 0.7), signed=True)


def _log_rho(instance):
    """Return log rho along the run, shape (T,), from its lengths."""
    log_radius = logsumexp(2 * instance.run.log_path, axis=1) / 2
    return instance.flow.log_rho(np.exp(log_radius[0]), np.exp(log_radius))


def _log_stacked(instance):
    return instance.flow.depth * instance.run.log_path


def _off_mean(instance, depth, log_rho):
    """Return by how much the log of the mean misses that of the start, over what it moves."""
    log_mean = halves.log_mean(depth, _log_stacked(instance))
    miss = log_mean - log_mean[0] + np.reshape(log_rho, (-1, 1))
    return np.abs(miss).max() / (1 + np.abs(_log_rho(instance)).max())


def _overlap(instance, factor):
    """Return the largest overlap of the halves along the run over a factor times its bound."""
    log_stacked = _log_stacked(instance)
    smaller = np.minimum(*np.split(log_stacked, 2, axis=1))
    log_overlap = np.log(2) + logsumexp(smaller, axis=1)
    allowed = halves.log_overlap_bound(instance.flow.depth, instance.x0, _log_rho(instance))
    return np.exp((log_overlap - allowed).max()) / factor


CLAIMS = (
    Claim(
        label="lem-two-halves",
        statement="The mean m(z_+, z_-) of the two halves of a signed problem is that of the start "
        "over rho at all times, so that their overlap is at most 2 sum m(beta_+, beta_-) / rho.",
        sample=_signed,
        parts=(
            Part(
                name="L = 2",
                kind="exact",
                measured="largest miss of log m along the run, over 1 + |log rho|",
                threshold=1e-6,
                reason=INTEGRATION,
                applies=lambda i: i.flow.depth == 2,
                measure=lambda i: _off_mean(i, 2, _log_rho(i)),
                twin="weight normalization conserves the mean itself",
                measure_twin=lambda i: _off_mean(i, 2, 0.0),
            ),
            Part(
                name="L > 2",
                kind="exact",
                measured="the same",
                threshold=1e-6,
                reason=INTEGRATION,
                applies=lambda i: i.flow.depth > 2,
                measure=lambda i: _off_mean(i, i.flow.depth, _log_rho(i)),
                twin="the geometric mean, as for depth 2",
                measure_twin=lambda i: _off_mean(i, 2, _log_rho(i)),
            ),
            Part(
                name="overlap",
                kind="upper",
                measured="largest overlap along the run over its bound",
                threshold=1 + 1e-6,
                reason=INEQUALITY,
                measure=lambda i: _overlap(i, 1.0),
                twin="half of the bound",
                measure_twin=lambda i: _overlap(i, 0.5),
            ),
        ),
    ),
    Claim(
        label="obs-signed",
        statement="With signed truths and 2N weights, weight normalization is accurate as long as "
        "the whole start has r0^2 <= Q / 2, gradient descent not from half of that scale, and "
        "at scale 0.1, if r0^2 <= Q / 4, it is more than 1e5 times as far off.",
        sample=lambda rng: recovery(rng, signed=True),
        parts=(
            replace(
                ACCURATE,
                twin="only half of the weights count: those of z_+ alone have r0^2 = 0.9 Q",
                measure_twin=lambda i: over(i.normalized(i.scale(1.8)), LEVEL),
            ),
            SHORTEST,
            WIDER,
            RATIO,
        ),
    ),
)
