"""How cards stand in a journal: plainly, or as keyed hashes that tell nobody without the key."""

from __future__ import annotations

import hashlib
from typing import Any

import attrs

from ...errors import ConfigurationError
from ...operation import Operation

_SHORTEST_KEY = 16
_PLACE = "\N{BLACK SQUARE}ICCID\N{BLACK SQUARE}"


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

    def operation(self, operation: Operation[Any]) -> bytes:
        """Give a digest of an operation and all its fields."""
        fields = attrs.fields(type(operation))
        values = {field.name: getattr(operation, field.name) for field in fields}
        return self._digest(f"{type(operation).__qualname__} {values!r}".encode())

    def block(self, items: list[str]) -> bytes:
        """Give a digest of many items as they were read."""
        return self._digest("\n".join(items).encode("utf-8", "surrogatepass"))

    def text(self, text: str, iccid: str | None) -> str:
        """Take an ICCID out of an answer, where they are hidden."""
        return text.replace(iccid, _PLACE) if self._key and iccid else text

    def restored(self, text: str, iccid: str | None) -> str:
        """Put it back."""
        return text.replace(_PLACE, iccid) if self._key and iccid else text

    def _digest(self, data: bytes) -> bytes:
        return hashlib.blake2b(data, digest_size=16, key=self._key).digest()
