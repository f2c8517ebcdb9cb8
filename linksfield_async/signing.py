"""The signature of requests: canonical text, sign, and why a given sign differs; pure.

The rule, as the genuine vectors decide it (evidence: seed; the published texts disagree): take all
parameters but `sign`, leave out nulls, keep empty strings, sort by key, write JSON without spaces
and without escaping non-ASCII or '/', and take the lower-case hex MD5 of its UTF-8 bytes. Lists and
nested objects as values are assumed to follow the same rule. No secret enters: it is a checksum,
not an authentication.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from hashlib import md5
from itertools import combinations
from typing import Any

import attrs

from .errors import InvalidInput

RULE = (
    "all parameters but sign; nulls left out, empty strings kept; sorted by key; JSON without "
    "spaces, non-ASCII and '/' not escaped; lower-case hex MD5 of the UTF-8 bytes"
)

canonical_json = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode
"""Writes a text or anything made of texts, whole numbers and booleans; it checks nothing."""


def canonical_text(params: Mapping[str, Any]) -> str:
    """Write the text that is signed; InvalidInput where a value has no one spelling.

    Values may be text, whole numbers, booleans, and lists or objects of these. Floats are refused
    (their spelling differs between languages), and so is text that UTF-8 cannot hold.
    """
    taking_part = {}
    for name, value in params.items():
        if name != "sign" and value is not None:
            if type(value) is not str:
                _check_value(str(name), value)
            taking_part[name] = value
    return _written(taking_part)


def canonical_value(name: str, value: Any) -> str:
    """Write one parameter's value as it stands in the canonical text; `name` is for errors."""
    if type(value) is str:
        return canonical_json(value)
    _check_value(name, value)
    return _written(value)


def sign(params: Mapping[str, Any]) -> str:
    """Sign parameters: 32 lower-case hex digits."""
    return digest(canonical_bytes(params))


def canonical_bytes(params: Mapping[str, Any]) -> bytes:
    """Give the canonical text as the bytes that are signed."""
    return utf8(canonical_text(params))


def digest(signed: bytes) -> str:
    """Take the digest of the bytes of a canonical text."""
    return md5(signed, usedforsecurity=False).hexdigest()


def utf8(text: str) -> bytes:
    """Encode a text; InvalidInput for a lone surrogate, which no UTF-8 can hold."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        code = f"U+{ord(text[error.start]):04X}"
        where = text[max(0, error.start - 24) : error.start]
        raise InvalidInput(f"a lone surrogate {code} cannot be sent, after {where!r}") from error


def _written(params: Any) -> str:
    try:
        return canonical_json(params)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"parameters cannot be written as JSON: {error}") from error


def _check_value(name: str, value: Any, depth: int = 0) -> None:
    if value is None or isinstance(value, (str, bool, int)):
        return
    if depth > 32:
        raise InvalidInput(f"{name}: nested too deeply")
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _check_value(f"{name}[{index}]", item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InvalidInput(f"{name}: keys must be text, not {type(key).__name__}")
            _check_value(f"{name}.{key}", item, depth + 1)
    else:
        hint = "; give a str or Decimal field" if isinstance(value, float) else ""
        raise InvalidInput(f"{name}: {type(value).__name__} cannot be signed{hint}")


@attrs.frozen
class Explanation:
    """What is signed, by which rule, and what a given sign was made from instead."""

    text: str
    sign: str
    rule: str
    given: str | None
    matches: bool | None
    """None where no sign was given."""
    differences: tuple[str, ...]
    """Each names one way to arrive at the given sign; empty where none was found."""
    implied_text: str | None
    """The text that gives the given sign, where one was found."""


def explain(params: Mapping[str, Any], given: str | None = None) -> Explanation:
    """Say what is signed and, where `given` differs, which usual mistake gives that sign.

    `given` defaults to the parameters' own `sign`.
    """
    given = params.get("sign") if given is None else given
    text = canonical_text(params)
    right = digest(utf8(text))
    matches = None if given is None else given == right
    differences: tuple[str, ...] = ()
    implied: str | None = None
    if given is not None and not matches:
        implied, differences = _likeness({k: v for k, v in params.items() if k != "sign"}, given)
    return Explanation(text, right, RULE, given, matches, differences, implied)


@attrs.frozen
class _Reading:
    """A way to sign that is not the rule: what it does, to the parameters and to their text."""

    what: str
    change: Callable[[dict[str, Any]], dict[str, Any]] = dict
    ascii_only: bool = False
    slashes: bool = False
    spaces: bool = False
    order: Callable[[dict[str, Any]], list[str]] | None = None
    as_form: bool = False
    encoding: str = "utf-8"


_READINGS = (
    _Reading("the parameters are in the order sent, not sorted by key", order=list),
    _Reading("the keys are sorted backwards", order=lambda p: sorted(p, reverse=True)),
    _Reading(
        "the keys are sorted without regard to case", order=lambda p: sorted(p, key=str.lower)
    ),
    _Reading("empty strings are left out", lambda p: {k: v for k, v in p.items() if v != ""}),
    _Reading("non-ASCII is escaped as \\uXXXX", ascii_only=True),
    _Reading("'/' is escaped as \\/", slashes=True),
    _Reading("there are spaces after ':' and ','", spaces=True),
    _Reading("the text is written as key=value pairs, not as JSON", as_form=True),
    _Reading("the text is encoded as GBK, not UTF-8", encoding="gbk"),
    _Reading("the text is encoded as UTF-16, not UTF-8", encoding="utf-16-le"),
    _Reading(
        "numbers stand without quotes",
        lambda p: {k: int(v) if _is_number(v) else v for k, v in p.items()},
    ),
)

# Shared parameters that a caller may have signed but not sent, with the values seen in samples.
_EXTRA = {
    "languageCode": ("", "0", "1"),
    "mark": ("0", ""),
    "terminal": ("0", "1", ""),
    "version": ("3.0",),
    "tradeType": ("",),
    "tradeTime": ("",),
    "requestOrderId": ("",),
    "orgOrderId": ("",),
    "area": ("",),
    "url": ("",),
    "email": ("",),
}


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, str)
        and value.isascii()
        and value.isdigit()
        and len(value) < 20
        and str(int(value)) == value
    )


def _likeness(params: dict[str, Any], given: str) -> tuple[str | None, tuple[str, ...]]:
    """Look for one or two usual mistakes that together give the sign."""
    wanted, notes = given.strip(), []
    if wanted != given:
        notes.append("the sign has white space around it")
    if wanted.lower() != wanted:
        notes.append("the sign is in upper case")
        wanted = wanted.lower()
    if len(wanted) != 32 or set(wanted) - set("0123456789abcdef"):
        return None, (*notes, "the sign is not an MD5 digest in hex (32 digits)")
    for changed, field_note in _field_changes(params):
        for readings in ((), *((one,) for one in _READINGS), *combinations(_READINGS, 2)):
            if field_note and len(readings) > 1:
                continue
            text, encoding = _read(changed, readings)
            if _digest_or_none(text, encoding) == wanted:
                told = [*notes, *field_note, *(reading.what for reading in readings)]
                return text, tuple(told)
    return None, tuple(notes)


def _field_changes(params: dict[str, Any]) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    yield params, ()
    for name in params:
        rest = {key: value for key, value in params.items() if key != name}
        yield rest, (f"the parameter {name} is missing from what was signed",)
    for name, values in _EXTRA.items():
        for value in values:
            if name not in params:
                added = f"a parameter {name}={value!r} was signed that is not among those sent"
                yield params | {name: value}, (added,)
            elif params[name] != value:
                other = f"the parameter {name} was signed as {value!r}, not as it was sent"
                yield params | {name: value}, (other,)


def _read(params: dict[str, Any], readings: tuple[_Reading, ...]) -> tuple[str, str]:
    for reading in readings:
        params = reading.change(params)
    order = next((reading.order for reading in readings if reading.order), sorted)
    params = {name: params[name] for name in order(params) if params[name] is not None}
    encoding = next((r.encoding for r in readings if r.encoding != "utf-8"), "utf-8")
    if any(reading.as_form for reading in readings):
        return "&".join(f"{name}={value}" for name, value in params.items()), encoding
    text = json.dumps(
        params,
        ensure_ascii=any(reading.ascii_only for reading in readings),
        separators=(", ", ": ") if any(r.spaces for r in readings) else (",", ":"),
    )
    return text.replace("/", "\\/") if any(r.slashes for r in readings) else text, encoding


def _digest_or_none(text: str, encoding: str) -> str | None:
    try:
        return digest(text.encode(encoding))
    except UnicodeEncodeError:
        return None
