"""One operation in, one exchange or error out: build, send, decode, and the facts of it all."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

import attrs

from . import protocol
from .account import Account
from .errors import LinksfieldError
from .masking import mask_repr
from .operation import Operation
from .options import Options
from .protocol import Request
from .resilience.attempts import Attempts
from .resilience.budget import RetryBudget
from .resilience.clock import Clock
from .resilience.deadline import Deadline
from .resilience.pauses import retry_after
from .transport.base import Limits, Transport

T = TypeVar("T")


def _masked(_: Any) -> str:
    return "…"


@attrs.frozen(kw_only=True)
class Exchange(Generic[T]):
    """A call that ended well: its result and everything known about it."""

    result: T = attrs.field(repr=mask_repr)
    raw: Any = attrs.field(repr=_masked)
    """The whole answer as JSON values; numbers with a fraction are Decimal."""
    status: int
    """HTTP status of the answer."""
    attempts: int
    elapsed: float
    """Seconds from the call to the result."""
    request: Request
    """What was sent last."""


class Sender(Protocol):
    """What the rooms above need: something that sends an operation."""

    async def send(self, operation: Operation[T], /) -> T:
        """Carry out one operation and give its result."""
        ...

    async def exchange(self, operation: Operation[T], /) -> Exchange[T]:
        """Carry out one operation and give its result with all that is known about it."""
        ...


class Pipeline:
    """Sends operations of one account over one transport, and repeats what may be repeated."""

    def __init__(
        self,
        account: Account,
        transport: Transport,
        options: Options | None = None,
        clock: Clock | None = None,
        budget: RetryBudget | None = None,
    ) -> None:
        self.account = account
        self.options = options or Options()
        self._transport = transport
        self._clock = clock or Clock()
        self._budget = budget or RetryBudget()
        self._attempts = Attempts(self.options.attempts, self._budget, self._clock)

    def with_options(self, options: Options) -> Pipeline:
        """Give a pipeline with other options that shares transport, clock and budget."""
        return Pipeline(self.account, self._transport, options, self._clock, self._budget)

    async def send(self, operation: Operation[T], /) -> T:
        """Carry out one operation and give its result; raises a LinksfieldError."""
        return (await self.exchange(operation)).result

    async def exchange(self, operation: Operation[T], /) -> Exchange[T]:
        """Carry out one operation and give its result with all that is known about it."""
        deadline = Deadline.after(self.options.deadline, self._clock.monotonic)

        async def attempt(number: int) -> Exchange[T]:
            return await self._attempt(operation, deadline, number)

        try:
            return await self._attempts.run(attempt, operation.effect, deadline)
        except LinksfieldError as error:
            error.operation = operation
            error.elapsed = deadline.elapsed
            raise

    async def _attempt(
        self, operation: Operation[T], deadline: Deadline, number: int
    ) -> Exchange[T]:
        # Built anew for each attempt: the time stamp is part of what is signed.
        now_ms = self._clock.now_ms()
        request = protocol.build(operation, self.account, now_ms)
        response = await self._transport.send(request, self._limits(deadline))
        try:
            result, raw = protocol.decode(operation, self.account, response)
        except LinksfieldError as error:
            error.retry_after = retry_after(response.headers.get("Retry-After"), now_ms)
            raise
        return Exchange(
            result=result,
            raw=raw,
            status=response.status,
            attempts=number,
            elapsed=deadline.elapsed,
            request=request,
        )

    def _limits(self, deadline: Deadline) -> Limits:
        options = self.options
        return Limits(
            deadline.left,
            options.connect_timeout,
            options.read_timeout,
            options.max_answer_bytes,
        )
