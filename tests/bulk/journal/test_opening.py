from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing

import pytest
from bulk_stubs import opened

from linksfield_async.bulk.journal.opening import connected, locked, resolved, scratch
from linksfield_async.errors import JournalError, JournalRefused


def test_b07_one_holds_it_and_the_next_is_refused(tmp_path):
    path = str(tmp_path / "run.db")
    with closing(locked(path, "run.db")):
        with pytest.raises(JournalRefused, match=r"run.db is in use by another run"):
            locked(path, "run.db")
        link = tmp_path / "link.db"
        link.symlink_to(path)
        with pytest.raises(JournalRefused, match="in use"):
            locked(resolved(str(link)), "link.db")
    with closing(locked(path, "run.db")):
        pass


async def test_b07_it_tells_who_holds_it(tmp_path):
    ledger = await opened(tmp_path / "run.db")
    try:
        with pytest.raises(JournalRefused, match=rf"in use by process {os.getpid()} on "):
            await opened(tmp_path / "run.db")
    finally:
        await ledger.close("finished")


def test_nobody_else_may_read_it(tmp_path):
    path = tmp_path / "run.db"
    before = os.umask(0)
    try:
        with closing(connected(str(path), "x")) as connection:
            connection.execute("INSERT INTO block (number) VALUES (1)")
            modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == {0o600}


def test_every_commit_is_safe_on_the_disk(tmp_path):
    with closing(connected(str(tmp_path / "run.db"), "x")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_no_folder(tmp_path):
    for open_ in (locked, connected):
        with pytest.raises(JournalError, match="the journal 'x' cannot be opened: "):
            open_(str(tmp_path / "none" / "run.db"), "'x'")


@pytest.mark.parametrize(
    "content", [b"row,given\r\n" * 200, b"8985000000000000001\n", b"SQLite format 3\0" * 100]
)
def test_what_is_no_journal_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "cards.csv"
    path.write_bytes(content)
    with pytest.raises((JournalRefused, sqlite3.DatabaseError)):
        connected(str(path), "x")
    assert path.read_bytes() == content


async def test_b09_damage_at_the_start_is_one_line(tmp_path):
    path = tmp_path / "run.db"
    ledger = await opened(path)
    await ledger.close("finished")
    content = bytearray(path.read_bytes())
    content[100:3000] = os.urandom(2900)
    path.write_bytes(content)
    with pytest.raises((JournalError, JournalRefused)) as caught:
        await opened(path)
    assert "\n" not in str(caught.value)


def test_a_scratch_database_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with closing(scratch()) as connection:
        connection.execute("INSERT INTO block (number) VALUES (1)")
    assert list(tmp_path.iterdir()) == []
