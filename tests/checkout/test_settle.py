"""What may be concluded from what is shown, and what may not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from shop import EMAIL, LOST_ANSWER, LOST_REQUEST, Shop, open_shop

from linksfield_async import (
    Contradiction,
    LinksfieldError,
    OutcomeUnknown,
    Refused,
    Throttled,
)
from linksfield_async.checkout import Checkout, Step
from linksfield_async.checkout.saving import saved
from linksfield_async.operations import (
    GetOrder,
    QueryAutoRenewalRecord,
    ResultQuery,
    SingleQueryOrder,
)


def failing(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    *kinds: type[Any],
    error: LinksfieldError | None = None,
) -> None:
    """Some questions find no answer."""
    exchange = shop.client._pipeline.exchange

    async def lossy(operation: Any) -> Any:
        if isinstance(operation, kinds):
            raise error or OutcomeUnknown("no answer")
        return await exchange(operation)

    monkeypatch.setattr(shop.client._pipeline, "exchange", lossy)


@pytest.fixture
async def lost(shop: Shop) -> Checkout:
    """An order that never arrived, and another one that can witness."""
    await shop.buy(1)
    await shop.lose(0, LOST_REQUEST)
    checkout = await shop.buy()
    assert checkout.state == "unknown"
    return checkout


@pytest.mark.parametrize("kind", [GetOrder, ResultQuery, SingleQueryOrder])
async def test_a_question_that_is_held_back_shows_nothing(
    shop: Shop, lost: Checkout, monkeypatch: pytest.MonkeyPatch, kind: type[Any]
) -> None:
    """Throttled is a refusal, but none that tells of the order."""
    failing(shop, monkeypatch, kind, error=Throttled("slow down"))
    assert (await lost.reconcile()).carried_out is None
    assert lost.state == "unknown"


async def test_a_question_that_is_held_back_does_not_let_a_step_be_repeated(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = await shop.subscribe()
    good = shop.method_of(checkout)
    assert await checkout.complete_subscription(pm_id="pm_x", email=EMAIL) == "authorized"
    failing(shop, monkeypatch, ResultQuery, error=Throttled("slow down"))
    with pytest.raises(Throttled):
        await checkout.complete_subscription(pm_id=good, email=EMAIL)
    assert shop.changes["StripeSubDirectly"] == 1
    monkeypatch.undo()
    assert await checkout.complete_subscription(pm_id=good, email=EMAIL) == "authorized"
    assert await checkout.confirm() == "confirmed"


async def test_without_the_cards_list_nothing_is_concluded(
    shop: Shop, lost: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(shop, monkeypatch, SingleQueryOrder, error=Refused("not now"))
    assert (await lost.reconcile()).carried_out is None
    own = lost.record.order()
    known = [shop.again(shop.texts[0]).record.order()]
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    found = await shop.checkout.reconcile_order(own, sent_at=long_ago, known=known)
    assert found.carried_out is None


@pytest.mark.parametrize("kind", [GetOrder, ResultQuery, SingleQueryOrder])
async def test_while_one_question_has_no_answer_nothing_is_concluded(
    shop: Shop, lost: Checkout, monkeypatch: pytest.MonkeyPatch, kind: type[Any]
) -> None:
    failing(shop, monkeypatch, kind)
    conclusion = await lost.reconcile()
    assert (conclusion.step, conclusion.carried_out) == (Step.ORDERING, None)
    assert any("no answer" in fact.told for fact in conclusion.evidence)
    monkeypatch.undo()
    assert (await lost.reconcile()).carried_out is False
    assert (await lost.reconcile()).carried_out is False  # nothing is under way any more
    assert lost.state == "planned"
    assert await lost.proceed() == "authorized"


async def test_an_error_that_is_settled_is_told_no_more(shop: Shop) -> None:
    """A page that shows `checkout.error` would show it beside a good state."""
    await shop.lose(0, LOST_ANSWER)
    checkout = await shop.buy()
    assert checkout.error is not None
    await checkout.refresh()
    assert (checkout.state, checkout.error) == ("ordered", None)


async def test_an_order_that_is_shown_after_all_is_taken(shop: Shop, lost: Checkout) -> None:
    assert (await lost.reconcile()).carried_out is False
    await shop.client.send(lost.record.order())
    assert (await lost.reconcile()).carried_out is True
    assert lost.state == "ordered"


async def test_an_order_under_our_id_with_another_amount_is_not_ours(
    shop: Shop, lost: Checkout
) -> None:
    plan = shop.sandbox.world.plans[3]
    other = attrs.evolve(
        lost.record.order(),
        pay_amount=plan.price,
        pay_currency=plan.currency,
        package_code=plan.package_code,
        service_plan_code=plan.code,
    )
    await shop.client.send(other)
    with pytest.raises(Contradiction, match=r"tells of 4\.99"):
        await lost.reconcile()
    assert lost.state == "unknown"


@pytest.mark.parametrize(
    "shown", [{"status": "1"}, {"status": "failed", "sim_id": "8985"}, {"sim_id": "8985"}]
)
async def test_an_order_that_may_be_ours_is_not_nothing(
    shop: Shop, lost: Checkout, monkeypatch: pytest.MonkeyPatch, shown: dict[str, str]
) -> None:
    """Neither proof that it was carried out, nor that it was not."""
    handlers = shop.sandbox._server._dispatcher._handlers
    ask = handlers[GetOrder]

    def answer(call: GetOrder, partner: str) -> Any:
        is_ours = call.purchase_order_id == lost.record.ids.request_order_id
        return shown if is_ours else ask(call, partner)

    monkeypatch.setitem(handlers, GetOrder, answer)
    assert (await lost.reconcile()).carried_out is None
    assert lost.state == "unknown"


async def test_ids_that_somebody_used_before_are_told(shop: Shop) -> None:
    first = await shop.buy()
    record = attrs.evolve(first.record, sent=(), reached="planned", client_secret=None)
    never = shop.checkout.load(saved(record))
    with pytest.raises(Contradiction, match="never sent"):
        await never.reconcile()


async def test_paid_while_the_authorization_was_in_doubt(shop: Shop) -> None:
    await shop.lose(1, LOST_ANSWER)
    checkout = await shop.buy()
    shop.sandbox.stripe.complete(shop.sandbox.world.payments[0].client_secret or "")
    conclusion = await checkout.reconcile()
    assert (conclusion.step, conclusion.carried_out) == (Step.AUTHORIZING, True)
    assert await checkout.confirm() == "confirmed"


async def test_an_authorization_in_doubt_waits_for_an_answer(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.lose(1, LOST_ANSWER)
    checkout = await shop.buy()
    failing(shop, monkeypatch, ResultQuery)
    assert await checkout.refresh() == "unknown"
    assert shop.changes["StripePay"] == 1


@pytest.mark.parametrize("kind", [QueryAutoRenewalRecord, ResultQuery])
async def test_a_subscription_in_doubt_needs_both_answers(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, kind: type[Any]
) -> None:
    await shop.complete(await shop.subscribe(1))
    checkout = await shop.subscribe()
    await shop.lose(0, LOST_REQUEST)
    await shop.complete(checkout)
    failing(shop, monkeypatch, kind)
    assert (await checkout.reconcile()).carried_out is None
    monkeypatch.undo()
    conclusion = await checkout.reconcile()
    assert (conclusion.step, conclusion.carried_out) == (Step.SUBSCRIBING, False)


async def test_another_renewal_of_the_card_may_hide_ours(shop: Shop) -> None:
    """The service tells of one renewal; that it is not ours does not prove that ours is not."""
    await shop.complete(await shop.subscribe(1))
    checkout = await shop.subscribe()
    await shop.lose(0, LOST_REQUEST)
    await shop.complete(checkout)
    other = [one.code for one in shop.sandbox.world.plans if one.auto_renewal][1]
    await shop.complete(
        await shop.checkout.subscribe(iccid=shop.cards[0], plan=other, save=shop.texts.append)
    )
    assert (await checkout.reconcile()).carried_out is None
    assert shop.changes["StripeSubDirectly"] == 2


async def test_a_witness_that_is_no_longer_shown_proves_nothing(shop: Shop) -> None:
    witness = await shop.subscribe(1)
    await shop.complete(witness)
    checkout = await shop.subscribe()
    await shop.lose(0, LOST_REQUEST)
    await shop.complete(checkout)
    shop.sandbox.world.subscriptions[0].state = "canceled"
    conclusion = await checkout.reconcile()
    assert conclusion.carried_out is None
    assert "proves nothing" in conclusion.evidence[-1].told


async def test_a_cancellation_in_doubt(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = await shop.subscribe()
    await shop.complete(checkout)
    await checkout.confirm()
    await shop.lose(0, LOST_REQUEST)
    assert not await checkout.cancel_renewal()
    failing(shop, monkeypatch, QueryAutoRenewalRecord)
    assert not await checkout.cancel_renewal()
    monkeypatch.undo()
    assert (await checkout.reconcile()).carried_out is False
    assert await checkout.cancel_renewal()
    assert (await checkout.reconcile()).step is Step.ORDERING


async def test_a_cancellation_is_not_concluded_from_a_renewal_that_was_never_shown(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payer who is told that it is canceled must not be charged next month."""
    handlers = shop.sandbox._server._dispatcher._handlers
    ask = handlers[QueryAutoRenewalRecord]
    monkeypatch.setitem(handlers, QueryAutoRenewalRecord, lambda *_: {})
    checkout = await shop.subscribe()
    await shop.complete(checkout)
    await checkout.confirm()
    await shop.lose(0, LOST_REQUEST)
    assert await checkout.cancel_renewal() is False
    assert (await checkout.reconcile()).carried_out is None
    assert await checkout.cancel_renewal() is False
    assert not checkout.record.renewal_canceled
    monkeypatch.setitem(handlers, QueryAutoRenewalRecord, ask)
    assert await checkout.cancel_renewal()
    assert shop.sandbox.world.subscriptions[0].state == "canceled"


async def test_a_renewal_that_cannot_be_shown_is_canceled_nonetheless(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = await shop.subscribe()
    failing(shop, monkeypatch, QueryAutoRenewalRecord)
    with pytest.raises(OutcomeUnknown):
        await checkout.cancel_renewal()  # nothing tells that there is one
    await shop.complete(checkout)
    assert await checkout.cancel_renewal()
    assert shop.sandbox.world.subscriptions[0].state == "canceled"


async def test_another_renewal_of_the_card_may_hide_the_one_to_be_canceled(shop: Shop) -> None:
    checkout = await shop.subscribe()
    await shop.complete(checkout)
    await shop.lose(0, LOST_REQUEST)
    assert await checkout.cancel_renewal() is False
    assert checkout.record.shown_renewal
    other = [one.code for one in shop.sandbox.world.plans if one.auto_renewal][1]
    texts: list[str] = []
    second = await shop.checkout.subscribe(iccid=shop.cards[0], plan=other, save=texts.append)
    await shop.complete(second)
    assert (await checkout.reconcile()).carried_out is None
    assert not checkout.record.renewal_canceled
    assert await second.cancel_renewal()
    assert await checkout.cancel_renewal()
    states = [one.state for one in shop.sandbox.world.subscriptions]
    assert states == ["canceled", "canceled"]


async def test_a_cancellation_in_doubt_does_not_hide_the_payment() -> None:
    async with open_shop(quarantine=900) as shop:
        checkout = await shop.subscribe()
        await shop.complete(checkout)
        await shop.lose(0, LOST_REQUEST)
        assert await checkout.cancel_renewal() is False
        assert await checkout.refresh() == "paid"
        assert await checkout.confirm() == "paid"
        assert checkout.next_step == "reconcile"
        assert shop.changes["ResultConfirm"] == 0


async def test_the_evidence_is_kept_with_what_was_concluded(shop: Shop, lost: Checkout) -> None:
    before = lost.save()
    shop.checkout._room.witnesses.orders.kept = ()
    await lost.reconcile()
    assert lost.save() == before  # nothing concluded, nothing to keep
    await shop.buy(2)
    shop.checkout._room.witnesses.orders.kept = ()
    known = await shop.buy(3)
    conclusion = await lost.reconcile([known])
    assert conclusion.carried_out is False
    assert lost.facts[-len(conclusion.evidence) :] == conclusion.evidence
