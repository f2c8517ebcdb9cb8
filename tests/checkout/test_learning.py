from __future__ import annotations

from datetime import timedelta

import attrs
import pytest
from shop import Shop

from linksfield_async import OutcomeUnknown
from linksfield_async.operations import GetOrder, QueryAutoRenewalRecord


async def test_one_question_for_many_orders(shop: Shop) -> None:
    first = await shop.buy()
    for card in range(1, 5):
        await shop.buy(card)
    assert shop.sent("GetOrder") == 1
    assert first.record.shown_unpaid
    for card in range(5, 8):
        await shop.complete(await shop.subscribe(card))
    assert shop.sent("QueryAutoRenewalRecord") == 1


async def test_once_more_when_it_is_a_day_old(shop: Shop) -> None:
    await shop.buy()
    orders = shop.checkout._room.witnesses.orders
    old = orders.kept[0].facts[0]
    facts = (attrs.evolve(old, at=old.at - timedelta(days=2)),)
    orders.kept = (attrs.evolve(orders.kept[0], facts=facts),)
    assert (await shop.buy(1)).record.shown_unpaid
    assert len(orders.kept) == 2


async def test_not_for_ever_where_the_service_does_not_show_them(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers = shop.sandbox._server._dispatcher._handlers
    monkeypatch.setitem(handlers, GetOrder, lambda *_: None)
    for card in range(10):
        assert (await shop.buy(card)).state == "authorized"
    assert shop.sent("GetOrder") == 3


async def test_a_lesson_that_fails_holds_nothing_up(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = shop.client._pipeline.exchange

    async def lossy(operation: object) -> object:
        if isinstance(operation, (GetOrder, QueryAutoRenewalRecord)):
            raise OutcomeUnknown("no answer")
        return await exchange(operation)  # type: ignore[arg-type]

    monkeypatch.setattr(shop.client._pipeline, "exchange", lossy)
    assert (await shop.buy()).state == "authorized"
    checkout = await shop.subscribe(1)
    assert await shop.complete(checkout) == "authorized"
    assert any("GetOrder: OutcomeUnknown" in fact.told for fact in checkout.facts)
