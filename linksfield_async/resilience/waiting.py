"""Callers that wait in event loops of their own, and the one timer that each loop has for them."""

from __future__ import annotations

import asyncio
import enum
import math
from typing import TypeAlias

import attrs

Loop: TypeAlias = asyncio.AbstractEventLoop


class Lane(enum.Enum):
    """Who is waiting: somebody in front of a screen, or a batch."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


@attrs.define(eq=False)
class Timer:
    """The one timer of a loop, and for how many waiters it is there."""

    waiters: int = 0
    due: float = math.inf
    handle: asyncio.TimerHandle | None = None


@attrs.define(eq=False)
class Waiter:
    """One caller in a lane."""

    future: asyncio.Future[float | None]
    """Its result: None for a grant, else the wait that is too long."""
    timer: Timer
    lane: Lane
    latest: float
    granted: bool = False

    def tell(self, needed: float | None, here: Loop | None) -> bool:
        """Wake the waiter in its own loop; False where that is closed."""
        loop = self.future.get_loop()
        if loop is here:
            self._end(needed)
            return True
        try:
            loop.call_soon_threadsafe(self._end, needed)
        except RuntimeError:  # closed
            return False
        return True

    def _end(self, needed: float | None) -> None:
        if not self.future.done():
            self.future.set_result(needed)


def running_loop() -> Loop | None:
    """Give the loop that runs here, if any."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
