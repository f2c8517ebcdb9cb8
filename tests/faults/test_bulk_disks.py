"""The journal of bulk runs on bad disks: full, read-only, damaged, cut off by a loss of power."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from bulk_files import check_rows, rows_of, written_cards
from bulk_program import command_line, ended, iccid, order, program, wait_for
from click.testing import CliRunner
from counting_server import CountingServer
from killing import finish

from linksfield_async import Account, Client, Endpoints, JournalError, Options
from linksfield_async.bulk import Journal, look_into
from linksfield_async.bulk.journal import ledger
from linksfield_async.bulk.journal.opening import connected
from linksfield_async.cli.app import root

ORDERS = 300


@pytest.fixture
async def client(counting: CountingServer) -> AsyncIterator[Client]:
    counting.behave(slow_share=0.0)
    account = Account("P000270", endpoints=Endpoints.at(counting.url))
    async with Client(account, options=Options(attempts=1)) as client:
        yield client


def written_down(journal: Path) -> set[str]:
    """Which orders the journal knows, by the partner's own id."""
    with closing(sqlite3.connect(journal)) as connection:
        return {f"shop-{n}" for (n,) in connection.execute("SELECT position FROM item")}


def sending(client: Client, journal: Path) -> Any:
    told = Journal(journal, quarantine=0.2)
    return client.send_many(map(order, range(ORDERS)), journal=told, concurrency=8)


Limit = Callable[[sqlite3.Connection], Any]


def _few_pages(connection: sqlite3.Connection) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 3}")


def _read_only(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")


@pytest.mark.usefixtures("no_margin")
@pytest.mark.parametrize("limit", [_few_pages, _read_only], ids=["full", "read-only"])
async def test_b06_nothing_is_sent_that_is_not_written_down(
    counting: CountingServer,
    client: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: Limit,
) -> None:
    journal = tmp_path / "run.db"

    def limited(path: str, name: str) -> sqlite3.Connection:
        connection = connected(path, name)
        limit(connection)
        return connection

    for _ in range(2):
        monkeypatch.setattr(ledger, "connected", limited)
        with pytest.raises(
            JournalError, match=r"^the journal .* failed: .*(full|readonly)"
        ) as caught:
            async for _ in sending(client, journal):
                pass
        assert "\n" not in str(caught.value)
        taken = counting.taken
        assert set(taken) <= written_down(journal)
        assert max(taken.values(), default=1) == 1
        assert len(taken) < ORDERS
        monkeypatch.setattr(ledger, "connected", connected)
        async with sending(client, journal) as some:  # there is room again, for a while
            for _ in range(20):
                await anext(some)
    wait_for(lambda: counting.under_way == 0)
    async for _ in sending(client, journal):
        pass
    assert counting.made == {f"shop-{n}": 1 for n in range(ORDERS)}
    assert look_into(journal).is_finished


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit")
@pytest.mark.parametrize("room", [60_000, 300_000])
def test_b06_the_command_line_on_a_full_disk(
    counting: CountingServer, tmp_path: Path, room: int
) -> None:
    many = 3_000
    counting.behave(delay=0.01)
    given, out = written_cards(tmp_path / "cards.csv", many), tmp_path / "results.csv"
    words = ("verify", str(given), "--out", str(out), "--journal", str(tmp_path / "run.db"))
    run = command_line(counting.url, *words)
    wait_for(lambda: counting.total > 0 or run.poll() is not None)
    resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (room, room))
    code, out_text, err = ended(run)
    assert (code, err.count("\n")) == (1, 1), (out_text, err)
    assert "go on with: linksfield verify" in err
    assert counting.total < many
    counting.behave(delay=0.0)
    finish(command_line(counting.url, *words))
    check_rows(out, many)
    assert set(counting.cards) == {iccid(n) for n in range(many)}
    # What was answered and not written down came again, and no more than that.
    assert counting.total <= many + 2 * 2 * 64


def copied(journal: Path, to: Path, wal_bytes: int | None = None) -> Path:
    """Copy a journal and its log as they are on the disk."""
    to.mkdir()
    copy = to / journal.name
    shutil.copyfile(journal, copy)
    log = journal.with_name(f"{journal.name}-wal")
    if log.exists():
        content = log.read_bytes()
        copy.with_name(log.name).write_bytes(content if wal_bytes is None else content[:wal_bytes])
    return copy


def check_sound(journal: Path) -> None:
    """It opens, nothing in it is damaged, and nothing is done without an answer."""
    look_into(journal, check=True)
    with closing(sqlite3.connect(journal)) as connection:
        rows = connection.execute("SELECT status, answer FROM item WHERE verdict = 1").fetchall()
        (taken,) = connection.execute("SELECT taken FROM run").fetchone()
        (last,) = connection.execute("SELECT max(position) FROM item").fetchone()
    assert all(
        status == 200 and json.loads(answer)["operateCode"] == "S" for status, answer in rows
    )
    assert (-1 if last is None else last) < taken


@pytest.mark.skipif(os.name != "posix", reason="holds a process as POSIX does")
def test_b05_any_moment_at_which_the_power_may_go(counting: CountingServer, tmp_path: Path) -> None:
    draw = random.Random(5)
    journal = tmp_path / "run.db"
    counting.behave(slowest=0.2)
    settings = {"url": counting.url, "kind": "orders", "out": str(tmp_path / "outcomes")}
    with program(**settings, count=ORDERS, path=str(journal), concurrency=8) as run:
        wait_for(lambda: counting.total > 0)
        for number in range(8):
            time.sleep(draw.uniform(0.0, 0.04))
            run.send_signal(signal.SIGSTOP)
            time.sleep(0.01)  # until every thread of it stands still
            taken = set(counting.taken)
            copy = copied(journal, tmp_path / f"{number}")
            log = journal.with_name("run.db-wal")
            size = log.stat().st_size if log.exists() else 0
            cuts = [
                copied(journal, tmp_path / f"{number}-{cut}", draw.randrange(size + 1))
                for cut in range(2)
            ]
            run.send_signal(signal.SIGCONT)
            check_sound(copy)
            assert taken <= written_down(copy)
            # What was not safe on the disk may be gone, but nothing else.
            for cut in cuts:
                look_or_nothing(cut)
        finish(run)
    check_sound(journal)
    assert counting.made == {f"shop-{n}": 1 for n in range(ORDERS)}


def look_or_nothing(journal: Path) -> None:
    """Sound, or so young that there is no run in it: both can be gone on with."""
    with closing(sqlite3.connect(journal)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if "run" not in tables or not connection.execute("SELECT 1 FROM run").fetchone():
            return
    check_sound(journal)


def test_b05_a_crash_leaves_a_journal_that_can_be_looked_at_elsewhere(
    counting: CountingServer, tmp_path: Path
) -> None:
    """Without the file of shared memory, which a copy does not have."""
    given, journal = written_cards(tmp_path / "cards.csv", 5_000), tmp_path / "run.db"
    words = ("verify", str(given), "--out", str(tmp_path / "o.csv"), "--journal", str(journal))
    with command_line(counting.url, *words) as run:
        wait_for(lambda: counting.total > 500)
        run.kill()
        run.communicate(timeout=10)
    copy = copied(journal, tmp_path / "copy")
    shown = CliRunner().invoke(root, ["runs", "show", str(copy), "--check"])
    assert shown.exit_code == 0, shown.output
    assert "not ended: it goes on, or it crashed" in shown.output


@pytest.mark.skipif(os.name != "posix", reason="holds a process as POSIX does")
def test_b05_results_that_know_more_than_the_journal(
    counting: CountingServer, tmp_path: Path
) -> None:
    """Rows are handed to the system with others, and so is the journal: either may be ahead."""
    many = 3_000
    counting.behave(delay=0.02)
    given, out = written_cards(tmp_path / "cards.csv", many), tmp_path / "results.csv"
    journal = tmp_path / "run.db"
    words = ("verify", str(given), "--out", str(out), "--journal", str(journal))
    with command_line(counting.url, *words) as run:
        wait_for(lambda: counting.total > 200)
        run.send_signal(signal.SIGSTOP)
        copy = copied(journal, tmp_path / "copy")
        run.send_signal(signal.SIGCONT)
        wait_for(lambda: len(rows_of(out)) > 1_000)
        run.kill()
        run.communicate(timeout=10)
    for file in tmp_path.glob("run.db*"):
        file.unlink()
    for file in copy.parent.iterdir():
        file.rename(tmp_path / file.name)
    counting.behave(delay=0.0)
    finish(command_line(counting.url, *words))
    check_rows(out, many)


def test_b09_damage_in_the_middle_is_told_in_one_line(
    counting: CountingServer, tmp_path: Path
) -> None:
    given, out = written_cards(tmp_path / "cards.csv", 2_000), tmp_path / "results.csv"
    journal = tmp_path / "run.db"

    def linksfield(*arguments: object) -> tuple[int, str, str]:
        return ended(command_line(counting.url, *map(str, arguments)))

    words = ("verify", given, "--out", out, "--journal", journal)
    assert linksfield(*words)[0] == 0
    content = bytearray(journal.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 3 * 4096] = random.Random(9).randbytes(3 * 4096)
    journal.write_bytes(content)
    code, _, err = linksfield("runs", "show", journal, "--check")
    assert (code, err.count("\n")) == (1, 1)
    assert "is damaged" in err or "cannot be read" in err
    before = out.read_bytes()
    out.unlink()  # so that every row of the journal is needed
    code, _, err = linksfield(*words)
    assert (code, err.count("\n")) == (1, 1)
    assert "malformed" in err or "damaged" in err
    assert counting.total == 2_000
    # The results can be completed with another journal, whatever was lost of this one.
    out.write_bytes(before[: len(before) // 2])
    anew = ("verify", given, "--out", out, "--journal", tmp_path / "new.db")
    assert linksfield(*anew, "--force")[0] == 0
    assert len(rows_of(out)) == 2_000
