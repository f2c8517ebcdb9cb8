"""How many cards one request may carry: nobody has published it, so the size is found."""

from __future__ import annotations

import re

import attrs

from ..errors import Refused, Throttled

FIRST_SIZE = 1_000
"""Cards per request, where nothing is known yet (chosen)."""

_TOO_LARGE = 413
# The wording is not documented; a refusal for another reason is not to be repeated in halves.
_BY_SIZE = re.compile(
    r"too (?:many|large|long|big)|at most|up to|no more than|exceed|maxim|\bmax\b|limit"
    r"|batch size|\bsize\b|超过|超出|最多|上限",
    re.IGNORECASE,
)
_BY_RATE = re.compile(r"\brate\b|per (?:second|minute|hour|day)|frequen|quota|频", re.IGNORECASE)


def is_by_size(error: Refused, size: int) -> bool:
    """Tell whether a request of so many cards was refused because of their number."""
    if size < 2 or isinstance(error, Throttled) or error.needs_reconciliation:
        return False
    if error.status == _TOO_LARGE:
        return True
    told = str(error)
    return _BY_SIZE.search(told) is not None and _BY_RATE.search(told) is None


@attrs.define
class ChunkSize:
    """The size in use; shared by all changes of a client, and never grows again."""

    size: int = FIRST_SIZE
    refused: int | None = None
    """The smallest size that was refused."""

    def start_at(self, wanted: int | None) -> None:
        """Take a size that was set, unless as many were refused before."""
        if wanted is not None and (self.refused is None or wanted < self.refused):
            self.size = wanted

    def refuse(self, size: int) -> None:
        """Halve it; several that were under way together halve it once."""
        self.refused = size if self.refused is None else min(size, self.refused)
        self.size = min(self.size, max(1, size // 2))
