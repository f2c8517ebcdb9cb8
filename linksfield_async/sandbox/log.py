"""The log of received requests: bounded, in order, with what was answered."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, overload

import attrs

from ..errors import ConfigurationError
from ..masking import one_line
from ..operation import Operation
from ..operations import OPERATIONS
from .answers import Refusal, dump
from .matched import Matched, shown
from .reading import read_parameters

_NEW_EACH_TIME = ("sign", "tradeTime")
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
    name = operation if isinstance(operation, str) else getattr(operation, "__name__", None)
    if not isinstance(name, str):
        raise ConfigurationError(f"an operation is a class or a name, not {operation!r}")
    if name not in _NAMES:
        raise ConfigurationError(f"no operation is called {one_line(repr(name))}")
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

    def of(self, operation: type[Operation[Any]] | str, **parameters: object) -> Matched:
        """List the kept requests of one operation, given as class or name; see `Matched`."""
        name = operation_name(operation)
        found = [request for request in self._kept if request.operation == name]
        matched = Matched(found, name, self)
        return matched.where(**parameters) if parameters else matched

    @property
    def last(self) -> Received:
        """The latest request; fails where there is none."""
        return Matched(self._kept, "any request", self).last

    def transcript(self) -> list[str]:
        """Write a line for each kept request, without what differs from run to run.

        That is times, signs and addresses; the same seed and the same calls, one after another,
        give the same lines.
        """
        return [
            f"{shown(request)} carried_out={request.carried_out} {_digest(request.params)}"
            for request in self._kept
        ]

    def clear(self) -> None:
        """Drop the kept requests; `total` stays."""
        self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Received]:
        # Of those kept by now: a request may come in, in another thread, before it is at its end.
        return iter(tuple(self._kept))

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


def _digest(parameters: Mapping[str, object]) -> str:
    stable = {name: one for name, one in parameters.items() if name not in _NEW_EACH_TIME}
    return hashlib.sha256(dump(sorted(stable.items()))).hexdigest()[:16]
