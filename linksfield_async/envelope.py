"""From a response to a result or an error: no I/O, no clock.

What decides is the envelope, never the HTTP status alone:

    answer                                      2xx         3xx        4xx       5xx
    operateCode "S" (topup: CB-00-0000)         result      BadAnswer  BadAnswer BadAnswer
    operateCode "F" (topup: another code)       Refused     BadAnswer  Refused   Refused
    no envelope, a declared field or list       result      BadAnswer  below     below
    anything else                               BadAnswer   BadAnswer  below     below

    below: 429, and 503 with a readable Retry-After, are Throttled; 408, 425 and 499 say nothing
    certain: OutcomeUnknown; other 4xx are Refused; other 5xx are OutcomeUnknown.

A refusal under one of the two throttling statuses is Throttled as well, except of an operation
whose refusal proves nothing (SynOrderInfo): that one is always Refused and to be reconciled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from .codec import Codec
from .errors import (
    BadAnswer,
    LinksfieldError,
    MismatchedAnswer,
    OutcomeUnknown,
    Refused,
    Throttled,
    UnexpectedRedirect,
)
from .masking import one_line
from .messages import Response
from .operation import AnswerShape, Effect, Operation, Service
from .parsing import parsed
from .resilience.pauses import retry_after

T = TypeVar("T")

SISTER_SUCCESS = "CB-00-0000"
"""Success in the envelope of the vendor's sister product; that topup may use it is assumed."""

# A server says these before or while it reads a request: the request may still be carried out.
_STATUS_PROVES_NOTHING = frozenset({408, 425, 499})


def read_answer(operation: Operation[T], codec: Codec, response: Response) -> tuple[T, Any]:
    """Read an answer: the result, and the whole JSON it came in; raises what it means otherwise."""
    kind = type(operation)
    if 300 <= response.status < 400:
        raise UnexpectedRedirect(
            f"{kind.__name__}: redirected with HTTP {response.status}; never followed",
            status=response.status,
        )
    try:
        raw = parsed(response.body)
    except ValueError as error:
        _raise_for_status(kind, response)
        shown = one_line(response.body[:2000].decode("utf-8", "replace"), 120)
        raise BadAnswer(
            f"{kind.__name__}: HTTP {response.status}, {error}: {shown}", status=response.status
        ) from error
    try:
        result = _result(kind, codec, response, raw)
        _check_echoes(operation, codec, result, raw)
    except BadAnswer as error:
        error.with_facts(status=response.status, data=raw)
        raise
    return result, raw


def _result(kind: type[Operation[T]], codec: Codec, response: Response, raw: Any) -> T:
    if isinstance(raw, dict) and "operateCode" in raw:
        code = raw["operateCode"]
        if code not in ("S", "F") or type(code) is not str:
            _raise_for_status(kind, response)
            raise BadAnswer(f"{kind.__name__}: operateCode is {code!r}, neither S nor F")
        if code == "F":
            raise _refusal(kind, response, raw, code)
        if not 200 <= response.status < 300:
            raise _contradiction(kind, response)
        return codec.read(kind, raw.get("data"))
    sister = raw.get("status") if isinstance(raw, dict) else None
    if kind.service is Service.TOPUP and isinstance(sister, dict) and "code" in sister:
        if sister["code"] != SISTER_SUCCESS:
            message = {"message": sister.get("message"), "data": raw.get("data")}
            raise _refusal(kind, response, message, str(sister["code"]))
        if not 200 <= response.status < 300:
            raise _contradiction(kind, response)
        return codec.read(kind, raw.get("data"))
    _raise_for_status(kind, response)
    # An empty object proves nothing, but where the pages show bare answers it is one of them.
    nothing: tuple[Any, ...] = ({},) if kind.effect is Effect.ONCE else (None, {}, [])
    empty = raw in nothing and kind.answer is AnswerShape.BARE
    if empty or codec.recognises(kind, raw):
        return codec.read(kind, raw)
    raise BadAnswer(f"{kind.__name__}: an answer without an envelope and without a known field")


def _check_echoes(operation: Operation[Any], codec: Codec, result: Any, raw: Any) -> None:
    """Refuse an answer about another card, order or payment, also where no field declares it."""
    for name, asked in operation.echoes().items():
        told = getattr(result, name, None)
        if told == asked:
            continue
        if told is None and name in ("iccid", "pay_id"):
            told = _undeclared(codec.wire_name(type(operation), name), raw)
        if isinstance(told, str) and told and not _same(name, asked, told):
            raise MismatchedAnswer(
                f"{type(operation).__name__}: the answer is about another {name} than was asked"
            )


def _undeclared(wire_name: str, raw: Any) -> Any:
    data = raw.get("data", raw) if isinstance(raw, dict) else None
    told = data.get(wire_name) if isinstance(data, dict) else None
    return str(told) if type(told) is int else told


def _same(name: str, asked: str, told: str) -> bool:
    if asked == told:
        return True
    if name != "iccid":
        return False
    # One ICCID in two spellings: padded with F, or with and without its check digit.
    short, long = sorted((asked.rstrip("Ff"), told.rstrip("Ff")), key=len)
    return short == long or (len(short) == 19 and len(long) == 20 and long.startswith(short))


def _contradiction(kind: type[Operation[Any]], response: Response) -> BadAnswer:
    return BadAnswer(f"{kind.__name__}: reported as success, but with HTTP {response.status}")


def _refusal(
    kind: type[Operation[Any]], response: Response, raw: Mapping[str, Any], code: str
) -> LinksfieldError:
    # Where a refusal proves nothing, neither does one that also asks to slow down.
    throttled = _is_throttling(response) and kind.refusal_is_final
    made = Throttled if throttled else Refused
    data = raw.get("data")
    texts = [raw.get("message"), data.get("message") if isinstance(data, dict) else None]
    told = ": ".join(dict.fromkeys(text for text in texts if isinstance(text, str) and text))
    return made(
        f"{kind.__name__} refused: {told or 'no reason given'}",
        status=response.status,
        code=code,
        data=data,
        needs_reconciliation=not kind.refusal_is_final,
    )


def _is_throttling(response: Response) -> bool:
    # A 503 says "later" only where it says when: otherwise nobody knows what was carried out.
    when = retry_after(response.headers.get("Retry-After"), 0)
    return response.status == 429 or (response.status == 503 and when is not None)


def _raise_for_status(kind: type[Operation[Any]], response: Response) -> None:
    """Raise what a status means where no envelope speaks; 2xx passes."""
    status = response.status
    if 200 <= status < 300:
        return
    text = f"{kind.__name__}: HTTP {status} without an envelope"
    if _is_throttling(response):
        raise Throttled(text, status=status)
    if 400 <= status < 500 and status not in _STATUS_PROVES_NOTHING:
        raise Refused(text, status=status, needs_reconciliation=not kind.refusal_is_final)
    if status in _STATUS_PROVES_NOTHING or 500 <= status < 600:
        raise OutcomeUnknown(text, status=status)
    raise BadAnswer(text, status=status)
