"""A sandbox with quick jobs and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import islice
from typing import Any

import pytest

from linksfield_async import Client, Options, Sandbox

FAST: dict[str, Any] = {"first_poll": 0.01, "longest_poll": 0.05, "settle_for": 0.2}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(cards=1_000, job_delay=0.03) as sandbox:
        yield sandbox


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[Client]:
    options = Options(deadline=5, group_polls=2_000)
    async with Client(sandbox.account, options=options) as client:
        yield client


@pytest.fixture
def cards(sandbox: Sandbox) -> list[str]:
    return list(islice(sandbox.world.iccids("valid"), 50))


@pytest.fixture
def fast() -> dict[str, Any]:
    return FAST
