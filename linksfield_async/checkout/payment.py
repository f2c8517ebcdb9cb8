"""What an answer about a payment or about the card's orders means for a checkout."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Contradiction
from ..operations import AutoRenewal, CardOrder, PaymentResult
from .money import check_money
from .record import Record
from .state import State

_DONE = (State.PAID, State.CONFIRMED)


def payment_told(result: PaymentResult, asked: str) -> str:
    """Say what is told of a payment, and by which question."""
    amount = "an amount that is not told" if result.pay_amount is None else result.pay_amount
    currency = f" {result.pay_currency}" if result.pay_currency else ""
    return f"{asked} says {result.state}, of {amount}{currency}"


def with_payment(record: Record, result: PaymentResult, asked: str = "ResultQuery") -> Record:
    """Move a checkout by what is told of its payment; raises a Contradiction and moves nothing."""
    check_money(asked, result.pay_amount, result.pay_currency, record.amount, record.currency)
    state, told = result.state, payment_told(result, asked)
    if record.refused and state != "unknown":
        raise Contradiction(f"{told}, but the order was refused")
    if state == "paid":
        return record if record.reached in _DONE else record.moving(State.PAID, told)
    if state == "unknown":
        return record.noting(f"{told}: payStatus {result.pay_status!r}, payRst {result.pay_rst!r}")
    if record.reached in _DONE:
        raise Contradiction(f"{told}, but the order was paid")
    if state == "failed":
        return record.moving(State.FAILED, told)
    if record.reached is State.FAILED and record.client_secret is not None:
        return record.moving(State.AUTHORIZED, f"{told} again")
    return record.noting(told)


def knows_payment(record: Record, result: PaymentResult | None) -> bool:
    """Tell whether an answer shows that the service knows our order.

    A mere "pending" could be said of any id; that the money is ours could not.
    """
    if result is None:
        return False
    check_money(
        "ResultQuery", result.pay_amount, result.pay_currency, record.amount, record.currency
    )
    return result.state == "paid" or (result.state != "unknown" and result.pay_amount is not None)


def tells_state(record: Record, result: PaymentResult | None) -> bool:
    """Tell whether an answer says in known words how the payment of an existing order stands."""
    return result is not None and (knows_payment(record, result) or result.state != "unknown")


def beyond_before(record: Record, entries: Sequence[CardOrder]) -> int:
    """Count the card's orders of the plan beyond those that were there before ours.

    They carry no number, so they can only be counted. Where one from before has run out since,
    this is too low; it is never too high but for orders that others made meanwhile.
    """
    return len(entries) - record.before


def is_ours(record: Record, renewal: AutoRenewal | None) -> bool:
    """Tell whether a card's renewal is that of a checkout."""
    if renewal is None:
        return False
    return (renewal.order_no, renewal.pay_id) == (record.ids.order_no, record.ids.pay_id)
