"""What one API call is: a route, its fields, its effect and the type it answers with."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from decimal import Decimal
from string import Formatter
from typing import (
    Any,
    ClassVar,
    Generic,
    TypeAlias,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
    overload,
)

import attrs

from .masking import mask_keys, mask_repr

R = TypeVar("R", covariant=True)
T = TypeVar("T")

Amount: TypeAlias = str | Decimal
"""Money as it goes out: exactly as given, never a float."""


class Service(enum.Enum):
    """The three services; they share one host and differ by path."""

    VSHOP = "vshop"
    PAYMENT = "payment"
    TOPUP = "topup"


class Effect(enum.Enum):
    """Whether an operation may be carried out again when nobody knows if it was."""

    READ = "read"
    REPEATABLE = "repeatable"
    ONCE = "once"


class Evidence(enum.Enum):
    """How well a name or a shape is known."""

    SEED = "seed"
    """In the documents the project was created from."""
    DOCUMENTED = "documented"
    """In another published page."""
    ASSUMED = "assumed"
    """Nothing is published; our own choice, replaceable through `Account(wire_names=…)`."""


SEED = Evidence.SEED
DOCUMENTED = Evidence.DOCUMENTED
ASSUMED = Evidence.ASSUMED


class AnswerShape(enum.Enum):
    """What the pages show of an operation's answer."""

    ENVELOPE = "envelope"
    BARE = "bare"
    UNKNOWN = "unknown"


@attrs.frozen
class Wire:
    """What a field is on the wire."""

    name: str
    meaning: str
    evidence: Evidence
    also_accept: tuple[str, ...] = ()
    example: str | None = None


WIRE_KEY = "linksfield_wire"


def wire(
    name: str,
    meaning: str = "",
    *,
    evidence: Evidence,
    default: Any = attrs.NOTHING,
    also_accept: tuple[str, ...] = (),
    example: str | None = None,
    mask: Callable[[Any], str] | None = None,
    converter: Callable[[Any], Any] | None = None,
) -> Any:
    """Declare a field: its wire name, what it means, and how well that is known.

    `also_accept` are further spellings tried in answers; `mask` replaces the value in `repr`.
    """
    about = Wire(name, meaning, evidence, also_accept, example)
    return attrs.field(
        default=default,
        repr=mask or True,
        converter=converter,
        metadata={WIRE_KEY: about},
    )


# Its own decorator, because type checkers must learn that `wire(…)` declares a field.
@overload
@dataclass_transform(
    kw_only_default=True, frozen_default=True, field_specifiers=(wire, attrs.field)
)
def declare(cls: type[T], /) -> type[T]: ...
@overload
@dataclass_transform(
    kw_only_default=True, frozen_default=True, field_specifiers=(wire, attrs.field)
)
def declare() -> Callable[[type[T]], type[T]]: ...
def declare(cls: type[T] | None = None, /) -> Any:
    """Make a frozen, slotted, keyword-only attrs class of an operation or a model.

    `==`, `hash` and `repr` are inherited from `Value`: writing them anew for each of some forty
    classes is most of what importing the package would cost.
    """
    make = attrs.frozen(kw_only=True, eq=False, repr=False)
    return make if cls is None else make(cls)


class Value:
    """Compares, hashes and shows itself by its attrs fields, as attrs would have it."""

    __slots__ = ()
    __attrs_attrs__: ClassVar[Any]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        fields = attrs.fields(type(self))
        return all(getattr(self, field.name) == getattr(other, field.name) for field in fields)

    def __hash__(self) -> int:
        fields = attrs.fields(type(self))
        return hash(tuple(getattr(self, f.name) for f in fields if f.hash is not False))

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{field.name}={_shown(field.repr, getattr(self, field.name))}"
            for field in attrs.fields(type(self))
            if field.repr
        )
        return f"{type(self).__name__}({shown})"


def _shown(how: bool | Callable[[Any], str], value: Any) -> str:
    return how(value) if callable(how) else mask_repr(value)


@declare
class Model(Value):
    """A result; `extra` keeps, under its wire name, all that no field could take.

    That is every field that is not declared, and the raw value of a declared one that could
    not be read as its type (the field itself is then None).
    """

    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=mask_keys, hash=False)


_IDS = ("iccid", "order_no", "pay_id", "request_id")


class Operation(Value, Generic[R]):
    """A subclass only declares; it never sends, signs or reads.

    To declare one of your own: subclass `Operation[Result]`, decorate it with `declare`, set
    `service`, `path` and `effect`, and give each parameter a `wire(…)`.
    """

    __slots__ = ()

    service: ClassVar[Service]
    method: ClassVar[str] = "POST"
    path: ClassVar[str]
    effect: ClassVar[Effect]
    title: ClassVar[str] = ""

    answer: ClassVar[AnswerShape] = AnswerShape.UNKNOWN
    answer_evidence: ClassVar[Evidence] = Evidence.ASSUMED
    list_key: ClassVar[str | None] = None
    """Member of `data` that holds the list, where the result is a list."""
    entry_key: ClassVar[str | None] = None
    """Member of an entry that holds the text, where the result is a list of texts."""
    refusal_is_final: ClassVar[bool] = True
    """False where the contract says that a refusal does not prove that nothing happened."""

    trade_type: ClassVar[str]
    """Value of `tradeType`: the last segment of the path, unless declared."""
    result: ClassVar[Any]
    _ids: ClassVar[tuple[str, ...]] = _IDS

    def echoes(self) -> dict[str, str]:
        """Give the ids that the answer must not contradict, by their Python names."""
        asked: dict[str, str] = {}
        for name in self._ids:
            value = getattr(self, name, None)
            if isinstance(value, str):
                asked[name] = value
        return asked

    def problem(self) -> str | None:
        """Say what is wrong with the fields taken together; a subclass with a rule overrides."""
        return None

    @classmethod
    def __attrs_init_subclass__(cls) -> None:
        for base in getattr(cls, "__orig_bases__", ()):
            if get_origin(base) is Operation:
                (cls.result,) = get_args(base)
        missing = [
            name for name in ("service", "path", "effect", "result") if not hasattr(cls, name)
        ]
        if missing:
            raise TypeError(f"{cls.__name__} must declare {', '.join(missing)}")
        if not cls.path.startswith("/"):
            raise TypeError(f"{cls.__name__}.path must start with '/', not {cls.path!r}")
        fields = attrs.fields_dict(cls)
        cls._ids = tuple(name for name in _IDS if name in fields or hasattr(cls, name))
        known = {field.wire.name for field in wire_fields(cls)}
        for name in path_placeholders(cls.path):
            if name not in known:
                raise TypeError(f"{cls.__name__}.path names {{{name}}}, but no field has that name")
        if not hasattr(cls, "trade_type"):
            cls.trade_type = cls.path.rpartition("/")[2]


def path_placeholders(path: str) -> tuple[str, ...]:
    """List the wire names that stand in braces in a path."""
    return tuple(name for _, name, _, _ in Formatter().parse(path) if name)


@attrs.frozen
class WireField:
    """One declared field, seen from both sides."""

    python: str
    required: bool
    wire: Wire


def wire_fields(declared: type[Any]) -> tuple[WireField, ...]:
    """List the wire fields of an operation or a model, in the order of declaration."""
    return tuple(
        WireField(field.name, field.default is attrs.NOTHING, field.metadata[WIRE_KEY])
        for field in attrs.fields(declared)
        if WIRE_KEY in field.metadata
    )


def result_model(result: Any) -> type[Model] | None:
    """Find the model inside a result type such as `tuple[ServicePlan, ...]` or `Order | None`."""
    if isinstance(result, type) and not get_args(result):
        return result if issubclass(result, Model) else None
    for part in get_args(result):
        model = result_model(part)
        if model is not None:
            return model
    return None
