"""Hands outcomes to the caller, as they come or in the order of the input."""

from __future__ import annotations

import asyncio
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import attrs

from .outcome import Outcome

if TYPE_CHECKING:
    from .journal.writer import Cells


@attrs.frozen
class Ready:
    """An outcome, and its row where there is a journal."""

    outcome: Outcome[Any]
    cells: Cells | None


class Handover:
    """A queue whose length the room for items bounds; `None` says that a worker has ended."""

    def __init__(self, *, in_order: bool) -> None:
        self._queue: asyncio.Queue[Ready | None] = asyncio.Queue()
        self._waiting: dict[int, Ready | int] | None = {} if in_order else None
        self._expected = 0

    async def get(self) -> Ready | None:
        """Wait for the next one."""
        return await self._queue.get()

    def ended(self) -> None:
        """Tell that somebody who put outcomes here has ended."""
        self._queue.put_nowait(None)

    def put(self, ready: Ready) -> None:
        """Hand one over, as soon as it is its turn."""
        if self._waiting is None:
            self._queue.put_nowait(ready)
        else:
            self._waiting[ready.outcome.position] = ready
            self._advance(self._waiting)

    def skip(self, position: int, count: int = 1) -> None:
        """Tell that some positions will have no outcome."""
        if self._waiting is not None:
            self._waiting[position] = count
            self._advance(self._waiting)

    def rest(self) -> list[Ready]:
        """Give what waits for others that will not come any more."""
        waiting, self._waiting = self._waiting or {}, {}
        return [
            ready
            for _, ready in sorted(waiting.items(), key=itemgetter(0))
            if isinstance(ready, Ready)
        ]

    def _advance(self, waiting: dict[int, Ready | int]) -> None:
        while (ready := waiting.pop(self._expected, None)) is not None:
            if isinstance(ready, Ready):
                self._expected += 1
                self._queue.put_nowait(ready)
            else:
                self._expected += ready
