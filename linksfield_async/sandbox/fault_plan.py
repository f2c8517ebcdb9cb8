"""Which request gets which fault: by script, by chance of the seed, and above a hidden limit."""

from __future__ import annotations

import random
import time
from collections import deque
from typing import Any, TypeAlias

import attrs

from ..errors import ConfigurationError
from ..operation import Operation
from .faults import Fault, throttled
from .ids import dice
from .log import operation_name

Named: TypeAlias = type[Operation[Any]] | str
"""An operation, as class or by name."""

_MOST = 1e9


@attrs.define
class _Rule:
    """A fault that some requests of an operation get, or of all."""

    operation: str | None
    share: float
    fault: Fault
    chance: random.Random

    def falls(self) -> bool:
        """Draw whether a request gets the fault."""
        return self.chance.random() < self.share


@attrs.define
class _Limit:
    """A bucket of permits on the real clock, which the client cannot see."""

    operation: str | None
    per_second: float
    burst: float
    fault: Fault
    left: float
    filled: float


@attrs.frozen
class PendingFault:
    """A fault that is set: for which operation (None: any), which one, and when."""

    operation: str | None
    fault: str
    when: str


class Faults:
    """The faults of a sandbox; none until some are set.

    Scripted ones come first, then the limits, then what is drawn. The draw depends on the seed,
    the rule and how many requests the rule has seen: the same calls in the same order get the
    same faults. Limits run on the real clock, so that what they refuse may differ.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._scripts: dict[str | None, deque[Fault]] = {}
        self._rules: list[_Rule] = []
        self._limits: list[_Limit] = []
        self._cuts = dice(seed, "cuts")

    def clear(self) -> None:
        """Take all faults back; drawing begins anew."""
        self._scripts.clear()
        self._rules.clear()
        self._limits.clear()
        self._cuts = dice(self._seed, "cuts")

    def next(self, operation: Named | None, *faults: Fault) -> None:
        """Set the faults of the next requests of an operation, one each; None means any."""
        name = _name(operation)
        for fault in faults:
            _need_fault(fault)
        if faults:
            self._scripts.setdefault(name, deque()).extend(faults)

    def rate(self, share: float, fault: Fault, *, operation: Named | None = None) -> None:
        """Set a fault for a share of all requests, or of one operation's; 1 means each."""
        _need_fault(fault)
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            raise ConfigurationError(f"the rate must be a share from 0 to 1, not {share!r}")
        chance = dice(self._seed, f"fault {len(self._rules)}")
        self._rules.append(_Rule(_name(operation), share, fault, chance))

    def always(self, operation: Named, fault: Fault) -> None:
        """Set a fault for every request of an operation."""
        self.rate(1, fault, operation=operation)

    def limit(
        self,
        *,
        per_second: float,
        burst: float | None = None,
        retry_after: float | None = 1,
        status: int = 429,
        operation: Named | None = None,
    ) -> None:
        """Refuse what goes beyond a hidden limit, in requests a second of real time."""
        rate = _number("per_second", per_second, 1e-6)
        size = max(1.0, rate) if burst is None else _number("burst", burst, 1)
        fault = throttled(retry_after=retry_after, status=status)
        self._limits.append(_Limit(_name(operation), rate, size, fault, size, time.monotonic()))

    @property
    def pending(self) -> list[PendingFault]:
        """All that is set: scripted ones in their order, then limits, then what is drawn."""
        scripted = [
            PendingFault(name, fault.name, "next")
            for name, script in self._scripts.items()
            for fault in script
        ]
        limits = [
            PendingFault(limit.operation, limit.fault.name, f"above {limit.per_second:g} a second")
            for limit in self._limits
        ]
        drawn = [
            PendingFault(rule.operation, rule.fault.name, f"{rule.share:.2%} of requests")
            for rule in self._rules
        ]
        return scripted + limits + drawn

    def __bool__(self) -> bool:
        return bool(self._scripts or self._rules or self._limits)

    def draw(self, operation: str) -> Fault | None:
        """Give the fault of a request that is coming in."""
        for name in (operation, None):
            script = self._scripts.get(name)
            if script is not None:
                fault = script.popleft()
                if not script:
                    del self._scripts[name]
                return fault
        throttle = self._throttle(operation)
        drawn = None
        # Every rule sees the request: what one draws does not depend on the others.
        for rule in self._rules:
            if rule.operation in (None, operation) and rule.falls() and drawn is None:
                drawn = rule.fault
        return throttle or drawn

    def cut_at(self, fault: Fault, size: int) -> int:
        """Say after how many bytes an answer of a size is cut; the last one never goes out."""
        place = self._cuts.randrange(size) if fault.cut is None else fault.cut
        return min(place, size - 1)

    def _throttle(self, operation: str) -> Fault | None:
        refused = None
        now = time.monotonic()
        for limit in self._limits:
            if limit.operation not in (None, operation):
                continue
            limit.left = min(limit.burst, limit.left + (now - limit.filled) * limit.per_second)
            limit.filled = now
            if limit.left >= 1:
                limit.left -= 1
            else:
                refused = limit.fault
        return refused

    def __repr__(self) -> str:
        scripted = sum(len(script) for script in self._scripts.values())
        return f"<{scripted} scripted faults, {len(self._rules)} rules, {len(self._limits)} limits>"


def _name(operation: Named | None) -> str | None:
    return None if operation is None else operation_name(operation)


def _number(name: str, value: object, least: float) -> float:
    if isinstance(value, (int, float)) and value is not True and least <= value <= _MOST:
        return value
    raise ConfigurationError(f"{name} must be from {least:g} on, not {value!r}")


def _need_fault(fault: object) -> None:
    if not isinstance(fault, Fault):
        raise ConfigurationError(f"a fault is needed, such as drop_answer(), not {fault!r}")
