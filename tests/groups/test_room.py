from __future__ import annotations

import asyncio

import pytest

from linksfield_async import Account, ClientClosed
from linksfield_async.groups.room import Room
from linksfield_async.resilience.clock import Clock


def test_a_desk_for_each_loop_and_none_kept_of_closed_ones() -> None:
    room = Room(Account("P1"), 50.0, Clock())

    async def desk() -> object:
        assert room.desk() is room.desk()
        return room.desk()

    first, second = asyncio.run(desk()), asyncio.run(desk())
    assert first is not second
    assert len(room._desks) == 1


async def test_a_closed_room_has_no_desk() -> None:
    room = Room(Account("P1"), 50.0, Clock())
    room.desk()
    await room.close()
    await room.close()
    with pytest.raises(ClientClosed):
        room.desk()
