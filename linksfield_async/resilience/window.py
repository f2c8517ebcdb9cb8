"""Outcomes counted over the last seconds."""

from __future__ import annotations

import math
from collections import deque

_SLOTS = 10  # parts the window is counted in


class Window:
    """Outcomes of the last seconds, counted in slots: pure arithmetic over `now`."""

    def __init__(self, seconds: float) -> None:
        self._width = seconds / _SLOTS
        self._slots: deque[tuple[int, list[int]]] = deque()
        self.total = self.failed = 0
        self._counts = [0, 0]
        """Of the slot that lasts until then."""
        self._until = -math.inf

    def add(self, now: float, *, good: bool) -> tuple[int, int]:
        """Count one outcome, and give (all, failed) of the window."""
        if now >= self._until:
            self._begin(int(now / self._width))
        counts = self._counts
        counts[0] += 1
        self.total += 1
        if not good:
            counts[1] += 1
            self.failed += 1
        return self.total, self.failed

    def clear(self) -> None:
        """Forget all."""
        self._slots.clear()
        self.total = self.failed = 0
        self._until = -math.inf

    def _begin(self, slot: int) -> None:
        while self._slots and self._slots[0][0] <= slot - _SLOTS:
            _, (all_of_them, failed) = self._slots.popleft()
            self.total -= all_of_them
            self.failed -= failed
        self._counts = [0, 0]
        self._slots.append((slot, self._counts))
        self._until = (slot + 1) * self._width
