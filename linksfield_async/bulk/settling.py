"""What became of an order whose answer was lost: asked for, never guessed, and not too early."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from ..errors import LinksfieldError
from ..masking import one_line
from ..operation import Operation
from ..operations import GetOrder, Order, SingleOrder, SynOrderInfo
from ..pipeline import Sender
from .journal.settings import Journal, Settlement, Settler

BEAT_SECONDS = 1.0
"""While something is under way that must not be carried out twice, the journal is told the time
this often: a send that was held back may have left long after its row was written."""


_BAD_WORDS = re.compile("fail|cancel|refus|reject|invalid|error|close|void", re.IGNORECASE)
"""No word is documented; an order under one of these may or may not count as carried out."""


def settler_of(journal: Journal, asking: Asking) -> Settler | None:
    """Give what settles a lost answer; None where it is left to the caller."""
    if journal.resolve == "manual":
        return None
    return asking.settle if journal.resolve == "ask" else journal.resolve


def quarantine_end(journal: Journal, sent_before_ms: int, deadline: float) -> int:
    """Say from when on the service may be asked; epoch milliseconds.

    It counts from the last moment at which the request can have left: the journal knows one that
    was at most two beats before, and from there a call may wait for a connection.
    """
    waited = 2 * BEAT_SECONDS + deadline
    return sent_before_ms + int((waited + journal.quarantine) * 1000)


class Asking:
    """Asks for orders by the partner's own id, and knows when an answer proves something.

    That nothing is shown proves nothing by itself: that the id of an order and the one that is
    asked for are the same is an assumption. So it counts only once the service has shown, to the
    same question, an order of this run that it has carried out.
    """

    def __init__(self) -> None:
        self._carried_out: SynOrderInfo | None = None
        self._is_proved = False

    def known(self, operation: Operation[Any] | None) -> None:
        """Tell of an operation that the service has said yes to."""
        if isinstance(operation, SynOrderInfo) and operation.request_order_id:
            self._carried_out = self._carried_out or operation

    async def settle(self, operation: Operation[Any], sender: Sender) -> Settlement:
        """Ask what became of an operation."""
        found = await ask(operation, sender)
        if found.carried_out is not False:
            return found
        if not self._is_proved and self._carried_out is not None:
            control = await ask(self._carried_out, sender)
            self._is_proved = control.carried_out is True
        if self._is_proved:
            return found
        return Settlement(
            None,
            "GetOrder shows no order, but it has shown no other order of this run either: "
            "that proves nothing",
        )


async def ask(operation: Operation[Any], sender: Sender) -> Settlement:
    """Ask for one order by the partner's own id; `Asking` weighs what comes back.

    Only for an order that was paid elsewhere may it count that nothing is shown; whether unpaid
    ones are shown is not documented.
    """
    if not isinstance(operation, (SingleOrder, SynOrderInfo)):
        kind = type(operation).__name__
        return Settlement(None, f"there is no question that tells what became of {kind}")
    if not operation.request_order_id:
        return Settlement(None, "without a request_order_id the order cannot be asked for")
    try:
        question = GetOrder(purchase_order_id=operation.request_order_id)
        exchange = await sender.exchange(question)
    except LinksfieldError as error:
        return Settlement(None, one_line(f"asking failed: {type(error).__name__}: {error}"))
    found = exchange.result
    if found is None:
        is_told = isinstance(exchange.raw, dict) and "data" in exchange.raw
        if isinstance(operation, SynOrderInfo) and is_told:
            return Settlement(False, "GetOrder knows no order under this request_order_id")
        return Settlement(None, "GetOrder shows no order; whether it shows unpaid ones is unknown")
    return judged(operation, found)


def judged(operation: SingleOrder | SynOrderInfo, found: Order) -> Settlement:
    """Weigh an order that was found: whether it is the one that was to be made."""
    if found.status is not None and _BAD_WORDS.search(found.status):
        return Settlement(None, one_line(f"GetOrder shows the order as {found.status!r}"))
    if found.iccid is None and found.pay_amount is None:
        return Settlement(None, "GetOrder shows an order, but neither its card nor its amount")
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
