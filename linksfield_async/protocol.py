"""How one account speaks to the services: from an operation to a request, from an answer to a
result; no I/O, no clock.

A request's parameters are signed, and put into path, query or body. All of its text that no call
changes is written once for each class of operation: a call adds the values of its own fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from .account import Account
from .codec import Codec, codec_for
from .envelope import SISTER_SUCCESS, read_answer
from .errors import InvalidInput
from .messages import Request, Response
from .operation import Effect, Operation, Service
from .signing import canonical_json, canonical_value, digest, utf8
from .version import __version__

__all__ = ["API_VERSION", "SISTER_SUCCESS", "Dialect", "Request", "Response", "build", "decode"]

T = TypeVar("T")

API_VERSION = "3.0"


def build(operation: Operation[Any], account: Account, now_ms: int) -> Request:
    """Make the request; see `Dialect.build`."""
    return _dialect(account).build(operation, now_ms)


def decode(operation: Operation[T], account: Account, response: Response) -> tuple[T, Any]:
    """Read an answer; see `Dialect.decode`."""
    return _dialect(account).decode(operation, response)


class Dialect:
    """Builds and reads for one account; keeps what the calls of a class have in common."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._codec = codec_for(account.wire_names)
        self._forms: dict[type[Operation[Any]], _Form] = {}

    def build(self, operation: Operation[Any], now_ms: int) -> Request:
        """Make the request; `now_ms` (epoch milliseconds) is signed where the service wants it.

        Raises InvalidInput where a field cannot be sent; nothing has left the machine then.
        """
        values = self._codec.values(operation)
        form = self._forms.get(type(operation))
        if form is None:
            form = self._forms[type(operation)] = _Form(type(operation), self._account, self._codec)
        values.append(str(now_ms))
        return form.fill_in(values)

    def decode(self, operation: Operation[T], response: Response) -> tuple[T, Any]:
        """Read an answer: the result, and the whole JSON it came in.

        Raises what the answer means otherwise.
        """
        return read_answer(operation, self._codec, response)


@lru_cache(maxsize=256)
def _dialect(account: Account) -> Dialect:
    return Dialect(account)


class _Form:
    """The requests of one class of operation: the text that is fixed, and the blanks in it.

    Its values are those of the operation's fields in the order of declaration, None where one is
    left out, and the time at their end.
    """

    def __init__(self, kind: type[Operation[Any]], account: Account, codec: Codec) -> None:
        self._kind = kind
        own = codec.parameter_names(kind)
        self._fixed = _fixed(kind, account)
        self._positions = {name: position for position, name in enumerate(own)}
        timed = {} if kind.service is Service.TOPUP else {"tradeTime": len(own)}
        self._reserved = (self._fixed.keys() | timed.keys()) & set(own)
        self._path_names = codec.path_names(kind)
        in_path = {name for _, name in self._path_names}
        blanks = timed | {n: at for n, at in self._positions.items() if n not in self._reserved}
        self._signed = _Text(self._fixed, blanks)
        self._sent = self._signed
        if in_path:
            self._sent = _Text(self._fixed, {n: at for n, at in blanks.items() if n not in in_path})
        self._queried = [(name, at) for name, at in blanks.items() if name not in in_path]
        self._once = kind.effect is Effect.ONCE
        self._base = account.endpoints.base(kind.service)
        self._url = self._base + kind.path
        self._headers = _headers(kind, account)

    def fill_in(self, values: list[Any]) -> Request:
        """Make the request with these values."""
        if self._reserved:
            self._refuse_reserved(values)
        url = self._located(values) if self._path_names else self._url
        # Path parameters are signed under their own names, unquoted (evidence: seed).
        signed = utf8(self._signed.filled(values))
        sign = digest(signed)
        if self._kind.method == "GET":
            return Request("GET", self._asking(url, values, sign), self._headers, b"", self._once)
        sent = signed if self._sent is self._signed else utf8(self._sent.filled(values))
        # The bytes signed are the bytes sent, the sign spliced in at their end.
        body = b'%s,"sign":"%s"}' % (sent[:-1], sign.encode())
        return Request(self._kind.method, url, self._headers, body, self._once)

    def _refuse_reserved(self, values: list[Any]) -> None:
        given = [n for n in sorted(self._reserved) if values[self._positions[n]] is not None]
        if given:
            names = ", ".join(given)
            raise InvalidInput(f"{self._kind.__name__}: {names} is a parameter of every request")

    def _located(self, values: list[Any]) -> str:
        segments = {
            placeholder: _segment(self._kind, placeholder, values[self._positions[name]])
            for placeholder, name in self._path_names
        }
        return self._base + self._kind.path.format_map(segments)

    def _asking(self, url: str, values: list[Any], sign: str) -> str:
        given = {name: values[at] for name, at in self._queried if values[at] is not None}
        for name, value in given.items():
            if not isinstance(value, str):
                raise InvalidInput(
                    f"{self._kind.__name__}: {name} goes into the query of a GET and must be text"
                )
        query = urlencode(self._fixed | given | {"sign": sign}, quote_via=quote, safe="")
        return f"{url}?{query}"


class _Text:
    """A canonical text with blanks for the values that calls differ in.

    It is what `signing.canonical_text` writes of the same parameters, byte for byte.
    """

    def __init__(self, fixed: Mapping[str, str], blanks: Mapping[str, int]) -> None:
        self._blanks: list[tuple[str, str, str, int]] = []
        before = ""
        for name in sorted(fixed.keys() | blanks.keys()):
            key = f",{canonical_value(name, name)}:"
            if name in blanks:
                self._blanks.append((before, key, name, blanks[name]))
                before = ""
            else:
                before += key + canonical_value(name, fixed[name])
        self._end = before + "}"

    def filled(self, values: list[Any]) -> str:
        """Write the text with these values; a blank whose value is None is left out."""
        text = ""
        for before, key, name, position in self._blanks:
            value = values[position]
            if value is None:
                text += before
            elif type(value) is str:
                text += before + key + canonical_json(value)
            else:
                text += before + key + canonical_value(name, value)
        return "{" + (text + self._end)[1:]


def _fixed(kind: type[Operation[Any]], account: Account) -> dict[str, str]:
    """Give the parameters, by wire name, that all requests of a class have in common."""
    fixed = {"version": API_VERSION, "partnerCode": account.partner_code}
    if kind.service is Service.VSHOP:
        shop = {
            "languageCode": account.language_code,
            "mark": account.mark,
            "terminal": account.terminal,
        }
        fixed |= {name: value for name, value in shop.items() if value is not None}
    if kind.service is not Service.TOPUP:
        fixed["tradeType"] = kind.trade_type
    return fixed


def _headers(kind: type[Operation[Any]], account: Account) -> Mapping[str, str]:
    headers = {
        "Accept": "application/json",
        "Accept-Language": account.accept_language,
        "User-Agent": f"linksfield_async/{__version__}",
    }
    return headers if kind.method == "GET" else headers | {"Content-Type": "application/json"}


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
