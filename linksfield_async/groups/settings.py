"""What a caller can set on a change of a group; all times in seconds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias, TypedDict

import attrs

from ..errors import ConfigurationError
from .status import JobStatus
from .words import ASSUMED_WORDS, StatusWords

OnStatus: TypeAlias = Callable[[JobStatus], object]


class GroupSettings(TypedDict, total=False):
    """Keyword arguments of the changes of a group.

    chunk_size: cards per request to begin with, 1,000; halved where the service says too many.
    concurrency: requests under way at once while a change is sent, 4.
    first_poll, poll_factor, longest_poll: seconds until the result is asked for, 1; each pause is
        so much longer than the one before, 1.5; and at most so long, 45.
    within: how long a result is asked for in all, 900.
    grace: how long an unknown request id is put up with after the last word of it, 30.
    settle_for: how long the group is read again where it does not show what it should, 60.
    verify: read the group's members back, True.
    words: `StatusWords`, what the words of the service mean.
    progress: called with a `JobStatus` when something has happened, twice a second at most.
    """

    chunk_size: int | None
    concurrency: int
    first_poll: float
    poll_factor: float
    longest_poll: float
    within: float
    grace: float
    settle_for: float
    verify: bool
    words: StatusWords
    progress: OnStatus | None


def _number(least: float, *, above: bool = False) -> Any:
    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        fits = number and math.isfinite(value) and (value > least if above else value >= least)
        if not fits:
            told = f"above {least:g}" if above else f"{least:g} or more"
            raise ConfigurationError(f"{attribute.name} must be a number {told}, not {value!r}")

    return check


def _count(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{attribute.name} must be a whole number above 0, not {value!r}")


def _flag(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{attribute.name} must be True or False, not {value!r}")


def _words(_: Any, __: Any, value: Any) -> None:
    if not isinstance(value, StatusWords):
        raise ConfigurationError(f"words must be StatusWords, not {value!r}")


def _callback(_: Any, __: Any, value: Any) -> None:
    if value is not None and not callable(value):
        raise ConfigurationError(f"progress must be a function, not {value!r}")


@attrs.frozen(kw_only=True)
class Settings:
    """The same, checked; what is not given has its default."""

    chunk_size: int | None = attrs.field(default=None, validator=attrs.validators.optional(_count))
    concurrency: int = attrs.field(default=4, validator=_count)
    first_poll: float = attrs.field(default=1.0, validator=_number(0, above=True))
    poll_factor: float = attrs.field(default=1.5, validator=_number(1))
    longest_poll: float = attrs.field(default=45.0, validator=_number(0, above=True))
    within: float = attrs.field(default=900.0, validator=_number(0, above=True))
    grace: float = attrs.field(default=30.0, validator=_number(0))
    settle_for: float = attrs.field(default=60.0, validator=_number(0))
    verify: bool = attrs.field(default=True, validator=_flag)
    words: StatusWords = attrs.field(default=ASSUMED_WORDS, validator=_words)
    progress: OnStatus | None = attrs.field(default=None, validator=_callback)

    @classmethod
    def of(cls, given: GroupSettings) -> Settings:
        """Check keyword arguments; ConfigurationError for what is none or is wrong."""
        if not given:
            return DEFAULTS
        known = [field.name for field in attrs.fields(cls)]
        for name in given:
            if name not in known:
                raise ConfigurationError(f"there is no setting {name!r}; there are {known}")
        return cls(**given)


DEFAULTS = Settings()
"""One for all jobs that set nothing."""
