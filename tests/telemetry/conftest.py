"""Pipelines whose calls are watched, and what watches them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from otel_memory import Otel, otel_in_memory

from linksfield_async import Account, Operation, Options
from linksfield_async.pipeline import Pipeline, Shared
from linksfield_async.telemetry import AttemptEnd, CallEnd, Observers, Wait
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


@pytest.fixture
def watched() -> Callable[..., Pipeline]:
    return made


@pytest.fixture
def noting() -> Noting:
    return Noting()


@pytest.fixture
def otel() -> Iterator[Otel]:
    with otel_in_memory() as otel:
        yield otel
