"""Brings a group to a wanted set of cards: reads it, sends what differs, and reads it again."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import AsyncExitStack
from typing import Any

import attrs

from ..errors import InvalidInput
from .cards import Cards, cards_of
from .changes import Changes
from .job import GroupJob
from .journal import ChangeJournal, Path
from .members import Members
from .report import Change, GroupReport, SyncReport
from .restoring import Restored
from .settings import Settings
from .together import together
from .turns import SYNCS


class Sync:
    """One sync of one group."""

    def __init__(
        self, changes: Changes, settings: Settings, *, group_id: str, iccids: Iterable[Any]
    ) -> None:
        self._changes, self._settings, self._group_id = changes, settings, group_id
        self._wanted = cards_of(iccids, may_be_empty=True)

    async def run(
        self,
        *,
        dry_run: bool,
        journal: Path | None,
        allow_empty: bool,
    ) -> SyncReport:
        """Carry it out; a dry run ends where the differences are known."""
        if not self._wanted.iccids and not (allow_empty or dry_run):
            raise InvalidInput(
                "the list is empty, which would remove every card of the group; "
                "allow_empty=True says that this is meant"
            )
        account = self._changes.account
        key = (account.partner_code, account.endpoints.topup, self._group_id)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(SYNCS.turn(key))
            in_flight = self._changes.desk().in_flight
            await stack.enter_async_context(in_flight.whole(self._group_id))
            if dry_run:
                return self._plan(await self._members(), (), ())
            kept = None
            if journal is not None:
                wanted = self._wanted.iccids
                kept = await self._changes.journal(journal, "sync", self._group_id, wanted)
            how = "left"
            try:
                report = await self._carry_out(kept)
                how = "finished"
            finally:
                if kept is not None:
                    await kept.close(how)
            return report

    async def _carry_out(self, journal: ChangeJournal | None) -> SyncReport:
        add, remove = self._job("add"), self._job("remove")
        try:
            report = await self._changed(add, remove, journal)
        except BaseException:
            for job in (add, remove):
                job.journal = None  # closed by who opened it
                await job.break_off()
            raise
        for job in (add, remove):
            self._changes.desk().in_flight.release(job)
        return report

    async def _changed(
        self, add: GroupJob, remove: GroupJob, journal: ChangeJournal | None
    ) -> SyncReport:
        not_again: list[set[str]] = [set(), set()]
        hidden = 0
        if journal is not None:
            if journal.hidden:
                # Cards that were to be removed: the group names those that it still has.
                journal.names.learn((await self._members()).values())
                hidden = len(journal.hidden)
            restored = [Restored(job, journal) for job in (add, remove)]
            await together(*(one.conclude() for one in restored))
            # A refusal stands, and what goes on may still be carried out.
            not_again = [one.with_verdict("refused") | one.under_way for one in restored]
        # Read once all that was sent before is settled: this is what is true.
        members = await self._members()
        plan = self._plan(members, *not_again)
        # Adding first: no wanted card is out of the group for longer than it was.
        for job, cards in ((add, plan.to_add), (remove, plan.to_remove)):
            if cards:
                job.take(cards)
                await self._changes.send(job, cards, tolerant=True)
        await together(add.drain(), remove.drain())
        reports = [add.report(), remove.report()]
        return attrs.evolve(self._report(plan, reports, await self._members()), hidden=hidden)

    def _job(self, change: Change) -> GroupJob:
        return self._changes.job(self._group_id, change, Cards((), 0), self._settings)

    async def _members(self) -> Members:
        return await self._changes.members(self._group_id)

    def _plan(
        self, members: Members, not_added: Collection[str], not_removed: Collection[str]
    ) -> SyncReport:
        wanted = set(self._wanted.iccids)
        return SyncReport(
            group_id=self._group_id,
            dry_run=True,
            wanted=len(wanted),
            members=len(members),
            to_add=tuple(
                card
                for card in self._wanted.iccids
                if card not in members and card not in not_added
            ),
            # As the service writes them: that is how it knows them.
            to_remove=tuple(
                written
                for card, written in members.items()
                if card not in wanted and written not in not_removed
            ),
            doubles=self._wanted.doubles,
        )

    def _report(self, plan: SyncReport, reports: list[GroupReport], members: Members) -> SyncReport:
        wanted = set(self._wanted.iccids)
        return SyncReport(
            group_id=plan.group_id,
            dry_run=False,
            wanted=plan.wanted,
            members=plan.members,
            to_add=plan.to_add,
            to_remove=plan.to_remove,
            changes=tuple(one for report in reports for one in report.changes),
            extra=tuple(one for report in reports for one in report.extra),
            doubles=plan.doubles,
            contradictions=tuple(one for report in reports for one in report.contradictions),
            missing=len(wanted - members.keys()),
            surplus=len(members.keys() - wanted),
        )
