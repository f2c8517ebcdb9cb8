"""What observers are told of calls: all of it, in order, and never at the call's expense."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest
from stubs import Answering

from linksfield_async import Account, Options
from linksfield_async.errors import (
    BadAnswer,
    ConfigurationError,
    ConnectFailed,
    InvalidInput,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Throttled,
)
from linksfield_async.operation import Service
from linksfield_async.operations import ResultConfirm, SingleVerify
from linksfield_async.pipeline import Pipeline
from linksfield_async.resilience.breaker import Breaker
from linksfield_async.resilience.clock import Clock
from linksfield_async.resilience.rate import Limiter, Rate
from linksfield_async.telemetry import Observers, Wait
from linksfield_async.telemetry.observer import AttemptEnd, outcome_of

VERIFY = SingleVerify(iccid="89852420180910340793")
CONFIRM = ResultConfirm(pay_id="1")
S = {"operateCode": "S", "data": {}}
Make = Callable[..., Pipeline]


class Time:
    """Passes only where something sleeps or answers."""

    def __init__(self) -> None:
        self.seconds = 0.0

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.seconds, sleep=self.sleep, random=lambda: 0.5)


class Taking(Answering):
    """Takes two seconds for an answer."""

    def __init__(self, time: Time, *answers: Any) -> None:
        super().__init__(*answers)
        self.time = time

    async def send(self, request: Any, limits: Any) -> Any:
        self.time.seconds += 2
        return await super().send(request, limits)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "ok"),
        (Refused(), "refused"),
        (Refused(needs_reconciliation=True), "unknown"),
        (Throttled(), "throttled"),
        (ConnectFailed(), "not_sent"),
        (RateLimited(), "not_sent"),
        (InvalidInput(), "invalid"),
        (OutcomeUnknown(), "unknown"),
        (BadAnswer(), "unknown"),
        (asyncio.CancelledError(), "cancelled"),
        (KeyError(), "broken"),
    ],
)
def test_outcomes(error: BaseException | None, outcome: str) -> None:
    assert outcome_of(error) == outcome


async def test_a_good_call(watched: Make, noting: Any) -> None:
    time = Time()
    transport = Taking(time, S)
    sending = watched(Account("P1"), transport, clock=time.clock(), observers=(noting,))
    await sending.send(VERIFY)
    assert noting.operations == [VERIFY]
    started, attempt, end = noting.told
    assert started == 1
    assert (attempt.number, attempt.seconds, attempt.status, attempt.outcome) == (1, 2, 200, "ok")
    assert attempt.request is transport.requests[0]
    assert (end.attempts, end.seconds, end.status, end.code) == (1, 2, 200, "S")
    assert (end.outcome, end.carried_out, end.error) == ("ok", True, None)


async def test_attempts_and_the_pauses_between_them(watched: Make, noting: Any) -> None:
    time = Time()
    transport = Taking(time, OutcomeUnknown("lost"), ConnectFailed("no"), S)
    await watched(Account("P1"), transport, clock=time.clock(), observers=(noting,)).send(VERIFY)
    first, lost, pause, second, no, longer, third, good, end = noting.told
    assert (first, second, third) == (1, 2, 3)
    assert (pause, longer) == ((Wait.PAUSE, 0.1), (Wait.PAUSE, 0.2))
    assert [lost.outcome, no.outcome, good.outcome] == ["unknown", "not_sent", "ok"]
    assert (end.attempts, end.seconds) == (3, pytest.approx(6.3))


async def test_an_error_and_its_facts(watched: Make, noting: Any) -> None:
    refused = {"operateCode": "F", "message": "no"}
    sending = watched(Account("P1"), Answering(refused), observers=(noting,))
    with pytest.raises(Refused) as caught:
        await sending.send(VERIFY)
    assert caught.value.operation == VERIFY
    assert noting.end.error is noting.attempts[0].error is caught.value
    assert (noting.end.status, noting.end.code, noting.end.carried_out) == (200, "F", False)


async def test_what_is_never_sent_is_no_attempt(watched: Make, noting: Any) -> None:
    sending = watched(Account("P1"), Answering(S), observers=(noting,))
    with pytest.raises(InvalidInput):
        await sending.send(SingleVerify(iccid=""))
    assert noting.told == [noting.end]
    assert (noting.end.attempts, noting.end.outcome) == (0, "invalid")


@pytest.mark.parametrize("fault", [ZeroDivisionError("bug"), KeyError(VERIFY.iccid)])
async def test_a_transport_s_bug_leaves_doubt(watched: Make, noting: Any, fault: Any) -> None:
    with pytest.raises(type(fault)):
        await watched(Account("P1"), Answering(fault), observers=(noting,)).send(CONFIRM)
    assert (noting.end.outcome, noting.end.carried_out) == ("broken", None)
    assert VERIFY.iccid not in repr(noting.told)


class Hanging:
    async def send(self, *_: Any) -> Any:
        await asyncio.Event().wait()


async def canceled(sending: Pipeline, operation: Any, seconds: float = 0.02) -> None:
    call = asyncio.ensure_future(sending.send(operation))
    await asyncio.sleep(seconds)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_cancelled_in_an_attempt(watched: Make, noting: Any) -> None:
    await canceled(watched(Account("P1"), Hanging(), observers=(noting,)), CONFIRM)
    assert isinstance(noting.end.error, asyncio.CancelledError)
    assert [attempt.outcome for attempt in noting.attempts] == ["cancelled"]
    assert (noting.end.outcome, noting.end.attempts) == ("cancelled", 1)
    assert noting.end.carried_out is None


async def test_cancelled_in_a_pause(watched: Make, noting: Any) -> None:
    sending = watched(
        *(Account("P1"), Answering(Throttled("later", retry_after=9))), observers=(noting,)
    )
    await canceled(sending, CONFIRM)
    _, _, (why, seconds), end = noting.told
    assert why is Wait.PAUSE
    assert 0 < seconds < 5
    assert (end.outcome, end.carried_out, end.attempts) == ("cancelled", False, 1)


async def test_a_closed_coroutine_is_a_cancelled_call(watched: Make, noting: Any) -> None:
    coroutine = watched(Account("P1"), Hanging(), observers=(noting,)).send(VERIFY)
    coroutine.send(None)
    coroutine.close()
    assert noting.end.outcome == "cancelled"


async def test_waits_of_a_limiter(noting: Any) -> None:
    time = Time()
    call = Observers(noting).watch(VERIFY, time.clock().monotonic)
    assert call is not None
    await call.waiting(Wait.BREAKER, time.sleep(0))  # no wait worth telling
    await call.waiting(Wait.RATE, time.sleep(3))

    async def held_back() -> None:
        time.seconds += 1
        raise RateLimited("no")

    with pytest.raises(RateLimited) as caught:
        await call.attempts(lambda _: call.waiting(Wait.RATE, held_back()))(1)
    call.ended(caught.value)
    assert noting.told == [(Wait.RATE, 3), (Wait.RATE, 1), noting.end]


async def test_the_pipeline_tells_of_its_rate_limit(watched: Make, noting: Any) -> None:
    sending = watched(
        *(Account("P1"), Answering(S)), limiter=Limiter(Rate(50)), observers=(noting,)
    )
    await sending.send(VERIFY)
    await sending.send(VERIFY)
    (wait,) = [told for told in noting.told if isinstance(told, tuple)]
    assert wait[0] is Wait.RATE
    assert wait[1] == pytest.approx(0.02, abs=0.015)


async def test_the_pipeline_tells_of_its_breakers(watched: Make, noting: Any) -> None:
    breaker = Breaker("vshop", failures=1, pause=0.05)
    sending = watched(
        *(Account("P1"), Answering(OutcomeUnknown("lost"), S)),
        breakers={Service.VSHOP: breaker},
        clock=Clock(random=lambda: 0.0),
        observers=(noting,),
    )
    await sending.in_bulk().send(VERIFY)
    assert Wait.BREAKER in [told[0] for told in noting.told if isinstance(told, tuple)]


class Declining:
    def call(self, _: Any) -> None:
        return None


async def test_nothing_is_done_where_all_decline(watched: Make) -> None:
    assert Observers(Declining()).watch(VERIFY, lambda: 0.0) is None
    assert Observers().watch(VERIFY, lambda: 0.0) is None
    await watched(Account("P1"), Answering(S), observers=(Declining(),)).send(VERIFY)


class Faulty:
    def __init__(self, *methods: str) -> None:
        self.methods = methods

    def __getattr__(self, name: str) -> Any:
        def method(*_: Any) -> Any:
            if name in self.methods:
                raise KeyError(VERIFY.iccid)
            return self

        return method


@pytest.mark.parametrize("method", ["call", "attempt_started", "attempt_ended", "ended"])
async def test_an_observer_s_fault_is_logged_once_and_hurts_nobody(
    watched: Make, noting: Any, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    sending = watched(Account("P1"), Answering(S), observers=(Faulty(method), noting))
    for _ in range(3):
        await sending.send(VERIFY)
    assert len(noting.told) == 9
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "Faulty failed" in record.getMessage()
    assert "test_watching.py:" in record.getMessage()
    assert VERIFY.iccid not in record.getMessage()
    assert record.exc_info is None


async def test_a_fault_does_not_hide_the_call_s_own_error(watched: Make) -> None:
    sending = watched(
        *(Account("P1"), Answering(OutcomeUnknown("lost"))),
        observers=(Faulty("call", "attempt_ended", "ended"),),
    )
    with pytest.raises(OutcomeUnknown) as caught:
        await sending.send(CONFIRM)
    assert caught.value.__context__ is None


async def test_even_a_failing_log_hurts_nobody(
    watched: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: logging.LogRecord) -> bool:
        raise RuntimeError("a filter's bug")

    monkeypatch.setattr(logging.getLogger("linksfield_async"), "filters", [fail])
    await watched(Account("P1"), Answering(S), observers=(Faulty("ended"),)).send(VERIFY)


def test_what_is_no_observer_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="str is no Observer"):
        Observers("otel")  # type: ignore[arg-type]


_who: ContextVar[str] = ContextVar("who", default="nobody")


async def test_an_observer_sees_the_caller_s_context(watched: Make) -> None:
    seen: list[str] = []

    class Looking(Declining):
        def call(self, _: Any) -> None:
            seen.append(_who.get())

    sending = watched(Account("P1"), Answering(S), observers=(Looking(),))

    async def one(name: str) -> None:
        _who.set(name)
        await sending.send(VERIFY)

    await asyncio.gather(*(one(str(number)) for number in range(5)))
    assert seen == ["0", "1", "2", "3", "4"]


def test_calls_from_several_threads_and_loops(watched: Make, noting: Any) -> None:
    sending = watched(Account("P1"), Answering(S), Options(attempts=1), observers=(noting,))

    async def some() -> None:
        await asyncio.gather(*(sending.send(VERIFY) for _ in range(50)))

    threads = [threading.Thread(target=asyncio.run, args=(some(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(noting.attempts) == 200
    assert {attempt.outcome for attempt in noting.attempts} == {"ok"}


def test_the_repr_of_an_end_hides_what_is_personal() -> None:
    end = AttemptEnd(
        number=1, seconds=0.1, request=None, response=None, error=KeyError(VERIFY.iccid)
    )  # type: ignore[arg-type]
    assert VERIFY.iccid not in repr(end)
