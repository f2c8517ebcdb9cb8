"""Sends many operations with a fixed number of workers over a bounded window; no task per item."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from typing import TypeAlias, TypeVar

from ..errors import ConfigurationError, LinksfieldError
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
    """Send operations as they come; outcomes in the order of completion."""

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
    source = _numbered(items)
    taking = asyncio.Lock()
    # A worker with an outcome waits until there is room: a slow consumer slows the sending.
    done: asyncio.Queue[Outcome[T] | None] = asyncio.Queue(concurrency)
    broken: list[Exception] = []

    async def work() -> None:
        try:
            while not broken:
                async with taking:
                    position, item = await anext(source)
                await done.put(await _outcome(sender, prepare, position, item))
        except StopAsyncIteration:
            pass  # the source has no more
        except Exception as error:  # of the source or a bug: raised to the consumer below
            broken.append(error)
        await done.put(None)

    workers = [asyncio.create_task(work()) for _ in range(concurrency)]
    working = concurrency
    try:
        while working:
            outcome = await done.get()
            if outcome is None:
                working -= 1
            else:
                yield outcome
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await source.aclose()
    if broken:
        raise broken[0]


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
        exchange = await sender.exchange(operation)
    except LinksfieldError as error:
        return Outcome(position, iccid, verdict_on(error), None, error, error.attempts)
    return Outcome(position, iccid, "valid", exchange.result, None, exchange.attempts)
