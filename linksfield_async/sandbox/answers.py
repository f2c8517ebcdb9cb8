"""How the sandbox answers: success and failure shapes, and wire names taken from the models."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any, TypeAlias

import attrs

from ..operation import AnswerShape, Model, Operation, wire_fields

Data: TypeAlias = Mapping[str, object] | None
"""What an operation answers with, by wire name."""


class Refusal(Exception):
    """A request that is refused, or a call that the stand-in for Stripe cannot carry out.

    `detail` goes out as `data.data`, `more` beside it; `head` replaces the outer message. A
    `page` goes out in place of all of it.
    """

    def __init__(
        self,
        message: str,
        *,
        detail: object = None,
        head: str | None = None,
        status: int | None = None,
        outcome: str | None = None,
        more: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        page: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.outcome = outcome or f"refused: {message}"
        self.headers = dict(headers or {})
        self._body = failure(message, detail=detail, head=head, more=more)
        if page is not None:
            self._body = page.encode()
            self.headers.setdefault("Content-Type", "text/html")

    @property
    def body(self) -> bytes:
        """The refusal in the documented failure shape, or its page."""
        return self._body


@attrs.define
class Answer:
    """One answer, ready to be sent, and what the log says of it."""

    status: int
    body: bytes
    outcome: str = "ok"
    operation: str | None = None
    path_parameters: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    carried_out: bool = False


def dump(value: object) -> bytes:
    """Write compact JSON; a lone surrogate, which UTF-8 has no bytes for, stays an escape."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


def success(operation: type[Operation[Any]], data: Data) -> bytes:
    """Write a success in the operation's documented shape; where none is known, an envelope."""
    if operation.answer is AnswerShape.BARE:
        return dump(data or {})
    return dump({"operateCode": "S", "message": "success", "data": data})


def failure(
    message: str,
    *,
    detail: object = None,
    head: str | None = None,
    more: Mapping[str, object] | None = None,
) -> bytes:
    """Write a failure: an envelope whose `data` holds `message` and `data` again."""
    inner = {"message": message, "data": detail, **(more or {})}
    return dump({"operateCode": "F", "message": head or message, "data": inner})


@functools.cache
def _wire_names(declared: type[Any]) -> Mapping[str, str]:
    return {field.python: field.wire.name for field in wire_fields(declared)}


def told(model: type[Model], /, **values: object) -> dict[str, object]:
    """Put values under the wire names of a model's fields; None is left out."""
    declared: Any = model
    names = _wire_names(declared)
    return {names[python]: value for python, value in values.items() if value is not None}
