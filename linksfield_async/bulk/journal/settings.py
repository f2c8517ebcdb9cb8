"""What a caller says about the journal of a run, and about answers that were lost."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias

import attrs

from ...errors import ConfigurationError
from ...operation import Operation
from ...pipeline import Sender
from .hiding import Hiding


@attrs.frozen
class Settlement:
    """What asking the service showed about an operation whose answer was lost."""

    carried_out: bool | None
    """None: still nobody can tell; nothing is sent again."""
    evidence: str
    """What was asked and answered, in one line."""


Settler: TypeAlias = Callable[[Operation[Any], Sender], Awaitable[Settlement]]


def _as_path(given: Any) -> str:
    try:
        return os.fsdecode(given)
    except TypeError as error:
        told = f"Journal.path must be a path, not {type(given).__name__}"
        raise ConfigurationError(told) from error


def _seconds(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value <= 10 * 365 * 86_400:
        raise ConfigurationError(f"Journal.{attribute.name} must be seconds, 0 or more")


def _resolve(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value not in ("ask", "manual") and not callable(value):
        raise ConfigurationError("Journal.resolve must be 'ask', 'manual' or a function")


@attrs.frozen
class Journal:
    """Where a run is journalled, and what happens to what was under way when it broke off."""

    path: str = attrs.field(converter=_as_path)
    key: str | bytes | None = attrs.field(default=None, kw_only=True, repr=False)
    """Hides ICCIDs: keyed hashes are stored instead; the same key is needed to go on."""
    quarantine: float = attrs.field(default=900.0, kw_only=True, validator=_seconds)
    """Seconds after a send whose answer was lost, before the service is asked about it: longer
    than the service may work on a request. How long that is nobody has published."""
    resolve: Literal["ask", "manual"] | Settler = attrs.field(
        default="ask", kw_only=True, validator=_resolve
    )
    """How a lost answer is settled where a repeat could do harm: `ask` the service, leave it
    to you (`manual`), or a function of yours."""

    def __attrs_post_init__(self) -> None:
        Hiding(self.key)
        if not self.path:
            raise ConfigurationError("Journal.path is empty")
