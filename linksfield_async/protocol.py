"""From an operation to a request, from a response to a result or an error: no I/O, no clock.

`build` adds the shared parameters, signs, and puts each parameter into path, query or body.
`decode` reads the envelope. What decides is the envelope, never the HTTP status alone:

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

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import attrs

from .account import Account
from .codec import Codec, codec_for
from .errors import (
    BadAnswer,
    InvalidInput,
    LinksfieldError,
    MismatchedAnswer,
    OutcomeUnknown,
    Refused,
    Throttled,
    UnexpectedRedirect,
)
from .masking import mask_text, one_line
from .operation import AnswerShape, Effect, Operation, Service
from .resilience.pauses import retry_after
from .signing import canonical_bytes, digest
from .version import __version__

T = TypeVar("T")

API_VERSION = "3.0"
SISTER_SUCCESS = "CB-00-0000"
"""Success in the envelope of the vendor's sister product; that topup may use it is assumed."""

# A server says these before or while it reads a request: the request may still be carried out.
_STATUS_PROVES_NOTHING = frozenset({408, 425, 499})


def _masked(value: bytes | str) -> str:
    text = value if isinstance(value, str) else f"{len(value)} bytes"
    return repr(mask_text(text))


@attrs.frozen
class Request:
    """One HTTP request, ready to send: every part of it is final."""

    method: str
    url: str = attrs.field(repr=_masked)
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(default=b"", repr=_masked)
    once: bool = False
    """Must not be carried out twice: it gets a connection of its own."""


@attrs.frozen
class Response:
    """One HTTP answer, its body decompressed and read to its end."""

    status: int
    body: bytes = attrs.field(repr=_masked)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """By name in the spelling of HTTP's documents, e.g. Retry-After."""


def build(operation: Operation[Any], account: Account, now_ms: int) -> Request:
    """Make the request; `now_ms` (epoch milliseconds) is signed where the service wants it.

    Raises InvalidInput where a field cannot be sent; nothing has left the machine then.
    """
    kind = type(operation)
    fixed = _shared(account, kind.service)
    codec = codec_for(account.wire_names)
    own = codec.write(operation)
    params: dict[str, Any] = dict(fixed.params)
    if kind.service is not Service.TOPUP:
        params["tradeTime"] = str(now_ms)
        params["tradeType"] = kind.trade_type
    if not params.keys().isdisjoint(own):
        clash = ", ".join(params.keys() & own)
        raise InvalidInput(f"{kind.__name__}: {clash} is a parameter of every request")
    params.update(own)
    # Path parameters are signed under their own names, unquoted (evidence: seed).
    segments = {
        placeholder: (name, _segment(kind, placeholder, params.get(name)))
        for placeholder, name in codec.path_names(kind)
    }
    signed = canonical_bytes(params)
    sign = digest(signed)
    path = kind.path
    if segments:
        path = path.format_map({key: segment for key, (_, segment) in segments.items()})
        for name, _ in segments.values():
            del params[name]
        signed = canonical_bytes(params)
    once = kind.effect is Effect.ONCE
    if kind.method == "GET":
        query = urlencode(_query(kind, params) | {"sign": sign}, quote_via=quote, safe="")
        return Request("GET", f"{fixed.base}{path}?{query}", fixed.get_headers, once=once)
    # The bytes signed are the bytes sent, the sign spliced in at their end.
    body = b'%s,"sign":"%s"}' % (signed[:-1], sign.encode())
    return Request(kind.method, fixed.base + path, fixed.headers, body, once)


@attrs.frozen
class _Shared:
    """What all requests of one account to one service have in common."""

    base: str
    params: dict[str, Any]
    headers: Mapping[str, str]
    get_headers: Mapping[str, str]


@lru_cache(maxsize=256)
def _shared(account: Account, service: Service) -> _Shared:
    params: dict[str, Any] = {"version": API_VERSION, "partnerCode": account.partner_code}
    if service is Service.VSHOP:
        shop = {
            "languageCode": account.language_code,
            "mark": account.mark,
            "terminal": account.terminal,
        }
        params |= {name: value for name, value in shop.items() if value is not None}
    get_headers = {
        "Accept": "application/json",
        "Accept-Language": account.accept_language,
        "User-Agent": f"linksfield_async/{__version__}",
    }
    headers = get_headers | {"Content-Type": "application/json"}
    return _Shared(account.endpoints.base(service), params, headers, get_headers)


def _segment(kind: type[Operation[Any]], name: str, value: Any) -> str:
    """Quote a path parameter into one segment; refuse what could leave it."""
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"{kind.__name__}.{name} must be a non-empty text")
    if not value.isascii() or not value.isprintable() or "/" in value or "\\" in value:
        raise InvalidInput(
            f"{kind.__name__}.{name} must be printable ASCII without slashes to stand in a path"
        )
    if not value.strip("."):
        raise InvalidInput(f"{kind.__name__}.{name} must not consist of dots")
    if len(value) > 256:
        raise InvalidInput(f"{kind.__name__}.{name} is longer than 256 characters")
    return quote(value, safe="")


def _query(kind: type[Operation[Any]], params: dict[str, Any]) -> dict[str, str]:
    for name, value in params.items():
        if not isinstance(value, str):
            raise InvalidInput(
                f"{kind.__name__}: {name} goes into the query of a GET and must be text"
            )
    return params


def decode(operation: Operation[T], account: Account, response: Response) -> tuple[T, Any]:
    """Read an answer: the result, and the whole JSON it came in; raises what it means otherwise."""
    kind = type(operation)
    if 300 <= response.status < 400:
        raise UnexpectedRedirect(
            f"{kind.__name__}: redirected with HTTP {response.status}; never followed",
            status=response.status,
        )
    try:
        raw = _parsed(response.body)
    except ValueError as error:
        _raise_for_status(kind, response)
        shown = one_line(response.body[:2000].decode("utf-8", "replace"), 120)
        raise BadAnswer(
            f"{kind.__name__}: HTTP {response.status}, {error}: {shown}", status=response.status
        ) from error
    try:
        result = _result(kind, account, response, raw)
        _check_echoes(operation, codec_for(account.wire_names), result, raw)
    except BadAnswer as error:
        error.with_facts(status=response.status, data=raw)
        raise
    return result, raw


def _result(kind: type[Operation[T]], account: Account, response: Response, raw: Any) -> T:
    codec = codec_for(account.wire_names)
    if isinstance(raw, dict) and "operateCode" in raw:
        code = raw["operateCode"]
        if code not in ("S", "F") or type(code) is not str:
            _raise_for_status(kind, response)
            raise BadAnswer(f"{kind.__name__}: operateCode is {code!r}, neither S nor F")
        if code == "F":
            raise _refusal(kind, response, raw, code)
        _check_success_status(kind, response)
        return codec.read(kind, raw.get("data"))
    sister = raw.get("status") if isinstance(raw, dict) else None
    if kind.service is Service.TOPUP and isinstance(sister, dict) and "code" in sister:
        if sister["code"] != SISTER_SUCCESS:
            message = {"message": sister.get("message"), "data": raw.get("data")}
            raise _refusal(kind, response, message, str(sister["code"]))
        _check_success_status(kind, response)
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
    data = raw.get("data", raw) if isinstance(raw, dict) else None
    for name, asked in operation.echoes().items():
        told = getattr(result, name, None)
        if told is None and name in ("iccid", "pay_id") and isinstance(data, dict):
            told = data.get(codec.wire_name(type(operation), name))
            told = str(told) if type(told) is int else told
        if isinstance(told, str) and told and not _same(name, asked, told):
            raise MismatchedAnswer(
                f"{type(operation).__name__}: the answer is about another {name} than was asked"
            )


def _same(name: str, asked: str, told: str) -> bool:
    if asked == told:
        return True
    if name != "iccid":
        return False
    # One ICCID in two spellings: padded with F, or with and without its check digit.
    short, long = sorted((asked.rstrip("Ff"), told.rstrip("Ff")), key=len)
    return short == long or (len(short) == 19 and len(long) == 20 and long.startswith(short))


def _check_success_status(kind: type[Operation[Any]], response: Response) -> None:
    if not 200 <= response.status < 300:
        raise BadAnswer(f"{kind.__name__}: reported as success, but with HTTP {response.status}")


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


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class _Doubled(ValueError):
    """A member that stands twice: which of the two counts, nobody can tell."""


def _without_doubles(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise _Doubled("JSON with a member that stands twice")
    return found


# Decimal, not float: no digit of an amount may change on the way in.
_JSON = json.JSONDecoder(
    parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_without_doubles
)


def _parsed(body: bytes) -> Any:
    """Parse a body as JSON whatever its content type says; ValueError where it is none."""
    try:
        return _JSON.decode(body.decode("utf-8-sig" if body[:3] == b"\xef\xbb\xbf" else "utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8") from error
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error
    except ArithmeticError as error:
        raise ValueError("a number is beyond all bounds") from error
    except _Doubled:
        raise
    except ValueError as error:
        raise ValueError("not JSON") from error
