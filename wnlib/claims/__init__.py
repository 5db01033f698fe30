"""The claims of the book: each theorem as numbers that must not exceed thresholds.

One module per chapter. Each label of a theorem, proposition, lemma or corollary has exactly one
claim, and each claim a label; a test compares the two lists.
"""

from wnlib import ledger
from wnlib.claims import figure_2, magnification, plain_flow, polar, sparse_recovery

CHAPTERS = (sparse_recovery, plain_flow, polar, magnification, figure_2)
CLAIMS = {claim.label: claim for chapter in CHAPTERS for claim in chapter.CLAIMS}


def find(label):
    """Return the claim of a label, or say which labels there are."""
    if not isinstance(label, str) or label not in CLAIMS:
        raise ValueError(f"no claim {label!r}; there are {', '.join(CLAIMS)}")
    return CLAIMS[label]


def verify(*labels, samples=20, seed=0, report=None, executor=None):
    """Check claims on seeded instances.

    Parameters
    ----------
    *labels : str
        Labels of statements in the book; all claims if none is given.
    samples : int
        How many instances to draw for each claim. Where a part of it applied to fewer than three of
        them, or its false twin survived them, up to 200 more are drawn until that is settled.
    seed : int
    report : callable, optional
        Called with each :class:`~wnlib.ledger.Row` as soon as it is there.
    executor : concurrent.futures.Executor, optional
        Checks claims side by side, best a ``ProcessPoolExecutor``: in threads they would wait for
        one another.

    Returns
    -------
    wnlib.ledger.Ledger
        In the order of the labels. If interrupted from the keyboard, with the rows that were
        finished.
    """
    for label in labels:
        find(label)  # a mistake is named before anything is computed
    options = {"samples": samples, "seed": seed, "report": report, "executor": executor}
    return ledger.verify(find, labels or tuple(CLAIMS), **options)


def draw(label, number, seed=0):
    """Return an instance that :func:`verify` draws, to look at what was measured on it.

    Parameters
    ----------
    label : str
    number : int
        From 0 on; ``worst_draw`` of a :class:`~wnlib.ledger.Finding` is one.
    seed : int
    """
    return ledger.draw(find(label), number, seed)
