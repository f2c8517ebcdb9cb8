"""Asks the service whether a recharge is what the message and the own record say it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Protocol

import attrs

from ..errors import ConfigurationError, NotificationMismatch, OrderNotVisible
from ..masking import mask_iccid
from .notice import Authenticity, RechargeNotice, amount_of

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0


class Asked(Protocol):
    """What is asked: a `Client`, or anything with these three of its namespaces."""

    @property
    def orders(self) -> Any:
        """With `get(purchase_order_id=)` and `get(order_id=)`."""
        ...

    @property
    def vshop(self) -> Any:
        """With `list_orders(iccid=)`."""
        ...

    @property
    def payment(self) -> Any:
        """With `query_result(pay_id=)`."""
        ...


def _finite(_: Any, __: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, Decimal) or not value.is_finite():
        raise ConfigurationError("the expected amount must be a finite Decimal")


@attrs.frozen(kw_only=True)
class Expected:
    """Your own record of the order, written before it was placed.

    One of `order_id` (the service's number) and `purchase_order_id` (your own) is needed, both
    are compared where given. With a `pay_id` the payment must be paid, too. `plan` is the plan's
    name as the service shows it; None where it must not be compared.
    """

    iccid: str = attrs.field(repr=mask_iccid)
    plan: str | None
    amount: Decimal = attrs.field(validator=_finite)
    currency: str
    order_id: str | None = None
    purchase_order_id: str | None = None
    pay_id: str | None = None
    statuses: tuple[str, ...] = ("1", "2")
    """The order's status words that mean paid: as in the documented list of a card's orders
    (waiting, in use); that the order look-up uses the same words is assumed."""
    not_yet: tuple[str, ...] = ("0",)
    """Those that mean not paid yet, so that it is asked again (assumed: nothing documents them)."""

    def __attrs_post_init__(self) -> None:
        if not (self.order_id or self.purchase_order_id):
            raise ConfigurationError("expected needs an order_id or a purchase_order_id")


async def confirmed(
    notice: RechargeNotice, client: Asked, expected: Expected | None, *, patience: float
) -> RechargeNotice:
    """See `RechargeNotice.confirm`."""
    if expected is None:
        raise NotificationMismatch(
            "the notification is about an order that is not ours", data={"order": "unknown"}
        )
    refuse(differences(_shown_by(notice), expected), "the notification differs from the own record")
    end, pause = time.monotonic() + patience, _FIRST_PAUSE
    while True:
        try:
            await _compare(client, expected)
        except OrderNotVisible:
            left = end - time.monotonic()
            if left <= 0:
                raise
            await asyncio.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)
        else:
            return attrs.evolve(notice, authenticity=Authenticity.CONFIRMED)


async def _compare(client: Asked, expected: Expected) -> None:
    """Compare every fact of the record with what the service shows; None proves nothing."""
    if expected.purchase_order_id:
        order = await client.orders.get(purchase_order_id=expected.purchase_order_id)
    else:
        order = await client.orders.get(order_id=expected.order_id)
    if order is None:
        raise OrderNotVisible("the service does not show the order yet")
    shown = {
        "order_id": order.order_id,
        "purchase_order_id": order.purchase_order_id,
        "iccid": order.iccid,
        "amount": order.pay_amount,
        "currency": order.pay_currency,
    }
    refuse(differences(shown, expected), "the service shows another order")
    if order.status is not None and order.status not in expected.statuses:
        if order.status in expected.not_yet:
            raise OrderNotVisible("the service does not show the order as paid yet")
        refuse({"status": "differs"}, "the service shows an order that is not paid")
    if expected.pay_id:
        _add_payment(shown, await client.payment.query_result(pay_id=expected.pay_id), expected)
    elif order.status is None:
        refuse({"status": "not shown"}, "the service does not say whether the order is paid")
    needed = {"iccid", "amount", "currency"}
    named = {"order_id", "purchase_order_id"}
    missing = {name: "not shown" for name in sorted(needed) if shown[name] is None}
    if all(shown[name] is None or not getattr(expected, name) for name in named):
        missing["order"] = "not shown"
    refuse(missing, "the service does not show all that was to be compared")
    if expected.plan is not None:
        await _compare_plan(client, expected)


def _add_payment(shown: dict[str, Any], payment: Any, expected: Expected) -> None:
    """Compare the payment, and take from it what the order did not show."""
    if payment.state in ("pending", "unknown"):
        raise OrderNotVisible("the service does not show the payment as paid yet")
    if payment.state != "paid":
        refuse({"payment": "differs"}, "the service shows a payment that failed")
    paid = {
        "pay_id": payment.pay_id,
        "amount": payment.pay_amount,
        "currency": payment.pay_currency,
    }
    refuse(differences(paid, expected), "the service shows another payment")
    for name in ("amount", "currency"):
        if shown[name] is None:
            shown[name] = paid[name]


async def _compare_plan(client: Asked, expected: Expected) -> None:
    """Look for the plan among the card's orders in use and waiting, which name no numbers."""
    listed = await client.vshop.list_orders(iccid=expected.iccid)
    plans = {order.service_plan_show_name for order in listed.orders}
    if not plans:
        raise OrderNotVisible("the service does not show the card's orders yet")
    if expected.plan not in plans:
        refuse({"plan": "differs"}, "the service shows another plan for the card")


def _shown_by(notice: RechargeNotice) -> dict[str, Any]:
    names = ("order_id", "purchase_order_id", "pay_id", "iccid", "plan", "amount", "currency")
    shown = {name: getattr(notice, name) for name in names}
    if shown["amount"] is None and notice.first(notice.names.amount) is not None:
        shown["amount"] = Decimal("NaN")  # there, and none: equal to nothing
    return shown


def differences(shown: Mapping[str, Any], expected: Expected) -> dict[str, str]:
    """Name what is shown and differs from the record; never the values."""
    return dict.fromkeys(_differing(shown, expected), "differs")


def _differing(shown: Mapping[str, Any], expected: Expected) -> Iterator[str]:
    for name, value in shown.items():
        wanted = getattr(expected, name)
        if value is None or wanted is None:
            continue
        if name == "amount":
            same = amount_of(value) == wanted
        elif name == "currency":
            same = str(value).upper() == wanted.upper()
        else:
            same = value == wanted
        if not same:
            yield name


def refuse(problems: Mapping[str, str], told: str) -> None:
    """Raise NotificationMismatch where there are problems."""
    if problems:
        listed = ", ".join(f"{name} {problem}" for name, problem in problems.items())
        raise NotificationMismatch(f"{told}: {listed}", data=dict(problems))
