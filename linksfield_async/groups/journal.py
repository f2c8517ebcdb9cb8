"""The journal of a change: what was sent is known through any crash, and nothing is sent again.

One SQLite file, one row per request. A row is safe on the disk before its request leaves, and the
request id before it is asked for. One process at a time may run on a journal. It holds ICCIDs, or
with a key their hashes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ..bulk.journal.opening import connected, locked, resolved
from ..bulk.journal.settings import Journal
from ..errors import ConfigurationError, JournalError, JournalRefused
from ..masking import one_line
from .names import Names, Verdicts
from .report import CardChange, Change
from .room import Desk

if TYPE_CHECKING:
    from .job import GroupJob

T = TypeVar("T")

_log = logging.getLogger("linksfield_async")

APPLICATION = 0x4C4B4731
"""Marks an SQLite file as a journal of group changes."""
FORMAT = 2

Path = str | os.PathLike[str] | Journal

_TABLES = """
CREATE TABLE run (
    kind TEXT NOT NULL,            -- sync, add, remove
    partner TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    group_id TEXT NOT NULL,
    key_check BLOB,                -- of the key that hides ICCIDs
    digest TEXT NOT NULL,          -- of the set of cards that was given
    created_ms INTEGER NOT NULL
);
CREATE TABLE request (
    number INTEGER PRIMARY KEY,
    change TEXT NOT NULL,          -- add, remove
    cards TEXT NOT NULL,           -- JSON; with a key hashes
    request_id TEXT,               -- none: about to be sent, or sent without a known answer
    verdicts TEXT                  -- JSON, once judged: of the cards that are not done
);
CREATE TABLE session (
    number INTEGER PRIMARY KEY,
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    ended TEXT,                    -- finished, left; none after a crash
    host TEXT NOT NULL,
    pid INTEGER NOT NULL
);
"""

_DIFFERS = {
    "kind": "of another kind of change: {there}, not {here}",
    "partner": "of partner {there}, not {here}",
    "endpoint": "about the endpoint {there}, not {here}",
    "group_id": "about the group {there}, not {here}",
    "key_check": "made with another key for hiding ICCIDs",
    "digest": "about other cards than these",
}


@attrs.frozen(kw_only=True)
class Subject:
    """What a journal is about; a change with another one must not go on with it."""

    kind: str
    partner: str
    endpoint: str
    group_id: str
    key_check: bytes | None
    digest: str


@attrs.frozen
class Row:
    """One request as it stands in the journal."""

    number: int
    change: Change
    stored: tuple[str, ...]
    """What stands for its cards."""
    request_id: str | None
    verdicts: Verdicts | None
    """Of what stands for cards that are not done; None where it is open."""


def _prepare(connection: sqlite3.Connection, name: str) -> None:
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if found == APPLICATION:
        if version != FORMAT:
            raise JournalRefused(
                f"the journal {name} has format {version}, this release reads {FORMAT}"
            )
        return
    if tables or found or version:
        raise JournalRefused(f"{name} is a database, but no journal of group changes")
    connection.executescript(
        f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {APPLICATION};"
        f"PRAGMA user_version = {FORMAT}; COMMIT"
    )


class ChangeJournal:
    """An open journal; a thread of its own writes it."""

    def __init__(self, path: Path, desk: Desk, cards: Iterable[str]) -> None:
        given = path if isinstance(path, Journal) else Journal(path)
        if given != Journal(given.path, key=given.key):
            raise ConfigurationError(
                "the journal of a group change takes a path and a key; `settle_for` says how long "
                "a lost answer is looked for"
            )
        self.names = Names(given.key, cards)
        self.rows: list[Row] = []
        """What earlier sessions sent."""
        self.job: weakref.ref[GroupJob] | None = None
        """The one whose end would close it; none where that is a sync's."""
        self._path, self._name = resolved(given.path), repr(given.path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="linksfield journal")
        self._desk = desk
        self._numbers = 0
        self._closed = True
        self._lock: sqlite3.Connection | None = None
        self._connection: sqlite3.Connection | None = None

    async def open(self, subject: Subject) -> None:
        """Open it for a change, or make it; JournalRefused where it is another one's."""
        try:
            await self._do(lambda: self._begin(subject))
        except BaseException:
            await self._stop()
            raise
        self._closed = False
        self._desk.journals.add(self)

    def _begin(self, subject: Subject) -> None:
        self._lock = locked(self._path, self._name)
        self._connection = connection = connected(self._path, self._name, _prepare)
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            found = connection.execute("SELECT * FROM run").fetchone()
            if found is None:
                connection.execute(
                    "INSERT INTO run VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*attrs.astuple(subject), _now()),
                )
            else:
                self._check(Subject(**dict(zip(_DIFFERS, found, strict=False))), subject)
            connection.execute(
                "INSERT INTO session (started_ms, host, pid) VALUES (?, ?, ?)",
                (_now(), socket.gethostname(), os.getpid()),
            )
            self.rows = [
                Row(number, change, tuple(json.loads(cards)), request_id, _read(verdicts))
                for number, change, cards, request_id, verdicts in connection.execute(
                    "SELECT number, change, cards, request_id, verdicts FROM request"
                    " ORDER BY number"
                )
            ]
        self._numbers = max((row.number for row in self.rows), default=0)

    def _check(self, stored: Subject, wanted: Subject) -> None:
        for field, text in _DIFFERS.items():
            there, here = getattr(stored, field), getattr(wanted, field)
            if there != here:
                told = text.format(there=one_line(str(there), 80), here=one_line(str(here), 80))
                if field == "key_check" and None in (there, here):
                    plain = "with plain ICCIDs: it takes no key"
                    told = plain if there is None else "with hidden ICCIDs: the key is needed"
                raise JournalRefused(
                    f"the journal {self._name} is {told}; use another file for this change"
                )

    def is_left_of(self, other: ChangeJournal) -> bool:
        """Tell whether it is the same file, and nobody holds the job any more that has it open."""
        return self._path == other._path and self.job is not None and self.job() is None

    @property
    def hidden(self) -> frozenset[str]:
        """What stands for cards that are not known any more, or not yet."""
        return frozenset().union(*(self.names.hidden(row.stored) for row in self.rows))

    def next_number(self) -> int:
        """Give the number of the next request."""
        self._numbers += 1
        return self._numbers

    async def intend(self, number: int, change: Change, cards: Iterable[str]) -> None:
        """Write down that a request is about to leave."""
        stored = [self.names.stored(card) for card in cards]
        values = (number, change, json.dumps(stored, separators=(",", ":")))
        await self._write(
            "INSERT OR REPLACE INTO request (number, change, cards) VALUES (?, ?, ?)", values
        )

    async def accepted(self, number: int, request_id: str) -> None:
        """Write down the id of a request."""
        await self._write(
            "UPDATE request SET request_id = ? WHERE number = ?", (request_id, number)
        )

    async def forget(self, number: int) -> None:
        """Strike out a request that certainly was not taken."""
        await self._write("DELETE FROM request WHERE number = ?", (number,))

    async def judged(self, number: int, changes: Iterable[CardChange]) -> None:
        """Write down what became of the cards of a request that are not done."""
        told = self.names.stored_verdicts({one.iccid: (one.verdict, one.reason) for one in changes})
        await self._write(
            "UPDATE request SET verdicts = ? WHERE number = ?", (json.dumps(told), number)
        )

    async def close(self, how: str) -> None:
        """Note how the session ended, and give the journal free; closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        self._desk.journals.discard(self)
        try:
            statement = (
                "UPDATE session SET ended_ms = ?, ended = ?"
                " WHERE number = (SELECT max(number) FROM session)"
            )
            await self._do(lambda: self._execute(statement, (_now(), how)))
        except JournalError:
            # Nothing rests on this note; and who closes a client has to get to its end.
            _log.warning("the journal %s cannot note its end", self._name)
        finally:
            await self._stop()

    async def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        if self._closed:
            raise JournalError(f"the journal {self._name} is closed")
        await self._do(lambda: self._execute(statement, values))

    def _execute(self, statement: str, values: tuple[Any, ...]) -> None:
        assert self._connection is not None  # noqa: S101
        self._connection.execute(statement, values)

    async def _do(self, work: Callable[[], T]) -> T:
        def told() -> T:
            try:
                return work()
            except sqlite3.Error as error:
                text = one_line(str(error))
                raise JournalError(f"the journal {self._name} failed: {text}") from error

        return await asyncio.get_running_loop().run_in_executor(self._thread, told)

    async def _stop(self) -> None:
        def end() -> None:
            # Looked up there: what was begun before may have been canceled while it went on.
            for one in (self._connection, self._lock):
                if one is not None:
                    one.close()
            self._connection = self._lock = None

        ended = asyncio.wrap_future(self._thread.submit(end))
        self._thread.shutdown(wait=False)
        await asyncio.shield(ended)


def _read(verdicts: str | None) -> Verdicts | None:
    if verdicts is None:
        return None
    return {card: (verdict, reason) for card, (verdict, reason) in json.loads(verdicts).items()}


def _now() -> int:
    return time.time_ns() // 1_000_000
