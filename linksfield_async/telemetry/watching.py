"""How the pipeline tells of a call: measured once, told to each who follows it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import attrs

from ..errors import ConfigurationError, LinksfieldError
from ..masking import one_line
from ..operation import Operation
from ..protocol import Request, Response
from ..transport.base import Limits, Transport
from .observer import AttemptEnd, CallEnd, CallWatch, Observer, Wait

T = TypeVar("T")

_log = logging.getLogger("linksfield_async")

_NOTICEABLE = 0.001  # seconds; a shorter wait is a turn of the event loop


class Observers:
    """Several observers as one; what the pipeline holds."""

    def __init__(self, *observers: Observer) -> None:
        for observer in observers:
            if not callable(getattr(observer, "call", None)):
                raise ConfigurationError(f"{type(observer).__name__} is no Observer")
        self._observers = observers
        self._failed: set[int] = set()

    def watch(self, operation: Operation[Any], clock: Callable[[], float]) -> Watching | None:
        """Ask all; None where nobody wants to follow this call."""
        watches: list[tuple[Observer, CallWatch]] | None = None
        for observer in self._observers:
            try:
                watch = observer.call(operation)
            except Exception as fault:  # an observer's fault is not the call's
                self.failed(observer, fault)
            else:
                if watch is not None:
                    watches = [*(watches or ()), (observer, watch)]
        return Watching(self, watches, clock) if watches else None

    def failed(self, observer: Observer, fault: Exception) -> None:
        """Log an observer's fault, the first of each only."""
        if id(observer) in self._failed:
            return
        self._failed.add(id(observer))
        trace = fault.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        # A log handler may fail too, and so may the text of a stranger's error. That text alone,
        # masked, stands for exc_info: nobody knows what else it would show.
        with suppress(Exception):
            _log.error(
                "%s failed and the call went on (%s, %s); said once",
                type(observer).__name__,
                one_line(f"{type(fault).__name__}: {fault}"),
                where,
            )


class Watching:
    """One call, told by the pipeline: measures, and tells each watch in turn."""

    __slots__ = (
        "_attempts", "_began", "_clock", "_doubtful", "_number", "_observers", "_paused",
        "_request", "_response", "_sent_at", "_status", "_watches",
    )  # fmt: skip

    def __init__(
        self,
        observers: Observers,
        watches: list[tuple[Observer, CallWatch]],
        clock: Callable[[], float],
    ) -> None:
        self._observers, self._watches, self._clock = observers, watches, clock
        self._began = clock()
        self._number = self._attempts = 0
        self._doubtful = False
        self._status: int | None = None
        self._request: Request | None = None  # set while an attempt is under way
        self._response: Response | None = None
        self._sent_at = 0.0
        self._paused: float | None = None  # since when

    def attempts(self, attempt: Callable[[int], Awaitable[T]]) -> Callable[[int], Awaitable[T]]:
        """Wrap what makes one attempt, waits of its own included."""

        async def watched(number: int) -> T:
            self._pause_over()
            self._number = number
            try:
                result = await attempt(number)
            except BaseException as error:
                self._attempt_over(error)
                if isinstance(error, LinksfieldError):
                    self._paused = self._clock()  # unless this was the last
                raise
            self._attempt_over(None)
            return result

        return watched

    def through(self, transport: Transport) -> Transport:
        """Wrap the transport: an attempt starts when its request is handed over."""
        return _Through(self, transport)

    async def waiting(self, why: Wait, waited_for: Awaitable[T]) -> T:
        """Await something, and tell how long that took, however it ended."""
        since = self._clock()
        try:
            return await waited_for
        finally:
            self._waited(why, since)

    def ended(self, error: BaseException | None = None, raw: Any = None) -> None:
        """Tell that the call is over; `raw` is the whole answer where it ended well."""
        attempts, status, code = self._attempts, self._status, _code_of(raw)
        carried_out: bool | None = True
        if isinstance(error, LinksfieldError):
            attempts, carried_out, code = error.attempts, error.carried_out, error.code
            status = status if error.status is None else error.status
        elif error is not None:
            self._pause_over()  # the pause was what it broke off
            carried_out = None if self._doubtful else False
        end = CallEnd(
            attempts=attempts,
            seconds=self._clock() - self._began,
            status=status,
            code=None if code is None else one_line(code),
            error=error,
            carried_out=carried_out,
        )
        self._tell(lambda watch: watch.ended(end))

    def sends(self, request: Request) -> None:
        """Tell that an attempt starts."""
        self._attempts += 1
        self._request, self._response = request, None
        self._tell(lambda watch: watch.attempt_started(self._number))
        self._sent_at = self._clock()

    def answered(self, response: Response) -> None:
        """Note the answer of the attempt."""
        self._response, self._status = response, response.status

    def _attempt_over(self, error: BaseException | None) -> None:
        if self._request is None:
            return  # never handed over: it could not be built, or was held back
        end = AttemptEnd(
            number=self._number,
            seconds=self._clock() - self._sent_at,
            request=self._request,
            response=self._response,
            error=error,
        )
        self._request = self._response = None
        known = error is None or (isinstance(error, LinksfieldError) and error.carried_out is False)
        self._doubtful = self._doubtful or not known
        self._tell(lambda watch: watch.attempt_ended(end))

    def _pause_over(self) -> None:
        since, self._paused = self._paused, None
        if since is not None:
            self._waited(Wait.PAUSE, since)

    def _waited(self, why: Wait, since: float) -> None:
        seconds = self._clock() - since
        if seconds >= _NOTICEABLE:
            self._tell(lambda watch: watch.waited(why, seconds))

    def _tell(self, what: Callable[[CallWatch], None]) -> None:
        for observer, watch in self._watches:
            try:
                what(watch)
            except Exception as fault:  # an observer's fault is not the call's
                self._observers.failed(observer, fault)


@attrs.frozen
class _Through:
    """A transport that notes what goes through it."""

    watching: Watching
    transport: Transport

    async def send(self, request: Request, limits: Limits) -> Response:
        self.watching.sends(request)
        response = await self.transport.send(request, limits)
        self.watching.answered(response)
        return response


def _code_of(raw: Any) -> str | None:
    """Find the code in an answer that was a success, in either envelope."""
    if not isinstance(raw, dict):
        return None
    status = raw.get("status")
    code = raw.get("operateCode") or (status.get("code") if isinstance(status, dict) else None)
    return code if isinstance(code, str) else None
