from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from pathlib import Path

import pytest
from pushes import Granting, receiver, signed

from linksfield_async.errors import InboxUnavailable
from linksfield_async.notifications import SqliteInbox
from linksfield_async.notifications.inbox import Claim, Stored

ONE = Stored(key="k", body=b"{}", authenticity="signed")


async def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    async with SqliteInbox(tmp_path / "inbox.db") as inbox:
        await inbox.keep(ONE)
        for file in tmp_path.iterdir():
            assert stat.S_IMODE(os.stat(file).st_mode) == 0o600, file


async def test_the_body_is_gone_once_it_is_done(tmp_path: Path) -> None:
    async with SqliteInbox(tmp_path / "inbox.db") as inbox:
        one, _ = receiver(inbox=inbox)
        assert (await one.handle(*signed(), Granting())).status == 200
    with sqlite3.connect(tmp_path / "inbox.db") as connection:
        rows = connection.execute("SELECT state, body FROM linksfield_inbox").fetchall()
    connection.close()
    assert rows == [(2, b"")]


async def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "none" / "inbox.db")
    for _ in range(2):
        with pytest.raises(InboxUnavailable, match="cannot be written"):
            await inbox.keep(ONE)
    (tmp_path / "none").mkdir()
    assert await inbox.keep(ONE) is None  # it may come back
    await inbox.aclose()


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "inbox.db").write_bytes(b"something else" * 100)
    async with SqliteInbox(tmp_path / "inbox.db") as inbox:
        one, _ = receiver(inbox=inbox)
        assert (await one.handle(*signed(), Granting())).status == 503


async def test_a_file_that_another_process_holds(tmp_path: Path) -> None:
    async with SqliteInbox(tmp_path / "inbox.db", busy=0.05) as inbox:
        await inbox.keep(ONE)
        other = sqlite3.connect(tmp_path / "inbox.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InboxUnavailable, match="locked"):
            await inbox.waiting()
        other.execute("ROLLBACK")
        other.close()
        assert await inbox.waiting() == 1


async def test_a_crowd_shares_transactions_and_each_has_its_answer(tmp_path: Path) -> None:
    async with SqliteInbox(tmp_path / "inbox.db") as inbox:
        many = [Stored(key=str(n), body=b"{}", authenticity="signed") for n in range(1200)]
        claims = await asyncio.gather(*(inbox.acquire(one, lease=60) for one in many))
        assert [claim.stored.key for claim in claims if isinstance(claim, Claim)] == [
            str(n) for n in range(1200)
        ]
        done = await asyncio.gather(
            *(inbox.finish(claim) for claim in claims if isinstance(claim, Claim))
        )
        assert all(done)


def test_it_is_used_from_several_loops(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.db")
    asyncio.run(inbox.keep(ONE))
    assert asyncio.run(inbox.waiting()) == 1
    asyncio.run(inbox.aclose())
