"""Hands outcomes to the caller, as they come or in the order of the input."""

from __future__ import annotations

import asyncio
from collections import deque
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from .outcome import Outcome

if TYPE_CHECKING:
    from .journal.writer import Cells

Ready: TypeAlias = "tuple[Outcome[Any], Cells | None]"
"""An outcome, and its row where there is a journal."""


class Handover:
    """A queue whose length the room for items bounds; one wake-up serves all that is in it."""

    def __init__(self, *, in_order: bool) -> None:
        self.givers = 0
        """Who may still put something here."""
        self.ready: deque[Ready] = deque()
        """What is there to be taken, first come first."""
        self._taker: asyncio.Future[None] | None = None
        self._waiting: dict[int, Ready | int] | None = {} if in_order else None
        self._expected = 0

    async def wait(self) -> bool:
        """Wait until there is one; False where all givers have ended and nothing is left."""
        while not self.ready and self.givers:
            self._taker = asyncio.get_running_loop().create_future()
            try:
                await self._taker
            finally:
                self._taker = None
        if not self.ready:
            self.ready.extend(self._rest())
        return bool(self.ready)

    def ended(self) -> None:
        """Tell that one of the givers has ended."""
        self.givers -= 1
        if not self.givers:
            self._wake()

    def put(self, ready: Ready) -> None:
        """Hand one over, as soon as it is its turn."""
        if self._waiting is None:
            self.ready.append(ready)
            if self._taker is not None:
                self._wake()
        else:
            self._waiting[ready[0].position] = ready
            self._advance(self._waiting)

    def skip(self, position: int, count: int = 1) -> None:
        """Tell that some positions will have no outcome."""
        if self._waiting is not None:
            self._waiting[position] = count
            self._advance(self._waiting)

    def _wake(self) -> None:
        taker, self._taker = self._taker, None
        if taker is not None and not taker.done():
            taker.set_result(None)

    def _rest(self) -> list[Ready]:
        """Give what waits for others that will not come any more."""
        waiting = self._waiting or {}
        if self._waiting is not None:
            self._waiting = {}
        return [
            ready
            for _, ready in sorted(waiting.items(), key=itemgetter(0))
            if not isinstance(ready, int)
        ]

    def _advance(self, waiting: dict[int, Ready | int]) -> None:
        while (ready := waiting.pop(self._expected, None)) is not None:
            if isinstance(ready, int):
                self._expected += ready
            else:
                self._expected += 1
                self.ready.append(ready)
        if self.ready:
            self._wake()
