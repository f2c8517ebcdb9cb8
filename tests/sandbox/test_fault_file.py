"""A file of faults is taken whole or refused, naming the entry."""

import subprocess
import sys

import pytest

from linksfield_async import errors
from linksfield_async.sandbox import Faults, GroupBehaviour, Sandbox
from linksfield_async.sandbox.__main__ import main
from linksfield_async.sandbox.fault_file import read_fault_file

GOOD = """
[[fault]]
operation = "SingleOrder"
kind = "drop_answer"
times = 2

[[fault]]
kind = "slow"
seconds = 0.001
rate = 1

[[limit]]
per_second = 50
operation = "GetOrder"

[groups]
max_cards = 500
failing = { "8985" = "barred" }
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        file = tmp_path / "faults.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


async def test_good_file(write, caller_of):
    async with Sandbox(cards=20, faults=write(GOOD)) as sandbox:
        await caller_of(sandbox)("/vshop/singleVerify", deviceCode="1")
        assert repr(sandbox.faults) == "<2 scripted faults, 1 rules, 1 limits>"
        assert sandbox.requests.last.fault == "slow 0.001"
        assert sandbox.world.group_behaviour.max_cards == 500
        assert sandbox.world.group_behaviour.failing == {"8985": "barred"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = ", "faults.toml is not TOML: Invalid value"),
        ("[[fautl]]", "fautl: only fault, limit, groups may stand here"),
        ("[[fault]]\nrate = 1", "fault 1: kind must be one of drop_request, .*, not None"),
        ('[[fault]]\nkind = "stall"', "fault 1: either times .* or rate is needed"),
        ('[[fault]]\nkind = "stall"\nrate = 1\ntimes = 1', "fault 1: either times"),
        ('[[fault]]\nkind = "stall"\nrate = 3', "fault 1: the rate must be a share"),
        ('[[fault]]\nkind = "stall"\ntimes = 0', "fault 1: times must be a whole number"),
        ('[[fault]]\nkind = "slow"\nrate = 1', "fault 1: slow does not take these .*'seconds'"),
        ('[[fault]]\nkind = "stall"\nrate = 1\noperation = 5', "fault 1: operation must be"),
        (
            '[[fault]]\nkind = "stall"\nrate = 1\n[[fault]]\nkind="stall"\nrate=1\noperation="X"',
            "fault 2: no operation is called 'X'",
        ),
        ("fault = 5", "fault 1: a table is needed, not 5"),
        ("[[limit]]\nburst = 5", "limit 1: per_second is needed"),
        ("[[limit]]\nspeed = 5", "limit 1: speed is not known; a limit has per_second"),
        ("[[limit]]\nper_second = -1", "limit 1: per_second must be from 1e-06 on, not -1"),
        ("[groups]\nmax = 5", "groups: max is not known; groups have max_cards"),
        ("[groups]\nmax_cards = -5", "groups: max_cards must be a whole number from 0 on"),
        ("groups = 5", "groups: a table is needed"),
        (
            f'[[fault]]\nkind = "slow"\ntimes = 1\nseconds = 1{"0" * 400}',
            "seconds, from 0 to a year",
        ),
        (
            "[[limit]]\nper_second = 5\noperation = 5",
            "limit 1: an operation is a class or a name, not 5",
        ),
        ('[groups]\nwords = "x"', "groups: words must say a word for each"),
        ("[groups]\ncard_words = {success = 1}", "groups: card_words must say a word for each"),
        ("[groups]\nmissing = [5]", "groups: missing and extra must hold ICCIDs as texts"),
        ("[groups]\nfailing = {a = 5}", "groups: failing must hold ICCIDs and reasons as texts"),
    ],
)
def test_wrong_file_changes_nothing(write, text, message):
    faults, behaviour = Faults(1), GroupBehaviour()
    with pytest.raises(errors.ConfigurationError, match=message) as caught:
        read_fault_file(write(text), faults, behaviour)
    assert "\n" not in str(caught.value)
    assert not faults
    assert behaviour == GroupBehaviour()


def test_no_such_file(tmp_path):
    with pytest.raises(errors.ConfigurationError, match="none.toml cannot be read: No such file"):
        Sandbox(faults=tmp_path / "none.toml")


def test_command_lines(write, capsys):
    file = str(write("[[fault]]\nrate = 1"))
    assert main(["--faults", file]) == 2
    assert "fault 1: kind must be" in capsys.readouterr().err
    command = [sys.executable, "-m", "linksfield_async", "sandbox", "--port", "0"]
    ended = subprocess.run(
        [*command, "--faults", file], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "faults.toml: fault 1: kind must be one of" in ended.stderr
