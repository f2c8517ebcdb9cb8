from __future__ import annotations

import asyncio

import pytest

from linksfield_async.groups.together import together


async def test_an_error_ends_the_others_first() -> None:
    ended: list[str] = []

    async def long() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            ended.append("long")

    async def failing() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await together(long(), failing())
    assert ended == ["long"]
    await together()
