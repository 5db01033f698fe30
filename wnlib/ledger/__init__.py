"""Claims as records, and the ledger of what a computer found of them.

Generic: nothing here knows what the claims are about, nor where they are kept.
"""

from wnlib.ledger._attack import Attack, Attacked, Strike, attack
from wnlib.ledger._verify import Finding, Ledger, Row, Verdict, draw, verify
from wnlib.ledger.claim import Claim, Part, always

__all__ = [
    "Attack",
    "Attacked",
    "Claim",
    "Finding",
    "Ledger",
    "Part",
    "Row",
    "Strike",
    "Verdict",
    "always",
    "attack",
    "draw",
    "verify",
]
