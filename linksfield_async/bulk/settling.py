"""What became of an order whose answer was lost: asked for, never guessed, and not too early."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from ..errors import LinksfieldError
from ..masking import one_line
from ..operation import Operation
from ..operations import GetOrder, Order, SingleOrder, SynOrderInfo
from ..pipeline import Sender
from .journal.settings import Journal, Settlement, Settler

T = TypeVar("T")

BEAT_SECONDS = 1.0
"""While something is under way that must not be carried out twice, the journal is told the time
this often: a send that was held back may have left long after its row was written."""


def settler_of(journal: Journal) -> Settler | None:
    """Give what settles a lost answer; None where it is left to the caller."""
    if journal.resolve == "manual":
        return None
    return ask if journal.resolve == "ask" else journal.resolve


def quarantine_end(journal: Journal, sent_ms: int, last_beat_ms: int) -> int:
    """Say from when on the service may be asked; epoch milliseconds.

    It counts from the last moment at which the request can have left.
    """
    latest = max(sent_ms, last_beat_ms + int(2 * BEAT_SECONDS * 1000))
    return latest + int(journal.quarantine * 1000)


async def ask(operation: Operation[Any], sender: Sender) -> Settlement:
    """Ask for an order by the partner's own id.

    That GetOrder shows nothing proves that nothing was carried out for a paid order alone, of
    which the page says that it is shown; whether it shows unpaid ones is not documented.
    """
    if not isinstance(operation, (SingleOrder, SynOrderInfo)):
        kind = type(operation).__name__
        return Settlement(None, f"there is no question that tells what became of {kind}")
    if not operation.request_order_id:
        return Settlement(None, "without a request_order_id the order cannot be asked for")
    try:
        found = await sender.send(GetOrder(purchase_order_id=operation.request_order_id))
    except LinksfieldError as error:
        return Settlement(None, one_line(f"asking failed: {type(error).__name__}: {error}"))
    if found is None:
        if isinstance(operation, SynOrderInfo):
            return Settlement(False, "GetOrder knows no order under this request_order_id")
        return Settlement(None, "GetOrder shows no order; whether it shows unpaid ones is unknown")
    difference = _difference(operation, found)
    if difference:
        return Settlement(None, f"under this request_order_id stands an order with {difference}")
    return Settlement(True, "GetOrder shows the order under this request_order_id")


def _difference(operation: SingleOrder | SynOrderInfo, found: Order) -> str | None:
    """Compare what the answer tells with what was ordered; what it does not tell is no difference."""
    if found.iccid is not None and found.iccid.rstrip("Ff") != operation.iccid.rstrip("Ff"):
        return "another card"
    if found.pay_amount is not None and not _same_amount(found.pay_amount, operation.pay_amount):
        return "another amount"
    currency = found.pay_currency
    if currency is not None and currency.upper() != operation.pay_currency.upper():
        return "another currency"
    return None


def _same_amount(one: Decimal, other: str | Decimal) -> bool:
    try:
        return one == Decimal(other)
    except InvalidOperation:
        return False
