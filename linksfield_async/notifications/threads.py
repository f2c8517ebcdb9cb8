"""One event loop in a thread, for web frameworks that call plain functions.

The inboxes keep connections, which belong to one loop: a loop per request would break them.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Carries out coroutines for callers in other threads; made anew in a child process."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for a coroutine."""
        # Handed over before the loop is told to end, so that it is cancelled then.
        with self._guard:
            future = asyncio.run_coroutine_threadsafe(work, self._running())
        return future.result()

    def close(self) -> None:
        """End the thread; what runs is cancelled."""
        with self._guard:
            loop, thread, self._loop = self._loop, self._thread, None
            ours = loop is not None and thread is not None and self._process == os.getpid()
            if loop is not None and ours:
                loop.call_soon_threadsafe(loop.stop)
        if thread is not None and ours:
            thread.join()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None or self._process != os.getpid():
            ready = threading.Event()
            loop = self._loop = asyncio.new_event_loop()
            self._process = os.getpid()
            # A daemon: a server that nobody closes must still be able to end.
            self._thread = threading.Thread(
                target=_serve, args=(loop, ready), name="linksfield inbox loop", daemon=True
            )
            self._thread.start()
            ready.wait()
        return self._loop


def _serve(loop: asyncio.AbstractEventLoop, ready: threading.Event) -> None:
    asyncio.set_event_loop(loop)
    loop.call_soon(ready.set)
    try:
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
            loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
