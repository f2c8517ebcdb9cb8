"""GroupJob: a change of a group that runs in the background, to be waited for."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Generator, Iterable
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from ..masking import one_line
from ..pipeline import Sender
from ..resilience.clock import Clock
from .cards import digest_of
from .ending import still_unknown, why_not_ended
from .judging import Judging
from .parts import Part, State
from .report import CardChange, Change, GroupReport
from .settings import Settings
from .status import JobStatus
from .tokens import Token

if TYPE_CHECKING:
    from .journal import ChangeJournal
    from .room import Desk

_log = logging.getLogger("linksfield_async")

_SECONDS_BETWEEN = 0.5
"""At least, between two calls that tell how far a job is."""
_LONGEST_PAUSE = 10.0
"""Seconds between two readings of a group that does not show what it should."""


class GroupJob:
    """A change of a group: `await` it, iterate over it, or keep its `token`.

    Its results are asked for from the start, with those of all other jobs of the client. Belongs
    to the event loop in which it was made.
    """

    # Thousands may be open at once.
    __slots__ = (
        "__weakref__",
        "_changes",
        "_desk",
        "_error",
        "_extra",
        "_lock",
        "_news",
        "_open",
        "_over",
        "_pause",
        "_told_at",
        "beginning",
        "cards",
        "change",
        "digest",
        "doubles",
        "group_id",
        "journal",
        "parts",
        "resumed",
        "sender",
        "sending",
        "settings",
        "total",
    )

    def __init__(
        self,
        desk: Desk,
        sender: Sender,
        settings: Settings,
        *,
        group_id: str,
        change: Change,
        cards: tuple[str, ...],
        doubles: int = 0,
    ) -> None:
        self.group_id, self.cards = group_id, cards
        self.change: Change = change
        self.total, self.doubles = len(cards), doubles
        self.digest: str | None = None
        self.settings, self.sender = settings, sender
        self.journal: ChangeJournal | None = None
        self.parts: list[Part] = []
        self.beginning = self.sending = False
        self.resumed = False
        """Whether which card is in which request is known from the results only."""
        self._desk = desk
        self._open = 0
        self._news: asyncio.Future[None] | None = None
        self._lock: asyncio.Lock | None = None
        self._changes: list[CardChange] = []
        self._extra: list[CardChange] = []
        self._over = False
        self._error: BaseException | None = None
        self._pause, self._told_at = 0.0, -math.inf

    @property
    def clock(self) -> Clock:
        """The clock of the client that made it."""
        return self._desk.clock

    @property
    def adding(self) -> bool:
        """Whether cards are added."""
        return self.change == "add"

    @property
    def request_ids(self) -> tuple[str, ...]:
        """The ids of the requests that were accepted."""
        return tuple(part.request_id for part in self.parts if part.request_id)

    @property
    def token(self) -> str:
        """A small text with which `groups.resume` goes on, also in another process."""
        if self.digest is None:
            self.digest = digest_of(self.cards)
        requests = tuple((part.request_id, part.count) for part in self.parts if part.request_id)
        return Token(
            group_id=self.group_id,
            change=self.change,
            requests=requests,
            cards=self.total,
            digest=self.digest,
            iccids=self.cards,
        ).text()

    def status(self) -> JobStatus:
        """Tell how far it is, without asking."""
        states = [part.state for part in self.parts]
        return JobStatus(
            group_id=self.group_id,
            change=self.change,
            cards=self.total,
            requests=len(states),
            open=states.count(State.ACCEPTED),
            in_doubt=states.count(State.DOUBT),
            refused=states.count(State.REFUSED),
            words=tuple(sorted({part.word for part in self.parts if part.word})),
            decided=len(self._changes),
            is_over=self._over,
        )

    def __await__(self) -> Generator[Any, None, GroupReport]:
        return self.wait().__await__()

    async def wait(self, timeout: float | None = None) -> GroupReport:  # noqa: ASYNC109
        """Wait for the end, and tell what became of each card.

        StillUnknown where it has not ended after `timeout` seconds, or after `within` of its
        settings; it can be waited for again.
        """
        if timeout is None:
            return await self.finish()
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or timeout < 0:
            raise ConfigurationError(f"timeout must be seconds, 0 or more, not {timeout!r}")
        try:
            async with asyncio.timeout(timeout):
                return await self.finish(until=self.clock.monotonic() + timeout)
        except TimeoutError as error:
            waited = [part for part in self.parts if not part.is_judged]
            raise still_unknown(self.group_id, waited, after=timeout) from error

    async def __aiter__(self) -> AsyncIterator[CardChange]:
        told = 0
        self._check_loop()
        self._ask_again()
        while True:
            while told < len(self._changes):
                yield self._changes[told]
                told += 1
            if not self._is_left():
                break
            await self._advance(eager=True)
        await self.finish()

    async def finish(self, *, ask_again: bool = True, until: float | None = None) -> GroupReport:
        """Wait for the end; StillUnknown where a request has not ended in its time."""
        self._check_loop()
        while self.beginning:  # it has sent nothing yet, or goes on with its journal
            await self._next_news()
        if ask_again:
            self._ask_again()
        await self.drain(until)
        late = self.late
        if late:
            self._desk.in_flight.release(self)
            raise still_unknown(self.group_id, late, after=self.settings.within)
        async with self._one_at_a_time():
            if not self._over:
                if self.journal is not None:
                    await self.journal.close("finished")
                # Only now: who waits for the cards may want the journal as well.
                self._over = True
                self._desk.in_flight.release(self)
        return self.report()

    def _check_loop(self) -> None:
        if asyncio.get_running_loop() is not self._desk.poller.loop:
            raise ConfigurationError(
                "the job belongs to another event loop, or to the process that this one was forked "
                "from: go on from its `token` with groups.resume"
            )

    async def drain(self, until: float | None = None) -> None:
        """Wait until everything is concluded that can be; what has not ended in time is left.

        TimeoutError once the clock is at `until`.
        """
        while self._is_left():
            # A clock of a test may be ahead of the timers.
            if until is not None and self.clock.monotonic() >= until:
                raise TimeoutError
            await self._advance(eager=False)

    @property
    def late(self) -> list[Part]:
        """The requests that have not ended in their time."""
        return [part for part in self.parts if part.state is State.LATE]

    def report(self) -> GroupReport:
        """Put together what is known."""
        unended = [
            CardChange(card, self.change, "unknown", why_not_ended(part), part.request_id)
            for part in self.late
            for card in (part.cards if part.undecided is None else part.undecided)
        ]
        changes = {one.iccid: one for one in (*self._changes, *unended)}
        contradictions = tuple(
            f"{part.request_id}: {told}" for part in self.parts for told in part.contradictions
        )
        return GroupReport(
            group_id=self.group_id,
            change=self.change,
            changes=tuple(changes.values()),
            extra=tuple(self._extra),
            doubles=self.doubles,
            unaccounted=max(0, self.total - len(changes)),
            contradictions=contradictions,
        )

    def opened(self, part: Part, pause: float | None = None) -> None:
        """Have the result of a request asked for, first after a pause."""
        self._desk.poller.add(part, self.settings.first_poll if pause is None else pause)
        self._open += 1

    def decided(self, changes: Iterable[CardChange]) -> None:
        """Take in what an earlier session has concluded; a later verdict of a card stands."""
        self._changes.extend(changes)

    def part_ended(self, _: Part) -> None:
        """Take in that a request's result is not asked for any more."""
        self._open -= 1
        self.stir()

    def take(self, cards: Iterable[str]) -> None:
        """Claim further cards, which nobody else can have now."""
        self.cards = (*self.cards, *cards)
        self._desk.in_flight.hold(self)

    async def break_off(self) -> None:
        """Give free what nothing can come of any more; what was sent may still be carried out."""
        journal, self.journal = self.journal, None
        if any(part.state in (State.ACCEPTED, State.DOUBT) for part in self.parts):
            self._desk.in_flight.leave(self)
        else:
            self._desk.in_flight.release(self)
        if journal is not None:
            await journal.close("left")

    def broke(self, error: BaseException) -> None:
        """Take in that nothing more can come."""
        self._error = self._error or error
        self._desk.in_flight.release(self)
        self.stir()

    def stir(self) -> None:
        """Wake those who wait, and tell how far it is."""
        self._tell()
        news, self._news = self._news, None
        if news is not None and not news.done():
            news.set_result(None)

    def _is_left(self) -> bool:
        if self.sending or self._open:
            return True
        if any(not part.is_judged and part.state is not State.LATE for part in self.parts):
            return True
        if self.resumed and self.cards and not self.late:
            self.resumed = False
            named = {card for part in self.parts for card in part.cards}
            rest = tuple(card for card in self.cards if card not in named)
            if rest:  # no result names them: the group decides
                self.parts.append(Part(self, rest, len(rest), State.ENDED, said={}))
                return True
        return False

    def _ask_again(self) -> None:
        """Give requests that have not ended in their time the same time once more."""
        for part in self.parts:
            if part.state is State.LATE:
                self.opened(part)

    def _tell(self) -> None:
        if self.settings.progress is None or self._told_at == math.inf:
            return
        now = self.clock.monotonic()
        if now - self._told_at >= _SECONDS_BETWEEN:
            self._told_at = now
            try:
                self.settings.progress(self.status())
            except Exception as fault:  # a fault of who looks on is not the change's
                self._told_at = math.inf
                _log.warning("progress is not shown any more: %s", one_line(repr(fault)))

    async def _next_news(self) -> None:
        if self._news is None:
            self._news = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._news)

    def _one_at_a_time(self) -> asyncio.Lock:
        if self._lock is None:
            self._lock = asyncio.Lock()
        return self._lock

    async def _advance(self, *, eager: bool) -> None:
        """Wait for something to happen, or judge what has ended; one caller at a time."""
        async with self._one_at_a_time():
            if self._error is not None:
                raise self._error
            ripe = [
                part
                for part in self.parts
                if not part.is_judged and part.state not in (State.ACCEPTED, State.LATE)
            ]
            if ripe and (eager or not (self._open or self.sending)):
                await self._judge(ripe)
            elif self._open or self.sending:
                await self._next_news()

    async def _judge(self, ripe: list[Part]) -> None:
        """Hold what results say against what the group shows; wait a moment where that helps."""
        self._tell()
        known = len(self._changes)
        judging = Judging(self, ripe)
        members = None
        if judging.needs_members:
            members = await self._desk.reading.members(self.group_id, self.sender)
        for part in ripe:
            changes, extra = judging.look_into(part, members)
            self._changes += changes
            self._extra += extra
            if self.journal is not None:
                part.told = [*(part.told or ()), *(o for o in changes if o.verdict != "done")]
                if part.is_judged:
                    await self.journal.judged(part.number, part.told)
        if len(self._changes) > known or all(part.is_judged for part in ripe):
            self._pause = 0.0
            return
        step = self._pause * self.settings.poll_factor or self.settings.first_poll
        self._pause = min(step, _LONGEST_PAUSE, self.settings.longest_poll)
        for part in judging.to_ask_again:
            # Its result does not fit the group: it may come late, or be taken back.
            self.opened(part, self._pause)
        if not self._open:
            await self.clock.sleep(min(self._pause, judging.left))

    def __repr__(self) -> str:
        cards = f"{self.total} cards"
        return f"<GroupJob: {self.change} {cards}, group {self.group_id!r}, {self._open} open>"
