"""The inspector: a page at the sandbox's root that shows what came in and what it did.

It reads by `GET /_inspector/…` and changes by `POST` with the header `X-Linksfield-Inspector: 1`,
which a page of another origin cannot send. The Host header must name this machine, so that no
foreign name that is made to point here gets an answer.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from urllib.parse import parse_qsl, urlsplit

import attrs

from ...account import is_loopback
from ...errors import ConfigurationError
from ..answers import Refusal
from ..reading import read_object
from .actions import ACTIONS
from .page import Page, json_page, problem
from .requests import request_detail
from .views import VIEWS, Inspected, state

__all__ = ["INSPECTOR_PREFIX", "Inspected", "Inspector"]

INSPECTOR_PREFIX = "/_inspector/"
OWN_HEADER = "X-Linksfield-Inspector"

_ASSETS = {
    "style.css": "text/css; charset=utf-8",
    "script.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "dom.js": "text/javascript; charset=utf-8",
    "lists.js": "text/javascript; charset=utf-8",
    "requests.js": "text/javascript; charset=utf-8",
}


@cache
def _asset(name: str) -> bytes:
    return files(__name__).joinpath("assets", name).read_bytes()


class Inspector:
    """Answers what the page asks."""

    def __init__(self, sandbox: Inspected, *, allow_any_host: bool) -> None:
        self._sandbox = sandbox
        self._any_host = allow_any_host

    def answer(
        self, method: str, raw_path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> Page:
        """Answer one request; everything is refused that a foreign page could have sent."""
        foreign = self._foreign(headers)
        if foreign is not None:
            return problem(403, foreign)
        name = raw_path.removeprefix(INSPECTOR_PREFIX)
        if method == "GET":
            return self._show(raw_path, name, query)
        if method == "POST" and name in ACTIONS:
            return self._act(name, headers, body)
        allowed = "POST" if name in ACTIONS else "GET"
        return attrs.evolve(problem(405, f"takes {allowed} only"), headers={"Allow": allowed})

    def _foreign(self, headers: Mapping[str, str]) -> str | None:
        host = headers.get("Host", "")
        if not self._is_here(host):
            return "the Host header does not name this machine"
        origin = headers.get("Origin")
        if origin is not None and origin != f"http://{host}":
            return "asked for by a page of another origin"
        if headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            return "asked for by a page of another site"
        return None

    def _is_here(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            if is_loopback(name):
                return True
            # No name server can make an address mean another machine.
            return self._any_host and bool(ipaddress.ip_address(name))
        except ValueError:
            return False

    def _show(self, raw_path: str, name: str, query: str) -> Page:
        if raw_path == "/":
            return Page(200, _asset("page.html"), "text/html; charset=utf-8")
        if name in _ASSETS:
            return Page(200, _asset(name), _ASSETS[name])
        asked = dict(parse_qsl(query, max_num_fields=10))
        kind, _, index = name.partition("/")
        try:
            if name == "state":
                return json_page(state(self._sandbox, asked))
            if kind == "requests" and index:
                return json_page(request_detail(self._sandbox.requests, index))
            if name in VIEWS:
                return json_page(VIEWS[name](self._sandbox, asked))
        except ConfigurationError as error:
            return problem(400, str(error))
        return problem(404, "nothing stands here")

    def _act(self, name: str, headers: Mapping[str, str], body: bytes) -> Page:
        if headers.get(OWN_HEADER) != "1":
            return problem(403, f"the header {OWN_HEADER}: 1 is needed")
        if headers.get("Content-Type", "").partition(";")[0].strip() != "application/json":
            return problem(415, "application/json is needed")
        try:
            return json_page(ACTIONS[name](self._sandbox, read_object(body)))
        except Refusal as refusal:
            return problem(400, refusal.message)
        except ConfigurationError as error:
            return problem(400, str(error))
