"""A sandbox on a loop in a thread of its own, for tests that block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from linksfield_async.sandbox import Sandbox

T = TypeVar("T")


class SandboxThread:
    """Runs a sandbox's loop, so that others can run one of their own."""

    def __init__(self, **settings: Any) -> None:
        self._settings = settings
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        async with Sandbox(**self._settings) as self.sandbox:
            self._started.set()
            await self._stop.wait()

    def __enter__(self) -> Sandbox:
        self._thread.start()
        assert self._started.wait(10)
        return self.sandbox

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
