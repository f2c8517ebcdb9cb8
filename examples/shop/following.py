"""Goes after every order that is not at its end: at the start, and as long as the shop runs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import attrs

from linksfield_async import LinksfieldError

from .database import DatabaseDown
from .orders import NoSuchOrder, Orders
from .store import OrderStore

_log = logging.getLogger("shop")
_LONGEST_PAUSE = 3600.0
_AT_ONCE = 8


@attrs.define
class _Turn:
    revision: int
    pause: float
    due: float


class Follower:
    """Asks about open orders: often while somebody watches or something moves, else ever less."""

    def __init__(self, orders: Orders, store: OrderStore, *, every: float) -> None:
        self._orders = orders
        self._store = store
        self._every = every
        self._turns: dict[str, _Turn] = {}
        self._watched: Counter[str] = Counter()

    @contextmanager
    def watching(self, key: str) -> Iterator[None]:
        """Ask about an order often while a page shows it."""
        self._watched[key] += 1
        self._turns.pop(key, None)
        try:
            yield
        finally:
            self._watched[key] -= 1
            if not self._watched[key]:
                del self._watched[key]

    async def run(self) -> None:
        """Follow until cancelled; no order and no outage ends it."""
        while True:
            try:
                await self._round()
            except DatabaseDown as error:
                _log.error("orders cannot be followed now: %s", error)
            await asyncio.sleep(self._every)

    async def _round(self) -> None:
        open_keys = await self._store.open_keys()
        self._turns = {key: self._turns[key] for key in open_keys if key in self._turns}
        now = time.monotonic()
        due = [key for key in open_keys if key not in self._turns or self._turns[key].due <= now]
        at_once = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for key in due:
                group.create_task(self._look(key, at_once))

    async def _look(self, key: str, at_once: asyncio.Semaphore) -> None:
        async with at_once:
            try:
                placed = await self._orders.look(key)
            except (LinksfieldError, NoSuchOrder, DatabaseDown) as error:
                # E.g. begun at other endpoints: it is told, and harms no other one.
                _log.error("an order cannot be followed: %s", error)
                revision = -1
            except Exception:
                # A mistake in the shop's own code must not end the following of all others.
                _log.exception("an order cannot be followed")
                revision = -1
            else:
                revision = placed.checkout.record.revision
        before = self._turns.get(key)
        moved = before is None or before.revision != revision
        if moved or key in self._watched or before is None:
            pause = self._every
        else:
            pause = min(2 * before.pause, _LONGEST_PAUSE)
        self._turns[key] = _Turn(revision, pause, time.monotonic() + pause)
