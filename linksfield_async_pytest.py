"""The pytest plugin: a sandbox of the service for each test that asks for it.

pytest imports this module at every start, whether a project's tests use it or not. So it stands
outside the package and imports nothing of it until a test needs it: nobody's start takes longer,
and a coverage measurement that begins after this import misses nothing.

PYTEST_DONT_REWRITE: nothing is asserted here, and some import it before pytest does.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from linksfield_async import Account, Client, Sandbox, SyncClient
    from linksfield_async.sandbox import Situation
    from linksfield_async.sandbox.records import Group
    from linksfield_async.testing.plugin import Bench

_MARKER = "linksfield"
_BENCH = pytest.StashKey["Bench"]()
_FIXTURES = frozenset(
    f"linksfield_{name}"
    for name in ("sandbox", "situation", "account", "environment", "client", "sync_client")
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the seed of all sandboxes."""
    parser.getgroup("linksfield").addoption(
        "--linksfield-seed",
        type=int,
        default=1,
        metavar="N",
        help="seed of the sandboxes of linksfield_async: cards, ids, what goes wrong (default: 1)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(scenario, faults, cards, …): the sandbox that linksfield_async starts for "
        "this test; takes the settings of Sandbox, a scenario and faults, all by name",
    )


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """Tell the seed where any test uses a sandbox."""
    if any(not _FIXTURES.isdisjoint(getattr(item, "fixturenames", ())) for item in items):
        return [f"linksfield sandbox: --linksfield-seed={config.getoption('linksfield_seed')}"]
    return []


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a marker that nothing would heed."""
    if item.get_closest_marker(_MARKER) is None:
        return
    if _FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
        pytest.fail(
            f"{item.nodeid}: @pytest.mark.{_MARKER} says how the sandbox is to be, but the test "
            "uses none: ask for the fixture linksfield_sandbox",
            pytrace=False,
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the sandbox received."""
    report = yield
    bench = item.stash.get(_BENCH, None)
    if bench is not None and report.failed:
        report.sections.append(("linksfield sandbox, requests", bench.told()))
    return report


@pytest.fixture
def _linksfield_bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    from linksfield_async import ConfigurationError  # noqa: PLC0415 - see the module's docstring
    from linksfield_async.testing.plugin import opened, wanted  # noqa: PLC0415

    item = request.node
    seed: Any = request.config.getoption("linksfield_seed")
    bench, problem = None, ""
    with ExitStack() as stack:
        try:
            asked_for = wanted(item.iter_markers(_MARKER), item.path.parent)
            bench = stack.enter_context(opened(asked_for, seed))
        except ConfigurationError as error:
            problem = str(error)
        if bench is None:
            # Out of the handler, whose traces would hide the message.
            pytest.fail(f"{item.nodeid}: @pytest.mark.{_MARKER}: {problem}", pytrace=False)
        item.stash[_BENCH] = bench
        yield bench


@pytest.fixture
def linksfield_sandbox(_linksfield_bench: Bench) -> Sandbox:
    """Give a sandbox of the service, new for this test, in a thread of its own.

    It may be used from any thread and in any event loop; see `@pytest.mark.linksfield`.
    """
    return _linksfield_bench.sandbox


@pytest.fixture
def linksfield_situation(_linksfield_bench: Bench) -> Situation | Group:
    """Give what the scenario of `@pytest.mark.linksfield(scenario=…)` has set up."""
    if _linksfield_bench.situation is None:
        pytest.fail(
            f'linksfield_situation needs a scenario: @pytest.mark.{_MARKER}(scenario="active_plan")',
            pytrace=False,
        )
    return _linksfield_bench.situation


@pytest.fixture
def linksfield_account(linksfield_sandbox: Sandbox) -> Account:
    """Give the account of the sandbox's partner, for a client of your own."""
    return linksfield_sandbox.account


@pytest.fixture
def linksfield_environment(
    linksfield_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Set the variables that `Account.from_env()` reads, so that an app calls the sandbox."""
    account = linksfield_sandbox.account
    variables = {
        "LINKSFIELD_PARTNER_CODE": account.partner_code,
        "LINKSFIELD_ENDPOINTS": linksfield_sandbox.url,
    }
    for name in ("LINKSFIELD_ACCESS_CODE", "LINKSFIELD_LANGUAGE_CODE", "LINKSFIELD_WIRE_NAMES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.fixture
def linksfield_client(_linksfield_bench: Bench) -> Iterator[Client]:
    """Give a client of the sandbox, for tests that are async under whatever plugin."""
    with _linksfield_bench.client() as client:
        yield client


@pytest.fixture
def linksfield_sync_client(_linksfield_bench: Bench) -> Iterator[SyncClient]:
    """Give a client of the sandbox that blocks."""
    with _linksfield_bench.sync_client() as client:
        yield client
