"""The workers of a run: they share one source, and none of them waits for another's answer."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..masking import one_line
from .desk import Desk
from .firsts import Firsts
from .handover import Handover, Ready
from .intake import Intake, Passed, Prepare, Taken
from .journal.hiding import Hiding
from .progress import Meter, Progress
from .room import Room
from .service import Service
from .settings import Settings
from .settling import BEAT_SECONDS
from .staffing import Staffing
from .stopping import StopWatch

if TYPE_CHECKING:
    from .journal.ledger import Ledger

T = TypeVar("T")

_log = logging.getLogger("linksfield_async")

_TICK_SECONDS = 0.1
_PROGRESS_SECONDS = 0.5


class Crew(Generic[T]):
    """Takes items, has them done, and hands their outcomes over; lives in one event loop."""

    def __init__(
        self,
        service: Service,
        source: Iterable[Any] | AsyncIterable[Any],
        prepare: Prepare[T],
        settings: Settings,
        ledger: Ledger | None,
    ) -> None:
        self.broken: BaseException | None = None
        self.stopped_because: str | None = None
        self.is_stopping = False
        self.is_dismissed = False
        self._settings, self._ledger = settings, ledger
        self._loop = asyncio.get_running_loop()
        hiding = Hiding(None) if ledger is None else ledger.hiding
        self._firsts = Firsts(service.account, hiding, ledger)
        self._intake = Intake(
            source,
            prepare,
            ledger,
            replay=settings.replay,
            seen=self._firsts.seen,
        )
        self._meter = Meter()
        self._staffing = Staffing(settings.concurrency, service.connections, self._loop.time())
        self._room = Room(2 * self._staffing.limit)
        self._handover = Handover(in_order=settings.order == "input")
        self._desk: Desk[T] = Desk(
            account=service.account,
            settings=settings,
            ledger=ledger,
            firsts=self._firsts,
            room=self._room,
            handover=self._handover,
            meter=self._meter,
            staffing=self._staffing,
            watch=StopWatch(settings.stop),
            stop=self._stop_because,
            later=self._settle_later,
        )
        self._desk.sender = service.sender(self._desk.leaving)
        if ledger is not None and settings.journal is not None:
            from .doubts import Doubts  # noqa: PLC0415 - SQLite is not everybody's

            self._desk.doubts = Doubts(
                settings.journal, ledger, self._desk.sender, service.deadline
            )
        self._taking = asyncio.Lock()
        self._is_taking = False
        """Whether somebody waits for an item, and may be in the middle of the source."""
        self._active: set[asyncio.Task[None]] = set()
        self._workers: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[None]] = set()
        """Workers that wait for an item, and settlements that wait for their time."""
        self._wanted = 0
        self._ticking: asyncio.Task[None] | None = None
        self._cut_timer: asyncio.TimerHandle | None = None
        self._last_progress = -1.0
        self._callback = settings.progress
        self._rate = service.rate

    def begin(self) -> None:
        """Start the workers."""
        self._ticking = self._loop.create_task(self._looking_after())
        self._staff()

    @property
    def is_complete(self) -> bool:
        """Whether every item of the source has an outcome."""
        return self._intake.ended and self._meter.outcomes == self._intake.taken

    @property
    def ended(self) -> str:
        """How it ended, in one word."""
        if self.broken is not None:
            return "failed"
        return "stopped" if self.is_stopping else "finished"

    @property
    def ready(self) -> deque[Ready]:
        """The outcomes that are there; once the caller comes back from one, acknowledge it."""
        return self._handover.ready

    @property
    def at_once(self) -> int:
        """How many outcomes may be given together: places that others do without meanwhile."""
        return max(1, self._staffing.limit // 2)

    async def wait(self) -> bool:
        """Wait for an outcome; False once everybody has ended, however it ended."""
        return await self._handover.wait()

    def acknowledge(self, ready: Ready) -> None:
        """Note that the caller came back: what it got is its own now."""
        cells = ready[1]
        if cells is not None and self._ledger is not None and self._ledger.failure is None:
            self._ledger.delivered(cells)
        self._room.release()

    def stop(self, within: float | None = None) -> None:
        """Take nothing more; with `within`, cut off what is not answered after that."""
        self.is_stopping = True
        # Not the one that runs this: a source that stops its own run has an item to give yet.
        for task in self._waiting - {asyncio.current_task(self._loop)}:
            task.cancel()
        if within is None:
            return
        timer, at = self._cut_timer, self._loop.time() + within
        if timer is None or at < timer.when():
            if timer is not None:
                timer.cancel()
            self._cut_timer = self._loop.call_at(at, self._cut)

    def _cut(self) -> None:
        self._desk.is_cutting = True
        for task in tuple(self._active):
            task.cancel()

    async def dismiss(self, how: str) -> None:
        """End everybody, and close the source and the journal."""
        self.is_dismissed = True
        if self._cut_timer is not None:
            self._cut_timer.cancel()
        if self._ticking is not None:
            self._ticking.cancel()
        ending = [*self._active, *([self._ticking] if self._ticking else [])]
        for task in self._active:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        try:
            try:
                await self._intake.aclose()
            finally:
                await self._firsts.close()
        finally:
            if self._ledger is not None:
                await self._ledger.close(how)
                if self.broken is None:
                    self.broken = self._ledger.failure  # nobody was there to meet it
        self._show_progress(force=True)

    def progress(self) -> Progress:
        """Say how far the run is."""
        return self._meter.progress(
            taken=self._intake.taken,
            total=self._total(),
            in_flight=len(self._staffing.calls),
            concurrency=self._staffing.limit,
            rate=self._rate(),
        )

    def _total(self) -> int | None:
        if self._intake.ended:
            return self._intake.taken
        known = None if self._ledger is None else self._ledger.total_before
        return known if known is not None else self._settings.total

    def _stop_because(self, reason: str) -> None:
        if self.stopped_because is None:
            self.stopped_because = reason
            self.stop()

    def _settle_later(self, taken: Taken[T], seconds: float) -> None:
        # A task of its own, so that no worker waits; the room for items bounds their number.
        self._start(self._settle(taken, seconds))

    async def _settle(self, taken: Taken[T], seconds: float) -> None:
        if self._is_leaving():
            return  # meanwhile, before this began
        me = asyncio.current_task()
        assert me is not None  # noqa: S101
        self._waiting.add(me)
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            if self._is_leaving():
                return  # the journal still knows it as it was
            raise
        finally:
            self._waiting.discard(me)
        await self._desk.settle(taken)

    def _staff(self) -> None:
        """Have as many workers as are wanted; those too many leave by themselves."""
        self._wanted = self._staffing.wanted(self._loop.time())
        self._room.resize(2 * self._staffing.limit)
        while len(self._workers) < self._wanted and not self._is_over():
            worker = self._start(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    def _is_over(self) -> bool:
        return self._intake.ended or self.is_stopping or self.broken is not None

    def _is_leaving(self) -> bool:
        return self.is_stopping or self.broken is not None

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self._handover.givers += 1
        task: asyncio.Task[None] = self._loop.create_task(self._watched(work))
        self._active.add(task)
        task.add_done_callback(self._active.discard)
        return task

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError as error:
            if not (self._desk.is_cutting or self.is_dismissed):
                # Nobody here cancels one that works: a source or a transport did.
                self._break(error)
            raise
        except BaseException as error:
            self._break(error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._handover.ended()

    def _break(self, error: BaseException) -> None:
        if self.broken is None:
            self.broken = error
            for task in tuple(self._waiting):
                task.cancel()

    async def _work(self) -> None:
        me = asyncio.current_task()
        assert me is not None  # noqa: S101
        desk, workers, intake = self._desk, self._workers, self._intake
        while not (intake.ended or self.is_stopping or self.broken is not None):
            taken = self._take_at_once() or await self._take()
            if taken is None:
                return
            if isinstance(taken, Passed):
                desk.pass_over(taken)
            else:
                todo = desk.handle(taken)
                if todo is not None:
                    await todo
            if len(workers) > self._wanted:
                # At once, not when the task has ended: many may leave in one turn of the loop.
                workers.discard(me)
                return

    def _take_at_once(self) -> Taken[T] | None:
        """Take an item where neither room nor the item has to be waited for."""
        if self._is_taking or not self._room.acquire_at_once():
            return None
        taken: Taken[T] | None = None
        try:
            taken = self._intake.at_once()
        finally:
            if taken is None:
                self._room.release()
        return taken

    async def _take(self) -> Taken[T] | Passed | None:
        """Wait for room and for an item; None where there is none any more."""
        me = asyncio.current_task()
        assert me is not None  # noqa: S101
        self._waiting.add(me)
        try:
            await self._room.acquire()
            return await self._next()
        except asyncio.CancelledError:
            if self._is_leaving():
                return None
            raise
        finally:
            self._waiting.discard(me)

    async def _next(self) -> Taken[T] | Passed | None:
        """Give the next item; its place is given back where there is none."""
        taken: Taken[T] | Passed | None = None
        try:
            async with self._taking:
                self._is_taking = True
                if not self._is_over():
                    taken = await self._intake.next()
        finally:
            self._is_taking = self._taking.locked()
            if taken is None:
                self._room.release()
        return taken

    async def _looking_after(self) -> None:
        try:
            await self._tick()
        except Exception as error:  # told to the caller by the run itself
            self._break(error)

    async def _tick(self) -> None:
        """Look after what no call looks after: hanging calls, progress, the journal's clock."""
        beat_at = 0.0
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self._staff()
            now = self._loop.time()
            if self._desk.once_under_way and now >= beat_at and self.broken is None:
                beat_at = now + BEAT_SECONDS / 2
                self._beat()
            self._show_progress()

    def _beat(self) -> None:
        if self._ledger is not None:
            self._ledger.beat()

    def _show_progress(self, *, force: bool = False) -> None:
        now = self._loop.time()
        if self._callback is None or (now - self._last_progress < _PROGRESS_SECONDS and not force):
            return
        self._last_progress = now
        try:
            self._callback(self.progress())
        except Exception as fault:  # a fault of who looks on is not the run's
            self._callback = None
            _log.warning("progress is not shown any more: %s", one_line(repr(fault)))
