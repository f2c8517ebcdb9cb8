"""Ids and secrets of Stripe's shapes, all from one seed."""

from __future__ import annotations

import random
import string

import attrs

_ALPHABET = string.ascii_letters + string.digits


def dice(seed: int, purpose: str) -> random.Random:
    """Give the chance of a seed for one purpose; the same in every run."""
    return random.Random(f"linksfield sandbox {seed} {purpose}")  # noqa: S311 - meant to repeat


@attrs.frozen
class SavedIds:
    """Where the minting of ids stands: the state of the chance, and the numbers given out."""

    version: int
    inner: tuple[int, ...]
    gauss: float | None
    numbers: dict[str, int]

    def __attrs_post_init__(self) -> None:
        self.chance()

    def chance(self) -> random.Random:
        """Make the chance that goes on from here; fails where it is no such state."""
        chance = random.Random()  # noqa: S311 - meant to repeat
        chance.setstate((self.version, self.inner, self.gauss))
        return chance


class Ids:
    """Mints ids; which one comes next depends on the seed and the calls before alone."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._dice = dice(seed, "ids")
        self._numbers: dict[str, int] = {}
        self.publishable_key = "pk_test_" + self._text(24)

    def _text(self, length: int, chance: random.Random | None = None) -> str:
        return "".join((chance or self._dice).choices(_ALPHABET, k=length))

    def token(self, kind: str, length: int = 24) -> str:
        """Mint an id such as `pm_…`, `sub_…` or `ch_…`."""
        return f"{kind}_{self._text(length)}"

    def token_apart(self, kind: str, length: int = 24) -> str:
        """Mint an id of which no other depends: for what happens in no order that repeats."""
        return f"{kind}_{self._text(length, dice(self._seed, f'{kind} {self.number(kind)}'))}"

    def client_secret(self, kind: str) -> str:
        """Mint the client secret of a payment intent (`pi`) or a setup intent (`seti`)."""
        return f"{self.token(kind)}_secret_{self._text(25)}"

    def number(self, kind: str) -> int:
        """Count upwards from 1, for each kind on its own."""
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return self._numbers[kind]

    def saved(self) -> SavedIds:
        """Give what decides which ids come next."""
        version, inner, gauss = self._dice.getstate()
        return SavedIds(version, inner, gauss, dict(self._numbers))

    def restore(self, saved: SavedIds) -> None:
        """Go on from where something was saved."""
        self._dice, self._numbers = saved.chance(), dict(saved.numbers)
