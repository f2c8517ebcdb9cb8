from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from linksfield_async import __version__
from linksfield_async.account import Endpoints
from linksfield_async.cli import app, main, session

CARD = "8985200000000000000"


def test_help_lists_all_commands(bare):
    result = bare("--help")
    assert result.exit_code == 0
    for command in (
        *("demo", "verify", "plans", "orders", "order", "renewal", "pay", "groups"),
        *("sign", "operations", "sandbox"),
    ):
        assert f"\n  {command} " in result.stdout
    assert "3  finished, but some items are not valid or failed" in result.stdout


@pytest.mark.parametrize(
    "path", [(name,) for name in app.root.commands] + [("pay", "confirm"), ("groups", "add")]
)
def test_every_command_has_help_and_needs_no_account_for_it(bare, path):
    result = bare(*path, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: linksfield {' '.join(path)}")


def test_version(bare):
    assert bare("--version").stdout == f"linksfield, version {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("plans", CARD), "LINKSFIELD_PARTNER_CODE"),
        (("--partner-code", " ", "plans", CARD), "LINKSFIELD_PARTNER_CODE"),
        (("--partner-code", "P1", "--endpoints", "nowhere", "plans", CARD), "nowhere"),
        (("--partner-code", "P1", "--endpoints", "http://example.com", "plans", CARD), "https"),
        (("--partner-code", "P1", "--deadline", "0", "plans", CARD), "deadline"),
        (("--partner-code", "P1", "--deadline", "nan", "plans", CARD), "deadline"),
        (("--deadline", "soon", "plans", CARD), "deadline"),
        (("nothing",), "No such command"),
        (("plans",), "ICCID"),
        (("plans", CARD, "more"), "more"),
        (("plans", "x"), "digits only"),
    ],
)
def test_wrong_use_and_settings_end_with_2(bare, arguments, problem):
    result = bare(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert problem in result.stderr


def test_options_go_before_the_environment(bare, sandbox, valid, no_account):
    result = bare(
        *("--partner-code", sandbox.account.partner_code, "--endpoints", sandbox.url),
        *("plans", valid[0]),
        LINKSFIELD_PARTNER_CODE="someone else",
        LINKSFIELD_ENDPOINTS="http://127.0.0.1:9",
    )
    assert result.exit_code == 0, result.stderr
    assert sandbox.requests[-1].params["partnerCode"] == sandbox.account.partner_code


def test_the_deadline_reaches_the_call(bare):
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"http://127.0.0.1:{silent.getsockname()[1]}"
        account = ("--partner-code", "P1", "--endpoints", where)
        result = bare(*account, "--deadline", "0.2", "plans", CARD)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert time.monotonic() - started < 5


def test_interrupted_ends_with_4(cli, valid, monkeypatch):
    def interrupt(work):
        work.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(asyncio.Runner, "run", lambda _, work: interrupt(work))
    result = cli("plans", valid[0])
    assert result.exit_code == 4
    assert "interrupted" in result.stderr


@pytest.mark.parametrize(
    ("endpoints", "live"),
    [
        (Endpoints.TEST, False),
        (Endpoints.PRODUCTION, True),
        (Endpoints.at("http://127.0.0.1:8080"), False),
        (Endpoints.at("http://[::1]:8080"), False),
        (Endpoints.at("https://gateway.example"), True),
    ],
)
def test_what_counts_as_production(endpoints, live):
    assert session._is_live(endpoints) is live


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_click_one_line_says_how_to_get_it(monkeypatch, capsys, missing):
    import linksfield_async.cli as package

    monkeypatch.setattr(package, "find_spec", lambda name: None if name == missing else object())
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told == f"linksfield needs {missing}: pip install 'linksfield_async[cli]'\n"


def test_the_package_does_not_pull_the_command_line_in():
    code = (
        "import sys, linksfield_async.cli\n"
        "assert not {'click', 'rich'} & set(sys.modules)\n"
        "import linksfield_async.cli.app\n"
        "heavy = {'rich', 'linksfield_async.sandbox', 'anyio.from_thread'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_faster_loop_is_taken_where_there_is_one(monkeypatch):
    made = []

    def new_event_loop():
        made.append(asyncio.new_event_loop())
        return made[-1]

    async def which():
        return asyncio.get_running_loop()

    monkeypatch.setitem(sys.modules, "uvloop", SimpleNamespace(new_event_loop=new_event_loop))
    assert session.run(which()) is made[0]
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert session.run(which()) is not made[0]
