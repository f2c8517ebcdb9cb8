"""Time in which nobody waits: pauses are over at once, and clocks have moved on by them."""

from __future__ import annotations

import asyncio
import random
import threading
import time

from ...resilience.clock import Clock
from ...sandbox import Sandbox


class VirtualTime:
    """The clients' clock of a test, and the sandbox's that goes with it.

    A pause before a repeat takes no time: the clients' deadlines and the sandbox's clock are moved
    on by it instead. Pauses that begin at the same time pass together, as they do in real time.
    """

    def __init__(self, sandbox: Sandbox, seed: int) -> None:
        self._sandbox = sandbox
        self._guard = threading.Lock()
        self._skipped = 0.0
        chance = random.Random(f"linksfield pauses {seed}")  # noqa: S311 - meant to repeat
        self.clock = Clock(monotonic=self.now, sleep=self.sleep, random=chance.random)
        """The clock to give to a pipeline."""

    @property
    def skipped(self) -> float:
        """Seconds that nobody had to wait."""
        return self._skipped

    def now(self) -> float:
        """Seconds that never jump back: those that have passed, and those that were skipped."""
        return time.monotonic() + self._skipped

    async def sleep(self, seconds: float) -> None:
        """Be later by so many seconds."""
        due = self.now() + seconds
        # Whoever else is ready begins to wait before anybody's wait is over.
        await asyncio.sleep(0)
        with self._guard:
            left = max(0.0, due - self.now())
            self._skipped += left
        if left:
            self._sandbox.clock.advance(seconds=left)
