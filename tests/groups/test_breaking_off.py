"""What is canceled in the middle: nothing is lost sight of while it may still be carried out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from linksfield_async import Client, JournalError
from linksfield_async.groups.journal import ChangeJournal
from linksfield_async.operations import RemoveSims
from linksfield_async.sandbox import faults

G = "G1003"
MOMENTS = [0, 0.002, 0.005, 0.01, 0.02]


async def canceled(work, after: float) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.sleep(after)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_canceled_change_leaves_its_journal_free(
    client, sandbox, cards, fast, tmp_path: Path, moment: float
) -> None:
    for kind, wanted in (("add_sims", cards), ("sync", cards[:40])):
        settings = {"group_id": G, "iccids": wanted, "journal": tmp_path / kind, "chunk_size": 5}
        change = getattr(client.groups, kind)
        await canceled(change(**settings, **fast), moment)
        ended = await change(**settings, **fast | {"settle_for": 1.0})
        assert (ended if kind == "sync" else await ended).is_done
    assert sandbox.world.needless_changes() == []


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_sync_after_a_canceled_one_repeats_nothing(
    client, sandbox, cards, fast, moment: float
) -> None:
    settings = {"group_id": "G1002", "chunk_size": 5, **fast, "settle_for": 1.0}
    sandbox.world.group_behaviour.delay_spread = 0.1
    await canceled(client.groups.sync(iccids=cards[:40], **settings), moment)
    report = await client.groups.sync(iccids=cards[10:], **settings)
    assert report.is_done
    assert set(sandbox.world.groups["G1002"].members) == set(cards[10:])
    assert sandbox.world.needless_changes() == []


@pytest.mark.parametrize("moment", MOMENTS)
async def test_what_a_canceled_change_has_sent_is_waited_for(
    client, sandbox, cards, fast, moment: float
) -> None:
    """The later change of the same cards would overtake it else."""
    sandbox.world.group_behaviour.delay = 0.3
    settings = fast | {"settle_for": 1.0}  # more than the service takes
    add = client.groups.add_sims(group_id=G, iccids=cards, chunk_size=5, **settings)
    await canceled(add, moment)
    sandbox.world.group_behaviour.delay = None
    job = await client.groups.remove_sims(group_id=G, iccids=cards, **settings)
    assert (await job).is_done
    await asyncio.sleep(0.35)
    assert list(sandbox.world.groups[G].members) == []


async def test_a_request_that_was_under_way_is_in_doubt(client, sandbox, cards, fast) -> None:
    """Its answer is not waited for, its cards are."""
    sandbox.faults.next("AddSims", faults.slow(0.2))
    settings = fast | {"settle_for": 2.0}
    await canceled(client.groups.add_sims(group_id=G, iccids=cards, **settings), 0.1)
    assert (await (await client.groups.remove_sims(group_id=G, iccids=cards, **settings))).is_done
    assert len(sandbox.requests.of(RemoveSims)) == 1
    assert sandbox.world.groups[G].members == {}
    assert sandbox.world.needless_changes() == []


async def test_an_id_that_cannot_be_written_down_is_asked_for_all_the_same(
    client, sandbox, cards, fast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise JournalError("the disk is full")

    settings = {"group_id": G, "iccids": cards, **fast}
    with monkeypatch.context() as patch:
        patch.setattr(ChangeJournal, "accepted", full)
        with pytest.raises(JournalError, match="full"):
            await client.groups.add_sims(**settings, journal=tmp_path / "run.db")
    assert (await (await client.groups.remove_sims(**settings))).is_done
    assert sandbox.world.needless_changes() == []


async def test_a_broken_job_keeps_nobody_waiting(sandbox, cards, fast) -> None:
    async with Client(sandbox.account) as client:
        token = (await client.groups.add_sims(group_id=G, iccids=cards[:1], **fast)).token
    async with Client(sandbox.account) as client:
        job = await client.groups.resume(token.replace("REQ", "../"), iccids=cards[:1], **fast)
        with pytest.raises(ValueError, match="slashes"):
            await job
        assert await (await client.groups.remove_sims(group_id=G, iccids=cards[:1], **fast))
        assert job.status().cards == 1
