"""Concludes from the results of requests, and from what the group shows, what became of cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cards import plain
from .members import Members
from .parts import Part, State
from .report import CardChange, Verdict
from .verifying import concluded, why_unknown

if TYPE_CHECKING:
    from .job import GroupJob

_AT_ONCE: dict[State, Verdict] = {State.REFUSED: "refused", State.NOT_SENT: "not_sent"}
"""States that say what became of all cards."""


class Judging:
    """One look at requests of a job whose results are not asked for any more."""

    def __init__(self, job: GroupJob, parts: list[Part]) -> None:
        self._job, self._parts = job, parts
        self._now = job.clock.monotonic

    @property
    def needs_members(self) -> bool:
        """Whether the group has to be read."""
        return any(self._needs_members(part) for part in self._parts)

    @property
    def left(self) -> float:
        """Seconds in which the group may still come to show what it should."""
        begun = (part.settle_from for part in self._parts if not part.is_judged)
        first = min((one for one in begun if one is not None), default=self._now())
        return max(0.0, first + self._job.settings.settle_for - self._now())

    def look_into(
        self, part: Part, members: Members | None
    ) -> tuple[list[CardChange], list[CardChange]]:
        """Give what is concluded now, and the cards that nobody asked for."""
        extra: list[CardChange] = []
        if part.settle_from is None:
            part.settle_from = self._now()
        if part.undecided is None:
            part.undecided = self._cards_of(part)
            extra = self._extra_of(part)
        verdict = _AT_ONCE.get(part.state)
        if verdict is None:
            return self._by_card(part, members), extra
        cards, part.undecided = part.undecided, ()
        change = self._job.change
        return [CardChange(card, change, verdict, part.note) for card in cards], extra

    def _by_card(self, part: Part, members: Members | None) -> list[CardChange]:
        job, said = self._job, part.said or {}
        waited = 0.0 if part.settle_from is None else self._now() - part.settle_from
        is_settled = waited >= job.settings.settle_for
        changes: list[CardChange] = []
        left: list[str] = []
        for card in part.undecided or ():
            one = said.get(plain(card))
            is_member = None if members is None else plain(card) in members
            verdict, reason = concluded(adding=job.adding, said=one, is_member=is_member)
            if verdict is None and not is_settled:
                left.append(card)
                continue
            if verdict is None:
                verdict, reason = "unknown", why_unknown(part, one)
            changes.append(
                CardChange(card, job.change, verdict, reason, part.request_id, is_member)
            )
        part.undecided = tuple(left)
        return changes

    @property
    def to_ask_again(self) -> list[Part]:
        """The requests whose result leaves cards undecided."""
        return [
            part
            for part in self._parts
            if part.state is State.ENDED and not part.is_judged and part.request_id
        ]

    def _needs_members(self, part: Part) -> bool:
        if part.state in _AT_ONCE:
            return False
        if self._job.settings.verify or part.undecided or part.said is None:
            return True
        found = (part.said.get(plain(card)) for card in part.cards)
        return any(one is None or one.done is None for one in found)

    def _cards_of(self, part: Part) -> tuple[str, ...]:
        """Give the cards of a request; of a resumed one those that its result names."""
        if not part.cards and part.said is not None:
            known = self._job.cards
            named = part.said
            part.cards = tuple(c for c in known if plain(c) in named) if known else tuple(named)
        return part.cards

    def _extra_of(self, part: Part) -> list[CardChange]:
        if part.said is None or not part.cards:
            return []
        others = part.said.keys() - {plain(card) for card in part.cards}
        if others:  # perhaps they are in another request of the job
            others -= {plain(card) for other in self._job.parts for card in other.cards}
        journal = self._job.journal
        if others and journal is not None and (hidden := journal.hidden):
            others = {card for card in others if journal.names.stored(card) not in hidden}
        return [
            CardChange(card, self._job.change, "extra", one.reason, part.request_id)
            for card, one in part.said.items()
            if card in others
        ]
