from __future__ import annotations

import asyncio
import gc
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from linksfield_async.errors import ConfigurationError
from linksfield_async.testing import (
    DROP_ANSWER,
    HANG,
    HEALTHY,
    RESET_ON_ACCEPT,
    Close,
    Ending,
    Fault,
    FaultProxy,
    RawServer,
    abort,
    by_chance,
    http_answer,
)

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789"
ANSWER = http_answer({"ok": 1})


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer() as server:
        server.answer(ANSWER, Close())
        yield server


@pytest.fixture
async def proxy(server: RawServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy("127.0.0.1", server.port) as proxy:
        yield proxy


async def talk(proxy: FaultProxy, request: bytes = REQUEST) -> tuple[bytes, str]:
    """What came, and how it ended."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    content = bytearray()
    try:
        writer.write(request)
        while piece := await reader.read(1 << 16):
            content += piece
    except ConnectionResetError:
        return bytes(content), "RST"
    else:
        return bytes(content), "FIN"
    finally:
        writer.close()


async def test_healthy(server: RawServer, proxy: FaultProxy) -> None:
    assert proxy.url == f"http://127.0.0.1:{proxy.port}"
    for _ in range(3):
        assert await talk(proxy) == (ANSWER, "FIN")
    assert len(server.requests) == proxy.connections == 3
    assert proxy.bytes_up == 3 * len(REQUEST)
    assert proxy.bytes_down == 3 * len(ANSWER)
    assert proxy.faults == [HEALTHY] * 3


async def test_much_passes_whole(server: RawServer, proxy: FaultProxy) -> None:
    body = bytes(range(256)) * 10_000
    server.answer_by(lambda received: (received.body, Close()))
    request = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    assert await talk(proxy, request) == (body, "FIN")


async def test_next_comes_before_always(server: RawServer, proxy: FaultProxy) -> None:
    proxy.always(RESET_ON_ACCEPT)
    proxy.next(HEALTHY, DROP_ANSWER)
    assert await talk(proxy) == (ANSWER, "FIN")
    assert await talk(proxy) == (b"", "FIN")
    assert await talk(proxy) == (b"", "RST")
    proxy.always(HEALTHY)
    assert await talk(proxy) == (ANSWER, "FIN")
    assert len(server.requests) == 3


async def test_an_answer_dropped_was_asked_for(server: RawServer, proxy: FaultProxy) -> None:
    proxy.next(DROP_ANSWER)
    assert await talk(proxy) == (b"", "FIN")
    assert [seen.body for seen in server.requests] == [b"0123456789"]
    assert proxy.bytes_down == 0


@pytest.mark.parametrize("ending", [Ending.FIN, Ending.RESET])
async def test_an_answer_cut(server: RawServer, proxy: FaultProxy, ending: Ending) -> None:
    proxy.next(Fault(cut_down=20, ending=ending))
    content, how = await talk(proxy)
    # A reset may overtake what was sent before it.
    assert content in ((ANSWER[:20],) if ending is Ending.FIN else (ANSWER[:20], b""))
    assert how == ("FIN" if ending is Ending.FIN else "RST")
    assert len(server.requests) == 1
    assert proxy.bytes_down == 20


@pytest.mark.parametrize("ending", [Ending.FIN, Ending.RESET])
async def test_a_request_cut(server: RawServer, proxy: FaultProxy, ending: Ending) -> None:
    proxy.next(Fault(cut_up=len(REQUEST) - 1, ending=ending))
    assert await talk(proxy) == (b"", "FIN" if ending is Ending.FIN else "RST")
    assert server.requests == []
    assert proxy.bytes_up == len(REQUEST) - 1


async def test_a_request_half_closed_may_still_be_answered(
    server: RawServer, proxy: FaultProxy
) -> None:
    proxy.next(Fault(cut_up=len(REQUEST), ending=Ending.HALF))
    assert await talk(proxy, REQUEST + b"more") == (ANSWER, "FIN")
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", [HANG, Fault(cut_up=0, ending=Ending.HALF)], ids=["hang", "half"])
async def test_what_is_not_forwarded_is_read_to_its_end(proxy: FaultProxy, fault: Fault) -> None:
    proxy.next(fault)
    _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    for _ in range(5):
        writer.write(b"x" * 500_000)
        await writer.drain()
        await asyncio.sleep(0.01)
    writer.close()
    async with asyncio.timeout(5):
        while proxy.open_connections:
            await asyncio.sleep(0.01)
    assert proxy.bytes_up == 0


async def test_a_cut_counts_over_the_whole_connection(server: RawServer, proxy: FaultProxy) -> None:
    server.answer(b"a" * 30)
    proxy.next(Fault(cut_down=50))
    assert await talk(proxy, REQUEST * 2) == (b"a" * 50, "FIN")
    assert len(server.requests) == 2


async def test_a_hanging_proxy_forwards_nothing(server: RawServer, proxy: FaultProxy) -> None:
    proxy.next(HANG)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await talk(proxy)
    assert (server.connections, proxy.connections, proxy.bytes_up) == (0, 1, 0)


async def test_a_black_hole_opens_and_closes(server: RawServer, proxy: FaultProxy) -> None:
    proxy.black_hole = True
    talking = [asyncio.create_task(talk(proxy)) for _ in range(3)]
    await asyncio.sleep(0.1)
    assert proxy.black_hole
    assert server.requests == []
    assert not any(task.done() for task in talking)
    proxy.black_hole = False
    assert await asyncio.gather(*talking) == [(ANSWER, "FIN")] * 3


async def test_a_black_hole_holds_back_an_answer_under_way(
    server: RawServer, proxy: FaultProxy
) -> None:
    server.answer(http_answer({"first": 1}))
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(REQUEST)
    await reader.readuntil(b"}")
    proxy.black_hole = True
    writer.write(REQUEST)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await reader.read(1)
    assert len(server.requests) == 1
    proxy.black_hole = False
    await reader.readuntil(b"}")
    assert len(server.requests) == 2
    writer.close()


@pytest.mark.parametrize("reset", [False, True])
async def test_a_black_hole_tells_nobody_of_an_end(
    server: RawServer, proxy: FaultProxy, reset: bool
) -> None:
    server.answer(b"x")
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(REQUEST)
    await reader.readexactly(1)
    proxy.black_hole = True
    if reset:
        abort(writer)
    else:
        writer.close()
    await asyncio.sleep(0.05)
    assert (server.open_connections, proxy.open_connections) == (1, 1)
    proxy.black_hole = False
    async with asyncio.timeout(5):
        while server.open_connections or proxy.open_connections:
            await asyncio.sleep(0.01)


# Lower bounds of time are promises of the proxy; there are no upper ones here.
@pytest.mark.parametrize(
    ("fault", "least"),
    [
        (Fault(latency_up=0.2), 0.2),
        (Fault(latency_down=0.2), 0.2),
        (Fault(latency_up=0.1, latency_down=0.1), 0.2),
        (Fault(rate_down=len(ANSWER) * 5), 0.15),
        (Fault(rate_up=len(REQUEST) * 5), 0.15),
    ],
    ids=["up", "down", "both", "rate down", "rate up"],
)
async def test_slowness(proxy: FaultProxy, fault: Fault, least: float) -> None:
    proxy.always(fault)
    started = time.monotonic()
    assert await talk(proxy) == (ANSWER, "FIN")
    assert time.monotonic() - started >= least


async def test_a_slow_drip_comes_in_single_bytes(proxy: FaultProxy) -> None:
    proxy.next(Fault(rate_down=20))
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(REQUEST)
    assert [len(await reader.read(1000)) for _ in range(5)] == [1] * 5
    writer.close()


async def test_a_server_that_refuses(server: RawServer) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with FaultProxy("127.0.0.1", taken.getsockname()[1]) as proxy:
            assert await talk(proxy) == (b"", "RST")


async def test_a_client_that_breaks_off_is_passed_on(server: RawServer, proxy: FaultProxy) -> None:
    server.answer(Close())
    _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(REQUEST[:-1])
    await asyncio.sleep(0.05)
    proxy.drop_connections(reset=True)
    async with asyncio.timeout(5):
        while server.open_connections or proxy.open_connections:
            await asyncio.sleep(0.01)
    assert (server.requests, server.incomplete) == ([], 1)
    writer.close()


async def test_chance_depends_on_the_seed_alone(proxy: FaultProxy) -> None:
    chooser = by_chance(7, (0.3, RESET_ON_ACCEPT), (0.3, DROP_ANSWER))
    drawn = [chooser(number) for number in range(1, 1001)]
    assert drawn == [
        by_chance(7, (0.3, RESET_ON_ACCEPT), (0.3, DROP_ANSWER))(n + 1) for n in range(1000)
    ]
    assert drawn != [
        by_chance(8, (0.3, RESET_ON_ACCEPT), (0.3, DROP_ANSWER))(n + 1) for n in range(1000)
    ]
    assert all(200 < drawn.count(fault) < 500 for fault in (RESET_ON_ACCEPT, DROP_ANSWER, HEALTHY))
    proxy.choose(chooser)
    endings = [await talk(proxy) for _ in range(20)]
    assert proxy.faults == drawn[:20]
    expected = {RESET_ON_ACCEPT: (b"", "RST"), DROP_ANSWER: (b"", "FIN"), HEALTHY: (ANSWER, "FIN")}
    assert endings == [expected[fault] for fault in drawn[:20]]


@pytest.mark.parametrize(
    "wrong",
    [{"latency_up": -1}, {"rate_down": 0}, {"cut_down": -1}, {"latency_down": float("nan")}],
)
def test_faults_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Fault(**wrong)


def test_probabilities_that_cannot_be() -> None:
    for weighted in ([(0.6, HANG), (0.6, HANG)], [(-0.1, HANG)]):
        with pytest.raises(ConfigurationError):
            by_chance(1, *weighted)


async def test_nothing_is_left_behind(server: RawServer) -> None:
    writers = []
    async with FaultProxy("127.0.0.1", server.port) as proxy:
        server.answer(b"x")
        proxy.next(HANG, HEALTHY, Fault(latency_up=100), Fault(rate_down=0.1))
        for _ in range(4):
            _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(REQUEST)
            writers.append(writer)
        await asyncio.sleep(0.05)
        assert proxy.open_connections == 4
    assert proxy.open_connections == 0
    for writer in writers:
        writer.close()
    await server.close()
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()  # a ResourceWarning is an error here
