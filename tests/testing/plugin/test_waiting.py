from __future__ import annotations

import asyncio

import pytest

from linksfield_async import Client, DeadlineExceeded, Options, Throttled
from linksfield_async.operations import SingleVerify
from linksfield_async.sandbox import throttled
from linksfield_async.testing.plugin import SandboxThread, VirtualTime, Wanted, opened


async def test_a_pause_moves_both_clocks_and_takes_no_time() -> None:
    with SandboxThread(cards=100) as sandbox:
        time = VirtualTime(sandbox, 1)
        before, mine = sandbox.clock.now(), time.now()
        await time.sleep(3_600)
        assert time.now() - mine >= 3_600
        assert (sandbox.clock.now() - before).total_seconds() >= 3_600
        await time.sleep(0)
        assert time.skipped == pytest.approx(3_600, abs=1)


async def test_pauses_at_the_same_time_pass_together() -> None:
    with SandboxThread(cards=100) as sandbox:
        time = VirtualTime(sandbox, 1)
        await asyncio.gather(*(time.sleep(10) for _ in range(50)))
        assert time.skipped == pytest.approx(10, abs=1)


def test_chance_repeats_with_the_seed() -> None:
    with SandboxThread(cards=100) as sandbox:
        first, again, other = (VirtualTime(sandbox, seed) for seed in (1, 1, 2))
        drawn = [[time.clock.random() for _ in range(3)] for time in (first, again, other)]
    assert drawn[0] == drawn[1] != drawn[2]


async def test_clients_made_meanwhile_wait_for_nothing_and_keep_their_deadline() -> None:
    with opened(Wanted(settings={"cards": 100}), 1) as bench:
        sandbox = bench.sandbox
        card = next(sandbox.world.iccids())
        async with Client(sandbox.account, options=Options(deadline=30)) as client:
            sandbox.faults.next(SingleVerify, *[throttled(retry_after=12)] * 2)
            await client.vshop.verify_card(iccid=card)
            assert bench.time.skipped >= 24
            # A third such pause would end beyond the deadline, as it would in real time.
            sandbox.faults.next(SingleVerify, *[throttled(retry_after=20)] * 2)
            with pytest.raises((Throttled, DeadlineExceeded)):
                await client.vshop.verify_card(iccid=card)
        sandbox.requests.of(SingleVerify).times(3 + 2)
