from __future__ import annotations

import asyncio

import pytest

from linksfield_async import OutcomeUnknown
from linksfield_async.operations import SingleVerify
from linksfield_async.sandbox import stall
from linksfield_async.testing.plugin import Wanted, opened


def test_one_client_serves_loops_one_after_another() -> None:
    with opened(Wanted(settings={"cards": 100}), 1) as bench, bench.client() as client:
        card = next(bench.sandbox.world.iccids())
        for _ in range(3):
            asyncio.run(client.vshop.verify_card(iccid=card))
        bench.sandbox.requests.of(SingleVerify).times(3)


async def test_a_call_that_is_given_up_ends_there_too() -> None:
    with opened(Wanted(settings={"cards": 100}), 1) as bench, bench.client() as client:
        card = next(bench.sandbox.world.iccids())
        bench.sandbox.faults.next(SingleVerify, stall())
        calling = asyncio.create_task(client.vshop.verify_card(iccid=card))
        while not bench.sandbox.requests:
            await asyncio.sleep(0.005)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await client.vshop.verify_card(iccid=card)


async def test_a_deadline_holds() -> None:
    with opened(Wanted(settings={"cards": 100}), 1) as bench, bench.client() as client:
        card = next(bench.sandbox.world.iccids())
        bench.sandbox.faults.next(SingleVerify, stall())
        with pytest.raises(OutcomeUnknown):
            await client.with_options(deadline=0.05).vshop.verify_card(iccid=card)
