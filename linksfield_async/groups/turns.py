"""Turns by name, first come first served, over all clients, loops and threads of a process."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

from ..resilience.forks import renew_after_fork

Key: TypeAlias = tuple[str, ...]


class Turns:
    """Lets one at a time do something under a name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[Key, deque[asyncio.Future[None]]] = {}
        renew_after_fork(self)

    def renew_in_child(self) -> None:
        """Forget the parent's turns: none of those who have one is in this process."""
        self._lock, self._queues = threading.Lock(), {}

    @asynccontextmanager
    async def turn(self, key: Key) -> AsyncIterator[None]:
        """Wait for this caller's turn, and hold it."""
        mine = asyncio.get_running_loop().create_future()
        with self._lock:
            queue = self._queues.setdefault(key, deque())
            queue.append(mine)
            if len(queue) == 1:
                mine.set_result(None)
        try:
            await mine
            yield
        finally:
            self._leave(key, mine)

    def _leave(self, key: Key, mine: asyncio.Future[None]) -> None:
        with self._lock:
            queue = self._queues.get(key, deque())
            had_it = bool(queue) and queue[0] is mine
            with suppress(ValueError):
                queue.remove(mine)
            while had_it and queue:
                if _wake(queue[0]):
                    break
                queue.popleft()  # its loop is closed: nobody waits there
            if not queue:
                self._queues.pop(key, None)


def _wake(waiter: asyncio.Future[None]) -> bool:
    def tell() -> None:
        if not waiter.done():
            waiter.set_result(None)

    try:
        waiter.get_loop().call_soon_threadsafe(tell)
    except RuntimeError:
        return False
    return True


SYNCS = Turns()
"""The syncs of this process: two of one group never overlap."""
