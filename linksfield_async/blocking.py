"""The same client for callers without an event loop: one async client in one thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable
from contextlib import ExitStack
from typing import Any, NoReturn, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from .account import Account
from .bulk.outcome import Outcome
from .client import Client
from .errors import ConfigurationError
from .named import BlockingGroups, BlockingOrders, BlockingPayment, BlockingVshop
from .operation import Operation
from .operations import CardVerification
from .options import Options
from .pipeline import Exchange
from .transport.base import Transport

T = TypeVar("T")


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
        allow_running_loop: bool = False,
    ) -> None:
        client = Client(account, options=options, transport=transport)
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
        portal = self._ready("verify_many")
        return _pulled(portal, self._client.verify_many(iccids, concurrency=concurrency))

    def send_many(
        self,
        operations: Iterable[Operation[T]] | AsyncIterable[Operation[T]],
        *,
        concurrency: int = 64,
    ) -> Generator[Outcome[T], None, None]:
        """Carry out any number of operations; yields an outcome for each, as they complete."""
        portal = self._ready("send_many")
        return _pulled(portal, self._client.send_many(operations, concurrency=concurrency))

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

    def _ready(self, method: str) -> BlockingPortal:
        self._refuse_running_loop(method)
        if self._thread.portal is None:
            raise ConfigurationError("a SyncClient works inside its `with` block only")
        return self._thread.portal

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
    """One thread with an event loop, shared by a client and its views."""

    def __init__(self) -> None:
        self.portal: BlockingPortal | None = None
        self._stack = ExitStack()

    def start(self, client: Client) -> None:
        if self.portal is None:
            with ExitStack() as stack:
                portal = stack.enter_context(start_blocking_portal(name="linksfield_async"))
                stack.callback(portal.call, client.close)
                self.portal, self._stack = portal, stack.pop_all()

    def stop(self) -> None:
        self.portal = None
        self._stack.close()


def _pulled(portal: BlockingPortal, outcomes: AsyncGenerator[T, None]) -> Generator[T, None, None]:
    """Pull an async generator's items one by one; close it where it is, in its loop."""
    try:
        while True:
            try:
                yield portal.call(anext, outcomes)
            except StopAsyncIteration:
                return
    finally:
        portal.call(outcomes.aclose)
