from __future__ import annotations

import pytest

from linksfield_async import ConfigurationError
from linksfield_async.groups import StatusWords


def test_what_the_assumed_words_mean() -> None:
    words = StatusWords()
    assert [words.meaning(w) for w in ("pending", "Processing ", "SUCCESS", "partial", "done")] == [
        "pending",
        "pending",
        "final",
        "final",
        "unknown",
    ]


def test_words_can_be_replaced() -> None:
    words = StatusWords(final=["Done", "完成"])
    assert words.meaning(" done") == words.meaning("完成") == "final"
    assert words.meaning("success") == "unknown"


@pytest.mark.parametrize(
    "given",
    [
        {"final": "done"},
        {"final": [""]},
        {"final": [1]},
        {"final": ["Pending"]},
        {"card_done": ["failed"]},
    ],
)
def test_words_that_cannot_be(given: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="StatusWords"):
        StatusWords(**given)  # type: ignore[arg-type]
