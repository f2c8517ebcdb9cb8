"""What asking showed, applied to a checkout: which step is settled by it, and which is not."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from ..errors import Contradiction
from ..operation import Effect
from ..operations import AutoRenewal, CardOrder, Order, PaymentResult, ResultConfirm
from .asking import Asking
from .payment import beyond_before, is_ours, knows_payment, tells_state, with_payment
from .reconcile import Conclusion, expect_doubles, is_too_early, shows_orders
from .record import Record
from .room import Room
from .state import State, Step


@attrs.frozen(kw_only=True)
class Shown:
    """All that was shown of one checkout."""

    order: Order | None
    no_order: bool
    """Every question for the order was answered, and none showed one."""
    payment: PaymentResult | None
    entries: list[CardOrder] | None
    new: int
    """The card's orders of the plan beyond those from before."""
    renewal_told: bool
    renewal: AutoRenewal | None


async def settled(
    room: Room, record: Record, witnesses: Iterable[Record]
) -> tuple[Record, Conclusion]:
    """Ask on every road, and give the checkout as it then is, and the conclusion.

    Raises a Contradiction where what is told cannot be true beside what was told before.
    """
    asking = Asking(room.sender)
    shown = await _look(asking, record)
    doubled = expect_doubles(asking, shown.new, shown.order)
    witnesses = [one for one in witnesses if one.ids != record.ids]
    step = Step.ORDERING if record.under_way is None else record.under_way.step
    settle = {
        Step.ORDERING: _ordering,
        Step.AUTHORIZING: _authorizing,
        Step.SUBSCRIBING: _subscribing,
        Step.CONFIRMING: _confirming,
        Step.CANCELING: _canceling,
    }[step]
    after, carried_out = await settle(asking, room, record, shown, witnesses)
    if after != record:
        after = attrs.evolve(after, facts=(*after.facts, *asking.evidence))
    conclusion = Conclusion(
        step=step,
        carried_out=carried_out,
        evidence=tuple(asking.evidence),
        orders=(*([shown.order] if shown.order else []), *(shown.entries or ())),
        doubled=doubled,
    )
    return after, conclusion


async def _look(asking: Asking, record: Record) -> Shown:
    order, no_order = await asking.order(record.order())
    entries = await asking.entries(record.iccid, record.plan_name)
    payment = await asking.payment(record.ids.pay_id)
    told, renewal = False, None
    is_canceling = record.under_way is not None and record.under_way.step is Step.CANCELING
    if is_canceling or (record.is_subscription and record.reached is not State.PLANNED):
        told, renewal = await asking.renewal(record.iccid)
    return Shown(
        order=order,
        no_order=no_order,
        payment=payment,
        entries=entries,
        new=0 if entries is None else beyond_before(record, entries),
        renewal_told=told,
        renewal=renewal,
    )


_Settled = tuple[Record, bool | None]


def _onward(record: Record, shown: Shown) -> Record:
    """Move a checkout by its payment and by the card's orders, where they are known."""
    if shown.payment is not None:
        record = with_payment(record, shown.payment)
    is_paid = shown.payment is not None and shown.payment.state == "paid"
    if is_paid and record.reached is State.PAID and record.confirm_answered and shown.new > 0:
        record = record.moving(State.CONFIRMED, "SingleQueryOrder shows the order")
    return record


async def _ordering(
    asking: Asking, room: Room, record: Record, shown: Shown, witnesses: list[Record]
) -> _Settled:
    """Settle the order itself; also where nothing is under way."""
    exists = shown.order is not None or knows_payment(record, shown.payment)
    if exists and record.refused:
        raise Contradiction("the order was refused, and yet the service shows it")
    if exists and record.reached is State.PLANNED:
        if not record.sent:
            raise Contradiction("the service shows an order that was never sent: are its ids new?")
        ordered = record.moving(State.ORDERED, "the service shows the order", under_way=None)
        return _onward(ordered, shown), True
    if record.reached is not State.PLANNED:
        if not record.refused:
            record = _onward(record, shown)
        return record, not record.refused
    if record.under_way is None:
        asking.note("it was not sent, or it is proved that it was not carried out")
        return record, False
    is_listed = shown.entries is not None and shown.new <= 0
    is_clear = shown.no_order and shown.payment is None and not asking.failed
    if not (is_clear and is_listed) or is_too_early(asking, record, room):
        return record, None
    if not await shows_orders(asking, witnesses):
        return record, None
    if record.under_way.refused:
        told = "the order was refused, and no earlier one was carried out"
        return record.moving(State.FAILED, told, under_way=None, refused=True), False
    told = "the order was not carried out: it may be sent again"
    return record.noting(told, under_way=None, doubted=True), False


async def _authorizing(
    asking: Asking, _: Room, record: Record, shown: Shown, __: list[Record]
) -> _Settled:
    """Settle an authorization whose answer was lost.

    Nobody can tell whether it was carried out. But nobody has its client secret either, and
    without that no payer can pay by it: so another one can be asked for once it is known that
    nothing is paid.
    """
    if not tells_state(record, shown.payment):
        return record, None
    after = _onward(attrs.evolve(record, under_way=None), shown)
    if after.reached is State.PAID:
        return after, True
    told = "the answer to the authorization was lost, and with it a secret that nobody else has"
    asking.note(told)
    return after.noting(told), None


async def _subscribing(
    asking: Asking, room: Room, record: Record, shown: Shown, witnesses: list[Record]
) -> _Settled:
    """Settle a subscription: the renewal or a charge shows that it was made."""
    payment = shown.payment
    is_told = tells_state(record, payment)
    charged = is_told and payment is not None and payment.state != "pending"
    if is_ours(record, shown.renewal) or charged:
        told = "the service shows the subscription, or a charge for it"
        made = record.noting(told, under_way=None, subscribed=True)
        return _onward(made, shown), True
    is_clear = is_told and shown.renewal_told and shown.renewal is None
    is_listed = shown.entries is not None and shown.new <= 0
    if not (is_clear and is_listed) or is_too_early(asking, record, room):
        return record, None
    if not await _shows_renewals(asking, witnesses):
        return record, None
    told = "the subscription was not made: it may be sent again"
    return record.noting(told, under_way=None), False


async def _shows_renewals(asking: Asking, witnesses: list[Record]) -> bool:
    """Prove that asking shows subscriptions: another one of ours is shown, and its charge."""
    for witness in witnesses:
        if not witness.shown_renewal:
            continue
        _, renewal = await asking.renewal(witness.iccid)
        payment = await asking.payment(witness.ids.pay_id)
        if is_ours(witness, renewal) and payment is not None and payment.state == "paid":
            asking.note("another subscription of ours is shown, and its charge")
            return True
    asking.note("no other subscription of ours was shown: that none is shown proves nothing")
    return False


async def _confirming(
    asking: Asking, _: Room, record: Record, shown: Shown, __: list[Record]
) -> _Settled:
    """Settle a confirmation: what it is for, that the card has its order, can be seen."""
    if shown.payment is not None:
        with_payment(record, shown.payment)
    is_paid = shown.payment is not None and shown.payment.state == "paid"
    if is_paid and shown.new > 0:
        told = "paid, and shown among the card's orders; the answer to ResultConfirm was lost"
        return record.moving(State.CONFIRMED, told, under_way=None), None
    if ResultConfirm.effect is not Effect.ONCE:
        asking.note("ResultConfirm is declared to be repeatable: it may be sent again")
        return attrs.evolve(record, under_way=None), None
    return record, None


async def _canceling(
    asking: Asking, room: Room, record: Record, shown: Shown, witnesses: list[Record]
) -> _Settled:
    """Settle a cancellation: the renewal is gone, or is still there after the quarantine.

    It is gone where it was shown before and is shown no more. Another one of the card may hide it.
    """
    record = _onward(record, shown)
    if not shown.renewal_told:
        return record, None
    if not is_ours(record, shown.renewal):
        if shown.renewal is not None:
            asking.note("the card has another renewal, which may hide that of this order")
            return record, None
        if not record.shown_renewal and not await _shows_renewals(asking, witnesses):
            return record, None
        told = "the card has no renewal of this order any more"
        return record.noting(told, under_way=None, renewal_canceled=True), True
    if is_too_early(asking, record, room):
        return record, None
    told = "the renewal is still there: it may be canceled again"
    return record.noting(told, under_way=None), False
