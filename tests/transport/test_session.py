from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
import trustme
from aioresponses import aioresponses
from servers import RawServer, Seen, server_in_thread
from transport_behaviour import LIMITS, TransportBehaviour, request_to

from linksfield_async import ConfigurationError, Options
from linksfield_async.errors import (
    ClientClosed,
    ConnectFailed,
    DeadlineExceeded,
    NotSent,
    OutcomeUnknown,
)
from linksfield_async.transport import loops
from linksfield_async.transport.session import SessionTransport


class TestSessionTransport(TransportBehaviour):
    @pytest.fixture
    async def transport(self) -> AsyncIterator[SessionTransport]:
        transport = SessionTransport()
        yield transport
        await transport.close()

    @pytest.fixture
    async def transport_of_one(self) -> AsyncIterator[SessionTransport]:
        transport = SessionTransport(Options(connections=1))
        yield transport
        await transport.close()

    @pytest.fixture
    async def transport_trusting(
        self, tmp_path: Path
    ) -> AsyncIterator[tuple[SessionTransport, trustme.CA]]:
        ca = trustme.CA()
        ca.cert_pem.write_to_path(tmp_path / "ca.pem")
        transport = SessionTransport(Options(ca_file=str(tmp_path / "ca.pem")))
        yield transport, ca
        await transport.close()


# One session per loop


@pytest.fixture
def served() -> Iterator[str]:
    with server_in_thread() as server:
        server.answers({})
        yield server.url


def test_c05_one_transport_in_several_loops_one_after_another(served: str) -> None:
    """Nobody closes it: each loop closes its own session when it ends."""
    transport = SessionTransport()

    async def use() -> int:
        return (await transport.send(request_to(served), LIMITS)).status

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            assert asyncio.run(use()) == 200
        gc.collect()
        assert not transport._loops.held
        assert not loops.alive
        asyncio.run(transport.close())


@pytest.mark.parametrize("loop_ends_first", [True, False])
def test_c11_a_forgotten_client_is_told_of_once(served: str, loop_ends_first: bool) -> None:
    async def use() -> None:
        transport = SessionTransport()
        await transport.send(request_to(served), LIMITS)
        if loop_ends_first:
            kept.append(transport)
        del transport
        gc.collect()
        await asyncio.sleep(0.05)

    kept: list[SessionTransport] = []
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        asyncio.run(use())
        kept.clear()
        gc.collect()
    assert [str(one.message) for one in told] == ["a Client was not closed: use `async with`"]
    assert not loops.alive


def test_one_transport_in_several_loops_at_once(served: str) -> None:
    transport = SessionTransport()
    statuses: list[int] = []

    async def use() -> None:
        for _ in range(20):
            response = await transport.send(request_to(served), LIMITS)
            statuses.append(response.status)

    threads = [threading.Thread(target=asyncio.run, args=(use(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert statuses == [200] * 80
    asyncio.run(transport.close())


def test_closing_closes_the_sessions_of_other_loops(served: str) -> None:
    transport = SessionTransport()
    used, may_end = threading.Event(), threading.Event()
    sessions: list[aiohttp.ClientSession] = []

    async def use() -> None:
        await transport.send(request_to(served), LIMITS)
        sessions.extend(held.pools.session for held in transport._loops.held.values())
        used.set()
        await asyncio.to_thread(may_end.wait, 5)

    thread = threading.Thread(target=asyncio.run, args=(use(),))
    thread.start()
    used.wait(5)
    asyncio.run(transport.close())
    assert [session.closed for session in sessions] == [True]
    may_end.set()
    thread.join(5)


async def test_a_closed_transport_says_so(server: RawServer) -> None:
    transport = SessionTransport()
    await transport.close()
    await transport.close()
    with pytest.raises(ConfigurationError, match="closed"):
        await transport.send(request_to(server.url), LIMITS)


async def test_a_ca_file_without_certificates(server: RawServer, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    transport = SessionTransport(Options(ca_file=str(tmp_path / "ca.pem")))
    with pytest.raises(ConfigurationError, match="holds no certificates"):
        await transport.send(request_to(server.url), LIMITS)


# The edges that no server can produce at will. aioresponses answers inside the session, so the
# head is never reported as written: what it shows is the wording, proof is for the tests above.


class Answer(aiohttp.ClientResponse):
    """aioresponses 0.7.9 lacks an argument that aiohttp 3.14 asks for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*args, **kwargs)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (aiohttp.ClientConnectionError("x"), ConnectFailed),
        (aiohttp.ConnectionTimeoutError("x"), ConnectFailed),
        (TimeoutError(), DeadlineExceeded),
        (OSError(24, "Too many open files"), ConnectFailed),
    ],
)
async def test_an_error_before_the_head_is_not_sent(
    error: Exception, expected: type[Exception]
) -> None:
    transport = SessionTransport()
    with aioresponses() as mocked:
        mocked.post("http://127.0.0.1:1/vshop/x?q=/", exception=error)
        with pytest.raises(expected) as caught:
            await transport.send(request_to("http://127.0.0.1:1"), LIMITS)
    assert type(error).__name__ in str(caught.value.__cause__)
    await transport.close()


async def test_headers_and_options_reach_aiohttp() -> None:
    transport = SessionTransport()
    with aioresponses() as mocked:
        mocked.post("http://127.0.0.1:1/vshop/x?q=/", payload={"a": 1}, response_class=Answer)
        response = await transport.send(request_to("http://127.0.0.1:1"), LIMITS)
        ((call,),) = mocked.requests.values()
    assert response.status == 200
    assert call.kwargs["allow_redirects"] is False
    assert call.kwargs["timeout"].sock_connect == LIMITS.connect
    assert call.kwargs["timeout"].sock_read == LIMITS.read
    await transport.close()


async def test_what_aiohttp_calls_status_400_is_unknown(server: RawServer) -> None:
    """A malformed answer is reported by aiohttp as a response error with status 400."""
    server.answers_bytes(b"HTTP/1.1 BAD\r\n\r\n")
    transport = SessionTransport()
    with pytest.raises(OutcomeUnknown, match="not HTTP") as caught:
        await transport.send(request_to(server.url), LIMITS)
    assert "400" in str(caught.value.__cause__)
    assert caught.value.status is None
    await transport.close()


# Closing while calls are under way


async def test_closing_ends_what_is_under_way(server: RawServer) -> None:
    """One waits for its answer's body, one for the head, one for a connection."""

    async def head_only(_: Seen, writer: asyncio.StreamWriter) -> None:
        if len(server.seen) == 1:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")
        await asyncio.sleep(30)

    server.answers_by(head_only)
    transport = SessionTransport(Options(connections=2))
    calls = [asyncio.create_task(transport.send(request_to(server.url), LIMITS)) for _ in range(3)]
    await asyncio.sleep(0.1)
    await asyncio.wait_for(transport.close(), 2)
    ended = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 2)
    assert [type(error) for error in ended] == [OutcomeUnknown, OutcomeUnknown, NotSent]
    assert all("client was closed" in str(error) for error in ended)
    assert len(server.seen) == 2


async def test_a_call_that_begins_while_closing_is_not_sent(
    server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed while the certificates are being read: no session may be made afterwards."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    transport = SessionTransport(Options(ca_file=str(tmp_path / "ca.pem")))
    may_go_on = threading.Event()
    make = loops.tls_context

    def slow(ca_file: str) -> Any:
        may_go_on.wait(5)
        return make(ca_file)

    monkeypatch.setattr(loops, "tls_context", slow)
    call = asyncio.create_task(transport.send(request_to(server.url), LIMITS))
    await asyncio.sleep(0.05)
    await transport.close()
    may_go_on.set()
    with pytest.raises(ClientClosed):
        await call
    assert server.seen == []
    assert not transport._loops.held
