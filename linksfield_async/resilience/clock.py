"""Where time, sleep and chance come from; tests put in their own."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import attrs


def _epoch_ms() -> int:
    return time.time_ns() // 1_000_000


@attrs.frozen(kw_only=True)
class Clock:
    """The wall clock is signed; deadlines and durations are measured with the other one."""

    now_ms: Callable[[], int] = _epoch_ms
    """Wall clock, epoch milliseconds; may jump."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds that never jump."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random
    """A number from 0 up to 1."""


_for_new: list[Clock] = [Clock()]


def clock_for_new() -> Clock:
    """Give the clock of a client that is made now."""
    return _for_new[-1]


@contextmanager
def new_clients_use(clock: Clock) -> Iterator[None]:
    """Have every client that is made in this block, in whatever thread, use a clock; for tests."""
    _for_new.append(clock)
    try:
        yield
    finally:
        _for_new.remove(clock)


def time_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """Give what tells a loop's time: of asyncio's own, the clock itself, without a call around."""
    told = loop.time
    if getattr(told, "__func__", None) is asyncio.BaseEventLoop.time:
        return time.monotonic
    return told
