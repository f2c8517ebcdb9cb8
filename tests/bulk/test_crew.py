"""Workers that start, stop, break and leave: nothing hangs, nothing is lost, no place leaks."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import suppress

import pytest
from bulk_stubs import BAD, GOOD, NOT_FOUND, Answers, iccid, iccids, listed, order, turns, until

from linksfield_async.bulk.concurrency import AdaptiveConcurrency
from linksfield_async.errors import (
    ConfigurationError,
    JournalError,
)


def places(outcomes):
    """Places for items that nobody has given back."""
    return outcomes._crew._room._used


async def given(items):
    for item in items:
        await asyncio.sleep(0)
        yield item


@pytest.mark.parametrize("order_of", ["completion", "input"])
@pytest.mark.parametrize("journalled", [False, True])
@pytest.mark.parametrize("source", [iter, given])
async def test_after_a_run_the_room_is_empty(tmp_path, order_of, journalled, source):
    items = [*iccids(100), "x", "y", *iccids(30)]
    journal = tmp_path / "run.db" if journalled else None
    for _ in range(1 + journalled):
        outcomes = (
            Answers()
            .client()
            .verify_many(source(items), concurrency=7, order=order_of, journal=journal)
        )
        await listed(outcomes)
        assert outcomes.is_complete
        assert places(outcomes) == 0


async def test_after_a_stop_the_room_is_empty():
    transport = Answers()
    outcomes = transport.client().verify_many(given(iccids(500)), concurrency=7)
    came = []
    async for outcome in outcomes:
        came.append(outcome)
        if len(came) == 20:
            outcomes.stop()
    assert len(came) == len(transport.sent) < 60
    assert places(outcomes) == 0


async def test_who_waits_for_room_when_the_source_ends_does_not_wait_for_ever():
    """Many wait for a slow source, each with a place, when the limit falls to its least."""
    ended = asyncio.Event()

    async def source():
        for text in iccids(60):
            yield text
        await ended.wait()

    transport = Answers()
    setting = AdaptiveConcurrency(start=16, least=1)
    outcomes = transport.client().verify_many(source(), concurrency=setting)
    for _ in range(60):
        await anext(outcomes)
    crew = outcomes._crew
    last = asyncio.create_task(listed(outcomes))
    await turns()
    crew._room.resize(2)
    late = asyncio.create_task(crew._take())
    await turns()
    ended.set()
    await asyncio.wait_for(last, 5)
    assert await asyncio.wait_for(late, 5) is None
    assert places(outcomes) == 0


async def test_nobody_waits_for_rows_to_be_saved_where_there_are_none(tmp_path):
    """The limit fell while more calls were under way, and these end without an outcome."""
    gate = asyncio.Event()

    async def answer(params):
        await gate.wait()
        return ConfigurationError("a bug of the caller's")

    transport = Answers(answer)
    outcomes = transport.client().verify_many(
        iccids(50), concurrency=3, journal=tmp_path / "run.db"
    )
    running = asyncio.create_task(listed(outcomes))
    await until(lambda: transport.under_way == 3)
    crew = outcomes._crew
    crew._staffing.allowed = 1
    taken = await crew._take()
    further = crew._start(crew._desk.handle(taken))
    await turns()
    gate.set()
    with pytest.raises(ConfigurationError, match="a bug"):
        await asyncio.wait_for(running, 5)
    assert further.done()


@pytest.mark.parametrize("order_of", ["completion", "input"])
async def test_a_source_that_raises_while_others_are_under_way(tmp_path, order_of):
    """What was sent is answered and yielded; the same run goes on and yields only what is new."""
    broke = asyncio.Event()

    async def source():
        for text in iccids(30):
            yield text
        await until(lambda: transport.under_way)
        broke.set()
        raise OSError("disk gone")

    async def answer(params):
        await broke.wait()
        await turns()
        return GOOD

    transport, seen = Answers(answer), []
    settings = {"journal": tmp_path / "run.db", "concurrency": 40, "order": order_of}

    async def collect():
        async for outcome in transport.client().verify_many(source(), **settings):
            seen.append(outcome.position)  # what came before the error counts

    with pytest.raises(OSError, match="disk gone"):
        await asyncio.wait_for(collect(), 5)
    assert sorted(seen) == list(range(30))
    again = Answers()
    rest = await listed(again.client().verify_many(iccids(50), **settings))
    assert sorted(again.cards) == iccids(50)[30:]
    assert sorted(o.position for o in rest) == list(range(30, 50))


async def test_b06_a_journal_that_fails_while_calls_are_under_way(tmp_path, monkeypatch):
    """The caller learns of it, what is under way ends, and nothing more is sent."""
    from linksfield_async.bulk.journal.writer import Writer

    failing = False
    stamp = Writer._stamp

    def stamped(self, connection, jobs):
        if failing:
            raise sqlite3.OperationalError("database or disk is full")
        return stamp(self, connection, jobs)

    monkeypatch.setattr(Writer, "_stamp", stamped)

    async def answer(params):
        nonlocal failing
        await asyncio.sleep(0.002)
        failing = failing or len(transport.sent) >= 40
        return GOOD

    transport, path = Answers(answer), tmp_path / "run.db"
    run = transport.client().verify_many(iccids(2_000), journal=path, concurrency=8)
    with pytest.raises(JournalError, match="disk is full"):
        await asyncio.wait_for(listed(run), 10)
    assert len(transport.sent) <= 40 + 3 * 8
    assert not run.is_complete
    sent, failing = len(transport.sent), False
    monkeypatch.undo()
    after = Answers()
    again = after.client().verify_many(iccids(2_000), journal=path, concurrency=8)
    await listed(again)
    assert again.is_complete
    assert sent + len(after.sent) <= 2_000 + 3 * 8


async def test_b06_no_order_leaves_that_the_journal_does_not_know(tmp_path, monkeypatch):
    from linksfield_async.bulk.journal.writer import Writer

    path, transport = tmp_path / "run.db", Answers()

    def full(self, connection, jobs):
        raise sqlite3.OperationalError("database or disk is full")

    run = transport.client().send_many((order(n) for n in range(50)), journal=path, concurrency=4)
    await anext(run)
    monkeypatch.setattr(Writer, "_commit", full)
    sent = len(transport.sent)
    with pytest.raises(JournalError, match="disk is full"):
        await asyncio.wait_for(listed(run), 10)
    with suppress(JournalError):
        await run.aclose()
    known = {row[0] for row in sqlite3.connect(path).execute("SELECT position FROM item")}
    assert {int(params["orderNo"][2:]) for params in transport.sent} <= known
    assert len(transport.sent) <= sent + 4


async def test_a_callback_that_raises_is_not_asked_again_and_the_run_goes_on(caplog):
    calls = []

    def progress(told):
        calls.append(told)
        raise ZeroDivisionError

    with caplog.at_level(logging.WARNING, "linksfield_async"):
        outcomes = await listed(Answers().client().verify_many(iccids(50), progress=progress))
    assert (len(outcomes), len(calls)) == (50, 1)
    assert "progress is not shown any more: ZeroDivisionError()" in caplog.text


async def test_b23_progress_is_told_at_the_end_and_its_parts_are_the_whole():
    told = []
    answers = {iccid(1): BAD, iccid(2): NOT_FOUND, iccid(3): {"what": "?"}}
    transport = Answers(lambda params: answers.get(params["deviceCode"], GOOD))
    items = [*iccids(60), "x", iccid(1)]
    run = transport.client().verify_many(items, progress=told.append, stop=None, concurrency=5)
    async for _ in run:
        now = run.progress
        assert now.done + now.failed + now.unknown + now.todo == now.total == 62
        assert now.in_flight <= 5
    last = told[-1]
    assert last.verdicts == {
        "valid": 57, "refused": 2, "invalid_input": 1, "failed": 1, "unknown": 1,
    }  # fmt: skip
    assert (last.done, last.todo, last.duplicates, last.in_flight) == (60, 0, 1, 0)


async def test_the_total_of_a_source_that_cannot_tell():
    run = Answers().client().verify_many(iter(iccids(5)), total=5)
    assert (run.progress.total, run.progress.todo) == (5, 5)
    run2 = Answers().client().verify_many(iter(iccids(5)), concurrency=1)
    await anext(run2)
    assert not run2.progress.is_total_known
    await listed(run2)
    assert (run2.progress.total, run2.progress.is_total_known) == (5, True)
    await listed(run)
