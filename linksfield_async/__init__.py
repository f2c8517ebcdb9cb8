"""Asyncio SDK for the Linksfield Topup/Mall APIs: verify cards, sell plans, manage SIM groups.

PYTEST_DONT_REWRITE: else pytest warns, because of the plugin, where this is imported before it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .account import Account, Endpoints
from .client import Client
from .errors import (
    BadAnswer,
    BulkStopped,
    ClientClosed,
    ConfigurationError,
    ConnectFailed,
    DeadlineExceeded,
    InvalidInput,
    JournalError,
    JournalRefused,
    LinksfieldError,
    MismatchedAnswer,
    NotificationError,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Refused,
    ResponseTooLarge,
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
    from .sandbox import Sandbox

# Imported at first use: anyio and a web server are not everybody's.
_LAZY = {"Sandbox": "sandbox", "SyncClient": "blocking"}

__all__ = [
    "OPERATIONS",
    "Account",
    "AdaptiveRate",
    "BadAnswer",
    "BulkStopped",
    "Client",
    "ClientClosed",
    "ConfigurationError",
    "ConnectFailed",
    "DeadlineExceeded",
    "Effect",
    "Endpoints",
    "Evidence",
    "InvalidInput",
    "JournalError",
    "JournalRefused",
    "LinksfieldError",
    "MismatchedAnswer",
    "NotSent",
    "NotificationError",
    "Operation",
    "Options",
    "OutcomeUnknown",
    "Rate",
    "RateLimited",
    "Refused",
    "ResponseTooLarge",
    "Sandbox",
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
