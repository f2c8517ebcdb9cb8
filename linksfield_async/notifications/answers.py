"""What is answered to the sender; that it takes any 2xx as taken is assumed."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

from ..errors import (
    BadSignature,
    InboxUnavailable,
    MalformedNotification,
    NotificationError,
    NotificationMismatch,
    NotificationTooLarge,
    OrderNotVisible,
    StaleNotification,
)
from .notice import RechargeNotice

EventKind: TypeAlias = Literal["taken", "repeated", "refused", "unavailable", "failed", "alarm"]


@attrs.frozen
class Event:
    """What became of one delivery, for your own log or alarm.

    `alarm`: somebody sends what the service or your own record contradicts. `failed`: the handler
    did not end well, the message comes again.
    """

    kind: EventKind
    reason: str
    """One line, masked and escaped."""
    notice: RechargeNotice | None = None


@attrs.frozen
class Answer:
    """An HTTP answer: a status and a short text that tells a stranger nothing."""

    status: int
    text: str

    @property
    def body(self) -> bytes:
        """The text as bytes."""
        return self.text.encode()


OK = Answer(200, "OK")
KEPT = Answer(202, "kept")
NO_SUCH_PATH = Answer(404, "not found")
NOT_A_POST = Answer(405, "POST only")
TOO_SLOW = Answer(408, "too slow")
TOO_LARGE = Answer(413, "too large")
COMPRESSED = Answer(413, "compressed bodies are not read")
BROKEN_OFF = Answer(400, "malformed")
FAILED = Answer(500, "failed, send it again")
BUSY = Answer(503, "busy, send it again")

# The first that fits; a mismatch may still turn out right, so it is no 2xx either.
_BY_ERROR: tuple[tuple[type[NotificationError], Answer], ...] = (
    (BadSignature, Answer(401, "not authentic")),
    (StaleNotification, Answer(401, "not authentic")),
    (NotificationTooLarge, TOO_LARGE),
    (MalformedNotification, Answer(400, "malformed")),
    (NotificationMismatch, Answer(409, "not confirmed")),
    (OrderNotVisible, Answer(503, "not yet, send it again")),
    (InboxUnavailable, BUSY),
)


def answer_to(error: NotificationError) -> Answer:
    """Say which answer an error has."""
    for kind, answer in _BY_ERROR:
        if isinstance(error, kind):
            return answer
    return FAILED
