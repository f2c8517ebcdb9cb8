"""Items whose answer an earlier session lost: which these are, and how each is concluded."""

from __future__ import annotations

from typing import Any

from ..operation import Effect, Operation
from ..pipeline import Sender
from .journal.ledger import Ledger
from .journal.rows import Stored, says_not_carried_out
from .journal.schema import NAMES
from .journal.settings import Journal, Settlement
from .settling import Asking, quarantine_end, settler_of


class Doubts:
    """Knows of each operation that must not be carried out twice whether it may be sent again."""

    def __init__(self, journal: Journal, ledger: Ledger, sender: Sender, deadline: float) -> None:
        self._journal, self._ledger = journal, ledger
        self._sender, self._deadline = sender, deadline
        self._asking = Asking()
        self._settler = settler_of(journal, self._asking)

    def known(self, operation: Operation[Any] | None) -> None:
        """Tell of an operation that the service has said yes to: what proves that asking works."""
        self._asking.known(operation)

    def has(self, operation: Operation[Any], stored: Stored) -> bool:
        """Tell whether it may have been carried out, where a repeat could do harm."""
        if operation.effect is not Effect.ONCE:
            return False
        if NAMES.get(stored.verdict) != "failed":
            return True
        return not says_not_carried_out(stored)

    def seconds_to_wait(self, stored: Stored) -> float:
        """Say how long it stays in quarantine."""
        if self._settler is None:
            return 0.0
        sent_before = self._ledger.sent_before_ms(stored.at_ms or 0)
        due = quarantine_end(self._journal, sent_before, self._deadline)
        return max(0.0, (due - self._ledger.wall_ms) / 1000)

    async def conclude(self, operation: Operation[Any]) -> Settlement:
        """Find out what became of one; `carried_out` is None where it stays unknown."""
        if self._settler is None:
            told = "it was sent before and no answer was recorded: settle it by hand"
            return Settlement(None, told)
        return await self._settler(operation, self._sender)
