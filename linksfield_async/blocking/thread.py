"""One thread with an event loop, which carries out what callers in other threads wait for."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Protocol, TypeVar

import anyio
from anyio.from_thread import BlockingPortal

from ..client import Client
from ..errors import ClientClosed, ConfigurationError

T = TypeVar("T")
A = TypeVar("A")

_CANCELING_SECONDS = 5.0
_ENDING_SECONDS = 10.0


class _Closable(Protocol):
    async def aclose(self) -> None: ...


class LoopThread:
    """One thread with an event loop, shared by a client and its views.

    Made anew where it was lost: in a child process, which has none of its parent's threads, and
    where a SystemExit inside a call has ended it.
    """

    def __init__(self) -> None:
        self._client: Client | None = None
        self._portal: BlockingPortal | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.current_thread()
        self._process = 0
        self._ended = False
        self._guard = threading.RLock()
        self._endings: set[asyncio.Future[None]] = set()

    def start(self, client: Client) -> None:
        """Start the thread for a client."""
        if self._ended:
            raise ClientClosed("the client is closed; make a new SyncClient")
        self._client = client
        if self._portal is None:
            self._make()

    def _make(self) -> BlockingPortal:
        ready: Future[tuple[BlockingPortal, asyncio.AbstractEventLoop]] = Future()
        # A daemon: a client that nobody closed must not keep a process from ending.
        self._thread = threading.Thread(
            target=_serve, args=(ready,), name="linksfield_async", daemon=True
        )
        self._thread.start()
        self._portal, self._loop = ready.result()
        self._process = os.getpid()
        return self._portal

    def stop(self) -> None:
        """Close the client and end the thread."""
        portal, self._portal, self._ended = self._portal, None, True
        if portal is None or self._process != os.getpid():
            return  # there is no thread, or it is the parent's
        with suppress(RuntimeError):  # the loop has ended before, and its sessions with it
            if self._client is not None:
                portal.call(self._client.close)
            portal.start_task_soon(portal.stop, True)
        self._thread.join(_ENDING_SECONDS)

    def check(self) -> BlockingPortal:
        """Give the portal; say what is wrong where there is none."""
        if self._ended:
            raise ClientClosed("the client is closed; make a new SyncClient")
        if self._portal is None:
            raise ConfigurationError("a SyncClient works inside its `with` block only")
        if self._process != os.getpid():
            # The old one stays as it is: its thread does not exist in this process.
            self._guard = threading.RLock()
            return self._make()
        return self._portal

    def call(
        self,
        work: Callable[[A], Awaitable[T]],
        argument: A,
        meanwhile: Callable[[Future[T]], None] | None = None,
    ) -> T:
        """Run a coroutine function there; an interruption here ends it there first.

        `meanwhile` is called here, with the future of what is waited for.
        """
        ended = threading.Event()

        async def tracked() -> T:
            try:
                return await work(argument)
            finally:
                ended.set()

        future = self._begin(tracked)
        try:
            if meanwhile is not None:
                meanwhile(future)
            return future.result()
        except BaseException:
            if future.cancel():
                # Nothing may be sent any more once the caller has its interruption.
                ended.wait(_CANCELING_SECONDS)
            raise

    def _begin(self, work: Callable[[], Awaitable[T]]) -> Future[T]:
        portal = self.check()
        try:
            return portal.start_task_soon(work)
        except RuntimeError as error:
            with self._guard:
                if self._ended:
                    raise ClientClosed("the client was closed by another thread") from error
                if threading.current_thread() is self._thread:
                    raise  # called from the loop itself: the thread is well
                if portal is self._portal:
                    self._make()
                return self.check().start_task_soon(work)

    def soon(self, work: Callable[[A], object], argument: A) -> None:
        """Run a function in the loop, without waiting for it."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits for it there
                self._loop.call_soon_threadsafe(work, argument)

    def end(self, outcomes: _Closable) -> None:
        """Close a generator in its loop, and wait for that unless this is the loop itself."""
        if self._process != os.getpid():
            return  # the run goes on in the parent, where its loop is
        if threading.current_thread() is self._thread:
            # The garbage collector may come by in the loop's own thread.
            self._endings.add(asyncio.ensure_future(outcomes.aclose()))
        elif self._portal is not None:
            self.call(lambda ending: ending.aclose(), outcomes)


def _serve(ready: Future[tuple[BlockingPortal, asyncio.AbstractEventLoop]]) -> None:
    """Run an event loop until its portal is stopped."""

    async def main() -> None:
        async with BlockingPortal() as portal:
            ready.set_result((portal, asyncio.get_running_loop()))
            await portal.sleep_until_stopped()

    # Whatever ends it is raised in the call that it came from.
    with suppress(SystemExit, KeyboardInterrupt, BaseExceptionGroup):
        anyio.run(main)
