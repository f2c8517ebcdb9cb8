"""From raw bytes and headers to a notice, or to the error that says why not; no I/O."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection

import attrs

from ..errors import BadSignature, ConfigurationError, MalformedNotification, StaleNotification
from .inbox import Stored
from .notice import Authenticity, FieldNames, RechargeNotice, content_key_of, time_of
from .parsing import Body, Limits, read_body
from .signature import (
    Headers,
    Keys,
    SignatureScheme,
    Stamp,
    check_signature,
    decoded_keys,
    read_stamp,
)

_MILLISECONDS = re.compile(r"[0-9]{1,19}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{16,128}")


@attrs.frozen(kw_only=True)
class Rules:
    """What a message must be like; `Receiver` says what each rule means."""

    scheme: SignatureScheme
    limits: Limits
    names: FieldNames
    versions: Collection[str]
    max_age: float
    max_ahead: float
    accept_unsigned: bool


class Verifier:
    """Checks messages; its keys can be exchanged while it works."""

    def __init__(self, rules: Rules, keys: Keys) -> None:
        self.rules = rules
        self.replace_keys(keys)

    def replace_keys(self, keys: Keys) -> None:
        """Take other keys from the next message on, all at once."""
        decoded = decoded_keys(keys, self.rules.scheme)
        if not decoded and not self.rules.accept_unsigned:
            raise ConfigurationError(
                "a receiver without keys believes anybody: accept_unsigned=True says that this"
                " is meant"
            )
        # One assignment, so that no message meets half of the keys.
        self._keys = decoded

    def verify(self, body: bytes, headers: Headers, now_ms: int) -> RechargeNotice:
        """Give the notice, or raise a NotificationError.

        Version and time stamp are looked at once the signature fits: they are signed, too.
        """
        stamp = read_stamp(headers)
        parsed = read_body(body, self.rules.limits)
        if stamp is None:
            if not self.rules.accept_unsigned:
                raise BadSignature("the message is not signed")
            return self._notice(body, parsed, None, None)
        check_signature(stamp, parsed, self._keys, self.rules.scheme)
        if stamp.version not in self.rules.versions:
            raise MalformedNotification("the version of the message is not one that is understood")
        return self._notice(body, parsed, stamp, self._fresh(stamp, now_ms))

    def restored(self, stored: Stored) -> RechargeNotice:
        """Make the notice of a message that was verified when it came."""
        parsed = read_body(stored.body, self.rules.limits)
        return RechargeNotice(
            fields=parsed.fields,
            body=stored.body,
            authenticity=stored.how_far,
            key_id=stored.key_id,
            version=stored.version,
            timestamp=time_of(stored.timestamp_ms),
            content_key=stored.key,
            names=self.rules.names,
        )

    def _fresh(self, stamp: Stamp, now_ms: int) -> int:
        if not _MILLISECONDS.fullmatch(stamp.timestamp):
            raise StaleNotification("the time stamp is not a number of milliseconds")
        sent = int(stamp.timestamp)
        if now_ms - sent > self.rules.max_age * 1000:
            raise StaleNotification("the time stamp is too old")
        if sent - now_ms > self.rules.max_ahead * 1000:
            raise StaleNotification("the time stamp is in the future")
        return sent

    def _notice(
        self, body: bytes, parsed: Body, stamp: Stamp | None, sent: int | None
    ) -> RechargeNotice:
        authenticity = Authenticity.UNSIGNED if stamp is None else Authenticity.SIGNED
        return RechargeNotice(
            fields=parsed.fields,
            body=body,
            authenticity=authenticity,
            key_id=None if stamp is None else stamp.key_id,
            version=None if stamp is None else stamp.version,
            timestamp=time_of(sent),
            content_key=content_key_of(parsed, self.rules.names, authenticity),
            names=self.rules.names,
        )


class PathSecret:
    """A secret that is the last segment of the path; compared in constant time."""

    def __init__(self, secret: str | None) -> None:
        if secret is not None and not _SECRET.fullmatch(secret):
            raise ConfigurationError(
                "a path secret must have 16 to 128 letters, digits, '-' or '_', which no path"
                " escapes"
            )
        self._digest = None if secret is None else _digest(secret)

    def fits(self, raw_path: str) -> bool:
        """Tell whether a path, as it stood in the request, ends in the secret."""
        if self._digest is None:
            return True
        # Digests of one length: neither the length nor a common beginning shows in the time.
        return hmac.compare_digest(self._digest, _digest(raw_path.rpartition("/")[2]))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
