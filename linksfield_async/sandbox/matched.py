"""Requests picked from the log, and assertions on them that show what was there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ..masking import mask_text, one_line
from ..operation import Operation, wire_fields
from ..operations import OPERATIONS

if TYPE_CHECKING:
    from .log import Received

_SHOWN = 10
_VALUE_LIMIT = 60
_CLASSES: Mapping[str, type[Operation[Any]]] = {one.__name__: one for one in OPERATIONS}


class Matched(list["Received"]):
    """The requests that fit a question, oldest first; a list with assertions.

    sandbox.requests.of(SingleOrder).once()
    sandbox.requests.of(SingleOrder, iccid=card).carried_out.times(2)
    """

    def __init__(
        self, requests: Iterable[Received], question: str, everything: Iterable[Received]
    ) -> None:
        super().__init__(requests)
        self._question = question
        self._everything = everything

    def where(self, **parameters: object) -> Matched:
        """Keep those with these parameters, named as in Python or as on the wire."""
        kept = [request for request in self if _fits(request, parameters)]
        shown = ", ".join(f"{name}={_masked(name, value)}" for name, value in parameters.items())
        return Matched(kept, f"{self._question} with {shown}", self._everything)

    @property
    def carried_out(self) -> Matched:
        """Those that the sandbox carried out, whatever it told the client."""
        kept = [request for request in self if request.carried_out]
        return Matched(kept, f"{self._question} carried out", self._everything)

    @property
    def last(self) -> Received:
        """The latest one; fails where there is none."""
        __tracebackhide__ = True  # pytest then shows the line of the test
        if not self:
            raise AssertionError(self._told("at least once"))
        return self[-1]

    def once(self) -> Received:
        """Fail unless there is exactly one; give it."""
        __tracebackhide__ = True
        self.times(1)
        return self[0]

    def none(self) -> None:
        """Fail where there is any."""
        __tracebackhide__ = True
        self.times(0)

    def times(self, count: int) -> Matched:
        """Fail unless there are so many."""
        __tracebackhide__ = True
        if len(self) != count:
            expected = {0: "never", 1: "once"}.get(count, f"{count} times")
            raise AssertionError(self._told(expected))
        return self

    def _told(self, expected: str) -> str:
        lines = [f"expected {self._question} {expected}, but the log holds {len(self)}"]
        lines += [f"  {shown(request)}" for request in self[:_SHOWN]]
        if len(self) > _SHOWN:
            lines.append(f"  … and {len(self) - _SHOWN} more")
        if not self:
            counts = Counter(one.operation or "no operation" for one in self._everything)
            held = ", ".join(f"{name} × {count}" for name, count in counts.most_common())
            lines.append(f"  received in all: {held or 'nothing'}")
        return "\n".join(lines)


def shown(request: Received) -> str:
    """Write a request in one line, masked."""
    parameters = request.params
    operation = _CLASSES.get(request.operation or "")
    fields = [] if operation is None else wire_fields(operation)
    told = [
        f"{field.python}={_masked(field.python, parameters[field.wire.name], operation)}"
        for field in fields
        if field.wire.name in parameters
    ]
    facts = [f"#{request.index}", request.operation or one_line(request.path)]
    facts += [str(request.status), f"({one_line(request.outcome)})"]
    if request.fault is not None:
        facts.append(f"[{request.fault}]")
    return " ".join([*facts, *told])


def _masked(name: str, value: object, operation: type[Operation[Any]] | None = None) -> str:
    how: Any = True
    for declared in OPERATIONS if operation is None else (operation,):
        for field in wire_fields(declared):
            if name in (field.python, field.wire.name):
                how = attrs.fields_dict(declared)[field.python].repr
    text = str(how(value)) if callable(how) else mask_text(repr(value))
    return one_line(text, _VALUE_LIMIT)


def _fits(request: Received, wanted: Mapping[str, object]) -> bool:
    operation = _CLASSES.get(request.operation or "")
    fields = () if operation is None else wire_fields(operation)
    names = {field.python: field.wire.name for field in fields}
    parameters = request.params
    return all(
        _plain(parameters.get(names.get(name, name))) == _plain(value)
        for name, value in wanted.items()
    )


def _plain(value: object) -> object:
    return list(value) if isinstance(value, (tuple, list)) else value
