"""Bulk runs for callers that block: the source is read, and outcomes arrive, in their thread."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable, Iterable, Sized
from itertools import islice
from queue import SimpleQueue
from typing import Any, Generic, Self, TypeVar

from ..bulk.engine import Outcomes
from ..bulk.files.numeric import refuse_numeric_column
from ..bulk.outcome import Outcome
from ..bulk.progress import Progress
from ..bulk.settings import BulkSettings
from ..bulk.stock import LATER, Stocked
from .thread import LoopThread

T = TypeVar("T")

_MOST_AT_ONCE = 1024
_TELLING_SECONDS = 0.02
"""How long the loop may not know of what was taken, while the caller has others at hand."""


class Feed(Stocked[T]):
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
        self._over = False
        # Of the loop's thread:
        self._items: deque[T] = deque()
        self._has_all = False
        self._waiting: asyncio.Future[None] | None = None

    def read(self, count: int) -> None:
        """Read some items, in the caller's thread; an error of the source is kept for the end."""
        if self._over:
            return
        items: list[T] = []
        try:
            items.extend(islice(self._source, count))
            self._over = len(items) < count
        except Exception as error:  # raised by the caller once what was sent is answered
            self.error = error
            self._over = True
        self._thread.soon(self._arrived, (items, self._over))

    def _arrived(self, news: tuple[list[T], bool]) -> None:
        items, self._has_all = news
        self._items.extend(items)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def ring_end(self) -> None:
        """Ring in the caller's thread, because what it waits for has ended."""
        self.bell.put(False)

    def at_once(self) -> Any:
        """Give an item that was read; see `Stocked`."""
        return self._items.popleft() if self._items else LATER

    async def __anext__(self) -> T:
        if not self._items and not self._has_all:
            self.bell.put(True)
        while not self._items:
            if self._has_all:
                raise StopAsyncIteration
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return self._items.popleft()


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


async def _some(call: tuple[Outcomes[T], int]) -> list[Outcome[T]]:
    outcomes, took = call
    outcomes.took(took)
    return await outcomes.some()


class BlockingOutcomes(Generic[T]):
    """What becomes of many items: iterate over it, and close it where you leave early."""

    def __init__(self, thread: LoopThread, outcomes: Outcomes[T], feed: Feed[Any] | None) -> None:
        self._thread = thread
        self._outcomes = outcomes
        self._feed = feed
        self._at_once = 1
        self._ended = False
        self._here: deque[Outcome[T]] = deque()
        self._given = False
        """Whether the caller has one from which it did not come back yet."""
        self._took = 0
        """Those it came back from, of which the loop does not know yet."""
        self._told_at = 0.0

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
            self._here.clear()
            self._tell()
            self._thread.end(self._outcomes)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Outcome[T]:
        if self._ended:
            raise StopIteration
        self._took += self._given
        self._given = False
        if not self._here:
            self._here.extend(self._fetched())
        elif time.monotonic() - self._told_at > _TELLING_SECONDS:
            self._tell()
        self._given = True
        return self._here.popleft()

    def _tell(self) -> None:
        """Let the loop know what was taken: it gives room, and a journal notes it."""
        took, self._took, self._told_at = self._took, 0, time.monotonic()
        if took:
            self._thread.soon(self._outcomes.took, took)

    def _fetched(self) -> list[Outcome[T]]:
        """Wait for an outcome, and give all that are there with it."""
        feed = self._feed
        call, self._took, self._told_at = (self._outcomes, self._took), 0, time.monotonic()
        try:
            if feed is None:
                return self._thread.call(_some, call)
            fetched = self._thread.call(_some, call, meanwhile=self._serve, ended=feed.ring_end)
            self._at_once = 1
            feed.read(len(fetched))
        except StopAsyncIteration:
            self.close()
            if feed is not None and feed.error is not None:
                raise feed.error from None
            raise StopIteration from None
        except BaseException:
            self.close()
            raise
        return fetched

    def _serve(self) -> None:
        """Read what the run needs until there is an outcome."""
        feed = self._feed
        if feed is None:
            return
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
