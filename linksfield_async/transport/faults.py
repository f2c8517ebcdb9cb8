"""From what aiohttp or the network raised to what may be concluded of a request."""

from __future__ import annotations

import enum

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from ..errors import ConnectFailed, DeadlineExceeded, NotSent, OutcomeUnknown, TLSFailed
from ..masking import one_line


class Ended(enum.Enum):
    """Why a call was ended from this side."""

    DEADLINE = "the deadline passed"
    SILENCE = "nothing more came within the read timeout"
    CLOSED = "the client was closed"


class TransportFault(Exception):
    """Stands for an error of aiohttp's as the cause of ours: its text, one line and masked."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


class Lost(Exception):
    """Stands for a lost connection on its way through aiohttp, which would repeat the request."""


FAULTS = (
    TimeoutError,
    OSError,
    aiohttp.ClientError,
    aiohttp.EofStream,
    HttpProcessingError,
    Lost,
)
"""What aiohttp raises of the network and of an answer; anything else is an error in a program."""


def conclude(
    error: BaseException, *, sent: bool, ended: Ended | None = None
) -> NotSent | OutcomeUnknown:
    """Tell proved-unsent from unknown, by the evidence alone; the type only words the message."""
    concluded: NotSent | OutcomeUnknown
    if ended is Ended.CLOSED:
        when = "after sending, before an answer" if sent else "before sending"
        concluded = (OutcomeUnknown if sent else NotSent)(f"{ended.value} {when}")
    elif sent:
        concluded = OutcomeUnknown(f"sent, and {_what_happened(error, ended)}")
    elif isinstance(
        error, (aiohttp.ClientConnectorSSLError, aiohttp.ClientConnectorCertificateError)
    ):
        concluded = TLSFailed(f"no TLS connection: {type(error).__name__}")
    elif ended is Ended.DEADLINE or _bare_timeout(error):
        concluded = DeadlineExceeded("the deadline passed before anything was sent")
    else:
        concluded = ConnectFailed(f"no connection: {_reason(error)}")
    concluded.__cause__ = TransportFault(f"{type(error).__name__}: {error}")
    return concluded


def _what_happened(error: BaseException, ended: Ended | None) -> str:
    if ended is Ended.SILENCE or isinstance(error, aiohttp.SocketTimeoutError):
        return Ended.SILENCE.value
    if ended is Ended.DEADLINE or isinstance(error, TimeoutError):
        return f"{Ended.DEADLINE.value} before the answer was complete"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer was truncated or could not be decompressed"
    if isinstance(error, (aiohttp.ClientResponseError, HttpProcessingError)):
        return "what came back is not HTTP"
    return "the connection was lost before an answer"


def _bare_timeout(error: BaseException) -> bool:
    """Tell a deadline, whoever set it, from aiohttp's own timeout for a connection."""
    return isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError)


def _reason(error: BaseException) -> str:
    cause = (error.__cause__ or error) if isinstance(error, Lost) else error
    text = getattr(cause, "strerror", None)
    return text if isinstance(text, str) and text else type(cause).__name__
