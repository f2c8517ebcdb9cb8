"""The usual mistakes in making such a signature, and which of them gives a sign at hand; pure.

Nothing here decides whether a sign is right: that is for whoever asks, by a rule of its own. This
only tries ways to sign that are not the rule, alone and two at once, until one gives the sign.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations, groupby
from typing import Any, TypeAlias
from urllib.parse import quote, quote_plus

import attrs

Params: TypeAlias = dict[str, Any]
Digest: TypeAlias = Callable[[bytes], str]

RULE = (
    "all parameters but sign; nulls left out, empty strings kept; sorted by key; JSON without "
    "spaces, non-ASCII and '/' not escaped; lower-case hex MD5 of the UTF-8 bytes"
)
"""The rule in words, as the genuine vectors decide it (evidence: seed)."""

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


@attrs.frozen
class _Mistake:
    """A way to sign that is not the rule: what it does to the parameters and to their text."""

    what: str
    change: Callable[[Params], Params] | None = None
    order: Callable[[Params], list[str]] | None = None
    writing: str = ""
    """One of the words that `_written` knows."""
    after: Callable[[str], str] | None = None
    encoding: str = "utf-8"


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
    hidden = code is not None and any(_CODE in one for one in told)
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
) -> Iterator[tuple[_Mistake, ...]]:
    """Yield no mistake (the digest itself may be one), then each alone, then pairs."""
    mistakes = [
        one
        for one in (*_RULES, *_of_places(places), *_of_code(access_code), *_of_fields(params))
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


def _apply(params: Params, mistakes: tuple[_Mistake, ...]) -> tuple[str, str]:
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


def _values(change: Callable[[Any], Any]) -> Callable[[Params], Params]:
    """Make a change of every value, those in lists included."""

    def one(value: Any) -> Any:
        return [change(item) for item in value] if isinstance(value, list) else change(value)

    return lambda params: {name: one(value) for name, value in params.items()}


def _texts(change: Callable[[str], str]) -> Callable[[Params], Params]:
    return _values(lambda value: change(value) if isinstance(value, str) else value)


def _lists(change: Callable[[list[Any]], Any]) -> Callable[[Params], Params]:
    return lambda params: {
        name: change(value) if isinstance(value, list) else value for name, value in params.items()
    }


def _as_number(value: Any) -> Any:
    """Take a text of digits as a number; decimals too, where they are spelled the same."""
    if not isinstance(value, str) or not value.isascii() or len(value) > 19:
        return value
    if value.isdigit():
        return int(value) if str(int(value)) == value else value
    if re.fullmatch(r"[0-9]+\.[0-9]+", value):
        return float(value) if repr(float(value)) == value else value
    return value


def _as_text(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def _no_case(params: Params) -> list[str]:
    return sorted(params, key=str.lower)


def _without_empties(params: Params) -> Params:
    return {name: value for name, value in params.items() if value not in ("", [], {})}


def _seconds(params: Params) -> Params:
    stamp = params.get("tradeTime")
    cut = isinstance(stamp, str) and stamp.isascii() and stamp.isdigit() and len(stamp) == 13
    return {**params, "tradeTime": str(stamp)[:10]} if cut else params


def _misread(text: str) -> str:
    return text.encode("utf-8", "replace").decode("latin-1")


_RULES = (
    _Mistake("the parameters are in the order sent, not sorted by key", order=list),
    _Mistake("the keys are sorted backwards", order=lambda p: sorted(p, reverse=True)),
    _Mistake("the keys are sorted without regard to case", order=_no_case),
    _Mistake("empty strings are left out", _without_empties),
    _Mistake("nulls are kept", writing="nulls"),
    _Mistake("non-ASCII is escaped as \\uXXXX", writing="ascii"),
    _Mistake("non-ASCII is escaped as \\uXXXX, with upper-case digits", writing="ASCII"),
    _Mistake("'/' is escaped as \\/", writing="slashes"),
    _Mistake("'<', '>' and '&' are escaped as \\u003c, \\u003e and \\u0026", writing="html"),
    _Mistake("'<', '>', '&' and quotes are written as HTML entities", _texts(html.escape)),
    _Mistake("there are spaces after ':' and ','", writing="spaces"),
    _Mistake("the text is indented by two", writing="indent2"),
    _Mistake("the text is indented by four", writing="indent4"),
    _Mistake("the text ends in a line break", after=lambda text: text + "\n"),
    _Mistake("the text is written as key=value pairs, not as JSON", writing="form"),
    _Mistake("the text is names and values without anything between them", writing="joined"),
    _Mistake("the text is the values alone", writing="values"),
    _Mistake("the whole text is URL-encoded", after=lambda text: quote(text, safe="")),
    _Mistake("the text is a JSON string that holds the JSON", after=json.dumps),
    _Mistake("the text is encoded as GBK, not UTF-8", encoding="gbk"),
    _Mistake("the text is encoded as Latin-1, not UTF-8", encoding="latin-1"),
    _Mistake("the text is encoded as UTF-16, not UTF-8", encoding="utf-16-le"),
    _Mistake("there is a byte order mark before the text", encoding="utf-8-sig"),
    _Mistake("UTF-8 was read as Latin-1 and encoded again", after=_misread),
    _Mistake("numbers stand without quotes", _values(_as_number)),
    _Mistake("numbers and booleans stand in quotes, but were sent without", _values(_as_text)),
    _Mistake("values are URL-encoded", _texts(lambda text: quote(text, safe=""))),
    _Mistake("values are URL-encoded, with '/' left as it is", _texts(quote)),
    _Mistake("values are form-encoded, with '+' for a space", _texts(quote_plus)),
    _Mistake("white space around values is cut off", _texts(str.strip)),
    _Mistake("values are in lower case", _texts(str.lower)),
    _Mistake("lists are sorted", _lists(lambda items: sorted(items, key=str))),
    _Mistake("lists are texts joined by commas", _lists(lambda items: ",".join(map(str, items)))),
    _Mistake("lists are texts that hold JSON", _lists(lambda i: json.dumps(i, separators=(",", ":")))),
    _Mistake("tradeTime was signed in seconds, not in milliseconds", _seconds),
    _Mistake("the sign itself takes part, as an empty text", lambda p: p | {"sign": ""}),
    _Mistake("the sign itself takes part, as null", lambda p: p | {"sign": None}, writing="nulls"),
)  # fmt: skip


def _of_places(places: Mapping[str, str]) -> Iterator[_Mistake]:
    by_place = groupby(sorted(places, key=lambda name: places[name]), key=lambda name: places[name])
    for place, grouped in by_place:
        names = [name for name in grouped if name != "sign"]
        if names:
            what = f"the parameters of the {place} are left out ({', '.join(sorted(names))})"
            yield _Mistake(what, _without(names))


def _without(names: list[str]) -> Callable[[Params], Params]:
    return lambda params: {name: value for name, value in params.items() if name not in names}


def _with(name: str, value: str) -> Callable[[Params], Params]:
    return lambda params: params | {name: value}


_CODE = "the access code"


def _of_code(code: str | None) -> Iterator[_Mistake]:
    told = f"{_CODE} takes part"
    for name in ("access_code", "accessCode", "key"):
        for value in (code, "") if code else ("",):
            shown = "" if value else " (empty)"
            yield _Mistake(f"{told}, as parameter {name}{shown}", _with(name, value))
    if code:
        yield _Mistake(f"{told}, after the text", after=lambda text: text + code)
        yield _Mistake(f"{told}, before the text", after=lambda text: code + text)
        yield _Mistake(f"{told}, as &key=… at the end", after=lambda text: f"{text}&key={code}")


# Shared parameters that a caller may have signed but not sent, with the values seen in samples.
_SEEN = {
    "languageCode": ("", "0", "1"),
    "mark": ("0", ""),
    "terminal": ("0", "1", ""),
    "version": ("3.0",),
    "tradeType": ("", "verify", "payPalPay"),
    "tradeTime": ("",),
    "requestOrderId": ("",),
    "orgOrderId": ("",),
    "area": ("",),
    "url": ("",),
    "email": ("",),
}


def _of_fields(params: Params) -> Iterator[_Mistake]:
    for name in params:
        yield _Mistake(f"the parameter {name} is missing from what was signed", _without([name]))
    for name, values in _SEEN.items():
        for value in values:
            if name not in params:
                what = f"a parameter {name}={value!r} was signed that is not among those sent"
            elif params[name] != value:
                what = f"the parameter {name} was signed as {value!r}, not as it was sent"
            else:
                continue
            yield _Mistake(what, _with(name, value))
