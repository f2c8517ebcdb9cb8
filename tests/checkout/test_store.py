from __future__ import annotations

import asyncio
import os
import stat
import threading
from pathlib import Path
from typing import Any

import attrs
import pytest

from linksfield_async import CheckoutConflict, ConfigurationError, JournalError
from linksfield_async.checkout import SqliteCheckouts
from linksfield_async.checkout.record import Intent, Record
from linksfield_async.checkout.saving import saved
from linksfield_async.checkout.state import State, Step
from linksfield_async.checkout.store import _in_thread, keeper_of


@pytest.fixture
def store(tmp_path: Path) -> SqliteCheckouts:
    return SqliteCheckouts(tmp_path / "shop.db")


async def test_a_key_is_taken_once(store: SqliteCheckouts, record: Record) -> None:
    assert await store.load("a") is None
    told = await asyncio.gather(*(store.insert("a", saved(record)) for _ in range(8)))
    assert sorted(told) == [False] * 7 + [True]
    assert await store.load("a") == saved(record)


async def test_only_the_revision_before_is_replaced(store: SqliteCheckouts, record: Record) -> None:
    await store.insert("a", saved(record))
    later = saved(record.noting("later"))
    told = await asyncio.gather(*(store.update("a", later, 2) for _ in range(8)))
    assert sorted(told) == [False] * 7 + [True]
    assert not await store.update("a", later, 2)
    assert not await store.update("a", later, 4)
    assert not await store.update("b", later, 1)
    assert await store.update("a", later, 3)


async def test_keys_by_state_and_what_proves_something(
    store: SqliteCheckouts, record: Record
) -> None:
    doubt = attrs.evolve(record, under_way=Intent.now(Step.ORDERING))
    shown = attrs.evolve(record, shown_unpaid=True, reached=State.PAID)
    canceling = attrs.evolve(
        record, shown_renewal=True, reached=State.CONFIRMED, under_way=Intent.now(Step.CANCELING)
    )
    for key, one in (("a", record), ("b", doubt), ("c", shown), ("d", canceling)):
        await store.insert(key, saved(one))
    assert await store.keys() == ("a", "b", "c", "d")
    assert await store.keys("unknown", "planned") == ("a", "b")
    assert await store.keys("confirmed") == ("d",)
    assert await store.known() == (saved(shown), saved(canceling))


@pytest.mark.skipif(os.name != "posix", reason="rights as POSIX has them")
async def test_the_file_is_its_owner_s_alone(store: SqliteCheckouts, record: Record) -> None:
    await store.insert("a", saved(record))
    assert stat.S_IMODE(os.stat(store.path).st_mode) == 0o600


async def test_a_file_that_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("no database at all, but long enough to be looked at")
    with pytest.raises(JournalError, match="not a database"):
        await SqliteCheckouts(tmp_path / "x").load("a")


async def test_a_function_may_be_awaited_or_not() -> None:
    kept: list[str] = []

    async def save(text: str) -> None:
        kept.append(text)

    for one in (kept.append, save):
        keeper = keeper_of(one, None, None)
        assert keeper is not None
        await keeper.keep("x", 1)
        assert await keeper.known() == ()
    assert kept == ["x", "x"]
    assert keeper_of(None, None, None) is None


async def test_a_row_that_another_process_replaced(store: SqliteCheckouts, record: Record) -> None:
    keeper = keeper_of(None, store, "a")
    assert keeper is not None
    await keeper.keep(saved(record), 1)
    await keeper.keep(saved(record), 2)
    for revision in (1, 2):
        with pytest.raises(CheckoutConflict):
            await keeper.keep(saved(record), revision)


@pytest.mark.parametrize(
    "given",
    [
        {"save": print, "store": object(), "key": "a"},
        {"save": None, "store": object(), "key": None},
        {"save": None, "store": object(), "key": ""},
        {"save": None, "store": None, "key": "a"},
        {"save": print, "store": None, "key": "a"},
    ],
)
def test_one_place_is_enough(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="either save="):
        keeper_of(**given)


async def test_many_processes_make_the_file_at_once(tmp_path: Path, record: Record) -> None:
    """As of several workers that are started together: each has a connection of its own."""
    for number in range(5):
        path = tmp_path / f"{number}.db"
        told = await asyncio.gather(
            *(SqliteCheckouts(path).insert("a", saved(record)) for _ in range(16))
        )
        assert sum(told) == 1


async def test_it_stays_the_same_file(
    tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another one each key would be free again, and its order placed a second time."""
    monkeypatch.chdir(tmp_path)
    store = SqliteCheckouts("shop.db")
    assert await store.insert("a", saved(record))
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert not await store.insert("a", saved(record))


@pytest.mark.parametrize("path", ["", ":memory:"])
def test_memory_is_no_store(path: str) -> None:
    with pytest.raises(ConfigurationError, match="needs a file"):
        SqliteCheckouts(path)


async def test_a_key_that_cannot_be_written(store: SqliteCheckouts, record: Record) -> None:
    with pytest.raises(JournalError, match="surrogates"):
        await store.insert("a\ud83d", saved(record))


async def test_who_is_cancelled_twice_waits_for_the_write_too() -> None:
    """Else it could come after somebody else has read the row."""
    begun, go, written = threading.Event(), threading.Event(), threading.Event()

    def write() -> None:
        begun.set()
        go.wait(10)
        written.set()

    task = asyncio.ensure_future(_in_thread(write))
    await asyncio.to_thread(begun.wait, 10)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    waits = not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert waits
    assert written.is_set()


async def test_a_store_that_cannot_be_written_stops_what_comes_next(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"the store shop\.db"):
        await SqliteCheckouts(tmp_path / "nowhere" / "shop.db").load("a")
