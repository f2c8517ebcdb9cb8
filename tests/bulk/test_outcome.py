from __future__ import annotations

from typing import Any

import pytest

from linksfield_async.bulk.outcome import Outcome, verdict_on
from linksfield_async.errors import (
    BadAnswer,
    ConnectFailed,
    InvalidInput,
    LinksfieldError,
    NotSent,
    OutcomeUnknown,
    Refused,
    Throttled,
)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (InvalidInput("x"), "invalid_input"),
        (Refused("x", code="F"), "refused"),
        (Refused("x", status=404), "failed"),
        (Throttled("x", code="F", status=429), "failed"),
        (Refused("x", code="F", needs_reconciliation=True), "unknown"),
        (NotSent("x"), "failed"),
        (ConnectFailed("x"), "failed"),
        (OutcomeUnknown("x"), "unknown"),
        (BadAnswer("x"), "unknown"),
    ],
)
def test_only_a_refusal_in_the_envelope_speaks_about_the_card(
    error: LinksfieldError, verdict: str
) -> None:
    assert verdict_on(error) == verdict


def test_an_outcome_shows_no_card_and_tells_its_reason() -> None:
    card = "8985000000000000001"
    outcome = Outcome[Any](3, card, "refused", None, Refused("no", code="F"), 1, row=5, given=card)
    assert card not in repr(outcome)
    assert outcome.reason == "no"
    good = Outcome(3, card, "valid", {"iccid": card}, None, 1)
    assert good.reason == ""
    assert card not in repr(good)
    assert (good.elapsed, good.row, good.given) == (0.0, None, None)
    assert (good.duplicate_of, good.replayed, good.settled) == (None, False, None)
