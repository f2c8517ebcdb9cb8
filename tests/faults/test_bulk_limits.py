"""A limit of calls under way that falls and rises while a bulk run goes on."""

from __future__ import annotations

import asyncio

from bulk_program import iccid

from linksfield_async import Account, Client
from linksfield_async.bulk import AdaptiveConcurrency
from linksfield_async.bulk.concurrency import Climber
from linksfield_async.protocol import Request, Response
from linksfield_async.transport.base import Limits


class InStep:
    """A transport all of whose calls under way end in one turn of the loop."""

    def __init__(self) -> None:
        self.sent = 0
        self._beat = asyncio.Event()

    async def send(self, request: Request, limits: Limits) -> Response:
        self.sent += 1
        refused = self.sent <= 2_500
        await self._beat.wait()
        return Response(403, b"") if refused else Response(200, b'{"operateCode":"S","data":{}}')

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(0.02)
            self._beat.set()
            self._beat = asyncio.Event()


async def test_workers_that_leave_at_once_leave_nothing_undone() -> None:
    """A limit that falls sends workers away, and all of them end in the same moment."""
    transport = InStep()
    beat = asyncio.create_task(transport.beat())
    outcomes = Client(Account("P1"), transport=transport).verify_many(
        map(iccid, range(3_000)), concurrency=AdaptiveConcurrency(start=64, most=64), stop=None
    )
    assert len([outcome async for outcome in outcomes]) == 3_000
    assert outcomes.is_complete
    beat.cancel()


def test_failures_from_the_start_do_not_keep_it_from_rising_again() -> None:
    """The first wave says nothing of the level: none is known yet from which to stay away."""
    climber, now = Climber(AdaptiveConcurrency(start=64, most=64), 0.0), 0.0
    for _ in range(400):
        now += 0.005
        climber.note(now, elapsed=0.005, failed=True, in_flight=climber.limit)
    low = climber.limit
    for _ in range(20_000):
        now += 0.0005
        climber.note(now, elapsed=0.005, failed=False, in_flight=climber.limit)
    assert low < climber.limit
