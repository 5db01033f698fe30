"""The claims of the book: each theorem as numbers that must not exceed thresholds.

One module per chapter. Each label of a theorem, proposition, lemma or corollary has exactly one
claim, and each claim a label; a test compares the two lists.
"""

from wnlib.claims import figure_2, magnification, plain_flow, polar, sparse_recovery

CHAPTERS = (sparse_recovery, plain_flow, polar, magnification, figure_2)
CLAIMS = {claim.label: claim for chapter in CHAPTERS for claim in chapter.CLAIMS}
