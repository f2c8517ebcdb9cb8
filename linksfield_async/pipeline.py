"""One operation in, one exchange or error out: build, send, decode, and the facts of it all."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import attrs

from .account import Account
from .errors import (
    ConfigurationError,
    DeadlineExceeded,
    LinksfieldError,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Throttled,
)
from .masking import mask_repr
from .operation import Operation, Service
from .options import Options
from .protocol import Dialect, Request, Response
from .resilience.attempts import Attempts
from .resilience.breaker import Breaker
from .resilience.budget import RetryBudget
from .resilience.clock import Clock, clock_for_new
from .resilience.deadline import Deadline
from .resilience.pauses import as_asked, retry_after
from .resilience.rate import Lane, Limiter
from .telemetry.observer import Wait
from .telemetry.watching import Observers, Watching
from .transport.base import Limits, Transport

T = TypeVar("T")


BeforeSending: TypeAlias = Callable[[Request], Awaitable[None] | None]
"""Called with a request right before it leaves, and what it gives is awaited; what it raises keeps
the request from leaving."""


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
    body: bytes = attrs.field(default=b"", repr=_masked)
    """The answer as it came, decompressed."""


class Sender(Protocol):
    """What the rooms above need: something that sends an operation."""

    async def send(self, operation: Operation[T], /) -> T:
        """Carry out one operation and give its result."""
        ...

    async def exchange(self, operation: Operation[T], /) -> Exchange[T]:
        """Carry out one operation and give its result with all that is known about it."""
        ...


@attrs.define(kw_only=True)
class Shared:
    """What all views of a client share."""

    account: Account
    transport: Transport
    clock: Clock = attrs.field(factory=clock_for_new)
    budget: RetryBudget = attrs.field(factory=RetryBudget)
    limiter: Limiter | None = None
    breakers: Mapping[Service, Breaker] = attrs.field(
        factory=lambda: {service: Breaker(service.value) for service in Service}
    )
    observers: Observers | None = None
    bulk_held_until: float = -math.inf
    """Moment on the clock before which no bulk work leaves, because a server asked for it."""
    dialect: Dialect = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.dialect = Dialect(self.account)


class Pipeline:
    """Sends operations of one account over one transport, and repeats what may be repeated."""

    def __init__(
        self,
        shared: Shared,
        options: Options | None = None,
        lane: Lane = Lane.INTERACTIVE,
        before_sending: BeforeSending | None = None,
    ) -> None:
        self.shared = shared
        self._before_sending = before_sending
        self.options = options or Options()
        self._lane = lane
        self._clock = shared.clock
        self._attempts = Attempts(self.options.attempts, shared.budget, shared.clock)
        self._is_bulk = lane is Lane.BULK
        self._whole = self._limits(self.options.deadline)
        """Of a first attempt that had to wait for nothing."""
        self._breakers: dict[type[Operation[Any]], Breaker] = {}

    def with_options(self, options: Options) -> Pipeline:
        """Give a pipeline with other options that shares all else."""
        return Pipeline(self.shared, options, self._lane, self._before_sending)

    def in_bulk(self, before_sending: BeforeSending | None = None) -> Pipeline:
        """Give a pipeline whose calls let interactive ones overtake, and heed the breakers.

        `before_sending` is called for each attempt, right before the transport has it.
        """
        return Pipeline(self.shared, self.options, Lane.BULK, before_sending)

    async def send(self, operation: Operation[T], /) -> T:
        """Carry out one operation and give its result; raises a LinksfieldError."""
        return (await self.exchange(operation)).result

    async def exchange(self, operation: Operation[T], /) -> Exchange[T]:
        """Carry out one operation and give its result with all that is known about it."""
        clock = self._clock.monotonic
        started, shared = clock(), self.shared
        watched = shared.observers
        call = None if watched is None else watched.watch(operation, clock)
        failed: LinksfieldError | None = None
        put_off = 0.0
        if call is None and shared.limiter is None:
            breaker: Breaker | None = None
            era: int | None = 0
            if self._is_bulk:
                breaker = self._breakers.get(type(operation)) or self._breaker_of(operation)
                era = None if started < shared.bulk_held_until else breaker.pass_at_once()
            if era is not None:
                # Nearly every call: followed by nobody, waits for nothing, and is over with its
                # first attempt. All of that is here: each layer would be one more coroutine.
                now_ms = self._clock.now_ms()
                try:
                    request = shared.dialect.build(operation, now_ms)
                    if self._before_sending is not None:
                        waiting = self._before_sending(request)
                        if waiting is not None:
                            began = clock()
                            await waiting
                            put_off = clock() - began  # a slow disk is no slow service
                    response = await shared.transport.send(request, self._whole)
                    exchange = self._read(operation, request, response, now_ms, 1, started=started)
                except LinksfieldError as error:
                    failed = error
                    if breaker is not None:
                        self._learn(error, breaker, era)
                else:
                    if breaker is not None:
                        breaker.answered(era)
                    shared.budget.succeeded(0)
                    return exchange
        deadline = self._deadline(started)
        deadline.wait_for(put_off)
        followed = self._with_repeats(operation, deadline, call, failed)
        failed = None  # its trace holds this frame
        return await followed

    def _breaker_of(self, operation: Operation[Any]) -> Breaker:
        breaker = self.shared.breakers[operation.service]
        self._breakers[type(operation)] = breaker
        return breaker

    async def _with_repeats(
        self,
        operation: Operation[T],
        deadline: Deadline,
        call: Watching | None,
        failed: LinksfieldError | None,
    ) -> Exchange[T]:
        """Carry out one operation, of which the first attempt may have failed before."""

        async def attempt(number: int) -> Exchange[T]:
            return await self._one_attempt(operation, deadline, number, call)

        attempts = attempt if call is None else call.attempts(attempt)
        running = self._attempts.run(attempts, operation.effect, deadline, failed)
        failed = None  # its trace holds frames that wait for this one
        try:
            exchange = await running
        except BaseException as error:
            if isinstance(error, LinksfieldError):
                error.operation = operation
                error.elapsed = deadline.elapsed
            if call is not None:
                call.ended(error)
            raise
        if call is not None:
            call.ended(raw=exchange.raw)
        return exchange

    def _one_attempt(
        self, operation: Operation[T], deadline: Deadline, number: int, call: Watching | None
    ) -> Coroutine[Any, Any, Exchange[T]]:
        """Choose the shortest way that heeds all that is there to be heeded."""
        if self._lane is Lane.BULK:
            return self._in_bulk(operation, deadline, number, call)
        if self.shared.limiter is not None:
            return self._at_its_rate(operation, deadline, number, call)
        return self._attempt(operation, deadline, number, call)

    async def _in_bulk(
        self, operation: Operation[T], deadline: Deadline, number: int, call: Watching | None
    ) -> Exchange[T]:
        """Make an attempt once the breaker lets it pass, and tell it how that ended."""
        breaker = self.shared.breakers[operation.service]
        permit = breaker.permit_at_once()
        if permit is None:
            began = self._clock.monotonic()
            passing = breaker.permit()
            permit = await (passing if call is None else call.waiting(Wait.BREAKER, passing))
            deadline.wait_for(self._clock.monotonic() - began)
        held = (
            self.shared.limiter is not None or self._clock.monotonic() < self.shared.bulk_held_until
        )
        attempt = self._at_its_rate if held else self._attempt
        with permit:
            try:
                exchange = await attempt(operation, deadline, number, call)
            except LinksfieldError as error:
                if _speaks_of_service(error):
                    (permit.failed if _service_failed(error) else permit.succeeded)()
                if isinstance(error, Throttled):
                    self._hold_bulk_back(error)
                raise
            permit.succeeded()
            return exchange

    def _learn(self, error: LinksfieldError, breaker: Breaker, era: int) -> None:
        """Tell the breaker of a call that passed at once and failed."""
        if _speaks_of_service(error):
            (breaker.failed if _service_failed(error) else breaker.answered)(era)
        if isinstance(error, Throttled):
            self._hold_bulk_back(error)

    def _hold_bulk_back(self, error: Throttled) -> None:
        """Let all bulk work wait as asked, and not this item alone until its deadline."""
        if error.retry_after is not None:
            pause = as_asked(error.retry_after, self._clock.random)
            until = self._clock.monotonic() + pause
            self.shared.bulk_held_until = max(until, self.shared.bulk_held_until)
            error.retry_after = None

    async def _turn(self, deadline: Deadline) -> None:
        """Wait for this call's turn; in bulk before its own time begins, and however long."""
        limiter = self.shared.limiter
        if self._lane is Lane.BULK:
            began = self._clock.monotonic()
            if began < self.shared.bulk_held_until:
                await self._clock.sleep(self.shared.bulk_held_until - began)
            if limiter is not None:
                await limiter.acquire(self._lane)
            deadline.wait_for(self._clock.monotonic() - began)
        elif limiter is not None:
            longest = self.options.rate_wait
            within = deadline.left if longest is None else min(longest, deadline.left)
            await limiter.acquire(self._lane, within=within)

    async def _at_its_rate(
        self, operation: Operation[T], deadline: Deadline, number: int, call: Watching | None
    ) -> Exchange[T]:
        """Make an attempt once the limiter lets it pass, and tell it how that ended."""
        limiter = self.shared.limiter
        turn = self._turn(deadline)
        await (turn if call is None else call.waiting(Wait.RATE, turn))
        if limiter is None:
            return await self._attempt(operation, deadline, number, call)
        sent_at = self._clock.monotonic()
        try:
            exchange = await self._attempt(operation, deadline, number, call)
        except LinksfieldError as error:
            if not isinstance(error, (ConfigurationError, DeadlineExceeded)):
                limiter.note(
                    elapsed=self._clock.monotonic() - sent_at,
                    throttled=isinstance(error, Throttled),
                    failed=_service_failed(error),
                    retry_after=error.retry_after,
                )
            raise
        limiter.note(elapsed=self._clock.monotonic() - sent_at)
        return exchange

    async def _attempt(
        self, operation: Operation[T], deadline: Deadline, number: int, call: Watching | None
    ) -> Exchange[T]:
        # Built anew for each attempt: the time stamp is part of what is signed.
        now_ms = self._clock.now_ms()
        dialect = self.shared.dialect
        request = dialect.build(operation, now_ms)
        transport = self.shared.transport
        if call is not None:
            transport = call.through(transport)
        if self._before_sending is not None:
            waiting = self._before_sending(request)
            if waiting is not None:
                began = self._clock.monotonic()
                await waiting
                # A slow disk is no slow service.
                deadline.wait_for(self._clock.monotonic() - began)
        response = await transport.send(request, self._limits(deadline.left))
        return self._read(operation, request, response, now_ms, number, started=deadline.started)

    def _read(
        self,
        operation: Operation[T],
        request: Request,
        response: Response,
        now_ms: int,
        number: int,
        *,
        started: float,
    ) -> Exchange[T]:
        """Make of an answer what the call ends with."""
        try:
            result, raw = self.shared.dialect.decode(operation, response)
        except LinksfieldError as error:
            error.retry_after = retry_after(response.headers.get("Retry-After"), now_ms)
            raise
        return Exchange(
            result=result,
            raw=raw,
            status=response.status,
            attempts=number,
            elapsed=self._clock.monotonic() - started,
            request=request,
            body=response.body,
        )

    def _deadline(self, started: float) -> Deadline:
        return Deadline(started, self.options.deadline, self._clock.monotonic)

    def _limits(self, left: float) -> Limits:
        options = self.options
        return Limits(left, options.connect_timeout, options.read_timeout, options.max_answer_bytes)


def _speaks_of_service(error: LinksfieldError) -> bool:
    return not isinstance(error, (ConfigurationError, RateLimited, DeadlineExceeded))


def _service_failed(error: LinksfieldError) -> bool:
    """Tell a sick service (no connection, no answer, 5xx) from one that answered."""
    if isinstance(error, Refused):
        return False
    if error.status is not None:
        return error.status >= 500
    return isinstance(error, (NotSent, OutcomeUnknown))
