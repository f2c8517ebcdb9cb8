"""The one loop that repeats a call, and the rule that says when it may.

What may be repeated, by what the error lets conclude and by the operation's effect:

    error                                   READ, REPEATABLE    ONCE
    NotSent                                 yes                 yes: nothing was carried out
    Throttled                               yes                 yes: the server said "later"
    OutcomeUnknown, BadAnswer               yes                 never
    TLSFailed, RateLimited, DeadlineExceeded, UnexpectedRedirect, ResponseTooLarge,
    Refused, ConfigurationError             never               never
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import attrs

from ..errors import (
    BadAnswer,
    ConfigurationError,
    DeadlineExceeded,
    LinksfieldError,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Refused,
    ResponseTooLarge,
    Throttled,
    TLSFailed,
    UnexpectedRedirect,
)
from ..operation import Effect
from . import pauses
from .budget import RetryBudget
from .clock import Clock
from .deadline import Deadline

T = TypeVar("T")

_HOPELESS = (TLSFailed, RateLimited, DeadlineExceeded, UnexpectedRedirect, ResponseTooLarge)
_retries_off: ContextVar[bool] = ContextVar("linksfield_async_retries_off", default=False)


@contextmanager
def retries_off() -> Iterator[None]:
    """Make one attempt per call in this block; for tests, and where something outside repeats."""
    token = _retries_off.set(True)
    try:
        yield
    finally:
        _retries_off.reset(token)


def may_repeat(error: LinksfieldError, effect: Effect) -> bool:
    """Say whether a call that ended like this may be made again without doing anything twice."""
    if isinstance(error, _HOPELESS) or (effect is Effect.ONCE and error.carried_out is None):
        return False
    if isinstance(error, (NotSent, Throttled)):
        return True
    return effect is not Effect.ONCE and isinstance(error, (OutcomeUnknown, BadAnswer))


@attrs.frozen
class Attempts:
    """Repeats calls within a deadline, a number of attempts and a shared budget."""

    most: int
    budget: RetryBudget
    clock: Clock

    async def run(
        self,
        attempt: Callable[[int], Awaitable[T]],
        effect: Effect,
        deadline: Deadline,
        failed: LinksfieldError | None = None,
    ) -> T:
        """Make attempts, numbered from 1, until one ends well or another is not allowed.

        `failed`: what the first attempt ended with, where it was made already.
        """
        taken, number = 0, 1
        doubtful: LinksfieldError | None = None
        while True:
            try:
                if failed is not None:
                    raise failed
                result = await attempt(number)
            except LinksfieldError as error:
                failed = None
                # What never left this machine is no attempt.
                error.attempts = number - isinstance(error, ConfigurationError)
                doubtful = doubtful or (error if error.carried_out is None else None)
                pause = self._pause(error, effect, number, deadline)
                cost = 0 if pause is None else self.budget.take(throttled=_throttled(error))
                if pause is None or not cost:
                    if isinstance(error, Refused) and not isinstance(error, Throttled):
                        self.budget.succeeded(taken)  # answered: what the repeats were for
                    # No name but this block's own: its trace holds this frame.
                    error = _summed_up(error, doubtful, effect)
                    doubtful = None
                    raise error from error.__cause__
                taken += cost
                await self.clock.sleep(pause)
                number += 1
            else:
                self.budget.succeeded(taken)
                return result

    def _pause(
        self, error: LinksfieldError, effect: Effect, number: int, deadline: Deadline
    ) -> float | None:
        """Seconds to wait before the next attempt; None where there is to be none."""
        most = 1 if _retries_off.get() else self.most
        if number >= most or not may_repeat(error, effect):
            return None
        if error.retry_after is None:
            pause = pauses.before_repeat(number, self.clock.random)
        else:
            pause = pauses.as_asked(error.retry_after, self.clock.random)
        return pause if pause < deadline.left else None


def _throttled(error: LinksfieldError) -> bool:
    return isinstance(error, Throttled)


def _summed_up(
    error: LinksfieldError, doubtful: LinksfieldError | None, effect: Effect
) -> LinksfieldError:
    """Let a call that changes something conclude no more than its most doubtful attempt does."""
    if effect is Effect.READ or doubtful is None or error.carried_out is None:
        return error
    return doubtful.with_facts(attempts=error.attempts)
