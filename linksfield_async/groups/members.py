"""Reads the members of groups; those who ask at the same time share a reading."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TypeAlias

from ..errors import BadAnswer
from ..operations import ListGroupSims
from ..pipeline import Sender
from .cards import plain
from .pages import check_is_all

Members: TypeAlias = Mapping[str, str]
"""Each card of a group, as it is compared, and as the service writes it."""


class Reading:
    """The readings of one client in one event loop; a reading counts only if it began later."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._began: dict[str, int] = {}
        self._latest: dict[str, tuple[int, Members]] = {}
        self._waiting: dict[str, int] = {}

    async def members(self, group_id: str, sender: Sender) -> Members:
        """Read a group; what is given was read after this was called."""
        lock = self._locks.setdefault(group_id, asyncio.Lock())
        needed = self._began.get(group_id, 0) + 1
        self._waiting[group_id] = self._waiting.get(group_id, 0) + 1
        try:
            async with lock:
                done, members = self._latest.get(group_id, (0, {}))
                if done >= needed:
                    return members
                self._began[group_id] = number = self._began.get(group_id, 0) + 1
                exchange = await sender.exchange(ListGroupSims(group_id=group_id))
                listed = exchange.result
                check_is_all(exchange.raw, len(listed))
                members = {plain(iccid): iccid for iccid in listed}
                if "" in members:
                    raise BadAnswer("the group lists a blank ICCID: what it has is not known")
                self._latest[group_id] = (number, members)
                return members
        finally:
            self._waiting[group_id] -= 1
            if not self._waiting[group_id]:  # nobody is left who may share it
                for kept in (self._waiting, self._latest, self._locks, self._began):
                    kept.pop(group_id, None)
