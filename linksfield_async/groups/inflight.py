"""Changes of one card in one group never overlap: the later one waits for the end of the earlier."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from .job import GroupJob


class InFlight:
    """Which job has which cards; of one client in one event loop.

    A job that nobody holds any more has lost its claim: nobody can learn of its end. The poller
    holds those whose results are asked for.
    """

    def __init__(self) -> None:
        self._cards: dict[str, WeakValueDictionary[str, GroupJob]] = {}
        self._gates: dict[str, asyncio.Future[None]] = {}

    async def claim(self, job: GroupJob, cards: Iterable[str]) -> None:
        """Wait until no other change of these cards is open, and take them.

        Raises what an earlier change ends with, where that stays unknown.
        """
        cards = tuple(cards)
        while True:
            gate = self._gates.get(job.group_id)
            if gate is not None:
                await asyncio.shield(gate)
                continue
            held = self._cards.get(job.group_id)
            if held is None:
                held = self._cards[job.group_id] = WeakValueDictionary()
            others = {id(other): other for card in cards if (other := held.get(card)) is not None}
            if not others:
                for card in cards:
                    held[card] = job
                return
            for other in others.values():
                await other.finish(ask_again=False)

    def hold(self, job: GroupJob) -> None:
        """Take the cards of a job that is under way already, as far as nobody else has them."""
        held = self._cards.setdefault(job.group_id, WeakValueDictionary())
        for card in job.cards:
            held.setdefault(card, job)

    def leave(self, job: GroupJob) -> None:
        """Let a job that broke off, and that nobody may hold, keep its claim for a while.

        As long as the group would be read to settle it; whoever waits for its cards settles it.
        """
        asyncio.get_running_loop().call_later(job.settings.settle_for, _let_go, job)

    def release(self, job: GroupJob) -> None:
        """Give the cards of a job free."""
        held = self._cards.get(job.group_id)
        if held is None:
            return
        for card in job.cards:
            if held.get(card) is job:
                del held[card]
        if not held:
            del self._cards[job.group_id]

    @asynccontextmanager
    async def whole(self, group_id: str) -> AsyncIterator[None]:
        """Hold a whole group: wait for its open changes, and let no other one begin meanwhile."""
        while (gate := self._gates.get(group_id)) is not None:
            await asyncio.shield(gate)
        self._gates[group_id] = gate = asyncio.get_running_loop().create_future()
        try:
            jobs = {id(job): job for job in self._cards.get(group_id, {}).values()}
            for job in jobs.values():
                await job.finish(ask_again=False)
            yield
        finally:
            del self._gates[group_id]
            gate.set_result(None)


def _let_go(_: GroupJob) -> None:
    """Nothing: that it was given here has held the job."""
