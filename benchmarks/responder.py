"""A server that answers every POST with the same bytes at once; `python responder.py`.

A GET tells how many seconds of CPU it has used, so that who measures can show that it was not the
bottleneck. It runs on uvloop where that is installed.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_BODY = b'{"operateCode":"S","data":{}}'
_ANSWER = _HEAD % len(_BODY) + _BODY
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
        answers = []
        while (head := self._read.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self._read, 0, head)
            end = head + 4 + (int(found[1]) if found else 0)
            if len(self._read) < end:
                break
            request, self._read = self._read[:end], self._read[end:]
            if self._hangs is None or not self._hangs.search(request):
                answers.append(_cpu() if request.startswith(b"GET") else _ANSWER)
        if not answers:
            return
        if self._latency:
            later = asyncio.get_running_loop().call_later
            later(self._latency, self._answer, b"".join(answers))
        else:
            self._answer(b"".join(answers))

    def _answer(self, answers: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answers)


def _cpu() -> bytes:
    told = f"{time.process_time():.6f}".encode()
    return _HEAD % len(told) + told


@contextmanager
def responder(
    hangs: str | None = None, latency: float = 0.0, certificate: Path | None = None
) -> Iterator[str]:
    """Serve in a process of its own for the length of the block; gives the URL.

    `certificate` is a PEM file with a key and its chain: then it speaks TLS.
    """
    command = [sys.executable, str(Path(__file__)), hangs or "", str(latency)]
    command.append("" if certificate is None else str(certificate))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Give uvloop's where it is installed, else asyncio's."""
    try:
        import uvloop  # noqa: PLC0415  # it may not be there
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _serve(hangs: str, latency: float, certificate: str) -> None:
    ending = re.compile(rb'"deviceCode":"[0-9]*%s"' % hangs.encode()) if hangs else None
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(
        lambda: _Exchange(ending, latency), "127.0.0.1", 0, ssl=tls, backlog=4096
    )
    scheme = "https" if certificate else "http"
    print(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(sys.argv[1], float(sys.argv[2]), sys.argv[3]))
