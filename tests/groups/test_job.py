from __future__ import annotations

import asyncio
import gc
import json
from typing import Any

import pytest

from linksfield_async import ClientClosed, ConfigurationError, InvalidInput, Refused, StillUnknown
from linksfield_async.groups import CardChange
from linksfield_async.operations import Accepted, AddSims, GetAsyncResult, RemoveSims
from linksfield_async.sandbox import faults

G = "G1003"


async def test_any_number_of_cards_in_as_many_requests_as_needed(
    client, sandbox, cards, fast
) -> None:
    given = [*cards, cards[0], cards[1]]
    job = await client.groups.add_sims(group_id=G, iccids=given, chunk_size=20, **fast)
    assert job.doubles == 2
    assert [len(r.params["sim_ids"]) for r in sandbox.requests.of(AddSims)] == [20, 20, 10]
    status = job.status()
    assert (status.cards, status.requests, status.open) == (50, 3, 3)
    report = await job
    assert (report.is_done, report.doubles, len(report.changes)) == (True, 2, 50)
    assert list(sandbox.world.groups[G].members) == cards
    assert job.status().is_over
    assert (await job).counts == report.counts
    assert len(sandbox.requests.of(AddSims)) == 3


async def test_changes_as_they_become_known(client, sandbox, cards, fast) -> None:
    behaviour = sandbox.world.group_behaviour
    behaviour.next(delay=0.4)
    job = await client.groups.add_sims(group_id=G, iccids=cards, chunk_size=25, **fast)
    seen: list[CardChange] = []
    async for change in job:
        seen.append(change)
        if len(seen) == 1:
            assert job.status().open == 1
    assert {change.iccid for change in seen} == set(cards)
    assert [one.iccid for one in seen[:25]] == cards[25:]
    assert all(change.verdict == "done" and change.is_member for change in seen)


async def test_a_token_goes_on_in_another_client(client, sandbox, cards, fast) -> None:
    from linksfield_async import Client

    job = await client.groups.add_sims(group_id=G, iccids=cards, chunk_size=30, **fast)
    told = json.loads(job.token)
    assert told["v"] == 1
    assert [count for _, count in told["requests"]] == [30, 20]
    assert "iccids" not in told
    async with Client(sandbox.account) as other:
        report = await (await other.groups.resume(job.token, iccids=cards, **fast))
        assert (report.is_done, len(report.changes)) == (True, 50)
        with pytest.raises(InvalidInput, match="other cards"):
            await other.groups.resume(job.token, iccids=cards[1:])
        # Without the ICCIDs the results name them.
        report = await (await other.groups.resume(job.token, **fast))
        assert (report.is_done, {one.iccid for one in report.changes}) == (True, set(cards))
    assert len(sandbox.requests.of(AddSims)) == 2


async def test_without_the_iccids_a_difference_in_number_is_told(
    client, sandbox, cards, fast
) -> None:
    sandbox.world.group_behaviour.next(missing=cards[:3])
    job = await client.groups.add_sims(group_id=G, iccids=cards, **fast)
    report = await (await client.groups.resume(job.token, **fast))
    assert (report.unaccounted, len(report.changes), report.is_done) == (3, 47, False)
    # With them, the group tells of the three.
    report = await (await client.groups.resume(job.token, iccids=cards, **fast))
    assert (report.unaccounted, report.is_done) == (0, True)


async def test_few_iccids_stand_in_the_token(client, cards, fast) -> None:
    job = await client.groups.add_sims(group_id=G, iccids=cards[:2], **fast)
    report = await (await client.groups.resume(job.token, **fast))
    assert [one.iccid for one in report.changes] == cards[:2]
    assert cards[0] not in repr(job)


async def test_a_refusal_of_everything_is_raised(client, sandbox, cards) -> None:
    with pytest.raises(Refused, match="group_id is unknown"):
        await client.groups.add_sims(group_id="G0", iccids=cards, chunk_size=1)
    assert len(sandbox.requests.of(AddSims)) == 3  # and not one for each card


async def test_what_is_refused_beside_others_is_in_the_report(client, sandbox, cards, fast) -> None:
    sandbox.faults.next("AddSims", faults.refuse("not today"))
    job = await client.groups.add_sims(group_id=G, iccids=cards, chunk_size=40, **fast)
    assert job.status().refused == 1
    report = await job
    assert report.counts["refused"] == 40
    assert report.counts["done"] == 10
    assert "not today" in report.changes[0].reason
    again = await client.groups.repeat(report, **fast)
    assert again is not None
    assert (await again).is_done
    assert sandbox.world.needless_changes() == []


async def test_throttled_requests_are_sent_again(client, sandbox, cards, fast) -> None:
    sandbox.faults.next("AddSims", *[faults.throttled()] * 4)
    job = await client.groups.add_sims(group_id=G, iccids=cards, **fast)
    assert (await job).is_done
    assert sandbox.world.needless_changes() == []


async def test_a_service_that_cannot_be_reached(sandbox, cards, monkeypatch) -> None:
    from linksfield_async import Account, Client, ConnectFailed, Endpoints
    from linksfield_async.groups import sending

    monkeypatch.setattr(sending, "_FIRST_PAUSE", 0.01)
    account = Account("P1", endpoints=Endpoints.at("http://127.0.0.1:9"))
    async with Client(account) as client:
        with pytest.raises(ConnectFailed):
            await client.groups.add_sims(group_id=G, iccids=cards)


async def test_bad_rows_stop_it_before_anything_is_sent(client, sandbox, cards) -> None:
    with pytest.raises(InvalidInput, match="row 2"):
        await client.groups.add_sims(group_id=G, iccids=[cards[0], "8.9E+18"])
    assert not len(sandbox.requests)


async def test_results_alone_decide_without_verifying(client, sandbox, cards, fast) -> None:
    job = await client.groups.add_sims(group_id=G, iccids=cards, verify=False, **fast)
    report = await job
    assert report.is_done
    assert report.changes[0].is_member is None
    assert not sandbox.requests.of("ListGroupSims")


@pytest.mark.parametrize("timeout", [-1, True, "1"])
async def test_a_timeout_that_is_none(client, cards, fast, timeout: Any) -> None:
    job = await client.groups.add_sims(group_id=G, iccids=cards, **fast)
    with pytest.raises(ConfigurationError, match="timeout"):
        await job.wait(timeout)
    await job


async def test_many_wait_and_one_gives_up(client, cards, fast) -> None:
    job = await client.groups.add_sims(group_id=G, iccids=cards, **fast)
    waiting = [asyncio.create_task(job.wait()) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    reports = await asyncio.gather(*waiting[1:])
    assert all(report.is_done for report in reports)


async def test_closing_the_client_ends_the_wait(sandbox, cards, fast) -> None:
    from linksfield_async import Client

    sandbox.world.group_behaviour.never_ends = True
    client = Client(sandbox.account)
    job = await client.groups.add_sims(group_id=G, iccids=cards, **fast)
    waiting = asyncio.create_task(job.wait())
    await asyncio.sleep(0.02)
    await client.close()
    with pytest.raises(ClientClosed):
        await waiting
    with pytest.raises(ClientClosed):
        await client.groups.add_sims(group_id=G, iccids=cards)


async def test_the_raw_operations_stay(client, cards) -> None:
    accepted = await client.send(AddSims(group_id=G, iccids=cards))
    assert isinstance(accepted, Accepted)
    accepted = await client.send(RemoveSims(group_id=G, iccids=cards))
    assert isinstance(accepted, Accepted)


async def test_progress_is_told(client, cards, fast) -> None:
    seen: list[Any] = []
    job = await client.groups.add_sims(group_id=G, iccids=cards, progress=seen.append, **fast)
    await job
    assert seen
    assert seen[0].cards == 50


async def test_views_share_polls_and_claims(client, sandbox, cards, fast) -> None:
    sandbox.world.group_behaviour.next(delay=0.2)
    first = await client.groups.add_sims(group_id=G, iccids=cards, **fast)
    view = client.with_options(deadline=3)
    second = await view.groups.remove_sims(group_id=G, iccids=cards, **fast)
    assert first.status().is_over  # the view has waited for it
    assert (await second).is_done
    await view.close()
    assert sandbox.world.needless_changes() == []


async def test_a_job_that_nobody_holds_keeps_nothing_from_going_on(
    client, sandbox, cards, fast
) -> None:
    await client.groups.add_sims(group_id=G, iccids=cards, **fast)
    while not sandbox.requests.of(GetAsyncResult):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    gc.collect()
    job = await client.groups.remove_sims(group_id=G, iccids=cards, **fast)
    assert (await job).is_done


async def test_what_stays_unknown_gives_its_cards_free_once_told(
    client, sandbox, cards, fast
) -> None:
    sandbox.world.group_behaviour.next(never_ends=True)
    settings = fast | {"within": 0.1}
    first = await client.groups.add_sims(group_id=G, iccids=cards, **settings)
    with pytest.raises(StillUnknown):
        await client.groups.remove_sims(group_id=G, iccids=cards, **fast)
    job = await client.groups.remove_sims(group_id=G, iccids=cards, **fast)
    assert (await job).is_done is False or sandbox.world.groups[G].members == {}
    assert first.status().open == 0


@pytest.mark.parametrize("at", [1, 2])
async def test_a_fault_of_who_looks_on_is_not_the_change_s(
    client, sandbox, cards, fast, at: int, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []

    def progress(status: Any) -> None:
        seen.append(status)
        if len(seen) == at:
            raise ZeroDivisionError

    sandbox.world.group_behaviour.delay = 0.6  # longer than between two calls
    settings = {"progress": progress, **fast}
    job = await client.groups.add_sims(group_id=G, iccids=cards, **settings)
    async with asyncio.timeout(10):
        assert (await job).is_done
    assert len(seen) == at
    assert "progress is not shown any more: ZeroDivisionError" in caplog.text


async def test_the_same_change_twice_at_once_with_one_journal(
    client, sandbox, cards, fast, tmp_path
) -> None:
    """The second waits for the end of the first, which has not even begun to send."""
    settings = {"group_id": G, "iccids": cards, "journal": tmp_path / "run.db", **fast}
    jobs = await asyncio.gather(*(client.groups.add_sims(**settings) for _ in range(3)))
    assert all([(await job).is_done for job in jobs])
    assert len(sandbox.requests.of(AddSims)) == 1


async def test_a_journal_is_free_once_nobody_holds_its_job(
    client, sandbox, cards, fast, tmp_path
) -> None:
    settings = {"group_id": G, "iccids": cards, "journal": tmp_path / "run.db", **fast}
    await client.groups.add_sims(**settings)
    while not sandbox.requests.of(GetAsyncResult):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    gc.collect()
    assert (await (await client.groups.add_sims(**settings))).is_done
    assert len(sandbox.requests.of(AddSims)) == 1


async def test_a_job_of_another_loop_is_not_waited_for(client, cards, fast) -> None:
    """It would never wake up here."""
    job = await client.groups.add_sims(group_id=G, iccids=cards, **fast)

    async def elsewhere() -> None:
        with pytest.raises(ConfigurationError, match="another event loop"):
            await job
        with pytest.raises(ConfigurationError, match="another event loop"):
            await anext(aiter(job))

    await asyncio.to_thread(asyncio.run, elsewhere())
    assert (await job).is_done
