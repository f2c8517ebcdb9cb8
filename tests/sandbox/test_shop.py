import pytest

from linksfield_async.operations import SingleOrder
from linksfield_async.sandbox import Sandbox

ORDER, QUERY, SYN = (
    "/vshop/singleOrder",
    "/vshop/singleQueryOrder",
    "/vshop/synPartner/SynOrderInfo",
)
LOOK_UP = "/topup/mall/order"


def paid(order, number="1", **changes):
    return {
        **order(number),
        "payUnit": "19.99",
        "settlePrice": "12.00",
        "payAccount": "1",
        "payType": "3",
        "payStatus": "1",
        "payRst": "SUCCESS",
        "payResultDate": "2026-01-01 15:10:35",
        "transactionId": "ch_3L7wXlLnVNBddzsl1phHDiSi",
        **changes,
    }


async def test_verify(call, card):
    reply = await call("/vshop/singleVerify", deviceCode=card, url="https://shop.example/login")
    assert reply.data == {"deviceCode": card, "partnerCode": "P000270"}


@pytest.mark.parametrize(
    ("kind", "refusal"),
    [
        ("unknown", "the card is unknown"),
        ("foreign", "the card belongs to another partner"),
        ("suspended", "the card is suspended"),
    ],
)
async def test_cards_that_are_refused(call, order, kind, refusal):
    iccid = next(call.sandbox.world.iccids(kind))
    for path in (
        "singleVerify",
        "singleServicePlanPage",
        "singleQueryOrder",
        "queryAutoRenewalRecord",
    ):
        assert (await call(f"/vshop/{path}", deviceCode=iccid)).refusal == refusal
    assert (await call(ORDER, **order(deviceCode=iccid))).refusal == refusal
    reply = await call("/vshop/cancelAutoRenewalRecord", deviceCode=iccid, orderNo="1", payId="1")
    assert reply.refusal == refusal
    assert not call.sandbox.world.orders


@pytest.mark.parametrize("iccid", ["x", "8985", "1" * 19, "８９８５" * 5, "8" * 10_000])
async def test_texts_that_are_no_card(call, iccid):
    assert (await call("/vshop/singleVerify", deviceCode=iccid)).refusal == "the card is unknown"


async def test_foreign_cards_are_the_other_partners(call):
    other = call.of(call.sandbox.world.other_partner)
    foreign = next(call.sandbox.world.iccids("foreign"))
    assert (await other("/vshop/singleVerify", deviceCode=foreign)).data["deviceCode"] == foreign


async def test_plans_by_region(call, card):
    path = "/vshop/singleServicePlanPage"
    everything = (await call(path, deviceCode=card)).data["servicePlanList"]
    assert len(everything) == len(call.sandbox.world.plans) > 10
    english = (await call(path, deviceCode=card, area="singapore")).data["servicePlanList"]
    chinese = (await call(path, deviceCode=card, area="新加坡")).data["servicePlanList"]
    assert (
        english
        == chinese
        == [plan for plan in everything if "Singapore" in plan["servicePlanShowName"]]
    )
    assert english[1] == {
        "servicePlanCode": "SP202601010805",
        "servicePlanShowName": "Singapore 10GB 30-Days",
        "packageCode": "PACKAGE20260101000005",
        "payAmount": "19.99",
        "payCurrency": "USD",
        "time": "1",
        "unit": "2",
        "autoRenewal": "1",
    }
    assert (await call(path, deviceCode=card, area="Atlantis")).data == {"servicePlanList": []}
    assert {plan["autoRenewal"] for plan in everything} == {"0", "1"}


async def test_create_order_answers_bare(call, card, order):
    reply = await call(ORDER, **order())
    assert (reply.status, reply.body) == (
        200,
        {"deviceCode": card, "orderNo": "NO1", "partnerCode": "P000270", "payId": "P000270NO1"},
    )
    assert (await call(QUERY, deviceCode=card)).data["orderList"] == []


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"servicePlanCode": "SP1"}, "servicePlanCode is unknown"),
        ({"packageCode": "PACKAGE20260101000004"}, "packageCode is not the plan's"),
        ({"orderPeriod": "0"}, "orderPeriod must be from 1 to 36"),
        ({"orderPeriod": "37"}, "orderPeriod must be from 1 to 36"),
        ({"orderPeriod": "-1"}, "orderPeriod is not a whole number"),
        ({"orderPeriod": "1.0"}, "orderPeriod is not a whole number"),
        ({"orderPeriod": "²"}, "orderPeriod is not a whole number"),
        ({"orderPeriod": "2"}, "payAmount is not the plan's price times orderPeriod"),
        ({"payAmount": "19.98"}, "payAmount is not the plan's price times orderPeriod"),
        ({"payAmount": "1e1"}, "payAmount is not the plan's price times orderPeriod"),
        ({"payAmount": "NaN"}, "payAmount is not the plan's price times orderPeriod"),
        ({"payCurrency": "usd"}, "payCurrency is not the plan's"),
        ({"autoRenewal": "2"}, "autoRenewal must be 0 or 1"),
    ],
)
async def test_orders_that_are_refused(call, order, change, refusal):
    assert (await call(ORDER, **order(**change))).refusal == refusal
    assert not call.sandbox.world.orders


async def test_price_times_periods(call, order):
    reply = await call(ORDER, **order(orderPeriod="3", payAmount="59.970"))
    assert reply.body["orderNo"] == "NO1"
    assert call.sandbox.world.orders[0].days == 90


async def test_plan_without_renewal(call, order):
    small = {
        "servicePlanCode": "SP202601010804",
        "packageCode": "PACKAGE20260101000004",
        "payAmount": "4.99",
    }
    refused = await call(ORDER, **order(autoRenewal="1", **small))
    assert refused.refusal == "the plan cannot be renewed automatically"
    assert (await call(ORDER, **order(autoRenewal="0", **small))).status == 200


async def test_same_order_twice_makes_two(call, order, card):
    for _ in range(2):
        assert (await call(ORDER, **order())).body["orderNo"] == "NO1"
    assert len(call.sandbox.world.orders) == 2
    assert len(call.sandbox.requests.of(SingleOrder)) == 2


async def test_dedupe_orders(caller_of, order):
    async with Sandbox(cards=200, dedupe_orders=True) as sandbox:
        call = caller_of(sandbox)
        assert (await call(ORDER, **order())).status == 200
        for change in ({}, {"orderNo": "NO2"}, {"payId": "P2"}):
            reply = await call(ORDER, **order(**change))
            assert reply.refusal == "orderNo or payId was used before"
        assert (await call(SYN, **paid(order))).refusal == "调用订购接口失败"
        assert len(sandbox.world.orders) == 1


async def test_orders_of_a_card_run_one_after_another(call, buy, card):
    await buy("1")
    await buy("2", orderPeriod="2", payAmount="39.98")
    reply = await call(QUERY, deviceCode=card)
    first = {
        "orderStatus": "2",
        "servicePlanShowName": "Singapore 10GB 30-Days",
        "time": "1",
        "unit": "2",
        "expireDate": "2026-01-31",
        "remainingDays": "30",
    }
    second = {
        "orderStatus": "1",
        "servicePlanShowName": "Singapore 10GB 30-Days",
        "time": "2",
        "unit": "2",
        "remainingDays": "60",
    }
    assert reply.body == {
        "operateCode": "S",
        "message": "success",
        "data": {"partnerCode": "P000270", "deviceCode": card, "orderList": [first, second]},
    }
    call.sandbox.clock.advance(days=29, seconds=3_600)
    [day_before, _] = (await call(QUERY, deviceCode=card)).data["orderList"]
    assert day_before["remainingDays"] == "1"
    call.sandbox.clock.advance(seconds=76_400)
    [last_day, _] = (await call(QUERY, deviceCode=card)).data["orderList"]
    assert (last_day["orderStatus"], last_day["remainingDays"]) == ("2", "0")
    call.sandbox.clock.advance(days=1)
    [moved_up] = (await call(QUERY, deviceCode=card)).data["orderList"]
    assert moved_up == {
        **second, "orderStatus": "2", "expireDate": "2026-04-01", "remainingDays": "59"
    }  # fmt: skip
    call.sandbox.clock.advance(days=60)
    assert (await call(QUERY, deviceCode=card)).data["orderList"] == []


async def test_paid_elsewhere(call, order, card):
    reply = await call(SYN, **paid(order, requestOrderId="", orgOrderId="", languageCode=""))
    assert reply.data["orderNo"] == "NO1"
    [entry] = (await call(QUERY, deviceCode=card)).data["orderList"]
    assert entry["orderStatus"] == "2"
    result = (await call("/payment/resultQuery", payId="P000270NO1")).data
    assert (result["payStatus"], result["payRst"]) == ("1", "SUCCESS")


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"deviceCode": "89852420180910340793"}, "the card is unknown"),
        ({"servicePlanCode": "SP1"}, "servicePlanCode is unknown"),
        ({"payStatus": "0"}, "the order is not paid"),
        ({"payRst": "FAIL"}, "the order is not paid"),
        ({"settlePrice": "1,2"}, "an amount is not a decimal number"),
        ({"payCurrency": "usd"}, "payCurrency is not a code in upper case"),
    ],
)
async def test_paid_elsewhere_refused_as_documented(call, order, change, outcome):
    reply = await call(SYN, **paid(order, **change))
    assert (reply.status, reply.body) == (
        400,
        {
            "operateCode": "F",
            "message": "fail",
            "data": {"message": "调用订购接口失败", "data": "QY-00101220260101000000000001"},
        },
    )
    assert call.sandbox.requests[-1].outcome == f"refused: {outcome}"
    assert not call.sandbox.world.orders


async def test_paid_elsewhere_needs_its_fields(call, order):
    given = {**paid(order), "transactionId": None}
    assert (await call(SYN, **given)).refusal == "transactionId is missing or empty"


async def look_up(call, **keys):
    return (await call(LOOK_UP, http="GET", **keys)).data


async def test_look_up_order(call, order, buy, card):
    assert await look_up(call, order_id="NO1") is None
    await call(ORDER, **order(requestOrderId="R1"))
    unpaid = {
        "order_id": "NO1",
        "purchase_order_id": "R1",
        "sim_id": card,
        "status": "0",
        "payAmount": "19.99",
        "payCurrency": "USD",
    }
    for keys in ({"purchase_order_id": "R1"}, {"order_id": "NO1"}, {"sim_id": card}):
        assert await look_up(call, **keys) == unpaid
    await buy("2", requestOrderId="R2")
    assert (await look_up(call, order_id="NO2"))["status"] == "2"
    call.sandbox.clock.advance(days=31)
    assert (await look_up(call, order_id="NO2"))["status"] == "3"


async def test_look_up_takes_the_first_key_given(call, buy):
    await buy("1", requestOrderId="R1")
    await buy("2", requestOrderId="R2")
    found = await look_up(call, sim_id="x", order_id="NO2", purchase_order_id="R1")
    assert found["order_id"] == "NO1"
    assert (await look_up(call, sim_id="x", order_id="NO2"))["order_id"] == "NO2"
    assert (await look_up(call, purchase_order_id="", order_id="NO2"))["order_id"] == "NO2"
    assert await look_up(call, purchase_order_id="R3", order_id="NO2") is None
    for keys in ({}, {"sim_id": ""}):
        reply = await call(LOOK_UP, http="GET", **keys)
        assert reply.refusal == "one of purchase_order_id, order_id and sim_id is needed"


async def test_look_up_gives_the_latest_paid_of_several(call, order, buy):
    await buy("1", requestOrderId="R")
    await buy("2", requestOrderId="R")
    await call(ORDER, **order("3", requestOrderId="R"))
    assert (await look_up(call, purchase_order_id="R"))["order_id"] == "NO2"
    call.sandbox.clock.advance(seconds=1)
    secret = await call(
        "/payment/stripePay", payId="P000270NO3", payAmount="19.99", payCurrency="usd"
    )
    call.sandbox.stripe.complete(secret.data["client_secret"])
    assert (await look_up(call, purchase_order_id="R"))["order_id"] == "NO3"


async def test_look_up_goes_by_the_time_of_payment(call, order, buy):
    await call(ORDER, **order("1", requestOrderId="R"))
    await buy("2", requestOrderId="R")
    call.sandbox.clock.advance(seconds=1)
    charge = {"payId": "P000270NO1", "payAmount": "19.99", "payCurrency": "usd"}
    call.sandbox.stripe.complete((await call("/payment/stripePay", **charge)).data["client_secret"])
    assert (await look_up(call, purchase_order_id="R"))["order_id"] == "NO1"


async def test_orders_are_listed_as_they_run(call, order, buy, card):
    double = {"orderPeriod": "2", "payAmount": "39.98"}
    await call(ORDER, **order("1", **double))
    await buy("2")
    charge = {"payId": "P000270NO1", "payAmount": "39.98", "payCurrency": "usd"}
    call.sandbox.stripe.complete((await call("/payment/stripePay", **charge)).data["client_secret"])
    entries = (await call(QUERY, deviceCode=card)).data["orderList"]
    assert [(entry["orderStatus"], entry["time"]) for entry in entries] == [("2", "1"), ("1", "2")]


async def test_look_up_shows_own_orders_only(call, buy):
    await buy("1", requestOrderId="R1")
    other = call.of(call.sandbox.world.other_partner)
    assert await look_up(other, order_id="NO1") is None
    assert await look_up(other, purchase_order_id="R1") is None
