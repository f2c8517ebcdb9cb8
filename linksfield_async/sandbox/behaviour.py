"""How the group service behaves: limits, failures and the many ways in which a result is told.

All of it is invented: nothing is documented but the paths. By default it behaves well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias, get_args

import attrs

from ..errors import ConfigurationError
from .settings import flag, seconds

TooMany: TypeAlias = Literal["refused", "413", "413 page"]
"""How too many cards are refused: as any refusal, as HTTP 413, or as 413 with an HTML page."""
UnknownId: TypeAlias = Literal["404", "refused"]
"""How a request id is answered that is not known yet, or no longer."""
IdShape: TypeAlias = Literal["normal", "missing", "empty", "number", "repeated"]
"""What an accepted change is told as its request id; `repeated` is the id of the job before."""

Check = Callable[[Any, "attrs.Attribute[Any]", Any], None]

_FAILED = "the network refused the change"


def _one_of(choices: tuple[Any, ...]) -> Check:
    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value not in choices:
            raise ConfigurationError(
                f"{attribute.name} must be one of {', '.join(choices)}, not {value!r}"
            )

    return check


def share(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """Check a share of one."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or math.isnan(value) or not 0 <= value <= 1:
        raise ConfigurationError(f"{attribute.name} must be a share from 0 to 1, not {value!r}")


def _count(least: int) -> Check:
    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ConfigurationError(
                f"{attribute.name} must be a whole number from {least} on, not {value!r}"
            )

    return check


def _reasons(cards: Mapping[str, str] | Iterable[str]) -> Mapping[str, str]:
    if isinstance(cards, str):
        raise ConfigurationError("failing must be a list of ICCIDs or say a reason for each")
    reasons = dict(cards) if isinstance(cards, Mapping) else dict.fromkeys(cards, _FAILED)
    if not _are_texts((*reasons, *reasons.values())):
        raise ConfigurationError("failing must hold ICCIDs and reasons as texts")
    return reasons


def _texts(cards: Iterable[str]) -> tuple[str, ...]:
    if isinstance(cards, str):
        raise ConfigurationError("missing and extra must be lists of ICCIDs, not one text")
    texts = tuple(cards)
    if not _are_texts(texts):
        raise ConfigurationError("missing and extra must hold ICCIDs as texts")
    return texts


def _are_texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def _words(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, Mapping) or not _are_texts((*value, *value.values())):
        raise ConfigurationError(
            f"{attribute.name} must say a word for each word it replaces, as texts, not {value!r}"
        )


@attrs.define(kw_only=True)
class GroupBehaviour:
    """How changes of groups are accepted, carried out and told, from the next one on.

    `max_cards` and `too_many` hold for each request. All else is settled when a change is
    accepted: what is set later does not touch the jobs under way, see `Sandbox.finish_job`. Times
    are seconds on the sandbox's clock; shares are drawn by the seed.
    """

    max_cards: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(_count(0))
    )
    too_many: TooMany = attrs.field(default="refused", validator=_one_of(get_args(TooMany)))
    request_id: IdShape = attrs.field(default="normal", validator=_one_of(get_args(IdShape)))
    delay: float | None = attrs.field(default=None, validator=attrs.validators.optional(seconds))
    """Seconds until the job is done; None takes the sandbox's `job_delay`."""
    delay_spread: float = attrs.field(default=0.0, validator=seconds)
    """Up to so many seconds more, drawn for each job."""
    never_ends: bool = attrs.field(default=False, validator=flag)
    """Nothing is carried out, and it says `processing` for ever."""
    never_tells: bool = attrs.field(default=False, validator=flag)
    """It is carried out in time, but says `processing` for ever."""
    failing: Mapping[str, str] = attrs.field(factory=dict, converter=_reasons, repr=False)
    """ICCIDs that are refused when it is carried out, with the reason told."""
    failure_share: float = attrs.field(default=0.0, validator=share)
    missing: tuple[str, ...] = attrs.field(default=(), converter=_texts, repr=False)
    """ICCIDs of which the result says nothing."""
    missing_share: float = attrs.field(default=0.0, validator=share)
    missing_carried_out: bool = attrs.field(default=True, validator=flag)
    """Whether cards that the result leaves out are changed nevertheless."""
    extra: tuple[str, ...] = attrs.field(default=(), converter=_texts, repr=False)
    """ICCIDs that stand in the result although nobody asked for them."""
    words: Mapping[str, str] = attrs.field(factory=dict, validator=_words)
    """Other words for the states of a job: pending, processing, success, partial, failed."""
    card_words: Mapping[str, str] = attrs.field(factory=dict, validator=_words)
    """Other words for what became of a card: success, failed."""
    result_delay: float = attrs.field(default=0.0, validator=seconds)
    """Seconds after the acceptance during which the request id is unknown."""
    vanishes_after: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(_count(0))
    )
    """So many polls are answered; then the request id is unknown."""
    unknown_as: UnknownId = attrs.field(default="404", validator=_one_of(get_args(UnknownId)))
    relapses: int = attrs.field(default=0, validator=_count(0))
    """Once it was told as done, so many polls are told `processing` again."""
    _next: list[GroupBehaviour] = attrs.field(factory=list, init=False, repr=False, eq=False)

    def next(self, **changes: Any) -> None:
        """Settle how the next accepted change differs from the rest; several queue up."""
        try:
            self._next.append(attrs.evolve(self, **changes))
        except TypeError as error:
            known = ", ".join(names())
            raise ConfigurationError(f"{error}; a group's behaviour has {known}") from error

    def taken(self) -> GroupBehaviour:
        """Take the behaviour of the change that is being accepted."""
        return self._next.pop(0) if self._next else attrs.evolve(self)

    def clear(self) -> None:
        """Behave well again."""
        usual = GroupBehaviour()
        for name in names():
            setattr(self, name, getattr(usual, name))
        self._next.clear()


def names() -> tuple[str, ...]:
    """List what can be set."""
    return tuple(field.name for field in attrs.fields(GroupBehaviour) if field.init)
