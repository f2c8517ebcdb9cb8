"""Asks for the results of all open requests of a client: one task, one heap, one timer.

A poll that fails is no "not done yet": it holds all polls back for a moment, longer each time, and
takes nothing from the pauses of its own request.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools

from ..errors import (
    BadAnswer,
    ClientClosed,
    ConfigurationError,
    LinksfieldError,
    Refused,
    Throttled,
)
from ..operations import GetAsyncResult
from ..resilience.clock import Clock
from ..resilience.pace import Bucket
from .parts import Part, State

_LEAST_AT_ONCE, _MOST_AT_ONCE = 16, 64
"""Polls under way at most, for slow and for fast rates."""
_FIRST_HOLD = 0.5
_LONGEST_HOLD = 30.0
_JITTER = 0.2
"""Share of a pause by which it may be shorter."""


class Poller:
    """The polls of one client in one event loop; its task is there while anything is open."""

    def __init__(self, *, per_second: float, clock: Clock) -> None:
        self.loop = asyncio.get_running_loop()
        self._clock, self._now = clock, clock.monotonic
        self._bucket = Bucket(per_second, 1, self._now())
        # Enough for answers that take a quarter of a second.
        self._at_once = int(min(max(per_second / 4, _LEAST_AT_ONCE), _MOST_AT_ONCE))
        self._heap: list[tuple[float, int, Part]] = []
        self._order = itertools.count()
        self._ids: set[str] = set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._stirred = asyncio.Event()
        self._held_until = self._held_at = 0.0
        self._failures = 0
        self._closed = False

    def knows(self, request_id: str) -> bool:
        """Tell whether a request with this id is open."""
        return request_id in self._ids

    def add(self, part: Part, pause: float) -> None:
        """Ask for a request's result, after a pause, until it is there or its time is over."""
        if self._closed:
            raise ClientClosed("the client was closed before this call")
        now = self._now()
        part.state = State.ACCEPTED
        part.heard_at, part.ask_until = now, now + part.job.settings.within
        part.step, part.failures = pause, 0
        self._ids.add(part.request_id)
        self._push(part, part.step)
        if self._task is None:
            self._task = self.loop.create_task(self._run(), name="linksfield group polls")

    async def close(self) -> None:
        """End all polls; those who wait for them are told that the client is closed."""
        self._closed = True
        tasks = [*self._under_way] + ([] if self._task is None else [self._task])
        waiting = [part for _, _, part in self._heap]
        self._heap.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for part in waiting:
            part.job.broke(ClientClosed("the client was closed while a change was waited for"))

    def _push(self, part: Part, pause: float) -> None:
        pause *= 1 - _JITTER * self._clock.random()
        due = min(self._now() + pause, part.ask_until)
        heapq.heappush(self._heap, (due, next(self._order), part))
        if self._heap[0][2] is part:
            self._stirred.set()

    async def _run(self) -> None:
        try:
            while self._heap or self._under_way:
                pause = self._pause()
                if pause is None or pause > 0:
                    await self._rest(pause)
                    continue
                _, _, part = heapq.heappop(self._heap)
                poll = self.loop.create_task(self._poll(part))
                self._under_way.add(poll)
                poll.add_done_callback(self._polled)
        finally:
            self._task = None

    def _pause(self) -> float | None:
        """Seconds until the next poll may leave, 0 where it is to leave now; None: until stirred."""
        if not self._heap or len(self._under_way) >= self._at_once:
            return None
        now = self._now()
        pause = max(self._heap[0][0], self._held_until) - now
        if pause > 0:
            return pause
        return 0.0 if self._bucket.take(now, queued=True) else self._bucket.wait(now, 0)

    async def _rest(self, pause: float | None) -> None:
        self._stirred.clear()
        timer = None if pause is None else self.loop.create_task(self._ring(pause))
        try:
            await self._stirred.wait()
        finally:
            if timer is not None:
                timer.cancel()
                await asyncio.gather(timer, return_exceptions=True)

    async def _ring(self, pause: float) -> None:
        await self._clock.sleep(pause)
        self._stirred.set()

    def _polled(self, poll: asyncio.Task[None]) -> None:
        self._under_way.discard(poll)
        self._stirred.set()

    async def _poll(self, part: Part) -> None:
        began = self._now()
        try:
            exchange = await part.job.sender.exchange(GetAsyncResult(request_id=part.request_id))
        except asyncio.CancelledError:
            part.job.broke(ClientClosed("the client was closed while a change was waited for"))
            raise
        except Refused as error:
            if isinstance(error, Throttled):
                self._failed(part, error, began)
            else:
                self._unknown(part, error)
        except ConfigurationError as error:
            self._leave(part)
            part.job.broke(error)
        except LinksfieldError as error:
            self._failed(part, error, began)
        except Exception as error:
            # A bug, or an observer's; whoever waits must not wait for ever.
            self._leave(part)
            part.job.broke(error)
        else:
            self._failures = 0
            if part.heard(exchange, part.job.settings.words, self._now()):
                self._end(part, State.ENDED)
            else:
                self._later(part)
                part.job.stir()

    def _later(self, part: Part) -> None:
        """Ask again after a pause that grows."""
        if self._now() >= part.ask_until:
            self._end(part, State.LATE)
            return
        settings = part.job.settings
        part.step = min(part.step * settings.poll_factor, settings.longest_poll)
        self._push(part, part.step)

    def _unknown(self, part: Part, error: Refused) -> None:
        """Put up with an id that the service does not know, or not any more, for a while."""
        part.note = str(error)
        if self._now() - part.heard_at > part.job.settings.grace:
            self._end(part, State.GONE)
        else:
            self._later(part)

    def _failed(self, part: Part, error: LinksfieldError, began: float) -> None:
        """Ask again without a step; where the service is in trouble, hold back all polls."""
        now = self._now()
        part.note = str(error)
        part.failures += 1
        # Polls that were under way together fail together: that is one failure.
        if not isinstance(error, BadAnswer) and began >= self._held_at:
            pause = min(_LONGEST_HOLD, _FIRST_HOLD * 2 ** min(self._failures, 10))
            self._failures += 1
            self._held_at, self._held_until = (
                now,
                now + pause * (1 - _JITTER * self._clock.random()),
            )
        if now >= part.ask_until:
            self._end(part, State.LATE)
            return
        self._push(part, min(part.step, _FIRST_HOLD * 2 ** min(part.failures - 1, 10)))

    def _end(self, part: Part, state: State) -> None:
        self._leave(part)
        part.state = state
        part.job.part_ended(part)

    def _leave(self, part: Part) -> None:
        self._ids.discard(part.request_id)
