"""From what people write to an ICCID: tidied where it is certain, refused with the reason else."""

from __future__ import annotations

import re
import unicodedata

from ..errors import ConfigurationError

# White space and the invisible characters that spreadsheets and web pages leave behind.
_INVISIBLE = re.compile("[\\s\u200b-\u200f\u2060\ufeff\u00ad]+")
_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]*)?[eE]\+?[0-9]+")
_DECIMALS = re.compile(r"[0-9]+[.,][0-9]+")
_DIGITS = re.compile(r"[0-9]{18,22}")


def clean_iccid(given: object) -> str:
    """Give the digits of an ICCID; ConfigurationError says what is wrong and what to do.

    Removed where they surround or group the digits: white space, quotes, a leading apostrophe,
    hyphens, the letter F that pads 19 digits to 20. Full-width digits become plain ones. 18 to 22
    digits are let through (19 and 20 are seen in practice); the Luhn digit is not checked, most
    genuine samples fail it.
    """
    if not isinstance(given, str):
        raise ConfigurationError(
            f"an ICCID must be text, not {type(given).__name__}: as a number it loses digits"
        )
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", given)).strip("'\"`")
    if not text:
        raise ConfigurationError("no ICCID: the cell is blank")
    if _NUMBER.fullmatch(text):
        raise ConfigurationError(
            "a spreadsheet turned the ICCID into a rounded number: format the column as text "
            "and export again from the source"
        )
    if _DECIMALS.fullmatch(text):
        raise ConfigurationError(
            "the ICCID went through a number and its digits may be rounded: export it as text"
        )
    digits = text.replace("-", "")
    if digits[-1:] in "fF":
        digits = digits[:-1]
    if not digits.isascii() or not digits.isdigit():
        raise ConfigurationError("an ICCID consists of digits only")
    if not _DIGITS.fullmatch(digits):
        raise ConfigurationError(f"an ICCID has 19 or 20 digits, this has {len(digits)}")
    return digits
