from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from linksfield_async import ConfigurationError, Sandbox, SyncClient
from linksfield_async.blocking.checkout import BlockingCheckout, BlockingCheckouts
from linksfield_async.checkout import AsyncCheckout, Checkout, SqliteCheckouts


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    started, ended = threading.Event(), asyncio.Event()
    box: list[Sandbox] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        async with Sandbox(cards=100) as sandbox:
            box.append(sandbox)
            loops.append(asyncio.get_running_loop())
            started.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(10)
    yield box[0]
    loops[0].call_soon_threadsafe(ended.set)
    thread.join(10)


def test_a_purchase_that_blocks(sandbox: Sandbox) -> None:
    texts: list[str] = []
    iccid = next(sandbox.world.iccids())
    with SyncClient(sandbox.account) as client:
        plan = client.vshop.list_plans(iccid=iccid)[0]
        begun = client.checkout.purchase(iccid=iccid, plan=plan, save=texts.append)
        assert (begun.state, begun.next_step) == ("authorized", "payment")
        assert begun.client_secret is not None
        sandbox.stripe.complete(begun.client_secret)
        checkout = client.checkout.load(begun.save(), save=texts.append)
        assert (checkout.refresh(), checkout.confirm()) == ("paid", "confirmed")
        checkouts = client.checkout.with_settings(quarantine=1)
        assert checkouts.reconcile(checkout, known=[begun]).carried_out is True
        assert checkouts.reconcile_order(checkout.record.order(), before=0).carried_out is True
        assert checkout.proceed() == "confirmed"
    assert len(sandbox.world.orders) == 1


def test_a_subscription_that_blocks(sandbox: Sandbox, tmp_path: Path) -> None:
    store = SqliteCheckouts(tmp_path / "shop.db")
    iccid = next(sandbox.world.iccids())
    plan = next(one.code for one in sandbox.world.plans if one.auto_renewal)
    with SyncClient(sandbox.account) as client:
        begun = client.checkout.subscribe(iccid=iccid, plan=plan, store=store, key="a")
        pm_id = sandbox.stripe.confirm_setup(begun.client_secret or "")
        checkout = client.checkout.resume(store=store, key="a")
        assert checkout is not None
        assert checkout.complete_subscription(pm_id=pm_id, email="a@example.com") == "authorized"
        assert checkout.confirm() == "confirmed"
        assert checkout.renewal() is not None
        assert checkout.cancel_renewal()
        assert client.checkout.resume(store=store, key="b") is None


async def test_inside_a_loop_the_method_to_await_is_named() -> None:
    async with Sandbox(cards=10) as sandbox:
        client = SyncClient(sandbox.account)
        with pytest.raises(ConfigurationError, match=r"await client\.checkout\.purchase"):
            client.checkout.purchase(iccid="1", plan="1", save=print)


@pytest.mark.parametrize(
    ("blocking", "awaited"), [(BlockingCheckouts, AsyncCheckout), (BlockingCheckout, Checkout)]
)
def test_both_have_the_same_methods(blocking: type, awaited: type) -> None:
    names = {name for name in dir(awaited) if not name.startswith("_")}
    assert names == {name for name in dir(blocking) if not name.startswith("_")}
    for name in names:
        one, other = getattr(blocking, name), getattr(awaited, name)
        if inspect.isfunction(one):
            assert list(inspect.signature(one).parameters) == list(
                inspect.signature(other).parameters
            )
            assert not inspect.iscoroutinefunction(one)
