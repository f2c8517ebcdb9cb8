"""The same client for callers without an event loop: one async client in one thread of its own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
)
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, NoReturn, ParamSpec, Self, TypeVar

import anyio
from anyio.from_thread import BlockingPortal

from .account import Account
from .bulk.outcome import Outcome
from .client import Client
from .errors import ClientClosed, ConfigurationError
from .named import BlockingGroups, BlockingOrders, BlockingPayment, BlockingVshop
from .operation import Operation
from .operations import CardVerification
from .options import Options
from .pipeline import Exchange
from .resilience.breaker import BreakerState
from .telemetry import Observer
from .transport.base import Transport

P = ParamSpec("P")
T = TypeVar("T")

_CANCELING_SECONDS = 5.0
_ENDING_SECONDS = 10.0


class SyncClient:
    """Calls the Linksfield APIs for one account and blocks; works inside its `with` only.

    Inside a running event loop it refuses, since it would stop that loop, and names the method
    of `Client` to await; `allow_running_loop=True` is for notebooks, where blocking is wanted.
    """

    def __init__(
        self,
        account: Account,
        *,
        options: Options | None = None,
        transport: Transport | None = None,
        observers: Iterable[Observer] = (),
        allow_running_loop: bool = False,
    ) -> None:
        client = Client(account, options=options, transport=transport, observers=observers)
        self._open(client, _LoopThread(), is_view=False, allow_running_loop=allow_running_loop)

    def _open(
        self, client: Client, thread: _LoopThread, *, is_view: bool, allow_running_loop: bool
    ) -> None:
        self._client = client
        self._thread = thread
        self._is_view = is_view
        self._allow_running_loop = allow_running_loop
        self.vshop = BlockingVshop(self)
        self.payment = BlockingPayment(self)
        self.groups = BlockingGroups(self)
        self.orders = BlockingOrders(self)

    @property
    def account(self) -> Account:
        """Who calls, and where to."""
        return self._client.account

    @property
    def breakers(self) -> dict[str, BreakerState]:
        """The state of each service's circuit breaker, which bulk work heeds."""
        return self._client.breakers

    @property
    def rate(self) -> float | None:
        """Calls per second that may leave at present; None where there is no limit."""
        return self._client.rate

    @property
    def options(self) -> Options:
        """The settings in force."""
        return self._client.options

    def send(self, operation: Operation[T], /) -> T:
        """Carry out any operation, built in or your own, and give its result.

        Raises a LinksfieldError; see `linksfield_async.errors` for what each lets you conclude.
        """
        return self.send_as("send", operation)

    def exchange(self, operation: Operation[T], /) -> Exchange[T]:
        """Carry out an operation; give its result, the whole answer and the facts of the call."""
        return self._ready("exchange").call(self._client.exchange, operation)

    def send_as(self, method: str, operation: Operation[T], /) -> T:
        """Carry out an operation for a named method, which a refusal then names."""
        return self._ready(method).call(self._client.send, operation)

    def verify_many(
        self, iccids: Iterable[str] | AsyncIterable[str], *, concurrency: int = 64
    ) -> Generator[Outcome[CardVerification], None, None]:
        """Verify any number of cards; yields an outcome for each, in the order of completion.

        What is no ICCID is reported as invalid_input and not sent. At most `concurrency` calls
        are under way; taking outcomes slowly slows the sending.
        """
        thread = self._ready("verify_many")
        feed = _feed(iccids, thread, concurrency)
        outcomes = self._client.verify_many(feed or iccids, concurrency=concurrency)
        return _pulled(thread, outcomes, feed)

    def send_many(
        self,
        operations: Iterable[Operation[T]] | AsyncIterable[Operation[T]],
        *,
        concurrency: int = 64,
    ) -> Generator[Outcome[T], None, None]:
        """Carry out any number of operations; yields an outcome for each, as they complete."""
        thread = self._ready("send_many")
        feed = _feed(operations, thread, concurrency)
        outcomes = self._client.send_many(feed or operations, concurrency=concurrency)
        return _pulled(thread, outcomes, feed)

    def with_options(self, **changes: Any) -> SyncClient:
        """Give a view with some options changed that shares this client's connections.

        It works as long as the client it was made from.
        """
        view = object.__new__(type(self))
        view._open(
            self._client.with_options(**changes),
            self._thread,
            is_view=True,
            allow_running_loop=self._allow_running_loop,
        )
        return view

    def close(self) -> None:
        """Close the connections and end the thread; closing twice, or a view, does nothing."""
        if not self._is_view:
            self._thread.stop()

    def __enter__(self) -> Self:
        self._refuse_running_loop("__aenter__")
        if not self._is_view:
            self._thread.start(self._client)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ready(self, method: str) -> _LoopThread:
        self._refuse_running_loop(method)
        self._thread.check()
        return self._thread

    def _refuse_running_loop(self, method: str) -> None:
        if self._allow_running_loop:
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        call = "async with Client(…)" if method == "__aenter__" else f"await client.{method}(…)"
        raise ConfigurationError(
            f"SyncClient would stop the running event loop: use `{call}` of Client instead, "
            "or SyncClient(…, allow_running_loop=True) in a notebook"
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError("a SyncClient holds connections and cannot be pickled; send its Account")

    def __repr__(self) -> str:
        return f"Sync{self._client!r}"


class _LoopThread:
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
        if self._ended:
            raise ClientClosed("the client is closed; make a new SyncClient")
        self._client = client
        if self._portal is None:
            self._make()

    def _make(self) -> BlockingPortal:
        ready: Future[tuple[BlockingPortal, asyncio.AbstractEventLoop]] = Future()
        # A daemon: a client that nobody closed must not keep a process from ending.
        self._thread = threading.Thread(
            target=_serve, args=(ready,), name="linksfield_async", daemon=True
        )
        self._thread.start()
        self._portal, self._loop = ready.result()
        self._process = os.getpid()
        return self._portal

    def stop(self) -> None:
        portal, self._portal, self._ended = self._portal, None, True
        if portal is None or self._process != os.getpid():
            return  # there is no thread, or it is the parent's
        with suppress(RuntimeError):  # the loop has ended before, and its sessions with it
            if self._client is not None:
                portal.call(self._client.close)
            portal.start_task_soon(portal.stop, True)
        self._thread.join(_ENDING_SECONDS)

    def check(self) -> BlockingPortal:
        """Give the portal; say what is wrong where there is none."""
        if self._ended:
            raise ClientClosed("the client is closed; make a new SyncClient")
        if self._portal is None:
            raise ConfigurationError("a SyncClient works inside its `with` block only")
        if self._process != os.getpid():
            # The old one stays as it is: its thread does not exist in this process.
            self._guard = threading.RLock()
            return self._make()
        return self._portal

    def call(self, work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a coroutine function there; an interruption here ends it there first."""
        ended = threading.Event()

        async def tracked() -> T:
            try:
                return await work(*args, **kwargs)
            finally:
                ended.set()

        future = self._begin(tracked)
        try:
            return future.result()
        except BaseException:
            if future.cancel():
                # Nothing may be sent any more once the caller has its interruption.
                ended.wait(_CANCELING_SECONDS)
            raise

    def _begin(self, work: Callable[[], Awaitable[T]]) -> Future[T]:
        portal = self.check()
        try:
            return portal.start_task_soon(work)
        except RuntimeError as error:
            with self._guard:
                if self._ended:
                    raise ClientClosed("the client was closed by another thread") from error
                if threading.current_thread() is self._thread:
                    raise  # called from the loop itself: the thread is well
                if portal is self._portal:
                    self._make()
                return self.check().start_task_soon(work)

    def soon(self, work: Callable[[T], object], argument: T) -> None:
        """Run a function in the loop, without waiting for it."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits for it there
                self._loop.call_soon_threadsafe(work, argument)

    def end(self, outcomes: AsyncGenerator[Any, None]) -> None:
        """Close a generator in its loop, and wait for that unless this is the loop itself."""
        if threading.current_thread() is self._thread:
            # The garbage collector may come by in the loop's own thread.
            self._endings.add(asyncio.ensure_future(outcomes.aclose()))
        elif self._portal is not None:
            self.call(outcomes.aclose)


def _serve(ready: Future[tuple[BlockingPortal, asyncio.AbstractEventLoop]]) -> None:
    """Run an event loop until its portal is stopped."""

    async def main() -> None:
        async with BlockingPortal() as portal:
            ready.set_result((portal, asyncio.get_running_loop()))
            await portal.sleep_until_stopped()

    # Whatever ends it is raised in the call that it came from.
    with suppress(SystemExit, KeyboardInterrupt, BaseExceptionGroup):
        anyio.run(main)


class _Feed(AsyncIterator[T]):
    """Hands a source's items to the loop; the source itself is read in the caller's thread.

    A cursor of a database belongs to its thread, and a source that waits must not stop the loop.
    """

    def __init__(self, source: Iterable[T], thread: _LoopThread, ahead: int) -> None:
        self._source = iter(source)
        self._thread = thread
        self._items: asyncio.Queue[tuple[T] | None] = asyncio.Queue()
        self._ahead = ahead
        self._over = False
        self.error: Exception | None = None

    def read(self, count: int = 1) -> None:
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

    def begin(self) -> None:
        """Read as many items as may be under way."""
        self.read(self._ahead)

    async def __anext__(self) -> T:
        item = await self._items.get()
        if item is None:
            self._items.put_nowait(None)
            raise StopAsyncIteration
        return item[0]


def _feed(
    source: Iterable[T] | AsyncIterable[T], thread: _LoopThread, ahead: int
) -> _Feed[T] | None:
    """Make a feed of a source that can be read here; the loop reads any other one itself."""
    if isinstance(source, (str, bytes)) or not isinstance(source, Iterable):
        return None
    return _Feed(source, thread, ahead)


def _pulled(
    thread: _LoopThread, outcomes: AsyncGenerator[T, None], feed: _Feed[Any] | None
) -> Generator[T, None, None]:
    """Pull outcomes one by one, reading the source in step; end it all in its loop."""
    try:
        if feed is not None:
            feed.begin()
        while True:
            try:
                outcome = thread.call(anext, outcomes)
            except StopAsyncIteration:
                break
            yield outcome
            if feed is not None:
                feed.read()
    finally:
        thread.end(outcomes)
    if feed is not None and feed.error is not None:
        raise feed.error
