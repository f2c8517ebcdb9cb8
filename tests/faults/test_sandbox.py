"""The sandbox as a test bench: the same faults again, and nobody else's requests."""

from itertools import islice

import aiohttp
import pytest

from linksfield_async import Client, Options, errors
from linksfield_async.sandbox import Sandbox, cut_answer, drop_answer, refuse, server_error

PLAN = {
    "package_code": "PACKAGE20260101000005",
    "service_plan_code": "SP202601010805",
    "service_plan_show_name": "Singapore 10GB 30-Days",
    "order_period": "1",
    "pay_amount": "19.99",
    "pay_currency": "USD",
}


async def play(seed):
    """Call one after another under faults; gives what the server saw and the client was told."""
    told = []
    async with (
        Sandbox(cards=100, seed=seed) as sandbox,
        Client(sandbox.account, options=Options(attempts=1)) as client,
    ):
        sandbox.faults.rate(0.2, drop_answer())
        sandbox.faults.rate(0.3, cut_answer(), operation="SingleOrder")
        sandbox.faults.rate(0.1, server_error())
        sandbox.faults.next("SingleOrder", refuse())
        sandbox.world.group_behaviour.failure_share = 0.5
        cards = list(islice(sandbox.world.iccids(), 40))
        for number, card in enumerate(cards):
            names = {"order_no": str(number), "pay_id": f"P{number}"}
            calls = (
                lambda card=card: client.vshop.verify_card(iccid=card),
                lambda card=card, names=names: client.vshop.create_order(
                    iccid=card, **names, **PLAN
                ),
            )
            try:
                await calls[number % 2]()
            except errors.LinksfieldError as error:
                told.append(type(error).__name__)
            else:
                told.append("ok")
        return sandbox.requests.transcript(), told, len(sandbox.world.orders)


@pytest.mark.parametrize("seed", [1, 2])
async def test_x02_same_seed_and_calls_give_the_same_log(seed):
    first, again = await play(seed), await play(seed)
    assert first == again
    log, told, orders = first
    for fault in ("drop_answer", "cut_answer at", "refuse 400"):
        assert any(fault in line for line in log), fault
    assert told.count("ok") > 5
    carried_out = sum("SingleOrder" in line and "carried_out=True" in line for line in log)
    assert carried_out == orders


async def test_x02_another_seed_gives_another_log():
    assert (await play(1))[0] != (await play(2))[0]


@pytest.mark.parametrize("host", ["wx.linksfield.net", "wx.linksfield.net:443", "evil.example"])
async def test_x06_no_stand_in_for_another_host(host):
    async with aiohttp.ClientSession() as session:
        for forced, status in ((False, 421), (True, 400)):
            async with Sandbox(cards=20, allow_any_host=forced) as sandbox:
                url = f"{sandbox.url}/vshop/singleVerify"
                async with session.post(url, json={}, headers={"Host": host}) as reply:
                    assert reply.status == status
                assert sandbox.requests.last.carried_out is False


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "wx.linksfield.net"])
def test_x06_bound_to_loopback_alone(host):
    with pytest.raises(errors.ConfigurationError, match="allow_any_host"):
        Sandbox(host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:80", "[::1]:80", "LOCALHOST"])
async def test_x06_names_of_this_machine_are_answered(host):
    async with aiohttp.ClientSession() as session, Sandbox(cards=20) as sandbox:
        url = f"{sandbox.url}/vshop/singleVerify"
        async with session.post(url, json={}, headers={"Host": host}) as reply:
            assert reply.status == 400
