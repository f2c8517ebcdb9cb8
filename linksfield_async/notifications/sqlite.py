"""An inbox in an SQLite file: for the processes of one machine, safe through crashes and restarts.

One thread writes; what waits for it at one time shares a transaction, so that the disk is waited
for once for all of them.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeAlias, TypeVar

from ..errors import InboxUnavailable
from ..masking import one_line
from .inbox import KEEP_SECONDS, Claim, Standing, State, Stored, new_token

T = TypeVar("T")
Work: TypeAlias = Callable[[sqlite3.Connection], Any]

_Asked: TypeAlias = "tuple[Work, asyncio.Future[Any]]"

_GATHERING_SECONDS = 0.002
_TOGETHER = 500
"""At most so many changes share a transaction."""
_FORGET_EVERY = 60.0
_TABLES = """
CREATE TABLE IF NOT EXISTS linksfield_inbox (
    key TEXT PRIMARY KEY,
    state INTEGER NOT NULL,     -- 0 waiting, 1 running, 2 done, 3 failed
    due REAL NOT NULL,          -- seconds: may be taken from then on; over: forgotten then
    token TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    body BLOB NOT NULL,         -- empty once it is done
    authenticity TEXT NOT NULL,
    key_id TEXT, version TEXT, timestamp_ms INTEGER
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS linksfield_inbox_due ON linksfield_inbox (due) WHERE state < 2;
CREATE INDEX IF NOT EXISTS linksfield_inbox_waiting ON linksfield_inbox (state) WHERE state = 0;
CREATE INDEX IF NOT EXISTS linksfield_inbox_over ON linksfield_inbox (due) WHERE state >= 2;
"""
_STORED = "key, body, authenticity, key_id, version, timestamp_ms"


class SqliteInbox:
    """Messages in an SQLite file that only its owner may read.

    It may be made anywhere and used from several processes and event loops. `busy` is how many
    seconds another process may hold the file. Leases count on the machine's clock. Close it with `aclose()`, or use `async with`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keep: float = KEEP_SECONDS,
        busy: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = Path(path)
        self._keep = keep
        self._busy = busy
        self._clock = clock
        self._guard = threading.Lock()
        self._writer: _Writer | None = None

    @property
    def known_for(self) -> float:
        """See `Inbox`."""
        return self._keep

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._guard:
            if self._writer is None or not self._writer.is_ours:
                self._writer = _Writer(self._path, self._busy, self._clock)
            future: asyncio.Future[T] = self._writer.do(work)
        return await future

    async def keep(self, stored: Stored) -> Standing | None:
        """See `Inbox`."""

        def work(connection: sqlite3.Connection) -> Standing | None:
            state, _, _ = self._standing(connection, stored.key)
            if state in (None, State.FAILED):
                self._write(connection, stored, State.WAITING, self._clock())
                return None
            return Standing.DONE if state == State.DONE else Standing.RUNNING

        return await self._do(work)

    async def acquire(self, stored: Stored, *, lease: float) -> Claim | Standing:
        """See `Inbox`."""

        def work(connection: sqlite3.Connection) -> Claim | Standing:
            now = self._clock()
            state, due, attempts = self._standing(connection, stored.key)
            if state == State.DONE:
                return Standing.DONE
            if state == State.RUNNING and now < due:
                return Standing.RUNNING
            if state == State.FAILED:
                attempts = 0
            token = new_token()
            self._write(connection, stored, State.RUNNING, now + lease, (token, attempts + 1))
            return Claim(stored=stored, token=token, attempt=attempts + 1)

        return await self._do(work)

    async def finish(self, claim: Claim) -> bool:
        """See `Inbox`."""
        return await self._end(claim, State.DONE, self._keep)

    async def release(self, claim: Claim, *, pause: float = 0.0, failed: bool = False) -> None:
        """See `Inbox`."""
        state = State.FAILED if failed else State.WAITING
        await self._end(claim, state, self._keep if failed else pause)

    async def _end(self, claim: Claim, state: State, seconds: float) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            changed = connection.execute(
                "UPDATE linksfield_inbox SET state = ?, due = ?, token = '',"
                " body = CASE WHEN ? THEN x'' ELSE body END"
                " WHERE key = ? AND state = 1 AND token = ?",
                (
                    state,
                    self._clock() + seconds,
                    state is State.DONE,
                    claim.stored.key,
                    claim.token,
                ),
            )
            return changed.rowcount == 1

        return await self._do(work)

    async def take(self, *, lease: float, limit: int) -> list[Claim]:
        """See `Inbox`."""

        def work(connection: sqlite3.Connection) -> list[Claim]:
            now, claims = self._clock(), []
            rows = connection.execute(
                f"SELECT attempts, {_STORED} FROM linksfield_inbox"  # noqa: S608 - our own names
                " WHERE state < 2 AND due <= ? ORDER BY due LIMIT ?",
                (now, limit),
            ).fetchall()
            for attempts, *stored in rows:
                claim = Claim(stored=_stored(stored), token=new_token(), attempt=attempts + 1)
                connection.execute(
                    "UPDATE linksfield_inbox SET state = 1, due = ?, token = ?, attempts = ?"
                    " WHERE key = ?",
                    (now + lease, claim.token, claim.attempt, claim.stored.key),
                )
                claims.append(claim)
            return claims

        return await self._do(work)

    async def waiting(self) -> int:
        """See `Inbox`."""

        def work(connection: sqlite3.Connection) -> int:
            (count,) = connection.execute(
                "SELECT count(*) FROM linksfield_inbox WHERE state = 0"
            ).fetchone()
            return int(count)

        return await self._do(work)

    async def aclose(self) -> None:
        """End the writing thread; the inbox may be used again."""
        with self._guard:
            writer, self._writer = self._writer, None
        if writer is not None and writer.is_ours:
            await asyncio.to_thread(writer.end)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _standing(self, connection: sqlite3.Connection, key: str) -> tuple[int | None, float, int]:
        row = connection.execute(
            "SELECT state, due, attempts FROM linksfield_inbox WHERE key = ?", (key,)
        ).fetchone()
        if row is None or (row[0] >= State.DONE and row[1] <= self._clock()):
            return None, 0.0, 0
        return row[0], row[1], row[2]

    def _write(
        self,
        connection: sqlite3.Connection,
        stored: Stored,
        state: State,
        due: float,
        claim: tuple[str, int] = ("", 0),
    ) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO linksfield_inbox (state, due, token, attempts,"
            " key, body, authenticity, key_id, version, timestamp_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(state, due, *claim),
                *(stored.key, stored.body, stored.authenticity),
                *(stored.key_id, stored.version, stored.timestamp_ms),
            ),
        )


def _stored(row: list[Any]) -> Stored:
    key, body, authenticity, key_id, version, timestamp_ms = row
    return Stored(
        key=key,
        body=body,
        authenticity=authenticity,
        key_id=key_id,
        version=version,
        timestamp_ms=timestamp_ms,
    )


class _Writer:
    """The thread that holds the connection; a child process needs its own."""

    def __init__(self, path: Path, busy: float, clock: Callable[[], float]) -> None:
        self._path = path
        self._busy = busy
        self._clock = clock
        self._process = os.getpid()
        self._forgotten = 0.0
        self._busy_now = False
        self._todo: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        # A daemon: an inbox that nobody closed must not keep a process from ending. What was
        # answered is on the disk by then.
        self._thread = threading.Thread(target=self._run, name="linksfield inbox", daemon=True)
        self._thread.start()

    @property
    def is_ours(self) -> bool:
        """Tell whether it belongs to this process."""
        return self._process == os.getpid()

    def do(self, work: Work) -> asyncio.Future[Any]:
        """Have something done in the next transaction; asked from a running loop."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._todo.put((work, future))
        return future

    def end(self) -> None:
        """Do what is left, and end the thread."""
        self._todo.put(None)
        self._thread.join()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        ended = False
        while not ended:
            batch, ended = self._next()
            try:
                if connection is None:
                    connection = self._connected()
                results = self._carried_out(connection, [work for work, _ in batch])
            except Exception as error:  # whatever it was, whoever waits must be told
                _tell([(future, _unavailable(error)) for _, future in batch])
                if connection is not None:
                    connection.close()
                    connection = None
            else:
                _tell([(future, one) for (_, future), one in zip(batch, results, strict=True)])
        if connection is not None:
            connection.close()

    def _next(self) -> tuple[list[_Asked], bool]:
        """Give what is to be done together, and whether it is the last."""
        batch: list[_Asked] = []
        one = self._todo.get()
        if self._busy_now:
            # A crowd: the disk is waited for once for what comes in the meantime.
            time.sleep(_GATHERING_SECONDS)
        while one is not None:
            batch.append(one)
            if len(batch) == _TOGETHER:
                return batch, False
            try:
                one = self._todo.get_nowait()
            except queue.Empty:
                self._busy_now = len(batch) > 1
                return batch, False
        return batch, True

    def _carried_out(self, connection: sqlite3.Connection, batch: list[Work]) -> list[Any]:
        if not batch:
            return []
        connection.execute("BEGIN IMMEDIATE")
        try:
            results = [work(connection) for work in batch]
            if self._clock() - self._forgotten > _FORGET_EVERY:
                self._forgotten = self._clock()
                connection.execute(
                    "DELETE FROM linksfield_inbox WHERE state >= 2 AND due <= ?",
                    (self._forgotten,),
                )
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return results

    def _connected(self) -> sqlite3.Connection:
        if not self._path.exists():  # it holds ICCIDs: nobody else may read it
            os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=self._busy)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(_TABLES)
        except BaseException:
            connection.close()
            raise
        return connection


def _unavailable(cause: Exception) -> InboxUnavailable:
    error = InboxUnavailable(f"the inbox cannot be written: {one_line(str(cause))}")
    error.__cause__ = cause
    return error


def _tell(results: list[tuple[asyncio.Future[Any], Any]]) -> None:
    """Hand results to the loops that wait: each is woken once for all of its own."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for future, result in results:
        by_loop.setdefault(future.get_loop(), []).append((future, result))
    for loop, own in by_loop.items():
        # A loop that has ended waits for nothing any more; what was asked is done.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, own)


def _settle(results: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, result in results:
        if future.done():
            continue  # given up meanwhile
        if isinstance(result, InboxUnavailable):
            future.set_exception(result)
        else:
            future.set_result(result)
