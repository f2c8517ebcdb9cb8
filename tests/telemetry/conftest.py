"""Pipelines whose calls are watched, and OpenTelemetry that keeps all it is told in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from linksfield_async import Account, Operation, Options
from linksfield_async.pipeline import Pipeline, Shared
from linksfield_async.telemetry import AttemptEnd, CallEnd, Observers, Wait
from linksfield_async.telemetry.otel import OpenTelemetry
from linksfield_async.transport.base import Transport


def made(
    account: Account,
    transport: Transport,
    options: Options | None = None,
    *,
    observers: tuple[Any, ...],
    **shared: Any,
) -> Pipeline:
    """Make a pipeline that tells `observers` of its calls."""
    parts: dict[str, Any] = {"account": account, "transport": transport, **shared}
    return Pipeline(Shared(**parts, observers=Observers(*observers)), options)


class Noting:
    """An observer that keeps what it is told, and each call's operation."""

    def __init__(self) -> None:
        self.operations: list[Operation[Any]] = []
        self.told: list[Any] = []

    def call(self, operation: Operation[Any]) -> Noting:
        self.operations.append(operation)
        return self

    def waited(self, why: Wait, seconds: float) -> None:
        self.told.append((why, round(seconds, 3)))

    def attempt_started(self, number: int) -> None:
        self.told.append(number)

    def attempt_ended(self, attempt: AttemptEnd) -> None:
        self.told.append(attempt)

    def ended(self, call: CallEnd) -> None:
        self.told.append(call)

    @property
    def end(self) -> CallEnd:
        """The one end of the one call."""
        (end,) = [told for told in self.told if isinstance(told, CallEnd)]
        assert self.told[-1] is end
        return end

    @property
    def attempts(self) -> list[AttemptEnd]:
        return [told for told in self.told if isinstance(told, AttemptEnd)]


@attrs.frozen
class Otel:
    """The observer, and what came of it."""

    observer: OpenTelemetry
    tracer_provider: TracerProvider
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    @property
    def spans(self) -> list[ReadableSpan]:
        """Ended spans, in the order of their beginning."""
        return sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def metrics(self) -> dict[str, list[Any]]:
        """Data points by metric."""
        data = self.reader.get_metrics_data()
        return {
            metric.name: list(metric.data.data_points)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def watched() -> Callable[..., Pipeline]:
    return made


@pytest.fixture
def noting() -> Noting:
    return Noting()


@pytest.fixture
def otel() -> Iterator[Otel]:
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    meters = MeterProvider([reader], shutdown_on_exit=False)
    yield Otel(OpenTelemetry(tracers, meters), tracers, exporter, reader)
    tracers.shutdown()
    meters.shutdown()
