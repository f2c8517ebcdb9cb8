"""Asyncio SDK for the Linksfield Topup/Mall APIs: verify cards, sell plans, manage SIM groups."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .account import Account, Endpoints
from .errors import (
    BadAnswer,
    BadSignature,
    BulkStopped,
    CheckoutConflict,
    CheckoutRefused,
    ClientClosed,
    ConfigurationError,
    ConnectFailed,
    Contradiction,
    DeadlineExceeded,
    DuplicateKeys,
    InboxUnavailable,
    InvalidInput,
    JournalError,
    JournalRefused,
    LinksfieldError,
    MalformedNotification,
    MismatchedAnswer,
    NotificationError,
    NotificationMismatch,
    NotificationTooLarge,
    NotSent,
    OrderNotVisible,
    OutcomeUnknown,
    RateLimited,
    Refused,
    ResponseTooLarge,
    StaleNotification,
    StillUnknown,
    Throttled,
    TLSFailed,
    UnexpectedRedirect,
)
from .operation import Effect, Evidence, Operation
from .operations import OPERATIONS
from .options import Options
from .resilience.pace import AdaptiveRate, Rate
from .version import __version__

if TYPE_CHECKING:
    from .blocking import SyncClient
    from .client import Client
    from .sandbox import Sandbox

# Imported at first use: anyio and a web server are not everybody's, and who only receives
# notifications needs no client.
_LAZY = {"Client": "client", "Sandbox": "sandbox", "SyncClient": "blocking"}

__all__ = [
    "OPERATIONS",
    "Account",
    "AdaptiveRate",
    "BadAnswer",
    "BadSignature",
    "BulkStopped",
    "CheckoutConflict",
    "CheckoutRefused",
    "Client",
    "ClientClosed",
    "ConfigurationError",
    "ConnectFailed",
    "Contradiction",
    "DeadlineExceeded",
    "DuplicateKeys",
    "Effect",
    "Endpoints",
    "Evidence",
    "InboxUnavailable",
    "InvalidInput",
    "JournalError",
    "JournalRefused",
    "LinksfieldError",
    "MalformedNotification",
    "MismatchedAnswer",
    "NotSent",
    "NotificationError",
    "NotificationMismatch",
    "NotificationTooLarge",
    "Operation",
    "Options",
    "OrderNotVisible",
    "OutcomeUnknown",
    "Rate",
    "RateLimited",
    "Refused",
    "ResponseTooLarge",
    "Sandbox",
    "StaleNotification",
    "StillUnknown",
    "SyncClient",
    "TLSFailed",
    "Throttled",
    "UnexpectedRedirect",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
