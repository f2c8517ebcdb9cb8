"""Faults of connections and of the wire, W01 to W21: the server's log judges, not the client."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import ipaddress
import random
import socket
import ssl
import threading
import warnings
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
import transports
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from transport_behaviour import full_backlog

from linksfield_async import OPERATIONS, Account, Client, Effect, Endpoints, Options
from linksfield_async.errors import (
    BadAnswer,
    ConnectFailed,
    LinksfieldError,
    NotSent,
    OutcomeUnknown,
    Refused,
    ResponseTooLarge,
    TLSFailed,
    UnexpectedRedirect,
)
from linksfield_async.operation import Operation, wire_fields
from linksfield_async.operations import (
    GetOrder,
    ListGroups,
    RemoveSims,
    ResultConfirm,
    SingleOrder,
    SingleVerify,
)
from linksfield_async.sandbox import Sandbox
from linksfield_async.testing import (
    DROP_ANSWER,
    HANG,
    RESET_ON_ACCEPT,
    Close,
    Drip,
    Ending,
    Fault,
    FaultProxy,
    Hang,
    LoopbackServer,
    Pause,
    RawServer,
    Received,
    Repeat,
    Reset,
    http_answer,
)

pytestmark = pytest.mark.usefixtures("both")

MOST_ATTEMPTS = 3
"""Of a read, and of anything that is proved unsent."""


def filled(kind: type[Operation[Any]], mark: str = "1") -> Operation[Any]:
    """An operation with every field set, `mark` in all that are free text."""
    money = {"pay_amount", "pay_unit", "settle_price"}
    values: dict[str, Any] = {field.python: mark for field in wire_fields(kind)}
    values |= dict.fromkeys(money & values.keys(), "12.30")
    if "iccids" in values:
        values["iccids"] = [mark]
    return kind(**values)


ONCE = [kind for kind in OPERATIONS if kind.effect is Effect.ONCE]
READS = [kind for kind in OPERATIONS if kind.effect is Effect.READ]

every_once = pytest.mark.parametrize("kind", ONCE, ids=lambda kind: kind.__name__)
post_and_delete = pytest.mark.parametrize(
    "kind", [SingleOrder, RemoveSims], ids=lambda kind: kind.__name__
)


def good(received: Received) -> bytes:
    """A success for any operation; what was asked with comes back."""
    known = {
        "deviceCode": "1", "orderNo": "1", "payId": "1", "partnerCode": "P1", "customer_id": "1",
        "pay_method": "1", "product_id": "1", "sub_id": "1", "request_id": "1", "status": "ok",
        "servicePlanList": [], "orderList": [], "groups": [], "sim_ids": [],
    }  # fmt: skip
    nothing = received.path.endswith("/cancelAutoRenewalRecord")
    data = None if nothing else known | received.params
    return http_answer({"operateCode": "S", "data": data})


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer() as server:
        server.answer_by(lambda received: (good(received),))
        yield server


@pytest.fixture
async def proxy(server: RawServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy("127.0.0.1", server.port) as proxy:
        yield proxy


@asynccontextmanager
async def client_of(target: LoopbackServer | str, **options: Any) -> AsyncIterator[Client]:
    url = target if isinstance(target, str) else target.url
    account = Account("P000270", endpoints=Endpoints.at(url))
    async with Client(account, options=transports.options(**{"deadline": 5.0} | options)) as client:
        yield client


async def settled() -> None:
    """Give a second request, if there were one, the time to arrive."""
    await asyncio.sleep(0.01)


async def unknown_and_sent_once(
    client: Client, server: RawServer, operation: Operation[Any]
) -> OutcomeUnknown:
    before = len(server.requests)
    with pytest.raises(OutcomeUnknown) as caught:
        await client.send(operation)
    await settled()
    assert caught.value.carried_out is None
    assert len(server.requests) == before + 1
    assert server.incomplete == 0
    return caught.value


async def reads_survive(
    *scripts: tuple[Any, ...], raises: type[LinksfieldError] | tuple[type[LinksfieldError], ...]
) -> list[LinksfieldError]:
    """Meet each script with a read, all at once: pauses between attempts then cost little."""

    async def read(script: tuple[Any, ...]) -> LinksfieldError:
        async with RawServer() as server, client_of(server, deadline=1.0) as client:
            server.answer(*script)
            with pytest.raises(raises) as caught:
                await client.send(filled(SingleVerify))
            assert 1 <= len(server.requests) <= MOST_ATTEMPTS, script
            return caught.value

    return await asyncio.gather(*(read(script) for script in scripts))


# No connection: proved unsent


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize("case", ["refused", "DNS failure", "TLS to a closed port"])
async def test_w01_no_connection_is_not_sent(
    case: str, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = {
        "refused": f"http://127.0.0.1:{closed_port}",
        "DNS failure": "https://shop.example",
        "TLS to a closed port": f"https://127.0.0.1:{closed_port}",
    }[case]
    if case == "DNS failure":

        def unknown_name(*_: Any, **__: Any) -> Any:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown_name)
    async with client_of(url, deadline=10.0) as client:

        async def send(kind: type[Operation[Any]]) -> None:
            with pytest.raises(NotSent) as caught:
                await client.send(filled(kind))
            assert isinstance(caught.value, ConnectFailed)
            assert not isinstance(caught.value, TLSFailed)
            assert caught.value.carried_out is False
            assert 1 <= caught.value.attempts <= MOST_ATTEMPTS

        await asyncio.gather(*(send(kind) for kind in OPERATIONS))


@pytest.mark.parametrize("kind", [RemoveSims, SingleVerify], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("options", [{"connect_timeout": 0.1}, {"deadline": 0.3}], ids=str)
async def test_w02_a_hanging_connect_is_not_sent(
    kind: type[Operation[Any]], options: dict[str, float]
) -> None:
    with full_backlog() as url:
        async with client_of(url, **{"deadline": 0.6, **options}) as client:
            with pytest.raises(NotSent) as caught:
                await client.send(filled(kind))
    assert caught.value.carried_out is False


# No answer


@every_once
async def test_w03_silence_is_unknown_at_the_deadline(
    server: RawServer, kind: type[Operation[Any]]
) -> None:
    server.answer(Hang())
    async with client_of(server, deadline=0.2) as client:
        error = await unknown_and_sent_once(client, server, filled(kind))
    assert 0.18 <= error.elapsed < 3


@every_once
async def test_w03_silence_is_unknown_at_the_read_timeout(
    server: RawServer, kind: type[Operation[Any]]
) -> None:
    server.answer(Hang())
    async with client_of(server, read_timeout=0.1) as client:
        await unknown_and_sent_once(client, server, filled(kind))


async def test_w03_silence_ends_reads(server: RawServer) -> None:
    server.answer(Hang())
    async with client_of(server, deadline=1.0, read_timeout=0.15) as client:
        results = await asyncio.gather(
            *(client.send(filled(kind)) for kind in READS), return_exceptions=True
        )
    assert [type(result) for result in results] == [OutcomeUnknown] * len(READS)
    assert len(READS) <= len(server.requests) <= len(READS) * MOST_ATTEMPTS


async def test_w03_silence_of_something_on_the_way(server: RawServer, proxy: FaultProxy) -> None:
    """Bytes left, but never reached the server: nobody on this side can tell."""
    proxy.always(HANG)
    async with client_of(proxy, deadline=0.3) as client:
        with pytest.raises(OutcomeUnknown):
            await client.send(filled(SingleOrder))
    assert (proxy.connections, server.connections) == (1, 0)


@pytest.mark.parametrize(
    "kind", [SingleOrder, RemoveSims, SingleVerify, ListGroups], ids=lambda kind: kind.__name__
)
async def test_w04_an_idle_close_is_not_noticed(
    server: RawServer, kind: type[Operation[Any]]
) -> None:
    server.answer_by(lambda received: (good(received), Pause(0.02), Close()))
    async with client_of(server) as client:
        for calls in range(1, 3):
            await client.send(filled(kind))
            assert (len(server.requests), server.connections) == (calls, calls)
            await asyncio.sleep(0.2)


def marked(server: RawServer, mark: str) -> int:
    """How many requests carry the mark: how often one call arrived."""
    return sum(mark in seen.target or mark.encode() in seen.body for seen in server.requests)


async def judged(client: Client, server: RawServer, operation: Operation[Any], mark: str) -> str:
    """Make one call and hold what the client says against how often the mark arrived."""
    try:
        await client.send(operation)
    except OutcomeUnknown:
        await asyncio.sleep(0.001)
        assert marked(server, mark) <= 1
        return "unknown"
    except NotSent:
        assert marked(server, mark) == 0
        return "not sent"
    else:
        assert marked(server, mark) == 1
        return "answered"


@every_once
async def test_w05_a_close_races_the_request(server: RawServer, kind: type[Operation[Any]]) -> None:
    """On a reused connection, 100 times: closed by the clock, on reading it, and by a reset."""
    chance = random.Random(kind.__name__)
    calls: list[tuple[str, str]] = []

    async def call(mark: str) -> str:
        result = await judged(client, server, filled(kind, mark), mark)
        calls.append((mark, result))
        return result

    def closing_soon(received: Received) -> Any:
        return (good(received), Pause(chance.uniform(0, 0.002)), Close())

    async with client_of(server) as client:
        for turn in range(50):
            server.answer_by(closing_soon)
            await call(f"w{turn:03}w")
            await asyncio.sleep(chance.uniform(0, 0.002))
            await call(f"r{turn:03}r")
    # A client of its own: none of its connections is about to be closed by the clock.
    async with client_of(server) as client:
        for turn in range(50):
            server.answer_by(lambda received: (good(received),))
            assert await call(f"x{turn:03}x") == "answered"
            server.answer(Close() if turn % 2 else Reset())
            assert await call(f"y{turn:03}y") == "unknown"
    await settled()
    assert all(marked(server, mark) <= 1 for mark, _ in calls)
    assert sum(result == "answered" for _, result in calls) > 50


@every_once
@pytest.mark.parametrize("step", [Close(), Reset()], ids=repr)
async def test_w06_closed_after_reading_on_a_fresh_connection(
    server: RawServer, kind: type[Operation[Any]], step: Any
) -> None:
    server.answer(step)
    async with client_of(server) as client:
        await unknown_and_sent_once(client, server, filled(kind))
    assert server.connections == 1


# Broken off


@every_once
async def test_w08_reset_on_accept(
    server: RawServer, proxy: FaultProxy, kind: type[Operation[Any]]
) -> None:
    proxy.always(RESET_ON_ACCEPT)
    async with client_of(proxy, deadline=1.0) as client:
        with pytest.raises((OutcomeUnknown, NotSent)) as caught:
            await client.send(filled(kind))
    await settled()
    most = 1 if isinstance(caught.value, OutcomeUnknown) else MOST_ATTEMPTS
    assert 1 <= proxy.connections <= most
    assert (server.requests, server.incomplete) == ([], 0)


@every_once
@pytest.mark.parametrize("size", [1, 100, 250])
async def test_w08_reset_after_a_part_of_the_request(
    server: RawServer, proxy: FaultProxy, kind: type[Operation[Any]], size: int
) -> None:
    proxy.always(Fault(cut_up=size, ending=Ending.RESET))
    async with client_of(proxy, deadline=1.0) as client:
        with pytest.raises(OutcomeUnknown):
            await client.send(filled(kind))
    await settled()
    assert (proxy.connections, proxy.bytes_up) == (1, size)
    assert server.requests == []


@every_once
@pytest.mark.parametrize("size", [10, 90])
async def test_w08_reset_after_a_part_of_the_answer(
    server: RawServer, proxy: FaultProxy, kind: type[Operation[Any]], size: int
) -> None:
    proxy.always(Fault(cut_down=size, ending=Ending.RESET))
    async with client_of(proxy) as client:
        await unknown_and_sent_once(client, server, filled(kind))


@every_once
@pytest.mark.parametrize("ending", [Ending.FIN, Ending.RESET, Ending.HALF])
async def test_w09_an_answer_dropped_is_unknown(
    server: RawServer, proxy: FaultProxy, kind: type[Operation[Any]], ending: Ending
) -> None:
    proxy.always(attrs.evolve(DROP_ANSWER, ending=ending))
    async with client_of(proxy) as client:
        error = await unknown_and_sent_once(client, server, filled(kind))
    assert error.attempts == 1


async def test_w09_an_order_whose_answer_was_lost_is_found_by_asking() -> None:
    async with (
        Sandbox(cards=10) as sandbox,
        FaultProxy("127.0.0.1", int(sandbox.url.rpartition(":")[2])) as proxy,
        client_of(proxy) as client,
    ):
        iccid = next(sandbox.world.iccids("valid"))
        plan = (await client.vshop.list_plans(iccid=iccid))[0]
        order: dict[str, Any] = {
            "iccid": iccid,
            "package_code": plan.package_code,
            "service_plan_code": plan.service_plan_code,
            "service_plan_show_name": plan.service_plan_show_name,
            "order_period": "1",
            "order_no": "NO1",
            "pay_id": "P000270NO1",
            "pay_amount": str(plan.pay_amount),
            "pay_currency": plan.pay_currency,
            "pay_unit": str(plan.pay_amount),
            "settle_price": str(plan.pay_amount),
            "pay_account": "1",
            "pay_type": "3",
            "pay_status": "1",
            "pay_rst": "SUCCESS",
            "pay_result_date": "2026-01-01 15:10:35",
            "transaction_id": "ch_1",
            "request_order_id": "OWN1",
        }
        # What is open would carry the answer past the fault.
        proxy.drop_connections()
        await settled()
        proxy.next(DROP_ANSWER)
        with pytest.raises(OutcomeUnknown):
            await client.vshop.create_paid_order(**order)
        found = await client.orders.get(purchase_order_id="OWN1")
        assert found is not None
        assert found.iccid == iccid
        assert len(sandbox.world.orders) == 1
        assert sum(seen.operation == "SynOrderInfo" for seen in sandbox.requests) == 1


OK_HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CUT = {
    "length too large": OK_HEAD + b"Content-Length: 100\r\n\r\n{}",
    "nothing of the body": OK_HEAD + b"Content-Length: 2\r\n\r\n",
    "chunk cut": CHUNKED + b'5\r\n{"a"',
    "chunk missing": CHUNKED + b"1\r\n{\r\n",
    "zero chunk missing": CHUNKED + b"2\r\n{}\r\n",
    "end of zero chunk missing": CHUNKED + b"2\r\n{}\r\n0\r\n",
}


@every_once
@pytest.mark.parametrize("content", CUT.values(), ids=CUT.keys())
async def test_w10_a_body_cut_short_is_unknown(
    server: RawServer, kind: type[Operation[Any]], content: bytes
) -> None:
    server.answer(content, Close())
    async with client_of(server) as client:
        error = await unknown_and_sent_once(client, server, filled(kind))
    assert "truncated" in str(error)


async def test_w10_a_body_cut_short_ends_reads() -> None:
    errors = await reads_survive(*((cut, Close()) for cut in CUT.values()), raises=OutcomeUnknown)
    assert all("truncated" in str(error) for error in errors)


# What is not HTTP

ENVELOPE = b'{"operateCode":"S","data":{"deviceCode":"1","partnerCode":"P1","request_id":"1"}}'
SIZED = b"Content-Length: %d\r\n" % len(ENVELOPE)
AS_CHUNK = b"%x\r\n%s\r\n0\r\n\r\n" % (len(ENVELOPE), ENVELOPE)
JUNK = {
    "two lengths": OK_HEAD + SIZED + b"Content-Length: 3\r\n\r\n" + ENVELOPE,
    "length and chunked": OK_HEAD + SIZED + b"Transfer-Encoding: chunked\r\n\r\n" + AS_CHUNK,
    "negative length": OK_HEAD + b"Content-Length: -1\r\n\r\n" + ENVELOPE,
    "length is no number": OK_HEAD + b"Content-Length: 1_0\r\n\r\n" + ENVELOPE,
    "chunk size is no number": CHUNKED + b"xyz\r\n" + ENVELOPE,
    "20 kB header": OK_HEAD + b"X: " + b"a" * 20_000 + b"\r\n" + SIZED + b"\r\n" + ENVELOPE,
    "20 kB reason": b"HTTP/1.1 200 " + b"a" * 20_000 + b"\r\n" + SIZED + b"\r\n" + ENVELOPE,
    "200 headers": OK_HEAD
    + b"".join(b"X-%d: 1\r\n" % n for n in range(200))
    + SIZED
    + b"\r\n"
    + ENVELOPE,
    "NUL in a header": OK_HEAD + b"X: a\0b\r\n" + SIZED + b"\r\n" + ENVELOPE,
    "header without a colon": OK_HEAD + b"nonsense\r\n" + SIZED + b"\r\n" + ENVELOPE,
    "another protocol": b"SSH-2.0-OpenSSH_9.2 89852420180910340793\r\n",
    "binary": bytes(range(128, 256)) * 4 + b"\r\n\r\n",
    "empty status line": b"\r\n" * 4,
    "no status": b"HTTP/1.1\r\n" + SIZED + b"\r\n" + ENVELOPE,
    "status of one digit": b"HTTP/1.1 2 OK\r\n" + SIZED + b"\r\n" + ENVELOPE,
    "status of four digits": b"HTTP/1.1 2000 OK\r\n" + SIZED + b"\r\n" + ENVELOPE,
    "status is a word": b"HTTP/1.1 abc OK\r\n" + SIZED + b"\r\n" + ENVELOPE,
    "status 999": b"HTTP/1.1 999 OK\r\n" + SIZED + b"\r\n" + ENVELOPE,
    "HTTP/0.9": ENVELOPE,
    "nothing but blank lines": b"\r\n" * 10_000,
}


def is_clean(error: LinksfieldError) -> None:
    assert error.status in (None, 999)  # never aiohttp's own "400"
    assert str(error).isprintable()
    assert len(str(error)) <= 200
    assert "aaaa" not in str(error)
    assert "89852420180910340793" not in str(error)


@post_and_delete
@pytest.mark.parametrize("content", JUNK.values(), ids=JUNK.keys())
async def test_w11_junk_is_no_refusal(
    server: RawServer, kind: type[Operation[Any]], content: bytes
) -> None:
    server.answer(content, Close())
    async with client_of(server) as client:
        with pytest.raises((OutcomeUnknown, BadAnswer)) as caught:
            await client.send(filled(kind))
    await settled()
    assert not isinstance(caught.value, Refused)
    assert caught.value.carried_out is None
    is_clean(caught.value)
    assert len(server.requests) == 1


async def test_w11_junk_ends_reads() -> None:
    errors = await reads_survive(
        *((junk, Close()) for junk in JUNK.values()), raises=(OutcomeUnknown, BadAnswer)
    )
    for error in errors:
        is_clean(error)


async def test_w11_an_answer_before_the_request_was_read(server: RawServer) -> None:
    """A 408 pushed by an impatient server says nothing certain of what was sent since."""
    server.greet(http_answer(b"", status=408), Close())
    async with client_of(server, deadline=1.0) as client:
        with pytest.raises((OutcomeUnknown, NotSent)):
            await client.send(filled(SingleOrder))
    assert len(server.requests) <= 1


# More or fewer answers than one

INTERIM = {
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "103": b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n",
    "102 a thousand times": b"HTTP/1.1 102 Processing\r\n\r\n" * 1000,
}


@post_and_delete
@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM.keys())
@pytest.mark.parametrize("pause", [0.0, 0.02])
async def test_w12_interim_answers_are_passed_over(
    server: RawServer, kind: type[Operation[Any]], interim: bytes, pause: float
) -> None:
    server.answer_by(lambda received: (interim, Pause(pause), good(received)))
    async with client_of(server) as client:
        for _ in range(2):
            await client.send(filled(kind))
    assert len(server.requests) == 2


@post_and_delete
async def test_w12_endless_interim_answers_end_at_the_deadline(
    server: RawServer, kind: type[Operation[Any]]
) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            await Repeat(INTERIM["100"], times=10)(writer)
            await asyncio.sleep(0.01)

    server.answer(endless)
    async with client_of(server, deadline=0.3) as client:
        error = await unknown_and_sent_once(client, server, filled(kind))
    assert error.elapsed < 3


EVIL = http_answer(
    {"operateCode": "S", "data": {"transactionId": "evil", "groups": [{"group_id": "evil"}]}}
)


async def never_evil(client: Client, kind: type[Operation[Any]]) -> None:
    try:
        result = await client.send(filled(kind))
    except (OutcomeUnknown, BadAnswer):
        return
    assert "evil" not in repr(result)


@pytest.mark.parametrize("kind", [ResultConfirm, ListGroups], ids=lambda kind: kind.__name__)
async def test_w13_a_second_answer_at_once_is_given_to_nobody(
    server: RawServer, kind: type[Operation[Any]]
) -> None:
    server.answer_by(lambda received: (good(received) + EVIL,))
    async with client_of(server, deadline=2.0) as client:
        for _ in range(3):
            await never_evil(client, kind)


@pytest.mark.parametrize("kind", [ResultConfirm, ListGroups], ids=lambda kind: kind.__name__)
async def test_w13_a_second_answer_while_idle_is_given_to_nobody(
    server: RawServer, kind: type[Operation[Any]]
) -> None:
    server.answer_by(lambda received: (good(received), Pause(0.02), EVIL))
    async with client_of(server, deadline=2.0) as client:
        for _ in range(3):
            await never_evil(client, kind)
            await asyncio.sleep(0.1)


async def test_w13_a_second_answer_under_way_is_given_to_no_once(server: RawServer) -> None:
    """It crosses the next request: only a connection of its own tells such answers apart."""
    server.answer_by(lambda received: (good(received), Pause(0.05), EVIL))
    async with client_of(server, deadline=2.0) as client:
        for _ in range(3):
            await never_evil(client, ResultConfirm)


@post_and_delete
@pytest.mark.parametrize("where", ["header", "body"])
async def test_w14_a_slow_drip_ends_at_the_deadline(
    server: RawServer, kind: type[Operation[Any]], where: str
) -> None:
    def drip(received: Received) -> Any:
        head, _, body = good(received).partition(b"\r\n\r\n")
        if where == "header":
            return (Drip(head, every=0.02),)
        return (head + b"\r\n\r\n", Drip(body, every=0.02))

    server.answer_by(drip)
    async with client_of(server, deadline=0.4, read_timeout=0.2) as client:
        error = await unknown_and_sent_once(client, server, filled(kind))
    assert 0.3 <= error.elapsed < 3


LOCATIONS: dict[str, Callable[[str, str], str]] = {
    "same host": lambda own, _: f"{own}/elsewhere",
    "path": lambda *_: "/elsewhere",
    "other host": lambda _, other: f"{other}/elsewhere",
    "localhost": lambda _, other: f"{other}/elsewhere".replace("127.0.0.1", "localhost"),
    "file": lambda *_: "file:///etc/passwd",
    "nowhere": lambda *_: "",
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_w15_redirects_are_not_followed(server: RawServer, status: int) -> None:
    async with RawServer() as other, client_of(server) as client:
        for kind in (SingleOrder, RemoveSims):
            for place in LOCATIONS.values():
                before = len(server.requests)
                location = {"Location": place(server.url, other.url)}
                server.answer_json({"operateCode": "S"}, status=status, headers=location)
                with pytest.raises(UnexpectedRedirect):
                    await client.send(filled(kind))
                assert len(server.requests) == before + 1
        assert other.connections == 0


async def test_w15_redirects_are_not_followed_by_reads() -> None:
    async with RawServer() as other:
        scripts = [
            (http_answer({}, status=status, headers={"Location": f"{other.url}/"}),)
            for status in (301, 302, 303, 307, 308)
        ]
        await reads_survive(*scripts, raises=UnexpectedRedirect)
        assert other.connections == 0


# Too much

LIMIT = 1 << 20
MIB = 1 << 20


def status_kib(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise KeyError(name)


@contextmanager
def less_memory_than(growth: int) -> Iterator[None]:
    """The peak of what is resident, measured anew: the process's own mark may be far up."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pytest.skip("only Linux lets a process reset its peak of memory")
    before = status_kib("VmRSS")
    yield
    peak = status_kib("VmHWM")
    assert (peak - before) * 1024 < growth


async def too_large(
    script: tuple[Any, ...], raises: type[LinksfieldError] | tuple[type[LinksfieldError], ...]
) -> LinksfieldError:
    """Meet a huge answer twice, first to warm up; the peak of memory is that of the second."""
    async with RawServer() as server, client_of(server, max_answer_bytes=LIMIT) as client:
        server.answer(*script)
        with pytest.raises(raises):
            await client.send(filled(SingleOrder))
        with less_memory_than(8 * MIB), pytest.raises(raises) as caught:
            await client.send(filled(SingleOrder))
        await settled()
        assert len(server.requests) == 2
    assert caught.value.carried_out is None
    assert caught.value.elapsed < 5
    return caught.value


def bomb(kind: str, size: int) -> bytes:
    """Spaces, compressed about 1,000 times."""
    wbits = {"gzip": 31, "zlib": 15, "raw": -15}[kind]
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return b"".join(packer.compress(b" " * MIB) for _ in range(size // MIB)) + packer.flush()


@pytest.mark.parametrize(
    ("kind", "encoding"),
    [("gzip", "gzip"), ("gzip", "GZIP"), ("zlib", "deflate"), ("raw", "deflate")],
)
async def test_w16_a_bomb_is_too_large(kind: str, encoding: str) -> None:
    if encoding.isupper() and aiohttp.__version__ < "3.14.5":
        pytest.skip("older aiohttp knows the names of encodings in lower case only")
    packed = bomb(kind, 64 * MIB)
    assert len(packed) < 70_000
    answer = http_answer(packed, headers={"Content-Encoding": encoding})
    await too_large((answer,), ResponseTooLarge)


@pytest.mark.parametrize("chunk", [1, 1000])
async def test_w16_a_bomb_in_chunks_is_too_large(chunk: int) -> None:
    packed = bomb("gzip", 16 * MIB)
    head = OK_HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = (packed[start : start + chunk] for start in range(0, len(packed), chunk))
    content = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    await too_large((head + content + b"0\r\n\r\n",), ResponseTooLarge)


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "gzip,deflate"])
async def test_w16_a_bomb_in_a_bomb_is_not_unpacked(encoding: str) -> None:
    """Whatever layers are unpacked, it ends with a bad answer and within the memory."""
    packed = gzip.compress(bomb("gzip", 64 * MIB))
    answer = http_answer(packed, headers={"Content-Encoding": encoding})
    await too_large((answer,), (BadAnswer, OutcomeUnknown))


@pytest.mark.parametrize(("encoding", "library"), [("br", "brotli"), ("zstd", "backports.zstd")])
async def test_w16_a_bomb_of_an_optional_encoding(encoding: str, library: str) -> None:
    packer = pytest.importorskip(library)
    answer = http_answer(packer.compress(b" " * (64 * MIB)), headers={"Content-Encoding": encoding})
    await too_large((answer,), ResponseTooLarge)


BLOCK = b" " * 65_536
HUGE = {
    "64 MiB": (OK_HEAD + b"Content-Length: %d\r\n\r\n" % (64 * MIB), Repeat(BLOCK, times=1024)),
    "endless chunks": (CHUNKED, Repeat(b"10000\r\n" + BLOCK + b"\r\n")),
    "endless, no length": (OK_HEAD + b"Connection: close\r\n\r\n", Repeat(BLOCK)),
    "length 10^15": (OK_HEAD + b"Content-Length: 1000000000000000\r\n\r\n", Repeat(BLOCK)),
    "chunk of 10^15": (CHUNKED + b"38d7ea4c68000\r\n", Repeat(BLOCK)),
}


@pytest.mark.parametrize("script", HUGE.values(), ids=HUGE.keys())
async def test_w17_a_huge_answer_is_too_large(script: tuple[Any, ...]) -> None:
    await too_large(script, ResponseTooLarge)


async def test_w17_a_length_alone_costs_nothing() -> None:
    head = OK_HEAD + b"Content-Length: 1000000000000000\r\n\r\n{}"
    await too_large((head, Close()), (OutcomeUnknown, ResponseTooLarge))


# Not what it says

UNREADABLE = {
    "not gzip": http_answer(ENVELOPE, headers={"Content-Encoding": "gzip"}),
    "not deflate": http_answer(b"\xff" * 50, headers={"Content-Encoding": "deflate"}),
    "broken CRC": http_answer(
        gzip.compress(ENVELOPE)[:-8] + b"\0" * 8, headers={"Content-Encoding": "gzip"}
    ),
    "gzip cut": http_answer(gzip.compress(ENVELOPE)[:-20], headers={"Content-Encoding": "gzip"}),
    "not UTF-8": http_answer(
        '{"operateCode":"S","data":{"name":"新加坡"}}'.encode("gbk"),
        headers={"Content-Type": "application/json; charset=utf-8"},
    ),
    "UTF-16": http_answer(
        ENVELOPE.decode().encode("utf-16"),
        headers={"Content-Type": "application/json; charset=utf-16"},
    ),
}


@post_and_delete
@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_w18_an_answer_that_cannot_be_decoded(
    server: RawServer, kind: type[Operation[Any]], answer: bytes
) -> None:
    server.answer(answer)
    async with client_of(server) as client:
        with pytest.raises((OutcomeUnknown, BadAnswer)) as caught:
            await client.send(filled(kind))
    await settled()
    assert caught.value.carried_out is None
    assert str(caught.value).isprintable()
    assert len(server.requests) == 1


async def test_w18_an_answer_that_cannot_be_decoded_ends_reads() -> None:
    scripts = [(answer,) for answer in UNREADABLE.values()]
    await reads_survive(*scripts, raises=(OutcomeUnknown, BadAnswer))


@every_once
async def test_w18_a_gzip_answer_without_its_checksum(
    server: RawServer, kind: type[Operation[Any]]
) -> None:
    """Nothing of the JSON is missing: a result or an error, but nothing is sent twice."""
    packed = gzip.compress(ENVELOPE)[:-8]
    server.answer(http_answer(packed, headers={"Content-Encoding": "gzip"}))
    async with client_of(server) as client:
        with suppress(OutcomeUnknown, BadAnswer):
            await client.send(filled(kind))
    await settled()
    assert len(server.requests) == 1


async def test_w18_a_wrong_label_on_good_text_is_passed_over(server: RawServer) -> None:
    for charset in ("latin-1", "utf-16", "nonsense"):
        header = {"Content-Type": f"text/html; charset={charset}"}
        server.answer(http_answer(ENVELOPE, headers=header))
        async with client_of(server) as client:
            assert (await client.vshop.verify_card(iccid="1")).iccid == "1"


# Nothing from elsewhere


async def test_w19_no_cookie_is_ever_sent_back(server: RawServer) -> None:
    """5,000 cookies, on every answer, for this host and for others."""
    turns = iter(range(100_000))

    def answer(received: Received) -> Any:
        cookies = "".join(
            f"Set-Cookie: c{next(turns)}=1; Path=/; Domain={host}\r\n"
            for host in ("127.0.0.1", "localhost", "example.com", ".com") * 12
        )
        head, _, body = good(received).partition(b"\r\n\r\n")
        return (head + b"\r\n" + cookies.encode() + b"\r\n" + body,)

    server.answer_by(answer)
    async with client_of(server) as client:
        await asyncio.gather(*(client.send(filled(kind)) for kind in ONCE))
        with less_memory_than(8 * MIB):
            for _ in range(100):
                await client.send(filled(SingleVerify))
    assert next(turns) > 5_000
    assert len(server.requests) == len(ONCE) + 100
    assert all("cookie" not in seen.headers for seen in server.requests)


# TLS


def server_context(ca: trustme.CA, host: str = "127.0.0.1", **validity: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(host, **validity).configure_cert(context)
    return context


def self_signed(folder: Path) -> ssl.SSLContext:
    """For the right host and time: nothing is wrong with it but who signed it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    host = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([host]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "self-signed.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def days(count: int) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(days=count)


CERTIFICATES: dict[str, Callable[[trustme.CA, Path], ssl.SSLContext]] = {
    "self-signed": lambda _, folder: self_signed(folder),
    "untrusted authority": lambda *_: server_context(trustme.CA()),
    "expired": lambda ca, _: server_context(ca, not_before=days(-9), not_after=days(-1)),
    "not valid yet": lambda ca, _: server_context(ca, not_before=days(1), not_after=days(9)),
    "other host": lambda ca, _: server_context(ca, "shop.example.com"),
    "other address": lambda ca, _: server_context(ca, "127.0.0.2"),
}


@pytest.fixture
def ca(tmp_path: Path) -> trustme.CA:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    return ca


async def no_tls_with(context: ssl.SSLContext, ca_file: Path) -> None:
    """Once only, and nothing of the request may leave: the proxy counts what the server cannot."""
    async with (
        RawServer(context) as server,
        FaultProxy("127.0.0.1", server.port, scheme="https") as proxy,
        client_of(proxy, ca_file=str(ca_file)) as client,
    ):
        for attempts, kind in enumerate((SingleOrder, RemoveSims, SingleVerify), start=1):
            with pytest.raises(TLSFailed) as caught:
                await client.send(filled(kind))
            assert caught.value.carried_out is False
            await settled()
            assert proxy.connections == attempts
        assert (server.requests, server.incomplete) == ([], 0)


async def test_w20_the_right_certificate_is_accepted(ca: trustme.CA, tmp_path: Path) -> None:
    async with RawServer(server_context(ca)) as server:
        server.answer_by(lambda received: (good(received),))
        async with client_of(server, ca_file=str(tmp_path / "ca.pem")) as client:
            await client.send(filled(SingleOrder))
        assert len(server.requests) == 1


@pytest.mark.parametrize("make", CERTIFICATES.values(), ids=CERTIFICATES.keys())
async def test_w20_a_wrong_certificate_is_not_sent_to(
    ca: trustme.CA, tmp_path: Path, make: Callable[[trustme.CA, Path], ssl.SSLContext]
) -> None:
    await no_tls_with(make(ca, tmp_path), tmp_path / "ca.pem")


@contextmanager
def old_server(context: ssl.SSLContext) -> Iterator[int]:
    """In a thread, because asyncio closes without the alert that tells a client why."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # closed: the block has ended
            with connection, suppress(OSError), context.wrap_socket(connection, server_side=True):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def only_tls_1_0(context: ssl.SSLContext) -> ssl.SSLContext:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it is old: that is the point
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def shakes_hands(port: int, context: ssl.SSLContext) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as tls:
                return tls.version() == "TLSv1"
        except OSError:
            return False


async def test_w20_tls_1_0_is_not_spoken(ca: trustme.CA, tmp_path: Path) -> None:
    client_context = ssl.create_default_context()
    ca.configure_trust(client_context)
    try:
        server_side = only_tls_1_0(server_context(ca))
        only_tls_1_0(client_context)
    except (ssl.SSLError, ValueError) as error:
        pytest.skip(f"this OpenSSL has no TLS 1.0: {error}")
    with old_server(server_side) as port:
        if not await asyncio.to_thread(shakes_hands, port, client_context):
            pytest.skip("this OpenSSL does not shake hands over TLS 1.0")
        async with (
            FaultProxy("127.0.0.1", port, scheme="https") as proxy,
            client_of(proxy, ca_file=str(tmp_path / "ca.pem")) as client,
        ):
            with pytest.raises(TLSFailed) as caught:
                await client.send(filled(SingleOrder))
            assert caught.value.carried_out is False
            await settled()
            assert proxy.connections == 1


async def test_w20_an_alert_instead_of_tls(ca: trustme.CA, tmp_path: Path) -> None:
    async with RawServer() as server:
        server.greet(b"\x15\x03\x01\x00\x02\x02\x46", Pause(0.1), Close())  # protocol_version
        url = server.url.replace("http:", "https:")
        async with client_of(url, ca_file=str(tmp_path / "ca.pem")) as client:
            with pytest.raises(TLSFailed):
                await client.send(filled(SingleOrder))
        assert server.connections == 1


async def test_w20_plain_http_behind_https_is_not_sent_to(tmp_path: Path, ca: trustme.CA) -> None:
    async with RawServer() as server:
        server.greet(http_answer({}, status=400), Close())
        url = server.url.replace("http:", "https:")
        async with client_of(url, ca_file=str(tmp_path / "ca.pem"), deadline=1.0) as client:
            with pytest.raises(NotSent):
                await client.send(filled(SingleOrder))


async def test_w20_nothing_turns_verification_off(
    ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    telling = ("verify", "insecure", "ssl", "check_hostname")
    names = {*attrs.fields_dict(Options), *attrs.fields_dict(Account)}
    assert not [name for name in names if any(word in name for word in telling)]
    for name in ("PYTHONHTTPSVERIFY", "NODE_TLS_REJECT_UNAUTHORIZED", "SSL_VERIFY"):
        monkeypatch.setenv(name, "0")
    await no_tls_with(server_context(trustme.CA()), tmp_path / "ca.pem")


# The environment


async def test_w21_proxies_and_netrc_in_the_environment_are_ignored(
    server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(
        "machine 127.0.0.1 login someone password secret\ndefault login a password b\n"
    )
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    netrc.with_name(".netrc").write_text(netrc.read_text())
    async with RawServer() as other:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY"):
            monkeypatch.setenv(name, other.url)
            monkeypatch.setenv(name.lower(), other.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        async with client_of(server) as client:
            for kind in (SingleOrder, RemoveSims, SingleVerify, GetOrder):
                await client.send(filled(kind))
        assert other.connections == 0
    assert len(server.requests) == 4
    for seen in server.requests:
        assert seen.target.startswith("/")  # not the absolute form that proxies get
        assert "authorization" not in seen.headers
        assert "proxy-authorization" not in seen.headers
