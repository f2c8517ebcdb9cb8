"""The package's contenders: all of its safety on, and nothing of the responder assumed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Literal

from driving import AsyncCalls, Calls, Contender, in_flight, in_threads, on_asyncio, on_uvloop
from work import PARTNER, Target, cards

from linksfield_async import Account, Client, Endpoints, Options, SyncClient
from linksfield_async.operations import SingleVerify

Carrier = Literal["direct", "session"]


def _account(target: Target) -> Account:
    return Account(PARTNER, endpoints=Endpoints.at(target.url))


def _options(target: Target, carrier: Carrier) -> Options:
    return Options(connections=target.concurrency, ca_file=target.ca_file, transport=carrier)


def verify_many(carrier: Carrier) -> Callable[[Target], AbstractAsyncContextManager[AsyncCalls]]:
    @asynccontextmanager
    async def opening(target: Target) -> AsyncIterator[AsyncCalls]:
        async with Client(_account(target), options=_options(target, carrier)) as client:

            async def calls(count: int) -> None:
                async for outcome in client.verify_many(
                    cards(count), concurrency=target.concurrency
                ):
                    if outcome.verdict != "valid":
                        raise SystemExit(f"a call failed: {outcome.error!r}")

            yield calls

    return opening


def send(carrier: Carrier) -> Callable[[Target], AbstractAsyncContextManager[AsyncCalls]]:
    @asynccontextmanager
    async def opening(target: Target) -> AsyncIterator[AsyncCalls]:
        async with Client(_account(target), options=_options(target, carrier)) as client:

            async def one(iccid: str) -> None:
                await client.send(SingleVerify(iccid=iccid))

            yield in_flight(one, target.concurrency)

    return opening


@contextmanager
def sync_send(target: Target) -> Iterator[Calls]:
    with SyncClient(_account(target), options=_options(target, "direct")) as client:

        def one(iccid: str) -> None:
            client.send(SingleVerify(iccid=iccid))

        yield in_threads(one, target.concurrency)


@contextmanager
def sync_verify_many(target: Target) -> Iterator[Calls]:
    with SyncClient(_account(target), options=_options(target, "direct")) as client:

        def calls(count: int) -> None:
            for outcome in client.verify_many(cards(count), concurrency=target.concurrency):
                if outcome.verdict != "valid":
                    raise SystemExit(f"a call failed: {outcome.error!r}")

        yield calls


def _ours(name: str, title: str, how: str, concurrency: int = 64) -> Contender:
    work, carrier, loop = name.split()[:3]
    making = {"verify_many": verify_many, "send": send}[work]
    opening = making("direct" if carrier == "direct" else "session")
    return Contender(
        name=name,
        title=title,
        how=how,
        open=(on_uvloop if loop == "uvloop" else on_asyncio)(opening),
        needs=("uvloop",) if loop == "uvloop" else (),
        ours=True,
        concurrency=concurrency,
    )


_BULK = "`async for outcome in client.verify_many(cards, concurrency=64)`, without a journal"
_SEND = "`await client.send(SingleVerify(…))` in as many tasks as calls may be under way"
_SYNC = "`SyncClient.send(SingleVerify(…))`"

OURS = (
    _ours("verify_many direct uvloop", "verify_many, uvloop", _BULK),
    _ours("verify_many direct asyncio", "verify_many", _BULK),
    _ours("verify_many session uvloop", "verify_many, session, uvloop", _BULK),
    _ours("verify_many session asyncio", "verify_many, session", _BULK),
    _ours("send direct uvloop", "send, uvloop", _SEND),
    _ours("send direct asyncio", "send", _SEND),
    _ours("send session asyncio", "send, session", _SEND),
    _ours("send direct asyncio 8", "send, 8 at once", _SEND, 8),
    _ours("send direct asyncio 500", "send, 500 at once", _SEND, 500),
    _ours("send direct asyncio 1", "send, one after another", _SEND, 1),
    Contender(
        name="sync 1",
        title="SyncClient, one after another",
        how=_SYNC,
        open=sync_send,
        ours=True,
        concurrency=1,
    ),
    Contender(
        name="sync 64",
        title="SyncClient, 64 threads",
        how=f"{_SYNC} in 64 threads that share one client",
        open=sync_send,
        ours=True,
    ),
    Contender(
        name="sync verify_many",
        title="SyncClient.verify_many",
        how="`for outcome in client.verify_many(cards, concurrency=64)`",
        open=sync_verify_many,
        ours=True,
    ),
)
