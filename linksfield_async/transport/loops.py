"""What a transport has for each running event loop, made at first use and ended with its loop.

One transport serves several loops, one after another or at once in threads, and what was made
before a fork is left to the parent.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
import time
import warnings
import weakref
from collections.abc import AsyncGenerator, Callable
from typing import Any, Generic, Protocol, TypeVar

import attrs

from ..errors import ClientClosed
from ..options import Options
from .calls import Calls
from .tls import tls_context

_CLOSING_SECONDS = 5.0


class Pools(Protocol):
    """Connections of one event loop."""

    async def close(self) -> None:
        """Close all, in their loop."""
        ...


P = TypeVar("P", bound=Pools)


@attrs.define(eq=False)
class Held(Generic[P]):
    """What one event loop has: connections, the calls under way, and what ends with the loop."""

    pools: P
    calls: Calls
    lifetime: AsyncGenerator[None, None] | None = None


class PerLoop(Generic[P]):
    """Makes, keeps and ends what each event loop has; `make` gets the TLS context to use."""

    def __init__(
        self, options: Options, make: Callable[[Options, ssl.SSLContext | bool], P]
    ) -> None:
        self._options = options
        self._make_pools = make
        self.held: dict[asyncio.AbstractEventLoop, Held[P]] = {}
        self.closed = False
        self._tls: ssl.SSLContext | bool = True
        self._guard = threading.Lock()
        self._used = False
        _all.add(self)

    def forget(self) -> None:
        """Start anew in a child process; its parent goes on with what there is."""
        _of_the_parent.append(self.held)
        self.held = {}
        self._guard = threading.Lock()

    def known(self) -> Held[P] | None:
        """Give what the running loop has; None at first use, and once closed."""
        return None if self.closed else self.held.get(asyncio.get_running_loop())

    async def here_within(self, seconds: float) -> tuple[Held[P], float]:
        """Give what the running loop has, and the seconds left when that is made."""
        began = time.monotonic()
        held = await self.here()
        return held, seconds - (time.monotonic() - began)

    async def here(self) -> Held[P]:
        """Give what the running loop has; make it at first use."""
        loop = asyncio.get_running_loop()
        held = self.held.get(loop)
        if held is None and not self.closed:
            if self._options.ca_file is not None and self._tls is True:
                # Off the loop, because it blocks. Without a file of the caller's, aiohttp's own
                # context is used, which it makes at import.
                self._tls = await asyncio.to_thread(tls_context, self._options.ca_file)
            held = await self._make(loop)
        if held is None or self.closed:
            raise ClientClosed("the client is closed")
        return held

    async def _make(self, loop: asyncio.AbstractEventLoop) -> Held[P] | None:
        with self._guard:
            # Looked up again: another task or close() may have come first.
            if loop in self.held or self.closed:
                return self.held.get(loop)
            pools = self._make_pools(self._options, self._tls)
            held = self.held[loop] = Held(pools, Calls(loop))
            self._used = True
        # A started generator is closed by the loop when it shuts down, e.g. at the end of
        # asyncio.run: so connections end inside their loop even where nobody closed them.
        held.lifetime = _lifetime(loop, held, self.held)
        await anext(held.lifetime)
        return held

    async def close(self) -> None:
        """End what is under way and close the connections of all loops; twice does nothing.

        A call that is ended so raises NotSent or OutcomeUnknown, as is known of it.
        """
        with self._guard:
            self.closed = True
            all_held = dict(self.held)
        here = asyncio.get_running_loop()
        for loop, held in all_held.items():
            if loop is here:
                await _end(held)
            elif loop.is_running():
                ended = asyncio.run_coroutine_threadsafe(_end(held), loop)
                # The other loop may stop before it comes to this; its end closes all the same.
                await asyncio.wait([asyncio.wrap_future(ended)], timeout=_CLOSING_SECONDS)

    def __del__(self) -> None:
        if self.closed or not self._used:
            return
        warnings.warn("a Client was not closed: use `async with`", ResourceWarning, stacklevel=2)
        for loop, held in tuple(self.held.items()):
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(_end(held), loop)


alive: set[Held[Any]] = set()
"""Holds connections until their loop or client ends them, so that none are merely collected."""

_all: weakref.WeakSet[PerLoop[Any]] = weakref.WeakSet()
_of_the_parent: list[object] = []
"""Connections that a child process inherited. Only kept: to close one would reach into the
parent's event loop, whose selector both processes share."""


def _forget_in_child() -> None:
    for per_loop in _all:
        per_loop.forget()
    _of_the_parent.extend(alive)
    alive.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


async def _lifetime(
    loop: asyncio.AbstractEventLoop,
    held: Held[Any],
    all_held: dict[asyncio.AbstractEventLoop, Held[Any]],
) -> AsyncGenerator[None, None]:
    alive.add(held)
    try:
        yield
    finally:
        all_held.pop(loop, None)
        await _end(held)


async def _end(held: Held[Any]) -> None:
    """End what is under way, and close the connections when it has ended; runs in its loop."""
    await held.calls.end_all(_CLOSING_SECONDS)
    await held.pools.close()
    alive.discard(held)
