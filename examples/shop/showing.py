"""What the page is told of an order: how far it is, in words a buyer understands, what comes next."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import attrs

from linksfield_async import Contradiction
from linksfield_async.checkout import Checkout, State, Step
from linksfield_async.masking import mask_iccid

from .orders import Placed, can_pay_again

Next: TypeAlias = Literal["pay", "proceed", "wait", "over"]
Tone: TypeAlias = Literal["calm", "good", "bad", "unsure"]


@attrs.frozen
class Words:
    """A headline, a sentence below it, what comes next, and the colour of it all."""

    headline: str
    detail: str
    next: Next
    tone: Tone = "calm"


_UNKNOWN = {
    Step.ORDERING: Words(
        "We are checking whether your order was placed",
        "The line broke before the answer came. We ask until it is certain, and we do not order a "
        "second time meanwhile. Nothing has been charged. You may close this page and come back.",
        "wait",
        "unsure",
    ),
    Step.AUTHORIZING: Words(
        "We are preparing the payment once more",
        "Your order is placed, but the answer about its payment was lost. Nothing has been charged.",
        "wait",
        "unsure",
    ),
    Step.SUBSCRIBING: Words(
        "We are checking whether your subscription was made",
        "The line broke before the answer came. We ask until it is certain, and we do not make a "
        "second one meanwhile. You may close this page and come back.",
        "wait",
        "unsure",
    ),
    Step.CONFIRMING: Words(
        "Your payment has arrived",
        "We are checking whether the plan is on your card. You do not need to pay again.",
        "wait",
        "unsure",
    ),
}
_STATES = {
    State.VERIFIED: Words("Your card is fine", "Nothing is ordered yet.", "wait"),
    State.PLANNED: Words(
        "Your order is not placed yet", "Nothing has been ordered or charged.", "proceed"
    ),
    State.ORDERED: Words(
        "Your order is placed", "The payment is being prepared. Nothing is charged yet.", "proceed"
    ),
    State.AUTHORIZED: Words("Choose how to pay", "Nothing is charged until you confirm.", "pay"),
    State.PAID: Words(
        "Your payment has arrived", "The plan is being put on your card.", "wait", "calm"
    ),
    State.CONFIRMED: Words(
        "Your plan is on the card", "It is paid, and the network shows it.", "over", "good"
    ),
}
_PAYABLE = (State.AUTHORIZED, State.FAILED)
_DECLINED = Words(
    "The payment was declined",
    "Nothing was charged, and your order is kept. Try again with another card.",
    "pay",
    "bad",
)
_SUBSCRIPTION_DECLINED = Words(
    "The payment was declined",
    "Nothing was charged, and this subscription does not begin. You can start a new order with "
    "another payment card.",
    "over",
    "bad",
)
_REFUSED = Words(
    "The order was refused",
    "The network did not take the order. Nothing was charged. You can choose another plan.",
    "over",
    "bad",
)
_HANDED_IN = Words(
    "We are waiting for your payment to arrive",
    "Your payment was sent. Please do not pay again; this page shows when it has arrived.",
    "wait",
)
_SUBSCRIBED = Words(
    "Your subscription is made", "We are waiting for its first payment to arrive.", "wait"
)
_CONTRADICTION = Words(
    "Somebody has to look at this order",
    "What we are told about it does not fit together, so we stopped here. Please do not pay again; "
    "tell us the order number.",
    "wait",
    "unsure",
)


def words(placed: Placed) -> Words:
    """Say how an order stands."""
    checkout, record = placed.checkout, placed.checkout.record
    if isinstance(placed.problem, Contradiction):
        return _CONTRADICTION
    if checkout.state is State.UNKNOWN and record.under_way is not None:
        return _UNKNOWN[record.under_way.step]
    if checkout.state in _PAYABLE and placed.handed == checkout.state:
        return _HANDED_IN
    if checkout.state is State.FAILED:
        if can_pay_again(checkout):
            return _DECLINED
        return _REFUSED if record.refused else _SUBSCRIPTION_DECLINED
    if checkout.state is State.AUTHORIZED and record.is_subscription and record.subscribed:
        return _SUBSCRIBED
    return _STATES[checkout.state]


def shown(placed: Placed) -> dict[str, Any]:
    """Give all that the page gets; the client secret only while there is something to pay."""
    checkout, record = placed.checkout, placed.checkout.record
    said = words(placed)
    pays = said.next == "pay"
    asked = placed.problem is None or isinstance(placed.problem, Contradiction)
    if not asked and said.tone == "calm":
        said = attrs.evolve(said, tone="unsure")
    return {
        "key": placed.key,
        "number": record.ids.order_no,
        "revision": record.revision,
        "kind": record.kind,
        "plan": record.plan_name,
        "amount": format(record.amount, "f"),
        "currency": record.currency,
        "card": mask_iccid(record.iccid),
        "state": checkout.state.value,
        "reached": _reached(checkout).value,
        "delivered": placed.delivered,
        "asked": asked,
        **attrs.asdict(said),
        "client_secret": checkout.client_secret if pays else None,
        "publishable_key": checkout.publishable_key if pays else None,
        "facts": [{"at": one.at.isoformat(), "told": one.told} for one in checkout.facts],
    }


def _reached(checkout: Checkout) -> State:
    """Give the last good state: a payment that failed was one that was authorized."""
    record = checkout.record
    if record.reached is State.FAILED:
        return State.PLANNED if record.refused else State.AUTHORIZED
    return record.reached
