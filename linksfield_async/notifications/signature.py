"""The signature of a pushed message: how it is made up, and whether one fits; pure.

Documented: HMAC-SHA1 over two parts, the body's JSON text with its top-level keys sorted and
`{version}:{algo}:{timestamp}`. Not documented: how the parts are joined and in which order, how
the key is decoded, how the result is written. All that is a `SignatureScheme`; its defaults are
assumed. `linksfield notifications learn` finds the one that fits a captured message.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias, get_args

import attrs

from ..errors import BadSignature, ConfigurationError, MalformedNotification
from .parsing import Body, without_blanks

PartOrder: TypeAlias = Literal["body-first", "stamp-first"]
KeyDecoding: TypeAlias = Literal["text", "hex", "base64"]
OutputEncoding: TypeAlias = Literal["hex", "upper-hex", "base64", "base64url"]
Algorithm: TypeAlias = Literal["HMAC-SHA1", "HMAC-SHA256"]
"""Only HMAC-SHA1 is documented."""

_DIGESTS: Mapping[str, str] = {"HMAC-SHA1": "sha1", "HMAC-SHA256": "sha256"}
JOINS: Mapping[str, str] = {
    "none": "",
    "newline": "\n",
    "colon": ":",
    "dot": ".",
    "comma": ",",
    "ampersand": "&",
    "pipe": "|",
    "space": " ",
}
"""Names of the usual texts between the two parts; other signs may be given as they are."""
_JOIN = re.compile(r"[!-+\--/:-@\[-`{-~]+")


@attrs.frozen(kw_only=True)
class SignatureScheme:
    """How the documented parts are put together; every default but the algorithm is assumed."""

    order: PartOrder = "body-first"
    join: str = ""
    key: KeyDecoding = "text"
    output: OutputEncoding = "hex"
    algorithm: Algorithm = "HMAC-SHA1"

    def __attrs_post_init__(self) -> None:
        kinds = {
            "order": PartOrder,
            "key": KeyDecoding,
            "output": OutputEncoding,
            "algorithm": Algorithm,
        }
        for name, kind in kinds.items():
            if getattr(self, name) not in get_args(kind):
                known = ", ".join(get_args(kind))
                raise ConfigurationError(f"a scheme's {name} must be one of {known}")
        if self.join not in JOINS.values() and not _JOIN.fullmatch(self.join):
            raise ConfigurationError(
                f"a scheme's join must be one of {', '.join(JOINS)}, or other signs without comma"
            )

    def __str__(self) -> str:
        names = {text: name for name, text in JOINS.items()}
        join = names.get(self.join, self.join)
        told = f"order={self.order},join={join},key={self.key},output={self.output}"
        return told if self.algorithm == "HMAC-SHA1" else f"{told},algorithm={self.algorithm}"

    @classmethod
    def parse(cls, text: str) -> SignatureScheme:
        """Read what `str()` writes; what is left out has its default."""
        given: dict[str, Any] = {}
        for part in filter(None, text.split(",")):
            name, equals, value = part.strip().partition("=")
            if not equals or name not in attrs.fields_dict(cls) or name in given:
                known = ", ".join(attrs.fields_dict(cls))
                raise ConfigurationError(f"a scheme is written NAME=VALUE,… of {known}")
            given[name] = JOINS.get(value, value) if name == "join" else value
        return cls(**given)

    def decoded(self, key: str | bytes) -> bytes:
        """Give the bytes of a key; the message of the error does not show it."""
        try:
            if self.key == "text":
                decoded = key.encode() if isinstance(key, str) else key
            elif self.key == "hex":
                decoded = bytes.fromhex(key if isinstance(key, str) else key.decode("ascii"))
            else:
                decoded = base64.b64decode(key, validate=True)
        except (ValueError, binascii.Error):
            # Without the cause: its text may hold a part of the key.
            raise ConfigurationError(f"a notification key is not {self.key}") from None
        if not decoded:
            raise ConfigurationError("a notification key is empty")
        return decoded

    def sign(self, text: str, stamp: str, key: bytes) -> str:
        """Sign the sorted text of a body and `{version}:{algo}:{timestamp}`."""
        parts = (text, stamp) if self.order == "body-first" else (stamp, text)
        signed = self.join.join(parts).encode("utf-8", "surrogatepass")
        digest = hmac.digest(key, signed, _DIGESTS[self.algorithm])
        if self.output in ("hex", "upper-hex"):
            return digest.hex() if self.output == "hex" else digest.hex().upper()
        encode = base64.b64encode if self.output == "base64" else base64.urlsafe_b64encode
        return encode(digest).decode("ascii")


def texts_of(body: Body) -> tuple[str, ...]:
    """Give the texts that a sender may have signed for a body, both equal in meaning.

    The raw one and, because blanks may have been added on the way, the one without any.
    """
    raw = body.sorted_text()
    compact = without_blanks(raw)
    return (raw,) if raw == compact else (raw, compact)


HeaderPairs: TypeAlias = Iterable[tuple[str | bytes, str | bytes]]
Headers: TypeAlias = Mapping[str, str] | HeaderPairs
"""Pairs as they came show what stood twice; a mapping has lost that."""

_NAMES = {
    "version": "x-lf-notification-version",
    "algorithm": "x-lf-algo",
    "signature": "x-lf-signature",
    "timestamp": "x-lf-timestamp",
}
_WORD = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,64}")
# No comma: that is how proxies and gateways join headers that stand twice.
_SIGNATURE = re.compile(r"([\x21-\x2b\x2d\x2e\x30-\x7e]{1,128})/([\x21-\x2b\x2d-\x7e]{1,256})")


@attrs.frozen
class Stamp:
    """The signature headers of a message, as texts."""

    version: str
    algorithm: str
    timestamp: str
    key_id: str
    signature: str = attrs.field(repr=False)

    @property
    def text(self) -> str:
        """The second of the two signed parts."""
        return f"{self.version}:{self.algorithm}:{self.timestamp}"


def pairs_of(headers: Headers) -> list[tuple[str, str]]:
    """List headers with lower-case names; bytes are read as HTTP has them."""
    pairs: Any = headers.items() if isinstance(headers, Mapping) else headers
    return [(_as_text(name).lower(), _as_text(value)) for name, value in pairs]


def _as_text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def read_stamp(headers: Headers) -> Stamp | None:
    """Read the signature headers; None where there is not one of them."""
    found: dict[str, str] = {}
    wanted = {wire: name for name, wire in _NAMES.items()}
    for wire, value in pairs_of(headers):
        name = wanted.get(wire)
        if name is None:
            continue
        if name in found:
            raise MalformedNotification(f"the header {wire} stands twice")
        found[name] = value
    if not found:
        return None
    for name, wire in _NAMES.items():
        if name not in found:
            raise BadSignature(f"the header {wire} is missing")
        if name != "signature" and not _WORD.fullmatch(found[name]):
            raise BadSignature(f"the header {wire} is not readable")
    parts = _SIGNATURE.fullmatch(found["signature"])
    if parts is None:
        raise BadSignature(f"the header {_NAMES['signature']} is not KEYID/SIGNATURE")
    return Stamp(found["version"], found["algorithm"], found["timestamp"], parts[1], parts[2])


Keys: TypeAlias = Mapping[str, str | bytes | Iterable[str | bytes]]
"""Key values by key id; several values for one id where a key is being replaced."""


def decoded_keys(keys: Keys, scheme: SignatureScheme) -> dict[str, tuple[bytes, ...]]:
    """Decode every key once; a ConfigurationError names the id of one that cannot be."""
    decoded: dict[str, tuple[bytes, ...]] = {}
    for key_id, given in keys.items():
        values = (given,) if isinstance(given, (str, bytes)) else tuple(given)
        if not values:
            raise ConfigurationError("a key id without a key")
        decoded[key_id] = tuple(scheme.decoded(value) for value in values)
    return decoded


_NO_KEYS = (b"no such key id",)
"""Tried for an unknown key id, so that the answer takes as long as for a known one."""


def check_signature(
    stamp: Stamp, body: Body, keys: Mapping[str, tuple[bytes, ...]], scheme: SignatureScheme
) -> None:
    """Raise BadSignature unless a key with the stamp's id gives its signature.

    The algorithm is the scheme's: the header must name it, in any case, and chooses nothing.
    """
    values = keys.get(stamp.key_id, _NO_KEYS)
    given = stamp.signature.encode("ascii")
    fits = False
    for value in values:
        for text in texts_of(body):
            expected = scheme.sign(text, stamp.text, value).encode("ascii")
            fits |= hmac.compare_digest(expected, given)
    known = stamp.key_id in keys and stamp.algorithm.upper() == scheme.algorithm
    if not (fits and known):
        raise BadSignature("the signature is not that of any key")
