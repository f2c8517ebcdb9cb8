from __future__ import annotations

import pytest

from linksfield_async.bulk.outcome import verdict_on
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
