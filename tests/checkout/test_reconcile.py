"""Orders of a caller's own, of which nothing but the operation is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from shop import Shop

from linksfield_async import CheckoutRefused, OutcomeUnknown, Refused
from linksfield_async.operations import GetOrder, ResultQuery, SingleOrder, SingleQueryOrder

LONG_AGO = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture
async def known(shop: Shop) -> SingleOrder:
    """An order that the service shows."""
    return (await shop.buy(1)).record.order()


@pytest.fixture
def never(shop: Shop, known: SingleOrder) -> SingleOrder:
    """One that was never sent."""
    ids = {"order_no": "N1", "pay_id": "P1", "request_order_id": "R1"}
    return attrs.evolve(known, iccid=shop.cards[0], **ids)


async def test_it_is_never_sent(shop: Shop, known: SingleOrder, never: SingleOrder) -> None:
    before = shop.changes
    ask = shop.checkout.reconcile_order
    assert (await ask(known)).carried_out is True
    assert (await ask(never)).carried_out is None
    assert (await ask(never, sent_at=LONG_AGO)).carried_out is None
    assert (await ask(never, sent_at=LONG_AGO, known=[never])).carried_out is None
    assert (await ask(never, sent_at=LONG_AGO, known=[known])).carried_out is False
    assert (await ask(never, sent_at=datetime.now(UTC), known=[known])).carried_out is None
    assert shop.changes == before


@pytest.mark.parametrize("kind", [GetOrder, ResultQuery, SingleQueryOrder])
async def test_while_a_question_has_no_answer_nothing_is_concluded(
    shop: Shop,
    known: SingleOrder,
    never: SingleOrder,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Any],
) -> None:
    exchange = shop.client._pipeline.exchange

    async def lossy(operation: Any) -> Any:
        if isinstance(operation, kind):
            raise OutcomeUnknown("no answer")
        return await exchange(operation)

    monkeypatch.setattr(shop.client._pipeline, "exchange", lossy)
    found = await shop.checkout.reconcile_order(never, sent_at=LONG_AGO, known=[known])
    assert found.carried_out is None


@pytest.mark.parametrize("data", [None, 5, "", "x" * 65, "a\nb", {"data": None}, {"data": ["1"]}])
async def test_what_is_no_order_number_is_not_asked_by(
    shop: Shop, never: SingleOrder, data: object
) -> None:
    asked = shop.sent("GetOrder")
    await shop.checkout.reconcile_order(never, error=Refused("no", data=data))
    assert shop.sent("GetOrder") == asked + 2


async def test_the_number_of_a_refusal_is_asked_by(shop: Shop, never: SingleOrder) -> None:
    error = Refused("no", data={"message": "fail", "data": "QY-1"})
    await shop.checkout.reconcile_order(never, error=error)
    assert shop.sandbox.requests.of("GetOrder")[-1].params["order_id"] == "QY-1"


async def test_a_number_of_another_order_does_not_prove_ours(
    shop: Shop, never: SingleOrder
) -> None:
    """Of the same card and amount: "there is an unfinished order …"."""
    earlier = await shop.buy()
    error = Refused("no", data={"data": earlier.record.ids.order_no})
    found = await shop.checkout.reconcile_order(never, error=error)
    assert (found.carried_out, found.orders) == (None, ())


async def test_the_witness_must_be_shown_by_the_same_id(
    shop: Shop, known: SingleOrder, never: SingleOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GetOrder knows the partner's ids only, and this order was given none."""
    handlers = shop.sandbox._server._dispatcher._handlers
    ask = handlers[GetOrder]

    def by_partners_id(call: GetOrder, partner: str) -> Any:
        return ask(call, partner) if call.purchase_order_id else {}

    monkeypatch.setitem(handlers, GetOrder, by_partners_id)
    without = attrs.evolve(never, request_order_id=None)
    ask_for = shop.checkout.reconcile_order
    assert (await ask_for(without, sent_at=LONG_AGO, known=[known])).carried_out is None
    assert (await ask_for(never, sent_at=LONG_AGO, known=[known])).carried_out is False


async def test_a_paid_order_does_not_prove_that_unpaid_ones_are_shown(
    shop: Shop, never: SingleOrder
) -> None:
    paid = (await shop.paid(2)).record.order()
    found = await shop.checkout.reconcile_order(never, sent_at=LONG_AGO, known=[paid])
    assert found.carried_out is None


async def test_wrong_use(shop: Shop, never: SingleOrder, known: SingleOrder) -> None:
    with pytest.raises(CheckoutRefused, match="time zone"):
        await shop.checkout.reconcile_order(
            never,
            sent_at=LONG_AGO.replace(tzinfo=None),
            known=[known],
        )
    with pytest.raises(CheckoutRefused, match="SingleOrder or a SynOrderInfo"):
        await shop.checkout.reconcile_order(GetOrder(order_id="1"))  # type: ignore[arg-type]
