"""What a contender is, and how its calls are kept under way: on an event loop or in threads."""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from typing import TypeAlias

import attrs
from work import Target, cards

Calls: TypeAlias = Callable[[int], None]
"""Carries out so many calls, and returns once all are answered."""
AsyncCalls: TypeAlias = Callable[[int], Awaitable[None]]
Opening: TypeAlias = Callable[[Target], AbstractAsyncContextManager[AsyncCalls]]


@attrs.frozen(kw_only=True)
class Contender:
    """One way to make the calls."""

    name: str
    title: str
    how: str
    """How it is called, for the page."""
    open: Callable[[Target], AbstractContextManager[Calls]]
    needs: tuple[str, ...] = ()
    """Modules without which it cannot run."""
    ours: bool = False
    concurrency: int = 64
    signs: bool = True
    """Whether each call has a body and a sign of its own."""

    @property
    def missing(self) -> list[str]:
        return [module for module in self.needs if importlib.util.find_spec(module) is None]


def on_asyncio(opening: Opening) -> Callable[[Target], AbstractContextManager[Calls]]:
    """Run what is async on asyncio's own event loop."""
    return lambda target: _on_loop(opening, target, asyncio.new_event_loop)


def on_uvloop(opening: Opening) -> Callable[[Target], AbstractContextManager[Calls]]:
    """Run what is async on uvloop."""

    def opened(target: Target) -> AbstractContextManager[Calls]:
        import uvloop  # noqa: PLC0415  # a contender that needs it says so

        return _on_loop(opening, target, uvloop.new_event_loop)

    return opened


@contextmanager
def _on_loop(
    opening: Opening, target: Target, factory: Callable[[], asyncio.AbstractEventLoop]
) -> Iterator[Calls]:
    with asyncio.Runner(loop_factory=factory) as runner:
        opened = opening(target)

        async def enter() -> AsyncCalls:
            return await opened.__aenter__()

        async def leave() -> None:
            await opened.__aexit__(None, None, None)

        calls = runner.run(enter())

        async def carried_out(count: int) -> None:
            await calls(count)

        try:
            yield lambda count: runner.run(carried_out(count))
        finally:
            runner.run(leave())


def in_flight(one: Callable[[str], Awaitable[object]], concurrency: int) -> AsyncCalls:
    """Keep so many calls under way, by as many tasks that share the cards: no task per call."""

    async def calls(count: int) -> None:
        given = cards(count)

        async def worker() -> None:
            for card in given:
                await one(card)

        await asyncio.gather(*(worker() for _ in range(concurrency)))

    return calls


def in_threads(one: Callable[[str], object], concurrency: int) -> Calls:
    """Keep so many calls under way, by as many threads that share the cards."""

    def calls(count: int) -> None:
        given, guard, failures = cards(count), threading.Lock(), []

        def worker() -> None:
            try:
                while True:
                    with guard:
                        card = next(given, None)
                    if card is None:
                        return
                    one(card)
            except BaseException as error:  # raised again where the calls were asked for
                failures.append(error)

        threads = [threading.Thread(target=worker) for _ in range(concurrency)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    return calls


async def taken(outcomes: AsyncIterator[object]) -> int:
    """Take what comes and keep none of it."""
    count = 0
    async for _ in outcomes:
        count += 1
    return count
