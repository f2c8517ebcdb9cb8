"""Python names and values to wire names and values, and back; pure, and the only place that knows.

How a result is read is said in `readers`, which values a type admits in `values`.
A whole JSON number where text is declared is taken as its exact digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar, get_args, get_origin

import attrs

from .errors import BadAnswer, ConfigurationError, InvalidInput
from .operation import (
    ASSUMED,
    WIRE_KEY,
    AnswerShape,
    Operation,
    Wire,
    path_placeholders,
    result_model,
)
from .readers import (
    as_object,
    converter_for,
    is_model,
    read_entries,
    read_nothing,
    read_one_or_none,
    wired,
)
from .values import Reader, Unreadable, Writer, kind_of, without_none, write_text, writer_for

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


class _Parameter(NamedTuple):
    python: str
    label: str
    wire: str
    required: bool
    write: Writer


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
        self._wire_names_of: dict[type[Any], dict[str, str]] = {}
        self._readers: dict[type[Any], Callable[[Any], Any]] = {}
        self._converter = converter_for(self._names)

    def write(self, operation: Operation[Any]) -> dict[str, Any]:
        """Give an operation's parameters by wire name; InvalidInput names a wrong field."""
        values = self.values(operation)
        names = self.parameter_names(type(operation))
        return {n: v for n, v in zip(names, values, strict=True) if v is not None}

    def values(self, operation: Operation[Any]) -> list[Any]:
        """Give an operation's values in the order of its parameters, None where one is left out.

        InvalidInput names a wrong field.
        """
        kind = type(operation)
        parameters = self._parameters.get(kind)
        if parameters is None:
            parameters = self._parameters_of(kind)
        values: list[Any] = []
        for python, label, _, required, write in parameters:
            value = getattr(operation, python)
            if value is not None and value != "":
                as_it_is = type(value) is str and write is write_text
                values.append(value if as_it_is else write(label, value))
            elif required:
                raise InvalidInput(f"{label} is {'missing' if value is None else 'empty'}")
            else:
                values.append(None if value is None else "")
        problem = operation.problem()
        if problem:
            raise InvalidInput(f"{kind.__name__}: {problem}")
        return values

    def parameter_names(self, kind: type[Operation[Any]]) -> tuple[str, ...]:
        """List the wire names in force for an operation's parameters, in the order declared."""
        return tuple(parameter.wire for parameter in self._parameters_of(kind))

    def path_names(self, kind: type[Operation[Any]]) -> tuple[tuple[str, str], ...]:
        """Pair each placeholder of a path with the wire name in force for its field."""
        names = self._path_names.get(kind)
        if names is None:
            placeholders = path_placeholders(kind.path)
            in_force = {
                field.metadata[WIRE_KEY].name: self._names(kind, field)[0] for field in wired(kind)
            }
            names = tuple((placeholder, in_force[placeholder]) for placeholder in placeholders)
            self._path_names[kind] = names
        return names

    def wire_name(self, kind: type[Operation[Any]], python: str) -> str:
        """Give the wire name in force for a parameter; empty where there is none of that name."""
        names = self._wire_names_of.get(kind)
        if names is None:
            names = {parameter.python: parameter.wire for parameter in self._parameters_of(kind)}
            self._wire_names_of[kind] = names
        return names.get(python, "")

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
            known = {name for field in wired(entry) for name in self._names(entry, field)}
            return any(isinstance(one, dict) and not known.isdisjoint(one) for one in listed)
        model = without_none(operation.result)
        if not is_model(model):
            return operation.answer is AnswerShape.BARE and isinstance(bare, dict)
        if not isinstance(bare, dict):
            return False
        return any(name in bare for field in wired(model) for name in self._names(model, field))

    def _names(self, declared: type[Any], field: attrs.Attribute[Any]) -> tuple[str, ...]:
        about: Wire = field.metadata[WIRE_KEY]
        name = self._wire_names.get(f"{declared.__name__}.{field.name}", about.name)
        return (name, *about.also_accept)

    def _parameters_of(self, kind: type[Operation[Any]]) -> tuple[_Parameter, ...]:
        parameters = self._parameters.get(kind)
        if parameters is None:
            # The reader too: what is wrong with a declaration must show before anything is sent.
            self._readers[kind] = self._declared_reader(kind)
            parameters = self._parameters[kind] = self._compile(kind)
        return parameters

    def _compile(self, kind: type[Operation[Any]]) -> tuple[_Parameter, ...]:
        parameters = tuple(
            _Parameter(
                field.name,
                f"{kind.__name__}.{field.name}",
                self._names(kind, field)[0],
                field.default is attrs.NOTHING,
                writer_for(field.type),
            )
            for field in wired(kind)
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
            return read_nothing
        if get_origin(result) is tuple:
            read_entry = self._converter.get_structure_hook(get_args(result)[0])
            return lambda data: self._read_list(operation, data, read_entry)
        hook = self._converter.get_structure_hook(without_none(result))
        if without_none(result) is not result:
            return lambda data: read_one_or_none(data, hook, result)
        if operation.answer_evidence is ASSUMED and is_model(result):
            return lambda data: hook(data if type(data) is dict else as_object(data), result)
        return lambda data: hook(data, result)

    def _shows_an_error(self, operation: type[Operation[Any]], bare: dict[str, Any]) -> bool:
        """Tell whether an object without an envelope speaks of an error in words not declared."""
        model = without_none(operation.result)
        fields = wired(model) if is_model(model) else []
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
        return read_entries(entries, read_entry, key)
