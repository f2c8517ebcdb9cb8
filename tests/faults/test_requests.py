"""Requests and their signature, S01 to S13: judged by what the server received, byte for byte."""

from __future__ import annotations

import asyncio
import enum
import hashlib
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import attrs
import pytest
import transports
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import reference_sign
from servers import RawServer, Seen, raw_server

from linksfield_async import OPERATIONS, Account, Client, Endpoints, Options, Sandbox, signing
from linksfield_async.errors import (
    ConfigurationError,
    InvalidInput,
    OutcomeUnknown,
    Refused,
    Throttled,
)
from linksfield_async.operation import (
    ASSUMED,
    DOCUMENTED,
    Effect,
    Operation,
    Service,
    declare,
    path_placeholders,
    wire,
    wire_fields,
)
from linksfield_async.operations import (
    AddSims,
    GetAsyncResult,
    GetOrder,
    ListGroups,
    ListGroupSims,
    RemoveSims,
    ResultConfirm,
    ResultQuery,
    SingleOrder,
    SingleServicePlanPage,
    SingleVerify,
    SynOrderInfo,
)
from linksfield_async.pipeline import Pipeline, Shared
from linksfield_async.resilience import pauses
from linksfield_async.resilience.clock import Clock

CARD = "89852420180910340793"
CONTRACT = Path(__file__).parent.parent / "contract"
AWKWARD = "a+b c%2F%20&=?#;,:@/\\\"'é中文😀\t\r\n\0\x7f~"
CREATED = {"deviceCode": CARD, "orderNo": "1", "payId": "1", "partnerCode": "P1"}
MONEY = {"pay_amount", "pay_unit", "settle_price"}
IDS = {"group_id", "request_id"}

every_operation = pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)


def filled(kind: type[Operation[Any]], text: str = "1", segment: str = "1") -> Operation[Any]:
    """An operation with every field set."""
    values: dict[str, Any] = {field.python: text for field in wire_fields(kind)}
    values |= dict.fromkeys(MONEY & values.keys(), "12.30")
    values |= dict.fromkeys(IDS & values.keys(), segment)
    if "iccids" in values:
        values["iccids"] = [text, CARD]
    return kind(**values)


ORDER = attrs.evolve(filled(SingleOrder), iccid=CARD)


async def send(client: Client | Pipeline, operation: Operation[Any]) -> None:
    """Send to a server that refuses; what it received is there to be looked at."""
    with pytest.raises(Refused):
        await client.send(operation)


@pytest.fixture
async def server(server: RawServer) -> RawServer:
    server.answers({"operateCode": "F", "message": "seen"})
    return server


@attrs.define
class Skipping:
    """A clock that skips pauses; its wall clock may be set."""

    ms: int = 1_700_000_000_000
    seconds: float = 0.0
    jump: int = 0
    """Milliseconds by which the wall clock is set during each pause."""

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.ms += round(seconds * 1000) + self.jump

    def clock(self) -> Clock:
        return Clock(
            now_ms=lambda: self.ms,
            monotonic=lambda: self.seconds,
            sleep=self.sleep,
            random=lambda: 0.0,
        )


@asynccontextmanager
async def timed(account: Account, clock: Skipping, **options: Any) -> AsyncIterator[Pipeline]:
    """A pipeline over real sockets with a clock of the test's own."""
    transport = transports.transport()
    try:
        shared = Shared(account=account, transport=transport, clock=clock.clock())
        yield Pipeline(shared, Options(**options))
    finally:
        await transport.close()


# S01: the genuine vectors

VECTORS = json.loads((CONTRACT / "vectors.json").read_text())["vectors"]
KINDS = {kind.trade_type: kind for kind in OPERATIONS}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
async def test_s01_a_genuine_request_leaves_with_its_genuine_sign(
    server: RawServer, vector: dict[str, Any]
) -> None:
    """From the fields of the page to the page's own digest, on the wire."""
    params = vector["params"]
    kind = KINDS[vector["name"]]
    account = Account(
        params["partnerCode"],
        endpoints=Endpoints.at(server.url),
        language_code=params["languageCode"],
        mark=params["mark"],
        terminal=params["terminal"],
    )
    fields = {f.python: params[f.wire.name] for f in wire_fields(kind) if f.wire.name in params}
    async with timed(account, Skipping(ms=int(params["tradeTime"]))) as pipeline:
        await send(pipeline, kind(**fields))
    assert [seen.params for seen in server.seen] == [params | {"sign": vector["sign"]}]


# S02: any text

texts = st.text(st.characters(exclude_categories=["Cs"]))
maps = st.dictionaries(texts, texts)


@settings(max_examples=15, deadline=None)
@given(st.lists(texts, min_size=1, max_size=15))
def test_s02_any_text_arrives_signed_as_the_reference_does(given_texts: list[str]) -> None:
    """In a body and in a query: equal on arrival, and signed by the rule alone."""

    async def run() -> None:
        async with raw_server() as server:
            server.answers({"operateCode": "F", "message": "seen"})
            account = Account("P000270", endpoints=Endpoints.at(server.url))
            async with Client(account, options=Options(deadline=5)) as client:
                for text in given_texts:
                    await send(client, SingleServicePlanPage(iccid=CARD, area=text))
                    await send(client, GetOrder(iccid=CARD, order_id=text))
            areas, orders = server.seen[::2], server.seen[1::2]
            assert [seen.params["area"] for seen in areas] == given_texts
            assert [seen.params["order_id"] for seen in orders] == given_texts
            assert all(seen.params["sign"] == reference_sign(seen.params) for seen in server.seen)

    asyncio.run(run())


@given(maps)
def test_s02_other_json_writers_write_the_same(params: dict[str, str]) -> None:
    """A faster writer could be put in without changing one signature."""
    orjson = pytest.importorskip("orjson")
    msgspec = pytest.importorskip("msgspec")
    params.pop("sign", None)
    signed = signing.canonical_bytes(params)
    assert orjson.dumps(params, option=orjson.OPT_SORT_KEYS) == signed
    assert msgspec.json.encode(params, order="sorted") == signed


# S03: what is left out, what is kept, and a caller's own sign


async def test_s03_none_is_left_out_and_an_empty_text_is_kept(
    client: Client, server: RawServer
) -> None:
    """In a body and in a query, and the sign covers exactly what is there."""
    for empty in ("", None):
        await send(client, SingleVerify(iccid=CARD, url=empty))
        await send(client, SingleServicePlanPage(iccid=CARD, area=empty))
        await send(client, GetOrder(iccid=CARD, order_id=empty))
    names = ("url", "area", "order_id")
    assert [seen.params.get(name) for seen, name in zip(server.seen, names, strict=False)] == [
        ""
    ] * 3
    assert not any(name in seen.params for seen in server.seen[3:] for name in names)
    for seen in server.seen:
        assert seen.params["sign"] == reference_sign(seen.params)
        assert None not in seen.params.values()


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_s03_a_sign_of_the_callers_is_refused(
    client: Client, server: RawServer, method: str
) -> None:
    """No operation and no replaced name brings a sign of its own; nothing is sent."""

    @declare
    class Signed(Operation[None]):
        """Brings its own sign."""

        service = Service.TOPUP
        path = "/x"
        effect = Effect.READ

        mine: str = wire("sign", evidence=DOCUMENTED)

    Signed.method = method
    renamed = Account(
        "P1", endpoints=client.account.endpoints, wire_names={"AddSims.iccids": "sign"}
    )
    async with Client(renamed) as other:
        with pytest.raises(ConfigurationError, match="sign"):
            await other.send(AddSims(group_id="1", iccids=["1"]))
    with pytest.raises(ConfigurationError, match="sign"):
        await client.send(Signed(mine="0" * 32))
    assert server.connections == 0


# S04: values of all kinds


class Letters(str):
    """A text that shows itself as another one."""

    __slots__ = ()

    def __str__(self) -> str:
        return "something else"

    __repr__ = __format__ = lambda self, *_: "something else"  # type: ignore[assignment]


class Word(str, enum.Enum):  # noqa: UP042  # the older of the two, which shows itself as Word.A
    A = "a"


class NewWord(enum.StrEnum):
    A = "a"


class Number(enum.IntEnum):
    ONE = 1


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        ("text", "text"),
        (Letters("text"), "text"),
        (Word.A, "a"),
        (NewWord.A, "a"),
        ("a\0b", "a\0b"),
        (AWKWARD, AWKWARD),
        ("", ""),
        (None, None),
    ],
    ids=ascii,
)
async def test_s04_texts_arrive_as_they_are(
    client: Client, server: RawServer, value: Any, arrives: str | None
) -> None:
    """A text, of whatever class, is sent as the characters it holds."""
    await send(client, SingleVerify(iccid=CARD, url=value))
    await send(client, GetOrder(iccid=CARD, order_id=value))
    body, query = (seen.params for seen in server.seen)
    assert body.get("url") == query.get("order_id") == arrives
    for params in (body, query):
        assert params["sign"] == reference_sign(params)


NO_TEXTS = [
    1, 1.5, True, float("nan"), Decimal(1), b"1", bytearray(b"1"), ["1"], ("1",), {"1"}, {"a": "1"},
    datetime(2024, 1, 1, tzinfo=UTC), date(2024, 1, 1), Colour.RED, Number.ONE, object(), str,
    "\ud800", "a\udcffb",
]  # fmt: skip


@pytest.mark.parametrize("value", NO_TEXTS, ids=ascii)
async def test_s04_what_is_no_text_is_refused_before_anything_is_sent(
    client: Client, server: RawServer, value: Any
) -> None:
    """As a text, in a list of texts, in a path: InvalidInput, and no connection is made."""
    operations: list[Operation[Any]] = [
        SingleVerify(iccid=value),
        SingleVerify(iccid=CARD, url=value),
        GetOrder(order_id=value),
        GetAsyncResult(request_id=value),
        AddSims(group_id="1", iccids=[CARD, value]),
    ]
    for operation in operations:
        with pytest.raises(InvalidInput) as caught:
            await client.send(operation)
        assert caught.value.carried_out is False
        assert caught.value.attempts == 0
        assert str(caught.value).isprintable()
    assert server.connections == 0


@pytest.mark.parametrize(
    ("amount", "arrives"),
    [
        ("4.990", "4.990"),
        (Decimal("4.990"), "4.990"),
        (Decimal("1E+2"), "100"),
        (Decimal("1E-7"), "0.0000001"),
        (Decimal(0), "0"),
        ("007", "007"),
        (Letters("4.99"), "4.99"),
    ],
    ids=ascii,
)
async def test_s04_an_amount_arrives_exactly_as_given(
    client: Client, server: RawServer, amount: Any, arrives: str
) -> None:
    """Neither a digit more nor less, never with an exponent."""
    await send(client, attrs.evolve(ORDER, pay_amount=amount))
    assert server.seen[0].params["payAmount"] == arrives


@pytest.mark.parametrize(
    "amount",
    [1, 4.99, True, float("nan"), float("inf"), Decimal("nan"), Decimal("sNaN"), Decimal(-1),
     Decimal("-0"), Decimal("Infinity"), Decimal("1E+1000"), Decimal("1E-1000"), "", "-1", "+1",
     "1e5", "1,5", " 1", "1 ", "1.", ".5", "１２", "1_000", "NaN", "1\n", "1" * 100, b"1", None,
     Colour.RED, "\ud800"],
    ids=ascii,
)  # fmt: skip
async def test_s04_what_is_no_amount_is_refused_before_anything_is_sent(
    client: Client, server: RawServer, amount: Any
) -> None:
    """Money that could be read in two ways never leaves."""
    with pytest.raises(InvalidInput, match=r"SingleOrder\.pay_amount"):
        await client.send(attrs.evolve(ORDER, pay_amount=amount))
    assert server.connections == 0


def counted() -> Iterator[str]:
    yield from ("1", "2")


@pytest.mark.parametrize("given_iccids", [["1", "2"], ("1", "2"), counted, {"1": 0, "2": 0}])
async def test_s04_any_iterable_of_texts_is_a_list(
    client: Client, server: RawServer, given_iccids: Any
) -> None:
    """Read once, when the operation is made: a generator, and a list changed afterwards."""
    iccids = given_iccids() if callable(given_iccids) else given_iccids
    operation = AddSims(group_id="1", iccids=iccids)
    if isinstance(iccids, list):
        iccids.append("3")
    await send(client, operation)
    await send(client, operation)
    assert [seen.params["sim_ids"] for seen in server.seen] == [["1", "2"]] * 2
    assert server.seen[0].body == server.seen[1].body


@pytest.mark.parametrize(
    "iccids", [CARD, CARD.encode(), None, 5, 1.5, True, [], [""], [None], [1], [[CARD]], [b"1"]]
)
async def test_s04_what_is_no_list_of_iccids_is_refused(
    client: Client, server: RawServer, iccids: Any
) -> None:
    """One text is not taken apart into digits; TypeError or InvalidInput, and nothing is sent."""
    with pytest.raises((TypeError, InvalidInput)):
        await client.groups.add_sims(group_id="1", iccids=iccids)
    with pytest.raises((TypeError, InvalidInput)):
        await client.groups.remove_sims(group_id="1", iccids=iccids)
    assert server.connections == 0


@declare
class Anything(Operation[None]):
    """An operation of a user's own, with a field of any JSON type."""

    service = Service.TOPUP
    path = "/anything"
    effect = Effect.READ

    value: Any = wire("value", evidence=ASSUMED)


@pytest.mark.parametrize(
    ("value", "arrives"),
    [(1, 1), (10**30, 10**30), (True, True), (Number.ONE, 1), (Word.A, "a"), (["a", 1], ["a", 1]),
     ({"b": "中", "a": None}, {"a": None, "b": "中"}), (("a",), ["a"])],
    ids=ascii,
)  # fmt: skip
async def test_s04_json_values_of_ones_own_are_signed_as_sent(
    client: Client, server: RawServer, value: Any, arrives: Any
) -> None:
    """What has one spelling in JSON is accepted."""
    await send(client, Anything(value=value))
    (seen,) = server.seen
    assert seen.params["value"] == arrives
    assert seen.params["sign"] == reference_sign(seen.params)


@pytest.mark.parametrize(
    "value",
    [1.5, float("nan"), float("-inf"), Decimal(1), b"1", {"1"}, datetime(2024, 1, 1, tzinfo=UTC),
     Colour.RED, object(), {1: "a"}, {None: "a"}, [1.5], {"a": {"b": b"1"}}, 10**5000, "\ud800",
     ["\ud800"], {"\ud800": "a"}],
    ids=lambda value: ascii(value)[:30] if not isinstance(value, int) else "5,001 digits",
)  # fmt: skip
async def test_s04_what_has_no_one_spelling_is_refused(
    client: Client, server: RawServer, value: Any
) -> None:
    """A float's text differs between languages, so it is never signed; nothing is sent."""
    with pytest.raises(InvalidInput):
        await client.send(Anything(value=value))
    assert server.connections == 0


async def test_s04_ten_megabytes_arrive_whole(client: Client, server: RawServer) -> None:
    """There is no limit to a text in a body; it is signed and sent in bounded time."""
    text = "中" * 3_500_000
    started = time.monotonic()
    await send(client, SingleVerify(iccid=CARD, url=text))
    assert time.monotonic() - started < 5
    (seen,) = server.seen
    assert len(seen.body) > 10_000_000
    params = seen.params
    assert params["url"] == text
    check_digest(seen)


# S05: the bytes signed are the bytes sent


def check_digest(seen: Seen) -> None:
    """The sign in a body is the digest of the other bytes of that body."""
    rest, found, sign = seen.body.rpartition(b',"sign":"')
    assert found
    assert hashlib.md5(rest + b"}", usedforsecurity=False).hexdigest() == sign[:-2].decode()
    assert sign.endswith(b'"}')


@every_operation
async def test_s05_the_sandbox_finds_every_sign_right(kind: type[Operation[Any]]) -> None:
    """An independent check recomputes each sign from the wire: path, query and body."""
    async with Sandbox(cards=5) as sandbox, Client(sandbox.account) as client:
        operation = filled(kind, AWKWARD, segment="G 1+2%2F?#&=;:@~")
        outcomes = [outcome async for outcome in client.send_many([operation])]
        assert len(outcomes) == 1
        (seen,) = sandbox.requests
        assert seen.operation == kind.__name__
        assert "sign" not in seen.outcome
        sent = {f.wire.name: getattr(operation, f.python) for f in wire_fields(kind)}
        sent |= {"sim_ids": [AWKWARD, CARD]} if "iccids" in attrs.fields_dict(kind) else {}
        assert {name: seen.params[name] for name in sent} == sent


@every_operation
async def test_s05_what_is_signed_is_what_is_sent(
    client: Client, server: RawServer, kind: type[Operation[Any]]
) -> None:
    """Bodies byte for byte; queries pair for pair, whichever way a server reads '+'."""
    await send(client, filled(kind, AWKWARD))
    (seen,) = server.seen
    if kind.method == "GET":
        assert seen.body == b""
        pairs = [pair.split("=") for pair in seen.target.partition("?")[2].split("&")]
        plain = {unquote(name, errors="strict"): unquote(value) for name, value in pairs}
        assert plain == seen.params
        assert re.fullmatch(r"[0-9A-Za-z._~%&=-]*", seen.target.partition("?")[2])
        in_path = dict.fromkeys(path_placeholders(kind.path), "1")
        assert plain["sign"] == reference_sign(plain | in_path)
    elif path_placeholders(kind.path):
        assert "?" not in seen.target
        assert seen.params["sign"] == reference_sign(seen.params | {"group_id": "1"})
    else:
        check_digest(seen)
        assert "?" not in seen.target
    assert not parse_qsl(seen.path)


# S06: a repeat later


@pytest.mark.parametrize(
    "kind", [SingleOrder, SynOrderInfo, ResultConfirm, ResultQuery], ids=lambda kind: kind.__name__
)
async def test_s06_a_repeat_later_is_stamped_anew_and_keeps_its_ids(
    account: Account, server: RawServer, kind: type[Operation[Any]]
) -> None:
    """Ten seconds later: the time and so the sign differ, every other parameter is the same."""
    server.answers(b"busy", status=503, headers={"Retry-After": "10"})
    async with timed(account, Skipping(), attempts=2) as pipeline:
        with pytest.raises(Throttled):
            await pipeline.send(filled(kind))
    first, second = (seen.params for seen in server.seen)
    for params in (first, second):
        assert params.pop("sign") == reference_sign(params)
    assert int(second.pop("tradeTime")) - int(first.pop("tradeTime")) == 10_000
    assert first == second


@pytest.mark.parametrize(
    "kind", [AddSims, RemoveSims, ListGroupSims], ids=lambda kind: kind.__name__
)
async def test_s06_what_is_not_stamped_is_repeated_unchanged(
    account: Account, server: RawServer, kind: type[Operation[Any]]
) -> None:
    """Topup requests carry no time: the repeat is the same, to the byte."""
    server.answers(b"busy", status=503, headers={"Retry-After": "10"})
    async with timed(account, Skipping(), attempts=2) as pipeline:
        with pytest.raises(Throttled):
            await pipeline.send(filled(kind))
    first, second = server.seen
    assert (first.method, first.target, first.body) == (second.method, second.target, second.body)


# S07: the wall clock is set during a call

HOUR, DAY = 3_600_000, 86_400_000
set_clock = pytest.mark.parametrize("jump", [-HOUR, DAY], ids=["back an hour", "on a day"])


@set_clock
async def test_s07_pauses_and_deadline_do_not_follow_the_wall_clock(
    account: Account, server: RawServer, jump: int
) -> None:
    """All attempts fit as before, the time that is signed follows."""
    server.answers(b"busy", status=429, headers={"Retry-After": "10"})
    clock = Skipping(jump=jump)
    async with timed(account, clock, deadline=25.0, attempts=5) as pipeline:
        with pytest.raises(Throttled) as caught:
            await pipeline.send(ORDER)
    stamps = [int(seen.params["tradeTime"]) for seen in server.seen]
    assert [later - sooner for sooner, later in pairwise(stamps)] == [10_000 + jump] * 2
    assert clock.seconds == 20.0
    assert caught.value.elapsed == 20.0


@set_clock
async def test_s07_a_client_lives_through_a_jump(
    client: Client, server: RawServer, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    """The real clocks: a set wall clock neither ends a call nor keeps it, only stamps it."""
    monkeypatch.setattr(pauses, "FIRST", 0.002)
    real = time.time_ns
    answers = iter([b"", json.dumps({"operateCode": "S", "data": CREATED}).encode()])

    async def answer(_: Seen, writer: asyncio.StreamWriter) -> None:
        monkeypatch.setattr(time, "time_ns", lambda: real() + jump * 1_000_000)
        content = next(answers)
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content))

    server.answers_by(answer)
    exchange = await client.exchange(SingleVerify(iccid=CARD))
    assert exchange.attempts == 2
    assert 0 <= exchange.elapsed < 5
    first, second = (int(seen.params["tradeTime"]) for seen in server.seen)
    assert abs(second - first - jump) < 5_000


@set_clock
async def test_s07_the_deadline_comes_in_spite_of_a_jump(
    client: Client, server: RawServer, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    """A server that never answers costs the deadline, whatever the wall clock says."""
    real, real_ns = time.time, time.time_ns

    async def never(_: Seen, __: asyncio.StreamWriter) -> None:
        monkeypatch.setattr(time, "time", lambda: real() + jump / 1000)
        monkeypatch.setattr(time, "time_ns", lambda: real_ns() + jump * 1_000_000)
        await asyncio.Event().wait()

    server.answers_by(never)
    started = time.monotonic()
    with pytest.raises(OutcomeUnknown) as caught:
        await client.with_options(deadline=0.3).send(ORDER)
    assert 0.2 < time.monotonic() - started < 3
    assert 0.2 < caught.value.elapsed < 3
    assert len(server.seen) == 1


# S08: path parameters

LEAVES_ITS_SEGMENT = [
    "", ".", "..", "...", "../../x", "a/b", "/", "//evil.example", "a\\b", "..\\x", "\r\nX: y", "a\nb",
    "a\tb", "\0", "x" * 257, "x" * 10_000, "中", "é", "\u2024\u2024", "／", "\x7f", "\ud800", "\u202e",
]  # fmt: skip
QUOTED = [
    "a%2Fb", "%2e%2e", "%2E%2E%2Fx", "?x=1", "#", "a?b#c", "a b", "a;b=c", "a@b:80", "*", "+", "&=",
    "%", "%%", "%00", "http:", "..;", "bundles", "~", "x" * 256, CARD,
]  # fmt: skip
BY_SEGMENT: dict[str, tuple[Any, str]] = {
    "ListGroupSims": (
        lambda text: ListGroupSims(group_id=text),
        "/topup/mall/bundle-groups/{}/sims",
    ),
    "AddSims": (
        lambda text: AddSims(group_id=text, iccids=[CARD]),
        "/topup/mall/bundle-groups/{}/sims",
    ),
    "RemoveSims": (
        lambda text: RemoveSims(group_id=text, iccids=[CARD]),
        "/topup/mall/bundle-groups/{}/sims",
    ),
    "GetAsyncResult": (lambda text: GetAsyncResult(request_id=text), "/topup/async-result/{}"),
}
by_segment = pytest.mark.parametrize(("make", "path"), BY_SEGMENT.values(), ids=BY_SEGMENT)


@by_segment
@pytest.mark.parametrize("text", LEAVES_ITS_SEGMENT, ids=lambda text: ascii(text)[:20])
async def test_s08_what_could_leave_its_segment_is_refused(
    client: Client, server: RawServer, make: Any, path: str, text: str
) -> None:
    """Nothing is sent, not even to the path as it should be."""
    with pytest.raises(InvalidInput) as caught:
        await client.send(make(text))
    assert str(caught.value).isprintable()
    assert server.connections == 0, path


@by_segment
@pytest.mark.parametrize("text", QUOTED, ids=lambda text: ascii(text)[:20])
async def test_s08_what_can_be_quoted_stays_in_one_segment(
    client: Client, server: RawServer, make: Any, path: str, text: str
) -> None:
    """The server sees the declared path, the text in one segment, signed as it was given."""
    await send(client, make(text))
    (seen,) = server.seen
    before, after = path.split("{}")
    segment = seen.path.removeprefix(before).removesuffix(after)
    assert seen.path == before + segment + after
    assert re.fullmatch(r"[0-9A-Za-z._~%-]+", segment)
    assert unquote(segment) == text
    assert segment not in (".", "..")
    name = "request_id" if "async" in path else "group_id"
    assert name not in seen.params
    assert seen.params["sign"] == reference_sign(seen.params | {name: text})


async def test_s08_a_tidying_proxy_finds_nothing_to_tidy(client: Client, server: RawServer) -> None:
    """Read once, `%2e%2e` is a text and no step up: the percent sign itself is quoted."""
    await send(client, ListGroupSims(group_id="%2e%2e%2f"))
    assert server.seen[0].path == "/topup/mall/bundle-groups/%252e%252e%252f/sims"


# S09: headers


@pytest.mark.parametrize(
    "text",
    ["en\r\nX-Admin: 1", "en\rX: y", "en\nX: y", "en\0", "é", "\ud800", "中", "\x7f", "en\u2028", "", "\t",
     b"en", 1],
    ids=ascii,
)  # fmt: skip
async def test_s09_no_text_of_a_setting_starts_a_header(
    client: Client, server: RawServer, text: Any
) -> None:
    """ValueError when the account is made, before there is anything to send."""
    with pytest.raises(ValueError, match="accept_language"):
        Account("P1", accept_language=text)
    with pytest.raises(ValueError, match="accept_language"):
        attrs.evolve(client.account, accept_language=text)
    assert server.connections == 0


async def test_s09_no_parameter_reaches_a_header(server: RawServer) -> None:
    """The headers are the same whatever is sent; a hostile partner code stays in body and query."""
    hostile = "P1\r\nX-Admin: 1"
    for partner in ("P1", hostile):
        account = Account(partner, endpoints=Endpoints.at(server.url), accept_language="de, en;q=1")
        async with Client(account) as client:
            await send(client, SingleVerify(iccid=hostile, url=hostile))
            await send(client, GetOrder(order_id=hostile))
    own = {"content-length", "host"}
    posts, gets = server.seen[::2], server.seen[1::2]
    for one, other in (posts, gets):
        assert {k: v for k, v in one.headers.items() if k not in own} == {
            k: v for k, v in other.headers.items() if k not in own
        }
        assert other.params["partnerCode"] == hostile
        assert "x-admin" not in other.headers
        assert other.headers["accept-language"] == "de, en;q=1"
        assert "\r" not in other.headers["user-agent"]


# S10: addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://wx.linksfield.net",
        "http://example.com:443",
        "http://2130706433",
        "http://0x7f000001",
        "http://017700000001",
        "http://127.1",
        "http://127.0.0.1.",
        "http://127.0.0.1.example.com",
        "http://localhost.",
        "http://localhost.example.com",
        "http://localhost%00.example.com",
        "http://0.0.0.0",
        "http://[::]",
        "http://192.168.0.1",
        "http://169.254.169.254",
        "http://[fe80::1]",
        "http://127.0.0.1@example.com",
        "http://127.0.0.1:80@example.com",
        "http://127.0.0.1\\@example.com",
        "http://example.com\\@127.0.0.1",
        "http://example.com#@127.0.0.1",
        "http://example.com?@127.0.0.1",
        "http://①②⑦.0.0.1",
        "https://user:pw@wx.linksfield.net",
        "https://@wx.linksfield.net",
        "https://wx.linksfield.net?",
        "https://wx.linksfield.net#",
        "https://wx.linksfield.net:99999",
        "https://wx.linksfield.net:-1",
        "https://wx.linksfield.net\r\n.example.com",
        "https://[::1",
        "https:wx.linksfield.net",
        "https:///vshop",
        "//wx.linksfield.net",
        "wx.linksfield.net",
        "HTTPS",
        "file:///etc/passwd",
        "ftp://127.0.0.1",
        "unix:///run/x",
        "javascript:alert(1)",
        " https://wx.linksfield.net",
        "https://wx.linksfield.net/a b",
        "",
        b"https://wx.linksfield.net",
    ],
    ids=ascii,
)
def test_s10_an_address_that_is_not_safe_is_refused(url: Any) -> None:
    """Refused for all services and for each alone, also from the environment; never shown whole."""
    with pytest.raises(ConfigurationError) as caught:
        Endpoints.at(url)
    assert ":pw@" not in str(caught.value)
    for service in ("vshop", "payment", "topup"):
        with pytest.raises(ConfigurationError):
            attrs.evolve(Endpoints.TEST, **{service: url})
    if isinstance(url, str) and url:
        with pytest.raises(ConfigurationError):
            Account.from_env({"LINKSFIELD_PARTNER_CODE": "P1", "LINKSFIELD_ENDPOINTS": url})


@pytest.mark.parametrize(
    "url",
    [
        "https://mall.example.com",
        "https://mall.example.com:8443/base/",
        "HTTPS://mall.example.com",
        "https://10.0.0.1",
        "https://[2001:db8::1]:8443",
        "http://127.0.0.1:8080",
        "http://127.255.255.254",
        "http://[::1]:8080",
        "http://localhost:8080/",
        "http://LOCALHOST",
    ],
)
def test_s10_https_anywhere_and_http_to_this_machine(url: str) -> None:
    """An explicit https address is the user's choice; plain http only where nobody can listen."""
    assert Endpoints.at(url).vshop == url.rstrip("/") + "/vshop"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("base", ["", "/", "/a/b", "/a/b//", "/a%2Fb/%E4%B8%AD"])
async def test_s10_a_path_in_front_reaches_the_server_as_it_is(
    server: RawServer, host: str, base: str
) -> None:
    """Another port and a path in front: kept, neither doubled nor decoded."""
    url = server.url.replace("127.0.0.1", host) + base
    async with Client(Account("P1", endpoints=Endpoints.at(url))) as client:
        await send(client, SingleVerify(iccid=CARD))
        await send(client, ListGroups())
    front = base.rstrip("/")
    assert [seen.path for seen in server.seen] == [
        f"{front}/vshop/singleVerify",
        f"{front}/topup/mall/bundle-groups/bundles",
    ]
    assert {seen.headers["host"] for seen in server.seen} == {url.split("/")[2]}


# S11: MD5 barred as a security function

FIPS = """
import asyncio, hashlib, sys
import _hashlib
plain = hashlib.md5
def md5(data=b"", *, usedforsecurity=True):
    if usedforsecurity:
        raise ValueError("[digital envelope routines] unsupported")
    return plain(data, usedforsecurity=False)
def new(name, data=b"", **how):
    return md5(data, **how) if name.lower() == "md5" else plain_new(name, data, **how)
plain_new, hashlib.md5, hashlib.new, _hashlib.openssl_md5 = hashlib.new, md5, new, md5
from linksfield_async import Account, Client, Endpoints

async def main():
    async with Client(Account("P1", endpoints=Endpoints.at(sys.argv[1]))) as client:
        print((await client.vshop.verify_card(iccid=sys.argv[2])).iccid)
        print(len(await client.groups.list_sims(group_id="g")))
asyncio.run(main())
"""


async def test_s11_a_machine_that_bars_md5_can_sign(server: RawServer) -> None:
    """A whole process under a FIPS-like hashlib: import, sign, send and read."""
    server.answers({"operateCode": "S", "data": {"deviceCode": CARD, "sim_ids": [CARD]}})
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FIPS, server.url, CARD, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert out.split() == [CARD.encode(), b"1"]
    verify, sims = (seen.params for seen in server.seen)
    assert verify["sign"] == reference_sign(verify)
    assert sims["sign"] == reference_sign(sims | {"group_id": "g"})


# S12: what people hand in as ICCIDs

TIDIED = {
    CARD: CARD,
    f"  {CARD}\t\r\n": CARD,
    "8985 2420 1809 1034 0793": CARD,
    "8985\u00a02420\u00a01809\u00a01034\u00a00793": CARD,
    "8985-2420-1809-1034-0793": CARD,
    f"{CARD[:-1]}F": CARD[:-1],
    f"{CARD[:-1]}f": CARD[:-1],
    f"{CARD}F": CARD,
    f"\ufeff{CARD}": CARD,
    f"{CARD[:7]}\u200b{CARD[7:]}\u200b": CARD,
    f'"{CARD}"': CARD,
    f"'{CARD}": CARD,
    f"`{CARD}`": CARD,
    CARD.translate({ord("0") + n: ord("０") + n for n in range(10)}): CARD,
    "8" * 18: "8" * 18,
    "8" * 19: "8" * 19,
    "8" * 21: "8" * 21,
    "8" * 22: "8" * 22,
    CARD[:-1] + "4": CARD[:-1] + "4",  # fails the Luhn check, as most genuine samples do
}
NOT_SENT: dict[Any, str] = {
    "8.98524E+19": "spreadsheet",
    "8,98524e19": "spreadsheet",
    f"{CARD}.0": "export it as text",
    int(CARD): "not int",
    8.98524e19: "not float",
    CARD.encode(): "not bytes",
    None: "blank",
    True: "not bool",
    (CARD,): "not tuple",
    "٨٩٨٥٢٤٢٠١٨٠٩١٠٣٤٠٧٩٣": "digits only",
    "८९८५२४२०१८०९१०३४०७९३": "digits only",
    f"{CARD[:-1]}¹": "digits only",
    f"{CARD[:-1]}O": "digits only",
    f"{CARD},{CARD}": "digits",
    f"{CARD} {CARD[:5]}": "uneven groups",
    "8" * 17: "has 17",
    "8" * 23: "has 23",
    "8" * 10_000: "10000 characters",
    "": "blank",
    " \ufeff ": "blank",
    "deviceCode": "digits only",
    "=1+1": "digits only",
    "\ud800": "digits only",
    f"{CARD}\0": "digits only",
}


async def test_s12_each_input_is_tidied_or_refused_with_its_reason(
    client: Client, server: RawServer
) -> None:
    """The server receives digits only, each as meant; the rest is reported and never sent."""

    async def echo(seen: Seen, writer: asyncio.StreamWriter) -> None:
        data = {"deviceCode": seen.params["deviceCode"]}
        content = json.dumps({"operateCode": "S", "data": data}).encode()
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content))

    server.answers_by(echo)
    cards: list[Any] = [*TIDIED, *NOT_SENT]
    outcomes = {o.position: o async for o in client.verify_many(cards, duplicates="each")}
    assert sorted(outcomes) == list(range(len(cards)))
    for position, (card, cleaned) in enumerate(TIDIED.items()):
        outcome = outcomes[position]
        assert (outcome.verdict, outcome.iccid) == ("valid", cleaned), card
        assert outcome.result is not None
        assert outcome.result.iccid == cleaned
    for position, (card, reason) in enumerate(NOT_SENT.items(), len(TIDIED)):
        outcome = outcomes[position]
        assert (outcome.verdict, outcome.attempts) == ("invalid_input", 0), card
        assert reason in outcome.reason, card
        assert outcome.reason.isprintable(), card
    received = [seen.params["deviceCode"] for seen in server.seen]
    assert sorted(received) == sorted(TIDIED.values())


# S13: many at once


async def test_s13_a_thousand_calls_at_once_share_nothing(
    client: Client, server: RawServer
) -> None:
    """Every order once with its own number, its own parameters only, and a right sign."""

    async def echo(seen: Seen, writer: asyncio.StreamWriter) -> None:
        params = seen.params
        names = ("deviceCode", "orderNo", "payId", "partnerCode", "sim_id")
        data = {name: params[name] for name in names if name in params}
        content = json.dumps({"operateCode": "S", "data": data}).encode()
        await asyncio.sleep(0)
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content))

    def order(n: int) -> SingleOrder:
        more = {"request_order_id": f"R{n}", "auto_renewal": None} if n % 2 else {}
        return attrs.evolve(ORDER, iccid=f"C{n}", order_no=f"N{n}", pay_id=f"P{n}", **more)

    server.answers_by(echo)
    views = [client, client.with_options(deadline=20.0)]
    orders = [order(n) for n in range(800)]
    looks = [GetOrder(iccid=f"C{n}") for n in range(200)]
    calls = [views[n % 2].send(one) for n, one in enumerate([*orders, *looks])]
    created = await asyncio.gather(*calls)
    assert [one.iccid for one in created] == [one.iccid for one in [*orders, *looks]]
    assert [one.order_no for one in created[:800]] == [one.order_no for one in orders]
    assert len(server.seen) == 1_000
    received = {seen.params["orderNo"]: seen.params for seen in server.seen if seen.body}
    assert len(received) == 800
    for one in orders:
        params = received[one.order_no]
        own = {f.wire.name: getattr(one, f.python) for f in wire_fields(SingleOrder)}
        assert {k: v for k, v in params.items() if k in own} == {
            k: v for k, v in own.items() if v is not None
        }
        shared = {"version", "partnerCode", "sign", "tradeTime", "tradeType"}
        assert params.keys() - own.keys() == shared | {"languageCode", "mark", "terminal"}
    for seen in server.seen:
        assert seen.params["sign"] == reference_sign(seen.params)
