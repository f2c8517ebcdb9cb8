"""What became of one item of a bulk run."""

from __future__ import annotations

from typing import Generic, Literal, TypeAlias, TypeVar

import attrs

from ..errors import (
    BadAnswer,
    InvalidInput,
    LinksfieldError,
    OutcomeUnknown,
    Refused,
    Throttled,
)
from ..masking import mask_iccid, mask_repr

T = TypeVar("T", covariant=True)

Verdict: TypeAlias = Literal["valid", "refused", "invalid_input", "failed", "unknown"]
"""valid: carried out, the card is good · refused: the service said no, in its envelope ·
invalid_input: never sent, nothing to send · failed: certainly not answered for this item, e.g.
no connection, throttled, or a bare 4xx · unknown: sent, and no readable answer came."""


@attrs.frozen
class Outcome(Generic[T]):
    """One item with its result or its error, and where it stood in the input."""

    position: int
    """Index in the source, from 0."""
    iccid: str | None = attrs.field(repr=mask_iccid)
    """As sent, or as given where it was not fit to be; None for operations without one."""
    verdict: Verdict
    result: T | None = attrs.field(repr=mask_repr)
    error: LinksfieldError | None
    attempts: int
    elapsed: float = 0.0
    """Seconds from the call to its end, waiting and pauses included; 0 where nothing was sent."""
    row: int | None = None
    """Row of the table it stood in, as a spreadsheet counts; None for other sources."""
    given: str | None = attrs.field(default=None, repr=mask_iccid)
    """As it stood in the source; None where that was no text."""
    duplicate_of: int | None = None
    """Position of the same card further up, which was sent for both; None for a first one."""
    replayed: bool = False
    """True where it is known from the journal and nothing was sent this time."""

    settled: str | None = None
    """What proved that it was carried out, where its own answer was lost and others were asked."""

    @property
    def reason(self) -> str:
        """Why it is not valid, in one line; empty where it is."""
        return "" if self.error is None else str(self.error)


def verdict_on(error: LinksfieldError) -> Verdict:
    """Say what an error means for the item, not for the request.

    Only a refusal in the envelope speaks about the item: a bare 4xx may mean a wrong address,
    and being throttled means nothing but "later".
    """
    if isinstance(error, InvalidInput):
        return "invalid_input"
    if isinstance(error, (OutcomeUnknown, BadAnswer)) or error.needs_reconciliation:
        return "unknown"
    if isinstance(error, Refused) and not isinstance(error, Throttled) and error.code is not None:
        return "refused"
    return "failed"
