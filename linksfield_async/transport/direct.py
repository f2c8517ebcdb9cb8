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
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage

from ..errors import LinksfieldError
from ..options import Options
from ..protocol import Request, Response
from .base import Limits
from .calls import Call
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
        failure: LinksfieldError | None
        call, wires = held.calls.begin(left), held.pools
        taken: tuple[Connection, Wire] | None = None
        try:
            endpoint, target = wires.endpoint(request)
            content = endpoint.head(request, target, close=request.once) + request.body
            template, connector = endpoint.template, wires.once if request.once else wires.kept
            taken = connector.at_once(template) or await connector.take(template, limits.connect)
            connection, wire = taken
            wire.expect_answer(has_body=request.method != "HEAD")
            held.calls.listen(call, wire, limits.read)
            call.sent = True
            wire.write(content)
            message, coming = await wire.read()
            body = wire.whole(coming) if message.code >= 200 else None
            if body is None:
                response = await _rest(wire, message, coming, limits.max_answer_bytes)
            else:
                check_size(len(body), limits.max_answer_bytes, message.code)
                response = Response(message.code, body, message.headers)
            connector.give_back(template, connection, wire)
        except BaseException as error:
            if taken is not None:
                taken[1].drop_unsent()
                taken[0].close()
            failure = _concluded(error, call)
            if failure is None:
                raise
        else:
            return response
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
        self._targets: dict[tuple[str, str], tuple[Endpoint, str]] = {}
        """By method and whole URL."""

    def endpoint(self, request: Request) -> tuple[Endpoint, str]:
        """Give where a request goes, and its target; a URL without a query is looked at once."""
        found = self._targets.get((request.method, request.url))
        if found is None:
            check_method(request)
            origin, target = split(request.url)
            found = self._endpoint(origin), target
            if "?" not in target:
                if len(self._targets) >= _MOST_TARGETS:
                    self._targets.clear()
                self._targets[request.method, request.url] = found
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


def _concluded(error: BaseException, call: Call) -> LinksfieldError | None:
    """Give what is known of a call that broke off; None where that was not the network."""
    if isinstance(error, asyncio.CancelledError):
        if not call.was_ended():
            return None
    elif not isinstance(error, FAULTS):
        return None
    return conclude(error, sent=call.sent, ended=call.ended)


async def _rest(
    wire: Wire, message: RawResponseMessage, content: StreamReader, limit: int
) -> Response:
    """Read what has not come yet, of the answer or of all of it after interim ones."""
    while 100 <= message.code < 200 and message.code != HTTPStatus.SWITCHING_PROTOCOLS:
        message, content = await wire.read()
    return Response(message.code, await read_bounded(content, limit, message.code), message.headers)
