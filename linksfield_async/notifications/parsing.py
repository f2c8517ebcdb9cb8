"""The body of a pushed message: the raw text of its top-level members, within limits; pure."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from ..errors import DuplicateKeys, MalformedNotification, NotificationTooLarge


def _positive(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{attribute.name} must be a whole number from 1")


@attrs.frozen(kw_only=True)
class Limits:
    """What a message may have at most; the vendor documents none of it."""

    body: int = attrs.field(default=64 * 1024, validator=_positive)
    """Bytes; no more are read."""
    depth: int = attrs.field(default=32, validator=_positive)
    values: int = attrs.field(default=5_000, validator=_positive)
    """Members and entries, at all levels together."""
    digits: int = attrs.field(default=100, validator=_positive)
    """Characters of a number."""


_BLANK = re.compile(r"[ \t\n\r]*")
_BLANKS = " \t\n\r"
# A text that does not end is one token, too: else each quote in it is looked at anew, to the end.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{},]', re.DOTALL)
_STRING_OR_BLANKS = re.compile(r'("(?:[^"\\]|\\.)*+")|[ \t\n\r]++', re.DOTALL)


@attrs.frozen
class Member:
    """One top-level member: its name as read, and both halves as they stood in the body."""

    name: str
    raw_name: str
    raw_value: str


@attrs.frozen
class Body:
    """A message's body, taken apart; amounts are Decimals, digit for digit."""

    members: tuple[Member, ...]
    fields: Mapping[str, Any]

    def sorted_text(self) -> str:
        """Give the sender's text: the raw members sorted by name, values untouched.

        Parsing and writing anew would change `12.30`, `1E+2`, `\\u4e2d`, `\\/` and long numbers.
        """
        members = sorted(self.members, key=lambda member: member.name)
        return "{" + ",".join(f"{one.raw_name}:{one.raw_value}" for one in members) + "}"


def without_blanks(text: str) -> str:
    """Take out the blanks between the tokens of a JSON text."""
    return _STRING_OR_BLANKS.sub(lambda match: match[1] or "", text)


def read_body(body: bytes, limits: Limits) -> Body:
    """Take a body apart; MalformedNotification where it is no JSON object within the limits."""
    if len(body) > limits.body:
        raise NotificationTooLarge(f"the body has more than {limits.body} bytes")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedNotification("the body is not UTF-8") from error
    _check_size(text, limits)
    try:
        members = _members(text, _decoder(limits))
    except DuplicateKeys:
        raise
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise MalformedNotification("the body is not one JSON object") from error
    return Body(
        tuple(member for member, _ in members), {member.name: value for member, value in members}
    )


def _check_size(text: str, limits: Limits) -> None:
    """Count before anything is parsed: a parser's own limits are in its stack."""
    depth = values = 0
    for match in _TOKEN.finditer(text):
        sign = match[0]
        if sign in "[{":
            depth += 1
            values += 1
            if depth > limits.depth:
                raise MalformedNotification(f"the body is nested deeper than {limits.depth}")
        elif sign in "]}":
            depth -= 1
        elif sign == ",":
            values += 1
        if values > limits.values:
            raise MalformedNotification(f"the body has more than {limits.values} values")


@functools.lru_cache(maxsize=16)
def _decoder(limits: Limits) -> json.JSONDecoder:
    def number(text: str) -> Decimal:
        return Decimal(_within(text, limits.digits))

    def whole(text: str) -> int:
        return int(_within(text, limits.digits))

    return json.JSONDecoder(
        parse_float=number,
        parse_int=whole,
        parse_constant=_refuse_constant,
        object_pairs_hook=_without_doubles,
    )


def _within(text: str, digits: int) -> str:
    if len(text) > digits:
        raise ValueError(f"a number of more than {digits} characters")
    return text


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise DuplicateKeys("a member of the body stands twice")
    return found


def _members(text: str, decoder: json.JSONDecoder) -> list[tuple[Member, Any]]:
    """Walk over the top level only; each name and value is read where it stands."""
    found: list[tuple[Member, Any]] = []
    at = _skip(text, _after(text, 0, "{"))
    if text[at : at + 1] == "}":
        at += 1
    else:
        closing = ","
        while closing == ",":
            name_at = _skip(text, at)
            if text[name_at : name_at + 1] != '"':
                raise ValueError("a name expected")
            name, name_end = decoder.raw_decode(text, name_at)
            value_at = _skip(text, _after(text, name_end, ":"))
            value, value_end = decoder.raw_decode(text, value_at)
            found.append((Member(name, text[name_at:name_end], text[value_at:value_end]), value))
            at = _skip(text, value_end) + 1
            closing = text[at - 1 : at]
        if closing != "}":
            raise ValueError("the object does not end")
    if _skip(text, at) != len(text):
        raise ValueError("text after the object")
    if len({member.name for member, _ in found}) < len(found):
        raise DuplicateKeys("a member of the body stands twice")
    return found


def _skip(text: str, at: int) -> int:
    if text[at : at + 1] not in _BLANKS:  # as a rule; a search costs as much as all the rest
        return at
    match = _BLANK.match(text, at)
    return at if match is None else match.end()


def _after(text: str, at: int, expected: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != expected:
        raise ValueError(f"{expected} expected")
    return at + 1
