"""A job as a small text, to be gone on with in another process or on another day. No secrets."""

from __future__ import annotations

import json
from typing import Any

import attrs

from ..bulk.iccid import clean_iccid
from ..errors import ConfigurationError, InvalidInput
from ..masking import mask_iccid, one_line
from .cards import digest_of
from .report import Change

VERSION = 1
_KIND = "linksfield group job"
_MOST_ICCIDS = 20
"""More than these do not stand in a token."""


@attrs.frozen(kw_only=True)
class Token:
    """What a job leaves behind."""

    group_id: str
    change: Change
    requests: tuple[tuple[str, int], ...]
    """Request ids and how many cards each has."""
    cards: int
    digest: str
    """Of the set of cards."""
    iccids: tuple[str, ...] = attrs.field(default=(), repr=mask_iccid)
    """As far as they are known; in the text only where they are few."""

    def text(self) -> str:
        """Write it as JSON on one line."""
        told: dict[str, Any] = {
            "kind": _KIND,
            "v": VERSION,
            "group": self.group_id,
            "change": self.change,
            "requests": self.requests,
            "cards": self.cards,
            "digest": self.digest,
        }
        if 0 < len(self.iccids) <= _MOST_ICCIDS:
            told["iccids"] = self.iccids
        return json.dumps(told, separators=(",", ":"), ensure_ascii=False)


def read_token(text: str) -> Token:
    """Read a token; InvalidInput where it is none."""
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput("the token is not JSON: give it as `job.token` wrote it") from error
    if not isinstance(found, dict) or found.get("kind") != _KIND:
        raise InvalidInput("the token is not that of a change of a group")
    version = found.get("v")
    if type(version) is not int or version != VERSION:
        raise InvalidInput(
            f"the token has version {one_line(repr(version), 20)}, this release reads {VERSION}"
        )
    try:
        return _checked(found)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, ConfigurationError):
            raise
        raise InvalidInput("the token is incomplete or was changed") from error


def _checked(found: dict[str, Any]) -> Token:
    change = found["change"]
    if change not in ("add", "remove"):
        raise ValueError(change)
    requests = tuple((_text(name), _count(count)) for name, count in found["requests"])
    iccids = tuple(clean_iccid(_text(one)) for one in found.get("iccids", ()))
    if iccids and (len(iccids) != found["cards"] or digest_of(iccids) != found["digest"]):
        raise ValueError("other cards")
    return Token(
        group_id=_text(found["group"]),
        change=change,
        requests=requests,
        cards=_count(found["cards"]),
        digest=_text(found["digest"]),
        iccids=iccids,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("no text")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("no count")
    return value
