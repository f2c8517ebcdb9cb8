"""Answers that no service should give, A01 to A17: what is concluded, and how often it was asked."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import re
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
import transports
from servers import RawServer, Seen

from linksfield_async import OPERATIONS, Account, Client, Effect, Options
from linksfield_async.errors import (
    BadAnswer,
    InvalidInput,
    LinksfieldError,
    MismatchedAnswer,
    OutcomeUnknown,
    Refused,
    ResponseTooLarge,
    Throttled,
    UnexpectedRedirect,
)
from linksfield_async.operation import Model, Operation, result_model, wire_fields
from linksfield_async.operations import (
    CancelAutoRenewalRecord,
    ListGroups,
    ListGroupSims,
    QueryAutoRenewalRecord,
    ResultQuery,
    SingleOrder,
    SingleQueryOrder,
    SingleServicePlanPage,
    SingleVerify,
    StripePay,
    StripeSubDirectly,
    SynOrderInfo,
)
from linksfield_async.pipeline import Pipeline, Shared
from linksfield_async.resilience import pauses
from linksfield_async.resilience.clock import Clock

pytestmark = pytest.mark.usefixtures("both")

CARD = "89852420180910340793"
OTHER = "89852420180910340801"
MANY = 3
"""Attempts of what may be repeated."""
SLOW = 5.0
"""Seconds: far more than any answer may cost, far less than one that costs without bound."""


def filled(kind: type[Operation[Any]]) -> Operation[Any]:
    """An operation with every field set."""
    values: dict[str, Any] = {field.python: "1" for field in wire_fields(kind)}
    if "iccid" in values:
        values["iccid"] = CARD
    if "iccids" in values:
        values["iccids"] = [CARD]
    return kind(**values)


VERIFY = SingleVerify(iccid=CARD)
ORDER = filled(SingleOrder)
PAID_ORDER = filled(SynOrderInfo)
CREATED = {"deviceCode": CARD, "orderNo": "1", "payId": "1", "partnerCode": "P1"}
CARD_ORDER = {
    "orderStatus": "2",
    "servicePlanShowName": "Europe",
    "time": "1",
    "unit": "2",
    "remainingDays": "12",
}
RENEWAL = CREATED | {
    "orderPeriod": "1",
    "packageType": "1",
    "servicePlanShowName": "Europe",
    "subscriptionTime": "2024.07.31",
}

every_operation = pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
read_and_once = pytest.mark.parametrize("operation", [VERIFY, ORDER], ids=["read", "once"])


def success(data: Any) -> dict[str, Any]:
    return {"operateCode": "S", "message": "ok", "data": data}


def as_json(body: Any) -> bytes:
    return json.dumps(body).encode()


def wrote(content: bytes, *head: str) -> bytes:
    lines = "".join(f"{line}\r\n" for line in (*head, f"Content-Length: {len(content)}"))
    return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode() + content


def times(operation: Operation[Any] | type[Operation[Any]]) -> int:
    """How often an answer that proves nothing is asked for."""
    return 1 if operation.effect is Effect.ONCE else MANY


def check_text(error: LinksfieldError) -> None:
    """One printable line, cut, that shows no card."""
    text = str(error)
    assert text.isprintable()
    assert 0 < len(text) <= 200
    assert CARD not in text
    assert OTHER not in text


async def raised(client: Client, operation: Operation[Any]) -> LinksfieldError:
    with pytest.raises(LinksfieldError) as caught:
        await client.send(operation)
    check_text(caught.value)
    return caught.value


async def result_or_error(client: Client, operation: Operation[Any]) -> Any:
    """What came of a call, where either will do: nothing else may be raised."""
    try:
        return await client.exchange(operation)
    except LinksfieldError as error:
        check_text(error)
        return error


@pytest.fixture(autouse=True)
def brief_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat soon; how long pauses are is tested elsewhere."""
    monkeypatch.setattr(pauses, "FIRST", 0.002)


@pytest.fixture
def single(client: Client) -> Client:
    """A client that asks once."""
    return client.with_options(attempts=1)


@attrs.define
class Skipping:
    """A clock that skips pauses and keeps them; it starts at a full second."""

    seconds: float = 1_000.0
    epoch: float = 1_700_000_000.0
    slept: list[float] = attrs.field(factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        self.epoch += seconds

    def clock(self) -> Clock:
        return Clock(
            now_ms=lambda: round(self.epoch * 1000),
            monotonic=lambda: self.seconds,
            sleep=self.sleep,
            random=lambda: 0.5,
        )

    def http_date(self, offset: float) -> str:
        return format_datetime(datetime.fromtimestamp(self.epoch + offset, UTC), usegmt=True)


@asynccontextmanager
async def skipping(account: Account, clock: Skipping, **options: Any) -> AsyncIterator[Pipeline]:
    """A pipeline over real sockets whose pauses take no time."""
    transport = transports.transport()
    try:
        shared = Shared(account=account, transport=transport, clock=clock.clock())
        yield Pipeline(shared, Options(**options))
    finally:
        await transport.close()


# A01: a page instead of an answer

PORTAL = (
    b"<!DOCTYPE html>\r\n<title>Sign in to Hotel WLAN</title>\x1b[31m\x00 guest@example.com "
    + CARD.encode()
    + b"<p>free of charge</p>" * 2_000
)


@every_operation
@pytest.mark.parametrize("labelled", ["text/html; charset=gbk", "application/json"])
async def test_a01_a_page_is_no_answer(
    client: Client, server: RawServer, kind: type[Operation[Any]], labelled: str
) -> None:
    """A captive portal is a BadAnswer with its status and a masked extract; once stays once."""
    server.answers(PORTAL, headers={"Content-Type": labelled})
    error = await raised(client, filled(kind))
    assert type(error) is BadAnswer
    assert (error.status, error.carried_out) == (200, None)
    assert "Sign in to Hotel WLAN" in str(error)
    assert "guest@example.com" not in str(error)
    assert len(server.seen) == error.attempts == times(kind)


async def test_a01_behind_a_portal_no_card_is_valid(client: Client, server: RawServer) -> None:
    """A batch behind a captive portal learns nothing of any card."""
    server.answers(PORTAL)
    cards = [f"8985242018091034{n:04}" for n in range(10)]
    outcomes = [outcome async for outcome in client.verify_many(cards)]
    assert sorted(str(outcome.iccid) for outcome in outcomes) == cards
    assert {outcome.verdict for outcome in outcomes} == {"unknown"}
    assert len(server.seen) == MANY * len(cards)


# A02: JSON that is no answer, and bodies that are no JSON

GOOD = as_json(success(CREATED))
NO_ANSWERS = (
    b"", b" \r\n", b"null", b"[]", b"{}", b'"text"', b'""', b"0", b"true", b"[null]", b"[[]]",
    GOOD + b" x", GOOD + GOOD, GOOD + b"\0", GOOD[:-1], b'"S"', b"{'operateCode': 'S'}",
    b'{"operateCode":"S","data":{}}}', b"\x00", b")]}',\n" + GOOD,
)  # fmt: skip
DOCUMENTED_EMPTY: dict[type[Operation[Any]], set[bytes]] = {
    QueryAutoRenewalRecord: {b"null", b"{}", b"[]"},
    CancelAutoRenewalRecord: {b"{}"},
    SingleServicePlanPage: {b"[]"},
    ListGroups: {b"[]"},
    ListGroupSims: {b"[]"},
}
"""What the operations' own pages say of nothing: no renewal, cancelled, an empty bare list."""


@every_operation
async def test_a02_what_says_nothing_is_a_bad_answer(
    single: Client, server: RawServer, kind: type[Operation[Any]]
) -> None:
    """Neither success nor an AttributeError, whatever JSON or half of it comes."""
    unclear = {b"null", b'""'} if kind is CancelAutoRenewalRecord else set()
    for body in set(NO_ANSWERS) - DOCUMENTED_EMPTY.get(kind, set()) - unclear:
        server.answers(body)
        error = await raised(single, filled(kind))
        assert type(error) is BadAnswer, body
        assert (error.status, error.carried_out) == (200, None), body


@pytest.mark.parametrize("body", [b"null", b'""'])
async def test_a02_nothing_does_not_prove_a_cancellation(
    single: Client, server: RawServer, body: bytes
) -> None:
    """Only the documented {} says that a renewal is cancelled."""
    server.answers(body)
    assert type(await raised(single, filled(CancelAutoRenewalRecord))) is BadAnswer


async def test_a02_a_refusal_in_a_list_is_no_plan(single: Client, server: RawServer) -> None:
    """A bare list counts only where its entries show a declared field."""
    server.answers([{"operateCode": "F", "message": "no such card", "data": None}])
    assert type(await raised(single, filled(SingleServicePlanPage))) is BadAnswer


async def test_a02_is_read_again_where_that_is_harmless(client: Client, server: RawServer) -> None:
    """A read gets its answer at the second attempt, an order is never sent again."""

    async def first_nothing(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(wrote(b"" if len(server.seen) == 1 else GOOD))

    server.answers_by(first_nothing)
    exchange = await client.exchange(VERIFY)
    assert (exchange.result.iccid, exchange.attempts) == (CARD, 2)
    server.seen.clear()
    assert type(await raised(client, ORDER)) is BadAnswer
    assert len(server.seen) == 1


# A03: labels and encodings


@pytest.mark.parametrize(
    "head",
    [
        (),
        ("Content-Type: text/plain",),
        ("Content-Type: text/html; charset=iso-8859-1",),
        ("Content-Type: application/json; charset=gbk",),
        ("Content-Type: application/json; charset=no-such-thing",),
        ("Content-Type: ;;;",),
    ],
    ids=lambda head: " ".join(head) or "none",
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
async def test_a03_utf8_is_read_whatever_the_label(
    single: Client, server: RawServer, head: tuple[str, ...], mark: bytes
) -> None:
    """What decides is the content: UTF-8, with or without a mark."""
    body = json.dumps(success(CREATED | {"name": "欧洲 é 😀"}), ensure_ascii=False).encode()
    server.answers_bytes(wrote(mark + body, *head))
    result = await single.send(VERIFY)
    assert result.iccid == CARD
    assert result.extra["name"] == "欧洲 é 😀"


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "gbk", "big5", "shift_jis"]
)
async def test_a03_another_encoding_is_a_clean_error(
    single: Client, server: RawServer, encoding: str
) -> None:
    """Never guessed, not even where the label names it."""
    body = json.dumps(success(CREATED | {"name": "中"}), ensure_ascii=False).encode(encoding)
    server.answers(body, headers={"Content-Type": f"application/json; charset={encoding}"})
    error = await raised(single, VERIFY)
    assert type(error) is BadAnswer
    assert re.search("not UTF-8|not JSON", str(error))


async def test_a03_two_marks_are_one_too_many(single: Client, server: RawServer) -> None:
    """One byte order mark is tolerated, no more."""
    server.answers(b"\xef\xbb\xbf" * 2 + GOOD)
    assert type(await raised(single, VERIFY)) is BadAnswer


# A04: the code of the envelope


@read_and_once
@pytest.mark.parametrize(
    "code",
    [None, "s", " S", "S ", "f", "", 0, 1, True, False, "SUCCESS", "FF", ["S"], {"S": 1}, 1.5,
     "Ｓ", "S\0", "x" * 10_000],
    ids=lambda code: repr(code)[:20],
)  # fmt: skip
async def test_a04_only_exactly_s_is_success(
    client: Client, server: RawServer, operation: Operation[Any], code: Any
) -> None:
    """Any other code is a BadAnswer that keeps the value, for an order without a second try."""
    server.answers(success(CREATED) | {"operateCode": code})
    error = await raised(client, operation)
    assert type(error) is BadAnswer
    assert "operateCode" in str(error)
    assert error.data["operateCode"] == code
    assert error.carried_out is None
    assert len(server.seen) == times(operation)


@pytest.mark.parametrize(
    ("operation", "body", "good"),
    [
        (ORDER, CREATED, True),
        (VERIFY, {"deviceCode": CARD}, True),
        (ORDER, {"message": "ok", "data": CREATED}, False),
        (VERIFY, {"data": {"deviceCode": CARD}}, False),
        (VERIFY, {"deviceCode": CARD, "message": "gateway error"}, False),
        (PAID_ORDER, {"message": "ok", "data": {}}, False),
        (PAID_ORDER, {}, False),
    ],
)
async def test_a04_without_a_code_the_bare_object_decides(
    client: Client, server: RawServer, operation: Operation[Any], body: Any, good: bool
) -> None:
    """Without an envelope only a declared field, and no word of an error, is a success."""
    server.answers(body)
    if good:
        assert (await client.send(operation)).iccid == CARD
    else:
        assert type(await raised(client, operation)) is BadAnswer
    assert len(server.seen) == (1 if good else times(operation))


# A05: envelope and status together

CELLS: list[tuple[str, int, type[LinksfieldError] | None, int, int]] = [
    # code, status, error, requests of a read, requests of an order
    ("S", 200, None, 1, 1),
    ("S", 201, None, 1, 1),
    ("S", 299, None, 1, 1),
    ("S", 301, UnexpectedRedirect, 1, 1),
    ("S", 400, BadAnswer, 3, 1),
    ("S", 404, BadAnswer, 3, 1),
    ("S", 429, BadAnswer, 3, 1),
    ("S", 500, BadAnswer, 3, 1),
    ("S", 503, BadAnswer, 3, 1),
    ("F", 200, Refused, 1, 1),
    ("F", 201, Refused, 1, 1),
    ("F", 302, UnexpectedRedirect, 1, 1),
    ("F", 400, Refused, 1, 1),
    ("F", 404, Refused, 1, 1),
    ("F", 408, Refused, 1, 1),
    ("F", 429, Throttled, 3, 3),
    ("F", 500, Refused, 1, 1),
    ("F", 503, Refused, 1, 1),
]


@pytest.mark.parametrize(("code", "status", "expected", "reads", "orders"), CELLS)
async def test_a05_each_cell_of_the_matrix(
    client: Client,
    server: RawServer,
    code: str,
    status: int,
    expected: type[LinksfieldError] | None,
    reads: int,
    orders: int,
) -> None:
    """Class, conclusion and number of requests, for a read and for an order."""
    server.answers(success(CREATED) | {"operateCode": code}, status=status)
    for operation, requests in ((VERIFY, reads), (ORDER, orders)):
        server.seen.clear()
        if expected is None:
            assert (await client.send(operation)).iccid == CARD
        else:
            error = await raised(client, operation)
            assert type(error) is expected
            assert error.status == status
            assert error.carried_out is (False if isinstance(error, Refused) else None)
            assert error.attempts == requests
        assert len(server.seen) == requests


# A06: refusals


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"message": "inner", "data": "QY-1"}, "outer: inner"),
        ({"message": "outer", "data": None}, "outer"),
        ({"message": ["not", "text"]}, "outer"),
        ({"data": {"message": "too deep"}}, "outer"),
        (None, "outer"),
        ([], "outer"),
        ([{"message": "x"}], "outer"),
        ("text", "outer"),
        (0, "outer"),
    ],
)
async def test_a06_a_refusal_keeps_its_data(
    client: Client, server: RawServer, data: Any, told: str
) -> None:
    """The whole of `data` stays, the text tells both messages, nothing is repeated."""
    server.answers({"operateCode": "F", "message": "outer", "data": data}, status=400)
    for operation in (VERIFY, PAID_ORDER):
        server.seen.clear()
        error = await raised(client, operation)
        assert type(error) is Refused
        assert error.data == data
        assert str(error).endswith(f"refused: {told}")
        assert error.needs_reconciliation is (operation is PAID_ORDER)
        assert error.carried_out is (None if operation is PAID_ORDER else False)
        assert len(server.seen) == 1


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """Log to a file as services do, UTF-8 and strict; what cannot be written fails the test."""

    def fail(_: logging.Handler, __: logging.LogRecord) -> None:
        raise  # noqa: PLE0704  # called by `emit` while it handles the error

    monkeypatch.setattr(logging.Handler, "handleError", fail)
    path = tmp_path / "service.log"
    handler = logging.FileHandler(path, encoding="utf-8", errors="strict")
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lambda: path.read_text("utf-8").split("\n")
    root.removeHandler(handler)
    root.setLevel(level)
    handler.close()


@pytest.mark.parametrize(
    "message",
    ["a\r\nERROR forged", "\x1b[2J\x1b[31mERROR", "a\u2028ERROR forged", "a\x85b\x00c\u202e",
     "x" * 100_000, "\r\n" * 50_000, f"card {CARD} refused"],
    ids=lambda text: repr(text)[:20],
)  # fmt: skip
@pytest.mark.parametrize("inner", [False, True], ids=["outer", "inner"])
async def test_a06_a_hostile_message_is_one_log_line(
    client: Client, server: RawServer, log: Callable[[], list[str]], message: str, inner: bool
) -> None:
    """No text of an answer starts a line of its own, moves the cursor or fills the disk."""
    data = {"message": message} if inner else None
    server.answers({"operateCode": "F", "message": "no" if inner else message, "data": data})
    error = await raised(client, VERIFY)
    logging.getLogger("shop").warning("%s", error)
    logging.getLogger("shop").warning("%r %s", error, json.dumps(error.as_json()))
    shop = [line for line in log() if line.startswith("WARNING")]
    assert len(shop) == 2
    assert all(line.isprintable() and len(line) < 1_500 for line in log())
    assert not any(line.startswith("ERROR") for line in log())
    assert not any(CARD in line for line in log())


# A07: fields too many, too few, or of another type


async def test_a07_what_is_not_declared_is_kept(single: Client, server: RawServer) -> None:
    """Unknown fields stay in `extra` at every level, and the whole answer in `raw`."""
    more = {"imsi": "454", "deep": {"a": [1, None, {"b": True}]}, "": "no name"}
    data = {"partnerCode": "P1", "deviceCode": CARD, "orderList": [CARD_ORDER | more], **more}
    server.answers(success(data) | {"traceId": "7"})
    exchange = await single.exchange(SingleQueryOrder(iccid=CARD))
    assert exchange.result.extra == more
    assert exchange.result.orders[0].extra == more
    assert exchange.raw["traceId"] == "7"


def good_data(model: type[Model]) -> dict[str, Any]:
    """Every required field of a model, by wire name."""
    data: dict[str, Any] = {f.wire.name: "1" for f in wire_fields(model) if f.required}
    return data | {
        name: value for name, value in (CREATED | {"orderList": []}).items() if name in data
    }


STRICT = [
    (kind, model, field.wire.name)
    for kind in OPERATIONS
    if (model := result_model(kind.result)) is not None
    for field in wire_fields(model)
    if field.required
]


@pytest.mark.parametrize(
    ("kind", "model", "name"), STRICT, ids=lambda value: getattr(value, "__name__", value)
)
async def test_a07_a_needed_field_is_named(
    single: Client,
    server: RawServer,
    kind: type[Operation[Any]],
    model: type[Model],
    name: str,
) -> None:
    """Missing, null or of another type: a BadAnswer that says which field, with the answer kept."""
    good = good_data(model)
    wrong: list[dict[str, Any]] = [good | {name: value} for value in (None, {}, True, [[]], 1.5)]
    wrong.append({key: value for key, value in good.items() if key != name})
    if name == "subscriptionTime":
        wrong = wrong[-1:]  # a date that is none is kept as it came
    for data in wrong:
        body = success([data] if kind is ListGroups else data)
        server.answers(body)
        error = await raised(single, filled(kind))
        assert type(error) is BadAnswer, data
        assert re.search(rf"\b{name}\b", str(error)), data
        assert error.data == json.loads(json.dumps(body), parse_float=Decimal)


@pytest.mark.parametrize("value", ["text", {"0": CARD_ORDER}, 1, True, None])
async def test_a07_a_list_must_be_one(single: Client, server: RawServer, value: Any) -> None:
    """Text is not taken apart, and no list is not an empty one."""
    server.answers(success({"partnerCode": "P1", "deviceCode": CARD, "orderList": value}))
    error = await raised(single, SingleQueryOrder(iccid=CARD))
    assert type(error) is BadAnswer
    assert "orderList" in str(error)


async def test_a07_a_whole_number_is_text_where_text_is_declared(
    single: Client, server: RawServer
) -> None:
    """Taken as its digits; a boolean or a fraction is not."""
    server.answers(success(CREATED | {"orderNo": 1, "payId": 1}))
    created = await single.send(ORDER)
    assert (created.order_no, created.pay_id) == ("1", "1")
    for value in (b"1.0", b"1e0", b"true", b"[1]"):
        server.answers(GOOD.replace(b'"payId": "1"', b'"payId": ' + value))
        error = await raised(single, ORDER)
        assert type(error) is BadAnswer, value
        assert "payId" in str(error), value


# A08: long numbers


@pytest.mark.parametrize("digits", [19, 20, 22, 40])
async def test_a08_long_numbers_are_exact(single: Client, server: RawServer, digits: int) -> None:
    """An ICCID or an order id as a JSON number keeps its last digit, everywhere."""
    card = (CARD * 2)[:digits]
    body = b'{"operateCode":"S","data":{"deviceCode":%b,"orderNo":%b,"payId":%b,"x":[%b],' % (
        (card.encode(),) * 4
    )
    server.answers(body + b'"partnerCode":"P1"}}')
    order = attrs.evolve(ORDER, iccid=card, order_no=card, pay_id=card)
    exchange = await single.exchange(order)
    created = exchange.result
    assert (created.iccid, created.order_no, created.pay_id) == (card, card, card)
    assert created.extra["x"] == [int(card)]
    assert exchange.raw["data"]["deviceCode"] == int(card)
    server.answers(
        b'{"operateCode":"S","data":{"sim_ids":[%b,{"sim_id":%b}]}}' % ((card.encode(),) * 2)
    )
    assert await single.groups.list_sims(group_id="g") == (card, card)


@pytest.mark.parametrize("number", [b"8.985242018091034e19", b"89852420180910340793.0"])
async def test_a08_a_number_that_went_through_a_float_is_no_iccid(
    single: Client, server: RawServer, number: bytes
) -> None:
    """Kept as it came where the field may be left out, refused where it may not; never a float."""
    server.answers(GOOD.replace(b'"%b"' % CARD.encode(), number))
    verified = await single.send(VERIFY)
    assert verified.iccid is None
    kept = verified.extra["deviceCode"]
    assert type(kept) is Decimal
    assert kept == Decimal(number.decode())
    error = await raised(single, ORDER)
    assert type(error) is BadAnswer
    assert "deviceCode" in str(error)


async def test_a08_one_digit_off_is_another_card(single: Client, server: RawServer) -> None:
    """What a float would round away is seen."""
    server.answers(GOOD.replace(b'"%b"' % CARD.encode(), b"%d" % (int(CARD) + 1)))
    assert type(await raised(single, VERIFY)) is MismatchedAnswer


# A09: amounts


@pytest.mark.parametrize(
    ("written", "exact"),
    [
        ("12.30", "12.30"),
        ("12.3", "12.3"),
        ("1E+2", "1E+2"),
        ("-0.00", "-0.00"),
        ("0.1", "0.1"),
        ("1e400", "1E+400"),
        ("1e-400", "1E-400"),
        ("0", "0"),
        ("123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789"),
    ],
)
@pytest.mark.parametrize("quote", ["", '"'], ids=["number", "text"])
async def test_a09_amounts_are_exact(
    single: Client, server: RawServer, written: str, exact: str, quote: str
) -> None:
    """Digit for digit, as a number or as text, in the result and in the whole answer."""
    token = f"{quote}{written}{quote}"
    server.answers(b'{"operateCode":"S","data":{"payId":"1","payAmount":%b}}' % token.encode())
    exchange = await single.exchange(ResultQuery(pay_id="1"))
    assert str(exchange.result.pay_amount) == exact
    kept = exchange.raw["data"]["payAmount"]
    assert not isinstance(kept, float)
    assert str(kept) == (written if quote else exact)


async def test_a09_minus_nothing_is_nothing(single: Client, server: RawServer) -> None:
    """-0 is an amount equal to zero."""
    for token in (b"-0", b'"-0"', b"-0.0"):
        server.answers(b'{"operateCode":"S","data":{"payAmount":%b}}' % token)
        assert (await single.send(ResultQuery(pay_id="1"))).pay_amount == 0


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "1" * 5_000, "1e" + "9" * 30])
async def test_a09_what_is_no_json_number_is_a_bad_answer(
    client: Client, server: RawServer, token: str
) -> None:
    """No ValueError and no ArithmeticError comes through, and an order is sent once."""
    server.answers(b'{"operateCode":"S","data":{"payAmount":%b}}' % token.encode())
    for operation in (ResultQuery(pay_id="1"), filled(StripePay)):
        server.seen.clear()
        assert type(await raised(client, operation)) is BadAnswer
        assert len(server.seen) == times(operation)


@pytest.mark.parametrize(
    "token",
    ['"NaN"', '"sNaN"', '"-Infinity"', f'"{"1" * 5_000}"', f"0.{'1' * 5_000}", "1" * 4_000,
     f'"1e{"9" * 30}"', '"12,30"', '""', '"twelve"', "true", "[1]"],
    ids=lambda token: token[:12],
)  # fmt: skip
async def test_a09_an_amount_that_is_none_is_kept_as_it_came(
    single: Client, server: RawServer, token: str
) -> None:
    """Never NaN, never a guess: None, with what came in `extra`."""
    server.answers(b'{"operateCode":"S","data":{"payId":"1","payAmount":%b}}' % token.encode())
    result = await single.send(ResultQuery(pay_id="1"))
    assert result.pay_amount is None
    assert result.extra["payAmount"] == json.loads(token, parse_float=Decimal)


@pytest.mark.parametrize("text", ["1_000", " 12 ", "１２", "١٢"])
async def test_a09_an_amount_is_written_in_digits(
    single: Client, server: RawServer, text: str
) -> None:
    """What only Python reads as a number is kept as it came."""
    server.answers(success({"payId": "1", "payAmount": text}))
    assert (await single.send(ResultQuery(pay_id="1"))).pay_amount is None


# A10: answers built to cost


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"operateCode":"S","data":' + b'[{"a":' * 50_000 + b"1" + b"}]" * 50_000 + b"}",
        b'{"operateCode":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=["open", "lists", "objects", "in data", "in the code"],
)
async def test_a10_depth_is_a_clean_error(client: Client, server: RawServer, body: bytes) -> None:
    """No RecursionError comes through, and soon."""
    server.answers(body)
    started = time.monotonic()
    error = await raised(client, ORDER)
    assert time.monotonic() - started < SLOW
    assert type(error) is BadAnswer
    assert len(server.seen) == 1


@pytest.mark.parametrize("depth", [50, 400, 900, 950, 990, 1_200])
async def test_a10_depth_about_the_interpreters_limit(
    single: Client, server: RawServer, depth: int
) -> None:
    """Where Python just manages: still a result or a LinksfieldError that can be shown."""
    nest = b"[" * depth + b"]" * depth
    for name in (b"operateCode", b"message", b"data"):
        server.answers(b'{"operateCode":"S","data":{"deviceCode":"%b","x":%b},"%b":%b}' % (
            CARD.encode(), nest, name, nest,
        ))  # fmt: skip
        ended = await result_or_error(single, VERIFY)
        assert CARD not in repr(ended)
        if isinstance(ended, LinksfieldError):
            assert json.dumps(ended.as_json())


@pytest.mark.parametrize(
    "depth",
    [
        50,
        250,
        900,
    ],
)
async def test_a10_an_error_with_a_deep_answer_goes_through_pickle(
    single: Client, server: RawServer, depth: int
) -> None:
    """A worker that sends its error home must not die of what a server nested in it."""
    server.answers(b'{"operateCode":"F","data":' + b"[" * depth + b"]" * depth + b"}")
    error = await raised(single, VERIFY)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    if depth < 500:
        assert again.data == error.data


def flood(content: Iterator[bytes], length: int) -> Callable[..., Any]:
    """Answer with this content in pieces, as far as the client reads it."""

    async def answer(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length)
        for piece in content:
            writer.write(piece)
            await writer.drain()
            if writer.is_closing():
                return

    return answer


async def test_a10_a_million_keys_are_not_read(client: Client, server: RawServer) -> None:
    """Above `max_answer_bytes` nothing more is read, parsed or asked for again."""
    thousand = b"".join(b'"k%09d":1,' % n for n in range(1_000))
    server.answers_by(flood((thousand for _ in range(1_000)), len(thousand) * 1_000))
    started = time.monotonic()
    tracemalloc.start()
    try:
        error = await raised(client, VERIFY)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert type(error) is ResponseTooLarge
    assert len(server.seen) == 1
    assert peak < 4 * client.options.max_answer_bytes
    assert time.monotonic() - started < SLOW


async def test_a10_a_million_keys_cost_what_they_weigh(single: Client, server: RawServer) -> None:
    """Where so large an answer is allowed, it is read in bounded time."""
    keys = b",".join(b'"k%d":1' % n for n in range(1_000_000))
    server.answers(b'{"operateCode":"S","data":{%b}}' % keys)
    started = time.monotonic()
    result = await single.with_options(max_answer_bytes=1 << 25).send(VERIFY)
    assert time.monotonic() - started < SLOW
    assert len(result.extra) == 1_000_000
    assert len(repr(result)) < 1_000


@pytest.mark.parametrize(
    "body",
    [
        {"KEY": 1},
        success({"KEY": 1}),
        success({"KEY": [{}]}),
        success([{"KEY": "x"}]),
        success({"KEY": [5]}),
        {"operateCode": "F", "message": "no", "data": {"KEY": 1}},
        {"operateCode": "KEY"},
    ],
    ids=str,
)
async def test_a10_a_key_of_a_megabyte(single: Client, server: RawServer, body: Any) -> None:
    """Kept where it is harmless, never shown whole, and soon."""
    server.answers(as_json(body).replace(b"KEY", b"k\\n" * 350_000))
    started = time.monotonic()
    for kind in (SingleVerify, SingleServicePlanPage):
        shown = repr(await result_or_error(single, filled(kind)))
        assert len(shown) < 2_000
        assert shown.isprintable()
    assert time.monotonic() - started < SLOW


@pytest.mark.parametrize("token", ["0." + "1" * 1_000_000, '"' + "1" * 1_000_000 + '"'])
async def test_a10_a_number_of_a_megabyte(single: Client, server: RawServer, token: str) -> None:
    """Digits cost linear time and are no amount."""
    server.answers(b'{"operateCode":"S","data":{"payAmount":%b}}' % token.encode())
    started = time.monotonic()
    assert (await single.send(ResultQuery(pay_id="1"))).pay_amount is None
    assert time.monotonic() - started < SLOW


@pytest.mark.parametrize(
    ("found", "doubled"),
    [
        (b'"operateCode": "S"', b'"operateCode":"F","operateCode":"S"'),
        (b'"data": {', b'"data":null,"data":{'),
        (b'"deviceCode": ', b'"deviceCode":"%b","deviceCode":' % OTHER.encode()),
        (b'"orderNo": ', b'"orderNo":"2","order\\u004eo":'),
    ],
    ids=["code", "data", "card", "escaped"],
)
async def test_a10_doubled_keys_are_a_bad_answer(
    single: Client, server: RawServer, found: bytes, doubled: bytes
) -> None:
    """An answer that says two things of one order says nothing."""
    assert GOOD.count(found) == 1
    server.answers(GOOD.replace(found, doubled))
    assert type(await raised(single, ORDER)) is BadAnswer


# A11: text that breaks logs, journals and terminals

NAMES = [
    "\ud800", "a\udc80b", "\udfff\ud800", "\x00", "a\x00b", "\u202eevil\u202c", "\u2066x\u2069",
    "\u2028\u2029", "😀👩‍👩‍👧", "e\u0301", "\ufeffx", "\uffff", "\x1b]0;title\x07", "\r\nERROR forged", "欧洲",
]  # fmt: skip
named = pytest.mark.parametrize("name", NAMES, ids=ascii)


@named
async def test_a11_a_name_is_kept_and_logged_without_harm(
    single: Client, server: RawServer, log: Callable[[], list[str]], name: str
) -> None:
    """Any text JSON can hold comes out equal; logging what holds it writes whole, safe lines."""
    plan = {"servicePlanShowName": name, "servicePlanCode": "SP1", name: name}
    server.answers(success({"servicePlanList": [plan]}))
    exchange = await single.exchange(SingleServicePlanPage(iccid=CARD))
    (result,) = exchange.result
    assert result.service_plan_show_name == name
    assert result.extra == {name: name}
    logging.getLogger("shop").info("%r %r", result, exchange)
    assert sum(line.startswith("INFO") for line in log()) == 1
    assert not any(line.startswith("ERROR") for line in log())


@named
async def test_a11_a_name_goes_back_equal_or_is_refused_before(
    single: Client, server: RawServer, name: str
) -> None:
    """The name of a plan is bought as it came, or InvalidInput says that no UTF-8 holds it."""
    order = attrs.evolve(ORDER, service_plan_show_name=name)
    server.answers(success(CREATED))
    if any("\ud800" <= char <= "\udfff" for char in name):
        error = await raised(single, order)
        assert type(error) is InvalidInput
        assert error.carried_out is False
        assert server.seen == []
    else:
        await single.send(order)
        assert server.seen[0].params["servicePlanShowName"] == name


@named
async def test_a11_a_hostile_text_in_an_error_is_logged(
    single: Client, server: RawServer, log: Callable[[], list[str]], name: str
) -> None:
    """In a refusal, in its code, in an unreadable body: one safe line, and nothing is lost."""
    bodies: list[Any] = [
        {"operateCode": "F", "message": name, "data": {"message": name}},
        {"operateCode": name, "data": {name: name}},
        {"data": None, "status": {"code": name, "message": name}},
        f"<p>{name}".encode("utf-8", "surrogatepass"),
    ]
    for body in bodies:
        server.answers(body)
        error = await raised(single, ListGroups())
        logging.getLogger("shop").error("%s %r %s", error, error, error.as_json(), exc_info=error)
        assert json.dumps(error.as_json())
        assert pickle.loads(pickle.dumps(error)).facts() == error.facts()
    assert sum(line.startswith("ERROR") for line in log()) == len(bodies)
    assert not any(line.startswith("ERROR forged") for line in log())
    assert all(line.isprintable() for line in log())


@pytest.mark.parametrize("name", ["\ud800", "\r\nERROR forged", "\x1b[2J", f"x{CARD}"], ids=ascii)
async def test_a11_a_hostile_key_is_safe_in_a_traceback_too(
    single: Client, server: RawServer, log: Callable[[], list[str]], name: str
) -> None:
    """`exc_info` writes the causes as well: their text is escaped and masked like the error's."""
    server.answers(success({name: [{}, 5]}))
    error = await raised(single, SingleServicePlanPage(iccid="1"))
    assert "[1]" in str(error)
    logging.getLogger("shop").error("failed", exc_info=error)
    assert sum(line.startswith("ERROR") for line in log()) == 1
    assert all(line.isprintable() for line in log())
    assert not any(CARD in line for line in log())


# A12: dates


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("2024-07-31", date(2024, 7, 31)),
        ("2024.07.31", date(2024, 7, 31)),
        ("2024/7/1", date(2024, 7, 1)),
        ("2024-02-29", date(2024, 2, 29)),
        ("2023-02-29", None),
        ("0000-00-00", None),
        ("2024-02-31", None),
        ("", None),
        ("yyyy-MM-dd", None),
        ("2024-07.31", None),
        ("2024-07-31\n", None),
        ("２０２４-07-31", None),
        ("99999-01-01", None),
        (1722384000000, None),
        (1722384000, None),
        ("1722384000000", None),
        (20240731, None),
        ([2024, 7, 31], None),
        (True, None),
    ],
    ids=ascii,
)
async def test_a12_a_date_is_read_or_kept(
    single: Client, server: RawServer, sent: Any, read: date | None
) -> None:
    """One odd date among good ones costs nothing but its own type: what came is in `extra`."""
    orders = [CARD_ORDER | {"expireDate": day} for day in ("2024-07-31", sent, "2024-08-31")]
    server.answers(success({"partnerCode": "P1", "deviceCode": CARD, "orderList": orders}))
    first, odd, last = (await single.vshop.list_orders(iccid=CARD)).orders
    assert (first.expire_date, last.expire_date) == (date(2024, 7, 31), date(2024, 8, 31))
    assert odd.expire_date == read
    assert odd.extra == ({} if read else {"expireDate": sent})
    server.answers(RENEWAL | {"subscriptionTime": sent})
    renewal = await single.vshop.get_auto_renewal(iccid=CARD)
    assert renewal is not None
    assert renewal.subscription_time == read
    assert renewal.extra == ({} if read else {"subscriptionTime": sent})


# A13: lists


@pytest.mark.parametrize("count", [0, 1, 2])
async def test_a13_few_entries(single: Client, server: RawServer, count: int) -> None:
    """An empty list is an empty list."""
    body = {"partnerCode": "P1", "deviceCode": CARD, "orderList": [CARD_ORDER] * count}
    server.answers(success(body))
    assert len((await single.vshop.list_orders(iccid=CARD)).orders) == count


async def test_a13_a_hundred_thousand_entries(client: Client, server: RawServer) -> None:
    """Refused whole by default, read in bounded time where so much is allowed; never cut."""
    orders = [CARD_ORDER | {"time": str(n)} for n in range(100_000)]
    server.answers(success({"partnerCode": "P1", "deviceCode": CARD, "orderList": orders}))
    error = await raised(client, SingleQueryOrder(iccid=CARD))
    assert type(error) is ResponseTooLarge
    assert len(server.seen) == 1
    started = time.monotonic()
    large = client.with_options(max_answer_bytes=1 << 25)
    result = await large.vshop.list_orders(iccid=CARD)
    assert time.monotonic() - started < SLOW
    assert len(result.orders) == 100_000
    assert result.orders[-1].time == "99999"


@pytest.mark.parametrize("bad", [0, 3, 499])
@pytest.mark.parametrize("change", [{"time": None}, {"unit": ["2"]}], ids=["null", "a list"])
async def test_a13_a_bad_entry_is_named_and_the_others_are_there(
    single: Client, server: RawServer, bad: int, change: dict[str, Any]
) -> None:
    """The error says which entry and field; in its `data` stand the good ones, every digit exact."""
    orders = [CARD_ORDER | {"time": str(n), "paid": n} for n in range(500)]
    orders[bad] |= change
    body = as_json(success({"partnerCode": "P1", "deviceCode": CARD, "orderList": orders}))
    server.answers(re.sub(rb'"paid": (\d+)', rb'"paid": \1.30', body))
    error = await raised(single, SingleQueryOrder(iccid=CARD))
    assert type(error) is BadAnswer
    told = re.search(r"orderList\[(\d+)\]\.(\w+)", str(error))
    assert told is not None
    assert (int(told[1]), told[2]) == (bad, *change)
    entries = error.data["data"]["orderList"]
    del entries[int(told[1])]
    assert [entry["time"] for entry in entries] == [str(n) for n in range(500) if n != bad]
    assert [str(entry["paid"]) for entry in entries] == [f"{n}.30" for n in range(500) if n != bad]


# A14: Retry-After

NOW = Skipping()
FIRST_PAUSE = 0.001
"""What is drawn where the server named no wait: half of the first bound, see `brief_pauses`."""


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        ("2", 2.0),
        (" 2 ", 2.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("60", 60.0),
        ("61", 60.0),
        ("1000000000", 60.0),
        (NOW.http_date(-3600), 0.0),
        (NOW.http_date(0), 0.0),
        (NOW.http_date(20), 20.0),
        (NOW.http_date(86_400), 60.0),
        (NOW.http_date(20).replace("GMT", "+0000"), 20.0),
        (NOW.http_date(20).replace("GMT", "+0800"), 0.0),
        (NOW.http_date(20).replace("GMT", "-0800"), 60.0),
        ("Tue, 31 Feb 2026 00:00:00 GMT", None),
        ("Fri, 31 Dec 999999 23:59:59 GMT", None),
        ("-1", None),
        ("+2", None),
        ("1e9", None),
        ("inf", None),
        ("nan", None),
        ("0x10", None),
        ("２", None),
        ("9" * 400, None),
        ("soon", None),
        ("", None),
        ("2, 30", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_a14_a_wait_is_kept_within_its_fences(
    account: Account, server: RawServer, header: str, asked: float | None, status: int
) -> None:
    """Seconds and dates up to 60 s, spread upwards only; anything else is our own short pause."""
    server.answers(b"busy", status=status, headers={"Retry-After": header})
    clock = Skipping()
    async with skipping(account, clock, deadline=3600.0, attempts=2) as pipeline:
        with pytest.raises((Throttled, OutcomeUnknown)) as caught:
            await pipeline.send(VERIFY)
    assert len(server.seen) == 2
    # A 503 that does not say when says nothing: what was sent may have been carried out.
    assert isinstance(caught.value, Throttled) == (status == 429 or asked is not None)
    (slept,) = clock.slept
    if asked is None:
        assert slept == pytest.approx(FIRST_PAUSE)
        assert caught.value.retry_after is None
    else:
        assert slept == pytest.approx(asked * 1.125)  # half of the spread, by the clock's chance
    assert caught.value.status == status


async def test_a14_of_two_headers_one_counts(account: Account, server: RawServer) -> None:
    """Two waits in one answer: one of them, never their sum, never an error of another kind."""
    server.answers_bytes(
        b"HTTP/1.1 429 X\r\nRetry-After: 3\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"
    )
    clock = Skipping()
    async with skipping(account, clock, attempts=2) as pipeline:
        with pytest.raises(Throttled):
            await pipeline.send(VERIFY)
    assert clock.slept in ([3 * 1.125], [7 * 1.125])


@pytest.mark.parametrize("operation", [VERIFY, ORDER, PAID_ORDER], ids=["read", "once", "paid"])
@pytest.mark.parametrize("asked", ["5", "30", "1000000000"])
async def test_a14_nobody_sleeps_into_the_deadline(
    client: Client, server: RawServer, operation: Operation[Any], asked: str
) -> None:
    """A wait that does not fit ends the call at once, with the wait in the error."""
    server.answers(b"busy", status=503, headers={"Retry-After": asked})
    started = time.monotonic()
    error = await raised(client.with_options(deadline=4.0), operation)
    assert time.monotonic() - started < 2
    assert type(error) is Throttled
    assert error.retry_after == min(60.0, float(asked))
    assert (error.carried_out, error.attempts) == (False, 1)
    assert len(server.seen) == 1


async def test_a14_all_waits_of_a_call_fit_its_deadline(
    account: Account, server: RawServer
) -> None:
    """Waits add up: the last that fits is slept, the next ends the call."""
    server.answers(b"busy", status=429, headers={"Retry-After": "4"})
    clock = Skipping()
    async with skipping(account, clock, deadline=10.0, attempts=10) as pipeline:
        with pytest.raises(Throttled) as caught:
            await pipeline.send(ORDER)
    assert clock.slept == [4.5, 4.5]
    assert caught.value.attempts == len(server.seen) == 3


# A15: statuses without an envelope

SAYS_NO = (400, 401, 402, 403, 404, 405, 406, 409, 410, 413, 414, 415, 417, 418, 421, 422, 431, 451)
PROVES_NOTHING = (408, 425, 499, 500, 501, 502, 503, 504, 505, 507, 511, 520, 521, 522, 524, 529, 599)  # fmt: skip
STATUSES: dict[int, type[LinksfieldError]] = (
    dict.fromkeys(SAYS_NO, Refused)
    | dict.fromkeys(PROVES_NOTHING, OutcomeUnknown)
    | {429: Throttled, 600: BadAnswer, 799: BadAnswer}
)


@pytest.mark.parametrize(("status", "expected"), sorted(STATUSES.items()))
@read_and_once
async def test_a15_a_status_alone(
    client: Client,
    server: RawServer,
    operation: Operation[Any],
    status: int,
    expected: type[LinksfieldError],
) -> None:
    """Class, conclusion and repeats of every status, whatever stands in its body."""
    asked = {Refused: 1, Throttled: MANY}.get(expected, times(operation))
    for body in (b"", b"<html>error</html>", b'{"error":"x"}', b'{"deviceCode":1}', b"[]"):
        server.seen.clear()
        server.answers(body, status=status)
        error = await raised(client, operation)
        assert type(error) is expected, body
        assert error.status == status
        assert error.carried_out is (False if issubclass(expected, Refused) else None)
        assert len(server.seen) == error.attempts == asked


@pytest.mark.parametrize("status", [204, 205, 206])
async def test_a15_a_success_without_content_is_none(
    client: Client, server: RawServer, status: int
) -> None:
    """A 2xx alone proves nothing."""
    server.answers_bytes(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
    for operation in (VERIFY, ORDER, filled(CancelAutoRenewalRecord)):
        server.seen.clear()
        assert type(await raised(client, operation)) is BadAnswer
        assert len(server.seen) == times(operation)


@pytest.mark.parametrize(
    ("status", "verdict"), [(404, "failed"), (401, "failed"), (429, "failed"), (502, "unknown")]
)
async def test_a15_a_status_says_nothing_of_a_card(
    client: Client, server: RawServer, status: int, verdict: str
) -> None:
    """Only an envelope refuses a card: a wrong address must not make a batch of invalid cards."""
    server.answers(b"no", status=status)
    (outcome,) = [outcome async for outcome in client.verify_many([CARD])]
    assert (outcome.verdict, outcome.result) == (verdict, None)


async def test_a15_a_refused_report_of_a_payment_is_to_be_reconciled(
    client: Client, server: RawServer
) -> None:
    """Where a refusal proves nothing, a bare 4xx proves nothing either."""
    server.answers(b"no", status=422)
    error = await raised(client, PAID_ORDER)
    assert type(error) is Refused
    assert error.needs_reconciliation
    assert error.carried_out is None
    assert len(server.seen) == 1


# A16: answers about another card


@pytest.mark.parametrize(
    ("operation", "data"),
    [
        (VERIFY, {"deviceCode": OTHER}),
        (VERIFY, {"deviceCode": int(OTHER)}),
        (VERIFY, {"deviceCode": CARD[:-2]}),
        (ORDER, CREATED | {"deviceCode": OTHER}),
        (ORDER, CREATED | {"orderNo": "2"}),
        (ORDER, CREATED | {"payId": "2"}),
        (
            SingleQueryOrder(iccid=CARD),
            {"partnerCode": "P1", "deviceCode": OTHER, "orderList": [CARD_ORDER]},
        ),
        (QueryAutoRenewalRecord(iccid=CARD), RENEWAL | {"deviceCode": OTHER}),
        (filled(StripePay), {"client_secret": "s", "payId": "2"}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Operation) else None,
)
@pytest.mark.parametrize("bare", [False, True], ids=["envelope", "bare"])
async def test_a16_an_answer_about_something_else_is_no_result(
    client: Client, server: RawServer, operation: Operation[Any], data: Any, bare: bool
) -> None:
    """Never attributed; counted as attempts; an order is not sent again."""
    server.answers(data if bare else success(data))
    error = await raised(client, operation)
    assert type(error) is MismatchedAnswer
    assert error.carried_out is None
    assert len(server.seen) == error.attempts == times(operation)


@pytest.mark.parametrize(
    ("operation", "data"),
    [
        (PAID_ORDER, {"deviceCode": OTHER, "orderNo": "1"}),
        (SingleServicePlanPage(iccid=CARD), {"deviceCode": OTHER, "servicePlanList": []}),
        (
            filled(StripeSubDirectly),
            {"payId": "2"} | dict.fromkeys(
                ("customer_id", "pay_method", "product_id", "status", "sub_id"), "1"
            ),
        ),
    ],
    ids=["SynOrderInfo", "SingleServicePlanPage", "StripeSubDirectly"],
)  # fmt: skip
async def test_a16_a_foreign_echo_is_seen_wherever_it_stands(
    client: Client, server: RawServer, operation: Operation[Any], data: Any
) -> None:
    """An id that was asked with and comes back changed is a mismatch, declared or not."""
    server.answers(success(data))
    assert type(await raised(client, operation)) is MismatchedAnswer


async def test_a16_in_a_batch_a_card_answered_for_another_is_not_valid(
    client: Client, server: RawServer
) -> None:
    """Only the cards whose own answer came are valid; the rest is unknown, after all attempts."""
    cards = [f"8985242018091034{n:04}" for n in range(30)]

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        asked = seen.params["deviceCode"]
        told = OTHER if int(asked) % 3 == 0 else asked
        writer.write(wrote(as_json(success({"deviceCode": told}))))

    server.answers_by(answer)
    outcomes = [outcome async for outcome in client.verify_many(cards, concurrency=8)]
    assert len(outcomes) == len(cards)
    for outcome in outcomes:
        wrong = int(outcome.iccid or "") % 3 == 0
        assert outcome.verdict == ("unknown" if wrong else "valid")
        assert (outcome.result is None) is wrong
        assert isinstance(outcome.error, MismatchedAnswer) is wrong
        assert outcome.attempts == (MANY if wrong else 1)
    assert len(server.seen) == sum(outcome.attempts for outcome in outcomes)


# A17: answers swapped between two calls under way


class Swapping:
    """Holds answers back until there are two, and gives each caller the other's."""

    def __init__(self, most: int | None = None) -> None:
        self._left = most
        self._held: tuple[str, asyncio.Future[str]] | None = None

    async def __call__(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        told = asked = seen.params["deviceCode"]
        if self._left is None or self._left > 0:
            told = await self._of_the_other(asked)
        answer = CREATED | {"deviceCode": told, "orderNo": seen.params.get("orderNo", "1")}
        writer.write(wrote(as_json(success(answer))))

    async def _of_the_other(self, asked: str) -> str:
        if self._held is None:
            mine: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            self._held = asked, mine
            return await mine
        (other, waiting), self._held = self._held, None
        if self._left is not None:
            self._left -= 1
        waiting.set_result(asked)
        return other


async def test_a17_swapped_answers_make_no_card_valid(single: Client, server: RawServer) -> None:
    """A proxy that mixes up connections must not certify cards."""
    cards = [f"8985242018091034{n:04}" for n in range(20)]
    server.answers_by(Swapping())
    outcomes = [outcome async for outcome in single.verify_many(cards, concurrency=2)]
    assert sorted(str(outcome.iccid) for outcome in outcomes) == cards
    assert {outcome.verdict for outcome in outcomes} == {"unknown"}
    assert all(isinstance(outcome.error, MismatchedAnswer) for outcome in outcomes)
    assert sorted(seen.params["deviceCode"] for seen in server.seen) == cards


async def test_a17_swapped_once_each_card_gets_its_own_answer(
    client: Client, server: RawServer
) -> None:
    """The repeat brings the right answer to the right card."""
    cards = [f"8985242018091034{n:04}" for n in range(20)]
    server.answers_by(Swapping(most=1))
    outcomes = [outcome async for outcome in client.verify_many(cards, concurrency=2)]
    assert {outcome.verdict for outcome in outcomes} == {"valid"}
    for outcome in outcomes:
        assert outcome.result is not None
        assert outcome.result.iccid == outcome.iccid
    assert sorted(outcome.attempts for outcome in outcomes) == [1] * 18 + [2] * 2


async def test_a17_swapped_orders_are_unknown_and_sent_once(
    client: Client, server: RawServer
) -> None:
    """Two orders whose answers were mixed up: both in doubt, neither placed again."""
    server.answers_by(Swapping())
    orders = [attrs.evolve(ORDER, iccid=card, order_no=card[-4:]) for card in (CARD, OTHER)]
    errors = await asyncio.gather(*(raised(client, order) for order in orders))
    assert [type(error) for error in errors] == [MismatchedAnswer] * 2
    assert [error.operation for error in errors] == orders
    assert len(server.seen) == 2
