"""How cards stand in a journal of group changes, and how they are told again from what stands there.

With a key they are hashes. Those that were given are given again when the change goes on; those
that a sync takes out of a group are told by the group, as long as it has them.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..bulk.journal.hiding import Hiding
from .cards import digest_of, plain
from .report import Verdict

Verdicts = dict[str, tuple[Verdict, str]]
"""Verdict and reason by card."""


class Names:
    """The cards that one journal may be about."""

    def __init__(self, key: str | bytes | None, cards: Iterable[str]) -> None:
        self._hiding, self._hides = Hiding(key), key is not None
        self._known: dict[str, str] = {}
        cards = tuple(cards)
        self.digest = digest_of(cards if key is None else map(self.stored, cards))
        """Of the set of cards; without the key nobody can try out which."""
        self.learn(cards)

    @property
    def key_check(self) -> bytes | None:
        """Tell two keys apart; None where nothing is hidden."""
        return self._hiding.key_check

    def learn(self, cards: Iterable[str]) -> None:
        """Know further cards by their hashes."""
        if self._hides:
            self._known.update((self.stored(card), card) for card in cards)

    def stored(self, card: str) -> str:
        """Give what stands for a card."""
        if not self._hides:
            return card
        stands = self._hiding.iccid(plain(card))
        return stands if isinstance(stands, str) else stands.hex()

    def named(self, stored: Iterable[str]) -> tuple[str, ...]:
        """Give those cards that are known."""
        if not self._hides:
            return tuple(stored)
        return tuple(self._known[one] for one in stored if one in self._known)

    def hidden(self, stored: Iterable[str]) -> frozenset[str]:
        """Give what stands for cards that are not known."""
        return frozenset(one for one in stored if self._hides and one not in self._known)

    def stored_verdicts(self, verdicts: Verdicts) -> Verdicts:
        """Take the ICCIDs out, where they are hidden."""
        return {
            self.stored(card): (verdict, self._hidden_in(reason, card))
            for card, (verdict, reason) in verdicts.items()
        }

    def _hidden_in(self, reason: str, card: str) -> str:
        told = self._hiding.text(self._hiding.message(reason), card)
        return "the reason had other cards in it, and is hidden" if told is None else told

    def verdicts(self, stored: Verdicts) -> Verdicts:
        """Give them by the cards that are known."""
        return {
            card: (verdict, self._hiding.restored(reason, card))
            for one, (verdict, reason) in stored.items()
            for card in self.named((one,))
        }
