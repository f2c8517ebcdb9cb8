"""Begins changes of groups: claims the cards, goes on with a journal, and sends the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from ..account import Account
from ..errors import InvalidInput
from ..pipeline import Sender
from .cards import Cards, cards_of, digest_of, plain
from .job import GroupJob
from .journal import ChangeJournal, Path, Subject
from .members import Members
from .parts import Part, State
from .report import CardChange, Change
from .restoring import Restored
from .room import Desk, MakeSender, Room
from .sending import Sending
from .settings import Settings
from .tokens import Token, read_token


@attrs.frozen
class Changes:
    """What makes jobs; of one client or view."""

    room: Room
    make_sender: MakeSender
    sender: Sender
    """For questions."""

    @property
    def account(self) -> Account:
        """Who changes groups."""
        return self.room.account

    def desk(self) -> Desk:
        """Give what the changes of the running loop share."""
        return self.room.desk()

    def job(self, group_id: str, change: Change, cards: Cards, settings: Settings) -> GroupJob:
        """Make a job that has sent nothing."""
        return GroupJob(
            self.desk(),
            self.sender,
            settings,
            group_id=group_id,
            change=change,
            cards=cards.iccids,
            doubles=cards.doubles,
        )

    async def begin(
        self,
        group_id: str,
        change: Change,
        iccids: Iterable[Any],
        settings: Settings,
        journal: Path | None,
    ) -> GroupJob:
        """Send a change; back once each request is accepted, refused or in doubt."""
        cards = cards_of(iccids)
        job = self.job(group_id, change, cards, settings)
        in_flight = self.desk().in_flight
        await in_flight.claim(job, job.cards)
        job.beginning = True
        try:
            left: Iterable[str] = job.cards
            if journal is not None:
                kept = await self.journal(journal, change, group_id, job.cards)
                left = await self._left_of(job, kept)
            await self.send(job, left)
        except BaseException:
            await job.break_off()
            raise
        finally:
            job.beginning = False
            job.stir()
        return job

    async def _left_of(self, job: GroupJob, journal: ChangeJournal) -> list[str]:
        """Settle what a journal knows, and give the cards that are still to be sent."""
        restored = Restored(job, journal)
        await restored.conclude()
        settled = restored.with_verdict("done", "refused") | restored.under_way
        if restored.with_verdict("unknown"):
            # Asked once more before it is sent once more: it may have been carried out since.
            members = await self.members(job.group_id)
            shown = [
                card
                for card in restored.with_verdict("unknown")
                if (plain(card) in members) is job.adding
            ]
            reason = "shown by the group when it was read again"
            job.decided(CardChange(card, job.change, "done", reason) for card in shown)
            settled.update(shown)
        return [card for card in job.cards if card not in settled]

    async def send(self, job: GroupJob, cards: Iterable[str], *, tolerant: bool = False) -> None:
        """Send cards as requests of a job."""
        sending = Sending(job, self.desk(), self.make_sender, self.room.size)
        await sending.send(cards, tolerant=tolerant)

    async def members(self, group_id: str) -> Members:
        """Read a group."""
        return await self.desk().reading.members(group_id, self.sender)

    async def journal(
        self, path: Path, kind: str, group_id: str, cards: Iterable[str]
    ) -> ChangeJournal:
        """Open a journal for a change of these cards."""
        journal = ChangeJournal(path, self.desk(), cards)
        for other in [one for one in self.desk().journals if one.is_left_of(journal)]:
            await other.close("left")
        await journal.open(
            Subject(
                kind=kind,
                partner=self.account.partner_code,
                endpoint=self.account.endpoints.topup,
                group_id=group_id,
                key_check=journal.names.key_check,
                digest=journal.names.digest,
            )
        )
        return journal

    def resume(self, text: str, iccids: Iterable[Any] | None, settings: Settings) -> GroupJob:
        """Make a job from its token, and have its results asked for."""
        token = read_token(text)
        cards = _cards_of(token, iccids)
        job = self.job(token.group_id, token.change, cards, settings)
        job.total, job.digest, job.resumed = token.cards, token.digest, True
        for request_id, count in token.requests:
            # Which cards went into which request only its result tells.
            part = Part(job, (), count, State.ACCEPTED, request_id)
            job.parts.append(part)
            job.opened(part)
        self.desk().in_flight.hold(job)
        return job


def _cards_of(token: Token, iccids: Iterable[Any] | None) -> Cards:
    if iccids is None:
        return Cards(token.iccids, 0)
    cards = cards_of(iccids)
    if digest_of(cards.iccids) != token.digest:
        raise InvalidInput("the token is about other cards than these")
    return Cards(cards.iccids, cards.doubles)
