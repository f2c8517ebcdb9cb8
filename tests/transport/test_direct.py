"""DirectTransport: what it does beyond what every transport must do."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
import trustme
from servers import RawServer, Seen, serving
from transport_behaviour import HEADERS, LIMITS, TransportBehaviour, request_to

from linksfield_async import Client, Options
from linksfield_async.errors import (
    ConfigurationError,
    ConnectFailed,
    InvalidInput,
    NotSent,
    OutcomeUnknown,
)
from linksfield_async.protocol import Request
from linksfield_async.transport.direct import DirectTransport
from linksfield_async.transport.wires import WireConnector


class TestDirectTransport(TransportBehaviour):
    @pytest.fixture
    async def transport(self) -> AsyncIterator[DirectTransport]:
        transport = DirectTransport()
        yield transport
        await transport.close()

    @pytest.fixture
    async def transport_of_one(self) -> AsyncIterator[DirectTransport]:
        transport = DirectTransport(Options(connections=1))
        yield transport
        await transport.close()

    @pytest.fixture
    async def transport_trusting(
        self, tmp_path: Path
    ) -> AsyncIterator[tuple[DirectTransport, trustme.CA]]:
        ca = trustme.CA()
        ca.cert_pem.write_to_path(tmp_path / "ca.pem")
        transport = DirectTransport(Options(ca_file=str(tmp_path / "ca.pem")))
        yield transport, ca
        await transport.close()


@pytest.fixture
async def transport() -> AsyncIterator[DirectTransport]:
    transport = DirectTransport(Options(connections=2))
    yield transport
    await transport.close()


async def test_a_client_uses_it_by_itself(client: Client) -> None:
    """Fails loudly where an aiohttp that is allowed would let the client fall back."""
    assert isinstance(client._own_transport, DirectTransport)


# What is sent


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
@pytest.mark.parametrize("once", [False, True])
async def test_the_head_says_what_aiohttp_would_say(
    transport: DirectTransport, server: RawServer, method: str, once: bool
) -> None:
    server.answers({})
    body = b"" if method == "GET" else b"{}"
    await transport.send(Request(method, f"{server.url}/x?q=1", HEADERS, body, once), LIMITS)
    seen = server.seen[0].headers
    assert seen.pop("user-agent").startswith("Python/")  # where no request names one itself
    assert seen == {
        "host": server.url.removeprefix("http://"),
        "accept": "*/*",
        "accept-encoding": aiohttp.ClientRequest.DEFAULT_HEADERS["Accept-Encoding"],
        "accept-language": "en-US",
        "content-type": "application/json",
        **({"content-length": "2"} if body else {}),
        **({"connection": "close"} if once else {}),
    }


async def test_a_method_with_a_body_says_that_there_is_none(
    transport: DirectTransport, server: RawServer
) -> None:
    server.answers({})
    for method in ("POST", "DELETE", "GET"):
        await transport.send(Request(method, f"{server.url}/x", {}), LIMITS)
    assert [seen.headers.get("content-length") for seen in server.seen] == ["0", "0", None]


async def test_head_and_body_leave_in_one_piece(transport: DirectTransport) -> None:
    pieces: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pieces.append(await reader.read(65_536))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await reader.read()

    async with serving(serve) as url:
        await transport.send(request_to(url, body=b"b" * 999), LIMITS)
    assert len(pieces) == 1
    assert pieces[0].startswith(b"POST /vshop/x?q=%2F HTTP/1.1\r\nHost: 127.0.0.1")
    assert pieces[0].endswith(b"\r\n\r\n" + b"b" * 999)


async def test_headers_that_change_in_place_are_sent_as_they_are(
    transport: DirectTransport, server: RawServer
) -> None:
    server.answers({})
    headers = {"Accept-Language": "en"}
    for language in ("en", "de", *(f"x-{n}" for n in range(40)), "en"):
        headers["Accept-Language"] = language
        await transport.send(Request("GET", f"{server.url}/", headers), LIMITS)
    assert [seen.headers["accept-language"] for seen in server.seen][-2:] == ["x-39", "en"]
    assert len({seen.headers["accept-language"] for seen in server.seen}) == 42


@pytest.mark.parametrize(
    "wrong",
    [
        {"headers": {"X": "a\r\nEvil: 1"}},
        {"headers": {"X": "a\nEvil: 1"}},
        {"headers": {"X": "a\0"}},
        {"headers": {"X\r\nEvil": "1"}},
        {"headers": {"X Y": "1"}},
        {"headers": {"": "1"}},
        {"headers": {"Content-Length": "0"}},
        {"headers": {"transfer-encoding": "chunked"}},
        {"headers": {"HOST": "elsewhere.example"}},
        {"headers": {"Connection": "Upgrade"}},
        {"headers": {"Expect": "100-continue"}},
        {"method": "GET / HTTP/1.1\r\nX: 1\r\n\r\nGET"},
        {"method": "get"},
        {"method": "CONNECT"},
        {"path": "/a b"},
        {"path": "/a\r\nX: 1"},
        {"path": "/\u00e9"},
        {"path": "/a#b"},
        {"path": "?x=/"},
        {"path": "@elsewhere.example/"},
        {"path": ""},
    ],
    ids=repr,
)
async def test_nothing_else_can_be_put_into_a_request(
    transport: DirectTransport, server: RawServer, wrong: dict[str, Any]
) -> None:
    server.answers({})
    request = Request(
        wrong.get("method", "POST"),
        server.url + wrong.get("path", "/x"),
        wrong.get("headers", HEADERS),
        b"{}",
    )
    if wrong == {"path": ""}:
        assert (await transport.send(request, LIMITS)).status == 200
        assert server.seen[0].target == "/"
        return
    with pytest.raises((ConfigurationError, InvalidInput)) as caught:
        await transport.send(request, LIMITS)
    assert caught.value.carried_out is False
    assert server.connections == 0


# What is kept


async def test_connections_for_once_are_never_used_again(
    transport: DirectTransport, server: RawServer
) -> None:
    server.answers({})
    for once in (False, True, True, False):
        await transport.send(attrs.evolve(request_to(server.url), once=once), LIMITS)
    assert server.connections == 3
    assert [seen.headers.get("connection") for seen in server.seen] == [
        None, "close", "close", None,
    ]  # fmt: skip


@pytest.mark.parametrize("more", [b"H", b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\n\r\n"])
@pytest.mark.parametrize("pause", [0, 0.02], ids=["at once", "while idle"])
async def test_a_connection_with_more_than_an_answer_is_not_used_again(
    transport: DirectTransport, server: RawServer, more: bytes, pause: float
) -> None:
    """Not even where it is only the beginning of something, which a parser would keep quiet."""

    async def answer(_: Seen, writer: asyncio.StreamWriter) -> None:
        content = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        writer.write(content if pause else content + more)
        await asyncio.sleep(pause)
        writer.write(more if pause else b"")

    server.answers_by(answer)
    for calls in range(1, 4):
        assert (await transport.send(request_to(server.url), LIMITS)).body == b"{}"
        assert server.connections == calls
        await asyncio.sleep(pause * 2)


async def test_blank_lines_after_an_answer_are_nothing(
    transport: DirectTransport, server: RawServer
) -> None:
    server.answers_bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}\r\n")
    for _ in range(3):
        assert (await transport.send(request_to(server.url), LIMITS)).body == b"{}"
    assert server.connections == 1


async def test_an_answer_before_all_was_sent_ends_the_connection(
    transport: DirectTransport,
) -> None:
    """What is still to be sent would be taken for the next request."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await asyncio.sleep(30)

    async with serving(serve) as url:
        for _ in range(2):
            response = await transport.send(request_to(url, body=b"x" * 20_000_000), LIMITS)
            assert response.status == 413
    assert connections == 2


async def test_a_server_that_speaks_first_is_not_sent_to(
    transport: DirectTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        received.append(await reader.read(1000))

    connect = WireConnector.connect

    async def connect_slowly(*args: Any) -> Any:
        connection = await connect(*args)
        await asyncio.sleep(0.05)  # until it has spoken
        return connection

    monkeypatch.setattr(WireConnector, "connect", connect_slowly)
    received: list[bytes] = []
    async with serving(serve) as url:
        with pytest.raises(ConnectFailed):
            await transport.send(request_to(url), LIMITS)
        await asyncio.sleep(0.02)
    assert received == [b""]


async def test_a_connection_that_is_gone_is_not_sent_to(
    transport: DirectTransport, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed between being made and being used: proved unsent, where a session cannot tell."""
    connect = WireConnector.connect

    async def connect_and_lose(*args: Any) -> Any:
        connection = await connect(*args)
        server.drop_connections()
        await asyncio.sleep(0.05)
        return connection

    monkeypatch.setattr(WireConnector, "connect", connect_and_lose)
    with pytest.raises(ConnectFailed):
        await transport.send(request_to(server.url), LIMITS)
    assert server.seen == []


@pytest.mark.parametrize("how", ["canceled", "deadline"])
async def test_what_was_given_up_is_not_sent_to_its_end(
    transport: DirectTransport, how: str
) -> None:
    """A request that is still leaving stops there; a server never gets the whole of it."""
    arrived = 0

    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        nonlocal arrived
        await asyncio.sleep(0.2)
        while piece := await reader.read(1 << 20):
            arrived += len(piece)

    async with serving(serve) as url:
        request = request_to(url, body=b"x" * 20_000_000)
        if how == "canceled":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(transport.send(request, LIMITS), 0.1)
        else:
            with pytest.raises(OutcomeUnknown):
                await transport.send(request, attrs.evolve(LIMITS, deadline=0.1))
        await asyncio.sleep(0.3)
    assert arrived < 20_000_000


# Limits


async def test_a_request_that_leaves_slowly_is_no_silence(transport: DirectTransport) -> None:
    """The read timeout is for the answer; while the request leaves, the deadline alone counts."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.5)
        await reader.readexactly(20_000_000)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()

    async with serving(serve) as url:
        limits = attrs.evolve(LIMITS, read=0.15)
        response = await transport.send(request_to(url, body=b"x" * 20_000_000), limits)
    assert response.body == b"{}"


async def test_bytes_that_come_put_the_read_timeout_off(
    transport: DirectTransport, server: RawServer
) -> None:
    async def drip(_: Seen, writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}":
            writer.write(bytes([byte]))
            await asyncio.sleep(0.01)

    server.answers_by(drip)
    limits = attrs.evolve(LIMITS, read=0.15)
    assert (await transport.send(request_to(server.url), limits)).body == b"{}"


async def test_no_time_left_is_not_sent(transport: DirectTransport, server: RawServer) -> None:
    server.answers({})
    await transport.send(request_to(server.url), LIMITS)
    for deadline in (0.0, -1.0):
        with pytest.raises(NotSent, match="deadline"):
            await transport.send(request_to(server.url), attrs.evolve(LIMITS, deadline=deadline))
    await asyncio.sleep(0.02)
    assert len(server.seen) == 1


# What is read


async def test_a_large_compressed_answer_is_read_whole(
    transport: DirectTransport, server: RawServer
) -> None:
    content = b"".join(b'{"n": %d}' % n for n in range(250_000))
    server.answers(gzip.compress(content), headers={"Content-Encoding": "gzip"})
    limits = attrs.evolve(LIMITS, max_answer_bytes=len(content))
    assert (await transport.send(request_to(server.url), limits)).body == content


async def test_an_answer_without_a_length_ends_with_its_connection(
    transport: DirectTransport, server: RawServer
) -> None:
    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + seen.body)
        writer.close()

    server.answers_by(answer)
    for n in range(3):
        body = b"%d" % n
        assert (await transport.send(request_to(server.url, body=body), LIMITS)).body == body
    assert server.connections == 3


async def test_an_answer_that_breaks_in_the_middle_is_not_waited_for(
    transport: DirectTransport, server: RawServer
) -> None:
    """aiohttp notices, and lets who reads the body wait until a timeout."""

    async def answer(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
        await asyncio.sleep(0.02)
        writer.write(b"cdefgh")

    server.answers_by(answer)
    with pytest.raises(OutcomeUnknown, match="truncated"):
        await transport.send(request_to(server.url), LIMITS)


async def test_no_body_where_none_may_be(transport: DirectTransport, server: RawServer) -> None:
    for status in (204, 304):
        server.answers_bytes(b"HTTP/1.1 %d X\r\nContent-Length: 5\r\n\r\n" % status)
        response = await transport.send(request_to(server.url), LIMITS)
        assert (response.status, response.body) == (status, b"")
    server.answers_bytes(b"HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\n")
    response = await transport.send(Request("HEAD", f"{server.url}/", HEADERS), LIMITS)
    assert response.body == b""
    assert server.connections == 1


# Connections between calls


def answering(connections: list[int]) -> Any:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        while await reader.read(65_536):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    return serve


async def test_one_that_rests_is_used_again_and_takes_no_place_from_others() -> None:
    """With one place in all, each of two servers is reached, as often as it is its turn."""
    transport, here, there = DirectTransport(Options(connections=1)), [], []
    async with serving(answering(here)) as one, serving(answering(there)) as other:
        async with asyncio.timeout(5):
            for url in (one, one, one, other, other, one, other):
                assert (await transport.send(request_to(url), LIMITS)).status == 200
        assert len(here) == 1
        await transport.close()


async def test_those_that_wait_have_one_before_it_rests() -> None:
    transport, made = DirectTransport(Options(connections=2)), []
    async with serving(answering(made)) as url:
        async with asyncio.timeout(5):
            for _ in range(3):
                await asyncio.gather(*(transport.send(request_to(url), LIMITS) for _ in range(20)))
        assert len(made) <= 2
        await transport.close()


@pytest.mark.parametrize("looks", [False, True])
async def test_one_that_rested_for_too_long_is_not_used_again(looks: bool) -> None:
    transport, made = DirectTransport(), []
    async with serving(answering(made)) as url:
        await transport.send(request_to(url), LIMITS)
        (held,) = transport._loops.held.values()
        ((resting,),) = held.pools.kept._resting.values()
        resting[1].rests_since -= 16.0
        if looks:
            held.pools.kept._look_through()
            assert not any(held.pools.kept._resting.values())
            assert not resting[1].is_connected()
        await transport.send(request_to(url), LIMITS)
        assert len(made) == 2
        await transport.close()


def pool_of(transport: DirectTransport) -> WireConnector:
    (held,) = transport._loops.held.values()
    return held.pools.kept


@pytest.mark.parametrize(
    ("head", "connections"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close", 3),
        (b"HTTP/1.0 200 OK", 3),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive", 1),
        (b"HTTP/1.1 200 OK", 1),
    ],
)
async def test_one_rests_only_where_the_answer_lets_it(
    transport: DirectTransport, server: RawServer, head: bytes, connections: int
) -> None:
    """The server itself closes none of them."""
    server.answers_bytes(head + b"\r\nContent-Length: 2\r\n\r\n{}")
    for _ in range(3):
        assert (await transport.send(request_to(server.url), LIMITS)).body == b"{}"
    assert server.connections == connections
    assert any(pool_of(transport)._resting.values()) is (connections == 1)


async def test_bytes_that_come_while_it_rests_end_it(transport: DirectTransport) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while await reader.read(65_536):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async with serving(serve) as url:
        await transport.send(request_to(url), LIMITS)
        ((resting,),) = pool_of(transport)._resting.values()
        writers[0].write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        async with asyncio.timeout(5):
            while resting[1].is_connected():
                await asyncio.sleep(0.001)
        assert (await transport.send(request_to(url), LIMITS)).body == b"{}"
        assert len(writers) == 2
        await transport.close()


async def test_one_that_the_server_closed_while_it_rested_is_not_sent_to(
    transport: DirectTransport,
) -> None:
    made: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.append(1)
        await reader.read(65_536)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    async with serving(serve) as url:
        await transport.send(request_to(url), LIMITS)
        ((resting,),) = pool_of(transport)._resting.values()
        async with asyncio.timeout(5):
            while resting[1].is_connected():
                await asyncio.sleep(0.001)
        assert (await transport.send(request_to(url), LIMITS)).status == 200
        assert len(made) == 2
        await transport.close()


async def test_one_given_up_in_the_middle_frees_its_place_and_is_not_used_again() -> None:
    transport, asked = DirectTransport(Options(connections=1)), asyncio.Event()
    made: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.append(1)
        answers = 1 if len(made) == 1 else 2
        while await reader.read(65_536):
            if answers:
                answers -= 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            else:
                asked.set()

    async with serving(serve) as url, asyncio.timeout(5):
        await transport.send(request_to(url), LIMITS)
        task = asyncio.create_task(transport.send(request_to(url), LIMITS))
        await asked.wait()
        waiting = asyncio.create_task(transport.send(request_to(url), LIMITS))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await waiting).status == 200
        assert len(made) == 2
        await transport.close()


async def test_closing_ends_those_that_rest_and_those_under_way() -> None:
    transport, asked, ended = DirectTransport(), asyncio.Event(), []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while received := await reader.read(65_536):
            if b"/slow" in received:
                asked.set()
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        ended.append(1)

    async with serving(serve) as url, asyncio.timeout(5):
        for _ in range(2):
            await asyncio.gather(*(transport.send(request_to(url), LIMITS) for _ in range(3)))
        slow = attrs.evolve(request_to(url), url=f"{url}/slow")
        under_way = asyncio.create_task(transport.send(slow, LIMITS))
        await asked.wait()
        connector = pool_of(transport)
        assert len(*connector._resting.values()) == 2
        await transport.close()
        with pytest.raises(OutcomeUnknown, match="closed after sending"):
            await under_way
        assert not connector._resting
        while len(ended) < 3:
            await asyncio.sleep(0.001)


async def test_nothing_is_kept_of_a_host_whose_connections_are_gone() -> None:
    transport, made = DirectTransport(), []
    async with serving(answering(made)) as one, serving(answering(made)) as other:
        for url in (one, other, one, other):
            await transport.send(request_to(url), LIMITS)
        connector = pool_of(transport)
        for ((_, wire),) in connector._resting.values():
            wire.rests_since -= 16.0
        connector._look_through()
        assert not connector._resting
        await transport.close()


async def test_a_body_that_breaks_is_never_taken_as_it_lies(
    transport: DirectTransport, server: RawServer
) -> None:
    """All of it has come, in the same piece as what shows that it is none."""
    packed = gzip.compress(b"{}" * 100)
    broken = packed[:-8] + b"\0" * 8
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(broken)}\r\n\r\n"
    server.answers_bytes(head.encode() + broken)
    with pytest.raises(OutcomeUnknown):
        await transport.send(request_to(server.url), LIMITS)
