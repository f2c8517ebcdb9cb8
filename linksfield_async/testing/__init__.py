"""Tools to test what talks to Linksfield: a proxy that breaks connections, a server of raw bytes."""

from __future__ import annotations

from ..resilience.attempts import retries_off
from .loopback import LoopbackServer, abort
from .proxy import (
    DROP_ANSWER,
    HANG,
    HEALTHY,
    RESET_ON_ACCEPT,
    Ending,
    Fault,
    FaultProxy,
    OnAccept,
    by_chance,
)
from .raw import (
    Close,
    Drip,
    HalfClose,
    Hang,
    Pause,
    RawServer,
    Received,
    Repeat,
    Reset,
    Send,
    Step,
    http_answer,
)

__all__ = [
    "DROP_ANSWER",
    "HANG",
    "HEALTHY",
    "RESET_ON_ACCEPT",
    "Close",
    "Drip",
    "Ending",
    "Fault",
    "FaultProxy",
    "HalfClose",
    "Hang",
    "LoopbackServer",
    "OnAccept",
    "Pause",
    "RawServer",
    "Received",
    "Repeat",
    "Reset",
    "Send",
    "Step",
    "abort",
    "by_chance",
    "http_answer",
    "retries_off",
]
