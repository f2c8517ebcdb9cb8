"""Workers that run kept messages, and what handlers left over when their lease ran out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..errors import InboxUnavailable
from .receiver import Handler, Receiver

_log = logging.getLogger("linksfield_async.notifications")
_LOOK_EVERY = 0.5
_GATHERING_SECONDS = 0.01
_GRACE = 5.0


@asynccontextmanager
async def working(
    receiver: Receiver, handler: Handler, *, concurrency: int = 64, look_every: float = _LOOK_EVERY
) -> AsyncIterator[None]:
    """Run kept messages in the background for the length of the block.

    At its end nothing more is taken, what runs has five seconds, and the rest stays kept.
    """
    receiver.check_inbox()
    ending = asyncio.Event()
    worker = asyncio.create_task(_work(receiver, handler, concurrency, look_every, ending))
    try:
        yield
    finally:
        ending.set()
        await worker


async def _work(
    receiver: Receiver, handler: Handler, concurrency: int, look_every: float, ending: asyncio.Event
) -> None:
    running: set[asyncio.Task[object]] = set()
    while not ending.is_set():
        claims = []
        try:
            claims = await receiver.take(concurrency - len(running))
        except InboxUnavailable as error:
            _log.error("workers cannot take messages: %s", error)
        except Exception:
            # An inbox of another make, or a fault: workers that ended here would end in silence,
            # while messages are still answered as kept.
            _log.exception("workers cannot take messages")
            await asyncio.sleep(look_every)
        for claim in claims:
            task: asyncio.Task[object] = asyncio.create_task(receiver.run_claim(claim, handler))
            running.add(task)
            task.add_done_callback(running.discard)
        if len(running) >= concurrency:
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED, timeout=look_every)
            await asyncio.sleep(_GATHERING_SECONDS)
        elif not claims:
            await _either(ending, receiver, look_every)
        else:
            # Not at once: a store is asked for several messages at a time.
            await asyncio.sleep(_GATHERING_SECONDS)
    if running:
        _, late = await asyncio.wait(running, timeout=_GRACE)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


async def _either(ending: asyncio.Event, receiver: Receiver, seconds: float) -> None:
    """Wait for a message or for the end."""
    waits = {
        asyncio.create_task(ending.wait()),
        asyncio.create_task(receiver.kept(seconds)),
    }
    _, left = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
