"""The checks of every request, and their order."""

import json

import pytest

from linksfield_async.sandbox import Sandbox

VERIFY = "/vshop/singleVerify"


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"partnerCode": "P1"}, "partnerCode is unknown"),
        ({"partnerCode": ["P000270"]}, "partnerCode is unknown"),
        ({"partnerCode": None}, "partnerCode is unknown"),
        ({"version": "2.0"}, "version must be 3.0"),
        ({"version": 3.0}, "version must be 3.0"),
        ({"tradeTime": ""}, "tradeTime is missing, empty or not text"),
        ({"tradeTime": None}, "tradeTime is missing, empty or not text"),
        ({"tradeTime": 1645683857572}, "tradeTime is missing, empty or not text"),
        ({"tradeTime": "16 45"}, "tradeTime must be digits only"),
        ({"tradeTime": "١٢"}, "tradeTime must be digits only"),
        ({"tradeType": ""}, "tradeType is missing, empty or not text"),
        ({"deviceCode": None}, "deviceCode is missing or empty"),
        ({"deviceCode": ""}, "deviceCode is missing or empty"),
        ({"deviceCode": 89852420180910340793}, "deviceCode must be text"),
        ({"deviceCode": ["8985"]}, "deviceCode must be text"),
        ({"url": 5}, "url must be text"),
        ({"url": ""}, None),
        ({"tradeType": "anything"}, None),
        ({"unheardOf": {"a": [1]}}, None),
    ],
)
async def test_one_thing_wrong(call, card, given, refusal):
    reply = await call(VERIFY, **{"deviceCode": card, **given})
    if refusal is None:
        assert reply.data["deviceCode"] == card
    else:
        assert reply.refusal == refusal
        assert call.sandbox.requests[-1].outcome == f"refused: {refusal}"


async def test_order_of_checks(call, card):
    wrong = {
        "sign": "x",
        "partnerCode": "P1",
        "version": "1",
        "tradeTime": "",
        "deviceCode": None,
    }
    right = {"partnerCode": "P000270", "version": "3.0", "tradeTime": "1", "deviceCode": card}
    seen = []
    for name in ("sign", *right):
        reply = await call(VERIFY, **wrong)
        seen.append(reply.refusal)
        del wrong[name]
        if name in right:
            wrong[name] = right[name]
    assert seen == [
        "sign is wrong",
        "partnerCode is unknown",
        "version must be 3.0",
        "tradeTime is missing, empty or not text",
        "deviceCode is missing or empty",
    ]
    assert (await call(VERIFY, **wrong)).data["deviceCode"] == card


async def test_payment_needs_trade_parameters_and_topup_does_not(call):
    for name in ("tradeTime", "tradeType"):
        reply = await call("/payment/resultQuery", payId="x", **{name: None})
        assert name in reply.refusal
    params = call.params("/topup/mall/bundle-groups/bundles", {}, {})
    assert set(params) == {"version", "partnerCode", "sign"}
    assert (await call("/topup/mall/bundle-groups/bundles", http="GET")).data["groups"]


@pytest.mark.parametrize("sims", ["8985", [8985], [None], {"a": "b"}, None, ""])
async def test_list_of_texts(call, sims):
    path = "/topup/mall/bundle-groups/G1003/sims"
    reply = await call(path, in_path={"group_id": "G1003"}, sim_ids=sims)
    assert reply.refusal.startswith("sim_ids ")


@pytest.mark.parametrize("status", [200, 422])
async def test_failure_status_can_be_set(caller_of, status):
    async with Sandbox(cards=20, failure_status=status) as sandbox:
        reply = await caller_of(sandbox)(VERIFY, deviceCode="1")
    assert reply.status == status
    assert reply.body == {
        "operateCode": "F",
        "message": "the card is unknown",
        "data": {"message": "the card is unknown", "data": None},
    }


async def test_path_parameter_repeated_in_the_body(call):
    path, member = "/topup/mall/bundle-groups/G1003/sims", {"group_id": "G1003"}
    same = await call(path, in_path=member, group_id="G1003", sim_ids=["1"])
    assert same.data["request_id"]
    other = await call(path, in_path=member, group_id="G1001", sim_ids=["1"])
    assert other.refusal == "group_id differs from the one in the path"


async def test_body_of_get_and_query_of_post_are_not_read(call, card):
    groups = call.params("/topup/mall/bundle-groups/bundles", {}, {})
    path = "/topup/mall/bundle-groups/bundles"
    assert (await call.raw("GET", path, params=groups, data=b"not json")).data["groups"]
    verify = json.dumps(call.params(VERIFY, {}, {"deviceCode": card})).encode()
    assert (await call.raw("POST", f"{VERIFY}?deviceCode=1", data=verify)).data
