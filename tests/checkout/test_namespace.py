from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from shop import LOST_REQUEST, Shop

from linksfield_async import CheckoutRefused, ConfigurationError
from linksfield_async.checkout import SqliteCheckouts


async def test_a_key_belongs_to_one_card_plan_and_kind(shop: Shop, tmp_path: Path) -> None:
    store = SqliteCheckouts(tmp_path / "shop.db")
    await shop.buy(save=None, store=store, key="cart-17")
    with pytest.raises(CheckoutRefused, match="another card, plan, kind or"):
        await shop.buy(1, save=None, store=store, key="cart-17")
    with pytest.raises(CheckoutRefused, match="another card, plan, kind or"):
        await shop.subscribe(save=None, store=store, key="cart-17")
    with pytest.raises(CheckoutRefused, match="number of periods"):
        await shop.buy(periods=2, save=None, store=store, key="cart-17")
    assert shop.changes == {"SingleOrder": 1, "StripePay": 1}
    assert await shop.checkout.resume(store=store, key="cart-18") is None


async def test_the_first_click_is_cancelled_and_the_second_goes_on(
    shop: Shop, tmp_path: Path
) -> None:
    store = SqliteCheckouts(tmp_path / "shop.db")
    tasks = [
        asyncio.ensure_future(shop.buy(save=None, store=store, key="cart-17")) for _ in range(2)
    ]
    await asyncio.sleep(0.03)
    tasks[0].cancel()
    second = await tasks[1]
    await asyncio.wait(tasks)
    await second.proceed()
    assert len(shop.orders()) <= 1


async def test_settings(shop: Shop) -> None:
    view = shop.checkout.with_settings(quarantine=5)
    assert (view._room.quarantine, shop.checkout._room.quarantine) == (5, 0.0)
    assert view._room.witnesses is shop.checkout._room.witnesses
    assert shop.client.checkout._room.quarantine == 900
    assert shop.client.checkout is shop.client.checkout
    assert shop.client.with_options(deadline=2.0).checkout._room.deadline == 2.0
    for wrong in ({"quarantin": 1}, {"quarantine": -1}, {"quarantine": "1"}, {"quarantine": True}):
        with pytest.raises(ConfigurationError, match="quarantine"):
            shop.checkout.with_settings(**wrong)


async def test_a_witness_from_a_saved_text_or_the_store(shop: Shop, tmp_path: Path) -> None:
    store = SqliteCheckouts(tmp_path / "shop.db")
    known = (await shop.buy(1, save=None, store=store, key="a")).save()
    fresh = type(shop.client.checkout)(shop.client._pipeline, shop.account, 5.0)
    shop.checkout = fresh.with_settings(quarantine=0)
    await shop.lose(0, LOST_REQUEST)
    checkout = await shop.buy()
    assert checkout.state == "unknown"
    assert (await checkout.reconcile()).carried_out is None
    assert (await shop.checkout.reconcile(checkout, known=[known])).carried_out is False
    await shop.lose(0, LOST_REQUEST)
    other = await shop.buy(2, save=None, store=store, key="b")
    assert (await other.reconcile()).carried_out is False
    with pytest.raises(CheckoutRefused):
        await checkout.reconcile(["{}"])
