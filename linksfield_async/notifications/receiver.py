"""Receives recharge messages: verified, kept apart, and handed to a handler once.

    receiver = Receiver(keys={"key-1": "…"}, inbox=SqliteInbox("inbox.db"))
    answer = await receiver.handle(body, headers, grant)

No web framework is known here; each has a thin module of its own beside this one.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import TypeAlias

from ..errors import (
    ConfigurationError,
    InboxUnavailable,
    NotificationError,
    NotificationMismatch,
    OrderNotVisible,
)
from ..masking import one_line
from . import answers
from .answers import Answer, Event, EventKind
from .inbox import Claim, ClaimedByHandler, Inbox, Standing, Stored
from .notice import FieldNames, RechargeNotice
from .parsing import Limits
from .reading import TooLarge, declared_length, is_compressed, read_bounded
from .signature import Headers, Keys, SignatureScheme, pairs_of
from .store import Store
from .verifying import PathSecret, Rules, Verifier

Handler: TypeAlias = Callable[[RechargeNotice], Awaitable[object] | object]
"""Runs once for each event; a plain function runs in a thread. What it raises brings it again."""

_log = logging.getLogger("linksfield_async.notifications")
_FIRST_LOOK, _LONGEST_LOOK = 0.02, 0.5
_HANDLER_SHARE = 0.9
"""Share of a lease after which the handler is cancelled, so that no two run at once."""


class Receiver:
    """Takes messages from any web framework, and says what to answer.

    `keys`             values by key id; several for one id while a key is being exchanged
    `scheme`           how the signature is put together (undocumented, see `SignatureScheme`)
    `inbox`            what is known of messages; `ClaimedByHandler()` where the handler claims
    `queue`            None: the handler runs before the answer. A number: the answer goes out
                       when the message is kept, workers run it (`work`), so many may wait
    `path_secret`      last segment that the path must have
    `accept_unsigned`  take messages without signature headers, as unsigned
    `max_age`          seconds a time stamp may be old; re-sends come for 24 hours, and whether
                       they are stamped anew is not documented. The inbox must know messages longer
    `max_ahead`        seconds a time stamp may be in the future
    `lease`            seconds a handler may take; it is cancelled shortly before they end, but a
                       plain function cannot be: let it end by itself well before
    `max_attempts`     how often a worker tries a message before it is left as failed
    `patience`         seconds for the inbox, and for a delivery whose double is running
    `read_seconds`     seconds for a body to arrive
    """

    def __init__(
        self,
        *,
        keys: Keys,
        inbox: Inbox | ClaimedByHandler,
        scheme: SignatureScheme | None = None,
        queue: int | None = None,
        path_secret: str | None = None,
        accept_unsigned: bool = False,
        max_age: float = 25 * 3600.0,
        max_ahead: float = 600.0,
        lease: float = 60.0,
        max_attempts: int = 30,
        patience: float = 5.0,
        read_seconds: float = 10.0,
        limits: Limits | None = None,
        names: FieldNames | None = None,
        versions: Collection[str] = ("1.0",),
        on_event: Callable[[Event], object] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        for name, value in (("lease", lease), ("patience", patience), ("max_age", max_age)):
            if not value > 0:
                raise ConfigurationError(f"{name} must be seconds, more than 0")
        if queue is not None and (queue < 1 or isinstance(inbox, ClaimedByHandler)):
            raise ConfigurationError("queue must be from 1, and needs an inbox that keeps messages")
        if on_event is not None and inspect.iscoroutinefunction(on_event):
            raise ConfigurationError("on_event must be a plain function: nobody would await it")
        if isinstance(versions, str):
            raise ConfigurationError('versions must be several texts, such as ("1.0",)')
        if keys and not isinstance(inbox, ClaimedByHandler):
            _check_replays(inbox.known_for, max_age + max_ahead)
        rules = Rules(
            scheme=scheme or SignatureScheme(),
            limits=limits or Limits(),
            names=names or FieldNames(),
            versions=tuple(versions),
            max_age=max_age,
            max_ahead=max_ahead,
            accept_unsigned=accept_unsigned,
        )
        self._verifier = Verifier(rules, keys)
        self._path_secret = PathSecret(path_secret)
        self._store = None if isinstance(inbox, ClaimedByHandler) else Store(inbox, patience, queue)
        self._queued = queue is not None
        self._lease = lease
        self._max_attempts = max_attempts
        self._patience = patience
        self._read_seconds = read_seconds
        self._on_event = on_event
        self._clock = clock
        self._kept = asyncio.Event()
        self.on_raw: Callable[[list[tuple[str, str]], bytes], object] | None = None
        """Told of the headers and body of each message before it is verified, to capture it."""

    def replace_keys(self, keys: Keys) -> None:
        """Take other keys from the next message on, all at once."""
        self._verifier.replace_keys(keys)

    def verify(self, body: bytes, headers: Headers) -> RechargeNotice:
        """Verify a message and nothing else: give the notice or raise a NotificationError."""
        return self._verifier.verify(body, headers, int(self._clock() * 1000))

    def precheck(self, raw_path: str, headers: Headers) -> Answer | None:
        """Refuse by path and length, before anything of the body is read; None where all is well.

        `raw_path` is the path as it stood in the request, not decoded.
        """
        pairs = pairs_of(headers)
        if not self._path_secret.fits(raw_path):
            return self._refused(answers.NO_SUCH_PATH, "another path")
        if is_compressed(pairs):
            return self._refused(answers.COMPRESSED, "a compressed body")
        length = declared_length(pairs)
        if length is not None and length > self.max_body:
            return self._refused(answers.TOO_LARGE, "a body that is too large")
        return None

    @property
    def max_body(self) -> int:
        """How many bytes of a body are read."""
        return self._verifier.rules.limits.body

    async def receive(
        self, raw_path: str, headers: Headers, chunks: AsyncIterator[bytes], handler: Handler
    ) -> Answer:
        """Read a body within its limits, then `handle` it."""
        headers = pairs_of(headers)
        refusal = self.precheck(raw_path, headers)
        if refusal is not None:
            return refusal
        try:
            async with asyncio.timeout(self._read_seconds):
                body = await read_bounded(chunks, self.max_body)
        except TooLarge:
            return self._refused(answers.TOO_LARGE, "a body that is too large")
        except TimeoutError:
            return self._refused(answers.TOO_SLOW, "a body that came too slowly")
        if body is None:
            return self._refused(answers.BROKEN_OFF, "a body that broke off")
        return await self.handle(body, headers, handler)

    async def handle(self, body: bytes, headers: Headers, handler: Handler) -> Answer:
        """Verify a message, run the handler for it once, and say what to answer.

        2xx: it is done, or kept for a worker, or was before. Anything else: nothing is recorded
        as done, and the sender is to send it again.
        """
        headers = pairs_of(headers)
        if self.on_raw is not None:
            self.on_raw(headers, body)
        try:
            notice = self.verify(body, headers)
        except NotificationError as error:
            return self._refused(answers.answer_to(error), str(error))
        try:
            if self._store is None:
                return await self._run(notice, handler)
            if self._queued:
                return await self._keep(self._store, notice)
            return await self._run_claimed(self._store, notice, handler)
        except InboxUnavailable as error:
            return self._told("unavailable", answers.BUSY, str(error), notice)

    async def sweep(self, handler: Handler, *, limit: int = 100) -> int:
        """Run what was left over by handlers whose lease ran out; gives how many were tried."""
        tried = 0
        # One by one: the lease of one that waits here for the others would run out.
        while tried < limit and (claims := await self.take(1)):
            await self.run_claim(claims[0], handler)
            tried += 1
        return tried

    async def take(self, limit: int) -> list[Claim]:
        """Claim what waits; for workers."""
        return await self.check_inbox().take(self._lease, limit)

    def check_inbox(self) -> Store:
        """Raise ConfigurationError where no inbox keeps messages; for workers."""
        if self._store is None:
            raise ConfigurationError("there is no inbox that keeps messages")
        return self._store

    async def kept(self, seconds: float) -> None:
        """Wait until a message is kept in this process, or so long; for workers."""
        try:
            async with asyncio.timeout(seconds):
                await self._kept.wait()
        except TimeoutError:
            return  # other processes keep messages, too: time to look
        finally:
            self._kept.clear()

    async def run_claim(self, claim: Claim, handler: Handler) -> Answer:
        """Run the handler for what was claimed and record how it ended."""
        store = self.check_inbox()
        try:
            notice = self._verifier.restored(claim.stored)
            return await self._run(notice, handler, store, claim)
        except NotificationError as error:
            return self._told("unavailable", answers.BUSY, str(error))

    async def _keep(self, store: Store, notice: RechargeNotice) -> Answer:
        standing = await store.keep(Stored.of(notice))
        if standing is None:
            self._kept.set()
            return self._told("taken", answers.KEPT, "kept for a worker", notice)
        return self._told("repeated", answers.KEPT, "known before", notice)

    async def _run_claimed(self, store: Store, notice: RechargeNotice, handler: Handler) -> Answer:
        """Claim and run; where a double is running, see how that one ends."""
        stored, pause = Stored.of(notice), _FIRST_LOOK
        end = asyncio.get_running_loop().time() + self._patience
        while True:
            claim = await store.acquire(stored, self._lease)
            if isinstance(claim, Claim):
                return await self._run(notice, handler, store, claim)
            if claim is Standing.DONE:
                return self._told("repeated", answers.OK, "done before", notice)
            if asyncio.get_running_loop().time() > end:
                # Not 2xx: that one may still fail, and then this message would be lost.
                return self._told("unavailable", answers.BUSY, "its double is running", notice)
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            pause = min(2 * pause, _LONGEST_LOOK)

    async def _run(
        self,
        notice: RechargeNotice,
        handler: Handler,
        store: Store | None = None,
        claim: Claim | None = None,
    ) -> Answer:
        now = asyncio.get_running_loop().time()
        until = None if claim is None else claim.until
        end = (now + self._lease if until is None else until) - self._lease * (1 - _HANDLER_SHARE)
        if end <= now:
            reason = "the lease is nearly over before the handler began"
            return self._told("unavailable", answers.BUSY, reason, notice)
        limit = asyncio.timeout_at(end)
        # A thread cannot be ended: what it may still be doing is given back by its lease alone.
        ends = _is_async(handler)
        try:
            async with limit:
                await _called(handler, notice)
        except asyncio.CancelledError:
            if ends:
                await self._give_back(store, claim)
            raise
        except Exception as error:
            if ends or not limit.expired():
                await self._give_back(store, claim)
            return self._failed(error, notice)
        if store is not None and claim is not None and not await store.finish(claim):
            return self._told("failed", answers.BUSY, "the lease ended before the handler", notice)
        return self._told("taken", answers.OK, "done", notice)

    async def _give_back(self, store: Store | None, claim: Claim | None) -> None:
        if store is None or claim is None:
            return
        try:
            await store.release(claim, failed=claim.attempt >= self._max_attempts)
        except InboxUnavailable as error:
            # Its lease gives it back, only later.
            _log.error("a notification is given back by its lease alone: %s", error)

    def _failed(self, error: Exception, notice: RechargeNotice) -> Answer:
        if isinstance(error, NotificationMismatch):
            return self._told("alarm", answers.answer_to(error), str(error), notice)
        if isinstance(error, OrderNotVisible):
            return self._told("failed", answers.answer_to(error), str(error), notice)
        reason = "took too long" if isinstance(error, TimeoutError) else f"raised {error!r}"
        return self._told("failed", answers.FAILED, one_line(f"the handler {reason}"), notice)

    def _refused(self, answer: Answer, reason: str) -> Answer:
        return self._told("refused", answer, reason)

    def _told(
        self, kind: EventKind, answer: Answer, reason: str, notice: RechargeNotice | None = None
    ) -> Answer:
        level = {"alarm": logging.ERROR, "failed": logging.ERROR, "unavailable": logging.ERROR}
        _log.log(
            level.get(kind, logging.INFO), "notification %s: %s, %s", kind, reason, answer.status
        )
        if self._on_event is not None:
            try:
                self._on_event(Event(kind, reason, notice))
            except Exception:
                # Who only listens must not change what is answered.
                _log.exception("on_event failed")
        return answer


def _check_replays(known_for: float, stamp_fits: float) -> None:
    if known_for < stamp_fits:
        raise ConfigurationError(
            f"the inbox forgets a message after {known_for:g} s, but its time stamp is accepted for"
            f" {stamp_fits:g} s: a replay in between would run again (keep of the inbox, max_age)"
        )


def _is_async(handler: Handler) -> bool:
    called = handler if inspect.isroutine(handler) else type(handler).__call__
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(called)


async def _called(handler: Handler, notice: RechargeNotice) -> None:
    if _is_async(handler):
        ending = handler(notice)
    else:
        ending = await asyncio.to_thread(handler, notice)
    if inspect.isawaitable(ending):
        await ending
