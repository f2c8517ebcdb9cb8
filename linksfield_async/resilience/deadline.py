"""One deadline over everything a call does: queue, limiter, attempts and pauses."""

from __future__ import annotations

from collections.abc import Callable

import attrs


@attrs.define
class Deadline:
    """A moment on a monotonic clock."""

    started: float
    seconds: float
    clock: Callable[[], float]

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float]) -> Deadline:
        """Start a deadline that passes in some seconds."""
        return cls(clock(), seconds, clock)

    @property
    def elapsed(self) -> float:
        """Seconds since it was started."""
        return self.clock() - self.started

    def wait_for(self, seconds: float) -> None:
        """Put it off: bulk work waits for its turn before its own time begins."""
        self.seconds += seconds

    @property
    def left(self) -> float:
        """Seconds until it passes; negative once it has."""
        return self.seconds - (self.clock() - self.started)
