"""Takes items from a source one by one, and finds what an earlier session knows of each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import attrs

from ..errors import ConfigurationError, InvalidInput, JournalRefused
from ..operation import Effect, Operation
from ..operations import CardVerification, SingleVerify
from .files.sources import Row
from .firsts import Identity
from .iccid import clean_iccid
from .journal.hiding import Hiding
from .journal.rows import Stored
from .journal.schema import BLOCK
from .settings import Replay
from .stock import END, LATER, Stock

if TYPE_CHECKING:
    from .journal.ledger import Block, Ledger

T = TypeVar("T")


@attrs.define(eq=False)
class Taken(Generic[T]):
    """One item of the source, made ready."""

    position: int
    row: int | None
    given: str | None
    iccid: str | None
    operation: Operation[T] | None
    problem: InvalidInput | None
    identity: Identity | None
    """What makes two items the same; None where sameness does not matter."""
    stored: Stored | None = None

    def key(self, hiding: Hiding) -> str | bytes | None:
        """Give what is stored of it, by which another input is noticed."""
        if self.problem is not None:
            return hiding.block(["no ICCID", self.given or ""])
        return hiding.key_of(self.identity)


@attrs.frozen
class Passed:
    """Items that need nothing any more: decided and handed over by an earlier session."""

    position: int
    settled: dict[str, int]
    last: Operation[Any] | None
    """The operation of one of them."""


Prepare: TypeAlias = Callable[[int, Any], Taken[T]]


def cards(url: str | None) -> Prepare[CardVerification]:
    """Make verifications of texts and rows of tables."""

    def prepare(position: int, item: Any) -> Taken[CardVerification]:
        if type(item) is str:
            row, given = None, item
        else:
            row, given = (item.number, item.given) if isinstance(item, Row) else (None, item)
        try:
            iccid = clean_iccid(given)
        except InvalidInput as problem:
            shown = given if isinstance(given, str) else None
            return Taken(position, row, shown, shown, None, problem, None)
        operation = SingleVerify(iccid=iccid, url=url)
        return Taken(position, row, given, iccid, operation, None, iccid)

    return prepare


def operations(
    hiding: Hiding,
    write: Callable[[Operation[Any]], dict[str, Any]],
    *,
    once: bool,
    journalled: bool,
) -> Prepare[Any]:
    """Take operations as they are; `once`: what must not be carried out twice is sent once."""

    def prepare(position: int, item: Any) -> Taken[Any]:
        if not isinstance(item, Operation):
            raise ConfigurationError(f"operation {position} is {type(item).__name__!r}")
        matters = journalled or (once and item.effect is Effect.ONCE)
        identity = hiding.operation(item, write) if matters else None
        return Taken(position, None, None, getattr(item, "iccid", None), item, None, identity)

    return prepare


class Intake(Generic[T]):
    """Reads a source in order; with a journal the part that was read before goes fast."""

    def __init__(
        self,
        source: Iterable[Any] | AsyncIterable[Any],
        prepare: Prepare[T],
        ledger: Ledger | None,
        *,
        replay: Replay,
        seen: Callable[[Iterable[Identity]], None],
    ) -> None:
        self.taken = 0
        """Items read so far."""
        self.ended = False
        self._source = Stock(source)
        self._prepare = prepare
        self._ledger = ledger
        self._replay = replay
        self._seen = seen
        self._texts: list[str] = []
        self._is_reading_on = ledger is None
        """Whether all that an earlier session had read was read again."""
        self._steps = self._walk()

    def at_once(self) -> Taken[T] | None:
        """Give the next item; None where it has to be waited for, or there is none."""
        if not self._is_reading_on or self.ended:
            return None
        source = self._source
        try:
            item = next(source.items, END) if source.items is not None else source.at_once()
        except Exception as error:
            self._note_where(error)
            raise
        if item is LATER:
            return None
        if item is END:
            self._end()
            return None
        if self._ledger is not None:
            return self._read(item)
        made = self._prepare(self.taken, item)
        self.taken += 1
        return made

    async def next(self) -> Taken[T] | Passed | None:
        """Give the next item; None at the end."""
        return None if self.ended else await anext(self._steps, None)

    async def aclose(self) -> None:
        """Close the source."""
        await self._steps.aclose()
        await self._source.aclose()

    async def _walk(self) -> AsyncGenerator[Taken[T] | Passed, None]:
        if self._ledger is not None:
            async for taken in self._read_before(self._ledger):
                yield taken
        self._is_reading_on = True
        while (item := await self._next()) is not END:
            yield self._read(item)
        self._end()

    async def _next(self) -> Any:
        try:
            return await self._source.next()
        except Exception as error:
            self._note_where(error)
            raise

    def _note_where(self, error: Exception) -> None:
        error.add_note(f"the source of a bulk run broke off after {self.taken:,} items")

    def _read(self, item: Any) -> Taken[T]:
        ledger = self._ledger
        if ledger is not None and self.taken == ledger.total_before:
            raise JournalRefused(
                f"the input goes on after {self.taken} items, the journal knows that it ended"
            )
        made = self._prepare(self.taken, item)
        self.taken += 1
        if ledger is not None:
            self._note(ledger, made, item)
        return made

    def _end(self) -> None:
        self.ended = True
        ledger = self._ledger
        if ledger is None:
            return
        if ledger.total_before not in (None, self.taken):
            raise JournalRefused(
                f"the input has {self.taken} items, the journal knows {ledger.total_before}"
            )
        ledger.read_whole(self.taken)

    def _note(self, ledger: Ledger, made: Taken[T], item: Any) -> None:
        ledger.taken(self.taken)
        self._texts.append(_text_of(made, item))
        if len(self._texts) == BLOCK:
            ledger.block_read(self.taken // BLOCK - 1, self._texts)
            self._texts = []

    async def _read_before(self, ledger: Ledger) -> AsyncGenerator[Taken[T] | Passed, None]:
        while self.taken < ledger.taken_before:
            first = self.taken
            count = min(BLOCK, ledger.taken_before - first)
            items = await self._source.take(count)
            if len(items) < count:
                raise JournalRefused(
                    f"the input ends after {first + len(items)} items, the journal knows more"
                )
            block = ledger.blocks.get(first // BLOCK)
            made: list[Taken[T]] | None = None
            texts = _as_cards(items)
            if texts is None:
                made = self._prepared(first, items)
                texts = [*map(_text_of, made, items)]
            if count == BLOCK:
                self._check_block(ledger, block, first // BLOCK, texts)
            else:
                self._texts = texts
            self.taken = first + count
            if block is not None and block.is_settled and not self._wanted(first, items):
                self._seen(texts if made is None else [m.identity for m in made if m.identity])
                yield Passed(first, block.settled, made[-1].operation if made else None)
                await asyncio.sleep(0)
                continue
            rows = await ledger.rows(first, count)
            # All of them are compared before the first one is sent.
            for one in [
                self._with_row(ledger, one, rows.get(one.position))
                for one in made or self._prepared(first, items)
            ]:
                yield one

    def _wanted(self, first: int, items: list[Any]) -> bool:
        """Tell whether the caller wants any of these again, all of which it has had."""
        wants = self._replay
        if not callable(wants):
            return wants == "all"
        return any(
            wants(position, item.number if isinstance(item, Row) else None)
            for position, item in enumerate(items, first)
        )

    def _prepared(self, first: int, items: list[Any]) -> list[Taken[T]]:
        return [self._prepare(first + offset, item) for offset, item in enumerate(items)]

    def _check_block(
        self, ledger: Ledger, block: Block | None, number: int, texts: list[str]
    ) -> None:
        if block is None or block.digest is None:
            ledger.block_read(number, texts)
        elif ledger.hiding.block(texts) != block.digest:
            first = number * BLOCK
            raise JournalRefused(
                f"another input: items {first} to {first + BLOCK - 1} are not those of the journal"
            )

    def _with_row(
        self, ledger: Ledger, made: Taken[T], found: tuple[Stored, str | bytes | None] | None
    ) -> Taken[T]:
        if found is None:
            return made
        made.stored, key = found
        if key != made.key(ledger.hiding):
            raise JournalRefused(
                f"another input: item {made.position} is not the one in the journal; ids of "
                "one's own must be made once and kept"
            )
        return made


def _as_cards(items: list[Any]) -> list[str] | None:
    """Give the texts, fast, where all are ICCIDs as they are sent, with nothing to tidy."""
    texts = [item.given if type(item) is Row else item for item in items]
    if not all(type(text) is str for text in texts):
        return None
    joined = "".join(texts)
    sizes = set(map(len, texts))
    if joined.isascii() and joined.isdigit() and min(sizes) >= 18 and max(sizes) <= 22:
        return texts
    return None


def _text_of(made: Taken[Any], item: Any) -> str:
    if isinstance(made.identity, bytes):
        return made.identity.hex()
    if isinstance(item, Row):
        return item.given
    return item if isinstance(item, str) else repr(item)
