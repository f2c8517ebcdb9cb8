from __future__ import annotations

import asyncio

import pytest

from linksfield_async import Client, InvalidInput, JournalRefused, Refused
from linksfield_async.operations import AddSims, ListGroupSims, RemoveSims
from linksfield_async.sandbox import faults

G = "G1002"  # five members at first


def members(sandbox, group=G):
    return list(sandbox.world.groups[group].members)


async def test_a_dry_run_only_tells(client, sandbox, cards) -> None:
    before = members(sandbox)
    report = await client.groups.sync(group_id=G, iccids=[*cards, before[0]], dry_run=True)
    assert report.dry_run
    assert report.to_add == tuple(cards)
    assert set(report.to_remove) == set(before[1:])
    assert (report.wanted, report.members, report.changes, report.is_done) == (51, 5, (), False)
    assert members(sandbox) == before
    assert {request.operation for request in sandbox.requests} == {"ListGroupSims"}


async def test_the_group_has_the_wanted_cards_and_running_again_is_harmless(
    client, sandbox, cards, fast
) -> None:
    kept = members(sandbox)[:2]
    report = await client.groups.sync(group_id=G, iccids=[*kept, *cards, cards[0]], **fast)
    assert report.is_done
    assert (report.missing, report.surplus, report.doubles) == (0, 0, 1)
    assert report.counts["done"] == 53
    assert set(members(sandbox)) == {*kept, *cards}
    assert [r.operation for r in sandbox.requests if r.operation != "GetAsyncResult"] == [
        "ListGroupSims",
        "AddSims",
        "RemoveSims",
        "ListGroupSims",
        "ListGroupSims",
        "ListGroupSims",
    ]
    again = await client.groups.sync(group_id=G, iccids=[*kept, *cards], **fast)
    assert (again.is_done, again.changes) == (True, ())
    assert len(sandbox.requests.of(AddSims)) == len(sandbox.requests.of(RemoveSims)) == 1
    assert sandbox.world.needless_changes() == []


async def test_an_empty_list_needs_a_word(client, sandbox, fast) -> None:
    with pytest.raises(InvalidInput, match="allow_empty"):
        await client.groups.sync(group_id=G, iccids=[])
    assert not len(sandbox.requests)
    report = await client.groups.sync(group_id=G, iccids=[], allow_empty=True, **fast)
    assert report.is_done
    assert members(sandbox) == []


async def test_a_group_that_does_not_exist(client, sandbox, cards) -> None:
    with pytest.raises(Refused, match="group_id is unknown"):
        await client.groups.sync(group_id="G0", iccids=cards)
    assert not sandbox.requests.of(AddSims)


async def test_cards_that_are_refused_are_told(client, sandbox, cards, fast, tmp_path) -> None:
    foreign = next(sandbox.world.iccids("foreign"))
    settings = {"journal": tmp_path / "run.db", **fast}
    wanted = [*cards, foreign, *members(sandbox)]
    report = await client.groups.sync(group_id=G, iccids=wanted, **settings)
    assert not report.is_done
    assert (report.failed, report.missing) == ((foreign,), 1)
    report.write(tmp_path / "report.csv", only_failed=True)
    assert len((tmp_path / "report.csv").read_text().splitlines()) == 2
    # On the same journal a refusal stands.
    report = await client.groups.sync(group_id=G, iccids=wanted, **settings)
    assert (report.failed, len(sandbox.requests.of(AddSims))) == ((foreign,), 1)
    # Without it, it is tried anew.
    await client.groups.sync(group_id=G, iccids=wanted, **fast)
    assert len(sandbox.requests.of(AddSims)) == 2


async def test_two_of_one_group_never_overlap(client, sandbox, cards, fast) -> None:
    """Over two clients as well."""
    async with Client(sandbox.account) as other:
        reports = await asyncio.gather(
            client.groups.sync(group_id=G, iccids=cards[:30], **fast),
            other.groups.sync(group_id=G, iccids=cards[20:], **fast),
            client.groups.sync(group_id=G, iccids=cards[20:], **fast),
        )
    assert all(report.is_done for report in reports)
    assert set(members(sandbox)) == set(cards[20:])
    assert sandbox.world.needless_changes() == []


async def test_other_changes_of_the_group_wait(client, sandbox, cards, fast) -> None:
    sandbox.world.group_behaviour.next(delay=0.2)
    job = await client.groups.add_sims(group_id=G, iccids=cards[:10], **fast)
    sync = asyncio.create_task(client.groups.sync(group_id=G, iccids=cards, **fast))
    await asyncio.sleep(0.05)
    later = await client.groups.remove_sims(group_id=G, iccids=cards[:5], **fast)
    assert (await sync).is_done
    assert job.status().is_over
    assert (await later).is_done
    assert set(members(sandbox)) == set(cards[5:])
    assert sandbox.world.needless_changes() == []


async def test_a_request_that_does_not_end_is_unknown_and_not_sent_again(
    client, sandbox, cards, fast, tmp_path
) -> None:
    sandbox.world.group_behaviour.next(never_ends=True)
    wanted = [*cards, *members(sandbox)]
    settings = {"journal": tmp_path / "run.db", "within": 0.2, **fast}
    report = await client.groups.sync(group_id=G, iccids=wanted, **settings)
    assert (report.counts["unknown"], report.missing) == (50, 50)
    assert "not ended in time" in report.changes[0].reason
    report = await client.groups.sync(group_id=G, iccids=wanted, **settings)
    assert report.counts["unknown"] == 50
    assert len(sandbox.requests.of(AddSims)) == 1
    sandbox.finish_job("REQ0000000001")
    report = await client.groups.sync(group_id=G, iccids=wanted, **settings)
    assert report.is_done
    assert len(sandbox.requests.of(AddSims)) == 1


async def test_a_lost_answer_is_settled_before_anything_is_sent_again(
    client, sandbox, cards, fast, tmp_path
) -> None:
    sandbox.faults.next("AddSims", faults.drop_answer(), faults.drop_request())
    sandbox.world.group_behaviour.next(delay=0.5)
    wanted = [*cards, *members(sandbox)]
    settings = {"journal": tmp_path / "run.db", **fast, "chunk_size": 25, "settle_for": 0.1}
    report = await client.groups.sync(group_id=G, iccids=wanted, **settings)
    assert report.counts["unknown"] == 50
    await asyncio.sleep(0.5)
    report = await client.groups.sync(group_id=G, iccids=wanted, **settings | {"settle_for": 1.0})
    assert report.is_done
    assert len(sandbox.requests.of(AddSims)) == 3
    assert sandbox.world.needless_changes() == []


async def test_a_journal_belongs_to_one_list(client, sandbox, cards, fast, tmp_path) -> None:
    settings = {"journal": tmp_path / "run.db", **fast}
    await client.groups.sync(group_id=G, iccids=cards, **settings)
    with pytest.raises(JournalRefused, match="other cards"):
        await client.groups.sync(group_id=G, iccids=cards[1:], **settings)
    with pytest.raises(JournalRefused, match="another kind"):
        await client.groups.add_sims(group_id=G, iccids=cards, **settings)
    assert len(sandbox.requests.of(ListGroupSims)) > 0
