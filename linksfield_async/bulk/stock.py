"""Reads any iterable, sync or async, one item or many at a time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")

END: Any = object()
"""There is nothing more."""
LATER: Any = object()
"""There may be more, which has to be waited for."""


class Stocked(AsyncIterator[T]):
    """An asynchronous source that often has items at hand."""

    @abstractmethod
    def at_once(self) -> Any:
        """Give an item that is at hand; LATER where it has to be waited for, or is the end."""


class Stock:
    """What a run reads its items from."""

    def __init__(self, source: Iterable[Any] | AsyncIterable[Any]) -> None:
        self.items: Iterator[Any] | None = None
        """Of a source that nobody has to wait for."""
        self._later: AsyncIterator[Any] | None = None
        if isinstance(source, AsyncIterable):
            self._later = aiter(source)
        else:
            self.items = iter(source)

    def at_once(self) -> Any:
        """Give the next item of an asynchronous source, or LATER where it has to be waited for."""
        return self._later.at_once() if isinstance(self._later, Stocked) else LATER

    async def next(self) -> Any:
        """Give the next item, or END."""
        if self.items is not None:
            return next(self.items, END)
        assert self._later is not None  # noqa: S101
        return await anext(self._later, END)

    async def take(self, count: int) -> list[Any]:
        """Give so many, or fewer at the end."""
        if self.items is not None:
            return list(islice(self.items, count))
        taken: list[Any] = []
        while len(taken) < count and (item := await self.next()) is not END:
            taken.append(item)
        return taken

    async def aclose(self) -> None:
        """Close an asynchronous source."""
        close = getattr(self._later, "aclose", None)
        if close is not None:
            await close()
