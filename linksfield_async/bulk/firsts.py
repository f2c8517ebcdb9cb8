"""Which items were met before: what stands in the input twice is sent once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from ..account import Account
from .journal.hiding import Hiding
from .journal.rows import Reviver
from .outcome import Outcome

if TYPE_CHECKING:
    from .journal.ledger import Ledger
    from .journal.writer import Cells

Identity: TypeAlias = str | bytes
"""An ICCID, or a digest of an operation: what makes two items the same."""

_REMEMBERED = 10_000
"""So many outcomes are kept in memory where there is no journal; further ones in a file."""
_SLOTS = 1 << 24
_MASK = _SLOTS - 1


class Sieve:
    """A Bloom filter of constant size (16 MiB): `False` is certain, `True` has to be looked up.

    With ten million entries about two in a hundred new ones are looked up in vain.
    """

    def __init__(self) -> None:
        self._slots = bytearray(_SLOTS)

    def add(self, identity: Identity) -> bool:
        """Add one; tell whether it may have been there before."""
        slots, mixed = self._slots, hash(identity)
        one, two = mixed & _MASK, (mixed >> 27) & _MASK
        bit, other = 1 << ((mixed >> 24) & 7), 1 << ((mixed >> 51) & 7)
        if slots[one] & bit and slots[two] & other:
            return True
        slots[one] |= bit
        slots[two] |= other
        return False

    def add_all(self, identities: Iterable[Identity]) -> None:
        """Add many that nobody asks about."""
        slots = self._slots
        for mixed in map(hash, identities):
            slots[mixed & _MASK] |= 1 << ((mixed >> 24) & 7)
            slots[(mixed >> 27) & _MASK] |= 1 << ((mixed >> 51) & 7)


class Firsts:
    """Remembers what became of each item, in a journal or beside the memory."""

    def __init__(self, account: Account, hiding: Hiding, ledger: Ledger | None) -> None:
        self._account = account
        self._journal = ledger
        self.hiding = hiding
        self._near: dict[Identity, Outcome[Any]] = {}
        self._far: Ledger | None = ledger
        self._sieve = Sieve()
        self._opening = asyncio.Lock()

    def seen(self, identities: Iterable[Identity]) -> None:
        """Note items of an earlier session, which the journal knows."""
        self._sieve.add_all(identities)

    async def find(
        self, identity: Identity, operation: Any, iccid: str | None
    ) -> Outcome[Any] | None:
        """Give what became of the same item further up; None where this is the first."""
        near = self._near.get(identity)
        if near is not None or self._far is None:
            return near
        if not self._sieve.add(identity):
            return None
        stored = await self._far.find(self.hiding.key_of(identity))
        if stored is None:
            return None
        reviver = Reviver(self._account, self.hiding)
        # What is under way or taken anew in this session has no verdict yet; a read whose answer
        # is not stored is made again.
        return reviver.outcome(stored, operation, iccid) if stored.verdict else None

    @property
    def is_full(self) -> bool:
        """Whether no more are kept in memory."""
        return len(self._near) >= _REMEMBERED

    def remember(self, identity: Identity, outcome: Outcome[Any]) -> None:
        """Keep what became of a first one in memory; a journal has it already."""
        self._near[identity] = outcome

    async def spill(self, identity: Identity, cells: Cells) -> None:
        """Keep it in a temporary file."""
        # It was looked for before there was a file, and so without the sieve.
        self._sieve.add(identity)
        far = self._far or await self._opened()
        far.put(cells)

    async def _opened(self) -> Ledger:
        async with self._opening:
            if self._far is None:
                from .journal.ledger import Ledger  # noqa: PLC0415 - SQLite is not everybody's

                self._far = await Ledger.temporary()
        return self._far

    async def close(self) -> None:
        """Drop what was kept beside the memory."""
        if self._far is not None and self._far is not self._journal:
            await self._far.close("finished")
