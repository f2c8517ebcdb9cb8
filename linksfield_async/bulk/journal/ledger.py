"""The journal of a bulk run: what was decided stays decided, through any crash.

One SQLite file (WAL, synchronous=FULL), written by one thread in groups. For what must not be
carried out twice a row is safe on the disk before the first byte leaves; for reads a mark says
how far the input was taken. One process at a time may run on a journal.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import time

import attrs

from ...errors import JournalError
from .hiding import Hiding
from .opening import connected, locked, resolved
from .rows import Stored
from .schema import (
    BLOCK,
    ITEM_COLUMNS,
    SETTLED,
    Identity,
    check_identity,
    read_identity,
)
from .settings import Journal
from .walltime import Moment, WallTime
from .writer import Beat, BlockRead, Cells, Delivered, Writer

_COLUMNS = "position, verdict, delivered, attempts, row, duplicate_of, at_ms, status, error, answer"


_FRESH_SECONDS = 1.0
"""How old the moment may be that the journal knows, when something leaves."""


@attrs.frozen
class Block:
    """What is known of the items of one block."""

    digest: bytes | None
    settled: dict[str, int]
    """Decided and delivered, by verdict."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do for any of its items."""
        return self.digest is not None and sum(self.settled.values()) == BLOCK


class Ledger:
    """An open journal; used from one event loop."""

    def __init__(self, writer: Writer, hiding: Hiding, lock: sqlite3.Connection | None) -> None:
        self.hiding = hiding
        self.taken_before = 0
        """Positions that an earlier session has read."""
        self.total_before: int | None = None
        self.blocks: dict[int, Block] = {}
        self._left_until_ms = 0
        self._writer = writer
        self._lock = lock

    @classmethod
    async def open(cls, journal: Journal, identity: Identity) -> Ledger:
        """Open a journal for a run, or make it; JournalRefused where it is another run's."""
        path, name = resolved(journal.path), repr(journal.path)
        lock = locked(path, name)
        writer = Writer(lambda: connected(path, name), name)
        ledger = cls(writer, Hiding(journal.key), lock)
        try:
            await writer.start()
            await writer.do(lambda connection: ledger._begin(connection, name, identity))
        except BaseException:
            await writer.stop()
            lock.close()
            raise
        return ledger

    def _begin(self, connection: sqlite3.Connection, name: str, identity: Identity) -> None:
        if connection.execute("SELECT count(*) FROM run").fetchone() == (0,):
            _enter(connection, identity)
        else:
            check_identity(name, read_identity(connection), identity)
        taken, total, wall, boot_id, boot_ms, once_ms = connection.execute(
            "SELECT taken, total, wall_ms, boot_id, boot_ms, once_ms FROM run"
        ).fetchone()
        self.taken_before, self.total_before = taken, total
        self._left_until_ms = once_ms
        self._writer.taken, self._writer.total = taken, total
        self._writer.wall = WallTime(Moment(wall, boot_id, boot_ms))
        begun = connection.execute(
            "INSERT INTO session (started_ms, host, pid) VALUES (?, ?, ?)",
            (self._writer.wall.now_ms(), socket.gethostname(), os.getpid()),
        )
        self._writer.session = begun.lastrowid or 0
        for number, digest, *counts in connection.execute("SELECT * FROM block"):
            settled: dict[str, int] = dict(zip(SETTLED, counts, strict=True))
            self.blocks[number] = Block(digest, settled)

    @property
    def wall_ms(self) -> int:
        """Wall time that never shrinks; epoch milliseconds."""
        wall = self._writer.wall
        return time.time_ns() // 1_000_000 if wall is None else wall.now_ms()

    def sent_before_ms(self, at_ms: int) -> int:
        """Give the latest moment at which an earlier session can have sent something.

        `at_ms` is when it was written down; on a machine that was started anew since, no clock
        can be compared, so that it counts as sent just before this session.
        """
        wall = self._writer.wall
        latest = max(at_ms, self._left_until_ms)
        return latest if wall is None or wall.is_same_boot else max(latest, wall.opened_ms)

    async def may_leave(self) -> None:
        """Make sure that the journal knows of this moment, before something leaves."""
        limit = int(_FRESH_SECONDS * 1000)
        while self._writer.failure is not None or self.stored_ms - self._writer.once_ms > limit:
            self._writer.put(Beat())
            await self._writer.do(None)

    @property
    def stored_ms(self) -> int:
        """The present moment as it is stored: never before what any clock shows."""
        wall = self._writer.wall
        return self.wall_ms if wall is None else wall.latest_ms()

    def beat(self) -> None:
        """Note soon that something may leave now that must not be carried out twice."""
        self._writer.put(Beat())

    def taken(self, count: int) -> None:
        """Note how many items were read."""
        self._writer.taken = count

    def read_whole(self, total: int) -> None:
        """Note that the input ended, after so many items."""
        self._writer.total = total

    def block_read(self, number: int, items: list[str]) -> None:
        """Note what the items of a block were, now that all were read."""
        self._writer.put(BlockRead(number, self.hiding.block(items)))

    def put(self, cells: Cells) -> None:
        """Write a row soon."""
        self._writer.put(cells)

    @property
    def failure(self) -> JournalError | None:
        """Why nothing can be written any more."""
        return self._writer.failure

    @property
    def unsaved(self) -> int:
        """Rows that were put and are not safe on the disk."""
        return self._writer.unsaved

    async def saved_some(self, *, at_once: bool) -> None:
        """Wait until more of them are; `at_once` where all else waits for it."""
        await self._writer.saved_some(at_once=at_once)

    async def intend(self, cells: Cells) -> None:
        """Write a row; back when it is safe on the disk."""
        self._writer.put(cells)
        self._writer.put(Beat())
        await self._writer.do(None)

    def delivered(self, cells: Cells) -> None:
        """Note that the caller came back for more after this row."""
        cells[2] = 1
        if cells[ITEM_COLUMNS]:
            self._writer.put(Delivered(cells[0], cells[1]))

    async def find(self, key: str | bytes | None) -> Stored | None:
        """Find the first item that had this key."""
        select = f"SELECT {_COLUMNS} FROM item WHERE key = ? AND duplicate_of IS NULL"  # noqa: S608

        def work(connection: sqlite3.Connection) -> Stored | None:
            found = connection.execute(f"{select} ORDER BY position LIMIT 1", (key,)).fetchone()
            return None if found is None else Stored(*found)

        return await self._writer.do(work)

    async def rows(self, first: int, count: int) -> dict[int, tuple[Stored, str | bytes | None]]:
        """Read the rows of some positions, with their keys."""
        select = f"SELECT {_COLUMNS}, key FROM item WHERE position >= ? AND position < ?"  # noqa: S608

        def work(connection: sqlite3.Connection) -> dict[int, tuple[Stored, str | bytes | None]]:
            found = connection.execute(select, (first, first + count))
            return {row[0]: (Stored(*row[:-1]), row[-1]) for row in found}

        return await self._writer.do(work)

    async def close(self, how: str) -> None:
        """Write what is left, note how the session ended, and give the journal free."""

        def end(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE session SET ended_ms = ?, ended = ?"
                " WHERE number = (SELECT max(number) FROM session)",
                (self.wall_ms, how),
            )

        try:
            if self._lock is not None and self._writer.failure is None:
                await self._writer.do(end)
        finally:
            try:
                await self._writer.stop()
            finally:
                if self._lock is not None:
                    self._lock.close()


def _enter(connection: sqlite3.Connection, identity: Identity) -> None:
    values = attrs.asdict(identity)
    now = time.time_ns() // 1_000_000
    values |= {"created_ms": now, "wall_ms": now}
    places = ", ".join("?" * len(values))
    connection.execute(
        f"INSERT INTO run ({', '.join(values)}) VALUES ({places})",  # noqa: S608
        tuple(values.values()),
    )
