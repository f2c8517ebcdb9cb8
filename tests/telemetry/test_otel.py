from __future__ import annotations

import asyncio
import builtins
import importlib
import sys
from collections.abc import Callable
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from bulk_stubs import service_of
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode
from stubs import Answering

from linksfield_async import Account
from linksfield_async.bulk.engine import verify_many
from linksfield_async.errors import ConfigurationError, OutcomeUnknown, Refused
from linksfield_async.operations import GetOrder, ResultConfirm, SingleVerify
from linksfield_async.pipeline import Pipeline
from linksfield_async.resilience.clock import Clock
from linksfield_async.telemetry.otel import OpenTelemetry

ICCID = "89852420180910340793"
VERIFY = SingleVerify(iccid=ICCID)
S = {"operateCode": "S", "data": {}}
SUPPRESSED = context._SUPPRESS_HTTP_INSTRUMENTATION_KEY
Make = Callable[..., Pipeline]


async def test_the_span_of_a_call(watched: Make, otel: Any) -> None:
    await watched(Account("P1"), Answering(S), observers=(otel.observer,)).send(VERIFY)
    (span,) = otel.named("linksfield SingleVerify")
    assert span.kind is SpanKind.CLIENT
    assert dict(span.attributes) == {
        "linksfield.operation": "SingleVerify",
        "linksfield.service": "vshop",
        "linksfield.effect": "read",
        "http.request.method": "POST",
        "linksfield.attempts": 1,
        "linksfield.outcome": "ok",
        "linksfield.operate_code": "S",
        "http.response.status_code": 200,
    }
    assert span.status.status_code is StatusCode.UNSET
    (attempt,) = otel.named("linksfield attempt")
    assert attempt.parent.span_id == span.context.span_id
    assert span.start_time <= attempt.start_time <= attempt.end_time <= span.end_time


async def test_children_for_attempts_and_waits(watched: Make, otel: Any) -> None:
    sending = watched(
        *(Account("P1"), Answering(OutcomeUnknown(f"lost {ICCID}"), S)),
        clock=Clock(random=lambda: 0.25),
        observers=(otel.observer,),
    )
    await sending.send(VERIFY)
    call, lost, wait, good = otel.spans
    assert {span.parent.span_id for span in (lost, wait, good)} == {call.context.span_id}
    assert lost.status.status_code is StatusCode.ERROR
    assert lost.status.description == "OutcomeUnknown: lost 898524…0793"
    assert lost.attributes["error.type"] == "OutcomeUnknown"
    assert wait.attributes["linksfield.wait"] == "pause"
    assert 0.05 <= (wait.end_time - wait.start_time) / 1e9 < 1
    assert good.attributes["linksfield.attempt"] == 2
    assert call.attributes["linksfield.attempts"] == 2
    assert call.status.status_code is StatusCode.UNSET
    assert all(span.events == () for span in otel.spans)


async def test_a_refused_call(watched: Make, otel: Any) -> None:
    refused = {"operateCode": "F", "message": f"no card {ICCID}"}
    with pytest.raises(Refused):
        await watched(Account("P1"), Answering(refused), observers=(otel.observer,)).send(VERIFY)
    (span,) = otel.named("linksfield SingleVerify")
    assert span.attributes["linksfield.outcome"] == "refused"
    assert span.attributes["linksfield.operate_code"] == "F"
    assert span.attributes["http.response.status_code"] == 200
    assert span.status.description.startswith("Refused: SingleVerify refused: no card 898524…0793")


async def test_metrics(watched: Make, otel: Any) -> None:
    sending = watched(
        *(Account("P1"), Answering(OutcomeUnknown("lost"), S)),
        clock=Clock(random=lambda: 0.05),
        observers=(otel.observer,),
    )
    await sending.send(VERIFY)
    await sending.send(GetOrder(order_id="1"))
    found = {
        name: {
            (tuple(sorted(point.attributes.values())), getattr(point, "value", None))
            for point in points
        }
        for name, points in otel.metrics().items()
    }
    assert found == {
        "linksfield.calls": {(("SingleVerify", "ok"), 1), (("GetOrder", "ok"), 1)},
        "linksfield.attempts": {
            (("SingleVerify", "unknown"), 1),
            (("SingleVerify", "ok"), 1),
            (("GetOrder", "ok"), 1),
        },
        "linksfield.call.duration": {(("SingleVerify", "ok"), None), (("GetOrder", "ok"), None)},
        "linksfield.wait.duration": {(("SingleVerify", "pause"), None)},
    }
    (waited,) = otel.metrics()["linksfield.wait.duration"]
    assert waited.sum >= 0.01
    assert waited.explicit_bounds[0] < 0.01


class Looking(Answering):
    """Notes the span and the context that are current while a request is on its way."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(*answers)
        self.seen: list[tuple[Any, Any]] = []

    async def send(self, request: Any, limits: Any) -> Any:
        self.seen.append((trace.get_current_span(), context.get_value(SUPPRESSED)))
        await asyncio.sleep(0)
        return await super().send(request, limits)


async def test_below_the_caller_s_span_and_back_to_it(watched: Make, otel: Any) -> None:
    transport = Looking(S)
    sending = watched(Account("P1"), transport, observers=(otel.observer,))
    tracer = otel.tracer_provider.get_tracer("caller")

    async def one(name: str) -> None:
        with tracer.start_as_current_span(name) as own:
            before = context.get_current()
            await sending.send(VERIFY)
            assert trace.get_current_span() is own
            assert context.get_current() is before

    await asyncio.gather(*(one(str(number)) for number in range(4)))
    callers = {span.context.span_id: span.name for span in otel.spans if len(span.name) == 1}
    parents = [callers[span.parent.span_id] for span in otel.named("linksfield SingleVerify")]
    assert sorted(parents) == ["0", "1", "2", "3"]


async def test_an_instrumented_http_client_is_kept_out_of_it(watched: Make, otel: Any) -> None:
    transport = Looking(S)
    await watched(Account("P1"), transport, observers=(otel.observer,)).send(VERIFY)
    ((current, suppressed),) = transport.seen
    assert suppressed is True
    (attempt,) = otel.named("linksfield attempt")
    assert current.get_span_context() == attempt.context
    assert "traceparent" not in {name.lower() for name in transport.requests[0].headers}
    assert context.get_value(SUPPRESSED) is None


async def test_bulk_calls_belong_to_the_caller_s_span(watched: Make, otel: Any) -> None:
    sending = watched(Account("P1"), Answering(S), observers=(otel.observer,))
    with otel.tracer_provider.get_tracer("caller").start_as_current_span("batch") as batch:
        outcomes = [
            o async for o in verify_many(service_of(sending), [ICCID] * 5, {"duplicates": "each"})
        ]
    assert len(outcomes) == 5
    spans = otel.named("linksfield SingleVerify")
    assert [s.parent.span_id for s in spans] == [batch.get_span_context().span_id] * 5


def test_a_blocking_caller_s_span_is_the_parent(watched: Make, otel: Any) -> None:
    sending = watched(Account("P1"), Answering(S), observers=(otel.observer,))
    tracer = otel.tracer_provider.get_tracer("caller")
    with start_blocking_portal() as portal, tracer.start_as_current_span("own") as own:
        portal.call(sending.send, VERIFY)
    (span,) = otel.named("linksfield SingleVerify")
    assert span.parent.span_id == own.get_span_context().span_id


class Hanging:
    async def send(self, *_: Any) -> Any:
        await asyncio.Event().wait()


async def test_a_cancelled_call_ends_its_spans(watched: Make, otel: Any) -> None:
    sending = watched(Account("P1"), Hanging(), observers=(otel.observer,))
    call = asyncio.ensure_future(sending.send(ResultConfirm(pay_id="1")))
    await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert [span.name for span in otel.spans] == ["linksfield ResultConfirm", "linksfield attempt"]
    for span in otel.spans:
        assert span.attributes["linksfield.outcome"] == "cancelled"
        assert span.status.description == "CancelledError"


async def test_a_coroutine_closed_elsewhere_leaves_that_place_alone(
    watched: Make, otel: Any, caplog: pytest.LogCaptureFixture
) -> None:
    sending = watched(Account("P1"), Hanging(), observers=(otel.observer,))
    coroutine = sending.send(VERIFY)

    async def begin() -> None:
        coroutine.send(None)

    await asyncio.create_task(begin())
    with otel.tracer_provider.get_tracer("caller").start_as_current_span("other") as other:
        coroutine.close()
        assert trace.get_current_span() is other
    assert len(otel.named("linksfield SingleVerify")) == 1
    assert caplog.records == []


async def test_where_nothing_is_sampled_no_child_is_made(watched: Make, otel: Any) -> None:
    transport = Looking(S)
    quiet = OpenTelemetry(TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False))
    await watched(Account("P1"), transport, observers=(quiet,)).send(VERIFY)
    ((current, suppressed),) = transport.seen
    assert not current.is_recording()
    assert suppressed is True


async def test_without_a_provider_the_global_one_is_used(watched: Make) -> None:
    await watched(Account("P1"), Answering(S), observers=(OpenTelemetry(),)).send(VERIFY)


def test_without_opentelemetry_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **named: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return real(name, *args, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.delitem(sys.modules, "linksfield_async.telemetry.otel")
    telemetry = importlib.import_module("linksfield_async.telemetry")
    with pytest.raises(ConfigurationError, match=r"pip install 'linksfield_async\[otel\]'"):
        _ = telemetry.OpenTelemetry


def test_it_is_imported_at_first_use_only() -> None:
    telemetry = importlib.import_module("linksfield_async.telemetry")
    assert telemetry.OpenTelemetry is OpenTelemetry
    with pytest.raises(AttributeError):
        _ = telemetry.Prometheus
