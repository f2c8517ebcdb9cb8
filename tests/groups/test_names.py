from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from linksfield_async import Client, JournalRefused
from linksfield_async.bulk import Journal
from linksfield_async.groups.names import Names
from linksfield_async.operations import AddSims, RemoveSims
from linksfield_async.sandbox import faults

G = "G1002"  # five members at first
KEY = "a key of sixteen or more"
ONE, OTHER = "89852424180910340793", "89852424180910340794"


def test_without_a_key_cards_stand_as_they_are() -> None:
    names = Names(None, [ONE])
    assert names.stored(ONE) == ONE
    assert names.named([OTHER]) == (OTHER,)
    assert names.hidden([OTHER]) == frozenset()
    assert names.verdicts(names.stored_verdicts({ONE: ("refused", ONE)})) == {ONE: ("refused", ONE)}


def test_with_a_key_only_those_who_know_the_card_can_name_it() -> None:
    names = Names(KEY, [ONE])
    assert ONE not in names.stored(ONE)
    assert names.stored(f"{ONE}F") == names.stored(ONE)  # as some answers pad it
    assert names.named([names.stored(ONE), names.stored(OTHER)]) == (ONE,)
    assert names.hidden([names.stored(ONE), names.stored(OTHER)]) == {names.stored(OTHER)}
    names.learn([OTHER])
    assert names.named([names.stored(OTHER)]) == (OTHER,)
    assert names.digest != Names(None, [ONE]).digest
    assert names.digest != Names("another key of enough", [ONE]).digest


def test_reasons_are_kept_without_the_cards_in_them() -> None:
    names = Names(KEY, [ONE, OTHER])
    stored = names.stored_verdicts({ONE: ("refused", f"{ONE} is busy"), OTHER: ("unknown", ONE)})
    assert ONE not in str(stored)
    told = names.verdicts(stored)
    assert told[ONE] == ("refused", f"{ONE} is busy")
    assert told[OTHER] == ("unknown", "the reason had other cards in it, and is hidden")


def everything_in(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


async def test_no_iccid_is_in_a_journal_with_a_key_and_a_change_goes_on(
    client, sandbox, cards, fast, tmp_path
) -> None:
    foreign = next(sandbox.world.iccids("foreign"))
    path = tmp_path / "run.db"
    settings = {"journal": Journal(path, key=KEY), "chunk_size": 17, "concurrency": 1, **fast}
    wanted = [foreign, *cards]
    async with Client(sandbox.account) as first:
        sandbox.faults.next("AddSims", faults.slow(0), faults.drop_answer(), faults.drop_request())
        job = await first.groups.add_sims(group_id="G1003", iccids=wanted, **settings)
        assert job.status().in_doubt == 2
    for _ in range(2):
        report = await (await client.groups.add_sims(group_id="G1003", iccids=wanted, **settings))
        assert (report.counts["done"], report.counts["refused"]) == (50, 1)
        assert {one.iccid for one in report.changes} == set(wanted)
    assert len(sandbox.requests.of(AddSims)) == 4
    assert sandbox.world.needless_changes() == []
    stored = everything_in(path)
    assert b"add" in stored
    assert not [card for card in wanted if card.encode() in stored]
    assert not [card for card in wanted if card.encode().hex().encode() in stored]


async def test_a_sync_goes_on_with_cards_that_only_the_group_can_name(
    client, sandbox, cards, fast, tmp_path
) -> None:
    """Of the removals one was carried out, one was not, and nobody knows of either."""
    before = list(sandbox.world.groups[G].members)
    settings = {"journal": Journal(tmp_path / "run.db", key=KEY), "chunk_size": 3, **fast}
    settings["concurrency"] = 1
    sandbox.faults.next("RemoveSims", faults.drop_answer(), faults.drop_request())
    async with Client(sandbox.account) as first:
        sync = first.groups.sync(group_id=G, iccids=cards, **settings | {"settle_for": 60})
        running = asyncio.create_task(sync)
        while len(sandbox.requests.of(RemoveSims)) < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert list(sandbox.world.groups[G].members) == [*before[3:], *cards]
    report = await client.groups.sync(group_id=G, iccids=cards, **settings)
    assert report.is_done
    assert report.hidden == 3
    assert report.to_remove == tuple(before[3:])
    assert report.counts["done"] == 52
    assert report.extra == ()
    report = await client.groups.sync(group_id=G, iccids=cards, **settings)
    assert (report.is_done, report.hidden, report.counts["done"]) == (True, 5, 50)
    assert len(sandbox.requests.of(RemoveSims)) == 3
    assert sandbox.world.needless_changes() == []
    stored = everything_in(tmp_path / "run.db")
    assert not [card for card in (*cards, *before) if card.encode() in stored]


async def test_the_key_belongs_to_the_journal(client, cards, fast, tmp_path) -> None:
    path = tmp_path / "run.db"
    given = {"group_id": G, "iccids": cards, **fast}
    await client.groups.sync(**given, journal=Journal(path, key=KEY))
    with pytest.raises(JournalRefused, match="the key is needed"):
        await client.groups.sync(**given, journal=path)
    with pytest.raises(JournalRefused, match="another key"):
        await client.groups.sync(**given, journal=Journal(path, key="quite another key here"))
    given["iccids"] = cards[1:]
    with pytest.raises(JournalRefused, match="other cards"):
        await client.groups.sync(**given, journal=Journal(path, key=KEY))
