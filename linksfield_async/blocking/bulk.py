"""Bulk runs for callers that block: the source is read, and outcomes arrive, in their thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sized
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Generic, Self, TypeVar

from ..bulk.engine import Outcomes
from ..bulk.files.numeric import refuse_numeric_column
from ..bulk.outcome import Outcome
from ..bulk.progress import Progress
from ..bulk.settings import BulkSettings
from .thread import LoopThread

T = TypeVar("T")

_MOST_AT_ONCE = 1024


class Feed(AsyncIterator[T]):
    """Hands a source's items to the loop; the source itself is read in the caller's thread.

    A cursor of a database belongs to its thread, and a source that waits must not stop the loop.
    """

    def __init__(self, source: Iterable[T], thread: LoopThread) -> None:
        self.name = getattr(source, "name", None)
        self.fingerprint: Any = getattr(source, "fingerprint", None)
        self.error: Exception | None = None
        self.bell: SimpleQueue[bool] = SimpleQueue()
        """Rings in the caller's thread: True where items are needed, False where all is done."""
        self._source = iter(source)
        self._thread = thread
        self._items: asyncio.Queue[tuple[T] | None] = asyncio.Queue()
        self._over = False

    def read(self, count: int) -> None:
        """Read some items, in the caller's thread; an error of the source is kept for the end."""
        for _ in range(0 if self._over else count):
            try:
                item = (next(self._source),)
            except StopIteration:
                break
            except Exception as error:  # raised by the caller once what was sent is answered
                self.error = error
                break
            self._thread.soon(self._items.put_nowait, item)
        else:
            return
        self._over = True
        self._thread.soon(self._items.put_nowait, None)

    async def __anext__(self) -> T:
        if self._items.empty():
            self.bell.put(True)
        item = await self._items.get()
        if item is None:
            self._items.put_nowait(None)
            raise StopAsyncIteration
        return item[0]


def feed_of(
    source: Iterable[T] | AsyncIterable[T], thread: LoopThread, settings: BulkSettings
) -> Feed[T] | None:
    """Make a feed of a source that can be read here; the loop reads any other one itself."""
    if isinstance(source, (str, bytes)) or not isinstance(source, Iterable):
        return None
    refuse_numeric_column(source)
    if settings.get("total") is None and isinstance(source, Sized):
        settings["total"] = len(source)
    return Feed(source, thread)


async def _next(outcomes: Outcomes[T]) -> Outcome[T]:
    return await anext(outcomes)


class BlockingOutcomes(Generic[T]):
    """What becomes of many items: iterate over it, and close it where you leave early."""

    def __init__(self, thread: LoopThread, outcomes: Outcomes[T], feed: Feed[Any] | None) -> None:
        self._thread = thread
        self._outcomes = outcomes
        self._feed = feed
        self._at_once = 1
        self._ended = False

    @property
    def progress(self) -> Progress:
        """How far the run is."""
        return self._outcomes.progress

    @property
    def is_complete(self) -> bool:
        """Whether every item of the source has an outcome; False after a stop."""
        return self._outcomes.is_complete

    def stop(self, within: float | None = None) -> None:
        """Take nothing more; what is under way is still answered and yielded. See `Outcomes`."""
        self._thread.soon(self._outcomes.stop, within)

    def close(self) -> None:
        """Cancel what is under way, and close the journal; closing twice does nothing."""
        if not self._ended:
            self._ended = True
            self._thread.end(self._outcomes)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Outcome[T]:
        if self._ended:
            raise StopIteration
        try:
            serve = None if self._feed is None else self._serve
            outcome: Outcome[T] = self._thread.call(_next, self._outcomes, serve)
            if self._feed is not None:
                self._at_once = 1
                self._feed.read(1)
        except StopAsyncIteration:
            self.close()
            if self._feed is not None and self._feed.error is not None:
                raise self._feed.error from None
            raise StopIteration from None
        except BaseException:
            self.close()
            raise
        return outcome

    def _serve(self, future: Future[Any]) -> None:
        """Read what the run needs until there is an outcome."""
        feed = self._feed
        if feed is None:
            return
        future.add_done_callback(lambda _: feed.bell.put(False))
        while feed.bell.get():
            # More each time: what a journal knows already is passed over without an outcome.
            feed.read(self._at_once)
            self._at_once = min(2 * self._at_once, _MOST_AT_ONCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # Left in the middle: nothing may go on being sent that nobody looks at.
        if not getattr(self, "_ended", True):
            self.close()
