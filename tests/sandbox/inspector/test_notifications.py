"""Notifications in the inspector: what was sent, and what was answered."""

import pytest
from aiohttp import web

from linksfield_async.sandbox import Sandbox

pytest.importorskip("linksfield_async.sandbox.push", reason="this sandbox sends no notifications")


@pytest.fixture
async def receiver():
    answers = [503, 200]

    async def take(request):
        await request.read()
        return web.Response(status=answers.pop(0))

    runner = web.ServerRunner(web.Server(take))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def test_what_was_sent_and_taken(session, receiver, until):
    async with Sandbox(cards=50, notify_url=receiver) as sandbox:
        iccid = sandbox.scenarios.active_plan().iccid
        # Sent by itself, as the order is paid, and not taken; then once more by hand.
        await until(lambda: sandbox.notifications.deliveries)
        (order,) = sandbox.world.card(iccid).orders
        await sandbox.notifications.send(order)
        async with session.get(f"{sandbox.url}/_inspector/notifications") as answer:
            shown = await answer.json()
    assert [(row["status"], row["taken"]) for row in shown["rows"]] == [(200, True), (503, False)]
    assert shown["waiting"] == 1
    assert iccid in shown["rows"][0]["body"]
