"""Which items were met before: what stands in the input twice is sent once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from ..account import Account
from ..pipeline import Exchange
from .journal.hiding import Hiding
from .journal.rows import LONGEST_ANSWER, Reviver, Stored, error_text
from .journal.schema import CODES
from .outcome import Outcome

if TYPE_CHECKING:
    from .journal.ledger import Ledger
    from .overflow import Overflow

Identity: TypeAlias = str | bytes
"""An ICCID, or a digest of an operation: what makes two items the same."""

_REMEMBERED = 10_000
"""So many outcomes are kept in memory where there is no journal; further ones in a file."""


class Sieve:
    """A Bloom filter of constant size: `False` is certain, `True` has to be looked up.

    With 2**24 bytes and ten million entries, two in a hundred new ones are looked up in vain.
    """

    def __init__(self, bits: int = 24) -> None:
        self._slots = bytearray(1 << bits)
        self._mask = (1 << bits) - 1

    def add(self, identity: Identity) -> bool:
        """Add one; tell whether it may have been there before."""
        slots, mask, mixed = self._slots, self._mask, hash(identity)
        one, two = mixed & mask, (mixed >> 27) & mask
        bit, other = 1 << ((mixed >> 24) & 7), 1 << ((mixed >> 51) & 7)
        if slots[one] & bit and slots[two] & other:
            return True
        slots[one] |= bit
        slots[two] |= other
        return False

    def add_all(self, identities: Iterable[Identity]) -> None:
        """Add many that nobody asks about."""
        slots, mask = self._slots, self._mask
        for mixed in map(hash, identities):
            slots[mixed & mask] |= 1 << ((mixed >> 24) & 7)
            slots[(mixed >> 27) & mask] |= 1 << ((mixed >> 51) & 7)


class Firsts:
    """Remembers what became of each item, in a journal or beside the memory."""

    def __init__(self, account: Account, hiding: Hiding, ledger: Ledger | None) -> None:
        self.hiding = hiding
        self._reviver = Reviver(account, hiding)
        self._journal = ledger
        self._near: dict[Identity, Outcome[Any] | tuple[Any, ...]] = {}
        self._far: Overflow | None = None
        self.is_behind = False
        """Whether `caught_up` is to be awaited before more is remembered."""
        self._sieve = None if ledger is None else Sieve()

    def seen(self, identities: Iterable[Identity]) -> None:
        """Note items of an earlier session, which the journal knows."""
        if self._sieve is not None:
            self._sieve.add_all(identities)

    def may_know(self, identity: Identity) -> bool:
        """Tell whether `find` has to be asked; the identity counts as met from now on."""
        if identity in self._near:
            return True
        return self._sieve is not None and self._sieve.add(identity)

    async def find(
        self, identity: Identity, operation: Any, iccid: str | None
    ) -> Outcome[Any] | None:
        """Give what became of the same item further up; None where this is the first."""
        near = self._near.get(identity)
        if isinstance(near, Outcome):
            return near
        if near is not None:
            stored: Stored | None = _stored(near)
        elif self._journal is not None:
            stored = await self._journal.find(self.hiding.key_of(identity))
        else:
            row = None if self._far is None else await self._far.find(identity)
            stored = None if row is None else _stored(row)
        # What is under way or taken anew in this session has no verdict yet; a read whose answer
        # is not stored is made again.
        if stored is None or not stored.verdict:
            return None
        return self._reviver.outcome(stored, operation, iccid)

    def remember(
        self,
        identity: Identity,
        outcome: Outcome[Any],
        exchange: Exchange[Any] | None,
        under_way: Iterable[Identity],
    ) -> None:
        """Keep what became of a first one; a journal has it already.

        `exchange` is what may be written down of it; `under_way` are all that were met and are not
        remembered yet, this one included.
        """
        if len(self._near) < _REMEMBERED:
            if exchange is None or len(exchange.body) > LONGEST_ANSWER:
                self._near[identity] = outcome
            else:
                # Not the outcome itself: it holds much that Python's collector would go through.
                self._near[identity] = _row(identity, outcome, exchange, self.hiding)
        elif self._journal is None:
            far = self._far or self._opened(under_way)
            far.put(_row(identity, outcome, exchange, self.hiding))
            self.is_behind = far.is_behind

    async def caught_up(self) -> None:
        """Wait until fewer wait for the disk."""
        if self._far is not None:
            await self._far.caught_up()

    def _opened(self, under_way: Iterable[Identity]) -> Overflow:
        from .overflow import Overflow  # noqa: PLC0415 - SQLite is not everybody's

        # Half the size: to look up costs less here than in a journal.
        self._far, self._sieve = Overflow(), Sieve(23)
        # They were looked for before there was a sieve.
        self._sieve.add_all(under_way)
        return self._far

    async def close(self) -> None:
        """Drop what was kept beside the memory."""
        if self._far is not None:
            await self._far.close()


def _row(
    identity: Identity, outcome: Outcome[Any], exchange: Exchange[Any] | None, hiding: Hiding
) -> tuple[Any, ...]:
    error, answer, status = None, None, None
    if outcome.error is not None or outcome.settled is not None:
        error = error_text(outcome.error, outcome.settled, hiding)
    if exchange is not None:
        status = exchange.status
        answer = exchange.body if len(exchange.body) <= LONGEST_ANSWER else None
    return (
        identity, outcome.position, CODES[outcome.verdict], outcome.attempts, outcome.row, status,
        error, answer,
    )  # fmt: skip


def _stored(row: tuple[Any, ...]) -> Stored:
    _, position, verdict, attempts, number, status, error, body = row
    answer = None if body is None else body.decode("utf-8-sig")
    return Stored(position, verdict, 0, attempts, number, None, None, status, error, answer)
