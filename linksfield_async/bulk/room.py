"""Room for items that were taken and are not handed over yet: what bounds the look-ahead."""

from __future__ import annotations

import asyncio
from collections import deque


class Room:
    """A semaphore whose size may change; first come, first served."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._waiters: deque[asyncio.Future[None]] = deque()

    def resize(self, size: int) -> None:
        """Change the size; what is taken already stays."""
        self._size = size
        self._wake()

    def acquire_at_once(self) -> bool:
        """Take one place where there is one and nobody waits for it."""
        if self._used >= self._size or self._waiters:
            return False
        self._used += 1
        return True

    async def acquire(self) -> None:
        """Take one place, as soon as there is one."""
        if self.acquire_at_once():
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.release()  # the place was given in the same moment
            raise

    def release(self) -> None:
        """Give one place back."""
        self._used -= 1
        if self._waiters:
            self._wake()

    def _wake(self) -> None:
        while self._waiters and self._used < self._size:
            waiter = self._waiters.popleft()
            if not waiter.done():
                self._used += 1
                waiter.set_result(None)
