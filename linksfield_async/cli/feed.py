"""Takes rows from a source that may have to wait for them, such as a pipe, beside the loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from typing import Generic, TypeVar

from ..errors import LinksfieldError

T = TypeVar("T")

_AHEAD = 256


async def beside_the_loop(items: Iterator[T]) -> AsyncGenerator[T, None]:
    """Yield what a blocking iterator gives, read in a thread that keeps a little ahead."""
    reader = _Reader(items)
    reader.start()
    try:
        async for item in reader:
            yield item
    finally:
        reader.stop()


class _Reader(Generic[T]):
    """Reads in a thread; a daemon, because a read that waits for ever cannot be ended.

    At a terminal, say: it must not keep Ctrl-C from ending the program.
    """

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._loop = asyncio.get_running_loop()
        self._read: asyncio.Queue[list[T] | Exception] = asyncio.Queue()
        self._room = threading.Semaphore(_AHEAD)
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._work, name="linksfield input", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._room.release()

    def __aiter__(self) -> _Reader[T]:
        return self

    async def __anext__(self) -> T:
        read = await self._read.get()
        if isinstance(read, Exception):
            raise read
        self._room.release()
        return read[0]

    def _work(self) -> None:
        # What is told of an error that nobody expects, whose trace the thread itself writes: the
        # rows must not seem to have ended well.
        end: Exception = RuntimeError("reading the input broke off")
        try:
            for item in self._items:
                self._room.acquire()
                if self._stopped.is_set():
                    return
                self._hand_over([item])
            end = StopAsyncIteration()
        except LinksfieldError as error:
            end = error
        finally:
            self._hand_over(end)

    def _hand_over(self, read: list[T] | Exception) -> None:
        try:
            self._loop.call_soon_threadsafe(self._read.put_nowait, read)
        except RuntimeError:
            self._stopped.set()  # the loop is closed: nobody waits any more
