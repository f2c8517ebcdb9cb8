"""What an answer about a payment or about the card's orders means for a checkout."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from ..errors import Contradiction
from ..operations import AutoRenewal, CardOrder, PaymentResult
from .money import check_money
from .record import Entry, Record
from .state import State

_DONE = (State.PAID, State.CONFIRMED)


def with_payment(record: Record, result: PaymentResult, asked: str = "ResultQuery") -> Record:
    """Move a checkout by what is told of its payment; raises a Contradiction and moves nothing."""
    check_money(asked, result.pay_amount, result.pay_currency, record.amount, record.currency)
    state = result.state
    amount = "an amount that is not told" if result.pay_amount is None else result.pay_amount
    told = f"{asked} says {state}, of {amount}"
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


def entry_of(order: CardOrder) -> Entry:
    """Keep of a card's order what is needed to count by."""
    return Entry(None if order.expire_date is None else order.expire_date.isoformat())


def beyond_before(record: Record, entries: Sequence[CardOrder]) -> int:
    """Count the card's orders of the plan beyond those that were there before ours.

    They carry no number, so they can only be counted. One from before counts as still there
    unless it has surely run out; so this is too low rather than too high.
    """
    # A day more, for whatever time zone the dates are in.
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    older = sum(
        one.expires is None or date.fromisoformat(one.expires) >= yesterday for one in record.before
    )
    return len(entries) - older


def is_ours(record: Record, renewal: AutoRenewal | None) -> bool:
    """Tell whether a card's renewal is that of a checkout."""
    if renewal is None:
        return False
    return (renewal.order_no, renewal.pay_id) == (record.ids.order_no, record.ids.pay_id)
