"""What a transport has for each event loop, and how it ends, over both transports."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import transports
import trustme
from servers import RawServer, Seen, server_in_thread
from transport_behaviour import LIMITS, request_to

from linksfield_async import ConfigurationError
from linksfield_async.errors import ClientClosed, NotSent, OutcomeUnknown
from linksfield_async.transport import loops

pytestmark = pytest.mark.usefixtures("both")


@pytest.fixture
def served() -> Iterator[str]:
    with server_in_thread() as server:
        server.answers({})
        yield server.url


def test_c05_one_transport_in_several_loops_one_after_another(served: str) -> None:
    """Nobody closes it: each loop closes its own session when it ends."""
    transport = transports.transport()

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
        transport = transports.transport()
        await transport.send(request_to(served), LIMITS)
        if loop_ends_first:
            kept.append(transport)
        del transport
        gc.collect()
        await asyncio.sleep(0.05)

    kept: list[Any] = []
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        asyncio.run(use())
        kept.clear()
        gc.collect()
    assert [str(one.message) for one in told] == ["a Client was not closed: use `async with`"]
    assert not loops.alive


def test_one_transport_in_several_loops_at_once(served: str) -> None:
    transport = transports.transport()
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


def test_closing_closes_what_other_loops_have(served: str) -> None:
    transport = transports.transport()
    used, may_end = threading.Event(), threading.Event()
    held: list[loops.Held[Any]] = []

    async def use() -> None:
        await transport.send(request_to(served), LIMITS)
        held.extend(transport._loops.held.values())
        used.set()
        await asyncio.to_thread(may_end.wait, 5)

    thread = threading.Thread(target=asyncio.run, args=(use(),))
    thread.start()
    used.wait(5)
    asyncio.run(transport.close())
    (one,) = held
    assert [part.closed for part in both_parts(one.pools)] == [True, True]
    may_end.set()
    thread.join(5)


def both_parts(pools: Any) -> tuple[Any, Any]:
    """What keeps connections and what does not: sessions, or connectors."""
    return getattr(pools, "session", None) or pools.kept, pools.once


async def test_a_closed_transport_says_so(server: RawServer) -> None:
    transport = transports.transport()
    await transport.close()
    await transport.close()
    with pytest.raises(ConfigurationError, match="closed"):
        await transport.send(request_to(server.url), LIMITS)


async def test_a_ca_file_without_certificates(server: RawServer, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    transport = transports.transport(ca_file=str(tmp_path / "ca.pem"))
    with pytest.raises(ConfigurationError, match="holds no certificates"):
        await transport.send(request_to(server.url), LIMITS)


# Closing while calls are under way


async def test_closing_ends_what_is_under_way(server: RawServer) -> None:
    """One waits for its answer's body, one for the head, one for a connection."""

    async def head_only(_: Seen, writer: asyncio.StreamWriter) -> None:
        if len(server.seen) == 1:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")
        await asyncio.sleep(30)

    server.answers_by(head_only)
    transport = transports.transport(connections=2)
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
    transport = transports.transport(ca_file=str(tmp_path / "ca.pem"))
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
