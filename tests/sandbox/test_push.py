from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pushes import Granting, receiver
from web import aiohttp_served, until

from linksfield_async import Client, ConfigurationError, Sandbox
from linksfield_async.notifications import SignatureScheme
from linksfield_async.sandbox.push import ATTEMPTS, WITHIN, pause_after

KEYS = {"sandbox": "sandbox notification key"}


async def buy(sandbox: Sandbox, number: str = "NO1") -> None:
    plan = sandbox.world.plans[0]
    async with Client(sandbox.account) as client:
        await client.vshop.create_paid_order(
            iccid=next(sandbox.world.iccids("valid")), package_code=plan.package_code,
            service_plan_code=plan.code, service_plan_show_name=plan.name, order_period="1",
            order_no=number, pay_id=f"P{number}", pay_amount=plan.price,
            pay_currency=plan.currency, pay_unit=plan.price, settle_price=plan.price,
            pay_account="1", pay_type="3", pay_status="1", pay_rst="SUCCESS",
            pay_result_date="2026-01-01 08:00:00", transaction_id="T1",
        )  # fmt: skip


async def test_a_paid_order_is_told_once() -> None:
    one, _ = receiver(keys=KEYS)
    handler = Granting()
    async with (
        aiohttp_served(one, handler) as port,
        Sandbox(cards=100, notify_url=f"http://127.0.0.1:{port}/push") as sandbox,
    ):
        await buy(sandbox)
        await until(lambda: len(sandbox.notifications.deliveries) == 1)
        (delivery,) = sandbox.notifications.deliveries
        assert (delivery.status, delivery.attempt, delivery.is_taken) == (200, 1, True)
        assert sandbox.notifications.waiting == 0
    (notice,) = handler.notices
    assert (notice.order_id, notice.pay_id) == ("NO1", "PNO1")
    assert notice.body == delivery.push.body


async def test_it_is_sent_again_on_the_sandbox_s_clock_until_it_is_taken() -> None:
    one, events = receiver(keys=KEYS)
    handler = Granting(failures=2)
    async with (
        aiohttp_served(one, handler) as port,
        Sandbox(cards=100, notify_url=f"http://127.0.0.1:{port}/push") as sandbox,
    ):
        sandbox.clock.pause()
        await buy(sandbox)
        for attempt in (1, 2, 3):
            seen = sandbox.notifications.deliveries
            await until(lambda seen=seen, attempt=attempt: len(seen) == attempt)  # type: ignore[misc]
            await asyncio.sleep(0.05)
            assert len(seen) == attempt
            sandbox.clock.advance(seconds=pause_after(attempt).total_seconds())
        await asyncio.sleep(0.05)
        assert [one.status for one in seen] == [500, 500, 200]
    bodies = [delivery.push.body for delivery in seen]
    assert len(set(bodies)) == 3  # another transaction id each time
    assert len(handler.notices) == 1
    assert [event.kind for event in events] == ["failed", "failed", "taken"]


async def test_a_restart_in_the_middle_sends_the_rest(tmp_path: Path) -> None:
    one, _ = receiver(keys=KEYS)
    handler = Granting(failures=2)
    async with aiohttp_served(one, handler) as port:
        settings: dict[str, Any] = {
            "cards": 100,
            "state": tmp_path / "state.json",
            "notify_url": f"http://127.0.0.1:{port}/push",
        }
        sent = []
        for attempt in (1, 2, 3):
            async with Sandbox(**settings) as sandbox:
                sandbox.clock.pause()
                if attempt == 1:
                    await buy(sandbox)
                else:
                    assert sandbox.notifications.waiting == 1
                    await asyncio.sleep(0.05)
                    assert not sandbox.notifications.deliveries  # not before its time
                    sandbox.clock.advance(seconds=pause_after(attempt - 1).total_seconds())
                seen = sandbox.notifications.deliveries
                await until(lambda seen=seen: len(seen) == 1)  # type: ignore[misc]
                sent += seen
        async with Sandbox(**settings) as sandbox:
            assert sandbox.notifications.waiting == 0
            await buy(sandbox, "NO2")
            await until(lambda: len(sandbox.notifications.deliveries) == 1)
            sent += sandbox.notifications.deliveries
    assert [(one.event, one.attempt, one.status) for one in sent] == [
        (1, 1, 500), (1, 2, 500), (1, 3, 200), (2, 1, 200)
    ]  # fmt: skip
    assert len({one.push.body for one in sent}) == 4
    assert [notice.order_id for notice in handler.notices] == ["NO1", "NO2"]


async def test_without_an_address_what_waits_is_kept_for_later() -> None:
    async with Sandbox(cards=100, notify_url="http://127.0.0.1:1/push") as sandbox:
        sandbox.clock.pause()
        await buy(sandbox)
        await until(lambda: len(sandbox.notifications.deliveries) == 1)
        state = sandbox.export_state()
    assert len(state["messages"]) == 1
    async with Sandbox.from_state(state) as again:
        again.clock.advance(days=2)
        assert again.export_state()["messages"] == state["messages"]


async def test_another_state_is_put_in_place_while_it_sends() -> None:
    release = asyncio.Event()
    calls = []

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(await reader.readuntil(b"\r\n\r\n"))
        await release.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(slow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Sandbox(cards=100, notify_url=f"http://127.0.0.1:{port}/") as sandbox:
        empty = sandbox.export_state()
        await buy(sandbox)
        await until(lambda: len(calls) == 1)
        sandbox.import_state(empty)
        release.set()
        await buy(sandbox, "NO2")
        await until(lambda: len(sandbox.notifications.deliveries) == 2)
        await until(lambda: sandbox.notifications.waiting == 0)


async def test_what_falls_due_and_fails_does_not_stop_the_sending(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, _ = receiver(keys=KEYS)
    handler = Granting()
    async with (
        aiohttp_served(one, handler) as port,
        Sandbox(cards=100, notify_url=f"http://127.0.0.1:{port}/push") as sandbox,
    ):
        sandbox.clock.at(sandbox.clock.now(), lambda _: 1 / 0)  # type: ignore[arg-type,return-value]
        await until(lambda: "what fell due" in caplog.text)
        await buy(sandbox)
        await until(lambda: len(handler.notices) == 1)


async def test_sending_changes_none_of_the_other_ids() -> None:
    """How often a message is sent depends on time: no id of the service's may."""
    ids = []
    for url in (None, "http://127.0.0.1:1/push"):
        async with Sandbox(cards=100, notify_url=url) as sandbox:
            await buy(sandbox)
            if url is not None:
                await until(lambda: bool(sandbox.notifications.deliveries))
            ids.append(sandbox.scenarios.active_plan().payment.transaction_id)
    assert ids[0] == ids[1]


async def test_nobody_listens_thirty_times() -> None:
    async with Sandbox(cards=100, notify_url="http://127.0.0.1:1/push") as sandbox:
        sandbox.clock.pause()
        await buy(sandbox)
        deliveries = sandbox.notifications.deliveries
        while sandbox.notifications.waiting:
            count = len(deliveries)
            sandbox.clock.advance(seconds=pause_after(max(1, count)).total_seconds())
            await until(
                lambda count=count: len(deliveries) > count or not sandbox.notifications.waiting  # type: ignore[misc]
            )
        assert [one.attempt for one in deliveries] == list(range(1, ATTEMPTS + 1))
        assert {one.status for one in deliveries} == {None}
        assert deliveries[-1].at - deliveries[0].at <= WITHIN + timedelta(hours=2)


def test_all_pauses_fill_a_day() -> None:
    total = sum((pause_after(attempt) for attempt in range(1, ATTEMPTS)), timedelta())
    assert abs(total - WITHIN) < timedelta(seconds=1)


async def test_by_hand_and_with_any_scheme() -> None:
    scheme = SignatureScheme(order="stamp-first", join=".", key="hex", output="base64url")
    one, _ = receiver(keys={"k": "00ff"}, scheme=scheme)
    handler = Granting()
    async with aiohttp_served(one, handler) as port:
        settings: dict[str, Any] = {
            "notify_url": f"http://127.0.0.1:{port}/push",
            "notification_key": "00ff",
            "notification_key_id": "k",
            "notification_scheme": scheme,
        }
        async with Sandbox(cards=100, **settings) as sandbox:
            sandbox.clock.pause()
            await buy(sandbox)
            await until(lambda: handler.calls == 1)
            order = sandbox.world.orders[0]
            forged = await sandbox.notifications.send(order, payAmount="0.01")
            assert forged.is_taken
    assert [str(notice.amount) for notice in handler.notices] == [order.amount, "0.01"]


async def test_without_an_address_nothing_is_due() -> None:
    async with Sandbox(cards=100) as sandbox:
        await buy(sandbox)
        assert sandbox.notifications.waiting == 0
        with pytest.raises(ConfigurationError):
            await sandbox.notifications.send(sandbox.world.orders[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"notify_url": "http://[::1"}, "is no address"),
        ({"notify_url": "http://127.0.0.1:99999/"}, "is no address"),
        ({"notify_url": "ftp://127.0.0.1/"}, "must be like http"),
        ({"notification_key_id": "a/b"}, "notification_key_id must be"),
        ({"notification_key_id": "a\r\nx: y"}, "notification_key_id must be"),
        ({"notification_key": ""}, "must not be empty"),
        ({"notification_key": "zz", "notification_scheme": SignatureScheme(key="hex")}, "key=hex"),
        ({"notification_key": "=", "notification_scheme": SignatureScheme(key="base64")}, "base64"),
    ],
)
def test_what_could_never_be_sent_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Sandbox(**{"notify_url": "http://127.0.0.1:1/", **settings})


def test_only_to_this_machine() -> None:
    with pytest.raises(ConfigurationError, match="this machine"):
        Sandbox(notify_url="http://example.com/push")
