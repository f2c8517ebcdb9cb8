"""The cards of a change: tidied, each once, or refused by row before anything is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import attrs

from ..bulk.files.numeric import refuse_numeric_column
from ..bulk.iccid import clean_iccid
from ..errors import ConfigurationError, InvalidInput
from ..masking import mask_iccid

_SHOWN_ROWS = 3


@attrs.frozen
class Cards:
    """Different cards, in the order in which they were given."""

    iccids: tuple[str, ...] = attrs.field(repr=mask_iccid)
    doubles: int
    """Rows that named a card once more."""


def cards_of(given: Iterable[Any], *, may_be_empty: bool = False) -> Cards:
    """Read texts or rows of `read_iccids`; InvalidInput names the rows that hold no ICCID."""
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        kind = type(given).__name__
        raise InvalidInput(f"iccids must be a list of ICCIDs, not one {kind}")
    refuse_numeric_column(given)
    found: dict[str, None] = {}
    bad: list[str] = []
    rows = wrong = 0
    for rows, one in enumerate(given, 1):
        try:
            found[clean_iccid(getattr(one, "given", one))] = None
        except ConfigurationError as error:
            wrong += 1
            if len(bad) < _SHOWN_ROWS:
                bad.append(f"row {getattr(one, 'number', rows)}: {error}")
    if wrong:
        count = "1 row" if wrong == 1 else f"{wrong} rows"
        raise InvalidInput(f"{count} without an ICCID, nothing was sent: {'; '.join(bad)}")
    if not found and not may_be_empty:
        raise InvalidInput("there is no ICCID in the list, nothing was sent")
    return Cards(tuple(found), rows - len(found))


def plain(iccid: str) -> str:
    """Give the form in which ICCIDs of answers are compared: without the F that pads them."""
    return iccid.strip().rstrip("Ff")


def digest_of(iccids: Iterable[str]) -> str:
    """Tell one set of cards from another, whatever their order."""
    told = "\n".join(sorted(iccids)).encode()
    return hashlib.blake2b(told, digest_size=16).hexdigest()
