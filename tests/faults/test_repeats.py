"""Repeats, budget, rate and breaker through the whole client; the server's own log judges."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
import transports
from stubs import Answering

from linksfield_async import (
    OPERATIONS,
    Account,
    AdaptiveRate,
    BadAnswer,
    Client,
    Effect,
    Endpoints,
    LinksfieldError,
    NotSent,
    Options,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Sandbox,
    Throttled,
)
from linksfield_async.operation import Operation, wire_fields
from linksfield_async.operations import ResultConfirm, SingleOrder, SingleVerify, SynOrderInfo
from linksfield_async.pipeline import Pipeline, Shared
from linksfield_async.resilience.attempts import retries_off
from linksfield_async.resilience.breaker import BreakerState
from linksfield_async.resilience.budget import RetryBudget
from linksfield_async.resilience.clock import Clock
from linksfield_async.resilience.rate import Limiter
from linksfield_async.testing import (
    Close,
    Fault,
    FaultProxy,
    Hang,
    RawServer,
    Received,
    Reset,
    Step,
    http_answer,
)

ICCID = "89852420180910340793"
ONCE = [operation for operation in OPERATIONS if operation.effect is Effect.ONCE]
READ = [operation for operation in OPERATIONS if operation.effect is Effect.READ]

IN_DOUBT: dict[str, tuple[Any, ...]] = {
    "silence": (Hang(),),
    "closed": (Close(),),
    "reset": (Reset(),),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-", Close()),
    "half a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", Close()),
    "chunk cut": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{", Reset()),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Close()),
    "two lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        Close(),
    ),
    "500": (http_answer(b"oops", status=500),),
    "502 html": (http_answer(b"<html>bad gateway</html>", status=502),),
    "504": (http_answer(b"", status=504),),
    "408": (http_answer(b"", status=408),),
    "200 html": (http_answer(b"<html>log in</html>"),),
    "200 empty": (http_answer(b""),),
    "no S": (http_answer(b'{"operateCode":"s"}'),),
}


def made(kind: type[Operation[Any]]) -> Operation[Any]:
    values: dict[str, Any] = {
        field.python: [ICCID] if field.python == "iccids" else "1"
        for field in wire_fields(kind)
        if field.required
    }
    return kind(**({"iccid": ICCID} if kind.__name__ == "GetOrder" else values))


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer() as server:
        yield server


def client_of(server: RawServer, **options: Any) -> Client:
    account = Account("P000270", endpoints=Endpoints.at(server.url))
    return Client(account, options=Options(**({"deadline": 0.4} | options)))


@pytest.mark.parametrize("symptom", IN_DOUBT)
@pytest.mark.parametrize("kind", ONCE, ids=lambda kind: kind.__name__)
async def test_r05_what_may_be_carried_out_once_arrives_once(
    server: RawServer, kind: type[Operation[Any]], symptom: str
) -> None:
    server.answer(*IN_DOUBT[symptom])
    async with client_of(server) as client:
        with pytest.raises((OutcomeUnknown, BadAnswer)) as caught:
            await client.send(made(kind))
    assert caught.value.carried_out is None
    assert caught.value.attempts == 1
    assert len(server.requests) == 1


GOOD: dict[str, Any] = {
    "SingleVerify": {},
    "SingleServicePlanPage": {"servicePlanList": []},
    "SingleQueryOrder": {"partnerCode": "P", "deviceCode": "1", "orderList": []},
    "QueryAutoRenewalRecord": None,
    "ResultQuery": {"payStatus": "1"},
    "ListGroupSims": {"sim_ids": []},
    "ListGroups": {"groups": []},
    "GetAsyncResult": {"status": "pending"},
    "GetOrder": None,
}


@pytest.mark.parametrize("symptom", IN_DOUBT)
@pytest.mark.parametrize("kind", READ, ids=lambda kind: kind.__name__)
async def test_r06_a_read_is_repeated_until_it_is_right(
    server: RawServer, kind: type[Operation[Any]], symptom: str
) -> None:

    right = http_answer(json.dumps({"operateCode": "S", "data": GOOD[kind.__name__]}).encode())

    def answer(_: Received) -> tuple[Step, ...]:
        return (right,) if len(server.requests) > 1 else IN_DOUBT[symptom]

    server.answer_by(answer)
    async with client_of(server, deadline=5.0, read_timeout=0.15) as client:
        exchange = await client.exchange(made(kind))
    assert exchange.attempts == 2
    assert exchange.raw == {"operateCode": "S", "data": GOOD[kind.__name__]}
    assert len(server.requests) == 2


PURCHASES = int(os.environ.get("LINKSFIELD_TEST_PURCHASES", "500"))
"""The whole figure is 10,000; that run is made by hand."""


@pytest.mark.timeout(900)
async def test_w09_purchases_through_cuts_at_any_byte() -> None:
    """No order twice in the server's log, and none there that the caller was told is not."""
    draw = random.Random(7)

    def cut(_: int) -> Fault:
        place = draw.randrange(0, 900)
        return Fault(cut_up=place) if draw.random() < 0.5 else Fault(cut_down=place)

    async with Sandbox(cards=2_000, keep_requests=100_000) as sandbox:
        cards = list(sandbox.world.iccids("valid"))
        port = int(sandbox.url.rpartition(":")[2])
        async with FaultProxy("127.0.0.1", port) as proxy:
            proxy.choose(cut)
            account = attrs.evolve(sandbox.account, endpoints=Endpoints.at(proxy.url))
            client = Client(account, options=Options(deadline=10.0))
            told: dict[str, LinksfieldError | None] = {}

            async def buy(number: int) -> None:
                plan = sandbox.world.plans[number % 2]
                order_no = f"{number:019d}"
                try:
                    await client.vshop.create_order(
                        iccid=cards[number % len(cards)],
                        package_code=plan.package_code,
                        service_plan_code=plan.code,
                        service_plan_show_name=plan.name,
                        order_period="1",
                        pay_amount=plan.price,
                        pay_currency=plan.currency,
                        order_no=order_no,
                        pay_id=f"P000270{order_no}",
                    )
                except LinksfieldError as error:
                    told[order_no] = error
                else:
                    told[order_no] = None

            async with client:
                for start in range(0, PURCHASES, 50):
                    await asyncio.gather(*map(buy, range(start, min(start + 50, PURCHASES))))
        arrived = Counter(seen.params["orderNo"] for seen in sandbox.requests.of(SingleOrder))
    kinds = Counter(type(error).__name__ for error in told.values())
    assert len(told) == PURCHASES
    assert max(arrived.values()) == 1
    assert kinds["OutcomeUnknown"] > PURCHASES / 10  # the cuts did reach the calls
    for order_no, error in told.items():
        if error is None:
            assert arrived[order_no] == 1
        elif error.carried_out is False:
            assert arrived[order_no] == 0


class Simulated:
    """A pipeline on a clock that only sleeping moves."""

    def __init__(self, transport: Any, **options: Any) -> None:
        self.now = 0.0
        clock = Clock(monotonic=lambda: self.now, sleep=self.sleep, random=random.Random(1).random)
        self.budget = RetryBudget()
        account = Account("P1")
        shared = Shared(account=account, transport=transport, clock=clock, budget=self.budget)
        self.pipeline = Pipeline(shared, Options(**options))

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def test_r01_a_service_that_is_down_for_a_minute_sees_the_budget_and_no_more() -> None:
    transport = Answering(OutcomeUnknown("down"))
    world = Simulated(transport)
    for _ in range(1_000):
        world.now += 0.06
        with pytest.raises(OutcomeUnknown):
            await world.pipeline.send(SingleVerify(iccid=ICCID))
    assert len(transport.requests) - 1_000 == 35
    transport.answers = [{"operateCode": "S", "data": {}}]
    for _ in range(500):
        await world.pipeline.send(SingleVerify(iccid=ICCID))
    assert world.budget.tokens == 500  # by itself


async def test_r02_ten_percent_of_failures() -> None:
    draw = random.Random(2)

    class Flaky(Answering):
        async def send(self, request: Any, limits: Any) -> Any:
            self.requests.append(request)
            if draw.random() < 0.1:
                raise OutcomeUnknown("lost")
            return await Answering({"operateCode": "S", "data": {}}).send(request, limits)

    transport = Flaky(None)
    world = Simulated(transport)
    good = 0
    for _ in range(5_000):
        try:
            await world.pipeline.send(SingleVerify(iccid=ICCID))
            good += 1
        except OutcomeUnknown:
            pass  # counted by what is missing from the good ones
    assert good >= 0.998 * 5_000
    assert len(transport.requests) <= 1.12 * 5_000


async def test_r13_retries_off_is_one_attempt_and_attempts_are_visible(server: RawServer) -> None:
    server.answer(Close())
    async with client_of(server, deadline=5.0) as client:
        with retries_off(), pytest.raises(OutcomeUnknown) as caught:
            await client.vshop.verify_card(iccid=ICCID)
        assert caught.value.attempts == len(server.requests) == 1
        with pytest.raises(OutcomeUnknown) as caught:
            await client.vshop.verify_card(iccid=ICCID)
        assert caught.value.attempts == len(server.requests) - 1 == 3


# Rate and breaker


async def test_a_rate_holds_calls_back_and_fails_fast_where_told() -> None:
    transport = Answering({"operateCode": "S", "data": {}})
    client = Client(Account("P1"), transport=transport, options=Options(rate=5.0, rate_wait=0))
    await client.vshop.verify_card(iccid=ICCID)
    with pytest.raises(RateLimited, match="would have needed") as caught:
        await client.vshop.verify_card(iccid=ICCID)
    assert caught.value.carried_out is False
    assert 0 < (caught.value.retry_after or 0) <= 0.21
    assert len(transport.requests) == 1
    patient = client.with_options(rate_wait=None)
    await patient.vshop.verify_card(iccid=ICCID)
    assert len(transport.requests) == 2
    assert client.rate == 5.0


async def test_a_view_shares_the_rate() -> None:
    transport = Answering({"operateCode": "S", "data": {}})
    client = Client(Account("P1"), transport=transport, options=Options(rate=1.0, rate_wait=0))
    await client.with_options(deadline=9.0).vshop.verify_card(iccid=ICCID)
    with pytest.raises(RateLimited):
        await client.vshop.verify_card(iccid=ICCID)


async def test_r10_throttling_slows_all_calls_down(server: RawServer) -> None:
    server.answer(http_answer(b"", status=429, headers={"Retry-After": "1"}))
    async with client_of(server, rate=AdaptiveRate(start=50), attempts=1) as client:
        before = client.rate
        with pytest.raises(Throttled) as caught:
            await client.send(ResultConfirm(pay_id="1"))
        assert caught.value.retry_after == 1.0
        assert (client.rate or 0) < (before or 0)
        with pytest.raises(RateLimited):  # the pause holds everybody back
            await client.vshop.verify_card(iccid=ICCID)
    assert len(server.requests) == 1


async def test_r11_bulk_work_stops_at_a_sick_service_and_goes_on_by_itself() -> None:
    sick = True

    class Sick(Answering):
        async def send(self, request: Any, limits: Any) -> Any:
            self.requests.append(request)
            if sick:
                raise OutcomeUnknown("lost")
            return await Answering({"operateCode": "S", "data": {}}).send(request, limits)

    transport = Sick(None)
    client = Client(Account("P1"), transport=transport, options=Options(attempts=1, deadline=20.0))
    cards = [f"8985{n:015d}" for n in range(200)]
    verdicts: Counter[str] = Counter()
    async for outcome in client.verify_many(cards, concurrency=20):
        verdicts[outcome.verdict] += 1
        if client.breakers["vshop"].value != "closed":
            sick = False
    assert verdicts["unknown"] >= 10
    assert verdicts["valid"] == 200 - verdicts["unknown"]
    assert client.breakers == {"vshop": "closed", "payment": "closed", "topup": "closed"} or all(
        state.value == "closed" for state in client.breakers.values()
    )


async def test_r12_business_refusals_never_trip_the_breaker() -> None:
    transport = Answering({"operateCode": "F", "message": "unknown card"})
    client = Client(Account("P1"), transport=transport)
    cards = (f"8985{n:015d}" for n in range(2_000))
    async for outcome in client.verify_many(cards, concurrency=20, stop=None):
        assert outcome.verdict == "refused"
    assert client.breakers["vshop"].value == "closed"


async def test_interactive_calls_do_not_heed_the_breaker() -> None:
    transport = Answering(OutcomeUnknown("lost"))
    client = Client(Account("P1"), transport=transport, options=Options(attempts=1))
    for _ in range(50):
        with pytest.raises(OutcomeUnknown):
            await client.vshop.verify_card(iccid=ICCID)
    assert client.breakers["vshop"].value == "closed"


async def test_interactive_calls_overtake_a_bulk_run() -> None:
    transport = Answering({"operateCode": "S", "data": {}})
    client = Client(Account("P1"), transport=transport, options=Options(rate=100.0))
    cards = [f"8985{n:015d}" for n in range(60)]

    async def bulk() -> None:
        async for _ in client.verify_many(cards, concurrency=50):
            pass

    run = asyncio.create_task(bulk())
    await asyncio.sleep(0.05)
    await client.send(ResultConfirm(pay_id="mine"))
    sent_before = sum(b"mine" not in request.body for request in transport.requests)
    assert sent_before < 30
    await run


def test_a_limiter_is_shared_not_copied() -> None:
    client = Client(Account("P1"), options=Options(rate=5.0))
    view = client.with_options(deadline=1.0)
    limiter = client._pipeline.shared.limiter
    assert isinstance(limiter, Limiter)
    assert view._pipeline.shared.limiter is limiter


async def test_nothing_sent_is_repeated_for_once_too(server: RawServer) -> None:
    """Proved unsent twice, then carried out: one entry in the log."""
    port = server.port
    account = Account("P1", endpoints=Endpoints.at(f"http://127.0.0.1:{port}"))
    server.answer_json({"operateCode": "S", "data": {}})
    refusals = iter([NotSent("a"), NotSent("b")])

    class Flaky:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        async def send(self, request: Any, limits: Any) -> Any:
            for refusal in refusals:
                raise refusal
            return await self.inner.send(request, limits)

    inner = transports.transport()
    async with Client(account, transport=Flaky(inner)) as client:
        exchange = await client.exchange(ResultConfirm(pay_id="1"))
    await inner.close()
    assert exchange.attempts == 3
    assert len(server.requests) == 1


REFUSED = b'{"operateCode":"F","message":"fail","data":{"message":"x","data":"QY-1"}}'


@pytest.mark.parametrize("status", [200, 400, 429, 503])
async def test_r05_a_refusal_that_proves_nothing_is_never_repeated(
    server: RawServer, status: int
) -> None:
    """Not even where it asks to slow down as well: the order may have been made."""
    server.answer(http_answer(REFUSED, status=status, headers={"Retry-After": "0"}))
    async with client_of(server, deadline=5.0) as client:
        with pytest.raises(Refused) as caught:
            await client.send(made(SynOrderInfo))
    assert caught.value.carried_out is None
    assert caught.value.needs_reconciliation
    assert len(server.requests) == 1


async def test_r12_refusals_with_5xx_do_not_trip_the_breaker(server: RawServer) -> None:
    server.answer(http_answer(b'{"operateCode":"F","message":"no"}', status=500))
    async with client_of(server, deadline=5.0) as client:
        cards = (f"8985{n:015d}" for n in range(50))
        async for outcome in client.verify_many(cards, concurrency=8):
            assert outcome.verdict == "refused"
        assert client.breakers["vshop"].value == "closed"


async def test_a_refusal_after_a_repeat_gives_the_budget_back_and_stands() -> None:
    world = Simulated(Answering(None))
    no = {"operateCode": "F", "message": "no"}
    for _ in range(60):
        world.pipeline.shared.transport.answers = [OutcomeUnknown("lost"), no]
        with pytest.raises(Refused) as caught:
            await world.pipeline.send(SingleVerify(iccid=ICCID))
        assert caught.value.attempts == 2
    assert world.budget.tokens == 500


@pytest.mark.parametrize("rate", [None, 1000.0])
async def test_r10_bulk_waits_as_long_as_it_is_asked_to_and_fails_no_card(
    server: RawServer, rate: float | None
) -> None:
    """One Retry-After beyond the deadline of a call holds the run back, not its cards down."""
    good = http_answer(b'{"operateCode":"S","data":{}}')
    busy = http_answer(b"", status=429, headers={"Retry-After": "1"})
    server.answer_by(lambda _: (busy,) if len(server.requests) == 3 else (good,))
    async with client_of(server, deadline=0.5, rate=rate) as client:
        cards = [f"8985{n:015d}" for n in range(40)]
        verdicts = [outcome.verdict async for outcome in client.verify_many(cards, concurrency=4)]
    assert verdicts == ["valid"] * 40
    assert len(server.requests) == 41


async def test_bulk_goes_on_after_an_outage_longer_than_its_deadline() -> None:
    failing = iter(range(11))

    class Down(Answering):
        async def send(self, request: Any, limits: Any) -> Any:
            if next(failing, None) is not None:
                raise OutcomeUnknown("lost")
            return await super().send(request, limits)

    transport = Down({"operateCode": "S", "data": {}})
    client = Client(Account("P1"), transport=transport, options=Options(deadline=0.3, attempts=1))
    cards = [f"8985{n:015d}" for n in range(200)]
    verdicts = Counter([o.verdict async for o in client.verify_many(cards, concurrency=10)])
    assert set(verdicts) == {"valid", "unknown"}
    assert verdicts["unknown"] <= 25


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_c06_a_child_inherits_no_lock_and_no_probe() -> None:
    client = Client(Account("P1"), transport=Answering(None), options=Options(rate=5.0))
    shared = client._pipeline.shared
    breaker = shared.breakers[SingleVerify.service]
    assert shared.limiter is not None
    with shared.limiter._lock, shared.budget._guard, breaker._lock:
        breaker._state = BreakerState.HALF_OPEN
        child = os.fork()
        if child == 0:
            told = (shared.limiter.waiting, breaker.state, shared.budget.take(throttled=True))
            os._exit(0 if told == (0, BreakerState.OPEN, 5) else 1)
        breaker._state = BreakerState.CLOSED
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
