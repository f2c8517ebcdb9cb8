"""What a caller can set on a client; nothing here does anything."""

from __future__ import annotations

import math
import os
from typing import Any, Literal

import attrs

from .errors import ConfigurationError
from .resilience.pace import AdaptiveRate, Rate

_TRANSPORTS = ("auto", "session", "direct")


def _positive(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value <= 0:
        raise ConfigurationError(f"Options.{attribute.name} must be a number above 0")


def _count(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"Options.{attribute.name} must be a whole number above 0")


def _file(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and not os.path.isfile(value):
        raise ConfigurationError(f"Options.{attribute.name}: {value!r} is not a file")


def _as_rate(given: Any) -> Any:
    number = isinstance(given, (int, float)) and not isinstance(given, bool)
    return Rate(given) if number else given


def _rate(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and not isinstance(value, (Rate, AdaptiveRate)):
        raise ConfigurationError("Options.rate must be a number, a Rate or an AdaptiveRate")


def _transport(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value not in _TRANSPORTS:
        raise ConfigurationError(
            f"Options.{attribute.name} must be one of {', '.join(_TRANSPORTS)}; "
            "a transport of your own is given to the Client"
        )


def _optional_wait(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and value != 0:
        _positive(_, attribute, value)


@attrs.frozen(kw_only=True)
class Options:
    """Settings of a client; times in seconds, sizes in bytes."""

    deadline: float = attrs.field(default=30.0, validator=_positive)
    """For a whole call: waiting for a connection, all attempts, and the pauses between them."""
    attempts: int = attrs.field(default=3, validator=_count)
    """At most, for one call; what may be repeated is said in `resilience.attempts`."""
    connect_timeout: float = attrs.field(default=5.0, validator=_positive)
    """For making one connection, TLS included."""
    read_timeout: float = attrs.field(default=20.0, validator=_positive)
    """For the next bytes of an answer to arrive."""
    rate: Rate | AdaptiveRate | None = attrs.field(
        default=None, converter=_as_rate, validator=_rate
    )
    """How fast calls may leave, together with all views; a number is calls per second."""
    rate_wait: float | None = attrs.field(default=None, validator=_optional_wait)
    """Longest wait for that; a call that would wait longer is RateLimited at once. 0: never wait;
    None: as long as the deadline allows. Bulk work waits for its turn however long it takes."""
    group_polls: float = attrs.field(default=50.0, validator=_positive)
    """At most, in a second and event loop: questions for the results of changes of groups, of all
    jobs together with those of all views. The rate counts for them as well."""
    connections: int = attrs.field(default=100, validator=_count)
    """Open at once, per event loop."""
    max_answer_bytes: int = attrs.field(default=4 * 1024 * 1024, validator=_count)
    """Of an answer's body once decompressed; more is ResponseTooLarge."""
    ca_file: str | None = attrs.field(default=None, validator=_file)
    """PEM file of further certificate authorities to trust; verification is never off."""
    transport: Literal["auto", "session", "direct"] = attrs.field(
        default="auto", validator=_transport
    )
    """How requests are carried: `direct` writes them itself, which costs far less CPU; `session`
    uses aiohttp's session, through documented names only; `auto` is direct where the installed
    aiohttp bears it, else session."""
