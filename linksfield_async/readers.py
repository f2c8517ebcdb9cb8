"""Makes the readers of results: each takes JSON values and gives a model, or tells why it cannot.

Documented fields are read strictly: a missing or unreadable one is told by its name. Assumed ones
are read leniently: one that is not there or not readable is None, its raw value kept in `extra`.
The exceptions: dates keep their raw text in `extra` where it is not a date, and an assumed field
declared required (a request id, a group id) must be there.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeGuard, get_args, get_origin

import attrs

from .errors import ConfigurationError
from .operation import ASSUMED, WIRE_KEY, Model, Wire
from .values import (
    Reader,
    Unreadable,
    kind_of,
    read_amount,
    read_boolean,
    read_date,
    read_datetime,
    read_text,
    read_whole_number,
    without_none,
)

if TYPE_CHECKING:
    from cattrs import Converter

NameOf = Callable[[type[Any], "attrs.Attribute[Any]"], tuple[str, ...]]
"""The wire names of a field, the one in force first, then those accepted too."""


@attrs.frozen
class _Member:
    python: str
    names: tuple[str, ...]
    read: Reader
    required: bool
    keeps_raw: bool


def wired(declared: type[Any]) -> list[attrs.Attribute[Any]]:
    """List the wire fields of an operation or a model, their types resolved."""
    try:
        resolved = attrs.resolve_types(declared)
    except NameError as error:
        raise ConfigurationError(
            f"{declared.__name__}: {error}; its types must be importable at run time"
        ) from error
    return [field for field in attrs.fields(resolved) if WIRE_KEY in field.metadata]


def is_model(kind: Any) -> TypeGuard[type[Model]]:
    """Tell a model from any other type."""
    return isinstance(kind, type) and issubclass(kind, Model)


def read_nothing(data: Any) -> None:
    """Take the absence of a result."""
    if data not in (None, {}, ""):
        raise Unreadable(f"nothing expected, found {kind_of(data)}")


def as_object(data: Any) -> Any:
    """Keep what an undocumented answer carries, object or not: its success is what counts."""
    if data is None or isinstance(data, dict):
        return data or {}
    return {"data": data}


def read_one_or_none(data: Any, read: Reader, result: Any) -> Any:
    """Take one result, alone or in a list of its own, or none."""
    if data in (None, {}, []):
        return None
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    return read(data, result)


def converter_for(names_of: NameOf) -> Converter:
    """Make the converter that knows how to read each type that a result may hold."""
    # Imported when a client is made: most programs import the package and make none at once.
    from cattrs import Converter  # noqa: PLC0415

    converter = Converter(detailed_validation=False)
    for kind, reader in {
        str: read_text,
        int: read_whole_number,
        bool: read_boolean,
        Decimal: read_amount,
        date: read_date,
        datetime: read_datetime,
    }.items():
        converter.register_structure_hook(kind, reader)
    converter.register_structure_hook_factory(
        is_model, lambda model: _model_reader(model, converter, names_of)
    )
    converter.register_structure_hook_factory(
        _is_tuple_of_one_kind,
        lambda kind: _tuple_reader(converter.get_structure_hook(get_args(kind)[0])),
    )
    return converter


def _is_tuple_of_one_kind(kind: Any) -> bool:
    return get_origin(kind) is tuple and get_args(kind)[1:] == (...,)


def _tuple_reader(read: Reader) -> Reader:
    def read_all(data: Any, _: Any) -> tuple[Any, ...]:
        if not isinstance(data, list):
            raise Unreadable(f"a list expected, found {kind_of(data)}")
        return read_entries(data, read, "")

    return read_all


def read_entries(entries: list[Any], read: Reader, key: str) -> tuple[Any, ...]:
    """Take a list; Unreadable says, below `key`, which entry is none."""
    index = 0
    found: list[Any] = []
    try:
        for index, entry in enumerate(entries):  # noqa: B007  # the error says which
            found.append(read(entry, None))
    except Unreadable as error:
        raise error.below(f"{key}[{index}]") from error
    return tuple(found)


def _model_reader(model: type[Model], converter: Converter, names_of: NameOf) -> Reader:
    members = [_member(model, field, converter, names_of) for field in wired(model)]
    usual = [(m.python, m.names[0], m.read is read_text, m) for m in members]

    def read(data: Any, _: Any) -> Model:
        if type(data) is not dict:
            raise Unreadable(f"an object expected, found {kind_of(data)}")
        values: dict[str, Any] = {}
        unknown = data.copy()
        for python, name, is_text, member in usual:
            value = data.get(name)
            if is_text and type(value) is str:
                values[python] = value
                del unknown[name]
            else:
                _read_member(member, data, values, unknown)
        return model(extra=unknown, **values)

    return read


def _member(
    model: type[Model], field: attrs.Attribute[Any], converter: Converter, names_of: NameOf
) -> _Member:
    about: Wire = field.metadata[WIRE_KEY]
    kind = without_none(field.type)
    required = field.default is attrs.NOTHING
    lenient = about.evidence is ASSUMED and not required
    return _Member(
        field.name,
        names_of(model, field),
        converter.get_structure_hook(kind),
        required,
        keeps_raw=lenient or kind in (date, datetime),
    )


def _read_member(
    member: _Member, data: dict[str, Any], values: dict[str, Any], unknown: dict[str, Any]
) -> None:
    """Read one declared field into `values`, and take it out of what is unknown."""
    for name in member.names:
        if name not in data:
            continue
        value = data[name]
        if value is None and not member.required:
            del unknown[name]
            return
        try:
            values[member.python] = member.read(value, None)
        except Unreadable as error:
            if not member.keeps_raw:
                raise error.below(name) from error
            if member.required:
                values[member.python] = None
        else:
            del unknown[name]
        return
    if member.required:
        raise Unreadable("is missing", member.names[0])
