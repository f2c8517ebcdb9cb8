from __future__ import annotations

from typing import Any

import pytest

from linksfield_async.notifications import MemoryInbox, Receiver
from linksfield_async.notifications.asgi import NotificationApp


async def test_as_a_route_it_is_reached_without_a_redirect() -> None:
    fastapi = pytest.importorskip("fastapi")
    from starlette.routing import Route

    app = fastapi.FastAPI()
    receiver = Receiver(keys={"key-1": "the key"}, inbox=MemoryInbox())
    app.router.routes.append(Route("/linksfield/push", NotificationApp(receiver, print)))
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/linksfield/push", "root_path": ""}
    await app({**scope, "query_string": b"", "headers": [(b"content-length", b"2")]}, receive, send)
    assert sent[0]["status"] == 401  # by the receiver: it is not signed
