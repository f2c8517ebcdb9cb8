"""A server that answers every POST with the same bytes at once; `python responder.py`."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BODY = b'{"operateCode":"S","data":{}}'
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_BODY)
) + _BODY
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class _Exchange(asyncio.Protocol):
    """Reads whole requests; a card whose last two digits are those of `hangs` has no answer."""

    def __init__(self, hangs: re.Pattern[bytes] | None, latency: float) -> None:
        self._hangs, self._latency = hangs, latency
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (head := self._read.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self._read, 0, head)
            end = head + 4 + (int(found[1]) if found else 0)
            if len(self._read) < end:
                return
            request, self._read = self._read[:end], self._read[end:]
            if self._hangs is not None and self._hangs.search(request):
                continue
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._answer)
            else:
                self._answer()

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_ANSWER)


@contextmanager
def responder(hangs: str | None = None, latency: float = 0.0) -> Iterator[str]:
    """Serve in a process of its own for the length of the block; gives the URL."""
    command = [sys.executable, str(Path(__file__)), hangs or "", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


async def _serve(hangs: str, latency: float) -> None:
    ending = re.compile(rb'"deviceCode":"[0-9]*%s"' % hangs.encode()) if hangs else None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Exchange(ending, latency), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], float(sys.argv[2])))
