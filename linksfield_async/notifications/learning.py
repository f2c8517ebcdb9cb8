"""Finds out from a captured message which signature scheme its sender uses; pure."""

from __future__ import annotations

import hmac
import itertools
import json
from collections.abc import Iterable, Iterator
from typing import get_args

import attrs

from ..errors import BadSignature, ConfigurationError, MalformedNotification
from .parsing import Limits, read_body
from .signature import (
    JOINS,
    Algorithm,
    Headers,
    KeyDecoding,
    OutputEncoding,
    PartOrder,
    SignatureScheme,
    read_stamp,
    texts_of,
)


@attrs.frozen
class Capture:
    """A message as it was captured."""

    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=lambda body: f"<{len(body)} bytes>")

    @classmethod
    def read(cls, content: bytes) -> Capture:
        """Read an HTTP request as it stood on the wire, or JSON with `headers` and `body`."""
        if content.lstrip()[:1] == b"{":
            return cls._of_json(content)
        for ending in (b"\r\n\r\n", b"\n\n"):
            head, found, body = content.partition(ending)
            if found:
                return cls(tuple(_header_lines(head)), body)
        raise ConfigurationError(
            "the capture is neither an HTTP request (headers, an empty line, the body) nor JSON"
            ' such as {"headers": {…}, "body": "…"}'
        )

    @classmethod
    def _of_json(cls, content: bytes) -> Capture:
        try:
            read = json.loads(content)
            headers, body = read["headers"], read["body"]
            pairs = headers.items() if isinstance(headers, dict) else headers
            return cls(tuple((str(name), str(value)) for name, value in pairs), body.encode())
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise ConfigurationError(
                'a capture in JSON is {"headers": {…}, "body": "the body as text"}'
            ) from error

    def written(self) -> bytes:
        """Write it as the headers and the body of a request."""
        lines = [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + self.body


def _header_lines(head: bytes) -> Iterator[tuple[str, str]]:
    for line in head.decode("latin-1").splitlines():
        name, colon, value = line.partition(":")
        # The first line of a request has no colon before a blank.
        if colon and name and " " not in name:
            yield name, value.strip()


def schemes(joins: Iterable[str] = tuple(JOINS.values())) -> Iterator[SignatureScheme]:
    """Yield every combination of the undocumented parts, the assumed default first."""
    for order, join, key, output, algorithm in itertools.product(
        get_args(PartOrder),
        joins,
        get_args(KeyDecoding),
        get_args(OutputEncoding),
        get_args(Algorithm),
    ):
        yield SignatureScheme(order=order, join=join, key=key, output=output, algorithm=algorithm)


@attrs.frozen
class Learned:
    """Which schemes give the captured signature; none where the key or the guess is wrong."""

    fitting: tuple[SignatureScheme, ...]
    tried: int


def learn(
    headers: Headers, body: bytes, key: str, *, joins: Iterable[str] = tuple(JOINS.values())
) -> Learned:
    """Try all schemes on one message; raises where it is no signed message at all."""
    stamp = read_stamp(headers)
    if stamp is None:
        raise BadSignature("the message carries no signature headers")
    parsed = read_body(body, Limits())
    if stamp.algorithm.upper() not in get_args(Algorithm):
        raise MalformedNotification("the message names an algorithm that is not known")
    given = stamp.signature.encode("ascii")
    fitting: list[SignatureScheme] = []
    tried = 0
    for scheme in schemes(joins):
        if scheme.algorithm != stamp.algorithm.upper():
            continue
        tried += 1
        try:
            value = scheme.decoded(key)
        except ConfigurationError:
            continue  # the key is not of this encoding, so the scheme does not fit
        signs = [scheme.sign(text, stamp.text, value) for text in texts_of(parsed)]
        if any(hmac.compare_digest(sign.encode("ascii"), given) for sign in signs):
            fitting.append(scheme)
    return Learned(tuple(fitting), tried)
