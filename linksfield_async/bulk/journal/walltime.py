"""Wall time for quarantines: whatever happens to the clock, it never makes one shorter."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import attrs

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@attrs.frozen
class Moment:
    """A moment on the wall clock and, where the system has one, on a clock that nobody sets."""

    wall_ms: int
    boot_id: str | None
    boot_ms: int | None


def boot_clock() -> tuple[str | None, int | None]:
    """Give this boot's id and the milliseconds since it; None where the system tells none."""
    boot_id = _boot_id()
    if boot_id is None:
        return None, None
    return boot_id, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


@cache
def _boot_id() -> str | None:
    try:
        return _BOOT_ID.read_text().strip() if hasattr(time, "CLOCK_BOOTTIME") else None
    except OSError:
        return None


class WallTime:
    """Tells how much time has certainly passed since a moment that an earlier session stored.

    As long as the machine was not started anew, the clock of its boot tells: it goes on while the
    machine sleeps, and nobody sets it. Else nothing is certain, and time counts from now on. What
    is stored never lies before what any clock shows, so that it cannot seem to be long ago.
    """

    def __init__(
        self,
        stored: Moment | None = None,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        boot: Callable[[], tuple[str | None, int | None]] = boot_clock,
    ) -> None:
        self._wall, self._monotonic, self._boot = wall, monotonic, boot
        self._began = monotonic()
        boot_id, boot_ms = boot()
        self.is_same_boot = False
        start = int(wall() * 1000)
        if stored is not None:
            start = max(start, stored.wall_ms)
            if None not in (boot_id, boot_ms, stored.boot_ms) and boot_id == stored.boot_id:
                self.is_same_boot = True
                start = stored.wall_ms + max(0, (boot_ms or 0) - (stored.boot_ms or 0))
        self._start_ms = start

    @property
    def opened_ms(self) -> int:
        """When this session began, on its own clock."""
        return self._start_ms

    def now_ms(self) -> int:
        """Epoch milliseconds for comparing: they grow no faster than time does."""
        return self._start_ms + int((self._monotonic() - self._began) * 1000)

    def moment(self) -> Moment:
        """Give the present moment for storing: the latest that any clock shows."""
        return Moment(self.latest_ms(), *self._boot())

    def latest_ms(self) -> int:
        """Give the wall time of `moment`."""
        return max(self.now_ms(), int(self._wall() * 1000))
