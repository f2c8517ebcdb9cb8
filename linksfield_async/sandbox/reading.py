"""Reads parameters out of a request: body or query, and path; refuses what is ambiguous."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import NoReturn
from urllib.parse import parse_qsl

from .answers import Refusal

MAX_QUERY_FIELDS = 1_000


def _unique(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    pairs = list(pairs)
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refusal("a parameter is given twice")
    return found


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def read_object(body: bytes) -> dict[str, object]:
    """Read a JSON object in which no key stands twice, at any depth."""
    try:
        value: object = json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_not_json
        )
    except (ValueError, RecursionError) as error:
        raise Refusal("the body is not readable JSON") from error
    if not isinstance(value, dict):
        raise Refusal("the body must be a JSON object")
    return value


def read_query(query: str) -> dict[str, object]:
    """Read a query string in which no name stands twice; all values are text."""
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_FIELDS
        )
    except ValueError as error:
        raise Refusal("the query string is not readable") from error
    return _unique(pairs)


def read_parameters(
    method: str, query: str, body: bytes, path_parameters: Mapping[str, str]
) -> dict[str, object]:
    """Join the parameters of a request; a path parameter may be repeated, not contradicted."""
    parameters = read_query(query) if method == "GET" else read_object(body)
    for name, value in path_parameters.items():
        if parameters.setdefault(name, value) != value:
            raise Refusal(f"{name} differs from the one in the path")
    return parameters
