"""Bytes to JSON values, strictly: no member stands twice, no constant that JSON lacks; pure."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from decimal import Decimal
from typing import Any


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class _Doubled(ValueError):
    """A member that stands twice: which of the two counts, nobody can tell."""


def _without_doubles(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise _Doubled("JSON with a member that stands twice")
    return found


_BLANKS = " \t\n\r"

# Decimal, not float: no digit of an amount may change on the way in.
_JSON = json.JSONDecoder(
    parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_without_doubles
)


def parsed(body: bytes) -> Any:
    """Parse a body as JSON whatever its content type says; ValueError where it is none."""
    try:
        text = body.decode("utf-8-sig" if body.startswith(BOM_UTF8) else "utf-8").strip(_BLANKS)
        value, end = _JSON.raw_decode(text)
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8") from error
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error
    except ArithmeticError as error:
        raise ValueError("a number is beyond all bounds") from error
    except _Doubled:
        raise
    except ValueError as error:
        raise ValueError("not JSON") from error
    if end < len(text):
        raise ValueError("not JSON")
    return value
