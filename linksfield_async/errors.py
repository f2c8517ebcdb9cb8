"""What can go wrong, and what each error lets a caller conclude.

LinksfieldError
    ConfigurationError      wrong use or settings; nothing left this machine
        InvalidInput            a field of the operation cannot be sent
        ClientClosed            the client was closed before
        JournalRefused          the journal belongs to another run, or is in use
        CheckoutRefused         a checkout that cannot be loaded, or a step that is not its next
    NotSent                 no byte left: nothing was carried out
        ConnectFailed           no connection could be made
            TLSFailed               the server's certificate or protocol was not accepted
        DeadlineExceeded        the deadline passed before anything was sent
        RateLimited             held back on this side; `retry_after` says how long
    OutcomeUnknown          bytes left, no readable answer came: may have been carried out
        StillUnknown            accepted, and it has not ended in the time given
    BadAnswer               answered, but not in a documented shape: as unknown as the above
        UnexpectedRedirect      a redirect, which is never followed
        ResponseTooLarge        more than `max_answer_bytes`; the rest was not read
        MismatchedAnswer        the answer is about another card or order
    Refused                 a readable refusal
        Throttled               asked to slow down; `retry_after` says for how long
    JournalError            a journal or a store of checkouts cannot be written or read
    CheckoutConflict        somebody else has saved this checkout meanwhile: load it again
    Contradiction           what is told now cannot be true beside what was told before
    BulkStopped             a bulk run stopped by its own rules; it can be resumed
    NotificationError       a pushed message that must not be believed, or not yet
        BadSignature            its signature is missing, or not that of any key
        StaleNotification       signed, but stamped outside the window of time
        MalformedNotification   its headers or its body are not what was agreed
            DuplicateKeys           a member of its body stands twice
            NotificationTooLarge    larger than is read
        NotificationMismatch    what the service or the own record says is something else
        OrderNotVisible         the service does not show the order as paid yet: ask again later
        InboxUnavailable        it cannot be kept or claimed now: it must come again

`carried_out` is False where nothing happened for certain, else None: nobody on this side can tell.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from .masking import one_line
from .operation import Operation

_FACTS = (
    "operation",
    "carried_out",
    "attempts",
    "elapsed",
    "status",
    "code",
    "data",
    "retry_after",
    "needs_reconciliation",
)


class LinksfieldError(Exception):
    """Base of all errors: one line of text without secrets, and the facts as attributes."""

    default_carried_out: ClassVar[bool | None] = None

    operation: Operation[Any] | None
    """The operation as it was sent; its repr is masked."""
    carried_out: bool | None
    """False: certainly not. None: nobody on this side can tell."""
    attempts: int
    """How often it was tried."""
    elapsed: float
    """Seconds from the call to this error."""
    status: int | None
    """HTTP status, where an answer came."""
    code: str | None
    """The answer's `operateCode` or status code, as text."""
    data: Any
    """What the answer carried as `data`, unread and not masked."""
    retry_after: float | None
    """Seconds to wait, where the server or the limiter said so."""
    needs_reconciliation: bool
    """True where a refusal does not prove that nothing happened: ask before anything else."""

    def __init__(
        self,
        message: str = "",
        *,
        operation: Operation[Any] | None = None,
        carried_out: bool | None = None,
        attempts: int = 0,
        elapsed: float = 0.0,
        status: int | None = None,
        code: str | None = None,
        data: Any = None,
        retry_after: float | None = None,
        needs_reconciliation: bool = False,
    ) -> None:
        super().__init__(one_line(message))
        self.operation = operation
        self.carried_out = self.default_carried_out if carried_out is None else carried_out
        self.attempts = attempts
        self.elapsed = elapsed
        self.status = status
        self.code = code
        self.data = data
        self.retry_after = retry_after
        self.needs_reconciliation = needs_reconciliation
        if needs_reconciliation:
            self.carried_out = None

    @property
    def message(self) -> str:
        """The text of the error: one line, masked, at most 200 characters."""
        return str(self)

    def facts(self) -> dict[str, Any]:
        """All facts by name, raw; `as_json` is the form without secrets."""
        return {name: getattr(self, name) for name in _FACTS}

    def as_json(self) -> dict[str, Any]:
        """Give the error as JSON values, without what the answer carried and without secrets."""
        facts = self.facts()
        facts["operation"] = None if self.operation is None else type(self.operation).__name__
        facts["code"] = None if self.code is None else one_line(self.code)
        del facts["data"]
        return {"error": type(self).__name__, "message": str(self), **facts}

    def __reduce__(self) -> tuple[Any, ...]:
        facts = self.facts()
        facts["data"] = facts["data"] if _shallow(facts["data"]) else None
        return (_rebuilt, (type(self), str(self), facts))

    def with_facts(self, **facts: Any) -> Self:
        """Set facts that are known only further up, and give the error back."""
        for name, value in facts.items():
            setattr(self, name, value)
        return self


def _shallow(value: Any, levels: int = 300) -> bool:
    inner = value.values() if isinstance(value, dict) else value
    if not isinstance(value, (dict, list)):
        return True
    return levels > 0 and all(_shallow(one, levels - 1) for one in inner)


def _rebuilt(kind: type[LinksfieldError], message: str, facts: dict[str, Any]) -> LinksfieldError:
    return kind(message).with_facts(**facts)


class ConfigurationError(LinksfieldError, ValueError):
    """Wrong use or wrong settings; nothing left this machine."""

    default_carried_out = False


class InvalidInput(ConfigurationError):
    """A field of the operation cannot be sent; other operations of the client can."""


class ClientClosed(ConfigurationError):
    """The client was closed before this call."""


class JournalRefused(ConfigurationError):
    """The journal belongs to another run, is in use, or is none; nothing was sent."""


class CheckoutRefused(ConfigurationError):
    """A checkout that cannot be loaded, or a step that is not its next; nothing was sent."""


class NotSent(LinksfieldError):
    """No byte of the request left this machine: nothing was carried out."""

    default_carried_out = False


class ConnectFailed(NotSent):
    """No connection to the server could be made."""


class TLSFailed(ConnectFailed):
    """The server's certificate or TLS version was not accepted."""


class DeadlineExceeded(NotSent):
    """The deadline passed before anything was sent."""


class RateLimited(NotSent):
    """Held back on this side; `retry_after` is the wait in seconds it would have needed."""


class OutcomeUnknown(LinksfieldError):
    """Bytes left and no readable answer came: it may have been carried out."""


class StillUnknown(OutcomeUnknown):
    """Accepted, and it has not ended in the time given; `data` has the last answers, by id."""

    request_ids: tuple[str, ...] = ()
    """The requests that have not ended; ask for these."""

    def facts(self) -> dict[str, Any]:
        """All facts by name, raw; `as_json` is the form without secrets."""
        return {**super().facts(), "request_ids": self.request_ids}


class BadAnswer(LinksfieldError):
    """Answered, but not in a documented shape: as unknown as a lost answer."""


class UnexpectedRedirect(BadAnswer):
    """The service never redirects, so a redirect is not followed."""


class ResponseTooLarge(BadAnswer):
    """The answer is larger than `Options.max_answer_bytes`; the rest was not read."""


class MismatchedAnswer(BadAnswer):
    """The answer is about another card or order than the one asked for."""


class Refused(LinksfieldError):
    """A readable refusal; where `needs_reconciliation`, it does not prove that nothing happened."""

    default_carried_out = False


class Throttled(Refused):
    """Asked to slow down; `retry_after` is the server's wait in seconds, if it named one."""


class JournalError(LinksfieldError):
    """The journal or store cannot be written or read; nothing is sent that it does not know of."""


class CheckoutConflict(LinksfieldError):
    """Somebody else has saved this checkout meanwhile; theirs stands, load it again."""


class Contradiction(LinksfieldError):
    """What the service tells now cannot be true beside what it told before; nothing is changed."""


class BulkStopped(LinksfieldError):
    """A bulk run stopped by its own rules: what is decided stands, the rest was not sent."""


class NotificationError(LinksfieldError):
    """A pushed message that must not be believed, or not yet."""


class BadSignature(NotificationError):
    """The message's signature is missing, or is not that of any key of the receiver."""


class StaleNotification(NotificationError):
    """The signature is right, but its time stamp is outside the receiver's window."""


class MalformedNotification(NotificationError):
    """The message's headers or body are not what was agreed."""


class DuplicateKeys(MalformedNotification):
    """A member of the body stands twice: which of the two counts, nobody can tell."""


class NotificationTooLarge(MalformedNotification):
    """The message is larger than is read."""


class NotificationMismatch(NotificationError):
    """The service or the own record says something else; `data` names what, without values."""


class OrderNotVisible(NotificationError):
    """The service does not show the order as paid yet: nothing is proved, ask again later."""


class InboxUnavailable(NotificationError):
    """The message cannot be kept or claimed now: it must come again."""
