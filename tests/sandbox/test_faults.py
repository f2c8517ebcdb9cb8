"""Each kind of fault: what the client sees, what was carried out and what the log says."""

import asyncio

import aiohttp
import pytest

from linksfield_async import Account, Client, errors
from linksfield_async.sandbox import (
    Sandbox,
    cut_answer,
    drop_answer,
    drop_request,
    odd_answer,
    refuse,
    server_error,
    slow,
    stall,
    throttled,
)
from linksfield_async.sandbox.faults import KINDS, made

ORDER = "/vshop/singleOrder"
VERIFY = "/vshop/singleVerify"


@pytest.mark.parametrize(
    ("fault", "orders", "body", "outcome"),
    [
        (drop_request(), 0, b"", "not carried out"),
        (drop_answer(), 1, b"NO1", "ok"),
        (cut_answer(0), 1, b"NO1", "ok"),
        (cut_answer(20), 1, b"NO1", "ok"),
        (cut_answer(150), 1, b"NO1", "ok"),
        (cut_answer(10**6), 1, b"NO1", "ok"),
        (cut_answer(), 1, b"NO1", "ok"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
async def test_connection_ends_early(call, order, fault, orders, body, outcome):
    call.sandbox.faults.next("SingleOrder", fault)
    with pytest.raises(aiohttp.ClientError):
        await call(ORDER, **order())
    seen = call.sandbox.requests.last
    assert len(call.sandbox.world.orders) == orders
    assert (seen.carried_out, seen.outcome) == (bool(orders), outcome)
    assert seen.fault.startswith(fault.name)
    assert body in seen.body
    assert seen.status == (200 if fault.ending == "cut" else 0)
    assert (await call(ORDER, **order("2"))).status == 200
    assert call.sandbox.requests.last.fault is None


@pytest.mark.parametrize("carried_out", [False, True])
async def test_stall_lasts_until_the_client_leaves(call, order, until, carried_out):
    before = asyncio.all_tasks()
    call.sandbox.faults.next("SingleOrder", stall(carried_out=carried_out))
    asking = asyncio.create_task(call(ORDER, **order()))
    await until(lambda: call.sandbox.requests)
    assert not asking.done()
    assert len(call.sandbox.world.orders) == carried_out
    asking.cancel()
    await until(lambda: asyncio.all_tasks() <= before | {asking})


async def test_stall_ends_with_the_sandbox(caller_of, until):
    async with Sandbox(cards=20) as sandbox:
        sandbox.faults.next(None, stall())
        asking = asyncio.create_task(caller_of(sandbox)(VERIFY, deviceCode="1"))
        await until(lambda: sandbox.requests)
    with pytest.raises(aiohttp.ClientError):
        await asking


async def test_slow_answer_comes_after_the_work(call, order, until):
    call.sandbox.faults.next("SingleOrder", slow(0.05))
    asking = asyncio.create_task(call(ORDER, **order()))
    await until(lambda: call.sandbox.requests)
    assert len(call.sandbox.world.orders) == 1
    assert not asking.done()
    assert (await asking).status == 200


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        (refuse(), 400, b'"message":"the service is busy"'),
        (refuse("no", status=200, detail={"code": 7}), 200, b'"data":{"code":7}'),
        (server_error(), 503, b"<html>"),
        (server_error(500, envelope=True), 500, b'"operateCode":"F"'),
        (throttled(), 429, b"too many requests"),
        (odd_answer("html"), 200, b"<html>"),
        (odd_answer("empty", status=400), 400, b""),
        (odd_answer("wrong types"), 200, b'"operateCode":1'),
        (odd_answer("nested"), 200, b'{"data":{"operateCode"'),
    ],
    ids=lambda value: getattr(value, "name", None),
)
async def test_other_answers(call, order, fault, status, body):
    call.sandbox.faults.next("SingleOrder", fault)
    url = call.sandbox.url + ORDER
    async with call.session.post(url, json=call.params(ORDER, {}, order())) as reply:
        assert reply.status == status
        assert body in await reply.read()
    seen = call.sandbox.requests.last
    assert (seen.status, seen.carried_out, seen.outcome) == (status, False, "not carried out")
    assert not call.sandbox.world.orders


@pytest.mark.parametrize(
    "fault", [server_error(carried_out=True), odd_answer("text", carried_out=True)]
)
async def test_carried_out_in_spite_of_the_answer(call, order, fault):
    call.sandbox.faults.next("SingleOrder", fault)
    url = call.sandbox.url + ORDER
    async with call.session.post(url, json=call.params(ORDER, {}, order())) as reply:
        assert reply.status == fault.reply.status
    assert len(call.sandbox.world.orders) == 1
    assert call.sandbox.requests.last.carried_out
    assert "carried out" in call.sandbox.requests.last.fault


async def test_what_is_no_operation_gets_no_fault(call):
    call.sandbox.faults.rate(1, drop_answer())
    assert (await call("/vshop/nothing")).status == 404
    assert (await call("/stripe/nothing")).status == 404
    assert [seen.fault for seen in call.sandbox.requests] == [None, None]


async def test_retry_after(call, card):
    call.sandbox.faults.next("SingleVerify", throttled(retry_after=1.2))
    assert (await call(VERIFY, deviceCode=card)).headers["Retry-After"] == "2"


async def test_clients_see_what_they_should(sandbox, card):
    account: Account = sandbox.account
    plan = {
        "package_code": "PACKAGE20260101000005",
        "service_plan_code": "SP202601010805",
        "service_plan_show_name": "Singapore 10GB 30-Days",
        "order_period": "1",
        "pay_amount": "19.99",
        "pay_currency": "USD",
    }
    async with Client(account) as client:
        sandbox.faults.next("SingleOrder", drop_answer(), refuse("no", status=200))
        with pytest.raises(errors.OutcomeUnknown):
            await client.vshop.create_order(iccid=card, order_no="1", pay_id="P1", **plan)
        with pytest.raises(errors.Refused, match="no"):
            await client.vshop.create_order(iccid=card, order_no="2", pay_id="P2", **plan)
        # A read is simply asked again.
        sandbox.faults.next("SingleVerify", server_error(), cut_answer())
        await client.vshop.verify_card(iccid=card)
    assert [order.order_no for order in sandbox.world.orders] == ["1"]
    sandbox.requests.of("SingleVerify").times(3)


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_by_name(kind):
    needed = {"slow": {"seconds": 1}, "odd_answer": {"shape": "list"}}.get(kind, {})
    assert made(kind, **needed).name.startswith(kind)
    with pytest.raises(errors.ConfigurationError, match=f"{kind} does not take these settings"):
        made(kind, **needed, colour="red")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: slow(-1), "seconds must be seconds"),
        (lambda: slow("1"), "seconds must be seconds"),
        (lambda: cut_answer(-1), "at must be a number of bytes"),
        (lambda: cut_answer(True), "at must be a number of bytes"),
        (lambda: stall(carried_out=1), "carried_out must be True or False"),
        (lambda: server_error(404), "status must be from 500 to 599"),
        (lambda: refuse(status="400"), "status must be from 200"),
        (lambda: odd_answer("square"), "shape must be one of html, empty"),
        (lambda: throttled(retry_after=float("nan")), "retry_after must be seconds"),
        (lambda: made("explode"), "kind must be one of drop_request"),
    ],
)
def test_wrong_settings(make, message):
    with pytest.raises(errors.ConfigurationError, match=message):
        make()
