"""Every operation and field with its wire name and its evidence, read from the declarations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from ..named import GroupMethods, Named, OrderMethods, PaymentMethods, VshopMethods
from ..operation import ASSUMED, Evidence, Model, Operation, result_model, wire_fields
from ..operations import OPERATIONS, AddSims, RemoveSims

_NAMESPACES = (VshopMethods, PaymentMethods, GroupMethods, OrderMethods)
_IN_A_JOB: dict[type[Operation[Any]], str] = {
    AddSims: "groups.add_sims",
    RemoveSims: "groups.remove_sims",
}
"""Operations whose method sends them as often as needed."""


@attrs.frozen
class Field:
    """One name on the wire; `key` is what `wire_names` calls it."""

    key: str
    side: str
    """parameter or answer."""
    wire: str
    required: bool
    evidence: Evidence
    also_accept: tuple[str, ...]
    meaning: str


@attrs.frozen
class Entry:
    """One operation with its fields, those of its answer included."""

    operation: type[Operation[Any]]
    method: str
    fields: tuple[Field, ...]

    @property
    def name(self) -> str:
        """The name of the class."""
        return self.operation.__name__

    @property
    def route(self) -> str:
        """HTTP method, service and path."""
        operation = self.operation
        return f"{operation.method} {operation.service.value}{operation.path}"

    @property
    def names(self) -> frozenset[str]:
        """Everything it may be asked for by, in lower case."""
        names = (self.name, self.operation.trade_type, self.method, self.method.partition(".")[2])
        return frozenset(name.casefold() for name in names)


def catalogue() -> Iterator[Entry]:
    """List all operations in their order."""
    methods: dict[Any, str] = _IN_A_JOB | {
        named.make: f"{namespace.label}.{name}"
        for namespace in _NAMESPACES
        for name, named in vars(namespace).items()
        if isinstance(named, Named)
    }
    for operation in OPERATIONS:
        yield Entry(operation, methods[operation], tuple(_fields(operation)))


def _fields(operation: type[Operation[Any]]) -> Iterator[Field]:
    yield from _declared(operation, "parameter")
    name = operation.__name__
    if operation.list_key is not None:
        told = "member that holds the list"
        yield Field(f"{name}.list_key", "answer", operation.list_key, False, ASSUMED, (), told)
    if operation.entry_key is not None:
        told = "member of an entry, where entries are objects"
        yield Field(f"{name}.entry_key", "answer", operation.entry_key, False, ASSUMED, (), told)
    yield from _of_answer(result_model(operation.result))


def _of_answer(model: type[Model] | None) -> Iterator[Field]:
    if model is None:
        return
    yield from _declared(model, "answer")
    for attribute in attrs.fields(attrs.resolve_types(model)):
        yield from _of_answer(result_model(attribute.type))


def _declared(declared: type[Any], side: str) -> Iterator[Field]:
    for field in wire_fields(declared):
        about = field.wire
        yield Field(
            f"{declared.__name__}.{field.python}",
            side,
            about.name,
            field.required,
            about.evidence,
            about.also_accept,
            about.meaning,
        )
