"""Raw sockets: the least that such a call can cost, and the most that the responder can answer."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from driving import AsyncCalls, Contender, on_asyncio, on_uvloop
from work import PATH, Target, cards, check, signed

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_AHEAD = 32
"""Requests written at once to one connection when the responder's ceiling is sought."""


class _Wire(asyncio.Protocol):
    """One connection; answers are given in the order of what was written."""

    def __init__(self) -> None:
        self._read = b""
        self._waiting: deque[asyncio.Future[bytes]] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def write(self, requests: bytes, answers: int) -> asyncio.Future[bytes]:
        """Give what the last of so many answers will hold."""
        waiting = [asyncio.get_running_loop().create_future() for _ in range(answers)]
        self._waiting.extend(waiting)
        self._transport.write(requests)
        return waiting[-1]

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (head := self._read.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self._read, 0, head)
            assert found is not None
            end = head + 4 + int(found[1])
            if len(self._read) < end:
                return
            body, self._read = self._read[head + 4 : end], self._read[end:]
            self._waiting.popleft().set_result(body)

    def connection_lost(self, error: Exception | None) -> None:
        for waiting in self._waiting:
            waiting.set_exception(error or ConnectionError("the connection was closed"))

    def close(self) -> None:
        self._transport.close()


async def _connected(target: Target, count: int) -> list[_Wire]:
    url, loop = urlsplit(target.url), asyncio.get_running_loop()
    tls: ssl.SSLContext | None = target.tls()
    made = [
        await loop.create_connection(_Wire, url.hostname or "", url.port or 0, ssl=tls)
        for _ in range(count)
    ]
    return [wire for _, wire in made]


def _request(target: Target, iccid: str) -> bytes:
    body = json.dumps(signed(iccid), separators=(",", ":")).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: {urlsplit(target.url).netloc}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@asynccontextmanager
async def raw(target: Target) -> AsyncIterator[AsyncCalls]:
    wires = await _connected(target, target.concurrency)

    async def calls(count: int) -> None:
        given = cards(count)

        async def worker(wire: _Wire) -> None:
            for card in given:
                check(json.loads(await wire.write(_request(target, card), 1)))

        await asyncio.gather(*map(worker, wires))

    yield calls
    for wire in wires:
        wire.close()


@asynccontextmanager
async def ceiling(target: Target) -> AsyncIterator[AsyncCalls]:
    wires = await _connected(target, min(16, target.concurrency))
    request = _request(target, next(cards(1)))

    async def calls(count: int) -> None:
        left = count

        async def worker(wire: _Wire) -> None:
            nonlocal left
            while left > 0:
                ahead = min(_AHEAD, left)
                left -= ahead
                await wire.write(request * ahead, ahead)

        await asyncio.gather(*map(worker, wires))

    yield calls
    for wire in wires:
        wire.close()


_HOW = "an `asyncio.Protocol` with the head written by hand, sign and JSON as for aiohttp"
FLOOR = (
    Contender(
        name="raw uvloop",
        title="raw sockets, uvloop",
        how=_HOW,
        open=on_uvloop(raw),
        needs=("uvloop",),
    ),
    Contender(name="raw asyncio", title="raw sockets", how=_HOW, open=on_asyncio(raw)),
)
CEILING = Contender(
    name="ceiling",
    title="the responder's own ceiling",
    how=f"16 connections with {_AHEAD} times the same bytes written at once, on uvloop",
    open=on_uvloop(ceiling),
    needs=("uvloop",),
    signs=False,
)
