"""The calls under way in one event loop, and the one timer that ends those past their limit.

A timer for each call costs more than all else that is done here for it. Nearly every call ends
long before its limit: so there is one timer, set to the nearest limit of all; when it rings, the
calls that are under way are looked through, and it is set anew.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from typing import Any, Protocol

from ..errors import DeadlineExceeded
from ..resilience.clock import time_of
from .faults import Ended

_SOON = 0.001
"""Seconds by which a loop's clock may be coarse."""
_BETWEEN_LOOKS = 0.005
"""Seconds: thousands of calls past their limits are not looked through for each of them."""


class Wire(Protocol):
    """What a call waits for: something that knows when it was last active."""

    active_at: float

    def silent_since(self) -> float:
        """Give the moment of the loop's time at which it was last active."""
        ...


class Call:
    """One call under way: when it ends at the latest, what is known of it, and how to end it."""

    __slots__ = ("_asked_before", "_task", "due", "ended", "patience", "sent", "wire")

    def __init__(self, task: asyncio.Task[Any], due: float) -> None:
        self.due = due
        self.sent = False
        """Bytes of the request may have left."""
        self.ended: Ended | None = None
        self._task: asyncio.Task[Any] | None = task
        self._asked_before = task.cancelling()
        self.wire: Wire | None = None
        """What bytes are waited for from, and for the next of them no longer than that."""
        self.patience = math.inf

    def end(self, why: Ended) -> None:
        """End it, in its own loop: what it awaits is cancelled."""
        if self.ended is None and self._task is not None:
            self.ended = why
            self._task.cancel()

    def was_ended(self) -> bool:
        """Tell, once, an end from this side from a cancellation by someone else."""
        task, self._task = self._task, None
        if self.ended is None or task is None:
            return False
        return task.uncancel() <= self._asked_before

    def limit(self) -> tuple[float, Ended]:
        """Give the nearest limit, in the loop's time."""
        if self.wire is not None:
            silent_at = self.wire.silent_since() + self.patience
            if silent_at < self.due:
                return silent_at, Ended.SILENCE
        return self.due, Ended.DEADLINE


class Calls:
    """All calls under way in one event loop; used in that loop alone."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._time = time_of(loop)
        self._under_way: set[Call] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = math.inf
        self._idle: asyncio.Event | None = None

    def __len__(self) -> int:
        return len(self._under_way)

    def begin(self, seconds: float) -> Call:
        """Take up a call of the running task; DeadlineExceeded where it has no time at all."""
        if seconds <= 0:
            raise DeadlineExceeded("the deadline passed before anything was sent")
        due = self._time() + seconds
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("a request is sent from within a task")
        call = Call(task, due)
        self._under_way.add(call)
        if due < self._rings_at:
            self._ring_at(due)
        return call

    def listen(self, call: Call, wire: Wire, patience: float) -> None:
        """Let the call wait for an answer, `patience` seconds for each part of it."""
        call.wire, call.patience = wire, patience
        wire.active_at = self._time()
        silent_at = wire.active_at + patience
        if silent_at < self._rings_at:
            self._ring_at(silent_at)

    def over(self, call: Call) -> None:
        """Let go of a call."""
        self._under_way.discard(call)
        if call.ended is not None:
            call.was_ended()
        if self._idle is not None and not self._under_way:
            self._idle.set()

    async def end_all(self, patience: float) -> None:
        """End all because the client is being closed, and wait until they have ended."""
        if self._under_way:
            self._idle = asyncio.Event()
            for call in self._under_way:
                call.end(Ended.CLOSED)
            with suppress(TimeoutError):  # one that will not end loses its connection
                await asyncio.wait_for(self._idle.wait(), patience)
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._rings_at = None, math.inf

    def _ring_at(self, moment: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(moment, self._look_through)
        self._rings_at = moment

    def _look_through(self) -> None:
        self._timer, self._rings_at = None, math.inf
        now = self._time()
        nearest = math.inf
        for call in self._under_way:
            limit, why = call.limit()
            if call.ended is not None:
                continue
            if limit <= now + _SOON:
                call.end(why)
            else:
                nearest = min(nearest, limit)
        if nearest < math.inf:
            self._ring_at(max(nearest, now + _BETWEEN_LOOKS))
