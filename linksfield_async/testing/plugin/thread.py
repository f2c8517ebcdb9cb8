"""A sandbox on an event loop in a thread of its own: for tests that block, and apps with loops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar, cast

from ...errors import ConfigurationError
from ...sandbox import Sandbox
from .view import View

T = TypeVar("T")

_PATIENCE = 10.0
"""Seconds for the thread to begin, and to end."""


class SandboxThread:
    """Runs a sandbox beside everything else: `with SandboxThread(cards=100) as sandbox: …`.

    Takes the settings of `Sandbox`. What is given may be used from any thread, with an event loop
    or without, see `View`; once the block is left, its state stays readable.
    """

    def __init__(self, **settings: Any) -> None:
        self._own = Sandbox(**settings)
        # A view has all that a Sandbox has, and says so to whoever checks types.
        self.sandbox = cast("Sandbox", View(self._own, self))
        self._guard = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stop = asyncio.Event()

    def start(self) -> None:
        """Start the thread, and wait until the sandbox listens."""
        if self._thread is not None:
            raise ConfigurationError("the sandbox's thread runs once: make a new one")
        started: Future[None] = Future()
        self._ended: Future[None] = Future()
        # A daemon: a sandbox that nobody closed must not keep a process from ending.
        self._thread = threading.Thread(
            target=self._run, args=(started,), name="linksfield sandbox", daemon=True
        )
        self._thread.start()
        started.result(_PATIENCE)

    def close(self) -> None:
        """Close the sandbox and end the thread; closing twice does nothing."""
        with self._guard:
            # What other threads asked for before this stands before the stop in the loop's queue.
            loop, self._loop = self._loop, None
            if loop is not None:
                loop.call_soon_threadsafe(self._stop.set)
        if loop is not None and self._thread is not None:
            self._ended.result(_PATIENCE)
            self._thread.join(_PATIENCE)

    def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call a function in the sandbox's thread, and wait for what it gives or raises."""
        if threading.current_thread() is self._thread:
            return function(*args, **kwargs)
        done: Future[T] = Future()

        def work() -> None:
            try:
                done.set_result(function(*args, **kwargs))
            except BaseException as error:
                done.set_exception(error)

        with self._guard:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(work)
            else:
                work()  # nobody else is at it any more, or not yet
        return done.result()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Have a coroutine run in the sandbox's thread."""
        with self._guard:
            if self._loop is not None:
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        raise ConfigurationError("the sandbox's thread is not running")

    def _run(self, started: Future[None]) -> None:
        try:
            asyncio.run(self._serve(started))
        except BaseException as error:
            (self._ended if started.done() else started).set_exception(error)
        else:
            self._ended.set_result(None)

    async def _serve(self, started: Future[None]) -> None:
        async with self._own:
            self._loop = asyncio.get_running_loop()
            started.set_result(None)
            await self._stop.wait()

    def __enter__(self) -> Sandbox:
        self.start()
        return self.sandbox

    def __exit__(self, *_: object) -> None:
        self.close()
