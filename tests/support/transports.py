"""Which transport a test runs over: a module takes `both` as its fixture to run over each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest

from linksfield_async import Options
from linksfield_async.transport.choice import transport_for

Name = Literal["auto", "session", "direct"]
_chosen: list[Name] = ["auto"]


@pytest.fixture(params=["direct", "session"])
def both(request: pytest.FixtureRequest) -> Iterator[Name]:
    """Run over each of the transports; what is made by `options` or `transport` follows."""
    _chosen.append(request.param)
    yield request.param
    _chosen.pop()


def options(**given: Any) -> Options:
    return Options(**{"transport": _chosen[-1], **given})


def transport(**given: Any) -> Any:
    return transport_for(options(**given))
