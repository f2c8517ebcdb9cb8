from __future__ import annotations

import asyncio
import gc

import pytest

from linksfield_async.errors import StillUnknown
from linksfield_async.groups.inflight import InFlight


class Job:
    """What a claim needs of a job."""

    def __init__(self, *cards: str, group_id: str = "G") -> None:
        self.group_id, self.cards = group_id, cards
        self.ended = asyncio.Event()
        self.error: Exception | None = None

    async def finish(self, *, ask_again: bool = True) -> None:
        assert not ask_again  # what was late once is not waited for twice
        await self.ended.wait()
        if self.error is not None:
            raise self.error


async def claimed(in_flight: InFlight, job: Job) -> None:
    await in_flight.claim(job, job.cards)  # type: ignore[arg-type]


def ends(in_flight: InFlight, job: Job) -> None:
    in_flight.release(job)  # type: ignore[arg-type]
    job.ended.set()


async def test_other_cards_and_other_groups_do_not_wait() -> None:
    in_flight = InFlight()
    jobs = [Job("1"), Job("2"), Job("1", group_id="H")]
    async with asyncio.timeout(1):
        for job in jobs:
            await claimed(in_flight, job)


async def test_the_same_card_waits_for_all_that_have_it() -> None:
    in_flight = InFlight()
    one, two, both = Job("1"), Job("2"), Job("1", "2")
    await claimed(in_flight, one)
    await claimed(in_flight, two)
    waiting = asyncio.create_task(claimed(in_flight, both))
    ends(in_flight, one)
    await asyncio.sleep(0.01)
    assert not waiting.done()
    ends(in_flight, two)
    await asyncio.wait_for(waiting, 1)
    assert in_flight._cards["G"]["1"] is both


async def test_what_the_earlier_one_ends_with_is_raised() -> None:
    in_flight = InFlight()
    one = Job("1")
    await claimed(in_flight, one)
    one.error = StillUnknown("has not ended")
    ends(in_flight, one)
    await claimed(in_flight, one)
    with pytest.raises(StillUnknown):
        await claimed(in_flight, Job("1"))


async def test_a_job_that_is_gone_has_no_claim() -> None:
    in_flight = InFlight()
    await claimed(in_flight, Job("1"))
    gc.collect()
    async with asyncio.timeout(1):
        await claimed(in_flight, Job("1"))


async def test_a_whole_group_waits_for_its_jobs_and_keeps_others_out() -> None:
    in_flight = InFlight()
    one, two = Job("1"), Job("2")
    await claimed(in_flight, one)
    asyncio.get_running_loop().call_later(0.02, ends, in_flight, one)
    async with in_flight.whole("G"):
        assert one.ended.is_set()
        waiting = asyncio.create_task(claimed(in_flight, two))
        other = asyncio.create_task(in_flight.whole("G").__aenter__())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        assert not other.done()
    await asyncio.sleep(0.01)
    ends(in_flight, two)
    await asyncio.wait_for(asyncio.gather(waiting, other), 1)


async def test_cards_under_way_are_held_as_far_as_they_are_free() -> None:
    in_flight = InFlight()
    one, two = Job("1"), Job("1", "2")
    await claimed(in_flight, one)
    in_flight.hold(two)  # type: ignore[arg-type]
    assert (in_flight._cards["G"]["1"], in_flight._cards["G"]["2"]) == (one, two)
    ends(in_flight, two)
    assert dict(in_flight._cards["G"]) == {"1": one}
    ends(in_flight, one)
    assert in_flight._cards == {}
