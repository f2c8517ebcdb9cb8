"""The sandbox's own time: runs like the real one, can be moved on, and knows what is due."""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import attrs

from ..errors import ConfigurationError

START = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)
"""When every sandbox starts, so that the dates in its answers are the same in every run."""

_log = logging.getLogger(__name__)

Planned: TypeAlias = tuple[datetime, str, str]
"""When something happens, what, and to what: a moment, a kind and a key."""


@attrs.frozen(order=True)
class _Entry:
    when: datetime
    number: int
    action: Callable[[datetime], None] = attrs.field(order=False)
    planned: tuple[str, str] | None = attrs.field(default=None, order=False)


class Clock:
    """Time in the sandbox; starts at `START`, whatever the date is outside (invented).

    Nothing sleeps: what is due happens with the next request, look at the world, or `advance`.
    """

    def __init__(self, start: datetime = START) -> None:
        self._reached = start
        self._running_since: float | None = time.monotonic()
        self._agenda: list[_Entry] = []
        self._order = itertools.count()
        self._kinds: dict[str, Callable[[str, datetime], None]] = {}
        self._during: datetime | None = None

    def now(self) -> datetime:
        """Give the time in the sandbox, in UTC; to what falls due, the time it fell due."""
        return self._during or self._moved()

    def _moved(self) -> datetime:
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
        if self._during is not None:
            raise ConfigurationError("what falls due cannot move the clock itself")
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
        self._reached, self._running_since = self._moved(), None

    def resume(self) -> None:
        """Let a paused time run again."""
        if self._running_since is None:
            self._running_since = time.monotonic()

    def at(self, when: datetime, action: Callable[[datetime], None]) -> None:
        """Have something happen at a time; the action is told that time.

        An action is not part of a saved state; what shall be is `plan`ned.
        """
        heapq.heappush(self._agenda, _Entry(when, next(self._order), action))

    def on(self, kind: str, action: Callable[[str, datetime], None]) -> None:
        """Say what happens when something of a kind falls due; it is told the key and the time."""
        self._kinds[kind] = action

    def plan(self, when: datetime, kind: str, key: str) -> None:
        """Have something of a known kind happen at a time."""
        action = self._kinds[kind]
        entry = _Entry(when, next(self._order), lambda due: action(key, due), (kind, key))
        heapq.heappush(self._agenda, entry)

    def run_due(self) -> None:
        """Let everything happen that has fallen due, earliest first.

        Where some of it raises, the rest happens nevertheless; then an ExceptionGroup is raised.
        """
        if self._during is not None:
            return
        failures: list[Exception] = []
        while self._agenda and self._agenda[0].when <= self._moved():
            entry = heapq.heappop(self._agenda)
            self._during = entry.when
            try:
                entry.action(entry.when)
            except Exception as error:
                failures.append(error)
            finally:
                self._during = None
        if failures:
            raise ExceptionGroup("what fell due in the sandbox failed", failures)

    def run_due_told(self) -> None:
        """Let happen what has fallen due; where some of it raises, the log tells."""
        try:
            self.run_due()
        except* Exception as failures:
            # Whoever lets it happen has no part in it, and goes on.
            _log.error("what fell due in the sandbox failed", exc_info=failures)

    def planned(self) -> list[Planned]:
        """List what is planned, earliest first."""
        return [(one.when, *one.planned) for one in sorted(self._agenda) if one.planned]

    def restore(self, now: datetime, planned: Iterable[Planned]) -> None:
        """Go to a saved time and plan; a clock that is paused stays so."""
        self._agenda.clear()
        self._reached = now
        if self._running_since is not None:
            self._running_since = time.monotonic()
        for when, kind, key in planned:
            self.plan(when, kind, key)

    def knows(self, kind: str) -> bool:
        """Tell whether something of a kind can be planned."""
        return kind in self._kinds
