"""The named methods, derived once for both clients: each line names an operation, no more.

A namespace is declared once, as a class of `Named` lines; `AsyncNamespace` and
`BlockingNamespace` decide whether its methods are awaited or block.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Generic, ParamSpec, Protocol, TypeVar, overload

from .operation import Operation
from .operations import (
    CancelAutoRenewalRecord,
    GetAsyncResult,
    GetOrder,
    ListGroups,
    ListGroupSims,
    QueryAutoRenewalRecord,
    ResultConfirm,
    ResultQuery,
    SingleOrder,
    SingleQueryOrder,
    SingleServicePlanPage,
    SingleVerify,
    StripeAutoPay,
    StripePay,
    StripeSubDirectly,
    SynOrderInfo,
)
from .pipeline import Sender

P = ParamSpec("P")
T = TypeVar("T")


class BlockingSender(Protocol):
    """Something that sends an operation and blocks until its result is there."""

    def send_as(self, method: str, operation: Operation[T], /) -> T:
        """Carry out one operation; `method` names the async method in a refusal."""
        ...


class Named(Generic[P, T]):
    """A method that takes an operation's fields, sends the operation and gives its result.

    Awaited where its namespace is an AsyncNamespace, blocking where it is a BlockingNamespace.
    """

    def __init__(self, make: Callable[P, Operation[T]]) -> None:
        self.make = make
        self.name = ""
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self.name = name

    @overload
    def __get__(
        self, owner: AsyncNamespace, kind: type[Any]
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, owner: BlockingNamespace, kind: type[Any]) -> Callable[P, T]: ...
    @overload
    def __get__(self, owner: None, kind: type[Any]) -> Named[P, T]: ...
    def __get__(self, owner: AsyncNamespace | BlockingNamespace | None, kind: type[Any]) -> Any:
        if owner is None:
            return self
        method: Any = owner.method(self.make, f"{owner.label}.{self.name}")
        method.__name__ = self.name
        method.__qualname__ = f"{kind.__name__}.{self.name}"
        method.__doc__ = self.__doc__
        method.__signature__ = inspect.signature(self.make)
        # Kept on the namespace, where it is found before this descriptor the next time.
        owner.__dict__[self.name] = method
        return method


class AsyncNamespace:
    """Named methods that are awaited."""

    label: ClassVar[str]

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def method(
        self, make: Callable[P, Operation[T]], _: str
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        """Make the coroutine function that sends what `make` makes."""
        send = self._sender.send

        async def method(*args: P.args, **kwargs: P.kwargs) -> T:
            return await send(make(*args, **kwargs))

        return method


class BlockingNamespace:
    """Named methods that block."""

    label: ClassVar[str]

    def __init__(self, sender: BlockingSender) -> None:
        self._sender = sender

    def method(self, make: Callable[P, Operation[T]], path: str) -> Callable[P, T]:
        """Make the function that sends what `make` makes and waits for its result."""
        send_as = self._sender.send_as

        def method(*args: P.args, **kwargs: P.kwargs) -> T:
            return send_as(path, make(*args, **kwargs))

        return method


class VshopMethods:
    """Cards, plans, orders and renewals in the shop."""

    label = "vshop"

    verify_card = Named(SingleVerify)
    list_plans = Named(SingleServicePlanPage)
    create_order = Named(SingleOrder)
    list_orders = Named(SingleQueryOrder)
    get_auto_renewal = Named(QueryAutoRenewalRecord)
    cancel_auto_renewal = Named(CancelAutoRenewalRecord)
    create_paid_order = Named(SynOrderInfo)


class PaymentMethods:
    """Stripe payments at the cashier."""

    label = "payment"

    authorize = Named(StripePay)
    authorize_subscription = Named(StripeAutoPay)
    create_subscription = Named(StripeSubDirectly)
    query_result = Named(ResultQuery)
    confirm_result = Named(ResultConfirm)


class GroupMethods:
    """SIMs in groups; changing them is more than one operation, see `groups.namespace`."""

    label = "groups"

    list_sims = Named(ListGroupSims)
    list = Named(ListGroups)
    get_result = Named(GetAsyncResult)


class OrderMethods:
    """Orders as the topup service keeps them."""

    label = "orders"

    get = Named(GetOrder)


class AsyncVshop(VshopMethods, AsyncNamespace):
    """`client.vshop`, awaited."""


class AsyncPayment(PaymentMethods, AsyncNamespace):
    """`client.payment`, awaited."""


class AsyncOrders(OrderMethods, AsyncNamespace):
    """`client.orders`, awaited."""


class BlockingVshop(VshopMethods, BlockingNamespace):
    """`client.vshop`, blocking."""


class BlockingPayment(PaymentMethods, BlockingNamespace):
    """`client.payment`, blocking."""


class BlockingOrders(OrderMethods, BlockingNamespace):
    """`client.orders`, blocking."""
