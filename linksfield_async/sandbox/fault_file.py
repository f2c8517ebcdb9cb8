"""Reads a file of faults: TOML with `[[fault]]`, `[[limit]]` and `[groups]`.

    [[fault]]                      [[limit]]               [groups]
    operation = "SingleOrder"      per_second = 50         max_cards = 500
    kind = "drop_answer"           retry_after = 2         failure_share = 0.01
    times = 2          # or: rate = 0.01

What else stands in a `[[fault]]` are the settings of its kind. All of it is checked before any
of it holds.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from ..masking import one_line
from .behaviour import GroupBehaviour, names
from .fault_plan import Faults
from .faults import made

_TABLES = ("fault", "limit", "groups")


def read_fault_file(path: str | Path, faults: Faults, behaviour: GroupBehaviour) -> None:
    """Set what a file says; refuse it whole, naming the entry, where anything is wrong."""
    file = Path(path)
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigurationError(f"{file.name} is not TOML: {one_line(str(error))}") from error
    # Tried on others first, so that a file which is wrong in its last line changes nothing.
    trial = (Faults(0), GroupBehaviour())
    for where, action in _actions(tables, *trial):
        try:
            action()
        except (ConfigurationError, TypeError) as error:
            raise ConfigurationError(f"{file.name}: {where}: {one_line(str(error))}") from error
    for _, action in _actions(tables, faults, behaviour):
        action()


def _actions(
    tables: Mapping[str, Any], faults: Faults, behaviour: GroupBehaviour
) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield what is to be done, and which entry says so."""
    for name in tables:
        if name not in _TABLES:
            yield name, partial(_refuse, f"only {', '.join(_TABLES)} may stand here")
    for number, entry in enumerate(_entries(tables, "fault"), 1):
        yield f"fault {number}", partial(_set_fault, faults, entry)
    for number, entry in enumerate(_entries(tables, "limit"), 1):
        yield f"limit {number}", partial(_set_limit, faults, entry)
    yield "groups", partial(_set_groups, behaviour, tables.get("groups", {}))


def _entries(tables: Mapping[str, Any], name: str) -> list[Any]:
    given = tables.get(name, [])
    return given if isinstance(given, list) else [given]


def _refuse(message: str) -> None:
    raise ConfigurationError(message)


def _table(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise ConfigurationError(f"a table is needed, not {entry!r}")
    return dict(entry)


def _set_fault(faults: Faults, entry: Any) -> None:
    settings = _table(entry)
    operation = settings.pop("operation", None)
    times, rate = settings.pop("times", None), settings.pop("rate", None)
    fault = made(settings.pop("kind", None), **settings)
    if operation is not None and not isinstance(operation, str):
        raise ConfigurationError(f"operation must be a name, not {operation!r}")
    if (times is None) == (rate is None):
        raise ConfigurationError("either times (the next so many requests) or rate is needed")
    if times is None:
        faults.rate(rate, fault, operation=operation)
    elif isinstance(times, bool) or not isinstance(times, int) or not 1 <= times <= 1_000_000:
        raise ConfigurationError(f"times must be a whole number from 1 on, not {times!r}")
    else:
        faults.next(operation, *([fault] * times))


def _set_limit(faults: Faults, entry: Any) -> None:
    settings = _table(entry)
    known = ("per_second", "burst", "retry_after", "status", "operation")
    for name in settings:
        if name not in known:
            raise ConfigurationError(f"{name} is not known; a limit has {', '.join(known)}")
    if "per_second" not in settings:
        raise ConfigurationError("per_second is needed")
    faults.limit(**settings)


def _set_groups(behaviour: GroupBehaviour, table: Any) -> None:
    for name, value in _table(table).items():
        if name not in names():
            raise ConfigurationError(f"{name} is not known; groups have {', '.join(names())}")
        setattr(behaviour, name, value)
