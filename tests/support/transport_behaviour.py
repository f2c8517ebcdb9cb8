"""What every transport must do; subclass and give a `transport` fixture."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import traceback
import zlib
from contextlib import suppress
from typing import Any

import attrs
import pytest
import trustme
from servers import RawServer, Seen, raw_server

from linksfield_async.errors import (
    BadAnswer,
    ConnectFailed,
    DeadlineExceeded,
    LinksfieldError,
    NotSent,
    OutcomeUnknown,
    ResponseTooLarge,
    TLSFailed,
)
from linksfield_async.protocol import Request
from linksfield_async.transport.base import Limits, Transport

LIMITS = Limits(deadline=5, connect=2, read=2, max_answer_bytes=1_000_000)
HEADERS = {"Content-Type": "application/json", "Accept-Language": "en-US"}
METHODS = pytest.mark.parametrize("method", ["POST", "DELETE", "GET", "PUT"])


def request_to(url: str, method: str = "POST", body: bytes = b'{"a":"1"}') -> Request:
    return Request(method, f"{url}/vshop/x?q=%2F", HEADERS, b"" if method == "GET" else body)


async def drop(_: Seen, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def reset(_: Seen, writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


async def silence(_: Seen, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


OK = b"HTTP/1.1 200 OK\r\n"
EVIL = OK + b"Content-Length: 4\r\n\r\nevil"
AFTER = {
    "an answer": OK + b"Content-Length: 2\r\n\r\n{}",
    "two answers": OK + b"Content-Length: 2\r\n\r\n{}" + EVIL,
    "one and a part": OK + b"Content-Length: 2\r\n\r\n{}" + EVIL[:15],
    "longer than it says": OK + b"Content-Length: 2\r\n\r\n{}evil",
    "an answer without a body, with one": b"HTTP/1.1 204 X\r\nContent-Length: 4\r\n\r\nevil",
    "not modified, with a body": b"HTTP/1.1 304 X\r\nContent-Length: 4\r\n\r\nevil",
    "shorter than it says": OK + b"Content-Length: 100\r\n\r\n{}",
    "chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks and more": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + EVIL,
    "chunks without an end": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "interim only": b"HTTP/1.1 100 Continue\r\n\r\n",
    "interim and answer": b"HTTP/1.1 103 X\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n",
    "switching": b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n" + EVIL,
    "101 alone": b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + EVIL,
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "nothing": b"",
    "half a head": OK + b"Content-Le",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}" + EVIL,
    "too large": OK + b"Content-Length: 5000\r\n\r\n" + b"x" * 5000,
    "too large, with more": OK + b"Content-Length: 5000\r\n\r\n" + b"x" * 2000,
    "no length": OK + b"\r\n" + EVIL,
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}" + EVIL,
    "says that it closes": OK + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}" + EVIL,
    "not gzip": OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nevil" + EVIL,
    "line ends": OK + b"Content-Length: 2\r\n\r\n{}\r\n\r\n",
    "an error status": b"HTTP/1.1 500 X\r\nContent-Length: 2\r\n\r\n{}" + EVIL,
}
"""What comes as the answer to a request; whatever is concluded, the next one gets its own."""


class TransportBehaviour:
    """Run against a server that records what really arrived."""

    async def test_what_is_sent_is_what_was_asked(
        self, transport: Transport, server: RawServer
    ) -> None:
        server.answers({"ok": 1}, status=201, headers={"Retry-After": "3"})
        response = await transport.send(request_to(server.url), LIMITS)
        assert (response.status, response.body) == (201, b'{"ok": 1}')
        assert response.headers["Retry-After"] == "3"
        (seen,) = server.seen
        assert (seen.method, seen.target, seen.body) == ("POST", "/vshop/x?q=%2F", b'{"a":"1"}')
        assert seen.headers["accept-language"] == "en-US"
        assert "cookie" not in seen.headers

    @METHODS
    async def test_every_method(self, transport: Transport, server: RawServer, method: str) -> None:
        server.answers({})
        await transport.send(request_to(server.url, method), LIMITS)
        assert [seen.method for seen in server.seen] == [method]
        assert server.seen[0].body == (b"" if method == "GET" else b'{"a":"1"}')

    async def test_a_large_body_arrives_whole(
        self, transport: Transport, server: RawServer
    ) -> None:
        server.answers({})
        body = b"x" * 3_000_000
        await transport.send(request_to(server.url, body=body), LIMITS)
        (seen,) = server.seen
        assert seen.body == body
        assert seen.headers["content-type"] == "application/json"

    async def test_a_quoted_path_stays_as_it_is(
        self, transport: Transport, server: RawServer
    ) -> None:
        server.answers({})
        url = f"{server.url}/a%2Fb%20%25/%2e%2e/c?x=%2B%20%26&y=%E4%B8%AD"
        await transport.send(Request("GET", url, HEADERS), LIMITS)
        assert server.seen[0].target == "/a%2Fb%20%25/%2e%2e/c?x=%2B%20%26&y=%E4%B8%AD"

    async def test_connections_are_used_again(
        self, transport: Transport, server: RawServer
    ) -> None:
        server.answers({})
        for _ in range(5):
            await transport.send(request_to(server.url), LIMITS)
        assert len(server.seen) == 5
        assert server.connections == 1

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_redirects_are_answers(
        self, transport: Transport, server: RawServer, status: int
    ) -> None:
        async with raw_server() as other:
            server.answers({}, status=status, headers={"Location": f"{other.url}/elsewhere"})
            response = await transport.send(request_to(server.url), LIMITS)
            assert response.status == status
            assert len(server.seen) == 1
            assert other.seen == []

    async def test_cookies_are_never_sent_back(
        self, transport: Transport, server: RawServer
    ) -> None:
        server.answers({}, headers={"Set-Cookie": "session=1; Path=/"})
        for _ in range(3):
            await transport.send(request_to(server.url), LIMITS)
        assert all("cookie" not in seen.headers for seen in server.seen)

    async def test_proxies_in_the_environment_are_ignored(
        self, transport: Transport, server: RawServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.answers({})
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        await transport.send(request_to(server.url), LIMITS)
        assert server.seen[0].target.startswith("/vshop")

    # Proved unsent

    async def test_a_refused_connection_is_not_sent(self, transport: Transport) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}"
            with pytest.raises(ConnectFailed) as caught:
                await transport.send(request_to(url), LIMITS)
        assert caught.value.carried_out is False

    @pytest.mark.parametrize(
        ("limits", "expected"),
        [
            (attrs.evolve(LIMITS, connect=0.2), ConnectFailed),
            (attrs.evolve(LIMITS, deadline=0.2), DeadlineExceeded),
        ],
    )
    async def test_a_connection_that_hangs_is_not_sent(
        self, transport: Transport, limits: Limits, expected: type[NotSent]
    ) -> None:
        with full_backlog() as url, pytest.raises(expected) as caught:
            await transport.send(request_to(url), limits)
        assert caught.value.carried_out is False

    async def test_waiting_for_a_connection_is_not_sent(
        self, transport_of_one: Transport, server: RawServer
    ) -> None:
        """The pool has one connection and it is taken: the deadline passes unsent."""
        arrived = asyncio.Event()

        async def keep(seen: Seen, writer: asyncio.StreamWriter) -> None:
            arrived.set()
            await silence(seen, writer)

        server.answers_by(keep)
        first = asyncio.create_task(transport_of_one.send(request_to(server.url), LIMITS))
        await arrived.wait()
        with pytest.raises(DeadlineExceeded):
            await transport_of_one.send(request_to(server.url), attrs.evolve(LIMITS, deadline=0.2))
        assert len(server.seen) == 1
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)

    # Sent, and nobody can tell

    @METHODS
    @pytest.mark.parametrize("fault", [drop, reset])
    @pytest.mark.parametrize("reused", [False, True])
    async def test_a_lost_answer_is_unknown_and_sent_once(
        self, transport: Transport, server: RawServer, method: str, fault: Any, reused: bool
    ) -> None:
        if reused:
            server.answers({})
            await transport.send(request_to(server.url), LIMITS)
        before = len(server.seen)
        server.answers_by(fault)
        with pytest.raises(OutcomeUnknown):
            await transport.send(request_to(server.url, method), LIMITS)
        await asyncio.sleep(0.05)
        assert len(server.seen) == before + 1

    @pytest.mark.parametrize(
        "limits", [attrs.evolve(LIMITS, deadline=0.3), attrs.evolve(LIMITS, read=0.3)]
    )
    async def test_a_silent_server_is_unknown(
        self, transport: Transport, server: RawServer, limits: Limits
    ) -> None:
        server.answers_by(silence)
        with pytest.raises(OutcomeUnknown):
            await transport.send(request_to(server.url), limits)
        assert len(server.seen) == 1

    @pytest.mark.parametrize(
        "content",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        ],
        ids=["cut", "chunk cut", "not HTTP", "two lengths", "long header", "not gzip"],
    )
    async def test_a_broken_answer_is_unknown_not_refused(
        self, transport: Transport, server: RawServer, content: bytes
    ) -> None:
        async def answer(_: Seen, writer: asyncio.StreamWriter) -> None:
            writer.write(content)
            writer.close()

        server.answers_by(answer)
        with pytest.raises(OutcomeUnknown) as caught:
            await transport.send(request_to(server.url), LIMITS)
        assert caught.value.status is None
        assert str(caught.value).isprintable()
        assert len(server.seen) == 1

    async def test_a_slow_drip_ends_at_the_deadline(
        self, transport: Transport, server: RawServer
    ) -> None:
        async def drip(_: Seen, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(1000):
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)

        server.answers_by(drip)
        loop = asyncio.get_running_loop()
        started = loop.time()
        with pytest.raises(OutcomeUnknown):
            await transport.send(request_to(server.url), attrs.evolve(LIMITS, deadline=0.4))
        assert loop.time() - started < 5  # not the 20 s that the whole answer would take

    # Bounded reading

    async def test_an_answer_up_to_the_limit_is_read(
        self, transport: Transport, server: RawServer
    ) -> None:
        content = b'"' + b"x" * 100_000 + b'"'
        server.answers(content)
        limits = attrs.evolve(LIMITS, max_answer_bytes=len(content))
        assert (await transport.send(request_to(server.url), limits)).body == content

    @pytest.mark.parametrize("encoding", [None, "gzip", "deflate"])
    async def test_a_larger_answer_is_not_read(
        self, transport: Transport, server: RawServer, encoding: str | None
    ) -> None:
        content = b" " * 2_000_000
        packed = {None: content, "gzip": gzip.compress(content), "deflate": zlib.compress(content)}
        server.answers(
            packed[encoding], headers={"Content-Encoding": encoding} if encoding else None
        )
        with pytest.raises(ResponseTooLarge) as caught:
            await transport.send(request_to(server.url), LIMITS)
        assert caught.value.status == 200
        server.answers({})
        assert (await transport.send(request_to(server.url), LIMITS)).status == 200

    @pytest.mark.parametrize("first", [16_385, 20_000, 40_000, 100_000])
    async def test_an_answer_in_very_many_chunks_is_read(
        self, transport: Transport, server: RawServer, first: int
    ) -> None:
        """More than aiohttp keeps unread: reading pauses and goes on, also at a burst's end."""

        async def answer(_: Seen, writer: asyncio.StreamWriter) -> None:
            writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * first)
            await asyncio.sleep(0.05)
            writer.write(b"1\r\ny\r\n" * 3 + b"0\r\n\r\n")

        server.answers_by(answer)
        for _ in range(2):
            response = await transport.send(request_to(server.url), LIMITS)
            assert response.body == b"x" * first + b"yyy"
        assert server.connections == 1

    async def test_an_endless_answer_is_not_read(
        self, transport: Transport, server: RawServer
    ) -> None:
        async def endless(_: Seen, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while not writer.is_closing():
                writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
                await writer.drain()

        server.answers_by(endless)
        with pytest.raises(ResponseTooLarge):
            await transport.send(request_to(server.url), LIMITS)

    async def test_a_compressed_answer_is_read(
        self, transport: Transport, server: RawServer
    ) -> None:
        server.answers(gzip.compress(b'{"a": 1}'), headers={"Content-Encoding": "gzip"})
        assert (await transport.send(request_to(server.url), LIMITS)).body == b'{"a": 1}'

    # After a fault

    @pytest.mark.parametrize("fault", AFTER.values(), ids=AFTER.keys())
    @pytest.mark.parametrize("closes", [False, True], ids=["stays open", "closes"])
    async def test_the_next_answer_is_its_own(
        self, transport_of_one: Transport, server: RawServer, fault: bytes, closes: bool
    ) -> None:
        """No connection with anything of a fault left on it goes back to the pool."""

        async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
            if seen.body == b"fault":
                writer.write(fault)
                if closes:
                    writer.close()
                return
            length = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(seen.body)
            writer.write(length + seen.body)

        server.answers_by(answer)
        limits = attrs.evolve(LIMITS, deadline=0.3, read=0.1, max_answer_bytes=1000)
        for turn in range(2):
            with suppress(OutcomeUnknown, BadAnswer):
                await transport_of_one.send(request_to(server.url, body=b"fault"), limits)
            if closes:
                await asyncio.sleep(0.01)  # else it would cross the next request
            for n in range(2):
                own = b"own %d %d" % (turn, n)
                response = await transport_of_one.send(request_to(server.url, body=own), LIMITS)
                assert (response.status, response.body) == (200, own)

    @pytest.mark.parametrize("part", [0, 20, 45], ids=["silent", "in the head", "in the body"])
    @pytest.mark.parametrize("how", ["canceled", "deadline", "read timeout"])
    async def test_the_next_answer_is_its_own_after_giving_up(
        self, transport_of_one: Transport, server: RawServer, part: int, how: str
    ) -> None:
        """The rest of the answer that was given up comes late, while the next is waited for."""
        late = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nnot your own"

        async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
            if seen.body == b"fault":
                writer.write(late[:part])
                await asyncio.sleep(0.12)
                writer.write(late[part:])
            else:
                await asyncio.sleep(0.05)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown")

        server.answers_by(answer)
        limits = {
            "canceled": LIMITS,
            "deadline": attrs.evolve(LIMITS, deadline=0.1),
            "read timeout": attrs.evolve(LIMITS, read=0.1),
        }[how]
        faulty = transport_of_one.send(request_to(server.url, body=b"fault"), limits)
        if how == "canceled":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(faulty, 0.1)
        else:
            with pytest.raises(OutcomeUnknown):
                await faulty
        response = await transport_of_one.send(request_to(server.url), LIMITS)
        assert response.body == b"own"

    # TLS

    async def test_an_untrusted_certificate_is_not_sent(self, transport: Transport) -> None:
        async with tls_server(trustme.CA()) as server:
            with pytest.raises(TLSFailed) as caught:
                await transport.send(request_to(server.url), LIMITS)
            assert caught.value.carried_out is False
            assert server.seen == []

    async def test_a_trusted_certificate_is_accepted(
        self, transport_trusting: tuple[Transport, trustme.CA]
    ) -> None:
        transport, ca = transport_trusting
        async with tls_server(ca) as server:
            server.answers({})
            assert (await transport.send(request_to(server.url), LIMITS)).status == 200

    async def test_a_certificate_for_another_host_is_not_sent(
        self, transport_trusting: tuple[Transport, trustme.CA]
    ) -> None:
        transport, ca = transport_trusting
        async with tls_server(ca, "shop.example.com") as server:
            with pytest.raises(TLSFailed):
                await transport.send(request_to(server.url), LIMITS)
            assert server.seen == []

    # Life

    async def test_cancelling_passes_and_leaves_the_transport_usable(
        self, transport_of_one: Transport, server: RawServer
    ) -> None:
        server.answers_by(silence)
        for _ in range(5):
            task = asyncio.create_task(transport_of_one.send(request_to(server.url), LIMITS))
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        server.answers({})
        assert (await transport_of_one.send(request_to(server.url), LIMITS)).status == 200

    async def test_many_at_once_get_their_own_answers(
        self, transport: Transport, server: RawServer
    ) -> None:
        async def echo(seen: Seen, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.001)
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(seen.body), seen.body)
            )

        server.answers_by(echo)
        bodies = [json.dumps({"n": n}).encode() for n in range(200)]
        responses = await asyncio.gather(
            *(transport.send(request_to(server.url, body=body), LIMITS) for body in bodies)
        )
        assert [response.body for response in responses] == bodies

    @pytest.mark.parametrize("fault", [drop, "not HTTP", "port"])
    async def test_no_traceback_shows_the_query(
        self, transport: Transport, server: RawServer, fault: Any
    ) -> None:
        url = server.url
        if fault == "not HTTP":
            server.answers_bytes(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        elif fault == "port":
            url = "http://127.0.0.1:1"
        else:
            server.answers_by(fault)
        query = "sim_id=89852420180910340793&sign=" + "a" * 32
        with pytest.raises(LinksfieldError) as caught:
            await transport.send(Request("GET", f"{url}/topup/order?{query}", HEADERS), LIMITS)
        shown = "".join(traceback.format_exception(caught.value))
        assert "89852420180910340793" not in shown
        assert "a" * 32 not in shown


class full_backlog:  # noqa: N801
    """A port whose queue of connections is full: further ones hang."""

    def __enter__(self) -> str:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        address = self._listener.getsockname()
        self._fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            self._fillers.append(filler)
        return f"http://127.0.0.1:{address[1]}"

    def __exit__(self, *_: object) -> None:
        for sock in (*self._fillers, self._listener):
            sock.close()


class tls_server:  # noqa: N801
    """A raw server behind TLS with a certificate of this authority."""

    def __init__(self, ca: trustme.CA, host: str = "127.0.0.1") -> None:
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert(host).configure_cert(self._context)

    async def __aenter__(self) -> RawServer:
        self._manager = raw_server(self._context)
        return await self._manager.__aenter__()

    async def __aexit__(self, *exc: object) -> None:
        await self._manager.__aexit__(*exc)
