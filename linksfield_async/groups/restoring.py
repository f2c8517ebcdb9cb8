"""Goes on with a change from its journal: what was sent is asked about before anything is sent."""

from __future__ import annotations

import weakref
from collections.abc import Iterable

from .job import GroupJob
from .journal import ChangeJournal, Row
from .names import Verdicts
from .parts import Part, State
from .report import CardChange, Verdict


class Restored:
    """What earlier sessions on a journal have sent of one job."""

    def __init__(self, job: GroupJob, journal: ChangeJournal) -> None:
        self._job = job
        self._rows = [row for row in journal.rows if row.change == job.change]
        self._names = journal.names
        job.journal = journal
        journal.job = weakref.ref(job)
        if not job.cards:  # a sync's
            job.take(card for row in self._rows for card in self._names.named(row.stored))

    async def conclude(self) -> None:
        """Find out what became of all that was sent; what stays unknown may be sent again."""
        for row in self._rows:
            if row.verdicts is None:
                self._open(row)
            else:
                self._job.decided(self._told(row, row.verdicts))
        await self._job.drain()

    def _open(self, row: Row) -> None:
        job, cards = self._job, self._names.named(row.stored)
        if not cards:
            return  # the group shows none of them any more, and that is what was asked for
        part = Part(job, cards, len(cards), State.DOUBT, number=row.number)
        job.parts.append(part)
        if row.request_id is None:
            part.note = "the program ended before the answer was written down"
        else:
            part.request_id = row.request_id
            job.opened(part)

    def with_verdict(self, *verdicts: Verdict) -> set[str]:
        """Give the cards that have one of these verdicts."""
        return {one.iccid for one in self._job.report().changes if one.verdict in verdicts}

    def _told(self, row: Row, stored: Verdicts) -> Iterable[CardChange]:
        verdicts = self._names.verdicts(stored)
        for card in self._names.named(row.stored):
            verdict, reason = verdicts.get(card, ("done", ""))
            yield CardChange(card, row.change, verdict, reason, row.request_id or "")

    @property
    def under_way(self) -> set[str]:
        """Give the cards of requests that have not ended, and may still be carried out."""
        return {card for part in self._job.late for card in part.cards}
