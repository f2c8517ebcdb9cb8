"""The receiver behind each web framework, on a real server of loopback, and raw requests to it."""

from __future__ import annotations

import asyncio
import threading
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

from linksfield_async.notifications import Receiver

Handler = Callable[..., Any]


@asynccontextmanager
async def aiohttp_served(receiver: Receiver, handler: Handler, before: Any = None) -> Any:
    from aiohttp import web

    from linksfield_async.notifications.aiohttp_web import aiohttp_handler

    @web.middleware
    async def middleware(request: Any, handler: Any) -> Any:
        if before is not None:
            await before(request)
        return await handler(request)

    app = web.Application(middlewares=[middleware])
    app.router.add_post("/{rest:.*}", aiohttp_handler(receiver, handler))
    # As a user runs it, decompression and all.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _uvicorn(app: Any) -> AsyncIterator[int]:
    uvicorn = pytest.importorskip("uvicorn")
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_config=None, lifespan="off", ws="none",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def asgi_served(receiver: Receiver, handler: Handler, before: Any = None) -> Any:
    fastapi = pytest.importorskip("fastapi")
    from linksfield_async.notifications.asgi import NotificationApp

    assert before is None
    app = fastapi.FastAPI()
    app.mount("/push", NotificationApp(receiver, handler))
    async with _uvicorn(app) as port:
        yield port


@asynccontextmanager
async def fastapi_served(receiver: Receiver, handler: Handler, before: Any = None) -> Any:
    fastapi = pytest.importorskip("fastapi")
    from linksfield_async.notifications.asgi import respond

    app = fastapi.FastAPI()

    async def endpoint(request: Any) -> Any:
        if before is not None:
            await before(request)
        return await respond(request, receiver, handler)

    endpoint.__annotations__ = {"request": fastapi.Request}
    app.post("/{rest:path}")(endpoint)
    async with _uvicorn(app) as port:
        yield port


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _wsgi(app: Any) -> Iterator[int]:
    server: WSGIServer = make_server("127.0.0.1", 0, app, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


@asynccontextmanager
async def flask_served(receiver: Receiver, handler: Handler, before: Any = None) -> Any:
    flask = pytest.importorskip("flask")
    from linksfield_async.notifications.flask import FlaskView

    app = flask.Flask("tests", root_path=".")
    app.testing = True
    app.config["PROPAGATE_EXCEPTIONS"] = False
    if before is not None:

        @app.before_request
        def look() -> None:  # what it returned would be the answer
            before(flask.request)

    with closing(FlaskView(receiver, handler)) as view:
        app.add_url_rule("/<path:rest>", view_func=view, methods=["POST"])
        with _wsgi(app) as port:
            yield port


def _django(view: Any, before: Any) -> None:
    django = pytest.importorskip("django")
    from django.conf import settings
    from django.urls import clear_url_caches, re_path

    urls = types.ModuleType("tests_urls")
    urls.urlpatterns = [re_path("^.*$", view)]  # type: ignore[attr-defined]
    middleware = types.SimpleNamespace(before=before)
    if not settings.configured:
        settings.configure(
            ROOT_URLCONF=urls, ALLOWED_HOSTS=["*"], SECRET_KEY="x", LOGGING_CONFIG=None,
            MIDDLEWARE=["web.django_middleware", "django.middleware.csrf.CsrfViewMiddleware"],
        )  # fmt: skip
        django.setup()
    settings.ROOT_URLCONF = urls
    clear_url_caches()
    _BEFORE.append(middleware.before)


_BEFORE: list[Any] = []


def django_middleware(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        if _BEFORE[-1] is not None:
            _BEFORE[-1](request)
        return get_response(request)

    return middleware


@asynccontextmanager
async def django_served(receiver: Receiver, handler: Handler, before: Any = None) -> Any:
    pytest.importorskip("django")
    from django.core.handlers.wsgi import WSGIHandler

    from linksfield_async.notifications.django import DjangoSyncView

    with closing(DjangoSyncView(receiver, handler)) as view:
        _django(view, before)
        with _wsgi(WSGIHandler()) as port:
            yield port


@asynccontextmanager
async def django_asgi_served(receiver: Receiver, handler: Handler, before: Any = None) -> Any:
    pytest.importorskip("django")
    from django.core.handlers.asgi import ASGIHandler

    from linksfield_async.notifications.django import DjangoView

    _django(DjangoView(receiver, handler), before)
    async with _uvicorn(ASGIHandler()) as port:
        yield port


Served = Callable[..., Any]
FRAMEWORKS: dict[str, Served] = {
    "aiohttp": aiohttp_served,
    "asgi": asgi_served,
    "fastapi": fastapi_served,
    "flask": flask_served,
    "django": django_served,
    "django-asgi": django_asgi_served,
}


async def status_of(reader: asyncio.StreamReader) -> int | None:
    """The status of the answer; None where the connection ended without one."""
    try:
        line = await reader.readline()
    except ConnectionError:
        return None
    return int(line.split()[1]) if line else None


@asynccontextmanager
async def connected(port: int) -> Any:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def head(path: str, headers: Any, length: int | None = None, *more: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Connection: close", *more]
    lines += [f"{name}: {value}" for name, value in headers]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


async def post(port: int, body: bytes, headers: Any, *more: str, path: str = "/push/x") -> Any:
    async with connected(port) as (reader, writer):
        writer.write(head(path, headers, len(body), *more) + body)
        return await asyncio.wait_for(status_of(reader), 10)


async def until(ready: Callable[[], Awaitable[bool] | bool]) -> None:
    for _ in range(500):
        if ready():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came")
