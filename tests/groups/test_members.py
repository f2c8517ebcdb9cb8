from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from linksfield_async.errors import OutcomeUnknown
from linksfield_async.groups.members import Reading


class Lists:
    """Answers each listing with its number, once it is let to."""

    def __init__(self) -> None:
        self.begun = 0
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    async def exchange(self, operation: Any) -> Any:
        self.begun += 1
        number = self.begun
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return SimpleNamespace(result=(f"{operation.group_id}-{number}F",), raw={})


async def test_a_reading_that_began_before_does_not_count() -> None:
    lists, reading = Lists(), Reading()
    first = asyncio.create_task(reading.members("G", lists))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    later = [asyncio.create_task(reading.members("G", lists)) for _ in range(20)]  # type: ignore[arg-type]
    await asyncio.sleep(0)
    lists.gate.set()
    assert await first == {"G-1": "G-1F"}
    assert all([await one == {"G-2": "G-2F"} for one in later])
    assert lists.begun == 2


async def test_nothing_is_kept_when_nobody_waits() -> None:
    lists, reading = Lists(), Reading()
    lists.gate.set()
    for number in (1, 2):
        found = await reading.members("G", lists)  # type: ignore[arg-type]
        assert found == {f"G-{number}": f"G-{number}F"}
    assert not any((reading._locks, reading._latest, reading._began, reading._waiting))


async def test_a_reading_that_fails_fails_for_each() -> None:
    lists, reading = Lists(), Reading()
    lists.error = OutcomeUnknown("lost")
    lists.gate.set()
    with pytest.raises(OutcomeUnknown):
        await reading.members("G", lists)  # type: ignore[arg-type]
    lists.error = None
    assert await reading.members("G", lists)  # type: ignore[arg-type]
