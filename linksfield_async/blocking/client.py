"""The client for callers without an event loop: an async client in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, Unpack

from ..account import Account
from ..bulk.settings import BulkSettings
from ..client import Client
from ..errors import ConfigurationError
from ..named import BlockingOrders, BlockingPayment, BlockingVshop
from ..operation import Operation
from ..operations import CardVerification
from ..options import Options
from ..pipeline import Exchange
from ..resilience.breaker import BreakerState
from ..telemetry import Observer
from ..transport.base import Transport
from .bulk import BlockingOutcomes, feed_of
from .groups import BlockingGroups
from .thread import LoopThread

if TYPE_CHECKING:
    from .checkout import BlockingCheckouts

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
        observers: Iterable[Observer] = (),
        allow_running_loop: bool = False,
    ) -> None:
        client = Client(account, options=options, transport=transport, observers=observers)
        self._open(client, LoopThread(), is_view=False, allow_running_loop=allow_running_loop)

    def _open(
        self, client: Client, thread: LoopThread, *, is_view: bool, allow_running_loop: bool
    ) -> None:
        self._client = client
        self._thread = thread
        self._is_view = is_view
        self._allow_running_loop = allow_running_loop
        self.vshop = BlockingVshop(self)
        self.payment = BlockingPayment(self)
        self.groups = BlockingGroups(self, client.groups, self._ready)
        self.orders = BlockingOrders(self)

    @cached_property
    def checkout(self) -> BlockingCheckouts:
        """Purchases and subscriptions that can be put down and taken up again."""
        from .checkout import BlockingCheckouts  # noqa: PLC0415 - not every program sells

        return BlockingCheckouts(self._client.checkout, self._ready)

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
        self,
        iccids: Iterable[Any] | AsyncIterable[Any],
        *,
        url: str | None = None,
        **settings: Unpack[BulkSettings],
    ) -> BlockingOutcomes[CardVerification]:
        """Verify any number of cards, given as texts or by `read_iccids`; an outcome for each.

        What is no ICCID is reported as invalid_input and not sent. Taking outcomes slowly slows
        the sending. With a `journal` a run goes on after a crash; see `BulkSettings`.
        """
        thread = self._ready("verify_many")
        feed = feed_of(iccids, thread, settings)
        outcomes = self._client.verify_many(feed or iccids, url=url, **settings)
        return BlockingOutcomes(thread, outcomes, feed)

    def send_many(
        self,
        operations: Iterable[Operation[T]] | AsyncIterable[Operation[T]],
        **settings: Unpack[BulkSettings],
    ) -> BlockingOutcomes[T]:
        """Carry out any number of operations; an outcome for each, see `BulkSettings`.

        With a `journal`, what must not be carried out twice is written down before it is sent,
        and after a crash it is asked about, not sent again.
        """
        thread = self._ready("send_many")
        feed = feed_of(operations, thread, settings)
        outcomes = self._client.send_many(feed or operations, **settings)
        return BlockingOutcomes(thread, outcomes, feed)

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

    def _ready(self, method: str) -> LoopThread:
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
