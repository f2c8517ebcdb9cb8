"""Steps that must not be carried out twice: kept before they are sent, and after their answer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TypeVar

import attrs

from ..errors import (
    CheckoutConflict,
    CheckoutRefused,
    ConfigurationError,
    LinksfieldError,
    Refused,
    Throttled,
)
from ..operation import Operation
from .record import Intent, Record
from .room import Room
from .saving import loaded, saved
from .state import State, Step
from .store import Keeper

T = TypeVar("T")


class Stepping:
    """Holds one checkout's record, and replaces it only by one that was kept."""

    def __init__(self, room: Room, record: Record, keeper: Keeper | None) -> None:
        self.room = room
        self.record = record
        self.error: LinksfieldError | None = None
        """Why the last step has no good answer."""
        self._keeper = keeper

    async def claim(self) -> bool:
        """Keep the first revision, before anything is sent; False where somebody else has."""
        try:
            await self._keep(self.record)
        except CheckoutConflict:
            return False
        return True

    async def commit(self, record: Record) -> None:
        """Keep a new record; where that raises, the old one stands."""
        if record != self.record:
            await self._keep(record)

    async def _keep(self, record: Record) -> None:
        record = attrs.evolve(record, revision=self.record.revision + 1)
        if self._keeper is not None:
            await self._keeper.keep(saved(record), record.revision)
        self.record = record

    async def once(self, step: Step, operation: Operation[T]) -> tuple[T] | None:
        """Send what must not be carried out twice; None where there is no good answer.

        The step stays under way until its outcome is committed: after a crash it is asked about.
        """
        if self._keeper is None:
            raise CheckoutRefused(f"{step}: nothing is sent that is not kept before; give save=")
        if self.record.under_way is not None:
            raise CheckoutRefused(
                f"{step}: whether {self.record.under_way.step} was carried out must be known first"
            )
        name = type(operation).__name__
        self.error = None
        intent = Intent.now(step, self.room.deadline)
        sent = tuple(dict.fromkeys((*self.record.sent, step)))
        await self.commit(self.record.noting(f"{name} is sent", under_way=intent, sent=sent))
        try:
            return (await self.room.sender.send(operation),)
        except LinksfieldError as error:
            self.error = error
            await self._without_answer(step, f"{name}: {type(error).__name__}: {error}", error)
            if isinstance(error, ConfigurationError):
                raise
            return None

    async def _without_answer(self, step: Step, told: str, error: LinksfieldError) -> None:
        is_ordering = step is Step.ORDERING
        if error.carried_out is not False:
            doubted = self.record.doubted or is_ordering
            await self.commit(self.record.noting(told, under_way=Intent.now(step), doubted=doubted))
            return
        is_no = isinstance(error, Refused) and not isinstance(error, Throttled)
        if is_ordering and is_no and self.record.doubted:
            # Perhaps because the first one was carried out after all: it is asked about.
            refusal = Intent.now(step, refused=True)
            await self.commit(self.record.noting(told, under_way=refusal))
            return
        if is_ordering and is_no:
            refused = self.record.moving(State.FAILED, told, under_way=None, refused=True)
            await self.commit(refused)
            return
        await self.commit(self.record.noting(told, under_way=None))

    async def witnesses(self, known: Sequence[str]) -> list[Record]:
        """List checkouts that may prove that asking works: given, seen here, or from the store."""
        texts = [] if self._keeper is None else await self._keeper.known()
        given = [loaded(one, self.room.account) for one in known]
        for text in texts:
            with suppress(CheckoutRefused):  # one store may serve several partners
                given.append(loaded(text, self.room.account))
        kept = self.room.witnesses
        step = None if self.record.under_way is None else self.record.under_way.step
        if step in (Step.SUBSCRIBING, Step.CANCELING):
            return [*(one for one in given if one.shown_renewal), *kept.renewals.kept][:_MOST]
        return [*(one for one in given if one.shown_unpaid), *kept.orders.kept][:_MOST]


_MOST = 6
