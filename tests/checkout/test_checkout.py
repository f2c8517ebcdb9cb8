from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from shop import EMAIL, LOST_ANSWER, LOST_REQUEST, Shop

from linksfield_async import BadAnswer, CheckoutRefused, Refused
from linksfield_async.checkout import summarized
from linksfield_async.operations import ResultQuery, StripePay
from linksfield_async.sandbox import Refusal
from linksfield_async.sandbox.records import Order


async def test_a_purchase_from_text_to_text(shop: Shop) -> None:
    """Every step is taken up from what was saved last, as by another request."""
    assert (await shop.buy(periods=3, email=EMAIL)).state == "authorized"
    first = shop.again()
    assert (first.next_step, first.publishable_key is None) == ("payment", False)
    assert shop.sandbox.requests.of("StripePay")[0].params["email"] == EMAIL
    assert shop.sandbox.requests.of("SingleOrder")[0].params["payAmount"] == "29.70"
    assert await first.refresh() == "authorized"
    shop.pay(first)
    assert await shop.again().refresh() == "paid"
    assert shop.again().next_step == "confirm"
    assert await shop.again().confirm() == "confirmed"
    last = shop.again()
    assert (last.next_step, await last.confirm(), await last.refresh()) == (
        "",
        "confirmed",
        "confirmed",
    )
    assert shop.changes == {"SingleOrder": 1, "StripePay": 1, "ResultConfirm": 1}
    assert [fact.at for fact in last.facts] == sorted(fact.at for fact in last.facts)
    assert last.facts[0].at <= datetime.now(UTC)
    assert EMAIL not in shop.texts[-1]


async def test_a_subscription_from_text_to_text(shop: Shop) -> None:
    await shop.subscribe()
    checkout = shop.again()
    assert checkout.next_step == "complete_subscription"
    assert await shop.complete(checkout) == "authorized"
    assert (shop.again().next_step, shop.again().record.sub_status) == ("payment", "active")
    assert await shop.again().refresh() == "paid"
    assert await shop.again().confirm() == "confirmed"
    assert EMAIL not in shop.texts[-1]
    assert "pm_" not in shop.texts[-1]
    once = shop.again()
    assert await once.complete_subscription(pm_id="pm_other", email=EMAIL) == "confirmed"
    assert shop.changes["StripeSubDirectly"] == 1


async def test_renewal_show_and_cancel(shop: Shop) -> None:
    checkout = await shop.subscribe()
    assert await checkout.renewal() is None
    await shop.complete(checkout)
    await checkout.refresh()
    found = await checkout.renewal()
    assert found is not None
    assert found.pay_id == checkout.record.ids.pay_id
    assert await checkout.cancel_renewal()
    assert await shop.again().cancel_renewal()
    assert shop.sent("CancelAutoRenewalRecord") == 1
    assert await checkout.renewal() is None
    assert checkout.state == "paid"


@pytest.mark.parametrize(("fault", "sent"), [(LOST_ANSWER, 1), (LOST_REQUEST, 1)])
async def test_a_lost_cancellation_is_asked_about(shop: Shop, fault: Any, sent: int) -> None:
    checkout = await shop.subscribe()
    await shop.complete(checkout)
    assert await checkout.confirm() == "confirmed"
    await shop.lose(0, fault)
    assert not await checkout.cancel_renewal()
    assert checkout.state == "confirmed"
    assert await shop.again().cancel_renewal()
    assert shop.sent("CancelAutoRenewalRecord") == sent
    assert shop.sandbox.world.subscriptions[0].state == "canceled"


async def test_what_has_no_renewal_has_none_to_cancel(shop: Shop) -> None:
    """Else a lost answer would say later that the renewal is gone, and it would never be canceled."""
    with pytest.raises(CheckoutRefused, match="one payment"):
        await (await shop.buy(1)).cancel_renewal()
    checkout = await shop.subscribe()
    with pytest.raises(CheckoutRefused, match="nothing is subscribed"):
        await checkout.cancel_renewal()
    assert shop.sent("CancelAutoRenewalRecord") == 0
    await shop.complete(checkout)
    assert await checkout.cancel_renewal()
    assert shop.sandbox.world.subscriptions[0].state == "canceled"


async def test_a_canceled_renewal_is_no_witness(shop: Shop) -> None:
    checkout = await shop.subscribe()
    await shop.complete(checkout)
    assert summarized(shop.texts[-1]).shown_renewal
    await checkout.cancel_renewal()
    assert not summarized(shop.texts[-1]).shown_renewal


async def test_another_renewal_of_the_card_is_not_ours(shop: Shop) -> None:
    first, second = await shop.subscribe(), await shop.subscribe()
    await shop.complete(first)
    assert await second.renewal() is None
    assert await first.renewal() is not None


async def test_steps_that_are_not_next_are_refused(shop: Shop) -> None:
    checkout = await shop.buy()
    with pytest.raises(CheckoutRefused, match="not a subscription"):
        await checkout.complete_subscription(pm_id="pm_1", email=EMAIL)
    with pytest.raises(CheckoutRefused, match="only what is paid"):
        await checkout.confirm()
    assert shop.changes == {"SingleOrder": 1, "StripePay": 1}


async def test_paid_but_not_shown_yet_stays_paid(shop: Shop) -> None:
    checkout = await shop.paid()
    order: Order = shop.orders()[0]
    start, order.start = order.start, None
    assert await checkout.confirm() == "paid"
    assert checkout.next_step == "confirm"
    order.start = start
    assert await shop.again().confirm() == "confirmed"
    assert shop.changes["ResultConfirm"] == 1


async def test_an_order_of_the_same_plan_from_before_does_not_count(shop: Shop) -> None:
    assert await (await shop.paid()).confirm() == "confirmed"
    second = await shop.buy()
    shop.pay(second)
    order = shop.orders()[1]
    start, order.start = order.start, None
    assert await second.confirm() == "paid"
    order.start = start
    assert await second.confirm() == "confirmed"
    assert not (await second.reconcile()).doubled


async def test_an_authorization_without_a_secret_says_which_name_is_assumed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers = shop.sandbox._server._dispatcher._handlers
    bound = handlers[StripePay]
    monkeypatch.setitem(handlers, StripePay, lambda *_: {"clientToken": "x"})
    with pytest.raises(BadAnswer, match="wire_names"):
        await shop.buy()
    assert shop.again().state == "ordered"
    monkeypatch.setitem(handlers, StripePay, bound)
    assert await shop.again().proceed() == "authorized"


async def test_a_refused_authorization_is_asked_for_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the cashier knows nothing of the payment yet."""

    def refuse(*_: object) -> None:
        raise Refusal("not now")

    handlers = shop.sandbox._server._dispatcher._handlers
    for kind in (StripePay, ResultQuery):
        monkeypatch.setitem(handlers, kind, refuse)
    checkout = await shop.buy()
    assert (checkout.state, checkout.next_step) == ("ordered", "proceed")
    assert await shop.again().proceed() == "ordered"
    monkeypatch.undo()
    assert await shop.again().proceed() == "authorized"


async def test_a_payment_method_that_is_refused_may_be_replaced(shop: Shop) -> None:
    checkout = await shop.subscribe()
    good = shop.method_of(checkout)
    assert await checkout.complete_subscription(pm_id="pm_x", email=EMAIL) == "authorized"
    assert isinstance(checkout.error, Refused)
    assert await checkout.complete_subscription(pm_id=good, email=EMAIL) == "authorized"
    assert await checkout.confirm() == "confirmed"


async def test_it_shows_itself_without_secrets_and_is_not_pickled(shop: Shop) -> None:
    checkout = await shop.buy()
    assert shop.cards[0] not in repr(checkout)
    assert "authorized" in repr(checkout)
    with pytest.raises(TypeError, match="save"):
        pickle.dumps(checkout)
