"""Recognises columns of numbers of other libraries, without importing any of them."""

from __future__ import annotations

import re
from typing import Any

from ...errors import ConfigurationError

NUMBERS = "a column of numbers, which lose digits: read it as text (dtype=str)"

_ARROW_NUMBER = re.compile(r"u?int\d+|float|double|halffloat|decimal\d*\(|bool\b")
_ARRAY_NUMBERS = frozenset("bBhHiIlLqQfd")
_KINDS = frozenset("biufc")


def refuse_numeric_column(source: object) -> None:
    """Raise ConfigurationError where a pandas, polars, numpy, arrow or array column is numeric.

    Anything else passes: what it gives is looked at item by item.
    """
    typecode = getattr(source, "typecode", None)
    if isinstance(typecode, str) and typecode in _ARRAY_NUMBERS:
        raise ConfigurationError(f"the source is {NUMBERS}")
    kinds = (getattr(source, "dtype", None), getattr(source, "type", None))
    if any(is_numeric_type(kind) for kind in kinds):
        raise ConfigurationError(f"the source is {NUMBERS}")


def is_numeric_type(kind: Any) -> bool:
    """Say whether a dtype or an arrow type is numeric, also behind a category or dictionary."""
    if kind is None or isinstance(kind, str):
        return False
    # pandas keeps the values of a category apart; pyarrow those of a dictionary.
    inner = getattr(getattr(kind, "categories", None), "dtype", None)
    if inner is None and str(kind).startswith("dictionary<"):
        inner = getattr(kind, "value_type", None)
    if inner is not None and inner is not kind:
        return is_numeric_type(inner)
    polars = getattr(kind, "is_numeric", None)
    if callable(polars):
        return bool(polars())
    if getattr(kind, "kind", None) in _KINDS:  # numpy, and what pandas built on it
        return True
    return bool(_ARROW_NUMBER.match(str(kind)))
