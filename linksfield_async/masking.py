"""Hides secrets and personal data in anything meant for a person to read; depends on nothing."""

from __future__ import annotations

import re

TEXT_LIMIT = 200
"""Characters of outside text that may enter a message or a log line."""

_MASKED = "***"

# ICCIDs start with 89 (ITU-T E.118), maybe in groups; order numbers, which do not, stay readable.
# Possessive and anchored at the start of a run, so that a hostile text costs linear time.
_PERSONAL = re.compile(
    r"""
    (?P<iccid>(?:(?<![0-9])|(?<=%[0-9A-Fa-f]{2}))89[0-9](?:[ \u00a0-]?[0-9]){12,19}F?(?![0-9]))
  | (?P<email>(?<![\w.+-])[\w.+-]++(?:@|%40)[\w-]++(?:\.[\w-]++)+)
  | (?P<secret>
        \b(?:pi|seti|cs|src)_[0-9A-Za-z]++_secret_\w++
      | \b(?:sk|rk|whsec)_\w++
      | \bpm_(?!id\b)\w++         # pm_id is the name of a field
      | (?<![0-9A-Za-z])[0-9a-fA-F]{32}(?![0-9A-Za-z])
    )
    """,
    re.VERBOSE,
)


def mask_secret(value: object) -> str:
    """Show only whether there is a value."""
    return "None" if value is None else _MASKED


def mask_iccid(value: object) -> str:
    """Show the first six and last four digits of an ICCID, or of each in a sequence."""
    if value is None:
        return "None"
    if isinstance(value, (list, tuple)):
        shown = ", ".join(mask_iccid(one) for one in value[:3])
        return f"[{shown}]" if len(value) <= 3 else f"[{shown}, … {len(value)} in all]"
    text = str(value)
    return f"{text[:6]}…{text[-4:]}" if len(text) >= 15 else _MASKED


def mask_text(text: str) -> str:
    """Mask every ICCID, mail address, client secret, payment method and signature in a text."""

    def replace(match: re.Match[str]) -> str:
        return mask_iccid(match[0]) if match.lastgroup == "iccid" else _MASKED

    return _PERSONAL.sub(replace, text)


def mask_repr(value: object) -> str:
    """Show a value as Python would, with what is personal in it masked."""
    return mask_text(repr(value))


def mask_keys(value: object) -> str:
    """Show the names in a mapping and none of its values."""
    names = sorted(str(name) for name in value) if isinstance(value, dict) else []
    return one_line("{" + ", ".join(names) + "}")


def one_line(text: str, limit: int = TEXT_LIMIT) -> str:
    """Mask a text from outside, escape what could forge a log line, and cut it."""
    # Cut generously first: a hostile text must not cost time, yet nothing may be cut
    # through the middle of what the patterns would have recognised.
    text = mask_text(text[: limit * 8])
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text[: limit * 2]
    )
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
