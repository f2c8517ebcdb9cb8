"""How many workers a run needs at present: the limit in force, and one for each that hangs."""

from __future__ import annotations

from .concurrency import climber_for
from .settings import Concurrency

_STRAGGLES = 8.0
"""Times the usual seconds of a call after which it counts as hanging, so that a few that hang do
not hold up all."""
_SHORTEST_STRAGGLE = 0.1
_SMOOTHING = 0.02


class Staffing:
    """Knows the calls under way; pure over `now`, in seconds."""

    def __init__(self, setting: Concurrency, connections: int, now: float) -> None:
        self.calls: dict[int, float] = {}
        """Position of each call under way, and when it began."""
        self.left: dict[int, float] = {}
        """When the last attempt of each left; those that wait for their turn do not hang."""
        self._climber = climber_for(setting, now)
        self._connections = connections
        self._usual = 0.0
        self.allowed = self._climber.limit
        """Workers wanted when that was last looked at."""

    @property
    def limit(self) -> int:
        """How many calls may be under way."""
        return self._climber.limit

    def began(self, position: int, now: float) -> None:
        """Note a call."""
        self.calls[position] = now

    def leaves(self, position: int, now: float) -> None:
        """Note that an attempt leaves."""
        if position in self.calls:
            self.left[position] = now

    def ended(self, position: int, now: float, *, failed: bool) -> float:
        """Note its end, however it ended; give its seconds."""
        under_way = len(self.calls)
        elapsed = now - self.calls.pop(position)
        left = self.left.pop(position, now)
        if not failed:
            weight = _SMOOTHING if self._usual else 1.0
            self._usual += weight * (now - left - self._usual)
        if self._climber.learns:
            self._climber.note(now, elapsed=elapsed, failed=failed, in_flight=under_way)
        return elapsed

    def wanted(self, now: float) -> int:
        """Say how many workers there should be: never more than twice the limit."""
        limit = self._climber.limit
        spare = min(limit, self._connections - limit)
        hanging = 0
        if spare > 0 and self._usual:
            since = now - max(_SHORTEST_STRAGGLE, _STRAGGLES * self._usual)
            hanging = sum(left < since for left in self.left.values())
        self.allowed = limit + min(hanging, max(0, spare))
        return self.allowed
