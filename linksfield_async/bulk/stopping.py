"""When a run stops by itself: too many failures, or one and the same refusal from the start."""

from __future__ import annotations

import re
from collections import Counter, deque
from typing import Any

import attrs

from ..errors import ConfigurationError
from .outcome import Outcome

_DIGITS = re.compile(r"[0-9]{6}…[0-9]{4}|[0-9]{6,}")


def _share(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value is not None and not (number and 0 <= value < 1):
        raise ConfigurationError(f"StopRules.{attribute.name} must be from 0 up to 1, or None")


def _count(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is None and attribute.name == "identical_refusals":
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"StopRules.{attribute.name} must be a whole number above 0")


@attrs.frozen(kw_only=True)
class StopRules:
    """When a run stops by itself; what is under way then is still answered and reported."""

    failure_share: float | None = attrs.field(default=0.2, validator=_share)
    """Stop when more than this share of the last `window` sent items failed or is unknown."""
    window: int = attrs.field(default=1000, validator=_count)
    identical_refusals: int | None = attrs.field(default=100, validator=_count)
    """Stop when the first so many sent items were all refused for one and the same reason: that
    speaks about the partner code or the signature, not about the cards."""

    @classmethod
    def never(cls) -> StopRules:
        """Give rules that never stop a run."""
        return cls(failure_share=None, identical_refusals=None)


class StopWatch:
    """Looks at the outcomes of what was sent, and says when to stop."""

    def __init__(self, rules: StopRules) -> None:
        self._rules = rules
        self._failures: deque[str | None] = deque(maxlen=rules.window)
        self._failed = 0
        self._refusal: str | None = None
        self._sent = 0
        self._looks_until = rules.identical_refusals or 0

    def add(self, outcome: Outcome[Any]) -> str | None:
        """Count an outcome of this session; a text says why the run has to stop."""
        verdict = outcome.verdict
        if outcome.replayed or outcome.duplicate_of is not None or verdict == "invalid_input":
            return None
        self._sent += 1
        if self._sent <= self._looks_until:
            alike = self._same_refusal(outcome)
            if alike is not None:
                return alike
        if self._rules.failure_share is None:
            return None
        if verdict in ("failed", "unknown"):
            return self._too_many(outcome, self._rules.failure_share)
        failures = self._failures
        if self._failed and len(failures) == failures.maxlen and failures[0] is not None:
            self._failed -= 1
        failures.append(None)
        return None

    def _same_refusal(self, outcome: Outcome[Any]) -> str | None:
        limit = self._rules.identical_refusals
        if limit is None:
            return None
        # Without the numbers: they are about the card, the rest is the reason.
        reason = _DIGITS.sub("#", outcome.reason) if outcome.verdict == "refused" else None
        if self._sent == 1:
            self._refusal = reason
        elif reason != self._refusal:
            self._refusal = None
        if self._sent < limit or self._refusal is None:
            return None
        return f"the first {limit:,} were all refused alike ({outcome.reason})"

    def _too_many(self, outcome: Outcome[Any], share: float) -> str | None:
        if len(self._failures) == self._failures.maxlen and self._failures[0] is not None:
            self._failed -= 1
        self._failures.append(type(outcome.error).__name__)
        self._failed += 1
        if self._failed <= share * self._rules.window:
            return None
        (name, count), *_ = Counter(k for k in self._failures if k).most_common(1)
        told = f"{self._failed:,} of the last {len(self._failures):,} failed"
        return f"{told}, {count:,} of them with {name}"
