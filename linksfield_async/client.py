"""The async client: the front door that puts the rooms together."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, Unpack

import attrs

from .account import Account
from .codec import codec_for
from .errors import ConfigurationError
from .groups.namespace import AsyncGroups, RoomShare
from .named import AsyncOrders, AsyncPayment, AsyncVshop
from .operation import Operation
from .operations import CardVerification
from .options import Options
from .pipeline import Exchange, Pipeline, Shared
from .resilience.breaker import BreakerState
from .resilience.rate import Limiter
from .telemetry import Observer, observers_with_log
from .transport.base import OwnTransport, Transport
from .transport.choice import transport_for

if TYPE_CHECKING:
    from .bulk.engine import Outcomes
    from .bulk.service import Service
    from .bulk.settings import BulkSettings
    from .checkout.namespace import AsyncCheckout

T = TypeVar("T")

_SHARED = frozenset({"connections", "ca_file", "group_polls", "rate", "transport"})
"""Options that a view cannot change, because it shares what they are about."""


class Client:
    """Calls the Linksfield APIs for one account.

    Use it in `async with`, or `close()` it; connections are made at first use. It may be made
    outside any event loop and used from several.
    """

    def __init__(
        self,
        account: Account,
        *,
        options: Options | None = None,
        transport: Transport | None = None,
        observers: Iterable[Observer] = (),
    ) -> None:
        if not isinstance(account, Account):
            raise ConfigurationError("Client needs an Account, e.g. Account.from_env()")
        codec_for(account.wire_names)  # made here, so that no event loop waits for it
        options = options or Options()
        own: OwnTransport | None = None
        if transport is None:
            transport = own = transport_for(options)
        limiter = None if options.rate is None else Limiter(options.rate)
        shared = Shared(
            account=account,
            transport=transport,
            limiter=limiter,
            observers=observers_with_log(observers),
        )
        self._own_groups: RoomShare | None = RoomShare()
        self._open(Pipeline(shared, options), own, self._own_groups)

    def _open(self, pipeline: Pipeline, own: OwnTransport | None, share: RoomShare) -> None:
        self._pipeline = pipeline
        self._own_transport = own
        self._group_share = share
        self.vshop = AsyncVshop(pipeline)
        self.payment = AsyncPayment(pipeline)
        self.groups = AsyncGroups(pipeline, share)
        self.orders = AsyncOrders(pipeline)

    @cached_property
    def checkout(self) -> AsyncCheckout:
        """Purchases and subscriptions that can be put down and taken up again."""
        from .checkout.namespace import AsyncCheckout  # noqa: PLC0415 - not every program sells

        return AsyncCheckout(self._pipeline, self.account, self.options.deadline)

    @property
    def account(self) -> Account:
        """Who calls, and where to."""
        return self._pipeline.shared.account

    @property
    def breakers(self) -> dict[str, BreakerState]:
        """The state of each service's circuit breaker, which bulk work heeds."""
        return {service.value: b.state for service, b in self._pipeline.shared.breakers.items()}

    @property
    def rate(self) -> float | None:
        """Calls per second that may leave at present; None where there is no limit."""
        limiter = self._pipeline.shared.limiter
        return None if limiter is None else limiter.rate

    @property
    def options(self) -> Options:
        """The settings in force."""
        return self._pipeline.options

    async def send(self, operation: Operation[T], /) -> T:
        """Carry out any operation, built in or your own, and give its result.

        Raises a LinksfieldError; see `linksfield_async.errors` for what each lets you conclude.
        """
        return (await self._pipeline.exchange(operation)).result

    async def exchange(self, operation: Operation[T], /) -> Exchange[T]:
        """Carry out an operation; give its result, the whole answer and the facts of the call."""
        return await self._pipeline.exchange(operation)

    def verify_many(
        self,
        iccids: Iterable[Any] | AsyncIterable[Any],
        *,
        url: str | None = None,
        **settings: Unpack[BulkSettings],
    ) -> Outcomes[CardVerification]:
        """Verify any number of cards, given as texts or by `read_iccids`; an outcome for each.

        What is no ICCID is reported as invalid_input and not sent. Taking outcomes slowly slows
        the sending. With a `journal` a run goes on after a crash; see `BulkSettings`.
        """
        from .bulk import engine  # noqa: PLC0415 - not every program sends in bulk

        return engine.verify_many(self._bulk_service(), iccids, settings, url)

    def send_many(
        self,
        operations: Iterable[Operation[T]] | AsyncIterable[Operation[T]],
        **settings: Unpack[BulkSettings],
    ) -> Outcomes[T]:
        """Carry out any number of operations; an outcome for each, see `BulkSettings`.

        With a `journal`, what must not be carried out twice is written down before it is sent,
        and after a crash it is asked about, not sent again.
        """
        from .bulk import engine  # noqa: PLC0415 - not every program sends in bulk

        return engine.send_many(self._bulk_service(), operations, settings)

    def _bulk_service(self) -> Service:
        from .bulk.service import Service  # noqa: PLC0415

        return Service(
            sender=self._pipeline.in_bulk,
            account=self.account,
            connections=self.options.connections,
            deadline=self.options.deadline,
            rate=lambda: self.rate,
        )

    def with_options(self, **changes: Any) -> Client:
        """Give a view with some options changed that shares this client's connections.

        Closing a view does nothing; it works as long as the client it was made from.
        """
        known = attrs.fields_dict(Options)
        for name in changes:
            if name not in known:
                raise ConfigurationError(f"Options has no {name!r}; it has {', '.join(known)}")
            if name in _SHARED:
                raise ConfigurationError(f"views share what {name} is about: make a new Client")
        view = object.__new__(type(self))
        view._own_groups = None
        pipeline = self._pipeline.with_options(attrs.evolve(self.options, **changes))
        view._open(pipeline, None, self._group_share)
        return view

    async def close(self) -> None:
        """Close the connections this client made; closing twice does nothing."""
        if self._own_groups is not None:
            await self._own_groups.close()
        if self._own_transport is not None:
            await self._own_transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Client holds connections and cannot be pickled; send its Account")

    def __repr__(self) -> str:
        return f"Client({self.account.partner_code!r}, {self.account.endpoints.vshop!r})"
