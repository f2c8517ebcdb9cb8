"""What an inbox promises, and the one in memory.

A message is *waiting* (kept, to be run), *running* (claimed, with a lease), *done*, or *failed* (was
tried too often). A claim holds until its lease ends; what was claimed by a process that died is
then taken again. `finish` counts only for the claim that still holds, so that at most one success
is recorded. Done messages are known for 72 hours and, but for their key, forgotten.
"""

from __future__ import annotations

import enum
import heapq
import itertools
import secrets
import time
from collections.abc import Callable
from typing import Protocol

import attrs

from .notice import Authenticity, RechargeNotice

KEEP_SECONDS = 72 * 3600.0
"""How long a message is known after it was done; re-sends come for 24 hours (sister product)."""


class Standing(enum.Enum):
    """How a message stands that cannot be claimed now."""

    RUNNING = "running"
    """Somebody holds it, or it waits for a worker: it is kept and will be run."""
    DONE = "done"


@attrs.frozen(kw_only=True)
class Stored:
    """A message as an inbox keeps it; enough to run its handler after a crash."""

    key: str
    body: bytes = attrs.field(repr=lambda body: f"<{len(body)} bytes>")
    authenticity: str
    key_id: str | None = None
    version: str | None = None
    timestamp_ms: int | None = None

    @classmethod
    def of(cls, notice: RechargeNotice) -> Stored:
        """Take a notice apart."""
        stamp = notice.timestamp
        return cls(
            key=notice.content_key,
            body=notice.body,
            authenticity=notice.authenticity.value,
            key_id=notice.key_id,
            version=notice.version,
            timestamp_ms=None if stamp is None else round(stamp.timestamp() * 1000),
        )

    @property
    def how_far(self) -> Authenticity:
        """Give the authenticity it had when it came."""
        return Authenticity(self.authenticity)


@attrs.frozen(kw_only=True)
class Claim:
    """The right to run one message until its lease ends."""

    stored: Stored
    token: str = attrs.field(repr=False)
    attempt: int
    """1 for the first."""
    until: float | None = attrs.field(default=None, eq=False, repr=False)
    """Set by a receiver: when the lease may be over, by the clock of its event loop."""


class Inbox(Protocol):
    """Keeps messages apart and in being; any failure is an InboxUnavailable.

    All methods may be called from several processes at once, but for the one in memory.
    """

    @property
    def known_for(self) -> float:
        """Seconds for which a message is known after it was done."""
        ...

    async def keep(self, stored: Stored) -> Standing | None:
        """Keep a message for a worker, durably; None where it was not known before."""
        ...

    async def acquire(self, stored: Stored, *, lease: float) -> Claim | Standing:
        """Claim a message for so many seconds, or say how it stands."""
        ...

    async def finish(self, claim: Claim) -> bool:
        """Record that it is done; False where the claim does not hold any more."""
        ...

    async def release(self, claim: Claim, *, pause: float = 0.0, failed: bool = False) -> None:
        """Give a claim back: run it again after a pause, or never unless it is sent again."""
        ...

    async def take(self, *, lease: float, limit: int) -> list[Claim]:
        """Claim what waits and what was left over when a lease ran out, oldest first."""
        ...

    async def waiting(self) -> int:
        """Count what waits for a worker."""
        ...

    async def aclose(self) -> None:
        """Let go of what it holds; it may be used again."""
        ...


def new_token() -> str:
    """Make the token of a claim."""
    return secrets.token_hex(8)


class State(enum.IntEnum):
    """How a message stands, as the inboxes write it."""

    WAITING = 0
    RUNNING = 1
    DONE = 2
    FAILED = 3


@attrs.define(kw_only=True)
class _Entry:
    stored: Stored
    state: State | None = None
    due: float = 0.0
    token: str = ""
    attempts: int = 0

    @property
    def is_open(self) -> bool:
        return self.state is State.WAITING or self.state is State.RUNNING


class MemoryInbox:
    """For one process and as long as it lives: a restart forgets what was done."""

    def __init__(
        self, *, keep: float = KEEP_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._keep = keep
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._agenda: list[tuple[float, int, str]] = []
        """What may fall due, earliest first; what has changed since is passed over."""
        self._order = itertools.count()
        self._waiting = 0
        self._forgotten = clock()

    @property
    def known_for(self) -> float:
        """See `Inbox`."""
        return self._keep

    async def keep(self, stored: Stored) -> Standing | None:
        """See `Inbox`."""
        entry = self._entry(stored.key)
        if entry is None or entry.state is State.FAILED:
            entry = self._entries[stored.key] = _Entry(stored=stored)
            self._put(entry, State.WAITING, self._clock())
            return None
        return Standing.DONE if entry.state is State.DONE else Standing.RUNNING

    async def acquire(self, stored: Stored, *, lease: float) -> Claim | Standing:
        """See `Inbox`."""
        entry, now = self._entry(stored.key), self._clock()
        if entry is None:
            entry = self._entries[stored.key] = _Entry(stored=stored)
        elif entry.state is State.DONE:
            return Standing.DONE
        elif entry.state is State.RUNNING and now < entry.due:
            return Standing.RUNNING
        elif entry.state is State.FAILED:
            entry.attempts = 0
        return self._claimed(entry, now + lease)

    async def finish(self, claim: Claim) -> bool:
        """See `Inbox`."""
        entry = self._held(claim)
        if entry is None:
            return False
        self._put(entry, State.DONE, self._clock() + self._keep)
        entry.stored = attrs.evolve(entry.stored, body=b"")
        return True

    async def release(self, claim: Claim, *, pause: float = 0.0, failed: bool = False) -> None:
        """See `Inbox`."""
        entry = self._held(claim)
        if entry is not None and failed:
            self._put(entry, State.FAILED, self._clock() + self._keep)
        elif entry is not None:
            self._put(entry, State.WAITING, self._clock() + pause)

    async def take(self, *, lease: float, limit: int) -> list[Claim]:
        """See `Inbox`."""
        self._forget()
        now = self._clock()
        claims: list[Claim] = []
        while self._agenda and self._agenda[0][0] <= now and len(claims) < limit:
            due, _, key = heapq.heappop(self._agenda)
            entry = self._entries.get(key)
            if entry is not None and entry.is_open and entry.due == due:
                claims.append(self._claimed(entry, now + lease))
        return claims

    async def waiting(self) -> int:
        """See `Inbox`."""
        return self._waiting

    async def aclose(self) -> None:
        """See `Inbox`; there is nothing to let go of."""

    def _claimed(self, entry: _Entry, until: float) -> Claim:
        self._put(entry, State.RUNNING, until)
        entry.token = new_token()
        entry.attempts += 1
        return Claim(stored=entry.stored, token=entry.token, attempt=entry.attempts)

    def _put(self, entry: _Entry, state: State, due: float) -> None:
        self._waiting += (state is State.WAITING) - (entry.state is State.WAITING)
        entry.state, entry.due, entry.token = state, due, ""
        if entry.is_open:
            heapq.heappush(self._agenda, (due, next(self._order), entry.stored.key))

    def _held(self, claim: Claim) -> _Entry | None:
        entry = self._entries.get(claim.stored.key)
        if entry is None or entry.state is not State.RUNNING or entry.token != claim.token:
            return None
        return entry

    def _entry(self, key: str) -> _Entry | None:
        self._forget()
        entry = self._entries.get(key)
        if entry is None or entry.is_open:
            return entry
        return entry if self._clock() < entry.due else None

    def _forget(self) -> None:
        """Drop what is over for long, now and then: a look at all of them takes time."""
        now = self._clock()
        if now - self._forgotten < 60:
            return
        self._forgotten = now
        self._entries = {
            key: entry for key, entry in self._entries.items() if entry.is_open or now < entry.due
        }
        # What nobody takes leaves the agenda here only: where no worker runs, it would grow.
        self._agenda = [
            one
            for one in self._agenda
            if (entry := self._entries.get(one[2])) and entry.is_open and entry.due == one[0]
        ]
        heapq.heapify(self._agenda)


class ClaimedByHandler:
    """No inbox: the handler itself claims each message, as `PostgresInbox.claim` does.

    `Receiver(inbox=ClaimedByHandler())` then runs the handler for every delivery.
    """
