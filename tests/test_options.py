from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from linksfield_async import AdaptiveRate, ConfigurationError, Options, Rate

NOT_NUMBERS = {"ca_file", "rate", "rate_wait", "transport"}


@pytest.mark.parametrize(
    "name", [field.name for field in attrs.fields(Options) if field.name not in NOT_NUMBERS]
)
@pytest.mark.parametrize("value", [0, -1, float("nan"), "5", None, True])
def test_a_setting_that_makes_no_sense_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"Options\.{name}"):
        Options(**{name: value})


def test_counts_are_whole() -> None:
    with pytest.raises(ConfigurationError, match="connections"):
        Options(connections=1.5)  # type: ignore[arg-type]


def test_a_ca_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is not a file"):
        Options(ca_file=str(tmp_path / "none.pem"))


def test_endless_times_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="deadline"):
        Options(deadline=float("inf"))


def test_a_rate_is_a_number_a_rate_or_adaptive() -> None:
    assert Options(rate=5).rate == Rate(5)
    assert Options(rate=AdaptiveRate(start=3)).rate == AdaptiveRate(start=3)
    assert Options(rate_wait=0).rate_wait == 0
    for wrong in ("5", True, [5]):
        with pytest.raises(ConfigurationError, match=r"Options\.rate"):
            Options(rate=wrong)
    for wrong in (0, -1, float("inf")):
        with pytest.raises(ConfigurationError, match=r"Rate\.per_second"):
            Options(rate=wrong)
    for wrong in (-1, float("nan"), "1"):
        with pytest.raises(ConfigurationError, match=r"Options\.rate_wait"):
            Options(rate_wait=wrong)


def test_a_transport_is_one_of_three_words() -> None:
    assert Options(transport="direct").transport == "direct"
    for wrong in ("aiohttp", None, 1, object()):
        with pytest.raises(ConfigurationError, match=r"Options\.transport must be one of auto"):
            Options(transport=wrong)  # type: ignore[arg-type]
