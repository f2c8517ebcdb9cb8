"""What became of an order: asked for on every road there is, and concluded only where proved."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import attrs

from ..errors import CheckoutRefused, LinksfieldError
from ..operations import CardOrder, Order, SingleOrder, SynOrderInfo
from .asking import Asking
from .record import Fact, Record
from .room import Room
from .state import Step


@attrs.frozen(kw_only=True)
class Conclusion:
    """What asking showed about one step, and every question and answer behind it."""

    step: Step
    carried_out: bool | None
    """None: nobody on this side can tell."""
    evidence: tuple[Fact, ...]
    orders: tuple[Order | CardOrder, ...] = ()
    """What GetOrder showed of it, and the card's orders of the same plan; the latter carry no
    number, and may be others."""
    doubled: bool = False
    """The card has more new orders of this plan than were ordered, whatever GetOrder shows."""


def expect_doubles(asking: Asking, new: int, found: Order | None) -> bool:
    """Note where a card has more than the one order that was made."""
    if new < 2:
        return False
    shown = "shows one" if found is not None else "shows none"
    asking.note(f"the card has {new} new orders of this plan, one was ordered; GetOrder {shown}")
    return True


async def shows_orders(asking: Asking, witnesses: Iterable[Record]) -> bool:
    """Prove that GetOrder shows unpaid orders by our own id: it has, and it still does.

    That nothing is shown proves nothing by itself: that the two ids are one, and that unpaid
    orders are shown at all, are assumptions.
    """
    for witness in witnesses:
        found, _ = await asking.order(witness.order())
        if found is not None:
            asking.note(f"GetOrder does show another order of ours, {witness.ids.order_no}")
            return True
    asking.note(
        "GetOrder has shown no other unpaid order of ours: that it shows none proves nothing"
    )
    return False


def is_too_early(asking: Asking, record: Record, room: Room) -> bool:
    """Tell whether the service may still be working on what was begun."""
    intent = record.under_way
    if intent is None or intent.age >= room.quarantine:
        return False
    left = room.quarantine - intent.age
    asking.note(f"it may still be carried out: too early for another {left:.0f} s to conclude")
    return True


async def reconcile_order(
    room: Room,
    operation: SingleOrder | SynOrderInfo,
    *,
    error: LinksfieldError | None = None,
    sent_at: datetime | None = None,
    before: int = 0,
    known: Iterable[SingleOrder | SynOrderInfo] = (),
) -> Conclusion:
    """Ask what became of an order that is kept elsewhere; it is never sent."""
    if not isinstance(operation, (SingleOrder, SynOrderInfo)):
        raise CheckoutRefused("only a SingleOrder or a SynOrderInfo can be reconciled")
    asking = Asking(room.sender)
    if error is not None:
        asking.note(f"{type(operation).__name__}: {type(error).__name__}: {error}")
    found, is_none = await asking.order(operation, _numbers(error))
    entries = await asking.entries(operation.iccid, operation.service_plan_show_name)
    payment = await asking.payment(operation.pay_id)
    doubled = expect_doubles(asking, len(entries or ()) - before, found)
    carried_out: bool | None = None
    if found is not None:
        carried_out = True
    elif is_none and not asking.failed and payment is None and _is_listed(entries, before):
        late = sent_at is not None and _age(sent_at) >= room.deadline + room.quarantine
        if not late:
            asking.note("it is too early, or not known when it was sent: nothing is concluded")
        elif await _shows(asking, operation, known):
            carried_out = False
    return Conclusion(
        step=Step.ORDERING,
        carried_out=carried_out,
        evidence=tuple(asking.evidence),
        orders=(*([found] if found else []), *(entries or ())),
        doubled=doubled,
    )


def _is_listed(entries: list[CardOrder] | None, before: int) -> bool:
    """Tell whether the card's orders were shown, and are no more than before."""
    return entries is not None and len(entries) <= before


def _age(sent_at: datetime) -> float:
    if sent_at.tzinfo is None:
        raise CheckoutRefused("sent_at needs a time zone, such as datetime.now(UTC)")
    return (datetime.now(UTC) - sent_at).total_seconds()


async def _shows(
    asking: Asking,
    operation: SingleOrder | SynOrderInfo,
    known: Iterable[SingleOrder | SynOrderInfo],
) -> bool:
    """Prove by an order of the same kind that GetOrder shows such orders by our own id.

    By the same id as ours, and for a SingleOrder by one that is not paid: whether unpaid ones are
    shown is an assumption.
    """
    for other in known:
        if type(other) is not type(operation) or other.order_no == operation.order_no:
            continue
        found, _ = await asking.order(other, by_request_id=bool(operation.request_order_id))
        if found is not None and await _is_alike(asking, other):
            return True
    asking.note("GetOrder has shown no other order of this kind: that it shows none proves nothing")
    return False


async def _is_alike(asking: Asking, other: SingleOrder | SynOrderInfo) -> bool:
    if isinstance(other, SynOrderInfo):
        return True
    payment = await asking.payment(other.pay_id)
    return payment is not None and payment.state in ("pending", "failed")


def _numbers(error: LinksfieldError | None) -> list[str]:
    """Take the order-like number out of a documented refusal, which nests it in its data."""
    data: Any = None if error is None else error.data
    number = data.get("data") if isinstance(data, dict) else data
    is_number = isinstance(number, str) and number.isprintable() and 0 < len(number) <= 64
    return [number] if is_number and isinstance(number, str) else []
