"""The cards of the sandbox: no list is kept, each card follows from the seed and its index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias, get_args

import attrs

from ..errors import ConfigurationError
from ..masking import mask_iccid
from .ids import dice

CardKind: TypeAlias = Literal["valid", "foreign", "suspended", "unknown"]
"""Valid, another partner's, suspended, or of our number range but never delivered."""

MAX_CARDS = 100_000_000

_PREFIX = "8985"
_ISSUERS = ("21", "24", "07", "52")
_SERIALS = 10**12
_BITS = (1 << 64) - 1
# In every hundred cards: places in the first hundred, turned in the later ones. The
# first twenty hold every kind, so that a small world has them all.
_PLACES: dict[int, CardKind] = {
    **dict.fromkeys((7, 43, 78), "foreign"),
    13: "suspended",
    **dict.fromkeys((19, 61), "unknown"),
}


@attrs.frozen
class Card:
    """One card that the service knows."""

    iccid: str = attrs.field(repr=mask_iccid)
    index: int
    kind: CardKind
    partner_code: str


def luhn_digit(digits: str) -> int:
    """Give the check digit that makes a number pass Luhn."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return -total % 10


class Cards:
    """As many ICCIDs as wanted, 19 or 20 digits long; two in five pass Luhn (invented).

    Of every hundred 94 are valid, 3 another partner's, 1 suspended and 2 unknown.
    """

    def __init__(self, seed: int, count: int, partner_code: str, other_partner: str) -> None:
        self._count = count
        self._owners = {"valid": partner_code, "suspended": partner_code, "foreign": other_partner}
        chance = dice(seed, "cards")
        # Serials are scattered by a map that can be undone: a card is found without a list.
        self._factor = chance.randrange(_SERIALS // 10, _SERIALS) // 10 * 10 + 7
        self._back = pow(self._factor, -1, _SERIALS)
        self._offset = chance.randrange(_SERIALS)
        self._salt = chance.getrandbits(64)

    def __len__(self) -> int:
        return self._count

    def _mix(self, number: int) -> int:
        mixed = (number * 0x9E3779B97F4A7C15 + self._salt) & _BITS
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _BITS
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _BITS
        return mixed ^ (mixed >> 31)

    def kind(self, index: int) -> CardKind:
        """Tell the kind of the card at an index."""
        block, place = divmod(index, 100)
        turn = self._mix(-block) if block else 0
        return _PLACES.get((place + turn) % 100, "valid")

    def iccid(self, index: int) -> str:
        """Write the ICCID at an index."""
        facts = self._mix(index)
        serial = (index * self._factor + self._offset) % _SERIALS
        filler = str((facts >> 8) % 10) if facts & 4 else ""
        digits = f"{_PREFIX}{_ISSUERS[facts & 3]}{filler}{serial:012d}"
        check = luhn_digit(digits)
        if (facts >> 16) % 5 >= 2:
            check = (check + 1 + (facts >> 24) % 9) % 10
        return f"{digits}{check}"

    def find(self, iccid: str) -> Card | None:
        """Find a card that the service knows, whoever's it is."""
        if len(iccid) not in (19, 20) or not (iccid.isascii() and iccid.isdigit()):
            return None
        index = (int(iccid[-13:-1]) - self._offset) * self._back % _SERIALS
        if index >= self._count or self.iccid(index) != iccid:
            return None
        kind = self.kind(index)
        return None if kind == "unknown" else Card(iccid, index, kind, self._owners[kind])

    def iccids(self, kind: CardKind | None, *, backwards: bool = False) -> Iterator[str]:
        """Yield the ICCIDs of a kind, or all, one after another."""
        if kind is not None and kind not in get_args(CardKind):
            raise ConfigurationError(f"kind must be one of {', '.join(get_args(CardKind))}")
        wanted = reversed(range(self._count)) if backwards else range(self._count)
        return (self.iccid(i) for i in wanted if kind is None or self.kind(i) == kind)
