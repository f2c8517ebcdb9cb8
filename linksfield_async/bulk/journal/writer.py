"""The one thread that writes a journal: what came in while it wrote is committed as one group."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, TypeVar

import attrs

from ...errors import JournalError, LinksfieldError
from ...masking import one_line
from .schema import BLOCK, ITEM_COLUMNS, NAMES, SETTLED
from .walltime import WallTime

T = TypeVar("T")

Cells: TypeAlias = list[Any]
"""A row of `item` in the order of its columns, and then whether the writer has taken it."""
POSITION, VERDICT, DELIVERED, TAKEN = 0, 1, 2, ITEM_COLUMNS

_GROUP_SECONDS = 0.05
"""How long what nobody waits for may wait for company."""
_SAVING_SECONDS = 0.003
"""The same where workers wait for rows to be safe: a commit costs as much as some fifty rows."""
_AT_ONCE = (256, 32, 4, 1)
"""Rows per statement: each statement runs without Python's lock, so fewer are better."""


@attrs.define(eq=False)
class Job:
    """Work for the connection that somebody waits for."""

    work: Callable[[sqlite3.Connection], Any] | None
    """None where only what came before it has to be safe on the disk."""
    future: asyncio.Future[Any]
    result: Any = None


@attrs.frozen
class Delivered:
    """The caller came back for more after this one."""

    position: int
    verdict: int


@attrs.frozen
class BlockRead:
    """All items of a block were read."""

    number: int
    digest: bytes


@attrs.frozen
class Beat:
    """Something may leave now that must not be carried out twice."""


Mark: TypeAlias = Delivered | BlockRead | Beat


def _insert(count: int) -> str:
    values = f"({','.join('?' * ITEM_COLUMNS)})"
    return f"INSERT OR REPLACE INTO item VALUES {','.join([values] * count)}"  # noqa: S608


_INSERTS = {count: _insert(count) for count in _AT_ONCE}


class Writer:
    """Owns the connection; used from one event loop, apart from its own thread."""

    def __init__(self, open_: Callable[[], sqlite3.Connection], name: str) -> None:
        self.taken = 0
        """Positions below were read from the source; set before anything about them is put."""
        self.total: int | None = None
        self.wall: WallTime | None = None
        self.failure: JournalError | None = None
        self.session = 0
        """Number of this session; once there is a later one, nothing more is written."""
        self.once_ms = 0
        """The latest moment that is safe on the disk as one at which something could leave."""
        self.unsaved = 0
        """Rows that were put and are not safe on the disk."""
        self._saving: list[asyncio.Future[None]] = []
        self._name = name
        self._open = open_
        self._jobs: deque[Cells | Mark | Job] = deque()
        self._stirred, self._hurry = threading.Event(), threading.Event()
        self._stamped_ms = 0
        self._ended = False
        self._loop = asyncio.get_running_loop()
        # A daemon: an abandoned run must not keep a process from ending; SQLite survives that.
        self._thread = threading.Thread(target=self._work, name="linksfield journal", daemon=True)

    async def start(self) -> None:
        """Open the connection in the thread; raises what that raises."""
        job = self._submit(None)
        self._thread.start()
        await job.future

    def put(self, job: Cells | Mark) -> None:
        """Write it soon; JournalError where nothing can be written any more."""
        if self.failure is not None:
            raise self._failed()
        if type(job) is list:
            self.unsaved += 1
        self._jobs.append(job)
        if not self._stirred.is_set():
            self._stirred.set()

    async def saved_some(self, *, at_once: bool) -> None:
        """Wait until something more is safe on the disk; `at_once` where all else waits for it.

        Await it in the same step in which something unsaved was seen, or nothing may come.
        """
        if self.failure is not None:
            raise self._failed()
        future = self._loop.create_future()
        self._saving.append(future)
        if at_once:
            self._hurry.set()
        await future

    async def do(self, work: Callable[[sqlite3.Connection], T] | None) -> T:
        """Run something on the connection after all that was put; safe on the disk when back."""
        if self.failure is not None:
            raise self._failed()
        result: T = await self._submit(work).future
        return result

    def _submit(self, work: Callable[[sqlite3.Connection], Any] | None) -> Job:
        job = Job(work, self._loop.create_future())
        self._jobs.append(job)
        if self.failure is not None:
            # It failed in this very moment, and perhaps has told all that waited before.
            job.future.cancel()
            raise self._failed()
        self._hurry.set()
        self._stirred.set()
        return job

    async def stop(self) -> None:
        """End the thread; what was put is safe before."""
        try:
            if self._thread.is_alive() and self.failure is None:
                await self.do(None)
        finally:
            self._ended = True
            self._hurry.set()
            self._stirred.set()
            await asyncio.to_thread(self._thread.join)

    def _failed(self) -> JournalError:
        assert self.failure is not None  # noqa: S101
        return JournalError(str(self.failure))

    def _work(self) -> None:
        jobs: list[Any] = []
        connection: sqlite3.Connection | None = None
        try:
            connection = self._open()
            while not self._ended:
                self._stirred.wait()
                self._gather()
                self._hurry.clear()
                self._stirred.clear()
                jobs = [self._jobs.popleft() for _ in range(len(self._jobs))]
                if jobs:
                    self._commit(connection, jobs)
                    self._tell(jobs, None)
                jobs = []
        except LinksfieldError as error:
            self._fail(jobs, error)
        except (sqlite3.Error, OSError) as error:
            told = one_line(str(error))
            self._fail(jobs, JournalError(f"the journal {self._name} failed: {told}"))
        except BaseException:
            # A bug; whoever waits must not wait for ever.
            self._fail(jobs, JournalError(f"the writer of the journal {self._name} broke"))
            raise
        finally:
            if connection is not None:
                connection.close()

    def _gather(self) -> None:
        """Wait for company, as long as nobody waits for what there is."""
        end = time.monotonic() + _GROUP_SECONDS
        while not (self._ended or self._hurry.wait(_SAVING_SECONDS)):
            if self._saving or time.monotonic() >= end:
                return

    def _fail(self, jobs: list[Any], error: LinksfieldError) -> None:
        self.failure = error if isinstance(error, JournalError) else JournalError(str(error))
        jobs += [self._jobs.popleft() for _ in range(len(self._jobs))]
        self._tell(jobs, error)

    def _tell(self, jobs: Sequence[Any], error: LinksfieldError | None) -> None:
        waiting = [job for job in jobs if isinstance(job, Job)]
        rows = sum(type(job) is list for job in jobs)
        try:
            self._loop.call_soon_threadsafe(self._told, waiting, rows, self._stamped_ms, error)
        except RuntimeError:
            self._ended = True  # the loop is closed: nobody waits any more

    def _told(
        self, jobs: list[Job], rows: int, once_ms: int, error: LinksfieldError | None
    ) -> None:
        self.unsaved -= rows
        self.once_ms = max(once_ms, self.once_ms)
        _resolve(jobs, error)
        saving, self._saving = self._saving, []
        for future in saving:
            if not future.done():
                future.set_result(None)

    def _commit(self, connection: sqlite3.Connection, jobs: Sequence[Any]) -> None:
        rows = [job for job in jobs if type(job) is list]
        marks = [job for job in jobs if isinstance(job, (Delivered, BlockRead, Beat))]
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._write(connection, rows, marks)
            for job in jobs:
                if isinstance(job, Job) and job.work is not None:
                    job.result = job.work(connection)
            stamped = self._stamp(connection, jobs)
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        self._stamped_ms = max(stamped, self._stamped_ms)

    def _write(
        self,
        connection: sqlite3.Connection,
        rows: list[Cells],
        marks: Sequence[Mark],
    ) -> None:
        settled: Counter[tuple[int, str]] = Counter()
        for row in rows:
            # From here on the loop tells of a delivery apart: these cells are read only once.
            row[TAKEN] = True
        cells = [row[:ITEM_COLUMNS] for row in rows]
        for row in cells:
            if row[DELIVERED] and NAMES.get(row[VERDICT]) in SETTLED:
                settled[row[POSITION] // BLOCK, NAMES[row[VERDICT]]] += 1
        _insert_all(connection, cells)
        delivered = [mark for mark in marks if isinstance(mark, Delivered)]
        if delivered:
            positions = json.dumps([mark.position for mark in delivered])
            late = connection.execute(
                "UPDATE item SET delivered = 1 WHERE delivered = 0"
                " AND position IN (SELECT value FROM json_each(?)) RETURNING position, verdict",
                (positions,),
            )
            for position, verdict in late.fetchall():
                if NAMES.get(verdict) in SETTLED:
                    settled[position // BLOCK, NAMES[verdict]] += 1
        _note_blocks(connection, settled, [m for m in marks if isinstance(m, BlockRead)])

    def _stamp(self, connection: sqlite3.Connection, jobs: Sequence[Any]) -> int:
        """Note the time, and that this is still the latest session; give what is noted of it."""
        if self.wall is None:
            return 0
        moment = self.wall.moment()
        once_ms = moment.wall_ms if any(isinstance(job, Beat) for job in jobs) else 0
        noted = connection.execute(
            "UPDATE run SET taken = max(taken, ?), total = coalesce(?, total),"
            " wall_ms = max(wall_ms, ?), boot_id = ?, boot_ms = ?, once_ms = max(once_ms, ?)"
            " WHERE (SELECT max(number) FROM session) = ?",
            (
                self.taken,
                self.total,
                moment.wall_ms,
                moment.boot_id,
                moment.boot_ms,
                once_ms,
                self.session,
            ),
        )
        if noted.rowcount != 1:
            raise JournalError(f"another run has taken over the journal {self._name}")
        return once_ms


def _insert_all(connection: sqlite3.Connection, rows: list[Cells]) -> None:
    done = 0
    for count in _AT_ONCE:
        while len(rows) - done >= count:
            part = rows[done : done + count]
            connection.execute(_INSERTS[count], [cell for row in part for cell in row])
            done += count


def _note_blocks(
    connection: sqlite3.Connection,
    settled: Counter[tuple[int, str]],
    read: Iterable[BlockRead],
) -> None:
    for block in read:
        connection.execute(
            "INSERT INTO block (number, digest) VALUES (?, ?)"
            " ON CONFLICT (number) DO UPDATE SET digest = excluded.digest",
            (block.number, block.digest),
        )
    for (number, verdict), count in settled.items():
        connection.execute(
            f"INSERT INTO block (number, {verdict}) VALUES (?, ?)"  # noqa: S608
            f" ON CONFLICT (number) DO UPDATE SET {verdict} = {verdict} + excluded.{verdict}",
            (number, count),
        )


def _resolve(jobs: list[Job], error: LinksfieldError | None) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if error is None:
            job.future.set_result(job.result)
        else:
            job.future.set_exception(type(error)(str(error)))
