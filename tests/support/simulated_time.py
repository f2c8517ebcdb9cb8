"""An event loop whose time only passes while nothing else is to be done: hours in a moment."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everybody waits, and no timer is set")
            self.passed += max(0.0, timeout)
        return ready


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Single-threaded use only: a wake-up from another thread does not stop time."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.passed


def now() -> float:
    """Seconds of the running loop: the clock to give to what is tested."""
    return asyncio.get_running_loop().time()


def run_simulated(main: Coroutine[Any, Any, T]) -> T:
    # Without asyncio's debug mode, which keeps a traceback of each of a million callbacks.
    with asyncio.Runner(debug=False, loop_factory=SimulatedLoop) as runner:
        return runner.run(main)


class LimitedServer:
    """A server that bears `limit` calls/s (a token bucket), and answers after `latency` seconds."""

    def __init__(self, limit: float, *, latency: float = 0.1, bucket: float | None = None) -> None:
        self.limit = limit
        self.latency = latency
        self.bucket = limit if bucket is None else bucket
        self.arrivals: list[tuple[float, bool]] = []
        """When each call came, and whether it was turned away."""
        self._tokens = self.bucket
        self._seen = now()

    async def call(self) -> bool:
        """Give True where the call was turned away."""
        await asyncio.sleep(self.latency / 2)
        self._tokens = min(self.bucket, self._tokens + (now() - self._seen) * self.limit)
        self._seen = now()
        refused = self._tokens < 1
        self._tokens -= not refused
        self.arrivals.append((self._seen, refused))
        await asyncio.sleep(self.latency / 2)
        return refused

    def between(self, begin: float, end: float) -> tuple[float, float]:
        """Calls served per second in that time, and the share of all that was turned away."""
        seen = [refused for at, refused in self.arrivals if begin <= at < end]
        return seen.count(False) / (end - begin), seen.count(True) / max(1, len(seen))
