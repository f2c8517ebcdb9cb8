from __future__ import annotations

import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from linksfield_async import Client, ConfigurationError, JournalError, JournalRefused
from linksfield_async.bulk import Journal
from linksfield_async.groups.journal import ChangeJournal, Subject
from linksfield_async.groups.report import CardChange
from linksfield_async.groups.room import Desk

ABOUT = Subject(
    kind="add",
    partner="P1",
    endpoint="http://127.0.0.1",
    group_id="G",
    key_check=None,
    digest="d",
)


@pytest.fixture
def desk() -> Desk:
    return Desk(None, None, None, None)  # type: ignore[arg-type]


@pytest.fixture
async def journal(tmp_path: Path, desk: Desk) -> AsyncIterator[ChangeJournal]:
    journal = ChangeJournal(tmp_path / "run.db", desk, ())
    await journal.open(ABOUT)
    yield journal
    await journal.close("left")


async def reopened(tmp_path: Path, desk: Desk, **about: Any) -> ChangeJournal:
    import attrs

    journal = ChangeJournal(tmp_path / "run.db", desk, ())
    await journal.open(attrs.evolve(ABOUT, **about))
    return journal


async def test_what_was_written_is_there_again(
    journal: ChangeJournal, tmp_path: Path, desk: Desk
) -> None:
    numbers = [journal.next_number() for _ in range(4)]
    for number in numbers:
        await journal.intend(number, "add", [f"card {number}"])
    await journal.accepted(2, "REQ2")
    await journal.accepted(3, "REQ3")
    await journal.judged(3, [CardChange("card 3", "add", "refused", "no contract")])
    await journal.forget(4)
    await journal.close("finished")
    again = await reopened(tmp_path, desk)
    rows = [(row.number, row.request_id, row.verdicts) for row in again.rows]
    assert rows == [
        (1, None, None),
        (2, "REQ2", None),
        (3, "REQ3", {"card 3": ("refused", "no contract")}),
    ]
    assert again.next_number() == 4
    await again.close("left")
    assert desk.journals == set()


async def test_one_at_a_time_and_for_its_owner_only(
    journal: ChangeJournal, tmp_path: Path, desk: Desk
) -> None:
    with pytest.raises(JournalRefused, match="in use by process"):
        await reopened(tmp_path, desk)
    assert stat.S_IMODE((tmp_path / "run.db").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ({"kind": "sync"}, "another kind of change: add, not sync"),
        ({"partner": "P2"}, "partner P1, not P2"),
        ({"endpoint": "http://other"}, "endpoint"),
        ({"group_id": "H"}, "group G, not H"),
        ({"digest": "e"}, "other cards than these"),
        ({"key_check": b"1"}, "with plain ICCIDs"),
    ],
)
async def test_another_change_is_refused(
    journal: ChangeJournal, tmp_path: Path, desk: Desk, about: Any, told: str
) -> None:
    await journal.close("left")
    with pytest.raises(JournalRefused, match=told):
        await reopened(tmp_path, desk, **about)


async def test_other_files_are_refused(tmp_path: Path, desk: Desk) -> None:
    (tmp_path / "run.db").write_text("no database, but long enough to be looked at" * 50)
    with pytest.raises(JournalRefused, match="no journal"):
        await reopened(tmp_path, desk)
    (tmp_path / "run.db").unlink()
    with sqlite3.connect(tmp_path / "run.db") as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(JournalRefused, match="no journal of group changes"):
        await reopened(tmp_path, desk)


async def test_another_format_is_refused(
    journal: ChangeJournal, tmp_path: Path, desk: Desk
) -> None:
    await journal.close("left")
    connection = sqlite3.connect(tmp_path / "run.db")
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(JournalRefused, match="format 9"):
        await reopened(tmp_path, desk)


async def test_what_cannot_be_written_is_an_error(
    journal: ChangeJournal, tmp_path: Path, desk: Desk
) -> None:
    with pytest.raises(JournalError, match="failed"):
        await journal._write("INSERT INTO nowhere VALUES (?)", (1,))
    await journal.close("left")
    await journal.close("left")
    with pytest.raises(JournalError, match="closed"):
        await journal.forget(1)
    with pytest.raises(JournalError, match="cannot be opened"):
        await ChangeJournal(tmp_path / "no" / "run.db", desk, ()).open(ABOUT)


@pytest.mark.parametrize("path", ["", 5, None])
def test_what_is_no_path(desk: Desk, path: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be a path|is empty"):
        ChangeJournal(path, desk, ())


def test_settings_of_bulk_runs_that_mean_nothing_here(desk: Desk) -> None:
    with pytest.raises(ConfigurationError, match="settle_for"):
        ChangeJournal(Journal("run.db", quarantine=5), desk, ())
    with pytest.raises(ConfigurationError, match="16 characters"):
        ChangeJournal(Journal("run.db", key="short"), desk, ())


async def test_a_full_disk_is_told_and_keeps_no_client_from_closing(
    sandbox, cards, fast, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    settings = {"group_id": "G1003", "iccids": cards, "journal": tmp_path / "run.db", **fast}
    async with Client(sandbox.account) as client:
        job = await client.groups.add_sims(**settings)
        with monkeypatch.context() as patch:
            patch.setattr(ChangeJournal, "_execute", full)
            with pytest.raises(JournalError, match="full"):
                await job
            await client.close()
    async with Client(sandbox.account) as client:
        assert (await (await client.groups.add_sims(**settings))).is_done
    assert sandbox.world.needless_changes() == []
