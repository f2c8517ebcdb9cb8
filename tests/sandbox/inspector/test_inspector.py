"""The inspector over HTTP: what it shows, what it changes, and whom it refuses."""

import json

import pytest

from linksfield_async.sandbox import Sandbox
from linksfield_async.sandbox.faults import drop_answer, slow
from linksfield_async.sandbox.inspector import OWN_HEADER
from linksfield_async.sandbox.inspector.page import HEADERS
from linksfield_async.sandbox.inspector.views import MOST_CARDS, MOST_SHOWN

OWN = {OWN_HEADER: "1", "Content-Type": "application/json"}


@pytest.fixture
def look(session, sandbox):
    async def look(name, **query):
        async with session.get(f"{sandbox.url}/_inspector/{name}", params=query) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    return look


@pytest.fixture
def act(session, sandbox):
    async def act(name, value, **more):
        headers = {**OWN, **more}
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        url = f"{sandbox.url}/_inspector/{name}"
        async with session.post(url, data=data, headers=headers) as answer:
            return answer.status, await answer.json()

    return act


async def test_the_page_for_browsers_alone(session, sandbox, call):
    async with session.get(sandbox.url, headers={"Accept": "text/html,*/*"}) as answer:
        text = await answer.text()
        assert answer.content_type == "text/html"
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
    assert "<style" not in text
    assert "://" not in text.replace("http://127.0.0.1", "")
    assert (await call.raw("GET", "/")).status == 404
    # Looking does not stand in the log, which tells what the service was asked.
    assert [request.path for request in sandbox.requests] == ["/"]


@pytest.mark.parametrize("name", ["style.css", "script.js", "dom.js", "lists.js", "requests.js"])
async def test_what_the_page_needs_is_served(session, sandbox, name):
    async with session.get(f"{sandbox.url}/_inspector/{name}") as answer:
        assert answer.status == 200
        text = await answer.text()
    assert "innerHTML" not in text
    assert "http://" not in text
    assert "https://" not in text


async def test_the_head(look, call, card):
    await call("/vshop/singleVerify", deviceCode=card)
    told = await look("state")
    assert told["total"] == 1
    assert told["counts"]["cards"] == 200
    assert [request["operation"] for request in told["requests"]] == ["SingleVerify"]
    assert (await look("state", since="1"))["requests"] == []


async def test_the_head_is_bounded(look, call, card):
    for _ in range(MOST_SHOWN + 5):
        await call("/vshop/singleVerify", deviceCode=card)
    assert len((await look("state"))["requests"]) == MOST_SHOWN


async def test_a_request_with_its_sign_explained(look, call, card, sandbox):
    await call("/vshop/singleVerify", deviceCode=card)
    await call("/vshop/singleVerify", deviceCode=card, url="", sign=None)
    params = call.params("/vshop/singleVerify", {}, {"deviceCode": card})
    right = params["sign"]
    await call("/vshop/singleVerify", deviceCode=card, url="", sign=right)
    good, none, bad = [await look(f"requests/{index}") for index in range(3)]
    assert (good["kind"], good["sign"]["matches"]) == ("ok", True)
    assert (none["kind"], none["sign"]["matches"]) == ("sign", None)
    assert bad["sign"]["differences"] == ["empty strings are left out"]
    assert bad["sign"]["given"] == right
    assert bad["sign"]["implied_text"][: bad["sign"]["first_difference"]].endswith(
        'singleVerify","'
    )


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"\xff", "not UTF-8 at byte 0"),
        (b"[1]", "must be one JSON object"),
        (b'{"a": 1.5}', "a number with a fraction"),
        (b'{"a": "' + b"x" * 300_000 + b'"}', "too large to be explained"),
    ],
)
async def test_a_request_whose_sign_cannot_be_explained(look, call, body, told):
    await call.raw("POST", "/vshop/singleVerify", data=body)
    shown = await look("requests/0")
    assert told in shown["sign"]["problem"]
    assert len(shown["body"]) <= 20_000


async def test_stripes_side_needs_no_sign(look, call):
    await call.raw("POST", "/stripe/payment_intents/complete", data=b"{}")
    assert (await look("requests/0"))["sign"] is None


async def test_faults_are_told(look, call, card, sandbox):
    sandbox.faults.next("SingleVerify", slow(0))
    await call("/vshop/singleVerify", deviceCode=card)
    (request,) = (await look("state"))["requests"]
    assert (request["kind"], request["fault"], request["carried_out"]) == ("fault", "slow 0", True)


async def test_cards_are_searched_and_bounded(look, sandbox):
    found = await look("cards")
    assert len(found["rows"]) == MOST_CARDS
    card = list(sandbox.world.iccids("suspended"))[-1]
    assert [row["iccid"] for row in (await look("cards", search=card))["rows"]] == [card]
    assert {row["kind"] for row in (await look("cards", kind="foreign"))["rows"]} == {"foreign"}
    assert (await look("cards", search="no such card"))["rows"] == []


async def test_a_whole_iccid_is_found_in_a_large_world(session):
    async with Sandbox(cards=1_000_000) as sandbox:
        card = sandbox.world.cards.iccid(999_990)
        url = f"{sandbox.url}/_inspector/cards"
        async with session.get(url, params={"search": card}) as answer:
            found = await answer.json()
    assert [row["iccid"] for row in found["rows"]] == [card]
    assert found["searched"] < found["total"]


async def test_what_was_sold(look, buy, card):
    await buy("1", autoRenewal="1")
    (order,) = (await look("orders"))["rows"]
    assert (order["state"], order["iccid"], order["amount"]) == ("in use", card, "19.99 USD")
    (payment,) = (await look("payments"))["rows"]
    assert (payment["state"], payment["open"]) == ("paid", False)
    assert (await look("cards", search=card))["rows"][0]["plan"] == "Singapore 10GB 30-Days"


async def test_subscriptions(look, call, order):
    bought = order(autoRenewal="1")
    await call("/vshop/singleOrder", **bought)
    charge = {"payId": bought["payId"], "payAmount": "19.99", "payCurrency": "usd"}
    setup = (await call("/payment/stripeAutoPay", **charge)).data
    pm_id = call.sandbox.stripe.confirm_setup(setup["client_secret"])
    given = {**charge, "email": "a@b.example", "plan_id": setup["plan_id"], "pm_id": pm_id}
    assert (await call("/payment/stripeSubDirectly", **given)).status == 200
    (shown,) = (await look("subscriptions"))["rows"]
    assert (shown["state"], shown["charges"]) == ("active", 1)


async def test_groups_and_jobs(look, call, card, sandbox):
    path = "/topup/mall/bundle-groups/G1003/sims"
    await call(path, in_path={"group_id": "G1003"}, sim_ids=[card, "8985"])
    assert [job["state"] for job in (await look("jobs"))["rows"]] == ["pending"]
    sandbox.clock.advance(seconds=5)
    (job,) = (await look("jobs"))["rows"]
    assert (job["state"], job["cards"], job["failed"]) == ("partial", 2, 1)
    assert job["problems"] == [["8985", "the card is unknown"]]
    groups = {group["group"]: group for group in (await look("groups"))["rows"]}
    assert groups["G1003"]["members"] == [card]


async def test_a_payment_is_decided(look, act, call, order):
    bought = order()
    await call("/vshop/singleOrder", **bought)
    charge = {"payId": bought["payId"], "payAmount": "19.99", "payCurrency": "usd"}
    await call("/payment/stripePay", **charge)
    declined = await act("payments/decide", {"number": 0, "action": "decline"})
    assert declined == (200, {"state": "failed"})
    completed = await act("payments/decide", {"number": 0, "action": "complete"})
    assert completed == (200, {"state": "paid"})
    assert call.sandbox.world.orders[0].paid is not None
    again = await act("payments/decide", {"number": 0, "action": "decline"})
    assert again == (400, {"error": "the payment was completed before"})


async def test_the_clock_is_moved(act, sandbox):
    before = sandbox.clock.now()
    assert (await act("clock/advance", {"days": 2}))[0] == 200
    assert (sandbox.clock.now() - before).days == 2


async def test_a_fault_is_set_and_taken_back(look, act, sandbox):
    given = {"kind": "server_error", "operation": "SingleVerify", "settings": {"status": 502}}
    assert await act("faults/set", given) == (200, {"set": 1})
    sandbox.faults.rate(0.25, drop_answer())
    sandbox.faults.limit(per_second=5)
    shown = await look("faults")
    assert [(row["operation"], row["fault"], row["when"]) for row in shown["rows"]] == [
        ("SingleVerify", "server_error 502", "next"),
        (None, "throttled 429", "above 5 a second"),
        (None, "drop_answer", "25.00% of requests"),
    ]
    assert await act("faults/set", {"clear": True}) == (200, {"set": 0})
    assert not sandbox.faults


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("payments/decide", {"number": 0, "action": "complete"}),
        ("payments/decide", {"number": True, "action": "complete"}),
        ("payments/decide", {"number": -1}),
        ("clock/advance", {}),
        ("clock/advance", {"days": -1}),
        ("clock/advance", {"days": "1"}),
        ("clock/advance", {"weeks": 1}),
        ("faults/set", {}),
        ("faults/set", {"kind": "explode"}),
        ("faults/set", {"kind": "slow", "settings": {"minutes": 1}}),
        ("faults/set", {"kind": "slow", "settings": []}),
        ("faults/set", {"kind": "stall", "operation": "Nothing"}),
        ("faults/set", {"kind": "stall", "operation": 5}),
        ("faults/set", b"{"),
        ("faults/set", b"[]"),
    ],
)
async def test_bad_orders_are_refused_with_a_reason(act, sandbox, name, value):
    status, told = await act(name, value)
    assert (status, sorted(told)) == (400, ["error"])
    assert not sandbox.faults


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8080"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "[::1"},
        {"Host": "192.0.2.1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {OWN_HEADER: "0"},
    ],
    ids=str,
)
async def test_foreign_pages_change_nothing(act, sandbox, headers):
    before = sandbox.clock.now()
    status, _ = await act("clock/advance", {"days": 1}, **headers)
    assert status == 403
    assert (sandbox.clock.now() - before).days == 0


async def test_a_form_of_a_foreign_page_changes_nothing(act, sandbox):
    status, _ = await act("clock/advance", {"days": 1}, **{"Content-Type": "text/plain"})
    assert status == 415


async def test_a_preflight_is_not_granted(session, sandbox):
    url = f"{sandbox.url}/_inspector/clock/advance"
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    async with session.options(url, headers=asked) as answer:
        assert answer.status == 403
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example"])
async def test_foreign_names_read_nothing(session, sandbox, host):
    for name in ("/", "/_inspector/state", "/_inspector/requests/0"):
        headers = {"Host": host, "Accept": "text/html"}
        async with session.get(sandbox.url + name, headers=headers) as answer:
            assert answer.status == 403


async def test_an_address_will_do_where_any_host_is_allowed(session):
    async with Sandbox(cards=20, host="0.0.0.0", allow_any_host=True) as sandbox:
        url = f"{sandbox.url}/_inspector/state"
        async with session.get(url, headers={"Host": "192.0.2.1:8080"}) as answer:
            assert answer.status == 200
        async with session.get(url, headers={"Host": "evil.example"}) as answer:
            assert answer.status == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/_inspector/nothing", 404),
        ("GET", "/_inspector/../app.py", 404),
        ("GET", "/_inspector/requests/x", 400),
        ("GET", "/_inspector/requests/7", 400),
        ("GET", "/_inspector/state?since=x", 400),
        ("GET", "/_inspector/cards?kind=x", 400),
        ("POST", "/_inspector/state", 405),
        ("DELETE", "/_inspector/clock/advance", 405),
        ("GET", "/_inspector/clock/advance", 404),
        ("GET", "/explain", 405),
        ("POST", "/openapi.json", 405),
    ],
)
async def test_what_is_not_there(session, sandbox, method, path, status):
    async with session.request(method, sandbox.url + path) as answer:
        assert answer.status in (status, 404 if ".." in path else status)
        assert "error" in await answer.json() or ".." in path


async def test_only_the_latest_requests_can_be_opened(session):
    async with Sandbox(cards=20, keep_requests=2) as sandbox:
        for _ in range(3):
            await (await session.get(f"{sandbox.url}/x")).read()
        shown = []
        for index in range(3):
            async with session.get(f"{sandbox.url}/_inspector/requests/{index}") as answer:
                shown.append(answer.status)
    assert shown == [400, 200, 200]
