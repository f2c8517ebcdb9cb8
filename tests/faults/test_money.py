"""Payments: nothing is ordered, subscribed or confirmed twice, and nothing false is told.

What the sandbox holds and received judges, never what a checkout says of itself.
"""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

import attrs
import pytest
from bulk_program import order as paid_order
from otel_memory import otel_in_memory
from scanner import Scanner, scanning
from shop import EMAIL, LOST_ANSWER, LOST_REQUEST, Shop, open_shop

from linksfield_async import (
    CheckoutConflict,
    CheckoutRefused,
    Contradiction,
    Effect,
    LinksfieldError,
    Refused,
)
from linksfield_async.bulk import Journal
from linksfield_async.checkout import Checkout, OwnIds, SqliteCheckouts
from linksfield_async.operations import GetOrder, ResultConfirm, ResultQuery, SynOrderInfo
from linksfield_async.sandbox import Refusal
from linksfield_async.sandbox.shop import Shop as PlayedShop
from linksfield_async.telemetry import Logging
from linksfield_async.testing import Fault


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


@pytest.fixture
def store(tmp_path: Path) -> SqliteCheckouts:
    return SqliteCheckouts(tmp_path / "checkouts.db")


async def test_m01_a_double_click_is_joined(shop: Shop, store: SqliteCheckouts) -> None:
    one, other = await asyncio.gather(*(shop.buy(save=None, store=store, key="c-17") for _ in "12"))
    assert one.state == other.state == "authorized"
    assert one.client_secret == other.client_secret
    assert shop.changes == {"SingleOrder": 1, "StripePay": 1}
    later = await shop.buy(save=None, store=store, key="c-17")
    assert later.client_secret == one.client_secret
    assert len(shop.orders()) == 1


async def test_m01_from_two_processes_the_key_is_a_claim(
    shop: Shop, store: SqliteCheckouts
) -> None:
    """Another process has its own namespace and store; both have asked, and found nothing there."""
    looked = 0
    both = asyncio.Event()

    class Slow(SqliteCheckouts):
        async def load(self, key: str) -> str | None:
            nonlocal looked
            found = await super().load(key)
            looked += 1
            if looked == 2:
                both.set()
            await both.wait()
            return found

    async def buy() -> Checkout:
        return await shop.buy(save=None, store=Slow(store.path), key="c-17")

    one, other = await asyncio.gather(buy(), buy())
    assert one.record.ids == other.record.ids
    assert shop.changes == {"SingleOrder": 1, "StripePay": 1}
    (kept,) = await store.keys()
    there = await shop.checkout.resume(store=store, key=kept)
    assert there is not None
    assert there.state == "authorized"


async def test_m01_two_processes_do_not_drive_one_checkout(
    shop: Shop, store: SqliteCheckouts
) -> None:
    first = await shop.paid(save=None, store=store, key="c-17")
    second = await shop.checkout.resume(store=store, key="c-17")
    assert second is not None
    assert await first.confirm() == "confirmed"
    with pytest.raises(CheckoutConflict):
        await second.confirm()
    assert shop.changes["ResultConfirm"] == 1


async def test_m01_the_same_ids_are_refused_before_anything_is_sent(shop: Shop) -> None:
    ids = OwnIds(order_no="NO1", pay_id="P1", request_order_id="R1")
    shop.checkout = shop.checkout.with_settings(mint_ids=lambda _: ids)
    await shop.buy()
    with pytest.raises(CheckoutRefused, match="used before"):
        await shop.buy()
    assert shop.changes["SingleOrder"] == 1


async def test_m02_unpaid_then_paid_moves_and_paid_then_unpaid_raises(shop: Shop) -> None:
    checkout = await shop.buy()
    assert await checkout.refresh() == "authorized"
    shop.pay(checkout)
    assert await checkout.refresh() == "paid"
    before = checkout.save()
    for payment in shop.sandbox.world.payments:
        payment.state = "pending"
    for ask in (checkout.refresh, checkout.reconcile, shop.again().refresh):
        with pytest.raises(Contradiction, match="pending, .* but the order was paid"):
            await ask()
    assert checkout.save() == before == shop.texts[-1]
    for payment in shop.sandbox.world.payments:
        payment.state = "paid"
    assert await checkout.confirm() == "confirmed"


async def test_m02_a_declined_payment_may_be_tried_again(shop: Shop) -> None:
    checkout = await shop.buy()
    assert checkout.client_secret is not None
    shop.sandbox.stripe.decline(checkout.client_secret)
    assert await checkout.refresh() == "failed"
    with pytest.raises(CheckoutRefused):
        await checkout.confirm()
    shop.pay(checkout)
    assert await shop.again().confirm() == "confirmed"


async def test_m02_a_confirmation_that_says_unpaid_raises(shop: Shop) -> None:
    checkout = await shop.paid()
    for payment in shop.sandbox.world.payments:
        payment.state = "pending"
    with pytest.raises(Contradiction, match="ResultConfirm says pending"):
        await checkout.confirm()
    assert checkout.state == "paid"
    assert shop.changes["ResultConfirm"] == 1


async def test_m02_a_confirmation_that_contradicts_is_not_forgotten(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking again, as a shop does every minute, must not end in "confirmed"."""
    checkout = await shop.paid()
    for payment in shop.sandbox.world.payments:
        payment.amount = "1.00"
    for _ in range(3):
        with pytest.raises(Contradiction, match=r"tells of 1\.00"):
            await shop.again().confirm()
    assert shop.again().state == "paid"
    assert any("ResultConfirm says paid, of 1.00 eur" in fact.told for fact in shop.again().facts)
    handlers = shop.sandbox._server._dispatcher._handlers
    monkeypatch.setitem(handlers, ResultQuery, lambda *_: {"payId": checkout.record.ids.pay_id})
    assert await shop.again().confirm() == "paid"
    await shop.again().reconcile()
    assert shop.again().state == "paid"
    assert shop.changes["ResultConfirm"] == 1


@pytest.mark.parametrize("fault", [LOST_ANSWER, LOST_REQUEST], ids=["answer", "request"])
async def test_m03_a_lost_confirmation_is_asked_about_and_not_repeated(
    shop: Shop, fault: Any
) -> None:
    checkout = await shop.paid()
    await shop.lose(0, fault)
    assert await checkout.confirm() == "unknown"
    sent = shop.changes["ResultConfirm"]
    again = shop.again()
    assert again.state == "unknown"
    assert await again.confirm() == "confirmed"
    assert shop.changes["ResultConfirm"] == sent
    assert any("the answer to ResultConfirm was lost" in fact.told for fact in again.facts)


async def test_m03_it_is_confirmed_again_where_that_is_declared_harmless(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = await shop.paid()
    await shop.lose(0, LOST_REQUEST)
    await checkout.confirm()
    start = shop.orders()[0].start
    shop.orders()[0].start = None  # paid, but not among the card's orders
    assert await checkout.confirm() == "unknown"
    assert shop.changes["ResultConfirm"] == 0
    monkeypatch.setattr(ResultConfirm, "effect", Effect.REPEATABLE)
    assert await checkout.refresh() == "paid"
    shop.orders()[0].start = start
    assert await checkout.confirm() == "confirmed"
    assert shop.changes["ResultConfirm"] == 1


@pytest.mark.parametrize(
    ("amount", "currency", "as_ordered"),
    [
        ("9.90", "eur", True),
        ("9.900", "EUR", True),
        ("9.9", "eur", True),
        ("9.89", "eur", False),
        ("9.90", "Eur", False),
        ("9.90", "usd", False),
    ],
)
async def test_m04_equal_money_is_accepted_and_other_money_raises(
    shop: Shop, amount: str, currency: str, as_ordered: bool
) -> None:
    checkout = await shop.buy()
    assert checkout.record.amount == Decimal("9.90")
    shop.pay(checkout)
    for payment in shop.sandbox.world.payments:
        payment.amount, payment.currency = amount, currency
    before = checkout.save()
    for ask in (checkout.refresh, checkout.reconcile):
        if as_ordered:
            await ask()
        else:
            with pytest.raises(Contradiction, match="tells of"):
                await ask()
    assert (checkout.state == "paid") is as_ordered
    assert (checkout.save() != before) is as_ordered


async def test_m04_each_service_gets_the_case_of_its_own(shop: Shop) -> None:
    await shop.buy()
    told = [
        shop.sandbox.requests.of(name)[0].params["payCurrency"]
        for name in ("SingleOrder", "StripePay")
    ]
    assert told == ["EUR", "eur"]


def reported(shop: Shop, number: int = 0) -> SynOrderInfo:
    """An order paid elsewhere, for a plan of the sandbox."""
    plan = shop.sandbox.world.plans[0]
    return SynOrderInfo(
        **{
            field: getattr(paid_order(number), field)
            for field in ("order_no", "pay_id", "pay_account", "pay_type", "pay_status", "pay_rst")
        },
        iccid=shop.cards[number],
        package_code=plan.package_code,
        service_plan_code=plan.code,
        service_plan_show_name=plan.name,
        order_period="1",
        pay_amount=plan.price,
        pay_currency=plan.currency,
        pay_unit=plan.price,
        settle_price=plan.price,
        pay_result_date="2026-01-01 00:00:00",
        transaction_id="ch_1",
        request_order_id=f"shop-{number}",
    )


async def test_m05_a_refusal_with_a_number_is_reconciled_and_not_repeated(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = PlayedShop._created

    def refuse_afterwards(self: PlayedShop, call: Any, partner: str) -> Any:
        if isinstance(call, SynOrderInfo):
            raise Refusal("调用订购接口失败", detail=call.order_no, head="fail")
        return made(self, call, partner)

    monkeypatch.setattr(PlayedShop, "_created", refuse_afterwards)
    operation = reported(shop)
    with pytest.raises(Refused) as caught:
        await shop.client.send(operation)
    assert caught.value.needs_reconciliation
    conclusion = await shop.checkout.reconcile_order(operation, error=caught.value)
    assert conclusion.carried_out is True
    assert any("调用订购接口失败" in fact.told for fact in conclusion.evidence)
    asked = [seen.params for seen in shop.sandbox.requests.of(GetOrder)]
    assert [one.get("order_id") for one in asked if "order_id" in one] == ["NO0", "NO0"]
    assert shop.sent("SynOrderInfo") == len(shop.orders()) == 1


async def test_m05_a_refusal_without_an_order_stays_unknown_until_it_is_proved(
    shop: Shop,
) -> None:
    operation = reported(shop)
    wrong = attrs.evolve(operation, pay_rst="FAIL")
    with pytest.raises(Refused) as caught:
        await shop.client.send(wrong)
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    ask = shop.checkout.reconcile_order
    assert (await ask(operation, error=caught.value)).carried_out is None
    assert (await ask(operation, error=caught.value, sent_at=long_ago)).carried_out is None
    other = reported(shop, 1)
    await shop.client.send(other)
    proved = await ask(operation, error=caught.value, sent_at=long_ago, known=[operation, other])
    assert proved.carried_out is False
    early = await ask(operation, sent_at=datetime.now(UTC), known=[other])
    assert early.carried_out is None
    assert shop.sent("SynOrderInfo") == 2


async def test_m06_two_orders_under_one_id_are_reported(shop: Shop) -> None:
    """The service holds two paid orders; GetOrder shows one, the card's list shows both."""
    checkout = await shop.paid()
    for _ in range(2):
        await shop.client.send(reported(shop))
    conclusion = await shop.checkout.reconcile_order(reported(shop), before=1)
    assert conclusion.carried_out is True
    assert conclusion.doubled
    assert any("2 new orders of this plan" in fact.told for fact in conclusion.evidence)
    assert len(conclusion.orders) == 4  # the one that GetOrder shows, and the card's three
    mine = await shop.checkout.reconcile(checkout)
    assert mine.doubled
    assert mine.carried_out is True


async def test_m06_a_purchase_that_was_doubled_by_others(shop: Shop) -> None:
    checkout = await shop.paid()
    assert not (await shop.checkout.reconcile(checkout)).doubled
    await shop.client.send(checkout.record.order())
    twin = shop.orders()[1]
    shop.sandbox.world.orders.pay(twin, shop.sandbox.clock.now())
    assert (await shop.checkout.reconcile(checkout)).doubled
    assert shop.sent("GetOrder")


async def test_m07_a_subscription_whose_answer_was_lost_is_not_made_again(shop: Shop) -> None:
    checkout = await shop.subscribe()
    await shop.lose(0, LOST_ANSWER)
    assert await shop.complete(checkout) == "unknown"
    again = shop.again()
    assert await shop.complete(again) == "paid"
    assert await again.confirm() == "confirmed"
    assert len(shop.sandbox.world.subscriptions) == shop.changes["StripeSubDirectly"] == 1


async def test_m07_it_is_made_again_only_once_asking_has_proved_that_it_was_not(
    shop: Shop,
) -> None:
    checkout = await shop.subscribe()
    await shop.lose(0, LOST_REQUEST)
    assert await shop.complete(checkout) == "unknown"
    again = shop.again()
    assert await shop.complete(again) == "unknown"  # nothing has been shown yet by that question
    assert not shop.sandbox.world.subscriptions
    other = await shop.subscribe(1)
    await shop.complete(other)
    assert await shop.complete(again) == "authorized"
    assert await again.confirm() == "confirmed"
    held = [one.order.iccid for one in shop.sandbox.world.subscriptions]
    assert held == [shop.cards[1], shop.cards[0]]


async def test_m07_a_declined_card_fails_and_is_not_charged_again(shop: Shop) -> None:
    checkout = await shop.subscribe()
    await shop.lose(0, LOST_ANSWER)
    assert await shop.complete(checkout, declines=True) == "unknown"
    assert await shop.again().refresh() == "failed"
    assert await shop.again().complete_subscription(pm_id="pm_1", email=EMAIL) == "failed"
    assert len(shop.sandbox.world.subscriptions) == 1


def of_ours(root: object) -> Iterator[object]:
    """Everything that can be reached from an object and is made by the package."""
    seen, waiting = {id(root)}, [root]
    while waiting:
        one = waiting.pop()
        is_ours = type(one).__module__.startswith("linksfield_async")
        if is_ours:
            yield one
        if not is_ours and not isinstance(
            one, (dict, list, tuple, set, deque, MethodType, CellType)
        ):
            continue
        for inner in gc.get_referents(one):
            if not isinstance(inner, (type, ModuleType, FunctionType)) and id(inner) not in seen:
                seen.add(id(inner))
                waiting.append(inner)


async def test_m08_no_secret_in_anything_that_a_full_run_leaves(tmp_path: Path) -> None:
    journal = tmp_path / "run.db"
    with otel_in_memory() as otel, scanning() as scanner:
        observers = (Logging(bodies=True), otel.observer)
        async with open_shop(observers=observers) as shop:
            await full_run(shop, journal, scanner)
            things = list(of_ours(shop.client))
            for one in things:
                scanner.look(f"repr of {type(one).__name__}", repr(one))
            world = shop.sandbox.world
            scanner.secrets |= {EMAIL, *world.methods, *shop.cards[:5]}
            scanner.secrets |= {one.client_secret for one in world.payments if one.client_secret}
            scanner.secrets |= {one.client_secret for one in world.setups}
            scanner.secrets |= {str(seen.params["sign"]) for seen in shop.sandbox.requests}
        scanner.look_at_otel(otel)
    for file in tmp_path.iterdir():
        scanner.look(file.name, file.read_bytes().decode("latin-1"))
    kinds = {type(one).__name__ for one in things}
    assert {"Record", "Witnesses", "AsyncCheckout", "Pipeline", "Account"} <= kinds
    assert len(scanner.secrets) > 50
    assert scanner.records > 50
    assert scanner.leaks() == []


async def full_run(shop: Shop, journal: Path, scanner: Scanner) -> None:
    """Both kinds of checkout with losses on the way, a bulk run with a journal, and errors."""
    for which in (0, 1):
        await shop.lose(which, LOST_ANSWER)
        checkout = await shop.buy(email=EMAIL)
        scanner.look("facts", repr(checkout.facts))
        scanner.look_at_error(checkout.error or LinksfieldError())
        await checkout.proceed(email=EMAIL)
        shop.pay(checkout)
        await checkout.confirm()
        scanner.look("checkout", repr(checkout) + repr(checkout.record) + repr(checkout.facts))
        scanner.look("conclusion", repr(await checkout.reconcile()))
    checkout = await shop.subscribe(2, email=EMAIL)
    await shop.lose(0, LOST_ANSWER)
    await shop.complete(checkout)
    scanner.look_at_error(checkout.error or LinksfieldError())
    await checkout.confirm()
    await checkout.cancel_renewal()
    scanner.look("checkout", repr(checkout) + repr(checkout.record) + repr(checkout.facts))
    with pytest.raises(LinksfieldError) as caught:
        await shop.client.payment.create_subscription(
            email=EMAIL, pay_amount="1", pay_currency="eur", pay_id="P", plan_id="p", pm_id="pm_1x"
        )
    scanner.look_at_error(caught.value)
    told = Journal(journal, key="a secret of sixteen")
    async for outcome in shop.client.verify_many(shop.cards[:5], journal=told):
        scanner.look("outcome", repr(outcome))


async def test_an_order_whose_answer_was_lost_is_found(shop: Shop) -> None:
    await shop.lose(0, LOST_ANSWER)
    checkout = await shop.buy()
    assert (checkout.state, checkout.next_step) == ("unknown", "reconcile")
    again = shop.again()
    assert await again.proceed() == "authorized"
    assert shop.changes == {"SingleOrder": 1, "StripePay": 1}


async def test_an_order_that_never_arrived_is_sent_again_only_when_that_is_proved(
    shop: Shop,
) -> None:
    await shop.lose(0, LOST_REQUEST)
    checkout = await shop.buy()
    assert await checkout.proceed() == "unknown"
    assert (await shop.checkout.reconcile(checkout)).carried_out is None
    other = await shop.buy(1)
    assert other.record.shown_unpaid
    assert await checkout.proceed() == "authorized"
    assert len(shop.orders()) == 1


async def test_an_order_that_is_refused_when_repeated_may_be_the_first_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking showed nothing, wrongly; the service then refuses ids that were used before."""
    await shop.buy(1)
    await shop.lose(0, LOST_ANSWER)
    checkout = await shop.buy()
    book = shop.sandbox.world.orders
    hidden = shop.orders()[0]
    ids = (hidden.order_no, hidden.request_order_id, hidden.pay_id)
    hidden.order_no = hidden.request_order_id = hidden.pay_id = "hidden"
    for index in (book._by_order_no, book._by_request_id, book._by_pay_id):
        for own in ids:
            index.pop(own or "", None)
    assert (await checkout.reconcile()).carried_out is False
    monkeypatch.setattr(PlayedShop, "_new_order", _refuse)
    assert await checkout.proceed() == "unknown"
    hidden.order_no, hidden.request_order_id, hidden.pay_id = ids
    for index, own in zip(
        (book._by_order_no, book._by_request_id, book._by_pay_id), ids, strict=True
    ):
        index[str(own)] = [hidden]
    assert await checkout.proceed() == "authorized"
    assert len(shop.orders()) == 1


def _refuse(*_: object) -> None:
    raise Refusal("orderNo or payId was used before")


async def test_within_the_quarantine_nothing_is_concluded() -> None:
    async with open_shop(quarantine=900) as shop:
        await shop.buy(1)
        await shop.lose(0, LOST_REQUEST)
        checkout = await shop.buy()
        conclusion = await shop.checkout.reconcile(checkout)
        assert conclusion.carried_out is None
        assert any("too early" in fact.told for fact in conclusion.evidence)
        assert not shop.orders()


async def test_an_order_that_arrives_after_its_client_gave_up_is_not_sent_again() -> None:
    async with open_shop(quarantine=0.6) as shop:
        await shop.buy(1)
        hasty = shop.client.with_options(deadline=0.2)
        shop.checkout = hasty.checkout.with_settings(quarantine=0.6)
        await shop.buy(2)
        await shop.lose(0, Fault(latency_up=0.4))
        checkout = await shop.buy()
        assert (checkout.state, shop.orders()) == ("unknown", [])
        while await checkout.proceed() == "unknown":
            await asyncio.sleep(0.05)
        assert checkout.state == "authorized"
        assert shop.changes["SingleOrder"] == 3
        assert len(shop.orders()) == 1


@pytest.mark.parametrize("fault", [LOST_ANSWER, LOST_REQUEST], ids=["answer", "request"])
async def test_a_lost_authorization_is_asked_for_again_and_nobody_pays_twice(
    shop: Shop, fault: Any
) -> None:
    await shop.lose(1, fault)
    checkout = await shop.buy()
    assert checkout.state == "unknown"
    again = shop.again()
    assert await again.proceed() == "authorized"
    shop.pay(again)
    assert await again.confirm() == "confirmed"
    assert [one.state for one in shop.sandbox.world.payments].count("paid") == 1
    assert len(shop.orders()) == 1
