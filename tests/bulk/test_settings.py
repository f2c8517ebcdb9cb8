from __future__ import annotations

import pytest

from linksfield_async import ConfigurationError
from linksfield_async.bulk.journal.settings import Journal
from linksfield_async.bulk.settings import Settings
from linksfield_async.bulk.stopping import StopRules


def test_what_is_not_given_has_its_default():
    settings = Settings.of({})
    assert (settings.concurrency, settings.order, settings.duplicates) == (64, "completion", "once")
    assert (settings.journal, settings.replay, settings.total) == (None, "unseen", None)
    assert settings.stop == StopRules()


def test_short_forms(tmp_path):
    settings = Settings.of({"journal": tmp_path / "run.db", "stop": None})
    assert settings.journal == Journal(str(tmp_path / "run.db"))
    assert settings.stop == StopRules.never()
    journal = Journal("run.db", quarantine=1)
    assert Settings.of({"journal": journal}).journal is journal


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("order", "random"),
        ("order", None),
        ("duplicates", "twice"),
        ("replay", "some"),
        ("replay", None),
        ("stop", 0.2),
        ("progress", True),
        ("total", -1),
        ("total", True),
        ("total", "5"),
        ("journal", 5),
        ("journal", ""),
    ],
)
def test_a_wrong_value_names_its_setting(name, value):
    with pytest.raises(ConfigurationError, match=name if name != "journal" else "Journal.path"):
        Settings.of({name: value})


def test_an_unknown_setting_is_told_with_those_there_are():
    with pytest.raises(ConfigurationError, match=r"no setting 'retries'; there are .*'order'"):
        Settings.of({"retries": 3})  # type: ignore[typeddict-unknown-key]
