"""Spans and metrics of calls for OpenTelemetry; needs the extra `otel`.

One span per call, below the caller's current span, with children for waits and attempts. Nothing
is added to what is sent: no `traceparent` reaches the vendor.
"""

from __future__ import annotations

import time
from contextvars import Token
from typing import Any

import attrs

from ..errors import ConfigurationError
from ..operation import Operation
from ..version import __version__
from .observer import AttemptEnd, CallEnd, CallWatch, Wait, describe

try:
    from opentelemetry import context as otel_context
    from opentelemetry import metrics, trace
except ImportError as _missing:
    raise ConfigurationError(
        "OpenTelemetry is not installed: pip install 'linksfield_async[otel]'"
    ) from _missing

_SCOPE = "linksfield_async"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

# An instrumented aiohttp would show whole URLs, ICCIDs and signs in them, and add `traceparent`;
# this key, which the instrumentations look for, has no public name.
_SUPPRESS_HTTP: str | None = getattr(otel_context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", None)


class OpenTelemetry:
    """Makes spans and metrics with these providers, or with those that are set globally."""

    def __init__(
        self,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        tracer = trace.get_tracer(_SCOPE, __version__, tracer_provider)
        self._tools = _Tools.made(tracer, metrics.get_meter(_SCOPE, __version__, meter_provider))

    def call(self, operation: Operation[Any], /) -> CallWatch:
        """Begin a span below the caller's current one."""
        return _TracedCall(self._tools, operation)


@attrs.frozen
class _Tools:
    """The tracer and the instruments, made once."""

    tracer: trace.Tracer
    calls: metrics.Counter
    attempts: metrics.Counter
    call_seconds: metrics.Histogram
    wait_seconds: metrics.Histogram

    @classmethod
    def made(cls, tracer: trace.Tracer, meter: metrics.Meter) -> _Tools:
        return cls(
            tracer,
            meter.create_counter(
                "linksfield.calls", unit="{call}", description="Calls, by operation and outcome"
            ),
            meter.create_counter(
                "linksfield.attempts",
                unit="{attempt}",
                description="Attempts of calls, by operation and outcome",
            ),
            meter.create_histogram(
                "linksfield.call.duration",
                unit="s",
                description="Seconds of whole calls, waits and repeats included",
                explicit_bucket_boundaries_advisory=_SECONDS,
            ),
            meter.create_histogram(
                "linksfield.wait.duration",
                unit="s",
                description="Seconds waited for the rate limit, between attempts or at a breaker",
                explicit_bucket_boundaries_advisory=_SECONDS,
            ),
        )


class _TracedCall:
    __slots__ = ("_attempt", "_attempt_context", "_context", "_name", "_span", "_token", "_tools")

    def __init__(self, tools: _Tools, operation: Operation[Any]) -> None:
        kind = type(operation)
        self._tools = tools
        self._name = kind.__name__
        self._span = tools.tracer.start_span(
            f"linksfield {self._name}",
            kind=trace.SpanKind.CLIENT,
            attributes={
                "linksfield.operation": self._name,
                "linksfield.service": kind.service.value,
                "linksfield.effect": kind.effect.value,
                "http.request.method": kind.method,
            },
        )
        self._context = trace.set_span_in_context(self._span)
        self._attempt: trace.Span = trace.INVALID_SPAN
        self._attempt_context: otel_context.Context | None = None
        self._token: Token[otel_context.Context] | None = None

    def waited(self, why: Wait, seconds: float) -> None:
        self._tools.wait_seconds.record(
            seconds, {"linksfield.operation": self._name, "linksfield.wait": why.value}
        )
        if self._span.is_recording():
            now = time.time_ns()
            self._tools.tracer.start_span(
                "linksfield wait",
                context=self._context,
                attributes={"linksfield.wait": why.value},
                start_time=now - int(seconds * 1e9),
            ).end(now)

    def attempt_started(self, number: int) -> None:
        inside = self._context
        if self._span.is_recording():
            self._attempt = self._tools.tracer.start_span(
                "linksfield attempt",
                context=self._context,
                attributes={"linksfield.attempt": number},
            )
            inside = trace.set_span_in_context(self._attempt, self._context)
        if _SUPPRESS_HTTP is not None:
            inside = otel_context.set_value(_SUPPRESS_HTTP, True, inside)
        self._token, self._attempt_context = otel_context.attach(inside), inside

    def attempt_ended(self, attempt: AttemptEnd) -> None:
        self._leave()
        outcome = attempt.outcome
        self._tools.attempts.add(
            1, {"linksfield.operation": self._name, "linksfield.outcome": outcome}
        )
        _finish(self._attempt, outcome, attempt.status, attempt.error)
        self._attempt = trace.INVALID_SPAN

    def ended(self, call: CallEnd) -> None:
        outcome = call.outcome
        by = {"linksfield.operation": self._name, "linksfield.outcome": outcome}
        self._tools.calls.add(1, by)
        # In the context of the span, so that exemplars point to it.
        self._tools.call_seconds.record(call.seconds, by, context=self._context)
        self._span.set_attribute("linksfield.attempts", call.attempts)
        if call.code is not None:
            self._span.set_attribute("linksfield.operate_code", call.code)
        _finish(self._span, outcome, call.status, call.error)

    def _leave(self) -> None:
        token, self._token = self._token, None
        # A coroutine that is closed elsewhere ends in another context, where there is nothing
        # to leave.
        if token is not None and otel_context.get_current() is self._attempt_context:
            otel_context.detach(token)
        self._attempt_context = None


def _finish(
    span: trace.Span, outcome: str, status: int | None, error: BaseException | None
) -> None:
    """End a span with what it ended with; no exception is recorded, as its trace is not masked."""
    span.set_attribute("linksfield.outcome", outcome)
    if status is not None:
        span.set_attribute("http.response.status_code", status)
    if error is not None:
        span.set_attribute("error.type", type(error).__name__)
        span.set_status(trace.StatusCode.ERROR, describe(error))
    span.end()
