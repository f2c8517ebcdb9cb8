from __future__ import annotations

import asyncio
import gc
import ssl
import subprocess
import sys
import textwrap
from typing import Any

import pytest
import trustme

from linksfield_async.errors import ConfigurationError
from linksfield_async.testing import (
    Close,
    Drip,
    HalfClose,
    Hang,
    Pause,
    RawServer,
    Received,
    Repeat,
    Reset,
    Send,
    http_answer,
)

POST = b'POST /vshop/x?a=1 HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 9\r\n\r\n{"b":"2"}'
GET = b"GET /topup/y%2F?a=1&b=&c=%20 HTTP/1.1\r\nHost: h\r\n\r\n"


async def talk(server: RawServer, *parts: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    """Send, and read until the server closes; b"RST" stands for a reset."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=tls)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.01)
        return await reader.read()
    except ConnectionResetError:
        return b"RST"
    finally:
        writer.close()


async def test_a_request_is_recorded_as_it_came() -> None:
    async with RawServer() as server:
        server.answer(http_answer({"ok": 1}), Close())
        content = await talk(server, POST)
        assert content.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        assert content.endswith(b'\r\n\r\n{"ok": 1}')
        (seen,) = server.requests
        assert (seen.method, seen.path, seen.body) == ("POST", "/vshop/x", b'{"b":"2"}')
        assert seen.target == "/vshop/x?a=1"
        assert seen.headers == {"x-a": "1, 2", "content-length": "9"}
        assert seen.params == {"b": "2"}
        assert "vshop" not in repr(seen)


async def test_parameters_of_a_get_are_its_query() -> None:
    async with RawServer() as server:
        server.answer(Close())
        await talk(server, GET)
        assert server.requests[0].params == {"a": "1", "b": "", "c": " "}
        assert server.requests[0].path == "/topup/y%2F"


async def test_a_chunked_body_is_read() -> None:
    async with RawServer() as server:
        server.answer(Close())
        head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        await talk(server, head, b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n")
        assert server.requests[0].body == b"abcde"


async def test_a_connection_is_kept_and_counted() -> None:
    async with RawServer() as server:
        server.answer_next(b"one ")
        server.answer_next(b"two ")
        server.answer(b"three", Close())
        assert await talk(server, GET, POST, GET) == b"one two three"
        assert await talk(server, GET) == b"three"
        assert [one.number for one in server.requests] == [0, 1, 2, 3]
        assert [one.connection for one in server.requests] == [1, 1, 1, 2]
        assert server.connections == 2


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ((b"a", Send(b"b"), Pause(0.01), b"c", Close()), b"abc"),
        ((Drip(b"abc", every=0.001), Close()), b"abc"),
        ((Drip(b"abcde", every=0.001, size=2), Close()), b"abcde"),
        ((Repeat(b"ab", times=3), Close()), b"ababab"),
        ((b"a", HalfClose()), b"a"),
        ((b"a", Close(), b"never sent"), b"a"),
        ((Reset(),), b"RST"),
        ((), b""),
    ],
    ids=repr,
)
async def test_scripts(script: Any, expected: bytes) -> None:
    async with RawServer() as server:
        server.answer(*script)
        server.answer_by(lambda _: script if len(server.requests) == 1 else (Close(),))
        parts = [POST] if script else [POST, POST]
        assert await talk(server, *parts) == expected


async def test_json_answers() -> None:
    async with RawServer() as server:
        server.answer_json({"a": 1}, status=503, headers={"Retry-After": "3"})
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET)
        head, _, body = (await reader.readuntil(b"}")).partition(b"\r\n\r\n")
        writer.close()
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 3" in head
    assert body == b'{"a": 1}'


async def test_a_function_answers_by_the_request() -> None:
    def by_path(received: Received) -> Any:
        return (received.path.encode(), Close())

    async with RawServer() as server:
        server.answer_by(by_path)
        assert await talk(server, POST) == b"/vshop/x"


async def test_a_coroutine_function_is_a_step() -> None:
    async def step(writer: asyncio.StreamWriter) -> None:
        writer.write(b"own")

    async with RawServer() as server:
        server.answer(step, Close())
        assert await talk(server, GET) == b"own"


async def test_a_greeting_comes_before_any_request() -> None:
    async with RawServer() as server:
        server.greet(http_answer(b"", status=408), Close())
        assert (await talk(server)).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert server.requests == []


@pytest.mark.parametrize("part", [b"P", POST[:30], POST[:-1]])
async def test_half_a_request_is_counted_not_recorded(part: bytes) -> None:
    async with RawServer() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(part)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        assert (server.requests, server.incomplete) == ([], 1)


async def test_an_endless_answer_ends_with_the_client() -> None:
    async with RawServer() as server:
        server.answer(Repeat(b"x" * 1000))
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET)
        assert len(await reader.readexactly(100_000)) == 100_000
        writer.close()
        async with asyncio.timeout(5):
            while server.open_connections:
                await asyncio.sleep(0.01)


async def test_waiting_for_requests() -> None:
    async with RawServer() as server:
        server.answer(Close())
        waiting = asyncio.create_task(server.received(2))
        await talk(server, GET)
        assert not waiting.done()
        await talk(server, GET)
        await waiting
        with pytest.raises(TimeoutError):
            await server.received(3, within=0.01)


@pytest.mark.parametrize("reset", [False, True])
async def test_dropping_what_is_open(reset: bool) -> None:
    async with RawServer() as server:
        server.answer(Hang())
        talking = asyncio.create_task(talk(server, GET))
        await server.received(1)
        server.drop_connections(reset=reset)
        assert await talking == (b"RST" if reset else b"")


async def test_over_tls() -> None:
    ca = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)
    async with RawServer(context) as server:
        assert server.url == f"https://127.0.0.1:{server.port}"
        server.answer(b"ok", Close())
        assert await talk(server, GET, tls=trusting) == b"ok"
        server.answer(b"ok", HalfClose())
        assert await talk(server, GET, tls=trusting) == b"ok"


async def test_a_script_that_fails_is_heard_of() -> None:
    async def broken(_: asyncio.StreamWriter) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - it is the block's end that raises
        async with RawServer() as server:
            server.answer(broken)
            await talk(server, GET)


async def test_what_is_not_http_is_heard_of() -> None:
    with pytest.raises(ConfigurationError, match="TLS"):
        async with RawServer() as server:
            await talk(server, b"\x16\x03\x01 hello\r\n\r\n")


async def test_a_failing_block_hides_nothing() -> None:
    with pytest.raises(KeyError):  # noqa: PT012 - it is the block's end that raises
        async with RawServer() as server:
            await talk(server, b"junk\r\n\r\n")
            raise KeyError


async def test_starting_and_closing() -> None:
    server = RawServer()
    with pytest.raises(ConfigurationError, match="not running"):
        _ = server.url
    await server.close()
    async with server:
        with pytest.raises(ConfigurationError, match="already running"):
            await server.start()
        await server.close()
    async with server:
        server.answer(Close())
        await talk(server, GET)


async def test_nothing_is_left_behind() -> None:
    async with RawServer() as server:
        server.answer(Hang())
        writers = []
        for _ in range(5):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(GET)
            writers.append(writer)
        await server.received(5)
        assert server.open_connections == 5
    assert server.open_connections == 0
    for writer in writers:
        writer.close()
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()  # a ResourceWarning is an error here


def test_no_warning_in_development_mode() -> None:
    program = """
        import asyncio
        from linksfield_async.testing import DROP_ANSWER, FaultProxy, Hang, RawServer, Repeat

        async def main():
            async with RawServer() as server, FaultProxy("127.0.0.1", server.port) as proxy:
                writers = []
                for script in ((Hang(),), (Repeat(b"x" * 100_000),), ()):
                    server.answer_next(*script)
                    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
                    writer.write(b"GET / HTTP/1.1\\r\\n\\r\\n")
                    await asyncio.sleep(0.05)
                    writers.append(writer)
                proxy.next(DROP_ANSWER)
                reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
                writer.write(b"GET / HTTP/1.1\\r\\n\\r\\n")
                assert await reader.read() == b""
                writers.append(writer)
            for writer in writers:
                writer.close()
                try:
                    await writer.wait_closed()
                except ConnectionError:
                    pass

        asyncio.run(main())
    """
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
