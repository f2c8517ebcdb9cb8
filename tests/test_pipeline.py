from __future__ import annotations

import gc
import json
import weakref
from typing import Any

import pytest
from stubs import Answering

from linksfield_async import Account, Options
from linksfield_async.errors import ClientClosed, ConfigurationError, OutcomeUnknown, Refused
from linksfield_async.operations import ResultConfirm, ResultQuery, SingleVerify
from linksfield_async.pipeline import Pipeline, Shared
from linksfield_async.protocol import Response
from linksfield_async.resilience.clock import Clock

VERIFY = SingleVerify(iccid="89852420180910340793")
S = {"operateCode": "S", "data": {"deviceCode": VERIFY.iccid}}


class Ticking:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.ms = 1645683857572

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.ms += int(seconds * 1000)

    def clock(self) -> Clock:
        return Clock(
            now_ms=lambda: self.ms,
            monotonic=lambda: self.seconds,
            sleep=self.sleep,
            random=lambda: 0.5,
        )


def pipeline(
    *answers: Any, clock: Clock | None = None, **options: Any
) -> tuple[Pipeline, Answering]:
    transport = Answering(*answers)
    shared = Shared(account=Account("P1"), transport=transport, clock=clock or Clock())
    return Pipeline(shared, Options(**options)), transport


async def test_an_exchange_has_all_that_is_known() -> None:
    ticking = Ticking()
    sending, transport = pipeline(S, clock=ticking.clock())
    exchange = await sending.exchange(VERIFY)
    assert exchange.result.iccid == VERIFY.iccid
    assert exchange.raw == S
    assert (exchange.status, exchange.attempts, exchange.elapsed) == (200, 1, 0.0)
    assert exchange.request is transport.requests[0]
    assert VERIFY.iccid not in repr(exchange)


async def test_the_time_that_is_signed_comes_from_the_clock_at_each_call() -> None:
    ticking = Ticking()
    sending, transport = pipeline(S, clock=ticking.clock())
    await sending.send(VERIFY)
    ticking.ms -= 3_600_000  # the wall clock may jump back
    await sending.send(VERIFY)
    sent = [json.loads(request.body) for request in transport.requests]
    assert [body["tradeTime"] for body in sent] == ["1645683857572", "1645680257572"]
    assert sent[0]["sign"] != sent[1]["sign"]


async def test_options_reach_the_transport() -> None:
    sending, transport = pipeline(
        S,
        clock=Ticking().clock(),
        deadline=7.0,
        connect_timeout=1.0,
        read_timeout=2.0,
        max_answer_bytes=99,
    )
    await sending.send(VERIFY)
    (limits,) = transport.limits
    assert (limits.deadline, limits.connect, limits.read, limits.max_answer_bytes) == (7, 1, 2, 99)


async def test_an_error_carries_its_facts() -> None:
    ticking = Ticking()

    class Slow(Answering):
        async def send(self, request: Any, limits: Any) -> Any:
            ticking.seconds += 2.5
            return await super().send(request, limits)

    transport = Slow(OutcomeUnknown("lost"))
    confirm = ResultConfirm(pay_id="1")
    shared = Shared(account=Account("P1"), transport=transport, clock=ticking.clock())
    with pytest.raises(OutcomeUnknown) as caught:
        await Pipeline(shared).send(confirm)
    error = caught.value
    assert error.operation == confirm
    assert (error.attempts, error.elapsed, error.carried_out) == (1, 2.5, None)


REFUSED = {"operateCode": "F", "message": "no"}


@pytest.mark.parametrize("answer", [REFUSED, Response(500, b"")], ids=["refused", "unknown"])
@pytest.mark.parametrize("bulk", [False, True])
async def test_what_a_call_ended_with_is_gone_without_a_collection(answer: Any, bulk: bool) -> None:
    """Refusals are daily business: they must not wait for the garbage collector."""
    sending, _ = pipeline(answer, attempts=1)
    sending = sending.in_bulk() if bulk else sending
    gc.collect()
    gc.disable()
    try:
        try:
            await sending.send(VERIFY)
        except (Refused, OutcomeUnknown) as error:
            ended = weakref.ref(error)
        gone = ended() is None
    finally:
        gc.enable()
    assert gone


async def test_a_refusal_counts_as_an_attempt() -> None:
    sending, _ = pipeline({"operateCode": "F", "message": "no"})
    with pytest.raises(Refused) as caught:
        await sending.send(VERIFY)
    assert caught.value.attempts == 1
    assert caught.value.operation == VERIFY


async def test_what_cannot_be_sent_is_no_attempt() -> None:
    sending, transport = pipeline(S)
    with pytest.raises(ConfigurationError) as caught:
        await sending.send(SingleVerify(iccid=""))
    assert caught.value.attempts == 0
    assert caught.value.operation == SingleVerify(iccid="")
    assert transport.requests == []


async def test_an_error_of_a_user_s_transport_passes() -> None:
    sending, _ = pipeline(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        await sending.send(VERIFY)


async def test_s06_a_repeat_is_stamped_and_signed_anew_and_keeps_its_ids() -> None:
    sending, transport = pipeline(OutcomeUnknown("lost"), S, clock=Ticking().clock())
    exchange = await sending.exchange(VERIFY)
    assert exchange.attempts == 2
    first, second = (json.loads(request.body) for request in transport.requests)
    assert int(second["tradeTime"]) == int(first["tradeTime"]) + 100
    assert first.pop("sign") != second.pop("sign")
    first.pop("tradeTime"), second.pop("tradeTime")
    assert first == second
    assert transport.limits[1].deadline == pytest.approx(30.0 - 0.1)


async def test_an_operation_once_is_not_repeated() -> None:
    sending, transport = pipeline(OutcomeUnknown("lost"), clock=Ticking().clock())
    with pytest.raises(OutcomeUnknown) as caught:
        await sending.send(ResultConfirm(pay_id="1"))
    assert len(transport.requests) == caught.value.attempts == 1


async def test_the_number_of_attempts_is_an_option() -> None:
    sending, transport = pipeline(OutcomeUnknown("lost"), clock=Ticking().clock(), attempts=5)
    with pytest.raises(OutcomeUnknown):
        await sending.send(VERIFY)
    assert len(transport.requests) == 5


async def test_a_view_shares_the_budget() -> None:
    sending, transport = pipeline(OutcomeUnknown("lost"), clock=Ticking().clock())
    view = sending.with_options(Options(deadline=9.0))
    for _ in range(100):
        with pytest.raises(OutcomeUnknown):
            await sending.send(VERIFY)
        with pytest.raises(OutcomeUnknown):
            await view.send(VERIFY)
    assert len(transport.requests) == 200 + 35


async def test_a14_retry_after_of_an_answer_is_believed() -> None:
    throttled = Response(429, b"", {"Retry-After": "2"})
    ticking = Ticking()
    sending, _ = pipeline(throttled, S, clock=ticking.clock())
    await sending.send(ResultQuery(pay_id="1"))
    assert ticking.seconds == 102.25  # two seconds and half of the quarter that spreads waits


def test_the_real_clock_is_the_wall_clock_in_milliseconds() -> None:
    assert 1_700_000_000_000 < Clock().now_ms() < 10_000_000_000_000


async def test_a_closed_client_s_error_is_no_attempt() -> None:
    sending, _ = pipeline(ClientClosed("closed"))
    with pytest.raises(ClientClosed) as caught:
        await sending.send(VERIFY)
    assert caught.value.attempts == 0


async def test_what_keeps_a_request_before_it_leaves_takes_nothing_of_its_time() -> None:
    ticking = Ticking()
    transport = Answering(S)
    shared = Shared(account=Account("P1"), transport=transport, clock=ticking.clock())

    async def kept(_: Any) -> None:
        await ticking.sleep(60)

    sending = Pipeline(shared, Options(deadline=30)).in_bulk(kept)
    await sending.send(VERIFY)
    assert transport.limits[0].deadline == 30
