"""What all changes of one client share: polls, readings, claims, and the size of requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import attrs

from ..account import Account
from ..errors import ClientClosed
from ..pipeline import BeforeSending, Sender
from ..resilience.clock import Clock
from .chunks import ChunkSize
from .inflight import InFlight
from .members import Reading
from .poller import Poller

if TYPE_CHECKING:
    from .journal import ChangeJournal

MakeSender: TypeAlias = Callable[[BeforeSending | None], Sender]
"""Makes what sends; what it is given is awaited right before each request leaves."""


@attrs.frozen(eq=False)
class Desk:
    """The part of it that belongs to one event loop."""

    poller: Poller
    in_flight: InFlight
    reading: Reading
    clock: Clock
    journals: set[ChangeJournal] = attrs.field(factory=set)
    """Those that are open."""

    async def close(self) -> None:
        """End the polls, and give the journals free."""
        await self.poller.close()
        for journal in list(self.journals):
            await journal.close("left")


class Room:
    """Shared by a client and its views."""

    def __init__(self, account: Account, polls_per_second: float, clock: Clock) -> None:
        self.account = account
        self._clock = clock
        self.size = ChunkSize()
        self._polls_per_second = polls_per_second
        self._desks: dict[asyncio.AbstractEventLoop, Desk] = {}
        self._closed = False

    def desk(self) -> Desk:
        """Give the desk of the running loop."""
        if self._closed:
            raise ClientClosed("the client was closed before this call")
        loop = asyncio.get_running_loop()
        desk = self._desks.get(loop)
        if desk is None:
            for gone in [other for other in self._desks if other.is_closed()]:
                del self._desks[gone]
            poller = Poller(per_second=self._polls_per_second, clock=self._clock)
            desk = self._desks[loop] = Desk(poller, InFlight(), Reading(), self._clock)
        return desk

    async def close(self) -> None:
        """End what goes on in the running loop; what is left in others ends with them."""
        self._closed = True
        desk = self._desks.pop(asyncio.get_running_loop(), None)
        if desk is not None:
            await desk.close()
