"""The usual mistakes in making such a signature, and which of them gives a sign at hand; pure.

Nothing here decides whether a sign is right: that is for whoever asks, by a rule of its own. This
only tries ways to sign that are not the rule, alone and two at once, until one gives the sign.
"""

from __future__ import annotations

from .search import MOST_FOR_PAIRS, Likeness, likeness

__all__ = ["MOST_FOR_PAIRS", "RULE", "Likeness", "likeness"]

RULE = (
    "all parameters but sign; nulls left out, empty strings kept; sorted by key; JSON without "
    "spaces, non-ASCII and '/' not escaped; lower-case hex MD5 of the UTF-8 bytes"
)
"""The rule in words, as the genuine vectors decide it (evidence: seed)."""
