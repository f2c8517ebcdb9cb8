from __future__ import annotations

from decimal import Decimal

import attrs
import pytest
from shop import Shop

from linksfield_async import CheckoutRefused, ConfigurationError, Refused
from linksfield_async.operations import ServicePlan, SingleServicePlanPage


async def test_a_card_or_plan_that_is_not_good_raises_and_nothing_is_kept(shop: Shop) -> None:
    foreign = next(shop.sandbox.world.iccids("foreign"))
    begin = shop.checkout.purchase
    with pytest.raises(Refused):
        await begin(iccid=foreign, plan=shop.plan(), save=shop.texts.append)
    for plan in ("SP-none", "", ServicePlan(), None):
        with pytest.raises(CheckoutRefused, match=r"may not buy|plan must be"):
            await begin(iccid=shop.cards[0], plan=plan, save=shop.texts.append)  # type: ignore[arg-type]
    with pytest.raises(CheckoutRefused, match="does not renew itself"):
        await shop.checkout.subscribe(iccid=shop.cards[0], plan=shop.plan(), save=shop.texts.append)
    with pytest.raises(CheckoutRefused, match="periods"):
        await shop.buy(periods=0)
    assert not shop.changes
    assert not shop.texts


async def test_a_plan_whose_price_has_changed_is_refused(shop: Shop) -> None:
    plan = (await shop.client.vshop.list_plans(iccid=shop.cards[0]))[0]
    shown = attrs.evolve(plan, pay_amount=Decimal("8.90"))
    with pytest.raises(CheckoutRefused, match=r"now costs 9\.90 EUR, no longer 8\.90 EUR"):
        await shop.checkout.purchase(iccid=shop.cards[0], plan=shown, save=shop.texts.append)
    same = attrs.evolve(plan, pay_amount=Decimal("9.9"))
    checkout = await shop.checkout.purchase(iccid=shop.cards[0], plan=same, save=shop.texts.append)
    assert checkout.state == "authorized"


async def test_a_plan_on_several_terms_is_not_chosen_by_its_place(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers = shop.sandbox._server._dispatcher._handlers
    listed = handlers[SingleServicePlanPage]

    def twice(call: object, partner: str) -> object:
        plans: list[dict[str, str]] = listed(call, partner)["servicePlanList"]  # type: ignore[index,assignment]
        return {"servicePlanList": [plans[0], plans[0] | {"payAmount": "99.00"}, *plans[1:]]}

    monkeypatch.setitem(handlers, SingleServicePlanPage, twice)
    with pytest.raises(CheckoutRefused, match="several terms"):
        await shop.buy()
    dear = (await shop.client.vshop.list_plans(iccid=shop.cards[0]))[1]
    begun = await shop.checkout.purchase(iccid=shop.cards[0], plan=dear, save=shop.texts.append)
    assert begun.record.amount == Decimal("99.00")


async def test_ids_that_are_none_are_refused_before_anything_is_kept(shop: Shop) -> None:
    for wrong in (lambda _: None, lambda code: f"{code}1"):
        shop.checkout = shop.checkout.with_settings(mint_ids=wrong)
        with pytest.raises(ConfigurationError, match="mint_ids must give OwnIds"):
            await shop.buy()
    assert not shop.changes
    assert not shop.texts


@pytest.mark.parametrize("gone", ["payAmount", "payCurrency", "packageCode", "servicePlanShowName"])
async def test_what_an_order_needs_must_be_told(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    handlers = shop.sandbox._server._dispatcher._handlers
    listed = handlers[SingleServicePlanPage]

    def without(call: object, partner: str) -> object:
        data = listed(call, partner)
        assert data is not None
        plans = data["servicePlanList"]
        return {"servicePlanList": [{k: v for k, v in p.items() if k != gone} for p in plans]}  # type: ignore[attr-defined]

    monkeypatch.setitem(handlers, SingleServicePlanPage, without)
    with pytest.raises(CheckoutRefused, match="wire_names"):
        await shop.buy()
    assert not shop.changes
