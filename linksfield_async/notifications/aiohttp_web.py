"""The receiver as a handler of aiohttp.web.

app.router.add_post("/linksfield/push", aiohttp_handler(receiver, grant))
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from ..errors import ConfigurationError
from .answers import NOT_A_POST, Answer
from .receiver import Handler, Receiver
from .wrong_order import check_whole

Endpoint = Callable[[web.Request], Awaitable[web.StreamResponse]]


def aiohttp_handler(receiver: Receiver, handler: Handler) -> Endpoint:
    """Make the handler of a route; with a path secret the route ends in `/{secret}`.

    Nothing may have read the request as a form before. aiohttp's access log shows paths, and so
    a path secret: switch it off for this application (`access_log=None`).
    """

    async def endpoint(request: web.Request) -> web.StreamResponse:
        answer = await _answered(request, receiver, handler)
        response = web.Response(status=answer.status, body=answer.body, content_type="text/plain")
        if request.content.at_eof():
            return response
        # What was not read must not be read: aiohttp would read on for seconds, to be polite.
        response.force_close()
        await response.prepare(request)
        await response.write_eof()
        request.protocol.force_close()
        return response

    return endpoint


async def _answered(request: web.Request, receiver: Receiver, handler: Handler) -> Answer:
    if request.method != "POST":
        return NOT_A_POST
    # Bytes, as they came: aiohttp's own mapping decodes them as UTF-8.
    headers = list(request.raw_headers)
    return await receiver.receive(request.rel_url.raw_path, headers, _chunks(request), handler)


async def _chunks(request: web.Request) -> AsyncIterator[bytes]:
    if request.body_exists and request.content.at_eof():
        # Read before, by a middleware: as bytes, then aiohttp has kept them, or as a form.
        body = await request.read()
        check_whole(len(body) or None, request.content_length)
        yield body
        return
    try:
        while chunk := await request.content.readany():
            yield chunk
    except web.RequestPayloadError as error:
        raise ConnectionError from error


async def serve(
    receiver: Receiver, handler: Handler, *, path: str, host: str, port: int
) -> tuple[web.AppRunner, int]:
    """Serve one path on its own, without an access log; gives what to clean up, and the port."""
    app = web.Application(client_max_size=receiver.max_body)
    app.router.add_post(path, aiohttp_handler(receiver, handler))
    runner = web.AppRunner(app, access_log=None, auto_decompress=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        told = error.strerror or str(error)
        raise ConfigurationError(f"cannot listen on {host} port {port}: {told}") from error
    return runner, int(runner.addresses[0][1])
