"""How cards stand in a journal: plainly, or as keyed hashes that tell nobody without the key."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import attrs

from ...errors import ConfigurationError, InvalidInput
from ...operation import Operation

_SHORTEST_KEY = 16
_PLACE = "\N{BLACK SQUARE}ICCID\N{BLACK SQUARE}"
# They start with 89 (ITU-T E.118), maybe in groups; a digit that JSON escapes hides some.
_FURTHER = re.compile("(?<![0-9])89(?:[ \u00a0-]?[0-9]){13}|\\\\u003[0-9]")
_MASKED = re.compile("[0-9]{6}…[0-9]{4}")


class Hiding:
    """Turns ICCIDs and operations into what is stored of them."""

    def __init__(self, key: str | bytes | None) -> None:
        given = key.encode() if isinstance(key, str) else key
        if given is not None and len(given) < _SHORTEST_KEY:
            raise ConfigurationError(
                f"the key that hides ICCIDs must have at least {_SHORTEST_KEY} characters"
            )
        # Hashed first: any length of key is allowed, blake2b's own end at 64 bytes.
        self._key = b"" if given is None else hashlib.sha256(given).digest()

    @property
    def key_check(self) -> bytes | None:
        """Tell two keys apart without giving either away; None where nothing is hidden."""
        return self._digest(b"key check") if self._key else None

    def iccid(self, iccid: str) -> str | bytes:
        """Give what stands for an ICCID."""
        return self._digest(iccid.encode()) if self._key else iccid

    def key_of(self, identity: str | bytes | None) -> str | bytes | None:
        """Give what is stored of what makes an item itself: an ICCID, or a digest already."""
        return self.iccid(identity) if isinstance(identity, str) else identity

    def operation(
        self, operation: Operation[Any], write: Callable[[Operation[Any]], dict[str, Any]]
    ) -> bytes:
        """Give a digest of what an operation is on the wire; `write` gives its parameters."""
        kind = type(operation)
        try:
            parameters = write(operation)
        except InvalidInput:  # it will be refused before it is sent, and told so
            parameters = {"not fit": repr(attrs.astuple(operation, recurse=False))}
        told = json.dumps(parameters, sort_keys=True, default=str)
        return self._digest(f"{kind.service.value} {kind.method} {kind.path} {told}".encode())

    def block(self, items: list[str]) -> bytes:
        """Give a digest of many items as they were read."""
        return self._digest("\n".join(items).encode("utf-8", "surrogatepass"))

    def text(self, text: str, iccid: str | None) -> str | None:
        """Take an ICCID out of an answer, where they are hidden.

        None where that is not all: others in it, or the same one in another spelling.
        """
        if not self._key:
            return text
        hidden = text.replace(iccid, _PLACE) if iccid else text
        return None if _PLACE in text or _FURTHER.search(hidden) else hidden

    def message(self, message: str) -> str:
        """Take what is left of a masked ICCID out of a message, where they are hidden."""
        return _MASKED.sub("…", message) if self._key else message

    def restored(self, text: str, iccid: str | None) -> str:
        """Put it back."""
        return text.replace(_PLACE, iccid) if self._key and iccid else text

    def _digest(self, data: bytes) -> bytes:
        return hashlib.blake2b(data, digest_size=16, key=self._key).digest()
