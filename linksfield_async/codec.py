"""Python names and values to wire names and values, and back; pure, and the only place that knows.

Documented fields are read strictly: a missing or unreadable one is a BadAnswer that names it.
Assumed ones are read leniently: one that is not there or not readable is None, its raw value kept
in `extra`. The exceptions: dates keep their raw text in `extra` where it is not a date, and an
assumed field declared required (a request id, a group id) must be there.
A whole JSON number where text is declared is taken as its exact digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar, get_args, get_origin

import attrs

from .errors import BadAnswer, ConfigurationError, InvalidInput
from .operation import (
    ASSUMED,
    WIRE_KEY,
    AnswerShape,
    Model,
    Operation,
    Wire,
    path_placeholders,
    result_model,
)
from .values import (
    Reader,
    Unreadable,
    Writer,
    kind_of,
    read_amount,
    read_boolean,
    read_date,
    read_datetime,
    read_text,
    read_whole_number,
    without_none,
    writer_for,
)

if TYPE_CHECKING:
    from cattrs import Converter

T = TypeVar("T")

_ERROR_WORDS = frozenset(
    [
        "code",
        "error",
        "errors",
        "errorCode",
        "error_code",
        "errorMessage",
        "error_message",
        "exception",
        "message",
        "msg",
        "success",
    ]
)
"""Members by which gateways and frameworks tell of an error with HTTP 200."""

NameOf = Callable[[type[Any], "attrs.Attribute[Any]"], tuple[str, ...]]
"""The wire names of a field, the one in force first, then those accepted too."""


@attrs.frozen
class _Parameter:
    python: str
    label: str
    wire: str
    required: bool
    write: Writer


@attrs.frozen
class _Member:
    python: str
    names: tuple[str, ...]
    read: Reader
    required: bool
    keeps_raw: bool


@lru_cache(maxsize=64)
def codec_for(wire_names: tuple[tuple[str, str], ...]) -> Codec:
    """Give the codec that uses these replaced names; the same one each time."""
    return Codec(dict(wire_names))


class Codec:
    """Writes operations and reads results under one set of wire names."""

    def __init__(self, wire_names: Mapping[str, str] | None = None) -> None:
        self._wire_names = dict(wire_names or {})
        self._parameters: dict[type[Any], tuple[_Parameter, ...]] = {}
        self._path_names: dict[type[Any], tuple[tuple[str, str], ...]] = {}
        self._readers: dict[type[Any], Callable[[Any], Any]] = {}
        self._converter = _converter(self._names)

    def write(self, operation: Operation[Any]) -> dict[str, Any]:
        """Give an operation's parameters by wire name; InvalidInput names a wrong field."""
        kind = type(operation)
        parameters = self._parameters.get(kind)
        if parameters is None:
            # The reader too: what is wrong with a declaration must show before anything is sent.
            self._readers[kind] = self._declared_reader(kind)
            parameters = self._parameters[kind] = self._compile(kind)
        written: dict[str, Any] = {}
        for parameter in parameters:
            value = getattr(operation, parameter.python)
            if value is not None and value != "":
                written[parameter.wire] = parameter.write(parameter.label, value)
            elif parameter.required:
                state = "missing" if value is None else "empty"
                raise InvalidInput(f"{parameter.label} is {state}")
            elif value == "":
                written[parameter.wire] = ""
        problem = operation.problem()
        if problem:
            raise InvalidInput(f"{kind.__name__}: {problem}")
        return written

    def path_names(self, kind: type[Operation[Any]]) -> tuple[tuple[str, str], ...]:
        """Pair each placeholder of a path with the wire name in force for its field."""
        names = self._path_names.get(kind)
        if names is None:
            placeholders = path_placeholders(kind.path)
            in_force = {
                field.metadata[WIRE_KEY].name: self._names(kind, field)[0] for field in _wired(kind)
            }
            names = tuple((placeholder, in_force[placeholder]) for placeholder in placeholders)
            self._path_names[kind] = names
        return names

    def wire_name(self, kind: type[Operation[Any]], python: str) -> str:
        """Give the wire name in force for a parameter; empty where there is none of that name."""
        parameters = self._parameters.get(kind) or self._compile(kind)
        return next((p.wire for p in parameters if p.python == python), "")

    def read(self, operation: type[Operation[T]], data: Any) -> T:
        """Read what a success carries as the operation's result; BadAnswer where it is not that."""
        try:
            reader = self._readers.get(operation) or self._reader(operation)
            result: T = reader(data)
        except Exception as error:  # hooks of a user's own types raise what they like
            raise BadAnswer(f"{operation.__name__}: {error}") from error
        return result

    def recognises(self, operation: type[Operation[Any]], bare: Any) -> bool:
        """Tell whether an answer without an envelope shows at least one declared field."""
        if isinstance(bare, dict) and self._shows_an_error(operation, bare):
            return False
        if get_origin(operation.result) is tuple:
            # Not "the only list there is": without an envelope that may be a list of errors.
            listed = bare.get(self._list_key(operation)) if isinstance(bare, dict) else bare
            if not isinstance(listed, list):
                return False
            entry = result_model(operation.result)
            if isinstance(bare, dict) or entry is None or not listed:
                return True
            known = {name for field in _wired(entry) for name in self._names(entry, field)}
            return any(isinstance(one, dict) and not known.isdisjoint(one) for one in listed)
        model = without_none(operation.result)
        if not _is_model(model):
            return operation.answer is AnswerShape.BARE and isinstance(bare, dict)
        if not isinstance(bare, dict):
            return False
        return any(name in bare for field in _wired(model) for name in self._names(model, field))

    def _names(self, declared: type[Any], field: attrs.Attribute[Any]) -> tuple[str, ...]:
        about: Wire = field.metadata[WIRE_KEY]
        name = self._wire_names.get(f"{declared.__name__}.{field.name}", about.name)
        return (name, *about.also_accept)

    def _compile(self, kind: type[Operation[Any]]) -> tuple[_Parameter, ...]:
        parameters = tuple(
            _Parameter(
                field.name,
                f"{kind.__name__}.{field.name}",
                self._names(kind, field)[0],
                field.default is attrs.NOTHING,
                writer_for(field.type),
            )
            for field in _wired(kind)
        )
        names = [parameter.wire for parameter in parameters]
        if "sign" in names or len(set(names)) < len(names):
            raise ConfigurationError(
                f"{kind.__name__}: wire names must differ and none may be 'sign'"
            )
        return parameters

    def _declared_reader(self, operation: type[Operation[Any]]) -> Callable[[Any], Any]:
        from cattrs.errors import StructureHandlerNotFoundError  # noqa: PLC0415

        try:
            return self._reader(operation)
        except StructureHandlerNotFoundError as error:
            raise ConfigurationError(f"{operation.__name__}: {error}") from error

    def _reader(self, operation: type[Operation[Any]]) -> Callable[[Any], Any]:
        result = operation.result
        if result is None or result is type(None):
            return _read_nothing
        if get_origin(result) is tuple:
            read_entry = self._converter.get_structure_hook(get_args(result)[0])
            return lambda data: self._read_list(operation, data, read_entry)
        hook = self._converter.get_structure_hook(without_none(result))
        if without_none(result) is not result:
            return lambda data: _read_one_or_none(data, hook, result)
        if operation.answer_evidence is ASSUMED and _is_model(result):
            return lambda data: hook(_as_object(data), result)
        return lambda data: hook(data, result)

    def _shows_an_error(self, operation: type[Operation[Any]], bare: dict[str, Any]) -> bool:
        """Tell whether an object without an envelope speaks of an error in words not declared."""
        model = without_none(operation.result)
        fields = _wired(model) if _is_model(model) else []
        declared = {name for field in fields for name in self._names(model, field)}
        return not _ERROR_WORDS.isdisjoint(bare.keys() - declared)

    def _list_key(self, operation: type[Operation[Any]]) -> str:
        declared = operation.list_key or ""
        return self._wire_names.get(f"{operation.__name__}.list_key", declared)

    def _listed(self, operation: type[Operation[Any]], data: Any) -> tuple[str, list[Any]] | None:
        """Find the list of a list answer: bare, under its key, or as the only list."""
        if isinstance(data, list):
            return "", data
        if not isinstance(data, dict):
            return None
        key = self._list_key(operation)
        if isinstance(data.get(key), list):
            return key, data[key]
        lists = [(name, value) for name, value in data.items() if isinstance(value, list)]
        return lists[0] if len(lists) == 1 and key not in data else None

    def _read_list(
        self, operation: type[Operation[Any]], data: Any, read_entry: Reader
    ) -> tuple[Any, ...]:
        found = self._listed(operation, data)
        if found is None:
            raise Unreadable(f"no list found in {kind_of(data)}")
        key, entries = found
        entry_key = self._wire_names.get(
            f"{operation.__name__}.entry_key", operation.entry_key or ""
        )
        if entry_key:
            entries = [e.get(entry_key) if isinstance(e, dict) else e for e in entries]
        return _read_entries(entries, read_entry, key)


def _wired(declared: type[Any]) -> list[attrs.Attribute[Any]]:
    """List the wire fields with their types resolved."""
    try:
        resolved = attrs.resolve_types(declared)
    except NameError as error:
        raise ConfigurationError(
            f"{declared.__name__}: {error}; its types must be importable at run time"
        ) from error
    return [field for field in attrs.fields(resolved) if WIRE_KEY in field.metadata]


def _is_model(kind: Any) -> TypeGuard[type[Model]]:
    return isinstance(kind, type) and issubclass(kind, Model)


def _read_nothing(data: Any) -> None:
    if data not in (None, {}, ""):
        raise Unreadable(f"nothing expected, found {kind_of(data)}")


def _as_object(data: Any) -> Any:
    """Keep what an undocumented answer carries, object or not: its success is what counts."""
    if data is None or isinstance(data, dict):
        return data or {}
    return {"data": data}


def _read_one_or_none(data: Any, read: Reader, result: Any) -> Any:
    if data in (None, {}, []):
        return None
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    return read(data, result)


def _converter(names_of: NameOf) -> Converter:
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
        _is_model, lambda model: _model_reader(model, converter, names_of)
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
        return _read_entries(data, read, "")

    return read_all


def _read_entries(entries: list[Any], read: Reader, key: str) -> tuple[Any, ...]:
    index = 0
    found: list[Any] = []
    try:
        for index, entry in enumerate(entries):  # noqa: B007  # the error says which
            found.append(read(entry, None))
    except Unreadable as error:
        raise error.below(f"{key}[{index}]") from error
    return tuple(found)


def _model_reader(model: type[Model], converter: Converter, names_of: NameOf) -> Reader:
    members = [_member(model, field, converter, names_of) for field in _wired(model)]

    def read(data: Any, _: Any) -> Model:
        if type(data) is not dict:
            raise Unreadable(f"an object expected, found {kind_of(data)}")
        values: dict[str, Any] = {}
        unknown = dict(data)
        for member in members:
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
