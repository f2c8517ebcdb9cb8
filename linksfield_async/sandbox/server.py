"""The sandbox's HTTP server: listens, reads, logs and answers; knows nothing of operations."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

from aiohttp import web

from ..errors import ConfigurationError
from .answers import Answer, Refusal
from .clock import Clock
from .dispatch import Dispatcher
from .log import Received, RequestLog
from .settings import Settings

MAX_BODY_BYTES = 4 * 1024 * 1024
"""The largest body that is read (invented); about 180,000 ICCIDs."""

_CLOSING_SECONDS = 0.5
_JSON = {"Content-Type": "application/json"}
_ALL_INTERFACES = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked up, never bound to
_NONE: Mapping[str, str] = MappingProxyType({})
_SHARED_HEADERS = 256


class Server:
    """One listening address; can be started again after it was closed."""

    def __init__(
        self, dispatcher: Dispatcher, log: RequestLog, clock: Clock, settings: Settings
    ) -> None:
        self._dispatcher = dispatcher
        self._log = log
        self._clock = clock
        self._settings = settings
        self._headers: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
        self._runner: web.ServerRunner | None = None
        self._url: str | None = None

    @property
    def url(self) -> str:
        """Where it can be reached from this machine."""
        if self._url is None:
            raise ConfigurationError("the sandbox is not running: use `async with Sandbox(…)`")
        return self._url

    async def start(self) -> None:
        """Listen on the host and port of the settings."""
        if self._runner is not None:
            raise ConfigurationError("the sandbox is already running")
        # One address: `localhost` may mean two, and a free port is free on one of them only.
        host = "127.0.0.1" if self._settings.host == "localhost" else self._settings.host
        server = web.Server(self._handle, access_log=None, auto_decompress=False)
        runner = self._runner = web.ServerRunner(server, shutdown_timeout=_CLOSING_SECONDS)
        try:
            await runner.setup()
            await web.TCPSite(runner, host, self._settings.port).start()
        except OSError as error:
            await self.close()
            raise ConfigurationError(
                f"cannot listen on {host} port {self._settings.port}: {error.strerror or error}"
            ) from error
        except BaseException:
            await self.close()
            raise
        port = runner.addresses[0][1]
        shown = _ALL_INTERFACES.get(host, host)
        self._url = f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"

    async def close(self) -> None:
        """Stop listening; what is under way has half a second to end."""
        runner, self._runner, self._url = self._runner, None, None
        if runner is not None:
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body, url = b"", request.rel_url
        try:
            body = await _read(request)
        except Refusal as refusal:
            answer = self._dispatcher.refusal(refusal)
        else:
            answer = self._dispatcher.answer(
                request.method, url.raw_path, url.raw_query_string, body
            )
        self._record(request, body, answer)
        if self._settings.latency:
            await asyncio.sleep(self._settings.latency)
        headers = {**_JSON, **answer.headers} if answer.headers else _JSON
        return web.Response(body=answer.body, status=answer.status, headers=headers)

    def _record(self, request: web.BaseRequest, body: bytes, answer: Answer) -> None:
        url = request.rel_url
        received = Received(
            index=self._log.total,
            time=self._clock.now(),
            method=request.method,
            path=url.raw_path,
            operation=answer.operation,
            status=answer.status,
            outcome=answer.outcome,
            query=url.raw_query_string,
            body=body,
            headers=self._shared(request.headers),
            path_parameters=answer.path_parameters or _NONE,
        )
        self._log.add(received)

    def _shared(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Keep equal headers once: nearly all requests of a client have the same."""
        key = tuple(headers.items())
        shared = self._headers.get(key)
        if shared is None:
            shared = headers
            if len(self._headers) < _SHARED_HEADERS:
                self._headers[key] = headers
        return shared


async def _read(request: web.BaseRequest) -> bytes:
    """Read the body; refuse one that is too large, compressed or cut off."""
    if not request.body_exists:
        return b""
    if "Content-Encoding" in request.headers:
        raise Refusal("compressed bodies are not read", status=415, outcome="compressed body")
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = bytearray()
    try:
        while chunk := await request.content.readany():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise Refusal(
                    f"the body has more than {MAX_BODY_BYTES} bytes",
                    status=413,
                    outcome="body too large",
                )
    except (web.RequestPayloadError, ConnectionResetError) as error:
        # The client left, mostly: the answer goes nowhere, but the log tells of it.
        raise Refusal("the body is broken or not complete", outcome="broken body") from error
    return bytes(body)
