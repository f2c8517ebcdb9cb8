"""The log of received requests: bounded, in order, with what was answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, overload

import attrs

from ..errors import ConfigurationError
from ..operation import Operation
from ..operations import OPERATIONS
from .answers import Refusal
from .reading import read_parameters

_NAMES = frozenset(operation.__name__ for operation in OPERATIONS)


@attrs.frozen
class Received:
    """One request as it came in, and how it was answered.

    `outcome` is "ok" or says why not. `fault` names what was made to go wrong, None where nothing
    was. `status` is what was answered, 0 where a fault ate the answer. `carried_out` tells
    whether the operation was carried out, whatever the client was told.
    """

    index: int
    time: datetime
    method: str
    path: str
    operation: str | None
    status: int
    outcome: str
    query: str = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    path_parameters: Mapping[str, str] = attrs.field(repr=False)
    carried_out: bool = False
    fault: str | None = None

    @property
    def params(self) -> dict[str, object]:
        """The parameters by wire name, read anew at each call; empty where unreadable."""
        try:
            return read_parameters(self.method, self.query, self.body, self.path_parameters)
        except Refusal:
            # The outcome already says what is wrong with them.
            return {}


def operation_name(operation: type[Operation[Any]] | str) -> str:
    """Give an operation's name; refuse one that does not exist."""
    name = operation if isinstance(operation, str) else operation.__name__
    if name not in _NAMES:
        raise ConfigurationError(f"no operation is called {name!r}")
    return name


class RequestLog(Sequence[Received]):
    """The latest requests, oldest first; `total` goes on when old ones are dropped."""

    def __init__(self, keep: int) -> None:
        self._kept: deque[Received] = deque(maxlen=keep)
        self.total = 0
        """How many requests were received in all."""

    def add(self, request: Received) -> None:
        """Put a request at the end."""
        self._kept.append(request)
        self.total += 1

    def of(self, operation: type[Operation[Any]] | str) -> list[Received]:
        """List the kept requests of one operation, given as class or name."""
        name = operation_name(operation)
        return [request for request in self._kept if request.operation == name]

    def clear(self) -> None:
        """Drop the kept requests; `total` stays."""
        self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Received]:
        return iter(self._kept)

    @overload
    def __getitem__(self, index: int) -> Received: ...
    @overload
    def __getitem__(self, index: slice) -> list[Received]: ...
    def __getitem__(self, index: int | slice) -> Received | list[Received]:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self._kept))
            if step > 0:
                return list(islice(self._kept, start, stop, step))
            return list(self._kept)[index]
        return self._kept[index]

    def __repr__(self) -> str:
        return f"<{len(self._kept)} requests kept of {self.total}>"
