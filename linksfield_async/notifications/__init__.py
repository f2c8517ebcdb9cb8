"""The recharge message that Linksfield pushes, received safely. Imports neither aiohttp nor a loop.

    receiver = Receiver(keys={"key-1": "…"}, inbox=SqliteInbox("inbox.db"))
    app.router.add_post("/linksfield/push", aiohttp_handler(receiver, grant))

The web frameworks have a module each: `aiohttp_web`, `asgi` (FastAPI, Starlette), `django`, `flask`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .notice import Authenticity, FieldNames, RechargeNotice
from .parsing import Limits
from .signature import SignatureScheme

if TYPE_CHECKING:
    from .answers import Answer, Event
    from .confirming import Expected
    from .inbox import ClaimedByHandler, Inbox, MemoryInbox
    from .learning import learn
    from .postgres import PostgresInbox
    from .receiver import Handler, Receiver
    from .redis import RedisInbox
    from .sqlite import SqliteInbox
    from .workers import working

# Imported at first use: what only verifies needs no loop and no store.
_LAZY = {
    "Answer": "answers",
    "ClaimedByHandler": "inbox",
    "Event": "answers",
    "Expected": "confirming",
    "Handler": "receiver",
    "Inbox": "inbox",
    "MemoryInbox": "inbox",
    "PostgresInbox": "postgres",
    "Receiver": "receiver",
    "RedisInbox": "redis",
    "SqliteInbox": "sqlite",
    "learn": "learning",
    "working": "workers",
}

__all__ = [
    "Answer",
    "Authenticity",
    "ClaimedByHandler",
    "Event",
    "Expected",
    "FieldNames",
    "Handler",
    "Inbox",
    "Limits",
    "MemoryInbox",
    "PostgresInbox",
    "Receiver",
    "RechargeNotice",
    "RedisInbox",
    "SignatureScheme",
    "SqliteInbox",
    "learn",
    "working",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
