"""The pytest plugin, in test runs of its own within this one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import linksfield_async.testing.plugin  # noqa: F401
import linksfield_async_pytest  # noqa: F401 - once for all runs: each would import it anew

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
PLUGIN = ("-p", "linksfield_async_pytest")
QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-W", "error", "--strict-markers")

ASYNC = """
    import asyncio
    import pytest
    from linksfield_async import Client
    from linksfield_async.operations import SingleVerify

    {mark}
    async def test_async(linksfield_sandbox, linksfield_client, linksfield_account{more}):
        card = next(linksfield_sandbox.world.iccids())
        await linksfield_client.vshop.verify_card(iccid=card)
        async with Client(linksfield_account) as client:
            await client.vshop.verify_card(iccid=card)
        linksfield_sandbox.requests.of(SingleVerify, iccid=card).times(2)
"""


@pytest.fixture(autouse=True)
def _a_project_of_its_own(pytester: pytest.Pytester) -> None:
    """Where temporary directories lie within this project, pytest would find its settings."""
    pytester.makeini("[pytest]")


def run(
    pytester: pytest.Pytester, code: str, *options: str, loaded: tuple[str, ...] = PLUGIN
) -> pytest.RunResult:
    """Run a test module in this process, so that this project's guard sees what it leaves open."""
    pytester.makepyfile(dedent(code))
    return pytester.runpytest_inprocess(*loaded, *QUIET, *options)


def test_importing_it_imports_nothing_of_the_package() -> None:
    code = (
        "import sys, linksfield_async_pytest\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('linksfield_async',"
        " 'aiohttp', 'attrs', 'attr', 'anyio', 'asyncio')])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_its_entry_point_is_named_like_its_module() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert (
        '[project.entry-points.pytest11]\nlinksfield_async_pytest = "linksfield_async_pytest"'
        in text
    )


def test_a_project_that_does_not_use_it_imports_nothing_of_the_package(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile("import sys\ndef test_it(): assert 'linksfield_async' not in sys.modules")
    ran = pytester.runpytest_subprocess(*PLUGIN, *QUIET, "-p", "no:asyncio")
    ran.assert_outcomes(passed=1)
    assert "linksfield sandbox" not in ran.stdout.str()


def test_the_package_may_be_imported_before_pytest_starts(pytester: pytest.Pytester) -> None:
    """Where a plugin is installed, pytest looks at its whole package and may warn of this."""
    pytester.makepyfile("def test_it(linksfield_sandbox): pass")
    options = [*PLUGIN, *QUIET, "-p", "no:asyncio"]
    code = f"import linksfield_async, pytest, sys; sys.exit(pytest.main({options!r}))"
    assert pytester.runpython_c(code).ret == 0


def test_a_test_that_blocks_without_any_async_plugin(pytester: pytest.Pytester) -> None:
    ran = run(
        pytester,
        """
        import asyncio
        from linksfield_async.operations import SingleVerify

        def test_sync(linksfield_sandbox, linksfield_sync_client):
            card = next(linksfield_sandbox.world.iccids())
            linksfield_sync_client.vshop.verify_card(iccid=card)
            linksfield_sandbox.requests.of(SingleVerify, iccid=card).once()

        def test_with_a_loop_of_its_own(linksfield_sandbox, linksfield_client):
            card = next(linksfield_sandbox.world.iccids())
            for _ in range(2):
                asyncio.run(linksfield_client.vshop.verify_card(iccid=card))
            linksfield_sandbox.requests.of(SingleVerify).times(2)
        """,
        *("-p", "no:asyncio", "-p", "no:anyio"),
    )
    ran.assert_outcomes(passed=2)


def test_a_test_under_pytest_asyncio(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    code = ASYNC.format(mark="@pytest.mark.asyncio", more="")
    run(pytester, code, "-p", "no:anyio").assert_outcomes(passed=1)


def test_a_test_under_anyio(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'")
    code = ASYNC.format(mark="@pytest.mark.anyio", more="")
    run(pytester, code, "-p", "no:asyncio").assert_outcomes(passed=1)


def test_a_client_under_trio_sends_nothing(pytester: pytest.Pytester) -> None:
    """It is made for asyncio; what it is told fails before anything leaves."""
    pytest.importorskip("trio")
    ran = run(
        pytester,
        """
        import pytest

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["trio"])
        async def test_it(linksfield_sandbox, linksfield_client):
            with pytest.raises(RuntimeError):
                await linksfield_client.groups.list()
            assert not linksfield_sandbox.requests
        """,
        *("-p", "no:asyncio"),
    )
    ran.assert_outcomes(passed=1)


def test_each_test_has_a_world_of_its_own_and_the_seed_decides_it(
    pytester: pytest.Pytester,
) -> None:
    code = """
        import pytest

        @pytest.mark.parametrize("number", range(2))
        def test_it(number, linksfield_sandbox, linksfield_sync_client):
            assert len(linksfield_sandbox.requests) == 0
            card = next(linksfield_sandbox.world.iccids())
            linksfield_sync_client.vshop.verify_card(iccid=card)
            print("card", card)
    """
    cards = []
    for options in (), ("--linksfield-seed=7",):
        ran = run(pytester, code, "-s", "-p", "no:asyncio", *options)
        ran.assert_outcomes(passed=2)
        cards.append([line for line in ran.outlines if "card " in line])
        assert f"linksfield sandbox: --linksfield-seed={7 if options else 1}" in ran.outlines
    assert [len(told) for told in cards] == [2, 2]
    assert cards[0] != cards[1]


def test_an_app_gets_its_account_from_the_environment(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINKSFIELD_WIRE_NAMES", "/nowhere.toml")
    monkeypatch.setenv("LINKSFIELD_PARTNER_CODE", "P999999")
    ran = run(
        pytester,
        """
        from linksfield_async import Account, SyncClient

        def test_it(linksfield_environment, linksfield_account, linksfield_sandbox):
            assert Account.from_env() == linksfield_account
            with SyncClient(Account.from_env()) as client:
                client.groups.list()
            linksfield_sandbox.requests.of("ListGroups").once()
        """,
        *("-p", "no:asyncio"),
    )
    ran.assert_outcomes(passed=1)


def test_the_marker_sets_up_the_sandbox(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("faults.toml").write_text(
        '[[fault]]\noperation = "SingleVerify"\nkind = "refuse"\ntimes = 1\n'
    )
    ran = run(
        pytester,
        """
        import pytest
        from linksfield_async import OutcomeUnknown, Refused
        from linksfield_async.operations import SingleVerify
        from linksfield_async.sandbox import drop_answer, server_error

        @pytest.mark.linksfield(scenario="active_plan", cards=100)
        class TestTogether:
            def test_of_the_class(self, linksfield_sandbox, linksfield_situation):
                assert len(list(linksfield_sandbox.world.iccids(None))) == 100
                assert linksfield_sandbox.world.card(linksfield_situation.iccid).orders

            @pytest.mark.linksfield(cards=200, scenario=("full_group", {"size": 3}))
            def test_closer(self, linksfield_sandbox, linksfield_situation):
                assert len(list(linksfield_sandbox.world.iccids(None))) == 200
                assert len(linksfield_situation.members) == 3

        @pytest.mark.linksfield(faults=[(SingleVerify, drop_answer()), server_error(503)])
        def test_faults(linksfield_sandbox, linksfield_sync_client):
            card = next(linksfield_sandbox.world.iccids())
            linksfield_sync_client.vshop.verify_card(iccid=card)
            seen = linksfield_sandbox.requests.of(SingleVerify).times(3)
            assert [one.fault for one in seen] == ["drop_answer", "server_error 503", None]

        @pytest.mark.linksfield(faults="faults.toml")
        def test_a_file_of_faults(linksfield_sandbox, linksfield_sync_client):
            with pytest.raises(Refused):
                linksfield_sync_client.vshop.verify_card(
                    iccid=next(linksfield_sandbox.world.iccids())
                )
        """,
        *("-p", "no:asyncio"),
    )
    ran.assert_outcomes(passed=4)


@pytest.mark.parametrize(
    ("marker", "fixture", "message"),
    [
        ("crds=3", "linksfield_sandbox", "crds is not known; there are scenario, faults, cards,"),
        ("cards=-3", "linksfield_sandbox", "cards must be a whole number from 1"),
        ("port=80", "linksfield_sandbox", "port is not known"),
        ("scenario='full_gruop'", "linksfield_sandbox", "scenario must be one of unpaid_order,"),
        ("cards=3", "request", "the test uses none: ask for the fixture linksfield_sandbox"),
        ("cards=100", "linksfield_situation", "linksfield_situation needs a scenario"),
    ],
)
def test_a_wrong_marker_is_one_clear_line(
    pytester: pytest.Pytester, marker: str, fixture: str, message: str
) -> None:
    code = f"""
        import pytest

        @pytest.mark.linksfield({marker})
        def test_it({fixture}): pass
    """
    ran = run(pytester, code, "-p", "no:asyncio")
    ran.assert_outcomes(errors=1)
    ran.stdout.fnmatch_lines(["*ERROR at setup of test_it*", f"*{message}*"], consecutive=True)


def test_a_failure_shows_what_the_sandbox_received(pytester: pytest.Pytester) -> None:
    ran = run(
        pytester,
        """
        def test_it(linksfield_sandbox, linksfield_sync_client):
            card = next(linksfield_sandbox.world.iccids())
            linksfield_sync_client.vshop.verify_card(iccid=card)
            linksfield_sandbox.requests.of("SingleOrder").once()
        """,
        *("-p", "no:asyncio"),
    )
    ran.assert_outcomes(failed=1)
    ran.stdout.fnmatch_lines(
        [
            '>*linksfield_sandbox.requests.of("SingleOrder").once()',
            "E *expected SingleOrder once, but the log holds 0",
            "*linksfield sandbox, requests*",
            "#0 SingleVerify 200 (ok) iccid=8985*",
        ]
    )
    assert "matched.py" not in ran.stdout.str()


PAGE = ROOT / "docs" / "testing.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("code", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_examples_of_the_page_are_tests_that_pass(pytester: pytest.Pytester, code: str) -> None:
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    run(pytester, code).assert_outcomes(passed=1)
