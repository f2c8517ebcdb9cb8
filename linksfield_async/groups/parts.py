"""One request of a change: its cards, its id, and how far it has come."""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Any

import attrs

from ..masking import mask_iccid, one_line
from ..operations import AsyncResult
from ..pipeline import Exchange
from .cards import plain
from .words import StatusWords, normal

if TYPE_CHECKING:
    from .job import GroupJob
    from .report import CardChange

_KEPT_BYTES = 4_096


class State(enum.Enum):
    """How far a request has come."""

    ACCEPTED = "accepted"  # it has an id; its result is asked for
    ENDED = "ended"  # its result is there
    REFUSED = "refused"
    NOT_SENT = "not sent"
    DOUBT = "doubt"  # nobody knows whether it was accepted
    GONE = "gone"  # accepted, and the service tells nothing of it any more
    LATE = "late"  # accepted, and has not ended in the time given


@attrs.frozen
class Said:
    """What a result says of one card."""

    done: bool | None
    """None: the word is not known."""
    reason: str


@attrs.define(eq=False)
class Part:
    """One request; slots keep an open one small."""

    job: GroupJob = attrs.field(repr=False)
    cards: tuple[str, ...] = attrs.field(repr=mask_iccid)
    """Empty where they are not known: a job that was resumed from its token."""
    count: int
    state: State
    request_id: str = ""
    number: int = 0
    """In the journal."""
    note: str = ""
    """Why it was refused or is in doubt."""
    word: str = ""
    """The last status word."""
    last: bytes = attrs.field(default=b"", repr=False)
    """The last answer about it, as it came."""
    said: dict[str, Said] | None = attrs.field(default=None, repr=False)
    contradictions: tuple[str, ...] = ()
    undecided: tuple[str, ...] | None = attrs.field(default=None, repr=False)
    """The cards of which nothing is certain; None before it was looked into."""
    told: list[CardChange] | None = attrs.field(default=None, repr=False)
    """What was concluded and is not done; for the journal."""
    settle_from: float | None = None
    """From when on the group is given time to show it, on the client's clock."""
    heard_at: float = 0.0
    """When the service last knew of it, on the client's clock."""
    ask_until: float = 0.0
    step: float = 0.0
    failures: int = 0

    @property
    def is_open(self) -> bool:
        """Whether its result is asked for."""
        return self.state is State.ACCEPTED

    @property
    def is_judged(self) -> bool:
        """Whether everything is concluded from it that can be."""
        return self.undecided is not None and not self.undecided

    def heard(self, exchange: Exchange[AsyncResult], words: StatusWords, now: float) -> bool:
        """Take an answer in; tell whether it is the final one."""
        result = exchange.result
        meaning = words.meaning(result.status)
        self.heard_at, self.failures = now, 0
        if self.said is not None and meaning != "final":
            self.contradict(f"went back from {self.word!r} to {result.status!r}")
            self.said = self.settle_from = None
        self.word = result.status
        if meaning != "final":
            self.last = exchange.body[:_KEPT_BYTES]
            return False
        self.last = b""
        self.said = dict(_said(result, words))
        return True

    def contradict(self, told: str) -> None:
        """Keep that the service contradicts itself."""
        told = one_line(told)
        if told not in self.contradictions:
            self.contradictions += (told,)

    @property
    def last_answer(self) -> Any:
        """The last answer as JSON values, or as text where it is none or was cut."""
        try:
            return json.loads(self.last) if self.last else None
        except ValueError:
            return self.last.decode("utf-8", "backslashreplace")


def _said(result: AsyncResult, words: StatusWords) -> Any:
    for one in result.results:
        if not one.iccid:
            continue
        status = "" if one.status is None else one.status
        word = normal(status)
        done = True if word in words.card_done else False if word in words.card_refused else None
        reason = one.message or ("" if done else f"the result says {status!r}")
        yield plain(one.iccid), Said(done, one_line(reason))
