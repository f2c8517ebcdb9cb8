from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from linksfield_async import ConfigurationError
from linksfield_async.operations import SingleOrder
from linksfield_async.sandbox import Sandbox, Situation, drop_answer, stall
from linksfield_async.testing.plugin import Wanted, wanted

HERE = Path("/tests")


@attrs.frozen
class Given:
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = attrs.field(factory=dict)


def read(**kwargs: Any) -> Wanted:
    return wanted([Given(kwargs=kwargs)], HERE)


def test_without_any_mark_nothing_is_set() -> None:
    assert wanted([], HERE) == Wanted(settings={})


def test_the_closest_mark_wins_name_by_name() -> None:
    marks = [Given(kwargs={"cards": 5}), Given(kwargs={"cards": 7, "job_delay": 0})]
    assert wanted(marks, HERE).settings == {"cards": 5, "job_delay": 0}


def test_faults_in_each_shape() -> None:
    found = read(faults=[drop_answer(), ("SingleVerify", stall()), (SingleOrder, stall())])
    sandbox = Sandbox(cards=10)
    assert found.set_up(sandbox) is None
    told = [(one.operation, one.fault) for one in sandbox.faults.pending]
    assert told == [(None, "drop_answer"), ("SingleVerify", "stall"), ("SingleOrder", "stall")]
    assert read(faults="bad.toml").settings == {"faults": HERE / "bad.toml"}
    assert read(faults=Path("/elsewhere/bad.toml")).settings["faults"] == Path(
        "/elsewhere/bad.toml"
    )


def test_a_scenario_with_and_without_arguments() -> None:
    sandbox = Sandbox(cards=100)
    assert isinstance(read(scenario="unpaid_order").set_up(sandbox), Situation)
    found = read(scenario=("active_plan", {"renewal_due_in_days": 1})).set_up(sandbox)
    assert isinstance(found, Situation)
    assert found.subscription is not None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"card": 5}, "card is not known; there are scenario, faults, cards, partner_code,"),
        ({"seed": 5}, "seed is not known"),
        ({"state": "x"}, "state is not known"),
        ({"scenario": "nothing"}, "scenario must be one of unpaid_order, active_plan,"),
        ({"scenario": "_unused"}, "scenario must be one of"),
        ({"scenario": ("active_plan", 3)}, "arguments of a scenario are a dict"),
        ({"scenario": ("active_plan", {"day": 3})}, "scenario active_plan: got an unexpected"),
        ({"scenario": "full_group"}, "scenario full_group: missing a required argument: 'size'"),
        ({"faults": stall()}, "faults must be a list or the name of a file"),
        ({"faults": [stall(), "stall"]}, "fault 2: a fault is needed"),
        ({"faults": [("SingelOrder", stall())]}, "fault 1: no operation is called 'SingelOrder'"),
        ({"faults": [(5, stall())]}, "fault 1: an operation is a class or a name, not 5"),
    ],
)
def test_what_is_wrong_is_told(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(**given)
    assert message in str(caught.value)


def test_nothing_goes_without_a_name() -> None:
    with pytest.raises(ConfigurationError, match="given by name, which 5 is not"):
        wanted([Given(args=(5,))], HERE)
