"""Reads a captured request: HTTP text, `curl -v` output, a curl command, or JSON; no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit

import attrs

from ..errors import ConfigurationError

_REQUEST_LINE = re.compile(r"([A-Z]+) (\S+)(?: HTTP/[0-9.]+)?")
# HTTP/2 captures write some as headers that begin with a colon.
_HEADER = re.compile(r"(:?[\w!#$%&'*+.^`|~-]+)\s*:\s*(.*)")
_SHELL_PART = re.compile(
    r"""'(?P<single>[^']*+)'|"(?P<double>[^"\\]*+(?:\\.[^"\\]*+)*+)"|\\(?P<escaped>.)"""
    r"""|(?P<plain>[^\s'"\\]++)|(?P<gap>\s++)""",
    re.DOTALL,
)
_CHUNK_HEAD = re.compile(rb"\s*([0-9A-Fa-f]{1,8})[^\n]*\n")
_TRACE_LINE = re.compile(r"[0-9a-f]{4}: (.*)")
_KINDS = (
    "a request as HTTP text, the output of `curl -v`, a curl command, an address, or the "
    "parameters as JSON"
)


@attrs.frozen
class Capture:
    """A request as it was captured; `method` and `target` are None for parameters alone."""

    method: str | None = None
    target: str | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: str | Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    access_code: str | None = attrs.field(default=None, repr=False)

    @property
    def path(self) -> str:
        """The path alone, as it was sent."""
        return self._split().path

    @property
    def query(self) -> str:
        """The query string, as it was sent."""
        return self._split().query

    def _split(self) -> SplitResult:
        try:
            return urlsplit(self.target or "")
        except ValueError as error:
            raise ConfigurationError(f"the address cannot be read: {error}") from error


def read_capture(content: bytes) -> Capture:
    """Read a capture; ConfigurationError says what is wrong with it and what to do."""
    text = _text(content)
    first = text.lstrip()
    if first.startswith(("{", "[", '"')) or not first:
        return _from_json(read_json_object(text, "the parameters"))
    if re.match(r"(\$ )?curl\s", first):
        return _from_curl_command(first.removeprefix("$ "))
    lines = first.splitlines()
    if any(line.startswith(("> ", "=> Send header")) for line in lines):
        return _from_curl_output(lines)
    if _REQUEST_LINE.fullmatch(lines[0].strip()):
        return _from_http(first)
    if re.match(r"https?://\S+\s*$", first):
        return Capture("GET", first.strip())
    raise ConfigurationError(f"not JSON, and no request that can be read: give {_KINDS}")


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"not UTF-8 at byte {error.start}{_encoding_hint(content)}"
        ) from error


def _encoding_hint(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ": it is UTF-16, save it as UTF-8"
    try:
        content.decode("gbk")
    except UnicodeDecodeError:
        return ": requests must be sent as UTF-8"
    return ": it reads as GBK, but requests must be sent and signed as UTF-8"


def _from_json(read: dict[str, Any]) -> Capture:
    """Tell a captured request from parameters: some operations have a parameter `url` too."""
    about = {"method", "headers", "body"} & read.keys()
    target = read.get("url", read.get("path"))
    if not about or target is None or {"sign", "partnerCode", "version"} & read.keys():
        return Capture(body=read)
    method, headers, body = read.get("method", "POST"), read.get("headers", {}), read.get("body")
    code = read.get("access_code")
    if not isinstance(target, str) or not isinstance(method, str):
        raise ConfigurationError("method and url of a captured request must be texts")
    if not isinstance(headers, dict) or not all(isinstance(one, str) for one in headers.values()):
        raise ConfigurationError("headers of a captured request must be an object of texts")
    if body is not None and not isinstance(body, (str, dict)):
        raise ConfigurationError("body of a captured request must be a JSON object, or its text")
    if code is not None and not isinstance(code, str):
        raise ConfigurationError("access_code must be text")
    return Capture(method.upper(), target, headers, body, code)


def _from_http(text: str) -> Capture:
    head, gap, body = text.replace("\r\n", "\n").partition("\n\n")
    line, *rest = head.split("\n")
    found = _REQUEST_LINE.fullmatch(line.strip())
    if found is None:
        raise ConfigurationError(f"the first line must be like POST /path HTTP/1.1: {line[:60]!r}")
    headers = dict(_headers(rest))
    return _with_body(found[1], found[2], headers, body if gap else "")


def _headers(lines: list[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, 2):
        if not line.strip():
            continue
        found = _HEADER.fullmatch(line.strip())
        if found is None:
            raise ConfigurationError(
                f"line {number} is no header: {line[:40]!r}; an empty line must stand before the "
                "body"
            )
        yield found[1].lower(), found[2]


def _from_curl_output(lines: list[str]) -> Capture:
    """Take what was sent out of `curl -v` or `curl --trace-ascii -`."""
    answer = next((at for at, line in enumerate(lines) if line.startswith(("< ", "<= "))), None)
    head: list[str] = []
    body: list[str] = []
    part, traced = None, False
    for line in lines[:answer]:
        trace = _TRACE_LINE.fullmatch(line)
        if line.startswith("=> Send"):
            part, traced = (head if "header" in line else body), True
        elif traced:
            if trace is not None and part is not None:
                part.append(trace[1])
        elif line.startswith(">"):
            head.append(line[1:].strip())
        elif head and re.match(r"\* |[{}] \[\d+ bytes data\]", line) is None:
            body.append(line)
    head = [line for line in head if line]
    found = _REQUEST_LINE.fullmatch(head[0]) if head else None
    if found is None:
        raise ConfigurationError("the output of curl shows no request line such as > POST /path")
    return _with_body(
        found[1], found[2], dict(_headers(head[1:])), ("" if traced else "\n").join(body)
    )


def _from_curl_command(text: str) -> Capture:
    """Read a curl command, as browsers and other tools copy it."""
    words = list(_shell_words(text.replace("\\\r\n", " ").replace("\\\n", " ")))[1:]
    method, url, headers, data = None, None, {}, None
    rest = iter(words)
    for word in rest:
        if word in ("-X", "--request"):
            method = next(rest, None)
        elif word in ("-H", "--header"):
            name, _, value = next(rest, "").partition(":")
            headers[name.strip().lower()] = value.strip()
        elif word in ("-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--json"):
            data = next(rest, "")
        elif word == "--url" or not word.startswith("-"):
            url = next(rest, None) if word == "--url" else word
    if url is None:
        raise ConfigurationError("the curl command names no address")
    if data is not None and data.startswith("@"):
        raise ConfigurationError(
            f"the body is in the file {data[1:]!r}: give its text in its place"
        )
    return _with_body(method or ("GET" if data is None else "POST"), url, headers, data or "")


def _shell_words(text: str) -> Iterator[str]:
    """Split as a shell does; Python's own splitter takes minutes for a body of a megabyte."""
    word: list[str] | None = None
    at = 0
    while at < len(text):
        found = _SHELL_PART.match(text, at)
        if found is None:
            raise ConfigurationError("the curl command cannot be read: a quotation is not closed")
        at = found.end()
        if found["gap"]:
            if word is not None:
                yield "".join(word)
            word = None
            continue
        part = found["single"] or found["escaped"] or found["plain"] or ""
        if found["double"]:
            part = re.sub(r'\\(["\\])', r"\1", found["double"])
        word = [] if word is None else word
        word.append(part)
    if word is not None:
        yield "".join(word)


def _with_body(method: str, target: str, headers: Mapping[str, str], body: str) -> Capture:
    if "content-encoding" in headers:
        raise ConfigurationError("the body is compressed: capture it before it is")
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = _unchunked(body)
    # White space at its ends may be part of the body, so it counts here.
    there, told = len(body.encode()), headers.get("content-length", "")
    if told.isascii() and told.isdigit() and body.strip() and there < int(told[:20]):
        raise ConfigurationError(
            f"the body is cut off: {there} bytes of the {told[:20]} that Content-Length tells"
        )
    if method != "GET" and not body.strip():
        raise ConfigurationError(
            f"the capture of a {method} shows no body: add it after an empty line (curl -v does "
            "not print it, curl --trace-ascii - does)"
        )
    return Capture(method, target, headers, body.strip() or None)


def _unchunked(body: str) -> str:
    """Join the chunks of a body; one that a proxy has joined already stays as it is."""
    joined, rest, at = [], body.encode(), 0
    while found := _CHUNK_HEAD.match(rest, at):
        size = int(found[1], 16)
        at = found.end() + size
        joined.append(rest[found.end() : at])
        if size == 0:
            return b"".join(joined).decode("utf-8", "replace")
    return body


def read_json_object(text: str, what: str) -> dict[str, Any]:
    """Read a JSON object; a key that stands twice and NaN have no one meaning."""
    try:
        read = json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"{what}: not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        ) from error
    except RecursionError as error:
        raise ConfigurationError(f"{what}: nested too deeply") from error
    except ConfigurationError:
        raise
    except ValueError as error:
        # A whole number of thousands of digits.
        raise ConfigurationError(f"{what}: not JSON that can be read: {error}") from error
    if not isinstance(read, dict):
        raise ConfigurationError(f"{what} must be one JSON object")
    return read


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ConfigurationError(f"the parameter {name!r} stands there twice")
        found[name] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ConfigurationError(f"{name} is not JSON")
