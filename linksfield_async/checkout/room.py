"""What the checkouts of one client share: who sends, the settings, and what is proved so far."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from weakref import WeakValueDictionary

import attrs

from ..account import Account
from ..errors import ConfigurationError
from ..pipeline import Sender
from .ids import MintIds, mint_ids
from .record import Record

QUARANTINE = 900.0
_KEPT = 5
_MOST_IN_VAIN = 3
_FRESH = timedelta(days=1)


def _seconds(_: object, attribute: attrs.Attribute[float], value: object) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= float(str(value)) <= 10 * 365 * 86_400:
        raise ConfigurationError(f"{attribute.name} must be seconds, 0 or more")


@attrs.define
class Shown:
    """The newest checkouts of which the service has shown one thing; the newest first."""

    kept: tuple[Record, ...] = ()
    lessons: int = 0
    """How often something new was asked for, and answered, only to have it shown."""

    @property
    def needs_lesson(self) -> bool:
        """Whether a new one should be asked for: once a day, and not in vain for ever."""
        begun = [fact.at for one in self.kept for fact in one.facts[:1]]
        if begun:
            return datetime.now(UTC) - max(begun) >= _FRESH
        return self.lessons < _MOST_IN_VAIN

    def add(self, record: Record) -> None:
        """Keep one more, once; replaced as a whole, as clients work over several threads."""
        others = [one for one in self.kept if one.ids != record.ids]
        self.kept = (record, *others)[:_KEPT]


@attrs.define
class Witnesses:
    """Checkouts whose order or renewal the service has shown: they prove that asking works."""

    orders: Shown = attrs.field(factory=Shown)
    renewals: Shown = attrs.field(factory=Shown)

    def add(self, record: Record) -> None:
        """Keep one that proves something."""
        if record.shown_unpaid:
            self.orders.add(record)
        if record.shown_renewal and not record.renewal_canceled:
            self.renewals.add(record)


@attrs.define(kw_only=True)
class Room:
    """Settings and what is shared; `deadline` and `quarantine` are seconds."""

    sender: Sender
    account: Account
    deadline: float
    """Within which a call that was begun can still leave."""
    quarantine: float = attrs.field(default=QUARANTINE, validator=_seconds)
    """How long after that the service may still be working on it; nobody has published it."""
    mint_ids: MintIds = mint_ids
    witnesses: Witnesses = attrs.field(factory=Witnesses)
    used: dict[str, None] = attrs.field(factory=dict, repr=False)
    """Order numbers that this process has begun, the latest of them."""
    locks: WeakValueDictionary[tuple[int, int, str], asyncio.Lock] = attrs.field(
        factory=WeakValueDictionary, repr=False
    )
    """One for each key that is being begun, so that a double click waits for the first one."""
