import re

import pytest

from linksfield_async.sandbox import Refusal

ORDER, PAY, AUTO = "/vshop/singleOrder", "/payment/stripePay", "/payment/stripeAutoPay"
SUBSCRIBE = "/payment/stripeSubDirectly"
RESULT, CONFIRM = "/payment/resultQuery", "/payment/resultConfirm"
CHARGE = {"payId": "P000270NO1", "payAmount": "19.99", "payCurrency": "usd"}


@pytest.fixture
async def ordered(call, order):
    await call(ORDER, **order(autoRenewal="1"))


@pytest.fixture
def subscribe(call, ordered):
    """Authorize, confirm and subscribe; gives the answer and the payment method."""

    async def subscribe(declines=False):
        setup = (await call(AUTO, **CHARGE)).data
        pm_id = call.sandbox.stripe.confirm_setup(setup["client_secret"], declines=declines)
        subscription = {**CHARGE, "email": "a@example.com", "plan_id": setup["plan_id"]}
        return await call(SUBSCRIBE, **subscription, pm_id=pm_id), pm_id

    return subscribe


async def words(call):
    result = (await call(RESULT, payId="P000270NO1")).data
    return result["payStatus"], result["payRst"]


async def test_one_time_payment(call, ordered):
    assert await words(call) == ("0", "PENDING")
    authorized = (await call(PAY, **CHARGE, email="a@example.com")).data
    assert set(authorized) == {"client_secret", "publishable_key", "payId"}
    assert authorized["payId"] == "P000270NO1"
    secret = authorized["client_secret"]
    assert re.fullmatch(r"pi_[0-9A-Za-z]{24}_secret_[0-9A-Za-z]{25}", secret)
    assert re.fullmatch(r"pk_test_[0-9A-Za-z]{24}", authorized["publishable_key"])
    assert await words(call) == ("0", "PENDING")
    call.sandbox.stripe.complete(secret)
    result = (await call(RESULT, payId="P000270NO1")).data
    assert re.fullmatch(r"ch_[0-9A-Za-z]{24}", result.pop("transactionId"))
    assert result == {**CHARGE, "payStatus": "1", "payRst": "SUCCESS"}
    assert (await call(PAY, **CHARGE)).refusal == "the order is already paid"


async def test_declined_payment_may_be_tried_again(call, ordered):
    stripe = call.sandbox.stripe
    first = (await call(PAY, **CHARGE)).data["client_secret"]
    stripe.decline(first)
    assert await words(call) == ("2", "FAIL")
    second = (await call(PAY, **CHARGE)).data["client_secret"]
    assert second != first
    assert await words(call) == ("0", "PENDING")
    stripe.complete(second)
    assert await words(call) == ("1", "SUCCESS")
    with pytest.raises(Refusal, match="completed before"):
        stripe.decline(second)
    assert stripe.complete(second).state == "paid"
    assert len(call.sandbox.world.payments) == 2


async def test_paying_two_intents_charges_twice_but_runs_once(call, ordered):
    secrets = [(await call(PAY, **CHARGE)).data["client_secret"] for _ in range(2)]
    for secret in secrets:
        call.sandbox.stripe.complete(secret)
    assert [payment.state for payment in call.sandbox.world.payments] == ["paid", "paid"]
    [order] = call.sandbox.world.orders
    assert (order.end - order.start).days == 30


async def test_of_two_orders_with_one_pay_id_the_latest_unpaid_is_paid(call, ordered, order):
    await call(ORDER, **order())
    first, second = call.sandbox.world.orders
    for paid in (second, first):
        call.sandbox.stripe.complete((await call(PAY, **CHARGE)).data["client_secret"])
        assert paid.paid is not None
        assert await words(call) == ("1", "SUCCESS")
        assert (first.paid is None) == (paid is second)


@pytest.mark.parametrize("path", [PAY, AUTO])
@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"payId": "P1"}, "payId is unknown"),
        ({"payAmount": "19.98"}, "payAmount is not the order's"),
        ({"payCurrency": "USD"}, "payCurrency is not the order's in lower case"),
        ({"payCurrency": "eur"}, "payCurrency is not the order's in lower case"),
    ],
)
async def test_payments_that_are_refused(call, ordered, path, change, refusal):
    assert (await call(path, **{**CHARGE, **change})).refusal == refusal


async def test_other_partners_payments_are_unknown(call, ordered):
    other = call.of(call.sandbox.world.other_partner)
    for path in (RESULT, CONFIRM, PAY):
        assert (await other(path, **CHARGE)).refusal == "payId is unknown"


async def test_confirm_is_idempotent_and_needs_a_payment(call, ordered):
    [order] = call.sandbox.world.orders
    assert (await call(CONFIRM, payId="P000270NO1")).data["payRst"] == "PENDING"
    assert not order.confirmed
    call.sandbox.stripe.complete((await call(PAY, **CHARGE)).data["client_secret"])
    answers = [(await call(CONFIRM, payId="P000270NO1")).data for _ in range(2)]
    assert answers[0] == answers[1] == (await call(RESULT, payId="P000270NO1")).data
    assert order.confirmed


async def test_subscription(call, subscribe, card):
    reply, pm_id = await subscribe()
    assert set(reply.body) == {"customer_id", "pay_method", "product_id", "status", "sub_id"}
    assert (reply.body["pay_method"], reply.body["status"]) == (pm_id, "active")
    assert re.fullmatch(r"pm_[0-9A-Za-z]{24}", pm_id)
    assert reply.body["sub_id"].startswith("sub_")
    assert await words(call) == ("1", "SUCCESS")
    [entry] = (await call("/vshop/singleQueryOrder", deviceCode=card)).data["orderList"]
    assert entry["orderStatus"] == "2"


async def test_subscription_authorization(call, ordered):
    answer = (await call(AUTO, **CHARGE)).data
    assert set(answer) == {"plan_id", "client_secret", "publishable_key"}
    assert re.fullmatch(r"seti_[0-9A-Za-z]{24}_secret_[0-9A-Za-z]{25}", answer["client_secret"])


async def test_declined_subscription_stays_incomplete(call, subscribe, card):
    reply, _ = await subscribe(declines=True)
    assert reply.body["status"] == "incomplete"
    assert await words(call) == ("2", "FAIL")
    assert (await call("/vshop/queryAutoRenewalRecord", deviceCode=card)).body == {}
    again, _ = await subscribe()
    assert again.body["status"] == "active"
    assert await words(call) == ("1", "SUCCESS")


async def test_subscriptions_that_are_refused(call, ordered, order):
    setup = (await call(AUTO, **CHARGE)).data
    given = {**CHARGE, "email": "a@example.com", "plan_id": setup["plan_id"]}
    wrong_method = "pm_id does not come from the plan's confirmed setup intent"
    assert (await call(SUBSCRIBE, **given, pm_id="pm_1")).refusal == wrong_method
    pm_id = call.sandbox.stripe.confirm_setup(setup["client_secret"])
    assert call.sandbox.stripe.confirm_setup(setup["client_secret"]) == pm_id
    other_plan = (await call(AUTO, **CHARGE)).data["plan_id"]
    for change, refusal in (
        ({"plan_id": "plan_1"}, "plan_id was not made for this payId"),
        ({"plan_id": other_plan}, wrong_method),
        ({"payAmount": "1.00"}, "payAmount is not the order's"),
        ({"email": ""}, "email is missing or empty"),
    ):
        reply = await call(SUBSCRIBE, **{**given, **change}, pm_id=pm_id)
        assert reply.refusal == refusal
    assert (await call(SUBSCRIBE, **given, pm_id=pm_id)).body["status"] == "active"
    again = await call(SUBSCRIBE, **given, pm_id=pm_id)
    assert again.refusal == "the order is already paid"
    await call(ORDER, **order("2", autoRenewal="0"))
    one_time = await call(AUTO, **{**CHARGE, "payId": "P000270NO2"})
    assert one_time.refusal == "the order was created without automatic renewal"


async def test_stripe_over_http(call, ordered):
    async def stripe(path, **body):
        return await call.raw("POST", f"/stripe/{path}", json=body)

    secret = (await call(PAY, **CHARGE)).data["client_secret"]
    declined = await stripe("payment_intents/decline", client_secret=secret)
    assert declined.body == {"payId": "P000270NO1", "state": "failed"}
    setup = (await call(AUTO, **CHARGE)).data["client_secret"]
    pm_id = (await stripe("setup_intents/confirm", client_secret=setup)).body["pm_id"]
    method = call.sandbox.world.methods[pm_id]
    assert (await stripe("payment_methods/declines", pm_id=pm_id)).body["declines"] is True
    assert method.declines
    await stripe("payment_methods/declines", pm_id=pm_id, declines=False)
    assert not method.declines
    completed = await stripe("payment_intents/complete", client_secret=secret)
    assert completed.body["state"] == "paid"
    assert await words(call) == ("1", "SUCCESS")


@pytest.mark.parametrize(
    ("path", "body", "refusal"),
    [
        ("payment_intents/complete", {}, "client_secret must be a text"),
        ("payment_intents/complete", {"client_secret": "x"}, "no payment intent has"),
        ("payment_intents/decline", {"client_secret": ["x"]}, "client_secret must be a text"),
        ("setup_intents/confirm", {"client_secret": "x"}, "no setup intent has"),
        ("setup_intents/confirm", {"client_secret": "x", "declines": 1}, "declines must be"),
        ("payment_methods/declines", {"pm_id": "x"}, "no payment method has this id"),
    ],
)
async def test_stripe_refuses_what_it_does_not_know(call, path, body, refusal):
    reply = await call.raw("POST", f"/stripe/{path}", json=body)
    assert reply.refusal.startswith(refusal)
    assert call.sandbox.requests[-1].operation is None


async def test_stripe_takes_post_only(call):
    reply = await call.raw("PUT", "/stripe/payment_intents/complete", json={})
    assert (reply.status, reply.headers["Allow"]) == (405, "POST")


QUERY, CANCEL = "/vshop/queryAutoRenewalRecord", "/vshop/cancelAutoRenewalRecord"


async def in_use(call, card):
    orders = (await call("/vshop/singleQueryOrder", deviceCode=card)).data["orderList"]
    return [entry.get("expireDate", "waits") for entry in orders]


async def test_renewal_record(call, subscribe, card):
    assert (await call(QUERY, deviceCode=card)).body == {}
    await subscribe()
    assert (await call(QUERY, deviceCode=card)).body == {
        "deviceCode": card,
        "orderNo": "NO1",
        "orderPeriod": "1",
        "packageType": "5",
        "partnerCode": "P000270",
        "payId": "P000270NO1",
        "servicePlanShowName": "Singapore 10GB 30-Days",
        "subscriptionTime": "2026.01.01",
    }


async def test_renews_when_the_period_ends(call, subscribe, card):
    await subscribe()
    clock, world = call.sandbox.clock, call.sandbox.world
    clock.advance(days=29)
    assert await in_use(call, card) == ["2026-01-31"]
    clock.advance(days=1)
    assert await in_use(call, card) == ["2026-03-02"]
    clock.advance(days=70)
    assert await in_use(call, card) == ["2026-05-01"]
    [subscription] = world.subscriptions
    assert [payment.created.date().isoformat() for payment in subscription.charges] == [
        "2026-01-01",
        "2026-01-31",
        "2026-03-02",
        "2026-04-01",
    ]
    assert len({payment.transaction_id for payment in world.payments}) == 4


async def test_cancelled_renewal_runs_to_its_end(call, subscribe, card):
    await subscribe()
    wrong = "no active renewal of this card has this orderNo and payId"
    ids = {"deviceCode": card, "orderNo": "NO1", "payId": "P000270NO1"}
    for change in ({"orderNo": "NO2"}, {"payId": "x"}):
        assert (await call(CANCEL, **{**ids, **change})).refusal == wrong
    cancelled = await call(CANCEL, **ids)
    assert (cancelled.status, cancelled.body) == (200, {})
    assert (await call(CANCEL, **ids)).refusal == wrong
    assert (await call(QUERY, deviceCode=card)).body == {}
    assert await in_use(call, card) == ["2026-01-31"]
    call.sandbox.clock.advance(days=31)
    assert await in_use(call, card) == []
    assert len(call.sandbox.world.payments) == 1


async def test_declined_renewal_is_tried_again_and_ends_in_suspension(call, subscribe, card):
    _, pm_id = await subscribe()
    world = call.sandbox.world
    call.sandbox.clock.advance(days=31)
    call.sandbox.stripe.set_declines(pm_id)
    call.sandbox.clock.advance(days=30)
    [subscription] = world.subscriptions
    assert subscription.state == "past_due"
    # Out of service, but not given up yet.
    assert await in_use(call, card) == []
    assert (await call(QUERY, deviceCode=card)).body["orderNo"] == "NO1"
    call.sandbox.clock.advance(days=100)
    assert subscription.state == "unpaid"
    charged = [(one.created.date().isoformat(), one.state) for one in subscription.charges]
    assert charged == [
        ("2026-01-01", "paid"),
        ("2026-01-31", "paid"),
        ("2026-03-02", "failed"),
        ("2026-03-05", "failed"),
        ("2026-03-10", "failed"),
        ("2026-03-17", "failed"),
    ]
    assert await words(call) == ("1", "SUCCESS")
    assert (await call(QUERY, deviceCode=card)).refusal == "the card is suspended"
    assert (world.card(card).kind, world.is_valid(card)) == ("suspended", False)
    world.reinstate(card)
    assert (await call(QUERY, deviceCode=card)).body == {}


async def test_renewal_that_is_paid_late_goes_on(call, subscribe, card):
    _, pm_id = await subscribe()
    call.sandbox.stripe.set_declines(pm_id)
    call.sandbox.clock.advance(days=32)
    assert call.sandbox.world.subscriptions[0].state == "past_due"
    call.sandbox.stripe.set_declines(pm_id, declines=False)
    call.sandbox.clock.advance(days=1)
    [subscription] = call.sandbox.world.subscriptions
    assert (subscription.state, subscription.retries) == ("active", 0)
    assert await in_use(call, card) == ["2026-03-02"]
    call.sandbox.clock.advance(days=30)
    assert [payment.state for payment in subscription.charges] == [
        "paid", "failed", "paid", "paid"
    ]  # fmt: skip


async def test_no_second_try_where_none_is_wanted(call, subscribe, card):
    call.sandbox.stripe.retry_days = ()
    _, pm_id = await subscribe()
    call.sandbox.stripe.set_declines(pm_id)
    call.sandbox.clock.advance(days=30)
    assert call.sandbox.world.card(card).kind == "suspended"


async def test_card_with_another_plan_is_not_suspended(call, subscribe, buy, card):
    call.sandbox.stripe.retry_days = ()
    _, pm_id = await subscribe()
    await buy("2")
    call.sandbox.stripe.set_declines(pm_id)
    call.sandbox.clock.advance(days=30)
    assert call.sandbox.world.subscriptions[0].state == "unpaid"
    assert await in_use(call, card) == ["2026-03-02"]


async def test_renewal_moves_what_waits_behind_it(call, subscribe, buy, card):
    await subscribe()
    await buy("2")
    assert await in_use(call, card) == ["2026-01-31", "waits"]
    call.sandbox.clock.advance(days=35)
    assert await in_use(call, card) == ["2026-03-02", "waits"]
    call.sandbox.stripe.set_declines(call.sandbox.world.subscriptions[0].method.pm_id)
    call.sandbox.clock.advance(days=30)
    assert await in_use(call, card) == ["2026-04-01"]


async def test_second_subscription_waits_for_the_first(call, subscribe, order, card):
    await subscribe()
    await call(ORDER, **order("2", autoRenewal="1"))
    second = {**CHARGE, "payId": "P000270NO2"}
    setup = (await call(AUTO, **second)).data
    pm_id = call.sandbox.stripe.confirm_setup(setup["client_secret"])
    subscription = {**second, "email": "a@b.example", "plan_id": setup["plan_id"]}
    await call(SUBSCRIBE, **subscription, pm_id=pm_id)
    call.sandbox.clock.advance(days=95)
    one, two = call.sandbox.world.subscriptions
    assert (len(one.charges), len(two.charges)) == (4, 1)
    assert await in_use(call, card) == ["2026-05-01", "waits"]
    ids = {"deviceCode": card, "orderNo": "NO1", "payId": "P000270NO1"}
    assert (await call(CANCEL, **ids)).body == {}
    call.sandbox.clock.advance(days=60)
    assert (len(one.charges), len(two.charges)) == (4, 2)


async def test_renewal_without_end_of_time(call, subscribe, card):
    await subscribe()
    call.sandbox.clock.advance(days=365 * 100)
    assert len(await in_use(call, card)) == 1
