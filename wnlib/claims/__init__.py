"""The claims of the book: each theorem as numbers that must not exceed thresholds.

One module per chapter. Each label of a theorem, proposition, lemma or corollary has exactly one
claim, and each claim a label; a test compares the two lists.
"""

from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from wnlib import ledger
from wnlib.claims import (
    camera,
    convergence,
    exact_limits,
    figure_1,
    figure_2,
    figure_3,
    figure_4,
    figure_5,
    finite_steps,
    hubble,
    l1_solver,
    lasso_path,
    magnification,
    moves,
    on_the_way,
    phase_transition,
    plain_flow,
    plain_sparsity,
    polar,
    potential,
    rates,
    reach,
    robustness,
    schedules,
    shape,
    sparse_recovery,
    sparsity,
    speed,
    stalls,
)

CHAPTERS = (
    sparse_recovery,
    plain_flow,
    plain_sparsity,
    polar,
    potential,
    convergence,
    magnification,
    rates,
    schedules,
    figure_1,
    figure_2,
    on_the_way,
    figure_4,
    figure_3,
    figure_5,
    exact_limits,
    robustness,
    stalls,
    shape,
    finite_steps,
    lasso_path,
    speed,
    reach,
    phase_transition,
    sparsity,
    hubble,
    l1_solver,
    camera,
)
CLAIMS = {claim.label: claim for chapter in CHAPTERS for claim in chapter.CLAIMS}


def find(claim: str | ledger.Claim) -> ledger.Claim:
    """Return the claim of a label, or say which labels there are; a claim itself is found."""
    if isinstance(claim, ledger.Claim):
        return claim
    if not isinstance(claim, str) or claim not in CLAIMS:
        raise ValueError(f"no claim {claim!r}; there are {', '.join(CLAIMS)}")
    return CLAIMS[claim]


def verify(
    *claims: str | ledger.Claim,
    samples: int = 20,
    seed: int = 0,
    report: Callable[[ledger.Row], object] | None = None,
    executor: Executor | None = None,
) -> ledger.Ledger:
    """Check claims on seeded instances.

    Parameters
    ----------
    *claims : str or Claim
        Labels of statements in the book, or claims of one's own; if none is given, all of the book.
    samples, seed, report, executor
        As in :func:`wnlib.ledger.verify`, which does the work.

    Returns
    -------
    wnlib.ledger.Ledger
        Its rows are in the order of ``claims``.

    Raises
    ------
    ValueError
        For a label that is none, or an argument out of its range.
    """
    return ledger.verify(
        find,
        claims or tuple(CLAIMS),
        samples=samples,
        seed=seed,
        report=report,
        executor=executor,
    )


def attack(
    *claims: str | ledger.Claim,
    samples: int = 20,
    budget: int = 20,
    seed: int = 0,
    report: Callable[[ledger.Attacked], object] | None = None,
    executor: Executor | None = None,
) -> ledger.Attack:
    """Search for instances that violate the upper bounds that claims state.

    Parameters
    ----------
    *claims : str or Claim
        As in :func:`verify`; those without an upper bound are left out.
    samples, budget, seed, report, executor
        As in :func:`wnlib.ledger.attack`, which does the work.

    Returns
    -------
    wnlib.ledger.Attack

    Raises
    ------
    ValueError
        For a label that is none, or an argument out of its range.
    """
    return ledger.attack(
        find,
        claims or tuple(CLAIMS),
        move=moves.nudged,
        write=moves.snippet,
        samples=samples,
        budget=budget,
        seed=seed,
        report=report,
        executor=executor,
    )


def draw(claim: str | ledger.Claim, number: int, seed: int = 0) -> Any:
    """Return an instance that :func:`verify` draws, to look at what was measured on it.

    Parameters
    ----------
    claim : str or Claim
    number, seed : int
        As in :func:`wnlib.ledger.draw`.
    """
    return ledger.draw(find(claim), number, seed)
