"""A recharge message that was received: all its fields, and how far it can be believed."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import attrs

from ..masking import mask_keys
from .parsing import Body

if TYPE_CHECKING:
    from .confirming import Asked, Expected


class Authenticity(enum.Enum):
    """How far a message can be believed: data for the handler, not a verdict on it."""

    UNSIGNED = "unsigned"
    """Anybody who knows the address can have sent it."""
    SIGNED = "signed"
    """Sent by somebody who holds a key of the receiver."""
    CONFIRMED = "confirmed"
    """The service itself says the same as the own record; see `RechargeNotice.confirm`."""


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


@attrs.frozen(kw_only=True)
class FieldNames:
    """Names of the body's top-level members; the vendor documents none, so all are assumed.

    The first that is there counts. Replace what turns out to be wrong.
    """

    order_id: tuple[str, ...] = attrs.field(
        default=("orderNo", "order_id", "orderId", "order_no"), converter=_names
    )
    purchase_order_id: tuple[str, ...] = attrs.field(
        default=("requestOrderId", "purchase_order_id", "purchaseOrderId"), converter=_names
    )
    pay_id: tuple[str, ...] = attrs.field(default=("payId", "pay_id"), converter=_names)
    iccid: tuple[str, ...] = attrs.field(
        default=("deviceCode", "iccid", "sim_id", "simId"), converter=_names
    )
    plan: tuple[str, ...] = attrs.field(
        default=("servicePlanShowName", "planName"), converter=_names
    )
    amount: tuple[str, ...] = attrs.field(
        default=("payAmount", "pay_amount", "amount"), converter=_names
    )
    currency: tuple[str, ...] = attrs.field(
        default=("payCurrency", "pay_currency", "currency"), converter=_names
    )
    per_send: tuple[str, ...] = attrs.field(
        default=(
            *("transactionId", "transaction_id", "transactionID"),
            *("timestamp", "timeStamp", "notifyTime", "notify_time", "sendTime"),
        ),
        converter=_names,
    )
    """What a re-send of the same event carries anew; left out of what tells events apart."""


@attrs.frozen(kw_only=True, eq=False)
class RechargeNotice:
    """A recharge message. Its fields are named by the sender; the properties read assumed names.

    Nothing may be granted on a notice alone: `confirm` it against your own record first.
    """

    fields: Mapping[str, Any] = attrs.field(repr=mask_keys)
    """Every member of the body: numbers with a point are Decimals, digit for digit."""
    body: bytes = attrs.field(repr=lambda body: f"<{len(body)} bytes>")
    authenticity: Authenticity
    key_id: str | None = None
    version: str | None = None
    timestamp: datetime | None = None
    """When it says it was sent, in UTC."""
    content_key: str
    """Equal for re-sends of one event; see `content_key_of`."""
    names: FieldNames = attrs.field(factory=FieldNames, repr=False)

    def first(self, names: Iterable[str]) -> str | None:
        """Give the first member of these names that holds a text or a number, as text.

        An empty text says nothing: it counts as if it was not there.
        """
        for name in names:
            value = self.fields.get(name)
            if value == "" or isinstance(value, bool):
                continue
            if isinstance(value, (str, int, Decimal)):
                return str(value)
        return None

    @property
    def order_id(self) -> str | None:
        """The service's order number."""
        return self.first(self.names.order_id)

    @property
    def purchase_order_id(self) -> str | None:
        """Your own order id."""
        return self.first(self.names.purchase_order_id)

    @property
    def pay_id(self) -> str | None:
        """The payment id."""
        return self.first(self.names.pay_id)

    @property
    def iccid(self) -> str | None:
        """The card."""
        return self.first(self.names.iccid)

    @property
    def plan(self) -> str | None:
        """The plan's name."""
        return self.first(self.names.plan)

    @property
    def amount(self) -> Decimal | None:
        """The amount; None also where it is none."""
        return amount_of(self.first(self.names.amount))

    @property
    def currency(self) -> str | None:
        """The currency's code."""
        return self.first(self.names.currency)

    async def confirm(
        self, client: Asked, expected: Expected | None, *, patience: float = 0.0
    ) -> RechargeNotice:
        """Ask the service, compare with your own record, and give a notice that is CONFIRMED.

        `expected` is that record, or None where you know of no such order: then, and wherever
        anything differs, NotificationMismatch; so, too, where the order's status is none of
        `expected.statuses`, even if it may still be paid. OrderNotVisible where the service does
        not show the order or its payment yet; that is asked again for up to `patience` seconds.
        """
        from .confirming import confirmed  # noqa: PLC0415 - it needs a loop, reading does not

        return await confirmed(self, client, expected, patience=patience)


def amount_of(text: object) -> Decimal | None:
    """Read an amount; None where there is none."""
    if not isinstance(text, (str, int, Decimal)) or isinstance(text, bool):
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def time_of(milliseconds: int | None) -> datetime | None:
    """Read a time stamp; None where it is beyond the calendar."""
    if milliseconds is None:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def content_key_of(body: Body, names: FieldNames, authenticity: Authenticity) -> str:
    """Give the key that re-sends of one event share, whatever is new in each sending.

    What changes per sending is left out only where an order is named beside it: else nothing
    would tell two events apart, and a distinct event that is taken for a repeat is lost for
    good, while a repeat that is taken for an event is stopped by the grant's own unique key.
    A forged unsigned message must not stand in the way of the signed one, so the authenticity
    takes part.
    """
    naming = {*names.order_id, *names.purchase_order_id, *names.pay_id}
    named = any(body.fields.get(name) not in (None, "") for name in naming)
    left_out = frozenset(names.per_send) if named else frozenset()
    kept = {name: value for name, value in body.fields.items() if name not in left_out}
    # Blanks, order and escapes may differ between sendings; digits of numbers may not.
    text = json.dumps(kept, sort_keys=True, default=lambda number: {"number": str(number)})
    return hashlib.sha256(f"{authenticity.value}\n{text}".encode()).hexdigest()
