"""Says why the sign of a request is right or wrong; the right one is the sandbox's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from ..errors import ConfigurationError
from ..mistakes import RULE, likeness
from .answers import Refusal
from .capture import Capture, read_capture, read_json_object
from .checks import checked_call
from .reading import read_query
from .routes import Route, Routes
from .signature import signature_of, signed_text

MOST_BYTES = 4 * 1024 * 1024

_DEEPEST = 32
_ROUTES = Routes()
# Test and production differ by the first segment; a gateway may stand before it.
_SERVICE = re.compile(r"/(vshop|payment|topup)(?:_uat|_test)?(/.*)")


@attrs.frozen
class Explained:
    """What is signed, by which rule, and what a given sign was made from instead."""

    operation: str | None
    text: str
    sign: str
    rule: str
    given: str | None
    matches: bool | None
    """None where no sign was given."""
    differences: tuple[str, ...]
    """The mistakes that give the sign at hand; empty where none was found."""
    implied_text: str | None
    """The text that gives the given sign, where one was found."""
    first_difference: int | None
    """Where `implied_text` first differs from `text`, in characters."""
    places: Mapping[str, str]
    """Where each parameter stood: path, query or body."""
    notes: tuple[str, ...]
    """What else is to be known, such as what would be refused though the sign were right."""


def explain_content(content: bytes, *, access_code: str | None = None) -> Explained:
    """Explain a captured request; ConfigurationError says what is wrong with the capture."""
    if len(content) > MOST_BYTES:
        raise ConfigurationError(f"more than {MOST_BYTES} bytes are no parameters of a request")
    return explain_capture(read_capture(content), access_code=access_code)


def explain_capture(capture: Capture, *, access_code: str | None = None) -> Explained:
    """Explain a request that was read."""
    parameters, places, route, notes = _parameters(capture)
    given = parameters.get("sign")
    if given is not None and not isinstance(given, str):
        raise ConfigurationError("the given sign must be text")
    for name, value in parameters.items():
        _check(name, value)
    try:
        text = signed_text(parameters)
        expected = signature_of(text)
    except UnicodeEncodeError as error:
        raise ConfigurationError("a lone surrogate cannot be sent: UTF-8 has none") from error
    differences: tuple[str, ...] = ()
    implied = None
    if given is not None and given != expected:
        code = access_code or capture.access_code
        found = likeness(parameters, given, places=places, access_code=code)
        differences, implied = found.differences, found.text
    if route is not None:
        notes += _refused_besides(route, {**parameters, "sign": expected})
    return Explained(
        operation=None if route is None else route.operation.__name__,
        text=text,
        sign=expected,
        rule=RULE,
        given=given,
        matches=None if given is None else given == expected,
        differences=differences,
        implied_text=implied,
        first_difference=None if implied is None else first_difference(text, implied),
        places=places,
        notes=tuple(notes),
    )


def first_difference(one: str, other: str) -> int | None:
    """Find the first character at which two texts differ; None where they are the same."""
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return at
    return None if len(one) == len(other) else min(len(one), len(other))


def _parameters(
    capture: Capture,
) -> tuple[dict[str, Any], dict[str, str], Route | None, list[str]]:
    """Join the parameters as the sandbox does; tells where each stood, and the operation."""
    route, in_path, notes = _route(capture)
    if capture.method == "GET":
        sent, place = _query(capture.query), "query"
        if capture.body is not None:
            notes.append("the body of a GET is not looked at")
    else:
        body = capture.body
        sent = _body(body, capture.headers) if isinstance(body, str) else dict(body or {})
        place = "body"
        if capture.query:
            notes.append(f"the query of a {capture.method} is not looked at: put it into the body")
    places = dict.fromkeys(sent, place)
    for name, value in in_path.items():
        if sent.setdefault(name, value) != value:
            raise ConfigurationError(f"{name} in the {place} differs from the one in the path")
        places.setdefault(name, "path")
    return sent, places, route, notes


def _route(capture: Capture) -> tuple[Route | None, Mapping[str, str], list[str]]:
    if capture.method is None:
        return None, {}, ["no path is known here: parameters of the path take part in the sign too"]
    found = _SERVICE.search(capture.path)
    path = f"/{found[1]}{found[2]}" if found else capture.path
    try:
        route, in_path = _ROUTES.find(capture.method, path)
    except Refusal as refusal:
        told = f"{capture.method} {capture.path}: {refusal.message}"
        return None, {}, [f"{told}; parameters of the path, if any, are not known"]
    return route, in_path, []


def _query(query: str) -> dict[str, Any]:
    try:
        return read_query(query)
    except Refusal as refusal:
        raise ConfigurationError(refusal.message) from refusal


def _body(body: str, headers: Mapping[str, str]) -> dict[str, Any]:
    form = "x-www-form-urlencoded" in headers.get("content-type", "")
    looks_like_form = re.match(r"\w+=[^{]*(&|$)", body) is not None
    if looks_like_form or (form and not body.startswith("{")):
        raise ConfigurationError("the body is form-encoded: the service takes a JSON object")
    return read_json_object(body, "the body")


def _check(name: str, value: Any, depth: int = 0) -> None:
    """Refuse what has no one spelling, by name."""
    if depth > _DEEPEST:
        raise ConfigurationError(f"{name.partition('[')[0].partition('.')[0]}: nested too deeply")
    if isinstance(value, float):
        raise ConfigurationError(
            f"{name}: a number with a fraction cannot be signed, languages spell it differently; "
            f'send a text such as "{value}"'
        )
    inner: Mapping[Any, Any] = {}
    if isinstance(value, dict):
        inner = value
    elif isinstance(value, list):
        inner = dict(enumerate(value))
    for key, item in inner.items():
        _check(f"{name}[{key}]" if isinstance(value, list) else f"{name}.{key}", item, depth + 1)


def _refused_besides(route: Route, parameters: dict[str, Any]) -> list[str]:
    """Say what the sandbox would refuse next, were the sign right."""
    partner = parameters.get("partnerCode")
    try:
        checked_call(route, parameters, {partner} if isinstance(partner, str) else ())
    except Refusal as refusal:
        return [f"besides the sign: {refusal.message}"]
    return []
