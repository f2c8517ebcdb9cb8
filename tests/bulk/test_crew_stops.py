"""Runs that are stopped, cut off or left: what is under way is answered, told of, or in doubt."""

from __future__ import annotations

import asyncio

import pytest
from bulk_stubs import BAD, GOOD, Answers, iccid, iccids, listed, order, until

from linksfield_async.bulk.journal.settings import Journal
from linksfield_async.errors import (
    BulkStopped,
    OutcomeUnknown,
)


def places(outcomes):
    """Places for items that nobody has given back."""
    return outcomes._crew._room._used


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_source_may_stop_its_own_run(is_async):
    def source():
        for number in range(100):
            if number == 20:
                run.stop()
            yield iccid(number)

    async def later():
        for item in source():
            yield item

    transport = Answers()
    run = transport.client().verify_many(later() if is_async else source(), concurrency=3)
    assert len(await listed(run)) == len(transport.sent) == 21
    assert (run.is_complete, places(run)) == (False, 0)


async def test_stop_answers_what_is_under_way_and_journals_it(tmp_path):
    gate = asyncio.Event()

    async def answer(params):
        await gate.wait()
        return GOOD

    transport, path = Answers(answer), tmp_path / "run.db"
    run = transport.client().verify_many(iccids(200), concurrency=6, journal=path)
    running = asyncio.create_task(listed(run))
    await until(lambda: transport.under_way == 6)
    run.stop()
    run.stop()
    gate.set()
    outcomes = await asyncio.wait_for(running, 5)
    assert [o.verdict for o in outcomes] == ["valid"] * 6
    assert (run.is_complete, run.progress.todo) == (False, 194)
    again = Answers()
    assert len(await listed(again.client().verify_many(iccids(200), journal=path))) == 194
    assert len(again.sent) == 194


@pytest.mark.parametrize("limits", [(0.0,), (0.02,), (60.0, 0.0)])
async def test_stop_within_cuts_off_reads_and_they_are_not_decided(tmp_path, limits):
    async def answer(params):
        await asyncio.sleep(0 if params["deviceCode"] < iccid(10) else 60)
        return GOOD

    transport, path = Answers(answer), tmp_path / "run.db"
    run = transport.client().verify_many(iccids(100), concurrency=4, journal=path)
    for _ in range(10):
        await anext(run)
    await until(lambda: transport.under_way == 4)
    for limit in limits:
        run.stop(limit)
    assert await asyncio.wait_for(listed(run), 5) == []
    assert run.progress.todo == 90
    again = Answers()
    assert len(await listed(again.client().verify_many(iccids(100), journal=path))) >= 90
    assert sorted(again.cards) == iccids(100)[10:]


@pytest.mark.parametrize("journalled", [False, True])
async def test_stop_within_leaves_orders_unknown_with_their_doubles(tmp_path, journalled):
    transport = Answers(lambda params: asyncio.sleep(60))
    journal = Journal(tmp_path / "run.db", resolve="manual") if journalled else None
    many = [order(0), order(1), order(0), *(order(n) for n in range(2, 50))]
    run = transport.client().send_many(many, concurrency=4, journal=journal)
    running = asyncio.create_task(listed(run))
    await until(lambda: transport.under_way == 4)
    run.stop(0.0)
    outcomes = await asyncio.wait_for(running, 5)
    assert {o.verdict for o in outcomes} == {"unknown"}
    assert all(isinstance(o.error, OutcomeUnknown) for o in outcomes)
    assert len(transport.sent) == 4
    assert {o.position: o.duplicate_of for o in outcomes} == {
        0: None,
        1: None,
        2: 0,
        3: None,
        4: None,
    }
    if not journalled:
        return
    again = Answers()
    rest = await listed(again.client().send_many(many, journal=journal))
    sent = {params["orderNo"] for params in again.sent}
    assert sent == {f"NO{n}" for n in range(4, 50)}
    unknown = {o.position for o in rest if o.verdict == "unknown"}
    assert unknown == {0, 1, 2, 3, 4}


async def test_stop_while_it_is_written_down_sends_nothing(tmp_path, monkeypatch):
    """A worker is cut off between its intent and the send: the order is in doubt, not sent twice."""
    from linksfield_async.bulk.journal.ledger import Ledger

    intend, reached = Ledger.intend, asyncio.Event()

    async def slowly(self, cells):
        await intend(self, cells)
        reached.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(Ledger, "intend", slowly)
    transport, path = Answers(), tmp_path / "run.db"
    run = transport.client().send_many([order(0), order(1)], journal=path, concurrency=1)
    running = asyncio.create_task(listed(run))
    await reached.wait()
    run.stop(0.0)
    assert await asyncio.wait_for(running, 5) == []
    assert transport.sent == []
    monkeypatch.undo()
    asked = Answers(lambda params: GOOD if "orderNo" in params else {"status": {"code": "x"}})
    journal = Journal(path, quarantine=0.0, resolve="manual")
    outcomes = await listed(asked.client().send_many([order(0), order(1)], journal=journal))
    assert {o.position: o.verdict for o in outcomes} == {0: "unknown", 1: "valid"}
    assert [params["orderNo"] for params in asked.sent] == ["NO1"]


async def test_b17_a_run_that_stopped_by_its_rules_can_be_gone_on_with(tmp_path):
    path, transport = tmp_path / "run.db", Answers(lambda _: BAD)
    with pytest.raises(BulkStopped, match=r"first 100 were all refused alike.*same journal"):
        await listed(transport.client().verify_many(iccids(5_000), journal=path, concurrency=8))
    assert len(transport.sent) <= 100 + 8
    after = Answers()
    outcomes = await listed(after.client().verify_many(iccids(5_000), journal=path))
    assert len(transport.sent) + len(after.sent) == 5_000
    assert len(outcomes) >= 5_000 - 108


async def test_leaving_in_the_middle_of_the_input_s_order_leaves_no_task(tmp_path):
    def answer(params):
        return asyncio.sleep(60) if params["deviceCode"] == iccid(20) else GOOD

    transport = Answers(answer)
    path = tmp_path / "run.db"
    async with transport.client().verify_many(
        iccids(100), order="input", concurrency=4, journal=path
    ) as run:
        came = []
        async for outcome in run:
            came.append(outcome.position)
            if outcome.position == 19:
                break
    assert came == list(range(20))
    assert asyncio.all_tasks() == {asyncio.current_task()}
    again = Answers()
    rest = await listed(again.client().verify_many(iccids(100), order="input", journal=path))
    # The last one was yielded, and nobody came back for more: it is yielded again.
    assert [o.position for o in rest] == list(range(19, 100))
    assert iccid(5) not in again.cards


async def in_doubt(transport, many, journal):
    """Cut off the first of some orders."""
    run = transport.client().send_many(many, journal=journal, concurrency=1)
    running = asyncio.create_task(listed(run))
    await until(lambda: transport.under_way)
    run.stop(0.0)
    await running


@pytest.mark.parametrize("size", [1, 2])
async def test_who_waits_to_be_settled_holds_up_no_run_that_breaks(tmp_path, size):
    """Also where it breaks before the waiting has begun."""

    def source():
        yield from [order(n) for n in range(size)]
        raise OSError("disk gone")

    journal = Journal(tmp_path / "run.db", quarantine=900.0)
    await in_doubt(Answers(lambda _: asyncio.sleep(60)), [order(n) for n in range(3)], journal)
    with pytest.raises(OSError, match="disk gone"):
        await asyncio.wait_for(listed(Answers().client().send_many(source(), journal=journal)), 5)


async def test_who_waits_to_be_settled_holds_up_no_stop(tmp_path):
    journal = Journal(tmp_path / "run.db", quarantine=900.0)

    def source():
        yield order(0)
        run.stop()  # before the waiting of the first has begun
        yield order(1)

    await in_doubt(Answers(lambda _: asyncio.sleep(60)), [order(n) for n in range(3)], journal)
    run = Answers().client().send_many(source(), journal=journal, concurrency=1)
    await asyncio.wait_for(listed(run), 5)


async def test_settling_waits_apart_and_a_stop_ends_the_waiting(tmp_path):
    transport = Answers(lambda _: asyncio.sleep(60))
    journal = Journal(tmp_path / "run.db", quarantine=900.0)
    many = [order(n) for n in range(5)]
    await in_doubt(transport, many, journal)
    later = Answers()
    run = later.client().send_many(many, journal=journal, concurrency=1)
    for _ in range(4):  # the others do not wait for the one in doubt
        await asyncio.wait_for(anext(run), 5)
    assert run.progress.todo == 1
    run.stop()
    assert await asyncio.wait_for(listed(run), 5) == []
    assert [params["orderNo"] for params in later.sent] == [f"NO{n}" for n in range(1, 5)]
    assert not run.is_complete
