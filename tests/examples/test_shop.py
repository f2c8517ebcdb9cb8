"""The example shop as its buyers and its operator meet it: a program, a browser, a service that fails."""

from __future__ import annotations

import re
import runpy
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="fastapi, a test tool, is not installed")
pytest.importorskip("uvicorn", reason="uvicorn, a test tool, is not installed")

from shop_process import ROOT, Shop, free_port

from linksfield_async import ConfigurationError
from linksfield_async.sandbox import drop_answer, stall
from linksfield_async.testing import HEALTHY, RESET_ON_ACCEPT

ONCE = {"SingleOrder": 1, "StripePay": 1, "ResultConfirm": 1}
PLAN = {"plan": "SP202601010801", "amount": "9.90", "currency": "EUR"}
RENEWING = {"plan": "SP202601010805", "amount": "19.99", "currency": "USD"}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path) as shop:
        yield shop
        assert shop.stop() == 0, shop.log
        assert "Traceback" not in shop.log


def cart(shop: Shop, kind: str = "purchase", **changes: Any) -> dict[str, Any]:
    offer = PLAN if kind == "purchase" else RENEWING
    return {"key": str(uuid.uuid4()), "iccid": shop.card(), "kind": kind, **offer, **changes}


def until(ready: Callable[[], Any]) -> Any:
    end = time.monotonic() + 20
    while not (found := ready()):
        assert time.monotonic() < end, "it never comes"
        time.sleep(0.03)
    return found


def becomes(shop: Shop, key: str, state: str) -> Any:
    def told() -> Any:
        status, order = shop.get(f"/api/orders/{key}")
        assert status == 200
        return order if order["state"] == state else None

    return until(told)


def pay(shop: Shop, order: dict[str, Any], card: str = "good") -> None:
    told = {"client_secret": order["client_secret"], "card": card}
    assert shop.post("/stand-in/payment", **told)[0] == 200


def test_a_purchase_from_the_card_to_its_delivery(shop: Shop) -> None:
    chosen = cart(shop)
    status, plans = shop.post("/api/plans", iccid=chosen["iccid"])
    assert status == 200
    assert {"code": PLAN["plan"], "amount": "9.90", "currency": "EUR"}.items() <= plans[0].items()

    status, order = shop.post("/api/orders", **chosen)
    assert (status, order["state"], order["next"]) == (200, "authorized", "pay")
    assert chosen["iccid"] not in str(order)
    pay(shop, order)

    ended = becomes(shop, chosen["key"], "confirmed")
    assert until(lambda: shop.get(f"/api/orders/{chosen['key']}")[1]["delivered"])
    assert ended["client_secret"] is None
    assert shop.changes(chosen["iccid"]) == ONCE
    for secret in (chosen["iccid"], order["client_secret"], chosen["key"], "notification key"):
        assert secret not in shop.log


def test_twenty_clicks_at_once_are_one_order_and_stay_that_order(shop: Shop) -> None:
    chosen = cart(shop)
    with ThreadPoolExecutor(20) as clicks:
        given = list(clicks.map(lambda _: shop.post("/api/orders", **chosen), range(20)))
    assert {(status, order["number"]) for status, order in given} == {(200, given[0][1]["number"])}
    status, told = shop.post("/api/orders", **chosen | {"plan": RENEWING["plan"]})
    assert (status, told["code"]) == (409, "not_sold")
    assert shop.changes(chosen["iccid"]) == {"SingleOrder": 1, "StripePay": 1}


def test_what_cannot_be_ordered_is_not(shop: Shop) -> None:
    for changes, status, code in (
        ({"amount": "0.01"}, 409, "not_sold"),
        ({"currency": "USD"}, 409, "not_sold"),
        ({"plan": "no such plan"}, 409, "not_sold"),
        ({"iccid": "8985000000000000000"}, 409, "card_refused"),
        ({"iccid": "not a card"}, 422, "invalid"),
        ({"key": "1"}, 422, "invalid"),
        ({"kind": "gift"}, 422, "invalid"),
    ):
        chosen = cart(shop, **changes)
        answer, told = shop.post("/api/orders", **chosen)
        assert (answer, told["code"]) == (status, code)
        assert changes.get("iccid", "-") not in told["text"]
        if status != 422:
            assert shop.get(f"/api/orders/{chosen['key']}")[0] == 404
    shop.sandbox.requests.of("SingleOrder").none()


def test_a_message_alone_has_the_order_delivered(shop: Shop) -> None:
    shop.stop()
    shop.start(SHOP_ASK_EVERY="3600")  # nobody asks: what comes, comes by the message
    chosen = cart(shop)
    shop.post("/api/orders", **chosen)
    (order,) = shop.orders(chosen["iccid"])

    early = shop.world.wait(shop.sandbox.notifications.send(order))
    wrong = shop.world.wait(shop.sandbox.notifications.send(order, payAmount="0.01"))
    strange = shop.world.wait(shop.sandbox.notifications.send(order, requestOrderId="nobody's"))
    # All are rightly signed; but the service shows an unpaid order, another amount, and none.
    assert [one.status for one in (early, wrong, strange)] == [503, 409, 409]
    assert shop.get(f"/api/orders/{chosen['key']}")[1]["state"] == "authorized"

    secret = shop.get(f"/api/orders/{chosen['key']}")[1]["client_secret"]
    shop.world.do(lambda: shop.sandbox.stripe.complete(secret))
    assert becomes(shop, chosen["key"], "confirmed")
    until(lambda: shop.sandbox.notifications.deliveries[-1].status == 200)
    shop.world.wait(shop.sandbox.notifications.send(order))  # again: nothing is done twice
    assert shop.changes(chosen["iccid"]) == ONCE
    assert shop.log.count("is delivered") == 1


def test_a_lost_answer_is_asked_for_and_never_sent_again(shop: Shop) -> None:
    chosen = cart(shop)
    shop.world.do(lambda: shop.sandbox.faults.next("SingleOrder", drop_answer()))
    status, order = shop.post("/api/orders", **chosen)
    assert (status, order["state"], order["tone"]) == (200, "unknown", "unsure")
    ordered = becomes(shop, chosen["key"], "ordered")  # the shop has asked by itself
    assert ordered["next"] == "proceed"
    status, order = shop.post(f"/api/orders/{chosen['key']}/look", paid=False)
    assert (status, order["state"]) == (200, "authorized")
    assert shop.changes(chosen["iccid"]) == {"SingleOrder": 1, "StripePay": 1}


def test_killed_in_the_middle_of_an_order_it_goes_on(shop: Shop) -> None:
    chosen = cart(shop)
    # The order is carried out, and its answer hangs until the shop is gone.
    shop.world.do(lambda: shop.sandbox.faults.next("SingleOrder", stall(carried_out=True)))
    with ThreadPoolExecutor(1) as clicks:
        click = clicks.submit(shop.post, "/api/orders", **chosen)
        until(lambda: shop.orders(chosen["iccid"]))
        shop.kill()
        assert isinstance(click.exception(20), OSError)
    shop.start()
    assert becomes(shop, chosen["key"], "ordered")
    status, order = shop.post("/api/orders", **chosen)  # the buyer clicks again
    assert (status, order["state"]) == (200, "ordered")
    status, order = shop.post(f"/api/orders/{chosen['key']}/look", paid=False)
    shop.kill()
    shop.world.do(lambda: shop.sandbox.stripe.complete(order["client_secret"]))
    shop.start()  # it was paid while the shop was away
    assert becomes(shop, chosen["key"], "confirmed")
    assert shop.changes(chosen["iccid"]) == ONCE


def test_a_service_that_is_gone_changes_nothing_that_is_known(shop: Shop) -> None:
    chosen = cart(shop)
    shop.world.do(lambda: shop.world.proxy.always(RESET_ON_ACCEPT))
    shop.stop()
    shop.start()  # so that no connection is open from before
    status, told = shop.post("/api/orders", **chosen)
    assert (status, told["code"]) == (503, "service_down")
    assert shop.get(f"/api/orders/{chosen['key']}")[0] == 404
    shop.world.do(lambda: shop.world.proxy.always(HEALTHY))
    assert shop.post("/api/orders", **chosen)[1]["state"] == "authorized"
    assert shop.changes(chosen["iccid"]) == {"SingleOrder": 1, "StripePay": 1}


def test_without_its_database_it_begins_nothing_and_comes_back(shop: Shop, tmp_path: Path) -> None:
    kept, chosen, another = tmp_path / "shop.sqlite3", cart(shop), cart(shop)
    order = shop.post("/api/orders", **chosen)[1]
    kept.rename(tmp_path / "away")
    kept.mkdir()
    status, told = shop.post("/api/orders", **another)
    assert (status, told["code"]) == (503, "shop_down")
    assert not shop.orders(another["iccid"])
    until(lambda: "cannot be followed" in shop.log)
    kept.rmdir()
    (tmp_path / "away").rename(kept)
    pay(shop, order)
    assert becomes(shop, chosen["key"], "confirmed")
    assert shop.changes(chosen["iccid"]) == ONCE


def test_subscriptions_are_made_once_however_often_the_page_asks(shop: Shop) -> None:
    chosen = cart(shop, "subscription")
    order = shop.post("/api/orders", **chosen)[1]
    told = {"client_secret": order["client_secret"], "card": "good"}
    pm_id = shop.post("/stand-in/setup", **told)[1]["payment_method"]
    path, method = f"/api/orders/{chosen['key']}/subscription", {"pm_id": pm_id}
    with ThreadPoolExecutor(5) as clicks:
        given = list(
            clicks.map(lambda _: shop.post(path, email="a@example.com", **method), range(5))
        )
    assert {status for status, _ in given} == {200}
    assert becomes(shop, chosen["key"], "confirmed")
    assert shop.changes(chosen["iccid"])["StripeSubDirectly"] == 1


def test_it_sells_from_postgres(postgres_dsn: str, tmp_path: Path) -> None:
    parts = dict(part.split("=") for part in postgres_dsn.split())
    url = f"postgresql://{parts['user']}@{parts['host']}:{parts['port']}/{parts['dbname']}"
    with Shop(tmp_path, SHOP_DATABASE_URL=url) as shop:
        chosen = cart(shop)
        with shop.second() as other, ThreadPoolExecutor(10) as clicks:
            urls = [f"{url}/api/orders" for url in (shop.url, other) * 5]
            given = list(clicks.map(lambda url: shop.post_to(url, **chosen), urls))
        assert {status for status, _ in given} == {200}
        order = shop.get(f"/api/orders/{chosen['key']}")[1]
        shop.kill()
        shop.start()
        pay(shop, order)
        assert becomes(shop, chosen["key"], "confirmed")
        assert shop.changes(chosen["iccid"]) == ONCE
    assert not list(tmp_path.glob("*.sqlite3"))


def test_one_command_is_enough(tmp_path: Path) -> None:
    alone = {"LINKSFIELD_PARTNER_CODE": "", "SHOP_SANDBOX_PORT": str(free_port())}
    with Shop(tmp_path, **alone) as shop:
        iccid = until(lambda: re.findall(r"^  (89[0-9]{17,18})$", shop.log, re.MULTILINE))[0]
        chosen = cart(shop, iccid=iccid)
        order = shop.post("/api/orders", **chosen)[1]
        assert shop.stop() == 0, shop.log
        shop.start()  # the sandbox has kept its part, too
        pay(shop, order)
        assert becomes(shop, chosen["key"], "confirmed")
        assert shop.stop() == 0, shop.log
        assert "Traceback" not in shop.log
        shop.sandbox.requests.of("SingleOrder").none()  # it was another sandbox, its own


def test_settings_that_cannot_be_meant_are_named() -> None:
    # By its path: the tests run beside the package that is installed, not beside the clone.
    Settings = runpy.run_path(str(ROOT / "examples/shop/settings.py"))["Settings"]
    for name, text in (
        ("SHOP_PORT", "http"),
        ("SHOP_QUARANTINE", "-1"),
        ("SHOP_NOTIFICATION_KEYS", "the secret alone"),
    ):
        with pytest.raises(ConfigurationError, match=name) as raised:
            Settings.from_env({name: text})
        assert "secret" not in str(raised.value)
    found = Settings.from_env({"SHOP_NOTIFICATION_KEYS": "a=1,b=x=y"})
    assert found.notification_keys == {"a": "1", "b": "x=y"}
    assert "x=y" not in repr(found)


def test_lost_answers_about_money_are_asked_for(shop: Shop) -> None:
    chosen = cart(shop, "subscription")
    order = shop.post("/api/orders", **chosen)[1]
    told = {"client_secret": order["client_secret"], "card": "good"}
    pm_id = shop.post("/stand-in/setup", **told)[1]["payment_method"]
    faults = shop.sandbox.faults
    shop.world.do(lambda: faults.next("StripeSubDirectly", drop_answer()))
    shop.world.do(lambda: faults.next("ResultConfirm", drop_answer()))
    path = f"/api/orders/{chosen['key']}/subscription"
    assert shop.post(path, pm_id=pm_id, email="a@example.com")[0] == 200
    assert becomes(shop, chosen["key"], "confirmed")["client_secret"] is None
    assert until(lambda: shop.get(f"/api/orders/{chosen['key']}")[1]["delivered"])
    once = {"SingleOrder": 1, "StripeAutoPay": 1, "StripeSubDirectly": 1, "ResultConfirm": 1}
    assert shop.changes(chosen["iccid"]) == once
    card = shop.sandbox.world.card(chosen["iccid"])
    assert (len(card.orders), len(card.subscriptions)) == (1, 1)
