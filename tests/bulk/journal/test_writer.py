from __future__ import annotations

import asyncio
import sqlite3

import pytest
from bulk_stubs import turns, until
from hypothesis import given, settings
from hypothesis import strategies as st

from linksfield_async.bulk.journal import writer as writing
from linksfield_async.bulk.journal.opening import scratch
from linksfield_async.bulk.journal.rows import cells_of
from linksfield_async.bulk.journal.schema import BLOCK, CODES
from linksfield_async.bulk.journal.writer import Beat, BlockRead, Delivered, Writer
from linksfield_async.errors import JournalError, JournalRefused


async def started(open_=scratch):
    writer = Writer(open_, "'x'")
    await writer.start()
    return writer


def positions(connection):
    return [row[0] for row in connection.execute("SELECT position FROM item ORDER BY rowid")]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 300)),
        st.tuples(st.sampled_from(["do", "turn", "wait", "saved"]), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=40)
@given(STEPS)
def test_nothing_is_lost_and_what_is_asked_for_comes_after_what_was_put(steps):
    async def main():
        writer, put, asked = await started(), 0, []

        def ask():
            expected = put
            task = asyncio.create_task(writer.do(lambda connection: len(positions(connection))))
            asked.append((task, expected))
            return task

        for step, count in steps:
            if step == "put":
                for _ in range(count):
                    writer.put(cells_of(put, "valid"))
                    put += 1
            elif step == "do":
                ask()
                await turns(1)
            elif step == "turn":
                await turns(2)
            elif step == "saved" and writer.unsaved:
                async with asyncio.timeout(5):
                    while writer.unsaved:
                        await writer.saved_some(at_once=bool(put % 2))
            else:
                await asyncio.wait_for(ask(), 5)
        found = await asyncio.wait_for(writer.do(positions), 5)
        assert found == list(range(put))
        for task, expected in asked:
            assert await task >= expected
        assert writer.unsaved == 0
        await writer.stop()

    asyncio.run(main())


async def test_the_later_row_of_a_position_stays():
    writer = await started()
    for verdict in (None, "failed", "valid"):
        writer.put(cells_of(5, verdict))
    await writer.do(None)
    writer.put(cells_of(5, "refused"))
    found = await writer.do(lambda c: c.execute("SELECT position, verdict FROM item").fetchall())
    assert found == [(5, CODES["refused"])]
    await writer.stop()


def blocks(connection):
    return connection.execute("SELECT number, digest, valid, refused FROM block").fetchall()


async def test_a_delivery_counts_once_whenever_it_is_told():
    """With its row, after its row, and twice."""
    writer = await started()
    early, late = cells_of(0, "valid"), cells_of(1, "valid")
    early[2] = 1
    writer.put(early)
    writer.put(late)
    await writer.do(None)
    assert late[-1]
    writer.put(Delivered(1, CODES["valid"]))
    writer.put(Delivered(0, CODES["valid"]))
    writer.put(Delivered(1, CODES["valid"]))
    await writer.do(None)
    writer.put(Delivered(1, CODES["valid"]))
    writer.put(cells_of(2, "failed"))
    writer.put(Delivered(2, CODES["failed"]))
    refused = cells_of(BLOCK, "refused")
    refused[2] = 1
    writer.put(refused)
    writer.put(BlockRead(0, b"digest"))
    assert await writer.do(blocks) == [(0, b"digest", 2, 0), (1, None, 0, 1)]
    await writer.stop()


async def test_all_of_a_group_or_nothing_of_it_is_written(tmp_path, monkeypatch):
    path = str(tmp_path / "x.db")
    from linksfield_async.bulk.journal.opening import connected

    writer = await started(lambda: connected(path, "'x'"))
    writer.put(cells_of(0, "valid"))
    await writer.do(None)
    monkeypatch.setattr(writing, "_note_blocks", lambda *_: 1 / 0)
    hooked = []
    monkeypatch.setattr("threading.excepthook", hooked.append)
    writer.put(cells_of(1, "valid"))
    with pytest.raises(JournalError, match="the writer of the journal 'x' broke"):
        await asyncio.wait_for(writer.do(None), 5)
    await writer.stop()
    assert hooked[0].exc_type is ZeroDivisionError
    with sqlite3.connect(path) as connection:
        assert positions(connection) == [0]
    connection.close()


async def test_b06_a_failure_is_told_to_all_who_wait_and_to_all_who_come_later():
    writer = await started()
    with pytest.raises(JournalError, match="the journal 'x' failed: no such table: absent"):
        await asyncio.gather(
            writer.do(lambda connection: connection.execute("SELECT * FROM absent")),
            writer.saved_some(at_once=True),
        )
    await until(lambda: writer.failure)
    for come in (
        lambda: writer.put(cells_of(0, "valid")),
        lambda: writer.put(Beat()),
    ):
        with pytest.raises(JournalError, match="no such table"):
            come()
    for wait in (lambda: writer.do(None), lambda: writer.saved_some(at_once=False)):
        with pytest.raises(JournalError, match="no such table"):
            await wait()
    await asyncio.wait_for(writer.stop(), 5)


async def test_who_comes_in_the_moment_of_a_failure_does_not_wait_for_ever():
    """The thread ends between the look at `failure` and the job that is put."""
    writer = await started()
    submit = writer._submit

    def late(work):
        failing = submit(lambda connection: connection.execute("SELECT * FROM absent"))
        writer._thread.join(5)
        waiting.append(failing.future)
        return submit(work)

    waiting = []
    writer._submit = late
    with pytest.raises(JournalError, match="no such table"):
        await asyncio.wait_for(writer.do(None), 3)
    with pytest.raises(JournalError, match="no such table"):
        await waiting[0]
    await asyncio.wait_for(writer.stop(), 3)


@pytest.mark.parametrize(
    "error", [JournalRefused("another run's"), sqlite3.OperationalError("locked"), OSError("gone")]
)
async def test_what_opening_raises(error):
    def open_():
        raise error

    kind = JournalRefused if isinstance(error, JournalRefused) else JournalError
    writer = Writer(open_, "'x'")
    with pytest.raises(kind):
        await writer.start()
    await asyncio.wait_for(writer.stop(), 5)


async def test_what_was_put_is_safe_when_it_stops(tmp_path):
    from linksfield_async.bulk.journal.opening import connected

    path = str(tmp_path / "x.db")
    writer = await started(lambda: connected(path, "'x'"))
    for position in range(1_000):
        writer.put(cells_of(position, "valid"))
    await writer.stop()
    with sqlite3.connect(path) as connection:
        assert positions(connection) == list(range(1_000))
    connection.close()


async def test_one_who_stops_waiting_disturbs_nobody():
    writer = await started()
    gone = asyncio.create_task(writer.do(positions))
    saved = asyncio.create_task(writer.saved_some(at_once=True))
    await turns(1)
    gone.cancel()
    saved.cancel()
    writer.put(cells_of(0, "valid"))
    assert await asyncio.wait_for(writer.do(positions), 5) == [0]
    await writer.stop()


def test_a_loop_that_is_closed_ends_its_thread():
    """An abandoned run: nobody is there to stop it."""

    async def abandon():
        writer = await started()
        writer.put(cells_of(0, "valid"))
        return writer

    loop = asyncio.new_event_loop()
    writer = loop.run_until_complete(abandon())
    loop.close()
    writer._stirred.set()
    writer._thread.join(5)
    assert not writer._thread.is_alive()
