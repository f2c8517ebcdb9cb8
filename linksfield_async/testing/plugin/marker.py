"""What a test wants of its sandbox: `@pytest.mark.linksfield(…)`, read and checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

import attrs

from ...errors import ConfigurationError
from ...sandbox import Fault, Faults, Sandbox, Scenarios, Situation
from ...sandbox.records import Group

SetUp: TypeAlias = Situation | Group

_NOT_FOR_TESTS = ("self", "seed", "host", "port", "allow_any_host", "state", "faults")
"""Settings of a sandbox that the plugin decides itself, or reads in a way of its own."""


class Mark(Protocol):
    """What is read of a pytest mark."""

    @property
    def args(self) -> tuple[Any, ...]:
        """What stands there without a name."""
        ...

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """What stands there with one."""
        ...


@attrs.frozen(kw_only=True)
class Wanted:
    """What the marks of a test ask for, checked as far as it can be without a sandbox."""

    settings: Mapping[str, Any]
    """For `Sandbox`."""
    faults: tuple[tuple[str | None, Fault], ...] = ()
    """Of the next requests: of which operation (None: any), and which fault."""
    scenario: str | None = None
    arguments: Mapping[str, Any] = attrs.field(factory=dict)

    def set_up(self, sandbox: Sandbox) -> SetUp | None:
        """Put the scenario into a sandbox, and script its faults."""
        found = None
        if self.scenario is not None:
            found = cast("SetUp", getattr(sandbox.scenarios, self.scenario)(**self.arguments))
        for operation, fault in self.faults:
            sandbox.faults.next(operation, fault)
        return found


def wanted(marks: Iterable[Mark], directory: Path) -> Wanted:
    """Read the marks of a test, the closest first; a closer one overrides what it names.

    A file of faults is looked for in the directory of the test.
    """
    given: dict[str, Any] = {}
    for mark in marks:
        if mark.args:
            raise ConfigurationError(f"all of it is given by name, which {mark.args[0]!r} is not")
        given = {**mark.kwargs, **given}
    settings = _settings()
    for name in given:
        if name not in (*settings, "faults", "scenario"):
            known = ", ".join(("scenario", "faults", *settings))
            raise ConfigurationError(f"{name} is not known; there are {known}")
    faults = given.pop("faults", ())
    scenario, arguments = _scenario(given.pop("scenario", None))
    if isinstance(faults, (str, Path)):
        given["faults"] = directory / faults
        faults = ()
    return Wanted(settings=given, faults=_faults(faults), scenario=scenario, arguments=arguments)


def _settings() -> list[str]:
    names = inspect.signature(Sandbox.__init__).parameters
    return [name for name in names if name not in _NOT_FOR_TESTS]


def _scenario(given: Any) -> tuple[str | None, Mapping[str, Any]]:
    """Take a name, or a name and its arguments."""
    if given is None:
        return None, {}
    name, arguments = given if isinstance(given, tuple) and len(given) == 2 else (given, {})
    known = _scenarios()
    if not isinstance(name, str) or name not in known:
        raise ConfigurationError(f"scenario must be one of {', '.join(known)}, not {name!r}")
    if not isinstance(arguments, Mapping):
        raise ConfigurationError(
            f'the arguments of a scenario are a dict, as in ("{name}", {{…}}), not {arguments!r}'
        )
    try:
        inspect.signature(known[name]).bind(None, **arguments)
    except TypeError as error:
        raise ConfigurationError(f"scenario {name}: {error}") from error
    return name, arguments


def _scenarios() -> dict[str, Callable[..., object]]:
    return {
        name: maker
        for name, maker in vars(Scenarios).items()
        if inspect.isfunction(maker) and not name.startswith("_")
    }


def _faults(given: Any) -> tuple[tuple[str | None, Fault], ...]:
    """Take faults, or pairs of an operation and its fault; tried here on faults of nobody's."""
    if not isinstance(given, (list, tuple)):
        raise ConfigurationError(f"faults must be a list or the name of a file, not {given!r}")
    trial = Faults(0)
    read: list[tuple[str | None, Fault]] = []
    for number, entry in enumerate(given, 1):
        pair: Any = entry if isinstance(entry, tuple) and len(entry) == 2 else (None, entry)
        operation, fault = pair
        try:
            trial.next(operation, fault)
        except ConfigurationError as error:
            raise ConfigurationError(f"fault {number}: {error}") from error
        read.append((operation, fault))
    return tuple(read)
