"""The sandbox's sender of recharge messages: signs with code of its own, and sends until 2xx.

Documented are the four headers, HMAC-SHA1, and which two parts are signed. The names of the
body's members, the words in it and the answer that counts as taken are invented; that a message
comes up to 30 times in 24 hours, each time with a new transaction id, is known of a sister product
only.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
import attrs

from ..account import is_loopback
from ..errors import ConfigurationError
from ..masking import one_line
from .records import Message, Order
from .world import World

ATTEMPTS = 30
WITHIN = timedelta(hours=24)
_LOOK_EVERY = 0.02
_ANSWER_SECONDS = 10.0


class Scheme(Protocol):
    """What the sender takes of a scheme; `linksfield_async.notifications` has such a class."""

    @property
    def order(self) -> str:
        """body-first or stamp-first."""
        ...

    @property
    def join(self) -> str:
        """What stands between the two parts."""
        ...

    @property
    def key(self) -> str:
        """text, hex or base64."""
        ...

    @property
    def output(self) -> str:
        """hex, upper-hex, base64 or base64url."""
        ...

    @property
    def algorithm(self) -> str:
        """HMAC-SHA1, or what it is to be tried with."""
        ...


@attrs.frozen(kw_only=True)
class PushScheme:
    """The scheme unless another is given (assumed)."""

    order: str = "body-first"
    join: str = ""
    key: str = "text"
    output: str = "hex"
    algorithm: str = "HMAC-SHA1"


_READ_KEY: Mapping[str, Callable[[str], bytes]] = {
    "text": str.encode,
    "hex": bytes.fromhex,
    "base64": partial(base64.b64decode, validate=True),
}
_WRITE: Mapping[str, Callable[[bytes], str]] = {
    "hex": bytes.hex,
    "upper-hex": lambda digest: digest.hex().upper(),
    "base64": lambda digest: base64.b64encode(digest).decode(),
    "base64url": lambda digest: base64.urlsafe_b64encode(digest).decode(),
}


def push_signature(body: Mapping[str, Any], stamp: str, key: str, scheme: Scheme) -> str:
    """Sign a body as Linksfield would, from its values and not from any text of it."""
    top_sorted = {name: body[name] for name in sorted(body)}
    text = json.dumps(top_sorted, ensure_ascii=False, separators=(",", ":"))
    parts = [text, stamp] if scheme.order == "body-first" else [stamp, text]
    digest = hmac.new(
        _READ_KEY[scheme.key](key),
        scheme.join.join(parts).encode(),
        "sha256" if scheme.algorithm == "HMAC-SHA256" else "sha1",
    ).digest()
    return _WRITE[scheme.output](digest)


@attrs.frozen(kw_only=True)
class Push:
    """One message as it leaves; its body is written in another order than it is signed in."""

    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=lambda body: f"<{len(body)} bytes>")


@attrs.frozen(kw_only=True)
class Delivery:
    """One sending, and what was answered; `status` is None where nobody answered."""

    event: int
    attempt: int
    at: datetime
    push: Push
    status: int | None

    @property
    def is_taken(self) -> bool:
        """Tell whether the answer counts as taken (assumed: any 2xx)."""
        return self.status is not None and 200 <= self.status < 300


def pause_after(attempt: int) -> timedelta:
    """Give the pause after a failed attempt: growing, so that all of them fill 24 hours."""
    return WITHIN * (2 * attempt) / (ATTEMPTS * (ATTEMPTS - 1))


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigurationError(f"notify_url is no address: {one_line(str(error))}") from error
    if parts.scheme not in ("http", "https") or port == 0:
        raise ConfigurationError("notify_url must be like http://127.0.0.1:8000/path")
    if not is_loopback(host):
        raise ConfigurationError("notify_url must be an address of this machine")


def _check_key(key: str, key_id: str, scheme: Scheme) -> None:
    """Sign once: what cannot be signed with would fail with each message, unseen."""
    if not re.fullmatch(r"[!-+\-.0-~]{1,128}", key_id):
        raise ConfigurationError(
            "notification_key_id must be visible ASCII text without / and comma"
        )
    if not key:
        raise ConfigurationError("notification_key must not be empty")
    try:
        push_signature({}, "0", key, scheme)
    except (ValueError, KeyError):
        # The error's text may hold the key.
        raise ConfigurationError(
            f"notification_key cannot be read as key={one_line(scheme.key)}, or the scheme is "
            "unknown"
        ) from None


class Notifications:
    """`sandbox.notifications`: what is due, what was sent, and sending by hand."""

    def __init__(
        self,
        world: World,
        *,
        url: str | None,
        key: str = "sandbox notification key",
        key_id: str = "sandbox",
        scheme: Scheme | None = None,
    ) -> None:
        scheme = scheme or PushScheme()
        if url is not None:
            _check_url(url)
            _check_key(key, key_id, scheme)
        self._world = world
        self._url = url
        self._key = key
        self._key_id = key_id
        self._scheme = scheme
        self._task: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None
        self.deliveries: list[Delivery] = []
        """Every sending, in order."""
        if url is not None:
            world.orders.when_paid.append(self._paid)

    @property
    def waiting(self) -> int:
        """How many messages were not taken yet and will be sent, or sent again."""
        return len(self._world.messages)

    def fields_of(self, order: Order) -> dict[str, str | None]:
        """Give the members of a message about an order (invented), but for those per sending."""
        return {
            "orderNo": order.order_no,
            "requestOrderId": order.request_order_id or "",
            "payId": order.pay_id,
            "deviceCode": order.iccid,
            "partnerCode": order.partner_code,
            "servicePlanShowName": order.plan.name,
            "payAmount": order.amount,
            "payCurrency": order.currency,
            "status": "SUCCESS",
            "expireDate": None if order.end is None else order.end.date().isoformat(),
        }

    def push(self, fields: Mapping[str, Any], *, stamped: float | None = None) -> Push:
        """Sign a message with a new transaction id; `stamped` is epoch seconds, now if None.

        Stamped by the time outside: a receiver compares it with its own clock.
        """
        seconds = time.time() if stamped is None else stamped
        stamp = str(int(seconds * 1000))
        body = {**fields, "transactionId": self._world.ids.token_apart("ntf"), "timestamp": stamp}
        signed = push_signature(
            body, f"1.0:{self._scheme.algorithm}:{stamp}", self._key, self._scheme
        )
        headers = {
            "Content-Type": "application/json",
            "x-lf-notification-version": "1.0",
            "x-lf-algo": self._scheme.algorithm,
            "x-lf-timestamp": stamp,
            "x-lf-signature": f"{self._key_id}/{signed}",
        }
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return Push(headers=headers, body=text.encode())

    async def send(self, order: Order, **changes: Any) -> Delivery:
        """Send a message about an order at once, once; `changes` replace members of it."""
        return await self._send(self._next_event(), 1, {**self.fields_of(order), **changes})

    def _next_event(self) -> int:
        return self._world.ids.number("notification")

    def _paid(self, order: Order, _: datetime) -> None:
        # Due by the clock and not when the order says: a renewal in the past is told now.
        now = self._world.clock.now()
        message = Message(self._next_event(), self.fields_of(order), now)
        self._world.messages[message.event] = message

    async def _send(self, event: int, attempt: int, fields: Mapping[str, Any]) -> Delivery:
        if self._url is None:
            raise ConfigurationError("the sandbox has no notify_url to send to")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
            )
        push, at, status = self.push(fields), self._world.clock.now(), None
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self._session.post(
                self._url, data=push.body, headers=push.headers, allow_redirects=False
            ) as answer:
                status = answer.status
        delivery = Delivery(event=event, attempt=attempt, at=at, push=push, status=status)
        self.deliveries.append(delivery)
        return delivery

    async def _run(self) -> None:
        while True:
            self._world.clock.run_due_told()
            now = self._world.clock.now()
            for due in [one for one in self._world.messages.values() if one.at <= now]:
                # Another state may have been put in place meanwhile.
                if self._is_waiting(due):
                    self._settle(due, await self._send(due.event, due.attempt, due.fields))
            await asyncio.sleep(_LOOK_EVERY)

    def _is_waiting(self, message: Message) -> bool:
        return self._world.messages.get(message.event) is message

    def _settle(self, message: Message, delivery: Delivery) -> None:
        """Forget what was taken or sent often enough; the rest is sent again later."""
        if not self._is_waiting(message):
            return
        if delivery.is_taken or message.attempt >= ATTEMPTS:
            del self._world.messages[message.event]
            return
        message.at = self._world.clock.now() + pause_after(message.attempt)
        message.attempt += 1

    def start(self) -> None:
        """Begin to send what falls due, where there is an address."""
        if self._url is not None:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop sending; what was not taken stays due."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        session, self._session = self._session, None
        if session is not None:
            await session.close()
