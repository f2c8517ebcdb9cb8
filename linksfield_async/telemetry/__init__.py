"""Watching calls: logs always, OpenTelemetry or observers of your own where asked for.

Client(account, observers=[OpenTelemetry(), Logging(bodies=True)])
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .log import Logging
from .observer import AttemptEnd, CallEnd, CallOutcome, CallWatch, Observer, Wait
from .watching import Observers, Watching

if TYPE_CHECKING:
    from .otel import OpenTelemetry

__all__ = [
    "AttemptEnd",
    "CallEnd",
    "CallOutcome",
    "CallWatch",
    "Logging",
    "Observer",
    "Observers",
    "OpenTelemetry",
    "Wait",
    "Watching",
    "observers_with_log",
]


def observers_with_log(observers: Iterable[Observer] = ()) -> Observers:
    """Combine observers, and the log where none of them is one."""
    given = tuple(observers)
    logged = any(isinstance(observer, Logging) for observer in given)
    return Observers(*given) if logged else Observers(Logging(), *given)


def __getattr__(name: str) -> Any:
    if name == "OpenTelemetry":  # imported at first use: it needs an extra
        return importlib.import_module(".otel", __name__).OpenTelemetry
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
