"""What can go wrong with one request: dropped, cut, stalled and slow answers, odd refusals.

    sandbox.faults.next("SingleOrder", drop_answer())     # the next one; several queue up
    sandbox.faults.rate(0.01, stall())                    # one in a hundred, drawn by the seed
    sandbox.faults.limit(per_second=50)                   # a hidden limit

A fault says whether the request is carried out nevertheless; the log tells both. All shapes of
answers but the documented failure are invented.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, get_args

import attrs

from ..errors import ConfigurationError
from .answers import dump, failure
from .settings import A_YEAR

Ending: TypeAlias = Literal["answered", "dropped", "cut", "stalled"]
Odd: TypeAlias = Literal[
    "html", "empty", "list", "text", "null", "no data", "wrong types", "nested"
]
"""Answers that nobody expects: a page, nothing, JSON of another shape, data of other types."""

_HTML = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"
_ODD: Mapping[Odd, bytes] = {
    "html": _HTML,
    "empty": b"",
    "list": b'[{"operateCode":"S"}]',
    "text": b'"success"',
    "null": b"null",
    "no data": dump({"operateCode": "S", "message": "success", "data": None}),
    "wrong types": dump({"operateCode": 1, "message": ["success"], "data": "none"}),
    "nested": dump({"data": {"operateCode": "S", "data": {"data": {}}}}),
}


@attrs.frozen
class Reply:
    """An answer that goes out in place of the sandbox's own."""

    status: int
    body: bytes = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True)
class Fault:
    """What becomes of one request; the functions of this module make them."""

    name: str
    """As the log tells it."""
    carries_out: bool
    """Whether the request is carried out before anything goes wrong."""
    reads: bool = True
    """Whether the body is read."""
    ending: Ending = "answered"
    delay: float = 0.0
    """Seconds of real time before the answer."""
    cut: int | None = None
    """Bytes of the whole answer, head included, that go out; None draws it."""
    reply: Reply | None = attrs.field(default=None, repr=False)


def _wait(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= A_YEAR:
        raise ConfigurationError(f"{name} must be seconds, from 0 to a year, not {value!r}")
    return value


def _status(value: object, least: int = 200) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 599:
        raise ConfigurationError(f"status must be from {least} to 599, not {value!r}")
    return value


def _name(name: str, carried_out: bool) -> str:
    if not isinstance(carried_out, bool):
        raise ConfigurationError(f"carried_out must be True or False, not {carried_out!r}")
    return f"{name}, carried out" if carried_out else name


def drop_request() -> Fault:
    """Close the connection once the head is read: nothing is carried out."""
    return Fault(name="drop_request", carries_out=False, reads=False, ending="dropped")


def drop_answer() -> Fault:
    """Carry the request out and close the connection without an answer."""
    return Fault(name="drop_answer", carries_out=True, ending="dropped")


def cut_answer(at: int | None = None) -> Fault:
    """Carry the request out and close the connection after so many bytes of the answer.

    The head counts, and the last byte never goes out; None draws the place by the seed.
    """
    if at is not None and (isinstance(at, bool) or not isinstance(at, int) or at < 0):
        raise ConfigurationError(f"at must be a number of bytes, not {at!r}")
    return Fault(name="cut_answer", carries_out=True, ending="cut", cut=at)


def stall(*, carried_out: bool = False) -> Fault:
    """Never answer, until the client leaves or the sandbox is closed."""
    return Fault(name=_name("stall", carried_out), carries_out=carried_out, ending="stalled")


def slow(seconds: float) -> Fault:
    """Carry the request out and answer later, by so many seconds of real time."""
    delay = _wait("seconds", seconds)
    return Fault(name=f"slow {delay:g}", carries_out=True, delay=delay)


def refuse(
    message: str = "the service is busy", *, status: int = 400, detail: object = None
) -> Fault:
    """Refuse in the documented failure shape, at 400 or 200; `detail` goes out as `data.data`."""
    reply = Reply(_status(status), failure(message, detail=detail))
    return Fault(name=f"refuse {status}", carries_out=False, reply=reply)


def odd_answer(shape: Odd, *, status: int = 200, carried_out: bool = False) -> Fault:
    """Answer in a shape that is no answer of the service's."""
    if shape not in _ODD:
        raise ConfigurationError(f"shape must be one of {', '.join(get_args(Odd))}, not {shape!r}")
    kind = {"Content-Type": "text/html"} if shape == "html" else {}
    return Fault(
        name=_name(f"odd_answer {shape}", carried_out),
        carries_out=carried_out,
        reply=Reply(_status(status), _ODD[shape], kind),
    )


def server_error(status: int = 503, *, envelope: bool = False, carried_out: bool = False) -> Fault:
    """Answer 5xx, as a page of a gateway's or in the failure envelope."""
    checked = _status(status, 500)
    page = Reply(checked, _HTML, {"Content-Type": "text/html"})
    told = Reply(checked, failure("internal error"))
    return Fault(
        name=_name(f"server_error {status}", carried_out),
        carries_out=carried_out,
        reply=told if envelope else page,
    )


def throttled(*, retry_after: float | None = None, status: int = 429) -> Fault:
    """Refuse as too many requests; `retry_after` seconds stand in the header."""
    after = None if retry_after is None else math.ceil(_wait("retry_after", retry_after))
    headers = {} if after is None else {"Retry-After": str(after)}
    reply = Reply(_status(status, 400), failure("too many requests"), headers)
    return Fault(name=f"throttled {status}", carries_out=False, reply=reply)


KINDS: Mapping[str, Callable[..., Fault]] = {
    "drop_request": drop_request,
    "drop_answer": drop_answer,
    "cut_answer": cut_answer,
    "stall": stall,
    "slow": slow,
    "refuse": refuse,
    "odd_answer": odd_answer,
    "server_error": server_error,
    "throttled": throttled,
}
"""The kinds by name, as a file of faults gives them."""


def made(kind: str, **settings: Any) -> Fault:
    """Make a fault from a kind's name and its settings."""
    maker = KINDS.get(kind)
    if maker is None:
        raise ConfigurationError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    try:
        return maker(**settings)
    except TypeError as error:
        raise ConfigurationError(f"{kind} does not take these settings: {error}") from error
