"""The transport that writes requests itself, at a fraction of what a session costs.

aiohttp keeps what is hard: the pool, DNS, happy eyeballs, TLS, keep-alive, the parser of answers
and decompression. The exchange is written here: a connection, one write, one answer. So whether
bytes left is a fact, nothing is repeated behind anyone's back, and no redirect or cookie exists.
"""

from __future__ import annotations

import asyncio
import ssl
from http import HTTPStatus

from aiohttp import StreamReader
from aiohttp.http import RawResponseMessage

from ..errors import LinksfieldError
from ..options import Options
from ..protocol import Request, Response
from .base import Limits
from .calls import Call, Calls
from .faults import FAULTS, conclude
from .heads import Endpoint, check_method, origin_url, split
from .loops import PerLoop
from .reading import check_size, read_bounded
from .wires import Template, Wire, WireConnector

_MOST_ENDPOINTS = 256
_MOST_TARGETS = 1024


class DirectTransport:
    """Sends over one pool of connections per running event loop, made at first use."""

    def __init__(self, options: Options | None = None) -> None:
        self._loops = PerLoop(options or Options(), _Wires)

    async def send(self, request: Request, limits: Limits) -> Response:
        """Send the request once; see `Transport.send`."""
        held, left = self._loops.known(), limits.deadline
        if held is None:
            held, left = await self._loops.here_within(left)
        failure: LinksfieldError
        call = held.calls.begin(left)
        try:
            return await _exchange(held.pools, held.calls, call, request, limits)
        except asyncio.CancelledError as error:
            if not call.was_ended():
                raise
            failure = conclude(error, sent=call.sent, ended=call.ended)
        except FAULTS as error:
            failure = conclude(error, sent=call.sent, ended=call.ended)
        finally:
            held.calls.over(call)
        # Raised out here and from a stand-in: aiohttp's own errors may hold what was sent.
        raise failure

    async def close(self) -> None:
        """End what is under way and close the connections of all loops; twice does nothing."""
        await self._loops.close()


class _Wires:
    """What one event loop has."""

    def __init__(self, options: Options, tls: ssl.SSLContext | bool) -> None:
        self._loop = asyncio.get_running_loop()
        self.kept = WireConnector(options.connections, tls, force_close=False)
        self.once = WireConnector(options.connections, tls, force_close=True)
        """For requests that must not be carried out twice: each has a connection of its own."""
        self._endpoints: dict[str, Endpoint] = {}
        self._targets: dict[str, tuple[Endpoint, str]] = {}
        """By the whole URL."""

    def endpoint(self, request: Request) -> tuple[Endpoint, str]:
        """Give where a request goes, and its target; a URL without a query is looked at once."""
        check_method(request)
        found = self._targets.get(request.url)
        if found is None:
            origin, target = split(request.url)
            found = self._endpoint(origin), target
            if "?" not in target:
                if len(self._targets) >= _MOST_TARGETS:
                    self._targets.clear()
                self._targets[request.url] = found
        return found

    def _endpoint(self, origin: str) -> Endpoint:
        found = self._endpoints.get(origin)
        if found is None:
            if len(self._endpoints) >= _MOST_ENDPOINTS:
                self._endpoints.clear()
                self._targets.clear()
            found = Endpoint(origin, Template(origin_url(origin), self._loop))
            self._endpoints[origin] = found
        return found

    async def close(self) -> None:
        await self.kept.end()
        await self.once.end()


async def _exchange(
    wires: _Wires, calls: Calls, call: Call, request: Request, limits: Limits
) -> Response:
    """Take a connection, send, read the answer, and put the connection back if all is well."""
    endpoint, target = wires.endpoint(request)
    content = endpoint.head(request, target, close=request.once) + request.body
    connector = wires.once if request.once else wires.kept
    template = endpoint.template
    connection, wire = connector.at_once(template) or await connector.take(template, limits.connect)
    try:
        wire.expect_answer(has_body=request.method != "HEAD")
        calls.listen(call, wire, limits.read)
        call.sent = True
        wire.write(content)
        message, content = await wire.read()
        body = wire.whole(content) if message.code >= HTTPStatus.OK else None
        if body is None:
            response = await _rest(wire, message, content, limits.max_answer_bytes)
        else:
            check_size(len(body), limits.max_answer_bytes, message.code)
            response = Response(message.code, body, message.headers)
    except BaseException:
        wire.drop_unsent()
        connection.close()
        raise
    if wire.is_reusable():
        connector.give_back(template, connection, wire)
    else:
        wire.drop_unsent()
        connection.close()
    return response


async def _rest(
    wire: Wire, message: RawResponseMessage, content: StreamReader, limit: int
) -> Response:
    """Read what has not come yet, of the answer or of all of it after interim ones."""
    while 100 <= message.code < 200 and message.code != HTTPStatus.SWITCHING_PROTOCOLS:
        message, content = await wire.read()
    return Response(message.code, await read_bounded(content, limit, message.code), message.headers)
