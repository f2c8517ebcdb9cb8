"""What can be watched of a call, and what whoever watches must be.

An observer is asked once per call and may decline; where all do, the pipeline does nothing more.
Its methods run in the caller's own task, so context variables are the caller's; they must be quick
and never block. What they raise is logged once and never reaches the call.
"""

from __future__ import annotations

import asyncio
import enum
from typing import Any, Literal, Protocol, TypeAlias

import attrs

from ..errors import ConfigurationError, LinksfieldError, Refused, Throttled
from ..operation import Operation
from ..protocol import Request, Response


class Wait(enum.Enum):
    """What a call waits for before it is sent."""

    RATE = "rate"
    PAUSE = "pause"
    BREAKER = "breaker"


CallOutcome: TypeAlias = Literal[
    "ok", "refused", "throttled", "not_sent", "invalid", "unknown", "cancelled", "broken"
]
"""unknown: it may have been carried out · invalid: wrong use or settings · cancelled: by the
caller · broken: something raised that is no LinksfieldError."""


def outcome_of(error: BaseException | None) -> CallOutcome:
    """Sort a call or an attempt by what it ended with."""
    if error is None:
        return "ok"
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        return "cancelled"
    if not isinstance(error, LinksfieldError):
        return "broken"
    if isinstance(error, ConfigurationError):
        return "invalid"
    if error.carried_out is None:
        return "unknown"
    if isinstance(error, Refused):
        return "throttled" if isinstance(error, Throttled) else "refused"
    return "not_sent"


def describe(error: BaseException) -> str:
    """Give an error's class, and its text where that is known to be masked."""
    name = type(error).__name__
    text = str(error) if isinstance(error, LinksfieldError) else ""
    return f"{name}: {text}" if text else name


def _kind(error: BaseException | None) -> str:
    return "None" if error is None else type(error).__name__


@attrs.frozen(kw_only=True)
class AttemptEnd:
    """One attempt, once it is over."""

    number: int
    """Counted from 1."""
    seconds: float
    """From handing it to the transport to its result or error."""
    request: Request
    response: Response | None
    """None where no answer was read to its end."""
    error: BaseException | None = attrs.field(repr=_kind)

    @property
    def status(self) -> int | None:
        """HTTP status, where one is known."""
        if self.response is not None:
            return self.response.status
        return self.error.status if isinstance(self.error, LinksfieldError) else None

    @property
    def outcome(self) -> CallOutcome:
        """What the attempt ended with."""
        return outcome_of(self.error)


@attrs.frozen(kw_only=True)
class CallEnd:
    """One call, once it is over."""

    attempts: int
    seconds: float
    status: int | None
    """HTTP status of the last answer."""
    code: str | None
    """`operateCode` or status code of the last answer, one masked line."""
    error: BaseException | None = attrs.field(repr=_kind)
    carried_out: bool | None
    """None: nobody on this side can tell, as after a cancellation in the middle of an attempt."""

    @property
    def outcome(self) -> CallOutcome:
        """What the call ended with."""
        return outcome_of(self.error)


class CallWatch(Protocol):
    """Follows one call; `ended` comes last and exactly once, also after a cancellation."""

    def waited(self, why: Wait, seconds: float) -> None:
        """A wait is over, whether in full or broken off; short ones are not told."""

    def attempt_started(self, number: int) -> None:
        """A request is about to be handed to the transport; context set here holds during it."""

    def attempt_ended(self, attempt: AttemptEnd) -> None:
        """The attempt that was started is over."""

    def ended(self, call: CallEnd) -> None:
        """The call is over."""


class Observer(Protocol):
    """Watches calls; used from all threads and loops that its client is used from."""

    def call(self, operation: Operation[Any], /) -> CallWatch | None:
        """Follow a call that begins now, or decline with None."""
