"""Outcomes beside the memory: a temporary file without a name, written in batches by a thread."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias, TypeVar

from ..errors import JournalError
from ..masking import one_line
from .journal.opening import scratch

T = TypeVar("T")

Row: TypeAlias = tuple[Any, ...]
"""Key first, the others in the order of the columns."""

_TABLE = """
CREATE TABLE first (
    key,                           -- ICCID, or digest of the operation
    position INTEGER, verdict INTEGER, attempts INTEGER, row INTEGER, status INTEGER,
    error TEXT,                    -- JSON, masked
    answer BLOB
);
CREATE INDEX first_key ON first (key);
"""
_BATCH = 512
"""Rows per statement: each runs without Python's lock, so fewer are better."""
_MOST = 8
"""Batches in memory from which whoever has more rows waits for the disk."""
_INSERT = f"INSERT INTO first VALUES {','.join(['(?,?,?,?,?,?,?,?)'] * _BATCH)}"  # noqa: S608
_FIND = "SELECT * FROM first WHERE key = ?"


class Overflow:
    """Keeps rows by their key, each of which is put once; used from one event loop."""

    def __init__(self) -> None:
        self._failure: JournalError | None = None
        self._rows: dict[Any, Row] = {}
        self._batches: deque[dict[Any, Row]] = deque()
        """Those that are full; the first of them is being written."""
        self._writing: asyncio.Task[None] | None = None
        self._connection: sqlite3.Connection | None = None
        # One thread: what is asked after something was written finds it.
        self._thread = ThreadPoolExecutor(1, "linksfield beside memory")

    def put(self, row: Row) -> None:
        """Keep a row; JournalError where one before it could not be written."""
        if self._failure is not None:
            raise JournalError(str(self._failure))
        self._rows[row[0]] = row
        if len(self._rows) == _BATCH:
            self._batches.append(self._rows)
            self._rows = {}
            if self._writing is None or self._writing.done():
                self._writing = asyncio.get_running_loop().create_task(self._write())

    @property
    def is_behind(self) -> bool:
        """Whether there is more in memory than should be."""
        return len(self._batches) >= _MOST

    async def caught_up(self) -> None:
        """Wait until there is not, or it turns out that nothing can be written any more."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def find(self, key: str | bytes) -> Row | None:
        """Give the row with that key, if there is one."""
        for rows in (self._rows, *self._batches):
            if key in rows:
                return rows[key]

        def work(connection: sqlite3.Connection) -> Row | None:
            found: Row | None = connection.execute(_FIND, (key,)).fetchone()
            return found

        return await self._done(work)

    async def close(self) -> None:
        """Drop it all."""
        self._batches.clear()
        if self._writing is not None:
            await asyncio.wait([self._writing])
        try:
            if self._connection is not None:
                await self._done(sqlite3.Connection.close)
        finally:
            self._thread.shutdown(wait=False)

    async def _write(self) -> None:
        try:
            while self._batches:
                cells = [cell for row in self._batches[0].values() for cell in row]
                await self._done(partial(_insert, cells))
                if self._batches:
                    self._batches.popleft()
        except JournalError as error:
            self._failure = error

    async def _done(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Have the thread do it."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._do, work)

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = scratch(_TABLE)
            return work(self._connection)
        except (sqlite3.Error, OSError) as error:
            told = one_line(str(error))
            raise JournalError(f"the temporary file of the run failed: {told}") from error


def _insert(cells: list[Any], connection: sqlite3.Connection) -> None:
    connection.execute(_INSERT, cells)
