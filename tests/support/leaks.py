"""What a test may leave behind, counted."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator

from linksfield_async.transport import loops

_NO_FILES = ("/dev/", "/proc/", "/memfd:")


@contextlib.contextmanager
def noted_tasks(noted: list[str]) -> Iterator[None]:
    """Note the tasks that are still there when the loop of a test is closed, and cancelled then."""
    runners = asyncio.runners
    cancel = runners._cancel_all_tasks  # type: ignore[attr-defined]

    def left(loop: asyncio.AbstractEventLoop) -> list[str]:
        # aiohttp's server lingers for a client that left in the middle of a large body.
        names = [str(task.get_coro()) for task in asyncio.all_tasks(loop)]
        return [name for name in names if "RequestHandler.start" not in name]

    def note_and_cancel(loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(20):
            # What is ending may need some more turns of the loop.
            if not left(loop):
                break
            loop.run_until_complete(asyncio.sleep(0.005))
        noted.extend(left(loop))
        cancel(loop)

    runners._cancel_all_tasks = note_and_cancel  # type: ignore[attr-defined]
    try:
        yield
    finally:
        runners._cancel_all_tasks = cancel  # type: ignore[attr-defined]


def open_what_stays() -> None:
    """Have a faster loop, where one is installed, open the pipes that it keeps for ever."""
    with contextlib.suppress(ImportError):
        uvloop = importlib.import_module("uvloop")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(asyncio.sleep(0))


def open_now() -> dict[str, int]:
    """Count threads, what is open, temporary files, and sessions of the transport."""
    kinds = {"threads": threading.active_count(), "sockets": 0, "selectors": 0}
    kinds |= {"files": 0, "pipes": 0, "temporary files": len(os.listdir(tempfile.gettempdir()))}
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own
            target = os.readlink(f"/proc/self/fd/{number}")
            kinds["sockets"] += target.startswith("socket:")
            kinds["selectors"] += "eventpoll" in target
            kinds["pipes"] += target.startswith("pipe:")
            kinds["files"] += target.startswith("/") and not target.startswith(_NO_FILES)
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
