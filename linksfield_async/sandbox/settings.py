"""The settings of a sandbox, checked when it is made."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import attrs

from ..account import is_loopback
from ..errors import ConfigurationError
from .cards import MAX_CARDS

A_YEAR = 365 * 86_400

Check = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def _whole(least: int, most: int) -> Check:
    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ConfigurationError(
                f"{attribute.name} must be a whole number from {least} to {most}, not {value!r}"
            )

    return check


def seconds(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """Check a time in seconds."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 0 <= value <= A_YEAR:
        raise ConfigurationError(
            f"{attribute.name} must be seconds, from 0 to a year, not {value!r}"
        )


def flag(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """Check that something is True or False."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{attribute.name} must be True or False, not {value!r}")


def _text(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ConfigurationError(f"{attribute.name} must be printable text and not empty")


def _failure_status(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(f"{attribute.name} must be a whole number, not {value!r}")
    if value != 200 and not 400 <= value <= 499:
        raise ConfigurationError(f"{attribute.name} must be 200 or from 400 to 499, not {value}")


@attrs.frozen(kw_only=True)
class Settings:
    """All settings of a sandbox; `Sandbox` says what each one does."""

    cards: int = attrs.field(validator=_whole(1, MAX_CARDS))
    seed: int = attrs.field(validator=_whole(-(2**63), 2**63 - 1))
    partner_code: str = attrs.field(validator=_text)
    host: str = attrs.field(validator=_text)
    port: int = attrs.field(validator=_whole(0, 65_535))
    job_delay: float = attrs.field(validator=seconds)
    failure_status: int = attrs.field(validator=_failure_status)
    latency: float = attrs.field(validator=seconds)
    keep_requests: int = attrs.field(validator=_whole(0, 10_000_000))
    dedupe_orders: bool = attrs.field(validator=flag)
    allow_any_host: bool = attrs.field(validator=flag)

    def __attrs_post_init__(self) -> None:
        if not self.allow_any_host and not is_loopback(self.host):
            raise ConfigurationError(
                f"host {self.host!r} is open to other machines; allow_any_host=True permits it"
            )
