"""The usual mistakes in making such a signature, each as what it does to parameters or text."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import Any, TypeAlias
from urllib.parse import quote, quote_plus

import attrs

Params: TypeAlias = dict[str, Any]


@attrs.frozen
class Mistake:
    """A way to sign that is not the rule: what it does to the parameters and to their text."""

    what: str
    change: Callable[[Params], Params] | None = None
    order: Callable[[Params], list[str]] | None = None
    writing: str = ""
    """One of the words that `search` writes texts by."""
    after: Callable[[str], str] | None = None
    encoding: str = "utf-8"


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


RULES = (
    Mistake("the parameters are in the order sent, not sorted by key", order=list),
    Mistake("the keys are sorted backwards", order=lambda p: sorted(p, reverse=True)),
    Mistake("the keys are sorted without regard to case", order=_no_case),
    Mistake("empty strings are left out", _without_empties),
    Mistake("nulls are kept", writing="nulls"),
    Mistake("non-ASCII is escaped as \\uXXXX", writing="ascii"),
    Mistake("non-ASCII is escaped as \\uXXXX, with upper-case digits", writing="ASCII"),
    Mistake("'/' is escaped as \\/", writing="slashes"),
    Mistake("'<', '>' and '&' are escaped as \\u003c, \\u003e and \\u0026", writing="html"),
    Mistake("'<', '>', '&' and quotes are written as HTML entities", _texts(html.escape)),
    Mistake("there are spaces after ':' and ','", writing="spaces"),
    Mistake("the text is indented by two", writing="indent2"),
    Mistake("the text is indented by four", writing="indent4"),
    Mistake("the text ends in a line break", after=lambda text: text + "\n"),
    Mistake("the text is written as key=value pairs, not as JSON", writing="form"),
    Mistake("the text is names and values without anything between them", writing="joined"),
    Mistake("the text is the values alone", writing="values"),
    Mistake("the whole text is URL-encoded", after=lambda text: quote(text, safe="")),
    Mistake("the text is a JSON string that holds the JSON", after=json.dumps),
    Mistake("the text is encoded as GBK, not UTF-8", encoding="gbk"),
    Mistake("the text is encoded as Latin-1, not UTF-8", encoding="latin-1"),
    Mistake("the text is encoded as UTF-16, not UTF-8", encoding="utf-16-le"),
    Mistake("there is a byte order mark before the text", encoding="utf-8-sig"),
    Mistake("UTF-8 was read as Latin-1 and encoded again", after=_misread),
    Mistake("numbers stand without quotes", _values(_as_number)),
    Mistake("numbers and booleans stand in quotes, but were sent without", _values(_as_text)),
    Mistake("values are URL-encoded", _texts(lambda text: quote(text, safe=""))),
    Mistake("values are URL-encoded, with '/' left as it is", _texts(quote)),
    Mistake("values are form-encoded, with '+' for a space", _texts(quote_plus)),
    Mistake("white space around values is cut off", _texts(str.strip)),
    Mistake("values are in lower case", _texts(str.lower)),
    Mistake("lists are sorted", _lists(lambda items: sorted(items, key=str))),
    Mistake("lists are texts joined by commas", _lists(lambda items: ",".join(map(str, items)))),
    Mistake("lists are texts that hold JSON", _lists(lambda i: json.dumps(i, separators=(",", ":")))),
    Mistake("tradeTime was signed in seconds, not in milliseconds", _seconds),
    Mistake("the sign itself takes part, as an empty text", lambda p: p | {"sign": ""}),
    Mistake("the sign itself takes part, as null", lambda p: p | {"sign": None}, writing="nulls"),
)  # fmt: skip


def of_places(places: Mapping[str, str]) -> Iterator[Mistake]:
    """Leave out the parameters of one place: path, query or body."""
    by_place = groupby(sorted(places, key=lambda name: places[name]), key=lambda name: places[name])
    for place, grouped in by_place:
        names = [name for name in grouped if name != "sign"]
        if names:
            what = f"the parameters of the {place} are left out ({', '.join(sorted(names))})"
            yield Mistake(what, _without(names))


def _without(names: list[str]) -> Callable[[Params], Params]:
    left_out = frozenset(names)
    return lambda params: {name: one for name, one in params.items() if name not in left_out}


def _with(name: str, value: str) -> Callable[[Params], Params]:
    return lambda params: params | {name: value}


CODE = "the access code"


def of_code(code: str | None) -> Iterator[Mistake]:
    """Let the access code take part; without one its name alone."""
    told = f"{CODE} takes part"
    for name in ("access_code", "accessCode", "key"):
        for value in (code, "") if code else ("",):
            shown = "" if value else " (empty)"
            yield Mistake(f"{told}, as parameter {name}{shown}", _with(name, value))
    if code:
        yield Mistake(f"{told}, after the text", after=lambda text: text + code)
        yield Mistake(f"{told}, before the text", after=lambda text: code + text)
        yield Mistake(f"{told}, as &key=… at the end", after=lambda text: f"{text}&key={code}")


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


MOST_LEFT_OUT = 64
"""Parameters up to which each is left out in turn: no operation has half as many."""


def of_fields(params: Params) -> Iterator[Mistake]:
    """Miss a parameter, or sign another value than was sent."""
    for name in params if len(params) <= MOST_LEFT_OUT else ():
        yield Mistake(f"the parameter {name} is missing from what was signed", _without([name]))
    for name, values in _SEEN.items():
        for value in values:
            if name not in params:
                what = f"a parameter {name}={value!r} was signed that is not among those sent"
            elif params[name] != value:
                what = f"the parameter {name} was signed as {value!r}, not as it was sent"
            else:
                continue
            yield Mistake(what, _with(name, value))
