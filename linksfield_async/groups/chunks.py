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
    """What was found out about the size; shared by all changes of a client."""

    found: int | None = None
    """The most to try, once a request was refused by its size."""

    def of(self, wanted: int | None) -> int:
        """Give the size for the next request of a change that would begin with `wanted`."""
        size = FIRST_SIZE if wanted is None else wanted
        return size if self.found is None else min(size, self.found)

    def refuse(self, size: int) -> None:
        """Halve it; several that were under way together halve it once."""
        half = max(1, size // 2)
        self.found = half if self.found is None else min(half, self.found)
