"""Signed messages for tests, made by the sandbox's own signer."""

from __future__ import annotations

import json
import time
from typing import Any

from linksfield_async.notifications import MemoryInbox, RechargeNotice, SignatureScheme
from linksfield_async.notifications.answers import Event
from linksfield_async.notifications.receiver import Receiver
from linksfield_async.sandbox.push import push_signature

KEY, KEY_ID = "5ec7e7", "key-1"
"""Decodable as text, as hex; not as Base64, which needs a length of four."""
ICCID = "89852420180910340793"

FIELDS: dict[str, Any] = {
    "orderNo": "2026010100001",
    "requestOrderId": "R-1",
    "deviceCode": ICCID,
    "servicePlanShowName": "Europe 5GB",
    "payAmount": "4.99",
    "payCurrency": "USD",
    "transactionId": "t-1",
    "timestamp": "1",
}
Pairs = list[tuple[str, str]]


def stamp_now(ahead: float = 0.0) -> str:
    return str(int((time.time() + ahead) * 1000))


def headers_for(
    body: dict[str, Any],
    *,
    key: str = KEY,
    key_id: str = KEY_ID,
    scheme: Any = None,
    stamp: str | None = None,
    algorithm: str = "HMAC-SHA1",
    version: str = "1.0",
) -> Pairs:
    stamp = stamp_now() if stamp is None else stamp
    scheme = scheme or SignatureScheme()
    signed = push_signature(body, f"{version}:{algorithm}:{stamp}", key, scheme)
    return [
        ("x-lf-notification-version", version),
        ("x-lf-algo", algorithm),
        ("x-lf-timestamp", stamp),
        ("x-lf-signature", f"{key_id}/{signed}"),
    ]


def signed(changes: dict[str, Any] | None = None, **how: Any) -> tuple[bytes, Pairs]:
    """A body and its headers."""
    fields = {**FIELDS, **(changes or {})}
    body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    return body, headers_for(fields, **how)


def signed_text(text: str, *, canonical: str, **how: Any) -> tuple[bytes, Pairs]:
    """A body as raw text, signed as the given canonical text."""
    import hashlib
    import hmac

    stamp = how.pop("stamp", None) or stamp_now()
    digest = hmac.new(KEY.encode(), f"{canonical}1.0:HMAC-SHA1:{stamp}".encode(), hashlib.sha1)
    head = headers_for({}, stamp=stamp)[:-1]
    return text.encode(), [*head, ("x-lf-signature", f"{KEY_ID}/{digest.hexdigest()}")]


class Granting:
    """A handler that notes what it granted; may be told to fail some times first."""

    def __init__(self, failures: int = 0) -> None:
        self.notices: list[RechargeNotice] = []
        self.calls = 0
        self.failures = failures

    async def __call__(self, notice: RechargeNotice) -> None:
        self.calls += 1
        if self.calls <= self.failures:
            raise RuntimeError("the handler failed")
        self.notices.append(notice)


def receiver(**settings: Any) -> tuple[Receiver, list[Event]]:
    """A receiver with the tests' key and a memory, and the events it tells."""
    events: list[Event] = []
    settings = {"keys": {KEY_ID: KEY}, "inbox": MemoryInbox(), "on_event": events.append} | settings
    return Receiver(**settings), events
