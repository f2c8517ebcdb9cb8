"""From what people write to an ICCID: tidied where it is certain, refused with the reason else."""

from __future__ import annotations

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


def clean_iccid(given: object) -> str:
    """Give the digits of an ICCID; InvalidInput says what is wrong and what to do.

    Removed are white space and quotes around it, a leading apostrophe, invisible characters, white
    space or hyphens between even groups of digits, and the letter F that pads 19 digits to 20.
    Full-width digits become plain ones. 18 to 22 digits are let through (19 and 20 are seen in
    practice); the Luhn digit is not checked, most genuine samples fail it.
    """
    if not isinstance(given, str):
        raise InvalidInput(
            f"an ICCID must be text, not {type(given).__name__}: as a number it loses digits"
        )
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


def _joined(text: str) -> str:
    """Join even groups such as 8985 2420 …; uneven ones may be two things in one cell."""
    *groups, last = _GROUPS.split(text)
    sizes = {len(group) for group in groups}
    if len(sizes) > 1 or (sizes and not len(last) <= max(sizes) <= 10):
        raise InvalidInput("the digits stand in uneven groups: is it one ICCID and nothing else?")
    return "".join((*groups, last))
