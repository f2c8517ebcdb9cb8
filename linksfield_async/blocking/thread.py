"""One thread with an event loop, which carries out what callers in other threads wait for."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar

import anyio
from anyio.from_thread import BlockingPortal

from ..client import Client
from ..errors import ClientClosed, ConfigurationError

T = TypeVar("T")
A = TypeVar("A")

_CANCELING_SECONDS = 5.0
_ENDING_SECONDS = 10.0
_LOOKING_SECONDS = 1.0
"""How often a caller looks whether the thread it waits for is alive."""


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

    def _make(self) -> None:
        ready: Future[tuple[BlockingPortal, asyncio.AbstractEventLoop]] = Future()
        # A daemon: a client that nobody closed must not keep a process from ending.
        self._thread = threading.Thread(
            target=_serve, args=(ready,), name="linksfield_async", daemon=True
        )
        self._thread.start()
        self._portal, self._loop = ready.result()
        self._process = os.getpid()

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

    def check(self) -> None:
        """Have a thread in this process; say what is wrong where there can be none."""
        if self._ended:
            raise ClientClosed("the client is closed; make a new SyncClient")
        if self._portal is None:
            raise ConfigurationError("a SyncClient works inside its `with` block only")
        if self._process != os.getpid():
            # The old one stays as it is: its thread does not exist in this process.
            self._guard = threading.RLock()
            self._make()

    def call(
        self,
        work: Callable[[A], Awaitable[T]],
        argument: A,
        *,
        meanwhile: Callable[[], None] | None = None,
        ended: Callable[[], None] | None = None,
    ) -> T:
        """Run a coroutine function there; an interruption here ends it there first.

        `meanwhile` is called here; `ended` is called there, once there is a result or an error.
        """
        job = Job(work, argument, ended)
        loop, thread = self._begun(job)
        try:
            if meanwhile is not None:
                meanwhile()
            job.wait_while(thread)
        except BaseException:
            with suppress(RuntimeError):  # the loop has ended, and the job with it
                loop.call_soon_threadsafe(job.cancel)
                # Nothing may be sent any more once the caller has its interruption.
                job.wait(_CANCELING_SECONDS)
            raise
        if job.ends_the_loop:
            thread.join(_ENDING_SECONDS)  # the next call finds no loop, and makes one anew
        return job.result()

    def _begun(self, job: Job[Any, Any]) -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
        self.check()
        try:
            return self._handed(job)
        except RuntimeError as error:
            with self._guard:
                if self._ended:
                    raise ClientClosed("the client was closed by another thread") from error
                if threading.current_thread() is self._thread:
                    raise  # called from the loop itself: the thread is well
                if not self._thread.is_alive() or self._loop is None or self._loop.is_closed():
                    self._make()
                self.check()
                return self._handed(job)

    def _handed(self, job: Job[Any, Any]) -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
        loop, thread = self._loop, self._thread
        if loop is None or threading.current_thread() is thread:
            raise RuntimeError("a SyncClient cannot be used in its own event loop")
        # In a copy of the caller's context, as call_soon does.
        loop.call_soon_threadsafe(job.start, loop)
        return loop, thread

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


class Job(Generic[A, T]):
    """One coroutine function that another thread waits for; leaner than a future of a portal."""

    def __init__(
        self,
        work: Callable[[A], Awaitable[T]],
        argument: A,
        ended: Callable[[], None] | None = None,
    ) -> None:
        self._work, self._argument, self._when_ended = work, argument, ended
        self._task: asyncio.Task[None] | None = None
        self._value: list[T] = []
        self._error: BaseException | None = None
        self._under_way = threading.Lock()
        self._under_way.acquire()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start it, in its loop."""
        self._task = loop.create_task(self._run())

    def cancel(self) -> None:
        """Cancel it, in its loop."""
        if self._task is not None:
            self._task.cancel()

    def wait(self, seconds: float) -> bool:
        """Wait in another thread; tell whether it has ended."""
        ended = self._under_way.acquire(timeout=seconds)
        if ended:
            self._under_way.release()
        return ended

    def wait_while(self, thread: threading.Thread) -> None:
        """Wait as long as its thread is alive."""
        while not self.wait(_LOOKING_SECONDS):
            if not thread.is_alive() and not self.wait(0):
                raise ClientClosed("the client's event loop has ended")

    @property
    def ends_the_loop(self) -> bool:
        """Whether its error is one that ends an event loop."""
        return isinstance(self._error, (SystemExit, KeyboardInterrupt))

    def result(self) -> T:
        """Give its result or raise its error, once it has ended."""
        error, self._error = self._error, None
        if error is None:
            return self._value[0]
        if isinstance(error, asyncio.CancelledError):
            raise CancelledError from error
        try:
            raise error
        finally:
            del error  # its trace holds this frame

    async def _run(self) -> None:
        try:
            self._value.append(await self._work(self._argument))
        except BaseException as error:
            self._error = error
            if self.ends_the_loop:
                raise
        finally:
            self._under_way.release()
            if self._when_ended is not None:
                self._when_ended()


def _serve(ready: Future[tuple[BlockingPortal, asyncio.AbstractEventLoop]]) -> None:
    """Run an event loop until its portal is stopped."""

    async def main() -> None:
        async with BlockingPortal() as portal:
            ready.set_result((portal, asyncio.get_running_loop()))
            await portal.sleep_until_stopped()

    # Whatever ends it is raised in the call that it came from.
    with suppress(SystemExit, KeyboardInterrupt, BaseExceptionGroup):
        anyio.run(main)
