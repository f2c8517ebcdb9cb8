"""What is kept before a step is sent, and what becomes of it where that or the answer is lost."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from shop import LOST_ANSWER, LOST_REQUEST, Shop

from linksfield_async import CheckoutRefused, ConfigurationError, ConnectFailed, Throttled
from linksfield_async.checkout import AsyncCheckout, State, Step
from linksfield_async.operations import SingleOrder
from linksfield_async.sandbox import Refusal
from linksfield_async.sandbox.shop import Shop as PlayedShop


def told(text: str) -> dict[str, Any]:
    return json.loads(text)


async def test_ids_and_intent_are_kept_before_the_first_byte(shop: Shop) -> None:
    seen: list[tuple[str, str | None, int]] = []

    def save(text: str) -> None:
        one = told(text)
        step = (one["under_way"] or {}).get("step")
        changes = sum(shop.changes.values())
        seen.append((one["reached"], step, changes))
        ids.add(one["ids"]["order_no"])

    ids: set[str] = set()
    checkout = await shop.buy(save=save)
    shop.pay(checkout)
    await checkout.refresh()
    await checkout.confirm()
    assert seen == [
        ("planned", "ordering", 0),
        ("ordered", None, 1),
        ("ordered", None, 1),  # it was shown while unpaid
        ("ordered", "authorizing", 1),
        ("authorized", None, 2),
        ("paid", None, 2),
        ("paid", "confirming", 2),
        ("paid", None, 3),
        ("confirmed", None, 3),
    ]
    assert ids == {checkout.record.ids.order_no}
    assert checkout.record.sent == (Step.ORDERING, Step.AUTHORIZING, Step.CONFIRMING)


@pytest.mark.parametrize("call", range(9))
async def test_where_nothing_can_be_kept_nothing_more_is_sent(shop: Shop, call: int) -> None:
    """The disk is full at one of the nine savings; what was kept last can be gone on with."""
    texts: list[str] = []

    def save(text: str) -> None:
        if len(texts) == call and not shop.texts:
            raise OSError("the disk is full")
        texts.append(text)

    checkout = None
    try:
        checkout = await shop.buy(save=save)
        shop.pay(checkout)
        await checkout.refresh()
        await checkout.confirm()
    except OSError:
        assert len(texts) == call
    before = shop.changes
    shop.texts.append("space is back")
    if not texts:
        assert not before
        return
    again = shop.checkout.load(texts[-1], save=texts.append)
    await again.proceed()
    if again.client_secret is not None and again.state is State.AUTHORIZED:
        shop.pay(again)
    assert await again.confirm() == "confirmed"
    assert len(shop.orders()) == shop.changes["SingleOrder"] == 1
    assert shop.changes["ResultConfirm"] == 1
    assert [one.state for one in shop.sandbox.world.payments].count("paid") == 1


async def test_what_could_not_be_kept_is_not_so_in_memory_either(shop: Shop) -> None:
    texts: list[str] = []
    full = False

    def save(text: str) -> None:
        if full:
            raise OSError("the disk is full")
        texts.append(text)

    checkout = await shop.buy(save=save)
    shop.pay(checkout)
    full = True
    for _ in range(2):
        with pytest.raises(OSError, match="full"):
            await checkout.refresh()
        assert (checkout.state, checkout.save()) == ("authorized", texts[-1])
    full = False
    await checkout.refresh()
    full = True
    for _ in range(2):
        with pytest.raises(OSError, match="full"):
            await checkout.confirm()
    assert checkout.state == "paid"
    assert shop.changes["ResultConfirm"] == 0
    full = False
    assert await checkout.confirm() == "confirmed"


async def test_without_a_place_to_keep_it_nothing_is_begun(shop: Shop) -> None:
    with pytest.raises(ConfigurationError, match="give save="):
        await shop.buy(save=None)
    await shop.paid()
    asked_only = shop.checkout.load(shop.texts[-1])
    assert await asked_only.refresh() == "paid"
    with pytest.raises(CheckoutRefused, match="give save="):
        await asked_only.confirm()
    assert shop.changes["ResultConfirm"] == 0


class Unsent:
    """Sends everything but the first order, of which no byte leaves."""

    def __init__(self, sender: Any) -> None:
        self._sender, self._failed = sender, False
        self.exchange = sender.exchange

    async def send(self, operation: Any) -> Any:
        if isinstance(operation, SingleOrder) and not self._failed:
            self._failed = True
            raise ConnectFailed("nobody listens")
        return await self._sender.send(operation)


async def test_what_was_not_sent_is_as_before(shop: Shop) -> None:
    shop.checkout = AsyncCheckout(Unsent(shop.client), shop.account, 5.0)
    checkout = await shop.buy()
    assert (checkout.state, checkout.next_step) == ("planned", "proceed")
    assert checkout.error is not None
    assert checkout.error.carried_out is False
    assert await shop.again().proceed() == "authorized"
    assert checkout.record.ids == shop.again().record.ids


async def test_a_refused_order_fails_and_stays_so(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Refusal("not today")

    monkeypatch.setattr(PlayedShop, "_new_order", refuse)
    checkout = await shop.buy()
    assert (checkout.state, checkout.next_step) == ("failed", "")
    assert "not today" in str(checkout.error)
    monkeypatch.undo()
    again = shop.again()
    assert await again.proceed() == await again.refresh() == "failed"
    assert (await again.reconcile()).carried_out is False
    assert shop.sent("SingleOrder") == 1


async def test_asked_to_slow_down_it_was_not_carried_out(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Refusal("slow down", status=429)

    monkeypatch.setattr(PlayedShop, "_new_order", refuse)
    shop.checkout = shop.client.with_options(attempts=1).checkout.with_settings(quarantine=0)
    checkout = await shop.buy()
    assert isinstance(checkout.error, Throttled)
    assert checkout.state == "planned"
    monkeypatch.undo()
    assert await checkout.proceed() == "authorized"


@pytest.mark.parametrize("fault", [LOST_ANSWER, LOST_REQUEST], ids=["answer", "request"])
async def test_cancelled_under_way_is_unknown(shop: Shop, fault: Any) -> None:
    await shop.lose(0, fault)
    sent = asyncio.Event()

    def save(text: str) -> None:
        shop.texts.append(text)
        sent.set()

    task = asyncio.ensure_future(shop.buy(save=save))
    await sent.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert shop.again().state == "unknown"


async def test_calls_on_one_checkout_wait_for_each_other(shop: Shop) -> None:
    checkout = await shop.paid()
    assert await asyncio.gather(*(checkout.confirm() for _ in range(5))) == ["confirmed"] * 5
    assert shop.changes["ResultConfirm"] == 1


async def test_a_service_that_is_down_for_days_does_not_fill_the_store(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shop tries again every minute, and each try is kept twice."""
    monkeypatch.setattr("linksfield_async.checkout.record.MOST_FACTS", 150)
    send = shop.client._pipeline.exchange

    async def down(operation: Any) -> Any:
        if isinstance(operation, SingleOrder):
            raise ConnectFailed("down")
        return await send(operation)

    monkeypatch.setattr(shop.client._pipeline, "exchange", down)
    checkout = await shop.buy()
    oldest = checkout.facts
    for _ in range(100):
        assert await checkout.proceed() == "planned"
    assert len(checkout.facts) == 150
    assert checkout.facts[: len(oldest)] == oldest
    assert checkout.facts[-1].told == "SingleOrder: ConnectFailed: down"
    assert checkout.record.sent == (Step.ORDERING,)
