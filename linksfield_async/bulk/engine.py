"""Sends many operations with a fixed number of workers over a bounded window; no task per item."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from typing import Generic, TypeAlias, TypeVar

from ..errors import ConfigurationError, InvalidInput, LinksfieldError
from ..operation import Operation
from ..operations import CardVerification, SingleVerify
from ..pipeline import Sender
from .iccid import clean_iccid
from .outcome import Outcome, verdict_on

T = TypeVar("T")
Item = TypeVar("Item")
Prepare: TypeAlias = Callable[[Item], tuple[Operation[T], str | None]]
"""Makes the operation of an item, with its ICCID; ConfigurationError where there is none."""


def send_many(
    sender: Sender,
    operations: Iterable[Operation[T]] | AsyncIterable[Operation[T]],
    *,
    concurrency: int = 64,
) -> AsyncGenerator[Outcome[T], None]:
    """Send operations as they come; outcomes in the order of completion.

    Stopping before the end cancels what is under way and drops what was not taken.
    """

    def prepare(operation: Operation[T]) -> tuple[Operation[T], str | None]:
        return operation, getattr(operation, "iccid", None)

    return _run(sender, operations, prepare, concurrency)


def verify_many(
    sender: Sender, iccids: Iterable[str] | AsyncIterable[str], *, concurrency: int = 64
) -> AsyncGenerator[Outcome[CardVerification], None]:
    """Verify cards as they come; what is no ICCID is reported as invalid_input and never sent."""

    def prepare(given: str) -> tuple[Operation[CardVerification], str | None]:
        iccid = clean_iccid(given)
        return SingleVerify(iccid=iccid), iccid

    return _run(sender, iccids, prepare, concurrency)


async def _run(
    sender: Sender,
    items: Iterable[Item] | AsyncIterable[Item],
    prepare: Prepare[Item, T],
    concurrency: int,
) -> AsyncGenerator[Outcome[T], None]:
    if concurrency < 1:
        raise ConfigurationError(f"concurrency must be at least 1, not {concurrency}")
    if isinstance(items, (str, bytes)):
        raise ConfigurationError("an iterable of items is needed, not one text")
    crew = _Crew(sender, items, prepare, concurrency)
    try:
        async for outcome in crew.outcomes(concurrency):
            yield outcome
    finally:
        await crew.dismiss()
    if isinstance(crew.broken, asyncio.CancelledError):
        raise RuntimeError("a source or a transport canceled a worker") from crew.broken
    if crew.broken is not None:
        raise crew.broken


class _Crew(Generic[Item, T]):
    """Workers that share one source, and the outcomes they have put down."""

    def __init__(
        self,
        sender: Sender,
        items: Iterable[Item] | AsyncIterable[Item],
        prepare: Prepare[Item, T],
        concurrency: int,
    ) -> None:
        self.broken: BaseException | None = None
        self._sender = sender
        self._prepare = prepare
        self._source = _numbered(items)
        self._taking = asyncio.Lock()
        # Room is taken before an item and given back with its outcome: a slow consumer slows
        # the sending, and what is put down never has to wait.
        self._room = asyncio.Semaphore(2 * concurrency)
        self._done: asyncio.Queue[Outcome[T] | None] = asyncio.Queue()
        self._workers = [asyncio.create_task(self._work()) for _ in range(concurrency)]

    async def outcomes(self, working: int) -> AsyncGenerator[Outcome[T], None]:
        """Yield outcomes until every worker has ended, however it ended."""
        while working:
            outcome = await self._done.get()
            if outcome is None:
                working -= 1
            else:
                yield outcome
            self._room.release()

    async def dismiss(self) -> None:
        """End the workers and close the source."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await self._source.aclose()

    async def _work(self) -> None:
        try:
            while self.broken is None:
                await self._room.acquire()
                async with self._taking:
                    numbered = await anext(self._source, None)
                if numbered is None:
                    break
                outcome = await _outcome(self._sender, self._prepare, *numbered)
                self._done.put_nowait(outcome)
        except BaseException as error:
            self.broken = self.broken or error
            raise
        finally:
            self._done.put_nowait(None)


async def _numbered(
    items: Iterable[Item] | AsyncIterable[Item],
) -> AsyncGenerator[tuple[int, Item], None]:
    position = 0
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield position, item
            position += 1
    else:
        for item in items:
            yield position, item
            position += 1


async def _outcome(
    sender: Sender,
    prepare: Prepare[Item, T],
    position: int,
    item: Item,
) -> Outcome[T]:
    iccid: str | None = item if isinstance(item, str) else None
    try:
        operation, iccid = prepare(item)
        if not isinstance(operation, Operation):
            raise ConfigurationError(f"operation {position} is {type(operation).__name__!r}")
        exchange = await sender.exchange(operation)
    except LinksfieldError as error:
        if isinstance(error, ConfigurationError) and not isinstance(error, InvalidInput):
            raise  # the client's settings: the next item would fare no better
        return Outcome(position, iccid, verdict_on(error), None, error, error.attempts)
    return Outcome(position, iccid, "valid", exchange.result, None, exchange.attempts)
