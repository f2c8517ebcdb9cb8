"""Calls in the log `linksfield_async`: facts in the text and, by name, in the record.

DEBUG for attempts, waits and ends; WARNING where nobody can tell whether an operation that must not
be repeated was carried out. Nothing is configured here: levels and handlers are the program's.
"""

from __future__ import annotations

import logging
from typing import Any

from ..masking import mask_iccid, one_line
from ..operation import Effect, Operation
from .observer import AttemptEnd, CallEnd, CallWatch, Wait, describe

LOGGER = logging.getLogger("linksfield_async")
LOGGER.addHandler(logging.NullHandler())

_IN_DOUBT = "may have been carried out, ask before anything else"
_BODY_LIMIT = 2000
"""Characters of a body that are shown."""


class Logging:
    """Logs calls; `bodies=True` also what was sent and received, masked and cut, at DEBUG."""

    def __init__(self, *, bodies: bool = False) -> None:
        self._bodies = bodies

    def call(self, operation: Operation[Any], /) -> CallWatch | None:
        """Follow a call where its log lines would go somewhere."""
        debug = LOGGER.isEnabledFor(logging.DEBUG)
        if debug or operation.effect is Effect.ONCE:
            return _LoggedCall(operation, debug=debug, bodies=debug and self._bodies)
        return None


class _LoggedCall:
    __slots__ = ("_bodies", "_debug", "_name", "_operation")

    def __init__(self, operation: Operation[Any], *, debug: bool, bodies: bool) -> None:
        self._operation, self._debug, self._bodies = operation, debug, bodies
        self._name = type(operation).__name__

    def waited(self, why: Wait, seconds: float) -> None:
        if self._debug:
            facts = {"event": "wait", "wait": why.value, "ms": _ms(seconds)}
            self._log("waited", f"{_ms(seconds)} ms ({why.value})", facts)

    def attempt_started(self, number: int) -> None:
        """Nothing: the end of the attempt says it all."""

    def attempt_ended(self, attempt: AttemptEnd) -> None:
        if not self._debug:
            return
        facts = {
            "event": "attempt",
            "attempt": attempt.number,
            "status": attempt.status,
            "outcome": attempt.outcome,
            "ms": _ms(attempt.seconds),
            **_error(attempt.error),
        }
        told = "" if attempt.error is None else f" ({describe(attempt.error)})"
        http = "no answer" if attempt.status is None else f"HTTP {attempt.status}"
        text = f"{attempt.number}, {http}, {attempt.outcome}, {facts['ms']} ms{told}"
        self._log("attempt", text, facts)
        if self._bodies:
            self._log_bodies(attempt)

    def ended(self, call: CallEnd) -> None:
        in_doubt = call.carried_out is None and self._operation.effect is Effect.ONCE
        if not self._debug and not in_doubt:
            return
        facts = {
            "event": "end",
            "attempts": call.attempts,
            "status": call.status,
            "code": call.code,
            "outcome": call.outcome,
            "carried_out": call.carried_out,
            "ms": _ms(call.seconds),
            **_error(call.error),
            **_ids(self._operation),
        }
        told = "" if call.error is None else f" ({describe(call.error)})"
        text = f"{call.outcome} after {facts['ms']} ms, attempts: {call.attempts}{told}"
        if in_doubt:
            ids = ", ".join(f"{name} {shown}" for name, shown in _ids(self._operation).items())
            self._log(_IN_DOUBT, f"{text}, {ids}", facts, logging.WARNING)
        else:
            self._log("ended", text, facts)

    def _log_bodies(self, attempt: AttemptEnd) -> None:
        facts = {"event": "body", "attempt": attempt.number}
        request, response = attempt.request, attempt.response
        sent = f"{request.method} {one_line(request.url, _BODY_LIMIT)} {_shown(request.body)}"
        self._log("sent", sent, facts)
        if response is not None:
            self._log("received", f"HTTP {response.status} {_shown(response.body)}", facts)

    def _log(self, what: str, text: str, facts: dict[str, Any], level: int = logging.DEBUG) -> None:
        kind = type(self._operation)
        facts = {
            "operation": self._name,
            "service": kind.service.value,
            "effect": kind.effect.value,
            **facts,
        }
        extra = {f"linksfield_{name}": value for name, value in facts.items()}
        # One template for each event, by which collectors group.
        LOGGER.log(level, f"%s {what}: %s", self._name, text, extra=extra)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _error(error: BaseException | None) -> dict[str, Any]:
    return {} if error is None else {"error": type(error).__name__}


def _ids(operation: Operation[Any]) -> dict[str, str]:
    """Give what a person needs to ask about the call; cards only masked."""
    cards = {
        name: one_line(mask_iccid(value))
        for name in ("iccid", "iccids")
        if (value := getattr(operation, name, None)) is not None
    }
    own = {
        name: one_line(value)
        for name in ("order_no", "pay_id", "request_id", "group_id")
        if isinstance(value := getattr(operation, name, None), str)
    }
    return cards | own


def _shown(body: bytes) -> str:
    # No more is decoded than can be shown: an answer may have megabytes.
    return one_line(body[: _BODY_LIMIT * 8].decode("utf-8", "replace"), _BODY_LIMIT)
