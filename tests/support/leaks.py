"""What a test may leave behind, counted."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time

from linksfield_async.transport import loops


def open_now() -> dict[str, int]:
    """Count threads, sockets, event loops' selectors, and sessions of the transport."""
    kinds = {"threads": threading.active_count(), "sockets": 0, "selectors": 0}
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own
            target = os.readlink(f"/proc/self/fd/{number}")
            kinds["sockets"] += target.startswith("socket:")
            kinds["selectors"] += "eventpoll" in target
    return kinds | {"sessions": len(loops.alive)}


def still_open(before: dict[str, int], patience: float = 1.0) -> dict[str, int]:
    """Say what is more than before, once what is ending has had time to end."""
    left: dict[str, int] = {}
    for pause in (0.0, patience / 100, patience / 10, patience):
        time.sleep(pause)
        left = {kind: n - before[kind] for kind, n in open_now().items() if n > before[kind]}
        if not left:
            break
        gc.collect()
    return left
