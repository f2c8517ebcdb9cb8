"""What is done with one item: known already, the same as one further up, asked about, or sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from ..account import Account
from ..errors import (
    ConfigurationError,
    InvalidInput,
    JournalError,
    LinksfieldError,
    NotSent,
    OutcomeUnknown,
)
from ..operation import Effect, Operation, Service
from ..pipeline import Exchange, Sender
from ..protocol import Request
from ..resilience.clock import time_of
from .firsts import Firsts, Identity
from .handover import Handover
from .intake import Passed, Taken
from .journal.rows import Reviver, Stored, answer_text, cells_of, error_text, refusal_in
from .journal.schema import BLOCK, NAMES
from .outcome import Outcome, verdict_on
from .progress import Meter
from .room import Room
from .settings import Settings
from .staffing import Staffing
from .stopping import StopWatch

if TYPE_CHECKING:
    from .doubts import Doubts
    from .journal.ledger import Ledger
    from .journal.writer import Cells

T = TypeVar("T")


@attrs.define
class Departure:
    """One call on its way out."""

    position: int
    is_once: bool
    has_left: bool = False

    def cut_off(self) -> LinksfieldError:
        """Say what may be concluded where the run was stopped in the middle of it."""
        if self.has_left:
            return OutcomeUnknown("the run was stopped while this was under way", attempts=1)
        return NotSent("the run was stopped before this left")


_DEPARTURE: ContextVar[Departure | None] = ContextVar("linksfield_async_departure", default=None)


@attrs.define(kw_only=True, eq=False)
class Desk(Generic[T]):
    """Does one item after another, for any number of workers at once."""

    sender: Sender = attrs.field(init=False)
    """Set once it is made, because it is told of this desk."""
    account: Account
    settings: Settings
    ledger: Ledger | None
    doubts: Doubts | None = attrs.field(init=False, default=None)
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
    _same: dict[Identity, list[Taken[T]] | None] = attrs.field(factory=dict)
    """What is under way, and the same ones that wait for it."""
    _time: Callable[[], float] = attrs.field(init=False)
    _sends_once: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._time = time_of(asyncio.get_running_loop())
        self._sends_once = self.settings.duplicates == "once"

    def pass_over(self, passed: Passed) -> None:
        """Count a block that needs nothing any more."""
        for verdict, count in passed.settled.items():
            self.meter.skipped(verdict, count)
        if self.doubts is not None and passed.settled["valid"] == BLOCK:
            self.doubts.known(passed.last)
        self.handover.skip(passed.position, sum(passed.settled.values()))
        self.room.release()

    def handle(self, taken: Taken[T]) -> Coroutine[Any, Any, None] | None:
        """Do what an item needs, and give what is still to be awaited of that.

        Its outcome is handed over when it is known.
        """
        stored, operation = taken.stored, taken.operation
        if stored is not None and stored.is_decided and self._known(taken, stored):
            return None
        if taken.problem is not None or operation is None:
            self._decide(taken, self._outcome(taken, None, taken.problem, 0.0), None)
            return None
        identity = taken.identity
        if self._sends_once and identity is not None:
            same = self._same
            if identity in same:
                same[identity] = [*(same[identity] or ()), taken]
                return None
            # Known to be under way before anything is waited for: a second one must not slip by.
            same[identity] = None
            if self.firsts.may_know(identity):
                return self._look_up(taken, identity, operation)
        return self._send(taken, operation) if stored is None else self._conclude(taken, operation)

    def _conclude(
        self, taken: Taken[T], operation: Operation[T]
    ) -> Coroutine[Any, Any, None] | None:
        """Send one that is no double, if an earlier session has not left it in doubt."""
        stored, doubts = taken.stored, self.doubts
        if stored is not None and doubts is not None and doubts.has(operation, stored):
            self.later(taken, doubts.seconds_to_wait(stored))
            return None
        return self._send(taken, operation)

    def _known(self, taken: Taken[T], stored: Stored) -> bool:
        """Hand over what the journal knows; False where the answer has to be looked for."""
        if taken.identity is not None:
            self.firsts.seen((taken.identity,))
        if self.doubts is not None and NAMES[stored.verdict] == "valid" and stored.answer:
            self.doubts.known(taken.operation)
        if not self._wants(taken, stored):
            self.meter.skipped(NAMES[stored.verdict], 1)
            self.handover.skip(taken.position)
            self.room.release()
            return True
        outcome = self._reviver().outcome(stored, taken.operation, taken.iccid)
        if outcome is None:
            return False
        outcome = attrs.evolve(outcome, given=taken.given, row=taken.row)
        self.meter.add(outcome)
        cells = cells_of(taken.position, outcome.verdict)
        cells[-1] = True  # the row itself is there; only its delivery is news
        self.handover.put((outcome, None if stored.delivered else cells))
        return True

    def _wants(self, taken: Taken[T], stored: Stored) -> bool:
        wants = self.settings.replay
        if callable(wants):
            return bool(wants(taken.position, taken.row))
        return wants == "all" or not stored.delivered

    async def _look_up(self, taken: Taken[T], identity: Identity, operation: Operation[T]) -> None:
        """Take over what became of the same one further up, or do what else it needs."""
        first: Outcome[T] | None = await self.firsts.find(identity, operation, taken.iccid)
        if first is None or first.position >= taken.position:
            todo = self._conclude(taken, operation)
            if todo is not None:
                await todo
            return
        for one in (taken, *(self._same.pop(identity) or ())):
            self._decide(one, _copy_of(first, one), None)

    async def settle(self, taken: Taken[T]) -> None:
        """Find out what became of one in doubt; send it only where it was not carried out."""
        stored, operation, doubts = taken.stored, taken.operation, self.doubts
        assert stored is not None  # noqa: S101
        assert operation is not None  # noqa: S101
        assert doubts is not None  # noqa: S101
        found = await doubts.conclude(operation)
        refusal = refusal_in(stored, operation)
        if found.carried_out is False and refusal is None:
            await self._send(taken, operation)
            return
        error: LinksfieldError | None = None
        if found.carried_out is None:
            # A refusal stays one, also where nothing more is found out for now.
            error = refusal or OutcomeUnknown(found.evidence, operation=operation)
        elif found.carried_out is False and refusal is not None:
            # It was answered, with a no that is now proved: that is never sent again.
            error = refusal.with_facts(carried_out=False, needs_reconciliation=False)
        if error is not None:
            error.attempts = stored.attempts
        outcome = self._outcome(taken, None, error, 0.0)
        if found.carried_out is not None:
            outcome = attrs.evolve(
                outcome,
                verdict="valid" if error is None else "refused",
                settled=found.evidence,
            )
        self._decide(taken, outcome, None, at_ms=stored.at_ms, was_sent=False)

    async def _send(self, taken: Taken[T], operation: Operation[T]) -> None:
        position, is_once = taken.position, operation.effect is Effect.ONCE
        ledger, staffing = self.ledger, self.staffing
        if ledger is not None:
            await self._written_first(taken, ledger, is_once=is_once)
        departure = Departure(position, is_once)
        staffing.began(position, self._time())
        self.once_under_way += is_once
        token = _DEPARTURE.set(departure)
        exchange: Exchange[T] | None = None
        error: LinksfieldError | None = None
        try:
            exchange = await self.sender.exchange(operation)
        except (LinksfieldError, asyncio.CancelledError) as raised:
            error = self._error_in(raised, departure, operation)
            if error is None:
                raise
        finally:
            _DEPARTURE.reset(token)
            self.once_under_way -= is_once
            failed = error is not None and verdict_on(error) in ("failed", "unknown")
            elapsed = staffing.ended(position, self._time(), failed=failed)
        at_ms = ledger.stored_ms if is_once and ledger is not None else None
        if error is None and self.doubts is not None:
            self.doubts.known(operation)
        outcome = self._outcome(taken, exchange, error, elapsed)
        self._decide(taken, outcome, exchange, at_ms=at_ms)
        if self.firsts.is_behind:
            await self.firsts.caught_up()

    def _error_in(
        self, raised: BaseException, departure: Departure, operation: Operation[T]
    ) -> LinksfieldError | None:
        """Give what an item's outcome says of it; None for what is not about this item."""
        if isinstance(raised, asyncio.CancelledError):
            if not (self.is_cutting and departure.is_once):
                return None
            error = departure.cut_off()
            error.operation = operation
            return error
        if isinstance(raised, ConfigurationError) and not isinstance(raised, InvalidInput):
            return None  # the client's settings: the next item would fare no better
        return raised if isinstance(raised, LinksfieldError) else None

    async def _written_first(self, taken: Taken[T], ledger: Ledger, *, is_once: bool) -> None:
        """Have the disk know of one that must not be repeated, and of enough others."""
        if is_once:
            key = taken.key(self.firsts.hiding)
            await ledger.intend(cells_of(taken.position, None, at_ms=ledger.stored_ms, key=key))
            return
        while self._has_no_room(ledger):
            await ledger.saved_some(at_once=not self.staffing.calls)

    def leaving(self, request: Request) -> Awaitable[None] | None:
        """Note that a request leaves; first the journal has to know of this moment."""
        departure = _DEPARTURE.get()
        if departure is None:
            return None  # a question about one in doubt
        if departure.is_once and self.ledger is not None:
            return self._leaving_once(departure, self.ledger)
        departure.has_left = True
        self.staffing.leaves(departure.position, self._time())
        return None

    async def _leaving_once(self, departure: Departure, ledger: Ledger) -> None:
        try:
            await ledger.may_leave()
        except JournalError as error:
            raise error.with_facts(carried_out=False)  # noqa: B904 - the same one
        departure.has_left = True
        self.staffing.leaves(departure.position, self._time())

    def _has_no_room(self, ledger: Ledger) -> bool:
        """Tell whether a crash now would have more sent again than may be under way."""
        unsaved = ledger.unsaved
        # Without any there is nothing to wait for, however far the limit has fallen meanwhile.
        return unsaved > 0 and len(self.staffing.calls) + unsaved >= self.staffing.allowed

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

    def _decide(
        self,
        taken: Taken[T],
        outcome: Outcome[T],
        exchange: Exchange[T] | None,
        *,
        at_ms: int | None = None,
        was_sent: bool = True,
    ) -> None:
        """Write down what became of an item and of all that are the same, and hand it over."""
        cells = None
        broken: JournalError | None = None
        # What is decided and was taken is counted in the journal: once is enough.
        if self.ledger is not None and (taken.stored is None or not taken.stored.is_settled):
            cells = self._cells(taken, outcome, exchange, at_ms)
            try:
                self.ledger.put(cells)
            except JournalError as error:
                cells, broken = None, error  # the caller still has to learn what it is
        self.meter.add(outcome)
        self.handover.put((outcome, cells))
        if broken is not None:
            raise broken
        reason = self.watch.add(outcome) if was_sent else None
        if reason is not None:
            self.stop(reason)
        identity = taken.identity
        if identity is None or outcome.duplicate_of is not None:
            return
        if self._sends_once and self.ledger is None:
            kept = None if _is_secret(taken) else exchange
            self.firsts.remember(identity, outcome, kept, self._same)
        for same in self._same.pop(identity, None) or ():
            self._decide(same, _copy_of(outcome, same), None)

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
            key=taken.key(hiding),
            error=error_text(outcome.error, outcome.settled, hiding),
            answer=self._answer(taken, exchange),
        )

    def _answer(self, taken: Taken[T], exchange: Exchange[T] | None) -> str | None:
        if exchange is None or _is_secret(taken):
            return None
        return answer_text(exchange.body, taken.iccid, self.firsts.hiding)

    def _reviver(self) -> Reviver:
        return Reviver(self.account, self.firsts.hiding)


def _is_secret(taken: Taken[Any]) -> bool:
    """Tell whether its answer is never written down: client secrets and mail addresses in it."""
    return taken.operation is not None and taken.operation.service is Service.PAYMENT


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
