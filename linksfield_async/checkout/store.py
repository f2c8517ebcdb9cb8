"""Where checkouts are kept: a callable of the caller's, or a store that also guards a key."""

from __future__ import annotations

import asyncio
import inspect
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from typing import ParamSpec, Protocol, TypeAlias, TypeVar

from ..errors import CheckoutConflict, ConfigurationError, JournalError
from .saving import summarized

P = ParamSpec("P")
T = TypeVar("T")

Save: TypeAlias = Callable[[str], Awaitable[object] | object]
"""Keeps the text of a checkout; what it raises keeps the next request from leaving."""

_MOST_KNOWN = 5
_BUSY_SECONDS = 30.0
_TABLE = """
CREATE TABLE IF NOT EXISTS checkout (
    key TEXT PRIMARY KEY NOT NULL,
    revision INTEGER NOT NULL,
    state TEXT NOT NULL,
    proves INTEGER NOT NULL,       -- 1: an unpaid order was shown, 2: a renewal, 3: both
    saved TEXT NOT NULL
)
"""


class CheckoutStore(Protocol):
    """Keeps checkouts under the caller's own keys, one each, and lets nobody overwrite another."""

    async def load(self, key: str) -> str | None:
        """Give the latest text, or None."""
        ...

    async def insert(self, key: str, saved: str) -> bool:
        """Keep the first text, durably; False where the key is taken, and then nothing changes."""
        ...

    async def update(self, key: str, saved: str, revision: int) -> bool:
        """Replace the text of the revision before, durably; False where it is another one."""
        ...

    async def known(self) -> tuple[str, ...]:
        """Give a few texts in which `shown_unpaid` or `shown_renewal` is true, newest first.

        They prove that asking shows what is there; () if none are kept.
        """
        ...


class Keeper(Protocol):
    """Where one checkout goes."""

    async def keep(self, saved: str, revision: int) -> None:
        """Keep it; raises where it could not be kept."""
        ...

    async def known(self) -> tuple[str, ...]:
        """Give texts of other checkouts that prove something; see `CheckoutStore.known`."""
        ...


class CallbackKeeper:
    """Hands each text to a function of the caller's."""

    def __init__(self, save: Save) -> None:
        self._save = save

    async def keep(self, saved: str, revision: int) -> None:
        """Call the function, and await what it gives."""
        kept = self._save(saved)
        if inspect.isawaitable(kept):
            await kept

    async def known(self) -> tuple[str, ...]:
        """Give none: a function keeps, but cannot be asked."""
        return ()


class StoreKeeper:
    """Keeps one checkout in a store, under its key."""

    def __init__(self, store: CheckoutStore, key: str) -> None:
        self._store, self._key = store, key

    async def keep(self, saved: str, revision: int) -> None:
        """Insert the first revision, and replace the one before each later one."""
        if revision == 1:
            kept = await self._store.insert(self._key, saved)
        else:
            kept = await self._store.update(self._key, saved, revision)
        if not kept:
            raise CheckoutConflict("another process has saved this checkout: load it again")

    async def known(self) -> tuple[str, ...]:
        """Ask the store."""
        return await self._store.known()


def keeper_of(save: Save | None, store: CheckoutStore | None, key: str | None) -> Keeper | None:
    """Choose where a checkout goes; None where nothing is given."""
    if store is None and key is None:
        if save is not None and not callable(save):
            raise ConfigurationError("save= must be a function that takes the text")
        return None if save is None else CallbackKeeper(save)
    if save is not None or store is None or not isinstance(key, str) or not key:
        raise ConfigurationError("give either save=, or store= and key= together")
    return StoreKeeper(store, key)


class SqliteCheckouts:
    """A store in one SQLite file; each commit is safe on the disk, readable by its owner only."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        told = os.fspath(path)
        if told in ("", ":memory:"):
            raise ConfigurationError("a store needs a file: what is in memory is lost in a crash")
        self.path = os.path.abspath(told)  # a later chdir must not lead to another store

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            if not os.path.exists(self.path):  # client secrets stand there
                os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
            # No WAL: two processes that switch a new file to it at once disturb each other.
            connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
            with closing(connection):
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute(_TABLE)
                yield connection
        except (OSError, sqlite3.Error, UnicodeEncodeError) as error:
            told = f"the store {os.path.basename(self.path)}: {error}"
            raise JournalError(told) from error

    def _change(self, sql: str, *values: object) -> bool:
        with self._opened() as connection:
            return connection.execute(sql, values).rowcount == 1

    def _select(self, sql: str, *values: object) -> list[tuple[str, ...]]:
        with self._opened() as connection:
            return connection.execute(sql, values).fetchall()

    async def load(self, key: str) -> str | None:
        """Give the latest text, or None."""
        sql = "SELECT saved FROM checkout WHERE key = ?"
        rows = await _in_thread(self._select, sql, key)
        return rows[0][0] if rows else None

    async def insert(self, key: str, saved: str) -> bool:
        """Keep the first text; False where the key is taken."""
        sql = "INSERT INTO checkout VALUES (?, 1, ?, ?, ?) ON CONFLICT DO NOTHING"
        return await _in_thread(self._change, sql, key, *_columns(saved))

    async def update(self, key: str, saved: str, revision: int) -> bool:
        """Replace the text of the revision before; False where it is another one."""
        sql = (
            "UPDATE checkout SET revision = ?, state = ?, proves = ?, saved = ? "
            "WHERE key = ? AND revision = ?"
        )
        values = (revision, *_columns(saved), key, revision - 1)
        return await _in_thread(self._change, sql, *values)

    async def known(self) -> tuple[str, ...]:
        """Give the newest texts that prove that asking shows what is there, of each kind."""
        sql = "SELECT saved FROM checkout WHERE proves & ? ORDER BY rowid DESC LIMIT ?"
        found: dict[str, None] = {}
        for kind in (1, 2):
            rows = await _in_thread(self._select, sql, kind, _MOST_KNOWN)
            found |= dict.fromkeys(row[0] for row in rows)
        return tuple(found)

    async def in_doubt(self) -> tuple[str, ...]:
        """List the keys of all checkouts with a step under way, a cancellation too, oldest first."""
        sql = (
            "SELECT key FROM checkout WHERE json_extract(saved, '$.under_way') IS NOT NULL "
            "ORDER BY rowid"
        )
        return tuple(row[0] for row in await _in_thread(self._select, sql))

    async def keys(self, *states: str) -> tuple[str, ...]:
        """List the keys of all checkouts, or of those in some states, oldest first."""
        sql = "SELECT key, state FROM checkout ORDER BY rowid"
        rows = await _in_thread(self._select, sql)
        return tuple(key for key, state in rows if not states or state in states)


async def _in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run it in a thread, and wait for its end even where the caller is cancelled.

    Else a write could still come after somebody else has read the row.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:  # once or more often
            cancelled = error
    if cancelled is None:
        return task.result()
    task.exception()  # who is cancelled is told nothing else
    raise cancelled


def _columns(saved: str) -> tuple[str, int, str]:
    summary = summarized(saved)
    return (summary.state, summary.shown_unpaid + 2 * summary.shown_renewal, saved)
