from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress

import pytest
from bulk_stubs import iccid, opened

from linksfield_async.bulk.journal.ledger import Block
from linksfield_async.bulk.journal.rows import cells_of
from linksfield_async.bulk.journal.schema import BLOCK
from linksfield_async.errors import JournalError, JournalRefused


def column(path, select):
    with sqlite3.connect(path) as connection:
        found = connection.execute(select).fetchall()
    connection.close()
    return found


async def test_a_new_one_knows_nothing(tmp_path):
    ledger = await opened(tmp_path / "run.db")
    assert (ledger.taken_before, ledger.total_before, ledger.blocks) == (0, None, {})
    await ledger.close("finished")
    ((host, ended, closed),) = column(
        tmp_path / "run.db", "SELECT host, ended, ended_ms >= started_ms FROM session"
    )
    assert (bool(host), ended, closed) == (True, "finished", 1)


async def test_what_one_session_noted_the_next_one_knows(tmp_path):
    path = tmp_path / "run.db"
    ledger = await opened(path)
    ledger.taken(BLOCK + 2)
    ledger.block_read(0, [iccid(n) for n in range(BLOCK)])
    for position in range(BLOCK):
        cells = cells_of(position, "valid", row=position + 2, key=iccid(position))
        ledger.put(cells)
        ledger.delivered(cells)
    ledger.put(cells_of(BLOCK, "failed", attempts=3, key=iccid(BLOCK)))
    ledger.read_whole(BLOCK + 2)
    await ledger.close("stopped")
    ledger = await opened(path)
    assert (ledger.taken_before, ledger.total_before) == (BLOCK + 2, BLOCK + 2)
    digest = ledger.hiding.block([iccid(n) for n in range(BLOCK)])
    counts = {"valid": BLOCK, "refused": 0, "invalid_input": 0}
    assert ledger.blocks == {0: Block(digest, counts)}
    assert ledger.blocks[0].is_settled
    rows = await ledger.rows(BLOCK - 1, 3)
    assert {p: (s.verdict, s.delivered, s.row, key) for p, (s, key) in rows.items()} == {
        BLOCK - 1: (1, 1, BLOCK + 1, iccid(BLOCK - 1)),
        BLOCK: (4, 0, None, iccid(BLOCK)),
    }
    assert (await ledger.find(iccid(7))).position == 7
    assert await ledger.find(iccid(9_999)) is None
    await ledger.close("finished")


@pytest.mark.parametrize(
    ("digest", "counts", "settled"),
    [
        (b"d", {"valid": 1000, "refused": 20, "invalid_input": 4}, True),
        (b"d", {"valid": 1000, "refused": 20, "invalid_input": 3}, False),
        (None, {"valid": 1024, "refused": 0, "invalid_input": 0}, False),
    ],
)
def test_a_settled_block(digest, counts, settled):
    assert Block(digest, counts).is_settled == settled


async def test_doubles_are_found_under_the_first(tmp_path):
    ledger = await opened(tmp_path / "run.db")
    ledger.put(cells_of(9, "valid", key=iccid(1), duplicate_of=3))
    ledger.put(cells_of(7, "failed", key=iccid(1)))
    ledger.put(cells_of(3, "valid", key=iccid(1)))
    assert (await ledger.find(iccid(1))).position == 3
    await ledger.close("finished")


async def test_an_intent_is_on_the_disk_when_it_is_back(tmp_path):
    ledger = await opened(tmp_path / "run.db")
    await ledger.intend(cells_of(4, None, at_ms=ledger.wall_ms))
    assert column(tmp_path / "run.db", "SELECT position, verdict FROM item") == [(4, 0)]
    assert ledger.unsaved == 0
    await ledger.close("finished")


async def test_b19_the_journal_knows_of_the_moment_before_anything_leaves(tmp_path):
    path = tmp_path / "run.db"
    ledger = await opened(path)
    before = ledger.stored_ms
    await ledger.may_leave()
    ((noted,),) = column(path, "SELECT once_ms FROM run")
    assert before <= noted <= ledger.stored_ms
    await ledger.close("finished")
    ledger = await opened(path)
    assert ledger.sent_before_ms(0) >= noted
    assert ledger.sent_before_ms(2**41) >= 2**41
    await ledger.close("finished")


async def test_b19_after_a_new_start_of_the_machine_all_counts_as_sent_just_now(tmp_path):
    path = tmp_path / "run.db"
    await (await opened(path)).close("finished")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE run SET boot_id = 'other'")
    connection.close()
    ledger = await opened(path)
    assert ledger.wall_ms - ledger.sent_before_ms(0) < 60_000
    await ledger.close("finished")


async def test_b07_one_that_another_run_has_taken_over_writes_nothing_more(tmp_path):
    ledger = await opened(tmp_path / "run.db")
    with sqlite3.connect(tmp_path / "run.db") as connection:
        connection.execute("INSERT INTO session (started_ms, host, pid) VALUES (0, 'there', 1)")
    connection.close()
    with pytest.raises(JournalError, match="another run has taken over"):
        await ledger.intend(cells_of(0, None))
    with suppress(JournalError):
        await ledger.close("failed")
    assert column(tmp_path / "run.db", "SELECT count(*) FROM item") == [(0,)]


async def test_another_run_s_is_refused_and_given_free(tmp_path):
    path = tmp_path / "run.db"
    await (await opened(path)).close("finished")
    with pytest.raises(JournalRefused, match="of partner P1, not P2"):
        await opened(path, partner="P2")
    assert column(path, "SELECT count(*) FROM session") == [(1,)]
    await (await opened(path)).close("finished")


async def test_it_is_free_for_the_next_once_it_is_closed(tmp_path):
    ledger = await opened(tmp_path / "run.db")
    await ledger.close("finished")
    await asyncio.wait_for((await opened(tmp_path / "run.db")).close("finished"), 5)
