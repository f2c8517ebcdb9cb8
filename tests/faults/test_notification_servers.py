"""Hostile senders and wrong use of frameworks, on real servers. Section H of the catalogue."""

from __future__ import annotations

import asyncio
import gzip
import logging
from typing import Any

import pytest
from pushes import Granting, receiver, signed
from web import FRAMEWORKS, connected, head, post, status_of

LARGE = 10 * 2**20


@pytest.fixture(params=FRAMEWORKS)
def served(request: pytest.FixtureRequest) -> Any:
    return FRAMEWORKS[request.param]


async def test_every_framework_takes_a_message_once(served: Any) -> None:
    one, _ = receiver()
    handler = Granting()
    async with served(one, handler) as port:
        body, headers = signed({"note": "中 \\u00e9"})
        assert await post(port, body, headers) == 200
        assert await post(port, body, headers) == 200
        assert await post(port, body.replace(b"4.99", b"0.01"), headers) == 401
        assert await post(port, b"[]", headers) == 400
        assert await post(port, body, headers[1:]) == 401
        assert await post(port, body, [*headers, headers[3]]) in (400, 401)
        assert await post(port, body, [*headers, ("x-lf-signature", "k/0")]) in (400, 401)
    assert handler.calls == 1
    assert handler.notices[0].body == body


async def test_h20_prefixes_and_proxies_do_not_matter(served: Any) -> None:
    secret = "a-secret-of-the-path_0123"
    one, _ = receiver(path_secret=secret)
    handler = Granting()
    async with served(one, handler) as port:
        body, headers = signed()
        more = [*headers, ("X-Forwarded-For", "1.2.3.4"), ("Via", "1.1 gateway")]
        assert await post(port, body, more, path="/push/x") == 404
        assert await post(port, body, more, path=f"/push/deep/er/{secret}?a=b") == 200
        assert await post(port, body, more, path=f"/push/{secret}/") == 404
    assert handler.calls == 1


def _parse_form(request: Any) -> Any:
    for name in ("form", "POST"):
        if hasattr(request, name):
            return bytes(str(getattr(request, name)), "utf-8")
    raise AssertionError


async def _parse_async(request: Any) -> None:
    if hasattr(request, "post"):
        await request.post()
        return
    async for _ in request.stream():
        pass


@pytest.mark.parametrize("name", [name for name in FRAMEWORKS if name != "asgi"])
async def test_h20_a_body_that_was_parsed_before_is_a_clear_error(
    name: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    one, events = receiver()
    handler = Granting()
    before = _parse_async if name in ("aiohttp", "fastapi") else _parse_form
    body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'
    form = "Content-Type: multipart/form-data; boundary=x"
    async with FRAMEWORKS[name](one, handler, before) as port:
        assert await post(port, body, signed()[1], form) == 500
    assert (handler.calls, events) == (0, [])
    told = caplog.text + capsys.readouterr().err
    assert "before the receiver saw it" in told


async def test_h20_a_body_that_was_read_as_bytes_is_taken(served: Any) -> None:
    """Where the framework keeps the raw bytes nothing is lost."""
    one, _ = receiver()
    handler = Granting()

    async def read_async(request: Any) -> None:
        await (request.read() if hasattr(request, "read") else request.body())

    def read(request: Any) -> None:
        if hasattr(request, "get_data"):
            request.get_data()
        else:
            assert request.body

    if served is FRAMEWORKS["asgi"]:
        pytest.skip("an ASGI application has no request of its own that could keep it")
    ours = (FRAMEWORKS["aiohttp"], FRAMEWORKS["fastapi"])
    before = read_async if served in ours else read
    async with served(one, handler, before) as port:
        assert await post(port, *signed()) == 200
    assert handler.calls == 1


async def test_h06_a_body_that_says_it_is_large(served: Any) -> None:
    one, _ = receiver()
    handler = Granting()
    async with served(one, handler) as port:
        for length in (LARGE, 10**15):
            async with connected(port) as (reader, writer):
                writer.write(head("/push/x", signed()[1], length) + b"x" * 1000)
                if served is FRAMEWORKS["django-asgi"]:
                    writer.write_eof()  # Django spools what comes before it asks anybody
                    assert await status_of(reader) in (413, 400, None)
                else:
                    assert await asyncio.wait_for(status_of(reader), 10) == 413
        assert await post(port, *signed()) == 200
    assert handler.calls == 1


@pytest.mark.parametrize("name", ["aiohttp", "asgi", "fastapi"])
async def test_h06_an_endless_body_is_cut_off(name: str) -> None:
    one, _ = receiver()
    read = 0
    original = one.receive

    async def receive(path: Any, headers: Any, chunks: Any, handler: Any) -> Any:
        async def counted() -> Any:
            nonlocal read
            async for chunk in chunks:
                read += len(chunk)
                yield chunk

        return await original(path, headers, counted(), handler)

    one.receive = receive  # type: ignore[method-assign]
    handler = Granting()
    async with FRAMEWORKS[name](one, handler) as port, connected(port) as (reader, writer):
        writer.write(head("/push/x", signed()[1], None, "Transfer-Encoding: chunked"))
        chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
        answer = asyncio.create_task(status_of(reader))
        sent = 0
        while not answer.done() and sent < 100 * LARGE:
            try:
                writer.write(chunk)
                await writer.drain()
            except ConnectionError:
                break
            sent += len(chunk)
            await asyncio.sleep(0)
        assert await asyncio.wait_for(answer, 10) in (413, None)
        assert read <= 64 * 1024 + 2**18  # one piece of the server's own buffer beyond
        assert await post(port, *signed()) == 200
    assert handler.calls == 1


async def test_h06_compressed_bodies_are_not_read(served: Any) -> None:
    one, _ = receiver(accept_unsigned=True)
    handler = Granting()
    bomb = gzip.compress(b'{"a":"' + b"x" * LARGE + b'"}')
    async with served(one, handler) as port:
        assert await post(port, bomb, [], "Content-Encoding: gzip") == 413
        assert await post(port, gzip.compress(b"{}"), [], "Content-Encoding: GZIP, gzip") in (
            413,
            400,
        )
    assert handler.calls == 0


@pytest.mark.parametrize("name", ["aiohttp", "asgi", "fastapi"])
async def test_h06_slow_senders_hold_up_nobody(name: str) -> None:
    one, events = receiver(read_seconds=0.8)
    handler = Granting()
    async with (
        FRAMEWORKS[name](one, handler) as port,
        connected(port) as (reader, writer),
        connected(port) as (other, slow),
    ):
        for stream in (writer, slow):
            stream.write(head("/push/x", signed()[1], 1000) + b'{"a":')
        answers = [asyncio.create_task(status_of(one)) for one in (reader, other)]
        await asyncio.sleep(0.05)
        assert await post(port, *signed()) == 200
        assert not any(answer.done() for answer in answers)
        assert [await answer for answer in answers] == [408, 408]
    assert handler.calls == 1
    assert [event.kind for event in events] == ["taken", "refused", "refused"]


@pytest.mark.parametrize("name", ["aiohttp", "asgi", "fastapi"])
async def test_h06_a_body_shorter_than_it_says(name: str) -> None:
    one, events = receiver()
    handler = Granting()
    async with FRAMEWORKS[name](one, handler) as port:
        body, headers = signed()
        async with connected(port) as (_, writer):
            writer.write(head("/push/x", headers, len(body) + 5) + body)
            await writer.drain()
            await asyncio.sleep(0.05)
        assert await post(port, body, headers) == 200
    assert handler.calls == 1
    assert "alarm" not in {event.kind for event in events}


async def test_h06_a_body_that_breaks_off_is_no_wrong_use(
    served: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    one, _ = receiver()
    handler = Granting()
    async with served(one, handler) as port:
        body, headers = signed()
        async with connected(port) as (reader, writer):
            writer.write(head("/push/x", headers, len(body) + 5) + body)
            writer.write_eof()
            assert await asyncio.wait_for(status_of(reader), 10) in (400, None)
        assert await post(port, body, headers) == 200
    assert handler.calls == 1
    assert "before the receiver saw it" not in caplog.text + capsys.readouterr().err


@pytest.mark.parametrize("length", ["abc", "-1", "1_0", "\xb2"])
async def test_h06_a_length_that_is_none(
    served: Any, length: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    one, _ = receiver()
    handler = Granting()
    async with served(one, handler) as port, connected(port) as (reader, writer):
        raw = head("/push/x", [*signed()[1], ("Content-Length", length)])
        writer.write(raw.decode().encode("latin-1"))
        writer.write_eof()
        assert await asyncio.wait_for(status_of(reader), 10) in (400, 401, None)
    assert handler.calls == 0
    assert "Traceback" not in capsys.readouterr().err


async def test_h24_no_logger_tells_the_secret_of_the_path(
    served: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is answered; access logs are the server's own, and told of in the guide."""
    caplog.set_level(logging.DEBUG)
    secret = "a-secret-of-the-path_0123"
    one, _ = receiver(path_secret=secret)
    handler = Granting(failures=1)
    async with served(one, handler) as port:
        answers = [
            await post(port, *message, path=f"/push/{secret}")
            for message in (signed(), signed(), (b"{}", []), (b"[]", signed()[1]))
        ]
        assert answers == [500, 200, 401, 400]
        large = await post(port, b"x" * 100_000, signed()[1], path=f"/push/{secret}")
        assert large == 413
    own = [one.getMessage() for one in caplog.records if one.name != "uvicorn.access"]
    assert own
    assert secret not in "".join(own) + capsys.readouterr().err


async def test_h08_headers_on_the_wire(served: Any) -> None:
    one, _ = receiver()
    handler = Granting()
    async with served(one, handler) as port:
        body, headers = signed()
        shouted = [(name.upper(), value) for name, value in headers]
        assert await post(port, body, shouted) == 200
        for broken in (
            [*headers[:3], ("x-lf-signature", "k/" + "a" * 65_536)],
            [*headers[:3], ("x-lf-signature", "")],
            [*headers[:3], ("x-lf-signature", "ключ/подпись".encode().decode("latin-1"))],
            [*headers, headers[0]],
        ):
            assert await post(port, body, broken) in (400, 401, 431, None)
    assert handler.calls == 1
