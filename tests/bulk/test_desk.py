"""What is done with one item: doubles under way, answers that were lost, and what is replayed."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest
from bulk_stubs import BAD, GOOD, NOT_FOUND, Answers, iccid, iccids, listed, order, turns, until

from linksfield_async.bulk import settling
from linksfield_async.bulk.journal.settings import Journal, Settlement
from linksfield_async.errors import ClientClosed, InvalidInput, LinksfieldError, OutcomeUnknown
from linksfield_async.operations import SingleVerify


@pytest.fixture
def no_beat(monkeypatch):
    """A request has left at the moment when that was written down."""
    monkeypatch.setattr(settling, "BEAT_SECONDS", 0.0)


def by_position(outcomes):
    return dict(sorted((o.position, o) for o in outcomes))


@pytest.mark.parametrize("journalled", [False, True])
@pytest.mark.parametrize("answer", [GOOD, BAD, NOT_FOUND, {"what": "?"}, InvalidInput("no")])
async def test_b10_a_double_waits_for_the_one_under_way(tmp_path, journalled, answer):
    gate = asyncio.Event()

    async def held(params):
        await gate.wait()
        return answer

    transport, path = Answers(held), tmp_path / "run.db" if journalled else None
    items = [iccid(1), iccid(1), iccid(2), iccid(1), iccid(2)]
    run = transport.client().verify_many(items, concurrency=8, journal=path, stop=None)
    running = asyncio.create_task(listed(run))
    await until(lambda: transport.under_way == 2)
    await turns()
    gate.set()
    found = by_position(await running)
    assert sorted(transport.cards) == [iccid(1), iccid(2)]
    assert {p: o.duplicate_of for p, o in found.items()} == {0: None, 1: 0, 2: None, 3: 0, 4: 2}
    for double, first in ((1, 0), (3, 0), (4, 2)):
        assert found[double].verdict == found[first].verdict
        assert found[double].result == found[first].result
        assert found[double].reason == found[first].reason
        assert (found[double].attempts, found[double].elapsed) == (0, 0.0)


@pytest.mark.parametrize("journalled", [False, True])
@pytest.mark.parametrize("concurrency", [1, 2, 7])
async def test_b10_doubles_at_any_distance_are_sent_once(tmp_path, journalled, concurrency):
    items = [iccid(n % 23 * n % 17) for n in range(300)]
    pauses = [0.0, 0.001, 0.0, 0.002]

    async def answer(params):
        await asyncio.sleep(pauses[int(params["deviceCode"][-1]) % 4])
        return GOOD | {"data": {"deviceCode": params["deviceCode"]}}

    transport, path = Answers(answer), tmp_path / "run.db" if journalled else None
    run = transport.client().verify_many(items, concurrency=concurrency, journal=path)
    found = by_position(await listed(run))
    assert sorted(transport.cards) == sorted(set(items))
    for position, outcome in found.items():
        first = items.index(items[position])
        assert outcome.duplicate_of == (None if first == position else first)
        assert outcome.result.iccid == items[position]
    assert run.progress.duplicates == len(items) - len(set(items))


async def test_a_double_that_comes_while_the_first_is_looked_up(tmp_path, monkeypatch):
    """The journal is asked about the first; all that are the same wait, and nothing is sent."""
    from linksfield_async.bulk.journal.ledger import Ledger

    path, transport = tmp_path / "run.db", Answers()
    await listed(transport.client().verify_many([iccid(1), iccid(2)], journal=path, total=None))
    with sqlite3.connect(path) as connection:  # as after a stop: more is to come
        connection.execute("UPDATE run SET total = NULL")
    connection.close()
    gate, find = asyncio.Event(), Ledger.find

    async def slowly(self, key):
        await gate.wait()
        return await find(self, key)

    monkeypatch.setattr(Ledger, "find", slowly)
    again = Answers()
    items = [iccid(1), iccid(2), iccid(1), iccid(1), iccid(3), iccid(1)]
    run = again.client().verify_many(items, journal=path, concurrency=8)
    first = asyncio.create_task(anext(run))
    await until(lambda: again.sent)
    await turns()
    gate.set()
    found = by_position([await first, *await listed(run)])
    assert again.cards == [iccid(3)]
    assert {p: o.duplicate_of for p, o in found.items()} == {2: 0, 3: 0, 4: None, 5: 0}


async def test_doubles_of_one_that_failed_before_follow_the_new_answer(tmp_path):
    path, items = tmp_path / "run.db", [iccid(1), iccid(1), iccid(2), iccid(1)]
    first = Answers(lambda params: NOT_FOUND if params["deviceCode"] == iccid(1) else GOOD)
    await listed(first.client().verify_many(items, journal=path, stop=None))
    again = Answers()
    found = by_position(await listed(again.client().verify_many(items, journal=path)))
    assert again.cards == [iccid(1)]
    assert {p: (o.verdict, o.duplicate_of) for p, o in found.items()} == {
        0: ("valid", None), 1: ("valid", 0), 3: ("valid", 0),
    }  # fmt: skip


async def test_doubles_of_an_order_that_is_settled(tmp_path, no_beat):
    journal = Journal(tmp_path / "run.db", quarantine=0.0, resolve="manual")
    many = [order(1), order(1), order(2)]
    lost = Answers(lambda _: OutcomeUnknown("lost"))
    found = await listed(lost.client(deadline=0.2).send_many(many, journal=journal, stop=None))
    assert [o.verdict for o in found] == ["unknown"] * 3
    assert len(lost.sent) == 2

    async def settler(operation, sender):
        await asyncio.sleep(0)
        return Settlement(operation.order_no == "NO1", "asked by telephone")

    again = Answers()
    asked = Journal(journal.path, quarantine=0.0, resolve=settler)
    async with asyncio.timeout(20):
        found = by_position(await listed(again.client(deadline=0.2).send_many(many, journal=asked)))
    assert [params["orderNo"] for params in again.sent] == ["NO2"]
    assert {p: (o.verdict, o.settled, o.duplicate_of) for p, o in found.items()} == {
        0: ("valid", "asked by telephone", None),
        1: ("valid", "asked by telephone", 0),
        2: ("valid", None, None),
    }


async def test_a_settler_that_cannot_tell_or_raises_sends_nothing(tmp_path, no_beat):
    path = tmp_path / "run.db"
    lost = Answers(lambda _: OutcomeUnknown("lost"))
    await listed(
        lost.client(deadline=0.2).send_many([order(1)], journal=Journal(path, quarantine=0.0))
    )
    again = Answers()

    async def cannot_tell(operation, sender):
        return Settlement(None, "the telephone is out of order")

    async def breaks(operation, sender):
        raise ZeroDivisionError

    journal = Journal(path, quarantine=0.0, resolve=breaks)
    with pytest.raises(ZeroDivisionError):
        await listed(again.client(deadline=0.2).send_many([order(1)], journal=journal))
    journal = Journal(path, quarantine=0.0, resolve=cannot_tell)
    (outcome,) = await listed(again.client(deadline=0.2).send_many([order(1)], journal=journal))
    assert (outcome.verdict, outcome.reason) == ("unknown", "the telephone is out of order")
    assert again.sent == []


async def test_each_order_is_on_the_disk_before_it_leaves(tmp_path):
    path, known = tmp_path / "run.db", []

    def answer(params):
        with sqlite3.connect(path) as reader:
            rows = reader.execute("SELECT position FROM item").fetchall()
        reader.close()
        known.append((int(params["orderNo"][2:]),) in rows)
        return GOOD

    await listed(Answers(answer).client().send_many([order(n) for n in range(20)], journal=path))
    assert known == [True] * 20


@pytest.mark.parametrize("journalled", [False, True])
async def test_an_order_that_was_certainly_not_carried_out_is_sent_again(tmp_path, journalled):
    path = tmp_path / "run.db" if journalled else None
    many = [order(1), order(1)]
    refused = Answers(lambda _: InvalidInput("this one cannot be sent"))
    found = await listed(refused.client().send_many(many, journal=path))
    assert [o.verdict for o in found] == ["invalid_input"] * 2
    from linksfield_async.errors import ConnectFailed

    if journalled:
        path = tmp_path / "other.db"
        failing = Answers(lambda _: ConnectFailed("no"))
        found = await listed(failing.client().send_many(many, journal=path))
        assert [o.verdict for o in found] == ["failed"] * 2
    again = Answers()
    found = by_position(await listed(again.client().send_many(many, journal=path)))
    assert len(again.sent) == 1
    assert {p: (o.verdict, o.duplicate_of) for p, o in found.items()} == {
        0: ("valid", None), 1: ("valid", 0),
    }  # fmt: skip


async def test_each_order_where_doubles_are_meant(tmp_path):
    transport, path = Answers(), tmp_path / "run.db"
    many = [order(1)] * 3
    run = transport.client().send_many(many, journal=path, duplicates="each")
    assert [o.duplicate_of for o in await listed(run)] == [None] * 3
    assert len(transport.sent) == 3
    again = Answers()
    found = await listed(
        again.client().send_many(many, journal=path, duplicates="each", replay="all")
    )
    assert ([o.verdict for o in found], again.sent) == (["valid"] * 3, [])


async def test_a_replayed_order_has_its_first_result(tmp_path):
    data = {"orderNo": "NO1", "deviceCode": iccid(1)}
    transport, path = Answers(lambda _: {"operateCode": "S", "data": data}), tmp_path / "run.db"
    (first,) = await listed(transport.client().send_many([order(1)], journal=path))
    again = Answers()
    (second,) = await listed(again.client().send_many([order(1)], journal=path, replay="all"))
    assert (second.result, second.verdict, second.attempts) == (first.result, "valid", 1)
    assert (second.replayed, second.elapsed, again.sent) == (True, 0.0, [])


async def test_an_order_with_an_answer_too_long_to_keep_is_not_sent_again(tmp_path):
    data = {"orderNo": "NO1", "note": "x" * 70_000}
    transport, path = Answers(lambda _: {"operateCode": "S", "data": data}), tmp_path / "run.db"
    many = [order(1), order(1)]
    await listed(transport.client().send_many(many, journal=path))
    again = Answers()
    found = by_position(await listed(again.client().send_many(many, journal=path, replay="all")))
    assert (again.sent, [o.verdict for o in found.values()]) == ([], ["valid", "valid"])
    assert found[0].result is None


async def test_the_client_s_own_settings_end_the_run_and_blame_no_item():
    transport = Answers(lambda _: ClientClosed("the client is closed"))
    with pytest.raises(ClientClosed):
        await listed(transport.client().verify_many(iccids(50), concurrency=3))
    assert len(transport.sent) <= 3


async def test_what_has_no_journal_has_no_doubles_of_reads_that_were_given_as_operations():
    transport = Answers()
    many = [SingleVerify(iccid=iccid(1))] * 3
    assert len(await listed(transport.client().send_many(many))) == len(transport.sent) == 3


async def test_reads_given_as_operations_with_a_journal(tmp_path):
    path = tmp_path / "run.db"

    def echo(params):
        return GOOD | {"data": {"deviceCode": params["deviceCode"]}}

    transport = Answers(echo)
    many = [SingleVerify(iccid=iccid(n % 2)) for n in range(4)]
    first = by_position(await listed(transport.client().send_many(many, journal=path)))
    assert len(transport.sent) == 2
    again = Answers(lambda _: LinksfieldError("nothing is to be sent"))
    second = by_position(
        await listed(again.client().send_many(many, journal=path, replay="all", order="input"))
    )
    # A double is what became of the first, in every session.
    assert [o.result for o in second.values()] == [o.result for o in first.values()]
    assert [o.duplicate_of for o in second.values()] == [None, None, 0, 1]
    assert again.sent == []
