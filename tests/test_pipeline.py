from __future__ import annotations

import json
from typing import Any

import pytest
from stubs import Answering

from linksfield_async import Account, Options
from linksfield_async.errors import ClientClosed, ConfigurationError, OutcomeUnknown, Refused
from linksfield_async.operations import SingleVerify
from linksfield_async.pipeline import Clock, Pipeline

VERIFY = SingleVerify(iccid="89852420180910340793")
S = {"operateCode": "S", "data": {"deviceCode": VERIFY.iccid}}


class Ticking:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.ms = 1645683857572

    def clock(self) -> Clock:
        return Clock(now_ms=lambda: self.ms, monotonic=lambda: self.seconds)


def pipeline(
    *answers: Any, clock: Clock | None = None, **options: Any
) -> tuple[Pipeline, Answering]:
    transport = Answering(*answers)
    return Pipeline(Account("P1"), transport, Options(**options), clock), transport


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
    with pytest.raises(OutcomeUnknown) as caught:
        await Pipeline(Account("P1"), transport, clock=ticking.clock()).send(VERIFY)
    error = caught.value
    assert error.operation == VERIFY
    assert (error.attempts, error.elapsed, error.carried_out) == (1, 2.5, None)


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


async def test_nothing_is_repeated_here() -> None:
    sending, transport = pipeline(OutcomeUnknown("lost"))
    with pytest.raises(OutcomeUnknown):
        await sending.send(VERIFY)
    assert len(transport.requests) == 1


def test_the_real_clock_is_the_wall_clock_in_milliseconds() -> None:
    assert 1_700_000_000_000 < Clock().now_ms() < 10_000_000_000_000


async def test_a_closed_client_s_error_is_no_attempt() -> None:
    sending, _ = pipeline(ClientClosed("closed"))
    with pytest.raises(ClientClosed) as caught:
        await sending.send(VERIFY)
    assert caught.value.attempts == 0
