"""Tries the known mistakes, alone and two at once, until one gives the sign at hand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Any, TypeAlias

import attrs

from .known import CODE, RULES, Mistake, Params, of_code, of_fields, of_places

Digest: TypeAlias = Callable[[bytes], str]

MOST_FOR_PAIRS = 16 * 1024
"""Characters of text up to which two mistakes at once are looked for; beyond it takes too long."""

_HEX = re.compile(r"[0-9a-f]+")

_BASE64_MD5 = re.compile(r"[0-9A-Za-z+/_-]{22}(==)?")


@attrs.frozen
class Likeness:
    """The text that gives a sign, and the mistakes that lead to it; None and empty if none do.

    An access code in the text is hidden.
    """

    text: str | None
    differences: tuple[str, ...]


def likeness(
    params: Mapping[str, Any],
    given: str,
    *,
    places: Mapping[str, str] | None = None,
    access_code: str | None = None,
) -> Likeness:
    """Look for one or two usual mistakes that together give the sign.

    `places` says where each parameter stood: "path", "query" or "body".
    """
    wanted, notes = _tidied(given)
    digests = list(_digests(wanted, access_code))
    if not digests:
        return Likeness(None, (*notes, "the sign is not an MD5 digest in hex (32 digits)"))
    rest = {name: value for name, value in params.items() if name != "sign"}
    for mistakes in _combined(rest, places or {}, access_code):
        text, encoding = _apply(rest, mistakes)
        try:
            signed = text.encode(encoding)
        except UnicodeEncodeError:
            continue
        for about, digest in digests:
            if digest(signed) == wanted:
                told = (*notes, *about, *(one.what for one in mistakes))
                return Likeness(_without_code(text, told, access_code), told)
    return Likeness(None, tuple(notes))


def _without_code(text: str, told: tuple[str, ...], code: str | None) -> str:
    hidden = code is not None and any(CODE in one for one in told)
    return text.replace(str(code), "<access code>") if hidden else text


def _tidied(given: str) -> tuple[str, list[str]]:
    wanted, notes = given.strip().strip("\"'").strip(), []
    if wanted != given:
        notes.append(
            "the sign has white space around it"
            if wanted == given.strip()
            else "the sign has quotes around it"
        )
    if wanted.upper() == wanted and _HEX.fullmatch(wanted.lower()) and wanted.lower() != wanted:
        notes.append("the sign is in upper case")
        wanted = wanted.lower()
    return wanted, notes


def _digests(wanted: str, access_code: str | None) -> Iterator[tuple[tuple[str, ...], Digest]]:
    """Say which digests can look like the sign at hand."""
    is_hex = _HEX.fullmatch(wanted) is not None
    if is_hex and len(wanted) == 32:
        yield (), _md5
        yield ("the MD5 was taken of the MD5 again",), lambda b: _md5(_md5(b).encode())
        if access_code:
            key = access_code.encode("utf-8", "replace")
            told = "the sign is an HMAC with the access code, not a plain MD5"
            yield (told,), lambda b: hmac.new(key, b, _new_md5).hexdigest()
    elif is_hex and len(wanted) == 16:
        yield ("the sign is cut to its middle 16 digits",), lambda b: _md5(b)[8:24]
        yield ("the sign is cut to its first 16 digits",), lambda b: _md5(b)[:16]
    elif is_hex and len(wanted) in _OTHERS:
        name = _OTHERS[len(wanted)]
        yield (
            (f"the digest is {name.upper()}, not MD5",),
            lambda b: hashlib.new(name, b, usedforsecurity=False).hexdigest(),
        )
    elif _BASE64_MD5.fullmatch(wanted):
        told = "the MD5 is written in Base64, not in hex"
        standard = wanted.replace("-", "+").replace("_", "/").rstrip("=")
        plain = _base64_of if standard == wanted.rstrip("=") else _url_base64_of
        padded = wanted.endswith("==")
        yield (told,), lambda b: plain(b) + ("==" if padded else "")


_OTHERS = {40: "sha1", 64: "sha256", 128: "sha512"}


def _new_md5(signed: bytes = b"") -> Any:
    return hashlib.md5(signed, usedforsecurity=False)


def _md5(signed: bytes) -> str:
    digest: str = _new_md5(signed).hexdigest()
    return digest


def _base64_of(signed: bytes) -> str:
    return base64.b64encode(bytes.fromhex(_md5(signed))).decode().rstrip("=")


def _url_base64_of(signed: bytes) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(_md5(signed))).decode().rstrip("=")


def _combined(
    params: Params, places: Mapping[str, str], access_code: str | None
) -> Iterator[tuple[Mistake, ...]]:
    """Yield no mistake (the digest itself may be one), then each alone, then pairs."""
    mistakes = [
        one
        for one in (*RULES, *of_places(places), *of_code(access_code), *of_fields(params))
        if one.change is None or _differs(one.change, params)
    ]
    yield ()
    yield from ((one,) for one in mistakes)
    if len(_apply(params, ())[0]) <= MOST_FOR_PAIRS:
        yield from combinations(mistakes, 2)


def _differs(change: Callable[[Params], Params], params: Params) -> bool:
    changed = change(params)
    return list(changed.items()) != list(params.items()) or any(
        type(changed[name]) is not type(value) for name, value in params.items()
    )


def _apply(params: Params, mistakes: tuple[Mistake, ...]) -> tuple[str, str]:
    """Write the text as these mistakes would have it; gives the encoding too."""
    for one in mistakes:
        if one.change is not None:
            params = one.change(params)
    words = {one.writing for one in mistakes if one.writing}
    order = next((one.order for one in mistakes if one.order), sorted)
    ordered = {n: params[n] for n in order(params) if params[n] is not None or "nulls" in words}
    text = _written(ordered, words)
    for one in mistakes:
        if one.after is not None:
            text = one.after(text)
    return text, next((one.encoding for one in mistakes if one.encoding != "utf-8"), "utf-8")


def _written(params: Params, words: set[str]) -> str:
    if "form" in words:
        return "&".join(f"{name}={_plain(value)}" for name, value in params.items())
    if "joined" in words:
        return "".join(f"{name}{_plain(value)}" for name, value in params.items())
    if "values" in words:
        return "".join(_plain(value) for value in params.values())
    indent = next((int(word[-1]) for word in words if word.startswith("indent")), None)
    spaced = "spaces" in words or indent is not None
    text = json.dumps(
        params,
        ensure_ascii=bool(words & {"ascii", "ASCII"}),
        indent=indent,
        separators=("," if indent else ", ", ": ") if spaced else (",", ":"),
    )
    if "ASCII" in words:
        text = re.sub(r"\\u[0-9a-f]{4}", lambda m: "\\u" + m[0][2:].upper(), text)
    if "slashes" in words:
        text = text.replace("/", "\\/")
    if "html" in words:
        for char in "<>&":
            text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
