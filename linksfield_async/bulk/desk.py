"""What is done with one item: known already, the same as one further up, asked about, or sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from ..account import Account
from ..errors import ConfigurationError, InvalidInput, LinksfieldError, OutcomeUnknown
from ..operation import Effect, Operation
from ..pipeline import Exchange, Sender
from .firsts import Firsts, Identity
from .handover import Handover, Ready
from .intake import Passed, Taken
from .journal.rows import Reviver, Stored, answer_text, cells_of, error_text, says_not_carried_out
from .journal.schema import NAMES
from .outcome import Outcome, verdict_on
from .progress import Meter
from .room import Room
from .settings import Settings
from .settling import quarantine_end, settler_of
from .staffing import Staffing
from .stopping import StopWatch

if TYPE_CHECKING:
    from .journal.ledger import Ledger
    from .journal.writer import Cells

T = TypeVar("T")


@attrs.define(kw_only=True, eq=False)
class Desk(Generic[T]):
    """Does one item after another, for any number of workers at once."""

    sender: Sender
    account: Account
    settings: Settings
    ledger: Ledger | None
    firsts: Firsts
    room: Room
    handover: Handover
    meter: Meter
    staffing: Staffing
    watch: StopWatch
    stop: Callable[[str], None]
    """Called with the reason where the run has to stop by its own rules."""
    later: Callable[[Taken[T], float], None]
    """Called with what is to be settled, and the seconds until that may be done."""
    is_cutting: bool = False
    """Whether what is under way is being cut off."""
    once_under_way: int = 0
    _same: dict[Identity, list[Taken[T]]] = attrs.field(factory=dict)

    def pass_over(self, passed: Passed) -> None:
        """Count a block that needs nothing any more."""
        for verdict, count in passed.settled.items():
            self.meter.skipped(verdict, count)
        self.handover.skip(passed.position, sum(passed.settled.values()))
        self.room.release()

    async def handle(self, taken: Taken[T]) -> None:
        """Do what an item needs; its outcome is handed over when it is known."""
        stored = taken.stored
        if stored is not None and stored.is_decided and self._known(taken, stored):
            return
        if taken.problem is not None or taken.operation is None:
            await self._decide(taken, self._outcome(taken, None, taken.problem, 0.0), None)
            return
        if self.settings.duplicates == "once" and await self._is_same(taken):
            return
        if stored is not None and self._is_in_doubt(taken.operation, stored):
            self._settle_or_wait(taken, stored)
            return
        await self._send(taken, taken.operation)

    def _known(self, taken: Taken[T], stored: Stored) -> bool:
        """Hand over what the journal knows; False where the answer has to be looked for."""
        if taken.identity is not None:
            self.firsts.seen((taken.identity,))
        if not self._wants(taken, stored):
            self.meter.skipped(NAMES[stored.verdict], 1)
            self.handover.skip(taken.position)
            self.room.release()
            return True
        reviver = self._reviver()
        is_once = taken.operation is not None and taken.operation.effect is Effect.ONCE
        if not reviver.is_whole(stored) and (not is_once or stored.duplicate_of is not None):
            return False
        outcome = reviver.outcome(stored, taken.operation, taken.iccid)
        outcome = attrs.evolve(outcome, given=taken.given, row=taken.row)
        self.meter.add(outcome)
        cells = cells_of(taken.position, outcome.verdict)
        cells[-1] = True  # the row itself is there; only its delivery is news
        self.handover.put(Ready(outcome, None if stored.delivered else cells))
        return True

    def _wants(self, taken: Taken[T], stored: Stored) -> bool:
        wants = self.settings.replay
        if callable(wants):
            return bool(wants(taken.position, taken.row))
        return wants == "all" or not stored.delivered

    async def _is_same(self, taken: Taken[T]) -> bool:
        """Wait with one that is under way, or take over what became of it."""
        identity = taken.identity
        if identity is None:
            return False
        if identity in self._same:
            self._same[identity].append(taken)
            return True
        # Known to be under way before anything is waited for: a second one must not slip through.
        self._same[identity] = []
        first = await self.firsts.find(identity, taken.operation, taken.iccid)
        if first is None or first.position >= taken.position:
            return False
        same = [taken, *self._same.pop(identity)]
        for one in same:
            await self._decide(one, _copy_of(first, one), None)
        return True

    def _is_in_doubt(self, operation: Operation[T], stored: Stored) -> bool:
        """Tell whether it may have been carried out, where a repeat could do harm."""
        if operation.effect is not Effect.ONCE:
            return False
        if NAMES.get(stored.verdict) != "failed":
            return True
        return not says_not_carried_out(stored)

    def _settle_or_wait(self, taken: Taken[T], stored: Stored) -> None:
        journal, ledger = self.settings.journal, self.ledger
        assert journal is not None  # noqa: S101
        assert ledger is not None  # noqa: S101
        due = quarantine_end(journal, stored.at_ms or 0, ledger.last_beat_ms)
        manual = settler_of(journal) is None
        self.later(taken, 0.0 if manual else max(0.0, (due - ledger.wall_ms) / 1000))

    async def settle(self, taken: Taken[T]) -> None:
        """Find out what became of one in doubt; send it only where it was not carried out."""
        stored, operation, journal = taken.stored, taken.operation, self.settings.journal
        assert stored is not None  # noqa: S101
        assert operation is not None  # noqa: S101
        assert journal is not None  # noqa: S101
        settler = settler_of(journal)
        if settler is None:
            told = "it was sent before and no answer was recorded: settle it by hand"
            await self._still_unknown(taken, stored, told)
            return
        found = await settler(operation, self.sender)
        if found.carried_out is False:
            await self._send(taken, operation)
        elif found.carried_out:
            outcome = self._outcome(taken, None, None, 0.0)
            await self._decide(taken, attrs.evolve(outcome, settled=found.evidence), None)
        else:
            await self._still_unknown(taken, stored, found.evidence)

    async def _still_unknown(self, taken: Taken[T], stored: Stored, told: str) -> None:
        error = OutcomeUnknown(told, operation=taken.operation, attempts=stored.attempts)
        await self._decide(taken, self._outcome(taken, None, error, 0.0), None, at_ms=stored.at_ms)

    async def _send(self, taken: Taken[T], operation: Operation[T]) -> None:
        ledger, is_once = self.ledger, operation.effect is Effect.ONCE
        if is_once and ledger is not None:
            cells = cells_of(
                taken.position,
                None,
                at_ms=ledger.wall_ms,
                key=self.firsts.hiding.key_of(taken.identity),
            )
            await ledger.intend(cells)
        while ledger is not None and not is_once and self._has_no_room(ledger):
            await ledger.saved_some(at_once=not self.staffing.calls)
        clock = asyncio.get_running_loop().time
        self.staffing.began(taken.position, clock())
        self.once_under_way += is_once
        exchange: Exchange[T] | None = None
        error: LinksfieldError | None = None
        try:
            exchange = await self.sender.exchange(operation)
        except LinksfieldError as raised:
            if isinstance(raised, ConfigurationError) and not isinstance(raised, InvalidInput):
                raise  # the client's settings: the next item would fare no better
            error = raised
        except asyncio.CancelledError:
            if not (self.is_cutting and is_once):
                raise
            error = OutcomeUnknown("the run was stopped while this was under way")
            error.operation, error.attempts = operation, 1
        finally:
            self.once_under_way -= is_once
            failed = error is not None and verdict_on(error) in ("failed", "unknown")
            elapsed = self.staffing.ended(taken.position, clock(), failed=failed)
        at_ms = ledger.wall_ms if is_once and ledger is not None else None
        outcome = self._outcome(taken, exchange, error, elapsed)
        await self._decide(taken, outcome, exchange, at_ms=at_ms)

    def _has_no_room(self, ledger: Ledger) -> bool:
        """Tell whether a crash now would have more sent again than may be under way."""
        return len(self.staffing.calls) + ledger.unsaved >= self.staffing.allowed

    def _outcome(
        self,
        taken: Taken[T],
        exchange: Exchange[T] | None,
        error: LinksfieldError | None,
        elapsed: float,
    ) -> Outcome[T]:
        return Outcome(
            taken.position,
            taken.iccid,
            "valid" if error is None else verdict_on(error),
            None if exchange is None else exchange.result,
            error,
            exchange.attempts if exchange is not None else 0 if error is None else error.attempts,
            elapsed,
            taken.row,
            taken.given,
        )

    async def _decide(
        self,
        taken: Taken[T],
        outcome: Outcome[T],
        exchange: Exchange[T] | None,
        *,
        at_ms: int | None = None,
    ) -> None:
        """Write down what became of an item and of all that are the same, and hand it over."""
        cells = None
        # What is decided and was taken is counted in the journal: once is enough.
        is_counted = taken.stored is not None and taken.stored.is_settled
        if self.ledger is not None and not is_counted:
            cells = self._cells(taken, outcome, exchange, at_ms)
            self.ledger.put(cells)
        self.meter.add(outcome)
        self.handover.put(Ready(outcome, cells))
        reason = self.watch.add(outcome)
        if reason is not None:
            self.stop(reason)
        if taken.identity is None or outcome.duplicate_of is not None:
            return
        if self.ledger is None and self.settings.duplicates == "once":
            if self.firsts.is_full:
                await self.firsts.spill(self._cells(taken, outcome, exchange, at_ms))
            else:
                self.firsts.remember(taken.identity, outcome)
        for same in self._same.pop(taken.identity, ()):
            await self._decide(same, _copy_of(outcome, same), None)

    def _cells(
        self,
        taken: Taken[T],
        outcome: Outcome[T],
        exchange: Exchange[T] | None,
        at_ms: int | None,
    ) -> Cells:
        hiding = self.firsts.hiding
        return cells_of(
            taken.position,
            outcome.verdict,
            attempts=outcome.attempts,
            row=taken.row,
            duplicate_of=outcome.duplicate_of,
            at_ms=at_ms,
            status=None if exchange is None else exchange.status,
            key=hiding.key_of(taken.identity),
            error=error_text(outcome.error, outcome.settled),
            answer=None if exchange is None else answer_text(exchange.body, taken.iccid, hiding),
        )

    def _reviver(self) -> Reviver:
        return Reviver(self.account, self.firsts.hiding)


def _copy_of(first: Outcome[T], taken: Taken[T]) -> Outcome[T]:
    """Report for one item what became of the same one further up; nothing was sent for it."""
    return attrs.evolve(
        first,
        position=taken.position,
        row=taken.row,
        given=taken.given,
        attempts=0,
        elapsed=0.0,
        duplicate_of=first.position,
        replayed=False,
    )
