"""How it is told that requests have not ended in the time given."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import StillUnknown
from .parts import Part

_SHOWN_IDS = 3


def why_not_ended(part: Part) -> str:
    """Say it of the cards of one request."""
    return f"not ended in time, last status {part.word!r}" if part.word else "not ended in time"


def still_unknown(group_id: str, parts: Sequence[Part], *, after: float) -> StillUnknown:
    """Make the error, with the ids and the last answers of the requests."""
    ids = tuple(part.request_id for part in parts if part.request_id)
    shown = ", ".join(ids[:_SHOWN_IDS]) or "(without an id)"
    more = f" and {len(ids) - _SHOWN_IDS} more" if len(ids) > _SHOWN_IDS else ""
    word = next((f", last status {part.word!r}" for part in parts if part.word), "")
    return StillUnknown(
        f"the change of group {group_id} has not ended after {after:g} s: "
        f"request {shown}{more}{word}",
        data={part.request_id: part.last_answer for part in parts if part.last},
    ).with_facts(request_ids=ids)
