"""What a caller can set on a bulk run."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypedDict

import attrs

from ..errors import ConfigurationError
from .concurrency import AdaptiveConcurrency
from .journal.settings import Journal
from .progress import OnProgress
from .stopping import StopRules

Concurrency: TypeAlias = int | Literal["auto"] | AdaptiveConcurrency

Replay: TypeAlias = Literal["unseen", "all"] | Callable[[int, int | None], bool]
"""Which of the items that a journal has decided are yielded again."""


class BulkSettings(TypedDict, total=False):
    """Keyword arguments of `verify_many` and `send_many`.

    concurrency: calls under way at most, 64; "auto" finds it, up only while that pays.
    order: of the outcomes, "completion" or "input"; the latter waits for the slowest.
    journal: a path or a `Journal`; the same one again goes on where the run broke off.
    replay: after that, "unseen" yields what was decided and not taken yet, "all" everything; or
        a function of position and row that tells whether you want an item again.
    duplicates: "once" sends what stands there twice once, and reports it each time; "each".
    stop: `StopRules`, when the run stops by itself; None for never.
    progress: called with a `Progress` twice a second, and at the end.
    total: how many items the source has, where it cannot tell.
    """

    concurrency: Concurrency
    order: Literal["completion", "input"]
    journal: Journal | str | os.PathLike[str] | None
    replay: Replay
    duplicates: Literal["once", "each"]
    stop: StopRules | None
    progress: OnProgress | None
    total: int | None


Check: TypeAlias = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def _one_of(*words: str) -> Check:
    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value not in words:
            allowed = " or ".join(map(repr, words))
            raise ConfigurationError(f"{attribute.name} must be {allowed}, not {value!r}")

    return check


def _replay(_: Any, __: Any, value: Any) -> None:
    if value not in ("unseen", "all") and not callable(value):
        raise ConfigurationError(f"replay must be 'unseen', 'all' or a function, not {value!r}")


def _total(_: Any, __: Any, value: Any) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise ConfigurationError(f"total must be a whole number, not {value!r}")


def _as_rules(given: StopRules | None) -> StopRules:
    return StopRules.never() if given is None else given


def _as_journal(given: Any) -> Any:
    return given if given is None or isinstance(given, Journal) else Journal(given)


def _rules(_: Any, __: Any, value: Any) -> None:
    if not isinstance(value, StopRules):
        raise ConfigurationError(f"stop must be StopRules or None, not {value!r}")


def _callback(_: Any, __: Any, value: Any) -> None:
    if value is not None and not callable(value):
        raise ConfigurationError(f"progress must be a function, not {value!r}")


@attrs.frozen(kw_only=True)
class Settings:
    """The same, checked; what is not given has its default."""

    concurrency: Concurrency = 64
    order: str = attrs.field(default="completion", validator=_one_of("completion", "input"))
    journal: Journal | None = attrs.field(default=None, converter=_as_journal)
    replay: Any = attrs.field(default="unseen", validator=_replay)
    duplicates: str = attrs.field(default="once", validator=_one_of("once", "each"))
    stop: StopRules = attrs.field(
        factory=StopRules,
        converter=_as_rules,
        validator=_rules,
    )
    progress: OnProgress | None = attrs.field(default=None, validator=_callback)
    total: int | None = attrs.field(default=None, validator=_total)

    @classmethod
    def of(cls, given: BulkSettings) -> Settings:
        """Check keyword arguments; ConfigurationError for what is none or is wrong."""
        known = [field.name for field in attrs.fields(cls)]
        for name in given:
            if name not in known:
                raise ConfigurationError(f"there is no setting {name!r}; there are {known}")
        return cls(**given)
