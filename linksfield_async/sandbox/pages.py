"""What the sandbox serves beside the service: the inspector, explanations, the OpenAPI document.

None of it stands in the log of requests: that one tells what the service was asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import attrs

from ..account import Endpoints
from ..errors import ConfigurationError
from ..openapi import openapi
from .answers import Refusal
from .explaining import explain_content
from .inspector import INSPECTOR_PREFIX, Inspected, Inspector
from .inspector.page import Page, json_page, problem

EXPLAIN = "/explain"
OPENAPI = "/openapi.json"

MOST_EXPLAINED = 256 * 1024
"""Bytes of a capture that are explained; larger ones would hold up everybody else."""


def is_inspected(raw_path: str) -> bool:
    """Tell whether a page is the inspector's."""
    return raw_path not in (EXPLAIN, OPENAPI)


class Pages:
    """Answers what is not the service's business."""

    def __init__(self, sandbox: Inspected, *, allow_any_host: bool) -> None:
        self._sandbox = sandbox
        self._inspector = Inspector(sandbox, allow_any_host=allow_any_host)

    def owns(self, raw_path: str, headers: Mapping[str, str]) -> bool:
        """Tell whether a request is for one of these pages; `/` is for browsers alone."""
        if raw_path == "/":
            return "text/html" in headers.get("Accept", "")
        return raw_path in (EXPLAIN, OPENAPI) or raw_path.startswith(INSPECTOR_PREFIX)

    def answer(
        self, method: str, raw_path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> Page:
        """Answer one request."""
        if raw_path == EXPLAIN:
            return _explained(body) if method == "POST" else _only("POST")
        if raw_path == OPENAPI:
            if method != "GET":
                return _only("GET")
            return json_page(openapi(Endpoints.at(self._sandbox.url)))
        return self._inspector.answer(method, raw_path, query, headers, body)

    def refused(self, refusal: Refusal) -> Page:
        """Answer a request whose body could not be read."""
        return problem(refusal.status or 400, refusal.message)


def _only(method: str) -> Page:
    return attrs.evolve(problem(405, f"this path takes {method} only"), headers={"Allow": method})


def _explained(content: bytes) -> Page:
    if len(content) > MOST_EXPLAINED:
        told = "`linksfield sign --explain` takes larger ones"
        return problem(413, f"more than {MOST_EXPLAINED} bytes are not explained here; {told}")
    try:
        found = explain_content(content)
    except ConfigurationError as error:
        return problem(400, str(error))
    # Read by people, from a terminal: so with line breaks.
    text = json.dumps(attrs.asdict(found), ensure_ascii=False, indent=2)
    return Page(200, f"{text}\n".encode("utf-8", "backslashreplace"))
