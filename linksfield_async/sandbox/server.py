"""The sandbox's HTTP server: listens, reads, logs and answers; knows nothing of operations."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

import attrs
from aiohttp import web

from ..account import is_loopback
from ..errors import ConfigurationError
from .answers import Answer, Refusal
from .clock import Clock
from .dispatch import Dispatcher
from .fault_plan import Faults
from .faults import Fault
from .inspector.page import HEADERS, Page
from .log import Received, RequestLog
from .pages import Pages, is_inspected
from .settings import Settings

MAX_BODY_BYTES = 4 * 1024 * 1024
"""The largest body that is read (invented); about 180,000 ICCIDs."""

_CLOSING_SECONDS = 0.5
_LOOK_SECONDS = 0.2
"""How often a stalled request looks whether its client is still there."""
_JSON = {"Content-Type": "application/json"}
_ALL_INTERFACES = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked up, never bound to
_NONE: Mapping[str, str] = MappingProxyType({})
_SHARED_HEADERS = 256

_NOT_FOR_US = Refusal(
    "the sandbox does not stand in for other hosts; allow_any_host permits it",
    status=421,
    outcome="for another host",
)


class Server:
    """One listening address; can be started again after it was closed."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        log: RequestLog,
        clock: Clock,
        settings: Settings,
        *,
        faults: Faults,
        pages: Pages,
    ) -> None:
        self._pages = pages
        self._dispatcher = dispatcher
        self._faults = faults
        self._closing = asyncio.Event()
        self._log = log
        self._clock = clock
        self._settings = settings
        self._headers: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
        self._hosts: dict[str, bool] = {}
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
        self._closing = asyncio.Event()
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
        self._closing.set()
        runner, self._runner, self._url = self._runner, None, None
        if runner is not None:
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._pages.owns(request.rel_url.raw_path, request.headers):
            return await self._page(request)
        fault = self._fault(request)
        body, answer = await self._answer(request, fault)
        if fault is not None:
            fault = self._settled(fault, answer)
        self._record(request, body, answer, fault)
        wait = self._settings.latency + (0.0 if fault is None else fault.delay)
        if wait:
            await asyncio.sleep(wait)
        if fault is not None and fault.ending != "answered":
            await self._end(request, fault, answer)
        headers = {**_JSON, **answer.headers} if answer.headers else _JSON
        return web.Response(body=answer.body, status=answer.status or 503, headers=headers)

    async def _page(self, request: web.BaseRequest) -> web.Response:
        page = await self._page_for(request)
        headers = {**HEADERS, **page.headers, "Content-Type": page.content_type}
        return web.Response(body=page.body, status=page.status, headers=headers)

    async def _page_for(self, request: web.BaseRequest) -> Page:
        url, headers = request.rel_url, request.headers
        # The inspector looks at the Host header itself, and closer.
        if not is_inspected(url.raw_path) and not self._is_meant(headers.get("Host", "")):
            return self._pages.refused(_NOT_FOR_US)
        try:
            body = await _read(request)
        except Refusal as refusal:
            return self._pages.refused(refusal)
        return self._pages.answer(request.method, url.raw_path, url.raw_query_string, headers, body)

    def _is_meant(self, host: str) -> bool:
        """Tell whether a request came for this machine and not for the real service."""
        if self._settings.allow_any_host:
            return True
        known = self._hosts.get(host)
        if known is None:
            name = host.rpartition("]")[0].lstrip("[") if "]" in host else host.partition(":")[0]
            known = not host or is_loopback(name.lower())
            if len(self._hosts) < _SHARED_HEADERS:
                self._hosts[host] = known
        return known

    def _fault(self, request: web.BaseRequest) -> Fault | None:
        if not self._faults:
            return None
        operation = self._dispatcher.operation_of(request.method, request.rel_url.raw_path)
        return None if operation is None else self._faults.draw(operation)

    async def _answer(self, request: web.BaseRequest, fault: Fault | None) -> tuple[bytes, Answer]:
        """Read a request and have it carried out, as far as its fault lets it."""
        url = request.rel_url
        if not self._is_meant(request.headers.get("Host", "")):
            return b"", self._dispatcher.refusal(_NOT_FOR_US)
        if fault is not None and not fault.reads:
            return b"", self._dispatcher.untouched(request.method, url.raw_path)
        try:
            body = await _read(request)
        except Refusal as refusal:
            return b"", self._dispatcher.refusal(refusal)
        if fault is not None and not fault.carries_out:
            return body, self._dispatcher.untouched(request.method, url.raw_path)
        query = url.raw_query_string
        return body, self._dispatcher.answer(request.method, url.raw_path, query, body)

    def _settled(self, fault: Fault, answer: Answer) -> Fault:
        """Put the fault's answer in place of the sandbox's, and say where it is cut."""
        if fault.reply is not None:
            answer.status, answer.body = fault.reply.status, fault.reply.body
            answer.headers = fault.reply.headers
        if fault.ending == "cut":
            at = self._faults.cut_at(fault, len(_raw(answer)))
            return attrs.evolve(fault, cut=at, name=f"{fault.name} at {at}")
        return fault

    async def _end(self, request: web.BaseRequest, fault: Fault, answer: Answer) -> None:
        """End the connection without a whole answer, at once or when the client has left."""
        transport = request.transport
        if fault.ending == "stalled":
            while not self._closing.is_set() and request.transport is not None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), _LOOK_SECONDS)
        if transport is not None:
            if fault.ending == "cut":
                transport.write(_raw(answer)[: fault.cut])
            transport.close()

    def _record(
        self, request: web.BaseRequest, body: bytes, answer: Answer, fault: Fault | None
    ) -> None:
        url = request.rel_url
        ended = fault is None or fault.ending in ("answered", "cut")
        received = Received(
            index=self._log.total,
            time=self._clock.now(),
            method=request.method,
            path=url.raw_path,
            operation=answer.operation,
            status=answer.status if ended else 0,
            outcome=answer.outcome,
            query=url.raw_query_string,
            body=body,
            headers=self._shared(request.headers),
            path_parameters=answer.path_parameters or _NONE,
            carried_out=answer.carried_out,
            fault=None if fault is None else fault.name,
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


def _raw(answer: Answer) -> bytes:
    """Write an answer as it goes over the wire, to be cut."""
    headers = {**_JSON, **(answer.headers or {}), "Content-Length": str(len(answer.body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    reason = HTTPStatus(answer.status).phrase
    return f"HTTP/1.1 {answer.status} {reason}\r\n{lines}\r\n".encode() + answer.body


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
