"""Where each operation stands and what it needs, derived from its declaration."""

from __future__ import annotations

import collections.abc
from collections.abc import Mapping
from typing import Any, get_origin
from urllib.parse import unquote, urlsplit

import attrs

from ..account import Endpoints
from ..operation import Operation, Service, wire_fields
from ..operations import OPERATIONS
from .answers import Refusal

# Only the paths are taken from it: `/vshop` and so on.
_BASES = Endpoints.at("http://127.0.0.1")


@attrs.frozen
class Parameter:
    """One declared parameter: its two names, and whether it is a list of texts."""

    python: str
    wire: str
    required: bool
    is_list: bool


@attrs.frozen
class Route:
    """One operation and its parameters."""

    operation: type[Operation[Any]]
    parameters: tuple[Parameter, ...]
    has_trade_parameters: bool

    @classmethod
    def of(cls, operation: type[Operation[Any]]) -> Route:
        """Derive the route of an operation."""
        declared: type[Any] = operation
        types = {field.name: field.type for field in attrs.fields(attrs.resolve_types(declared))}
        parameters = tuple(
            Parameter(
                field.python,
                field.wire.name,
                field.required,
                get_origin(types[field.python]) is collections.abc.Sequence,
            )
            for field in wire_fields(operation)
        )
        return cls(operation, parameters, operation.service is not Service.TOPUP)


def _full_path(operation: type[Operation[Any]]) -> str:
    return urlsplit(_BASES.base(operation.service)).path + operation.path


class Routes:
    """Finds the operation that a method and a path mean."""

    def __init__(self) -> None:
        self._fixed: dict[str, dict[str, Route]] = {}
        self._patterns: dict[tuple[str, ...], dict[str, Route]] = {}
        for operation in OPERATIONS:
            path = _full_path(operation)
            if "{" in path:
                methods = self._patterns.setdefault(tuple(path.split("/")), {})
            else:
                methods = self._fixed.setdefault(path, {})
            methods[operation.method] = Route.of(operation)

    def find(self, method: str, raw_path: str) -> tuple[Route, Mapping[str, str]]:
        """Find an operation and its path parameters; fixed paths win over patterns."""
        methods = self._fixed.get(raw_path)
        found: Mapping[str, str] = {}
        if methods is None:
            methods, found = self._match(raw_path)
        route = methods.get(method)
        if route is None:
            raise Refusal(
                f"this path takes {', '.join(methods)} only",
                status=405,
                outcome="wrong method",
                headers={"Allow": ", ".join(methods)},
            )
        return route, found

    def _match(self, raw_path: str) -> tuple[dict[str, Route], dict[str, str]]:
        try:
            # Split first: an escaped slash belongs to the value.
            segments = [unquote(part, errors="strict") for part in raw_path.split("/")]
        except ValueError as error:
            raise Refusal("the path is not UTF-8", status=404, outcome="no such path") from error
        for pattern, methods in self._patterns.items():
            found = _path_parameters(pattern, segments)
            if found is not None:
                return methods, found
        raise Refusal("no operation stands here", status=404, outcome="no such path")


def _path_parameters(pattern: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(segments):
        return None
    found: dict[str, str] = {}
    for expected, given in zip(pattern, segments, strict=True):
        if expected.startswith("{") and given:
            found[expected[1:-1]] = given
        elif expected != given:
            return None
    return found
