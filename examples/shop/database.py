"""One statement at a time, durably, in SQLite or PostgreSQL; both are asked with `?`."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

if TYPE_CHECKING:
    from psycopg import AsyncConnection


class DatabaseDown(Exception):
    """The shop's own database cannot be asked or written to."""


@attrs.frozen
class Outcome:
    """What a statement gave."""

    rows: list[tuple[Any, ...]]
    changed: int


class Database(Protocol):
    """What the shop's store needs of a database."""

    async def run(self, sql: str, *values: object) -> Outcome:
        """Run one statement as a transaction of its own."""
        ...

    async def close(self) -> None:
        """Give back what is held."""
        ...


class Sqlite:
    """A file that its owner alone may read, since client secrets stand there."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    async def run(self, sql: str, *values: object) -> Outcome:
        """See `Database`; in a thread, since a commit waits for the disk."""
        task = asyncio.ensure_future(asyncio.to_thread(self._run, sql, values))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task})  # or it would write after somebody else has read
            raise

    def _run(self, sql: str, values: tuple[Any, ...]) -> Outcome:
        try:
            if not self._path.exists():
                self._path.parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
            with closing(sqlite3.connect(self._path, timeout=10, isolation_level=None)) as opened:
                opened.execute("PRAGMA synchronous = FULL")
                cursor = opened.execute(sql, values)
                return Outcome(cursor.fetchall(), cursor.rowcount)
        except (sqlite3.Error, OSError) as error:
            raise DatabaseDown(f"{self._path}: {error}") from error

    async def close(self) -> None:
        """Nothing is held between two statements."""


class Postgres:
    """One connection, made anew where it was lost; copy in your own pool where there is one."""

    def __init__(self, url: str) -> None:
        import psycopg  # noqa: PLC0415 - only where it is asked for

        self._psycopg = psycopg
        self._url = url
        self._turn = asyncio.Lock()
        self._connection: AsyncConnection[Any] | None = None

    async def run(self, sql: str, *values: object) -> Outcome:
        """See `Database`."""
        try:
            async with self._turn:
                if self._connection is None or self._connection.closed:
                    self._connection = await self._psycopg.AsyncConnection.connect(
                        self._url, autocommit=True, connect_timeout=5
                    )
                text = sql.replace("?", "%s").encode()
                cursor = await self._connection.execute(text, values or None)
                rows = await cursor.fetchall() if cursor.description else []
                return Outcome(rows, cursor.rowcount)
        except (self._psycopg.Error, OSError) as error:
            raise DatabaseDown(f"PostgreSQL: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close the connection."""
        opened, self._connection = self._connection, None
        if opened is not None:
            await opened.close()
