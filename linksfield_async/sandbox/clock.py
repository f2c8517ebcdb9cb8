"""The sandbox's own time: runs like the real one, can be moved on, and knows what is due."""

from __future__ import annotations

import heapq
import itertools
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from ..errors import ConfigurationError

START = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)
"""When every sandbox starts, so that the dates in its answers are the same in every run."""


class Clock:
    """Time in the sandbox; starts at `START`, whatever the date is outside (invented)."""

    def __init__(self, start: datetime = START) -> None:
        self._reached = start
        self._running_since: float | None = time.monotonic()
        self._agenda: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        """Give the time in the sandbox, in UTC."""
        if self._running_since is None:
            return self._reached
        return self._reached + timedelta(seconds=time.monotonic() - self._running_since)

    def advance(self, *, days: float = 0, seconds: float = 0) -> datetime:
        """Move the time on; everything that falls due happens now, in its order."""
        for name, value in (("days", days), ("seconds", seconds)):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ConfigurationError(f"{name} must be a number")
            if not math.isfinite(value) or value < 0:
                raise ConfigurationError(f"{name} must not be negative: time only moves on")
        try:
            # A century is kept free, so that a period's end can always be told.
            moved = self._reached + timedelta(days=days, seconds=seconds)
            _ = moved + timedelta(days=36_525)
        except OverflowError as error:
            raise ConfigurationError("the clock cannot be moved that far") from error
        self._reached = moved
        self.run_due()
        return self.now()

    def pause(self) -> None:
        """Stop the time: from now on it moves by `advance` alone."""
        self._reached, self._running_since = self.now(), None

    def resume(self) -> None:
        """Let a paused time run again."""
        if self._running_since is None:
            self._running_since = time.monotonic()

    def at(self, when: datetime, action: Callable[[datetime], None]) -> None:
        """Have something happen at a time; the action is told that time."""
        heapq.heappush(self._agenda, (when, next(self._order), action))

    def run_due(self) -> None:
        """Let everything happen that has fallen due, earliest first."""
        while self._agenda and self._agenda[0][0] <= self.now():
            when, _, action = heapq.heappop(self._agenda)
            action(when)
