"""An inbox with a patience: what it does not answer in time counts as unavailable."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import attrs

from ..errors import InboxUnavailable
from .inbox import Claim, Inbox, Standing, Stored

T = TypeVar("T")

_COUNT_EVERY = 0.25
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 600.0


class Store:
    """Asks an inbox on behalf of a receiver; keeps the number of waiting messages bounded."""

    def __init__(self, inbox: Inbox, patience: float, bound: int | None) -> None:
        self._inbox = inbox
        self._patience = patience
        self._bound = bound
        self._room = bound or 0
        self._counted = float("-inf")

    async def keep(self, stored: Stored) -> Standing | None:
        """Keep a message for a worker, unless too many wait."""
        if self._bound is not None:
            await self._make_room(self._bound)
        standing = await self._within(self._inbox.keep(stored))
        if standing is not None:
            self._room += 1
        return standing

    async def _make_room(self, bound: int) -> None:
        """Count what waits now and then: between that, what is kept here is counted on."""
        now = asyncio.get_running_loop().time()
        if now - self._counted > _COUNT_EVERY:
            self._counted = now  # the others go on with what is known until this one has counted
            self._room = bound - await self._within(self._inbox.waiting())
        if self._room <= 0:
            raise InboxUnavailable(f"{bound} messages wait already")
        self._room -= 1

    async def acquire(self, stored: Stored, lease: float) -> Claim | Standing:
        """See `Inbox`."""
        # Counted from before it is asked: the answer may come long after the lease began.
        until = asyncio.get_running_loop().time() + lease
        found = await self._within(self._inbox.acquire(stored, lease=lease))
        return attrs.evolve(found, until=until) if isinstance(found, Claim) else found

    async def finish(self, claim: Claim) -> bool:
        """See `Inbox`."""
        return await self._within(self._inbox.finish(claim))

    async def release(self, claim: Claim, *, failed: bool) -> None:
        """Give a claim back; workers wait longer after each attempt, a re-send never waits."""
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(claim.attempt - 1, 20))
        await self._within(self._inbox.release(claim, pause=pause, failed=failed))

    async def take(self, lease: float, limit: int) -> list[Claim]:
        """See `Inbox`."""
        until = asyncio.get_running_loop().time() + lease
        claims = await self._within(self._inbox.take(lease=lease, limit=limit))
        return [attrs.evolve(claim, until=until) for claim in claims]

    async def _within(self, asked: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(self._patience):
                return await asked
        except TimeoutError as error:
            raise InboxUnavailable(f"the inbox took more than {self._patience} s") from error
