"""Between outcomes and the rows of a journal: what is stored of one, and made of it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ... import errors, protocol
from ...account import Account
from ...errors import LinksfieldError
from ...masking import one_line
from ...operation import Effect, Operation
from ...protocol import Response
from ..outcome import Outcome, Verdict
from .hiding import Hiding
from .schema import CODES, INTENT, NAMES

if TYPE_CHECKING:
    from .writer import Cells

T = TypeVar("T")

LONGEST_ANSWER = 64 * 1024
"""Bytes of an answer that are stored; a longer one is asked for again when it is needed."""

_DETAILS = ("status", "code", "carried_out", "elapsed", "needs_reconciliation")


@attrs.frozen
class Stored:
    """A row as the journal has it."""

    position: int
    verdict: int
    delivered: int
    attempts: int
    row: int | None
    duplicate_of: int | None
    at_ms: int | None
    status: int | None
    error: str | None
    answer: str | None

    @property
    def is_decided(self) -> bool:
        """Whether a repeat would not change it."""
        return NAMES.get(self.verdict) in ("valid", "refused", "invalid_input")

    @property
    def is_settled(self) -> bool:
        """Whether it is decided and the caller has taken it."""
        return self.is_decided and bool(self.delivered)


def cells_of(
    position: int,
    verdict: Verdict | None,
    *,
    attempts: int = 0,
    row: int | None = None,
    duplicate_of: int | None = None,
    at_ms: int | None = None,
    status: int | None = None,
    key: str | bytes | None = None,
    error: str | None = None,
    answer: str | None = None,
) -> Cells:
    """Make a row; without a verdict it is an intent."""
    code = INTENT if verdict is None else CODES[verdict]
    return [
        position, code, 0, attempts, row, duplicate_of, at_ms, status, key, error, answer, False,
    ]  # fmt: skip


def error_text(error: LinksfieldError | None, settled: str | None, hiding: Hiding) -> str | None:
    """Write an error as JSON, masked and without what the answer carried; or what settled it."""
    if error is None:
        told = None if settled is None else {"settled": one_line(settled)}
        return None if told is None else json.dumps(told, ensure_ascii=False)
    facts = error.as_json()
    kept = {name: facts[name] for name in _DETAILS if facts[name] not in (None, 0, 0.0)}
    # `False` is a fact of its own: nothing was carried out.
    kept |= {"carried_out": False} if error.carried_out is False else {}
    told = {"error": facts["error"], "message": hiding.message(facts["message"]), **kept}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def error_of(told: dict[str, Any], operation: Operation[Any] | None) -> LinksfieldError:
    """Make an error again; one of a class that is not known any more is a LinksfieldError."""
    facts = dict(told)
    kind = getattr(errors, facts.pop("error"), LinksfieldError)
    if not (isinstance(kind, type) and issubclass(kind, LinksfieldError)):
        kind = LinksfieldError
    made: LinksfieldError = kind(facts.pop("message"))
    return made.with_facts(operation=operation, **{"carried_out": None, **facts})


def says_not_carried_out(stored: Stored) -> bool:
    """Tell whether its error proves that nothing was carried out."""
    return stored.error is not None and json.loads(stored.error).get("carried_out") is False


def refusal_in(stored: Stored, operation: Operation[Any]) -> LinksfieldError | None:
    """Give the refusal that was its answer, where there was one."""
    error = None if stored.error is None else json.loads(stored.error)
    if error is None or error.get("error") != errors.Refused.__name__:
        return None
    return error_of(error, operation)


def answer_text(body: bytes, iccid: str | None, hiding: Hiding) -> str | None:
    """Give what is stored of an answer; None where there is none, or too much of it."""
    if not body or len(body) > LONGEST_ANSWER:
        return None
    return hiding.text(body.decode("utf-8-sig"), iccid)


class Reviver:
    """Makes the result of an operation again from the answer that was stored."""

    def __init__(self, account: Account, hiding: Hiding) -> None:
        self._account = account
        self._hiding = hiding

    def outcome(
        self,
        stored: Stored,
        operation: Operation[T] | None,
        iccid: str | None,
    ) -> Outcome[T] | None:
        """Make an outcome again, under the stored position; None where its answer is missing.

        What must not be carried out twice is not asked for again: it comes without a result.
        """
        result: T | None = None
        told = {} if stored.error is None else json.loads(stored.error)
        error = error_of(told, operation) if "error" in told else None
        if operation is not None and NAMES.get(stored.verdict) == "valid":
            try:
                result = self._result(stored, operation, iccid)
            except (LookupError, LinksfieldError):
                if operation.effect is not Effect.ONCE or stored.duplicate_of is not None:
                    return None
        if error is not None:
            error.attempts = stored.attempts
        return Outcome(
            stored.position,
            iccid,
            NAMES[stored.verdict],
            result,
            error,
            stored.attempts,
            row=stored.row,
            duplicate_of=stored.duplicate_of,
            replayed=True,
            settled=told.get("settled"),
        )

    def _result(self, stored: Stored, operation: Operation[T], iccid: str | None) -> T:
        """Read the stored answer; LookupError where there is none."""
        if stored.answer is None:
            raise LookupError(stored.position)
        body = self._hiding.restored(stored.answer, iccid).encode()
        response = Response(stored.status or 200, body)
        result, _ = protocol.decode(operation, self._account, response)
        return result
