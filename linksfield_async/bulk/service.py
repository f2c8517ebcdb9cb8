"""What a run is about, and what it needs to send anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from ..account import Account
from ..pipeline import BeforeSending, Sender


@attrs.frozen(kw_only=True)
class Service:
    """Who sends, for whom, over how many connections at most, and how fast at present."""

    sender: Callable[[BeforeSending], Sender]
    """Makes what sends; what it is given is called right before each request leaves."""
    account: Account
    connections: int
    deadline: float
    """Seconds that one call may take once it is its turn."""
    rate: Callable[[], float | None]


@attrs.frozen
class About:
    """What a run is, in its journal."""

    kind: str
    operation: str
    options: dict[str, Any]
    """What else decides what is sent."""
