"""Wall time for quarantines: whatever happens to the clock, it never makes one shorter."""

from __future__ import annotations

import time
from collections.abc import Callable
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
    try:
        boot_id = _BOOT_ID.read_text().strip()
        return boot_id, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    except (OSError, AttributeError):
        return None, None


class WallTime:
    """Goes on from the latest moment that was stored.

    A wall clock that was set back counts from that moment, so a quarantine only gets longer. One
    that was set forward is not believed either, where the machine has not been started anew
    since: the clock of its boot tells how long ago that moment was.
    """

    def __init__(
        self,
        stored: Moment | None = None,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        boot: Callable[[], tuple[str | None, int | None]] = boot_clock,
    ) -> None:
        self._monotonic, self._boot = monotonic, boot
        self._began = monotonic()
        self._boot_id, boot_ms = boot()
        start = int(wall() * 1000)
        if stored is not None:
            start = max(start, stored.wall_ms)
            same = stored.boot_id is not None and stored.boot_id == self._boot_id
            if same and boot_ms is not None and stored.boot_ms is not None:
                start = min(start, stored.wall_ms + max(0, boot_ms - stored.boot_ms))
        self._start_ms = start

    def now_ms(self) -> int:
        """Epoch milliseconds that only grow; steps of the clock meanwhile do not count."""
        return self._start_ms + int((self._monotonic() - self._began) * 1000)

    def moment(self) -> Moment:
        """Give the present moment, to be stored."""
        return Moment(self.now_ms(), *self._boot())
