"""Recharge messages: forged, altered, repeated, early, late, hostile. Section H of the catalogue."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pushes import FIELDS, ICCID, KEY, KEY_ID, Granting, headers_for, receiver, signed, signed_text

from linksfield_async import Client, Sandbox
from linksfield_async.errors import (
    BadSignature,
    DuplicateKeys,
    MalformedNotification,
    NotificationError,
    NotificationMismatch,
    OrderNotVisible,
    StaleNotification,
)
from linksfield_async.notifications import (
    Authenticity,
    Expected,
    Limits,
    MemoryInbox,
    SignatureScheme,
)
from linksfield_async.notifications import receiver as receiver_room
from linksfield_async.notifications import signature as signature_room
from linksfield_async.notifications.learning import schemes
from linksfield_async.notifications.parsing import read_body

# Each decoding of this key gives other bytes, and each is possible.
ANY_KEY = "5ec7e7ab12345678"
SCHEMES = [one for one in schemes() if one.algorithm == "HMAC-SHA1"]


def accepted(body: bytes, headers: Any, **how: Any) -> bool:
    try:
        receiver(**how)[0].verify(body, headers)
    except NotificationError:
        return False
    return True


def telling_message(scheme: SignatureScheme) -> tuple[bytes, Any]:
    """A message whose digest tells the two kinds of Base64 apart; not every one does."""
    for number in range(100):
        stamp = str(int(time.time() * 1000) - number)
        plain = signed(key=ANY_KEY, scheme=attrs.evolve(scheme, output="base64"), stamp=stamp)
        if {"+", "/"} & set(dict(plain[1])["x-lf-signature"].partition("/")[2]):
            return signed(key=ANY_KEY, scheme=scheme, stamp=stamp)
    raise AssertionError("no digest tells")


def test_h01_a_message_is_accepted_by_exactly_one_scheme() -> None:
    for scheme in SCHEMES[::7]:
        body, headers = telling_message(scheme)
        fitting = [
            other
            for other in SCHEMES
            if accepted(body, headers, keys={KEY_ID: ANY_KEY}, scheme=other)
        ]
        assert fitting == [scheme]


def altered(data: bytes) -> list[bytes]:
    """Every single bit flipped."""
    return [
        data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]
        for at in range(len(data))
        for bit in range(8)
    ]


def test_h02_no_bit_of_the_body_can_be_changed() -> None:
    body, headers = signed({"note": "x" * 800})
    assert len(body) >= 1000
    one, _ = receiver()
    one.verify(body, headers)
    for other in altered(body):
        # What is no JSON object any more, or doubles a key, is told as that.
        with pytest.raises((BadSignature, MalformedNotification)) as caught:
            one.verify(other, headers)
        readable = not isinstance(caught.value, MalformedNotification)
        assert readable == parses(other)


def parses(body: bytes) -> bool:
    try:
        read_body(body, Limits())
    except MalformedNotification:
        return False
    return True


@pytest.mark.parametrize("number", range(4))
def test_h02_no_bit_of_a_header_can_be_changed(number: int) -> None:
    body, headers = signed()
    one, _ = receiver(max_age=1e12, max_ahead=1e12, inbox=MemoryInbox(keep=1e13))
    name, value = headers[number]
    for other in altered(value.encode()):
        changed = [*headers]
        changed[number] = (name, other.decode("latin-1"))
        with pytest.raises(BadSignature):
            one.verify(body, changed)


async def test_h02_every_alteration_has_the_same_answer() -> None:
    body, headers = signed()
    one, _ = receiver()
    told = {
        await one.handle(body.replace(b"4.99", b"0.99"), headers, Granting()),
        await one.handle(body, [*headers[:-1], ("x-lf-signature", "other/0000")], Granting()),
        await one.handle(body, [*headers[:-1], ("x-lf-signature", f"{KEY_ID}/00")], Granting()),
        await one.handle(body, [("x-lf-notification-version", "2.0"), *headers[1:]], Granting()),
    }
    assert [answer.status for answer in told] == [401]


def test_h03_blanks_and_order_do_not_matter() -> None:
    nested = {**FIELDS, "list": [{"b": 1, "a": 2}], "text": " two  blanks "}
    headers = headers_for(nested)
    turned = dict(reversed(nested.items()))
    for text in (
        json.dumps(turned, separators=(",", ":")),
        json.dumps(nested, indent=4),
        "\r\n\t " + json.dumps(turned, separators=(" ,\n", " :\t")) + "\n",
    ):
        assert accepted(text.encode(), headers)
    inner = {**nested, "list": [{"a": 2, "b": 1}]}
    assert not accepted(json.dumps(inner).encode(), headers)
    assert not accepted(json.dumps(nested).replace("  ", " ").encode(), headers)


SPELLINGS = [
    ('{"n":12.30}', '{"n":12.3}'),
    ('{"n":1.0}', '{"n":1}'),
    ('{"n":1E+2}', '{"n":100}'),
    ('{"n":1e2}', '{"n":1E2}'),
    ('{"n":{"m":1.10}}', '{"n":{"m":1.1}}'),
    ('{"n":89852420180910340793}', '{"n":8.9852420180910340793E+19}'),
    ('{"n":0.1234567890123456789}', '{"n":0.12345678901234568}'),
    ('{"n":"\\u4e2d"}', '{"n":"中"}'),
    ('{"n":"中"}', '{"n":"\\u4e2d"}'),
    ('{"n":"a\\/b"}', '{"n":"a/b"}'),
    ('{"n":"\\u003c"}', '{"n":"<"}'),
    ('{"n":{"b":1,"a":2}}', '{"n":{"a":2,"b":1}}'),
    ('{"n":null}', "{}"),
    ('{"n":"\\ud800"}', '{"n":"?"}'),
]


@pytest.mark.parametrize(("as_signed", "altered"), SPELLINGS)
def test_h04_spellings_stay_as_they_were_signed(as_signed: str, altered: str) -> None:
    """The canonical text equals the sender's, digit for digit and escape for escape."""
    body, headers = signed_text(as_signed, canonical=as_signed)
    assert accepted(body, headers)
    assert not accepted(altered.encode(), headers)
    unsorted = f'{{"z":"\\u4e2d",{as_signed[1:]}'
    ordered = f'{as_signed[:-1]},"z":"\\u4e2d"}}'
    assert accepted(*signed_text(unsorted, canonical=ordered))


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"a":1,"\\u0061":2}',
        '{"a":{"b":1,"b":2}}',
        '{"a":[{"b":1,"b":1}]}',
    ],
)
async def test_h05_keys_that_stand_twice(text: str) -> None:
    body, headers = signed_text(text, canonical=text)
    one, _ = receiver(accept_unsigned=True)
    with pytest.raises(DuplicateKeys):
        one.verify(body, headers)
    handler = Granting()
    assert (await one.handle(body, headers, handler)).status == 400
    assert (await one.handle(body, [], handler)).status == 400
    assert handler.calls == 0


HOSTILE = [
    pytest.param(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="deep"),
    pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="deep objects"),
    pytest.param(b'{"a":' + b"[" * 100_000, id="deep, open"),
    pytest.param(b"{" + b",".join(b'"%d":1' % n for n in range(100_000)) + b"}", id="many members"),
    pytest.param(b'{"a":' + b"9" * 5_000 + b"}", id="5,000 digits"),
    pytest.param(b'{"a":0.' + b"9" * 5_000 + b"}", id="5,000 places"),
    pytest.param(b'{"a":1e' + b"9" * 40 + b"}", id="no exponent"),
    pytest.param(b'{"a":NaN}', id="NaN"),
    pytest.param(b'{"a":-Infinity}', id="infinity"),
    pytest.param(b'\xef\xbb\xbf{"a":1}', id="BOM"),
    pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
    pytest.param(b'{"a":"\xff"}', id="not UTF-8"),
    pytest.param(b"", id="empty"),
    pytest.param(b" ", id="blank"),
    pytest.param(b"[]", id="list"),
    pytest.param(b'"text"', id="text"),
    pytest.param(b"null", id="null"),
    pytest.param(b'{"a":1}{"b":2}', id="two"),
    pytest.param(b'{"a":1,}', id="comma"),
    pytest.param(b'{"a" 1}', id="no colon"),
    pytest.param(b'{"a":01}', id="zero"),
    pytest.param(b'{"a":"\n"}', id="line end in text"),
    pytest.param(b'{"a":1', id="open"),
    pytest.param(b"{a:1}", id="no quotes"),
    pytest.param(b'{"a":"' + b'\\"' * 500_000, id="a text of quotes, open"),
    pytest.param(b'{"a":"' + b'\\"' * 500_000 + b"\\", id="a text of quotes, open, escape"),
    pytest.param(b"orderNo=1&payAmount=4.99", id="form"),
    pytest.param(b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--", id="parts"),
]


@pytest.mark.parametrize("body", HOSTILE)
async def test_h07_what_is_no_message(body: bytes) -> None:
    one, _ = receiver(limits=Limits(body=10**7), accept_unsigned=True)
    handler = Granting()
    _, headers = signed()
    for carried in (headers, []):
        assert (await one.handle(body, carried, handler)).status == 400
    usual, _ = receiver(accept_unsigned=True)
    assert (await usual.handle(body, [], handler)).status in (400, 413)
    assert handler.calls == 0


def replaced(headers: Any, name: str, *values: str) -> Any:
    kept = [pair for pair in headers if pair[0] != name]
    return [*kept, *((name, value) for value in values)]


@pytest.mark.parametrize(
    "name", ["x-lf-notification-version", "x-lf-algo", "x-lf-timestamp", "x-lf-signature"]
)
async def test_h08_headers_missing_doubled_or_spoilt(name: str) -> None:
    body, headers = signed()
    value = dict(headers)[name]
    one, _ = receiver()
    handler = Granting()
    for values in (
        (),
        (value, value),
        (value, "x"),
        ("",),
        (" ",),
        (f"{value}, {value}",),
        (f"{value},{value}",),
        ("é" * 10,),
        ("a" * 65_536,),
        (f"{value}\r\nx: y",),
        (f" {value}",),
    ):
        answer = await one.handle(body, replaced(headers, name, *values), handler)
        assert answer.status in (400, 401), values
    assert handler.calls == 0
    shouted = [(wire.upper(), given) for wire, given in headers]
    as_bytes = [(wire.encode(), given.encode()) for wire, given in headers]
    assert accepted(body, shouted)
    assert accepted(body, as_bytes)
    assert accepted(body, dict(headers))


@pytest.mark.parametrize("algorithm", ["md5", "none", "HMAC-SHA256", " HMAC-SHA1", "HMAC-MD5", "*"])
def test_h09_the_header_chooses_no_algorithm(algorithm: str) -> None:
    body, headers = signed(algorithm=algorithm)
    assert not accepted(body, headers)
    strong = SignatureScheme(algorithm="HMAC-SHA256")
    assert not accepted(body, headers, scheme=strong) or algorithm == "HMAC-SHA256"
    assert not accepted(*signed(algorithm="HMAC-SHA256", scheme=strong))
    assert not accepted(*signed(algorithm="HMAC-SHA1"), scheme=strong)


def test_h09_its_case_is_free_as_long_as_it_is_signed() -> None:
    body, headers = signed(algorithm="hmac-sha1")
    assert accepted(body, headers)
    assert not accepted(body, replaced(headers, "x-lf-algo", "HMAC-SHA1"))


async def test_h10_keys_are_exchanged_under_load() -> None:
    """New and old value hold together for a while, so that no valid message is refused."""
    one, events = receiver(keys={KEY_ID: "old"})
    handler, key, ended = Granting(), "old", False

    async def send() -> None:
        number = 0
        while not ended:
            body, headers = signed({"orderNo": str(number)}, key=key)
            assert (await one.handle(body, headers, handler)).status == 200
            number += 1
            await asyncio.sleep(0)

    sending = asyncio.create_task(send())
    await asyncio.sleep(0.02)
    one.replace_keys({KEY_ID: ["old", "new"], "another": "x"})
    await asyncio.sleep(0.02)
    key = "new"
    await asyncio.sleep(0.02)
    one.replace_keys({KEY_ID: "new"})
    await asyncio.sleep(0.02)
    ended = True
    await sending
    assert {event.kind for event in events} == {"taken"}
    assert not accepted(*signed(key_id="unknown"))
    with pytest.raises(BadSignature):
        one.verify(*signed(key="old"))


HOUR = 3600.0


@pytest.mark.parametrize(
    ("stamp", "fresh"),
    [
        ("0", True),
        (-24 * HOUR, True),
        (-26 * HOUR, False),
        (300.0, True),
        (HOUR, False),
        ("seconds", False),
        ("-1700000000000", False),
        ("1" + "0" * 30, False),
        ("1" + "0" * 18, False),
        ("yesterday", False),
        ("1.7e12", False),
        ("１７００００００００００", False),
    ],
)
def test_h11_the_window_of_time(stamp: float | str, fresh: bool) -> None:
    now = 1_800_000_000.0
    if stamp == "0":
        stamp = 0.0
    if stamp == "seconds":
        given = str(int(now))
    else:
        given = str(int((now + stamp) * 1000)) if isinstance(stamp, float) else stamp
    one, _ = receiver(clock=lambda: now)
    body, headers = signed(stamp=given)
    if fresh:
        assert one.verify(body, headers).authenticity is Authenticity.SIGNED
    else:
        with pytest.raises((StaleNotification, BadSignature)) as caught:
            one.verify(body, headers)
        assert isinstance(caught.value, StaleNotification) or not given.isascii()


async def test_h13_a_resend_runs_nothing() -> None:
    one, events = receiver()
    handler = Granting()
    for number in range(5):
        changes = {"transactionId": f"t-{number}", "timestamp": str(number)}
        answer = await one.handle(*signed(changes, stamp=None), handler)
        assert answer.status == 200
    assert handler.calls == 1
    assert [event.kind for event in events] == ["taken", *["repeated"] * 4]
    await one.handle(*signed({"orderNo": "another"}), handler)
    assert handler.calls == 2


async def test_h13_without_an_order_nothing_is_taken_for_a_resend() -> None:
    """Where nothing else tells events apart, the transaction does."""
    one, _ = receiver()
    handler = Granting()
    nameless: dict[str, Any] = {"orderNo": None, "requestOrderId": "", "payId": None}
    for number in range(3):
        await one.handle(*signed({**nameless, "transactionId": f"t-{number}"}), handler)
    assert handler.calls == 3


async def test_h13_an_unsigned_forgery_does_not_stand_in_for_the_signed_message() -> None:
    one, _ = receiver(accept_unsigned=True)
    handler = Granting()
    body, headers = signed()
    assert (await one.handle(body, [], handler)).status == 200
    assert (await one.handle(body, headers, handler)).status == 200
    assert [notice.authenticity.value for notice in handler.notices] == ["unsigned", "signed"]


async def test_h14_a_handler_that_raises_runs_again() -> None:
    one, events = receiver()
    handler = Granting(failures=2)
    answers = [(await one.handle(*signed(), handler)).status for _ in range(4)]
    assert answers == [500, 500, 200, 200]
    assert [event.kind for event in events] == ["failed", "failed", "taken", "repeated"]


async def test_h14_a_handler_that_hangs_is_ended_before_its_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(receiver_room, "_HANDLER_SHARE", 0.02)
    one, _ = receiver(lease=5.0)
    running = most = 0
    hang = True

    async def handler(_: object) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            if hang:
                await asyncio.sleep(30)
        finally:
            running -= 1

    first, second = await asyncio.gather(
        one.handle(*signed(), handler), one.handle(*signed(), handler)
    )
    assert {first.status, second.status} == {500}
    hang = False
    assert (await one.handle(*signed(), handler)).status == 200
    assert most == 1


@pytest.fixture
async def shop() -> Any:
    async with Sandbox(cards=100) as sandbox, Client(sandbox.account) as client:
        yield sandbox, client


async def buy(sandbox: Sandbox, client: Client, **changes: Any) -> Expected:
    """Place an order that is paid elsewhere, and give the own record of it."""
    plan = sandbox.world.plans[0]
    record = Expected(
        iccid=changes.pop("iccid", next(sandbox.world.iccids("valid"))),
        plan=plan.name,
        amount=Decimal(plan.price),
        currency=plan.currency,
        order_id="NO1",
        purchase_order_id="R1",
    )
    record = attrs.evolve(record, **changes)
    await client.vshop.create_paid_order(
        iccid=record.iccid,
        package_code=plan.package_code,
        service_plan_code=plan.code,
        service_plan_show_name=plan.name,
        order_period="1",
        order_no=str(record.order_id),
        pay_id=f"P{record.order_id}",
        request_order_id=record.purchase_order_id,
        pay_amount=record.amount,
        pay_currency=record.currency,
        pay_unit=record.amount,
        settle_price=record.amount,
        pay_account="1",
        pay_type="3",
        pay_status="1",
        pay_rst="SUCCESS",
        pay_result_date="2026-01-01 08:00:00",
        transaction_id="T1",
    )
    return record


def notice_of(sandbox: Sandbox, number: int = -1, **changes: Any) -> Any:
    """The message about an order as the sandbox signs it, received."""
    fields = {**sandbox.notifications.fields_of(sandbox.world.orders[number]), **changes}
    push = sandbox.notifications.push(fields)
    one, _ = receiver(keys={"sandbox": "sandbox notification key"})
    return one.verify(push.body, push.headers)


async def test_h16_a_push_before_the_order_can_be_seen(shop: Any) -> None:
    sandbox, client = shop
    async with Sandbox(cards=100) as ahead, Client(ahead.account) as other:
        record = await buy(ahead, other)
        early = notice_of(ahead)
    with pytest.raises(OrderNotVisible):
        await early.confirm(client, record)

    asked: list[str] = []

    class Late:
        """A client for which the order comes into sight at the third question."""

        vshop, payment = client.vshop, client.payment
        orders: Any

    async def get(**keys: Any) -> Any:
        asked.append(str(keys))
        if len(asked) == 3:
            await buy(sandbox, client)
        return await client.orders.get(**keys)

    Late.orders = type("Orders", (), {"get": staticmethod(get)})
    from linksfield_async.notifications import confirming

    confirming_pause = confirming._FIRST_PAUSE
    confirming._FIRST_PAUSE = 0.01
    try:
        done = await early.confirm(Late(), record, patience=5.0)
    finally:
        confirming._FIRST_PAUSE = confirming_pause
    assert done.authenticity is Authenticity.CONFIRMED
    assert len(asked) == 3


async def test_h16_pushes_out_of_order_end_in_the_right_state(shop: Any) -> None:
    """Each is confirmed by what the service says now, not by what the message says happened."""
    sandbox, client = shop
    first = await buy(sandbox, client)
    second = await buy(sandbox, client, order_id="NO2", purchase_order_id="R2")
    records = {"NO1": first, "NO2": second}
    granted: list[str] = []
    one, _ = receiver(keys={"sandbox": "sandbox notification key"})

    async def grant(notice: Any) -> None:
        done = await notice.confirm(client, records.get(notice.order_id))
        granted.append(done.order_id)

    for number in (1, 0, 1):
        fields = sandbox.notifications.fields_of(sandbox.world.orders[number])
        push = sandbox.notifications.push(fields)
        assert (await one.handle(push.body, push.headers, grant)).status == 200
    assert granted == ["NO2", "NO1"]


async def test_h16_an_early_push_is_sent_again(shop: Any) -> None:
    sandbox, client = shop
    record = await buy(sandbox, client)
    order = sandbox.world.orders[-1]
    one, events = receiver(keys={"sandbox": "sandbox notification key"})
    known: dict[str, Expected] = {}
    granted: list[str] = []

    async def grant(notice: Any) -> None:
        if notice.order_id not in known:
            raise OrderNotVisible("our own call has not returned yet")
        granted.append((await notice.confirm(client, known[notice.order_id])).order_id)

    def push() -> Any:
        return sandbox.notifications.push(sandbox.notifications.fields_of(order))

    early = push()
    assert (await one.handle(early.body, early.headers, grant)).status == 503
    known["NO1"] = record
    again = push()
    assert (await one.handle(again.body, again.headers, grant)).status == 200
    assert granted == ["NO1"]
    assert [event.kind for event in events] == ["failed", "taken"]


@pytest.mark.parametrize("with_payment", [True, False])
async def test_h16_the_order_is_shown_as_unpaid_yet(shop: Any, with_payment: bool) -> None:
    """No alarm: the message comes again, and then the order is shown as paid."""
    sandbox, client = shop
    bought = await buy(sandbox, client)
    record = bought if with_payment else attrs.evolve(bought, pay_id=None)
    order = sandbox.world.orders[-1]
    fields = sandbox.notifications.fields_of(order)
    paid, order.start = order.start, None
    one, events = receiver(keys={"sandbox": "sandbox notification key"})
    granted: list[Any] = []

    async def grant(notice: Any) -> None:
        granted.append(await notice.confirm(client, record))

    def push() -> Any:
        return sandbox.notifications.push(fields)

    early = push()
    assert (await one.handle(early.body, early.headers, grant)).status == 503
    assert granted == []
    order.start = paid
    again = push()
    assert (await one.handle(again.body, again.headers, grant)).status == 200
    assert len(granted) == 1
    assert [event.kind for event in events] == ["failed", "taken"]


async def test_h17_an_order_that_is_not_ours_grants_nothing(shop: Any) -> None:
    sandbox, client = shop
    await buy(sandbox, client)
    one, events = receiver(accept_unsigned=True)
    granted: list[Any] = []

    async def grant(notice: Any) -> None:
        assert notice.authenticity is Authenticity.UNSIGNED
        known = {"NO9": None}
        granted.append(await notice.confirm(client, known.get(notice.order_id)))

    fields = sandbox.notifications.fields_of(sandbox.world.orders[-1])
    for number in ("NO9", "someone else's"):
        body = json.dumps({**fields, "orderNo": number}).encode()
        assert (await one.handle(body, [], grant)).status == 409
    assert granted == []
    assert [event.kind for event in events] == ["alarm", "alarm"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("payAmount", "0.01"),
        ("payAmount", "much"),
        ("payCurrency", "IDR"),
        ("orderNo", "NO2"),
        ("deviceCode", "89852000000000000001"),
        ("servicePlanShowName", "World, unlimited"),
    ],
)
async def test_h17_a_forged_message_of_valid_shape(shop: Any, name: str, value: str) -> None:
    sandbox, client = shop
    record = await buy(sandbox, client)
    before = sandbox.requests.total
    with pytest.raises(NotificationMismatch) as caught:
        await notice_of(sandbox, **{name: value}).confirm(client, record)
    assert len(caught.value.data) == 1
    assert value not in str(caught.value)
    assert sandbox.requests.total == before  # the own record is enough to tell


@pytest.mark.parametrize(
    ("what", "record"),
    [
        ("amount", {"amount": Decimal("1000.00")}),
        ("currency", {"currency": "IDR"}),
        ("iccid", {"iccid": "89852000000000000001"}),
        ("order_id", {"order_id": "NO7"}),
        ("plan", {"plan": "World, unlimited"}),
        ("status", {"statuses": ("7",)}),
        ("payment", {}),
    ],
)
async def test_h18_the_service_shows_something_else(
    shop: Any, what: str, record: dict[str, Any]
) -> None:
    """The message agrees with the own record; the service does not."""
    sandbox, client = shop
    expected = await buy(sandbox, client)
    body = b'{"requestOrderId":"R1"}'
    one, _ = receiver(accept_unsigned=True)
    notice = one.verify(body, [])
    confirmed = await notice.confirm(client, expected)
    assert confirmed.authenticity is Authenticity.CONFIRMED
    assert notice.authenticity is Authenticity.UNSIGNED
    if what == "payment":
        plan = sandbox.world.plans[0]
        card = expected.iccid
        await client.vshop.create_order(
            iccid=card, package_code=plan.package_code, service_plan_code=plan.code,
            service_plan_show_name=plan.name, order_period="1", pay_amount=plan.price,
            pay_currency=plan.currency, order_no="NO5", pay_id="P5", request_order_id="R5",
        )  # fmt: skip
        unpaid = attrs.evolve(expected, order_id="NO5", purchase_order_id="R5", pay_id="P5")
        with pytest.raises(OrderNotVisible):  # it may be paid in a moment
            await one.verify(b"{}", []).confirm(client, unpaid)
        with pytest.raises(NotificationMismatch, match="status"):
            await one.verify(b"{}", []).confirm(client, attrs.evolve(unpaid, not_yet=()))
        waiting = attrs.evolve(unpaid, statuses=("0",))
        with pytest.raises(OrderNotVisible):
            await one.verify(b"{}", []).confirm(client, waiting)
        return
    with pytest.raises(NotificationMismatch) as caught:
        await notice.confirm(client, attrs.evolve(expected, **record))
    assert what in caught.value.data


async def test_h18_what_the_service_does_not_show_confirms_nothing(shop: Any) -> None:
    sandbox, client = shop
    expected = await buy(sandbox, client)
    order = await client.orders.get(purchase_order_id="R1")
    one, _ = receiver(accept_unsigned=True)
    for name in ("iccid", "pay_amount", "pay_currency", "status"):
        shown = attrs.evolve(order, **{name: None})

        async def get(shown: Any = shown, **_: Any) -> Any:
            return shown

        orders = type("Orders", (), {"get": staticmethod(get)})
        asked = type("Asked", (), {"orders": orders, "vshop": client.vshop})
        with pytest.raises(NotificationMismatch, match="not shown"):
            await one.verify(b"{}", []).confirm(asked(), expected)


def test_h19_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nightly it is also measured; here that nothing else compares them."""
    compared: list[tuple[bytes, bytes]] = []
    original = hmac.compare_digest

    def compare(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return original(one, other)

    monkeypatch.setattr(signature_room.hmac, "compare_digest", compare)
    for key_id, values in ((KEY_ID, 2), ("unknown", 1)):
        compared.clear()
        body, headers = signed(key_id=key_id)
        accepted(body, headers, keys={KEY_ID: [KEY, "another"]})
        assert len(compared) == values  # all of them, whichever fits
    source = Path(signature_room.__file__).read_text(encoding="utf-8")
    assert "signature ==" not in source
    assert "== stamp.signature" not in source


def test_h19_near_and_far_signatures_are_refused_alike() -> None:
    body, headers = signed()
    one, _ = receiver()
    right = dict(headers)["x-lf-signature"]
    near, far = right[:-1] + ("0" if right[-1] != "0" else "1"), right[:-40] + "0" * 40
    told = set()
    for signature in (near, far):
        with pytest.raises(BadSignature) as caught:
            one.verify(body, replaced(headers, "x-lf-signature", signature))
        told.add(str(caught.value))
    assert len(told) == 1


LINES = ["\r\nERROR forged", "\x1b[31mred", "${jndi:ldap://x}", "\u202eturned", "a" * 10**6]


@pytest.mark.parametrize("text", LINES)
async def test_h22_hostile_texts_are_one_line(text: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="linksfield_async")
    one, events = receiver(limits=Limits(body=10**7), accept_unsigned=True)

    async def handler(notice: Any) -> None:
        raise RuntimeError(f"cannot grant {notice.order_id} {notice!r}")

    body = json.dumps({"orderNo": text, text: 1}).encode()
    await one.handle(body, [], handler)
    await one.handle(body, [("x-lf-algo", text), ("x-lf-signature", text)], handler)
    await one.handle(*signed({"note": text}, key_id="k"), handler)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == len(events) >= 3
    for line in messages:
        assert line.isprintable()
        assert len(line) < 400


async def test_h22_nothing_personal_in_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="linksfield_async")
    one, events = receiver()

    async def handler(notice: Any) -> None:
        raise RuntimeError(f"{notice.iccid} {notice!r}")

    await one.handle(*signed(), handler)
    told = repr(events) + caplog.text
    assert ICCID not in told
    assert KEY not in told


LEAVES = st.none() | st.booleans() | st.integers(-(10**40), 10**40) | st.text(max_size=20)
FLAT = st.lists(LEAVES, max_size=4) | st.dictionaries(st.text(max_size=8), LEAVES, max_size=4)
JSON = LEAVES | FLAT | st.lists(FLAT, max_size=3) | st.dictionaries(st.text(max_size=8), FLAT)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=8))
@settings(max_examples=100, deadline=None)
def test_h23_slices_equal_the_reference(value: dict[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    body = read_body(text.encode(), Limits(body=10**6))
    expected = {name: value[name] for name in sorted(value)}
    assert body.sorted_text() == json.dumps(expected, ensure_ascii=True, separators=(",", ":"))


@given(st.binary(max_size=200), st.lists(st.tuples(st.text(), st.text(max_size=50)), max_size=4))
@settings(max_examples=300, deadline=None)
def test_h23_only_declared_errors_escape(body: bytes, headers: list[tuple[str, str]]) -> None:
    one, _ = receiver()
    names = ["x-lf-notification-version", "x-lf-algo", "x-lf-timestamp", "x-lf-signature"]
    known = [(name, value) for name, (_, value) in zip(names, headers, strict=False)]
    for given_headers in (headers, known):
        with pytest.raises(NotificationError):
            one.verify(body, given_headers)


SECRET = "a-secret-of-the-path_0123"


@pytest.mark.parametrize(
    "path",
    [
        "/push/",
        f"/push/{SECRET[:-1]}",
        f"/push/{SECRET}x",
        f"/push/{SECRET.upper()}",
        f"/push/{SECRET}/",
        f"/push/{SECRET[:-1]}%33",
        "/push/%2e",
        f"/push/x{SECRET}",
        "",
        f"/push/{SECRET}%00",
        f"/push/{SECRET};x",
    ],
)
async def test_h24_another_path_is_not_found(path: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="linksfield_async")
    one, events = receiver(keys={}, accept_unsigned=True, path_secret=SECRET)
    read = False

    async def chunks() -> Any:
        nonlocal read
        read = True
        yield b"{}"

    handler = Granting()
    assert (await one.receive(path, [], chunks(), handler)).status == 404
    assert (handler.calls, read) == (0, False)
    assert (await one.receive(f"/prefix/push/{SECRET}", [], chunks(), handler)).status == 200
    told = caplog.text + repr(events) + repr(one)
    assert SECRET not in told


def test_h24_the_path_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    original = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(len(other))
        return original(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    one, _ = receiver(path_secret=SECRET)
    for path in ("", "/x", f"/{SECRET}", "/" + "x" * 1000):
        one.precheck(path, [])
    assert compared == [32] * 4
