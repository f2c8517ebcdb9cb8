"""Single values on their way to and from the wire: what each type admits, refused by name else."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, get_args, get_origin

from .errors import InvalidInput
from .masking import one_line

Reader = Callable[[Any, Any], Any]
"""Reads one JSON value; the second argument is the type, as cattrs passes it."""
Writer = Callable[[str, Any], Any]
"""Writes one field's value; the first argument names the field in an InvalidInput."""

_PLAIN_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?")
_AMOUNT = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"([0-9]{4})([-./])([0-9]{1,2})\2([0-9]{1,2})")
_AMOUNT_LENGTH = 64
_SEQUENCES: tuple[Any, ...] = (tuple, list, Sequence, Iterable)


class Unreadable(Exception):
    """A value that is not what was declared; `where` grows into its path on the way up."""

    def __init__(self, reason: str, where: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.where = one_line(where)

    def below(self, name: str) -> Unreadable:
        """Say under which member or index the value stood."""
        joint = "" if not self.where or self.where.startswith("[") else "."
        return Unreadable(self.reason, f"{name}{joint}{self.where}")

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}" if self.where else self.reason


def without_none(kind: Any) -> Any:
    """Take None out of `X | None`; other types stay as they are."""
    if get_origin(kind) in (types.UnionType, typing.Union):
        rest = [part for part in get_args(kind) if part is not type(None)]
        if len(rest) < len(get_args(kind)):
            return rest[0] if len(rest) == 1 else typing.Union[tuple(rest)]  # noqa: UP007
    return kind


def kind_of(value: Any) -> str:
    """Name what was found, in JSON's words, without showing it."""
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", int: "a number"}
    return "null" if value is None else names.get(type(value), "a number")


# Writing: what a field's type admits, else a InvalidInput that names the field.


def write_text(field: str, value: Any) -> str:
    """Pass text on."""
    if type(value) is str:
        return value
    if not isinstance(value, str):
        raise InvalidInput(f"{field}: must be text, not {type(value).__name__}")
    return str.__str__(value)


def write_amount(field: str, value: Any) -> str:
    """Write money exactly as given; a float has already lost what was meant."""
    if isinstance(value, Decimal):
        if not value.is_finite() or value.is_signed() or abs(value.adjusted()) > _AMOUNT_LENGTH:
            raise InvalidInput(f"{field}: must be a finite amount, not negative")
        return format(value, "f")
    if not isinstance(value, str):
        raise InvalidInput(f"{field}: must be str or Decimal, not {type(value).__name__}")
    if len(value) > _AMOUNT_LENGTH or not _PLAIN_DECIMAL.fullmatch(value):
        raise InvalidInput(f"{field}: must be digits with at most one '.', such as 4.99")
    return write_text(field, value)


def write_texts(field: str, value: Any) -> list[str]:
    """Write a list of texts in the order given."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise InvalidInput(f"{field}: must be a list of texts, not {type(value).__name__}")
    written = [write_text(f"{field}[{index}]", item) for index, item in enumerate(value)]
    if not written or "" in written:
        raise InvalidInput(f"{field}: must not be empty or hold an empty text")
    return written


def _write_as_it_is(_: str, value: Any) -> Any:
    return value


def writer_for(declared: Any) -> Writer:
    """Choose how a field of this type is written."""
    declared = without_none(declared)
    if declared is str:
        return write_text
    if declared is Decimal or set(get_args(declared)) == {str, Decimal}:
        return write_amount
    if get_origin(declared) in _SEQUENCES and get_args(declared)[0] is str:
        return write_texts
    # A user's own operation may declare any JSON type; signing refuses what is not one.
    return _write_as_it_is


# Reading: hooks for cattrs that raise Unreadable instead of guessing.


def read_text(value: Any, _: Any = None) -> str:
    """Take text, or a whole number as its exact digits."""
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    raise Unreadable(f"text expected, found {kind_of(value)}")


def read_whole_number(value: Any, _: Any = None) -> int:
    """Take a whole number, or text that is one."""
    if type(value) is int:
        return value
    if type(value) is str and value.isascii() and value.isdigit() and len(value) < 4000:
        return int(value)
    raise Unreadable(f"a whole number expected, found {kind_of(value)}")


def read_boolean(value: Any, _: Any = None) -> bool:
    """Take true or false and nothing that looks like it."""
    if type(value) is bool:
        return value
    raise Unreadable(f"a boolean expected, found {kind_of(value)}")


def read_amount(value: Any, _: Any = None) -> Decimal:
    """Take a finite amount, digit for digit."""
    known = type(value) in (int, Decimal) or (type(value) is str and _AMOUNT.fullmatch(value))
    if known and len(str(value)) <= _AMOUNT_LENGTH:
        try:
            amount = Decimal(value)
        except InvalidOperation:
            amount = Decimal("NaN")
        if amount.is_finite():
            return amount
    raise Unreadable(f"an amount expected, found {kind_of(value)} that is none")


def read_date(value: Any, _: Any = None) -> date:
    """Take yyyy-MM-dd, also with dots or slashes."""
    match = _DATE.fullmatch(value) if type(value) is str else None
    if match:
        try:
            return date(int(match[1]), int(match[3]), int(match[4]))
        except ValueError:
            pass  # 31 February: told below like any other text that is not a date
    raise Unreadable(f"a date expected, found {kind_of(value)} that is none")


def read_datetime(value: Any, _: Any = None) -> datetime:
    """Take ISO 8601, the 'T' optional."""
    if type(value) is str:
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass  # told below
    raise Unreadable(f"a date and time expected, found {kind_of(value)} that is none")
