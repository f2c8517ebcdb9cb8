"""What the words mean that a service uses for a change and for a card; all of them are assumed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import attrs

from ..errors import ConfigurationError

Meaning: TypeAlias = Literal["pending", "final", "unknown"]


def normal(word: str) -> str:
    """Give the form in which words are compared."""
    return word.strip().lower()


def _words(given: Iterable[str]) -> frozenset[str]:
    if isinstance(given, (str, bytes)):
        raise ConfigurationError("StatusWords takes lists of words, not one text")
    words = list(given)
    if not all(isinstance(word, str) and word.strip() for word in words):
        raise ConfigurationError("StatusWords takes words that are texts and not blank")
    return frozenset(map(normal, words))


@attrs.frozen(kw_only=True)
class StatusWords:
    """Which words mean that a change goes on, that it has ended, and that a card was changed.

    Case does not count. A word that is none of these never ends a wait by itself. Nothing is
    published about any of them.
    """

    pending: frozenset[str] = attrs.field(
        default=frozenset({"pending", "processing"}), converter=_words
    )
    final: frozenset[str] = attrs.field(
        default=frozenset({"success", "partial", "failed"}), converter=_words
    )
    card_done: frozenset[str] = attrs.field(default=frozenset({"success"}), converter=_words)
    card_refused: frozenset[str] = attrs.field(default=frozenset({"failed"}), converter=_words)

    def __attrs_post_init__(self) -> None:
        for one, other in (("pending", "final"), ("card_done", "card_refused")):
            both = getattr(self, one) & getattr(self, other)
            if both:
                word = min(both)
                raise ConfigurationError(f"StatusWords: {word!r} cannot be {one} and {other}")

    def meaning(self, word: str) -> Meaning:
        """Tell what the status of a change means."""
        found = normal(word)
        if found in self.final:
            return "final"
        return "pending" if found in self.pending else "unknown"


ASSUMED_WORDS = StatusWords()
