"""One operation in, one exchange or error out: build, send, decode, and the facts of it all."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import attrs

from . import protocol
from .account import Account
from .errors import ConfigurationError, LinksfieldError
from .masking import mask_repr
from .operation import Operation
from .options import Options
from .protocol import Request
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


@attrs.frozen(kw_only=True)
class Clock:
    """Where time comes from; tests put in their own."""

    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    """Wall clock, epoch milliseconds: what is signed."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds that never jump: what deadlines and durations are measured with."""


class Pipeline:
    """Sends operations of one account over one transport."""

    def __init__(
        self,
        account: Account,
        transport: Transport,
        options: Options | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.account = account
        self.options = options or Options()
        self._transport = transport
        self._clock = clock or Clock()

    def with_options(self, options: Options) -> Pipeline:
        """Give a pipeline with other options over the same account, transport and clock."""
        return Pipeline(self.account, self._transport, options, self._clock)

    async def send(self, operation: Operation[T], /) -> T:
        """Carry out one operation and give its result; raises a LinksfieldError."""
        return (await self.exchange(operation)).result

    async def exchange(self, operation: Operation[T], /) -> Exchange[T]:
        """Carry out one operation and give its result with all that is known about it."""
        started = self._clock.monotonic()
        try:
            # One attempt; whatever repeats it stands here, above signing and below the caller.
            return await self._attempt(operation, started)
        except LinksfieldError as error:
            error.operation = operation
            error.elapsed = self._clock.monotonic() - started
            raise

    async def _attempt(self, operation: Operation[T], started: float) -> Exchange[T]:
        # Built anew for each attempt: the time stamp is part of what is signed.
        request = protocol.build(operation, self.account, self._clock.now_ms())
        try:
            response = await self._transport.send(request, self._limits(started))
            result, raw = protocol.decode(operation, self.account, response)
        except ConfigurationError:
            raise  # nothing left this machine: no attempt
        except LinksfieldError as error:
            error.attempts += 1
            raise
        return Exchange(
            result=result,
            raw=raw,
            status=response.status,
            attempts=1,
            elapsed=self._clock.monotonic() - started,
            request=request,
        )

    def _limits(self, started: float) -> Limits:
        options = self.options
        left = options.deadline - (self._clock.monotonic() - started)
        return Limits(left, options.connect_timeout, options.read_timeout, options.max_answer_bytes)
