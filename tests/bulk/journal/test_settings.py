from __future__ import annotations

from pathlib import Path

import pytest

from linksfield_async import ConfigurationError
from linksfield_async.bulk.journal.settings import Journal


def test_any_kind_of_path():
    assert {Journal(path).path for path in ("a/b.db", Path("a/b.db"), b"a/b.db")} == {"a/b.db"}


def test_the_key_is_not_shown():
    assert "secret" not in repr(Journal("x", key="secret secret secret"))


@pytest.mark.parametrize(
    ("path", "changes", "problem"),
    [
        ("", {}, "Journal.path is empty"),
        (5, {}, "Journal.path must be a path, not int"),
        ("x", {"key": "short"}, "at least 16 characters"),
        ("x", {"key": b"short"}, "at least 16 characters"),
        ("x", {"quarantine": -1}, "Journal.quarantine must be seconds"),
        ("x", {"quarantine": float("nan")}, "Journal.quarantine must be seconds"),
        ("x", {"quarantine": float("inf")}, "Journal.quarantine must be seconds"),
        ("x", {"quarantine": True}, "Journal.quarantine must be seconds"),
        ("x", {"quarantine": "900"}, "Journal.quarantine must be seconds"),
        ("x", {"resolve": "guess"}, "Journal.resolve must be 'ask', 'manual' or a function"),
        ("x", {"resolve": None}, "Journal.resolve must be 'ask', 'manual' or a function"),
    ],
)
def test_a_wrong_value_is_named(path, changes, problem):
    with pytest.raises(ConfigurationError, match=problem):
        Journal(path, **changes)
