"""From what people write to an ICCID: tidied where it is certain, refused with the reason else."""

from __future__ import annotations

import math
import re

from ..errors import InvalidInput

LONGEST_CELL = 64
"""Longer texts hold more than an ICCID; characters."""

# Invisible characters that spreadsheets and web pages leave behind.
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad]")
_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]*)?[eE]\+?[0-9]+")
_DECIMALS = re.compile(r"[0-9]+[.,][0-9]+")
_GROUPS = re.compile(r"[\s-]+")
_FULL_WIDTH = {ord("０") + digit: ord("0") + digit for digit in range(10)}


_UNFIT = {
    "number": "the ICCID is a number, which loses digits: write it as a text, in quotes",
    "not JSON": "the line is not valid JSON",
    "no field": "the line has no field with the ICCID",
    "not text": "the ICCID is neither a text nor missing",
    "not UTF-8": "the text is not UTF-8",
}
_LONGEST_SHOWN = 120

# The doubled value of each digit, as the same characters.
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")


def unfit(problem: str, found: str) -> str:
    """Mark what stands in a source in place of an ICCID, so that `clean_iccid` tells the reason.

    `problem` is one of: number, not JSON, no field, not text, not UTF-8.
    """
    shown = found if len(found) <= _LONGEST_SHOWN else f"{found[:_LONGEST_SHOWN]}…"
    return f"[{problem}] {shown}"


def passes_luhn(iccid: str) -> bool:
    """Say whether the last digit is the Luhn check digit of the others.

    A hint at most, never a reason to refuse a card: most genuine ICCID samples fail it.
    """
    digits = iccid.encode(errors="replace")
    if not digits.isdigit():
        return False
    # Each character is 48 more than its digit.
    total = sum(digits[-1::-2]) + sum(digits[-2::-2].translate(_DOUBLED)) - 48 * len(digits)
    return total % 10 == 0


def clean_iccid(given: object) -> str:
    """Give the digits of an ICCID; InvalidInput says what is wrong and what to do.

    Removed are white space and quotes around it, a leading apostrophe, invisible characters, white
    space or hyphens between even groups of digits, and the letter F that pads 19 digits to 20.
    Full-width digits become plain ones. 18 to 22 digits are let through (19 and 20 are seen in
    practice); the Luhn digit is not checked, most genuine samples fail it. A pyarrow scalar
    stands for its text; None and what other libraries put for a missing value are blank.
    """
    if type(given) is str and 18 <= len(given) <= 22 and given.isascii() and given.isdigit():
        return given  # as most are: nothing to tidy
    return _tidied(given if isinstance(given, str) else _text_of(given))


def _tidied(given: str) -> str:
    if given.startswith("[") and (reason := _UNFIT.get(given[1:].partition("] ")[0])):
        raise InvalidInput(reason)
    if len(given) > LONGEST_CELL:
        raise InvalidInput(f"no ICCID: the cell holds {len(given)} characters")
    text = _INVISIBLE.sub("", given).translate(_FULL_WIDTH).strip().strip("'\"`").strip()
    if not text:
        raise InvalidInput("no ICCID: the cell is blank")
    if _NUMBER.fullmatch(text):
        raise InvalidInput(
            "a spreadsheet turned the ICCID into a rounded number: format the column as text "
            "and export again from the source"
        )
    if _DECIMALS.fullmatch(text):
        raise InvalidInput(
            "the ICCID went through a number and its digits may be rounded: export it as text"
        )
    digits = _joined(text)
    if digits[-1:] in ("f", "F"):
        digits = digits[:-1]
    if not digits.isascii() or not digits.isdigit():
        raise InvalidInput("an ICCID consists of digits only")
    if not 18 <= len(digits) <= 22:
        raise InvalidInput(f"an ICCID has 19 or 20 digits, this has {len(digits)}")
    return digits


def _text_of(given: object) -> str:
    """Give the text in what columns of other libraries are made of."""
    as_py = getattr(given, "as_py", None)
    value = as_py() if callable(as_py) else given
    if isinstance(value, str):
        return value
    is_nan = isinstance(value, float) and math.isnan(value)
    if value is None or is_nan or type(value).__name__ in ("NAType", "NaTType"):
        return ""
    raise InvalidInput(
        f"an ICCID must be text, not {type(value).__name__}: as a number it loses digits"
    )


def _joined(text: str) -> str:
    """Join even groups such as 8985 2420 …; uneven ones may be two things in one cell."""
    *groups, last = _GROUPS.split(text)
    sizes = {len(group) for group in groups}
    if len(sizes) > 1 or (sizes and not len(last) <= max(sizes) <= 10):
        raise InvalidInput("the digits stand in uneven groups: is it one ICCID and nothing else?")
    return "".join((*groups, last))
