"""The signature of requests: canonical text, sign, and why a given sign differs; pure.

The rule, as the genuine vectors decide it (evidence: seed; the published texts disagree): take all
parameters but `sign`, leave out nulls, keep empty strings, sort by key, write JSON without spaces
and without escaping non-ASCII or '/', and take the lower-case hex MD5 of its UTF-8 bytes. Lists and
nested objects as values are assumed to follow the same rule. No secret enters: it is a checksum,
not an authentication.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import md5
from typing import Any

import attrs

from .errors import InvalidInput
from .mistakes import RULE, Likeness, likeness

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


def explain(
    params: Mapping[str, Any], given: str | None = None, *, access_code: str | None = None
) -> Explanation:
    """Say what is signed and, where `given` differs, which usual mistake gives that sign.

    `given` defaults to the parameters' own `sign`. With `access_code` it is also tried whether
    the code entered the sign, where it does not belong.
    """
    given = params.get("sign") if given is None else given
    text = canonical_text(params)
    right = digest(utf8(text))
    matches = None if given is None else given == right
    found = Likeness(None, ())
    if given is not None and not matches:
        found = likeness(params, given, access_code=access_code)
    return Explanation(text, right, RULE, given, matches, found.differences, found.text)
