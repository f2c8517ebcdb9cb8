"""Tells open pages that an order has changed, as server-sent events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

_LOOK_SECONDS = 1.0
"""How soon a page sees what another process of the shop has done."""
_SIGN_OF_LIFE = 15.0


class Updates:
    """Wakes the streams of an order; every stream reads the row itself."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._closed = False

    def changed(self, key: str) -> None:
        """Wake all streams of an order."""
        for event in self._waiting.get(key, ()):
            event.set()

    def close(self) -> None:
        """End all streams, so that the server can stop."""
        self._closed = True
        for key in self._waiting:
            self.changed(key)

    async def stream(
        self, key: str, read: Callable[[], Awaitable[dict[str, Any]]]
    ) -> AsyncIterator[str]:
        """Send an order at once, and whenever it is another one than was sent last."""
        event = asyncio.Event()
        self._waiting.setdefault(key, set()).add(event)
        last, told_at = None, time.monotonic()
        try:
            while not self._closed:
                event.clear()
                text = json.dumps(await read())
                if text != last:
                    last, told_at = text, time.monotonic()
                    yield f"data: {text}\n\n"
                elif time.monotonic() - told_at > _SIGN_OF_LIFE:
                    told_at = time.monotonic()
                    yield ": still here\n\n"
                await _soon(event)
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]


async def _soon(event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            await event.wait()
    except TimeoutError:
        return  # look anyway: another process may have changed it
