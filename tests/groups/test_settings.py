from __future__ import annotations

import pytest

from linksfield_async import ConfigurationError
from linksfield_async.groups.settings import DEFAULTS, Settings


def test_the_defaults_are_one_object() -> None:
    assert Settings.of({}) is DEFAULTS
    assert (DEFAULTS.first_poll, DEFAULTS.poll_factor, DEFAULTS.longest_poll) == (1, 1.5, 45)
    assert DEFAULTS.within == 900


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no setting 'chunk'"):
        Settings.of({"chunk": 1})  # type: ignore[typeddict-unknown-key]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chunk_size", 0),
        ("chunk_size", True),
        ("concurrency", 1.5),
        ("first_poll", 0),
        ("first_poll", "1"),
        ("poll_factor", 0.9),
        ("longest_poll", float("inf")),
        ("within", -1),
        ("grace", -0.1),
        ("settle_for", None),
        ("verify", 1),
        ("words", "done"),
        ("progress", 5),
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Settings.of({name: value})  # type: ignore[misc]
