"""Jobs of groups under the plugin's clock: minutes of a service pass at once."""

from __future__ import annotations

import asyncio
import time
from itertools import islice
from pathlib import Path

import pytest

from linksfield_async import Client, StillUnknown, SyncClient
from linksfield_async.operations import AddSims, GetAsyncResult
from linksfield_async.sandbox import drop_request
from linksfield_async.testing.plugin import Bench, Wanted, opened

G = "G1003"  # empty at first
MINUTES = 600.0


@pytest.fixture
def bench():  # type: ignore[no-untyped-def]
    with opened(Wanted(settings={"cards": 1_000, "job_delay": MINUTES}), 1) as bench:
        # No test asserts a time, but what really waits for minutes must end.
        yield bench


def good(bench: Bench, count: int) -> list[str]:
    return list(islice(bench.sandbox.world.iccids("valid"), count))


async def test_a_job_of_minutes_is_over_at_once(bench: Bench) -> None:
    sandbox, cards = bench.sandbox, good(bench, 50)
    began = sandbox.clock.now()
    async with asyncio.timeout(30), Client(sandbox.account) as client:
        report = await (await client.groups.add_sims(group_id=G, iccids=cards))
        assert report.is_done
        assert (sandbox.clock.now() - began).total_seconds() >= MINUTES
        # The pauses are the ones that it really makes: few polls in ten minutes.
        assert len(list(sandbox.requests.of(GetAsyncResult))) < 30
        report = await (await client.groups.remove_sims(group_id=G, iccids=cards))
        assert report.is_done
    assert sandbox.world.needless_changes() == []


async def test_a_sync_in_many_requests_with_a_journal(bench: Bench, tmp_path: Path) -> None:
    sandbox, cards = bench.sandbox, good(bench, 200)
    async with asyncio.timeout(30), Client(sandbox.account) as client:
        report = await client.groups.sync(
            group_id="G1002", iccids=cards, journal=tmp_path / "sync.db", chunk_size=10
        )
        assert report.is_done
    assert sandbox.world.needless_changes() == []
    assert len(list(sandbox.requests.of(AddSims))) == 20


async def test_times_of_a_job_pass_at_once_as_well(bench: Bench) -> None:
    """The time that the group is given, the time to wait, and the time of all."""
    sandbox, cards = bench.sandbox, good(bench, 3)
    async with asyncio.timeout(30), Client(sandbox.account) as client:
        sandbox.faults.next(AddSims, drop_request())
        report = await (await client.groups.add_sims(group_id=G, iccids=cards[:1]))
        assert report.counts["unknown"] == 1
        job = await client.groups.add_sims(group_id=G, iccids=cards[1:2])
        with pytest.raises(StillUnknown, match="after 60 s"):
            await job.wait(timeout=60)
        assert (await job.wait(timeout=2 * MINUTES)).is_done
        sandbox.world.group_behaviour.never_ends = True
        job = await client.groups.add_sims(group_id=G, iccids=cards[2:])
        with pytest.raises(StillUnknown, match="after 900 s"):
            await job


def test_a_blocking_client_does_not_wait_either(bench: Bench) -> None:
    sandbox, cards = bench.sandbox, good(bench, 20)
    before = time.monotonic()
    with SyncClient(sandbox.account) as client:
        job = client.groups.add_sims(group_id=G, iccids=cards)
        assert [change.verdict for change in job] == ["done"] * 20
    assert bench.time.skipped >= MINUTES / 2 > time.monotonic() - before
