"""Claims as records, and the ledger of what a computer found of them.

Generic: nothing here knows what the claims are about, nor where they are kept.
"""

from wnlib.ledger._verify import Finding, Ledger, Row, Verdict, draw, verify
from wnlib.ledger.claim import Claim, Part, always

__all__ = ["Claim", "Finding", "Ledger", "Part", "Row", "Verdict", "always", "draw", "verify"]
